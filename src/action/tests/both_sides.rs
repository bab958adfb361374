//! `monitor` with what load balancers of both sides count at the same time.

use super::signals::{minute, watch, with, world};
use super::world::World;
use super::{Story, fails};
use crate::port::{LoadBalancer, Metric};
use crate::run::{FaultKind, Look};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// Of a hundred answers in a minute so many are errors on the old side, and on the new one; `None`: it takes no requests.
fn both(
    old: impl Fn(i64) -> Option<f64> + Send + 'static,
    new: impl Fn(i64) -> f64 + Send + 'static,
) -> World {
    let world = world(|_, _| None);
    let balancer = world.state().balancers[0].clone();
    let arn = balancer.arn.replace("/new/", "/old/");
    world.state().balancers.push(LoadBalancer { arn, name: "old".into(), ..balancer });
    world.state().measure = Box::new(move |metric: &Metric, at| {
        let minute = minute(at);
        let is_old = metric.dimensions.iter().any(|(_, name)| name.contains("/old/"));
        let errors = if is_old { old(minute)? } else { new(minute) };
        match &*metric.name {
            "HTTPCode_Target_5XX_Count" => Some(errors),
            "HTTPCode_Target_2XX_Count" => Some(100.0 - errors),
            _ => None,
        }
    });
    world
}

fn beside(more: &Json) -> Json {
    let old = json!({"load_balancer": "old", "in": "prod", "at": "same"});
    let mut keys = json!({"baseline": old, "expected": "baseline * 1.2 + 0.001"});
    keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with("alb.error_rate", "certainty > 0.99", &keys)
}

#[tokio::test]
async fn weather_that_hits_both_sides_turns_nobody_back() {
    let storm = |minute: i64| if (1..3).contains(&minute) { 40.0 } else { 1.0 };
    let (ended, _) = watch(&both(move |minute| Some(storm(minute)), storm), &beside(&json!({}))).await;
    let last = ended.unwrap()["signals"]["new-side"]["last"].to_string();
    assert!(last.contains("the baseline is 0.") && last.contains("certainty 0."), "{last}");
    // Compared with a time before it would be.
    let old = json!({"load_balancer": "old", "in": "prod", "over": "10m"});
    let before = beside(&json!({"baseline": old}));
    let (ended, _) = watch(&both(move |minute| Some(storm(minute)), storm), &before).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["answers were 5xx"]);
}

#[tokio::test]
async fn a_new_side_that_is_worse_than_the_old_one_is_turned_back() {
    let (ended, minutes) = watch(&both(|_| Some(1.0), |_| 30.0), &beside(&json!({}))).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["30 of 100", "the baseline is 0.0100", "certainty"]);
    assert!(minutes <= 3, "{minutes}");
    // The old one alone is down: nobody is sent back to it.
    let down = |minute: i64| Some(if (1..3).contains(&minute) { 100.0 } else { 1.0 });
    assert!(watch(&both(down, |_| 1.0), &beside(&json!({}))).await.0.is_ok());
    // What is compared as it is needs no certainty.
    let old = json!({"load_balancer": "old", "in": "prod", "at": "same"});
    let plain = with("alb.error_rate", "value > baseline * 2.0", &json!({"baseline": old}));
    assert!(watch(&both(|_| Some(20.0), |_| 30.0), &plain).await.0.is_ok());
    let (ended, _) = watch(&both(|_| Some(10.0), |_| 30.0), &plain).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["the baseline is 0.1000"]);
}

#[tokio::test]
async fn an_old_side_without_requests_is_no_evidence() {
    let world = both(|_| None, |_| 1.0);
    let mut story = Story::new(&world, "monitor", &beside(&json!({})));
    story.plan().await.unwrap();
    world.pass(Duration::from_mins(3));
    let Ok(Look::Moving { note: Some(note), .. }) = story.look(story.forward()).await else {
        panic!("no pass")
    };
    assert!(note.contains("the baseline: no answers"), "{note}");
    fails(story.arrive().await.map(|_| ()), FaultKind::Blind, &["no evidence in time"]);
    // As silence of the new side would be.
    let fail = beside(&json!({"no_evidence": "fail"}));
    let (ended, minutes) = watch(&both(|_| None, |_| 1.0), &fail).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["no evidence: the baseline"]);
    assert!(minutes >= 2, "before a minute has been counted there can be none");
}
