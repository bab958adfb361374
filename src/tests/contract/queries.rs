//! Queries: what they come to, and how it is told that nobody knows.

use super::{Place, held_by_both, worth};
use crate::plan::Timestamp;
use crate::port::{Answered, Grid, Query};
use crate::run::{Fault, FaultKind, Landed};
use serde_json::json;
use std::time::Duration;

held_by_both!(
    a_query_comes_to_what_is_measured in with_queries,
    a_window_has_a_value_at_each_moment in with_queries,
    what_nobody_knows_is_told in with_queries,
    a_question_meets_faults_on_its_way in with_queries,
);

fn with_queries(text: &str) -> String {
    let queries = "
queries:
  up: { value: 1 }
  ratio: { value: 0.25 }
  nan: { value: .nan }
  inf: { value: .inf }
  two: { value: 3, series: 2 }
  part: { value: 1, warning: a store did not answer }
";
    format!("{text}{queries}")
}

async fn ask(place: &Place, text: &str, over: Option<Grid>) -> Result<Answered, Fault> {
    let query = Query { text: text.into(), token: Some("t".into()), fresh: Duration::from_secs(120), over };
    place.world.queries("prom").unwrap().ask(&query).await
}

/// The newest of the first line.
fn value(answered: &Answered) -> Option<f64> {
    Some(answered.lines.first()?.points.last()?.1)
}

async fn a_query_comes_to_what_is_measured(place: &Place) {
    let before = place.world.clock().now();
    let up = ask(place, "up", None).await.unwrap();
    let after = place.world.clock().now();
    let [line] = &up.lines[..] else { panic!("{up:?}") };
    assert_eq!((line.points.len(), &*line.labels), (1, ""));
    assert_eq!(value(&up), Some(1.0));
    // HTTP tells time by the second.
    let told = up.clock.unwrap();
    assert!(told.after(Duration::from_secs(1)) >= before && told <= after, "{before} {told} {after}");
    assert!(line.points[0].0 >= before && line.points[0].0 <= after, "{line:?}");
    let change =
        json!({"kind": "change", "change": {"queries": {"up": {"value": 0}}}, "service": "prometheus"});
    place.fault(change).await;
    assert_eq!(value(&ask(place, "up", None).await.unwrap()), Some(0.0));
}

async fn a_window_has_a_value_at_each_moment(place: &Place) {
    let clock = place.world.clock();
    let start = Timestamp(clock.now().0.div_ceil(15_000) * 15_000);
    clock.sleep_until(start.after(Duration::from_secs(300))).await;
    let grid = |to| Grid { from: start, to, step: Duration::from_secs(15) };
    let found = ask(place, "ratio", Some(grid(start.after(Duration::from_secs(300))))).await.unwrap();
    let points = &found.lines[0].points;
    let moments: Vec<Timestamp> = grid(start.after(Duration::from_secs(300))).moments().collect();
    assert_eq!(points.iter().map(|(at, _)| *at).collect::<Vec<_>>(), moments);
    assert!(points.iter().all(|(_, value)| (*value - 0.25).abs() < 1e-12) && found.clock.is_some());
    let none = ask(place, "none", Some(grid(start))).await.unwrap();
    assert_eq!(none.lines, []);
}

async fn what_nobody_knows_is_told(place: &Place) {
    assert_eq!(ask(place, "none", None).await.unwrap().lines, []);
    assert!(value(&ask(place, "nan", None).await.unwrap()).unwrap().is_nan());
    assert_eq!(value(&ask(place, "inf", None).await.unwrap()), Some(f64::INFINITY));
    let two = ask(place, "two", None).await.unwrap();
    let labels: Vec<&str> = two.lines.iter().map(|line| &*line.labels).collect();
    assert_eq!(labels, ["{series=\"0\"}", "{series=\"1\"}"]);
    let part = ask(place, "part", None).await.unwrap();
    assert_eq!(part.warning.as_deref(), Some("a store did not answer"));
    assert!(place.world.queries("prod").is_err() && place.world.queries("nope").is_err());
}

async fn a_question_meets_faults_on_its_way(place: &Place) {
    use FaultKind::{Blind, Permanent, Transient};
    for (fault, kind) in [
        (json!({"kind": "error"}), Transient),
        (json!({"kind": "throttle"}), Transient),
        (json!({"kind": "error", "status": 422, "operation": "query", "containing": "up"}), Permanent),
        (json!({"kind": "error", "status": 401}), Blind),
        (json!({"kind": "drop_before"}), Transient),
        (json!({"kind": "drop_after"}), Transient),
    ] {
        let mut rule = fault.clone();
        rule["service"] = "prometheus".into();
        place.fault(rule).await;
        let told = ask(place, "up", None).await.unwrap_err();
        assert_eq!(worth(&told), (kind, Landed::No), "{fault}: {told}");
    }
    assert_eq!(ask(place, "up", None).await.unwrap().lines.len(), 1);
}
