//! Which name of which zone a step is about.

use super::sets;
use crate::plan::{Fields, target, text};
use crate::port::dns::{ChangeId, ChangeStatus, Name, RecordSet};
use crate::port::{ReadDns, Reads, Writes};
use crate::run::Fault;
use std::sync::Arc;

/// A name of a zone.
#[derive(Debug)]
pub(super) struct Place {
    target: Arc<str>,
    record: Arc<str>,
}

/// The zone, ready to be asked, and the whole name.
pub(super) struct Found {
    pub(super) dns: Arc<dyn ReadDns>,
    pub(super) name: Name,
    /// It is the zone's own name.
    pub(super) apex: bool,
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

    /// As the plan names it.
    pub(super) fn label(&self) -> &str {
        &self.record
    }

    /// For commands.
    pub(super) fn zone_id(&self) -> String {
        format!("<zone id of {}>", self.target)
    }

    /// For commands: lists what is there.
    pub(super) fn list_by_hand(&self) -> String {
        format!(
            "aws route53 list-resource-record-sets --hosted-zone-id {} --start-record-name {} --max-items 5",
            self.zone_id(),
            self.record
        )
    }

    /// For commands: one batch.
    pub(super) fn change_by_hand(&self, changes: &serde_json::Value) -> String {
        let batch = serde_json::json!({ "Changes": changes });
        format!(
            "aws route53 change-resource-record-sets --hosted-zone-id {} --change-batch '{batch}'",
            self.zone_id()
        )
    }

    /// The zone and the name.
    pub(super) async fn find(&self, reads: &Reads<'_>) -> Result<Found, Fault> {
        let dns = reads.world.dns(&self.target)?;
        let zone = dns.zone().await?;
        let name = Name::within(&self.record, &zone.name);
        Ok(Found { apex: name == zone.name, dns, name })
    }

    /// Puts one listing in place of the other: all of it, or nothing if the first is not what is there.
    ///
    /// # Errors
    /// Foreign, if something else is there: then nothing was written.
    pub(super) async fn swap(
        &self,
        writes: &Writes<'_>,
        old: &[RecordSet],
        new: &[RecordSet],
    ) -> Result<Option<ChangeId>, Fault> {
        let dns = writes.dns(&self.target)?;
        writes.in_time()?;
        let comment = format!("switchover {}", writes.token);
        match dns.change(&sets::swap(old, new), &comment).await {
            Ok(change) => Ok(Some(change)),
            Err(fault) if fault.is_foreign() => {
                let found = self.find(&writes.reads()).await?;
                let listed = found.listed().await?;
                // An earlier try of ours, whose answer was lost, may have landed since.
                if sets::same(&listed, new) {
                    return Ok(None);
                }
                Err(Fault { message: found.foreign(&listed, new, old).message, ..fault })
            }
            Err(fault) => Err(fault),
        }
    }
}

impl Found {
    /// The sets that say where the name leads, as listed.
    pub(super) async fn listed(&self) -> Result<Vec<RecordSet>, Fault> {
        Ok(sets::leading(&self.dns.record_sets(&self.name).await?))
    }

    /// Whether the provider has brought a change to all of its servers. What is not known is left to the servers.
    pub(super) async fn is_insync(&self, change: Option<&ChangeId>) -> Result<bool, Fault> {
        match change {
            Some(change) => Ok(self.dns.status(change).await? == ChangeStatus::Insync),
            None => Ok(true),
        }
    }

    /// Neither ours nor what was recorded.
    pub(super) fn foreign(&self, listed: &[RecordSet], made: &[RecordSet], prior: &[RecordSet]) -> Fault {
        Fault::foreign(format!(
            "{} is {}; this step made it {}, and before that it was {}: somebody else changed it",
            self.name,
            sets::describe(listed),
            sets::describe(made),
            sets::describe(prior)
        ))
    }
}
