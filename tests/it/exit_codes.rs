//! The exit codes that no other test ends with: a bug's, and that of an undo that needs a human.

use crate::stage::{Stage, lasting};
use serde_json::json;
use std::process::{Command, Stdio};

#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut tool = Command::new(env!("CARGO_BIN_EXE_switchover"));
    let said = tool.arg("schema").stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8(said.stderr).unwrap().contains("standard output cannot be written"));
}

#[test]
fn a_stuck_undo_needs_a_human_who_can_mend_it() {
    let stage = Stage::new("plans/worlds/aep.yaml", 180);
    let before = stage.world.state();
    // The first change is the TTL's, the second the switch, the third would bring it back.
    stage.fault(&json!({
        "service": "route53", "operation": "ChangeResourceRecordSets", "nth": 3, "times": 0,
        "kind": "error", "code": "AccessDenied", "status": 403, "message": "refused on purpose",
    }));
    let mut child = stage.start(&["run", "plans/one-record.yaml", "--on-pause", "exit"]);
    while !stage.run(&["log", "latest", "--output", "jsonl"]).stdout.contains(r#""step":"soak""#) {
        assert!(child.try_wait().unwrap().is_none(), "{:#?}", child.wait_with_output());
    }
    stage.run(&["abort", "latest", "--reason", "test"]);
    let said: crate::stage::Said = child.wait_with_output().unwrap().into();
    assert_eq!(said.code, Some(11), "{said:#?}");
    for word in ["NOT RESTORED", "refused on purpose", "switchover retry switch", "runbooks/R-stuck-failed"] {
        assert!(said.stdout.contains(word), "no word of `{word}`: {said:#?}");
    }
    // What the switch stands on is still in force: the TTL is low.
    assert!(!stage.world.state()["zones"].to_string().contains("TTL 300"), "{:#}", stage.world.state());

    let faults = stage.world.ask("GET", "/faults", None);
    stage.world.ask("DELETE", &format!("/faults/{}", faults["faults"][0]["id"]), None);
    let said = stage.run(&["retry", "switch", "--run", "latest"]);
    assert_eq!(said.code, Some(12), "{said:#?}");
    assert_eq!(lasting(&stage.world.state()), lasting(&before), "{said:#?}");
}
