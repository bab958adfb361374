//! Health checks of Route 53: what they ask, and what their checkers say.
//!
//! API reference, "GetHealthCheckStatus": it tells what checkers saw, of endpoints alone, and is no means of watching.

use super::super::account::Account;
use super::super::call;
use crate::adapter::budgets::Service;
use crate::port::dns::{Checkers, HealthCheck};
use crate::run::Fault;
use aws_sdk_route53::types::{HealthCheckConfig, HealthCheckObservation, HealthCheckType};

/// What [`crate::port::ReadDns::health_check`] says.
pub(super) async fn check(account: &Account, id: &str) -> Result<Option<HealthCheck>, Fault> {
    let unseen = account.unseen("route53 GetHealthCheck", &format!("health check {id}"));
    let client = account.route53().await.map_err(&unseen)?;
    let ask = |watch| client.get_health_check().health_check_id(id).customize().interceptor(watch).send();
    let answer = match call::read(account, Service::Route53, ask).await {
        Err(failure) if failure.code.as_deref() == Some("NoSuchHealthCheck") => return Ok(None),
        answer => answer.map_err(&unseen)?,
    };
    let Some(config) = answer.health_check.and_then(|check| check.health_check_config) else {
        let text =
            format!("route53 GetHealthCheck of health check {id}: the answer does not tell what it asks");
        return Err(Fault::transient(text));
    };
    let disabled = config.disabled.unwrap_or_default();
    let checkers = match endpoint(&config) {
        // Nobody goes by what they say.
        _ if disabled => Checkers::Unknown("it is disabled".into()),
        Some(_) => checkers(account, id).await,
        None => Checkers::Unknown("only health checks that ask an endpoint have checkers".into()),
    };
    let (asks, inverted) = (asks(&config), config.inverted.unwrap_or_default());
    Ok(Some(HealthCheck { asks, disabled, inverted, checkers }))
}

async fn checkers(account: &Account, id: &str) -> Checkers {
    let unseen = account.unseen("route53 GetHealthCheckStatus", &format!("health check {id}"));
    let client = match account.route53().await {
        Ok(client) => client,
        Err(failure) => return Checkers::Unknown(unseen(failure).message.to_string()),
    };
    let ask =
        |watch| client.get_health_check_status().health_check_id(id).customize().interceptor(watch).send();
    match call::read(account, Service::Route53, ask).await {
        Ok(answer) => counted(&answer.health_check_observations),
        Err(failure) => Checkers::Unknown(unseen(failure).message.to_string()),
    }
}

/// `Success: HTTP Status Code 200, OK`, `Failure: …`; what a checker says that has not asked yet is neither.
fn counted(observations: &[HealthCheckObservation]) -> Checkers {
    let said = |word: &str| {
        let status = |seen: &HealthCheckObservation| {
            let report = seen.status_report.as_ref();
            report.and_then(|report| report.status.as_deref()).is_some_and(|said| said.starts_with(word))
        };
        observations.iter().filter(|seen| status(seen)).count()
    };
    let well = said("Success");
    Checkers::Counted { well, of: well + said("Failure") }
}

/// Scheme and usual port, where an endpoint is asked.
fn endpoint(config: &HealthCheckConfig) -> Option<(&'static str, Option<i32>)> {
    match config.r#type {
        HealthCheckType::Http | HealthCheckType::HttpStrMatch => Some(("http", Some(80))),
        HealthCheckType::Https | HealthCheckType::HttpsStrMatch => Some(("https", Some(443))),
        HealthCheckType::Tcp => Some(("tcp", None)),
        _ => None,
    }
}

fn asks(config: &HealthCheckConfig) -> String {
    let Some((scheme, usual)) = endpoint(config) else { return goes_by(config) };
    let (address, named) = (config.ip_address.as_deref(), config.fully_qualified_domain_name.as_deref());
    let host = match address {
        Some(address) if address.contains(':') => format!("[{address}]"),
        Some(address) => address.to_owned(),
        None => named.unwrap_or_default().to_owned(),
    };
    let port = config.port.filter(|port| usual != Some(*port)).map(|port| format!(":{port}"));
    let path = config.resource_path.as_deref().unwrap_or_default();
    // With both the address is asked, in the name of the other.
    let as_whom = address.and(named).map(|name| format!(" as {name}"));
    format!("{scheme}://{host}{}{path}{}", port.unwrap_or_default(), as_whom.unwrap_or_default())
}

/// What others find.
fn goes_by(config: &HealthCheckConfig) -> String {
    match (&config.r#type, &config.alarm_identifier) {
        (HealthCheckType::Calculated, _) => {
            let count = config.child_health_checks.as_ref().map(Vec::len).unwrap_or_default();
            format!("{count} other health checks")
        }
        (HealthCheckType::CloudwatchMetric, Some(alarm)) => {
            format!("alarm {} in {}", alarm.name, alarm.region.as_str())
        }
        (kind, _) => format!("no endpoint ({})", kind.as_str()),
    }
}
