//! What a rehearsal must find, and what it must not.

mod amiss;
mod bad_plans;
mod complaints;
mod locks;
mod long_soaks;
mod merging;
mod mutants;
mod permissions;

use super::{Class, Law, Options, Rehearsal, Setting, rehearse, repeat};
use crate::action::Registry;
use crate::doc::{Inputs, Stored, read};
use crate::driver::Actions;
use crate::plan::{Plan, Timestamp};
use crate::run::Fault;
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
    setting_with(plan, text, world, Ok)
}

fn setting_with(
    plan: &str,
    text: &str,
    world: Option<&str>,
    as_run: impl FnOnce(Plan) -> Result<Plan, Vec<Fault>>,
) -> Arc<Setting> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let find = |name: &str| {
        let own = std::fs::read_to_string(root.join("tests/data/rehearse").join(name)).ok();
        own.or_else(|| shipped(name).map(ToOwned::to_owned))
    };
    let stated = world.map(|world| WorldFile::read(&find(world).unwrap(), world, &find).unwrap());
    let given = stated.as_ref().map(|file| file.params.clone()).unwrap_or_default();
    let inputs = Inputs { given, ..Inputs::default() };
    let reading = read(plan, text.as_bytes(), &Stored::default(), &inputs, &Registry, &SignalRegistry);
    let plan = reading.plan.unwrap_or_else(|| panic!("{}", refused(plan, text)));
    let plan = Arc::new(as_run(plan).unwrap());
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

/// In a world that has two weighted sets, and in one that is made up.
fn sets_have_no_findings(plan: &str, faults: &[&str]) {
    for world in [Some("weighted-records.yaml"), None] {
        let setting = setting(plan, world);
        for fault in faults {
            let found = rehearsed(&setting, fault).findings;
            assert!(found.is_empty(), "{world:?} {fault}: {found:#?}");
        }
    }
}

/// One of two sets is switched.
#[test]
fn a_switch_of_one_set_has_no_findings() {
    sets_have_no_findings(
        "tests/data/rehearse/one-set.yaml",
        &[
            "dns.change",
            "dns.status",
            "world.foreign",
            "world.new-side-fails",
            "people.abort",
            "process.killed",
        ],
    );
}

/// The smaller plan of the weighted sets.
#[test]
fn a_shift_of_weighted_sets_has_no_findings() {
    sets_have_no_findings(
        "tests/data/rehearse/weighted.yaml",
        &["dns.change", "dns.status", "world.foreign", "world.new-side-fails", "people.abort", "dns.pending"],
    );
}

/// Nor where a set is left out while its load balancer is not healthy.
#[test]
fn a_shift_of_sets_that_go_by_health_has_no_findings() {
    let setting = setting("tests/data/rehearse/weighted.yaml", Some("by-health.world.yaml"));
    for fault in ["dns.change", "world.foreign", "world.new-side-fails", "people.abort"] {
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

/// What is held, and what clients may keep, on both sides; every other fault of it meets smaller plans, too.
#[test]
fn held_sides_have_no_findings() {
    let setting = setting("plans/held-sides.yaml", Some("held-sides.yaml"));
    for fault in
        ["ecs.scaling", "ecs.bounds", "alb.attribute", "world.foreign-attribute", "world.foreign-scaling"]
    {
        let found = rehearsed(&setting, fault).findings;
        assert!(found.is_empty(), "{fault}: {found:#?}");
    }
    for fault in ["people.abort", "world.new-side-fails"] {
        let found = rehearsed(&setting, &format!("soak/{fault}")).findings;
        assert!(found.is_empty(), "{fault}: {found:#?}");
    }
}

/// A world that is made up has a load balancer and a target group of these names, and they are otherwise at first.
#[test]
fn attributes_can_be_rehearsed_in_a_derived_world() {
    let setting = setting("tests/data/rehearse/attribute.yaml", None);
    let told = rehearsed(&setting, "alb.attribute");
    assert_eq!(told.findings, []);
    assert!(told.rows[&Class::Write].scenarios > 0 && told.rows[&Class::WayBack].scenarios > 0);
}

/// Whoever could have said no to a rollback says it once, and says nothing once.
#[test]
fn both_answers_to_a_rollback_are_played() {
    let setting = setting("tests/data/rehearse/veto.yaml", None);
    let told = rehearsed(&setting, "second/command.run.refused");
    assert_eq!(told.findings, []);
    let said = &told.rows[&Class::People];
    assert_eq!(said.scenarios, 2 * told.rows[&Class::Write].scenarios);
    // Without a word it turns back a minute later; each scenario can be told.
    let point = "second/command.run.refused";
    let words = |name: &str| -> Vec<String> {
        let story = repeat(&setting, name).unwrap();
        assert_eq!(story.breaches, []);
        let kinds = story.facts.iter().map(|fact| format!("{:?}", fact.event));
        kinds
            .map(|text| text.split([' ', '(']).next().unwrap().to_owned())
            .filter(|kind| kind != "Step")
            .collect()
    };
    let silent = ["RunStarted", "RollbackAnnounced", "RollbackStarted", "RunFinished"];
    assert_eq!(words(point), silent);
    // Who says no asks for another try: what refuses again is announced again, and then nobody says a word.
    let again = ["RollbackAnnounced", "RollbackStarted", "RunFinished"];
    let asked = words(&format!("{point}+no-pause"));
    let said = ["RunStarted", "RollbackAnnounced", "OrderTaken", "RunPaused", "OrderTaken"];
    assert_eq!(asked, [&said[..], &again].concat());
    assert_eq!(words(&format!("{point}+no-continue")), [&said[..3], &again].concat());
}

/// What is held is a part of the way back.
#[test]
fn the_time_for_a_no_counts_as_a_part_of_the_way_back() {
    let text = text_of("plans/one-record.yaml");
    let is_late = |policy: &str| {
        let text = text.replacen("\nsteps:", &format!("\npolicy: {{ {policy} }}\nsteps:"), 1);
        let setting = setting_of("plans/one-record.yaml", &text, Some("one-record.yaml"));
        let told = rehearsed(&setting, "soak/world.new-side-fails");
        told.findings.iter().any(|found| found.law == Law::WithinRto)
    };
    assert!(is_late("veto: 10m, rto: 10m"));
    assert!(!is_late("veto: 1m, rto: 10m"));
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

/// Away from a load balancer that the plan names, in a world that has it, and in one that is made up.
#[test]
fn a_switch_away_from_a_load_balancer_has_no_findings() {
    let to = "      to: { load_balancer: aep-prod, in: prod }\n";
    let text = text_of("plans/one-record.yaml");
    assert!(text.contains(to), "{text}");
    let from = to.replace("to: ", "from: ").replace("aep-prod", "aep-staging");
    let text = text.replacen(to, &format!("{from}{to}"), 1);
    for world in [Some("one-record.yaml"), None] {
        let setting = setting_of("plans/one-record.yaml", &text, world);
        for fault in ["people.abort", "dns.change", "world.new-side-fails"] {
            let found = rehearsed(&setting, fault).findings;
            assert!(found.is_empty(), "{world:?} {fault}: {found:#?}");
        }
    }
}

/// A network begins to keep questions back in the middle of a run: whoever names a resolver goes on by it.
#[test]
fn a_network_that_blocks_port_53_from_some_moment_on_is_rehearsed() {
    let setting = setting("tests/data/rehearse/blocked.yaml", Some("aep.yaml"));
    let told = rehearsed(&setting, "dns.blocked");
    assert_eq!(told.findings, []);
    assert!(told.rows[&Class::Dns].scenarios > 0);
}
