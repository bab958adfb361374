//! What is in an account, for whoever does not know its names yet.

use super::{Place, held_by_adapters, worth};
use crate::port::dns::Name;
use crate::port::{Caller, ReadInventory};
use crate::run::{FaultKind, Landed};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

held_by_adapters!(
    Zones Balancers Services;
    whose_credentials_they_are_is_told,
    every_zone_is_listed_with_the_names_in_it,
    every_cluster_is_listed_with_its_services,
    every_load_balancer_is_listed_as_it_is_found_by_its_name,
    what_is_not_there_has_nothing_in_it,
    a_list_meets_faults_on_its_way,
);

async fn listed(place: &Place) -> Arc<dyn ReadInventory> {
    place.inventory().await.unwrap().1
}

fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all
}

async fn whose_credentials_they_are_is_told(place: &Place) {
    let (caller, _) = place.inventory().await.unwrap();
    let (account, region) = (place.account().to_owned(), "eu-west-1".to_owned());
    assert_eq!(caller, Caller { account, region, profile: None });
}

async fn every_zone_is_listed_with_the_names_in_it(place: &Place) {
    let known = place.world.dns("zone").unwrap().zone().await.unwrap();
    let inventory = listed(place).await;
    let zones = inventory.zones().await.unwrap();
    let told: Vec<(&str, &Name, bool)> =
        zones.iter().map(|zone| (&*zone.id, &zone.name, zone.private)).collect();
    assert_eq!(told, [(&*known.id, &known.name, false)]);
    let names = inventory.names(&known.id).await.unwrap();
    let once: BTreeSet<&Name> = names.iter().collect();
    assert_eq!(once.len(), names.len(), "each once: {names:?}");
    // The zone's own name has three sets and more.
    for name in ["navralabs.com", "app.navralabs.com", "mail.navralabs.com"] {
        assert!(once.contains(&Name::new(name)), "{name}: {names:?}");
    }
    assert_eq!(names.len(), 3, "{names:?}");
}

async fn every_cluster_is_listed_with_its_services(place: &Place) {
    let inventory = listed(place).await;
    assert_eq!(sorted(inventory.clusters().await.unwrap()), ["aep-prod", "aep-staging"]);
    for side in ["prod", "staging"] {
        let services = sorted(inventory.services(&format!("aep-{side}")).await.unwrap());
        assert_eq!(services, [format!("aep-backend-{side}"), format!("aep-frontend-{side}")]);
        let compute = place.world.compute("prod").unwrap();
        for service in services {
            let found = compute.service(&format!("aep-{side}"), &service).await.unwrap();
            assert_eq!(found.unwrap().name, service, "it is found by the name that is listed");
        }
    }
}

async fn every_load_balancer_is_listed_as_it_is_found_by_its_name(place: &Place) {
    let traffic = place.world.traffic("prod").unwrap();
    let mut all = listed(place).await.load_balancers().await.unwrap();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<&str> = all.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["aep-prod", "aep-staging"]);
    for one in all {
        let found = traffic.load_balancer(&one.name).await.unwrap().unwrap();
        assert_eq!((one.arn, one.dns_name), (found.arn, Name::new(&found.dns_name)));
        assert!(one.application);
    }
}

async fn what_is_not_there_has_nothing_in_it(place: &Place) {
    let inventory = listed(place).await;
    let faults = [
        inventory.names("Z0000000NONE").await.map(drop).unwrap_err(),
        inventory.services("none").await.map(drop).unwrap_err(),
    ];
    for fault in faults {
        assert_eq!(worth(&fault), (FaultKind::Permanent, Landed::No), "{fault}");
    }
}

async fn a_list_meets_faults_on_its_way(place: &Place) {
    let inventory = listed(place).await;
    let rule = |service: &str, operation: &str, more: serde_json::Value| {
        let mut rule = json!({"service": service, "operation": operation});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        rule
    };
    for kind in ["throttle", "drop_before", "drop_after"] {
        place.fault(rule("ecs", "ListClusters", json!({"kind": kind}))).await;
        assert_eq!(inventory.clusters().await.unwrap().len(), 2, "{kind}: a look is tried again");
        place.fault(rule("elasticloadbalancing", "DescribeLoadBalancers", json!({"kind": kind}))).await;
        assert_eq!(inventory.load_balancers().await.unwrap().len(), 2, "{kind}: a look is tried again");
    }
    let denied = json!({"kind": "error", "status": 400, "code": "AccessDeniedException", "message": "no"});
    place.fault(rule("ecs", "ListServices", denied)).await;
    let fault = inventory.services("aep-prod").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Blind, Landed::No), "{fault}");
    assert!(fault.message.contains("ecs ListServices of aep-prod"), "{fault}");
}
