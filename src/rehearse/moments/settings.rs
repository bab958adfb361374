//! Somebody else turns what the plan has set.

use super::{FOREIGN, MomentFault, deed, is_busy, written};
use crate::port::{Attribute, Scaling};
use crate::rehearse::faults::Class;
use crate::rehearse::scene::Scene;
use crate::sim::{AttributesFile, Deed, Span};
use std::time::Duration;

/// What no plan sets, and each attribute takes.
const THEIRS: Span = Span(Duration::from_secs(777));

pub(super) const ATTRIBUTE: MomentFault = MomentFault {
    name: "world.foreign-attribute",
    text: "somebody else changes the attribute",
    class: Class::World,
    may: FOREIGN,
    targets: attributes,
    strike: |scene, target| foreign_attribute(scene, target),
};

pub(super) const SCALING: MomentFault = MomentFault {
    name: "world.foreign-scaling",
    text: "somebody else sets how far a service is scaled",
    class: Class::World,
    may: FOREIGN,
    targets: scaled,
    strike: |scene, target| foreign_scaling(scene, target),
};

/// `load_balancer/name/attribute`, of those that the plan sets.
fn attributes(scene: &Scene) -> Vec<String> {
    if !is_busy(scene) {
        return Vec::new();
    }
    let three = |place: &String| {
        let mut parts = place.rsplitn(4, '/');
        let (attribute, name) = (parts.next()?, parts.next()?);
        Some(format!("{}/{name}/{attribute}", parts.next()?))
    };
    written(scene, "alb-attribute:").iter().filter_map(three).collect()
}

fn foreign_attribute(scene: &Scene, target: &str) {
    let parts: Vec<&str> = target.split('/').collect();
    let [owner, name, attribute] = parts[..] else { return };
    let named = |word: &str| (owner == word).then(|| name.to_owned());
    let value = |own: Attribute| (attribute == own.word()).then_some(THEIRS);
    let file = AttributesFile {
        load_balancer: named("load_balancer"),
        target_group: named("target_group"),
        client_keep_alive: value(Attribute::ClientKeepAlive),
        idle_timeout: value(Attribute::IdleTimeout),
        deregistration_delay: value(Attribute::DeregistrationDelay),
    };
    deed(scene, Deed { set_attributes: Some(file), ..Deed::default() });
}

/// `cluster/service`, of those whose bounds the plan sets.
fn scaled(scene: &Scene) -> Vec<String> {
    if !is_busy(scene) {
        return Vec::new();
    }
    let two = |place: &String| {
        let mut parts = place.rsplit('/');
        let service = parts.next()?;
        Some(format!("{}/{service}", parts.next()?))
    };
    written(scene, "scaling:").iter().filter_map(two).collect()
}

/// So many tasks more at both ends as no plan holds.
const MORE: u32 = 7;

/// Somebody gives it bounds that no plan does.
fn foreign_scaling(scene: &Scene, target: &str) {
    let Some((cluster, name)) = target.split_once('/') else { return };
    let found = scene.world(|world, _| world.service(cluster, name).and_then(|service| service.scaling));
    let Some(Scaling { min, max }) = found else { return };
    let theirs = Scaling { min: min + MORE, max: max + MORE };
    deed(scene, Deed { set_scaling: [(target.to_owned(), theirs)].into(), ..Deed::default() });
}
