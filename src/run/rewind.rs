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

impl Run {
    /// Which steps the rollback may undo, by place. What has begun to be undone always is.
    #[must_use]
    pub fn scope(&self) -> Vec<bool> {
        self.scope_of(self.rewind)
    }

    pub(super) fn scope_of(&self, rewind: Rewind) -> Vec<bool> {
        let mut scope = match rewind {
            Rewind::All => vec![true; self.steps.len()],
            Rewind::To(step) => self.standing_on(step),
            Rewind::Safe => {
                let mut kept = vec![false; self.steps.len()];
                for ix in self.plan.places().rev() {
                    if kept[ix.index()] || self.is_passed_checkpoint(ix) {
                        self.plan[ix].needs.iter().for_each(|need| kept[need.index()] = true);
                    }
                }
                kept.into_iter().map(|kept| !kept).collect()
            }
        };
        for ix in self.plan.places() {
            scope[ix.index()] = !self.plan.is_finally(ix) && (scope[ix.index()] || self[ix].goes_back());
        }
        scope
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
        self.plan[ix].kind == Kind::Checkpoint
            && self[ix].phase == Phase::Done
            && !on(Mistake::CheckpointPassed)
    }

    /// The steps whose turn to be undone has come: all that was built on them is settled. Last first.
    #[must_use]
    pub fn frontier(&self) -> Vec<StepIx> {
        let mut frontier = Vec::new();
        let scope = self.scope();
        self.unwinding(|ix, turn| {
            if turn && scope[ix.index()] && !self[ix].settled() {
                frontier.push(ix);
            }
            self[ix].settled()
        });
        frontier
    }

    /// Walks back. `visit` is told whether nothing that stands on a step is left, and says whether nothing of the step
    /// itself is.
    pub(super) fn unwinding(&self, mut visit: impl FnMut(StepIx, bool) -> bool) {
        let mut blocked = vec![false; self.steps.len()];
        for ix in self.plan.places().rev().filter(|ix| !self.plan.is_finally(*ix)) {
            let held = blocked[ix.index()];
            if !visit(ix, !held) || held {
                self.plan[ix].needs.iter().for_each(|need| blocked[need.index()] = true);
            }
        }
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
        if self.plan.places().any(|ix| !self.plan.is_finally(ix) && self[ix].is_open() && self[ix].marked()) {
            return None;
        }
        let frontier = self.frontier();
        if let Some(last) = frontier.last() {
            let stuck = frontier.iter().all(|ix| matches!(self[*ix].phase, Phase::Stuck(_)));
            return stuck.then_some(Rest::Stuck(*last));
        }
        Some(self.stops_at().map_or(Rest::Unwound, Rest::Held))
    }

    /// The checkpoint, or the step of `--to`, at which the rollback ends although something before it is in force.
    fn stops_at(&self) -> Option<PauseCause> {
        let scope = self.scope();
        let in_force = |ix: &StepIx| !scope[ix.index()] && !self[*ix].settled() && !self.plan.is_finally(*ix);
        self.plan.places().find(in_force)?;
        match self.rewind {
            Rewind::To(step) => Some(PauseCause::Rewound(step)),
            Rewind::Safe => {
                let last = self.plan.places().rev().find(|ix| self.is_passed_checkpoint(*ix));
                last.map(PauseCause::Checkpoint)
            }
            Rewind::All => None,
        }
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
