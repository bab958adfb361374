//! What only hosted zones have: changes that are accepted before they are served, sets with weights, and parents that say
//! where a zone is. A primary server serves what it accepts, has no weights, and is not found by its parent.

use super::zones::{Zone, swapped};
use super::{Place, held_everywhere, worth};
use crate::plan::Timestamp;
use crate::port::dns::{ChangeId, ChangeStatus, Name, RecordChange, RecordSet, RecordType};
use crate::port::stated::values;
use crate::run::{FaultKind, Landed};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

held_everywhere!(
    Zones;
    a_throttled_write_goes_through,
    a_service_binding_is_served_as_it_is_listed,
    a_change_is_pending_before_it_is_insync,
    a_change_that_is_listed_is_not_yet_served_everywhere,
    weighted_sets_are_changed_together,
    weighted_sets_answer_by_their_weights,
    a_zone_is_where_its_parent_says,
    a_zone_may_be_elsewhere in elsewhere,
    a_zone_may_be_nowhere in nowhere,
);

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

/// A call of AWS, that takes five a second.
async fn a_throttled_write_goes_through(place: &Place) {
    let zone = Zone::hosted(place);
    let rule = json!({"service": "route53", "operation": "ChangeResourceRecordSets", "kind": "throttle", "times": 9});
    place.fault(rule).await;
    let write = zone.writes_until(place.world.clock().now().after(Duration::from_mins(10)));
    write.change(&zone.switched(&zone.old), "").await.unwrap();
}

async fn a_change_is_pending_before_it_is_insync(place: &Place) {
    let zone = Zone::hosted(place);
    let dns = zone.dns();
    let change = zone.writes().change(&zone.switched(&zone.old), "").await.unwrap();
    assert_eq!(dns.status(&change).await.unwrap(), ChangeStatus::Pending);
    place.until(async || dns.status(&change).await.unwrap() == ChangeStatus::Insync).await;
    assert_eq!(dns.status(&ChangeId("C0".into())).await.unwrap(), ChangeStatus::Unknown);
}

async fn a_change_that_is_listed_is_not_yet_served_everywhere(place: &Place) {
    let zone = Zone::hosted(place);
    let dns = zone.dns();
    let authorities = dns.authorities().await.unwrap();
    assert_eq!(authorities.len(), 4);
    zone.writes().change(&zone.switched(&zone.old), "").await.unwrap();
    let mut lags = false;
    for authority in &authorities {
        lags |= dns.ask(authority, &zone.old.name, &zone.old.kind).await.unwrap().values == zone.old.values;
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
    assert_eq!(own.len(), 4);
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
