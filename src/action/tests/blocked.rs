//! Steps of DNS in a network that blocks port 53: no name server answers, and maybe a public resolver does, over HTTPS.

use super::world::{Fate, Resolver, World, alias, record};
use super::{Fields, Problems, Registry, Story, Target, fails, known, value};
use crate::action::Toward;
use crate::port::LoadBalancer;
use crate::port::dns::{Name, RecordSet};
use crate::run::{Fault, FaultKind, Landed, Look};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;

pub(super) const APP: &str = "app.example.com";
const TOLD: &str = "asked over HTTPS at https://dns.example/dns-query: the name servers of example.com could not be \
                    reached on port 53";

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn old(ttl: u32) -> RecordSet {
    record(APP, "CNAME", ttl, &["old.elb.example"])
}

/// A name with this TTL, and a resolver that is named.
pub(super) fn world(ttl: u32) -> World {
    let world = World::new();
    {
        let mut state = world.state();
        state.listings[0].1 = vec![old(ttl)];
        state.addresses.insert(Name::new("new.elb.example"), vec![[10, 0, 0, 1].into()]);
        state.addresses.insert(Name::new("old.elb.example"), vec![[10, 9, 0, 1].into()]);
        state.balancers.push(LoadBalancer {
            arn: "arn:lb".into(),
            name: "aep-prod".into(),
            dns_name: "new.elb.example".into(),
            zone_id: "ZLB".into(),
            keep_alive: seconds(60),
            idle_timeout: seconds(60),
        });
        (state.blocked, state.resolver) = (true, Some(Resolver::default()));
    }
    world.pass(seconds(1000));
    world
}

pub(super) fn switch(world: &World) -> Story {
    let to = json!({"load_balancer": "aep-prod", "in": "prod"});
    Story::new(world, "dns.switch", &json!({"target": "zone", "record": "app", "to": to}))
}

fn lower(world: &World) -> Story {
    Story::new(world, "dns.ttl", &json!({"target": "zone", "record": "app", "ttl": "60s"}))
}

fn changes(story: &Story) -> String {
    format!("{:?}", story.proposal.as_ref().unwrap().changes)
}

#[tokio::test]
async fn without_a_resolver_nobody_can_tell_and_nothing_is_written() {
    for begin in [switch, lower] {
        let world = world(60);
        world.state().resolver = None;
        let mut story = begin(&world);
        fails(story.plan().await, FaultKind::Blind, &["no resolver is named"]);
        assert!(story.writes().is_empty());
    }
}

#[tokio::test]
async fn with_one_the_provider_is_believed_and_what_is_not_known_is_told() {
    let world = world(60);
    world.state().insync_after = seconds(30);
    let mut story = switch(&world);
    story.plan().await.unwrap();
    let told = changes(&story);
    assert!(told.contains(TOLD) && told.contains("what each name server serves"), "{told}");
    story.apply().await.unwrap();
    let sent = story.since;
    let out = story.arrive().await.unwrap();
    // Not before the provider says so; and then at once, though the resolver keeps the old answer.
    assert!(
        story.waited(sent) >= seconds(30) && story.waited(sent) < seconds(60),
        "{:?}",
        story.waited(sent)
    );
    assert_eq!((out["asked"].as_str(), out["old_ttl"].as_u64()), (Some(TOLD), Some(60)));
    assert_eq!(
        out["rollback_reaches_new_lookups_in"], 120,
        "by the whole TTL of an alias, whatever is left of it"
    );
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(world.listed(), [old(60)]);
}

#[tokio::test]
async fn a_change_that_the_provider_does_not_know_is_left_to_the_name_servers() {
    let world = super::records::world();
    {
        let mut state = world.state();
        (state.forgetful, state.lags[1]) = (true, seconds(45));
    }
    let mut story = super::records::switch(&world);
    story.done().await;
    // It may only be told late.
    assert!(story.waited(super::world::START) >= crate::run::DnsClock::PROPAGATION);
    story.undo().await.unwrap();
    story.restored().await.unwrap();
}

/// Nobody outside its network is told anything of it.
fn private(world: World) -> World {
    {
        let mut state = world.state();
        (state.blocked, state.private) = (false, true);
    }
    world
}

#[tokio::test]
async fn a_private_zone_goes_by_resolvers_inside_its_network() {
    let world = private(world(60));
    world.state().insync_after = seconds(30);
    let mut story = switch(&world);
    story.plan().await.unwrap();
    let told = "asked over HTTPS at https://dns.example/dns-query: example.com is a private zone, whose name servers answer nobody";
    assert!(changes(&story).contains(told), "{}", changes(&story));
    story.apply().await.unwrap();
    let sent = story.since;
    let out = story.arrive().await.unwrap();
    assert!(story.waited(sent) >= seconds(30), "not before the provider says so");
    assert_eq!(out["asked"].as_str(), Some(told));
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(world.listed(), [old(60)]);
    // One that answers from the public zone of that name, or from nothing, is not inside.
    for (servers, words) in [
        (vec![Name::new("ns.public.example")], "is on ns.public.example"),
        (Vec::new(), "is on no name server"),
    ] {
        let world = private(self::world(60));
        world.state().delegation = servers;
        fails(
            switch(&world).plan().await,
            FaultKind::Permanent,
            &[words, "do not answer from private zone Z1"],
        );
    }
    let world = private(self::world(60));
    world.state().resolver = None;
    fails(
        switch(&world).plan().await,
        FaultKind::Permanent,
        &["is private", "name resolvers of that network"],
    );
}

#[test]
fn what_people_type_says_whom_to_ask_where_name_servers_answer_nobody() {
    let resolvers = json!(["https://dns.example/dns-query"]);
    let zone = json!({"zone_id": "Z1", "name": "example.com", "aws": "prod", "resolvers": resolvers});
    let mut known = known();
    let inside = Target { name: "inside".into(), kind: "route53".into(), with: value(&zone) };
    known.targets.push(Arc::new(inside));
    let expect = |kind: &str, target: &str, more: &Json| {
        let mut with = more.clone();
        (with["target"], with["record"]) = (json!(target), json!("app"));
        let (value, mut problems) = (value(&with), Problems::default());
        let action = Registry.build(kind, &mut Fields::new(&value, &known, &mut problems)).unwrap();
        action.by_hand().expect
    };
    let words = "if the zone is private, they answer nobody, and https://dns.example/dns-query (dig +https) says what";
    let switch = json!({"to": {"a": ["10.1.1.1"], "ttl": "30s"}, "writes": "shared"});
    for (kind, more) in [("dns.switch", switch), ("dns.ttl", json!({"ttl": "60s"}))] {
        let (inside, outside) = (expect(kind, "inside", &more), expect(kind, "zone", &more));
        assert!(inside.contains(words) && !outside.contains("private"), "{inside}\n{outside}");
    }
}

/// By what is listed, and not by what is left of it.
#[tokio::test]
async fn the_old_ttl_is_drained_in_full() {
    let world = world(300);
    let mut story = lower(&world);
    story.plan().await.unwrap();
    world.pass(seconds(250));
    story.apply().await.unwrap();
    let sent = story.since;
    let out = story.arrive().await.unwrap();
    assert!(story.waited(sent) >= seconds(300), "{:?}", story.waited(sent));
    assert_eq!((out["ttl"].as_u64(), out["old_ttl"].as_u64()), (Some(60), Some(300)));
}

#[tokio::test]
async fn what_a_resolver_keeps_for_longer_than_listed_is_drained_as_it_keeps_it() {
    for (listed, writes) in [(300, 1), (60, 0)] {
        let world = world(3600);
        drop(lower(&world).plan().await);
        // Somebody has lowered it by hand.
        world.list(vec![old(listed)]);
        world.pass(seconds(60));
        let mut story = lower(&world);
        let begun = world.state().now;
        let out = story.done().await;
        assert_eq!(out["old_ttl"], 3540, "what is left of the TTL of before");
        assert!(story.waited(begun) >= seconds(3540), "{:?}", story.waited(begun));
        assert_eq!(story.writes().len(), writes);
    }
}

/// What is served says nothing of what was served a moment ago: a resolver does, also where port 53 is open.
#[tokio::test]
async fn a_ttl_that_was_lowered_a_moment_ago_has_not_drained() {
    let lowered = async || {
        let world = world(3600);
        world.state().blocked = false;
        drop(lower(&world).plan().await);
        world.list(vec![old(60)]);
        world.pass(seconds(60));
        world
    };
    let world = lowered().await;
    let words = [
        "a TTL of 60 s",
        "https://dns.example/dns-query keeps an answer of before for 59m more",
        "go on after",
    ];
    fails(switch(&world).plan().await, FaultKind::Blind, &words);
    world.pass(seconds(3540));
    let mut story = switch(&world);
    let out = story.done().await;
    assert_eq!(out["old_ttl"], 60);
    // Whoever lowers it waits for that, too.
    let world = lowered().await;
    let mut story = lower(&world);
    let out = story.done().await;
    assert_eq!(out["old_ttl"], 3540);
    // One that gives no evidence holds nobody up: the name servers were asked.
    let world = lowered().await;
    world.state().resolver.as_mut().unwrap().fails = Some(Fault::blind("its status is 503"));
    switch(&world).plan().await.unwrap();
}

/// Browsers go by that, too.
#[tokio::test]
async fn what_a_resolver_keeps_of_an_https_record_is_drained_too() {
    for blocked in [true, false] {
        let world = world(60);
        world.state().blocked = blocked;
        let sets =
            |ttl: u32| vec![record(APP, "A", 60, &["10.9.0.1"]), record(APP, "HTTPS", ttl, &["1 . alpn=h2"])];
        world.list(sets(3600));
        world.pass(seconds(1000));
        drop(lower(&world).plan().await);
        // Somebody has lowered it by hand.
        world.list(sets(300));
        world.pass(seconds(60));
        let mut story = lower(&world);
        let out = story.done().await;
        assert_eq!(out["old_ttl"], 3540, "what is left of the TTL of before");
        assert_eq!(world.listed(), sets(60));
    }
}

/// An old answer that began after all servers were said to have the new one is one that a server has given since.
#[tokio::test]
async fn an_answer_that_contradicts_the_provider_begins_the_wait_anew() {
    let world = world(300);
    world.state().lags[0] = seconds(100);
    let mut story = lower(&world);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    let sent = story.since;
    while story.waited(sent) < seconds(90) {
        assert!(matches!(story.look(story.forward()).await, Ok(Look::Moving { .. })));
        world.pass(seconds(10));
    }
    // Another site of the same resolver, which had nothing.
    world.state().resolver = Some(Resolver::default());
    story.arrive().await.unwrap();
    assert!(story.waited(sent) >= seconds(90 + 300), "{:?}", story.waited(sent));
}

#[tokio::test]
async fn a_change_that_nobody_can_follow_gets_five_minutes() {
    let world = world(60);
    let mut story = switch(&world);
    story.plan().await.unwrap();
    world.state().fate = Some(Fate::LostAfter);
    assert_eq!(story.apply().await.unwrap_err().landed, Landed::Maybe);
    let begun = world.state().now;
    story.arrive().await.unwrap();
    assert!(story.waited(begun) >= seconds(300), "{:?}", story.waited(begun));
    assert_eq!(story.writes().len(), 1);
}

#[tokio::test]
async fn a_resolver_that_gives_no_evidence_is_none() {
    let world = world(60);
    let mut story = switch(&world);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    story.look(Toward::Desired(1)).await.unwrap();
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Desired { .. })));
    world.state().resolver.as_mut().unwrap().fails = Some(Fault::blind("its status is 503"));
    let words = ["could not be reached on port 53: ", "its status is 503"];
    fails(story.look(Toward::Desired(1)).await, FaultKind::Blind, &words);
    fails(switch(&world).plan().await, FaultKind::Blind, &words);
}

#[tokio::test]
async fn a_zone_that_resolvers_do_not_come_to_is_not_changed() {
    for (named, words) in [(vec!["ns.other.example"], "sends them to ns.other.example"), (vec![], "nowhere")]
    {
        let world = world(60);
        world.state().delegation = named.into_iter().map(Name::new).collect();
        fails(switch(&world).plan().await, FaultKind::Permanent, &["users do not reach zone", words]);
    }
}

/// Whom the plan names counts for nothing while one name server answers: what the silent one serves is not known.
#[tokio::test]
async fn where_one_name_server_answers_no_resolver_stands_in_for_a_silent_one() {
    let world = world(60);
    world.state().blocked = false;
    let mut story = switch(&world);
    story.plan().await.unwrap();
    assert!(!changes(&story).contains("HTTPS"), "{}", changes(&story));
    story.apply().await.unwrap();
    story.look(Toward::Desired(1)).await.unwrap();
    world.state().silent = Some(1);
    fails(
        story.look(Toward::Desired(1)).await,
        FaultKind::Blind,
        &["no answer from name server ns1.example"],
    );
    world.state().silent = None;
    let out = story.arrive().await.unwrap();
    assert_eq!(out["asked"], Json::Null);
}

/// An alias answers as its target does; what nobody serves any more is told apart from it.
#[tokio::test]
async fn an_answer_that_is_neither_old_nor_new_is_waited_for() {
    let world = world(60);
    let mut story = switch(&world);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    story.look(Toward::Desired(1)).await.unwrap();
    let theirs = alias(APP, "A", "theirs.example");
    world.state().addresses.insert(Name::new("theirs.example"), vec![[10, 7, 7, 7].into()]);
    let key = (Name::new(APP), theirs.kind.clone());
    let kept = crate::port::dns::Served {
        authoritative: true,
        values: vec!["10.7.7.7".into()],
        ttl: seconds(60),
        negative_ttl: None,
    };
    let now = world.state().now;
    world.state().resolver.as_mut().unwrap().kept.insert(key, (now, kept));
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
    story.arrive().await.unwrap();
    assert!(story.waited(now) >= seconds(60), "{:?}", story.waited(now));
}
