//! What the world keeps under names.

use super::call::{Account, Call};
use crate::port::{Parameter, ReadParameters};
use crate::run::Fault;
use crate::sim::ParameterFile;
use async_trait::async_trait;

#[async_trait]
impl ReadParameters for Account {
    async fn parameter(&self, name: &str) -> Result<Option<Parameter>, Fault> {
        let call = Call { service: "ssm", operation: "GetParameter", resource: &name, writes: false };
        self.look(call, |world, _| {
            let told = |kept: &ParameterFile| Parameter::Text(kept.value.clone());
            let found = world.parameter(name);
            Ok(found.map(|kept| if kept.encrypted { Parameter::Secret } else { told(kept) }))
        })
        .await
    }
}
