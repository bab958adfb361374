//! The pages for endings and pauses that need a human. Each is a file in `runbooks/`, is part of the binary, and is
//! printed by `explain`.

macro_rules! runbooks {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One page.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Runbook {
            $($(#[$doc])* $variant,)*
        }

        impl Runbook {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// `R-foreign`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The page, in Markdown.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => include_str!(concat!("../../runbooks/", $name, ".md")),)* }
            }
        }
    };
}

runbooks! {
    /// Failed, rolled back, verified.
    RolledBack = "R-rolled-back",
    /// Something was left in force.
    Incomplete = "R-incomplete",
    /// An undo failed for good.
    StuckFailed = "R-stuck-failed",
    /// An undo met somebody else's change.
    StuckDrifted = "R-stuck-drifted",
    /// Somebody else's change is in the way.
    Foreign = "R-foreign",
    /// Nobody can tell how a step stands.
    Blind = "R-blind",
    /// A step failed, and a person decides.
    StepFailed = "R-step-failed",
    /// A guard tripped, and a person decides.
    Guard = "R-guard",
    /// A rollback is about to begin.
    Announced = "R-announced",
    /// All is done, and the guards are kept for a while.
    Baking = "R-baking",
    /// A rollback met a point of no return.
    Barrier = "R-barrier",
    /// A rollback met a checkpoint.
    Checkpoint = "R-checkpoint",
    /// A rollback would leave data behind.
    Diverged = "R-diverged",
    /// The run takes too long.
    Deadline = "R-deadline",
    /// Nobody approved in time.
    ApprovalExpired = "R-approval-expired",
    /// Somebody said no.
    ApprovalRejected = "R-approval-rejected",
    /// Somebody paused it.
    Paused = "R-paused",
    /// The process ended before the run did.
    Interrupted = "R-interrupted",
    /// Another run holds what this one writes.
    LockHeld = "R-lock-held",
    /// Another process took the run over.
    LeaseLost = "R-lease-lost",
    /// The journal cannot be written.
    JournalFull = "R-journal-full",
    /// The journal does not hold together.
    JournalBroken = "R-journal-broken",
    /// The journal is from a newer version.
    JournalNewer = "R-journal-newer",
    /// The plan of a run is read by another version only.
    OtherVersion = "R-other-version",
    /// The world is not as the preview saw it.
    Stale = "R-stale-preview",
    /// The window is closed, or a freeze holds.
    Closed = "R-window-closed",
    /// A rehearsal found something.
    Rehearsal = "R-rehearsal",
    /// Credentials or permissions are missing.
    Credentials = "R-credentials",
    /// An alarm or a script wants a run to roll back.
    Trigger = "R-trigger",
    /// The sandbox of the run is gone.
    SandboxGone = "R-sandbox-gone",
    /// The tool itself is wrong.
    Bug = "R-bug",
}

impl Runbook {
    /// The page of a name; letter case does not matter.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|page| page.name().eq_ignore_ascii_case(name.trim()))
    }

    /// `runbooks/R-foreign.md`.
    #[must_use]
    pub fn path(self) -> String {
        format!("runbooks/{}.md", self.name())
    }
}
