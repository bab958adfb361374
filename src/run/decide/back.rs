//! The way back: what is undone when, and where a rollback ends.

use super::Draft;
use crate::mutant::{Mistake, on};
use crate::plan::{Part, StepIx};
use crate::run::event::{Event, PauseCause, Receipt, StepEvent, Stuck, Verdict};
use crate::run::outcome::Fault;
use crate::run::rewind::{Rest, Walk};
use crate::run::room::Room;
use crate::run::step::Phase;

impl Draft<'_> {
    pub(super) fn backward(&mut self) {
        let before = self.events.len();
        let (plan, mut walk) = (self.run.plan.clone(), Walk::of(&self.run, self.run.rewind));
        for ix in plan.back() {
            if walk.is_free(ix) && walk.may_undo(&self.run, ix) {
                self.unwind(ix);
            }
            // Nothing is taken away that something in force stands on.
            let stuck = matches!(self.run[ix].phase, Phase::Stuck(_)) && on(Mistake::StuckHoldsNothing);
            let holds = !self.run[ix].settled() && !stuck && !on(Mistake::UndoUnordered);
            walk.pass(&self.run, ix, holds);
        }
        if plan.steps.last().is_some_and(|last| last.part == Part::Finally) {
            let mut room = Room::of(&self.run);
            plan.places().filter(|ix| plan.is_finally(*ix)).for_each(|ix| self.advance(ix, &mut room));
        }
        // Where it rests shows once nothing more follows.
        if self.events.len() == before {
            self.rest();
        }
    }

    fn rest(&mut self) {
        if self.run.paused.is_some() {
            return;
        }
        match self.run.rest() {
            None => {}
            Some(Rest::Held(cause)) => self.push(Event::RunPaused { cause }),
            Some(_) if !self.run.all_passed(Part::Finally) => {}
            Some(Rest::Stuck(ix)) => {
                self.push(Event::RunPaused { cause: PauseCause::Stuck(ix) });
            }
            Some(Rest::Unwound) => self.push(Event::RunFinished { verdict: self.verdict() }),
        }
    }

    fn verdict(&self) -> Verdict {
        let taken_over = |phase| phase == Phase::Undone(Receipt::TakenOver);
        if self.run.steps.iter().any(|step| taken_over(step.phase)) {
            Verdict::Incomplete
        } else {
            Verdict::RolledBack
        }
    }

    /// One step on its way back: at most one fact.
    pub(super) fn unwind(&mut self, ix: StepIx) {
        let (run, now) = (&self.run, self.now);
        let step = &run[ix];
        if step.settled() || run.paused.is_some() || run.must_finish(ix) {
            return;
        }
        let event = match step.phase {
            Phase::Undoing { .. } | Phase::Restoring { .. } | Phase::Stuck(_) => return,
            Phase::InDoubt if on(Mistake::DoubtIsNotUndone) => StepEvent::Undone { receipt: Receipt::Left },
            _ if step.is_open() => return,
            Phase::UndoBackoff { until } if until > now => return,
            Phase::UndoBackoff { .. } => self.undoing(ix),
            // Undone before it landed, it would be in force afterwards.
            Phase::Failed if on(Mistake::FailedIsNotUndone) => StepEvent::Undone { receipt: Receipt::Left },
            _ if step.in_doubt() || step.settles > now => {
                StepEvent::WasInDoubt { reason: "the run turned back before it was known what it did".into() }
            }
            _ => self.undoing(ix),
        };
        self.step(ix, event);
    }

    fn undoing(&self, ix: StepIx) -> StepEvent {
        let run = &self.run;
        if run.is_irreversible(ix) {
            return StepEvent::Undone { receipt: Receipt::TakenOver };
        }
        if run.is_left(ix) {
            return StepEvent::Undone { receipt: Receipt::Left };
        }
        StepEvent::Undoing { by: self.now.after(run.call_back(ix)) }
    }

    /// What a lost call did cannot be seen: once it can land no more, it is undone all the same, for an undo looks
    /// before it writes. What must finish first is a human's to look at.
    pub(super) fn undo_blindly(&mut self, ix: StepIx, fault: &Fault) {
        if self.run[ix].must_finish() {
            return self.stuck(ix, Stuck::Failed, fault);
        }
        let at = self.run[ix].settles.max(self.now);
        self.step(ix, StepEvent::RetryScheduled { at, fault: fault.clone() });
    }
}
