//! What of a run decides how it goes on. Two runs that agree in it, in worlds that agree, have one future.
//!
//! Left out: how often and when things happened, names of calls, texts for people. Of time only what is left counts.

use crate::plan::Timestamp;
use crate::run::{Mark, Mode, PauseCause, Phase, Run, StepRun};
use std::hash::{Hash, Hasher};
use std::mem::discriminant;

/// How exactly time that is left counts, in seconds: what two scenarios differ in by less goes on alike.
const GRAIN: u64 = 10;

pub(super) fn of(run: &Run, now: Timestamp, hasher: &mut impl Hasher) {
    run.mode.hash(hasher);
    run.rewind.hash(hasher);
    run.wrote.hash(hasher);
    run.tripped.hash(hasher);
    match &run.paused {
        None => 0u8.hash(hasher),
        Some(PauseCause::Diverged { step, .. }) => (1u8, step).hash(hasher),
        Some(cause) => (2u8, cause).hash(hasher),
    }
    // Its deadline is far away, or has been met.
    let left =
        run.deadline.map(|deadline| deadline != Timestamp::NEVER && deadline.since(now).as_secs() < 600);
    left.hash(hasher);
    for step in &run.steps {
        of_step(step, run.mode, now, hasher);
    }
}

fn of_step(step: &StepRun, mode: Mode, now: Timestamp, hasher: &mut impl Hasher) {
    let left = |moment: Timestamp| moment.since(now).as_secs() / GRAIN;
    discriminant(&step.phase).hash(hasher);
    match step.phase {
        Phase::Asking { until }
        | Phase::Backoff { until }
        | Phase::UndoBackoff { until }
        | Phase::Watching { until, .. }
        | Phase::Restoring { until, .. } => left(until).hash(hasher),
        Phase::Applying { by } | Phase::Undoing { by } => left(by).hash(hasher),
        Phase::Settling { done, was } => (done, was).hash(hasher),
        Phase::Stuck(stuck) => stuck.hash(hasher),
        Phase::Undone(receipt) => receipt.hash(hasher),
        _ => {}
    }
    let over = matches!(step.phase, Phase::Undone(_) | Phase::Skipped)
        || matches!(step.phase, Phase::Done) && !step.is_change();
    if !over {
        step.tries.hash(hasher);
    }
    left(step.settles).hash(hasher);
    (step.turned, step.again, step.mended, step.approved_by.len()).hash(hasher);
    (step.changed.is_some(), step.called.is_some()).hash(hasher);
    let Some(record) = &step.record else { return };
    (record.reached, record.mark, record.proposal.stages).hash(hasher);
    // What an undo restores matters for as long as anything is in force.
    if record.mark != Mark::None && !over && !matches!(mode, Mode::Finished(_)) {
        record.proposal.prior.hash(hasher);
        if !matches!(step.phase, Phase::Done) {
            record.note.hash(hasher);
        }
    } else if !over {
        record.note.is_some().hash(hasher);
    }
}
