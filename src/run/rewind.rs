//! The way back: which steps a rollback may undo, whose turn it is, and where it stops.
//!
//! Undoing walks the needs backwards. Lowering puts needs at smaller places, so one pass from the last place to the
//! first is enough.

use super::event::{PauseCause, Rewind};
use super::state::{Mode, Run};
use super::step::{Phase, StepRun};
use crate::mutant::{Mistake, on};
use crate::plan::{Kind, StepIx, Timestamp, Writes};

/// Why a rollback can do nothing more by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// An undo is stuck, and holds back the rest.
    Stuck(StepIx),
    /// It has got as far as it was to go, and something before is in force.
    Held(PauseCause),
    /// Nothing is left.
    Unwound,
}

impl Rest {
    /// `finally` runs: nothing more is done without a human, or at all.
    pub(super) fn is_an_ending(&self) -> bool {
        matches!(self, Self::Stuck(_) | Self::Unwound)
    }
}

/// A walk back over all steps but those of `finally`, last first: which of them a rollback may undo, and whose turn it is.
pub(super) struct Walk {
    rewind: Rewind,
    /// The step of `--to`, and all that stands on it.
    asked_for: Vec<bool>,
    /// For each step, what stands on it.
    above: Vec<Above>,
    /// The last checkpoint that was passed.
    checkpoint: Option<StepIx>,
}

/// What stands on a step.
#[derive(Clone, Copy, Default)]
struct Above {
    /// A checkpoint that was passed.
    checkpoint: bool,
    /// Something in force.
    in_force: bool,
}

impl Walk {
    pub(super) fn of(run: &Run, rewind: Rewind) -> Self {
        let asked_for = match rewind {
            Rewind::To(step) => run.standing_on(step),
            Rewind::Safe | Rewind::All => Vec::new(),
        };
        Self { rewind, asked_for, above: vec![Above::default(); run.steps.len()], checkpoint: None }
    }

    /// Whether the rollback may undo this step. What has begun to be undone always is.
    pub(super) fn may_undo(&self, run: &Run, ix: StepIx) -> bool {
        let far_enough = match self.rewind {
            Rewind::All => true,
            Rewind::To(_) => self.asked_for[ix.index()],
            Rewind::Safe => !self.above[ix.index()].checkpoint,
        };
        far_enough || run[ix].goes_back()
    }

    /// Nothing that stands on it is in force.
    pub(super) fn is_free(&self, ix: StepIx) -> bool {
        !self.above[ix.index()].in_force
    }

    /// Goes on to the step before this one, which is in force or not.
    pub(super) fn pass(&mut self, run: &Run, ix: StepIx, in_force: bool) {
        let mut above = self.above[ix.index()];
        above.in_force |= in_force;
        if run.is_passed_checkpoint(ix) {
            above.checkpoint = true;
            self.checkpoint.get_or_insert(ix);
        }
        if !above.checkpoint && !above.in_force {
            return;
        }
        for need in &run.plan[ix].needs {
            let below = &mut self.above[need.index()];
            below.checkpoint |= above.checkpoint;
            below.in_force |= above.in_force;
        }
    }
}

impl Run {
    /// Which steps the rollback may undo, by place. What has begun to be undone always is.
    #[must_use]
    pub fn scope(&self) -> Vec<bool> {
        self.scope_of(self.rewind)
    }

    pub(super) fn scope_of(&self, rewind: Rewind) -> Vec<bool> {
        let (mut scope, mut walk) = (vec![false; self.steps.len()], Walk::of(self, rewind));
        for ix in self.plan.back() {
            scope[ix.index()] = walk.may_undo(self, ix);
            walk.pass(self, ix, false);
        }
        scope
    }

    /// Which steps a rollback that begins by itself would come to, by place: none, once a point of no return was passed.
    pub(super) fn reach(&self) -> Vec<bool> {
        if self.barrier().is_some() {
            return vec![false; self.steps.len()];
        }
        self.scope_of(Rewind::Safe)
    }

    /// A step, and all that stands on it.
    fn standing_on(&self, step: StepIx) -> Vec<bool> {
        let mut stands = vec![false; self.steps.len()];
        if let Some(first) = stands.get_mut(step.index()) {
            *first = true;
        }
        for ix in self.plan.places() {
            stands[ix.index()] |= self.plan[ix].needs.iter().any(|need| stands[need.index()]);
        }
        stands
    }

    pub(super) fn is_stood_on(&self, ix: StepIx) -> bool {
        let above = self.standing_on(ix);
        let in_force = |later: &StepIx| {
            *later != ix && !self.plan.is_finally(*later) && above[later.index()] && !self[*later].settled()
        };
        self.plan.places().any(|later| in_force(&later))
    }

    fn is_passed_checkpoint(&self, ix: StepIx) -> bool {
        self[ix].phase == Phase::Done
            && self.plan[ix].kind == Kind::Checkpoint
            && !on(Mistake::CheckpointPassed)
    }

    /// It is on its way back, but what it began must end first: a migration is never interrupted.
    #[must_use]
    pub fn must_finish(&self, ix: StepIx) -> bool {
        self.mode == Mode::Rollback
            && matches!(self[ix].phase, Phase::Watching { .. })
            && self[ix].marked()
            && (self[ix].must_finish() || self.is_irreversible(ix))
    }

    /// Where the rollback rests: `None` while it can still undo something, or a call has yet to be answered.
    pub(super) fn rest(&self) -> Option<Rest> {
        let mut walk = Walk::of(self, self.rewind);
        let (mut stuck, mut out_of_reach) = (None, false);
        for ix in self.plan.back() {
            let step = &self[ix];
            let in_force = !step.settled();
            if step.marked() && step.is_open() {
                return None;
            }
            if in_force && !walk.may_undo(self, ix) {
                out_of_reach = true;
            } else if in_force && walk.is_free(ix) {
                match step.phase {
                    Phase::Stuck(_) => stuck = Some(ix),
                    _ => return None,
                }
            }
            walk.pass(self, ix, in_force);
        }
        if let Some(stuck) = stuck {
            return Some(Rest::Stuck(stuck));
        }
        let stops_at = match self.rewind {
            Rewind::To(step) => Some(PauseCause::Rewound(step)),
            Rewind::Safe => walk.checkpoint.map(PauseCause::Checkpoint),
            Rewind::All => None,
        };
        Some(stops_at.filter(|_| out_of_reach).map_or(Rest::Unwound, Rest::Held))
    }

    /// What only a person may go past: a rollback by itself does not begin.
    #[must_use]
    pub fn held_back(&self, now: Timestamp) -> Option<PauseCause> {
        let barrier = self.barrier().filter(|_| !on(Mistake::BarrierPassed)).map(PauseCause::Barrier);
        barrier.or_else(|| self.diverged(now).map(|(step, since)| PauseCause::Diverged { step, since }))
    }

    /// A point of no return that was, or may have been, passed.
    #[must_use]
    pub fn barrier(&self) -> Option<StepIx> {
        let in_force = |ix: &StepIx| !self.plan.is_finally(*ix) && !self[*ix].settled();
        self.plan.places().filter(in_force).find(|ix| self.is_irreversible(*ix))
    }

    /// A switch whose new side takes writes that a rollback by itself would leave behind, and since when.
    #[must_use]
    pub fn diverged(&self, now: Timestamp) -> Option<(StepIx, Timestamp)> {
        let scope = self.scope_of(Rewind::Safe);
        let diverges = |ix: &StepIx| {
            scope[ix.index()] && !self[*ix].settled() && self.plan[*ix].writes == Some(Writes::Diverge)
        };
        self.plan.places().filter(diverges).find_map(|ix| {
            let step = &self[ix];
            // A call of just now is undone before anybody writes much; one lost long ago is not.
            let lost_long_ago = step.phase == Phase::InDoubt && step.settles <= now;
            Some((ix, step.changed.or(step.called.filter(|_| lost_long_ago))?))
        })
    }

    /// From where a rollback stopped: what was undone, and what came after it, is done again.
    pub(super) fn go_forward_again(&mut self) {
        let (plan, scope) = (self.plan.clone(), self.scope());
        let undone = plan.places().filter(|ix| scope[ix.index()]);
        for ix in undone {
            self.step_mut(ix).into_iter().for_each(StepRun::redo);
        }
        (self.mode, self.cause, self.rewind) = (Mode::Forward, None, Rewind::Safe);
    }

    /// An ending that `finally` ran for was not the last: the run turns, or a rollback has more to undo.
    pub(super) fn not_over(&mut self, turns: bool) {
        let more = || self.mode == Mode::Rollback && !self.rest().is_some_and(|rest| rest.is_an_ending());
        if !turns && !more() {
            return;
        }
        let plan = self.plan.clone();
        for ix in plan.places().filter(|ix| plan.is_finally(*ix)) {
            self.step_mut(ix).into_iter().for_each(StepRun::run_again);
        }
    }
}
