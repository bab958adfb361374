//! Attributes of load balancers and target groups: what they say is what was set, and what a load balancer tells of itself.

use super::{Place, held_everywhere, worth};
use crate::plan::Timestamp;
use crate::port::{Attribute, Attributes, Owner, ReadTraffic};
use crate::run::{FaultKind, Landed};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

held_everywhere!(
    Balancers;
    attributes_are_set_and_set_back_to_what_they_were,
    a_load_balancer_tells_what_its_attributes_say,
    a_lost_change_of_attributes_is_in_doubt,
    what_an_attribute_cannot_be_is_refused,
    what_is_not_there_has_no_attributes,
);

/// The load balancer and a target group, by their ARNs.
async fn both(place: &Place) -> (Arc<dyn ReadTraffic>, [(Owner, String); 2]) {
    let traffic = place.world.traffic("prod").unwrap();
    let balancer = traffic.load_balancer("aep-prod").await.unwrap().unwrap().arn;
    let group = traffic.target_group("aep-backend-prod").await.unwrap().unwrap();
    (traffic, [(Owner::LoadBalancer, balancer), (Owner::TargetGroup, group)])
}

fn own(owner: Owner) -> impl Iterator<Item = Attribute> {
    Attribute::ALL.into_iter().filter(move |attribute| attribute.owner() == owner)
}

/// All that it has, otherwise than anybody has it.
fn others(owner: Owner) -> Attributes {
    own(owner).zip(77..).map(|(attribute, seconds)| (attribute, Duration::from_secs(seconds))).collect()
}

async fn attributes_are_set_and_set_back_to_what_they_were(place: &Place) {
    let (traffic, all) = both(place).await;
    let write = place.world.change_traffic("prod", Timestamp::NEVER).unwrap();
    for (owner, arn) in &all {
        let now = async || traffic.attributes(*owner, arn).await.unwrap().unwrap();
        let before = now().await;
        assert!(own(*owner).eq(before.keys().copied()), "{before:?}");
        let wanted = others(*owner);
        write.set_attributes(*owner, arn, &wanted).await.unwrap();
        assert_eq!(now().await, wanted);
        let (attribute, value) = before.first_key_value().unwrap();
        write.set_attributes(*owner, arn, &[(*attribute, *value)].into()).await.unwrap();
        let mut one_back = wanted.clone();
        one_back.insert(*attribute, *value);
        assert_eq!(now().await, one_back, "what is not sent stays");
        write.set_attributes(*owner, arn, &before).await.unwrap();
        assert_eq!(now().await, before);
    }
}

/// What the way back of a switch waits for, and what a step sets, is one thing.
async fn a_load_balancer_tells_what_its_attributes_say(place: &Place) {
    let (traffic, [(owner, arn), _]) = both(place).await;
    let write = place.world.change_traffic("prod", Timestamp::NEVER).unwrap();
    for seconds in [60, 604_800] {
        let wanted = [(Attribute::ClientKeepAlive, Duration::from_secs(seconds))].into();
        write.set_attributes(owner, &arn, &wanted).await.unwrap();
        let told = traffic.load_balancer("aep-prod").await.unwrap().unwrap();
        let attributes = traffic.attributes(owner, &arn).await.unwrap().unwrap();
        assert_eq!(told.keep_alive, Duration::from_secs(seconds));
        assert_eq!(told.keep_alive, attributes[&Attribute::ClientKeepAlive]);
        assert_eq!(told.idle_timeout, attributes[&Attribute::IdleTimeout]);
    }
}

async fn a_lost_change_of_attributes_is_in_doubt(place: &Place) {
    let (traffic, all) = both(place).await;
    let write = place.world.change_traffic("prod", Timestamp::NEVER).unwrap();
    for ((owner, arn), operation) in
        all.iter().zip(["ModifyLoadBalancerAttributes", "ModifyTargetGroupAttributes"])
    {
        let now = async || traffic.attributes(*owner, arn).await.unwrap().unwrap();
        let (before, wanted) = (now().await, others(*owner));
        let fault =
            |kind: &str| json!({"service": "elasticloadbalancing", "operation": operation, "kind": kind});
        for (kind, landed) in [("drop_before", false), ("drop_after", true)] {
            place.fault(fault(kind)).await;
            let lost = write.set_attributes(*owner, arn, &wanted).await.unwrap_err();
            assert_eq!(worth(&lost), (FaultKind::Transient, Landed::Maybe), "{lost}");
            assert_eq!(now().await == wanted, landed, "{kind} of {operation}");
        }
        let mut throttled = fault("throttle");
        throttled["times"] = 2.into();
        place.fault(throttled).await;
        write.set_attributes(*owner, arn, &before).await.unwrap();
        assert_eq!(now().await, before, "tried again");
    }
}

async fn what_an_attribute_cannot_be_is_refused(place: &Place) {
    let (traffic, all) = both(place).await;
    let write = place.world.change_traffic("prod", Timestamp::NEVER).unwrap();
    let late = place.world.change_traffic("prod", Timestamp::PAST).unwrap();
    for (owner, arn) in &all {
        let before = traffic.attributes(*owner, arn).await.unwrap();
        for attribute in own(*owner) {
            let (_, most) = attribute.bounds();
            let wanted = [(attribute, most + Duration::from_secs(1))].into();
            let fault = write.set_attributes(*owner, arn, &wanted).await.unwrap_err();
            assert_eq!(worth(&fault), (FaultKind::Permanent, Landed::No), "{fault}");
        }
        let fault = late.set_attributes(*owner, arn, &others(*owner)).await.unwrap_err();
        assert_eq!(worth(&fault), (FaultKind::Blind, Landed::No), "its deadline has passed: {fault}");
        assert_eq!(traffic.attributes(*owner, arn).await.unwrap(), before);
    }
}

async fn what_is_not_there_has_no_attributes(place: &Place) {
    let (traffic, all) = both(place).await;
    let write = place.world.change_traffic("prod", Timestamp::NEVER).unwrap();
    for (owner, arn) in &all {
        let none = format!("{}0", arn.trim_end_matches(char::is_alphanumeric));
        assert_eq!(traffic.attributes(*owner, &none).await.unwrap(), None);
        let fault = write.set_attributes(*owner, &none, &others(*owner)).await.unwrap_err();
        assert_eq!(worth(&fault), (FaultKind::Permanent, Landed::No), "{fault}");
    }
}
