//! The lock in the world, whatever goes wrong.

use super::{Setting, rehearsed, setting_with, text_of};
use crate::driver::locked;
use crate::plan::Plan;
use crate::run::Fault;
use std::sync::Arc;

fn setting(as_run: impl FnOnce(Plan) -> Result<Plan, Vec<Fault>>) -> Arc<Setting> {
    let plan = "plans/one-record.yaml";
    let text = text_of(plan).replace("name: one-record", "name: one-record\nproduction: true");
    setting_with(plan, &text, Some("one-record.yaml"), as_run)
}

#[test]
fn whatever_strikes_the_lock_breaks_no_law() {
    let setting = setting(|plan| locked(&plan));
    for step in ["_free", "_lock", "_unlock"] {
        let told = rehearsed(&setting, &format!("{step}/"));
        assert!(told.coverage.contains_key(step) && told.scenarios() > 10, "{step}: {:?}", told.coverage);
        assert!(told.findings.is_empty(), "{step}: {:#?}", told.findings);
    }
}

#[test]
fn the_lock_of_another_run_is_met_only_where_one_is_taken() {
    let told = rehearsed(&setting(|plan| locked(&plan)), "world.locked");
    assert!(told.scenarios() > 10, "{}", told.scenarios());
    assert!(told.findings.is_empty(), "{:#?}", told.findings);
    assert_eq!(rehearsed(&setting(Ok), "world.locked").scenarios(), 0);
}
