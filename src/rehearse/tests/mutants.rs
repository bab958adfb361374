//! Mistakes made on purpose, one at a time: the rehearsal of a shipped plan finds each, and finds nothing without it.

use super::{rehearsed, setting};
use crate::mutant::{Mistake, making};
use crate::rehearse::Law;

/// A mistake, the plan and the faults by which it is found, and a law that it breaks.
type Mutant = (Mistake, &'static str, &'static str, Law);

const EXEC: &str = "exec-with-undo";
const RECORD: &str = "one-record";
const DEPLOYS: &str = "parallel-deploys";
const AEP: &str = "aep-go-live";

const MUTANTS: &[Mutant] = &[
    (Mistake::DoubtIsNotLanded, RECORD, "dns.change.killed-after", Law::AsBefore),
    (Mistake::LostIsRepeated, AEP, "ecs.run.lost-answer", Law::Once),
    (Mistake::UndoByRevision, DEPLOYS, "people.abort", Law::StuckForAReason),
    (Mistake::FailedIsNotUndone, DEPLOYS, "deploy.never-stable", Law::AsBefore),
    (Mistake::ForeignOverwritten, RECORD, "world.foreign-record", Law::ForeignKept),
    (Mistake::UndoOverwrites, RECORD, "world.foreign-record", Law::ForeignKept),
    (Mistake::ResumeForgets, EXEC, "process.killed", Law::AsBefore),
    (Mistake::SilencePasses, AEP, "metrics.read.no-evidence", Law::Evident),
    (Mistake::TriggersSuspended, RECORD, "world.new-side-fails", Law::Fires),
    (Mistake::StuckSwallowed, EXEC, "command.undo.refused", Law::AsBefore),
    (Mistake::StuckHoldsNothing, AEP, "dns.change.refused", Law::HeldBack),
    (Mistake::UndoUnordered, EXEC, "people.abort", Law::HeldBack),
    (Mistake::NoDrainBack, AEP, "people.abort", Law::Drained),
    (Mistake::NoDrainForward, RECORD, "people.abort", Law::Lowered),
    (Mistake::CheckpointPassed, AEP, "people.abort", Law::UsersServed),
    (Mistake::FencingIgnored, EXEC, "process.killed", Law::Replays),
    (Mistake::AbortIgnored, EXEC, "people.abort", Law::Obeys),
    (Mistake::NothingReadBack, DEPLOYS, "world.image-gone", Law::AsBefore),
    (Mistake::NothingReadBack, EXEC, "command.undo.wrong", Law::AsBefore),
    (Mistake::ThrottleFails, DEPLOYS, "ecs.services.throttled", Law::Patient),
    (Mistake::DigestIgnored, DEPLOYS, "ecs.register.wrong", Law::AsDesired),
    (Mistake::OtherTtl, RECORD, "people.abort", Law::AsBefore),
];

/// The shipped plan by its world's name.
fn shipped(plan: &str) -> std::sync::Arc<super::Setting> {
    setting(&format!("plans/{plan}.yaml"), Some(if plan == AEP { "aep.yaml" } else { "one-record.yaml" }))
}

#[test]
fn each_mistake_is_found_by_the_rehearsal_of_a_shipped_plan() {
    let mut missed = Vec::new();
    for (mistake, plan, fault, law) in MUTANTS {
        let setting = shipped(plan);
        let found = making(Some(*mistake), || rehearsed(&setting, fault)).findings;
        let laws: Vec<Law> = found.iter().map(|finding| finding.law).collect();
        if !laws.contains(law) {
            missed.push(format!("{mistake:?} by {fault} of {plan}: {law:?} is not among {laws:?}"));
        }
    }
    assert!(missed.is_empty(), "{} of {}:\n{}", missed.len(), MUTANTS.len(), missed.join("\n"));
    assert!(MUTANTS.len() >= 20);
}

#[test]
fn without_a_mistake_the_same_faults_find_nothing() {
    let mut seen: Vec<(&str, &str)> = MUTANTS.iter().map(|(_, plan, fault, _)| (*plan, *fault)).collect();
    seen.sort_unstable();
    seen.dedup();
    for (plan, fault) in seen {
        let found = rehearsed(&shipped(plan), fault).findings;
        assert!(found.is_empty(), "{fault} of {plan}: {found:#?}");
    }
}

#[test]
fn a_point_of_no_return_is_gone_past_by_nobody_but_a_person() {
    let setting = setting("tests/data/rehearse/irreversible.yaml", None);
    let found = making(Some(Mistake::BarrierPassed), || rehearsed(&setting, "people.abort")).findings;
    assert!(found.iter().any(|finding| finding.law == Law::AsksFirst), "{found:#?}");
    let found = rehearsed(&setting, "").findings;
    assert!(found.is_empty(), "{found:#?}");
}
