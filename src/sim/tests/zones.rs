//! Route 53's rules, each with the words that the service uses.

use super::super::{Refusal, Verb, World};
use super::{START, ZONE, after, world};
use crate::port::dns::{Alias, Name, RecordSet, RecordType};
use std::collections::BTreeMap;

fn set(name: &str, kind: &str, ttl: u32, values: &[&str]) -> RecordSet {
    RecordSet {
        name: Name::new(name),
        kind: RecordType(kind.into()),
        ttl: Some(ttl),
        values: values.iter().map(ToString::to_string).collect(),
        alias: None,
        extra: BTreeMap::new(),
    }
}

fn alias(name: &str, target: &str, zone: &str) -> RecordSet {
    let alias = Alias { name: Name::new(target), zone_id: zone.into(), evaluate_health: true };
    RecordSet { ttl: None, values: Vec::new(), alias: Some(alias), ..set(name, "A", 0, &[]) }
}

fn weighted(name: &str, id: &str, weight: &str, ttl: u32) -> RecordSet {
    let extra = [("SetIdentifier", id), ("Weight", weight)];
    RecordSet {
        extra: extra.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..set(name, "CNAME", ttl, &["x.example.net"])
    }
}

fn old() -> RecordSet {
    set("app.example.com", "CNAME", 300, &["old.eu-west-1.elb.amazonaws.com"])
}

fn new() -> RecordSet {
    alias("app.example.com", "new.eu-west-1.elb.amazonaws.com", super::super::BALANCER_ZONE)
}

fn change(world: &mut World, batch: &[(Verb, RecordSet)]) -> Result<(), Refusal> {
    world.change("Z1", batch, None, START).map(|_| ())
}

/// The batch is refused with exactly these messages, and nothing of it happened.
#[track_caller]
fn refused(batch: &[(Verb, RecordSet)], messages: &[&str]) {
    let mut world = world(ZONE);
    let before = world.zones[0].newest().clone();
    let refusal = change(&mut world, batch).unwrap_err();
    assert_eq!(refusal.code, "InvalidChangeBatch");
    assert_eq!(refusal.message, format!("[{}]", messages.join(", ")));
    assert_eq!(*world.zones[0].newest(), before, "all or nothing");
    assert!(world.changes.is_empty());
}

#[track_caller]
fn accepted(batch: &[(Verb, RecordSet)]) -> World {
    let mut world = world(ZONE);
    change(&mut world, batch).unwrap();
    world
}

use Verb::{Create, Delete, Upsert};

#[test]
fn an_exact_delete_and_a_create_in_one_batch_switch() {
    let world = accepted(&[(Delete, old()), (Create, new())]);
    let app: Vec<_> = world.zones[0]
        .newest()
        .values()
        .filter(|r| r.name == Name::new("app.example.com"))
        .cloned()
        .collect();
    assert_eq!(app, [new()]);
}

#[test]
fn a_stale_delete_is_refused_in_the_services_words() {
    let text = "Tried to delete resource record set [name='app.example.com.', type='CNAME'] but the values \
                provided do not match the current values";
    for stale in [
        RecordSet { ttl: Some(60), ..old() },
        RecordSet { values: vec!["else.example.net".into()], ..old() },
        RecordSet { extra: BTreeMap::from([("HealthCheckId".into(), "h".into())]), ..old() },
    ] {
        refused(&[(Delete, stale), (Create, set("x.example.com", "A", 60, &["192.0.2.9"]))], &[text]);
    }
}

#[test]
fn a_delete_of_what_is_not_there_is_refused() {
    refused(
        &[(Delete, set("no.example.com", "A", 60, &["192.0.2.1"]))],
        &["Tried to delete resource record set [name='no.example.com.', type='A'] but it was not found"],
    );
}

#[test]
fn deleting_twice_is_refused() {
    refused(
        &[(Delete, old()), (Delete, old())],
        &[
            "The request contains an invalid set of changes for a resource record set 'CNAME app.example.com.'",
            "Tried to delete resource record set [name='app.example.com.', type='CNAME'] but it was not found",
        ],
    );
}

#[test]
fn a_create_of_what_is_there_is_refused() {
    refused(
        &[(Create, set("api.example.com", "A", 60, &["192.0.2.3"]))],
        &["Tried to create resource record set [name='api.example.com.', type='A'] but it already exists"],
    );
}

#[test]
fn every_refusal_of_a_batch_is_told_at_once() {
    refused(
        &[
            (Delete, RecordSet { ttl: Some(1), ..old() }),
            (Create, set("api.example.com", "A", 60, &["192.0.2.3"])),
        ],
        &[
            "Tried to delete resource record set [name='app.example.com.', type='CNAME'] but the values provided \
             do not match the current values",
            "Tried to create resource record set [name='api.example.com.', type='A'] but it already exists",
        ],
    );
}

#[test]
fn nothing_stands_beside_a_cname() {
    refused(
        &[(Create, set("app.example.com", "A", 60, &["192.0.2.3"]))],
        &[
            "RRSet of type A with DNS name app.example.com. is not permitted because a conflicting RRSet of type \
           CNAME with the same DNS name already exists in zone example.com.",
        ],
    );
    refused(
        &[(Create, set("api.example.com", "CNAME", 60, &["x.example.net"]))],
        &["RRSet of type CNAME with DNS name api.example.com. is not permitted as it conflicts with other \
           records with the same DNS name in zone example.com."],
    );
}

#[test]
fn the_apex_takes_no_cname_and_keeps_its_own_records() {
    refused(
        &[(Create, set("example.com", "CNAME", 60, &["x.example.net"]))],
        &["RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com."],
    );
    let world = world(ZONE);
    let own = |kind: &str| {
        let found =
            world.zones[0].newest().values().find(|r| r.kind.0 == kind && r.name == Name::new("example.com"));
        found.cloned().unwrap()
    };
    refused(&[(Delete, own("SOA"))], &["A HostedZone must contain exactly one SOA record."]);
    refused(
        &[(Delete, own("NS"))],
        &["A HostedZone must contain at least one NS record for the zone itself."],
    );
}

#[test]
fn names_outside_the_zone_are_refused() {
    for name in ["app.example.org", "badexample.com"] {
        refused(
            &[(Create, set(name, "A", 60, &["192.0.2.3"]))],
            &[&format!("RRSet with DNS name {name}. is not permitted in zone example.com.")],
        );
    }
}

#[test]
fn aliases_need_a_target_in_the_zone_that_they_name() {
    let zone = super::super::BALANCER_ZONE;
    refused(
        &[(Create, alias("a.example.com", "gone.eu-west-1.elb.amazonaws.com", zone))],
        &["Tried to create an alias that targets gone.eu-west-1.elb.amazonaws.com., type A in zone \
           Z32O12XQLNTSW2, but that target was not found"],
    );
    refused(
        &[(Create, alias("a.example.com", "new.eu-west-1.elb.amazonaws.com", "Z1"))],
        &[
            "Tried to create an alias that targets new.eu-west-1.elb.amazonaws.com., type A in zone Z1, but the \
           alias target name does not lie within the target zone",
        ],
    );
    accepted(&[(Create, alias("a.example.com", "dualstack.new.eu-west-1.elb.amazonaws.com", zone))]);
    accepted(&[(Create, alias("a.example.com", "api.example.com", "Z1"))]);
}

#[test]
fn values_must_be_servable() {
    refused(
        &[(Create, set("a.example.com", "A", 60, &["192.0.2.300"]))],
        &[
            "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) \
           encountered with '192.0.2.300''",
        ],
    );
    refused(
        &[(Create, set("a.example.com", "A", 60, &["192.0.2.3", "192.0.2.3"]))],
        &["Duplicate Resource Record: '192.0.2.3'"],
    );
    refused(
        &[(Create, set("a.example.com", "TXT", 60, &["bare"]))],
        &[
            "Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation \
           marks) encountered with 'bare''",
        ],
    );
}

#[test]
fn an_upsert_counts_twice_and_a_thousand_is_enough() {
    let many = |n: u32| -> Vec<String> { (0..n).map(|i| format!("10.0.{}.{}", i / 256, i % 256)).collect() };
    let record = |n: u32| RecordSet { values: many(n), ..set("m.example.com", "A", 60, &[]) };
    accepted(&[(Create, record(1000))]);
    accepted(&[(Upsert, record(500))]);
    refused(&[(Create, record(1001))], &["Number of records limit of 1000 exceeded."]);
    refused(&[(Upsert, record(501))], &["Number of records limit of 1000 exceeded."]);
}

#[test]
fn an_upsert_overwrites_blindly() {
    let world = accepted(&[(Upsert, set("api.example.com", "A", 5, &["192.0.2.9"]))]);
    let found = world.zones[0].newest().values().find(|r| r.name == Name::new("api.example.com")).unwrap();
    assert_eq!((found.ttl, found.values.as_slice()), (Some(5), ["192.0.2.9".to_owned()].as_slice()));
}

#[test]
fn weighted_sets_stand_together_but_not_beside_a_simple_one() {
    let both = [
        (Create, weighted("w.example.com", "blue", "90", 60)),
        (Create, weighted("w.example.com", "green", "10", 60)),
    ];
    let world = accepted(&both);
    assert_eq!(world.zones[0].newest().values().filter(|r| r.name == Name::new("w.example.com")).count(), 2);
    for wrong in [
        vec![(Create, weighted("app.example.com", "blue", "1", 300))],
        vec![both[0].clone(), (Create, weighted("w.example.com", "green", "10", 5))],
    ] {
        assert!(change(&mut super::world(ZONE), &wrong).is_err());
    }
}

#[test]
fn a_deleted_set_of_a_group_must_be_named_by_its_identifier() {
    let mut world = accepted(&[(Create, weighted("w.example.com", "blue", "90", 60))]);
    let plain = set("w.example.com", "CNAME", 60, &["x.example.net"]);
    let refusal = change(&mut world, &[(Delete, plain)]).unwrap_err();
    assert_eq!(
        refusal.message,
        "[Tried to delete resource record set [name='w.example.com.', type='CNAME'] but it was not found]"
    );
    let other = weighted("w.example.com", "blue", "80", 60);
    let refusal = change(&mut world, &[(Delete, other)]).unwrap_err();
    assert_eq!(
        refusal.message,
        "[Tried to delete resource record set [name='w.example.com.', type='CNAME', set identifier='blue'] but \
         the values provided do not match the current values]"
    );
}

#[test]
fn listing_shows_pending_changes_and_name_servers_serve_them_later() {
    let mut world = world(ZONE);
    let info = world.change("Z1", &[(Delete, old()), (Create, new())], None, START).unwrap();
    assert_eq!(info.insync, after(30));
    let has = |records: &super::super::Records| records.values().any(|r| *r == new());
    let zone = &world.zones[0];
    assert!(has(zone.newest()));
    let [first, second] = [0, 1].map(|place| world.name_servers[place].delay);
    assert!(has(zone.served(START, first)));
    assert!(!has(zone.served(after(9), second)));
    assert!(has(zone.served(after(10), second)));
}

#[test]
fn versions_that_nobody_serves_are_forgotten_but_no_sooner() {
    let mut world = world(ZONE);
    for n in 0..100u64 {
        let record = set("n.example.com", "A", 60, &[&format!("192.0.2.{n}")]);
        world.change("Z1", &[(Upsert, record)], None, after(n)).unwrap();
    }
    let slow = world.name_servers[1].delay;
    let served = world.zones[0].served(after(99), slow);
    let found = served.values().find(|r| r.name == Name::new("n.example.com")).unwrap();
    assert_eq!(found.values, ["192.0.2.89"]);
}

#[test]
fn zones_that_are_not_there_say_so() {
    let refusal = world(ZONE).change("Z9", &[(Delete, old())], None, START).unwrap_err();
    assert_eq!((refusal.status, refusal.code.as_str()), (404, "NoSuchHostedZone"));
    assert_eq!(refusal.message, "No hosted zone found with ID: Z9");
}
