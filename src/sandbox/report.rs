//! What the users of a world saw: how many requests, how many failed, on which side, and why.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What users saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests that users sent.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
    /// Requests by the load balancer that they reached; `nobody` where no name or connection led anywhere.
    pub by_side: BTreeMap<String, Side>,
    /// How often each reason was seen.
    pub reasons: BTreeMap<String, u64>,
    /// The first few failures, with the world's time.
    pub first_failures: Vec<String>,
    /// New connections, for comparing with requests.
    pub connections: u64,
}

/// One side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
}

impl Traffic {
    /// Counts one request.
    pub(super) fn count(&mut self, side: &str, failure: Option<&str>, at: crate::plan::Timestamp) {
        let entry = self.by_side.entry(side.into()).or_default();
        self.requests += 1;
        entry.requests += 1;
        let Some(reason) = failure else { return };
        self.failed += 1;
        entry.failed += 1;
        *self.reasons.entry(format!("{side}: {reason}")).or_default() += 1;
        if self.first_failures.len() < 20 {
            self.first_failures.push(format!("{at} {side}: {reason}"));
        }
    }
}
