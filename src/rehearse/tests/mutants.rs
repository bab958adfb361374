//! Mistakes made on purpose, one at a time: the rehearsal of a shipped plan, or of a small one where none does what the
//! mistake is about, finds each, and finds nothing without it.

use super::{rehearsed, setting};
use crate::mutant::{Mistake, making};
use crate::rehearse::{Law, Setting};
use std::sync::Arc;

/// A mistake, the plan and the faults by which it is found, and a law that it breaks.
type Mutant = (Mistake, &'static str, &'static str, Law);

const EXEC: &str = "exec-with-undo";
const RECORD: &str = "one-record";
const DEPLOYS: &str = "parallel-deploys";
const AEP: &str = "aep-go-live";
/// Of `tests/data/rehearse`.
const BARRIER: &str = "irreversible";
const DEADLINE: &str = "in-time";
const FAMILY: &str = "one-family";
const GUARD: &str = "guard";
const SHIFT: &str = "shift";
const VETO: &str = "veto";
const BAKE: &str = "bake";
const SETS: &str = "weighted";
const ATTRIBUTE: &str = "attribute";
const SCALING: &str = "scaling";
/// No name server of it can be asked.
const BLOCKED: &str = "blocked";
const CANARY: &str = "canary";
const TWICE: &str = "two-switches";

const MUTANTS: &[Mutant] = &[
    (Mistake::DoubtIsNotLanded, RECORD, "dns.change.killed-after", Law::AsBefore),
    (Mistake::LostIsRepeated, AEP, "ecs.run.lost-answer", Law::Once),
    (Mistake::GraceIgnored, RECORD, "dns.change.late", Law::AsBefore),
    (Mistake::SentTooLate, RECORD, "process.wakes-late", Law::AsBefore),
    // The run is over by then.
    (Mistake::SentTooLate, RECORD, "lower-ttl/process.wakes-late", Law::AsBefore),
    (Mistake::EffectFirst, EXEC, "command.run.lost-answer", Law::Announced),
    (Mistake::UndoByRevision, DEPLOYS, "people.abort", Law::StuckForAReason),
    (Mistake::PreviousRevision, FAMILY, "people.abort", Law::StuckForAReason),
    (Mistake::FailedIsNotUndone, DEPLOYS, "deploy.never-stable", Law::AsBefore),
    (Mistake::DoubtIsNotUndone, EXEC, "command.run.lost-answer", Law::AsBefore),
    (Mistake::ForeignOverwritten, RECORD, "world.foreign-record", Law::ForeignKept),
    (Mistake::UndoOverwrites, RECORD, "world.foreign-record", Law::ForeignKept),
    (Mistake::ResumeForgets, EXEC, "process.killed", Law::AsBefore),
    (Mistake::SilencePasses, AEP, "metrics.read.no-evidence", Law::Evident),
    (Mistake::TriggersDeaf, RECORD, "world.new-side-fails", Law::Fires),
    (Mistake::TriggersSuspended, GUARD, "world.new-side-fails", Law::Fires),
    (Mistake::StuckSwallowed, EXEC, "command.undo.refused", Law::AsBefore),
    (Mistake::StuckHoldsNothing, AEP, "dns.change.refused", Law::HeldBack),
    (Mistake::UndoUnordered, EXEC, "people.abort", Law::HeldBack),
    (Mistake::NoDrainBack, AEP, "people.abort", Law::Drained),
    (Mistake::NoDrainForward, RECORD, "people.abort", Law::Lowered),
    (Mistake::BarrierPassed, BARRIER, "people.abort", Law::AsksFirst),
    (Mistake::CheckpointPassed, AEP, "people.abort", Law::UsersServed),
    (Mistake::FencingIgnored, EXEC, "process.killed", Law::Replays),
    (Mistake::AbortIgnored, EXEC, "people.abort", Law::Obeys),
    (Mistake::NotAnnounced, VETO, "command.run.refused", Law::Heeds),
    (Mistake::NoIsNotHeard, VETO, "command.run.refused", Law::Heeds),
    (Mistake::NotBaked, BAKE, "settles/world.new-side-fails", Law::Fires),
    (Mistake::NobodyWakes, EXEC, "command.undo.transient", Law::Ends),
    (Mistake::NobodyAsked, AEP, "metrics.read.no-evidence", Law::AsksFirst),
    (Mistake::OneIsEnough, BARRIER, "people.late", Law::AsksFirst),
    (Mistake::DeadlineIgnored, DEADLINE, "people.pause", Law::WithinDeadline),
    (Mistake::NothingReadBack, DEPLOYS, "world.image-gone", Law::AsBefore),
    (Mistake::NothingReadBack, EXEC, "command.undo.wrong", Law::AsBefore),
    (Mistake::CheckIgnored, EXEC, "command.undo.wrong", Law::AsDesired),
    (Mistake::ThrottleFails, DEPLOYS, "ecs.services.throttled", Law::Patient),
    (Mistake::Impatient, RECORD, "dns.ask.silent", Law::Patient),
    (Mistake::DigestIgnored, DEPLOYS, "ecs.register.wrong", Law::AsDesired),
    (Mistake::ForeignOverwritten, SHIFT, "world.foreign-rule", Law::ForeignKept),
    (Mistake::UndoOverwrites, SHIFT, "world.foreign-rule", Law::ForeignKept),
    (Mistake::GraceIgnored, SHIFT, "alb.modify.late", Law::AsBefore),
    (Mistake::SentTooLate, SHIFT, "process.wakes-late", Law::AsBefore),
    (Mistake::ForeignOverwritten, SETS, "world.foreign-weight", Law::ForeignKept),
    (Mistake::UndoOverwrites, SETS, "world.foreign-weight", Law::ForeignKept),
    (Mistake::ForeignOverwritten, ATTRIBUTE, "world.foreign-attribute", Law::ForeignKept),
    (Mistake::UndoOverwrites, ATTRIBUTE, "world.foreign-attribute", Law::ForeignKept),
    (Mistake::GraceIgnored, ATTRIBUTE, "alb.attribute.late", Law::AsBefore),
    (Mistake::SentTooLate, ATTRIBUTE, "process.wakes-late", Law::AsBefore),
    (Mistake::ForeignOverwritten, SCALING, "world.foreign-scaling", Law::ForeignKept),
    (Mistake::UndoOverwrites, SCALING, "world.foreign-scaling", Law::ForeignKept),
    (Mistake::GraceIgnored, SCALING, "ecs.scaling.late", Law::AsBefore),
    (Mistake::DoubtIsNotUndone, CANARY, "ecs.update.lost-answer", Law::AsBefore),
    (Mistake::UndoOverwrites, CANARY, "world.foreign-service", Law::ForeignKept),
    (Mistake::GraceIgnored, CANARY, "ecs.update.late", Law::AsBefore),
    (Mistake::SentTooLate, CANARY, "process.wakes-late", Law::AsBefore),
    (Mistake::OtherTtl, RECORD, "people.abort", Law::AsBefore),
    (Mistake::TtlRaised, TWICE, "people.abort", Law::Lowered),
    (Mistake::ForeignOverwritten, BLOCKED, "world.foreign-record", Law::ForeignKept),
    (Mistake::Impatient, BLOCKED, "dns.https.silent", Law::Patient),
];

/// A plan by its name, in its world.
fn staged(plan: &str) -> Arc<Setting> {
    let (folder, world) = match plan {
        AEP => ("plans", Some("aep.yaml")),
        SETS => ("tests/data/rehearse", Some("weighted-records.yaml")),
        SHIFT | ATTRIBUTE => ("tests/data/rehearse", Some("blue-green.yaml")),
        EXEC | RECORD | DEPLOYS => ("plans", Some("one-record.yaml")),
        FAMILY => ("tests/data/rehearse", Some("one-family.world.yaml")),
        BLOCKED => ("tests/data/rehearse", Some("blocked.world.yaml")),
        CANARY => ("tests/data/rehearse", Some("canary.world.yaml")),
        GUARD => ("tests/data/rehearse", Some("people-take-long.yaml")),
        BAKE | DEADLINE | TWICE => ("tests/data/rehearse", Some("one-record.yaml")),
        _ => ("tests/data/rehearse", None),
    };
    setting(&format!("{folder}/{plan}.yaml"), world)
}

#[test]
fn each_mistake_is_found_by_a_rehearsal() {
    let mut missed = Vec::new();
    for (mistake, plan, fault, law) in MUTANTS {
        let setting = staged(plan);
        let found = making(Some(*mistake), || rehearsed(&setting, fault)).findings;
        let laws: Vec<Law> = found.iter().map(|finding| finding.law).collect();
        if !laws.contains(law) {
            missed.push(format!("{mistake:?} by {fault} of {plan}: {law:?} is not among {laws:?}"));
        }
    }
    assert!(missed.is_empty(), "{} of {}:\n{}", missed.len(), MUTANTS.len(), missed.join("\n"));
}

/// Mistakes of what a rehearsal has no part of: `run::tests::stories_bake`, `store::tests::mistakes`, `driver::tests::leases`
/// and, those about signals, disks, clocks and records, `tests/it/signals`, `disk`, `zombies` and `races` find them.
const ELSEWHERE: &[Mistake] = &[
    Mistake::EpochNotChecked,
    Mistake::PlaceNotChecked,
    Mistake::HashNotChained,
    Mistake::LateFails,
    Mistake::DiskErrorSwallowed,
    Mistake::NeverSynced,
    Mistake::VanishedUnnoticed,
    Mistake::LockNotHeeded,
    Mistake::BarredOnce,
    Mistake::LeaseNotRenewed,
    Mistake::CommandLivesOn,
    Mistake::CommandInOurGroup,
    Mistake::InterruptBreaksOff,
    Mistake::HangUpKills,
    Mistake::HangUpHurries,
    Mistake::NohupOverridden,
    Mistake::DeafAtFirst,
    Mistake::ReaderAssumed,
    Mistake::LocksStay,
    Mistake::BakedByTheClock,
    Mistake::Upserted,
];

#[test]
fn no_mistake_is_forgotten() {
    let listed =
        |mistake: &&Mistake| MUTANTS.iter().any(|(one, ..)| one == *mistake) || ELSEWHERE.contains(mistake);
    let forgotten: Vec<&Mistake> = Mistake::ALL.iter().filter(|mistake| !listed(mistake)).collect();
    assert_eq!(forgotten, [] as [&Mistake; 0]);
    let shipped = |plan: &str| [EXEC, RECORD, DEPLOYS, AEP].contains(&plan);
    assert!(MUTANTS.iter().filter(|(_, plan, ..)| shipped(plan)).count() >= 20);
}

#[test]
fn without_a_mistake_the_same_faults_find_nothing() {
    let mut seen: Vec<(&str, &str)> = MUTANTS.iter().map(|(_, plan, fault, _)| (*plan, *fault)).collect();
    seen.sort_unstable();
    seen.dedup();
    let mut wrong = Vec::new();
    for (plan, fault) in seen {
        let found = rehearsed(&staged(plan), fault).findings;
        wrong.extend((!found.is_empty()).then(|| format!("{fault} of {plan}: {found:#?}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// By any fault at all.
#[test]
fn small_plans_have_no_findings() {
    let small = [ATTRIBUTE, BAKE, BARRIER, BLOCKED, CANARY, DEADLINE, FAMILY, GUARD, SCALING, SHIFT, VETO];
    for plan in small {
        let found = rehearsed(&staged(plan), "").findings;
        assert!(found.is_empty(), "{plan}: {found:#?}");
    }
}
