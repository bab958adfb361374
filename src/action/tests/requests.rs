//! `http.check`, `http.flow`, and `monitor` with `http.probe`.

use super::world::{START, World, response};
use super::{Story, codes, fails};
use crate::port::dns::Name;
use crate::port::{Request, Response};
use crate::run::{Fault, FaultKind, Look};
use serde_json::{Value as Json, json};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Answers by a table of `METHOD path`; the same line again and again, or several in turn.
fn answers(world: &World, table: &'static [(&'static str, u16, &'static str)]) {
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    world.state().answer = Box::new(move |request: &Request| {
        let path = request.url.trim_start_matches("https://app.example.com");
        let line = format!("{} {path}", request.method);
        let rows: Vec<_> = table.iter().filter(|(row, ..)| *row == line).collect();
        let turn = seen.entry(line.clone()).or_default();
        let row = rows.get(*turn).or(rows.last());
        *turn += 1;
        row.map_or_else(
            || Err(Fault::transient(format!("{line}: nobody answers"))),
            |(_, status, body)| Ok(response(*status, body)),
        )
    });
}

fn check(more: &Json) -> Json {
    let mut with = json!({"url": "https://app.example.com/ready", "expect": "status == 200"});
    for (key, value) in more.as_object().unwrap() {
        with[key] = value.clone();
    }
    with
}

#[tokio::test]
async fn good_answers_must_come_in_a_row() {
    let world = World::new();
    answers(
        &world,
        &[
            ("GET /ready", 200, ""),
            ("GET /ready", 503, ""),
            ("GET /ready", 200, ""),
            ("GET /ready", 200, ""),
            ("GET /ready", 200, ""),
        ],
    );
    let mut story = Story::new(&world, "http.check", &check(&json!({"passes": 3})));
    assert_eq!(story.done().await["passes"], 3);
    assert_eq!(world.state().asked.len(), 5);
}

#[tokio::test]
async fn a_check_fails_when_nobody_answers_or_nobody_can_tell() {
    let world = World::new();
    let mut story = Story::new(&world, "http.check", &check(&json!({})));
    story.plan().await.unwrap();
    fails(story.arrive().await, FaultKind::Permanent, &["not there"]);
    // A field that is not there is no pass.
    answers(&world, &[("GET /ready", 200, "{}")]);
    let wants = check(&json!({"expect": "json.checks.database == 'ok'"}));
    let mut story = Story::new(&world, "http.check", &wants);
    story.plan().await.unwrap();
    let Look::Moving { note: Some(note), .. } = story.look(story.forward()).await.unwrap() else { panic!() };
    assert!(note.contains("has no value") && note.contains("status 200"), "{note}");
}

#[tokio::test]
async fn the_side_that_dns_does_not_point_at_can_be_checked() {
    let world = World::new();
    answers(&world, &[("GET /ready", 200, "")]);
    let wants = check(&json!({"connect_to": "new.elb.example"}));
    Story::new(&world, "http.check", &wants).done().await;
    assert_eq!(world.state().asked[0].connect_to.as_deref(), Some("new.elb.example"));
}

/// One address of three may be that of a zone in which nobody is well.
#[tokio::test]
async fn each_address_of_a_load_balancer_is_asked() {
    let world = World::new();
    let zones: Vec<IpAddr> = (1..=3).map(|n| [10, 0, 0, n].into()).collect();
    world.state().addresses.insert(Name::new("new.elb.example"), zones.clone());
    let sick = Arc::new(AtomicBool::new(true));
    let is_sick = sick.clone();
    world.state().answer = Box::new(move |request| {
        let to: SocketAddr = request.connect_to.as_deref().unwrap().parse().unwrap();
        let bad = to.ip() == zones[1] && is_sick.load(Ordering::Relaxed);
        Ok(Response { address: Some(to), ..response(if bad { 503 } else { 200 }, "") })
    });
    let wants = check(&json!({"connect_to": "new.elb.example:8443", "all_addresses": true}));
    let mut story = Story::new(&world, "http.check", &wants);
    assert!(story.action.by_hand().apply[0].contains("<each address of new.elb.example:8443>"));
    story.plan().await.unwrap();
    let Look::Moving { note: Some(note), .. } = story.look(story.forward()).await.unwrap() else { panic!() };
    assert!(note.contains("GET at 10.0.0.2:8443: not `status == 200`: status 503"), "{note}");
    sick.store(false, Ordering::Relaxed);
    story.arrive().await.unwrap();
    let asked: Vec<_> = world.state().asked.iter().filter_map(|one| one.connect_to.clone()).collect();
    assert_eq!(asked[3..], ["10.0.0.1:8443", "10.0.0.2:8443", "10.0.0.3:8443"]);
    // A host that is an address is the only one.
    let wants = check(&json!({"url": "http://10.0.0.1/ready", "all_addresses": true}));
    answers(&world, &[("GET http://10.0.0.1/ready", 200, "")]);
    Story::new(&world, "http.check", &wants).done().await;
    // A name that nobody knows is waited for.
    let wants = check(&json!({"connect_to": "none.example", "all_addresses": true}));
    let mut story = Story::new(&world, "http.check", &wants);
    story.plan().await.unwrap();
    assert!(matches!(story.look(story.forward()).await, Ok(Look::Moving { .. })));
}

fn flow() -> Json {
    json!({
        "base_url": "https://app.example.com",
        "requests": [
            {"get": "/", "expect": "body.contains('AEP')"},
            {
                "post": "/scans", "json": {"target": "smoke"}, "headers": {"authorization": "Bearer ${{ secrets.token }}"},
                "capture": {"scan": "json.id", "shown": {"value": "json.kind", "out": true}},
            },
            {
                "get": "/scans/${{ captures.scan }}", "until": "json.state == 'done'",
                "fail_if": "json.state == 'failed'", "every": "2s", "within": "1m", "expect": "size(json.findings) > 0",
            },
        ],
        "cleanup": [{"delete": "/scans/${{ captures.scan }}"}],
    })
}

const CREATED: &str = r#"{"id": "scan-4711", "kind": "smoke"}"#;

fn asked(world: &World) -> Vec<String> {
    let state = world.state();
    let path = |r: &Request| r.url.trim_start_matches("https://app.example.com").to_owned();
    state.asked.iter().map(|r| format!("{} {}", r.method, path(r))).collect()
}

#[tokio::test]
async fn a_flow_captures_polls_and_cleans_up() {
    let world = World::new();
    answers(
        &world,
        &[
            ("GET /", 200, "<title>AEP"),
            ("POST /scans", 201, CREATED),
            ("GET /scans/scan-4711", 200, r#"{"state": "running"}"#),
            ("GET /scans/scan-4711", 502, ""),
            ("GET /scans/scan-4711", 200, r#"{"state": "done", "findings": [1]}"#),
            ("DELETE /scans/scan-4711", 204, ""),
        ],
    );
    let mut story = Story::new(&world, "http.flow", &flow());
    let out = story.done().await;
    assert_eq!(out, json!({"shown": "smoke"}));
    assert_eq!(asked(&world).len(), 6);
    assert_eq!(asked(&world)[5], "DELETE /scans/scan-4711");
    let state = world.state();
    let posted = &state.asked[1];
    assert_eq!(posted.headers[0], ("authorization".into(), "Bearer s3cr3t-token".into()));
    assert_eq!(posted.body.as_deref(), Some(&br#"{"target":"smoke"}"#[..]));
    let note = story.note.as_ref().unwrap();
    assert!(
        !note.contains("4711") && !note.contains("s3cr3t"),
        "captures are journaled only with `out`: {note}"
    );
}

#[tokio::test]
async fn what_failed_is_cleaned_up_and_shows_nothing_captured() {
    let world = World::new();
    answers(
        &world,
        &[
            ("GET /", 200, "<title>AEP"),
            ("POST /scans", 201, CREATED),
            ("GET /scans/scan-4711", 200, r#"{"state": "failed", "id": "scan-4711"}"#),
            ("DELETE /scans/scan-4711", 204, ""),
        ],
    );
    let mut story = Story::new(&world, "http.flow", &flow());
    story.plan().await.unwrap();
    let fault = story.apply().await.unwrap_err();
    assert!(fault.message.contains("json.state == 'failed'") && !fault.message.contains("4711"), "{fault}");
    assert_eq!(asked(&world).last().unwrap(), "DELETE /scans/scan-4711");
}

#[tokio::test]
async fn nothing_is_cleaned_up_that_was_never_made() {
    let world = World::new();
    answers(&world, &[("GET /", 200, "maintenance")]);
    let mut story = Story::new(&world, "http.flow", &flow());
    story.plan().await.unwrap();
    fails(story.apply().await, FaultKind::Permanent, &["GET /", "maintenance"]);
    assert_eq!(asked(&world), ["GET /"]);
}

#[tokio::test]
async fn a_poll_ends_when_its_time_is_over() {
    let world = World::new();
    answers(
        &world,
        &[
            ("GET /", 200, "AEP"),
            ("POST /scans", 201, CREATED),
            ("GET /scans/scan-4711", 200, r#"{"state": "running"}"#),
            ("DELETE /scans/scan-4711", 204, ""),
        ],
    );
    let mut story = Story::new(&world, "http.flow", &flow());
    story.plan().await.unwrap();
    fails(story.apply().await, FaultKind::Permanent, &["after 1m", "running"]);
}

#[tokio::test]
async fn a_flow_whose_receipt_was_lost_runs_again() {
    let world = World::new();
    let mut story = Story::new(&world, "http.flow", &flow());
    story.plan().await.unwrap();
    assert!(matches!(story.look(story.forward()).await, Ok(Look::Prior)));
}

#[tokio::test]
async fn a_flow_that_only_reads_is_a_check() {
    let world = World::new();
    answers(&world, &[("GET /", 200, "AEP")]);
    let with = json!({"base_url": "https://app.example.com", "requests": [{"get": "/"}]});
    let mut story = Story::new(&world, "http.flow", &with);
    assert_eq!(story.plan().await.unwrap(), 0);
    assert!(!story.action.traits().writes);
    story.arrive().await.unwrap();
}

#[test]
fn flows_that_cannot_work_are_found_before_the_run() {
    let requests =
        |requests: Json| codes("http.flow", &json!({"base_url": "https://x", "requests": requests}));
    assert_eq!(requests(json!([{"get": "/${{ captures.id }}"}])), ["SW2004"]);
    assert_eq!(
        requests(json!([{"get": "/", "capture": {"id": "json.id"}}, {"get": "/${{ captures.id }}"}])),
        [""; 0]
    );
    assert_eq!(requests(json!([{"get": "/", "post": "/"}])), ["SW2003"]);
    assert_eq!(requests(json!([{"expect": "status == 200"}])), ["SW2003"]);
    assert_eq!(requests(json!([{"get": "/", "every": "1s"}])), ["SW2003"]);
    assert_eq!(requests(json!([])), ["SW2003"]);
    let no_base = json!({"requests": [{"get": "/"}]});
    assert_eq!(codes("http.flow", &no_base), ["SW2003"]);
}

fn monitor(more: &Json) -> Json {
    let mut signal = json!({
        "id": "errors", "uses": "http.probe", "with": {"url": "https://app.example.com/", "requests": 2},
        "fail": "value > 0.2", "min_samples": 6,
    });
    for (key, value) in more.as_object().unwrap() {
        signal[key] = value.clone();
    }
    json!({"for": "5m", "every": "30s", "signals": [signal]})
}

#[tokio::test]
async fn a_monitor_passes_on_evidence() {
    let world = World::new();
    answers(&world, &[("GET /", 200, "")]);
    let mut story = Story::new(&world, "monitor", &monitor(&json!({})));
    let begun = world.state().now;
    story.done().await;
    assert!(story.waited(begun) >= Duration::from_secs(300));
}

#[tokio::test]
async fn looks_begin_every_so_often_however_long_one_takes() {
    let world = World::new();
    answers(&world, &[("GET /", 200, "")]);
    let one = json!({"with": {"url": "https://app.example.com/", "requests": 1}});
    let mut story = Story::new(&world, "monitor", &monitor(&one));
    story.plan().await.unwrap();
    for (takes, pause) in [(0, 30), (10, 20), (40, 0)] {
        world.state().takes = Duration::from_secs(takes);
        let Ok(Look::Moving { again, .. }) = story.look(story.forward()).await else { panic!() };
        assert_eq!(again, Duration::from_secs(pause), "a look of {takes} s");
    }
}

#[tokio::test]
async fn a_breach_is_a_failure_with_its_value() {
    let world = World::new();
    answers(&world, &[("GET /", 200, ""), ("GET /", 200, ""), ("GET /", 502, "")]);
    let mut story = Story::new(&world, "monitor", &monitor(&json!({})));
    story.plan().await.unwrap();
    fails(story.arrive().await, FaultKind::Permanent, &["errors", "4 of 6", "status 502", "value > 0.2"]);
}

#[tokio::test]
async fn one_bad_look_of_two_is_suspect_and_neither_a_breach_nor_a_pass() {
    let world = World::new();
    answers(&world, &[("GET /", 502, "")]);
    let wants = monitor(&json!({"breaches": 2, "min_samples": 1}));
    let mut story = Story::new(&world, "monitor", &wants);
    story.plan().await.unwrap();
    let Ok(Look::Moving { note: Some(note), .. }) = story.look(story.forward()).await else { panic!() };
    assert!(note.contains("no_evidence") && note.contains("1 of 2 in a row"), "{note}");
    fails(story.arrive().await, FaultKind::Permanent, &["errors"]);
}

#[tokio::test]
async fn what_broke_it_is_in_its_evidence() {
    let world = World::new();
    answers(&world, &[("GET /", 200, ""), ("GET /", 200, ""), ("GET /", 502, "")]);
    let mut story = Story::new(&world, "monitor", &monitor(&json!({})));
    story.plan().await.unwrap();
    let fault = loop {
        match story.look(story.forward()).await {
            Ok(Look::Moving { again, .. }) => world.pass(again),
            ended => break ended.unwrap_err(),
        }
    };
    // It was recorded before what follows from it, and at once.
    let note = story.note.clone().unwrap();
    let curve = &story.action.curves(&note)[0];
    assert_eq!((curve.values.last(), curve.limit), (Some(&Some(0.6667)), Some(0.2)), "{curve:?}");
    assert!(note.contains(r#""verdict":"fail""#) && note.contains("4 of 6 requests failed"), "{note}");
    assert!(
        fault.message.contains("4 of 6 requests failed") && story.waited(START) == Duration::from_mins(1)
    );
    assert!(story.action.is_news(&note, &note), "it is never kept back");
}

#[tokio::test]
async fn who_goes_on_is_not_broken_by_what_was_before() {
    let world = World::new();
    answers(&world, &[("GET /", 200, ""), ("GET /", 200, ""), ("GET /", 502, "")]);
    let sure = json!({"expected": 0.01, "fail": "certainty > 0.9"});
    let mut story = Story::new(&world, "monitor", &monitor(&sure));
    story.plan().await.unwrap();
    fails(story.arrive().await, FaultKind::Permanent, &["certainty"]);
    answers(&world, &[("GET /", 200, "")]);
    // Another process is told the same; whoever goes on looks anew.
    fails(story.look(story.forward()).await, FaultKind::Permanent, &["certainty"]);
    story.round += 1;
    story.since = world.state().now;
    let out = story.arrive().await.unwrap();
    assert!(out["signals"]["errors"]["last"].as_str().unwrap().contains("0 of"), "{out}");
}

#[tokio::test]
async fn silence_is_not_a_pass_and_not_a_failure() {
    // Nothing is ever asked of this world, so nothing is known of it.
    let world = World::new();
    answers(&world, &[("GET /", 200, "")]);
    let wants = monitor(&json!({"min_samples": 1000}));
    let mut story = Story::new(&world, "monitor", &wants);
    story.plan().await.unwrap();
    fails(story.arrive().await, FaultKind::Blind, &["errors", "of the 1000 samples"]);
}

#[tokio::test]
async fn a_monitor_goes_on_from_its_note() {
    let world = World::new();
    answers(&world, &[("GET /", 200, "")]);
    let mut story = Story::new(&world, "monitor", &monitor(&json!({})));
    story.plan().await.unwrap();
    for _ in 0..2 {
        story.look(story.forward()).await.unwrap();
        world.pass(Duration::from_secs(30));
    }
    // Another process takes it over: what was seen still counts.
    let Ok(Look::Moving { note: Some(note), .. }) = story.look(story.forward()).await else { panic!() };
    assert!(note.contains("0 of 6 requests failed"), "{note}");
}

#[test]
fn monitors_that_cannot_breach_are_found_before_the_run() {
    let mut never = monitor(&json!({"breaches": 20}));
    assert_eq!(codes("monitor", &never), ["SW2007"]);
    never["signals"] = json!([]);
    assert_eq!(codes("monitor", &never), ["SW2007"]);
    assert_eq!(codes("monitor", &monitor(&json!({"uses": "webhook"}))), ["SW2016"]);
    assert_eq!(codes("monitor", &monitor(&json!({"uses": "http.prob"}))), ["SW2008"]);
    assert_eq!(codes("monitor", &monitor(&json!({"fail": "vlue > 1"}))), ["SW1012"]);
}
