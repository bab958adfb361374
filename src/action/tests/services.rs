//! `dns.switch` and `dns.ttl` of a name that has an HTTPS record.

use super::records::{APP, at_app, is_drained, lower, new, seconds, switch, to_balancer, world};
use super::world::{World, alias, record};
use super::{Story, codes, fails, is_foreign};
use crate::port::dns::RecordSet;
use crate::run::FaultKind;
use serde_json::json;

#[tokio::test]
async fn a_service_binding_that_leads_to_the_old_side_is_refused() {
    for (value, leads) in [
        ("1 . alpn=\"h2,h3\"", false),
        ("1 . alpn=\"h3\" ipv4hint=10.9.0.1", true),
        (r"1 . alpn=h3 key4=\010\009\000\001", true),
        ("0 old.elb.example.", true),
    ] {
        let world = world();
        world.list(vec![record(APP, "A", 60, &["10.9.0.1"]), record(APP, "HTTPS", 60, &[value])]);
        let plan = switch(&world).plan().await;
        if leads {
            fails(plan, FaultKind::Permanent, &["HTTPS", "old side"]);
        } else {
            assert_eq!(plan.unwrap(), 1, "{value}");
        }
    }
}

#[tokio::test]
async fn a_service_binding_goes_and_comes_with_its_name_in_one_batch() {
    let service = |value: &str| record(APP, "HTTPS", 120, &[value]);
    let (was, is) = (service("1 . ipv4hint=10.9.0.1 alpn=\"h2,h3\""), service("1 . alpn=h2,h3"));
    for (https, after) in [(json!(["1 . alpn=h2,h3"]), vec![new(), is.clone()]), (json!([]), vec![new()])] {
        let world = world();
        world.list(vec![record(APP, "A", 60, &["10.9.0.1"]), was.clone()]);
        world.pass(seconds(1000));
        world.state().lags[1] = seconds(45);
        let before = world.listed();
        let mut with = to_balancer();
        with["https"] = https;
        let mut story = Story::new(&world, "dns.switch", &with);
        assert_eq!(story.plan().await.unwrap(), 1);
        story.apply().await.unwrap();
        let sent = world.state().now;
        let out = story.arrive().await.unwrap();
        assert!(story.waited(sent) >= seconds(45), "each name server serves both");
        assert_eq!(
            out["old_ttl"].as_u64(),
            Some(120),
            "who has the old binding keeps it for longer than the old address"
        );
        assert_eq!((at_app(&world), story.writes().len()), (after, 1));
        story.undo().await.unwrap();
        story.restored().await.unwrap();
        let sorted = |mut sets: Vec<RecordSet>| {
            sets.sort_by_key(ToString::to_string);
            sets
        };
        assert_eq!(sorted(world.listed()), sorted(before), "word for word");
        // Somebody else's binding is somebody else's change.
        story = Story::new(&world, "dns.switch", &with);
        story.done().await;
        let mut theirs = world.listed();
        theirs.retain(|set| set.kind.0 != "HTTPS");
        theirs.push(service("1 . alpn=h3"));
        world.list(theirs);
        is_foreign(story.undo().await, &["alpn=h3"]);
    }
    // What is whatever another name has, and what is of another kind, is not switched with it.
    for beside in
        [alias(APP, "HTTPS", "old.elb.example"), record(APP, "SVCB", 60, &["1 old.example. port=8443"])]
    {
        let world = world();
        world.list(vec![record(APP, "A", 60, &["10.9.0.1"]), beside]);
        let mut with = to_balancer();
        with["https"] = json!([]);
        fails(Story::new(&world, "dns.switch", &with).plan().await, FaultKind::Permanent, &["old side"]);
    }
    // What is not stated is left alone, and nobody's business.
    let world = world();
    world.list(vec![record(APP, "A", 60, &["10.9.0.1"]), service("1 . alpn=h2")]);
    world.pass(seconds(1000));
    let mut story = switch(&world);
    story.done().await;
    assert!(at_app(&world).contains(&service("1 . alpn=h2")));
    for (https, to) in [
        (json!(["h2"]), json!({"a": ["10.0.0.1"]})),
        (json!(["0 . alpn=h2"]), json!({"a": ["10.0.0.1"]})),
        (json!(["1 . speaks=h2"]), json!({"a": ["10.0.0.1"]})),
        (json!(["1 . alpn=h2"]), json!({"cname": "x"})),
    ] {
        let with = json!({"target": "zone", "record": "app", "to": to, "https": https});
        assert_eq!(codes("dns.switch", &with), ["SW2006"], "{with}");
    }
    let goes = json!({"target": "zone", "record": "app", "to": {"cname": "x"}, "https": []});
    assert_eq!(codes("dns.switch", &goes), [""; 0]);
}

fn service(ttl: u32) -> RecordSet {
    record(APP, "HTTPS", ttl, &["1 . alpn=h2"])
}

/// These sets have been there for long.
fn settled(sets: Vec<RecordSet>) -> World {
    let world = world();
    world.list(sets);
    world.pass(seconds(10_000));
    world
}

#[tokio::test]
async fn a_lowered_ttl_includes_that_of_the_https_record_and_drains_it_too() {
    let sets = |ttl: u32, long: u32| [record(APP, "A", ttl, &["10.9.0.1"]), service(long)];
    let world = settled(sets(300, 3600).to_vec());
    world.state().lags[1] = seconds(50);
    let mut story = lower(&world);
    assert_eq!(story.plan().await.unwrap(), 1);
    let told = format!("{:?}", story.proposal.as_ref().unwrap().changes);
    assert!(told.contains("TTL of app.example.com HTTPS"), "{told}");
    story.apply().await.unwrap();
    let sent = world.state().now;
    let out = story.arrive().await.unwrap();
    assert!(story.waited(sent) >= seconds(50 + 3600), "{:?}", story.waited(sent));
    assert_eq!((&out["old_ttl"], &out["listed"]), (&json!(3600), &json!({"A": 300, "HTTPS": 3600})));
    assert_eq!((at_app(&world), story.writes().len()), (sets(60, 60).to_vec(), 1));
    // Somebody else's TTL is somebody else's change.
    world.list(sets(60, 90).to_vec());
    is_foreign(story.undo().await, &["TTL 90"]);
    world.list(sets(60, 60).to_vec());
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(at_app(&world), sets(300, 3600));
}

#[tokio::test]
async fn an_https_record_that_was_lowered_a_moment_ago_is_drained_too() {
    let world = settled(vec![record(APP, "A", 60, &["10.9.0.1"]), service(3600)]);
    world.list(vec![record(APP, "A", 60, &["10.9.0.1"]), service(60)]);
    is_drained(&world, 3600).await;
}

#[tokio::test]
async fn an_https_record_may_be_routed_otherwise_than_its_name() {
    let by = |set: RecordSet, policy: [(&str, &str); 2]| {
        let extra = policy.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        RecordSet { extra, ..set }
    };
    let one = || record(APP, "A", 300, &["10.9.0.1"]);
    let of = |id: &'static str| [("SetIdentifier", id), ("Region", id)];
    for sets in [
        vec![by(one(), of("eu-west-1")), by(one(), of("us-east-1")), service(3600)],
        vec![one(), by(service(3600), of("eu-west-1")), by(service(3600), of("us-east-1"))],
    ] {
        let world = settled(sets.clone());
        let mut story = lower(&world);
        story.done().await;
        let low = |set: RecordSet| RecordSet { ttl: Some(60), ..set };
        let low: Vec<RecordSet> = sets.into_iter().map(low).collect();
        assert_eq!((at_app(&world), story.writes().len()), (low, 1));
    }
    let many = by(service(3600), [("SetIdentifier", "one"), ("MultiValueAnswer", "true")]);
    let world = settled(vec![one(), many.clone()]);
    lower(&world).done().await;
    assert_eq!(at_app(&world), [many, record(APP, "A", 60, &["10.9.0.1"])], "nobody could follow that one");
}

#[tokio::test]
async fn an_https_record_whose_name_leads_nowhere_has_no_ttl_to_lower() {
    for sets in [vec![service(3600)], Vec::new()] {
        let world = settled(sets);
        let words = ["has no record whose TTL could be lowered"];
        fails(lower(&world).plan().await, FaultKind::Permanent, &words);
    }
}

/// It has its target's TTL.
#[tokio::test]
async fn an_https_record_that_is_an_alias_is_left_alone() {
    let beside = alias(APP, "HTTPS", "other.example.com");
    let world = settled(vec![record(APP, "A", 300, &["10.9.0.1"]), beside.clone()]);
    let mut story = lower(&world);
    story.done().await;
    assert_eq!(at_app(&world), [beside, record(APP, "A", 60, &["10.9.0.1"])]);
    story.undo().await.unwrap();
    story.restored().await.unwrap();
}
