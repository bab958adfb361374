//! What a name server says of a name: authoritative data with its real TTLs, aliases resolved, wildcards, negative answers.
//!
//! Records come in presentation form; whoever serves them encodes them.

use super::zone::{Records, Zone, written};
use crate::port::dns::{Name, RecordSet};
use std::net::Ipv4Addr;

/// Seconds that resolvers may keep the SOA, and so a negative answer. Route 53's.
pub const SOA_TTL: u32 = 900;
/// The SOA's MINIMUM. Route 53's.
pub const SOA_MINIMUM: u32 = 86_400;
/// Seconds that resolvers may keep where a zone's name servers are.
pub const DELEGATION_TTL: u32 = 172_800;
/// Seconds that resolvers may keep the address of a load balancer, and so an alias to it.
pub const BALANCER_TTL: u32 = 60;

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its owner.
    pub name: Name,
    /// Its type.
    pub kind: String,
    /// In seconds.
    pub ttl: u32,
    /// Presentation form.
    pub value: String,
}

/// What a name server answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// It is an authority for the name.
    pub authoritative: bool,
    /// It does not answer for this name.
    pub refused: bool,
    /// The name does not exist.
    pub absent: bool,
    /// The answer.
    pub answers: Vec<Line>,
    /// The SOA, if the answer is that there is nothing.
    pub soa: Option<Line>,
    /// Who is to be asked instead.
    pub referral: Vec<Line>,
}

/// What aliases and weighted sets need to know.
pub struct Around<'a> {
    /// The addresses of a load balancer by its name; none if there is no such one.
    pub balancer: &'a dyn Fn(&Name) -> Vec<Ipv4Addr>,
    /// Whether a load balancer counts as healthy, by its name.
    pub healthy: &'a dyn Fn(&Name) -> bool,
    /// Between 0 and 1: picks among weighted sets.
    pub lot: f64,
}

/// What a name server says that serves these records.
#[must_use]
pub fn say(zone: &Zone, records: &Records, name: &Name, kind: &str, around: &Around<'_>) -> Said {
    let mut said = Said { authoritative: true, ..Said::default() };
    let mut asked = name.clone();
    // A chain of CNAMEs inside the zone is followed, as far as it is sound.
    for _ in 0..8 {
        let owner = owner(zone, records, &asked);
        let here: Vec<&RecordSet> = records.values().filter(|r| r.name == owner).collect();
        let wanted: Vec<&RecordSet> =
            here.iter().copied().filter(|r| r.kind.0 == kind || kind == "ANY").collect();
        if let Some(set) = pick(zone, &wanted, around) {
            said.answers.extend(lines(zone, records, set, &asked, around));
            break;
        }
        let cnames: Vec<&RecordSet> = here.iter().copied().filter(|r| r.kind.0 == "CNAME").collect();
        let Some(cname) = pick(zone, &cnames, around) else {
            let below = |r: &RecordSet| r.name.is_within(&asked);
            said.absent = here.is_empty() && !records.values().any(below);
            break;
        };
        let found = lines(zone, records, cname, &asked, around);
        let Some(target) = found.first().map(|line| Name::new(&line.value)) else { break };
        said.answers.extend(found);
        if !zone.holds(&target) {
            break;
        }
        asked = target;
    }
    // A CNAME that leads out of the zone is an answer; a name without the type is none.
    if said.answers.is_empty() {
        said.soa = soa(zone, records);
    }
    said
}

/// What the parent of a zone says of any name in it.
#[must_use]
pub fn refer(zone: &Zone) -> Said {
    let line = |server: &Name| Line {
        name: zone.name.clone(),
        kind: "NS".into(),
        ttl: DELEGATION_TTL,
        value: written(server),
    };
    let referral: Vec<Line> = zone.delegation.iter().map(line).collect();
    Said { absent: referral.is_empty(), authoritative: referral.is_empty(), referral, ..Said::default() }
}

/// The name whose records answer: itself, or the closest wildcard.
fn owner(zone: &Zone, records: &Records, name: &Name) -> Name {
    let exists = |name: &Name| records.values().any(|r| r.name.is_within(name));
    if exists(name) {
        return name.clone();
    }
    let mut rest = name.as_str();
    while let Some((_, parent)) = rest.split_once('.') {
        let wildcard = Name::new(&format!("*.{parent}"));
        if records.values().any(|r| r.name == wildcard) {
            return wildcard;
        }
        if parent == zone.name.as_str() || exists(&Name::new(parent)) {
            break;
        }
        rest = parent;
    }
    name.clone()
}

/// One set of those of a name and type: the only one, or one that is healthy, by weight. So those that weigh nothing stand in
/// where no other one is healthy; and where none is, all count as if they were. Route 53 developer guide, "How Amazon Route 53
/// chooses records when health checking is configured".
fn pick<'a>(zone: &Zone, sets: &[&'a RecordSet], around: &Around<'_>) -> Option<&'a RecordSet> {
    if sets.len() < 2 || sets.iter().all(|set| goes_by(zone, set).is_none() && zone.passes(set)) {
        return by_weight(sets, around.lot);
    }
    let is_healthy = |set: &RecordSet| zone.passes(set) && goes_by(zone, set).is_none_or(around.healthy);
    let healthy: Vec<&RecordSet> = sets.iter().copied().filter(|set| is_healthy(set)).collect();
    by_weight(if healthy.is_empty() { sets } else { &healthy }, around.lot)
}

/// The load balancer by whose health a set is in or out. One that stands alone has nothing to stand in for it.
fn goes_by<'a>(zone: &Zone, set: &'a RecordSet) -> Option<&'a Name> {
    let alias = set.alias.as_ref().filter(|alias| alias.evaluate_health && alias.zone_id != zone.id);
    alias.filter(|_| set.extra.contains_key("SetIdentifier")).map(|alias| &alias.name)
}

/// One of these by weight. If all weigh nothing, all count the same.
fn by_weight<'a>(sets: &[&'a RecordSet], lot: f64) -> Option<&'a RecordSet> {
    let weight = |r: &RecordSet| r.extra.get("Weight").and_then(|w| w.parse::<u32>().ok()).unwrap_or(1);
    let total: u32 = sets.iter().map(|r| weight(r)).sum();
    if total == 0 {
        let count = u32::try_from(sets.len()).unwrap_or(u32::MAX);
        let place = sets.iter().zip(1..).find(|(_, n)| lot * f64::from(count) < f64::from(*n));
        return place.map(|(set, _)| *set).or(sets.first().copied());
    }
    let mut reached = 0.0;
    for set in sets {
        reached += f64::from(weight(set)) / f64::from(total);
        if lot < reached {
            return Some(set);
        }
    }
    sets.last().copied()
}

fn lines(zone: &Zone, records: &Records, set: &RecordSet, owner: &Name, around: &Around<'_>) -> Vec<Line> {
    let line = |ttl: u32, value: String| Line { name: owner.clone(), kind: set.kind.0.clone(), ttl, value };
    let Some(alias) = &set.alias else {
        return set.values.iter().map(|v| line(set.ttl.unwrap_or(0), v.clone())).collect();
    };
    if alias.zone_id == zone.id && alias.name != set.name {
        let target = records.values().find(|r| r.name == alias.name && r.kind == set.kind);
        return target.filter(|r| r.alias.is_none()).map_or_else(Vec::new, |r| {
            r.values.iter().map(|v| line(r.ttl.unwrap_or(0), v.clone())).collect()
        });
    }
    if set.kind.0 != "A" {
        return Vec::new();
    }
    (around.balancer)(&alias.name)
        .into_iter()
        .map(|address| line(BALANCER_TTL, address.to_string()))
        .collect()
}

fn soa(zone: &Zone, records: &Records) -> Option<Line> {
    let set = records.values().find(|r| r.name == zone.name && r.kind.0 == "SOA")?;
    let value = set.values.first()?.clone();
    Some(Line { name: zone.name.clone(), kind: "SOA".into(), ttl: set.ttl.unwrap_or(SOA_TTL), value })
}
