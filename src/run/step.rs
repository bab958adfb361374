//! One step of a run: where it is and what it recorded. Which facts may follow is in `facts`.

mod facts;

pub(super) use facts::{Bounds, before};

use super::event::{Receipt, Stuck};
use super::outcome::{Memo, Proposal};
use crate::mutant::{Mistake, on};
use crate::plan::Timestamp;
use std::sync::Arc;

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
    /// Its `when` says no, or an operator does.
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
    /// When its newest call was announced.
    pub called: Option<Timestamp>,
    /// When its change was carried out: since then the new side takes writes.
    pub changed: Option<Timestamp>,
    /// A human mended it, and it is looked at: what a look cannot make sense of is asked, not undone.
    pub mended: bool,
    /// It failed and is undone alone, while the run goes on.
    pub turned: bool,
    /// Of `finally`: it ran for an ending that was not the last, and runs again.
    pub again: bool,
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
            called: None,
            changed: None,
            mended: false,
            turned: false,
            again: false,
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

    /// It writes, so what it recorded first is what its undo restores: it is not planned anew.
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
        let swallowed = matches!(self.phase, Phase::Stuck(_)) && on(Mistake::StuckSwallowed);
        !self.marked() || matches!(self.phase, Phase::Undone(_)) || swallowed
    }

    /// Its undo has begun and has not ended.
    #[must_use]
    pub fn goes_back(&self) -> bool {
        matches!(
            self.phase,
            Phase::Undoing { .. } | Phase::UndoBackoff { .. } | Phase::Restoring { .. } | Phase::Stuck(_)
        )
    }

    /// A call of it was announced, and not answered.
    #[must_use]
    pub fn call_is_under_way(&self) -> bool {
        matches!(self.phase, Phase::Applying { .. } | Phase::Undoing { .. })
    }

    /// What a call did, or what a human says it did, is not known yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Applying { .. } | Phase::InDoubt | Phase::Settling { .. })
    }
}
