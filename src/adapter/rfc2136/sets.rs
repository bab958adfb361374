//! Record sets between the wire and our words, and what a batch makes of those that are there.

use super::super::dns::{named, on_wire, present};
use crate::port::binding::Binding;
use crate::port::dns::{Name, RecordChange, RecordSet, RecordType};
use hickory_proto::rr::rdata::svcb::{SvcParamKey, SvcParamValue, Unknown};
use hickory_proto::rr::rdata::{CNAME, HTTPS, NS, PTR, SVCB};
use hickory_proto::rr::{self, RData, Record};
use std::collections::BTreeMap;

/// Types that are asked for one by one: a server may tell of them all at once, and need not (RFC 8482).
pub(super) const KINDS: [rr::RecordType; 12] = [
    rr::RecordType::A,
    rr::RecordType::AAAA,
    rr::RecordType::CNAME,
    rr::RecordType::TXT,
    rr::RecordType::MX,
    rr::RecordType::NS,
    rr::RecordType::SRV,
    rr::RecordType::CAA,
    rr::RecordType::PTR,
    rr::RecordType::HTTPS,
    rr::RecordType::SVCB,
    rr::RecordType::ANY,
];

/// What a server puts in place of all types when it does not tell them (RFC 8482).
const NOT_TOLD: rr::RecordType = rr::RecordType::HINFO;

/// BIND's own notes on how far it has signed a zone.
const SIGNING: rr::RecordType = rr::RecordType::Unknown(65534);

/// A record set, and how it was on the wire.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) set: RecordSet,
    pub(super) records: Vec<Record>,
}

/// What makes a set one, and all that is compared of it.
type Print = (Name, RecordType, Option<u32>, Vec<String>);

impl Listed {
    fn new(name: &Name, records: Vec<Record>) -> Option<Self> {
        let kind = records.first()?.record_type();
        let values: Vec<String> = records.iter().map(|record| present(&record.data)).collect();
        let ttl = records.iter().map(|record| record.ttl).max();
        let kind = match kind {
            rr::RecordType::Unknown(code) => RecordType(format!("TYPE{code}")),
            known => RecordType(known.to_string()),
        };
        let set = RecordSet { name: name.clone(), kind, ttl, values, alias: None, extra: BTreeMap::new() };
        Some(Self { set, records })
    }

    /// A set that is to be made.
    ///
    /// # Errors
    /// Why a zone on a primary server cannot have it.
    pub(super) fn made(set: &RecordSet) -> Result<Self, String> {
        let unsound = |why: &str| format!("record {} {}: {why}", set.name, set.kind.0);
        if set.alias.is_some() || !set.extra.is_empty() {
            return Err(unsound("aliases and routed sets are beyond this zone"));
        }
        let ttl = set.ttl.ok_or_else(|| unsound("it has no TTL"))?;
        let kind: rr::RecordType =
            set.kind.0.parse().map_err(|_| unsound("there is no such type of record"))?;
        let owner = on_wire(&set.name)?;
        let mut records = Vec::new();
        for value in &set.values {
            let data = data(kind, value).map_err(|why| unsound(&format!("`{value}`: {why}")))?;
            let record = Record::from_rdata(owner.clone(), ttl, data);
            // No set has a record twice, whatever it is made of.
            if !records.contains(&record) {
                records.push(record);
            }
        }
        Self::new(&set.name, records).ok_or_else(|| unsound("it has no values"))
    }

    pub(super) fn print(&self) -> Print {
        let mut values = self.set.values.clone();
        values.sort();
        (self.set.name.clone(), self.set.kind.clone(), self.set.ttl, values)
    }

    /// The same of any name.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let ((_, kind, ttl, values), (_, kinds, ttls, others)) = (self.print(), other.print());
        (kind, ttl, values) == (kinds, ttls, others)
    }

    fn is(&self, set: &RecordSet) -> bool {
        self.set.name == set.name && self.set.kind == set.kind
    }

    fn is_cname(&self) -> bool {
        self.set.kind.0 == "CNAME"
    }
}

/// As they are told apart.
pub(super) fn prints(sets: &[Listed]) -> Vec<Print> {
    let mut prints: Vec<Print> = sets.iter().map(Listed::print).collect();
    prints.sort();
    prints
}

/// The sets of a name among the records of some answers; what a signed zone adds by itself is left out.
pub(super) fn listed<'r>(name: &Name, records: impl Iterator<Item = &'r Record>) -> Vec<Listed> {
    let mut kinds: BTreeMap<u16, Vec<Record>> = BTreeMap::new();
    for record in records {
        let kind = record.record_type();
        let skipped = kind.is_dnssec()
            || matches!(kind, NOT_TOLD | rr::RecordType::OPT | rr::RecordType::SOA | SIGNING);
        if skipped || named(&record.name) != *name {
            continue;
        }
        let known = kinds.entry(kind.into()).or_default();
        // It was told by its type, and once more with all types.
        if !known.contains(record) {
            known.push(record.clone());
        }
    }
    kinds.into_values().filter_map(|records| Listed::new(name, records)).collect()
}

/// What is sent for a batch, and what is there afterwards.
pub(super) struct Plan {
    /// They must be there, exactly so.
    pub(super) gone: Vec<Listed>,
    /// They must not be there, unless they are among those that go.
    pub(super) come: Vec<Listed>,
    /// All sets of all names afterwards.
    pub(super) after: Vec<Listed>,
}

/// Why a batch is not sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Something else is there than the batch says.
    Foreign(String),
    /// It makes no sense.
    Unsound(String),
}

/// Holds a batch against what is there, TTLs too: no server compares those.
pub(super) fn plan(batch: &[RecordChange], there: &[Listed]) -> Result<Plan, Unfit> {
    let (mut gone, mut come, mut after) = (Vec::new(), Vec::new(), there.to_vec());
    for change in batch {
        let RecordChange::Delete(set) = change else { continue };
        let wanted = Listed::made(set).map_err(Unfit::Unsound)?;
        let found = after.iter().position(|listed| listed.is(set));
        match found.filter(|place| after[*place].print() == wanted.print()) {
            Some(place) => gone.push(after.remove(place)),
            None => {
                let now =
                    found.map_or_else(|| "not there".into(), |place| format!("{} now", after[place].set));
                return Err(Unfit::Foreign(format!("{} {set} should go, and it is {now}", set.name)));
            }
        }
    }
    for change in batch {
        let RecordChange::Create(set) = change else { continue };
        let made = Listed::made(set).map_err(Unfit::Unsound)?;
        if let Some(other) = after.iter().find(|listed| listed.is(set)) {
            return Err(Unfit::Foreign(format!(
                "{} {set} should come, and there is {}",
                set.name, other.set
            )));
        }
        after.push(made.clone());
        come.push(made);
    }
    // A server ignores what cannot stand beside a CNAME, and says NOERROR (RFC 2136, section 3.4.2.2).
    let crowded = |listed: &&Listed| {
        let beside = after.iter().any(|other| other.set.name == listed.set.name && !other.is(&listed.set));
        listed.is_cname() && beside
    };
    let Some(cname) = after.iter().find(crowded) else { return Ok(Plan { gone, come, after }) };
    let why = format!("{} cannot have {} beside other records", cname.set.name, cname.set);
    Err(if come.iter().any(|made| made.is(&cname.set)) { Unfit::Unsound(why) } else { Unfit::Foreign(why) })
}

fn data(kind: rr::RecordType, value: &str) -> Result<RData, String> {
    let name = || on_wire(&Name::new(value));
    match kind {
        rr::RecordType::CNAME => Ok(RData::CNAME(CNAME(name()?))),
        rr::RecordType::NS => Ok(RData::NS(NS(name()?))),
        rr::RecordType::PTR => Ok(RData::PTR(PTR(name()?))),
        rr::RecordType::HTTPS => Ok(RData::HTTPS(HTTPS(service(value)?))),
        rr::RecordType::SVCB => Ok(RData::SVCB(service(value)?)),
        other => RData::try_from_str(other, value).map_err(|error| error.to_string()),
    }
}

/// Each parameter in its bytes, whatever its key means.
fn service(value: &str) -> Result<SVCB, String> {
    let Binding { priority, target, params } = Binding::read(value).ok_or("it is no service binding")?;
    let param = |(key, wire): (u16, Vec<u8>)| (SvcParamKey::from(key), SvcParamValue::Unknown(Unknown(wire)));
    Ok(SVCB::new(priority, on_wire(&target)?, params.into_iter().map(param).collect()))
}
