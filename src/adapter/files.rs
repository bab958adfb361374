//! Plan files, and what they include, from disk.

use crate::doc::Files;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// One byte more than any plan may have: enough to say that a file is too long, however long it is.
const LIMIT: u64 = 1024 * 1024 + 1;

/// The folder that a plan stands in.
#[derive(Clone, Debug)]
pub struct PlanFiles(PathBuf);

impl PlanFiles {
    /// Beside this plan.
    #[must_use]
    pub fn beside(plan: &Path) -> Self {
        Self(plan.parent().map(Path::to_owned).unwrap_or_default())
    }

    /// The folder; empty for the one that we run in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The bytes of any file, no more of them than a plan may have.
    ///
    /// # Errors
    /// Why it cannot be read, as a fragment.
    pub fn open(path: &Path) -> Result<Vec<u8>, String> {
        let why = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
            _ => error.to_string(),
        };
        if path.is_dir() {
            return Err("it is a folder".into());
        }
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(LIMIT).read_to_end(&mut bytes)).map_err(why)?;
        Ok(bytes)
    }
}

impl Files for PlanFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        Self::open(&self.0.join(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_stand_beside_the_plan() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("part.yaml"), "x").unwrap();
        let files = PlanFiles::beside(&folder.path().join("plan.yaml"));
        assert_eq!(files.read("part.yaml").unwrap(), b"x");
        assert_eq!(files.read("none.yaml").unwrap_err(), "there is no such file");
        assert_eq!(files.read(".").unwrap_err(), "it is a folder");
    }
}
