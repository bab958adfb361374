//! What the facts so far entail: time that has passed, steps whose turn has come, the end.

use super::Draft;
use crate::plan::{Kind, OnFailure, Part, Reversibility, StepIx};
use crate::run::event::{Cause, Event, PauseCause, Receipt, Rewind, StepEvent, Verdict};
use crate::run::outcome::Fault;
use crate::run::state::Mode;
use crate::run::step::{Phase, Stopped};

impl Draft<'_> {
    pub(super) fn settle(&mut self) {
        loop {
            let before = self.events.len();
            match self.run.mode {
                Mode::Forward => self.forward(),
                Mode::Rollback => self.backward(),
                Mode::Idle | Mode::Finished(_) => {}
            }
            if self.events.len() == before {
                return;
            }
        }
    }

    fn forward(&mut self) {
        if self.run.deadline <= self.now {
            self.pause(PauseCause::Deadline);
        }
        for ix in self.run.plan.clone().places() {
            self.advance(ix);
            if self.run.mode != Mode::Forward {
                return;
            }
        }
        if self.run.all_passed(Part::Main) && self.run.all_passed(Part::Finally) {
            self.push(Event::RunFinished { verdict: Verdict::Completed });
        }
    }

    fn backward(&mut self) {
        for ix in self.run.frontier() {
            self.unwind(ix);
        }
        let plan = self.run.plan.clone();
        for ix in plan.places() {
            if plan.is_finally(ix) || self.run.must_finish(ix) {
                self.advance(ix);
            }
        }
        if self.run.paused.is_some() || !self.run.has_unwound() || self.in_flight() {
            return;
        }
        let stuck =
            plan.places().find(|ix| matches!(self.run[*ix].phase, Phase::Stuck(_)) && !plan.is_finally(*ix));
        if let Some(ix) = stuck {
            if self.run.all_passed(Part::Finally) {
                self.pause(PauseCause::Stuck(ix));
            }
        } else if let Some(ix) = self.run.stops_at() {
            self.pause(PauseCause::Checkpoint(ix));
        } else if self.run.all_passed(Part::Finally) {
            self.push(Event::RunFinished { verdict: self.verdict() });
        }
    }

    /// A call, or a look that decides something, has yet to be answered.
    fn in_flight(&self) -> bool {
        let flies = |phase| matches!(phase, Phase::Applying { .. } | Phase::InDoubt | Phase::Settling { .. });
        self.run.plan.places().any(|ix| !self.run.plan.is_finally(ix) && flies(self.run[ix].phase))
    }

    fn verdict(&self) -> Verdict {
        let taken_over = |phase| phase == Phase::Undone(Receipt::TakenOver);
        if self.run.steps.iter().any(|step| taken_over(step.phase)) {
            Verdict::Incomplete
        } else {
            Verdict::RolledBack
        }
    }

    /// One step on its way forward: at most one fact.
    fn advance(&mut self, ix: StepIx) {
        let (run, now) = (&self.run, self.now);
        let (step, paused) = (&run[ix], run.paused.is_some());
        let event = match step.phase {
            Phase::Waiting if step.settles <= now && run.may_begin(ix) => match &run.plan[ix].kind {
                Kind::Act(_) => StepEvent::Started,
                Kind::Approve(approval) => StepEvent::ApprovalAsked { until: now.after(approval.expires) },
                Kind::Join | Kind::Checkpoint => StepEvent::Succeeded { out: None },
            },
            Phase::Ready if step.tries >= run.plan[ix].retry.attempts.max(3) => {
                StepEvent::Failed { fault: Fault::permanent("every try was lost before it arrived") }
            }
            Phase::Ready if !paused => self.applying(ix),
            Phase::Backoff { until } if until <= now && !paused && step.is_change() => self.applying(ix),
            Phase::Backoff { until } if until <= now && !paused => StepEvent::Started,
            Phase::Asking { until } if until <= now => {
                return self.pause(PauseCause::Expired(ix));
            }
            _ => return self.stopped(ix),
        };
        self.step(ix, event);
    }

    fn applying(&self, ix: StepIx) -> StepEvent {
        StepEvent::Applying { stage: self.run[ix].stage(), by: self.now.after(self.run.call(ix)) }
    }

    /// A step that cannot go on: the plan says what the run does.
    fn stopped(&mut self, ix: StepIx) {
        if self.run.plan.is_finally(ix) || self.run.mode != Mode::Forward {
            return;
        }
        let tolerated = self.run.plan[ix].on_failure == OnFailure::Continue;
        let unwinding = matches!(self.run[ix].phase, Phase::UndoBackoff { .. });
        let Some(stopped) = self.run[ix].stopped() else {
            if tolerated && unwinding {
                self.unwind(ix);
            }
            return;
        };
        match (stopped, self.run.plan[ix].on_failure) {
            (Stopped::Failed, OnFailure::Continue) => self.unwind(ix),
            (Stopped::Failed, OnFailure::Rollback) => self.turn_back(Cause::Failed(ix), Rewind::Safe),
            (Stopped::Failed, OnFailure::Pause) => self.pause(PauseCause::Failed(ix)),
            (Stopped::Foreign, _) => self.pause(PauseCause::Foreign(ix)),
            (Stopped::Blind, _) => self.pause(PauseCause::Blind(ix)),
            (Stopped::Stuck(_), _) => self.pause(PauseCause::Stuck(ix)),
        }
    }

    /// One step on its way back: at most one fact.
    fn unwind(&mut self, ix: StepIx) {
        let (run, now) = (&self.run, self.now);
        let step = &run[ix];
        if step.settled() || run.paused.is_some() || run.must_finish(ix) {
            return;
        }
        // A lost call may still land: undone before that, it would be in force afterwards.
        if step.settles > now && !step.in_doubt() {
            return;
        }
        let in_doubt = step.in_doubt();
        let event = match step.phase {
            Phase::Applying { .. }
            | Phase::Undoing { .. }
            | Phase::Restoring { .. }
            | Phase::InDoubt
            | Phase::Settling { .. }
            | Phase::Stuck(_) => return,
            Phase::UndoBackoff { until } if until > now => return,
            // What may or may not have happened is looked at before it is undone.
            _ if in_doubt => {
                StepEvent::WasInDoubt { reason: "it was in doubt when the run turned back".into() }
            }
            _ if run.is_left(ix) => StepEvent::Undone { receipt: Receipt::Left },
            _ if run.plan[ix].reversibility == Reversibility::Irreversible => {
                StepEvent::Undone { receipt: Receipt::TakenOver }
            }
            _ => StepEvent::Undoing { by: now.after(run.call(ix)) },
        };
        self.step(ix, event);
    }
}
