//! What a step answers that has lowered a TTL: the one that gives it back reads that, and whoever changes the same name.

use super::{routed, sets};
use crate::plan::Scope;
use crate::port::dns::{Name, RecordSet};
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::time::Duration;

/// As it was before.
#[derive(Deserialize)]
pub(super) struct Lowered {
    pub(super) record: String,
    /// In seconds, by type and set; a name that leads by another type later has the largest of those that led it.
    pub(super) listed: BTreeMap<String, u32>,
}

impl Lowered {
    pub(super) fn of(name: &Name, before: &[RecordSet]) -> Self {
        let listed = before.iter().filter_map(|set| Some((key(set), set.ttl?))).collect();
        Self { record: name.to_string(), listed }
    }

    /// From what the plan's scope has of a step.
    pub(super) fn read(step: &Json) -> Result<Self, serde_json::Error> {
        Self::deserialize(&step["out"])
    }

    pub(super) fn was(&self, set: &RecordSet) -> Option<u32> {
        let services = set.kind.0 == sets::SERVICE;
        self.listed.get(&key(set)).copied().or_else(|| self.longest(services))
    }

    /// Whether it was also lowered for how long it is kept how the name is spoken to: earlier versions left that alone.
    pub(super) fn has_services(&self) -> bool {
        self.longest(true).is_some()
    }

    /// The largest of what led the name, or of its services.
    fn longest(&self, services: bool) -> Option<u32> {
        let of_it = self.listed.iter().filter(|(key, _)| is_service(key) == services);
        of_it.map(|(_, ttl)| *ttl).max()
    }
}

/// The longest TTL that this run found at a name before it lowered it, and may have given back since: of what led it, or of its
/// services.
pub(super) fn longest(scope: &Scope, name: &Name, services: bool) -> Option<Duration> {
    let all = scope.steps.values().filter_map(|step| Lowered::read(step).ok());
    let of_it = all.filter(|lowered| Name::new(&lowered.record) == *name);
    of_it.filter_map(|lowered| lowered.longest(services)).max().map(|ttl| Duration::from_secs(ttl.into()))
}

/// By what a key begins with.
fn is_service(key: &str) -> bool {
    key.split(' ').next() == Some(sets::SERVICE)
}

/// `A`, `A set blue`.
fn key(set: &RecordSet) -> String {
    match routed::identifier(set) {
        "" => set.kind.0.clone(),
        id => format!("{} set {id}", set.kind.0),
    }
}
