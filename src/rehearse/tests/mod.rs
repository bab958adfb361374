//! What a rehearsal must find, and what it must not.

mod bad_plans;
mod complaints;
mod merging;
mod mutants;

use super::{Options, Rehearsal, Setting, rehearse};
use crate::action::Registry;
use crate::doc::{Inputs, Stored, read};
use crate::driver::Actions;
use crate::plan::Timestamp;
use crate::sandbox::shipped;
use crate::signal::SignalRegistry;
use crate::sim::{World, WorldFile, derive};
use std::path::Path;
use std::sync::Arc;

/// 2026-01-06T10:00:00Z.
const START: Timestamp = Timestamp(1_767_693_600_000 - 600_000);

/// A plan of a folder of this repository, in a world that is stated, or derived from it.
pub(super) fn setting(plan: &str, world: Option<&str>) -> Arc<Setting> {
    setting_of(plan, &text_of(plan), world)
}

fn text_of(plan: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(plan)).unwrap()
}

fn setting_of(plan: &str, text: &str, world: Option<&str>) -> Arc<Setting> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let find = |name: &str| {
        let own = std::fs::read_to_string(root.join("tests/data/rehearse").join(name)).ok();
        own.or_else(|| shipped(name).map(ToOwned::to_owned))
    };
    let stated = world.map(|world| WorldFile::read(&find(world).unwrap(), world, &find).unwrap());
    let given = stated.as_ref().map(|file| file.params.clone()).unwrap_or_default();
    let inputs = Inputs { given, ..Inputs::default() };
    let reading = read(plan, text.as_bytes(), &Stored::default(), &inputs, &Registry, &SignalRegistry);
    let plan = Arc::new(reading.plan.unwrap_or_else(|| panic!("{}", refused(plan, text))));
    let actions = Arc::new(Actions::of(&plan).unwrap());
    let file = stated.unwrap_or_else(|| derive(&plan, &actions.needs(), &reading.params).file);
    let world = World::new(file, world.unwrap_or("derived"), START, 77).unwrap();
    Arc::new(Setting::new(plan, actions, world).unwrap())
}

/// What the language has against a plan.
fn refused(plan: &str, text: &str) -> String {
    let inputs = Inputs::default();
    let reading = read(plan, text.as_bytes(), &Stored::default(), &inputs, &Registry, &SignalRegistry);
    crate::doc::render(&reading.problems, &reading.sources, false, true)
}

/// All faults whose name has this in it, alone; `step/fault`: only at this step.
fn rehearsed(setting: &Arc<Setting>, fault: &str) -> Rehearsal {
    let fault = match fault.split_once('/') {
        Some((step, fault)) => (fault.to_owned(), Some(step.to_owned())),
        None => (fault.to_owned(), None),
    };
    rehearse(setting, &Options { pairs: 0, seed: 1, threads: 1, fault: Some(fault), stop: &|| false })
}

/// All that can become of a change of weights, and of what it is looked at by; the smaller plan of the mutants meets every
/// fault.
#[test]
fn the_shipped_shift_has_no_findings() {
    let setting = setting("plans/blue-green.yaml", Some("blue-green.yaml"));
    for fault in ["alb.modify", "alb.rules", "world.foreign-rule", "world.new-side-fails", "people.abort"] {
        let found = rehearsed(&setting, fault).findings;
        assert!(found.is_empty(), "{fault}: {found:#?}");
    }
}

/// Without a world that is stated one is made up: somebody else takes the requests at first.
#[test]
fn a_shift_can_be_rehearsed_in_a_derived_world() {
    let text = text_of("tests/data/rehearse/shift.yaml");
    for text in [text.clone(), text.replace("load_balancer: web", "load_balancer: web\n      rule: 7")] {
        let setting = setting_of("tests/data/rehearse/shift.yaml", &text, None);
        let found = rehearsed(&setting, "alb.modify").findings;
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn writes_that_are_left_behind_are_measured() {
    let text = text_of("plans/one-record.yaml").replace("writes: shared", "writes: diverge");
    let told =
        rehearsed(&setting_of("plans/one-record.yaml", &text, Some("one-record.yaml")), "people.abort");
    let [switch] = &told.diverges[..] else { panic!("{:?}", told.diverges) };
    // An abort waits until somebody says that what was written may be left; the soak alone takes a minute and more.
    let behind = switch.behind.unwrap();
    assert!(switch.step == "switch" && behind > std::time::Duration::from_secs(60), "{behind:?}");
    assert_eq!(
        rehearsed(&setting("plans/one-record.yaml", Some("one-record.yaml")), "people.abort").diverges,
        []
    );
}
