//! Zones: what is listed, what is served, and atomic changes.

use super::{Place, held_everywhere, worth};
use crate::plan::Timestamp;
use crate::port::dns::{Alias, ChangeId, ChangeStatus, Name, RecordChange, RecordSet, RecordType};
use crate::port::stated::values;
use crate::run::{FaultKind, Landed};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const ALIAS: &str = "aep-prod-alb.eu-west-1.elb.amazonaws.com";

held_everywhere!(
    Zones;
    a_record_is_switched_in_one_change,
    every_authority_comes_to_serve_a_change,
    a_service_binding_is_served_as_it_is_listed,
    a_change_whose_answer_is_lost_may_have_landed_and_is_found_by_looking,
    a_throttled_write_goes_through_and_one_after_its_deadline_does_not,
    a_delete_is_of_exactly_what_is_there,
    a_record_that_cannot_be_is_refused,
    a_change_by_somebody_else_just_before_is_foreign,
    a_change_is_pending_before_it_is_insync,
    a_change_that_is_listed_is_not_yet_served_everywhere,
    weighted_sets_are_changed_together,
    weighted_sets_answer_by_their_weights,
    a_zone_is_where_its_parent_says,
    a_zone_may_be_elsewhere in elsewhere,
    a_zone_may_be_nowhere in nowhere,
);

fn switched(old: &RecordSet) -> Vec<RecordChange> {
    let alias =
        Alias { name: Name::new(ALIAS), zone_id: crate::sim::BALANCER_ZONE.into(), evaluate_health: true };
    let new = RecordSet {
        kind: RecordType("A".into()),
        ttl: None,
        values: Vec::new(),
        alias: Some(alias),
        ..old.clone()
    };
    vec![RecordChange::Delete(old.clone()), RecordChange::Create(new)]
}

async fn a_record_is_switched_in_one_change(place: &Place) {
    let world = &place.world;
    let (dns, app) = (world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    let zone = dns.zone().await.unwrap();
    assert_eq!((zone.name.as_str(), zone.name_servers.len()), ("navralabs.com", 4));
    let old = dns.record_sets(&app).await.unwrap().remove(0);
    assert_eq!(old.to_string(), "CNAME staging-alb.eu-west-1.elb.amazonaws.com (TTL 300)");
    let write = world.change_dns("zone", Timestamp::NEVER).unwrap();
    let batch = switched(&old);
    write.change(&batch, "a test").await.unwrap();
    let RecordChange::Create(new) = &batch[1] else { panic!("{batch:?}") };
    assert_eq!(dns.record_sets(&app).await.unwrap(), std::slice::from_ref(new));
    // The same batch again is stale now.
    let fault = write.change(&batch, "again").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{fault}");
    assert_eq!(dns.record_sets(&app).await.unwrap(), std::slice::from_ref(new));
}

async fn every_authority_comes_to_serve_a_change(place: &Place) {
    let world = &place.world;
    let (dns, app) = (world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    let old = dns.record_sets(&app).await.unwrap().remove(0);
    let authorities = dns.authorities().await.unwrap();
    assert_eq!(authorities.len(), 4);
    let cname = RecordType("CNAME".into());
    let served = dns.ask(&authorities[0], &app, &cname).await.unwrap();
    assert!(served.authoritative);
    assert_eq!((served.values, served.ttl), (old.values.clone(), Duration::from_mins(5)));

    let write = world.change_dns("zone", Timestamp::NEVER).unwrap();
    let change = write.change(&switched(&old), "a test").await.unwrap();
    let insync = async || dns.status(&change).await.unwrap() == ChangeStatus::Insync;
    place.until(insync).await;
    let there = dns.addresses(&Name::new(ALIAS)).await.unwrap();
    let a = RecordType("A".into());
    for authority in &authorities {
        let arrived = async || {
            let served = dns.ask(authority, &app, &a).await.unwrap();
            served.values == [there[0].to_string()] && served.ttl == Duration::from_mins(1)
        };
        place.until(arrived).await;
        let gone = dns.ask(authority, &app, &cname).await.unwrap();
        assert!(gone.authoritative && gone.values.is_empty() && gone.negative_ttl.is_some());
    }
}

/// However it is written: quoted, escaped, with its keys in another order and by their numbers.
async fn a_service_binding_is_served_as_it_is_listed(place: &Place) {
    let dns = place.world.dns("zone").unwrap();
    let authorities = dns.authorities().await.unwrap();
    let set = RecordSet {
        name: Name::new("svc.navralabs.com"),
        kind: RecordType("HTTPS".into()),
        ttl: Some(60),
        values: vec![r#"1 . key65280="a b;\"\255" port="8443" key1=\002h2\002h3"#.into()],
        alias: None,
        extra: BTreeMap::new(),
    };
    let write = place.world.change_dns("zone", Timestamp::NEVER).unwrap();
    write.change(&[RecordChange::Create(set.clone())], "a test").await.unwrap();
    assert_eq!(dns.record_sets(&set.name).await.unwrap(), std::slice::from_ref(&set));
    for authority in &authorities {
        let arrived = async || dns.ask(authority, &set.name, &set.kind).await.unwrap().values == values(&set);
        place.until(arrived).await;
    }
}

async fn a_change_whose_answer_is_lost_may_have_landed_and_is_found_by_looking(place: &Place) {
    let world = &place.world;
    let (dns, app) = (world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    let old = dns.record_sets(&app).await.unwrap().remove(0);
    let write = world.change_dns("zone", Timestamp::NEVER).unwrap();
    for (kind, landed) in [("drop_before", false), ("drop_after", true)] {
        let rule = json!({"service": "route53", "operation": "ChangeResourceRecordSets", "kind": kind});
        place.fault(rule).await;
        let lost = write.change(&switched(&old), "").await.unwrap_err();
        assert_eq!((lost.kind, lost.landed), (FaultKind::Transient, Landed::Maybe), "{lost}");
        let now = dns.record_sets(&app).await.unwrap();
        assert_eq!(now[0].alias.is_some(), landed, "{kind}: {now:?}");
    }
}

async fn a_throttled_write_goes_through_and_one_after_its_deadline_does_not(place: &Place) {
    let world = &place.world;
    let (dns, app) = (world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    let old = dns.record_sets(&app).await.unwrap().remove(0);
    let late = world.change_dns("zone", world.clock().now()).unwrap();
    let fault_of_late = late.change(&switched(&old), "").await.unwrap_err();
    assert_eq!((fault_of_late.kind, fault_of_late.landed), (FaultKind::Blind, Landed::No));
    assert_eq!(dns.record_sets(&app).await.unwrap(), std::slice::from_ref(&old));
    let rule = json!({"service": "route53", "operation": "ChangeResourceRecordSets", "kind": "throttle", "times": 9});
    place.fault(rule).await;
    let write = world.change_dns("zone", world.clock().now().after(Duration::from_mins(10))).unwrap();
    write.change(&switched(&old), "").await.unwrap();
}

/// Every field of a record counts, its TTL too: what somebody else has touched is not ours to delete.
async fn a_delete_is_of_exactly_what_is_there(place: &Place) {
    let (dns, app) = (place.world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    let old = dns.record_sets(&app).await.unwrap().remove(0);
    let write = place.world.change_dns("zone", Timestamp::NEVER).unwrap();
    let stale = [
        RecordSet { ttl: Some(60), ..old.clone() },
        RecordSet { values: vec!["elsewhere.example.com".into()], ..old.clone() },
        RecordSet { name: Name::new("none.navralabs.com"), ..old.clone() },
    ];
    for seen in stale {
        let fault = write.change(&switched(&seen), "").await.unwrap_err();
        assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{seen}: {fault}");
    }
    let fault = write.change(&[RecordChange::Create(old.clone())], "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{fault}");
    assert_eq!(dns.record_sets(&app).await.unwrap(), [old], "nothing of a refused batch happens");
}

/// A name is no address.
async fn a_record_that_cannot_be_is_refused(place: &Place) {
    let (dns, app) = (place.world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    let old = dns.record_sets(&app).await.unwrap().remove(0);
    let write = place.world.change_dns("zone", Timestamp::NEVER).unwrap();
    let broken =
        RecordSet { name: Name::new("b.navralabs.com"), kind: RecordType("A".into()), ..old.clone() };
    let fault = write.change(&swapped(std::slice::from_ref(&old), &[broken]), "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Permanent, Landed::No), "nobody else was here: {fault}");
    assert_eq!(dns.record_sets(&app).await.unwrap(), [old], "nothing of a refused batch happens");
}

async fn a_change_by_somebody_else_just_before_is_foreign(place: &Place) {
    let (dns, app) = (place.world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    let old = dns.record_sets(&app).await.unwrap().remove(0);
    let theirs = json!({"name": "app", "type": "CNAME", "ttl": 30, "values": ["theirs.example.com"]});
    let rule = json!({"service": "route53", "operation": "ChangeResourceRecordSets",
        "containing": "app.navralabs.com", "kind": "change", "change": {"set_record": theirs}});
    place.fault(rule).await;
    let write = place.world.change_dns("zone", Timestamp::NEVER).unwrap();
    let fault = write.change(&switched(&old), "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{fault}");
    assert_eq!(dns.record_sets(&app).await.unwrap()[0].values, ["theirs.example.com"]);
}

async fn a_change_is_pending_before_it_is_insync(place: &Place) {
    let (dns, app) = (place.world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    let old = dns.record_sets(&app).await.unwrap().remove(0);
    let write = place.world.change_dns("zone", Timestamp::NEVER).unwrap();
    let change = write.change(&switched(&old), "").await.unwrap();
    assert_eq!(dns.status(&change).await.unwrap(), ChangeStatus::Pending);
    place.until(async || dns.status(&change).await.unwrap() == ChangeStatus::Insync).await;
    assert_eq!(dns.status(&ChangeId("C0".into())).await.unwrap(), ChangeStatus::Unknown);
}

async fn a_change_that_is_listed_is_not_yet_served_everywhere(place: &Place) {
    let (dns, app) = (place.world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    let old = dns.record_sets(&app).await.unwrap().remove(0);
    let write = place.world.change_dns("zone", Timestamp::NEVER).unwrap();
    let authorities = dns.authorities().await.unwrap();
    write.change(&switched(&old), "").await.unwrap();
    let cname = RecordType("CNAME".into());
    let mut lags = false;
    for authority in &authorities {
        lags |= dns.ask(authority, &app, &cname).await.unwrap().values == old.values;
    }
    assert!(lags, "each of them serves it at once");
}

/// Two sets of one name, dealt to by these weights.
fn weighted(blue: u32, green: u32) -> [RecordSet; 2] {
    [("blue", blue, "198.51.100.1"), ("green", green, "198.51.100.2")].map(|(id, weight, value)| RecordSet {
        name: Name::new("w.navralabs.com"),
        kind: RecordType("A".into()),
        ttl: Some(60),
        values: vec![value.into()],
        alias: None,
        extra: [("SetIdentifier", id), ("Weight", &weight.to_string())]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
    })
}

fn swapped(old: &[RecordSet], new: &[RecordSet]) -> Vec<RecordChange> {
    let gone = old.iter().cloned().map(RecordChange::Delete);
    gone.chain(new.iter().cloned().map(RecordChange::Create)).collect()
}

async fn weighted_sets_are_changed_together(place: &Place) {
    let (dns, name) = (place.world.dns("zone").unwrap(), Name::new("w.navralabs.com"));
    let write = place.world.change_dns("zone", Timestamp::NEVER).unwrap();
    write.change(&swapped(&[], &weighted(100, 0)), "").await.unwrap();
    let first = weighted(100, 0);
    assert_eq!(dns.record_sets(&name).await.unwrap(), first, "every field is listed as it was given");
    let fault = write.change(&swapped(&weighted(99, 0), &weighted(0, 100)), "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "a weight is compared: {fault}");
    assert_eq!(dns.record_sets(&name).await.unwrap(), first);
    write.change(&swapped(&first, &weighted(0, 100)), "").await.unwrap();
    assert_eq!(dns.record_sets(&name).await.unwrap(), weighted(0, 100));
}

async fn weighted_sets_answer_by_their_weights(place: &Place) {
    let (dns, name) = (place.world.dns("zone").unwrap(), Name::new("w.navralabs.com"));
    let write = place.world.change_dns("zone", Timestamp::NEVER).unwrap();
    write.change(&swapped(&[], &weighted(100, 0)), "").await.unwrap();
    let change = write.change(&swapped(&weighted(100, 0), &weighted(0, 100)), "").await.unwrap();
    place.until(async || dns.status(&change).await.unwrap() == ChangeStatus::Insync).await;
    for authority in dns.authorities().await.unwrap() {
        let only_green = async || {
            let served = dns.ask(&authority, &name, &RecordType("A".into())).await.unwrap();
            served.values == ["198.51.100.2"] && served.ttl == Duration::from_mins(1)
        };
        place.until(only_green).await;
    }
}

async fn a_zone_is_where_its_parent_says(place: &Place) {
    let dns = place.world.dns("zone").unwrap();
    let mut own = dns.zone().await.unwrap().name_servers;
    own.sort();
    assert_eq!(dns.delegation().await.unwrap(), own);
    assert!(!dns.addresses(&Name::new("app.navralabs.com")).await.unwrap().is_empty());
}

fn delegated_to(servers: &str, text: &str) -> String {
    let id = "id: Z0123456789ABC";
    text.replace(id, &format!("{id}\n    delegated_to: [{servers}]"))
}

fn elsewhere(text: &str) -> String {
    delegated_to("ns.other.example, ns.else.example", text)
}

fn nowhere(text: &str) -> String {
    delegated_to("", text)
}

async fn a_zone_may_be_elsewhere(place: &Place) {
    let (dns, app) = (place.world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    assert_eq!(dns.delegation().await.unwrap(), ["ns.else.example", "ns.other.example"].map(Name::new));
    let own = &dns.authorities().await.unwrap()[0];
    let served = dns.ask(own, &app, &RecordType("CNAME".into())).await.unwrap();
    assert!(served.authoritative && !served.values.is_empty(), "its own servers do not know better");
    assert_eq!(dns.addresses(&app).await.unwrap_err().kind, FaultKind::Blind);
}

async fn a_zone_may_be_nowhere(place: &Place) {
    assert_eq!(place.world.dns("zone").unwrap().delegation().await.unwrap(), []);
}
