//! How far services are scaled: what is told is what was set, and the service follows.

use super::{Place, held_everywhere, worth};
use crate::plan::Timestamp;
use crate::port::{Scaling, SetScaling};
use crate::run::{FaultKind, Landed};
use serde_json::json;

held_everywhere!(
    Balancers Services Scaling;
    bounds_are_set_and_set_back_to_what_they_were in scaled,
    a_service_follows_its_bounds in scaled,
    a_lost_change_of_bounds_is_in_doubt in scaled,
    what_bounds_cannot_be_is_refused in scaled,
);

const SERVICE: &str = "aep-backend-prod";
const BEFORE: Scaling = Scaling { min: 1, max: 6 };

/// One of the services is scaled.
fn scaled(text: &str) -> String {
    let own = format!("{SERVICE}: {{ task_definition: aep-backend,");
    let changed = text.replace(&own, &format!("{own} scaling: {{ min: 1, max: 6 }},"));
    assert_ne!(changed, text);
    changed
}

fn setting(min: Option<u32>, max: Option<u32>) -> SetScaling {
    SetScaling { cluster: "aep-prod".into(), service: SERVICE.into(), min, max }
}

async fn now(place: &Place) -> Scaling {
    place.world.compute("prod").unwrap().scaling("aep-prod", SERVICE).await.unwrap().unwrap()
}

async fn bounds_are_set_and_set_back_to_what_they_were(place: &Place) {
    let compute = place.world.compute("prod").unwrap();
    let write = place.world.change_compute("prod", Timestamp::NEVER).unwrap();
    assert_eq!(now(place).await, BEFORE);
    let arn = format!("arn:aws:ecs:eu-west-1:123456789012:service/aep-prod/{SERVICE}");
    assert_eq!(compute.scaling("aep-prod", &arn).await.unwrap(), Some(BEFORE), "by its ARN, too");
    for name in ["aep-frontend-prod", "none"] {
        assert_eq!(compute.scaling("aep-prod", name).await.unwrap(), None, "nothing scales it");
    }
    assert_eq!(compute.scaling("none", SERVICE).await.unwrap(), None);
    for (min, max, told) in [
        (Some(2), None, Scaling { min: 2, max: 6 }),
        (None, Some(9), Scaling { min: 2, max: 9 }),
        (Some(0), Some(2), Scaling { min: 0, max: 2 }),
        (Some(1), Some(6), BEFORE),
    ] {
        write.set_scaling(&setting(min, max)).await.unwrap();
        assert_eq!(now(place).await, told, "what is not stated stays");
    }
}

async fn a_service_follows_its_bounds(place: &Place) {
    let compute = place.world.compute("prod").unwrap();
    let write = place.world.change_compute("prod", Timestamp::NEVER).unwrap();
    let desired = async || compute.service("aep-prod", SERVICE).await.unwrap().unwrap().desired;
    assert_eq!(desired().await, 2);
    for (min, max, follows) in [(2, 6, 2), (4, 6, 4), (0, 1, 1), (1, 6, 2)] {
        write.set_scaling(&setting(Some(min), Some(max))).await.unwrap();
        assert_eq!(desired().await, follows, "{min} to {max}");
    }
}

async fn a_lost_change_of_bounds_is_in_doubt(place: &Place) {
    let write = place.world.change_compute("prod", Timestamp::NEVER).unwrap();
    let fault = |kind: &str| json!({"service": "application-autoscaling", "operation": "RegisterScalableTarget", "kind": kind});
    for (kind, landed) in [("drop_before", false), ("drop_after", true)] {
        place.fault(fault(kind)).await;
        let lost = write.set_scaling(&setting(Some(2), None)).await.unwrap_err();
        assert_eq!(worth(&lost), (FaultKind::Transient, Landed::Maybe), "{lost}");
        assert_eq!(now(place).await.min == 2, landed, "{kind}");
    }
    let mut busy = fault("error");
    (busy["status"], busy["code"], busy["times"]) =
        (400.into(), "ConcurrentUpdateException".into(), 2.into());
    for fault in [fault("throttle"), busy] {
        place.fault(fault).await;
        write.set_scaling(&setting(Some(1), None)).await.unwrap();
        assert_eq!(now(place).await, BEFORE, "tried again");
    }
}

async fn what_bounds_cannot_be_is_refused(place: &Place) {
    let write = place.world.change_compute("prod", Timestamp::NEVER).unwrap();
    let late = place.world.change_compute("prod", Timestamp::PAST).unwrap();
    for setting in [
        setting(Some(7), None),
        setting(None, Some(0)),
        SetScaling { service: "aep-frontend-prod".into(), ..setting(Some(1), None) },
        SetScaling { service: "none".into(), ..setting(Some(1), Some(2)) },
    ] {
        let fault = write.set_scaling(&setting).await.unwrap_err();
        assert_eq!(worth(&fault), (FaultKind::Permanent, Landed::No), "{fault}");
    }
    let fault = late.set_scaling(&setting(Some(2), None)).await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Blind, Landed::No), "its deadline has passed: {fault}");
    assert_eq!(now(place).await, BEFORE);
}
