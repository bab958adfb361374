//! Somebody else changes a record, a rule or a service that the plan changes, or holds the lock of it.

use super::{FOREIGN, MomentFault, deed, is_busy, services, written};
use crate::port::dns::RecordSet;
use crate::port::need::Need;
use crate::rehearse::faults::Class;
use crate::rehearse::scene::Scene;
use crate::sim::{Deed, RecordFile, RuleFile, World};
use std::collections::{BTreeMap, BTreeSet};

/// The lock of another run.
const OTHER: &str = "\"switchover v1 run=OTHER plan=other by=bo@elsewhere since=2026-01-06T09:00:00Z \
                     until=2026-01-06T13:00:00Z\"";

pub(super) const RECORD: MomentFault = MomentFault {
    name: "world.foreign-record",
    text: "somebody else changes the record",
    class: Class::World,
    may: FOREIGN,
    targets: records,
    strike: |scene, target| put(scene, target, "A", "203.0.113.9"),
};

pub(super) const LOCK: MomentFault = MomentFault {
    name: "world.locked",
    text: "another run has the lock of the record",
    class: Class::World,
    may: FOREIGN,
    targets: locks,
    strike: |scene, target| put(scene, target, "TXT", OTHER),
};

pub(super) const WEIGHT: MomentFault = MomentFault {
    name: "world.foreign-weight",
    text: "somebody else changes the weight of a record set",
    class: Class::World,
    may: FOREIGN,
    targets: weighted,
    strike: |scene, target| foreign_weight(scene, target),
};

pub(super) const SERVICE: MomentFault = MomentFault {
    name: "world.foreign-service",
    text: "somebody else deploys",
    class: Class::World,
    may: FOREIGN,
    targets: services,
    strike: foreign_service,
};

pub(super) const RULE: MomentFault = MomentFault {
    name: "world.foreign-rule",
    text: "somebody else changes the weights of the rule",
    class: Class::World,
    may: FOREIGN,
    targets: rules,
    strike: foreign_rule,
};

fn records(scene: &Scene) -> Vec<String> {
    names(scene, "dns:")
}

/// Names by which the plan locks its records.
fn locks(scene: &Scene) -> Vec<String> {
    names(scene, "lock:")
}

fn names(scene: &Scene, kind: &str) -> Vec<String> {
    let places = if is_busy(scene) { written(scene, kind) } else { BTreeSet::new() };
    places.iter().filter_map(|place| Some(place.split_once('/')?.1.to_owned())).collect()
}

fn put(scene: &Scene, name: &str, kind: &str, value: &str) {
    let (name, kind, values) = (name.into(), kind.into(), vec![value.into()]);
    let record = RecordFile { name, kind, ttl: Some(60), values, ..RecordFile::default() };
    deed(scene, Deed { set_record: Some(record), ..Deed::default() });
}

/// Names whose weights the plan changes.
fn weighted(scene: &Scene) -> Vec<String> {
    let needs = scene.setting.actions.needs();
    let shifted = |name: &String| {
        needs.iter().any(|(_, need)| matches!(need, Need::Weighted { name: own, .. } if own.as_str() == name))
    };
    let all = records(scene).into_iter().filter(shifted);
    all.filter(|name| scene.world(|world, _| heaviest(world, name).is_some())).collect()
}

/// The set of a name that has the largest weight.
fn heaviest(world: &World, name: &str) -> Option<RecordSet> {
    let weight = |set: &RecordSet| set.extra.get("Weight").and_then(|weight| weight.parse::<u8>().ok());
    let sets = world.zones.iter().flat_map(|zone| zone.newest().values());
    let own = sets.filter(|set| set.name.as_str() == name && weight(set).is_some());
    own.max_by_key(|set| weight(set)).cloned()
}

/// Somebody gives it a weight that no plan does.
fn foreign_weight(scene: &Scene, name: &str) {
    let Some(set) = scene.world(|world, _| heaviest(world, name)) else { return };
    let alias = set.alias.as_ref().and_then(|alias| {
        scene.world(|world, _| {
            let all = world.balancers.values();
            all.filter(|one| one.dns_name == alias.name).map(|one| one.name.clone()).next()
        })
    });
    let by_health = set.alias.as_ref().is_some_and(|alias| alias.evaluate_health);
    let record = RecordFile {
        name: name.into(),
        kind: set.kind.0,
        ttl: set.ttl,
        values: set.values,
        evaluate_target_health: by_health && alias.is_some(),
        alias,
        set: set.extra.get("SetIdentifier").cloned(),
        weight: Some(203),
        ..RecordFile::default()
    };
    deed(scene, Deed { set_record: Some(record), ..Deed::default() });
}

/// `load balancer/port/priority`, of the rules that the plan shifts.
fn rules(scene: &Scene) -> Vec<String> {
    if !is_busy(scene) {
        return Vec::new();
    }
    let places = written(scene, "alb:");
    let three = |place: &String| {
        let mut parts = place.rsplitn(4, '/');
        let (rule, port) = (parts.next()?, parts.next()?);
        Some(format!("{}/{port}/{rule}", parts.next()?))
    };
    places.iter().filter_map(three).collect()
}

/// Somebody deals to all groups of a rule, and to none as much as to another.
fn foreign_rule(scene: &mut Scene, target: &str) {
    let parts: Vec<&str> = target.split('/').collect();
    let [balancer, port, rule] = parts[..] else { return };
    let (Ok(port), priority) = (port.parse::<u16>(), rule.parse::<u32>().ok()) else { return };
    let weights = scene.world(|world, _| {
        let found = world.balancers.get(balancer)?;
        let own = |one: &&crate::sim::ListenerRule| one.port == port && one.priority == priority;
        let shares = &found.rules.iter().find(own)?.shares;
        Some(shares.iter().zip(301..).map(|((group, _), weight)| (group.clone(), weight)).collect())
    });
    let Some(weights) = weights else { return };
    let rule = RuleFile { load_balancer: balancer.into(), port, priority, weights };
    deed(scene, Deed { set_rule: Some(rule), ..Deed::default() });
}

fn foreign_service(scene: &mut Scene, target: &str) {
    let Some((cluster, name)) = target.split_once('/') else { return };
    scene.world(|world, now| {
        let Some(found) = world.service(cluster, name) else { return };
        let Some(definition) = world.definition(&found.deployments[0].definition) else { return };
        let mut content = definition.content.clone();
        content["tags"] = serde_json::json!([{"key": "by", "value": "somebody else"}]);
        content["cpu"] = "128".into();
        let Ok(registered) = world.register(content, now) else { return };
        let arn = registered.arn.clone();
        let set_service = BTreeMap::from([(target.to_owned(), arn)]);
        let _ = world.perform(Deed { set_service, ..Deed::default() }, now);
    });
}
