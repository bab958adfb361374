//! What holds of every zone, whoever keeps it: hosted ones of a provider, and those on a primary server that takes dynamic
//! updates. What only the first have stands in `dns`, and what only the second have in `updates`.

use super::{Place, worth};
use crate::plan::Timestamp;
use crate::port::dns::{Alias, ChangeStatus, Name, RecordChange, RecordSet, RecordType};
use crate::port::{ReadDns, WriteDns};
use crate::run::{FaultKind, Landed};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

/// Each contract is held by hosted zones and by those that are updated, wherever there are such.
macro_rules! held_by_zones {
    ($($contract:ident),* $(,)?) => {
        pub(super) mod hosted {
            use super::{Place, Zone};
            $(async fn $contract(place: &Place) {
                super::$contract(&Zone::hosted(place)).await;
            })*
            crate::tests::contract::held_everywhere!(Zones; $($contract),*);
        }
        pub(super) mod updated {
            use super::{Place, Zone};
            $(pub(in crate::tests::contract) async fn $contract(place: &Place) {
                super::$contract(&Zone::updated(place)).await;
            })*
            crate::tests::contract::held_by_primaries!($($contract),*);
        }
    };
}

held_by_zones!(
    a_record_is_switched_in_one_change,
    every_authority_comes_to_serve_a_change,
    a_change_whose_answer_is_lost_may_have_landed_and_is_found_by_looking,
    a_write_after_its_deadline_is_not_sent,
    a_delete_is_of_exactly_what_is_there,
    a_record_that_cannot_be_is_refused,
    a_change_by_somebody_else_just_before_is_foreign,
);

/// A zone of a place, and what is switched in it.
pub(super) struct Zone<'a> {
    pub(super) place: &'a Place,
    name: &'static str,
    target: &'static str,
    /// By which service and operation it is changed, as faults name them.
    changed_by: [&'static str; 2],
    /// What `app` has at first.
    pub(super) old: RecordSet,
    /// What `app` is switched to.
    pub(super) new: Vec<RecordSet>,
}

impl<'a> Zone<'a> {
    /// That of the shipped world, in which a name is switched to a load balancer.
    pub(super) fn hosted(place: &'a Place) -> Self {
        let name = "navralabs.com";
        let old = set(name, "app", "CNAME", 300, &["staging-alb.eu-west-1.elb.amazonaws.com"]);
        let alias = Alias {
            name: Name::new("aep-prod-alb.eu-west-1.elb.amazonaws.com"),
            zone_id: crate::sim::BALANCER_ZONE.into(),
            evaluate_health: true,
        };
        let new = RecordSet { ttl: None, alias: Some(alias), ..set(name, "app", "A", 60, &[]) };
        let changed_by = ["route53", "ChangeResourceRecordSets"];
        Self { place, name, target: "zone", changed_by, old, new: vec![new] }
    }

    /// That of `servers`, in which a name is switched to addresses.
    pub(super) fn updated(place: &'a Place) -> Self {
        let name = "example.test";
        let old = set(name, "app", "CNAME", 300, &["old.example.test"]);
        let new = vec![
            set(name, "app", "A", 60, &["192.0.2.7", "192.0.2.8"]),
            set(name, "app", "AAAA", 60, &["2001:db8::7"]),
        ];
        Self { place, name, target: "updated", changed_by: ["rfc2136", "UPDATE"], old, new }
    }

    /// One of its record sets.
    pub(super) fn set(&self, label: &str, kind: &str, ttl: u32, values: &[&str]) -> RecordSet {
        set(self.name, label, kind, ttl, values)
    }

    pub(super) fn dns(&self) -> Arc<dyn ReadDns> {
        self.place.world.dns(self.target).unwrap()
    }

    /// To change it until then.
    pub(super) fn writes_until(&self, until: Timestamp) -> Arc<dyn WriteDns> {
        self.place.world.change_dns(self.target, until).unwrap()
    }

    pub(super) fn writes(&self) -> Arc<dyn WriteDns> {
        self.writes_until(Timestamp::NEVER)
    }

    /// What is listed, in an order of its own.
    pub(super) async fn listed(&self, label: &str) -> Vec<RecordSet> {
        let name = Name::new(&format!("{label}.{}", self.name));
        let mut sets = self.dns().record_sets(&name).await.unwrap();
        for set in &mut sets {
            set.values.sort();
        }
        sets.sort_by(|a, b| a.kind.cmp(&b.kind));
        sets
    }

    /// Waits until each of its authorities serves this.
    pub(super) async fn serves(&self, set: &RecordSet) {
        let dns = self.dns();
        let (values, ttl) = match &set.alias {
            Some(alias) => {
                let there = dns.addresses(&alias.name).await.unwrap();
                (vec![there[0].to_string()], Duration::from_mins(1))
            }
            None => (set.values.clone(), Duration::from_secs(set.ttl.unwrap().into())),
        };
        for authority in dns.authorities().await.unwrap() {
            let arrived = async || {
                let served = dns.ask(&authority, &set.name, &set.kind).await.unwrap();
                served.authoritative && served.values == values && served.ttl == ttl
            };
            self.place.until(arrived).await;
        }
    }

    /// Waits until each of its authorities says that there is no such set.
    pub(super) async fn serves_no_more(&self, set: &RecordSet) {
        let dns = self.dns();
        for authority in dns.authorities().await.unwrap() {
            let gone = async || {
                let served = dns.ask(&authority, &set.name, &set.kind).await.unwrap();
                served.authoritative && served.values.is_empty() && served.negative_ttl.is_some()
            };
            self.place.until(gone).await;
        }
    }

    /// What switches a name that is seen to have this.
    pub(super) fn switched(&self, seen: &RecordSet) -> Vec<RecordChange> {
        let named = |set: &RecordSet| RecordSet { name: seen.name.clone(), ..set.clone() };
        swapped(from_ref(seen), &self.new.iter().map(named).collect::<Vec<_>>())
    }

    /// Puts a fault in the way of its next change.
    async fn fault(&self, kind: &str, change: Json) {
        let [service, operation] = self.changed_by;
        let mut rule = json!({"service": service, "operation": operation, "kind": kind});
        if !change.is_null() {
            rule["change"] = change;
        }
        self.place.fault(rule).await;
    }
}

fn set(zone: &str, label: &str, kind: &str, ttl: u32, values: &[&str]) -> RecordSet {
    RecordSet {
        name: Name::new(&format!("{label}.{zone}")),
        kind: RecordType(kind.into()),
        ttl: Some(ttl),
        values: values.iter().map(ToString::to_string).collect(),
        alias: None,
        extra: BTreeMap::new(),
    }
}

pub(super) fn swapped(old: &[RecordSet], new: &[RecordSet]) -> Vec<RecordChange> {
    let gone = old.iter().cloned().map(RecordChange::Delete);
    gone.chain(new.iter().cloned().map(RecordChange::Create)).collect()
}

async fn a_record_is_switched_in_one_change(zone: &Zone<'_>) {
    assert_eq!(zone.dns().zone().await.unwrap().name.as_str(), zone.name);
    assert_eq!(zone.listed("app").await, from_ref(&zone.old));
    let batch = zone.switched(&zone.old);
    zone.writes().change(&batch, "a test").await.unwrap();
    assert_eq!(zone.listed("app").await, zone.new);
    // The same batch again is stale now.
    let fault = zone.writes().change(&batch, "again").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{fault}");
    assert_eq!(zone.listed("app").await, zone.new);
}

async fn every_authority_comes_to_serve_a_change(zone: &Zone<'_>) {
    zone.serves(&zone.old).await;
    let change = zone.writes().change(&zone.switched(&zone.old), "a test").await.unwrap();
    let dns = zone.dns();
    zone.place.until(async || dns.status(&change).await.unwrap() == ChangeStatus::Insync).await;
    for set in &zone.new {
        zone.serves(set).await;
    }
    zone.serves_no_more(&zone.old).await;
    zone.writes().change(&swapped(&zone.new, from_ref(&zone.old)), "back").await.unwrap();
    assert_eq!(zone.listed("app").await, from_ref(&zone.old));
    zone.serves(&zone.old).await;
}

async fn a_change_whose_answer_is_lost_may_have_landed_and_is_found_by_looking(zone: &Zone<'_>) {
    for (kind, landed) in [("drop_before", false), ("drop_after", true)] {
        zone.fault(kind, Json::Null).await;
        let lost = zone.writes().change(&zone.switched(&zone.old), "").await.unwrap_err();
        assert_eq!(worth(&lost), (FaultKind::Transient, Landed::Maybe), "{lost}");
        assert_eq!(zone.listed("app").await == zone.new, landed, "{kind}");
    }
}

async fn a_write_after_its_deadline_is_not_sent(zone: &Zone<'_>) {
    let late = zone.writes_until(zone.place.world.clock().now());
    let fault = late.change(&zone.switched(&zone.old), "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Blind, Landed::No), "{fault}");
    assert_eq!(zone.listed("app").await, from_ref(&zone.old));
}

/// Every field of a record counts, its TTL too: what somebody else has touched is not ours to delete.
async fn a_delete_is_of_exactly_what_is_there(zone: &Zone<'_>) {
    let stale = [
        RecordSet { ttl: Some(60), ..zone.old.clone() },
        RecordSet { values: vec!["elsewhere.example.com".into()], ..zone.old.clone() },
        RecordSet { name: zone.set("none", "CNAME", 300, &[]).name, ..zone.old.clone() },
    ];
    for seen in stale {
        let fault = zone.writes().change(&zone.switched(&seen), "").await.unwrap_err();
        assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{seen}: {fault}");
    }
    let fault = zone.writes().change(&swapped(&[], from_ref(&zone.old)), "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{fault}");
    assert_eq!(zone.listed("app").await, from_ref(&zone.old), "nothing of a refused batch happens");
    assert_eq!(zone.listed("none").await, []);
}

/// A name is no address.
async fn a_record_that_cannot_be_is_refused(zone: &Zone<'_>) {
    let broken = RecordSet { values: zone.old.values.clone(), ..zone.set("b", "A", 300, &[]) };
    let fault = zone.writes().change(&swapped(from_ref(&zone.old), &[broken]), "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Permanent, Landed::No), "nobody else was here: {fault}");
    assert_eq!(zone.listed("app").await, from_ref(&zone.old), "nothing of a refused batch happens");
}

async fn a_change_by_somebody_else_just_before_is_foreign(zone: &Zone<'_>) {
    let old = zone.old.values[0].as_str();
    // Of the values, of the TTL alone, and of another name alone: then ours goes through.
    for (label, ttl, value, goes_through) in [
        ("app", 300, "theirs.example.com", false),
        ("app", 299, old, false),
        ("beside", 300, "theirs.example.com", true),
    ] {
        let theirs = zone.set(label, "CNAME", ttl, &[value]);
        let record = json!({"name": theirs.name.as_str(), "type": "CNAME", "ttl": ttl, "values": [value]});
        zone.fault("change", json!({"set_record": record})).await;
        let answer = zone.writes().change(&zone.switched(&zone.old), "").await;
        if goes_through {
            answer.unwrap();
            assert_eq!(zone.listed("app").await, zone.new);
        } else {
            let fault = answer.unwrap_err();
            assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{fault}");
            assert_eq!(zone.listed("app").await, from_ref(&theirs));
            zone.writes().change(&swapped(&[theirs], from_ref(&zone.old)), "").await.unwrap();
        }
    }
}
