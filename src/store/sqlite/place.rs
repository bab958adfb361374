//! Where the database is: whether what is written there is still what others would open, and whether there is room.

use super::explain_io;
use crate::mutant::{Mistake, on};
use crate::store::StoreError;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Less than this is none: the database grows by pages, and its log by as many again.
const ROOM: u64 = 64 * 1024;

/// A file system's name for a file.
type Identity = (u64, u64);

/// The files of a database that is open: a name that is gone keeps nobody from writing to it.
#[derive(Debug)]
pub(super) struct Place {
    database: (PathBuf, Identity),
    /// Made by the first write.
    log: (PathBuf, OnceLock<Identity>),
}

impl Place {
    pub(super) fn of(path: &Path) -> Result<Self, StoreError> {
        let identity = identity(path).map_err(|error| explain_io(path, &error))?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Ok(Self { database: (path.to_owned(), identity), log: (log.into(), OnceLock::new()) })
    }

    /// After each commit, and before anybody relies on it.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let (path, before) = &self.database;
        let (log, log_before) = &self.log;
        let log_now = identity(log).ok();
        if let Some(now) = log_now {
            log_before.get_or_init(|| now);
        }
        let is_there =
            identity(path).ok() == Some(*before) && log_now.as_ref() == log_before.get() && log_now.is_some();
        if is_there || on(Mistake::VanishedUnnoticed) {
            return Ok(());
        }
        Err(StoreError::Vanished { path: path.parent().unwrap_or(path).to_owned() })
    }
}

fn identity(path: &Path) -> std::io::Result<Identity> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Whether the file system has any. Where that cannot be told, lack of it is not why something failed.
pub(super) fn has_room(path: &Path) -> bool {
    rustix::fs::statvfs(path.parent().unwrap_or(path))
        .is_ok_and(|free| free.f_bavail.saturating_mul(free.f_frsize) >= ROOM)
}
