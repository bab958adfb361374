//! Whether anything of a command is still alive: told by a lock on a file, which its supervisor and the command itself
//! hold for as long as they live, and nobody holds for longer, however they died.

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Result};
use std::path::PathBuf;

/// The folder of all such files.
pub(super) struct Traces(pub(super) PathBuf);

impl Traces {
    /// Before a command of a step is started: a file for its supervisor to hold, and its path to remove it by.
    pub(super) fn leave(&self, step: &str) -> Result<(File, PathBuf)> {
        std::fs::create_dir_all(&self.0)?;
        let path = self.0.join(step);
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        // Whoever holds it was lost, and is still at its work: another beside it would be one too many.
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        file.set_len(0)?;
        flock(&file, FlockOperation::LockShared)?;
        Ok((file, path))
    }

    /// What is alive of a command of this step, if anything is.
    pub(super) fn find(&self, step: &str) -> Result<Option<String>> {
        let path = self.0.join(step);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(std::io::Error::from) {
            Ok(()) => {
                // Its supervisor was killed too.
                std::fs::remove_file(&path)?;
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut group = String::new();
                file.read_to_string(&mut group)?;
                Ok(Some(match group.trim() {
                    "" => "it was about to begin".into(),
                    group => format!("process group {group}"),
                }))
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_started_beside_a_lost_command_of_its_step() {
        let folder = tempfile::tempdir().unwrap();
        let traces = Traces(folder.path().to_owned());
        let (mut held, path) = traces.leave("step").unwrap();
        std::io::Write::write_all(&mut held, b"42").unwrap();
        assert_eq!(traces.leave("step").unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(traces.find("step").unwrap().as_deref(), Some("process group 42"), "and its trace stays");
        drop(held);
        assert_eq!(traces.leave("step").unwrap().1, path);
    }
}
