//! Zones on a primary server that takes dynamic updates: the same in memory, over a sandbox, and over the name servers that
//! people run, BIND and Knot.

use super::servers::{Brand, Server};
use super::{Place, in_memory, in_sandbox, world_text, worth};
use crate::port::dns::{ChangeId, ChangeStatus, Name, RecordChange, RecordSet, RecordType};
use crate::port::{ReadDns, WriteDns};
use crate::run::{FaultKind, Landed};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Each contract is a test in memory, one over the sandbox, and one over each of the servers.
macro_rules! held_by_all {
    ($($contract:ident),* $(,)?) => {
        mod in_memory {
            $(#[test]
            fn $contract() {
                super::in_memory(&super::world_text(&[super::with_zone]), super::$contract);
            })*
        }
        mod in_sandbox {
            $(#[tokio::test]
            async fn $contract() {
                super::in_sandbox(&super::world_text(&[super::with_zone]), super::$contract).await;
            })*
        }
        mod on_bind {
            $(#[tokio::test]
            async fn $contract() {
                super::on_server(super::Brand::Bind, super::$contract).await;
            })*
        }
        mod on_knot {
            $(#[tokio::test]
            async fn $contract() {
                super::on_server(super::Brand::Knot, super::$contract).await;
            })*
        }
    };
}

held_by_all!(
    a_name_moves_between_a_cname_and_addresses_and_back,
    a_ttl_alone_is_changed,
    a_name_comes_and_goes,
    all_that_a_name_has_is_listed_and_nothing_that_a_wildcard_has,
    a_delete_is_of_exactly_what_is_there,
    nothing_comes_to_stand_beside_a_cname,
    a_change_by_somebody_else_just_before_is_foreign,
    a_change_whose_answer_is_lost_may_have_landed_and_is_found_by_looking,
    a_write_after_its_deadline_is_not_sent,
    what_a_primary_accepted_it_serves,
);

/// Where a server signs a zone by itself, it has one serial and shows another.
#[tokio::test]
async fn a_zone_that_its_server_signs_is_changed_by_its_values() {
    on_server(Brand::SigningBind, a_name_moves_between_a_cname_and_addresses_and_back).await;
    on_server(Brand::SigningBind, all_that_a_name_has_is_listed_and_nothing_that_a_wildcard_has).await;
}

/// What the zone has at first, wherever it is.
fn with_zone(text: &str) -> String {
    let zone = "zones:\n  example.test:\n    id: example.test\n    records:\n      \
        - { name: app, type: CNAME, ttl: 300, values: [old.example.test] }\n      \
        - { name: old, type: A, ttl: 60, values: [192.0.2.1] }\n      \
        - { name: text, type: A, ttl: 60, values: [192.0.2.3] }\n      \
        - { name: text, type: TXT, ttl: 60, values: ['\"hello\"'] }\n      \
        - { name: \"*.wild\", type: A, ttl: 60, values: [192.0.2.9] }\n";
    let changed = text.replace("zones:\n", zone);
    assert_ne!(changed, text);
    changed
}

async fn on_server(brand: Brand, contract: impl AsyncFnOnce(&Place)) {
    if let Some(server) = Server::start(brand).await {
        contract(&server.place()).await;
    }
}

fn set(name: &str, kind: &str, ttl: u32, values: &[&str]) -> RecordSet {
    RecordSet {
        name: Name::new(&format!("{name}.example.test")),
        kind: RecordType(kind.into()),
        ttl: Some(ttl),
        values: values.iter().map(ToString::to_string).collect(),
        alias: None,
        extra: std::collections::BTreeMap::new(),
    }
}

fn app() -> RecordSet {
    set("app", "CNAME", 300, &["old.example.test"])
}

fn addresses() -> [RecordSet; 2] {
    [set("app", "A", 60, &["192.0.2.7", "192.0.2.8"]), set("app", "AAAA", 60, &["2001:db8::7"])]
}

fn swapped(old: &[RecordSet], new: &[RecordSet]) -> Vec<RecordChange> {
    let gone = old.iter().cloned().map(RecordChange::Delete);
    gone.chain(new.iter().cloned().map(RecordChange::Create)).collect()
}

fn dns(place: &Place) -> Arc<dyn ReadDns> {
    place.world.dns("updated").unwrap()
}

fn writes(place: &Place) -> Arc<dyn WriteDns> {
    let until = place.world.clock().now().after(Duration::from_hours(1));
    place.world.change_dns("updated", until).unwrap()
}

/// What is listed, in an order of its own.
async fn listed(place: &Place, name: &str) -> Vec<RecordSet> {
    let mut sets = dns(place).record_sets(&Name::new(&format!("{name}.example.test"))).await.unwrap();
    for set in &mut sets {
        set.values.sort();
    }
    sets.sort_by(|a, b| a.kind.cmp(&b.kind));
    sets
}

async fn served(place: &Place, set: &RecordSet) {
    let dns = dns(place);
    for authority in dns.authorities().await.unwrap() {
        let arrived = async || {
            let served = dns.ask(&authority, &set.name, &set.kind).await.unwrap();
            served.authoritative
                && served.values == set.values
                && served.ttl == Duration::from_secs(set.ttl.unwrap().into())
        };
        place.until(arrived).await;
    }
}

async fn a_name_moves_between_a_cname_and_addresses_and_back(place: &Place) {
    assert_eq!(dns(place).zone().await.unwrap().name.as_str(), "example.test");
    assert_eq!(listed(place, "app").await, [app()]);
    served(place, &app()).await;
    let new = addresses();
    writes(place).change(&swapped(&[app()], &new), "a test").await.unwrap();
    assert_eq!(listed(place, "app").await, new);
    for set in &new {
        served(place, set).await;
    }
    writes(place).change(&swapped(&new, &[app()]), "a test").await.unwrap();
    assert_eq!(listed(place, "app").await, [app()]);
    served(place, &app()).await;
    // The same again is stale now.
    let fault = writes(place).change(&swapped(&new, &[app()]), "again").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{fault}");
}

async fn a_ttl_alone_is_changed(place: &Place) {
    let low = RecordSet { ttl: Some(60), ..app() };
    writes(place).change(&swapped(&[app()], std::slice::from_ref(&low)), "").await.unwrap();
    assert_eq!(listed(place, "app").await, std::slice::from_ref(&low));
    served(place, &low).await;
    writes(place).change(&swapped(&[low], &[app()]), "").await.unwrap();
    assert_eq!(listed(place, "app").await, [app()]);
}

async fn a_name_comes_and_goes(place: &Place) {
    assert_eq!(listed(place, "fresh").await, []);
    let fresh = set("fresh", "CNAME", 30, &["old.example.test"]);
    writes(place).change(&[RecordChange::Create(fresh.clone())], "").await.unwrap();
    assert_eq!(listed(place, "fresh").await, std::slice::from_ref(&fresh));
    writes(place).change(&[RecordChange::Delete(fresh.clone())], "").await.unwrap();
    assert_eq!(listed(place, "fresh").await, []);
    let (dns, cname) = (dns(place), RecordType("CNAME".into()));
    for authority in dns.authorities().await.unwrap() {
        let gone = async || {
            let served = dns.ask(&authority, &fresh.name, &cname).await.unwrap();
            served.authoritative && served.values.is_empty() && served.negative_ttl.is_some()
        };
        place.until(gone).await;
    }
}

async fn all_that_a_name_has_is_listed_and_nothing_that_a_wildcard_has(place: &Place) {
    let text = [set("text", "A", 60, &["192.0.2.3"]), set("text", "TXT", 60, &["\"hello\""])];
    assert_eq!(listed(place, "text").await, text);
    assert_eq!(listed(place, "any.wild").await, []);
    let wild = set("*.wild", "A", 60, &["192.0.2.9"]);
    assert_eq!(listed(place, "*.wild").await, [wild]);
    let own = set("any.wild", "A", 60, &["192.0.2.10"]);
    writes(place).change(&[RecordChange::Create(own.clone())], "").await.unwrap();
    assert_eq!(listed(place, "any.wild").await, [own]);
}

/// Every field of a record counts, its TTL too: what somebody else has touched is not ours to delete.
async fn a_delete_is_of_exactly_what_is_there(place: &Place) {
    let stale = [
        RecordSet { ttl: Some(60), ..app() },
        RecordSet { values: vec!["elsewhere.example.com".into()], ..app() },
        set("none", "CNAME", 300, &["old.example.test"]),
    ];
    for seen in stale {
        let new = RecordSet { name: seen.name.clone(), ..addresses()[0].clone() };
        let fault =
            writes(place).change(&swapped(std::slice::from_ref(&seen), &[new]), "").await.unwrap_err();
        assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{seen}: {fault}");
    }
    let fault = writes(place).change(&[RecordChange::Create(app())], "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{fault}");
    let broken = set("b", "A", 60, &["old.example.test"]);
    let fault = writes(place).change(&[RecordChange::Create(broken)], "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Permanent, Landed::No), "nobody else was here: {fault}");
    assert_eq!(listed(place, "app").await, [app()], "nothing of a refused batch happens");
    assert_eq!(listed(place, "none").await, []);
}

/// Servers ignore it without a word, and what had to go would be gone.
async fn nothing_comes_to_stand_beside_a_cname(place: &Place) {
    let before = listed(place, "text").await;
    let cname = set("text", "CNAME", 60, &["old.example.test"]);
    let fault = writes(place).change(&swapped(&before[..1], &[cname]), "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Permanent, Landed::No), "{fault}");
    assert_eq!(listed(place, "text").await, before);
    let beside = addresses()[0].clone();
    let fault = writes(place).change(&[RecordChange::Create(beside)], "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{fault}");
    assert_eq!(listed(place, "app").await, [app()]);
}

async fn a_change_by_somebody_else_just_before_is_foreign(place: &Place) {
    // Of the values, of the TTL alone, and of another name alone: then ours goes through.
    for (name, ttl, value, ours) in [
        ("app", 300, "theirs.example.com", false),
        ("app", 299, "old.example.test", false),
        ("beside", 300, "theirs.example.com", true),
    ] {
        let before = listed(place, "app").await;
        let theirs =
            json!({"name": format!("{name}.example.test"), "type": "CNAME", "ttl": ttl, "values": [value]});
        let rule = json!({"service": "rfc2136", "operation": "UPDATE", "kind": "change",
            "change": {"set_record": theirs}});
        place.fault(rule).await;
        let answer = writes(place).change(&swapped(&before, &addresses()), "").await;
        if ours {
            answer.unwrap();
            assert_eq!(listed(place, "app").await, addresses());
            continue;
        }
        let fault = answer.unwrap_err();
        assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{fault}");
        assert_eq!(listed(place, "app").await, [set("app", "CNAME", ttl, &[value])]);
        writes(place).change(&swapped(&listed(place, "app").await, &[app()]), "").await.unwrap();
    }
}

async fn a_change_whose_answer_is_lost_may_have_landed_and_is_found_by_looking(place: &Place) {
    for (kind, landed) in [("drop_before", false), ("drop_after", true)] {
        place.fault(json!({"service": "rfc2136", "operation": "UPDATE", "kind": kind})).await;
        let lost = writes(place).change(&swapped(&[app()], &addresses()), "").await.unwrap_err();
        assert_eq!(worth(&lost), (FaultKind::Transient, Landed::Maybe), "{lost}");
        assert_eq!(listed(place, "app").await == addresses(), landed, "{kind}");
    }
}

async fn a_write_after_its_deadline_is_not_sent(place: &Place) {
    let late = place.world.change_dns("updated", place.world.clock().now()).unwrap();
    let fault = late.change(&swapped(&[app()], &addresses()), "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Blind, Landed::No), "{fault}");
    assert_eq!(listed(place, "app").await, [app()]);
}

async fn what_a_primary_accepted_it_serves(place: &Place) {
    let change = writes(place).change(&swapped(&[app()], &addresses()), "").await.unwrap();
    assert_eq!(dns(place).status(&change).await.unwrap(), ChangeStatus::Insync);
    assert_eq!(dns(place).status(&ChangeId("C0".into())).await.unwrap(), ChangeStatus::Unknown);
}
