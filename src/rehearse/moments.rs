//! Faults that meet no call, but strike between two facts: deaths of the process, people, the world by itself.

mod names;
mod settings;
mod stages;

use super::faults::Class;
use super::laws::May;
use super::operator::{Answer, alert, operator};
use super::scene::Scene;
use crate::plan::{Kind, StepIx, Timestamp, Value, parse_duration};
use crate::port::dns::RecordSet;
use crate::port::need::Need;
use crate::run::{Mode, Order, Phase, Rewind};
use crate::sim::{Behaviour, Deed, Definition, ParameterFile, RecordFile, RuleFile, Span, World};
use std::collections::{BTreeMap, BTreeSet};
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

/// The lock of another run.
const OTHER: &str = "\"switchover v1 run=OTHER plan=other by=bo@elsewhere since=2026-01-06T09:00:00Z \
                     until=2026-01-06T13:00:00Z\"";

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
    MomentFault {
        name: "signal.breach-at-the-edge",
        text: "what was deployed fails its users from just before the last look of a monitor on",
        class: Class::Check,
        may: May { stop: true, hurt: true, must_fire: true, ..May::NOTHING },
        targets: while_watched,
        strike: |scene, _| fail_at_the_edge(scene),
    },
    MomentFault {
        name: "world.foreign-record",
        text: "somebody else changes the record",
        class: Class::World,
        may: FOREIGN,
        targets: records,
        strike: |scene, target| put(scene, target, "A", "203.0.113.9"),
    },
    MomentFault {
        name: "world.locked",
        text: "another run has the lock of the record",
        class: Class::World,
        may: FOREIGN,
        targets: locks,
        strike: |scene, target| put(scene, target, "TXT", OTHER),
    },
    MomentFault {
        name: "world.foreign-weight",
        text: "somebody else changes the weight of a record set",
        class: Class::World,
        may: FOREIGN,
        targets: weighted,
        strike: |scene, target| foreign_weight(scene, target),
    },
    MomentFault {
        name: "world.foreign-service",
        text: "somebody else deploys",
        class: Class::World,
        may: FOREIGN,
        targets: services,
        strike: foreign_service,
    },
    MomentFault {
        name: "world.foreign-rule",
        text: "somebody else changes the weights of the rule",
        class: Class::World,
        may: FOREIGN,
        targets: rules,
        strike: foreign_rule,
    },
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
    MomentFault {
        name: "world.new-side-fails",
        text: "what was deployed fails its users from then on",
        class: Class::Deployment,
        may: May { stop: true, hurt: true, must_fire: true, ..May::NOTHING },
        targets: while_watched,
        strike: |scene, _| change_images(scene, new_side(scene), |how| how.error_rate = 1.0),
    },
    MomentFault {
        name: "world.tasks-crash",
        text: "tasks crash after they were healthy",
        class: Class::Deployment,
        may: May { stop: true, hurt: true, ..May::NOTHING },
        targets: services_done,
        strike: |scene, target| deed(scene, Deed { stop_tasks: Some(target.into()), ..Deed::default() }),
    },
    MomentFault {
        name: "deploy.never-stable",
        text: "the new tasks never become ready",
        class: Class::Deployment,
        may: May { stop: true, ..May::NOTHING },
        targets: deploying,
        strike: |scene, _| {
            every_new_image(scene, |how| how.starts_in = Some(Span(Duration::from_secs(86_400))));
        },
    },
    MomentFault {
        name: "deploy.crashes",
        text: "the new tasks crash as they begin: the circuit breaker rolls back",
        class: Class::Deployment,
        may: May { stop: true, ..May::NOTHING },
        targets: deploying,
        strike: |scene, _| {
            every_new_image(scene, |how| how.crashes_after = Some(Span(Duration::from_secs(3))));
        },
    },
    MomentFault {
        name: "deploy.image-missing",
        text: "the new image cannot be pulled",
        class: Class::Deployment,
        may: May { stop: true, ..May::NOTHING },
        targets: deploying,
        strike: |scene, _| every_new_image(scene, |how| how.unpullable = true),
    },
    stages::TURNED_BACK,
    stages::STOPPED,
    MomentFault {
        name: "task.fails",
        text: "the one-off task exits with 1",
        class: Class::Deployment,
        may: May { stop: true, ..May::NOTHING },
        targets: deploying,
        strike: |scene, _| every_job(scene, |how| how.exit_code = 1),
    },
    MomentFault {
        name: "task.exit-code-absent",
        text: "the one-off task never runs: it has no exit code",
        class: Class::Deployment,
        may: May { stop: true, ..May::NOTHING },
        targets: deploying,
        strike: |scene, _| every_job(scene, |how| how.unpullable = true),
    },
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
    let all = records(scene).into_iter();
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
    let record = RecordFile {
        name: name.into(),
        kind: set.kind.0,
        ttl: set.ttl,
        values: set.values,
        alias,
        set: set.extra.get("SetIdentifier").cloned(),
        weight: Some(203),
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

/// Load balancers that users were led to at first.
fn old_sides(scene: &Scene) -> Vec<String> {
    scene.setting.home.clone()
}

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
