//! A command and all that it started and did not put elsewhere: its process group.

use super::super::SystemClock;
use crate::plan::Timestamp;
use crate::port::{Clock, StopSignal};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, test_kill_process_group, waitpgid};
use std::time::Duration;

/// How often it is asked whether a group is gone.
const GLANCE: Duration = Duration::from_millis(20);
/// How long what was killed has to vanish.
const KILLED: Duration = Duration::from_secs(5);

/// A process group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group(Pid);

impl Group {
    /// The group that this process leads.
    pub(super) fn of(leader: i32) -> Option<Self> {
        Pid::from_raw(leader).map(Self)
    }

    /// To all of it.
    pub(super) fn send(self, signal: StopSignal) {
        // It may have ended by itself.
        let _ = kill_process_group(self.0, number(signal));
    }

    /// Waits until nothing of it is left, and kills what is left then. Its leader has been waited for.
    pub(super) async fn end_by(self, last: Timestamp) {
        if self.is_left_at(last).await {
            self.send(StopSignal::Kill);
            self.is_left_at(SystemClock::wall().now().after(KILLED)).await;
        }
    }

    async fn is_left_at(self, moment: Timestamp) -> bool {
        let clock = SystemClock::wall();
        while self.is_alive() {
            if clock.now() >= moment {
                return true;
            }
            clock.sleep_until(clock.now().after(GLANCE)).await;
        }
        false
    }

    fn is_alive(self) -> bool {
        // Orphans come to a supervisor, and would stand as corpses in the group.
        while matches!(waitpgid(self.0, WaitOptions::NOHANG), Ok(Some(_))) {}
        test_kill_process_group(self.0).is_ok()
    }
}

fn number(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Hup => Signal::HUP,
        StopSignal::Int => Signal::INT,
        StopSignal::Kill => Signal::KILL,
        StopSignal::Quit => Signal::QUIT,
        StopSignal::Term => Signal::TERM,
        StopSignal::Usr1 => Signal::USR1,
        StopSignal::Usr2 => Signal::USR2,
    }
}
