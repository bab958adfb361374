//! Which facts may follow where a step is, and what each changes.
//!
//! Not here: which fact does follow (`decide`). A fact that cannot follow is a journal that is not ours.

use super::{Mark, Phase, Record, StepRun, Stopped};
use crate::mutant::{Mistake, on};
use crate::plan::Timestamp;
use crate::run::event::{Receipt, StepEvent};
use crate::run::outcome::{Fault, Landed, Memo, Proposal};
use std::time::Duration;

/// What the plan and the record say of a step: a fact states only its deadline.
#[derive(Clone, Copy, Debug)]
pub(in crate::run) struct Bounds {
    /// How late a lost call may land.
    pub(in crate::run) grace: Duration,
    /// How long a stage may take.
    pub(in crate::run) allowance: Duration,
    /// How long a call may take.
    pub(in crate::run) call: Duration,
    /// It is a point of no return.
    pub(in crate::run) irreversible: bool,
}

impl StepRun {
    /// `None` if the fact cannot follow; the caller then drops the run.
    pub(in crate::run) fn evolve(&mut self, event: &StepEvent, bounds: Bounds) -> Option<()> {
        let phase = match self.forward(event, bounds) {
            Some(phase) => phase,
            None => self.backward(event, bounds).or_else(|| self.by_hand(event))?,
        };
        (self.phase, self.turn) = (phase, self.turn + 1);
        self.begin_again();
        Some(())
    }

    /// Facts of the way forward.
    fn forward(&mut self, event: &StepEvent, bounds: Bounds) -> Option<Phase> {
        use {Phase as P, StepEvent as E};
        Some(match (event, self.phase) {
            (E::Started, P::Waiting) => P::Planning,
            (E::Started, P::Backoff { .. }) if !self.is_change() => {
                self.record = None;
                P::Planning
            }
            (E::Skipped, P::Planning) => P::Skipped,
            (E::ApprovalAsked { until }, P::Waiting | P::Planning) => {
                self.approved_by.clear();
                P::Asking { until: *until }
            }
            (E::Approved { by }, P::Asking { until }) if !self.approved_by.contains(by) => {
                self.approved_by.push(by.clone());
                P::Asking { until }
            }
            (E::Planned { proposal, until }, P::Planning) => self.planned(proposal, *until),
            (E::Applying { stage, by }, P::Ready | P::Backoff { .. }) if *stage == self.stage() => {
                self.set_mark(Mark::Made)?;
                self.called = Some(before(*by, bounds.call));
                P::Applying { by: *by }
            }
            (E::Applied { note, until }, P::Applying { .. } | P::InDoubt | P::Settling { .. }) => {
                self.applied(note.as_ref(), *until, bounds.allowance)?
            }
            (E::WasInDoubt { .. }, P::Applying { by }) => self.lose(by, bounds.grace)?,
            (E::NotLanded, P::InDoubt) => {
                self.unmark()?;
                (self.tries, self.mended) = (self.tries + 1, false);
                P::Ready
            }
            (E::Noted { note, next }, P::Watching { until, .. }) => {
                self.record.as_mut()?.note = Some(note.clone());
                P::Watching { from: *next, until }
            }
            (E::StageReached, P::Watching { .. }) => {
                let record = self.record.as_mut()?;
                (record.reached, record.note) = (record.reached + 1, None);
                self.tries = 0;
                P::Ready
            }
            (E::Succeeded { out }, P::Watching { .. } | P::Asking { .. } | P::Waiting | P::Planning) => {
                self.out.clone_from(out);
                P::Done
            }
            (E::RetryScheduled { at, fault }, P::Planning | P::Watching { .. } | P::Applying { .. }) => {
                self.refused(fault, bounds)?;
                (self.tries, self.round) = (self.tries + 1, self.round + 1);
                P::Backoff { until: *at }
            }
            (E::FoundForeign { .. }, phase) => self.foreign(phase)?,
            (
                E::WentBlind { fault },
                P::Planning | P::Ready | P::Watching { .. } | P::InDoubt | P::Applying { .. },
            ) => {
                self.refused(fault, bounds)?;
                P::Blind
            }
            (E::Failed { fault }, P::Planning | P::Watching { .. } | P::InDoubt | P::Applying { .. }) => {
                self.refused(fault, bounds)?;
                P::Failed
            }
            _ => return None,
        })
    }

    /// Facts of the way back.
    fn backward(&mut self, event: &StepEvent, bounds: Bounds) -> Option<Phase> {
        use {Phase as P, StepEvent as E};
        let marked = self.marked();
        Some(match (event, self.phase) {
            (
                E::WasInDoubt { .. },
                P::Watching { .. }
                | P::Ready
                | P::Backoff { .. }
                | P::Failed
                | P::Foreign
                | P::Blind
                | P::Skipped
                | P::Done,
            ) if marked => {
                self.set_mark(Mark::InDoubt)?;
                (self.mended, self.turned) = (false, true);
                P::InDoubt
            }
            (E::Undoing { by }, P::UndoBackoff { .. }) => self.undoing(*by)?,
            (
                E::Undoing { by },
                P::Watching { .. }
                | P::Ready
                | P::Backoff { .. }
                | P::Failed
                | P::Done
                | P::Skipped
                | P::Foreign
                | P::Blind,
            ) if self.mark() == Mark::Made => {
                self.tries = 0;
                self.undoing(*by)?
            }
            (E::UndoCalled { note, until }, P::Undoing { .. }) => {
                self.record.as_mut()?.note.clone_from(note);
                P::Restoring { from: Timestamp::PAST, until: *until }
            }
            (E::Noted { note, next }, P::Restoring { until, .. }) => {
                self.record.as_mut()?.note = Some(note.clone());
                P::Restoring { from: *next, until }
            }
            (E::RetryScheduled { at, fault }, P::Undoing { by }) => {
                if fault.landed == Landed::Maybe {
                    self.settles = self.settles.max(by.after(bounds.grace));
                }
                self.undo_again(*at)
            }
            (E::RetryScheduled { at, .. }, P::Restoring { .. } | P::InDoubt) if marked => {
                self.undo_again(*at)
            }
            (
                E::Undone { receipt: Receipt::Restored },
                P::Restoring { .. } | P::InDoubt | P::Settling { .. },
            ) => P::Undone(Receipt::Restored),
            (E::Undone { receipt: Receipt::Assumed }, P::Restoring { .. }) => P::Undone(Receipt::Assumed),
            (E::Undone { receipt: Receipt::Restored | Receipt::Assumed }, _) => return None,
            (E::Undone { receipt }, phase)
                if marked && !matches!(phase, P::Applying { .. } | P::Undoing { .. }) =>
            {
                P::Undone(*receipt)
            }
            (E::GotStuck { stuck, .. }, P::Undoing { .. } | P::Restoring { .. } | P::InDoubt) => {
                self.set_mark(Mark::Made)?;
                P::Stuck(*stuck)
            }
            _ => return None,
        })
    }

    /// What came of a human's word.
    fn by_hand(&mut self, event: &StepEvent) -> Option<Phase> {
        let Phase::Settling { was, .. } = self.phase else { return None };
        Some(match (event, was) {
            // In force, and left so; or gone, but nobody has read it.
            (StepEvent::Settled { .. }, Stopped::Stuck(_)) => Phase::Undone(Receipt::TakenOver),
            (StepEvent::Settled { done: true }, _) => {
                self.set_mark(Mark::Made)?;
                Phase::Done
            }
            (StepEvent::Settled { done: false }, _) => {
                self.reset();
                Phase::Waiting
            }
            (StepEvent::SettleRefused { .. }, was) => was.phase(),
            _ => return None,
        })
    }

    fn planned(&mut self, proposal: &Proposal, until: Timestamp) -> Phase {
        self.record = Some(Record { proposal: proposal.clone(), note: None, reached: 0, mark: Mark::None });
        if proposal.stages == 0 { Phase::Watching { from: Timestamp::PAST, until } } else { Phase::Ready }
    }

    fn applied(&mut self, note: Option<&Memo>, until: Timestamp, allowance: Duration) -> Option<Phase> {
        let record = self.record.as_mut()?;
        record.mark = Mark::Made;
        if let Some(note) = note {
            record.note = Some(note.clone());
        }
        self.changed.get_or_insert(before(until, allowance));
        // It is known to have landed: nothing of it is under way any more.
        (self.settles, self.mended) = (Timestamp::PAST, false);
        Some(Phase::Watching { from: Timestamp::PAST, until })
    }

    /// Nothing there is ours where a call was refused for it; else what was made, or may have been, still counts.
    fn foreign(&mut self, phase: Phase) -> Option<Phase> {
        match phase {
            Phase::Applying { .. } => self.unmark()?,
            Phase::Planning | Phase::InDoubt | Phase::Watching { .. } | Phase::Done => {}
            _ => return None,
        }
        Some(Phase::Foreign)
    }

    /// A point of no return whose call was refused was not passed. Everything else is undone all the same: the undo
    /// looks before it writes, and a call may be one of several.
    fn refused(&mut self, fault: &Fault, bounds: Bounds) -> Option<()> {
        let calling = matches!(self.phase, Phase::Applying { .. });
        if calling && bounds.irreversible && fault.landed == Landed::No { self.unmark() } else { Some(()) }
    }

    fn undoing(&mut self, by: Timestamp) -> Option<Phase> {
        self.set_mark(Mark::Made)?;
        self.turned = true;
        Some(Phase::Undoing { by })
    }

    fn undo_again(&mut self, at: Timestamp) -> Phase {
        (self.tries, self.round, self.turned) = (self.tries + 1, self.round + 1, true);
        Phase::UndoBackoff { until: at.max(self.settles) }
    }

    fn set_mark(&mut self, mark: Mark) -> Option<()> {
        self.record.as_mut()?.mark = mark;
        Some(())
    }

    /// The call certainly did not land: what earlier stages left is still there.
    fn unmark(&mut self) -> Option<()> {
        let record = self.record.as_mut()?;
        record.mark = if record.reached == 0 { Mark::None } else { Mark::Made };
        Some(())
    }

    /// The answer to a call of `apply` was lost.
    fn lose(&mut self, by: Timestamp, grace: Duration) -> Option<Phase> {
        self.set_mark(Mark::InDoubt)?;
        let settles = if on(Mistake::GraceIgnored) { Timestamp::PAST } else { by.after(grace) };
        self.settles = self.settles.max(settles);
        Some(Phase::InDoubt)
    }

    /// The process that ran this died: what it had sent may have landed, and may land yet.
    pub(in crate::run) fn resume(&mut self, grace: Duration) -> Option<()> {
        self.phase = match self.phase {
            Phase::Applying { .. } if on(Mistake::ResumeForgets) => {
                self.unmark()?;
                Phase::Ready
            }
            Phase::Applying { by } => self.lose(by, grace)?,
            // An undo looks before it writes, so it is safe to call again, once the lost call can land no more.
            Phase::Undoing { by } => {
                self.settles = self.settles.max(by.after(grace));
                Phase::UndoBackoff { until: self.settles }
            }
            _ => return None,
        };
        self.turn += 1;
        Some(())
    }

    /// A human wants it tried again. What it recorded is never replaced: a change is looked at, all else is planned
    /// anew.
    pub(in crate::run) fn retry(&mut self) {
        self.phase = match self.phase {
            Phase::Stuck(_) => Phase::UndoBackoff { until: self.settles },
            _ if self.is_change() => {
                if self.marked() {
                    let _ = self.set_mark(Mark::InDoubt);
                }
                self.mended = true;
                Phase::InDoubt
            }
            _ => return self.reset(),
        };
        (self.turn, self.tries, self.round) = (self.turn + 1, 0, self.round + 1);
    }

    /// A human wants the run to go on without it. What it left is undone if the run turns back.
    pub(in crate::run) fn skip(&mut self) {
        self.phase = match self.phase {
            Phase::Stuck(_) => Phase::Undone(Receipt::TakenOver),
            _ => Phase::Skipped,
        };
        (self.turn, self.mended) = (self.turn + 1, false);
    }

    /// A human says what became of it.
    pub(in crate::run) fn settle(&mut self, done: bool) -> Option<()> {
        self.phase = Phase::Settling { done, was: self.stopped()? };
        self.turn += 1;
        Some(())
    }

    /// It will run again, as if for the first time.
    pub(in crate::run) fn reset(&mut self) {
        *self = Self { turn: self.turn + 1, round: self.round + 1, settles: self.settles, ..Self::new() };
    }

    /// The run goes forward again: what was undone is done again, what was left is looked at.
    pub(in crate::run) fn redo(&mut self) {
        match self.phase {
            Phase::Undone(Receipt::Left | Receipt::TakenOver) => {
                (self.phase, self.mended, self.turned, self.tries) = (Phase::InDoubt, true, false, 0);
                let _ = self.set_mark(Mark::InDoubt);
                (self.turn, self.round) = (self.turn + 1, self.round + 1);
            }
            _ => self.reset(),
        }
    }

    /// Of `finally`: the ending it ran for was not the last. A call under way ends first.
    pub(in crate::run) fn run_again(&mut self) {
        self.again = self.phase != Phase::Waiting;
        self.begin_again();
    }

    fn begin_again(&mut self) {
        if self.again && !matches!(self.phase, Phase::Applying { .. } | Phase::InDoubt) {
            self.reset();
        }
    }
}

/// The moment that lies `span` before `moment`.
pub(in crate::run) fn before(moment: Timestamp, span: Duration) -> Timestamp {
    Timestamp(moment.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
}
