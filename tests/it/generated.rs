//! What is generated and shipped is what the tool gives.

use crate::stage::repository;
use std::process::Command;

fn is_current(shipped: &str, arguments: &[&str]) {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_switchover"));
    let output = tool.args(arguments).current_dir(repository("")).output().unwrap();
    let text = std::fs::read_to_string(repository(shipped)).unwrap();
    let now = String::from_utf8(output.stdout).unwrap();
    assert!(now == text, "run: switchover {} > {shipped}", arguments.join(" "));
}

#[test]
fn the_shipped_runbook_is_current() {
    is_current("runbooks/aep-go-live.md", &["runbook", "plans/aep-go-live.yaml"]);
}

/// The first line of each plan names it, for editors.
#[test]
fn the_shipped_schema_is_current() {
    is_current("plans/plan.schema.json", &["schema"]);
}
