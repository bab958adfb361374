//! `monitor` with what a load balancer counts, with alarms, with flags, and with commands.

use super::world::{START, World};
use super::{Story, codes, fails};
use crate::plan::Timestamp;
use crate::port::{Alarm, AlarmState, Lines, LoadBalancer, LogQuery, Metric};
use crate::run::{FaultKind, Look};
use serde_json::{Value as Json, json};
use std::time::Duration;

const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/tg/1";

/// Minutes since the monitor began.
pub(super) fn minute(at: Timestamp) -> i64 {
    (i64::try_from(at.0).unwrap() - i64::try_from(START.0).unwrap()).div_euclid(60_000)
}

/// What is counted of each minute.
pub(super) fn world(count: impl Fn(&str, i64) -> Option<f64> + Send + 'static) -> World {
    let world = World::new();
    {
        let mut state = world.state();
        state.measure = Box::new(move |metric: &Metric, at| {
            let name = if metric.statistic == "SampleCount" { "SampleCount" } else { &metric.name };
            count(name, minute(at))
        });
        state.balancers.push(LoadBalancer {
            arn: "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/new/1".into(),
            name: "new".into(),
            dns_name: "new.elb.example".into(),
            zone_id: "ZLB".into(),
            keep_alive: Duration::from_secs(3600),
            idle_timeout: Duration::from_secs(60),
        });
    }
    world
}

pub(super) fn with(uses: &str, fail: &str, more: &Json) -> Json {
    let mut signal = json!({
        "id": "new-side", "uses": uses, "with": {"load_balancer": "new", "in": "prod"}, "fail": fail,
    });
    for (key, value) in more.as_object().unwrap() {
        signal[key] = value.clone();
    }
    json!({"for": "4m", "every": "15s", "signals": [signal]})
}

/// How it ends, and after how many minutes.
pub(super) async fn watch(world: &World, with: &Json) -> (Result<Json, crate::run::Fault>, u64) {
    let mut story = Story::new(world, "monitor", with);
    story.plan().await.unwrap();
    let begun = world.state().now;
    let ended = story.arrive().await;
    (ended, story.waited(begun).as_secs() / 60)
}

#[tokio::test]
async fn what_was_counted_before_says_nothing_of_after() {
    let world = world(|name, minute| match name {
        "HTTPCode_ELB_5XX_Count" => (minute < 0).then_some(50.0),
        "HTTPCode_Target_2XX_Count" => Some(100.0),
        _ => None,
    });
    let (ended, minutes) =
        watch(&world, &with("alb.error_rate", "value > 0.01", &json!({"min_samples": 200}))).await;
    assert_eq!(ended.unwrap()["signals"]["new-side"]["last"], "0 of 300 answers were 5xx");
    assert_eq!(minutes, 4);
}

#[tokio::test]
async fn errors_are_seen_as_soon_as_their_minute_can_be_judged() {
    let world = world(|name, minute| match name {
        "HTTPCode_Target_5XX_Count" => (minute >= 0).then_some(3.0),
        "HTTPCode_Target_2XX_Count" => Some(97.0),
        _ => None,
    });
    let (ended, minutes) = watch(&world, &with("alb.error_rate", "value > 0.01", &json!({}))).await;
    fails(
        ended.map(|_| ()),
        FaultKind::Permanent,
        &["new-side", "3 of 100 answers were 5xx", "value > 0.01"],
    );
    assert_eq!(minutes, 2, "minute 0 is over, and counted");
}

#[tokio::test]
async fn a_minute_that_is_looked_at_four_times_is_one_breach() {
    let world = world(|name, minute| match name {
        "HTTPCode_Target_5XX_Count" => (minute == 0).then_some(9.0),
        "HTTPCode_Target_2XX_Count" => Some(91.0),
        _ => None,
    });
    let more = json!({"breaches": 2, "with": {"load_balancer": "new", "in": "prod", "over": "1m"}});
    let (ended, _) = watch(&world, &with("alb.error_rate", "value > 0.01", &more)).await;
    assert!(ended.is_ok(), "{ended:?}");
}

#[tokio::test]
async fn a_silence_in_between_forgets_no_breach() {
    // Bad, then three minutes with too few answers to tell, then bad.
    let world = world(|name, minute| match (name, minute) {
        ("HTTPCode_Target_5XX_Count", 0 | 4) => Some(9.0),
        ("HTTPCode_Target_2XX_Count", 0 | 4) => Some(91.0),
        ("HTTPCode_Target_2XX_Count", _) => Some(1.0),
        _ => None,
    });
    let place = json!({"load_balancer": "new", "in": "prod", "over": "1m"});
    let more = json!({"breaches": 2, "min_samples": 50, "with": place});
    let (ended, minutes) = watch(&world, &with("alb.error_rate", "value > 0.01", &more)).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["9 of 100 answers were 5xx"]);
    assert_eq!(minutes, 6);
}

#[tokio::test]
async fn what_is_counted_late_is_a_breach_of_its_own() {
    let world = world(|name, minute| match name {
        "HTTPCode_Target_5XX_Count" => (minute == 0).then_some(9.0),
        "HTTPCode_Target_2XX_Count" => Some(91.0),
        _ => None,
    });
    let place = json!({"load_balancer": "new", "in": "prod", "over": "1m"});
    let wants = with("alb.error_rate", "value > 0.01", &json!({"with": place}));
    let mut story = Story::new(&world, "monitor", &wants);
    story.plan().await.unwrap();
    world.pass(Duration::from_secs(120));
    world.state().complete = false;
    assert!(matches!(story.look(story.forward()).await, Ok(Look::Moving { .. })));
    world.state().complete = true;
    fails(story.breaks(story.forward()).await, FaultKind::Permanent, &["9 of 100"]);
}

#[tokio::test]
async fn no_traffic_is_no_evidence_of_anything() {
    for (uses, names) in [("alb.error_rate", "no answers"), ("alb.latency", "no answers")] {
        let world = world(|name, _| (name == "HealthyHostCount").then_some(2.0));
        let (ended, _) = watch(&world, &with(uses, "value > 1", &json!({}))).await;
        fails(ended.map(|_| ()), FaultKind::Blind, &["no evidence in time", names]);
    }
    let hosts_only = world(|name, _| (name == "HealthyHostCount").then_some(2.0));
    let (ended, _) = watch(&hosts_only, &with("alb.requests", "value < 1", &json!({}))).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["0.0 requests a minute"]);
    let silent = world(|_, _| None);
    let (ended, _) = watch(&silent, &with("alb.requests", "value < 1", &json!({}))).await;
    fails(ended.map(|_| ()), FaultKind::Blind, &["neither requests nor hosts"]);
}

#[tokio::test]
async fn parts_are_no_evidence() {
    for uses in ["alb.error_rate", "alb.latency"] {
        let world = world(|_, _| Some(1.0));
        world.state().complete = false;
        let (ended, _) = watch(&world, &with(uses, "value > 1", &json!({}))).await;
        fails(ended.map(|_| ()), FaultKind::Blind, &["has not got"]);
    }
}

#[tokio::test]
async fn targets_take_too_long() {
    let world = world(|name, minute| match name {
        "TargetResponseTime" => Some(if minute >= 1 { 0.9 } else { 0.1 }),
        "SampleCount" => Some(40.0),
        _ => None,
    });
    let wants = with("alb.latency", "value > 500", &json!({"min_samples": 40}));
    let (ended, minutes) = watch(&world, &wants).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["p95 of 40 answers 900 ms"]);
    assert_eq!(minutes, 3);
}

#[tokio::test]
async fn unhealthy_targets_are_seen_at_once() {
    let world = world(|_, _| None);
    let wants = with("alb.unhealthy_hosts", "value > 0", &json!({}));
    let mut story = Story::new(&world, "monitor", &wants);
    story.plan().await.unwrap();
    assert!(matches!(story.look(story.forward()).await, Ok(Look::Moving { .. })));
    world.state().healthy.insert(GROUP.into(), 1);
    fails(story.breaks(story.forward()).await, FaultKind::Permanent, &["1 of 2 targets", "Target.Timeout"]);
}

#[test]
fn what_cannot_be_asked_of_a_metric_is_refused() {
    let over = |over: &str| {
        let place = json!({"with": {"load_balancer": "new", "in": "prod", "over": over}});
        codes("monitor", &with("alb.latency", "value > 500", &place))
    };
    assert_eq!(over("5m"), [""; 0]);
    assert_eq!(over("90s"), ["SW2003"]);
    assert_eq!(over("2h"), ["SW2003"]);
    let nowhere = json!({"with": {"load_balancer": "new"}});
    assert_eq!(codes("monitor", &with("alb.requests", "value < 1", &nowhere)), ["SW1004"]);
}

/// Of a hundred answers in a minute so many are errors, before the monitor began and since.
fn errors(before: f64, since: f64) -> World {
    world(move |name, minute| {
        let errors = if minute < 0 { before } else { since };
        match name {
            "HTTPCode_Target_5XX_Count" => Some(errors),
            "HTTPCode_Target_2XX_Count" => Some(100.0 - errors),
            _ => None,
        }
    })
}

#[tokio::test]
async fn noise_is_no_breach_and_breakage_is() {
    let sure = |expected: Json| with("alb.error_rate", "certainty > 0.99", &json!({"expected": expected}));
    let (ended, _) = watch(&errors(1.0, 2.0), &sure(json!(0.01))).await;
    let last = ended.unwrap()["signals"]["new-side"]["last"].to_string();
    assert!(last.contains("6 of 300 answers were 5xx; certainty 0."), "{last}");
    let (ended, minutes) = watch(&errors(1.0, 6.0), &sure(json!("1.0 / 100.0"))).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["answers were 5xx; certainty 0.99", "certainty > 0.99"]);
    assert_eq!(minutes, 3, "looked at four times a minute, each minute counts once");
    let (ended, minutes) = watch(&errors(1.0, 60.0), &sure(json!(0.01))).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["60 of 100 answers were 5xx"]);
    assert_eq!(minutes, 2, "gross breakage is certain as soon as it is seen");
}

#[tokio::test]
async fn what_was_before_is_a_baseline() {
    let old = json!({"load_balancer": "new", "in": "prod", "over": "10m"});
    let compared = |fail: &str| with("alb.error_rate", fail, &json!({"baseline": old, "min_samples": 50}));
    let (ended, _) = watch(&errors(4.0, 5.0), &compared("value > baseline * 1.3")).await;
    let last = ended.unwrap()["signals"]["new-side"]["last"].to_string();
    assert!(last.contains("the baseline is 0.0400"), "{last}");
    let (ended, _) = watch(&errors(4.0, 6.0), &compared("value > baseline * 1.3")).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["6 of 100", "the baseline is 0.0400"]);

    let more = json!({"baseline": old, "expected": "baseline * 1.2", "min_samples": 50});
    let sure = with("alb.error_rate", "certainty > 0.99", &more);
    assert!(watch(&errors(4.0, 5.0), &sure).await.0.is_ok());
    fails(
        watch(&errors(4.0, 40.0), &sure).await.0.map(|_| ()),
        FaultKind::Permanent,
        &["40 of 100", "the baseline is 0.0400, at most 0.0674"],
    );
}

#[tokio::test]
async fn without_a_baseline_there_is_no_evidence() {
    let old = json!({"load_balancer": "new", "in": "prod", "over": "10m"});
    let world = world(|name, minute| (name == "HTTPCode_Target_2XX_Count" && minute >= 0).then_some(100.0));
    let more = json!({"baseline": old, "min_samples": 50});
    let mut story = Story::new(&world, "monitor", &with("alb.error_rate", "value > baseline", &more));
    story.plan().await.unwrap();
    // Before the new side is counted there is nothing: no number of it, and none to compare with.
    let Ok(Look::Moving { .. }) = story.look(story.forward()).await else { panic!("it is no pass") };
}

#[test]
fn what_is_compared_makes_sense() {
    let codes = |fail: &str, more: Json| codes("monitor", &with("alb.error_rate", fail, &more));
    assert_eq!(codes("certainty > 0.99", json!({"expected": 0.01})), [""; 0]);
    assert_eq!(codes("certainty > 0.99", json!({})), ["SW1012"], "of what?");
    assert_eq!(codes("value > baseline", json!({})), ["SW1012"]);
    assert_eq!(codes("certainty > 0.99", json!({"expected": 1})), ["SW1002", "SW1012"]);
    assert_eq!(codes("certainty > 0.99", json!({"expected": "baseline"})), ["SW1012", "SW1012"]);
    let old = json!({"load_balancer": "old", "in": "prod"});
    assert_eq!(codes("value > baseline", json!({"baseline": old})), [""; 0]);
    assert_eq!(codes("value > baseline", json!({"baseline": {"in": "prod"}})), ["SW1004"]);
    let latency = with("alb.latency", "value > 1", &json!({"expected": 0.01}));
    assert_eq!(super::codes("monitor", &latency), ["SW2003"]);
    let beside = |expected: &str, at: &str| {
        let old = json!({"load_balancer": "old", "in": "prod", "at": at});
        codes("certainty > 0.99", json!({"baseline": old, "expected": expected}))
    };
    assert_eq!(beside("baseline * 1.2 + 0.001", "same"), [""; 0]);
    assert_eq!(beside("baseline * baseline", "same"), ["SW2003"], "no level can be tested so");
    assert_eq!(beside("baseline * baseline", "before"), [""; 0]);
    assert_eq!(beside("baseline", "noon"), ["SW1007"]);
}

fn alarm(name: &str, state: AlarmState, since: Timestamp) -> Alarm {
    Alarm {
        name: name.into(),
        state,
        reason: "5xx > 10".into(),
        since: Some(since),
        enabled: true,
        trouble: None,
    }
}

fn alarms(more: &Json) -> Json {
    let mut with = json!({"target": "prod", "names": ["aep-5xx", "aep-hosts"]});
    for (key, value) in more.as_object().unwrap() {
        with[key] = value.clone();
    }
    let signal = json!({"id": "alarms", "uses": "cloudwatch.alarms", "with": with});
    json!({"for": "4m", "every": "30s", "signals": [signal]})
}

/// Alarms as they are, and what a monitor makes of them.
async fn alarmed(all: &[Alarm], more: &Json) -> Result<Json, crate::run::Fault> {
    let world = World::new();
    world.state().alarms = all.to_vec();
    watch(&world, &alarms(more)).await.0
}

#[tokio::test]
async fn alarms_need_no_condition() {
    let before = Timestamp(START.0 - 600_000);
    let fine = ["aep-5xx", "aep-hosts"].map(|name| alarm(name, AlarmState::Ok, before));
    let ended = alarmed(&fine, &json!({})).await.unwrap();
    assert_eq!(ended["signals"]["alarms"]["last"], "none of 2 alarms fires");
    let later = alarm("aep-5xx", AlarmState::Firing, START.after(Duration::from_secs(1)));
    let fault = alarmed(&[later, fine[1].clone()], &json!({})).await;
    fails(fault, FaultKind::Permanent, &["`aep-5xx` fires since 2027-01-15T08:00:01Z: 5xx > 10: value > 0"]);
}

#[tokio::test]
async fn what_fired_before_and_what_is_missing_are_named() {
    let before = Timestamp(START.0 - 600_000);
    let old = alarm("aep-5xx", AlarmState::Firing, before);
    let words = ["`aep-5xx` was firing 10m before", "there is no alarm `aep-hosts`"];
    fails(alarmed(std::slice::from_ref(&old), &json!({})).await, FaultKind::Blind, &words);
    let missing = alarmed(&[], &json!({"missing": "fail"})).await;
    fails(missing, FaultKind::Permanent, &["there is no alarm `aep-5xx`; there is no alarm `aep-hosts`"]);
    let none = json!({"for": "4m", "signals": [{"id": "a", "uses": "cloudwatch.alarms",
        "with": {"target": "prod", "names": []}}]});
    assert_eq!(codes("monitor", &none), ["SW2003"]);
}

fn measured(fail: &str, more: &Json) -> Json {
    let place = json!({"target": "prod", "namespace": "AWS/RDS", "name": "Load", "over": "2m"});
    let mut signal = json!({"id": "load", "uses": "cloudwatch.metric", "with": place, "fail": fail});
    for (key, value) in more.as_object().unwrap() {
        signal["with"][key] = value.clone();
    }
    json!({"for": "6m", "every": "30s", "signals": [signal]})
}

#[tokio::test]
async fn a_metric_is_judged_by_minutes_after_the_beginning() {
    let world = world(|name, minute| match name {
        "Load" => Some(if minute < 0 { 90.0 } else { 30.0 }),
        _ => Some(5.0),
    });
    let (ended, _) = watch(&world, &measured("max > 80", &json!({}))).await;
    let last = "average of AWS/RDS Load is 30 on average, from 30 to 30, in 2 of 2 periods, by 10 samples";
    assert_eq!(ended.unwrap()["signals"]["load"]["last"], last);
}

#[tokio::test]
async fn a_formula_is_judged_as_a_metric_is() {
    let world = world(|name, minute| (name == "100 * a / b").then_some(if minute >= 2 { 9.0 } else { 1.0 }));
    let part = json!({"namespace": "AEP", "name": "Orders"});
    let with = json!({"target": "prod", "expression": "100 * a / b", "metrics": {"a": part, "b": part}});
    let signal = json!({"id": "ratio", "uses": "cloudwatch.metric", "with": with, "fail": "value > 5"});
    let wants = json!({"for": "6m", "every": "30s", "signals": [signal]});
    let (ended, minutes) = watch(&world, &wants).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["`100 * a / b` is 9, by 1 samples: value > 5"]);
    assert_eq!(minutes, 4, "minute 2 is over, and counted");
}

#[tokio::test]
async fn a_metric_that_is_silent_or_late_is_no_evidence() {
    let silent = world(|name, minute| (name == "Load" && minute < 2).then_some(30.0));
    let (ended, _) = watch(&silent, &measured("value > 80", &json!({}))).await;
    fails(ended.map(|_| ()), FaultKind::Blind, &["average of AWS/RDS Load: no data in 2 periods of 1m"]);
    let part = world(|_, _| Some(1.0));
    part.state().complete = false;
    let (ended, _) = watch(&part, &measured("value > 80", &json!({}))).await;
    fails(ended.map(|_| ()), FaultKind::Blind, &["AWS/RDS Load: CloudWatch has not got"]);
    // Whole after six minutes, as this one publishes.
    let late = world(|_, minute| Some(if minute < 0 { 90.0 } else { 30.0 }));
    let (ended, minutes) = watch(&late, &measured("value > 80", &json!({"late": "7m"}))).await;
    assert!(ended.is_ok() && minutes == 8, "{ended:?} after {minutes} minutes");
}

#[test]
fn what_cannot_be_asked_of_any_metric_is_refused() {
    let of = |more: Json| codes("monitor", &measured("value > 1", &more));
    assert_eq!(of(json!({"statistic": "p99.9", "period": "2m"})), [""; 0]);
    assert_eq!(of(json!({"statistic": "p99"})), ["SW2003"], "two periods of a percentile");
    assert_eq!(of(json!({"statistic": "mean"})), ["SW1007"]);
    assert_eq!(of(json!({"period": "90s"})), ["SW2003"]);
    assert_eq!(of(json!({"over": "90s"})), ["SW2003"]);
    assert_eq!(of(json!({"expression": "a"})), ["SW2003"]);
    let formula = |id: &str| {
        let metrics = json!({id: {"namespace": "AEP", "name": "Orders"}});
        let with = json!({"target": "prod", "expression": "a", "metrics": metrics});
        let signal = json!({"id": "x", "uses": "cloudwatch.metric", "with": with, "fail": "value > 1"});
        codes("monitor", &json!({"for": "6m", "signals": [signal]}))
    };
    assert_eq!(formula("a"), [""; 0]);
    assert_eq!(formula("Errors"), ["SW1006"]);
    assert_eq!(formula("switchover"), ["SW1006"]);
}

/// A monitor of one signal that is told by a share.
fn share(uses: &str, with: &Json, fail: &str) -> Json {
    json!({"for": "6m", "every": "30s", "signals": [{"id": "it", "uses": uses, "with": with, "fail": fail}]})
}

#[tokio::test]
async fn a_service_without_its_tasks_is_no_pass() {
    let with = json!({"target": "prod", "cluster": "c", "service": "app"});
    let wants = share("ecs.running", &with, "value < 1");
    let world = World::new();
    let (ended, _) = watch(&world, &wants).await;
    fails(ended.map(|_| ()), FaultKind::Blind, &["no evidence in time", "there is no service app in c"]);
    world.state().services.insert("app".into(), super::world::service("app", "app:1"));
    let (ended, _) = watch(&world, &wants).await;
    assert_eq!(ended.unwrap()["signals"]["it"]["last"], "2 of 2 tasks of app in c run");
    world.state().services.get_mut("app").unwrap().running = 1;
    let (ended, minutes) = watch(&world, &wants).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["1 of 2 tasks of app in c run: value < 1"]);
    assert_eq!(minutes, 0, "it is seen at once");
}

#[tokio::test]
async fn connections_are_judged_by_minutes_after_the_beginning() {
    let with = json!({"target": "prod", "database": "aep", "limit": 100});
    let wants = share("rds.connections", &with, "value > 0.8");
    let of = |before: f64, since: f64| {
        world(move |name, minute| match name {
            "DatabaseConnections" => Some(if minute < 0 { before } else { since }),
            _ => Some(1.0),
        })
    };
    let (ended, _) = watch(&of(99.0, 30.0), &wants).await;
    assert_eq!(ended.unwrap()["signals"]["it"]["last"], "30 of 100 connections to aep");
    let (ended, minutes) = watch(&of(30.0, 81.0), &wants).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["81 of 100 connections to aep: value > 0.8"]);
    assert_eq!(minutes, 3, "minute 0 is over, and counted");
    let (ended, _) = watch(&world(|_, _| None), &wants).await;
    fails(ended.map(|_| ()), FaultKind::Blind, &["connections to aep: no data in 1 periods of 1m"]);
}

#[test]
fn a_share_is_compared_with_a_share() {
    let tasks = json!({"target": "prod", "cluster": "c", "service": "app"});
    let database = json!({"target": "prod", "database": "aep", "limit": 100});
    let of = |uses: &str, with: &Json, fail: &str| codes("monitor", &share(uses, with, fail));
    assert_eq!(of("ecs.running", &tasks, "value < 1 || failed > 3"), [""; 0]);
    assert_eq!(of("ecs.running", &tasks, "value < 90"), ["SW2012"]);
    assert_eq!(of("rds.connections", &database, "value > 0.9 || connections > 80"), [""; 0]);
    assert_eq!(of("rds.connections", &database, "value > 80"), ["SW2012"]);
    assert_eq!(
        of("rds.connections", &json!({"target": "prod", "database": "aep"}), "value > 0.8"),
        ["SW1004"]
    );
    let over = json!({"target": "prod", "database": "aep", "limit": 100, "over": "90s"});
    assert_eq!(of("rds.connections", &over, "value > 0.8"), ["SW2003"]);
    assert_eq!(codes("monitor", &with("alb.error_rate", "value > 5", &json!({}))), ["SW2012"]);
}

/// A monitor of one log.
fn log(more: &Json, fail: &str) -> Json {
    let mut with = json!({"target": "prod", "log_group": "/ecs/aep", "pattern": "ERROR", "over": "2m"});
    for (key, value) in more.as_object().unwrap() {
        with[key] = value.clone();
    }
    json!({"for": "6m", "every": "30s", "signals": [{"id": "it", "uses": "logs.pattern", "with": with, "fail": fail}]})
}

/// How a monitor ends, and after how many minutes, where so many lines answer a question, and these are all or not.
async fn logged(
    lines: impl Fn(&LogQuery) -> Option<(u64, bool)> + Send + 'static,
    with: &Json,
) -> (Result<Json, crate::run::Fault>, u64) {
    let world = World::new();
    world.state().lines = Box::new(move |query| lines(query).map(|(count, whole)| Lines { count, whole }));
    watch(&world, with).await
}

#[tokio::test]
async fn lines_that_match_are_judged_by_the_minute() {
    let two_a_minute = |query: &LogQuery| {
        let count = query.to.since(query.from).as_secs() / 30;
        Some((if query.pattern.is_empty() { 900 } else { count }, true))
    };
    let (ended, minutes) = logged(two_a_minute, &log(&json!({}), "value > 2")).await;
    let last = "4 lines of /ecs/aep match `ERROR` in 2m up to 2027-01-15T08:05:30Z: 2 a minute";
    assert_eq!((ended.unwrap()["signals"]["it"]["last"].as_str(), minutes), (Some(last), 6));
    let (ended, minutes) = logged(two_a_minute, &log(&json!({}), "lines > 3")).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["4 lines of /ecs/aep", "in 2m up to", "lines > 3"]);
    assert_eq!(minutes, 2, "two minutes after the beginning, and what is late");
    let none = |query: &LogQuery| Some((u64::from(query.pattern.is_empty()), true));
    let (ended, _) = logged(none, &log(&json!({}), "value > 2")).await;
    assert!(ended.is_ok(), "nothing matches, and there are lines: {ended:?}");
}

#[tokio::test]
async fn a_log_that_says_nothing_is_no_pass() {
    let blind = async |lines: fn(&LogQuery) -> Option<(u64, bool)>, words: &str| {
        let (ended, _) = logged(lines, &log(&json!({}), "value > 2")).await;
        fails(ended.map(|_| ()), FaultKind::Blind, &["no evidence in time", words]);
    };
    blind(|_| Some((0, true)), "/ecs/aep: not one line, of any kind, in 2m up to").await;
    blind(|_| None, "/ecs/aep: there is no such log group in target `prod`").await;
    let by_itself = log(&json!({"silent": "pass"}), "value > 2");
    assert!(logged(|_| Some((0, true)), &by_itself).await.0.is_ok(), "the plan says that it may");
}

#[tokio::test]
async fn lines_that_were_not_read_are_more() {
    let part = |_: &LogQuery| Some((10, false));
    let (ended, _) = logged(part, &log(&json!({}), "value > 4")).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["at least 10 lines of /ecs/aep", "value > 4"]);
    let rest = "the rest was not read";
    for fail in ["value > 11", "value < 20", "value > 4 && value < 20"] {
        let (ended, _) = logged(part, &log(&json!({}), fail)).await;
        fails(ended.map(|_| ()), FaultKind::Blind, &["at least 10 lines of /ecs/aep", rest]);
    }
    let whole = |_: &LogQuery| Some((10, true));
    let (ended, _) = logged(whole, &log(&json!({}), "value < 20")).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["10 lines of /ecs/aep", "value < 20"]);
}

#[test]
fn logs_that_tell_nothing_of_what_is_wrong_are_found_before_the_run() {
    let of = |more: Json| codes("monitor", &log(&more, "value > 2"));
    assert_eq!(of(json!({"over": "1h", "late": "10s", "silent": "pass"})), [""; 0]);
    assert_eq!(of(json!({"over": "59s"})), ["SW2003"]);
    assert_eq!(of(json!({"over": "2d"})), ["SW2003"]);
    assert_eq!(of(json!({"log_group": "arn:aws:logs:eu-west-1:123456789012:log-group:aep"})), ["SW2003"]);
    assert_eq!(of(json!({"pattern": "x".repeat(1025)})), ["SW2003"]);
    assert_eq!(of(json!({"pattern": ""})), ["SW2013"]);
    assert_eq!(of(json!({"late": "9s"})), ["SW2014"]);
    assert_eq!(of(json!({"silent": "fail"})), ["SW1007"]);
}

/// A monitor of one flag.
fn flag(with: &Json) -> Json {
    json!({"for": "1m", "every": "10s", "signals": [{"id": "stop", "uses": "kill_switch", "with": with}]})
}

#[tokio::test]
async fn a_file_that_is_there_is_a_flag_that_is_raised() {
    let file = json!({"file": "STOP"});
    let world = World::new();
    let (ended, _) = watch(&world, &flag(&file)).await;
    assert_eq!(ended.unwrap()["signals"]["stop"]["last"], "the file STOP is not raised");
    world.state().files = Ok(vec!["STOP"]);
    let (ended, _) = watch(&world, &flag(&file)).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["the file STOP is raised: value > 0"]);
}

#[tokio::test]
async fn a_flag_that_cannot_be_read_is_not_raised_and_no_pass() {
    let world = World::new();
    world.state().files = Err(crate::run::Fault::blind("its folder is not there"));
    let (ended, _) = watch(&world, &flag(&json!({"file": "STOP"}))).await;
    let words = ["no evidence in time", "the file STOP cannot be read: its folder is not there"];
    fails(ended.map(|_| ()), FaultKind::Blind, &words);
    let (ended, _) = watch(&world, &flag(&json!({"file": "STOP", "unreadable": "raised"}))).await;
    fails(ended.map(|_| ()), FaultKind::Permanent, &["cannot be read, and so counts as raised"]);
}

#[tokio::test]
async fn an_address_is_a_flag_too() {
    let url = "https://flags.example.com/stop";
    for (status, ends) in [(404, Ok(())), (200, Err(FaultKind::Permanent)), (503, Err(FaultKind::Blind))] {
        let world = World::new();
        world.state().answer = Box::new(move |_| Ok(super::world::response(status, "")));
        let (ended, _) = watch(&world, &flag(&json!({"url": url}))).await;
        assert_eq!(ended.as_ref().map(|_| ()).map_err(|fault| fault.kind), ends, "{status}: {ended:?}");
    }
    assert_eq!(codes("monitor", &flag(&json!({}))), ["SW2003"]);
    assert_eq!(codes("monitor", &flag(&json!({"file": "STOP", "url": url}))), ["SW2003"]);
    assert_eq!(codes("monitor", &flag(&json!({"file": "STOP", "raised": "status == 200"}))), ["SW2003"]);
}

/// A monitor of one command.
fn command(with: &Json, more: &Json) -> Json {
    let mut signal = json!({"id": "look", "uses": "exec", "with": with});
    for (key, value) in more.as_object().unwrap() {
        signal[key] = value.clone();
    }
    json!({"for": "1m", "every": "10s", "signals": [signal]})
}

/// What a command ends with, and what a monitor makes of it.
async fn looked(
    code: i32,
    stdout: &'static str,
    with: &Json,
    more: &Json,
) -> Result<Json, crate::run::Fault> {
    let world = World::new();
    world.state().run = Box::new(move |command| {
        assert_eq!(
            (command.argv.join(" "), command.timeout),
            ("./look --all".into(), Duration::from_secs(30))
        );
        super::world::output(code, stdout)
    });
    watch(&world, &command(with, more)).await.0
}

#[tokio::test]
async fn a_command_says_yes_no_or_nothing() {
    let with = json!({"run": ["./look", "--all"]});
    let fine = looked(0, "", &with, &json!({})).await.unwrap();
    assert_eq!(fine["signals"]["look"]["last"], "`./look --all`: it says that all is well");
    let broken = looked(10, "3 rows are missing\n", &with, &json!({})).await;
    fails(
        broken,
        FaultKind::Permanent,
        &["`./look --all`: it says that something is wrong: 3 rows are missing"],
    );
    fails(looked(1, "", &with, &json!({})).await, FaultKind::Blind, &["`./look --all`: it exited with 1"]);
}

#[tokio::test]
async fn a_command_may_say_a_number() {
    let with = json!({"run": ["./look", "--all"], "value": "json.lag"});
    let more = json!({"fail": "value > 10"});
    let fine = looked(0, "{\"lag\": 2.5}", &with, &more).await.unwrap();
    assert_eq!(fine["signals"]["look"]["last"], "`./look --all`: it says 2.5");
    fails(looked(0, "{\"lag\": 12}", &with, &more).await, FaultKind::Permanent, &["it says 12: value > 10"]);
    fails(looked(0, "lag 12", &with, &more).await, FaultKind::Blind, &["`json.lag` has no value"]);
}

#[test]
fn a_command_shows_no_secret() {
    let with = json!({"run": ["./look", "${{ secrets.token }}"]});
    assert_eq!(codes("monitor", &command(&with, &json!({}))), ["SW2002"]);
    assert_eq!(codes("monitor", &command(&json!({"run": []}), &json!({}))), ["SW2003"]);
}
