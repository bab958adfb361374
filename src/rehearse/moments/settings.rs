//! Somebody else turns what the plan has set.

use super::{FOREIGN, MomentFault, deed, is_busy, written};
use crate::port::Attribute;
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
