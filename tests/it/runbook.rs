//! The shipped runbook is the one that the plan gives.

use crate::stage::repository;
use std::process::Command;

#[test]
fn the_shipped_runbook_is_current() {
    let output = Command::new(env!("CARGO_BIN_EXE_switchover"))
        .args(["runbook", "plans/aep-go-live.yaml"])
        .current_dir(repository(""))
        .output()
        .unwrap();
    let shipped = std::fs::read_to_string(repository("runbooks/aep-go-live.md")).unwrap();
    let now = String::from_utf8(output.stdout).unwrap();
    assert!(now == shipped, "run: switchover runbook plans/aep-go-live.yaml > runbooks/aep-go-live.md");
}
