//! World files: their mistakes, what they build on, and what a world does when told.

use super::super::{World, WorldFile};
use super::{SERVICE, START, ZONE, after, world};
use crate::sandbox::{SHIPPED, shipped};

fn mistake(text: &str) -> String {
    let read = WorldFile::read(text, "w.yaml", &|_| None);
    match read.and_then(|file| World::new(file, "w.yaml", START, 77)) {
        Ok(_) => panic!("no mistake was found"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn mistakes_say_where() {
    let cases = [
        ("zones: {}", "world: v1"),
        ("world: v2", "`world: v2` is not known"),
        ("world: v1\naccount: \"12\"", "twelve digits"),
        ("world: v1\nzoens: {}", "unknown field `zoens`"),
        ("world: v1\ntime: fast", "write `60x`"),
        ("world: v1\ntime: 60x\ndns: { insync_after: 5 }", "line 3"),
        ("world: v1\nextends: no.yaml", "names no world file"),
        (
            "world: v1\naccount: \"123456789012\"\nclusters: { c: { s: { task_definition: t } } }",
            "definition `t`",
        ),
    ];
    for (text, part) in cases {
        let message = mistake(text);
        assert!(message.contains(part), "{text}\n{message}");
    }
    let alias = ZONE.replace("ttl: 60, values: [192.0.2.1, 192.0.2.2]", "alias: nobody");
    assert!(mistake(&alias).contains("no load balancer `nobody`"));
}

#[test]
fn a_file_changes_the_one_that_it_extends() {
    let find = |name: &str| (name == "base.yaml").then(|| SERVICE.to_owned());
    let text =
        "world: v1\nextends: base.yaml\nverdict: rolled_back\nimages:\n  web@sha256:good: { app: job }\n";
    let file = WorldFile::read(text, "own.yaml", &find).unwrap();
    assert_eq!(file.images.len(), 9);
    assert_eq!(file.images["web@sha256:good"].app, super::super::App::Job);
    assert_eq!(file.clusters.len(), 1);
    let circle = |_: &str| Some("world: v1\nextends: a.yaml\n".to_owned());
    let error = WorldFile::read("world: v1\nextends: a.yaml", "b.yaml", &circle).unwrap_err();
    assert!(error.to_string().contains("circle"));
}

#[test]
fn every_shipped_world_can_be_built_and_says_how_it_ends() {
    for (name, text) in SHIPPED {
        let file = WorldFile::read(text, name, &|base| shipped(base).map(str::to_owned)).unwrap();
        let mut world = World::new(file, name, START, 77).unwrap();
        assert!(matches!(world.verdict.as_deref(), Some("completed" | "rolled_back" | "stuck")), "{name}");
        world.advance(after(600));
        for service in &world.services {
            let healthy = world.tasks_of(service).filter(|t| world.is_healthy(service, t)).count();
            assert_eq!(healthy, service.desired as usize, "{name}: {} stays as it is", service.name);
        }
    }
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/plans/worlds")).unwrap();
    assert_eq!(files.count(), SHIPPED.len(), "each file in plans/worlds is shipped");
}

#[test]
fn a_world_does_what_its_rules_say() {
    let text = format!(
        "{ZONE}on:\n  - {{ step: idle, event: succeeded, do: {{ tear_down: old }} }}\n  - {{ step: idle, event: failed, \
         do: {{ set_record: {{ name: app.example.com, type: A, ttl: 5, values: [192.0.2.66] }} }} }}\n"
    );
    let mut world = world(&text);
    world.told("idle", "started", START).unwrap();
    assert!(world.balancers.contains_key("old"));
    world.told("idle", "succeeded", START).unwrap();
    assert!(!world.balancers.contains_key("old"));
    world.told("idle", "succeeded", START).unwrap();
    world.told("idle", "failed", START).unwrap();
    assert!(world.state()["zones"]["example.com"].to_string().contains("192.0.2.66"));
}

#[test]
fn two_worlds_that_live_the_same_are_the_same() {
    let play = || {
        let mut world = world(SERVICE);
        world.update_service("main", "web", None, None, true, START).unwrap();
        world.advance(after(500));
        format!("{:?} {:?} {:?}", world.services, world.tasks, world.groups)
    };
    assert_eq!(play(), play());
}

#[test]
fn faults_meet_the_calls_that_they_name() {
    use super::super::{FaultKind, FaultRule, Faults};
    let mut faults = Faults::default();
    let rule = FaultRule {
        service: "ecs".into(),
        operation: "RunTask".into(),
        nth: Some(2),
        kind: FaultKind::DropAfter,
        ..FaultRule::default()
    };
    let id = faults.add(rule);
    let mut met = |operation: &str| faults.meet("ecs", operation, "").fate.is_some();
    assert_eq!(
        [met("RunTask"), met("StopTask"), met("RunTask"), met("RunTask")],
        [false, false, true, false]
    );
    assert_eq!((faults.all()[0].seen, faults.all()[0].met), (3, 1));
    faults.remove(Some(id));
    assert!(faults.all().is_empty());
}

#[test]
fn a_fault_keeps_a_question_back_only_where_it_is_one_of_names() {
    use super::super::{FaultKind, FaultRule, Faults, NAMES};
    let mut faults = Faults::default();
    let of_all = FaultRule { times: Some(0), kind: FaultKind::DropBefore, ..FaultRule::default() };
    faults.add(of_all.clone());
    assert_eq!(faults.blocking("ask"), None);
    let refuses = FaultRule { service: NAMES.into(), operation: "https".into(), ..FaultRule::default() };
    faults.add(refuses);
    let id = faults.add(FaultRule { service: NAMES.into(), operation: "ask".into(), ..of_all });
    let ways = ["ask", "ask", "resolve", "https"];
    assert_eq!(ways.map(|way| faults.blocking(way)), [Some(id), Some(id), None, None]);
}
