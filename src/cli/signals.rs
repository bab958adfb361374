//! Ctrl-C and its kin.

use super::{Exit, Failure};
use crate::mutant::{Mistake, on};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears the signals that ask a process to stop.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None`: whoever started us wants none of it (`nohup`).
    hang_up: Option<Signal>,
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
        let ignored = ignores_hang_ups() && !on(Mistake::NohupOverridden);
        let hang_up = if ignored { None } else { Some(hear(hang_up)?) };
        Ok(Self { interrupt, terminate, hang_up, heard: false })
    }

    /// Waits for the next one; says how the process ends by it. A terminal that closes is heard only if it is the first:
    /// the kernel tells us of it, and the shell once more, and nobody means by it that we should hurry.
    pub(super) async fn next(&mut self) -> Exit {
        let exit = tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            () = heard(self.hang_up.as_mut()), if !self.heard || on(Mistake::HangUpHurries) => Exit::Terminated,
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

async fn heard(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// We were started with SIGHUP ignored, and have not said otherwise yet. Where there is no `/proc` nobody can tell.
fn ignores_hang_ups() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // One bit a signal, the first of them SIGHUP.
    mask.is_some_and(|mask| mask & 1 == 1)
}
