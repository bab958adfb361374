//! Plan files, and what they include, from disk; and whether others are there.

use crate::doc::Files;
use crate::port::ReadFiles;
use crate::run::Fault;
use async_trait::async_trait;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

    /// In this folder.
    pub(super) fn within(folder: &Path) -> Self {
        Self(folder.to_owned())
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

/// How long a disk may take, on the wall clock: one that is far away may never answer.
const ANSWER: Duration = Duration::from_secs(5);

#[async_trait]
impl ReadFiles for PlanFiles {
    async fn exists(&self, path: &str) -> Result<bool, Fault> {
        let whole = self.0.join(path);
        let looking = tokio::time::timeout(ANSWER, is_there(&whole)).await;
        let found = looking.map_err(|_| Fault::blind(format!("{}: no answer within 5s", whole.display())))?;
        found.map_err(|why| Fault::blind(format!("{}: {why}", whole.display())))
    }
}

/// A file is known not to be there only where its folder is: else it is a disk that is not.
async fn is_there(path: &Path) -> Result<bool, String> {
    let absent = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    match tokio::fs::symlink_metadata(path).await {
        Ok(_) => Ok(true),
        Err(error) if absent(&error) => {
            let folder =
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            match tokio::fs::read_dir(folder).await {
                Ok(_) => Ok(false),
                Err(error) if absent(&error) => Err("its folder is not there".into()),
                Err(error) => Err(error.to_string()),
            }
        }
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_there_is_told_from_what_nobody_can_see() {
        let folder = tempfile::tempdir().unwrap();
        let files = PlanFiles(folder.path().to_owned());
        assert_eq!(files.exists("stop").await, Ok(false));
        std::fs::write(folder.path().join("stop"), "").unwrap();
        assert_eq!(files.exists("stop").await, Ok(true));
        let absolute = folder.path().join("stop").display().to_string();
        assert_eq!(PlanFiles(PathBuf::new()).exists(&absolute).await, Ok(true));
        assert_eq!(PlanFiles(PathBuf::new()).exists("no-such-file").await, Ok(false));
        for (path, words) in [("gone/stop", "its folder is not there"), ("stop/stop", "stop/stop: ")] {
            let fault = files.exists(path).await.unwrap_err();
            assert!(fault.kind == crate::run::FaultKind::Blind && fault.message.contains(words), "{fault}");
        }
        std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
        assert_eq!(files.exists("link").await, Ok(true), "whoever links it raises it");
    }

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
