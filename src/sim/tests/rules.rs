//! Rules of load balancers: which requests they take, and how they deal them.

use super::super::{ListenerRule, RuleFile};
use super::{SERVICE, START, after, world};
use crate::sim::{Deed, World};
use std::time::Duration;

/// A second service beside the first, with these words, and users who come there.
fn two(words: &str) -> World {
    let more = format!(
        "    web-2: {{ task_definition: web, desired: 1, load_balancer: front{words} }}
zones: {{ example.com: {{ id: Z1, records: [{{ name: app, type: A, alias: front }}] }} }}
traffic: {{ url: 'https://app.example.com', paths: [/], users: 240, every: 1m }}
"
    );
    let mut world = world(&format!("{}{more}", SERVICE.trim_end().to_owned() + "\n"));
    world.populate().unwrap();
    world
}

fn rules(world: &World) -> Vec<String> {
    let named = |rule: &ListenerRule| {
        let priority = rule.priority.map_or_else(|| "default".into(), |priority| priority.to_string());
        format!("{} {priority}: {}", rule.port, rule.dealt())
    };
    world.balancers["front"].rules.iter().map(named).collect()
}

fn requests(world: &World, group: &str) -> u64 {
    world.groups[group].counts.values().map(|counts| counts.requests).sum()
}

fn set(world: &mut World, weights: &[(&str, u32)]) {
    let weights = weights.iter().map(|(group, weight)| ((*group).to_owned(), *weight)).collect();
    let rule = RuleFile { load_balancer: "front".into(), port: 443, priority: None, weights };
    let now = world.now;
    world.perform(Deed { set_rule: Some(rule), ..Deed::default() }, now).unwrap();
}

#[test]
fn services_with_the_same_paths_share_a_rule_of_each_listener() {
    let both = ["443 default: web-2=0 web=1", "80 default: web-2=0 web=1"];
    assert_eq!(rules(&two("")), both, "who comes second takes nothing unless it says so");
    assert_eq!(rules(&two(", weight: 3"))[0], "443 default: web-2=3 web=1");
    let own = rules(&two(", paths: [/api/*], priority: 5"));
    assert_eq!(own[..2], ["443 5: web-2=1", "443 default: web=1"]);
}

#[test]
fn users_are_dealt_by_the_weights_of_their_rule() {
    let mut world = two("");
    world.advance(after(600));
    assert_eq!(requests(&world, "web-2"), 0);
    set(&mut world, &[("web", 90), ("web-2", 10)]);
    let before = requests(&world, "web");
    world.advance(after(1200));
    let (old, new) = (requests(&world, "web") - before, requests(&world, "web-2"));
    assert!((2300..=2500).contains(&(old + new)), "{old} and {new}");
    assert!(new.abs_diff((old + new) / 10) <= 12, "one of ten: {new} of {}", old + new);
    set(&mut world, &[("web", 0), ("web-2", 1)]);
    let before = requests(&world, "web");
    world.advance(after(1800));
    assert_eq!(requests(&world, "web"), before, "a weight of 0 is nothing");
    assert_eq!(world.users().unwrap().failures(), []);
}

#[test]
fn turns_alternate_and_add_up_to_the_weights() {
    let mut world = two("");
    set(&mut world, &[("web", 99), ("web-2", 1)]);
    let rule = world.balancers["front"].rules[0].clone();
    let of = |turns: std::ops::Range<u64>| turns.filter(|turn| rule.turn(*turn) == Some("web-2")).count();
    assert!((98..=102).contains(&of(0..10_000)), "{}", of(0..10_000));
    let longest = (0..100).map(|start| of(start * 100..(start + 1) * 100)).max().unwrap();
    assert!(longest <= 2, "not in a row: {longest}");
    set(&mut world, &[("web", 0), ("web-2", 0)]);
    assert_eq!(world.balancers["front"].rules[0].turn(3), None);
}

#[test]
fn worlds_that_deal_otherwise_are_told_apart() {
    let mut world = two("");
    let before = (world.standing(), world.state());
    set(&mut world, &[("web", 1), ("web-2", 0)]);
    assert_eq!((world.standing(), world.state()), before);
    assert!(world.ledger.landed.is_empty(), "what is so already does not land");
    set(&mut world, &[("web", 1), ("web-2", 1)]);
    assert_ne!(world.standing(), before.0);
    assert_ne!(world.state(), before.1);
    let landed = &world.ledger.landed[0];
    assert_eq!(
        (&*landed.place, &*landed.what, landed.at),
        ("rule front:443 default", "web-2=1 web=1", START)
    );
    world.advance(START.after(Duration::from_secs(1)));
}
