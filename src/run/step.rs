//! One step of a run: where it is, what it recorded, and which facts may follow.

use super::event::{Receipt, StepEvent, Stuck};
use super::outcome::{Landed, Memo, Proposal};
use crate::plan::Timestamp;
use std::{sync::Arc, time::Duration};

/// Where a step is. Way forward first, then the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// For what it needs, for room in its group, or for the run to go on.
    Waiting,
    /// The action is asked what it would do.
    Planning,
    /// Somebody is asked for approval.
    Asking {
        /// Then the run pauses.
        until: Timestamp,
    },
    /// The next stage may be applied.
    Ready,
    /// The intent is recorded; the call has not been answered.
    Applying {
        /// When its answer counts as lost.
        by: Timestamp,
    },
    /// The answer was lost, or we were: the world is looked at before anything else.
    InDoubt,
    /// Nothing left to write; looked at until it has arrived.
    Watching {
        /// Not looked at before.
        from: Timestamp,
        /// Then it has failed.
        until: Timestamp,
    },
    /// Tried without success, and tried again then.
    Backoff {
        /// When.
        until: Timestamp,
    },
    /// Somebody else's change was found. Stays until an operator says what to do.
    Foreign,
    /// Nobody can tell how it stands. Stays until an operator says what to do.
    Blind,
    /// It did not arrive.
    Failed,
    /// A human said what became of it; the world is looked at.
    Settling {
        /// They say that it is in force.
        done: bool,
        /// Where it stopped.
        was: Stopped,
    },
    /// Its `when` says no.
    Skipped,
    /// It arrived.
    Done,
    /// The intent to undo is recorded; the call has not been answered.
    Undoing {
        /// When its answer counts as lost.
        by: Timestamp,
    },
    /// An undo is tried again then.
    UndoBackoff {
        /// When.
        until: Timestamp,
    },
    /// The undo was called; read back until the prior state is there and nobody comes to the other side any more.
    Restoring {
        /// Not looked at before.
        from: Timestamp,
        /// Then it has failed.
        until: Timestamp,
    },
    /// In force still, and not to be undone without a human.
    Stuck(Stuck),
    /// Nothing of it is left to undo.
    Undone(Receipt),
}

/// Where a step stopped and waits for a human.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stopped {
    /// It failed.
    Failed,
    /// Somebody else was there.
    Foreign,
    /// Nobody can tell.
    Blind,
    /// Its undo failed.
    Stuck(Stuck),
}

impl Stopped {
    /// The phase that waits for a human.
    #[must_use]
    pub fn phase(self) -> Phase {
        match self {
            Self::Failed => Phase::Failed,
            Self::Foreign => Phase::Foreign,
            Self::Blind => Phase::Blind,
            Self::Stuck(stuck) => Phase::Stuck(stuck),
        }
    }
}

/// What a step wrote down. `prior` is there from the plan to the end; the rest follows the writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// What it proposed.
    pub proposal: Proposal,
    /// The newest note of this stage.
    pub note: Option<Memo>,
    /// Stages that have arrived. The one being applied or watched is the next.
    pub reached: u32,
    /// What it may have left in the world.
    pub mark: Mark,
}

/// What a step may have left in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// Nothing: no intent was recorded, or what it announced is known not to have happened.
    None,
    /// A call was lost: looked at before anything else is done.
    InDoubt,
    /// Something, as far as is known.
    Made,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StepRun {
    /// Where it is.
    pub phase: Phase,
    /// Counts the step's facts. Names the work that is due, so a late answer to older work is told from a new one.
    pub turn: u32,
    /// Tries of this stage, or of the undo, that ended without success.
    pub tries: u32,
    /// Changes when a call was answered and is made again; with run, step and stage it makes the client token.
    pub round: u32,
    /// Until then a call whose answer was lost may still land: nothing seen before is believed to be all.
    pub settles: Timestamp,
    /// What it wrote down.
    pub record: Option<Record>,
    /// What later steps may read.
    pub out: Option<Memo>,
    /// Who has said yes.
    pub approved_by: Vec<Arc<str>>,
    /// When its change was carried out: since then the new side takes writes.
    pub changed: Option<Timestamp>,
}

impl StepRun {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Waiting,
            turn: 0,
            tries: 0,
            round: 0,
            settles: Timestamp::PAST,
            record: None,
            out: None,
            approved_by: Vec::new(),
            changed: None,
        }
    }

    /// What it may have left in the world.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.record.as_ref().map_or(Mark::None, |record| record.mark)
    }

    /// It may have left something.
    #[must_use]
    pub fn marked(&self) -> bool {
        self.mark() != Mark::None
    }

    /// A call of it was lost.
    #[must_use]
    pub fn in_doubt(&self) -> bool {
        self.mark() == Mark::InDoubt
    }

    /// The stage being applied or watched, from 1; 0 for a step that writes nothing.
    #[must_use]
    pub fn stage(&self) -> u32 {
        let next = |record: &Record| if record.proposal.stages == 0 { 0 } else { record.reached + 1 };
        self.record.as_ref().map_or(0, next)
    }

    /// It writes, so it is never tried again by planning anew once it did.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.proposal.stages > 0)
    }

    /// Once applied it is awaited before it is undone.
    #[must_use]
    pub fn must_finish(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.proposal.must_finish)
    }

    /// Only a human gets it on.
    #[must_use]
    pub fn stopped(&self) -> Option<Stopped> {
        match self.phase {
            Phase::Failed => Some(Stopped::Failed),
            Phase::Foreign => Some(Stopped::Foreign),
            Phase::Blind => Some(Stopped::Blind),
            Phase::Stuck(stuck) => Some(Stopped::Stuck(stuck)),
            _ => None,
        }
    }

    /// Nothing of this step is left that a rollback would have to undo.
    #[must_use]
    pub fn settled(&self) -> bool {
        !self.marked() || matches!(self.phase, Phase::Undone(_))
    }

    fn set_mark(&mut self, mark: Mark) -> Option<()> {
        self.record.as_mut()?.mark = mark;
        Some(())
    }

    /// The call just answered certainly did not land: what earlier stages left is still there.
    fn unmark(&mut self) -> Option<()> {
        let record = self.record.as_mut()?;
        record.mark = if record.reached == 0 { Mark::None } else { Mark::Made };
        Some(())
    }

    /// `None` if the fact cannot follow; the caller then drops the run. `grace`: how late a lost call may land.
    /// `allowance`: how long a stage may take, from which the moment of a change is known.
    pub(super) fn evolve(&mut self, event: &StepEvent, grace: Duration, allowance: Duration) -> Option<()> {
        use {Phase as P, StepEvent as E};
        let marked = self.marked();
        self.phase = match (event, self.phase) {
            (E::Started, P::Waiting | P::Backoff { .. }) if !marked => {
                self.record = None;
                P::Planning
            }
            (E::Skipped, P::Planning) => P::Skipped,
            (E::ApprovalAsked { until }, P::Waiting) => {
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
                P::Applying { by: *by }
            }
            (E::Applied { note, until }, P::Applying { .. } | P::InDoubt) if marked => {
                let record = self.record.as_mut()?;
                (record.mark, record.note) = (Mark::Made, note.clone().or(record.note.take()));
                self.changed.get_or_insert(before(*until, allowance));
                // It is known to have landed: nothing of it is under way any more.
                self.settles = Timestamp::PAST;
                P::Watching { from: Timestamp::PAST, until: *until }
            }
            (E::WasInDoubt { .. }, P::Applying { by }) => self.lose(by, grace)?,
            (E::WasInDoubt { .. }, P::Ready | P::Backoff { .. } | P::Failed | P::Foreign | P::Blind)
                if marked =>
            {
                self.set_mark(Mark::InDoubt)?;
                P::InDoubt
            }
            (E::NotLanded, P::InDoubt) => {
                self.unmark()?;
                self.tries += 1;
                P::Ready
            }
            (E::Noted { note, next }, P::Watching { until, .. }) => {
                self.record.as_mut()?.note = Some(note.clone());
                P::Watching { from: *next, until }
            }
            (E::Noted { note, next }, P::Restoring { until, .. }) => {
                self.record.as_mut()?.note = Some(note.clone());
                P::Restoring { from: *next, until }
            }
            (E::StageReached, P::Watching { .. }) => {
                let record = self.record.as_mut()?;
                (record.reached, record.note) = (record.reached + 1, None);
                self.tries = 0;
                P::Ready
            }
            (E::Succeeded { out }, P::Watching { .. } | P::Asking { .. } | P::Waiting) => {
                self.out.clone_from(out);
                P::Done
            }
            (E::RetryScheduled { at, .. }, P::Planning | P::Watching { .. }) => self.again(*at),
            (E::RetryScheduled { at, fault }, P::Applying { .. }) => {
                if fault.landed == Landed::No {
                    self.unmark()?;
                }
                self.again(*at)
            }
            (E::RetryScheduled { at, fault }, P::Undoing { by }) => {
                if fault.landed == Landed::Maybe {
                    self.settles = self.settles.max(by.after(grace));
                }
                (self.tries, self.round) = (self.tries + 1, self.round + 1);
                P::UndoBackoff { until: *at }
            }
            (E::RetryScheduled { at, .. }, P::Restoring { .. }) => {
                (self.tries, self.round) = (self.tries + 1, self.round + 1);
                P::UndoBackoff { until: *at }
            }
            // Refused because the world was not as recorded: then nothing there is ours.
            (E::FoundForeign { .. }, P::Applying { .. }) => {
                self.unmark()?;
                P::Foreign
            }
            (E::FoundForeign { .. }, P::Planning | P::InDoubt | P::Watching { .. } | P::Done) => {
                if marked {
                    self.set_mark(Mark::Made)?;
                }
                P::Foreign
            }
            (E::WentBlind { .. }, P::Planning | P::InDoubt | P::Watching { .. }) => P::Blind,
            (E::Failed { fault }, P::Applying { .. }) => {
                if fault.landed == Landed::No {
                    self.unmark()?;
                }
                P::Failed
            }
            (E::Failed { .. }, P::Planning | P::Ready | P::Watching { .. }) => P::Failed,
            _ => return self.evolve_back(event),
        };
        self.turn += 1;
        Some(())
    }

    /// Facts of the way back, and of humans who mend.
    fn evolve_back(&mut self, event: &StepEvent) -> Option<()> {
        use {Phase as P, StepEvent as E};
        let (marked, doubt) = (self.marked(), self.in_doubt());
        self.phase = match (event, self.phase) {
            (E::Undoing { by }, P::UndoBackoff { .. }) => P::Undoing { by: *by },
            (
                E::Undoing { by },
                P::Watching { .. }
                | P::Ready
                | P::Backoff { .. }
                | P::Failed
                | P::Done
                | P::Foreign
                | P::Blind,
            ) if marked && !doubt => {
                self.tries = 0;
                P::Undoing { by: *by }
            }
            (E::UndoCalled { note, until }, P::Undoing { .. }) => {
                self.record.as_mut()?.note.clone_from(note);
                P::Restoring { from: Timestamp::PAST, until: *until }
            }
            (E::Undone { receipt: Receipt::Restored }, P::Restoring { .. } | P::InDoubt) => {
                P::Undone(Receipt::Restored)
            }
            (E::Undone { receipt: Receipt::Restored }, _) => return None,
            (E::Undone { receipt }, phase) if marked && !in_flight(phase) => P::Undone(*receipt),
            (E::GotStuck { stuck, .. }, P::Undoing { .. } | P::Restoring { .. } | P::InDoubt) => {
                self.set_mark(Mark::Made)?;
                P::Stuck(*stuck)
            }
            (E::Settled { done: true }, P::Settling { was: Stopped::Stuck(_), .. }) => {
                P::Undone(Receipt::TakenOver)
            }
            (E::Settled { done: true }, P::Settling { .. }) => {
                if marked {
                    self.set_mark(Mark::Made)?;
                }
                P::Done
            }
            (E::Settled { done: false }, P::Settling { was: Stopped::Stuck(_), .. }) => {
                P::Undone(Receipt::Restored)
            }
            (E::Settled { done: false }, P::Settling { .. }) => {
                self.reset();
                return Some(());
            }
            (E::SettleRefused { .. }, P::Settling { was, .. }) => was.phase(),
            _ => return None,
        };
        self.turn += 1;
        Some(())
    }

    fn planned(&mut self, proposal: &Proposal, until: Timestamp) -> Phase {
        self.record = Some(Record { proposal: proposal.clone(), note: None, reached: 0, mark: Mark::None });
        if proposal.stages == 0 { Phase::Watching { from: Timestamp::PAST, until } } else { Phase::Ready }
    }

    fn again(&mut self, at: Timestamp) -> Phase {
        (self.tries, self.round) = (self.tries + 1, self.round + 1);
        Phase::Backoff { until: at }
    }

    /// The answer to a call of `apply` was lost.
    fn lose(&mut self, by: Timestamp, grace: Duration) -> Option<Phase> {
        self.set_mark(Mark::InDoubt)?;
        self.settles = self.settles.max(by.after(grace));
        Some(Phase::InDoubt)
    }

    /// The process that ran this died: what it had sent may have landed, and may land yet.
    pub(super) fn resume(&mut self, grace: Duration) -> Option<()> {
        self.phase = match self.phase {
            Phase::Applying { by } => self.lose(by, grace)?,
            // An undo looks before it writes, so it is safe to call again, once the lost call can land no more.
            Phase::Undoing { by } => {
                self.settles = self.settles.max(by.after(grace));
                Phase::UndoBackoff { until: self.settles }
            }
            _ => return Some(()),
        };
        self.turn += 1;
        Some(())
    }

    /// A human wants it tried again: looked at first if it may have left a mark, else planned anew.
    pub(super) fn retry(&mut self) {
        self.phase = match self.phase {
            Phase::Stuck(_) => Phase::UndoBackoff { until: Timestamp::PAST },
            _ if self.marked() => {
                let _ = self.set_mark(Mark::InDoubt);
                Phase::InDoubt
            }
            _ => Phase::Waiting,
        };
        (self.turn, self.tries, self.round) = (self.turn + 1, 0, self.round + 1);
    }

    /// A human wants the run to go on without it.
    pub(super) fn skip(&mut self) {
        self.phase = match self.phase {
            Phase::Stuck(_) => Phase::Undone(Receipt::TakenOver),
            _ => Phase::Done,
        };
        self.turn += 1;
    }

    /// A human says what became of it.
    pub(super) fn settle(&mut self, done: bool) -> Option<()> {
        self.phase = Phase::Settling { done, was: self.stopped()? };
        self.turn += 1;
        Some(())
    }

    /// It will be asked again.
    pub(super) fn ask_again(&mut self) {
        self.phase = Phase::Waiting;
        self.turn += 1;
    }

    /// It will run again, as if for the first time.
    pub(super) fn reset(&mut self) {
        *self = Self { turn: self.turn + 1, round: self.round + 1, settles: self.settles, ..Self::new() };
    }
}

fn in_flight(phase: Phase) -> bool {
    matches!(phase, Phase::Applying { .. } | Phase::Undoing { .. })
}

/// The moment that lies `span` before `moment`.
pub(super) fn before(moment: Timestamp, span: Duration) -> Timestamp {
    Timestamp(moment.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
}
