//! Faults on purpose: a rehearsed crash is the only one that proves anything. Honoured only in the sandbox.

use super::Seq;
use rustix::process::{Signal, getpid, kill_process};
use std::time::Duration;

/// Where this process dies, as by kill -9, or falls silent until it is woken. Taken only for runs in a sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Dies before the append that would write this event.
    pub kill_before_append: Option<Seq>,
    /// Dies after the append that wrote this event, before anything follows from it.
    pub kill_after_append: Option<Seq>,
    /// Is stopped, as by SIGSTOP, before the append that would write this event.
    pub stop_before_append: Option<Seq>,
    /// Is stopped after the append that wrote this event, before anything follows from it.
    pub stop_after_append: Option<Seq>,
}

impl Faults {
    /// Reads `kill-before-append=N`, `kill-after-append=N`, `stop-before-append=N` and `stop-after-append=N`, separated
    /// by commas.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let number = |value: &str| {
                value.parse().map(|n| Some(Seq(n))).map_err(|_| format!("`{value}` is not a number"))
            };
            match part.split_once('=') {
                Some(("kill-before-append", n)) => faults.kill_before_append = number(n)?,
                Some(("kill-after-append", n)) => faults.kill_after_append = number(n)?,
                Some(("stop-before-append", n)) => faults.stop_before_append = number(n)?,
                Some(("stop-after-append", n)) => faults.stop_after_append = number(n)?,
                _ => {
                    return Err(format!(
                        "`{part}` is not a fault; there are kill-before-append=N, kill-after-append=N, \
                         stop-before-append=N and stop-after-append=N"
                    ));
                }
            }
        }
        Ok(faults)
    }

    /// What happens before these events are appended.
    pub(super) fn before(self, first: Seq, last: Seq) {
        if within(self.kill_before_append, first, last) {
            die();
        }
        if within(self.stop_before_append, first, last) {
            stop();
        }
    }

    /// What happens once they are.
    pub(super) fn after(self, first: Seq, last: Seq) {
        if within(self.kill_after_append, first, last) {
            die();
        }
        if within(self.stop_after_append, first, last) {
            stop();
        }
    }
}

fn within(point: Option<Seq>, first: Seq, last: Seq) -> bool {
    point.is_some_and(|point| first <= point && point <= last)
}

fn signal(signal: Signal) {
    let _ = kill_process(getpid(), signal);
}

fn stop() {
    signal(Signal::STOP);
    // It may reach another thread first; this one is here when it stops too.
    std::thread::sleep(Duration::from_millis(100));
}

fn die() -> ! {
    signal(Signal::KILL);
    // The signal is on its way; nothing may follow.
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_at_the_append_that_writes_its_event() {
        let strikes = |event| within(Some(Seq(event)), Seq(3), Seq(5));
        assert_eq!([2, 3, 5, 6].map(strikes), [false, true, true, false]);
    }
}
