//! The exit codes that no other test ends with: a bug's, and that of an undo that needs a human.

use crate::journals::kept;
use crate::stage::{Stage, lasting, tool};
use serde_json::json;
use std::process::Stdio;

#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let kept = kept("completed");
    let state = kept.path().to_str().unwrap();
    for arguments in [
        &["schema"][..],
        &["--version"],
        &["--help"],
        &["log", "--state-dir", state],
        &["log", "--verify", "--state-dir", state],
        &["log", "--output", "jsonl", "--state-dir", state],
        &["log", "--output", "github", "--state-dir", state],
        &["watch", "--state-dir", state],
        &["status", "--state-dir", state],
        &["report", "--state-dir", state],
        &["runs", "--state-dir", state],
        &["export", "--state-dir", state],
    ] {
        let mut command = tool();
        let output =
            command.args(arguments).stdout(full.try_clone().unwrap()).stderr(Stdio::piped()).output();
        let said = output.unwrap();
        let told = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(74), "{arguments:?}: {told}");
        assert!(told.contains("standard output cannot be written"), "{arguments:?}: {told}");
        // Nobody reads on: they have what they wanted.
        let mut child = tool().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let said = child.wait_with_output().unwrap();
        let told = String::from_utf8(said.stderr).unwrap();
        assert_eq!((said.status.code(), &*told), (Some(0), ""), "{arguments:?}");
    }
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
