//! Weighted sets of a name (Route 53): which share each has, and the same listing with other shares.

use super::sets;
use crate::action::shares::Stage;
use crate::port::Share;
use crate::port::dns::{Name, RecordSet};
use crate::run::Fault;
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
/// weighted sets is one that has a weight.
pub(super) fn must_be_simple_or_weighted(name: &Name, listed: &[RecordSet]) -> Result<(), Fault> {
    if listed.iter().any(|set| sets::weight(set).is_none()) {
        return sets::must_be_simple(name, listed);
    }
    for set in listed {
        sets::must_not_be_by_policy(name, set)?;
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

/// What tells it from the other sets of its name and type.
pub(super) fn identifier(set: &RecordSet) -> &str {
    set.extra.get("SetIdentifier").map_or("", String::as_str)
}
