//! Which name of which zone a step is about.

use crate::plan::{Fields, target, text};
use std::sync::Arc;

/// A name of a zone.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) target: Arc<str>,
    pub(super) record: Arc<str>,
}

impl Place {
    /// Reads `target` and `record`.
    pub(super) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["route53"]), "the zone");
        let record =
            fields.required("record", text(), "a name in the zone: `app`, or `@` for the zone's own");
        Some(Self { target: target?, record: record? })
    }

    /// For locks.
    pub(super) fn resource(&self) -> String {
        format!("dns:{}/{}", self.target, self.record.trim_end_matches('.').to_ascii_lowercase())
    }

    /// The zone's own name, as far as can be told without asking.
    pub(super) fn is_apex(&self) -> bool {
        &*self.record == "@"
    }

    /// For commands.
    pub(super) fn zone_id(&self) -> String {
        format!("<zone id of {}>", self.target)
    }
}
