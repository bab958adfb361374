//! Somebody else's change is never written over: before the switch, while the new side is watched, and on the way back.

use crate::stage::{Said, Stage};
use serde_json::{Value as Json, json};
use std::time::{Duration, Instant};

const PLAN: &str = "plans/aep-go-live.yaml";
const TIME: u32 = 60;
const THEIRS: &str = "somebody-else.example.net";
const OLD: &str = "staging-alb";
const NEW: &str = "aep-prod-alb";

/// What another tool does to the record, now.
fn theirs() -> Json {
    let record = json!({"name": "app", "type": "CNAME", "ttl": 30, "values": [THEIRS]});
    json!({"kind": "change", "change": {"set_record": record}})
}

fn wait_for(stage: &Stage, fact: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test must not hang")]
    let start = Instant::now();
    while !stage.run(&["log", "latest", "--output", "jsonl"]).stdout.contains(fact) {
        assert!(start.elapsed() < Duration::from_secs(90), "`{fact}` never came");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn record(stage: &Stage) -> String {
    stage.world.state()["zones"]["navralabs.com"].to_string()
}

/// Runs until a fact is recorded, lets somebody change the record, and returns what the tool said when it ended.
fn meddle(world: &str, fact: &str) -> (Stage, Said) {
    let stage = Stage::new(world, TIME);
    let child = stage.start(&["run", PLAN, "--on-pause", "exit"]);
    wait_for(&stage, fact);
    stage.fault(&theirs());
    let said = child.wait_with_output().unwrap().into();
    (stage, said)
}

/// Their change is still there, and the tool says what it found, what it had left there, and what to type.
fn stands_and_is_told(stage: &Stage, said: &Said, ours: &str) {
    assert!(record(stage).contains(THEIRS), "{said:#?}");
    for word in [THEIRS, ours, "what to do now", "switchover retry", "runbooks/R-"] {
        assert!(said.stdout.contains(word), "no word of `{word}`: {said:#?}");
    }
}

#[test]
fn a_foreign_change_before_the_switch_stops_the_run() {
    let (stage, said) = meddle("plans/worlds/aep.yaml", r#""step":"migrate""#);
    assert_eq!(said.code, Some(13), "{said:#?}");
    stands_and_is_told(&stage, &said, OLD);
}

#[test]
fn a_foreign_change_during_the_soak_stops_the_run() {
    let (stage, said) = meddle("plans/worlds/aep.yaml", r#""step":"soak""#);
    // Found by looking again, or by a monitor whose way back then finds it: either way nothing more is touched.
    assert!(matches!(said.code, Some(11 | 13)), "{said:#?}");
    stands_and_is_told(&stage, &said, NEW);
}

#[test]
fn a_foreign_change_before_the_way_back_is_left_alone() {
    let stage = Stage::new("plans/worlds/aep.yaml", TIME);
    let child = stage.start(&["run", PLAN, "--on-pause", "exit"]);
    wait_for(&stage, r#""step":"soak""#);
    // In the same breath, so that the way back meets it.
    stage.fault(&theirs());
    stage.run(&["abort", "latest", "--reason", "test"]);
    let said: Said = child.wait_with_output().unwrap().into();
    assert!(matches!(said.code, Some(11 | 13)), "{said:#?}");
    stands_and_is_told(&stage, &said, NEW);
}
