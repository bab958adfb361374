//! What name servers answer.

use super::super::{Said, Verb, World, refer};
use super::{START, ZONE, world};
use crate::port::dns::{Alias, Name, RecordSet, RecordType};
use std::collections::BTreeMap;

fn ask(world: &World, name: &str, kind: &str) -> Said {
    let zone = &world.zones[0];
    world.answer_from(zone, zone.newest(), &Name::new(name), kind, 0.0)
}

fn values(said: &Said) -> Vec<(String, u32)> {
    said.answers.iter().map(|line| (format!("{} {}", line.kind, line.value), line.ttl)).collect()
}

fn record(name: &str, kind: &str, values: &[&str]) -> RecordSet {
    RecordSet {
        name: Name::new(name),
        kind: RecordType(kind.into()),
        ttl: Some(60),
        values: values.iter().map(ToString::to_string).collect(),
        alias: None,
        extra: BTreeMap::new(),
    }
}

#[test]
fn records_come_with_their_ttl() {
    let said = ask(&world(ZONE), "api.example.com", "A");
    assert!(said.authoritative);
    assert_eq!(values(&said), [("A 192.0.2.1".into(), 60), ("A 192.0.2.2".into(), 60)]);
}

#[test]
fn a_parent_refers_to_whom_the_zone_is_delegated_to() {
    let told = |world: &World| {
        let said = refer(&world.zones[0]);
        let lines = said.referral.iter().map(|line| format!("{} {}", line.name, line.value));
        (lines.collect::<Vec<_>>(), said.authoritative, said.absent)
    };
    let ours = ["example.com ns-1.example.net.", "example.com ns-2.example.net."].map(str::to_owned);
    let app = Name::new("app.example.com");
    let own = world(ZONE);
    assert_eq!(told(&own), (ours.to_vec(), false, false));
    assert!(own.reached(&app).is_some());
    let elsewhere = world(&ZONE.replace("id: Z1", "id: Z1\n    delegated_to: [ns.other.net]"));
    assert_eq!(told(&elsewhere), (vec!["example.com ns.other.net.".into()], false, false));
    assert!(elsewhere.reached(&app).is_none());
    let nowhere = world(&ZONE.replace("id: Z1", "id: Z1\n    delegated_to: []"));
    assert_eq!(told(&nowhere), (Vec::new(), true, true));
}

#[test]
fn a_cname_out_of_the_zone_ends_the_answer() {
    let said = ask(&world(ZONE), "app.example.com", "A");
    assert_eq!(values(&said), [("CNAME old.eu-west-1.elb.amazonaws.com".into(), 300)]);
    assert_eq!(said.soa, None);
}

#[test]
fn a_cname_inside_the_zone_is_followed() {
    let mut world = world(ZONE);
    let batch = [(Verb::Create, record("www.example.com", "CNAME", &["api.example.com."]))];
    world.change("Z1", &batch, None, START).unwrap();
    let said = ask(&world, "www.example.com", "A");
    assert_eq!(said.answers.len(), 3);
}

#[test]
fn an_alias_is_its_load_balancers_address_for_a_minute() {
    let mut world = world(ZONE);
    let target = Alias {
        name: Name::new("new.eu-west-1.elb.amazonaws.com"),
        zone_id: super::super::BALANCER_ZONE.into(),
        evaluate_health: true,
    };
    for kind in ["A", "AAAA"] {
        let mut alias = record("to.example.com", kind, &[]);
        (alias.ttl, alias.alias) = (None, Some(target.clone()));
        world.change("Z1", &[(Verb::Create, alias)], None, START).unwrap();
    }
    assert_eq!(values(&ask(&world, "to.example.com", "A")), [("A 127.77.0.1".into(), 60)]);
    // The load balancer has no IPv6 address: the name exists, the type is empty.
    let six = ask(&world, "to.example.com", "AAAA");
    assert!(six.answers.is_empty() && !six.absent && six.soa.is_some());
}

#[test]
fn nothing_may_be_remembered_for_fifteen_minutes() {
    let said = ask(&world(ZONE), "no.example.com", "A");
    assert!(said.absent);
    let soa = said.soa.unwrap();
    assert_eq!(soa.ttl, 900);
    assert!(soa.value.ends_with(" 86400"));
}

#[test]
fn a_name_between_others_exists_without_data() {
    let mut world = world(ZONE);
    let batch = [(Verb::Create, record("a.b.example.com", "A", &["192.0.2.7"]))];
    world.change("Z1", &batch, None, START).unwrap();
    let said = ask(&world, "b.example.com", "A");
    assert!(!said.absent && said.answers.is_empty());
}

#[test]
fn a_wildcard_answers_for_what_is_not_there() {
    let mut world = world(ZONE);
    let batch = [(Verb::Create, record("*.example.com", "A", &["192.0.2.8"]))];
    world.change("Z1", &batch, None, START).unwrap();
    assert_eq!(values(&ask(&world, "any.example.com", "A")), [("A 192.0.2.8".into(), 60)]);
    assert_eq!(values(&ask(&world, "api.example.com", "TXT")), []);
}

#[test]
fn a_private_zone_beside_a_public_one_is_seen_from_inside_and_nowhere_else() {
    // Whichever comes first.
    for key in ["also", "inside"] {
        let record = "{ name: api, type: A, ttl: 60, values: [10.0.0.1] }";
        let private = format!("  {key}: {{ id: Z2, name: example.com, private: true, records: [{record}] }}");
        let world = world(&ZONE.replace("load_balancers:", &format!("{private}\nload_balancers:")));
        let [api, app] = ["api.example.com", "app.example.com"].map(Name::new);
        let public = [("A 192.0.2.1".to_owned(), 60), ("A 192.0.2.2".to_owned(), 60)];
        assert_eq!(values(&world.answer_of(0, &api, "A", 0)), public);
        assert_eq!(values(&world.resolve(&api, "A", 0)), public);
        assert_eq!(values(&world.resolve_inside(&api, "A", 0)), [("A 10.0.0.1".to_owned(), 60)]);
        // What it has not is not looked for elsewhere.
        assert!(!world.resolve(&app, "A", 0).absent && world.resolve_inside(&app, "A", 0).absent);
        let state = world.state();
        let has = |zone: &str, value: &str| state["zones"][zone].to_string().contains(value);
        assert!(has("example.com", "192.0.2.1") && has("example.com Z2", "10.0.0.1"), "{state}");
    }
}

#[test]
fn users_are_inside_the_network_of_a_private_zone_that_alone_has_its_name() {
    let world = world(&ZONE.replace("id: Z1", "id: Z1\n    private: true"));
    let api = Name::new("api.example.com");
    assert!(world.answer_of(0, &api, "A", 0).refused);
    for said in [world.resolve(&api, "A", 0), world.resolve_inside(&api, "A", 0)] {
        assert_eq!(values(&said), [("A 192.0.2.1".to_owned(), 60), ("A 192.0.2.2".to_owned(), 60)]);
    }
}
