//! What the answer to a piece of work means.

use super::Draft;
use crate::plan::{Retry, StepIx};
use crate::run::event::{Receipt, StepEvent, Stuck};
use crate::run::outcome::{Answer, Fault, FaultKind, Landed, Look, Memo, Proposal};
use crate::run::step::{Phase, Stopped};

impl Draft<'_> {
    pub(super) fn answered(&mut self, ix: StepIx, answer: &Answer) {
        use {Answer as A, Phase as P};
        let wanted = self.run.goes_forward(ix) || self.run.must_finish(ix);
        match (self.run[ix].phase, answer) {
            (P::Planning, A::Planned(result)) if wanted => self.planned(ix, result),
            (P::Applying { .. }, A::Applied(result)) => self.apply_answered(ix, result, wanted),
            (P::Watching { .. }, A::Looked(result)) if wanted => self.watched(ix, result),
            (P::InDoubt, A::Looked(result)) => self.doubt_looked(ix, result, wanted),
            (P::Settling { done, was }, A::Looked(result)) => self.settle_looked(ix, done, was, result),
            // What was done is looked at now and then: only that it no longer holds is news.
            (P::Done, A::Looked(Err(fault))) if fault.is_foreign() => {
                self.step(ix, StepEvent::FoundForeign { fault: fault.clone() });
            }
            (P::Done, A::Looked(Ok(Look::Prior))) => {
                let fault = Fault::foreign("it was put back by somebody else");
                self.step(ix, StepEvent::FoundForeign { fault });
            }
            (P::Undoing { .. }, A::Undone(Ok(note))) => {
                let until = self.now.after(self.run.allowance_back(ix));
                self.step(ix, StepEvent::UndoCalled { note: note.clone(), until });
            }
            (P::Undoing { .. }, A::Undone(Err(fault))) => self.undo_fault(ix, fault),
            (P::Restoring { .. }, A::Looked(result)) => self.restoring(ix, result),
            _ => {}
        }
    }

    fn planned(&mut self, ix: StepIx, result: &Result<Option<Proposal>, Fault>) {
        match result {
            Ok(None) => self.step(ix, StepEvent::Skipped),
            Ok(Some(proposal)) => {
                let until = self.now.after(self.run.plan[ix].timeout.unwrap_or(proposal.within));
                self.step(ix, StepEvent::Planned { proposal: proposal.clone(), until });
            }
            Err(fault) => self.fault(ix, fault, fault.kind == FaultKind::Transient),
        }
    }

    fn apply_answered(&mut self, ix: StepIx, result: &Result<Option<Memo>, Fault>, wanted: bool) {
        match result {
            Ok(note) => self.applied(ix, note.clone()),
            // Lost. What failed for good and may have left something is not in doubt: it is undone.
            Err(fault) if fault.landed == Landed::Maybe && fault.kind != FaultKind::Permanent => {
                self.step(ix, StepEvent::WasInDoubt { reason: fault.message.clone() });
            }
            Err(fault) if fault.kind == FaultKind::Blind => {
                self.step(ix, StepEvent::Failed { fault: fault.clone() });
            }
            Err(fault) => self.fault(ix, fault, wanted && fault.kind == FaultKind::Transient),
        }
    }

    fn applied(&mut self, ix: StepIx, note: Option<Memo>) {
        let until = self.now.after(self.run.allowance(ix));
        self.step(ix, StepEvent::Applied { note, until });
    }

    fn watched(&mut self, ix: StepIx, result: &Result<Look, Fault>) {
        let step = &self.run[ix];
        let more = step.record.as_ref().is_some_and(|r| r.reached + 1 < r.proposal.stages);
        match result {
            Ok(Look::Desired { .. }) if more => self.step(ix, StepEvent::StageReached),
            Ok(Look::Desired { out }) => self.step(ix, StepEvent::Succeeded { out: Some(out.clone()) }),
            Ok(Look::Moving { note, again }) => self.noted(ix, note.as_ref(), *again),
            Ok(Look::Prior) => {
                let fault = Fault::permanent("the world is as it was before this step: somebody put it back");
                self.fault(ix, &fault, false);
            }
            // What writes nothing may be tried again, whatever went wrong.
            Err(fault) => self.fault(ix, fault, !step.is_change()),
        }
    }

    fn noted(&mut self, ix: StepIx, note: Option<&Memo>, again: std::time::Duration) {
        if let Some(note) = note {
            let next = self.now.after(again);
            self.step(ix, StepEvent::Noted { note: note.clone(), next });
        }
    }

    /// The world was looked at because nobody knew whether a call had been carried out.
    fn doubt_looked(&mut self, ix: StepIx, result: &Result<Look, Fault>, wanted: bool) {
        match result {
            Ok(Look::Desired { .. }) => self.applied(ix, None),
            Ok(Look::Moving { note, .. }) => self.applied(ix, note.clone()),
            // Of a later stage the ones before it are there still.
            Ok(Look::Prior) if wanted || self.run[ix].stage() > 1 => self.step(ix, StepEvent::NotLanded),
            Ok(Look::Prior) => self.step(ix, StepEvent::Undone { receipt: Receipt::Restored }),
            Err(fault) if !wanted => {
                let stuck = if fault.is_foreign() { Stuck::Drifted } else { Stuck::Failed };
                self.stuck(ix, stuck, fault);
            }
            Err(fault) if fault.is_foreign() => {
                self.step(ix, StepEvent::FoundForeign { fault: fault.clone() })
            }
            Err(fault) => self.step(ix, StepEvent::WentBlind { fault: fault.clone() }),
        }
    }

    /// A human said what became of a step: the world contradicts where it can.
    fn settle_looked(&mut self, ix: StepIx, done: bool, was: Stopped, result: &Result<Look, Fault>) {
        let back = matches!(was, Stopped::Stuck(_));
        let contradiction = match (result, done) {
            (Ok(Look::Prior), true) => Some("the prior state is in place"),
            (Ok(Look::Desired { .. }), false) => Some("what the step made is in place"),
            // Looking back, still under way is still in force.
            (Ok(Look::Moving { .. }), false) if !back => Some("what the step made is under way"),
            _ => None,
        };
        match contradiction {
            Some(reason) => self.step(ix, StepEvent::SettleRefused { reason: reason.into() }),
            None => self.step(ix, StepEvent::Settled { done }),
        }
    }

    fn restoring(&mut self, ix: StepIx, result: &Result<Look, Fault>) {
        match result {
            Ok(Look::Prior) => self.step(ix, StepEvent::Undone { receipt: Receipt::Restored }),
            Ok(Look::Desired { .. }) => {
                self.undo_fault(ix, &Fault::transient("the undo was carried out, and changed nothing"));
            }
            Ok(Look::Moving { note, again }) => self.noted(ix, note.as_ref(), *again),
            Err(fault) if fault.is_foreign() => self.stuck(ix, Stuck::Drifted, fault),
            Err(fault) => self.stuck(ix, Stuck::Failed, fault),
        }
    }

    pub(super) fn fault(&mut self, ix: StepIx, fault: &Fault, again: bool) {
        let (fault, retry) = (fault.clone(), self.run.plan[ix].retry);
        let event = match fault.kind {
            FaultKind::Foreign => StepEvent::FoundForeign { fault },
            FaultKind::Blind => StepEvent::WentBlind { fault },
            _ if again && self.may_try_again(ix, retry) => {
                StepEvent::RetryScheduled { at: self.now.after(retry.backoff(self.run[ix].tries + 1)), fault }
            }
            _ => StepEvent::Failed { fault },
        };
        self.step(ix, event);
    }

    /// Everything but somebody else's change is worth another try on the way back.
    fn undo_fault(&mut self, ix: StepIx, fault: &Fault) {
        let retry = self.run.plan.policy.undo;
        if fault.is_foreign() {
            self.stuck(ix, Stuck::Drifted, fault);
        } else if self.may_try_again(ix, retry) {
            let at = self.now.after(retry.backoff(self.run[ix].tries + 1));
            self.step(ix, StepEvent::RetryScheduled { at, fault: fault.clone() });
        } else {
            self.stuck(ix, Stuck::Failed, fault);
        }
    }

    fn may_try_again(&self, ix: StepIx, retry: Retry) -> bool {
        self.run[ix].tries + 1 < retry.attempts
    }

    fn stuck(&mut self, ix: StepIx, stuck: Stuck, fault: &Fault) {
        self.step(ix, StepEvent::GotStuck { stuck, reason: fault.message.clone() });
    }
}
