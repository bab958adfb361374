//! What the credentials of the world may do.

use super::call::{Account, Call};
use crate::port::{Asked, Judged, ReadPermissions, Renewal, Ruling};
use crate::run::Fault;
use crate::sim::USER;
use async_trait::async_trait;

#[async_trait]
impl ReadPermissions for Account {
    async fn may(&self, asked: &[Asked]) -> Result<Judged, Fault> {
        self.ready().await.map_err(|failure| failure.fault(&call("sts", "GetCallerIdentity")))?;
        let (who, renewal) = (format!("user {USER}"), Renewal::ByItself);
        if asked.is_empty() {
            return Ok(Judged { who, renewal, rulings: Vec::new() });
        }
        let looking = self.look(call("iam", "SimulatePrincipalPolicy"), |world, _| {
            Ok(asked.iter().map(|one| world.permits(one)).collect::<Vec<_>>())
        });
        let unknown = |fault: Fault| vec![Ruling::Unknown(fault.to_string()); asked.len()];
        Ok(Judged { who, renewal, rulings: looking.await.unwrap_or_else(unknown) })
    }
}

fn call(service: &'static str, operation: &'static str) -> Call<'static> {
    Call { service, operation, resource: &"", writes: false }
}
