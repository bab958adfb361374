//! Routed sets of a name (Route 53): which of them is meant, which share each has, and the same listing with other shares, or with one
//! of them leading elsewhere.

use super::sets;
use crate::action::shares::Stage;
use crate::port::Share;
use crate::port::dns::{Name, RecordSet};
use crate::run::Fault;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The largest weight of a set.
pub(super) const MOST: u32 = 255;
/// What a name says whose sets say nothing.
const ALIKE: &str =
    "has weight 0 for each of its sets, by which all are served alike: give them weights first";

/// The weights of a name whose sets are exactly those that a plan names, for each of its types.
pub(super) fn shares(name: &Name, listed: &[RecordSet], named: &[Arc<str>]) -> Result<Vec<Share>, Fault> {
    let refused = |why: String| Err(Fault::permanent(format!("{name} {why}")));
    let mut shares: Vec<Share> = Vec::new();
    for set in listed {
        sets::must_not_be_by_policy(name, set)?;
        let Some(weight) = sets::weight(set) else {
            return refused(format!(
                "has no weights: it is {set}. A weighted set cannot stand beside one that is not: make weighted sets of it \
                 first"
            ));
        };
        let id = identifier(set);
        match shares.iter().find(|share| share.group == id) {
            Some(share) if share.weight != weight => {
                return refused(format!(
                    "gives set `{id}` the weight {} and, for {}, {weight}: give it one weight first",
                    share.weight, set.kind.0
                ));
            }
            Some(_) => {}
            None => shares.push(Share { group: id.to_owned(), weight }),
        }
    }
    let kinds = listed.iter().map(|set| &set.kind);
    for kind in kinds {
        let has = |id: &str| listed.iter().any(|set| set.kind == *kind && identifier(set) == id);
        if let Some(missing) = named.iter().find(|id| !has(id)) {
            return refused(format!("has no set `{missing}` of type {}", kind.0));
        }
    }
    if let Some(other) = shares.iter().find(|share| !named.iter().any(|id| **id == *share.group)) {
        return refused(format!("has a set `{}`, which the plan does not name", other.group));
    }
    if shares.is_empty() {
        return refused("has no record whose weights could be changed".into());
    }
    if shares.iter().all(|share| share.weight == 0) {
        return refused(ALIKE.into());
    }
    Ok(shares)
}

/// Refuses sets of which one answer does not show what is listed: those of a record with one answer do, and each answer of
/// routed sets is that of one of them. How a name is spoken to may be routed otherwise than where it leads.
pub(super) fn must_be_simple_or_routed(name: &Name, listed: &[RecordSet]) -> Result<(), Fault> {
    must_show(name, &sets::leading(listed))?;
    must_show(name, &sets::services(listed))
}

fn must_show(name: &Name, listed: &[RecordSet]) -> Result<(), Fault> {
    if listed.iter().any(|set| identifier(set).is_empty()) {
        return sets::must_be_simple(name, listed);
    }
    for set in listed {
        sets::must_not_be_by_policy(name, set)?;
        if set.extra.get("MultiValueAnswer").is_some_and(|many| many == "true") {
            let text = format!(
                "{name} answers with several of its sets at once (multivalue answers): no answer shows which"
            );
            return Err(Fault::permanent(text));
        }
        let default = |key: &str| {
            let of_it = |other: &RecordSet| {
                other.kind == set.kind && other.extra.get(key).is_some_and(|value| value == "*")
            };
            listed.iter().any(of_it)
        };
        let by = |prefix: &str| set.extra.keys().any(|key| key.starts_with(prefix));
        if by("GeoLocation.") && !default("GeoLocation.CountryCode")
            || by("CidrRoutingConfig.") && !default("CidrRoutingConfig.LocationName")
        {
            let text = format!(
                "{name} has no default set (`*`): where no set fits there is no answer, and nobody can tell from here which name \
                 servers have a change; make one first"
            );
            return Err(Fault::permanent(text));
        }
        let mut beside = listed.iter().filter(|other| other.kind == set.kind);
        if beside.all(|other| sets::weight(other) == Some(0)) {
            return Err(Fault::permanent(format!("{name} {ALIKE}")));
        }
    }
    Ok(())
}

/// The same sets with other weights; nothing else of them changes.
pub(super) fn dealing(listed: &[RecordSet], stage: &Stage) -> Vec<RecordSet> {
    let dealt = |set: &RecordSet| {
        let mut set = set.clone();
        if let Some(share) = stage.groups.iter().find(|share| share.group == identifier(&set)) {
            set.extra.insert("Weight".into(), share.weight.to_string());
        }
        set
    };
    listed.iter().map(dealt).collect()
}

/// The sets of this identifier, one of each type that it has.
pub(super) fn sets_of(name: &Name, listed: &[RecordSet], id: &str) -> Result<Vec<RecordSet>, Fault> {
    must_be_simple_or_routed(name, listed)?;
    let own: Vec<RecordSet> = listed.iter().filter(|set| identifier(set) == id).cloned().collect();
    if !own.is_empty() {
        return Ok(own);
    }
    let mut others: Vec<&str> = listed.iter().map(identifier).filter(|id| !id.is_empty()).collect();
    others.dedup();
    let there = if others.is_empty() {
        format!("it is {}: leave `set` out", sets::describe(listed))
    } else {
        format!("it has {}", others.join(", "))
    };
    Err(Fault::permanent(format!("{name} has no set `{id}`: {there}")))
}

/// Makes sets that are chosen as those are: by weight, region, failover or place, and by their health checks.
pub(super) fn choose_as(own: &[RecordSet], made: &mut [RecordSet]) {
    for set in made {
        if let Some(was) = own.iter().find(|was| was.kind == set.kind).or(own.first()) {
            set.extra.clone_from(&was.extra);
        }
    }
}

/// The same listing with `to` in place of one of its sets. All others stay, so that its types must stay as well; and, among
/// those that are chosen by weight, its TTL.
pub(super) fn leading_elsewhere(
    name: &Name,
    listed: &[RecordSet],
    own: &[RecordSet],
    to: Vec<RecordSet>,
) -> Result<Vec<RecordSet>, Fault> {
    let kinds = |sets: &[RecordSet]| sets.iter().map(|set| set.kind.clone()).collect::<BTreeSet<_>>();
    let others: Vec<RecordSet> = listed.iter().filter(|set| !own.contains(set)).cloned().collect();
    let id = own.first().map_or("", identifier);
    if !others.is_empty() && kinds(own) != kinds(&to) {
        return Err(Fault::permanent(format!(
            "set {id} of {name} would become {}, and is {}: other sets stand beside it, and stay of these types",
            sets::describe(&to),
            sets::describe(own)
        )));
    }
    for set in to.iter().filter(|set| sets::weight(set).is_some()) {
        let apart = |other: &&RecordSet| {
            other.kind == set.kind && other.ttl.is_some_and(|ttl| set.ttl.is_some_and(|own| own != ttl))
        };
        if let Some(other) = others.iter().find(apart) {
            return Err(Fault::permanent(format!(
                "{name} would have {set} beside {other}: weighted sets have one TTL; leave `ttl` out, or lower that of all of \
                 them first (`dns.ttl`)"
            )));
        }
    }
    Ok(sets::in_order([others, to].concat()))
}

/// What tells it from the other sets of its name and type.
pub(super) fn identifier(set: &RecordSet) -> &str {
    set.extra.get("SetIdentifier").map_or("", String::as_str)
}
