//! Ctrl-C and its kin.

use super::{Exit, Failure};
use crate::mutant::{Mistake, on};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears the signals that ask a process to stop.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    heard: bool,
}

impl Signals {
    /// From now on these do not end the process by themselves.
    pub(super) fn listen() -> Result<Self, Failure> {
        let hear = |kind| {
            signal(kind)
                .map_err(|error| Failure::new(Exit::Bug, "signals cannot be heard").from_error(&error))
        };
        let interrupt = hear(SignalKind::interrupt())?;
        let terminate = hear(SignalKind::terminate())?;
        let hang_up =
            if on(Mistake::HangUpKills) { SignalKind::user_defined1() } else { SignalKind::hangup() };
        Ok(Self { interrupt, terminate, hang_up: hear(hang_up)?, heard: false })
    }

    /// Waits for the next one; says how the process ends by it. A terminal that closes is heard only if it is the first:
    /// the kernel tells us of it, and the shell once more, and nobody means by it that we should hurry.
    pub(super) async fn next(&mut self) -> Exit {
        let exit = tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = self.hang_up.recv(), if !self.heard || on(Mistake::HangUpHurries) => Exit::Terminated,
        };
        self.heard = true;
        exit
    }

    /// Does what may be broken off at any moment; a signal does that.
    pub(super) async fn unless_asked<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            done = work => done,
            exit = self.next(), if !on(Mistake::DeafAtFirst) => Err(Failure::new(exit, "interrupted before anything was done")),
        }
    }
}
