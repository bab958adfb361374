//! What of a run decides how it goes on. Two runs that agree in it, in worlds that agree, have one future.
//!
//! Left out: how often and when things happened, names of calls, texts for people. Of time only what is left counts.
//!
//! A scene has up to three names. Each is looked for among those of scenes whose future is known.

use crate::driver::Actions;
use crate::plan::{Kind, StepIx, Timestamp};
use crate::run::{Mark, Memo, Mode, PauseCause, Phase, Receipt, Run, StepRun};
use std::hash::{Hash, Hasher};
use std::mem::discriminant;

/// How exactly time that is left counts, in seconds: what two scenarios differ in by less goes on alike.
const GRAIN: u64 = 10;

/// What names an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Situation {
    /// By all that decides how things go on.
    pub(super) whole: u64,
    /// Only by what a run that goes forward reads. It stands for a future in which the run neither turns back nor asks
    /// anybody: what steps that are done would restore, and what somebody else made of it, makes no difference to that.
    pub(super) ahead: Option<u64>,
    /// As `whole` would be without what is left behind: what is armed, and what somebody else made of cells of which
    /// the run is through. It stands for a future in which no call comes that could be struck.
    pub(super) freed: Option<u64>,
}

/// How much of a run counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// What the way forward reads.
    Ahead,
}

pub(super) fn of(run: &Run, actions: &Actions, extent: Extent, now: Timestamp, hasher: &mut impl Hasher) {
    extent.hash(hasher);
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
    let back = leads_back(run);
    for ix in run.plan.places() {
        let step = &run[ix];
        if back && is_gone(run, ix) {
            let taken_over = step.phase == Phase::Undone(Receipt::TakenOver);
            (u8::MAX, taken_over, left_of(step.settles, now)).hash(hasher);
        } else if extent == Extent::Ahead && matches!(step.phase, Phase::Done | Phase::Skipped) {
            (discriminant(&step.phase), &step.out).hash(hasher);
        } else {
            let trouble = |note: &Memo| actions.get(ix).map(|action| action.trouble(note));
            of_step(step, trouble, run.mode, now, hasher);
        }
    }
}

/// Going back, the run is through with whatever is undone. After a checkpoint it may be sent forward again.
fn leads_back(run: &Run) -> bool {
    let checked = |ix| run.plan[ix].kind == Kind::Checkpoint && run[ix].phase == Phase::Done;
    run.mode == Mode::Rollback && !run.plan.places().any(checked)
}

/// On the way back a step of which nothing is left is like one that never began.
fn is_gone(run: &Run, ix: StepIx) -> bool {
    let step = &run[ix];
    !run.plan.is_finally(ix) && step.settled() && !step.is_open() && !step.goes_back()
}

/// Nothing of this step is looked at any more, the way the run goes.
pub(super) fn is_through_with(run: &Run, ix: StepIx) -> bool {
    match run.mode {
        Mode::Forward => run[ix].phase == Phase::Done,
        _ => leads_back(run) && is_gone(run, ix),
    }
}

/// How much time is left until then, as far as it counts.
fn left_of(moment: Timestamp, now: Timestamp) -> u64 {
    moment.since(now).as_secs() / GRAIN
}

fn of_step(
    step: &StepRun,
    trouble: impl Fn(&Memo) -> Option<(u32, usize)>,
    mode: Mode,
    now: Timestamp,
    hasher: &mut impl Hasher,
) {
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
    (step.changed.is_some(), step.called.is_some(), &step.out).hash(hasher);
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
        record.note.as_ref().map(trouble).hash(hasher);
    }
}
