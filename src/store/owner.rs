//! Which process holds a run, and whether it still lives: asked on the same machine, where a lease need not run out.

use serde::{Deserialize, Serialize};
use std::{fmt, fs, sync::OnceLock};

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The machine's name.
    pub host: String,
    /// Its process id.
    pub pid: u32,
    /// Tells this process from any other that ever had its id: boot, namespace and start. Empty where that is not
    /// known.
    pub birth: String,
}

impl fmt::Display for Owner {
    /// `host/pid`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.pid)
    }
}

impl Owner {
    /// This process.
    #[must_use]
    pub fn this_process() -> Self {
        // A listing asks of each run, and it does not change.
        static THIS: OnceLock<Owner> = OnceLock::new();
        THIS.get_or_init(|| Self::of(std::process::id())).clone()
    }

    /// A process of this machine.
    pub(super) fn of(pid: u32) -> Self {
        let host = first_line("/proc/sys/kernel/hostname")
            .or_else(|| first_line("/etc/hostname"))
            .unwrap_or_else(|| "localhost".into());
        let birth = match (kernel(), started(pid)) {
            (Some(kernel), Some((start, _))) => format!("{kernel} {start}"),
            _ => String::new(),
        };
        Self { host, pid, birth }
    }

    /// It is known to be gone. If not, it lives, or cannot be seen from here: another machine, another container, or
    /// another boot of a machine with this name. Its lease runs out then.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        let here = Self::this_process();
        if self.host != here.host {
            return false;
        }
        let (Some((their_kernel, their_start)), Some((our_kernel, _))) =
            (self.birth.rsplit_once(' '), here.birth.rsplit_once(' '))
        else {
            let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
            let nobody = |error| error == rustix::io::Errno::SRCH;
            return pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_err_and(nobody));
        };
        their_kernel == our_kernel
            && started(self.pid).is_none_or(|(start, state)| {
                // A zombie is dead, whoever has not buried it yet.
                start.to_string() != their_start || matches!(state, 'Z' | 'X')
            })
    }
}

/// `boot namespace`, where the system tells.
fn kernel() -> Option<String> {
    let boot = first_line("/proc/sys/kernel/random/boot_id")?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{boot} {}", namespace.display()))
}

/// When a process started, in ticks since boot, and its state; `None` if there is none.
fn started(pid: u32) -> Option<(u64, char)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, and ends at the last parenthesis.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((fields.nth(18)?.parse().ok()?, state))
}

fn first_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().next().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned)
}
