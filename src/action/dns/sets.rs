//! Record sets as wholes: which of a name's sets say where it leads, whether two listings are the same, and what may be
//! switched at all.

use crate::port::binding::service_binding;
use crate::port::dns::{Name, RecordChange, RecordSet, RecordType};
use crate::run::Fault;
use serde_json::{Value as Json, json};
use std::time::Duration;

pub(super) use crate::port::stated::{LEADING, SERVICE, in_order, leading, values, weight};

/// Whether a service binding (RFC 9460) says where its name leads, and not only how to speak there.
fn leads_by_service(set: &RecordSet) -> bool {
    let leads = |value: &String| {
        let value = service_binding(value);
        let target = value.split_whitespace().nth(1).unwrap_or(".");
        target != "." || value.contains("ipv4hint=") || value.contains("ipv6hint=")
    };
    matches!(&*set.kind.0, SERVICE | "SVCB") && (set.alias.is_some() || set.values.iter().any(leads))
}

/// Clients that go by such a record would not come to the new side. `switched`: what says how the name is spoken to goes with it,
/// unless it is whatever another name has.
pub(super) fn must_not_lead_by_service(name: &Name, all: &[RecordSet], switched: bool) -> Result<(), Fault> {
    let goes = |set: &RecordSet| switched && set.kind.0 == SERVICE && set.alias.is_none();
    let Some(set) = all.iter().find(|set| leads_by_service(set) && !goes(set)) else { return Ok(()) };
    Err(Fault::permanent(format!(
        "{name} has the record {set}, by which clients would go on to the old side: `dns.switch` takes the values of an HTTPS \
         record in `https`, and switches them together with this name; an alias, or another type, is for people"
    )))
}

/// The sets that say where the name leads, and how it is spoken to as well where that is switched with it.
pub(super) fn leading_with(all: &[RecordSet], services: bool) -> Vec<RecordSet> {
    let beside = if services { self::services(all) } else { Vec::new() };
    in_order([leading(all), beside].concat())
}

/// The sets whose TTLs say for how long whoever comes to the name goes on to where it leads: that of an alias is its target's, and
/// beside a service binding that is one no other is changed.
pub(super) fn lasting(all: &[RecordSet]) -> Vec<RecordSet> {
    leading_with(all, services(all).iter().all(|set| set.ttl.is_some()))
}

/// The types to ask for where these sets are listed: of services only where there are any.
pub(super) fn kinds(listed: &[RecordSet]) -> Vec<RecordType> {
    let service = has_services(listed).then_some(SERVICE);
    LEADING.into_iter().chain(service).map(|kind| RecordType(kind.into())).collect()
}

/// Whether one of them says how the name is spoken to.
pub(super) fn has_services(sets: &[RecordSet]) -> bool {
    sets.iter().any(|set| set.kind.0 == SERVICE)
}

/// Those that say how the name is spoken to.
pub(super) fn services(all: &[RecordSet]) -> Vec<RecordSet> {
    all.iter().filter(|set| set.kind.0 == SERVICE).cloned().collect()
}

/// Whether two listings say the same, in every field; the order of values means nothing.
pub(super) fn same(a: &[RecordSet], b: &[RecordSet]) -> bool {
    let canonical =
        |sets: &[RecordSet]| in_order(sets.to_vec()).into_iter().map(canonical).collect::<Vec<_>>();
    canonical(a) == canonical(b)
}

/// Whether two listings lead to the same, for however long resolvers keep it.
pub(super) fn lead_alike(a: &[RecordSet], b: &[RecordSet]) -> bool {
    let without_ttl = |sets: &[RecordSet]| {
        sets.iter().map(|set| RecordSet { ttl: None, ..set.clone() }).collect::<Vec<_>>()
    };
    same(&without_ttl(a), &without_ttl(b))
}

/// The largest TTL of them.
pub(super) fn longest(sets: &[RecordSet]) -> Duration {
    Duration::from_secs(sets.iter().filter_map(|set| set.ttl).max().unwrap_or_default().into())
}

fn canonical(mut set: RecordSet) -> RecordSet {
    set.values = values(&set);
    set
}

/// For people.
pub(super) fn describe(sets: &[RecordSet]) -> String {
    if sets.is_empty() {
        return "nothing".into();
    }
    sets.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The batch that makes one of the other: exactly these go, exactly those come, or nothing happens. What stays has no part
/// in it, but for a weighted set: its share depends on the others, so that it is compared with them.
pub(super) fn swap(old: &[RecordSet], new: &[RecordSet]) -> Vec<RecordChange> {
    let stays = |set: &RecordSet, others: &[RecordSet]| others.contains(set) && weight(set).is_none();
    let gone = old.iter().filter(|set| !stays(set, new)).cloned().map(RecordChange::Delete);
    let come = new.iter().filter(|set| !stays(set, old)).cloned().map(RecordChange::Create);
    gone.chain(come).collect()
}

/// A set as the `aws` command takes it, every field as listed.
pub(in crate::action) fn by_hand(set: &RecordSet) -> Json {
    let mut told = json!({"Name": set.name.as_str(), "Type": set.kind.0});
    if let Some(ttl) = set.ttl {
        told["TTL"] = ttl.into();
    }
    match &set.alias {
        Some(alias) => {
            told["AliasTarget"] = json!({
                "DNSName": alias.name.as_str(),
                "HostedZoneId": alias.zone_id,
                "EvaluateTargetHealth": alias.evaluate_health,
            });
        }
        None => {
            told["ResourceRecords"] = set.values.iter().map(|value| json!({ "Value": value })).collect();
        }
    }
    // A health check, and by what the set is chosen: `GeoLocation.CountryCode`.
    for (key, value) in &set.extra {
        match key.split_once('.') {
            None => told[key] = value.as_str().into(),
            Some((of, "Bias")) => {
                told[of]["Bias"] = value.parse::<i32>().map_or_else(|_| json!(value), Json::from);
            }
            Some((of, part @ ("Latitude" | "Longitude"))) => {
                told[of]["Coordinates"][part] = value.as_str().into();
            }
            Some((of, part)) => told[of][part] = value.as_str().into(),
        }
    }
    if let Some(weight) = weight(set) {
        told["Weight"] = weight.into();
    }
    told
}

/// Only a name with one answer can be switched by putting another in its place.
pub(super) fn must_be_simple(name: &Name, sets: &[RecordSet]) -> Result<(), Fault> {
    for set in sets {
        if let Some(identifier) = set.extra.get("SetIdentifier") {
            return Err(Fault::permanent(format!(
                "{name} is a routed record (set {identifier}): only a record with one answer can be switched"
            )));
        }
        must_not_be_by_policy(name, set)?;
        if sets.iter().filter(|other| other.kind == set.kind).count() > 1 {
            return Err(Fault::permanent(format!("{name} has several sets of type {}", set.kind.0)));
        }
    }
    Ok(())
}

/// A traffic policy makes the sets of its name.
pub(super) fn must_not_be_by_policy(name: &Name, set: &RecordSet) -> Result<(), Fault> {
    if set.extra.contains_key("TrafficPolicyInstanceId") {
        let text = format!("{name} is managed by a traffic policy, which would undo any change");
        return Err(Fault::permanent(text));
    }
    Ok(())
}

/// Somebody else keeps a name as they want it: external-dns marks what it owns by a TXT record beside it.
pub(super) fn owner(all: &[RecordSet]) -> Option<String> {
    let texts = all.iter().filter(|set| set.kind.0 == "TXT").flat_map(|set| &set.values);
    let marked = texts.filter(|value| value.contains("heritage=external-dns"));
    let mut owners = marked.map(|value| {
        let owner = value.split("external-dns/owner=").nth(1).unwrap_or_default();
        owner.split([',', '"']).next().unwrap_or_default().to_owned()
    });
    owners.next()
}

/// Where external-dns puts its marks for a name.
pub(super) fn marks_of(name: &Name) -> Vec<Name> {
    let text = name.as_str();
    let prefixed = ["a-", "aaaa-", "cname-"].map(|prefix| format!("{prefix}{text}"));
    std::iter::once(text.to_owned()).chain(prefixed).map(|name| Name::new(&name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::dns::tests::names;
    use crate::tests::inputs;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use proptest::sample::select;

    /// A listing as Route 53 has them: of one type and one identifier there is one set.
    fn listings() -> impl Strategy<Value = Vec<RecordSet>> {
        let key = (select(vec!["A", "AAAA", "CNAME"]), select(vec!["", "blue", "green"]));
        let addresses = vec(any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()), 1..4);
        let set = (1u32..86_400, addresses, names(), proptest::option::of(0..=255u32));
        btree_map(key, set, 0..5).prop_map(|sets| {
            let made = sets.into_iter().map(|((kind, id), (ttl, addresses, name, weight))| {
                let values = if kind == "A" { addresses } else { vec![name.to_string()] };
                let pairs = [
                    ("SetIdentifier", id.to_owned()),
                    ("Weight", weight.map_or(String::new(), |w| w.to_string())),
                ];
                let extra = pairs.into_iter().filter(|(_, value)| !value.is_empty());
                RecordSet {
                    name: Name::new("app.example.com"),
                    kind: RecordType(kind.into()),
                    ttl: Some(ttl),
                    values,
                    alias: None,
                    extra: extra.map(|(key, value)| (key.to_owned(), value)).collect(),
                }
            });
            made.collect()
        })
    }

    proptest! {
        #![proptest_config(inputs())]

        /// moto#7153: the provider does not hold a delete against every field; so each is compared here.
        #[test]
        fn the_order_of_sets_and_values_means_nothing_and_any_field_does(listing in listings(), at in any::<usize>()) {
            let mut turned = listing.clone();
            turned.reverse();
            for set in &mut turned {
                set.values.reverse();
            }
            prop_assert!(same(&listing, &turned) && same(&listing, &listing));
            if listing.is_empty() {
                return Ok(());
            }
            let at = at % listing.len();
            let changes: [fn(&mut RecordSet); 5] = [
                |set| set.ttl = set.ttl.map(|ttl| ttl + 1),
                |set| set.values.push("192.0.2.77".into()),
                |set| drop(set.extra.insert("HealthCheckId".into(), "another".into())),
                |set| set.values.clear(),
                |set| set.ttl = None,
            ];
            for change in changes {
                let mut other = turned.clone();
                change(&mut other[at]);
                prop_assert!(!same(&listing, &other), "{:?}", other[at]);
            }
            turned.remove(at);
            prop_assert!(!same(&listing, &turned));
        }

        /// Route 53 carries out a batch whole: what it deletes is there, and what it creates is not.
        #[test]
        fn a_batch_makes_one_listing_of_the_other(old in listings(), new in listings()) {
            let mut zone = old.clone();
            for change in swap(&old, &new) {
                match change {
                    RecordChange::Delete(set) => {
                        let there = zone.iter().position(|other| *other == set);
                        prop_assert!(there.is_some(), "{set} is not there");
                        zone.remove(there.unwrap());
                    }
                    RecordChange::Create(set) => {
                        let id = |set: &RecordSet| (set.kind.clone(), set.extra.get("SetIdentifier").cloned());
                        prop_assert!(zone.iter().all(|other| id(other) != id(&set)), "{set} is there");
                        zone.push(set);
                    }
                }
            }
            prop_assert!(same(&zone, &new));
        }
    }
}
