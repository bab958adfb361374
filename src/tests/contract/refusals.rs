//! What is not there, what may not be, and what each refusal is worth.

use super::{Place, held_everywhere, worth};
use crate::plan::Timestamp;
use crate::port::dns::Name;
use crate::port::{RunTask, TaskFilter};
use crate::run::{FaultKind, Landed};
use serde_json::json;

held_everywhere!(
    Zones Balancers Services;
    what_is_not_there_is_none,
    another_account_is_not_even_looked_at,
    a_refusal_is_worth_the_same_everywhere,
);

async fn what_is_not_there_is_none(place: &Place) {
    let world = &place.world;
    let compute = world.compute("prod").unwrap();
    assert_eq!(compute.service("aep-prod", "none").await.unwrap(), None);
    assert_eq!(compute.definition("none").await.unwrap(), None);
    let traffic = world.traffic("prod").unwrap();
    assert_eq!(traffic.load_balancer("none").await.unwrap(), None);
    assert_eq!(traffic.target_health("none").await.unwrap(), None);
    let none = world.dns("zone").unwrap().record_sets(&Name::new("none.navralabs.com")).await.unwrap();
    assert!(none.is_empty());
    let fault = world.dns("nope").err().unwrap();
    assert!(fault.message.contains("no target `nope`"));
    assert!(world.dns("prod").is_err() && world.compute("zone").is_err());
}

async fn another_account_is_not_even_looked_at(place: &Place) {
    let world = &place.world;
    let fault = world.compute("other").unwrap().service("aep-prod", "x").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(fault.message.contains("210987654321") && fault.message.contains(place.account()), "{fault}");
}

async fn a_refusal_is_worth_the_same_everywhere(place: &Place) {
    use FaultKind::{Blind, Permanent, Transient};
    use Landed::{Maybe, No};
    let compute = place.world.compute("prod").unwrap();
    let write = place.world.change_compute("prod", Timestamp::NEVER).unwrap();
    for (status, code, looking, writing) in [
        (500, "ServerException", (Transient, No), (Transient, Maybe)),
        (503, "ServiceUnavailable", (Transient, No), (Transient, Maybe)),
        (400, "ClientException", (Permanent, No), (Permanent, No)),
        (400, "ExpiredTokenException", (Blind, No), (Blind, No)),
        (403, "UnrecognizedClientException", (Blind, No), (Blind, No)),
        (400, "AccessDeniedException", (Blind, No), (Permanent, No)),
    ] {
        let rule = |operation: &str, times: u32| {
            json!({"service": "ecs", "operation": operation, "kind": "error", "status": status, "code": code,
                "message": "scripted", "times": times})
        };
        let tries = if looking.0 == Transient { 4 } else { 1 };
        place.fault(rule("DescribeServices", tries)).await;
        let fault = compute.service("aep-prod", "aep-backend-prod").await.unwrap_err();
        assert_eq!(worth(&fault), looking, "a look, {code}: {fault}");
        place.fault(rule("StopTask", 1)).await;
        let fault = write.stop_task("aep-prod", "none", "a test").await.unwrap_err();
        assert_eq!(worth(&fault), writing, "a write, {code}: {fault}");
    }
    assert!(compute.service("aep-prod", "aep-backend-prod").await.unwrap().is_some());
    assert_eq!(worth(&compute.service("none", "x").await.unwrap_err()), (Permanent, No));
    let task = RunTask {
        cluster: "aep-prod".into(),
        definition: "none".into(),
        container: None,
        command: None,
        network: None,
        token: "t".into(),
    };
    assert_eq!(worth(&write.run_task(&task).await.unwrap_err()), (Permanent, No));
    let none = compute.tasks("aep-prod", &TaskFilter::StartedBy("t".into())).await.unwrap();
    assert!(none.is_empty());
    let traffic = place.world.traffic("prod").unwrap();
    assert_eq!(worth(&traffic.targets("none").await.unwrap_err()), (Permanent, No));
    assert_eq!(worth(&traffic.target_groups("none").await.unwrap_err()), (Permanent, No));
}
