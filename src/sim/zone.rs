//! Zones as Route 53 keeps them: record sets, their versions, and how changes travel to the name servers.
//!
//! Time is an argument. The rules that a change must keep are in `change`, what a name server says in `answer`.

use super::health_check::HealthCheckFile;
use crate::plan::Timestamp;
use crate::port::dns::{Name, RecordSet, RecordType};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What makes a record set one: name in listing order, type, set identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetKey {
    /// The labels from the last to the first: Route 53 lists in this order.
    reversed: String,
    kind: RecordType,
    set: String,
}

impl SetKey {
    /// Of a record set.
    #[must_use]
    pub fn of(record: &RecordSet) -> Self {
        Self::new(&record.name, &record.kind, record.extra.get("SetIdentifier").map_or("", String::as_str))
    }

    /// The first possible one from here on, for paging.
    #[must_use]
    pub fn new(name: &Name, kind: &RecordType, set: &str) -> Self {
        let mut labels: Vec<&str> = name.as_str().split('.').collect();
        labels.reverse();
        // A low separator, so that `a.b` comes after `b` and before `a-c.b`.
        Self { reversed: labels.join("\u{1}"), kind: kind.clone(), set: set.into() }
    }
}

/// All record sets of a zone at one version.
pub type Records = BTreeMap<SetKey, RecordSet>;

/// A zone.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Name,
    /// The name servers that its parent sends resolvers to.
    pub delegation: Vec<Name>,
    /// Only resolvers inside its network answer from it.
    pub private: bool,
    /// Health checks that are stated.
    pub health_checks: Vec<HealthCheckFile>,
    /// The accepted versions, oldest first; never empty. The last is what listing shows.
    versions: Vec<Version>,
    /// How often it was changed.
    changes: u32,
}

/// One version of a zone.
#[derive(Clone, Debug)]
struct Version {
    accepted: Timestamp,
    records: Arc<Records>,
    /// Stands for the records.
    print: u64,
}

impl Version {
    fn new(accepted: Timestamp, records: Records) -> Self {
        let mut hash = DefaultHasher::new();
        for record in records.values() {
            write_record(record, &mut hash);
        }
        Self { accepted, records: Arc::new(records), print: hash.finish() }
    }
}

/// A change that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeInfo {
    /// Its id.
    pub id: String,
    /// When it was accepted.
    pub submitted: Timestamp,
    /// When it is INSYNC.
    pub insync: Timestamp,
    /// As sent.
    pub comment: Option<String>,
}

impl Zone {
    /// A zone with these record sets.
    #[must_use]
    pub fn new(id: String, name: Name, delegation: Vec<Name>, records: Records) -> Self {
        let versions = vec![Version::new(Timestamp::PAST, records)];
        Self { id, name, delegation, private: false, health_checks: Vec::new(), versions, changes: 0 }
    }

    /// The newest version, pending or not.
    #[must_use]
    pub fn newest(&self) -> &Arc<Records> {
        &self.versions[self.versions.len() - 1].records
    }

    /// What a name server serves that gets changes `delay` after they were accepted.
    #[must_use]
    pub fn served(&self, now: Timestamp, delay: Duration) -> &Arc<Records> {
        let known = |version: &&Version| version.accepted.after(delay) <= now;
        &self.versions.iter().rev().find(known).unwrap_or(&self.versions[0]).records
    }

    /// Puts a new version in place, and forgets those that no name server serves any more.
    pub fn put(&mut self, now: Timestamp, records: Records, slowest: Duration) {
        self.versions.push(Version::new(now, records));
        self.changes += 1;
        let oldest = self.oldest_served(now, slowest);
        self.versions.drain(..oldest);
    }

    fn oldest_served(&self, now: Timestamp, slowest: Duration) -> usize {
        self.versions.iter().rposition(|version| version.accepted.after(slowest) <= now).unwrap_or(0)
    }

    /// The versions that any name server serves or will serve: what stands for their records, and when the slowest of
    /// the name servers has each.
    pub(super) fn travelling(
        &self,
        now: Timestamp,
        slowest: Duration,
    ) -> impl Iterator<Item = (u64, Timestamp)> + '_ {
        let served = self.versions.iter().skip(self.oldest_served(now, slowest));
        served.map(move |version| (version.print, version.accepted.after(slowest)))
    }

    /// A health check that is stated, or that one of its sets names: then it passes.
    #[must_use]
    pub fn health_check(&self, id: &str) -> Option<HealthCheckFile> {
        let stated = self.health_checks.iter().find(|check| check.id == id).cloned();
        let is_named = |set: &RecordSet| set.extra.get("HealthCheckId").is_some_and(|named| named == id);
        stated.or_else(|| {
            let asks = "https://health.example/".into();
            let passing = HealthCheckFile { id: id.into(), healthy: true, asks };
            self.newest().values().any(is_named).then_some(passing)
        })
    }

    /// Whether the health check that a set names, if it names one, passes.
    #[must_use]
    pub fn passes(&self, set: &RecordSet) -> bool {
        let Some(id) = set.extra.get("HealthCheckId") else { return true };
        self.health_checks.iter().all(|check| check.healthy || check.id != *id)
    }

    /// Whether a primary server keeps it, and takes dynamic updates of it.
    #[must_use]
    pub fn is_updated(&self) -> bool {
        self.id == self.name.as_str()
    }

    /// The serial of its newest version on a primary server. On AWS it stays what it was.
    #[must_use]
    pub fn serial(&self) -> u32 {
        1 + self.changes
    }

    /// Whether the name is in this zone.
    #[must_use]
    pub fn holds(&self, name: &Name) -> bool {
        name.is_within(&self.name)
    }
}

fn write_record(record: &RecordSet, hash: &mut impl Hasher) {
    (&record.name, &record.kind, record.ttl, &record.values, &record.extra).hash(hash);
    let alias = record.alias.as_ref();
    alias.map(|alias| (&alias.name, &alias.zone_id, alias.evaluate_health)).hash(hash);
}

/// The name as Route 53 writes it: with its dot, and octal escapes for what is not a letter, digit, `-`, `_` or `.`.
#[must_use]
pub fn written(name: &Name) -> String {
    let mut out = String::new();
    for c in name.as_str().chars() {
        match c {
            'a'..='z' | '0'..='9' | '-' | '_' | '.' => out.push(c),
            other => out.extend(octal(other)),
        }
    }
    out.push('.');
    out
}

/// `\052` for `*`.
fn octal(c: char) -> [char; 4] {
    let code = u32::from(c) & 0xff;
    let digit = |shift: u32| char::from_digit(code >> shift & 7, 8).unwrap_or('0');
    ['\\', digit(6), digit(3), digit(0)]
}
