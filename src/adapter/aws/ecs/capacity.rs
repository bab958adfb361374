//! What tasks of ECS are placed on: capacity providers of a cluster, and instances that are registered in it.

use super::super::account::Account;
use super::super::call::{self, Class, Failure};
use super::shape;
use crate::adapter::budgets::Service;
use crate::port::{CapacityProvider, Placement};
use crate::run::Fault;
use aws_sdk_ecs::types::{CapacityProviderStrategyItem, LaunchType};

/// What a service is placed on: it tells a strategy, or else a launch type.
pub(super) fn placement(
    launch: Option<&LaunchType>,
    strategy: Option<Vec<CapacityProviderStrategyItem>>,
) -> Placement {
    // No task is dealt to one with neither.
    let used = strategy.unwrap_or_default().into_iter().filter(|item| item.weight > 0 || item.base > 0);
    match launch {
        Some(LaunchType::Ec2 | LaunchType::External) => Placement::Instances,
        _ => Placement::by(used.map(|item| item.capacity_provider).collect()),
    }
}

/// What [`crate::port::ReadCompute::capacity_providers`] says. With the cluster, for those of managed instances are known by
/// it alone, and another one may be of no use to its services.
pub(super) async fn providers(
    account: &Account,
    cluster: &str,
    names: &[String],
) -> Result<Vec<CapacityProvider>, Fault> {
    let named = format!("{} in {cluster}", names.join(", "));
    let unseen = account.unseen("ecs DescribeCapacityProviders", &named);
    let client = account.ecs().await.map_err(&unseen)?;
    let ask = |watch| {
        client
            .describe_capacity_providers()
            .cluster(cluster)
            .set_capacity_providers(Some(names.to_vec()))
            .customize()
            .interceptor(watch)
            .send()
    };
    let answer = call::read(account, Service::Ecs, ask).await.map_err(&unseen)?;
    let (found, failures) =
        (answer.capacity_providers.unwrap_or_default(), answer.failures.unwrap_or_default());
    let told = names.iter().filter_map(|name| {
        let own = found.iter().find(|one| one.name.as_ref() == Some(name));
        let status = own.and_then(|one| one.status.as_ref()).map(|status| status.as_str().to_owned());
        // Only what is called missing is; a name is the last part of its ARN.
        let is_missing = failures.iter().any(|failure| {
            let arn = failure.arn.as_deref().unwrap_or_default();
            failure.reason.as_deref() == Some("MISSING") && arn.rsplit('/').next() == Some(name.as_str())
        });
        let is_told = status.is_some() || (own.is_none() && is_missing);
        is_told.then(|| CapacityProvider { name: name.clone(), status })
    });
    Ok(told.collect())
}

/// How many instances are registered in a cluster.
pub(super) async fn instances(account: &Account, cluster: &str) -> Result<u32, Fault> {
    let unseen = account.unseen("ecs DescribeClusters", cluster);
    let client = account.ecs().await.map_err(&unseen)?;
    let ask = |watch| client.describe_clusters().clusters(cluster).customize().interceptor(watch).send();
    let answer = call::read(account, Service::Ecs, ask).await.map_err(&unseen)?;
    if let Some(found) = answer.clusters.unwrap_or_default().into_iter().next() {
        return Ok(shape::count(found.registered_container_instances_count));
    }
    let (reason, text) = shape::failures(&answer.failures.unwrap_or_default())
        .unwrap_or_else(|| ("MISSING".into(), cluster.to_owned()));
    Err(unseen(Failure { class: Class::Refused, code: Some(reason), text }))
}
