//! A name shifted between weighted record sets: it completes, comes back when users suffer, and keeps what somebody else did.

use crate::by_hand::obey;
use crate::stage::{Said, Stage, altered, fails_users, lasting};
use crate::two_operators::{calls, facts};
use serde_json::{Value as Json, json};

const PLAN: &str = "plans/weighted-records.yaml";
const WORLD: &str = "plans/worlds/weighted-records.yaml";
const TIME: u32 = 60;
const GREEN: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web@sha256:0b1059d155cefb2eca9dbb8d0f6d4b2b2b75b36944856bb9f6c9490eddab72dc";

/// A world that differs from the shipped one.
fn world(changes: &Json) -> (tempfile::TempDir, Stage) {
    let (folder, file) = altered("weighted-records.yaml", changes);
    (folder, Stage::new(file.to_str().unwrap(), TIME))
}

/// The weights of both sets, as AWS's own command line shows them.
fn weights(stage: &Stage) -> Json {
    let show = "aws route53 list-resource-record-sets --hosted-zone-id Z0123456789ABC --output json \
        --query \"ResourceRecordSets[?Weight!=null].[SetIdentifier,Weight,Type,AliasTarget.DNSName]\"";
    serde_json::from_str(&stage.world.seen_by("sh", &["-c", show])).unwrap()
}

fn weighed(stage: &Stage) -> Vec<u64> {
    weights(stage).as_array().unwrap().iter().map(|set| set[1].as_u64().unwrap()).collect()
}

#[test]
fn all_lookups_are_shifted_and_no_user_notices() {
    let stage = Stage::new(WORLD, TIME);
    assert_eq!(weighed(&stage), [100, 0]);
    let said = stage.run(&["run", PLAN]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(weighed(&stage), [0, 100]);
    assert_eq!((facts(&stage, "step.applying"), calls(&stage, "ChangeResourceRecordSets")), (3, (3, 3)));
    let report = stage.world.report();
    assert_eq!(report["failed"], 0, "{report:#}");
    let again = stage.run(&["run", PLAN]);
    assert_eq!((again.code, calls(&stage, "ChangeResourceRecordSets")), (Some(0), (3, 3)), "{again:#?}");
}

#[test]
fn what_fails_users_is_taken_back_in_one_batch() {
    let (_folder, stage) = world(&json!({"on": fails_users(GREEN)}));
    let (before, seen) = (stage.world.state(), weights(&stage));
    let said = stage.run(&["run", PLAN]);
    assert_eq!(said.code, Some(10), "{said:#?}");
    assert!(
        said.stderr.contains("signal `errors` is broken") && said.stderr.contains("RESTORED"),
        "{said:#?}"
    );
    assert_eq!((lasting(&stage.world.state()), weights(&stage)), (lasting(&before), seen), "{said:#?}");
    let changes = facts(&stage, "step.applying") + 1;
    assert_eq!(calls(&stage, "ChangeResourceRecordSets").0, changes as u64, "one a weight, and one back");
}

#[test]
fn a_weight_that_somebody_else_sets_is_kept() {
    let stage = Stage::new(WORLD, TIME);
    let theirs = json!({"name": "app", "type": "A", "alias": "blue", "set": "blue", "weight": 42});
    stage.fault(
        &json!({"service": "route53", "operation": "ChangeResourceRecordSets", "nth": 2, "kind": "change",
        "change": {"set_record": theirs}}),
    );
    let said: Said = stage.run(&["run", PLAN, "--on-pause", "exit"]);
    assert_eq!(said.code, Some(13), "{said:#?}");
    assert!(said.stderr.contains("somebody else changed it"), "{said:#?}");
    assert_eq!(weighed(&stage), [42, 10], "the batch that came after theirs was refused as a whole");
}

#[test]
fn what_a_stuck_shift_says_can_be_typed_and_restores_the_sets() {
    let refused = json!({
        "service": "route53", "operation": "ChangeResourceRecordSets", "nth": 2, "times": 0, "kind": "error",
        "code": "AccessDenied", "status": 403, "message": "not authorized to perform route53:ChangeResourceRecordSets",
    });
    let (_folder, stage) = world(&json!({"on": fails_users(GREEN), "faults": [refused]}));
    let before = stage.world.state();
    let said = stage.run(&["run", PLAN, "--on-pause", "exit"]);
    assert_eq!(said.code, Some(11), "{said:#?}");
    assert!(said.stdout.contains("shift is NOT RESTORED"), "{said:#?}");
    let said = obey(&stage, &said, "none");
    assert_eq!(said.code, Some(10), "{said:#?}");
    assert_eq!(lasting(&stage.world.state()), lasting(&before), "{said:#?}");
}
