//! The names of a derived world: zones, record sets as they are at first, and which load balancers a name leads to, before
//! and after it is switched.

use super::super::balancer::BALANCER_ZONE;
use super::super::file::{RecordFile, WorldFile, ZoneFile};
use super::facts::Facts;
use super::sides::{Side, Sides};
use crate::port::dns::{Name, RecordSet};
use crate::port::need::{Asker, Leads, Need, Zone};
use std::collections::BTreeMap;

/// What resolvers keep an answer for, unless the plan or the world says otherwise.
const TTL: u32 = 300;
/// For what must have an address in IPv6 too; nobody is there.
const SIX: &str = "fd00::1";

/// Zones and names.
#[derive(Default)]
pub(super) struct Names {
    zones: Vec<(Zone, Vec<RecordFile>)>,
    /// Load balancers that a name leads to at some time, the first one first.
    leads: BTreeMap<Name, Vec<String>>,
    /// Names that are switched and lead somewhere before.
    switched: Vec<Name>,
}

/// All that a plan says of one name.
struct Said<'n> {
    asker: Asker,
    zone: &'n Zone,
    name: &'n Name,
    from: Option<&'n Leads>,
    to: Vec<&'n Leads>,
    ttl: Option<u32>,
    /// Sets that are led elsewhere: the name is a routed one.
    sets: Vec<&'n str>,
}

impl Names {
    pub(super) fn read(
        &mut self,
        needs: &[(Asker, Need)],
        sides: &mut Sides<'_>,
        facts: &Facts,
        opaque: &mut Vec<(Asker, String)>,
    ) {
        let said = self.said(needs, opaque);
        let mut after: Vec<Vec<String>> = Vec::new();
        for (asker, need) in needs {
            let Need::Weighted { zone, name, sets: ids } = need else { continue };
            if !self.knows(*asker, zone, opaque) {
                continue;
            }
            let all = match facts.zones.get(&zone.id).and_then(|zone| zone.records.get(name)) {
                Some(sets) => {
                    let (from, to, ttl, sets_led) = (None, Vec::new(), None, Vec::new());
                    let one = Said { asker: *asker, zone, name, from, to, ttl, sets: sets_led };
                    self.found(&one, sets, sides).into_iter().collect()
                }
                None => self.weighted(zone, name, ids, sides),
            };
            self.switched.push(name.clone());
            self.leads.insert(name.clone(), all);
        }
        // All sides that users go to are known before it is guessed where they come from.
        for one in &said {
            let mut found = Vec::new();
            for to in &one.to {
                match self.side(to, Side::New, one.zone, sides) {
                    Ok(name) => found.push(name),
                    Err(why) => opaque.push((one.asker, why)),
                }
            }
            after.push(found);
        }
        for (one, after) in said.iter().zip(after) {
            let real = facts.zones.get(&one.zone.id).and_then(|zone| zone.records.get(one.name));
            let before = match real {
                Some(sets) => Ok(self.found(one, sets, sides)),
                None => self.before(one, &after, sides),
            };
            let before = before.unwrap_or_else(|why| {
                opaque.push((one.asker, why));
                None
            });
            if before.is_some() && !after.is_empty() {
                self.switched.push(one.name.clone());
            }
            let mut all: Vec<String> = before.into_iter().chain(after).collect();
            all.dedup();
            self.leads.insert(one.name.clone(), all);
        }
    }

    /// The first name that is switched, and led somewhere before.
    pub(super) fn switched(&self) -> Option<&Name> {
        self.switched.first()
    }

    /// The load balancers that a name is known to lead to.
    pub(super) fn balancers(&self, name: &Name) -> &[String] {
        self.leads.get(name).map_or(&[], Vec::as_slice)
    }

    /// The load balancers that a host name leads to at some time; a name that nobody knows gets one.
    pub(super) fn reached(&mut self, host: &Name, sides: &mut Sides<'_>) -> Vec<String> {
        match self.leads.get(host) {
            Some(known) => known.clone(),
            None => self.host(host, Side::Other, false, sides).into_iter().collect(),
        }
    }

    pub(super) fn write(self, file: &mut WorldFile) {
        for (zone, records) in self.zones {
            let zone_file = ZoneFile {
                id: zone.id,
                name: None,
                delegated_to: None,
                private: false,
                health_checks: Vec::new(),
                records,
            };
            file.zones.insert(zone.name.to_string(), zone_file);
        }
    }

    /// What is said of each name, and a zone for each.
    fn said<'n>(&mut self, needs: &'n [(Asker, Need)], opaque: &mut Vec<(Asker, String)>) -> Vec<Said<'n>> {
        let mut said: Vec<Said<'n>> = Vec::new();
        for (asker, need) in needs {
            let Need::Record { zone, name, from, to, ttl, set } = need else { continue };
            if !self.knows(*asker, zone, opaque) {
                continue;
            }
            match said.iter_mut().find(|one| one.zone.id == zone.id && one.name == name) {
                Some(one) => {
                    // Where it leads at first is what the first switch says.
                    one.from = one.from.or(from.as_ref().filter(|_| one.to.is_empty()));
                    one.to.extend(to);
                    one.ttl = one.ttl.min(*ttl).or(one.ttl).or(*ttl);
                    one.sets.extend(set.as_deref());
                }
                None => said.push(Said {
                    asker: *asker,
                    zone,
                    name,
                    from: from.as_ref(),
                    to: to.iter().collect(),
                    ttl: *ttl,
                    sets: set.as_deref().into_iter().collect(),
                }),
            }
        }
        said
    }

    /// The zone is one of the world's: a new one, unless another has its name.
    fn knows(&mut self, asker: Asker, zone: &Zone, opaque: &mut Vec<(Asker, String)>) -> bool {
        match self.zones.iter().find(|(known, _)| known.name == zone.name) {
            None => self.zones.push((zone.clone(), Vec::new())),
            Some((known, _)) if known.id != zone.id => {
                let why = format!(
                    "zone {} has the name of zone {}, and one of them is modelled",
                    zone.id, known.id
                );
                opaque.push((asker, why));
                return false;
            }
            Some(_) => {}
        }
        true
    }

    /// A load balancer for each set; the first has all the weight.
    fn weighted(&mut self, zone: &Zone, name: &Name, ids: &[String], sides: &mut Sides<'_>) -> Vec<String> {
        let label = name.as_str().split('.').next().unwrap_or("side");
        let (mut balancers, mut records) = (Vec::new(), Vec::new());
        for (place, id) in ids.iter().enumerate() {
            let balancer = format!("{label}-{id}");
            let side = if place + 1 == ids.len() { Side::New } else { Side::Old };
            sides.named(&balancer, side, false);
            records.push(RecordFile {
                kind: "A".into(),
                alias: Some(balancer.clone()),
                set: Some(id.clone()),
                weight: Some(if place == 0 { 100 } else { 0 }),
                ..named(name, zone)
            });
            balancers.push(balancer);
        }
        let known = self.zones.iter_mut().find(|(known, _)| known.id == zone.id);
        if let Some((_, all)) = known {
            all.append(&mut records);
        }
        balancers
    }

    /// The load balancer on the other end.
    fn side(
        &mut self,
        leads: &Leads,
        side: Side,
        zone: &Zone,
        sides: &mut Sides<'_>,
    ) -> Result<String, String> {
        let full = || "there are more load balancers than a world has room for".to_owned();
        match leads {
            Leads::Nowhere => Err("it leads nowhere".into()),
            Leads::Balancer { name, .. } => Ok(name.clone()),
            Leads::Cname(host) => self.host(&Name::new(host), side, false, sides).ok_or_else(full),
            Leads::Alias { name, zone_id } => {
                let elb = name.trim_end_matches('.').ends_with(".elb.amazonaws.com");
                match zone_id {
                    Some(id) if *id == zone.id => {
                        self.host(&Name::new(name), side, true, sides).ok_or_else(full)
                    }
                    Some(id) if *id != BALANCER_ZONE || !elb => {
                        Err(format!("an alias to {name} in zone {id} is not modelled"))
                    }
                    _ => sides.at_host(&Name::new(name), side, false).ok_or_else(full),
                }
            }
            Leads::Addresses { four, .. } => match four.first() {
                Some(address) => sides.at_address(*address, side).ok_or_else(full),
                None => Err("only IPv4 is modelled".into()),
            },
        }
    }

    /// The load balancer that a host name leads to. In a zone of ours there is a record for it: an alias, or, where
    /// another alias points at it, addresses.
    fn host(&mut self, host: &Name, side: Side, plain: bool, sides: &mut Sides<'_>) -> Option<String> {
        let zone = self.zones.iter().position(|(zone, _)| host.is_within(&zone.name));
        let name = sides.at_host(host, side, zone.is_some())?;
        let Some(zone) = zone else { return Some(name) };
        if self.leads.contains_key(host) {
            return Some(name);
        }
        self.leads.insert(host.clone(), vec![name.clone()]);
        let (zone, records) = &mut self.zones[zone];
        let record = |kind: &str| RecordFile { kind: kind.into(), ..named(host, zone) };
        if plain {
            let values = |value: String| (Some(60), vec![value]);
            for (kind, (ttl, values)) in
                [("A", values(sides.address(&name).to_string())), ("AAAA", values(SIX.into()))]
            {
                records.push(RecordFile { ttl, values, ..record(kind) });
            }
        } else {
            records.push(RecordFile { alias: Some(name.clone()), ..record("A") });
        }
        Some(name)
    }

    /// Where a name leads at first, as the plan says, or made up.
    fn before(
        &mut self,
        said: &Said<'_>,
        after: &[String],
        sides: &mut Sides<'_>,
    ) -> Result<Option<String>, String> {
        let record = |kind: &str| RecordFile { kind: kind.into(), ..named(said.name, said.zone) };
        let ttl = Some(said.ttl.map_or(TTL, |ttl| ttl.saturating_mul(2).max(TTL)));
        let plain = |kind: &str, values: Vec<String>| RecordFile { ttl, values, ..record(kind) };
        let (records, side) = match said.from {
            Some(Leads::Nowhere) => return Ok(None),
            Some(leads @ Leads::Cname(host)) => {
                (vec![plain("CNAME", vec![host.clone()])], self.side(leads, Side::Old, said.zone, sides))
            }
            Some(leads @ Leads::Addresses { four, six }) => {
                let mut records = Vec::new();
                if !four.is_empty() {
                    records.push(plain("A", four.iter().map(ToString::to_string).collect()));
                }
                if !six.is_empty() {
                    records.push(plain("AAAA", six.iter().map(ToString::to_string).collect()));
                }
                (records, self.side(leads, Side::Old, said.zone, sides))
            }
            Some(Leads::Alias { name, .. }) => {
                let found = sides.at_host(&Name::new(name), Side::Old, false);
                let found = found.ok_or("there are more load balancers than a world has room for")?;
                (vec![RecordFile { alias: Some(found.clone()), ..record("A") }], Ok(found))
            }
            Some(Leads::Balancer { name, .. }) => {
                sides.named(name, Side::Old, false);
                (vec![leading(said, name, ttl, sides)], Ok(name.clone()))
            }
            None => {
                let label = said.name.as_str().split('.').next().unwrap_or("side");
                let found = sides.before(after.first().map_or(label, String::as_str));
                let found = found.ok_or("there are more load balancers than a world has room for")?;
                (vec![leading(said, &found, ttl, sides)], Ok(found))
            }
        };
        self.put(said, routed(&said.sets, records));
        side.map(Some)
    }

    /// Where a name leads at first, as was found.
    fn found(&mut self, said: &Said<'_>, sets: &[RecordSet], sides: &mut Sides<'_>) -> Option<String> {
        let mut first = None;
        let mut records = Vec::new();
        for set in sets {
            let side = match (&set.alias, &*set.kind.0) {
                (Some(alias), _) => sides.at_host(&alias.name, Side::Old, false),
                (None, "CNAME") => {
                    set.values.first().and_then(|value| self.host(&Name::new(value), Side::Old, false, sides))
                }
                (None, "A") => set
                    .values
                    .first()
                    .and_then(|value| value.parse().ok())
                    .and_then(|value| sides.at_address(value, Side::Old)),
                _ => None,
            };
            let alias = set.alias.as_ref().and(side.clone());
            let by_health = set.alias.as_ref().is_some_and(|alias| alias.evaluate_health);
            first = first.or(side);
            records.push(RecordFile {
                kind: set.kind.0.clone(),
                ttl: set.ttl,
                values: set.values.clone(),
                evaluate_target_health: by_health && alias.is_some(),
                alias,
                set: set.extra.get("SetIdentifier").cloned(),
                weight: set.extra.get("Weight").and_then(|weight| weight.parse().ok()),
                fields: other_fields(set),
                ..named(said.name, said.zone)
            });
        }
        self.put(said, records);
        first
    }

    fn put(&mut self, said: &Said<'_>, records: Vec<RecordFile>) {
        let zone = self.zones.iter_mut().find(|(zone, _)| zone.id == said.zone.id);
        if let Some((_, known)) = zone {
            // It may have been met before as the name that another one leads to.
            let own = named(said.name, said.zone).name;
            known.retain(|record| record.name != own);
            known.extend(records);
        }
    }
}

/// What files have no word of their own for.
fn other_fields(set: &RecordSet) -> BTreeMap<String, String> {
    let own = |key: &str| matches!(key, "SetIdentifier" | "Weight");
    set.extra.iter().filter(|(key, _)| !own(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Each of these sets leads there, and all of them are told alike; if there are none, it is a record with one answer.
fn routed(sets: &[&str], records: Vec<RecordFile>) -> Vec<RecordFile> {
    if sets.is_empty() {
        return records;
    }
    let mut ids: Vec<&str> = Vec::new();
    for id in sets {
        if !ids.contains(id) {
            ids.push(id);
        }
    }
    let of = |id: &&str| {
        let set = Some((*id).to_owned());
        records.iter().map(move |record| RecordFile { set: set.clone(), weight: Some(100), ..record.clone() })
    };
    ids.iter().flat_map(of).collect()
}

/// What leads to a load balancer: a CNAME, unless it is of the zone's own name.
fn leading(said: &Said<'_>, balancer: &str, ttl: Option<u32>, sides: &mut Sides<'_>) -> RecordFile {
    let own = named(said.name, said.zone);
    if said.name == &said.zone.name {
        return RecordFile { kind: "A".into(), alias: Some(balancer.to_owned()), ..own };
    }
    RecordFile { kind: "CNAME".into(), ttl, values: vec![sides.host(balancer)], ..own }
}

/// A record set of this name, as files have it.
fn named(name: &Name, zone: &Zone) -> RecordFile {
    let inside = name.as_str().strip_suffix(zone.name.as_str()).map(|label| label.trim_end_matches('.'));
    let label = match inside {
        Some("") => "@",
        Some(label) => label,
        None => name.as_str(),
    };
    RecordFile { name: label.into(), ..RecordFile::default() }
}
