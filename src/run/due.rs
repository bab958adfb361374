//! Which work the facts call for now. Derived, never stored.

use super::room::Room;
use super::state::{GuardRun, Mode, Run};
use super::step::{Phase, StepRun};
use crate::mutant::{Mistake, on};
use crate::plan::{StepIx, Timestamp};
use std::cell::OnceCell;

/// Imperative: what a host does. Only `Apply` and `Undo` write; everything else may be dropped at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// Ask whether its `when` holds, and the action what it would do.
    Plan(StepIx),
    /// Write the stage.
    Apply(StepIx),
    /// Look until it is known whether a call in doubt was carried out. `Prior` is believed only at `until`.
    Settle(StepIx),
    /// Look until it has arrived, noted something, or failed.
    Watch(StepIx),
    /// Look now and then whether what was done still holds; only a foreign change is worth an answer.
    Hold(StepIx),
    /// Write the prior state; only if what is there is ours.
    Undo(StepIx),
    /// Look until what was there before is there again.
    Confirm(StepIx),
    /// Watch a guard's signal, by place.
    Guard(usize),
    /// Bring a `Tick`.
    Wake,
}

/// A piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Due {
    /// What.
    pub work: Work,
    /// With `work`, names it: the same pair under way is not begun twice, and its answer says which it was.
    pub turn: u32,
    /// Not before.
    pub from: Timestamp,
    /// When it must have answered. An unanswered call counts as lost, an endless look as failed. Of a guard: from when on it
    /// is worth an answer that all is well.
    pub until: Timestamp,
    /// A call under way should end early: the run goes back.
    pub stop: bool,
    /// Of what was done and should hold: what undoing it needs is looked for, too. The run may come to it on its way back
    /// without being asked.
    pub back: bool,
}

impl Work {
    /// Whose work it is.
    #[must_use]
    pub fn step(self) -> Option<StepIx> {
        match self {
            Self::Plan(ix) | Self::Apply(ix) | Self::Settle(ix) | Self::Watch(ix) => Some(ix),
            Self::Hold(ix) | Self::Undo(ix) | Self::Confirm(ix) => Some(ix),
            Self::Guard(_) | Self::Wake => None,
        }
    }

    /// It changes the world.
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(self, Self::Apply(_) | Self::Undo(_))
    }
}

/// All work that is due.
#[must_use]
pub fn due(run: &Run) -> Vec<Due> {
    if !run.is_live() {
        return Vec::new();
    }
    let mut all = Vec::new();
    let counts = run.mode == Mode::Forward && run.paused.is_none();
    let deadline = run.deadline.filter(|_| counts).unwrap_or(Timestamp::NEVER);
    let mut wake = deadline.min(run.turns_at().unwrap_or(Timestamp::NEVER)).min(baked(run));
    let (room, reach) = (OnceCell::new(), OnceCell::new());
    for (ix, step) in run.plan.places().zip(run.steps.iter()) {
        match of_step(run, ix, step, &room, &reach) {
            Some(due) if due.work == Work::Wake => wake = wake.min(due.from),
            Some(due) => all.push(due),
            None => {}
        }
    }
    let guards = (0..run.plan.guards.len()).filter(|guard| run.looks(*guard));
    all.extend(guards.map(|guard| of_guard(run, guard)));
    if wake < Timestamp::NEVER {
        all.push(Due { work: Work::Wake, turn: 0, from: wake, until: wake, stop: false, back: false });
    }
    all
}

/// When a bake is over that no guard looks at: an alarm of elsewhere may turn it back until then.
fn baked(run: &Run) -> Timestamp {
    let until = run.bakes_until().filter(|_| !run.is_held() && !run.waits_for_a_guard() && run.is_done());
    until.unwrap_or(Timestamp::NEVER)
}

/// Once a bake's time is over, a guard answers also that all is well.
fn of_guard(run: &Run, guard: usize) -> Due {
    let GuardRun { satisfied, next, turn, .. } = run.guards[guard];
    let asked = run.bakes_until().filter(|_| !satisfied);
    let until = asked.unwrap_or(Timestamp::NEVER);
    Due { work: Work::Guard(guard), turn, from: next, until, stop: false, back: false }
}

fn of_step(
    run: &Run,
    ix: StepIx,
    step: &StepRun,
    room: &OnceCell<Room>,
    reach: &OnceCell<Vec<bool>>,
) -> Option<Due> {
    let (wanted, paused) = (|| run.goes_forward(ix), run.paused.is_some());
    let counted = || room.get_or_init(|| Room::of(run));
    let (work, from, until) = match step.phase {
        Phase::Planning if wanted() => (Work::Plan(ix), Timestamp::PAST, Timestamp::NEVER),
        Phase::Applying { by } => (Work::Apply(ix), Timestamp::PAST, by),
        Phase::Watching { from, until } if wanted() || run.must_finish(ix) => (Work::Watch(ix), from, until),
        Phase::Done if step.is_change() && step.marked() && wanted() && !run.plan.is_finally(ix) => {
            (Work::Hold(ix), Timestamp::PAST, Timestamp::NEVER)
        }
        Phase::InDoubt | Phase::Settling { .. } => (Work::Settle(ix), Timestamp::PAST, step.settles),
        Phase::Undoing { by } => (Work::Undo(ix), Timestamp::PAST, by),
        Phase::Restoring { from, until } => (Work::Confirm(ix), from, until),
        // What it will do again must not meet what it once did.
        Phase::Waiting if step.settles != Timestamp::PAST && counted().admits(run, ix) => wake(step.settles),
        Phase::Asking { until } if wanted() => wake(until),
        Phase::Backoff { until } if counted().lets_go_on(run, ix) => wake(until),
        Phase::UndoBackoff { until } if !paused && !on(Mistake::NobodyWakes) => wake(until),
        _ => return None,
    };
    let stop = matches!(work, Work::Apply(_))
        && run.mode == Mode::Rollback
        && !wanted()
        && !step.must_finish()
        && !run.is_irreversible(ix);
    let back = matches!(work, Work::Hold(_))
        && run.plan[ix].is_undone()
        && reach.get_or_init(|| run.reach())[ix.index()];
    Some(Due { work, turn: step.turn, from, until, stop, back })
}

fn wake(at: Timestamp) -> (Work, Timestamp, Timestamp) {
    (Work::Wake, at, at)
}
