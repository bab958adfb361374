//! Which of several sets a name server answers with, by the health of what they lead to.

use super::super::{Health, Trouble, World, WorldFile};
use super::{START, after, world};
use crate::port::dns::Name;
use std::collections::BTreeSet;

/// Two sides, each behind a load balancer and in a set of its own; blue has all the weight.
const SIDES: &str = r#"
world: v1
account: "123456789012"
zones:
  example.com:
    id: Z1
    records:
      - { name: app, type: A, alias: blue, set: blue, weight: 100, evaluate_target_health: true }
      - { name: app, type: A, alias: green, set: green, weight: 0, evaluate_target_health: true }
load_balancers: { blue: {}, green: {} }
images:
  web@sha256:blue: { app: backend }
  web@sha256:green: { app: backend }
task_definitions:
  blue: { containers: { web: { image: web@sha256:blue, port: 8080 } } }
  green: { containers: { web: { image: web@sha256:green, port: 8080 } } }
clusters:
  main:
    blue: { task_definition: blue, desired: 2, load_balancer: blue }
    green: { task_definition: green, desired: 2, load_balancer: green }
    none: { task_definition: green, desired: 0, load_balancer: green, paths: [/none] }
traffic: { url: 'https://app.example.com', paths: [/api/scans], users: 240, every: 1m, kept: 0.0 }
"#;

/// So many targets of a group are found to be ill.
fn fall_ill(world: &mut World, group: &str, count: usize) {
    let targets = &mut world.groups.get_mut(group).unwrap().targets;
    for target in targets.values_mut().take(count) {
        target.state = Health::Unhealthy;
    }
}

/// The load balancers that answers lead to, whatever the lots.
fn led_to(world: &World) -> BTreeSet<String> {
    let app = Name::new("app.example.com");
    let lines = (0..1000).flat_map(|turn| world.answer_of(0, &app, "A", turn).answers);
    let named = |value: &str| {
        let found = world.balancers.values().find(|one| one.address.to_string() == value);
        found.map_or_else(|| "nobody".to_owned(), |one| one.name.clone())
    };
    lines.map(|line| named(&line.value)).collect()
}

/// Where all answers lead while these targets are ill.
#[track_caller]
fn leads(text: &str, ill: &[(&str, usize)], to: &[&str]) {
    let mut world = world(text);
    for (group, count) in ill {
        fall_ill(&mut world, group, *count);
    }
    let to: BTreeSet<String> = to.iter().map(ToString::to_string).collect();
    assert_eq!(led_to(&world), to, "{ill:?}");
}

#[test]
fn a_set_without_a_weight_stands_in_for_one_whose_targets_are_all_ill() {
    leads(SIDES, &[], &["blue"]);
    leads(SIDES, &[("blue", 1)], &["blue"]);
    leads(SIDES, &[("blue", 2)], &["green"]);
    leads(SIDES, &[("green", 2)], &["blue"]);
}

#[test]
fn where_no_set_is_healthy_all_count_as_if_they_were() {
    leads(SIDES, &[("blue", 2), ("green", 2)], &["blue"]);
    let both = SIDES.replace("weight: 100", "weight: 90").replace("weight: 0", "weight: 10");
    leads(&both, &[], &["blue", "green"]);
    leads(&both, &[("green", 2)], &["blue"]);
    leads(&both, &[("blue", 2), ("green", 2)], &["blue", "green"]);
}

#[test]
fn a_set_that_does_not_go_by_health_is_never_out() {
    let deaf =
        SIDES.replace("set: blue, weight: 100, evaluate_target_health: true", "set: blue, weight: 100");
    leads(&deaf, &[("blue", 2)], &["blue"]);
    leads(&deaf, &[("blue", 2), ("green", 2)], &["blue"]);
    let neither = SIDES.replace(", evaluate_target_health: true", "");
    leads(&neither, &[("blue", 2)], &["blue"]);
}

#[test]
fn a_set_whose_health_check_fails_is_out_as_one_whose_targets_are_ill() {
    let fields = "set: blue, weight: 100, fields: { HealthCheckId: hc-blue }";
    let checked = SIDES.replace("set: blue, weight: 100", fields);
    let stated = |healthy: bool| {
        let check = format!("{{ id: hc-blue, healthy: {healthy}, asks: 'https://blue.example.com/health' }}");
        checked.replace("    id: Z1\n", &format!("    id: Z1\n    health_checks: [{check}]\n"))
    };
    // One that is not stated passes.
    leads(&checked, &[], &["blue"]);
    leads(&stated(true), &[], &["blue"]);
    leads(&stated(true), &[("blue", 2)], &["green"]);
    leads(&stated(false), &[], &["green"]);
    leads(&stated(false), &[("green", 2)], &["blue"]);
}

#[test]
fn a_health_check_asks_what_a_checker_can() {
    for asks in
        ["blue.example.com/health", "ftp://blue.example.com", "https:///health", "tcp://blue.example.com"]
    {
        let check = format!("    health_checks: [{{ id: hc, healthy: true, asks: '{asks}' }}]\n");
        let text = SIDES.replace("    id: Z1\n", &format!("    id: Z1\n{check}"));
        let file = WorldFile::read(&text, "test", &|_| None).unwrap();
        let error = World::new(file, "test", START, 77).unwrap_err().to_string();
        let words =
            format!("health check `hc` asks `{asks}`, which no checker can: write `https://host/path`");
        assert!(error.contains(&words), "{error}");
    }
}

#[test]
fn nothing_stands_in_for_a_record_that_is_alone() {
    let simple = SIDES.replace("set: blue, weight: 100, ", "").replace(
        "      - { name: app, type: A, alias: green, set: green, weight: 0, evaluate_target_health: true }\n",
        "",
    );
    leads(&simple, &[("blue", 2)], &["blue"]);
}

#[test]
fn a_load_balancer_is_as_healthy_as_the_worst_of_its_groups_that_have_targets() {
    let healthy = |world: &World, name: &str| world.is_balancer_healthy(&world.balancers[name].dns_name);
    let text = SIDES.replace("desired: 0, load_balancer: green", "desired: 1, load_balancer: green");
    let mut filled = world(&text);
    assert!(healthy(&filled, "green"));
    fall_ill(&mut filled, "none", 1);
    assert!(!healthy(&filled, "green"), "one of its groups has only ill targets");
    let mut world = world(SIDES);
    assert!(healthy(&world, "green"), "the other one has no targets");
    let console = Name::new(&format!("dualstack.{}", world.balancers["green"].dns_name));
    assert!(world.is_balancer_healthy(&console));
    world.groups.get_mut("green").unwrap().targets.clear();
    assert!(!healthy(&world, "green"), "none of them has targets");
    let targets = &mut world.groups.get_mut("blue").unwrap().targets;
    for target in targets.values_mut() {
        target.state = Health::Draining(after(60));
    }
    assert!(!healthy(&world, "blue"), "those that leave are none");
}

#[test]
fn a_load_balancer_that_was_torn_down_is_not_healthy() {
    let mut world = world(SIDES);
    world.perform(serde_yaml::from_str("tear_down: blue").unwrap(), after(1)).unwrap();
    assert_eq!(led_to(&world), BTreeSet::from(["green".to_owned()]));
}

#[test]
fn health_of_a_record_without_an_alias_is_a_mistake() {
    let text = SIDES.replace("alias: green", "ttl: 60, values: [192.0.2.1]");
    let file = super::super::WorldFile::read(&text, "test", &|_| None).unwrap();
    let error = World::new(file, "test", after(0), 77).unwrap_err();
    assert!(error.to_string().contains("`evaluate_target_health` is the health of an `alias`"), "{error}");
}

/// What happens to the users once every task of the blue side fails its checks.
fn suffer(text: &str) -> (World, u64) {
    let mut world = world(text);
    world.populate().unwrap();
    world.advance(after(300));
    let ill = "image: { web@sha256:blue: { app: backend, database: failing, error_rate: 1.0 } }";
    world.perform(serde_yaml::from_str(ill).unwrap(), after(300)).unwrap();
    world.advance(after(1200));
    let failed = |world: &World| world.users().unwrap().by_balancer()["blue"].failed;
    let before = failed(&world);
    world.advance(after(2400));
    let since = failed(&world) - before;
    (world, since)
}

#[test]
fn users_follow_an_answer_that_health_decides_for_and_come_back_with_it() {
    let checked = SIDES
        .replace("load_balancer: blue }", "load_balancer: blue, check: { path: /health/ready }, grace: 2h }");
    let (mut world, since) = suffer(&checked);
    assert_eq!((led_to(&world), since), (BTreeSet::from(["green".to_owned()]), 0));
    assert_eq!(world.users().unwrap().failures()[0].reason, Trouble::Answered(500));
    assert!(world.users().unwrap().by_balancer()["green"].asked > 1000);
    let well = "image: { web@sha256:blue: { app: backend } }";
    let now = world.now;
    world.perform(serde_yaml::from_str(well).unwrap(), now).unwrap();
    world.advance(after(3600));
    assert_eq!(led_to(&world), BTreeSet::from(["blue".to_owned()]));
    let (_, since) = suffer(&checked.replace(", evaluate_target_health: true", ""));
    assert!(since > 1000, "{since}: nothing leads them away");
}
