//! Whether what a definition names is there: IAM tells it of roles, Secrets Manager of secrets, Systems Manager of parameters and
//! `CloudWatch Logs` of log groups. What a secret says is not asked for, and nothing is decrypted.

use super::account::Account;
use super::bare::{self, Bare, Read};
use super::call::{self, Class, Failure};
use super::iam;
use crate::adapter::budgets::Service;
use crate::port::{Named, Presence, ReadParameters};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use serde_json::json;

const DESCRIBE: &[(&str, &str)] =
    &[("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "secretsmanager.DescribeSecret")];

/// What [`crate::port::ReadCompute::named`] says.
pub(super) async fn presence(account: &Account, thing: &Named) -> Presence {
    match thing {
        Named::Role(name) => {
            let what = ("iam GetRole", name.as_str());
            told(account, what, "NoSuchEntity", role(account, name).await)
        }
        Named::Secret(name) => {
            let what = ("secretsmanager DescribeSecret", name.as_str());
            told(account, what, "ResourceNotFoundException", secret(account, name).await)
        }
        Named::Parameter(name) => match account.parameter(name).await {
            Ok(Some(_)) => Presence::There,
            Ok(None) => Presence::Missing,
            Err(fault) => Presence::Unknown(fault.message.to_string()),
        },
        Named::LogGroup(name) => match account.has_group(name).await {
            Ok(Some(true)) => Presence::There,
            Ok(Some(false)) => Presence::Missing,
            Ok(None) => Presence::Unknown(format!("too many log groups begin with {name}")),
            Err(fault) => Presence::Unknown(fault.message.to_string()),
        },
    }
}

/// Only that code is a certain no.
fn told(
    account: &Account,
    (operation, name): (&str, &str),
    missing: &str,
    asked: Result<Presence, Failure>,
) -> Presence {
    asked.unwrap_or_else(|failure| {
        if failure.class == Class::Refused && failure.code.as_deref() == Some(missing) {
            return Presence::Missing;
        }
        let fault = failure.fault(&format!("{operation} of {name}"), account, false);
        Presence::Unknown(fault.message.to_string())
    })
}

/// By the last part of its ARN: within an account names of roles are unique, whatever their paths.
async fn role(account: &Account, name: &str) -> Result<Presence, Failure> {
    let (config, _) = account.identified().await?;
    let name = name.rsplit('/').next().unwrap_or(name);
    let form = vec![("RoleName".to_owned(), name.to_owned())];
    iam::ask(account, config, "GetRole", &form, |_| ()).await?;
    Ok(Presence::There)
}

async fn secret(account: &Account, name: &str) -> Result<Presence, Failure> {
    let (config, _) = account.identified().await?;
    let region = account.place().region.to_string();
    let call = Bare {
        config,
        service: "secretsmanager",
        endpoint: format!("https://secretsmanager.{region}.{}", bare::domain(&region)),
        region,
        operation: "DescribeSecret",
        headers: DESCRIBE,
        body: json!({"SecretId": name}).to_string(),
    };
    call::read(account, Service::Secrets, |watch| call.send(watch, read_secret)).await
}

/// `{"ARN": "…", "Name": "aep/db"}`; `DeletedDate` is there once it is marked for deletion.
fn read_secret(answer: &HttpResponse) -> Read<Presence> {
    let secret = bare::json(answer)?;
    match (secret["ARN"].is_string(), secret["DeletedDate"].is_null()) {
        (true, true) => Ok(Presence::There),
        (true, false) => Ok(Presence::Leaving),
        (false, _) => Err(OrchestratorError::other("the answer has no secret")),
    }
}
