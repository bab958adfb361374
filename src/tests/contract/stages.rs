//! Services that take over a definition in stages: each is told, and each may be turned back.

use super::{Place, held_by_both, worth};
use crate::plan::Timestamp;
use crate::port::{
    DeploymentFilter, DeploymentStatus, Rollout, ServiceDeployment, Shift, StrategyKind, UpdateService,
};
use crate::run::{FaultKind, Landed};
use serde_json::json;
use std::time::Duration;

held_by_both!(
    a_service_tells_how_it_takes_over in canary,
    requests_come_over_stage_by_stage in canary,
    what_is_turned_back_is_as_it_was_before in canary,
    a_lost_call_to_turn_back_is_in_doubt in canary,
    a_pause_that_nobody_ends_goes_back in paused,
);

const CLUSTER: &str = "aep-prod";
const SERVICE: &str = "aep-backend-prod";

/// The backend takes over a fifth of the requests first.
fn canary(text: &str) -> String {
    changed(text, "strategy: canary, percent: 20, step_bake: 10m, bake: 10m")
}

/// It waits for somebody before any request comes over.
fn paused(text: &str) -> String {
    changed(text, "strategy: blue_green, pause: 10m")
}

fn changed(text: &str, deployment: &str) -> String {
    let service = "aep-backend-prod: { task_definition: aep-backend,";
    assert!(text.contains(service));
    text.replace(service, &format!("{service} deployment: {{ {deployment} }},"))
}

/// Sets the service to another definition; returns its ARN.
async fn begin(place: &Place) -> String {
    let compute = place.world.compute("prod").unwrap();
    let before = compute.service(CLUSTER, SERVICE).await.unwrap().unwrap();
    let mut content = compute.definition(&before.definition).await.unwrap().unwrap().content;
    content["containerDefinitions"][0]["image"] = super::compute::world_image().into();
    let write = place.world.change_compute("prod", Timestamp::NEVER).unwrap();
    let definition = write.register(&content).await.unwrap();
    let (cluster, service) = (CLUSTER.into(), SERVICE.into());
    write
        .update(&UpdateService { cluster, service, definition: definition.clone(), desired: None })
        .await
        .unwrap();
    definition
}

async fn newest(place: &Place) -> ServiceDeployment {
    let compute = place.world.compute("prod").unwrap();
    let all = DeploymentFilter::Since(Timestamp::PAST);
    compute.service_deployments(CLUSTER, SERVICE, &all).await.unwrap().remove(0)
}

/// What is under way has come to this stage.
async fn until_at(place: &Place, stage: &str) -> ServiceDeployment {
    place.until(async || newest(place).await.stage.as_deref() == Some(stage)).await;
    newest(place).await
}

async fn a_service_tells_how_it_takes_over(place: &Place) {
    let compute = place.world.compute("prod").unwrap();
    let told = compute.service(CLUSTER, SERVICE).await.unwrap().unwrap().strategy;
    let tenth = Duration::from_secs(600);
    assert_eq!((told.kind, told.bake), (StrategyKind::Canary, tenth));
    assert_eq!(told.shift, Some(Shift { percent: 20.0, wait: tenth }));
    assert!(
        told.has_stages() && !told.is_plain() && told.hooks.is_empty() && told.monitors.breaker.is_none()
    );
    let plain = compute.service(CLUSTER, "aep-frontend-prod").await.unwrap().unwrap().strategy;
    assert!(plain.is_plain() && plain.monitors.breaker.is_some());
}

async fn requests_come_over_stage_by_stage(place: &Place) {
    let compute = place.world.compute("prod").unwrap();
    let definition = begin(place).await;
    let found = newest(place).await;
    assert_eq!((found.status, found.definition), (DeploymentStatus::InProgress, Some(definition.clone())));
    assert_eq!(until_at(place, "PRODUCTION_TRAFFIC_SHIFT").await.share, Some(20.0));
    assert_eq!(until_at(place, "BAKE_TIME").await.share, Some(100.0));
    let service = compute.service(CLUSTER, SERVICE).await.unwrap().unwrap();
    assert_eq!(service.deployments.iter().map(|one| one.running).collect::<Vec<_>>(), [2, 2], "both run");
    place.until(async || newest(place).await.status == DeploymentStatus::Successful).await;
    let service = compute.service(CLUSTER, SERVICE).await.unwrap().unwrap();
    let [primary] = &service.deployments[..] else { panic!("{service:?}") };
    assert_eq!((&primary.definition, primary.rollout, primary.running), (&definition, Rollout::Completed, 2));
    let under_way = compute.service_deployments(CLUSTER, SERVICE, &DeploymentFilter::UnderWay).await;
    assert_eq!(under_way.unwrap(), []);
}

async fn what_is_turned_back_is_as_it_was_before(place: &Place) {
    let compute = place.world.compute("prod").unwrap();
    let before = compute.service(CLUSTER, SERVICE).await.unwrap().unwrap();
    begin(place).await;
    let arn = until_at(place, "BAKE_TIME").await.arn;
    let write = place.world.change_compute("prod", Timestamp::NEVER).unwrap();
    write.turn_back(&arn).await.unwrap();
    let named = DeploymentFilter::Named(arn.clone());
    let found = compute.service_deployments(CLUSTER, SERVICE, &named).await.unwrap().remove(0);
    assert!(found.status.is_turned_back() && found.reason.is_some(), "{found:?}");
    assert_eq!(found.definition, None, "whoever knows its ARN knows that");
    place.until(async || newest(place).await.status == DeploymentStatus::RollbackSuccessful).await;
    let now = compute.service(CLUSTER, SERVICE).await.unwrap().unwrap();
    assert_eq!((&now.definition, now.deployments.len(), now.running), (&before.definition, 1, 2));
    assert_eq!(now.deployments[0].rollout, Rollout::Completed);
    let over = write.turn_back(&arn).await.unwrap_err();
    assert_eq!(worth(&over), (FaultKind::Permanent, Landed::No), "{over}");
}

async fn a_lost_call_to_turn_back_is_in_doubt(place: &Place) {
    begin(place).await;
    let arn = newest(place).await.arn;
    let write = place.world.change_compute("prod", Timestamp::NEVER).unwrap();
    place.fault(json!({"service": "ecs", "operation": "StopServiceDeployment", "kind": "drop_after"})).await;
    assert_eq!(write.turn_back(&arn).await.unwrap_err().landed, Landed::Maybe);
    assert!(newest(place).await.status.is_turned_back());
}

async fn a_pause_that_nobody_ends_goes_back(place: &Place) {
    begin(place).await;
    let waits = until_at(place, "PRE_PRODUCTION_TRAFFIC_SHIFT").await;
    let [hook] = &waits.hooks[..] else { panic!("{waits:?}") };
    assert!(
        hook.person && hook.back && hook.status == "AWAITING_ACTION" && hook.expires.is_some(),
        "{hook:?}"
    );
    assert_eq!(waits.share, Some(0.0));
    place.until(async || newest(place).await.status == DeploymentStatus::RollbackSuccessful).await;
}
