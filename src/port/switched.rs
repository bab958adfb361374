//! What a step answers that has led a name elsewhere, for whoever watches what becomes of that.

use super::dns::RecordSet;
use crate::plan::{Scope, Timestamp};
use serde::{Deserialize, Serialize};

/// A name that leads elsewhere since then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switched {
    /// The whole name.
    pub record: String,
    /// Where it led, as it was listed.
    pub before: Vec<RecordSet>,
    /// It did not lead there already.
    pub changed: bool,
    /// RFC 3339, by our clock: nobody should be told that any more from then on.
    pub new_lookups_reach_it_by: String,
}

impl Switched {
    /// What that step has answered; `None`: it is not done yet.
    ///
    /// # Errors
    /// It has led no name elsewhere, or is one of an earlier version, which did not say so.
    pub fn of(scope: &Scope, step: &str) -> Result<Option<Self>, String> {
        let Some(answered) = scope.steps.get(step) else { return Ok(None) };
        let read = Self::deserialize(&answered["out"]);
        read.map(Some).map_err(|error| format!("`{step}` does not say what it has led elsewhere: {error}"))
    }

    /// As a moment; text that is none is one of long ago.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        Timestamp::read(&self.new_lookups_reach_it_by).unwrap_or(Timestamp::PAST)
    }
}
