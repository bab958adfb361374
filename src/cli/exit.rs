//! Exit codes: all of them, here and nowhere else. They never change their meaning.

use crate::run::{Ending, Run, ending};

macro_rules! exits {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal,)*) => {
        /// How the process ends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Exit {
            $($(#[doc = $doc])+ $variant = $code,)*
        }

        impl Exit {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// What it means, in one line.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc,)+),)* }
            }
        }
    };
}

exits! {
    /// done
    Done = 0,
    /// a bug in switchover itself
    Bug = 1,
    /// changes are pending (only with `--detailed-exitcode`)
    Pending = 2,
    /// the plan is invalid
    Invalid = 3,
    /// credentials or permissions are missing
    Credentials = 4,
    /// a gate failed, or the window is closed; nothing was changed
    Gate = 5,
    /// failed; rolled back and verified
    RolledBack = 10,
    /// the rollback is incomplete; a human is needed
    Incomplete = 11,
    /// aborted by an operator; rolled back and verified
    Aborted = 12,
    /// stopped; resumable
    Stopped = 13,
    /// locked by another run
    Locked = 14,
    /// the preview or approval is stale
    Stale = 15,
    /// wrong usage
    Usage = 64,
    /// what it says cannot be written to standard output
    Unwritten = 74,
    /// interrupted (Ctrl-C); resumable
    Interrupted = 130,
    /// interrupted (SIGTERM); resumable
    Terminated = 143,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// How a run, as its facts tell it, ends the process that drove it.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        match ending(run) {
            Ending::Done => Self::Done,
            Ending::NothingChanged => Self::Gate,
            Ending::RolledBack => Self::RolledBack,
            Ending::Aborted => Self::Aborted,
            Ending::NeedsHuman => Self::Incomplete,
            Ending::LockedOut => Self::Locked,
            Ending::Resumable => Self::Stopped,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_for_ever() {
        let all: Vec<String> =
            Exit::ALL.iter().map(|exit| format!("{} {}", exit.code(), exit.meaning().trim())).collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        0 done
        1 a bug in switchover itself
        2 changes are pending (only with `--detailed-exitcode`)
        3 the plan is invalid
        4 credentials or permissions are missing
        5 a gate failed, or the window is closed; nothing was changed
        10 failed; rolled back and verified
        11 the rollback is incomplete; a human is needed
        12 aborted by an operator; rolled back and verified
        13 stopped; resumable
        14 locked by another run
        15 the preview or approval is stale
        64 wrong usage
        74 what it says cannot be written to standard output
        130 interrupted (Ctrl-C); resumable
        143 interrupted (SIGTERM); resumable
        ");
    }
}
