//! Values that are kept under names, for programs to read.

use crate::run::Fault;
use async_trait::async_trait;

/// What is kept under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// A text that whoever may look may read.
    Text(String),
    /// A secret: it is kept encrypted, and is not read.
    Secret,
}

/// Looking at parameters.
#[async_trait]
pub trait ReadParameters: Send + Sync {
    /// What is kept under a name; `None`: nothing is. Nothing is decrypted.
    async fn parameter(&self, name: &str) -> Result<Option<Parameter>, Fault>;
}
