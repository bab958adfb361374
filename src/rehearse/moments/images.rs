//! What was deployed, and what tasks run, is not as it should be.

use super::{MomentFault, deed, one};
use crate::plan::{Kind, StepIx, Timestamp, Value, parse_duration};
use crate::rehearse::faults::Class;
use crate::rehearse::laws::May;
use crate::rehearse::scene::Scene;
use crate::run::{Mode, Phase};
use crate::sim::{Behaviour, Deed, Definition, Span};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) const BREACH_AT_THE_EDGE: MomentFault = MomentFault {
    name: "signal.breach-at-the-edge",
    text: "what was deployed fails its users from just before the last look of a monitor on",
    class: Class::Check,
    may: May { stop: true, hurt: true, must_fire: true, ..May::NOTHING },
    targets: while_watched,
    strike: |scene, _| fail_at_the_edge(scene),
};

pub(super) const NEW_SIDE_FAILS: MomentFault = MomentFault {
    name: "world.new-side-fails",
    text: "what was deployed fails its users from then on",
    class: Class::Deployment,
    may: May { stop: true, hurt: true, must_fire: true, ..May::NOTHING },
    targets: while_watched,
    strike: |scene, _| change_images(scene, new_side(scene), |how| how.error_rate = 1.0),
};

pub(super) const NEVER_STABLE: MomentFault = MomentFault {
    name: "deploy.never-stable",
    text: "the new tasks never become ready",
    class: Class::Deployment,
    may: May { stop: true, ..May::NOTHING },
    targets: deploying,
    strike: |scene, _| {
        every_new_image(scene, |how| how.starts_in = Some(Span(Duration::from_secs(86_400))));
    },
};

pub(super) const CRASHES: MomentFault = MomentFault {
    name: "deploy.crashes",
    text: "the new tasks crash as they begin: the circuit breaker rolls back",
    class: Class::Deployment,
    may: May { stop: true, ..May::NOTHING },
    targets: deploying,
    strike: |scene, _| {
        every_new_image(scene, |how| how.crashes_after = Some(Span(Duration::from_secs(3))));
    },
};

pub(super) const IMAGE_MISSING: MomentFault = MomentFault {
    name: "deploy.image-missing",
    text: "the new image cannot be pulled",
    class: Class::Deployment,
    may: May { stop: true, ..May::NOTHING },
    targets: deploying,
    strike: |scene, _| every_new_image(scene, |how| how.unpullable = true),
};

pub(super) const TASK_FAILS: MomentFault = MomentFault {
    name: "task.fails",
    text: "the one-off task exits with 1",
    class: Class::Deployment,
    may: May { stop: true, ..May::NOTHING },
    targets: deploying,
    strike: |scene, _| every_job(scene, |how| how.exit_code = 1),
};

pub(super) const TASK_NEVER_RUNS: MomentFault = MomentFault {
    name: "task.exit-code-absent",
    text: "the one-off task never runs: it has no exit code",
    class: Class::Deployment,
    may: May { stop: true, ..May::NOTHING },
    targets: deploying,
    strike: |scene, _| every_job(scene, |how| how.unpullable = true),
};

/// Images that nothing ran at first: what the plan deploys.
fn new_images(scene: &Scene) -> Vec<String> {
    let world = &scene.setting.world;
    let old: BTreeSet<String> = world
        .definitions
        .iter()
        .flat_map(|definition| definition.containers())
        .map(|container| container.image)
        .collect();
    world.images.keys().filter(|image| !old.contains(*image)).cloned().collect()
}

/// Images that run where users were not led at first: behind other load balancers, or in target groups that no rule dealt
/// requests to.
fn new_side(scene: &Scene) -> Vec<String> {
    let at_first = |group: &str| {
        let mut rules = scene.setting.world.balancers.values().flat_map(|balancer| &balancer.rules);
        rules.any(|rule| rule.shares.iter().any(|(name, weight)| name == group && *weight > 0))
    };
    scene.world(|world, _| {
        let away = |service: &&crate::sim::Service| {
            let group = service.group.as_ref().and_then(|group| world.groups.get(group));
            group.is_some_and(|group| !scene.setting.home.contains(&group.balancer) || !at_first(&group.name))
        };
        let definitions = world.services.iter().filter(away);
        let definitions =
            definitions.filter_map(|service| world.definition(&service.deployments[0].definition));
        definitions.flat_map(Definition::containers).map(|container| container.image).collect()
    })
}

fn change_images(scene: &Scene, images: Vec<String>, change: impl Fn(&mut Behaviour)) {
    let image = changed_images(scene, images, change);
    deed(scene, Deed { image, ..Deed::default() });
}

fn changed_images(
    scene: &Scene,
    images: Vec<String>,
    change: impl Fn(&mut Behaviour),
) -> BTreeMap<String, Behaviour> {
    scene.world(|world, _| {
        let changed = images.into_iter().filter_map(|image| {
            let mut how = world.images.get(&image)?.clone();
            change(&mut how);
            Some((image, how))
        });
        changed.collect()
    })
}

fn every_new_image(scene: &Scene, change: impl Fn(&mut Behaviour)) {
    change_images(scene, new_images(scene), change);
}

fn every_job(scene: &Scene, change: impl Fn(&mut Behaviour)) {
    let world = &scene.setting.world;
    let jobs = world.images.iter().filter(|(_, how)| how.app == crate::sim::App::Job);
    change_images(scene, jobs.map(|(image, _)| image.clone()).collect(), change);
}

/// How long before its last look a monitor is met at its edge, in milliseconds.
const EDGE: u64 = 1000;

/// What was deployed fails just before a monitor is over; at once, if it does not say how long it watches.
fn fail_at_the_edge(scene: &mut Scene) {
    let run = &scene.run;
    let last = run.plan.places().find_map(|ix| {
        let Kind::Act(Some(uses)) = &run.plan[ix].kind else { return None };
        let length =
            uses.with.get("for").and_then(Value::as_text).and_then(|text| parse_duration(text).ok())?;
        matches!(run[ix].phase, Phase::Watching { .. })
            .then(|| run.since(ix).map(|since| since.after(length)))?
    });
    let at = last.map_or(scene.now(), |last| Timestamp(last.0.saturating_sub(EDGE)));
    let image = changed_images(scene, new_side(scene), |how| how.error_rate = 1.0);
    scene.world(|world, _| world.schedule(at, Deed { image, ..Deed::default() }));
}

/// A step that deploys or runs something is about to write.
fn deploying(scene: &Scene) -> Vec<String> {
    let run = &scene.run;
    let writes = |ix: StepIx| {
        let action = scene.setting.actions.get(ix);
        let own =
            action.is_some_and(|action| action.traits().resources.iter().any(|name| name.starts_with("ecs")));
        own && matches!(run[ix].phase, Phase::Applying { .. })
    };
    if run.mode == Mode::Forward && run.plan.places().any(writes) { one() } else { Vec::new() }
}

/// How long after its beginning a monitor, or a switch, is struck by what it should find out.
const EARLY: Duration = Duration::from_secs(90);

/// Users are on the new side: whoever relies on the plan relies on somebody seeing it there.
fn while_watched(scene: &Scene) -> Vec<String> {
    let run = &scene.run;
    let switched = run.plan.places().any(|ix| run.plan[ix].writes.is_some() && run[ix].phase == Phase::Done);
    let early = |ix: StepIx| run.since(ix).is_some_and(|since| scene.now().since(since) < EARLY);
    let monitors =
        |ix: StepIx| matches!(&run.plan[ix].kind, Kind::Act(Some(uses)) if &*uses.kind == "monitor");
    let watched = run.plan.places().any(monitors);
    let begins = |ix: StepIx| monitors(ix) && matches!(run[ix].phase, Phase::Watching { .. }) && early(ix);
    let users = scene.world(|world, _| world.users().is_some());
    let now = !watched || run.plan.places().any(begins);
    // At its very end a monitor may have seen enough; from the middle on it is not asked of it.
    if run.mode == Mode::Forward && switched && users && now { one() } else { Vec::new() }
}
