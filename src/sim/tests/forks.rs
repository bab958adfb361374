//! Worlds are forked, go their own ways, and may come to the same point again.
//!
//! How long that takes was measured in an optimised build (`--config profile.dev.package.switchover.opt-level=2`), in the
//! world of plans/worlds/aep.yaml with its users, after an hour: a copy of it 0.6 µs; advancing it when nothing is due
//! 3 ns; looking at it through its ports 54 ns; its situation 1.6 µs; an hour of nothing but users 0.5 ms, and without
//! them 0.3 µs; a rollout of one service 31 µs.

use super::super::{Cell, Deed, FaultRule, Ports, Role, Verb, World, WorldFile};
use super::{SERVICE, START, ZONE, after, world};
use crate::plan::{Span, Target, Value};
use crate::port::dns::{Name, RecordSet, RecordType};
use crate::port::{ReadWorld, WriteWorld};
use crate::sandbox::shipped;
use serde_json::json;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

fn deserted() -> World {
    let file = WorldFile::read(shipped("aep").unwrap(), "aep.yaml", &|_| None).unwrap();
    World::new(file, "aep", START, 77).unwrap()
}

pub(super) fn go_live() -> World {
    let mut world = deserted();
    world.populate().unwrap();
    world
}

fn situation(world: &World) -> u64 {
    let mut hash = DefaultHasher::new();
    world.situation(&mut hash);
    hash.finish()
}

type Change<'a> = &'a dyn Fn(&mut World);

fn deed(text: &str) -> Deed {
    serde_yaml::from_str(text).unwrap()
}

/// Everything that can be seen of it, the moments too.
fn seen(world: &World) -> String {
    let (now, users) = (world.now, world.users());
    format!(
        "{now:?} {:?} {:?} {:?} {:?} {users:?}",
        world.services, world.tasks, world.groups, world.balancers
    )
}

#[test]
fn a_fork_goes_its_own_way() {
    let mut first = go_live();
    first.advance(after(100));
    let before = seen(&first);
    let mut second = first.clone();
    second.update_service("aep-prod", "aep-backend-prod", None, Some(3), true, after(100)).unwrap();
    second.perform(deed("tear_down: aep-staging"), after(100)).unwrap();
    second.advance(after(400));
    assert_eq!(seen(&first), before);
    first.advance(after(400));
    let mut alone = go_live();
    alone.advance(after(400));
    assert_eq!(seen(&first), seen(&alone));
    assert_ne!(seen(&first), seen(&second));
}

#[test]
fn however_often_it_is_looked_at_a_world_goes_the_same_way() {
    let play = |steps: &[u64]| {
        let mut world = go_live();
        world.schedule(after(95), deed("stop_tasks: aep-prod/aep-backend-prod"));
        world.update_service("aep-prod", "aep-frontend-prod", None, None, true, START).unwrap();
        for at in steps {
            world.advance(after(*at));
        }
        seen(&world)
    };
    let each: Vec<u64> = (0..=900).collect();
    assert_eq!(play(&[900]), play(&each));
    assert_eq!(play(&[900]), play(&[14, 95, 96, 300, 900]));
}

#[test]
fn a_fault_in_its_way_is_met_by_checks_that_nobody_had_to_play() {
    let mut world = world(SERVICE);
    world.advance(after(35));
    let rule = json!({"service": "app", "operation": "/health/ready", "kind": "error", "times": 0});
    let id = world.faults.add(serde_json::from_value::<FaultRule>(rule).unwrap());
    let healthy = |world: &World| world.groups["web"].hosts_now().healthy;
    world.advance(after(59));
    assert_eq!(healthy(&world), 2, "two checks failed, at 40 and 50");
    let mut second = world.clone();
    world.advance(after(60));
    assert_eq!(healthy(&world), 0);
    second.faults.remove(Some(id));
    second.advance(after(600));
    assert_eq!(healthy(&second), 2);
}

#[test]
fn ports_are_forked_with_what_was_asked_once_and_nobody_who_waits() {
    let target = |name: &str, kind: &str, with| {
        let with = Value::from_json(&with, Span::default());
        Arc::new(Target { name: name.into(), kind: kind.into(), with })
    };
    let targets = vec![
        target("prod", "aws", json!({"account": "123456789012"})),
        target("zone", "route53", json!({"zone_id": "Z1", "aws": "prod"})),
    ];
    let first = Ports::new(world(ZONE), targets);
    let app = Name::new("app.example.com");
    let list = async |ports: &Ports| ports.dns("zone").unwrap().record_sets(&app).await.unwrap();
    let before = first.virtual_clock().drive(list(&first)).unwrap();
    let calls = |ports: &Ports| ports.look(|world, _| world.ledger.count);
    let second = first.fork();
    assert_eq!((second.virtual_clock().soonest(), second.clock().now()), (None, START));
    let change = async {
        second.clock().sleep_until(after(30)).await;
        let write = second.change_dns("zone", after(60)).unwrap();
        write.change(&[crate::port::dns::RecordChange::Delete(before[0].clone())], "").await.unwrap();
        list(&second).await
    };
    assert_eq!(second.virtual_clock().drive(change).unwrap(), []);
    assert_eq!(first.virtual_clock().drive(list(&first)).unwrap(), before);
    assert_eq!((first.clock().now(), calls(&first)), (START, 3), "one account asked for, two lists");
}

#[test]
fn worlds_that_came_to_the_same_point_are_recognised() {
    let play = |mut world: World, at: u64, until: u64| {
        world.advance(after(at));
        let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/aep-backend@sha256:\
                     3ddc7d98a9e4bb3ef32f35fdb7810975212253bc55b6fca957f69975a4d5b202";
        let container = json!({"name": "backend", "image": image, "portMappings": [{"containerPort": 8787}]});
        let content = json!({"family": "aep-backend", "containerDefinitions": [container]});
        let new = world.register(content, world.now).unwrap().arn.clone();
        let now = world.now;
        world.update_service("aep-prod", "aep-backend-prod", Some(&new), None, false, now).unwrap();
        world.advance(now.after(std::time::Duration::from_secs(until)));
        world
    };
    // Other ids, other moments, other counts.
    let of_rollout = |at, until| situation(&play(deserted(), at, until));
    assert_eq!(of_rollout(33, 20), of_rollout(97, 20));
    assert_ne!(of_rollout(33, 20), of_rollout(33, 50), "a rollout is further");
    let (early, late) = (play(go_live(), 30, 600), play(go_live(), 330, 600));
    assert_ne!(seen(&early), seen(&late));
    assert_eq!(situation(&early), situation(&late));
}

#[test]
fn whatever_decides_how_a_world_goes_on_is_another_situation() {
    let base = go_live();
    let differs: [(&str, Change); 10] = [
        ("a record", &|world| {
            let set = RecordSet {
                name: Name::new("x.navralabs.com"),
                kind: RecordType("A".into()),
                ttl: Some(60),
                values: vec!["192.0.2.1".into()],
                alias: None,
                extra: std::collections::BTreeMap::new(),
            };
            world.change("Z0123456789ABC", &[(Verb::Create, set)], None, START).unwrap();
        }),
        ("a task", &|world| world.perform(deed("stop_tasks: aep-prod/aep-backend-prod"), START).unwrap()),
        ("a load balancer", &|world| world.perform(deed("tear_down: aep-staging"), START).unwrap()),
        ("an attribute", &|world| {
            let file = "set_attributes: { load_balancer: aep-prod, client_keep_alive: 10m }";
            world.perform(deed(file), START).unwrap();
        }),
        ("a rule", &|world| world.told("old-side-released", "succeeded", START).unwrap()),
        ("a definition", &|world| world.perform(deed("deregister: aep-migrate:12"), START).unwrap()),
        ("an image", &|world| {
            let image = world.images.keys().next().unwrap().clone();
            world.perform(Deed { delete_image: Some(image), ..Deed::default() }, START).unwrap();
        }),
        ("a deed to come", &|world| world.schedule(after(60), deed("tear_down: aep-prod"))),
        ("what resolvers do", &|world| {
            world.users_mut().unwrap().ignore_ttl(std::time::Duration::from_hours(1));
        }),
        ("a fault", &|world| {
            world.faults.add(FaultRule::default());
        }),
    ];
    for (what, change) in differs {
        let mut other = base.clone();
        assert_eq!(situation(&other), situation(&base));
        change(&mut other);
        assert_ne!(situation(&other), situation(&base), "{what}");
    }
    let mut later = base.clone();
    later.advance(after(20));
    assert_ne!(situation(&later), situation(&base), "resolvers have learnt where to go");
}

#[test]
fn how_far_a_change_has_travelled_is_part_of_the_situation() {
    let changed = |until: u64| {
        let mut world = world(ZONE);
        let old = world.zones[0].newest().values().find(|r| r.kind.0 == "CNAME").unwrap().clone();
        world.change("Z1", &[(Verb::Delete, old)], None, START).unwrap();
        world.advance(after(until));
        situation(&world)
    };
    assert_ne!(changed(0), changed(5), "no name server but one serves it");
    assert_ne!(changed(11), changed(25), "all serve it, and it is not INSYNC");
    assert_eq!(changed(31), changed(500), "it is everywhere");
}

#[test]
fn deeds_happen_at_their_moment_each_in_turn() {
    let mut world = world(ZONE);
    world.schedule(after(20), deed("tear_down: old"));
    world.schedule(after(10), deed("delete_record: api.example.com"));
    let listed = |world: &World| world.zones[0].newest().len();
    world.advance(after(9));
    assert_eq!((listed(&world), world.next()), (4, after(10)));
    world.advance(after(10));
    assert_eq!((listed(&world), world.balancers.len()), (3, 2));
    world.advance(after(500));
    assert_eq!((world.balancers.len(), world.changes[0].submitted), (1, after(10)));
}

#[test]
fn what_is_taken_away_is_missed() {
    let mut world = world(SERVICE);
    world.perform(deed("deregister: 'job:1'"), START).unwrap();
    assert!(world.definition("job").is_none());
    assert_eq!(world.perform(deed("deregister: none"), START).unwrap_err().code, "ClientException");
    world.perform(deed("delete_image: web@sha256:good"), START).unwrap();
    world.perform(deed("stop_tasks: main/web"), START).unwrap();
    world.advance(after(20));
    let service = &world.services[0];
    let reasons: Vec<&str> = world
        .tasks_of(service)
        .filter_map(|task| match &task.phase {
            super::super::Phase::Over(_, stopped) => Some(stopped.code),
            _ => None,
        })
        .collect();
    assert_eq!(reasons[..3], ["EssentialContainerExited", "EssentialContainerExited", "TaskFailedToStart"]);
    assert_eq!(world.groups["web"].targets.len(), 0);
}

#[test]
fn places_are_told_in_words_that_compare() {
    let mut world = go_live();
    let before = world.standing();
    let record = &before["record app.navralabs.com CNAME in Z0123456789ABC"];
    assert_eq!(record, "ttl 300 staging-alb.eu-west-1.elb.amazonaws.com");
    let service = &before["service aep-prod/aep-frontend-prod"];
    assert!(service.starts_with("aep-frontend:33 (frontend="), "{service}");
    assert!(service.ends_with("desired 2; rollout done, and all tasks run it"), "{service}");
    assert_eq!(before["load balancer aep-staging"], "stands");
    assert_eq!(before["client_keep_alive of load balancer aep-staging"], "1m");
    assert!(before["definition aep-migrate:12"].starts_with("active: migrate="));
    assert_eq!(before["scans"], "0");
    world.knows(vec!["page".into()], Role::Run("page".into()));
    assert_eq!(world.standing()["command page"], "before");
    world.set_cell(&"page".into(), Cell::Desired, START);
    assert_eq!(world.standing()["command page"], "desired");
    world.set_cell(&"page".into(), Cell::Before, START);
    let before = world.standing();
    world.update_service("aep-prod", "aep-frontend-prod", None, None, true, START).unwrap();
    let job = super::super::RunTask {
        cluster: "aep-prod".into(),
        definition: "aep-migrate".into(),
        overrides: json!({}),
        started_by: None,
        token: None,
        count: 1,
    };
    world.run_task(&job, START).unwrap();
    let during = world.standing();
    assert!(during["service aep-prod/aep-frontend-prod"].ends_with("in progress"));
    assert_eq!(during["task aep-prod aep-migrate:12"], "1 not over");
    world.advance(after(600));
    assert_eq!(world.standing(), before);
}
