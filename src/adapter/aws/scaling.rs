//! Application Auto Scaling: within which bounds it scales a service of ECS.

use super::account::{Account, Changing};
use super::call;
use crate::adapter::budgets::Service;
use crate::port::{Scaling, SetScaling};
use crate::run::Fault;
use aws_sdk_applicationautoscaling::types::ScalableDimension::EcsServiceDesiredCount;
use aws_sdk_applicationautoscaling::types::ServiceNamespace::Ecs;

/// `service/cluster/name`, of names or ARNs.
fn resource(cluster: &str, service: &str) -> String {
    let short = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    format!("service/{}/{}", short(cluster), short(service))
}

/// None: nothing scales it.
pub(super) async fn bounds(
    account: &Account,
    cluster: &str,
    service: &str,
) -> Result<Option<Scaling>, Fault> {
    let resource = resource(cluster, service);
    let unseen = account.unseen("application-autoscaling DescribeScalableTargets", &resource);
    let client = account.scaling().await.map_err(&unseen)?;
    let ask = |watch| {
        client
            .describe_scalable_targets()
            .service_namespace(Ecs)
            .resource_ids(&resource)
            .scalable_dimension(EcsServiceDesiredCount)
            .customize()
            .interceptor(watch)
            .send()
    };
    let told = call::read(account, Service::Scaling, ask)
        .await
        .map_err(&unseen)?
        .scalable_targets
        .unwrap_or_default();
    let own = told.into_iter().find(|found| found.resource_id == resource);
    let count = |tasks: i32| u32::try_from(tasks).unwrap_or_default();
    Ok(own.map(|found| Scaling { min: count(found.min_capacity), max: count(found.max_capacity) }))
}

/// What is not stated stays.
pub(super) async fn set(changing: &Changing, setting: &SetScaling) -> Result<(), Fault> {
    let account = &*changing.account;
    let resource = resource(&setting.cluster, &setting.service);
    let unwritten = account.unwritten("application-autoscaling RegisterScalableTarget", &resource);
    let client = account.scaling().await.map_err(&unwritten)?;
    let count = |tasks: Option<u32>| {
        let count = tasks.map(i32::try_from).transpose();
        count.map_err(|_| Fault::permanent(format!("{resource}: more tasks than there can be")))
    };
    let (min, max) = (count(setting.min)?, count(setting.max)?);
    let send = |watch| {
        client
            .register_scalable_target()
            .service_namespace(Ecs)
            .resource_id(&resource)
            .scalable_dimension(EcsServiceDesiredCount)
            .set_min_capacity(min)
            .set_max_capacity(max)
            .customize()
            .interceptor(watch)
            .send()
    };
    call::write(account, Service::Scaling, changing.until, send).await.map(drop).map_err(&unwritten)
}
