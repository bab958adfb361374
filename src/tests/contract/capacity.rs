//! What services are placed on, and whether it is there.

use super::{Place, held_by_both};
use crate::port::{CapacityProvider, Placement};
use crate::run::FaultKind;
use serde_json::json;

held_by_both!(
    a_service_that_says_nothing_is_placed_on_what_is_always_there,
    a_capacity_provider_tells_how_it_stands in on_a_provider,
    a_capacity_provider_may_leave in on_a_provider_that_leaves,
    a_capacity_provider_may_be_gone in on_a_provider_that_is_gone,
    spare_capacity_is_known_by_its_name in on_spare,
    instances_are_counted in on_instances,
    who_may_not_ask_for_capacity_is_told_so in on_instances,
);

const CLUSTER: &str = "aep-prod";

fn on_a_provider(text: &str) -> String {
    changed(text, "provider: ours")
}

fn on_a_provider_that_leaves(text: &str) -> String {
    changed(text, "provider: ours, status: DEPROVISIONING")
}

fn on_a_provider_that_is_gone(text: &str) -> String {
    changed(text, "provider: ours, status: MISSING")
}

fn on_spare(text: &str) -> String {
    changed(text, "provider: FARGATE_SPOT")
}

fn on_instances(text: &str) -> String {
    changed(text, "instances: 3")
}

fn changed(text: &str, capacity: &str) -> String {
    let service = "aep-backend-prod: { task_definition: aep-backend,";
    assert!(text.contains(service));
    text.replace(service, &format!("{service} capacity: {{ {capacity} }},"))
}

async fn placement(place: &Place) -> Placement {
    let compute = place.world.compute("prod").unwrap();
    compute.service(CLUSTER, "aep-backend-prod").await.unwrap().unwrap().placement
}

/// The service is placed by a provider, of which this is told.
async fn stands(place: &Place, status: Option<&str>) {
    let names = ["ours".to_owned()];
    assert_eq!(placement(place).await, Placement::Providers(names.to_vec()));
    let told = place.world.compute("prod").unwrap().capacity_providers(CLUSTER, &names).await.unwrap();
    assert_eq!(told, [CapacityProvider { name: "ours".into(), status: status.map(str::to_owned) }]);
}

async fn a_service_that_says_nothing_is_placed_on_what_is_always_there(place: &Place) {
    assert_eq!(placement(place).await, Placement::Provided);
}

async fn a_capacity_provider_tells_how_it_stands(place: &Place) {
    stands(place, Some("ACTIVE")).await;
}

async fn a_capacity_provider_may_leave(place: &Place) {
    stands(place, Some("DEPROVISIONING")).await;
}

async fn a_capacity_provider_may_be_gone(place: &Place) {
    stands(place, None).await;
}

async fn spare_capacity_is_known_by_its_name(place: &Place) {
    assert_eq!(placement(place).await, Placement::Spare);
}

async fn instances_are_counted(place: &Place) {
    assert_eq!(placement(place).await, Placement::Instances);
    let compute = place.world.compute("prod").unwrap();
    assert_eq!(compute.instances(CLUSTER).await.unwrap(), 3);
    let none = compute.instances("none").await.unwrap_err();
    assert_eq!(none.kind, FaultKind::Permanent, "{none:?}");
}

async fn who_may_not_ask_for_capacity_is_told_so(place: &Place) {
    let denied = json!({
        "service": "ecs", "operation": "DescribeClusters", "kind": "error", "status": 400,
        "code": "AccessDeniedException", "message": "no",
    });
    place.fault(denied).await;
    let compute = place.world.compute("prod").unwrap();
    let fault = compute.instances(CLUSTER).await.unwrap_err();
    let words = ["ecs DescribeClusters of aep-prod", "AccessDeniedException: no"];
    assert!(words.iter().all(|word| fault.message.contains(word)), "{fault:?}");
    assert_eq!(compute.instances(CLUSTER).await.unwrap(), 3);
}
