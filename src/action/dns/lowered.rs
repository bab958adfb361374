//! What a step answers that has lowered a TTL: the one that gives it back reads that, and whoever changes the same name.

use super::routed;
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
    /// In seconds, by type and set; a name that leads by another type later has the largest of them.
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
        self.listed.get(&key(set)).or_else(|| self.listed.values().max()).copied()
    }
}

/// The longest TTL that this run found at a name before it lowered it, and may have given back since.
pub(super) fn longest(scope: &Scope, name: &Name) -> Option<Duration> {
    let all = scope.steps.values().filter_map(|step| Lowered::read(step).ok());
    let of_it = all.filter(|lowered| Name::new(&lowered.record) == *name);
    of_it.flat_map(|lowered| lowered.listed.into_values()).max().map(|ttl| Duration::from_secs(ttl.into()))
}

/// `A`, `A set blue`.
fn key(set: &RecordSet) -> String {
    match routed::identifier(set) {
        "" => set.kind.0.clone(),
        id => format!("{} set {id}", set.kind.0),
    }
}
