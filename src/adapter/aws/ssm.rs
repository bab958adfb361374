//! Systems Manager's Parameter Store: one parameter by its name, and never a secret.

use super::account::Account;
use super::call;
use crate::adapter::budgets::Service;
use crate::port::{Parameter, ReadParameters};
use crate::run::Fault;
use async_trait::async_trait;
use aws_sdk_ssm::types::ParameterType;

#[async_trait]
impl ReadParameters for Account {
    async fn parameter(&self, name: &str) -> Result<Option<Parameter>, Fault> {
        let unseen = self.unseen("ssm GetParameter", name);
        let client = self.ssm().await.map_err(&unseen)?;
        let ask = |watch| {
            client.get_parameter().name(name).with_decryption(false).customize().interceptor(watch).send()
        };
        let answer = match call::read(self, Service::Ssm, ask).await {
            Err(failure) if failure.code.as_deref() == Some("ParameterNotFound") => return Ok(None),
            answer => answer.map_err(&unseen)?,
        };
        Ok(answer.parameter.map(|found| match (found.r#type, found.value) {
            (Some(ParameterType::SecureString), _) => Parameter::Secret,
            (_, value) => Parameter::Text(value.unwrap_or_default()),
        }))
    }
}
