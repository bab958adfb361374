//! A deployment that moves requests in stages ends in its midst.

use super::{MomentFault, deed, service_of, services};
use crate::plan::Timestamp;
use crate::rehearse::faults::Class;
use crate::rehearse::laws::May;
use crate::rehearse::scene::Scene;
use crate::run::Mode;
use crate::sim::{Deed, REQUESTED};
use std::time::Duration;

/// How long new tasks take before any request comes to them.
const READY: Duration = Duration::from_secs(60);

const MAY: May = May { stop: true, delay: true, ..May::NOTHING };

pub(super) const TURNED_BACK: MomentFault = MomentFault {
    name: "deploy.turned-back",
    text: "the service turns the deployment back in its midst, for an alarm of its own",
    class: Class::Deployment,
    may: MAY,
    targets: under_way,
    strike: |scene, target| {
        let reason = "Service deployment rolled back because of alarm state changes.";
        turn_back(scene, target, reason, in_the_midst(scene, target));
    },
};

pub(super) const STOPPED: MomentFault = MomentFault {
    name: "deploy.stopped",
    text: "somebody else turns the deployment back as it begins",
    class: Class::Deployment,
    may: MAY,
    targets: under_way,
    strike: |scene, target| turn_back(scene, target, REQUESTED, scene.now()),
};

/// `cluster/service`, of those that take over in stages what the plan deploys, and go forward.
fn under_way(scene: &Scene) -> Vec<String> {
    if scene.run.mode != Mode::Forward {
        return Vec::new();
    }
    let forward = |target: &String| {
        scene.world(|world, _| {
            let one = service_of(world, target).and_then(crate::sim::Service::under_way);
            one.is_some_and(|one| one.stage.is_some() && !one.status.is_stopping())
        })
    };
    services(scene).into_iter().filter(forward).collect()
}

/// Half of what the clock alone takes, once new tasks are there.
fn in_the_midst(scene: &Scene, target: &str) -> Timestamp {
    let least = scene.world(|world, _| {
        let service = service_of(world, target);
        service.map_or(Duration::ZERO, |service| service.strategy.told(service.breaker).at_least())
    });
    scene.now().after(READY + least / 2)
}

fn turn_back(scene: &Scene, target: &str, reason: &str, at: Timestamp) {
    let turned = Deed { turn_back: [(target.to_owned(), reason.to_owned())].into(), ..Deed::default() };
    if at <= scene.now() {
        return deed(scene, turned);
    }
    scene.world(|world, _| world.schedule(at, turned));
}
