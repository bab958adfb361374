//! `monitor` with what a query of Prometheus comes to.

use super::world::{START, World};
use super::{Story, codes, fails};
use crate::plan::Timestamp;
use crate::port::{Answered, Line, Query};
use crate::run::{Fault, FaultKind};
use serde_json::{Value as Json, json};

/// By the second since the monitor began; at each moment that is asked for.
fn world(value: impl Fn(&str, i64) -> Option<f64> + Send + 'static) -> World {
    let world = World::new();
    let second =
        |at: Timestamp| (i64::try_from(at.0).unwrap() - i64::try_from(START.0).unwrap()).div_euclid(1000);
    world.state().query = Box::new(move |query: &Query, now| {
        assert_eq!(query.token.as_deref(), Some("s3cr3t-token"));
        let moments = query.over.map_or_else(|| vec![now], |grid| grid.moments().collect());
        let points: Vec<_> =
            moments.into_iter().filter_map(|at| Some((at, value(&query.text, second(at))?))).collect();
        let lines = if points.is_empty() { Vec::new() } else { vec![Line { labels: String::new(), points }] };
        Ok(Answered { lines, warning: None, clock: Some(now) })
    });
    world
}

fn with(fail: &str, more: &Json, condition: &Json) -> Json {
    let mut with = json!({"target": "prom", "query": "errors_per_second"});
    for (key, value) in more.as_object().unwrap() {
        with[key] = value.clone();
    }
    let mut signal = json!({"id": "errors", "uses": "prometheus", "with": with, "fail": fail});
    for (key, value) in condition.as_object().unwrap() {
        signal[key] = value.clone();
    }
    json!({"for": "4m", "every": "30s", "signals": [signal]})
}

/// How it ends, and after how many seconds.
async fn watch(world: &World, with: &Json) -> (Result<Json, Fault>, u64) {
    let mut story = Story::new(world, "monitor", with);
    story.plan().await.unwrap();
    let begun = world.state().now;
    let ended = story.arrive().await;
    (ended, story.waited(begun).as_secs())
}

#[tokio::test]
async fn a_number_is_judged_as_it_is_now() {
    let fine = world(|_, _| Some(0.25));
    let (ended, seconds) = watch(&fine, &with("value > 0.5", &json!({}), &json!({}))).await;
    assert_eq!(ended.unwrap()["signals"]["errors"]["last"], "`errors_per_second` of prom is 0.25");
    assert_eq!(seconds, 240);
    let later = world(|_, second| Some(if second >= 60 { 0.75 } else { 0.25 }));
    let (ended, seconds) = watch(&later, &with("value > 0.5", &json!({}), &json!({"breaches": 2}))).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["errors", "is 0.75: value > 0.5"]);
    assert_eq!(seconds, 90);
}

#[tokio::test]
async fn a_range_that_reaches_before_the_beginning_says_nothing() {
    // What was bad before is in it for two minutes.
    let watched = async |more: Json| {
        let world = world(|_, second| Some(if second < 120 { 9.0 } else { 0.0 }));
        watch(&world, &with("value > 1", &more, &json!({}))).await
    };
    let (ended, _) = watched(json!({"query": "rate(errors[2m])"})).await;
    assert!(ended.is_ok(), "{ended:?}");
    let (ended, _) = watched(json!({"query": "job:errors:rate2m", "looks_back": "2m"})).await;
    assert!(ended.is_ok(), "{ended:?}");
    let (ended, seconds) = watched(json!({"query": "job:errors:rate2m"})).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["is 9: value > 1"]);
    assert_eq!(seconds, 0);
}

#[tokio::test]
async fn a_window_is_of_points_after_the_beginning() {
    let world = world(|_, second| match second {
        ..0 => Some(50.0),
        _ => (second % 60 == 0).then_some(2.0),
    });
    let window = json!({"over": "2m", "step": "30s"});
    let condition = json!({"min_samples": 3});
    let (ended, _) = watch(&world, &with("max > 2 || value > 2", &window, &condition)).await;
    let last = "`errors_per_second` of prom is 2 on average, from 2 to 2, in 3 of 5 points";
    assert_eq!(ended.unwrap()["signals"]["errors"]["last"], last);
}

#[tokio::test]
async fn how_many_observations_there_are_is_asked_too() {
    let world = world(|text, _| Some(if text == "requests" { 99.0 } else { 0.0 }));
    let counted = json!({"samples": "requests"});
    let (ended, _) = watch(&world, &with("value > 1", &counted, &json!({"min_samples": 100}))).await;
    fails(ended.map(|_| ()), FaultKind::Blind, &["by 99 samples", "99 of the 100 samples it needs"]);
}

#[tokio::test]
async fn silence_is_told_with_what_was_asked() {
    let silent = world(|_, _| None);
    let (ended, _) = watch(&silent, &with("value > 1", &json!({}), &json!({}))).await;
    fails(
        ended.map(|_| ()),
        FaultKind::Blind,
        &["no evidence in time", "`errors_per_second` of prom: no series"],
    );
    let down = World::new();
    down.state().query = Box::new(|_, _| Err(Fault::transient("answered 503: overloaded")));
    let (ended, _) = watch(&down, &with("value > 1", &json!({}), &json!({}))).await;
    fails(ended.map(|_| ()), FaultKind::Blind, &["`errors_per_second` of prom: answered 503: overloaded"]);
}

#[test]
fn a_window_that_cannot_be_asked_for_is_refused() {
    let of = |more: Json| codes("monitor", &with("value > 1", &more, &json!({})));
    assert_eq!(of(json!({"over": "5m", "step": "30s"})), [""; 0]);
    assert_eq!(of(json!({"step": "30s"})), ["SW2003"]);
    assert_eq!(of(json!({"over": "10s"})), ["SW2003"]);
    assert_eq!(of(json!({"over": "5m", "step": "1500ms"})), ["SW2003"]);
    assert_eq!(of(json!({"over": "7d"})), ["SW2003"]);
    assert_eq!(of(json!({"target": "prod"})), ["SW1008"]);
}
