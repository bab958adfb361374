//! Requests shifted between target groups, weight by weight: it completes, comes back when users suffer, lands once, and
//! can be put back by hand.

use crate::by_hand::obey;
use crate::stage::{Said, Stage, altered, fails_users, lasting};
use crate::two_operators::{calls, facts};
use serde_json::{Value as Json, json};

const PLAN: &str = "plans/blue-green.yaml";
const WORLD: &str = "plans/worlds/blue-green.yaml";
const TIME: u32 = 60;
const GREEN: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web@sha256:0b1059d155cefb2eca9dbb8d0f6d4b2b2b75b36944856bb9f6c9490eddab72dc";

/// A world that differs from the shipped one.
fn world(changes: &Json) -> (tempfile::TempDir, Stage) {
    let (folder, file) = altered("blue-green.yaml", changes);
    (folder, Stage::new(file.to_str().unwrap(), TIME))
}

fn dealt(stage: &Stage, rule: &str) -> String {
    stage.world.state()["rules"][rule].as_str().unwrap_or_default().to_owned()
}

/// What AWS's own command line shows of the default rule.
fn seen_by_aws(stage: &Stage) -> String {
    let show = "arn=$(aws elbv2 describe-load-balancers --names web --query 'LoadBalancers[0].LoadBalancerArn' --output text) && \
        aws elbv2 describe-listeners --load-balancer-arn \"$arn\" --query 'Listeners[?Port==`443`].DefaultActions'";
    stage.world.seen_by("sh", &["-c", show])
}

#[test]
fn all_requests_are_shifted_and_no_user_notices() {
    let stage = Stage::new(WORLD, TIME);
    assert_eq!(dealt(&stage, "web:443 default"), "web-blue=1 web-green=0");
    let said = stage.run(&["run", PLAN]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(dealt(&stage, "web:443 default"), "web-blue=0 web-green=100");
    assert_eq!(dealt(&stage, "web:80 default"), "web-blue=1 web-green=0", "the plan says nothing of it");
    assert_eq!(
        (facts(&stage, "step.applying"), facts(&stage, "step.stage_reached")),
        (3, 2),
        "{}",
        stage.log()
    );
    assert_eq!(calls(&stage, "ModifyListener"), (3, 3));
    let report = stage.world.report();
    assert_eq!(report["failed"], 0, "{report:#}");
    assert!(seen_by_aws(&stage).contains("\"Weight\": 100"));
    let again = stage.run(&["run", PLAN]);
    assert_eq!((again.code, calls(&stage, "ModifyListener")), (Some(0), (3, 3)), "it is there: {again:#?}");
}

#[test]
fn what_fails_users_is_taken_back_in_one_change() {
    let (_folder, stage) = world(&json!({"on": fails_users(GREEN)}));
    let (before, seen) = (stage.world.state(), seen_by_aws(&stage));
    let said = stage.run(&["run", PLAN]);
    assert_eq!(said.code, Some(10), "{said:#?}");
    assert!(
        said.stderr.contains("signal `errors` is broken") && said.stderr.contains("RESTORED"),
        "{said:#?}"
    );
    assert_eq!((lasting(&stage.world.state()), seen_by_aws(&stage)), (lasting(&before), seen), "{said:#?}");
    let changes = facts(&stage, "step.applying") + 1;
    assert_eq!(calls(&stage, "ModifyListener").0, changes as u64, "one a weight, and one back");
    assert!(changes < 4, "not all users have suffered: {}", stage.log());
}

#[test]
fn a_weight_that_somebody_else_sets_is_kept() {
    let stage = Stage::new(WORLD, TIME);
    stage.hold("elasticloadbalancing", "ModifyListener", 1, "hold_after");
    let run = stage.start(&["run", PLAN, "--on-pause", "exit"]);
    stage.wait_until("the call", || stage.is_holding());
    let theirs = json!({"load_balancer": "web", "weights": {"web-blue": 3, "web-green": 1}});
    stage.fault(&json!({"kind": "change", "change": {"set_rule": theirs}}));
    // Whatever is called next comes after them.
    assert!(seen_by_aws(&stage).contains("\"Weight\": 3"));
    stage.release();
    let output = run.wait_with_output().unwrap();
    let said = Said::from(output);
    assert_eq!(said.code, Some(13), "{said:#?}");
    assert!(said.stderr.contains("somebody else changed it"), "{said:#?}");
    assert!(said.stdout.contains("R-foreign"), "{said:#?}");
    assert_eq!(dealt(&stage, "web:443 default"), "web-blue=3 web-green=1");
    assert_eq!(calls(&stage, "ModifyListener").0, 1, "nothing was sent after theirs");
}

#[test]
fn what_a_stuck_shift_says_can_be_typed_and_restores_the_rule() {
    let refused = json!({
        "service": "elasticloadbalancing", "operation": "ModifyListener", "nth": 2, "times": 0, "kind": "error",
        "code": "AccessDenied", "status": 403, "message": "not authorized to perform elasticloadbalancing:ModifyListener",
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
