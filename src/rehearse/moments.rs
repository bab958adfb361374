//! Faults that meet no call, but strike between two facts: deaths of the process, people, the world by itself.

mod foreign;
mod images;
mod names;
mod settings;
mod stages;

use super::faults::Class;
use super::laws::May;
use super::operator::{Answer, alert, operator};
use super::scene::Scene;
use crate::plan::{Kind, StepIx};
use crate::port::need::Need;
use crate::run::{Mode, Order, Phase, Rewind};
use crate::sim::{Deed, ParameterFile, World};
use std::collections::BTreeSet;
use std::time::Duration;

/// A fault that strikes between two facts.
#[derive(Debug)]
pub(super) struct MomentFault {
    pub(super) name: &'static str,
    /// What happens, for people.
    pub(super) text: &'static str,
    pub(super) class: Class,
    pub(super) may: May,
    /// Strikes once for each of these; none: it means nothing at this moment.
    pub(super) targets: fn(&Scene) -> Vec<String>,
    pub(super) strike: fn(&mut Scene, &str),
}

const STOPS: May = May { stop: true, ..May::NOTHING };
/// Somebody else has taken away or changed what the way back, or users, stand on.
const FOREIGN: May = May { stop: true, stick: true, delay: true, hurt: true, ..May::NOTHING };

/// All of them.
pub(super) const MOMENTS: &[MomentFault] = &[
    MomentFault {
        name: "people.abort",
        text: "an operator aborts",
        class: Class::People,
        may: STOPS,
        targets: live,
        strike: |scene, _| order(scene, Order::Rollback { rewind: Rewind::Safe, reason: "enough".into() }, 0),
    },
    MomentFault {
        name: "people.pause",
        text: "an operator pauses, and goes on five minutes later",
        class: Class::People,
        may: STOPS,
        targets: live,
        strike: |scene, _| {
            order(scene, Order::Pause { reason: None }, 0);
            order(scene, Order::Continue, 300);
        },
    },
    MomentFault {
        name: "people.kill-switch",
        text: "somebody raises the flag of a kill switch",
        class: Class::People,
        may: STOPS,
        targets: flags,
        strike: |scene, flag| raise(scene, flag),
    },
    MomentFault {
        name: "people.silent",
        text: "nobody answers the approval",
        class: Class::People,
        may: STOPS,
        targets: before_approval,
        strike: |scene, _| scene.operator.answer = Answer::Never,
    },
    MomentFault {
        name: "people.reject",
        text: "the approval is rejected",
        class: Class::People,
        may: STOPS,
        targets: before_approval,
        strike: |scene, _| scene.operator.answer = Answer::Reject,
    },
    MomentFault {
        name: "people.late",
        text: "the approval comes after it has expired",
        class: Class::People,
        may: STOPS,
        targets: before_approval,
        strike: |scene, _| scene.operator.answer = Answer::Late,
    },
    MomentFault {
        name: "process.sleeps",
        text: "the machine is asleep for ten minutes: its clock jumps",
        class: Class::Process,
        may: May { stop: true, delay: true, ..May::NOTHING },
        targets: live,
        strike: |scene, _| scene.sleep(Duration::from_secs(600)),
    },
    MomentFault {
        name: "process.wakes-late",
        text: "suspended with a call to send; another process takes the run over and aborts it; then it wakes up",
        class: Class::Process,
        may: May { stop: true, delay: true, ..May::NOTHING },
        targets: sending,
        strike: |scene, _| scene.suspend(),
    },
    MomentFault {
        name: "process.clock-set-back",
        text: "the clock was wrong, and is set back by two minutes",
        class: Class::Process,
        may: May { stop: true, delay: true, ..May::NOTHING },
        targets: live,
        strike: |scene, _| scene.set_clock_back(Duration::from_secs(120)),
    },
    MomentFault {
        name: "process.disk-full",
        text: "no room is left: the run pauses on what was set aside, and is resumed when there is room",
        class: Class::Process,
        may: May { stop: true, delay: true, ..May::NOTHING },
        targets: live,
        strike: |scene, _| scene.interrupt(),
    },
    MomentFault {
        name: "signal.tripped-from-outside",
        text: "an alert names a guard of the plan",
        class: Class::Check,
        may: STOPS,
        targets: webhooks,
        strike: trip,
    },
    images::BREACH_AT_THE_EDGE,
    foreign::RECORD,
    foreign::LOCK,
    foreign::WEIGHT,
    foreign::SERVICE,
    foreign::RULE,
    settings::ATTRIBUTE,
    settings::SCALING,
    MomentFault {
        name: "world.definition-gone",
        text: "the task definition that ran before is deregistered",
        class: Class::WayBack,
        may: FOREIGN,
        targets: services,
        strike: |scene, target| {
            let Some(definition) = first_definition(scene, target) else { return };
            deed(scene, Deed { deregister: Some(definition), ..Deed::default() });
        },
    },
    MomentFault {
        name: "world.image-gone",
        text: "the image that ran before is deleted",
        class: Class::WayBack,
        may: FOREIGN,
        targets: services,
        strike: |scene, target| {
            let Some(image) = first_image(scene, target) else { return };
            deed(scene, Deed { delete_image: Some(image), ..Deed::default() });
        },
    },
    MomentFault {
        name: "world.old-side-gone",
        text: "the load balancer of the old side is torn down",
        class: Class::WayBack,
        may: FOREIGN,
        targets: old_sides,
        strike: |scene, target| deed(scene, Deed { tear_down: Some(target.into()), ..Deed::default() }),
    },
    images::NEW_SIDE_FAILS,
    MomentFault {
        name: "world.tasks-crash",
        text: "tasks crash after they were healthy",
        class: Class::Deployment,
        may: May { stop: true, hurt: true, ..May::NOTHING },
        targets: services_done,
        strike: |scene, target| deed(scene, Deed { stop_tasks: Some(target.into()), ..Deed::default() }),
    },
    images::NEVER_STABLE,
    images::CRASHES,
    images::IMAGE_MISSING,
    stages::TURNED_BACK,
    stages::STOPPED,
    images::TASK_FAILS,
    images::TASK_NEVER_RUNS,
    names::ONE_LAGS,
    names::PENDING,
    names::BLOCKED,
    names::IGNORES_TTL,
];

fn one() -> Vec<String> {
    vec![String::new()]
}

fn live(scene: &Scene) -> Vec<String> {
    if scene.run.is_live() { one() } else { Vec::new() }
}

/// Files whose existence is a signal, and parameters that are one.
fn flags(scene: &Scene) -> Vec<String> {
    if !scene.run.is_live() {
        return Vec::new();
    }
    let flags = scene.setting.actions.needs().into_iter().filter_map(|(_, need)| match need {
        Need::Flag { file } => Some(file),
        Need::Parameter { name, raised: Some(_), .. } => Some(name),
        _ => None,
    });
    flags.collect::<BTreeSet<_>>().into_iter().collect()
}

fn raise(scene: &Scene, flag: &str) {
    for (_, need) in scene.setting.actions.needs() {
        match need {
            Need::Flag { file } if file == flag => {
                deed(scene, Deed { put_file: Some(file), ..Deed::default() });
            }
            Need::Parameter { name, raised: Some(value), .. } if name == flag => {
                let parameters = [(name, ParameterFile { value, encrypted: false })].into();
                deed(scene, Deed { parameters, ..Deed::default() });
            }
            _ => {}
        }
    }
}

/// Guards that are tripped from outside, also where they do not watch now.
fn webhooks(scene: &Scene) -> Vec<String> {
    if !scene.run.is_live() {
        return Vec::new();
    }
    let outside = scene.run.plan.guards.iter().filter(|guard| guard.is_outside());
    outside.map(|guard| guard.id.to_string()).collect()
}

fn trip(scene: &mut Scene, name: &str) {
    let Some(guard) = scene.run.plan.guards.iter().position(|guard| *guard.id == *name) else { return };
    let order = Order::Trip { guard, reason: "too many requests fail".into() };
    scene.operator.will(scene.now(), alert(), order);
}

/// A call is announced, and has not been sent.
fn sending(scene: &Scene) -> Vec<String> {
    if crate::run::due(&scene.run).iter().any(|due| due.work.writes()) { one() } else { Vec::new() }
}

fn before_approval(scene: &Scene) -> Vec<String> {
    let run = &scene.run;
    let waits = |ix: StepIx| {
        matches!(run.plan[ix].kind, Kind::Approve(_))
            && run[ix].phase == Phase::Waiting
            && run.plan[ix].needs.iter().all(|need| run[*need].phase != Phase::Waiting)
    };
    if run.plan.places().any(waits) { one() } else { Vec::new() }
}

fn order(scene: &mut Scene, order: Order, after: u64) {
    let at = scene.now().after(Duration::from_secs(after));
    scene.operator.will(at, operator(), order);
}

fn deed(scene: &Scene, deed: Deed) {
    // What the world refuses does not happen.
    let _ = scene.world(|world, now| world.perform(deed, now));
}

/// What the plan's steps write, by the words of its locks.
fn written(scene: &Scene, kind: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for ix in scene.run.plan.places() {
        let Some(action) = scene.setting.actions.get(ix) else { continue };
        let traits = action.traits();
        let own = traits.resources.iter().filter(|_| traits.writes);
        all.extend(own.filter_map(|name| name.strip_prefix(kind)).map(str::to_owned));
    }
    all
}

/// The run still does something, or looks at what it did: what happens after that is nobody's to notice.
fn is_busy(scene: &Scene) -> bool {
    let (run, plan) = (&scene.run, &scene.setting.plan);
    let own = |ix: &StepIx| !plan.is_finally(*ix);
    match run.mode {
        Mode::Idle => true,
        Mode::Forward => plan.places().filter(own).any(|ix| !run.passed(ix)),
        Mode::Rollback => plan.places().filter(own).any(|ix| !run[ix].settled()),
        Mode::Finished(_) => false,
    }
}

/// `cluster/service`, of the services that the plan deploys.
fn services(scene: &Scene) -> Vec<String> {
    if !is_busy(scene) {
        return Vec::new();
    }
    let places = written(scene, "ecs:");
    let two = |place: &String| {
        let mut parts = place.rsplit('/');
        let service = parts.next()?;
        Some(format!("{}/{service}", parts.next()?))
    };
    places.iter().filter_map(two).collect()
}

fn services_done(scene: &Scene) -> Vec<String> {
    let forward = scene.run.mode == Mode::Forward;
    let done = scene.run.plan.places().any(|ix| scene.run[ix].phase == Phase::Done && scene.run[ix].marked());
    if forward && done { services(scene) } else { Vec::new() }
}

fn service_of<'w>(world: &'w World, target: &str) -> Option<&'w crate::sim::Service> {
    let (cluster, name) = target.split_once('/')?;
    world.service(cluster, name)
}

fn first_definition(scene: &Scene, target: &str) -> Option<String> {
    let world = &scene.setting.world;
    Some(world.definition(&service_of(world, target)?.deployments.first()?.definition)?.arn.clone())
}

fn first_image(scene: &Scene, target: &str) -> Option<String> {
    let world = &scene.setting.world;
    let definition = world.definition(&service_of(world, target)?.deployments.first()?.definition)?;
    Some(definition.containers().first()?.image.clone())
}

/// Load balancers that users were led to at first.
fn old_sides(scene: &Scene) -> Vec<String> {
    scene.setting.home.clone()
}
