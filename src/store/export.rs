//! A journal as JSON lines, for people and other programs: one object an event, with its place in the chain.

use super::{RunId, Seq, Store, StoreError};
use serde_json::{Value as Json, json};

/// One line an event, from `from` on: `seq`, `at` (milliseconds), `epoch`, `hash`, and the event itself.
///
/// # Errors
/// The journal cannot be read, or its chain is broken.
pub fn export(store: &dyn Store, run: &RunId, from: Seq) -> Result<Vec<Json>, StoreError> {
    let line = |stored: super::Stored| {
        let event: Json = serde_json::from_str(&stored.body).map_err(|error| StoreError::Broken {
            run: run.clone(),
            seq: stored.seq,
            reason: error.to_string(),
        })?;
        Ok(json!({
            "seq": stored.seq.0,
            "at": stored.at.0,
            "epoch": stored.epoch.0,
            "hash": stored.hash,
            "event": event,
        }))
    };
    store.read(run, from)?.into_iter().map(line).collect()
}
