//! The JSON Schema of plans, for editors.

use crate::plan::Kinds;
use serde_json::{Value as Json, json};

/// The schema (draft-07) of plans with these kinds of steps and signals.
#[must_use]
pub fn schema(actions: &dyn Kinds, _signals: &dyn Kinds) -> Json {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "switchover plan",
        "type": "object",
        "properties": { "uses": { "enum": actions.names() } },
    })
}
