//! What the answer to a piece of work means.

use super::Draft;
use crate::mutant::{Mistake, on};
use crate::plan::{Kind, Retry, StepIx};
use crate::run::event::{Receipt, StepEvent, Stuck};
use crate::run::outcome::{Answer, Fault, FaultKind, Landed, Look, Memo, Proposal};
use crate::run::state::Mode;
use crate::run::step::{Phase, Stopped};
use std::time::Duration;

impl Draft<'_> {
    pub(super) fn answered(&mut self, ix: StepIx, answer: &Answer) {
        use {Answer as A, Phase as P};
        let forward = self.run.goes_forward(ix);
        let watched = forward || self.run.must_finish(ix);
        match (self.run[ix].phase, answer) {
            (P::Planning, A::Planned(result)) if forward => self.planned(ix, result),
            (P::Applying { .. }, A::Applied(result)) => self.apply_answered(ix, result, forward),
            (P::Watching { .. }, A::Looked(result)) if watched => self.watched(ix, result),
            (P::InDoubt, A::Looked(result)) => self.doubt_looked(ix, result),
            (P::Settling { done, was }, A::Looked(result)) => self.settle_looked(ix, done, was, result),
            (P::Done, A::Looked(result)) if forward => self.still_holds(ix, result),
            (P::Undoing { .. }, A::Undone(Ok(note))) => {
                let until = self.now.after(self.run.allowance_back(ix));
                self.step(ix, StepEvent::UndoCalled { note: note.clone(), until });
                if on(Mistake::NothingReadBack) {
                    self.step(ix, StepEvent::Undone { receipt: Receipt::Restored });
                }
            }
            (P::Undoing { .. }, A::Undone(Err(fault))) => self.undo_fault(ix, fault),
            (P::Restoring { .. }, A::Looked(result)) => self.restoring(ix, result),
            _ => {}
        }
    }

    fn planned(&mut self, ix: StepIx, result: &Result<Option<Proposal>, Fault>) {
        let event = match (result, &self.run.plan[ix].kind) {
            (Ok(None), _) => StepEvent::Skipped,
            (Ok(Some(proposal)), Kind::Act(_)) => {
                let until = self.now.after(self.run.plan[ix].timeout.unwrap_or(proposal.within));
                StepEvent::Planned { proposal: proposal.clone(), until }
            }
            // It was asked only whether its `when` holds.
            (Ok(Some(_)), _) => self.first(ix),
            (Err(fault), _) => return self.fault(ix, fault, fault.kind == FaultKind::Transient),
        };
        self.step(ix, event);
    }

    fn apply_answered(&mut self, ix: StepIx, result: &Result<Option<Memo>, Fault>, forward: bool) {
        match result {
            Ok(note) => self.applied(ix, note.clone()),
            Err(fault) if fault.landed == Landed::Maybe && on(Mistake::LostIsRepeated) => {
                let at = self.now;
                self.step(ix, StepEvent::RetryScheduled { at, fault: fault.clone() });
            }
            // Lost. What failed for good and may have left something is not in doubt: it is undone.
            Err(fault) if fault.landed == Landed::Maybe && fault.kind != FaultKind::Permanent => {
                self.step(ix, StepEvent::WasInDoubt { reason: fault.message.clone() });
            }
            Err(fault) if fault.kind == FaultKind::Transient && !(forward && self.may_try_again(ix)) => {
                self.step(ix, StepEvent::Failed { fault: fault.clone() });
            }
            Err(fault) => self.fault(ix, fault, forward && fault.kind == FaultKind::Transient),
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
            Ok(Look::Prior) => self.fault(ix, &put_back(), false),
            Ok(Look::Assumed) => {}
            // What writes nothing may be tried again, whatever went wrong.
            Err(fault) => self.fault(ix, fault, !step.is_change() && self.run.mode == Mode::Forward),
        }
    }

    /// What was done is looked at now and then: only that it no longer holds is news.
    fn still_holds(&mut self, ix: StepIx, result: &Result<Look, Fault>) {
        match result {
            Ok(Look::Prior) => self.step(ix, StepEvent::FoundForeign { fault: put_back() }),
            Err(fault) if fault.is_foreign() => {
                self.step(ix, StepEvent::FoundForeign { fault: fault.clone() });
            }
            _ => {}
        }
    }

    fn noted(&mut self, ix: StepIx, note: Option<&Memo>, again: Duration) {
        if let Some(note) = note {
            let next = self.now.after(again);
            self.step(ix, StepEvent::Noted { note: note.clone(), next });
        }
    }

    /// The world was looked at because nobody knew whether a call had been carried out.
    fn doubt_looked(&mut self, ix: StepIx, result: &Result<Look, Fault>) {
        let (run, mended) = (&self.run, self.run[ix].mended);
        let back = run[ix].turned || (run.mode == Mode::Rollback && run.scope()[ix.index()]);
        match result {
            Ok(_) if on(Mistake::DoubtIsNotLanded) => self.step(ix, StepEvent::NotLanded),
            Ok(Look::Desired { .. }) => self.applied(ix, None),
            Ok(Look::Moving { note, .. }) => self.applied(ix, note.clone()),
            // It may land yet.
            Ok(Look::Prior) if run[ix].settles > self.now => {}
            // Of a later stage the ones before it are there still.
            Ok(Look::Prior) if back && run[ix].stage() == 1 && run[ix].marked() => {
                self.step(ix, StepEvent::Undone { receipt: Receipt::Restored });
            }
            Ok(Look::Prior) => self.step(ix, StepEvent::NotLanded),
            Ok(Look::Assumed) => {}
            Err(fault) if back && fault.is_foreign() => self.stuck(ix, Stuck::Drifted, fault),
            Err(fault) if back && run[ix].marked() => self.undo_blindly(ix, fault),
            Err(fault) if fault.is_foreign() => self.fault(ix, fault, false),
            // It says that it failed, so it landed.
            Err(fault) if fault.kind == FaultKind::Permanent || mended => {
                self.step(ix, StepEvent::Failed { fault: fault.clone() });
            }
            Err(fault) => self.step(ix, StepEvent::WentBlind { fault: fault.clone() }),
        }
    }

    /// A human said what became of a step: the world contradicts where it can.
    fn settle_looked(&mut self, ix: StepIx, done: bool, was: Stopped, result: &Result<Look, Fault>) {
        let back = matches!(was, Stopped::Stuck(_));
        let refused = |reason: &str| StepEvent::SettleRefused { reason: reason.into() };
        let event = match (result, done) {
            (Ok(Look::Prior), true) => refused("the prior state is in place"),
            (Ok(Look::Prior), false) if back => StepEvent::Undone { receipt: Receipt::Restored },
            (Ok(Look::Desired { .. }), false) => refused("what the step made is in place"),
            (Ok(Look::Moving { .. }), false) if back => refused("it is not back yet"),
            (Ok(Look::Moving { .. }), false) => refused("what the step made is under way"),
            (Ok(Look::Moving { note, .. }), true) if !back => return self.applied(ix, note.clone()),
            (Err(fault), true) if fault.is_foreign() && !back => refused(&fault.message),
            // The world agrees, or cannot tell.
            _ => StepEvent::Settled { done },
        };
        self.step(ix, event);
    }

    fn restoring(&mut self, ix: StepIx, result: &Result<Look, Fault>) {
        match result {
            Ok(Look::Prior) => self.step(ix, StepEvent::Undone { receipt: Receipt::Restored }),
            Ok(Look::Assumed) => self.step(ix, StepEvent::Undone { receipt: Receipt::Assumed }),
            Ok(Look::Desired { .. }) => {
                self.undo_fault(ix, &Fault::transient("the undo was carried out, and changed nothing"));
            }
            Ok(Look::Moving { note, again }) => self.noted(ix, note.as_ref(), *again),
            Err(fault) => self.undo_fault(ix, fault),
        }
    }

    /// Silence is no failure: what may pass, and did not, leaves nobody able to tell.
    fn fault(&mut self, ix: StepIx, fault: &Fault, again: bool) {
        let fault = fault.clone();
        let event = match fault.kind {
            FaultKind::Foreign => StepEvent::FoundForeign { fault },
            FaultKind::Blind => StepEvent::WentBlind { fault },
            _ if again && self.may_try_again(ix) => {
                let retry = self.run.plan[ix].retry;
                StepEvent::RetryScheduled { at: self.now.after(retry.backoff(self.run[ix].tries + 1)), fault }
            }
            FaultKind::Transient => StepEvent::WentBlind { fault },
            FaultKind::Permanent => StepEvent::Failed { fault },
        };
        self.step(ix, event);
    }

    /// Everything but somebody else's change is worth another try on the way back.
    fn undo_fault(&mut self, ix: StepIx, fault: &Fault) {
        let (retry, tries) = (self.run.plan.policy.undo, self.run[ix].tries + 1);
        if fault.is_foreign() {
            self.stuck(ix, Stuck::Drifted, fault);
        } else if tries < retry.attempts {
            let at = self.now.after(retry.backoff(tries));
            self.step(ix, StepEvent::RetryScheduled { at, fault: fault.clone() });
        } else {
            self.stuck(ix, Stuck::Failed, fault);
        }
    }

    fn may_try_again(&self, ix: StepIx) -> bool {
        let Retry { attempts, .. } = self.run.plan[ix].retry;
        self.run[ix].tries + 1 < attempts
    }

    pub(super) fn stuck(&mut self, ix: StepIx, stuck: Stuck, fault: &Fault) {
        self.step(ix, StepEvent::GotStuck { stuck, reason: fault.message.clone() });
    }
}

fn put_back() -> Fault {
    Fault::foreign("the world is as it was before this step: somebody put it back")
}
