//! `dns.switch` and `dns.ttl`.

use super::world::{Fate, World, alias, record};
use super::{Story, codes, fails, is_foreign};
use crate::action::Toward;
use crate::port::LoadBalancer;
use crate::port::dns::{Name, RecordSet};
use crate::run::{FaultKind, Landed, Look};
use serde_json::{Value as Json, json};
use std::time::Duration;

pub(super) const APP: &str = "app.example.com";
const KEEP_ALIVE: Duration = Duration::from_secs(120);

pub(super) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn old() -> RecordSet {
    record(APP, "CNAME", 60, &["old.elb.example"])
}

pub(super) fn new() -> RecordSet {
    alias(APP, "A", "new.elb.example")
}

/// A name that leads to the old side; beside it a load balancer for the new one.
pub(super) fn world() -> World {
    let world = World::new();
    {
        let mut state = world.state();
        state.listings[0].1 = vec![old(), record("other.example.com", "A", 300, &["10.9.9.9"])];
        state
            .addresses
            .insert(Name::new("new.elb.example"), vec![[10, 0, 0, 1].into(), [10, 0, 0, 2].into()]);
        state.addresses.insert(Name::new("old.elb.example"), vec![[10, 9, 0, 1].into()]);
        state.balancers.push(LoadBalancer {
            arn: "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/aep-prod/1".into(),
            name: "aep-prod".into(),
            dns_name: "new.elb.example".into(),
            zone_id: "ZLB".into(),
            keep_alive: KEEP_ALIVE,
            idle_timeout: seconds(60),
        });
    }
    world
}

pub(super) fn to_balancer() -> Json {
    json!({"target": "zone", "record": "app", "to": {"load_balancer": "aep-prod", "in": "prod"}})
}

pub(super) fn switch(world: &World) -> Story {
    Story::new(world, "dns.switch", &to_balancer())
}

pub(super) fn at_app(world: &World) -> Vec<RecordSet> {
    world.listed().into_iter().filter(|set| set.name == Name::new(APP)).collect()
}

/// The record becomes something else, by somebody else.
fn meddle(world: &World) -> RecordSet {
    let theirs = record(APP, "CNAME", 60, &["theirs.example"]);
    let mut sets = world.listed();
    sets.retain(|set| set.name != Name::new(APP));
    sets.push(theirs.clone());
    world.list(sets);
    theirs
}

#[tokio::test]
async fn a_switch_is_one_batch_that_deletes_exactly_what_was_listed() {
    let world = world();
    let mut story = switch(&world);
    let out = story.done().await;
    assert_eq!(story.writes(), [format!("-{} +{}", old(), new())]);
    assert_eq!((out["ttl"].as_u64(), out["old_ttl"].as_u64()), (Some(60), Some(60)));
    assert_eq!(world.listed().len(), 2, "the other name is left alone");
}

#[tokio::test]
async fn a_switch_has_not_arrived_before_every_authority_serves_it() {
    let world = world();
    world.pass(seconds(1000));
    {
        let mut state = world.state();
        state.lags[1] = seconds(45);
        state.insync_after = seconds(20);
    }
    let mut story = switch(&world);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    let sent = world.state().now;
    world.pass(seconds(30));
    assert!(matches!(story.look(story.forward()).await, Ok(Look::Moving { .. })), "INSYNC is not served");
    story.arrive().await.unwrap();
    assert!(story.waited(sent) >= seconds(45));
}

#[tokio::test]
async fn insync_is_asked_even_where_all_authorities_that_are_near_serve_it() {
    let world = world();
    world.state().insync_after = seconds(40);
    let mut story = switch(&world);
    story.done().await;
    assert!(story.waited(super::world::START) >= seconds(40));
}

/// Whoever turned back would go the same slow way.
#[tokio::test]
async fn a_change_that_stays_pending_is_no_failure_and_goes_on_once_it_is_there() {
    let world = world();
    world.state().insync_after = seconds(40 * 60);
    let mut story = switch(&world);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    let words = ["not served everywhere after 15m", "PENDING"];
    fails(story.arrive().await, FaultKind::Blind, &words);
    fails(story.look(story.forward()).await, FaultKind::Blind, &words);
    world.pass(seconds(25 * 60));
    story.arrive().await.unwrap();
}

#[tokio::test]
async fn a_zone_of_another_name_than_the_plan_says_is_refused() {
    let world = world();
    for (kind, with) in [
        ("dns.switch", json!({"to": {"load_balancer": "aep-prod", "in": "prod"}})),
        ("dns.ttl", json!({"ttl": "60s"})),
    ] {
        let mut with = with;
        (with["target"], with["record"]) = (json!("misnamed"), json!("app"));
        let mut story = Story::new(&world, kind, &with);
        let words = ["target `misnamed` says that zone Z1 is example.org, and it is example.com"];
        fails(story.plan().await, FaultKind::Permanent, &words);
    }
    assert!(world.state().writes.is_empty());
}

#[tokio::test]
async fn an_authority_that_is_silent_proves_nothing() {
    let world = world();
    let mut story = switch(&world);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    world.state().silent = Some(1);
    let look = loop {
        match story.look(story.forward()).await {
            Ok(Look::Moving { .. }) => world.pass(seconds(3)),
            look => break look,
        }
    };
    fails(look, FaultKind::Blind, &["ns1.example"]);
}

#[tokio::test]
async fn a_plan_does_not_wait_for_authorities_that_lag_but_names_them() {
    let before = record(APP, "A", 600, &["10.9.0.1"]);
    for (was, is, longest) in [
        (old(), record(APP, "CNAME", 300, &["old.elb.example"]), 300),
        (record(APP, "CNAME", 300, &["old.elb.example"]), old(), 300),
        (before, old(), 600),
    ] {
        let world = world();
        world.list(vec![was]);
        world.pass(seconds(1000));
        world.list(vec![is]);
        world.state().lags = vec![seconds(30), seconds(40)];
        let mut story = switch(&world);
        let begun = world.state().now;
        story.plan().await.unwrap();
        assert_eq!(story.waited(begun), seconds(0));
        let told = story.proposal.as_ref().unwrap().changes.last().unwrap().clone();
        assert!(told.what.contains("name servers"), "{told:?}");
        assert!(told.from.contains("ns0.example") && told.from.contains("ns1.example"), "{told:?}");
        story.apply().await.unwrap();
        assert_eq!(story.arrive().await.unwrap()["old_ttl"], longest, "the longest that anybody may keep it");
    }
}

#[tokio::test]
async fn that_there_was_nothing_is_kept_for_as_long_as_the_authorities_say() {
    let world = world();
    world.list(Vec::new());
    world.pass(seconds(1000));
    assert_eq!(switch(&world).done().await["old_ttl"], 900);
}

#[tokio::test]
async fn an_alias_inside_the_zone_is_kept_for_as_long_as_its_target() {
    let world = world();
    world.state().addresses.insert(Name::new("other.example.com"), vec![[10, 9, 9, 9].into()]);
    let with =
        json!({"target": "zone", "record": "app", "to": {"alias": "other.example.com", "zone_id": "Z1"}});
    let mut story = Story::new(&world, "dns.switch", &with);
    story.done().await;
    story.undo().await.unwrap();
    let undone = story.since;
    story.restored().await.unwrap();
    assert!(story.waited(undone) >= seconds(300), "{:?}", story.waited(undone));
}

#[tokio::test]
async fn what_is_there_already_is_not_written_again() {
    let world = world();
    world.list(vec![new()]);
    let mut story = switch(&world);
    assert_eq!(story.plan().await.unwrap(), 0);
    story.arrive().await.unwrap();
    assert!(story.writes().is_empty());
}

#[tokio::test]
async fn a_record_changed_between_plan_and_apply_is_never_overwritten() {
    let world = world();
    let mut story = switch(&world);
    story.plan().await.unwrap();
    let theirs = meddle(&world);
    is_foreign(story.apply().await, &["theirs.example", "old.elb.example", "new.elb.example"]);
    assert_eq!(at_app(&world), [theirs]);
}

#[tokio::test]
async fn a_record_changed_after_the_switch_is_named_and_left() {
    let world = world();
    let mut story = switch(&world);
    story.done().await;
    let theirs = meddle(&world);
    is_foreign(story.look(Toward::Desired(1)).await, &["theirs.example"]);
    is_foreign(story.undo().await, &["theirs.example"]);
    assert_eq!(at_app(&world), [theirs]);
}

#[tokio::test]
async fn a_record_changed_after_the_undo_is_not_called_restored() {
    let world = world();
    let mut story = switch(&world);
    story.done().await;
    story.undo().await.unwrap();
    meddle(&world);
    is_foreign(story.restored().await, &["theirs.example"]);
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_reading() {
    for (fate, landed) in [(Fate::LostBefore, false), (Fate::LostAfter, true)] {
        let world = world();
        let mut story = switch(&world);
        story.plan().await.unwrap();
        world.state().fate = Some(fate);
        assert_eq!(story.apply().await.unwrap_err().landed, Landed::Maybe);
        match story.look(Toward::Desired(1)).await.unwrap() {
            Look::Prior => assert!(!landed),
            // Never done at once: that it landed is recorded first.
            Look::Moving { note: Some(_), .. } => assert!(landed),
            look => panic!("{look:?}"),
        }
        if !landed {
            story.apply().await.unwrap();
        }
        story.arrive().await.unwrap();
        assert_eq!(story.writes().len(), 1);
    }
}

#[tokio::test]
async fn a_repeated_call_whose_first_one_landed_late_is_not_foreign() {
    let world = world();
    let mut story = switch(&world);
    story.plan().await.unwrap();
    world.state().fate = Some(Fate::LostAfter);
    story.apply().await.unwrap_err();
    story.apply().await.unwrap();
    story.arrive().await.unwrap();
    assert_eq!(story.writes().len(), 1);
}

/// A switch that was undone, away from a side to which clients may keep a connection for an hour.
async fn undone(world: &World) -> Story {
    world.state().balancers[0].keep_alive = seconds(3600);
    let mut story = switch(world);
    story.done().await;
    story.undo().await.unwrap();
    story
}

#[tokio::test]
async fn measured_silence_of_the_other_side_ends_the_wait_for_its_connections() {
    let world = world();
    let mut story = undone(&world).await;
    let undone = story.since;
    // Hosts report every minute, and nobody asks them anything.
    world.state().measure = Box::new(|metric, _| (metric.name == "HealthyHostCount").then_some(2.0));
    story.restored().await.unwrap();
    let waited = story.waited(undone);
    assert!(waited >= seconds(60 + 180) && waited < seconds(900), "{waited:?}");
}

/// Over a WebSocket nobody asks for anything.
#[tokio::test]
async fn neither_no_metrics_nor_open_connections_end_the_wait_for_connections() {
    for reported in [0, 2] {
        let world = world();
        let mut story = undone(&world).await;
        let undone = story.since;
        let names = ["HealthyHostCount", "ActiveConnectionCount"];
        world.state().measure =
            Box::new(move |metric, _| names[..reported].contains(&&*metric.name).then_some(2.0));
        story.restored().await.unwrap();
        assert!(story.waited(undone) >= seconds(3660), "{reported}");
    }
}

#[tokio::test]
async fn the_way_back_waits_from_when_the_slowest_authority_serves_it_again() {
    let world = world();
    let mut story = switch(&world);
    story.done().await;
    world.pass(seconds(1000));
    world.state().lags[1] = seconds(30);
    story.undo().await.unwrap();
    let undone = story.since;
    story.restored().await.unwrap();
    // The last request of a connection may be answered as late as the load balancer allows.
    let whole = seconds(30 + 60) + KEEP_ALIVE + seconds(60);
    let waited = story.waited(undone);
    assert!(waited >= whole && waited < whole + seconds(20), "{waited:?}");
}

#[tokio::test]
async fn an_undo_of_what_is_back_already_writes_nothing() {
    let world = world();
    let mut story = switch(&world);
    story.done().await;
    story.undo().await.unwrap();
    let written = story.writes().len();
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(story.writes().len(), written);
}

#[tokio::test]
async fn a_prior_state_of_nothing_is_restored_too() {
    let world = world();
    world.list(Vec::new());
    let mut with = to_balancer();
    with["from"] = json!("absent");
    let mut story = Story::new(&world, "dns.switch", &with);
    story.done().await;
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert!(world.listed().is_empty());
}

#[tokio::test]
async fn what_the_plan_says_must_be_there_must_be_there() {
    for (from, holds) in [
        (json!({"cname": "Old.ELB.example."}), true),
        (json!({"cname": "else.example"}), false),
        (json!("absent"), false),
        (json!({"a": ["10.0.0.1"]}), false),
        (json!({"alias": "old.elb.example"}), false),
    ] {
        let world = world();
        let mut with = to_balancer();
        with["from"] = from.clone();
        let mut story = Story::new(&world, "dns.switch", &with);
        let plan = story.plan().await;
        if holds {
            assert_eq!(plan.unwrap(), 1, "{from}");
        } else {
            is_foreign(plan, &["old.elb.example", "the plan says"]);
        }
    }
}

#[tokio::test]
async fn routed_records_are_refused() {
    for policy in
        [("Weight", "0"), ("Failover", "PRIMARY"), ("MultiValueAnswer", "true"), ("Region", "eu-west-1")]
    {
        let world = world();
        let mut set = old();
        set.ttl = Some(300);
        set.extra = [("SetIdentifier", "blue"), policy].map(|(key, value)| (key.into(), value.into())).into();
        world.list(vec![set]);
        fails(switch(&world).plan().await, FaultKind::Permanent, &["routed", "blue"]);
        // Their TTL can be lowered, unless an answer does not show whose it is.
        let found = lower(&world).plan().await;
        match policy.0 {
            "Weight" => fails(found, FaultKind::Permanent, &["all are served alike"]),
            "MultiValueAnswer" => fails(found, FaultKind::Permanent, &["several of its sets at once"]),
            _ => assert_eq!(found.unwrap(), 1, "{policy:?}"),
        }
    }
}

#[tokio::test]
async fn a_zone_that_users_are_not_sent_to_is_refused() {
    let names = |all: &[&str]| all.iter().map(|name| Name::new(name)).collect::<Vec<_>>();
    let slow = || {
        let world = slow();
        world.state().addresses.insert(Name::new("ns.vanity.example"), vec![[127, 0, 0, 1].into()]);
        world.state().addresses.insert(Name::new("ns.other.example"), vec![[10, 0, 0, 53].into()]);
        world
    };
    for (delegation, words) in [
        (
            names(&["ns.other.example"]),
            "sends them to ns.other.example, and this zone is on ns0.example, ns1.example",
        ),
        (names(&["ns0.example", "ns.unknown.example"]), "ns.unknown.example"),
        (Vec::new(), "sends them nowhere"),
    ] {
        let world = slow();
        world.state().delegation = delegation;
        for mut story in [switch(&world), lower(&world)] {
            fails(
                story.plan().await,
                FaultKind::Permanent,
                &["zone Z1 of target `zone`", words, "`zone_id`"],
            );
        }
    }
    for delegation in [names(&["ns1.example"]), names(&["ns0.example", "ns.vanity.example"])] {
        let world = slow();
        world.state().delegation = delegation;
        for mut story in [switch(&world), lower(&world)] {
            assert_eq!(story.plan().await.unwrap(), 1, "fewer of them, or one by another name");
        }
    }
}

#[tokio::test]
async fn a_name_that_another_controller_owns_is_refused() {
    let world = world();
    let mut sets = world.listed();
    let mark = "\"heritage=external-dns,external-dns/owner=cluster-a,external-dns/resource=ingress/x\"";
    sets.push(record("cname-app.example.com", "TXT", 300, &[mark]));
    world.list(sets);
    for mut story in [switch(&world), lower(&world)] {
        fails(story.plan().await, FaultKind::Permanent, &["external-dns", "cluster-a"]);
    }
}

#[tokio::test]
async fn a_cname_beside_other_records_is_refused_before_anything_is_sent() {
    let world = world();
    world.list(vec![record(APP, "A", 60, &["10.0.0.9"]), record(APP, "TXT", 60, &["\"x\""])]);
    let with = json!({"target": "zone", "record": "app", "to": {"cname": "new.elb.example"}});
    fails(Story::new(&world, "dns.switch", &with).plan().await, FaultKind::Permanent, &["TXT", "CNAME"]);
    let apex = json!({"target": "zone", "record": "example.com", "to": {"cname": "new.elb.example"}});
    fails(Story::new(&world, "dns.switch", &apex).plan().await, FaultKind::Permanent, &["own name"]);
    let apex = json!({"target": "zone", "record": "@", "to": {"cname": "new.elb.example"}});
    assert_eq!(codes("dns.switch", &apex), ["SW2006"]);
}

#[tokio::test]
async fn another_spelling_is_the_same_record_and_goes_as_it_was_listed() {
    let world = world();
    world.list(vec![record(APP, "CNAME", 60, &["OLD.elb.Example."])]);
    world.pass(seconds(1000));
    let mut story = switch(&world);
    story.done().await;
    assert_eq!(story.writes(), [format!("-CNAME OLD.elb.Example. (TTL 60) +{}", new())]);
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(at_app(&world), [record(APP, "CNAME", 60, &["OLD.elb.Example."])]);
}

#[tokio::test]
async fn an_alias_that_still_answers_with_old_addresses_has_not_arrived() {
    let world = world();
    world.list(vec![alias(APP, "A", "old.elb.example")]);
    let mut story = switch(&world);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    // The provider's servers still know the old addresses under the new name too.
    let mixed = vec![[10, 0, 0, 1].into(), [10, 9, 0, 1].into()];
    world.state().addresses.insert(Name::new("new.elb.example"), mixed);
    let right = vec![[10, 0, 0, 1].into()];
    story.look(Toward::Desired(1)).await.unwrap();
    let listed = world.state().addresses.clone();
    assert_eq!(listed.len(), 2);
    world.state().addresses.insert(Name::new("new.elb.example"), right);
    story.arrive().await.unwrap();
}

#[tokio::test]
async fn addresses_keep_the_ttl_that_is_there() {
    let world = world();
    let with = json!({"target": "zone", "record": "app", "to": {"a": ["10.1.1.1", "10.1.1.2"]}});
    let mut story = Story::new(&world, "dns.switch", &with);
    story.done().await;
    assert_eq!(at_app(&world), [record(APP, "A", 60, &["10.1.1.1", "10.1.1.2"])]);
    for bad in [json!({"a": ["10.1.1"]}), json!({"a": ["10.1.1.1"], "ttl": "1500ms"})] {
        let bad = json!({"target": "zone", "record": "app", "to": bad});
        assert_eq!(codes("dns.switch", &bad), ["SW2006"]);
    }
}

pub(super) fn lower(world: &World) -> Story {
    Story::new(world, "dns.ttl", &json!({"target": "zone", "record": "app", "ttl": "60s"}))
}

fn slow() -> World {
    let world = world();
    world.list(vec![record(APP, "CNAME", 300, &["old.elb.example"])]);
    world.pass(seconds(1000));
    world
}

#[tokio::test]
async fn a_ttl_is_waited_for_from_when_every_authority_serves_the_new_one() {
    let world = slow();
    world.state().lags[1] = seconds(50);
    let mut story = lower(&world);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    let sent = world.state().now;
    let out = story.arrive().await.unwrap();
    assert!(story.waited(sent) >= seconds(50 + 300), "{:?}", story.waited(sent));
    assert_eq!((out["ttl"].as_u64(), out["old_ttl"].as_u64()), (Some(60), Some(300)));
}

#[tokio::test]
async fn an_authority_that_falls_back_to_the_old_ttl_begins_the_wait_anew() {
    let world = world();
    world.list(vec![record(APP, "CNAME", 3600, &["old.elb.example"])]);
    world.pass(seconds(10_000));
    let mut story = lower(&world);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    let sent = story.since;
    while story.waited(sent) < seconds(2000) {
        assert!(matches!(story.look(story.forward()).await, Ok(Look::Moving { .. })));
        world.pass(seconds(10));
    }
    // It serves what was there 2010 seconds ago, for ten seconds more.
    world.state().lags[1] = seconds(2010);
    let out = story.arrive().await.unwrap();
    let waited = story.waited(sent);
    assert!(waited >= seconds(2010 + 3600) && waited < seconds(2010 + 3600 + 20), "{waited:?}");
    assert_eq!(out["old_ttl"], 3600);
}

/// Nothing is left to lower, and one authority serves it late: then so many seconds have run out.
pub(super) async fn is_drained(world: &World, ttl: u64) {
    world.state().lags[0] = seconds(20);
    let mut story = lower(world);
    assert_eq!(story.plan().await.unwrap(), 0, "nothing is left to write");
    let begun = story.since;
    story.arrive().await.unwrap();
    assert!(story.waited(begun) >= seconds(20 + ttl), "{:?}", story.waited(begun));
}

#[tokio::test]
async fn a_ttl_that_was_lowered_a_moment_ago_is_drained_too() {
    let world = slow();
    world.list(vec![old()]);
    is_drained(&world, 300).await;
}

#[tokio::test]
async fn a_ttl_that_is_served_longer_than_listed_is_drained_as_served() {
    let world = slow();
    // Lowered by hand a moment ago: one authority still hands out 300 s.
    world.list(vec![record(APP, "CNAME", 120, &["old.elb.example"])]);
    world.state().lags[0] = seconds(20);
    let mut story = lower(&world);
    let out = story.done().await;
    assert_eq!(out["old_ttl"], 300);
}

/// external-dns#1421: the TTL of an alias was to be changed, and could not be.
#[tokio::test]
async fn an_alias_has_no_ttl_to_lower() {
    let world = world();
    world.list(vec![new()]);
    let mut story = lower(&world);
    assert_eq!(story.plan().await.unwrap(), 0);
    assert!(story.proposal.as_ref().unwrap().changes[0].to.contains("skipped"));
    story.arrive().await.unwrap();
}

#[tokio::test]
async fn a_low_ttl_is_left_alone() {
    let world = world();
    let mut story = lower(&world);
    assert_eq!(story.plan().await.unwrap(), 0);
    story.arrive().await.unwrap();
    assert!(story.writes().is_empty());
}

#[tokio::test]
async fn a_ttl_is_put_back_unless_somebody_else_changed_the_record() {
    let world = slow();
    let mut story = lower(&world);
    story.done().await;
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(at_app(&world), [record(APP, "CNAME", 300, &["old.elb.example"])]);
    let world = slow();
    let mut story = lower(&world);
    story.done().await;
    let theirs = meddle(&world);
    is_foreign(story.undo().await, &["theirs.example"]);
    assert_eq!(at_app(&world), [theirs]);
}

#[test]
fn shapes_that_contradict_themselves_are_found_before_the_run() {
    let to = |to: Json| codes("dns.switch", &json!({"target": "zone", "record": "app", "to": to}));
    for name in ["bücher", "a..b", ".app", &"a".repeat(64)] {
        assert_eq!(to(json!({"cname": name})), ["SW2003"], "{name}");
        let record = json!({"target": "zone", "record": name, "to": {"cname": "new.example."}});
        assert_eq!(codes("dns.switch", &record), ["SW2003"], "{name}");
    }
    assert_eq!(to(json!({"cname": "x", "a": ["10.0.0.1"]})), ["SW2003"]);
    assert_eq!(to(json!({})), ["SW2003"]);
    assert_eq!(to(json!({"load_balancer": "x"})), ["SW1004"]);
    assert_eq!(codes("dns.ttl", &json!({"target": "zone", "record": "app", "ttl": "500ms"})), ["SW2006"]);
}

#[tokio::test]
async fn the_undo_that_people_type_is_the_batch_that_the_tool_sends() {
    let world = world();
    let mut story = switch(&world);
    story.plan().await.unwrap();
    let prior = story.proposal.as_ref().unwrap().prior.clone();
    let typed = story.action.undo_by_hand(&prior, &crate::plan::Scope::default());
    insta::assert_snapshot!(typed.join("\n"), @r#"aws route53 change-resource-record-sets --hosted-zone-id Z1 --change-batch '{"Changes":[{"Action":"DELETE","ResourceRecordSet":{"Name":"app.example.com","Type":"A","AliasTarget":{"DNSName":"new.elb.example","HostedZoneId":"ZLB","EvaluateTargetHealth":false}}},{"Action":"CREATE","ResourceRecordSet":{"Name":"app.example.com","Type":"CNAME","TTL":60,"ResourceRecords":[{"Value":"old.elb.example"}]}}]}' --region eu-west-1"#);
}
