//! Files beside the plan, as far as whether they are there.

use crate::run::Fault;
use async_trait::async_trait;

/// Looking for files.
#[async_trait]
pub trait ReadFiles: Send + Sync {
    /// Whether something is there under a path: beside the plan, unless it is absolute.
    ///
    /// # Errors
    /// Nobody can tell: the folder that it would be in is not there, or may not be read.
    async fn exists(&self, path: &str) -> Result<bool, Fault>;
}
