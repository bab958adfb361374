//! `drain` and `wait`.

use super::world::{START, World};
use super::{Story, fails};
use crate::plan::{StepId, Timestamp};
use crate::port::{LoadBalancer, Metric};
use crate::run::{FaultKind, Look};
use serde_json::{Value as Json, json};
use std::time::Duration;

fn world(measure: impl Fn(&Metric, Timestamp) -> Option<f64> + Send + 'static) -> World {
    let world = World::new();
    {
        let mut state = world.state();
        state.measure = Box::new(measure);
        state.balancers.push(LoadBalancer {
            arn: "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/old/1".into(),
            name: "old".into(),
            dns_name: "old.elb.example".into(),
            zone_id: "ZLB".into(),
            keep_alive: Duration::from_secs(3600),
            idle_timeout: Duration::from_secs(60),
        });
    }
    world
}

fn drain(world: &World) -> Story {
    let with = json!({"load_balancer": "old", "in": "prod", "below": 0.01, "periods": 3});
    Story::new(world, "drain", &with)
}

fn minutes_in(at: Timestamp) -> i64 {
    (i64::try_from(at.0).unwrap() - i64::try_from(START.0).unwrap()) / 60_000
}

/// 1,000 requests a minute, then 100, 50, 10, and none.
fn falling(metric: &Metric, at: Timestamp) -> Option<f64> {
    match (&*metric.name, minutes_in(at)) {
        ("HealthyHostCount", _) => Some(2.0),
        (_, ..0) => Some(1000.0),
        (_, 0) => Some(100.0),
        (_, 1) => Some(50.0),
        (_, 2) => Some(10.0),
        _ => None,
    }
}

#[tokio::test]
async fn a_side_is_idle_when_minutes_in_a_row_are_below_its_peak() {
    let world = world(falling);
    let mut story = drain(&world);
    let out: Json = story.done().await;
    assert_eq!((out["peak"].as_f64(), out["minutes"].as_u64()), (Some(1000.0), Some(3)));
    // Minutes 2, 3 and 4, and the two newest are still being counted.
    assert!(minutes_in(world.state().now) >= 6);
}

/// After a soak of a day all that was counted lately is scanners, and nobody falls to a share of those.
#[tokio::test]
async fn the_peak_is_that_of_before_the_run() {
    let day = 24 * 60;
    let world = world(move |metric, at| match (&*metric.name, minutes_in(at)) {
        ("HealthyHostCount", _) => Some(2.0),
        (_, minute) if minute < -day => Some(1000.0),
        _ => Some(5.0),
    });
    let began = Timestamp(START.0 - 24 * 3_600_000).to_string();
    let seen = world.seen_by(|scope| drop(scope.run.insert("started".into(), began.into())));
    let out: Json = drain(&seen).done().await;
    assert_eq!(out["peak"].as_f64(), Some(1000.0));
    let mut story = drain(&world);
    story.plan().await.unwrap();
    fails(story.arrive().await, FaultKind::Permanent, &["not there in time"]);
    let told = story.told().await.unwrap().notes.join(" ");
    assert!(told.contains("may send requests there for 1h1m more"), "{told}");
}

/// Who has not asked yet may still be told the old answer: that it is quiet until then is chance.
#[tokio::test]
async fn no_minute_counts_before_the_old_answer_has_run_out() {
    let world = world(falling);
    let until = Timestamp(START.0 + 10 * 60_000).to_string();
    let out =
        json!({"record": "app.example.com", "before": [], "changed": true, "new_lookups_reach_it_by": until});
    let answered = |out: &Json| {
        let out = out.to_string();
        let world = world.seen_by(|scope| scope.answered(&StepId("switch".into()), &out));
        let with =
            json!({"load_balancer": "old", "in": "prod", "below": 0.01, "periods": 3, "after": "switch"});
        Story::new(&world, "drain", &with)
    };
    let out = answered(&out).done().await;
    assert_eq!(out["minutes"], 3);
    // Minutes 10, 11 and 12, and the two newest are still being counted.
    assert!(minutes_in(world.state().now) >= 14);
    // An answer of a version that did not tell it.
    let mut story = answered(&json!({"switched_at": START.to_string()}));
    story.plan().await.unwrap();
    fails(story.arrive().await, FaultKind::Blind, &["`switch` does not say what it has led elsewhere"]);
}

/// Another load balancer, or a look back that begins after users left: it is idle at once.
#[tokio::test]
async fn that_nobody_was_ever_seen_is_told() {
    let open = |metric: &Metric, _| match &*metric.name {
        "HealthyHostCount" => Some(2.0),
        "ActiveConnectionCount" => Some(3.0),
        _ => None,
    };
    let hosts = |metric: &Metric, _| (metric.name == "HealthyHostCount").then_some(2.0);
    let unseen = "since 3h before the run: that it is idle would prove nothing. see whether `load_balancer`";
    for (world, is_told) in
        [(world(falling), false), (world(open), false), (world(hosts), true), (world(|_, _| None), true)]
    {
        let mut story = drain(&world);
        story.plan().await.unwrap();
        let told = story.told().await.unwrap().notes.join(" ");
        assert_eq!(told.contains(unseen), is_told, "{told}");
    }
}

#[tokio::test]
async fn a_connection_that_stays_open_is_a_user() {
    // WebSockets and long polls: no request is counted for as long as they last.
    let world = world(|metric, at| match (&*metric.name, minutes_in(at)) {
        ("ActiveConnectionCount", ..20) => Some(40.0),
        ("ActiveConnectionCount", _) => None,
        _ => falling(metric, at),
    });
    let mut story = drain(&world);
    let out: Json = story.done().await;
    assert_eq!((out["peak"].as_f64(), out["allowed_connections"].as_f64()), (Some(1000.0), Some(0.4)));
    assert!(minutes_in(world.state().now) >= 24);
}

#[tokio::test]
async fn silence_of_the_source_is_not_zero() {
    // Neither requests nor hosts are reported once it falls silent.
    let world = world(|_, at| (minutes_in(at) < 0).then_some(1000.0));
    let mut story = drain(&world);
    story.plan().await.unwrap();
    fails(story.arrive().await, FaultKind::Blind, &["neither requests nor hosts"]);
}

#[tokio::test]
async fn partial_data_is_not_zero() {
    let world = world(falling);
    world.state().complete = false;
    let mut story = drain(&world);
    story.plan().await.unwrap();
    world.pass(Duration::from_secs(600));
    assert!(matches!(story.look(story.forward()).await, Ok(Look::Moving { .. })));
}

#[tokio::test]
async fn a_minute_still_being_counted_is_not_believed() {
    let world = world(|metric, at| match (&*metric.name, minutes_in(at)) {
        ("HealthyHostCount", _) => Some(2.0),
        (_, ..0) => Some(1000.0),
        _ => None,
    });
    let mut story = drain(&world);
    story.plan().await.unwrap();
    world.pass(Duration::from_secs(4 * 60));
    // Minutes 0 to 3 are over, and the last of them may still grow.
    let Ok(Look::Desired { out }) = story.look(story.forward()).await else { panic!() };
    assert!(out.contains("\"minutes\":3"), "{out}");
}

#[tokio::test]
async fn a_load_balancer_that_nobody_knows_is_a_question() {
    let world = World::new();
    fails(drain(&world).plan().await, FaultKind::Blind, &["old"]);
}

#[tokio::test]
async fn a_wait_lasts_as_long_as_it_says() {
    let world = World::new();
    let mut story = Story::new(&world, "wait", &json!({"for": "5m"}));
    let begun = world.state().now;
    story.done().await;
    assert_eq!(story.waited(begun), Duration::from_secs(300));
}
