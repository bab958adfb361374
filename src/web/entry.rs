//! What a server says of what came in.

use super::trigger::Told;
use crate::plan::Timestamp;
use serde_json::{Value as Json, json};
use std::fmt;
use std::net::SocketAddr;

/// One request, and what it did. Tokens, signatures and bodies are in none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was answered, on the wall clock.
    pub at: Timestamp,
    /// Where it came from.
    pub from: SocketAddr,
    /// Which way.
    pub path: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// In words.
    pub says: String,
    /// The runs that it meant.
    pub told: Vec<Told>,
    /// How many strangers before it were neither answered nor told of.
    pub unsaid: u64,
}

/// Takes entries. It must not block.
pub type Log = Box<dyn Fn(Entry) + Send + Sync>;

impl Entry {
    /// For machines.
    #[must_use]
    pub fn json(&self) -> Json {
        json!({
            "at": self.at.to_string(),
            "from": self.from.to_string(),
            "path": self.path,
            "status": self.status,
            "says": self.says,
            "triggers": self.told.iter().map(Told::json).collect::<Vec<_>>(),
            "unsaid": self.unsaid,
        })
    }
}

impl fmt::Display for Entry {
    /// `2026-11-20T10:00:00Z 127.0.0.1:4000 /v1/webhook 200: run 01J… rolls back`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}: {}", self.at, self.from, self.path, self.status, self.says)?;
        match self.unsaid {
            0 => Ok(()),
            unsaid => write!(f, " ({unsaid} before it were not answered)"),
        }
    }
}
