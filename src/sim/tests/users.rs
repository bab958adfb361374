//! Users in virtual time: where their resolvers lead them, how long they stay, and what fails.

use super::super::{ResolverKind, Trouble, Users, Verb, World};
use super::forks::go_live;
use super::{SERVICE, START, after, world};
use crate::port::dns::{Alias, Name, RecordSet, RecordType};
use std::time::Duration;

/// The service behind a name with a TTL of a minute, and 240 users: four a second.
fn busy(service: &str) -> World {
    let more = "
zones: { example.com: { id: Z1, records: [{ name: app, type: A, alias: front }] } }
traffic: { url: 'https://app.example.com', paths: [/api/scans], users: 240, every: 1m }
";
    let mut world = world(&format!("{service}{more}"));
    world.populate().unwrap();
    world
}

fn users(world: &World) -> &Users {
    world.users().unwrap()
}

/// The CNAME of the old side becomes an alias of the new one.
fn switch(world: &mut World) {
    let app = Name::new("app.navralabs.com");
    let old = world.zones[0].newest().values().find(|r| r.name == app).unwrap().clone();
    let alias = Alias {
        name: world.balancers["aep-prod"].dns_name.clone(),
        zone_id: super::super::BALANCER_ZONE.into(),
        evaluate_health: false,
    };
    let kind = RecordType("A".into());
    let new = RecordSet { kind, ttl: None, values: Vec::new(), alias: Some(alias), ..old.clone() };
    let now = world.now;
    world.change("Z0123456789ABC", &[(Verb::Delete, old), (Verb::Create, new)], None, now).unwrap();
}

/// When the users behind each kind of resolver came to the new side, in seconds after the switch.
fn moved(world: &mut World, kind: ResolverKind) -> u64 {
    let start = world.now;
    for seconds in 0..5000 {
        world.advance(start.after(Duration::from_secs(seconds)));
        let mut caches = users(world).caches().filter(|cache| cache.resolver == kind);
        if caches.all(|cache| cache.leads.is_some_and(|(balancer, _)| balancer == "aep-prod")) {
            return seconds;
        }
    }
    panic!("they never came");
}

#[test]
fn a_file_without_traffic_has_no_users() {
    let mut world = world(SERVICE);
    world.populate().unwrap();
    assert!(world.users().is_none());
}

#[test]
fn all_requests_are_counted_and_none_fails_in_a_world_that_is_well() {
    let mut world = busy(SERVICE);
    world.advance(after(615));
    let asked: u64 = users(&world).by_resolver().map(|(_, tally)| tally.asked).sum();
    assert!((2400..=2460).contains(&asked), "{asked} of 240 a minute, for ten minutes");
    assert_eq!(users(&world).failures(), []);
    let minute = super::super::minute(after(300));
    let counts = &world.balancers["front"].counts[&minute];
    assert_eq!((counts.requests, counts.targets, counts.own_5xx), (240, [240, 0, 0, 0], 0));
    assert_eq!(world.groups["web"].counts[&minute].requests, 240);
    let kinds: Vec<ResolverKind> = users(&world).by_resolver().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [ResolverKind::Respects, ResolverKind::Stretches, ResolverKind::ServesStale]);
}

#[test]
fn a_part_of_the_requests_fails_exactly_as_often_as_it_should() {
    let mut world =
        busy(&SERVICE.replace("good: { app: backend }", "good: { app: backend, error_rate: 0.25 }"));
    world.advance(after(615));
    let (asked, failed) = users(&world)
        .by_resolver()
        .fold((0, 0), |(asked, failed), (_, tally)| (asked + tally.asked, failed + tally.failed));
    assert!((asked / 4 - 1..=asked / 4).contains(&failed), "{failed} of {asked}");
    let told = users(&world).failures();
    assert_eq!((told.len(), told[0].reason), (64, Trouble::Answered(500)));
    assert_eq!(users(&world).by_balancer()["front"].failed, failed);
}

#[test]
fn nobody_is_healthy_nobody_is_there_and_no_name() {
    let reasons = |deeds: &str, until: u64| {
        let mut world = busy(SERVICE);
        world.advance(after(60));
        world.perform(serde_yaml::from_str(deeds).unwrap(), after(60)).unwrap();
        world.advance(after(until));
        let told = users(&world).failures();
        let mut all: Vec<_> = told.iter().map(|told| (told.reason, told.balancer.clone())).collect();
        all.sort();
        all.dedup();
        all
    };
    let front = || Some("front".to_owned());
    assert_eq!(
        reasons("{ delete_image: web@sha256:good, stop_tasks: main/web }", 120),
        [(Trouble::NoTarget, front())]
    );
    assert_eq!(reasons("tear_down: front", 70), [(Trouble::NobodyThere, front())]);
    assert_eq!(reasons("delete_record: app.example.com", 2000)[0], (Trouble::NoAnswer, None));
}

#[test]
fn resolvers_follow_a_switch_as_soon_as_their_ttl_allows() {
    let mut world = go_live();
    world.advance(after(30));
    let mut stretched = world.clone();
    switch(&mut world);
    let respects = moved(&mut world.clone(), ResolverKind::Respects);
    assert!((270..=300).contains(&respects), "{respects}");
    let stale = moved(&mut world, ResolverKind::ServesStale);
    assert!(stale > respects && stale <= 330, "{stale}");
    assert!(moved_with_ttl(&mut stretched, 60) >= 200);
}

/// With a TTL of so many seconds for long enough: when the users of a resolver that stretches TTLs came.
fn moved_with_ttl(world: &mut World, ttl: u32) -> u64 {
    let app = Name::new("app.navralabs.com");
    let old = world.zones[0].newest().values().find(|r| r.name == app).unwrap().clone();
    let new = RecordSet { ttl: Some(ttl), ..old.clone() };
    let now = world.now;
    world.change("Z0123456789ABC", &[(Verb::Delete, old), (Verb::Create, new)], None, now).unwrap();
    world.advance(now.after(Duration::from_secs(340)));
    switch(world);
    let respects = moved(&mut world.clone(), ResolverKind::Respects);
    assert!(respects <= 80, "{respects}");
    moved(world, ResolverKind::Stretches)
}

#[test]
fn a_resolver_that_ignores_ttls_leads_to_the_old_side_for_longer() {
    let mut world = go_live();
    world.advance(after(30));
    world.users_mut().unwrap().ignore_ttl(Duration::from_mins(30));
    switch(&mut world);
    let respects = moved(&mut world, ResolverKind::Respects);
    assert!((1770..=1800).contains(&respects), "{respects}");
}

#[test]
fn connections_are_kept_past_the_switch_but_not_past_their_keep_alive() {
    let mut world = go_live();
    world.advance(after(30));
    switch(&mut world);
    let respects = moved(&mut world, ResolverKind::Respects);
    let kept = |world: &World| users(world).caches().next().unwrap().connected.map(|(to, _)| to.to_owned());
    assert_eq!(kept(&world).as_deref(), Some("aep-staging"), "after {respects}s");
    let now = world.now;
    world.advance(now.after(Duration::from_secs(75)));
    assert_eq!(kept(&world).as_deref(), Some("aep-prod"));
    assert_eq!(users(&world).failures(), []);
}

#[test]
fn who_kept_a_connection_to_what_was_torn_down_connects_anew() {
    let mut world = go_live();
    world.advance(after(30));
    switch(&mut world);
    world.advance(after(400));
    world.perform(serde_yaml::from_str("tear_down: aep-staging").unwrap(), after(400)).unwrap();
    world.advance(after(2000));
    assert_eq!(users(&world).failures(), []);
    assert!(START < world.now && users(&world).by_balancer()["aep-prod"].asked > 500);
}
