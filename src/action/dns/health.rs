//! Health checks that sets go by: what they ask, and whether a set is to be led to that nobody would be answered with.
//!
//! Only a certain no holds anything up: who may not ask knows nothing.

use super::routed::identifier;
use crate::port::ReadDns;
use crate::port::dns::{Name, RecordSet};
use crate::run::Fault;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Refuses to lead users to sets that they would not be answered with.
pub(super) async fn must_pass(dns: &dyn ReadDns, name: &Name, sets: &[&RecordSet]) -> Result<(), Fault> {
    for (id, whose) in of(sets) {
        let why = match dns.health_check(&id).await {
            Ok(Some(check)) if check.fails() => format!("asks {check}"),
            Ok(None) => "does not exist".to_owned(),
            Ok(Some(_)) | Err(_) => continue,
        };
        return Err(Fault::permanent(format!(
            "{name} would not lead where it should: health check {id} of {whose} {why}; while it fails, Route 53 answers with \
             other sets, or with all of them where none is healthy; see to it that what it asks is healthy and is the side \
             that is led to, or give the set another health check, then go on"
        )));
    }
    Ok(())
}

/// For a preview: how each health check of these sets stands.
pub(super) async fn told(dns: &dyn ReadDns, sets: &[&RecordSet]) -> Vec<Arc<str>> {
    let mut notes = Vec::new();
    for (id, whose) in of(sets) {
        let note = match dns.health_check(&id).await {
            Ok(Some(check)) => format!("health check {id} of {whose} asks {check}"),
            Ok(None) => format!("health check {id} of {whose} does not exist"),
            Err(fault) => {
                format!("how health check {id} of {whose} stands could not be known: {}", fault.message)
            }
        };
        notes.push(note.into());
    }
    notes
}

/// Each health check once, and whose it is: `set eu`, `sets blue and green`.
fn of(sets: &[&RecordSet]) -> Vec<(String, String)> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for set in sets {
        if let Some(id) = set.extra.get("HealthCheckId") {
            found.entry(id).or_default().insert(identifier(set));
        }
    }
    let whose = |ids: BTreeSet<&str>| {
        let word = if ids.len() == 1 { "set" } else { "sets" };
        format!("{word} {}", ids.into_iter().collect::<Vec<_>>().join(" and "))
    };
    found.into_iter().map(|(id, ids)| (id.to_owned(), whose(ids))).collect()
}
