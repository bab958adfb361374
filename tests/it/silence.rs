//! A source that falls silent in the middle of a soak, with the real binary: nothing passes by it, nothing is undone for it,
//! and what was seen before it does not count after it. Each kind of signal stands in the table of `src/action/tests`.

use crate::stage::Said;
use crate::triggers::{Scene, timed};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use std::process::Child;
use std::thread::sleep;
use std::time::Duration;

/// A second here is a minute there: so long the soak is.
const SOAK: Duration = Duration::from_secs(5);
/// More than is forgiven.
const LONG: Duration = Duration::from_secs(7);

/// A soak of five minutes by the tasks of a service, which may be silent for so long in all.
fn soaking(patience: &str) -> (Scene, Child) {
    let scene = Scene::new(&format!(
        "- {{ id: state, uses: monitor, with: {{ for: 5m, every: 15s, patience: {patience}, signals: [{{ id: tasks, \
         uses: ecs.running, with: {{ target: prod, cluster: aep-prod, service: aep-backend-prod }}, \
         fail: value < 1 }}] }} }}"
    ));
    let run = scene.start(&["--on-pause", "exit"]);
    scene.until(r#""event":"step.noted","step":"state""#);
    sleep(Duration::from_secs(1));
    (scene, run)
}

fn refuses(scene: &Scene, code: &str, status: u16) {
    let rule: Json = json!({
        "service": "ecs", "operation": "DescribeServices", "times": 0, "kind": "error", "code": code, "status": status,
        "message": "refused on purpose",
    });
    scene.stage.fault(&rule);
}

fn answers(scene: &Scene) {
    for fault in scene.stage.world.ask("GET", "/faults", None)["faults"].as_array().unwrap() {
        scene.stage.world.ask("DELETE", &format!("/faults/{}", fault["id"]), None);
    }
}

/// A human was asked, and nothing was undone.
fn has_asked(scene: &Scene, run: Child, why: &[&str]) {
    let said: Said = run.wait_with_output().unwrap().into();
    let log = scene.stage.log();
    assert_eq!(said.code, Some(13), "{said:#?}\n{log}");
    assert!(said.stdout.contains("continue"), "{said:#?}");
    for word in why {
        assert!(log.contains(word), "`{word}` is not in: {log}");
    }
    assert!(scene.is_marked() && !log.contains("step.undoing"), "{log}");
}

/// It completes, and not before it was watched anew for all of its time.
fn completes_anew(scene: &Scene, run: Child) {
    let (said, took) = timed(|| -> Said { run.wait_with_output().unwrap().into() });
    assert_eq!(said.code, Some(0), "{said:#?}\n{}", scene.stage.log());
    assert!(took >= SOAK, "it passed {took:?} after the silence");
}

#[test]
fn a_source_that_goes_away_asks_and_nothing_is_undone() {
    for (code, status, why) in [
        ("ServiceUnavailable", 503, "ServiceUnavailable"),
        ("ExpiredToken", 403, "ExpiredToken: refused on purpose"),
    ] {
        let (scene, run) = soaking("2m");
        refuses(&scene, code, status);
        has_asked(&scene, run, &["no evidence in time", why]);
        // Whoever is told to go on watches anew.
        answers(&scene);
        let again = scene.stage.start(&["continue", "latest"]);
        completes_anew(&scene, again);
    }
}

#[test]
fn a_source_that_comes_back_is_watched_anew() {
    let (scene, run) = soaking("10m");
    refuses(&scene, "ServiceUnavailable", 503);
    sleep(LONG);
    answers(&scene);
    completes_anew(&scene, run);
}

#[test]
fn a_source_that_flaps_completes_nothing() {
    let (scene, mut run) = soaking("2m");
    while run.try_wait().unwrap().is_none() {
        refuses(&scene, "ServiceUnavailable", 503);
        sleep(LONG);
        answers(&scene);
        sleep(Duration::from_millis(700));
    }
    has_asked(&scene, run, &["no evidence in time"]);
}

/// The lid is closed, and opened again.
#[test]
fn whoever_slept_watches_anew() {
    let (scene, run) = soaking("10m");
    kill_process(Pid::from_child(&run), Signal::STOP).unwrap();
    sleep(LONG);
    kill_process(Pid::from_child(&run), Signal::CONT).unwrap();
    completes_anew(&scene, run);
}
