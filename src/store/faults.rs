//! Faults on purpose: a rehearsed crash is the only one that proves anything. Honoured only in the sandbox.

use super::Seq;

/// Where this process dies, as by kill -9. Taken only for runs in a sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Before the append that would write this event.
    pub kill_before_append: Option<Seq>,
    /// After the append that wrote this event, before anything follows from it.
    pub kill_after_append: Option<Seq>,
}

impl Faults {
    /// Reads `kill-before-append=N` and `kill-after-append=N`, separated by commas.
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
                _ => {
                    return Err(format!(
                        "`{part}` is not a fault; there are kill-before-append=N and kill-after-append=N"
                    ));
                }
            }
        }
        Ok(faults)
    }

    /// Dies here if `point` is among the events `first..=last`.
    pub(super) fn kill_if(point: Option<Seq>, first: Seq, last: Seq) {
        if point.is_some_and(|point| first <= point && point <= last) {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            // The signal is on its way; nothing may follow.
            loop {
                std::thread::park();
            }
        }
    }
}
