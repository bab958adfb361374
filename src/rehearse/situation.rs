//! What of a run decides how it goes on. Two runs that agree in it, in worlds that agree, have one future.
//!
//! Left out: how often and when things happened, names of calls, texts for people. Of time only what is left counts.

use crate::plan::{Kind, Timestamp};
use crate::run::{Mark, Mode, PauseCause, Phase, Receipt, Run, StepRun};
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
    // On the way back a step of which nothing is left is like one that never began; a checkpoint may send it forward
    // again, and then it is not.
    let checked = |ix| run.plan[ix].kind == Kind::Checkpoint && run[ix].phase == Phase::Done;
    let back = run.mode == Mode::Rollback && !run.plan.places().any(checked);
    for ix in run.plan.places() {
        let step = &run[ix];
        let gone = back && !run.plan.is_finally(ix) && step.settled() && !step.is_open() && !step.goes_back();
        if gone {
            let taken_over = step.phase == Phase::Undone(Receipt::TakenOver);
            (u8::MAX, taken_over, left_of(step.settles, now)).hash(hasher);
        } else {
            of_step(step, run.mode, now, hasher);
        }
    }
}

/// How much time is left until then, as far as it counts.
fn left_of(moment: Timestamp, now: Timestamp) -> u64 {
    moment.since(now).as_secs() / GRAIN
}

fn of_step(step: &StepRun, mode: Mode, now: Timestamp, hasher: &mut impl Hasher) {
    let left = |moment| left_of(moment, now);
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
    if (record.mark != Mark::None || record.proposal.stages > 0)
        && !over
        && !matches!(mode, Mode::Finished(_))
    {
        record.proposal.prior.hash(hasher);
        if !matches!(step.phase, Phase::Done) {
            record.note.hash(hasher);
        }
    } else if !over {
        record.note.is_some().hash(hasher);
    }
}
