//! A TTL that is given back once all is done, and a switch that is undone from there.

use super::world::{World, alias, record};
use super::{Story, codes, fails, is_foreign, known, value};
use crate::action::{Registry, Toward};
use crate::plan::{Fields, Known, Problems, StepId};
use crate::port::dns::{Name, RecordSet};
use crate::run::{Fault, FaultKind, Look};
use serde_json::{Value as Json, json};
use std::time::Duration;

const APP: &str = "app.example.com";

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn cname(ttl: u32, to: &str) -> RecordSet {
    record(APP, "CNAME", ttl, &[to])
}

/// Its record has been there for long.
fn world() -> World {
    let world = World::new();
    world.list(vec![cname(300, "old.example")]);
    world.pass(seconds(1000));
    world
}

fn lower(world: &World) -> Story {
    Story::new(world, "dns.ttl", &json!({"target": "zone", "record": "app", "ttl": "60s"}))
}

fn switch(world: &World) -> Story {
    Story::new(
        world,
        "dns.switch",
        &json!({"target": "zone", "record": "app", "to": {"cname": "new.example"}}),
    )
}

/// The step that gives back what `lower` answered, in a run that ends so.
fn raise(world: &World, record: &str, answered: Option<&Json>, ending: &str) -> Story {
    let known = Known { steps: vec!["lower".into()], ..known() };
    let with = value(&json!({"target": "zone", "record": record, "restore": "lower"}));
    let mut problems = Problems::default();
    let action = Registry.build("dns.ttl", &mut Fields::new(&with, &known, &mut problems));
    let action = action.unwrap_or_else(|| panic!("{:?}", problems.as_slice()));
    assert_eq!(known.read_steps.borrow().len(), 1, "who reads the plan sees that it comes before");
    let world = world.seen_by(|scope| {
        scope.run.insert("ending".into(), ending.into());
        if let Some(out) = answered {
            scope.answered(&StepId("lower".into()), &out.to_string());
        }
    });
    Story::of(&world, action)
}

/// Lowered, switched, and given back.
async fn all_done(world: &World) -> (Story, Story) {
    let mut lowered = lower(world);
    let out = lowered.done().await;
    let mut switched = switch(world);
    switched.done().await;
    let raised = raise(world, "app", Some(&out), "completed").done().await;
    assert_eq!(raised["ttl"].as_u64(), Some(300));
    switched.world = world.seen_by(|scope| scope.answered(&StepId("lower".into()), &out.to_string()));
    (lowered, switched)
}

#[tokio::test]
async fn what_was_lowered_is_given_back_wherever_the_name_leads_by_then() {
    let world = world();
    let (_, mut switched) = all_done(&world).await;
    assert_eq!(world.listed(), [cname(300, "new.example")]);
    let look = switched.look(Toward::Desired(1)).await;
    assert!(matches!(look, Ok(Look::Desired { .. })), "it leads where the switch led it: {look:?}");
}

/// Or requests would still come to the other side when it is said that nobody comes there any more.
#[tokio::test]
async fn a_switch_is_undone_from_there_and_waits_for_that_ttl() {
    for answer_is_lost in [false, true] {
        let world = world();
        let (mut lowered, mut switched) = all_done(&world).await;
        world.pass(seconds(1000));
        let forward = switched.note.clone();
        switched.undo().await.unwrap();
        let undone = world.state().now;
        if answer_is_lost {
            switched.note = forward;
            switched.undo().await.unwrap();
        }
        switched.restored().await.unwrap();
        assert_eq!(world.listed(), [cname(60, "old.example")]);
        let waited = switched.waited(undone);
        assert!(waited >= seconds(300) && waited < seconds(330), "{waited:?}");
        lowered.undo().await.unwrap();
        lowered.restored().await.unwrap();
        assert_eq!(world.listed(), [cname(300, "old.example")]);
    }
}

fn service(value: &str, ttl: u32) -> RecordSet {
    record(APP, "HTTPS", ttl, &[value])
}

fn address(value: &str, ttl: u32) -> RecordSet {
    record(APP, "A", ttl, &[value])
}

/// These have been there for long.
fn settled(sets: &[RecordSet]) -> World {
    let world = World::new();
    world.list(sets.to_vec());
    world.pass(seconds(10_000));
    world
}

/// In one order.
fn listed(world: &World) -> Vec<RecordSet> {
    let mut sets = world.listed();
    sets.sort_by_key(|set| set.kind.0.clone());
    sets
}

/// From the TTL that was given back to it, and from no other.
#[tokio::test]
async fn a_switch_with_its_https_record_is_undone_from_there_too() {
    let before = [address("10.9.0.1", 300), service("1 . alpn=h2 ipv4hint=10.9.0.1", 900)];
    let world = settled(&before);
    let mut lowered = lower(&world);
    let out = lowered.done().await;
    let to = json!({"a": ["10.0.0.1"]});
    let with = json!({"target": "zone", "record": "app", "to": to, "https": ["1 . alpn=h2"]});
    let mut switched = Story::new(&world, "dns.switch", &with);
    switched.done().await;
    raise(&world, "app", Some(&out), "completed").done().await;
    let now = [address("10.0.0.1", 300), service("1 . alpn=h2", 900)];
    assert_eq!(listed(&world), now);
    switched.world = world.seen_by(|scope| scope.answered(&StepId("lower".into()), &out.to_string()));
    for theirs in [service("1 . alpn=h2", 59), service("1 . alpn=h2", 901), service("1 . alpn=h3", 900)] {
        world.list(vec![now[0].clone(), theirs]);
        is_foreign(switched.look(Toward::Desired(1)).await, &["somebody else changed it"]);
        is_foreign(switched.undo().await, &["somebody else changed it"]);
    }
    world.list(now.to_vec());
    world.pass(seconds(1000));
    switched.undo().await.unwrap();
    let undone = world.state().now;
    switched.restored().await.unwrap();
    assert!(switched.waited(undone) >= seconds(900), "{:?}", switched.waited(undone));
    lowered.undo().await.unwrap();
    lowered.restored().await.unwrap();
    assert_eq!(listed(&world), before);
}

/// A switch that says nothing of it leaves it as it is, and its way back does not wait for it.
#[tokio::test]
async fn an_https_record_is_given_its_own_ttl_back() {
    let world = settled(&[address("10.9.0.1", 300), service("1 . alpn=h2", 3600)]);
    let out = lower(&world).done().await;
    let with = json!({"target": "zone", "record": "app", "to": {"a": ["10.0.0.1"]}});
    let mut switched = Story::new(&world, "dns.switch", &with);
    switched.done().await;
    assert_eq!(listed(&world), [address("10.0.0.1", 60), service("1 . alpn=h2", 60)]);
    raise(&world, "app", Some(&out), "completed").done().await;
    assert_eq!(listed(&world), [address("10.0.0.1", 300), service("1 . alpn=h2", 3600)]);
    world.pass(seconds(10_000));
    switched.world = world.seen_by(|scope| scope.answered(&StepId("lower".into()), &out.to_string()));
    switched.undo().await.unwrap();
    let undone = world.state().now;
    switched.restored().await.unwrap();
    let waited = switched.waited(undone);
    assert!(waited >= seconds(300) && waited < seconds(330), "{waited:?}");
    assert_eq!(listed(&world), [address("10.9.0.1", 60), service("1 . alpn=h2", 3600)]);
}

/// An earlier version did not lower it.
#[tokio::test]
async fn an_https_record_that_was_not_lowered_is_given_nothing() {
    let world = settled(&[address("10.9.0.1", 60), service("1 . alpn=h2", 60)]);
    let out = json!({"record": APP, "listed": {"A": 300}, "ttl": 60});
    raise(&world, "app", Some(&out), "completed").done().await;
    assert_eq!(listed(&world), [address("10.9.0.1", 300), service("1 . alpn=h2", 60)]);
    // Nor is a record of another type given what only this one had.
    let out = json!({"record": APP, "listed": {"A": 300, "HTTPS": 3600}, "ttl": 60});
    world.list(vec![record(APP, "AAAA", 60, &["fd00::1"]), service("1 . alpn=h2", 60)]);
    raise(&world, "app", Some(&out), "completed").done().await;
    assert_eq!(listed(&world), [record(APP, "AAAA", 300, &["fd00::1"]), service("1 . alpn=h2", 3600)]);
}

#[tokio::test]
async fn the_way_back_has_time_for_a_long_ttl_that_was_given_back() {
    let to = json!({"a": ["10.0.0.1"]});
    for (https, ttl, long) in [(None, 3600, 60), (Some("1 . alpn=h2"), 300, 3600)] {
        let world = settled(&[address("10.9.0.1", ttl), service("1 . alpn=h3", long)]);
        let out = lower(&world).done().await;
        let seen = world.seen_by(|scope| scope.answered(&StepId("lower".into()), &out.to_string()));
        let mut with = json!({"target": "zone", "record": "app", "to": to});
        if let Some(https) = https {
            with["https"] = json!([https]);
        }
        let mut switched = Story::new(&seen, "dns.switch", &with);
        switched.done().await;
        raise(&world, "app", Some(&out), "completed").done().await;
        world.pass(seconds(10_000));
        switched.undo().await.unwrap();
        let undone = world.state().now;
        switched.restored().await.unwrap();
        assert!(switched.waited(undone) >= seconds(3600), "{:?}", switched.waited(undone));
    }
}

/// Another answer, or a TTL that this run cannot have given back.
#[tokio::test]
async fn anything_else_is_still_somebody_elses() {
    let world = world();
    let (_, mut switched) = all_done(&world).await;
    for theirs in [cname(300, "theirs.example"), cname(301, "new.example"), cname(59, "new.example")] {
        world.list(vec![theirs.clone()]);
        is_foreign(switched.look(Toward::Desired(1)).await, &["somebody else changed it"]);
        is_foreign(switched.undo().await, &["somebody else changed it"]);
        assert_eq!(world.listed(), [theirs]);
    }
}

/// A TTL is all that the step changes that lowers it.
#[tokio::test]
async fn a_ttl_that_somebody_else_set_is_not_what_was_lowered() {
    let world = world();
    let mut lowered = lower(&world);
    lowered.done().await;
    world.list(vec![cname(120, "old.example")]);
    is_foreign(lowered.look(Toward::Desired(1)).await, &["TTL 120"]);
    is_foreign(lowered.undo().await, &["TTL 120"]);
}

#[tokio::test]
async fn nothing_is_given_back_that_was_not_taken_or_in_a_run_that_does_not_end_well() {
    let world = world();
    let out = lower(&world).done().await;
    for (answered, ending) in [(None, "completed"), (Some(&out), "rolled_back"), (Some(&out), "stuck")] {
        let mut story = raise(&world, "app", answered, ending);
        assert_eq!(story.plan().await, Ok(0), "{ending}");
    }
    let mut other = raise(&world, "other", Some(&out), "completed");
    fails(other.plan().await, FaultKind::Permanent, &["app.example.com", "other.example.com"]);
    let mut none = raise(&world, "app", Some(&json!({"ttl": 60})), "completed");
    fails(none.plan().await, FaultKind::Permanent, &["`lower` has lowered no TTL"]);
}

/// A TTL that is higher by then, and that of an alias, stay.
#[tokio::test]
async fn only_what_is_lower_is_raised() {
    let world = world();
    let out = lower(&world).done().await;
    for set in [cname(900, "new.example"), alias(APP, "A", "new.elb.example")] {
        world.state().addresses.insert(Name::new("new.elb.example"), vec![[10, 0, 0, 1].into()]);
        world.list(vec![set]);
        assert_eq!(raise(&world, "app", Some(&out), "completed").plan().await, Ok(0));
    }
}

/// What is planned where these sets are listed, by a switch that says so.
async fn switching(listed: &[RecordSet], says: &Json) -> Result<u32, Fault> {
    let world = settled(listed);
    for name in ["old.elb.example", "new.elb.example"] {
        world.state().addresses.insert(Name::new(name), vec![[10, 0, 0, 1].into()]);
    }
    let mut with = json!({"target": "zone", "record": "app"});
    with.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
    Story::new(&world, "dns.switch", &with).plan().await
}

/// A rollback would reach users as late as that.
#[tokio::test]
async fn a_longer_ttl_than_that_of_what_goes_is_not_switched_to() {
    let pair = vec![address("10.9.0.1", 60), service("1 . alpn=h2", 60)];
    let with_https = json!({"to": {"a": ["10.0.0.1"], "ttl": "5m"}, "https": ["1 . alpn=h2"]});
    for (listed, says, words) in [
        (vec![cname(60, "old.example")], json!({"to": {"cname": "new.example", "ttl": "61s"}}), "1m1s"),
        (vec![cname(60, "old.example")], json!({"to": {"a": ["10.0.0.1"], "ttl": "1h"}}), "1h"),
        (
            vec![alias(APP, "A", "old.elb.example")],
            json!({"to": {"cname": "new.example", "ttl": "5m"}}),
            "5m",
        ),
        (vec![address("10.9.0.1", 60)], json!({"to": {"aaaa": ["fd00::1"], "ttl": "2m"}}), "2m"),
        (pair, with_https, "5m"),
    ] {
        let says_so = format!("`ttl` says {words}");
        let refused = switching(&listed, &says).await;
        fails(refused, FaultKind::Permanent, &["for 1m", says_so.as_str(), "leave `ttl` out", "`restore`"]);
    }
    // Nor once the run itself has lowered it.
    let world = world();
    lower(&world).done().await;
    let with = json!({"target": "zone", "record": "app", "to": {"cname": "new.example", "ttl": "5m"}});
    let mut story = Story::new(&world, "dns.switch", &with);
    fails(story.plan().await, FaultKind::Permanent, &["for 1m", "`ttl` says 5m"]);
    assert_eq!(world.listed(), [cname(60, "old.example")]);
}

#[tokio::test]
async fn a_ttl_that_is_as_long_at_most_or_that_nobody_states_is_no_rise() {
    let to_alias = json!({"to": {"alias": "new.elb.example", "zone_id": "Z2"}});
    let pair = vec![address("10.9.0.1", 60), service("1 . alpn=h2", 300)];
    let with_https = json!({"to": {"a": ["10.0.0.1"], "ttl": "5m"}, "https": ["1 . alpn=h2,h3"]});
    for (listed, says) in [
        (vec![cname(300, "old.example")], json!({"to": {"cname": "new.example", "ttl": "5m"}})),
        (vec![cname(300, "old.example")], json!({"to": {"cname": "new.example", "ttl": "30s"}})),
        (vec![cname(30, "old.example")], to_alias),
        (vec![alias(APP, "A", "old.elb.example")], json!({"to": {"cname": "new.example"}})),
        // Whoever keeps the HTTPS record goes by it for as long already.
        (pair, with_https),
        (Vec::new(), json!({"to": {"cname": "new.example", "ttl": "1h"}})),
        (Vec::new(), json!({"to": {"a": ["10.0.0.1"]}})),
    ] {
        assert_eq!(switching(&listed, &says).await, Ok(1), "{says}");
    }
    // What it should be already is not raised.
    let same = json!({"to": {"cname": "old.example", "ttl": "5m"}});
    assert_eq!(switching(&[cname(300, "old.example")], &same).await, Ok(0));
}

/// Whoever does it by hand changes what the step would have changed.
#[tokio::test]
async fn people_are_told_of_its_https_record() {
    let world = world();
    for story in [lower(&world), raise(&world, "app", None, "completed")] {
        let by_hand = story.action.by_hand();
        let batches = by_hand.apply.iter().chain(&by_hand.undo);
        let batches: Vec<&String> = batches.filter(|line| line.contains("--change-batch")).collect();
        assert_eq!(batches.len(), 2, "{batches:?}");
        assert!(batches.iter().all(|line| line.contains("its HTTPS record in this batch")), "{batches:?}");
    }
}

#[test]
fn it_is_lowered_or_given_back() {
    for wants in [json!({}), json!({"ttl": "60s", "restore": "lower"})] {
        let mut with = json!({"target": "zone", "record": "app"});
        with.as_object_mut().unwrap().extend(wants.as_object().unwrap().clone());
        assert!(codes("dns.ttl", &with).contains(&"SW2038"), "{wants}");
    }
}
