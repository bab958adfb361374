//! What can go wrong with a store, and what to do about it.

use super::{Holder, RunId, Seq};
use crate::plan::Timestamp;
use std::path::PathBuf;

/// Why the store did not do what it was asked. A run never goes on without its journal.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no state directory, and nothing may be created.
    #[error("there is no state in {}", .path.display())]
    Absent {
        /// Which.
        path: PathBuf,
    },
    /// The directory, or a file in it, may not be written.
    #[error("the state directory {} cannot be written: {reason}", .path.display())]
    ReadOnly {
        /// Which.
        path: PathBuf,
        /// In the system's words.
        reason: String,
    },
    /// Nothing of it was written.
    #[error("there is no room left for the journal in {}: {reason}", .path.display())]
    Full {
        /// Which.
        path: PathBuf,
        /// In the system's words.
        reason: String,
    },
    /// The disk does not do what it is told to, and is not full.
    #[error("the disk that holds {} fails: {reason}", .path.display())]
    Failing {
        /// Which.
        path: PathBuf,
        /// In the system's words.
        reason: String,
    },
    /// What is written now is found by nobody: the run must stop.
    #[error("the state in {} was removed, moved or replaced while it was in use", .path.display())]
    Vanished {
        /// Which.
        path: PathBuf,
    },
    /// The database is not one, or its pages are damaged.
    #[error("the state file {} is damaged: {reason}", .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// In the database's words.
        reason: String,
    },
    /// The chain of hashes, or an event in it, does not hold.
    #[error("the journal of run {run} is damaged at event {seq}: {reason}")]
    Broken {
        /// Whose.
        run: RunId,
        /// The first event that cannot be believed.
        seq: Seq,
        /// What does not hold.
        reason: String,
    },
    /// Written by a later version, in a format that this one does not know.
    #[error("{what} was written by a newer switchover (format {found}; this one knows {known} and older)")]
    Newer {
        /// The state file, or a run.
        what: String,
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// A run is to be taken in that is here.
    #[error("run {0} is here already")]
    Exists(RunId),
    /// A run is to be taken in that is not over.
    #[error("run {0} is not over, and may be resumed where it was exported")]
    Unfinished(RunId),
    /// A run is to be removed that is needed yet.
    #[error("run {0} is kept: it is not over")]
    Needed(RunId),
    /// No run has this id, or begins with it.
    #[error("there is no run `{0}`")]
    NoSuchRun(String),
    /// There are none at all.
    #[error("there are no runs yet")]
    NoRuns,
    /// Several runs begin with it.
    #[error("`{prefix}` may be any of {}", .runs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// What it may be.
        runs: Vec<RunId>,
    },
    /// Another process runs it.
    #[error("run {run} is under way in {holder}")]
    Held {
        /// Which.
        run: RunId,
        /// Where.
        holder: Holder,
    },
    /// Another run writes the same thing.
    #[error("{resource} is locked by run {run}, under way in {holder}")]
    Locked {
        /// What both write.
        resource: String,
        /// The other run.
        run: RunId,
        /// Where it is under way.
        holder: Holder,
    },
    /// Another run wrote the same thing, and keeps its guards for a while.
    #[error("{resource} is locked by run {run}: it is done, and bakes until {until}")]
    Baking {
        /// What both write.
        resource: String,
        /// The other run.
        run: RunId,
        /// In the other run's time.
        until: Timestamp,
    },
    /// Another process took the run over: nothing was written, and nothing may be done any more.
    #[error("run {run} was taken over by {by}")]
    Fenced {
        /// Which.
        run: RunId,
        /// By whom.
        by: String,
    },
    /// The journal is not as long as the writer believes. Nothing was written.
    #[error("the journal of run {run} holds {found} events, not {expected}")]
    Conflict {
        /// Whose.
        run: RunId,
        /// As the writer believes.
        expected: Seq,
        /// As it is.
        found: Seq,
    },
    /// Whether it was written is not known: read again before anything else.
    #[error("whether the journal of run {run} was written is not known: {reason}")]
    Unknown {
        /// Whose.
        run: RunId,
        /// In the database's words.
        reason: String,
    },
    /// Another process keeps the database to itself.
    #[error("the state file {} is busy: another process has kept it for too long", .path.display())]
    Busy {
        /// Which.
        path: PathBuf,
    },
    /// Anything else.
    #[error("the state file {}: {reason}", .path.display())]
    Failed {
        /// Which.
        path: PathBuf,
        /// In the database's words.
        reason: String,
    },
}

impl StoreError {
    /// What to do now.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Absent { .. } => {
                "start a run first, or name the directory with --state-dir or SWITCHOVER_STATE_DIR".into()
            }
            Self::ReadOnly { .. } => {
                "make it writable, or choose another with --state-dir or SWITCHOVER_STATE_DIR".into()
            }
            Self::Full { .. } => "free some space, then `switchover resume`: nothing was lost".into(),
            Self::Failing { path, .. } => format!(
                "nothing was done that is not on disk. see what the system says of the disk (`dmesg`), copy {} to a sound one, and go on there: `switchover resume --state-dir COPY`",
                path.display()
            ),
            Self::Vanished { path } => format!(
                "nothing more was done. put {} back as it was, with all files in it, then `switchover resume`; if it is lost, finish by the runbook",
                path.display()
            ),
            Self::Damaged { path, .. } => format!(
                "keep a copy of {} and its -wal file, look at the world with `preview`, and restore the file from a backup",
                path.display()
            ),
            Self::Broken { run, .. } => format!(
                "nothing was done. `switchover log {run} --verify` shows where it breaks; keep a copy of the state directory and finish by the runbook"
            ),
            Self::Newer { .. } => "use that version of switchover for this state directory".into(),
            Self::Exists(run) => format!("nothing was changed; `switchover status {run}` shows it"),
            Self::Unfinished(_) => {
                "nothing was changed. once nobody can take it up there any more, add --unfinished".into()
            }
            Self::Needed(run) => format!("`switchover status {run}` shows how it stands"),
            Self::NoSuchRun(_) | Self::Ambiguous { .. } => "`switchover runs` lists them".into(),
            Self::NoRuns => "`switchover run PLAN` starts one".into(),
            Self::Held { run, .. } => {
                format!("`switchover watch {run}` shows it; `switchover abort {run}` rolls it back")
            }
            Self::Locked { run, .. } => {
                format!(
                    "wait until it has ended: `switchover watch {run}`; or roll it back: `switchover abort {run}`"
                )
            }
            Self::Baking { run, .. } => format!(
                "wait until then; or end it now: `switchover continue {run}`; or roll it back: `switchover abort {run}`"
            ),
            Self::Fenced { run, .. } => format!("nothing more was done here: `switchover watch {run}`"),
            Self::Conflict { run, .. } | Self::Unknown { run, .. } => {
                format!("`switchover resume {run}` reads the journal again and goes on from there")
            }
            Self::Busy { .. } => "try again; if it stays so, look for a stopped switchover process".into(),
            Self::Failed { .. } => {
                "try again; if it stays so, keep a copy of the directory and report it".into()
            }
        })
    }

    /// The disk did not do what it was told to.
    pub(super) fn is_of_the_disk(&self) -> bool {
        matches!(
            self,
            Self::Full { .. }
                | Self::Failing { .. }
                | Self::Failed { .. }
                | Self::ReadOnly { .. }
                | Self::Unknown { .. }
        )
    }

    /// Another run or process is in the way.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::Locked { .. } | Self::Baking { .. })
    }
}
