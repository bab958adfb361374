//! How a run stands for whoever called it: what the exit code and the last line say.

use super::event::{Cause, PauseCause, Verdict};
use super::state::{Mode, Run};
use super::{Work, due};

/// Each is one exit code of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// All steps are done; guards may be kept for a while yet.
    Done,
    /// It failed before anything was written.
    NothingChanged,
    /// By a failure, a guard or a trigger; every receipt says RESTORED, UNDONE or LEFT.
    RolledBack,
    /// The same, by an operator's order.
    Aborted,
    /// Something is in force that should not be, or a step of `finally` failed: only a human gets it on.
    NeedsHuman,
    /// Another run holds the lock in the world, and this one has changed nothing.
    LockedOut,
    /// On its way, paused, or waiting for approval; `resume` goes on.
    Resumable,
}

/// How the run stands.
#[must_use]
pub fn ending(run: &Run) -> Ending {
    let by_person = matches!(&run.cause, Some(Cause::Order { by, .. }) if !by.automatic);
    match run.mode {
        Mode::Finished(Verdict::Incomplete) => Ending::NeedsHuman,
        Mode::Finished(_) if run.finally_failed() => Ending::NeedsHuman,
        Mode::Finished(Verdict::Completed) => Ending::Done,
        Mode::Finished(Verdict::RolledBack) if by_person => Ending::Aborted,
        Mode::Finished(Verdict::RolledBack) if !run.wrote => Ending::NothingChanged,
        Mode::Finished(Verdict::RolledBack) => Ending::RolledBack,
        Mode::Rollback | Mode::Idle | Mode::Forward => match run.paused {
            // A rollback was called for, and did not get to its end.
            Some(
                PauseCause::Stuck(_)
                | PauseCause::Barrier(_)
                | PauseCause::Diverged { .. }
                | PauseCause::Checkpoint(_),
            ) => Ending::NeedsHuman,
            Some(PauseCause::Foreign(ix)) if run.plan.is_lock(ix) && !run.wrote => Ending::LockedOut,
            None if run.bakes_until().is_some() && !run.is_held() => Ending::Done,
            _ => Ending::Resumable,
        },
    }
}

impl Run {
    /// Nothing more happens without a human: the process that drives it may end.
    #[must_use]
    pub fn rests(&self) -> bool {
        match self.mode {
            Mode::Finished(_) => true,
            Mode::Idle => false,
            Mode::Forward | Mode::Rollback => {
                let waits = |work| matches!(work, Work::Hold(_) | Work::Guard(_) | Work::Wake);
                self.paused.is_some()
                    && self.turns_at().is_none()
                    && due(self).iter().all(|due| waits(due.work))
            }
        }
    }
}
