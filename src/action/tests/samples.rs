//! `monitor` where few users come, and where one is sure all the same.

use super::fails;
use super::signals::{watch, with, world};
use super::world::World;
use crate::port::Metric;
use crate::run::FaultKind;
use serde_json::json;

/// So many answers a minute, and so many of them errors.
fn few(all: f64, errors: f64) -> World {
    world(move |name, _| match name {
        "HTTPCode_Target_5XX_Count" => Some(errors),
        "HTTPCode_Target_2XX_Count" => Some(all - errors),
        "SampleCount" => Some(all),
        "TargetResponseTime" => Some(0.1),
        _ => None,
    })
}

#[tokio::test]
async fn a_few_requests_pass_no_soak_unless_the_plan_says_that_they_do() {
    for (uses, fail, needed) in [("alb.error_rate", "value > 0.01", 50), ("alb.latency", "value > 500", 20)] {
        let (ended, _) = watch(&few(1.0, 0.0), &with(uses, fail, &json!({}))).await;
        fails(ended.map(|_| ()), FaultKind::Blind, &[&format!("of the {needed} samples it needs")]);
        let (ended, _) = watch(&few(1.0, 0.0), &with(uses, fail, &json!({"min_samples": 1}))).await;
        assert!(ended.is_ok(), "{ended:?}");
    }
}

/// suna#3403: where few came, a few errors aborted what was well.
#[tokio::test]
async fn who_is_sure_needs_no_more_samples() {
    let sure = |fail: &str| with("alb.error_rate", fail, &json!({"expected": 0.01}));
    let (ended, minutes) = watch(&few(5.0, 5.0), &sure("certainty > 0.99")).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["5 of 5 answers were 5xx; certainty 1.0000"]);
    assert_eq!(minutes, 2);
    // A rate of a few is none, and what is not sure by itself waits for more.
    for fail in ["value > 0.5", "certainty > 0.99 && value > 0.5", "value > 0.5 || certainty > 1.0"] {
        let (ended, _) = watch(&few(5.0, 5.0), &sure(fail)).await;
        fails(ended.map(|_| ()), FaultKind::Blind, &["of the 50 samples it needs"]);
    }
    let (ended, _) = watch(&few(5.0, 0.0), &sure("certainty > 0.99")).await;
    fails(ended.map(|_| ()), FaultKind::Blind, &["of the 50 samples it needs"]);
}

#[tokio::test]
async fn slow_answers_are_tested_as_errors_are() {
    let slow = |slow: f64| {
        let world = world(|_, _| None);
        world.state().measure = Box::new(move |metric: &Metric, _| match &*metric.statistic {
            "TC(0.5:)" => Some(slow),
            "TC(:0.5)" => Some(100.0 - slow),
            _ => None,
        });
        world
    };
    let told = json!({"load_balancer": "new", "in": "prod", "slower_than": "500ms"});
    let sure = with("alb.slow_rate", "certainty > 0.99", &json!({"with": told, "expected": 0.05}));
    let (ended, _) = watch(&slow(6.0), &sure).await;
    let last = ended.unwrap()["signals"]["new-side"]["last"].to_string();
    assert!(last.contains("18 of 300 answers took longer than 500ms; certainty 0."), "{last}");
    let (ended, minutes) = watch(&slow(40.0), &sure).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["40 of 100 answers took longer than 500ms"]);
    assert_eq!(minutes, 2);
}
