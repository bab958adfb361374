//! An undo that fails for good: what the ending tells people to type, typed as it stands, restores the world.

use crate::go_live::{PLAN, TIME, seen_by_strangers};
use crate::stage::{Said, Stage, lasting};

/// The commands of this kind that an ending names, in its order.
pub(crate) fn to_type(said: &Said, kind: &str) -> Vec<String> {
    let (_, to_do) = said.stdout.split_once("what to do now").unwrap_or_else(|| panic!("{said:#?}"));
    let commands = to_do.lines().filter_map(|line| line.strip_prefix("    "));
    commands.filter(|command| command.starts_with(kind)).map(str::to_owned).collect()
}

/// Gives back the permissions that were missed so far.
fn permit(stage: &Stage) {
    let faults = stage.world.ask("GET", "/faults", None);
    for fault in faults["faults"].as_array().unwrap() {
        if fault["met"].as_u64() > Some(0) {
            stage.world.ask("DELETE", &format!("/faults/{}", fault["id"]), None);
        }
    }
}

fn calls_of(stage: &Stage, operation: &str) -> u64 {
    let calls = stage.calls();
    calls
        .iter()
        .filter(|call| call["operation"] == operation)
        .map(|call| call["came"].as_u64().unwrap())
        .sum()
}

/// Types what it says. The tool finds what was restored and writes nothing of its own by this operation.
pub(crate) fn obey(stage: &Stage, said: &Said, operation: &str) -> Said {
    permit(stage);
    let (typed, retries) = (to_type(said, "aws "), to_type(said, "switchover retry "));
    assert!(!typed.is_empty() && typed.len() == retries.len(), "one for each that is stuck: {said:#?}");
    for command in &typed {
        assert!(!command.contains('<'), "it cannot be typed as it stands: {command}");
        stage.world.seen_by("sh", &["-c", command]);
    }
    let written = calls_of(stage, operation);
    let mut last = None;
    for command in &retries {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        last = Some(stage.run(&words));
    }
    let last = last.unwrap();
    // Where nothing is in force any more, what locks the record in its zone goes last, by the run itself.
    let lock = stage.log().matches(r#""event":"step.undo_called","step":"_lock""#).count() as u64;
    let lock = if operation == "ChangeResourceRecordSets" { lock } else { 0 };
    assert_eq!(calls_of(stage, operation), written + lock, "it was restored by hand: {last:#?}");
    last
}

#[test]
fn what_a_stuck_run_says_can_be_typed_and_restores_the_world() {
    let stage = Stage::new("plans/worlds/undo-refused.yaml", TIME);
    assert_eq!(stage.world.ask("GET", "/world", None)["verdict"], "stuck");
    let (before, seen) = (stage.world.state(), seen_by_strangers(&stage.world));

    let said = stage.run(&["run", PLAN, "--on-pause", "exit"]);
    assert_eq!(said.code, Some(11), "{said:#?}");
    assert!(said.stdout.contains("switch is NOT RESTORED"), "{said:#?}");
    let services = stage.world.state()["services"].to_string();
    for held in ["aep-backend:42", "aep-frontend:34"] {
        assert!(services.contains(held), "users may be there: {services}");
    }

    let said = obey(&stage, &said, "ChangeResourceRecordSets");
    assert_eq!(said.code, Some(11), "{said:#?}");
    for step in ["backend", "frontend"] {
        assert!(said.stdout.contains(&format!("{step} is NOT RESTORED")), "{said:#?}");
    }

    let said = obey(&stage, &said, "UpdateService");
    assert_eq!(said.code, Some(11), "{said:#?}");
    assert!(said.stdout.contains("lower-ttl is NOT RESTORED"), "{said:#?}");

    let said = obey(&stage, &said, "ChangeResourceRecordSets");
    assert_eq!(said.code, Some(10), "{said:#?}");
    assert_eq!(seen_by_strangers(&stage.world), seen, "{said:#?}");
    assert_eq!(lasting(&stage.world.state()), lasting(&before), "{said:#?}");
}
