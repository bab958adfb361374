//! Room that is set aside at the start: a run that fills the disk can still write down that it stops.

use super::explain_io;
use crate::store::StoreError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// How much: some ten thousand events.
const ROOM: usize = 4 * 1024 * 1024;

/// A file that can be given up.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    set_aside: AtomicBool,
    in_use: AtomicBool,
}

impl Reserve {
    /// Nothing is set aside yet.
    pub(super) fn in_directory(directory: &Path) -> Self {
        let (set_aside, in_use) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { path: directory.join("reserve"), set_aside, in_use }
    }

    /// Sets the room aside, unless it is already: before a run begins, or goes on.
    pub(super) fn set_aside(&self) -> Result<(), StoreError> {
        let there = fs::metadata(&self.path).is_ok_and(|file| file.len() == ROOM as u64);
        if !there {
            fill(&self.path).map_err(|error| {
                let _ = fs::remove_file(&self.path);
                explain_io(&self.path, &error)
            })?;
        }
        self.set_aside.store(true, Ordering::Relaxed);
        self.in_use.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Gives the room up. False if it was given up before.
    pub(super) fn free(&self) -> bool {
        !self.in_use.swap(true, Ordering::Relaxed) && fs::remove_file(&self.path).is_ok()
    }

    /// Looks whether another process has given it up since it was set aside: then there is no other room.
    pub(super) fn notice_if_gone(&self) {
        if self.set_aside.load(Ordering::Relaxed) && !self.path.exists() {
            self.in_use.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.in_use.load(Ordering::Relaxed)
    }
}

/// Two processes that do this at once write the same.
fn fill(path: &Path) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(false).open(path)?;
    file.write_all(&vec![0; ROOM])?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_that_another_process_has_given_up_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = Reserve::in_directory(directory.path());
        reserve.notice_if_gone();
        assert!(!reserve.is_in_use(), "none was set aside");
        reserve.set_aside().unwrap();
        reserve.notice_if_gone();
        assert!(!reserve.is_in_use(), "it is there");
        fs::remove_file(directory.path().join("reserve")).unwrap();
        reserve.notice_if_gone();
        assert!(reserve.is_in_use() && !reserve.free());
    }
}
