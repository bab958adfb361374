//! Whether anything of a command is still alive: told by a lock on a file, which its supervisor and the command itself
//! hold for as long as they live, and nobody holds for longer, however they died.
//!
//! A command waits in such a file before it begins. Its supervisor takes the file by another name and starts the command;
//! whoever looks for what is left of it once the time of its call is over removes the file. Only one of them can: so whoever
//! ordered it may be stopped for ever, and holds nobody up.

use crate::plan::Timestamp;
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirEntry, File, OpenOptions, read_to_string, remove_file, rename};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

/// How the name of a file ends whose command waits.
const WAITING: &str = "waiting";

/// The folder of all such files.
pub(super) struct Traces(pub(super) PathBuf);

impl Traces {
    /// Before a command of a step is ordered, which may begin until then: a file for its supervisor to hold, and the path to
    /// [`take`] it by.
    pub(super) fn leave(&self, step: &str, until: Timestamp) -> Result<(File, PathBuf)> {
        std::fs::create_dir_all(&self.0)?;
        for path in self.of(step)? {
            // Whoever holds it was lost, and is still at its work: another beside it would be one too many.
            remove_unless_held(&path).map_err(|error| match error.kind() {
                kind @ ErrorKind::WouldBlock => Error::new(kind, "the command before it is still alive"),
                _ => error,
            })?;
        }
        let id = ulid::Ulid::generate().to_string();
        let (new, path) = (self.0.join(&id), self.0.join(format!("{step}.{id}.{WAITING}")));
        let mut file = OpenOptions::new().create_new(true).append(true).open(&new)?;
        flock(&file, FlockOperation::LockShared)?;
        writeln!(file, "{}", until.0)?;
        // Nobody sees it before it is held.
        rename(new, &path)?;
        Ok((file, path))
    }

    /// What is alive of a command of this step, if anything is, or may begin yet. After `None` nothing begins.
    pub(super) fn find(&self, step: &str, now: Timestamp) -> Result<Option<String>> {
        for path in self.of(step)?.into_iter().filter(|path| path.extension() == Some(WAITING.as_ref())) {
            let text = unless_gone(read_to_string(&path))?.unwrap_or_default();
            let until = text.trim().parse().map_or(Timestamp::PAST, Timestamp);
            if until <= now {
                unless_gone(remove_file(path))?;
            }
        }
        // What was taken before it could be removed has its other name by now.
        for path in self.of(step)? {
            match remove_unless_held(&path) {
                // Its supervisor was killed too.
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let text = unless_gone(read_to_string(path))?.unwrap_or_default();
                    return Ok(Some(match text.lines().nth(1) {
                        None => "it is about to begin".into(),
                        Some(group) => format!("process group {group}"),
                    }));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The files of a step.
    fn of(&self, step: &str) -> Result<Vec<PathBuf>> {
        let Some(entries) = unless_gone(std::fs::read_dir(&self.0))? else { return Ok(Vec::new()) };
        let is_of = |entry: &DirEntry| {
            entry
                .file_name()
                .to_str()
                .and_then(|name| name.strip_prefix(step))
                .is_some_and(|rest| rest.starts_with('.'))
        };
        let paths =
            entries.filter_map(|entry| entry.map(|entry| is_of(&entry).then(|| entry.path())).transpose());
        paths.collect()
    }
}

/// Before the command is started, by its supervisor: the path of what tells of it from now on.
///
/// # Errors
/// `NotFound`: somebody looked for it, and relies on it that it does not begin.
pub(super) fn take(waiting: &Path) -> Result<PathBuf> {
    let taken = waiting.with_extension("");
    rename(waiting, &taken)?;
    Ok(taken)
}

/// # Errors
/// `WouldBlock`: it is held.
fn remove_unless_held(path: &Path) -> Result<()> {
    let Some(file) = unless_gone(File::open(path))? else { return Ok(()) };
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    unless_gone(remove_file(path)).map(drop)
}

fn unless_gone<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn traces() -> (tempfile::TempDir, Traces) {
        let folder = tempfile::tempdir().unwrap();
        let traces = Traces(folder.path().join("commands"));
        (folder, traces)
    }

    const NOW: Timestamp = Timestamp(1000);
    const LATER: Timestamp = Timestamp(2000);

    #[test]
    fn nothing_is_started_beside_a_lost_command_of_its_step() {
        let (_folder, traces) = traces();
        let find = |step| traces.find(step, NOW).unwrap();
        assert_eq!(find("step"), None, "nothing was ever started");
        let (mut held, waiting) = traces.leave("step", LATER).unwrap();
        let refused = traces.leave("step", LATER).unwrap_err();
        assert_eq!(refused.to_string(), "the command before it is still alive", "it may begin at once");
        assert_eq!(find("step").as_deref(), Some("it is about to begin"), "nobody keeps it from that");
        let path = take(&waiting).unwrap();
        assert_eq!(find("step").as_deref(), Some("it is about to begin"));
        held.write_all(b"42\n").unwrap();
        assert_eq!(traces.leave("step", LATER).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(find("step").as_deref(), Some("process group 42"), "and its trace stays");
        assert_eq!(find("ste"), None);
        traces.leave("ste", LATER).unwrap();
        drop(held);
        traces.leave("step", LATER).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn what_was_looked_for_when_its_time_was_over_never_begins() {
        let (_folder, traces) = traces();
        let (held, waiting) = traces.leave("step", NOW).unwrap();
        assert_eq!(traces.find("step", NOW).unwrap(), None, "though whoever ordered it holds it still");
        assert_eq!(take(&waiting).unwrap_err().kind(), ErrorKind::NotFound);
        let (_other, others) = traces.leave("step", LATER).unwrap();
        assert_eq!(take(&waiting).unwrap_err().kind(), ErrorKind::NotFound, "nor in place of another");
        take(&others).unwrap();
        drop(held);
        assert_eq!(traces.find("step", LATER).unwrap().as_deref(), Some("it is about to begin"));
    }

    #[test]
    fn what_nobody_holds_is_gone_though_its_time_is_not_over() {
        let (_folder, traces) = traces();
        let (held, waiting) = traces.leave("step", LATER).unwrap();
        drop(held);
        assert_eq!(traces.find("step", NOW).unwrap(), None);
        assert!(!waiting.exists());
    }
}
