//! The rules that Route 53 holds a batch of changes to, with its own words for each.
//!
//! A batch is judged as a whole: nothing of it happens if one part is refused. The texts are those that the service
//! answers with, as quoted in public issue trackers; where none is known, the comment says so.

use super::zone::{Records, SetKey, Zone, written};
use crate::port::dns::{Name, RecordSet};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What a part of a batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Only if nothing of this name, type and set is there.
    Create,
    /// Only if exactly this is there.
    Delete,
    /// Whatever is there.
    Upsert,
}

impl Verb {
    /// As the service writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Delete => "DELETE",
            Self::Upsert => "UPSERT",
        }
    }
}

/// Whether a load balancer of this name in this zone exists, for aliases.
pub(super) type TargetExists<'a> = &'a dyn Fn(&str, &Name) -> AliasTarget;

/// What an alias points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AliasTarget {
    /// It is there.
    Found,
    /// The zone is known, the name is not.
    Missing,
    /// The name is not of that zone.
    OtherZone,
}

/// Judges a batch against the newest version; returns the next one.
///
/// # Errors
/// Every message of the refusal.
pub(super) fn judge(
    zone: &Zone,
    batch: &[(Verb, RecordSet)],
    exists: TargetExists<'_>,
) -> Result<Records, Vec<String>> {
    let mut wrong = Vec::new();
    limits(batch, &mut wrong);
    repeated(batch, &mut wrong);
    let mut next = (**zone.newest()).clone();
    for (verb, record) in batch {
        if !record.name.is_within(&zone.name) {
            wrong.push(format!(
                "RRSet with DNS name {} is not permitted in zone {}",
                written(&record.name),
                written(&zone.name)
            ));
        } else if *verb == Verb::Delete {
            delete(&mut next, record, &mut wrong);
        }
    }
    for (verb, record) in batch {
        if *verb != Verb::Delete && record.name.is_within(&zone.name) {
            values(record, &mut wrong);
            put(&mut next, zone, *verb, record, exists, &mut wrong);
        }
    }
    if wrong.is_empty() {
        apex(zone, &next, &mut wrong);
        together(zone, batch, &next, &mut wrong);
    }
    if wrong.is_empty() { Ok(next) } else { Err(wrong) }
}

/// 1,000 values in one request, an UPSERT's counted twice; 32,000 characters.
fn limits(batch: &[(Verb, RecordSet)], wrong: &mut Vec<String>) {
    let times = |verb: Verb| if verb == Verb::Upsert { 2 } else { 1 };
    let count: usize = batch.iter().map(|(verb, r)| r.values.len().max(1) * times(*verb)).sum();
    if count > 1000 {
        wrong.push("Number of records limit of 1000 exceeded.".into());
    }
    let size: usize =
        batch.iter().map(|(verb, r)| r.values.iter().map(String::len).sum::<usize>() * times(*verb)).sum();
    if size > 32_000 {
        wrong.push("Number of characters limit of 32000 exceeded.".into());
    }
}

/// The same set may be deleted once and created once, in this order; anything else twice is refused.
fn repeated(batch: &[(Verb, RecordSet)], wrong: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (verb, record) in batch {
        let gone = *verb == Verb::Delete;
        let key = SetKey::of(record);
        let out_of_turn = gone && seen.contains(&(key.clone(), false));
        if !seen.insert((key, gone)) || out_of_turn {
            wrong.push(format!(
                "The request contains an invalid set of changes for a resource record set '{} {}'",
                record.kind.0,
                written(&record.name)
            ));
        }
    }
}

fn named(record: &RecordSet) -> String {
    let set = record.extra.get("SetIdentifier").map(|set| format!(", set identifier='{set}'"));
    format!("[name='{}', type='{}'{}]", written(&record.name), record.kind.0, set.unwrap_or_default())
}

fn delete(next: &mut Records, record: &RecordSet, wrong: &mut Vec<String>) {
    let tried = format!("Tried to delete resource record set {}", named(record));
    match next.get(&SetKey::of(record)) {
        None => wrong.push(format!("{tried} but it was not found")),
        Some(there) if !same(there, record) => {
            wrong.push(format!("{tried} but the values provided do not match the current values"));
        }
        Some(_) => {
            next.remove(&SetKey::of(record));
        }
    }
}

/// Equal in everything; the order of the values does not matter.
fn same(there: &RecordSet, given: &RecordSet) -> bool {
    let sorted = |record: &RecordSet| {
        let host = matches!(record.kind.0.as_str(), "CNAME" | "NS" | "PTR");
        let plain = |v: &String| {
            if host { v.trim_end_matches('.').to_ascii_lowercase() } else { v.clone() }
        };
        let mut values: Vec<String> = record.values.iter().map(plain).collect();
        values.sort();
        values
    };
    there.ttl == given.ttl
        && there.alias == given.alias
        && there.extra == given.extra
        && sorted(there) == sorted(given)
}

fn put(
    next: &mut Records,
    zone: &Zone,
    verb: Verb,
    record: &RecordSet,
    exists: TargetExists<'_>,
    wrong: &mut Vec<String>,
) {
    if let Some(alias) = &record.alias {
        let tried = format!(
            "Tried to create an alias that targets {}, type {} in zone {}",
            written(&alias.name),
            record.kind.0,
            alias.zone_id
        );
        let own = alias.zone_id == zone.id;
        let target = if own {
            let found = next.values().any(|r| r.name == alias.name && r.kind == record.kind);
            if !alias.name.is_within(&zone.name) {
                AliasTarget::OtherZone
            } else if found {
                AliasTarget::Found
            } else {
                AliasTarget::Missing
            }
        } else {
            exists(&alias.zone_id, &alias.name)
        };
        match target {
            AliasTarget::Found => {}
            AliasTarget::Missing => wrong.push(format!("{tried}, but that target was not found")),
            AliasTarget::OtherZone => {
                wrong.push(format!("{tried}, but the alias target name does not lie within the target zone"));
            }
        }
    }
    let key = SetKey::of(record);
    if verb == Verb::Create && next.contains_key(&key) {
        wrong.push(format!("Tried to create resource record set {} but it already exists", named(record)));
        return;
    }
    next.insert(key, record.clone());
}

/// Values that no name server could serve.
fn values(record: &RecordSet, wrong: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for value in &record.values {
        if !seen.insert(value) {
            wrong.push(format!("Duplicate Resource Record: '{value}'"));
        }
        let problem = match record.kind.0.as_str() {
            "A" if value.parse::<Ipv4Addr>().is_err() => {
                "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
            }
            "AAAA" if value.parse::<Ipv6Addr>().is_err() => {
                "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"
            }
            "TXT" if !value.starts_with('"') || !value.ends_with('"') || value.len() < 2 => {
                "InvalidCharacterString (Value should be enclosed in quotation marks)"
            }
            "CNAME" if value.is_empty() || value.contains(char::is_whitespace) => {
                "CNAMERRDATAIllegal (Value is not a domain name)"
            }
            _ => continue,
        };
        wrong.push(format!("Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"));
    }
    if record.kind.0 == "CNAME" && record.values.len() > 1 {
        // The service's own words for this one are not known to us.
        wrong.push(
            "Invalid Resource Record: 'FATAL problem: TooManyRecords (only one value is allowed)'".into(),
        );
    }
}

/// A zone keeps its own SOA and NS.
fn apex(zone: &Zone, next: &Records, wrong: &mut Vec<String>) {
    let has = |kind: &str| next.values().any(|r| r.name == zone.name && r.kind.0 == kind);
    if !has("SOA") {
        wrong.push("A HostedZone must contain exactly one SOA record.".into());
    }
    if !has("NS") {
        wrong.push("A HostedZone must contain at least one NS record for the zone itself.".into());
    }
}

/// What may stand beside what under one name.
fn together(zone: &Zone, batch: &[(Verb, RecordSet)], next: &Records, wrong: &mut Vec<String>) {
    for (_, record) in batch.iter().filter(|(verb, _)| *verb != Verb::Delete) {
        let (name, zone_name) = (written(&record.name), written(&zone.name));
        let others = || next.values().filter(|r| r.name == record.name);
        if record.kind.0 == "CNAME" && record.name == zone.name {
            wrong.push(format!(
                "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {zone_name}"
            ));
        } else if record.kind.0 == "CNAME" && others().any(|r| r.kind.0 != "CNAME") {
            wrong.push(format!(
                "RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records \
                 with the same DNS name in zone {zone_name}"
            ));
        } else if record.kind.0 != "CNAME" && others().any(|r| r.kind.0 == "CNAME") {
            wrong.push(format!(
                "RRSet of type {} with DNS name {name} is not permitted because a conflicting RRSet of type \
                 CNAME with the same DNS name already exists in zone {zone_name}",
                record.kind.0
            ));
        }
        routed(record, next, wrong);
    }
}

/// One routing policy, and one TTL, for all sets of a name and type. The service's own words are not known to us.
fn routed(record: &RecordSet, next: &Records, wrong: &mut Vec<String>) {
    const POLICIES: [&str; 7] = [
        "Weight",
        "Region",
        "Failover",
        "MultiValueAnswer",
        "GeoLocation.",
        "GeoProximityLocation.",
        "CidrRoutingConfig.",
    ];
    let policy = |r: &RecordSet| {
        let is = |policy: &str| {
            r.extra.keys().any(|key| key == policy || policy.ends_with('.') && key.starts_with(policy))
        };
        POLICIES.into_iter().find(|policy| is(policy))
    };
    let mut beside = next.values().filter(|r| r.name == record.name && r.kind == record.kind);
    let subject = || format!("RRSet with DNS name {}, type {}", written(&record.name), record.kind.0);
    if policy(record).is_some() != record.extra.contains_key("SetIdentifier") {
        wrong.push(format!("{}: SetIdentifier and a routing policy go together", subject()));
    } else if let Some(other) = beside.clone().find(|r| policy(r) != policy(record)) {
        let word = |r: &RecordSet| policy(r).unwrap_or("simple");
        wrong.push(format!(
            "{} cannot be created as {} because there is one that is {}",
            subject(),
            word(record),
            word(other)
        ));
    } else if policy(record) == Some("Weight")
        && beside.any(|r| r.ttl.is_some() && record.ttl.is_some() && r.ttl != record.ttl)
    {
        wrong.push(format!("{}: all sets of a weighted group have one TTL", subject()));
    }
}
