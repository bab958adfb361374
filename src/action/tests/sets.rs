//! `dns.switch` of one set of a routed record.

use super::world::{Fate, World, alias, checked, record};
use super::{Story, codes, fails, is_foreign};
use crate::action::Toward;
use crate::port::LoadBalancer;
use crate::port::dns::{Name, RecordSet};
use crate::run::{Fault, FaultKind, Landed, Look};
use serde_json::{Value as Json, json};
use std::time::Duration;

const APP: &str = "app.example.com";
const EU: [(&str, &str); 3] = [("SetIdentifier", "eu"), ("Region", "eu-west-1"), ("HealthCheckId", "hc-eu")];
const US: [(&str, &str); 2] = [("SetIdentifier", "us"), ("Region", "us-east-1")];

fn chosen(set: RecordSet, by: &[(&str, &str)]) -> RecordSet {
    RecordSet { extra: by.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(), ..set }
}

fn in_europe(to: &str) -> RecordSet {
    chosen(alias(APP, "A", to), &EU)
}

fn in_america() -> RecordSet {
    chosen(record(APP, "A", 60, &["10.8.0.1"]), &US)
}

/// A name that leads to Europe or America, by latency.
fn world() -> World {
    let world = World::new();
    {
        let mut state = world.state();
        state.listings[0].1 = vec![in_europe("old.elb.example"), in_america()];
        state.addresses.insert(Name::new("old.elb.example"), vec![[10, 9, 0, 1].into()]);
        state.addresses.insert(Name::new("new.elb.example"), vec![[10, 0, 0, 1].into()]);
        state.balancers.push(LoadBalancer {
            arn: "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/new/1".into(),
            name: "new".into(),
            dns_name: "new.elb.example".into(),
            zone_id: "ZLB".into(),
            keep_alive: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
        });
    }
    world.pass(Duration::from_secs(1000));
    world
}

/// Its name servers answer with the set that stays.
fn seen_from_america() -> World {
    let world = world();
    let mut listed = world.listed();
    listed.reverse();
    world.list(listed);
    world.pass(Duration::from_secs(1000));
    world
}

fn with(set: &str, to: &Json) -> Json {
    json!({"target": "zone", "record": "app", "set": set, "to": to})
}

fn to_new() -> Json {
    json!({"load_balancer": "new", "in": "prod"})
}

fn switch(world: &World) -> Story {
    Story::new(world, "dns.switch", &with("eu", &to_new()))
}

fn sorted(mut sets: Vec<RecordSet>) -> Vec<RecordSet> {
    sets.sort_by_key(|set| set.extra["SetIdentifier"].clone());
    sets
}

#[tokio::test]
async fn one_set_is_led_elsewhere_and_stays_what_it_is_chosen_by() {
    let world = world();
    world.state().insync_after = Duration::from_secs(40);
    let mut story = switch(&world);
    assert_eq!(story.plan().await.unwrap(), 1);
    let told = format!("{:?}", story.proposal.as_ref().unwrap().changes);
    assert!(told.contains("A alias old.elb.example set eu") && !told.contains("set us"), "{told}");
    let notes = story.told().await.unwrap().notes.join("\n");
    let unrecoverable = "zone Z1 (example.com) has no Accelerated Recovery";
    let protected = "whether a record protection of Route 53 holds app.example.com is not known";
    for words in
        ["depends on where it asks", "health check hc-eu stays with set eu", unrecoverable, protected]
    {
        assert!(notes.contains(words), "`{words}` is not in: {notes}");
    }
    story.apply().await.unwrap();
    let sent = world.state().now;
    story.arrive().await.unwrap();
    assert!(story.waited(sent) >= Duration::from_secs(40), "until INSYNC at least");
    assert_eq!(sorted(world.listed()), [in_europe("new.elb.example"), in_america()]);
    let moved = format!("-{} +{}", in_europe("old.elb.example"), in_europe("new.elb.example"));
    assert_eq!(story.writes(), [moved], "the other set has no part in it");
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(sorted(world.listed()), [in_europe("old.elb.example"), in_america()]);
}

#[tokio::test]
async fn a_preview_tells_what_the_health_check_of_the_set_asks_and_how_it_stands() {
    let forbidden = Fault::blind("route53 GetHealthCheck: AccessDenied: no; these credentials may not look");
    for (said, words) in [
        (
            Ok(Some(checked(14))),
            "health check hc-eu of set eu asks https://old.example/health: 14 of 15 checkers call it healthy",
        ),
        (
            Err(forbidden),
            "how health check hc-eu of set eu stands could not be known: route53 GetHealthCheck",
        ),
    ] {
        let world = world();
        world.state().health_checks.insert("hc-eu".into(), said);
        let mut story = switch(&world);
        assert_eq!(story.plan().await.unwrap(), 1, "it holds nothing up");
        let notes = story.told().await.unwrap().notes.join("\n");
        assert!(notes.contains(words), "`{words}` is not in: {notes}");
        story.done().await;
    }
}

#[tokio::test]
async fn a_set_that_nobody_would_be_answered_with_is_not_led_elsewhere() {
    for (said, words) in [
        (Some(checked(0)), "asks https://old.example/health: 0 of 15 checkers call it healthy"),
        (None, "does not exist"),
    ] {
        let world = world();
        world.state().health_checks.insert("hc-eu".into(), Ok(said));
        let refused = ["app.example.com", "health check hc-eu of set eu", words, "answers with other sets"];
        fails(switch(&world).plan().await, FaultKind::Permanent, &refused);
        assert!(world.state().writes.is_empty());
        // The health check is of another set than this.
        let mut other = Story::new(&world, "dns.switch", &with("us", &json!({"a": ["10.8.0.2"]})));
        assert_eq!(other.plan().await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_name_server_may_answer_with_any_of_the_sets_that_are_listed() {
    // Whoever stands where these name servers see America is given that.
    let world = seen_from_america();
    let mut story = switch(&world);
    story.done().await;
    // What is none of them has not arrived.
    let mut story = Story::new(&world, "dns.switch", &with("us", &json!({"a": ["10.8.0.2"]})));
    world.state().lags[1] = Duration::from_secs(45);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    let sent = world.state().now;
    story.arrive().await.unwrap();
    assert!(story.waited(sent) >= Duration::from_secs(45), "{:?}", story.waited(sent));
}

/// The plan says where the set leads that goes, and nothing of the others.
#[tokio::test]
async fn a_set_is_led_away_from_a_load_balancer() {
    let world = world();
    {
        let mut state = world.state();
        let new = state.balancers[0].clone();
        let (arn, dns_name) = (new.arn.replace("/new/", "/old/"), "old.elb.example".into());
        state.balancers.push(LoadBalancer { arn, name: "old".into(), dns_name, ..new });
    }
    for (set, from, holds) in [("eu", "old", true), ("us", "old", false), ("eu", "new", false)] {
        let mut with = with(set, &to_new());
        with["from"] = json!({"load_balancer": from, "in": "prod"});
        if set == "us" {
            with["to"] = json!({"a": ["10.8.0.2"]});
        }
        let plan = Story::new(&world, "dns.switch", &with).plan().await;
        if holds {
            assert_eq!(plan.unwrap(), 1, "{with}");
        } else {
            is_foreign(plan, &["the plan says it must be an alias of load balancer"]);
        }
    }
}

/// Whoever is answered with a set that stays has seen nothing of the change, and nobody can be asked how far it is.
#[tokio::test]
async fn an_answer_that_is_lost_is_waited_for() {
    for back in [false, true] {
        let world = seen_from_america();
        let mut story = switch(&world);
        if back {
            story.done().await;
        } else {
            story.plan().await.unwrap();
        }
        world.state().fate = Some(Fate::LostAfter);
        let lost = if back { story.undo().await } else { story.apply().await };
        assert_eq!(lost.unwrap_err().landed, Landed::Maybe);
        story.note = None;
        let sent = world.state().now;
        if back {
            story.undo().await.unwrap();
            story.restored().await.unwrap();
        } else {
            story.arrive().await.unwrap();
        }
        assert!(story.waited(sent) >= Duration::from_secs(60), "{:?}", story.waited(sent));
    }
}

#[tokio::test]
async fn a_set_stays_chosen_by_the_health_of_what_it_leads_to_and_has_the_ttl_of_its_own_type() {
    let world = world();
    let mut healthy = in_europe("old.elb.example");
    healthy.alias.as_mut().unwrap().evaluate_health = true;
    world.list(vec![healthy, in_america()]);
    world.pass(Duration::from_secs(1000));
    let led = |world: &World| {
        let led = world.listed().into_iter().find(|set| set.extra["SetIdentifier"] == "eu").unwrap();
        (led.to_string(), led.alias.unwrap().evaluate_health)
    };
    let mut story = switch(&world);
    story.done().await;
    assert_eq!(led(&world), ("A alias new.elb.example by its health set eu".into(), true));
    // Unless the plan says otherwise.
    let mut to = to_new();
    to["evaluate_target_health"] = json!(false);
    let mut story = Story::new(&world, "dns.switch", &with("eu", &to));
    world.pass(Duration::from_secs(1000));
    story.done().await;
    assert_eq!(led(&world), ("A alias new.elb.example set eu".into(), false));
    let weighted = |kind: &str, id: &str, ttl: u32, value: &str| {
        chosen(record(APP, kind, ttl, &[value]), &[("SetIdentifier", id), ("Weight", "1")])
    };
    let all = |value: &str| {
        vec![
            weighted("A", "eu", 60, value),
            weighted("AAAA", "eu", 300, "fd00::1"),
            weighted("A", "us", 60, "10.8.0.1"),
            weighted("AAAA", "us", 300, "fd00::2"),
        ]
    };
    let world = self::world();
    world.list(all("10.9.0.1"));
    world.pass(Duration::from_secs(1000));
    let to = json!({"a": ["10.0.0.1"], "aaaa": ["fd00::1"]});
    let mut story = Story::new(&world, "dns.switch", &with("eu", &to));
    story.done().await;
    let by_name = |mut sets: Vec<RecordSet>| {
        sets.sort_by_key(ToString::to_string);
        sets
    };
    assert_eq!(by_name(world.listed()), by_name(all("10.0.0.1")));
}

#[tokio::test]
async fn somebody_elses_change_of_any_of_the_sets_is_seen() {
    let theirs = || vec![in_europe("new.elb.example"), chosen(record(APP, "A", 60, &["10.7.7.7"]), &US)];
    let world = world();
    let mut story = switch(&world);
    story.plan().await.unwrap();
    world.list(vec![in_europe("theirs.example"), in_america()]);
    is_foreign(story.apply().await, &["theirs.example"]);
    // Also of one that has no part in the batch.
    let world = self::world();
    let mut story = switch(&world);
    story.plan().await.unwrap();
    world.list(vec![in_europe("old.elb.example"), chosen(record(APP, "A", 60, &["10.7.7.7"]), &US)]);
    is_foreign(story.apply().await, &["10.7.7.7"]);
    assert!(story.writes().is_empty());
    let world = self::world();
    let mut story = switch(&world);
    story.done().await;
    world.list(theirs());
    is_foreign(story.look(Toward::Desired(1)).await, &["10.7.7.7"]);
    is_foreign(story.undo().await, &["10.7.7.7"]);
    assert_eq!(world.listed(), theirs());
}

#[tokio::test]
async fn a_set_that_is_not_there_or_would_not_fit_is_found_before_going() {
    let refused = async |listed: Vec<RecordSet>, set: &str, to: &Json, words: &[&str]| {
        let world = world();
        world.list(listed);
        world.pass(Duration::from_secs(1000));
        fails(Story::new(&world, "dns.switch", &with(set, to)).plan().await, FaultKind::Permanent, words);
    };
    let both = || vec![in_europe("old.elb.example"), in_america()];
    refused(both(), "asia", &to_new(), &["has no set `asia`", "it has eu, us"]).await;
    refused(both(), "us", &json!({"a": ["10.8.0.2"], "ttl": "5m"}), &["for 1m", "`ttl` says 5m"]).await;
    refused(
        vec![record(APP, "A", 60, &["10.9.0.1"])],
        "eu",
        &to_new(),
        &["has no set `eu`", "leave `set` out"],
    )
    .await;
    refused(both(), "eu", &json!({"aaaa": ["fd00::1"]}), &["other sets stand beside it", "AAAA fd00::1"])
        .await;
    let weighted = |id: &str, ttl: u32| {
        chosen(record(APP, "A", ttl, &["10.8.0.1"]), &[("SetIdentifier", id), ("Weight", "1")])
    };
    let to = json!({"a": ["10.8.0.2"], "ttl": "30s"});
    let two = vec![weighted("eu", 60), weighted("us", 60)];
    refused(two, "eu", &to, &["weighted sets have one TTL", "dns.ttl"]).await;
    let many = |id: &str| {
        chosen(record(APP, "A", 60, &["10.8.0.1"]), &[("SetIdentifier", id), ("MultiValueAnswer", "true")])
    };
    refused(vec![many("eu"), many("us")], "eu", &to_new(), &["several of its sets at once"]).await;
    let policy = chosen(
        in_america(),
        &[("SetIdentifier", "us"), ("Region", "us-east-1"), ("TrafficPolicyInstanceId", "t")],
    );
    refused(vec![in_europe("old.elb.example"), policy], "eu", &to_new(), &["traffic policy"]).await;
    let place = |id: &str, code: &str| {
        chosen(
            record(APP, "A", 60, &["10.8.0.1"]),
            &[("SetIdentifier", id), ("GeoLocation.CountryCode", code)],
        )
    };
    refused(vec![place("eu", "DE"), place("us", "US")], "eu", &to_new(), &["has no default set"]).await;
    // The only one of its name may become what it likes.
    let world = world();
    world.list(vec![in_europe("old.elb.example")]);
    world.pass(Duration::from_secs(1000));
    let mut story = Story::new(&world, "dns.switch", &with("eu", &json!({"cname": "new.elb.example"})));
    story.done().await;
    assert_eq!(world.listed(), [chosen(record(APP, "CNAME", 60, &["new.elb.example"]), &EU)]);
}

#[tokio::test]
async fn the_https_record_goes_with_a_set_where_it_is_not_routed_or_is_of_that_set_alone() {
    let with = |https: Json| {
        let mut with = with("eu", &to_new());
        with["https"] = https;
        with
    };
    let by_name = |mut sets: Vec<RecordSet>| {
        sets.sort_by_key(ToString::to_string);
        sets
    };
    for by in [Vec::new(), EU.to_vec()] {
        let service = |value: &str| chosen(record(APP, "HTTPS", 60, &[value]), &by);
        let (was, is) = (service("1 . alpn=h2 ipv4hint=10.9.0.1"), service("1 . alpn=h2"));
        let world = world();
        world.list(vec![in_europe("old.elb.example"), in_america(), was.clone()]);
        world.pass(Duration::from_secs(1000));
        let before = world.listed();
        let mut story = Story::new(&world, "dns.switch", &with(json!(["1 . alpn=h2"])));
        story.done().await;
        let (old, new) = (in_europe("old.elb.example"), in_europe("new.elb.example"));
        assert_eq!(story.writes(), [format!("-{old} -{was} +{new} +{is}")], "us has no part in it");
        story.undo().await.unwrap();
        story.restored().await.unwrap();
        assert_eq!(by_name(world.listed()), by_name(before));
        world.pass(Duration::from_secs(1000));
        let mut story = Story::new(&world, "dns.switch", &with(json!([])));
        story.done().await;
        assert_eq!(by_name(world.listed()), by_name(vec![in_america(), new]), "none is stated, and it goes");
    }
    let service = |by: &[(&str, &str)]| chosen(record(APP, "HTTPS", 60, &["1 . alpn=h3"]), by);
    for beside in [Vec::new(), vec![service(&US)], vec![service(&EU), service(&US)]] {
        let world = world();
        world.list([vec![in_europe("old.elb.example"), in_america()], beside].concat());
        world.pass(Duration::from_secs(1000));
        let words = ["`https` goes with set eu of app.example.com where", "switch that by hand"];
        let mut story = Story::new(&world, "dns.switch", &with(json!(["1 . alpn=h2"])));
        fails(story.plan().await, FaultKind::Permanent, &words);
    }
}

#[tokio::test]
async fn what_must_be_there_is_said_of_the_set() {
    for (from, holds) in [(json!({"alias": "old.elb.example"}), true), (json!({"a": ["10.8.0.1"]}), false)] {
        let world = world();
        let mut with = with("eu", &to_new());
        with["from"] = from;
        let found = Story::new(&world, "dns.switch", &with).plan().await;
        if holds {
            assert_eq!(found.unwrap(), 1);
        } else {
            is_foreign(found, &["old.elb.example", "the plan says"]);
        }
    }
}

#[tokio::test]
async fn the_way_back_waits_for_the_answers_of_the_set() {
    let world = world();
    let mut story = switch(&world);
    story.done().await;
    story.undo().await.unwrap();
    let sent = world.state().now;
    assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })));
    story.restored().await.unwrap();
    assert!(story.waited(sent) >= Duration::from_secs(60), "{:?}", story.waited(sent));
}

#[test]
fn a_primary_server_has_no_sets() {
    let with =
        json!({"target": "updated", "record": "app", "set": "eu", "to": {"cname": "new.example.test"}});
    assert_eq!(codes("dns.switch", &with), ["SW2006"]);
}

/// As the command takes it.
#[test]
fn by_hand_a_set_is_told_as_it_is_chosen() {
    let by = [
        ("SetIdentifier", "eu"),
        ("GeoProximityLocation.Bias", "-10"),
        ("GeoProximityLocation.Latitude", "52.5"),
        ("GeoLocation.CountryCode", "DE"),
    ];
    let told = crate::action::dns::by_hand_of(&chosen(record(APP, "A", 60, &["10.8.0.1"]), &by));
    assert_eq!(told["GeoLocation"], json!({"CountryCode": "DE"}));
    assert_eq!(told["GeoProximityLocation"], json!({"Bias": -10, "Coordinates": {"Latitude": "52.5"}}));
}
