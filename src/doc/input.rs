//! What a plan is read with besides its own text.

use serde_json::Value as Json;
use std::collections::BTreeMap;

/// Reads what a plan names: its includes.
pub trait Files {
    /// The bytes of a file; `path` is relative to where the plan stands.
    ///
    /// # Errors
    /// Why it cannot be read, as a fragment.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// Files that were kept, by name: how a stored run's plan is read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored(pub Vec<(String, String)>);

impl Files for Stored {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let found = self.0.iter().find(|(name, _)| name == path);
        found.map(|(_, text)| text.clone().into_bytes()).ok_or_else(|| "it was not kept with the run".into())
    }
}

/// Values for a plan's params. Where several state one, the strongest wins: `--set`, then the environment, then
/// the newest `--params` file, then what is given, then the plan's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// `--set name=value`.
    pub set: Vec<(String, String)>,
    /// `SWITCHOVER_PARAM_NAME=value`, by the whole name of the variable.
    pub env: Vec<(String, String)>,
    /// `--params FILE`: name and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// Values known already: what a world states, or what a stored run was started with. Names that the plan does
    /// not have are ignored.
    pub given: BTreeMap<String, Json>,
}
