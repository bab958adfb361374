//! What was sent once is not taken again: not by another process on the same directory, nor after a restart.

use super::key::WINDOW;
use crate::plan::Timestamp;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use std::{fs, io};

/// For how long a nonce is kept. Its request may have been signed for the end of the window, and clocks differ.
const KEPT: Duration = Duration::from_secs(4 * WINDOW.as_secs());

/// More than anybody signs in that time.
const MOST: usize = 10_000;

/// Nonces, each a file in a folder: whoever makes it first is the first.
#[derive(Clone, Debug)]
pub struct Once(PathBuf);

impl Once {
    /// Keeps them in this folder, which is made when it is needed; the one around it is there, or nothing is kept.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// It was used. Cheap, and no proof that it was not.
    #[must_use]
    pub fn was_used(&self, nonce: &str) -> bool {
        self.file(nonce).exists()
    }

    /// Nobody has used this one yet. Only for nonces whose signature is right: nobody else fills the folder.
    ///
    /// # Errors
    /// It cannot be kept: then nobody knows.
    pub fn is_first(&self, nonce: &str, now: Timestamp) -> io::Result<bool> {
        match fs::DirBuilder::new().mode(0o700).create(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if self.forget(now)? >= MOST {
            return Err(io::Error::other("too many signed requests came within minutes"));
        }
        match fs::File::create_new(self.file(nonce)) {
            // Its name survives a power loss from here on.
            Ok(_) => fs::File::open(&self.0)?.sync_all().map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn file(&self, nonce: &str) -> PathBuf {
        let mut name = String::new();
        for byte in Sha256::digest(nonce) {
            let _ = write!(name, "{byte:02x}");
        }
        self.0.join(name)
    }

    /// Removes those whose requests are refused for their age; says how many are left.
    fn forget(&self, now: Timestamp) -> io::Result<usize> {
        let mut left = 0;
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let Ok(made) = entry.metadata().and_then(|metadata| metadata.modified()) else { continue };
            let since = made.duration_since(UNIX_EPOCH).unwrap_or_default();
            let made = Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
            if now.since(made) > KEPT {
                // Another process may have been quicker.
                let _ = fs::remove_file(entry.path());
            } else {
                left += 1;
            }
        }
        Ok(left)
    }
}
