//! `dns.switch` of a name that has an HTTPS record.

use super::records::{APP, at_app, new, seconds, switch, to_balancer, world};
use super::world::{alias, record};
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
