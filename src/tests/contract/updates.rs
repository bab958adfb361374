//! What only zones on a primary server have: a change is an update that states what must be there, so that of a TTL alone is
//! one, too; and what stands under a name is seen by asking, where a wildcard answers as well. Hosted zones list what is there.

use super::servers::{Brand, on_server};
use super::zones::{Zone, swapped, updated};
use super::{Place, held_by_primaries, worth};
use crate::port::dns::{ChangeId, ChangeStatus, RecordSet};
use crate::run::{FaultKind, Landed};
use std::slice::from_ref;

held_by_primaries!(
    a_ttl_alone_is_changed,
    a_name_comes_and_goes,
    all_that_a_name_has_is_listed_and_nothing_that_a_wildcard_has,
    nothing_comes_to_stand_beside_a_cname,
    what_a_primary_accepted_it_serves,
);

/// Where a server signs a zone by itself, it has one serial and shows another.
#[tokio::test]
async fn a_zone_that_its_server_signs_is_changed_by_its_values() {
    on_server(Brand::SigningBind, updated::a_record_is_switched_in_one_change).await;
    on_server(Brand::SigningBind, updated::every_authority_comes_to_serve_a_change).await;
    on_server(Brand::SigningBind, all_that_a_name_has_is_listed_and_nothing_that_a_wildcard_has).await;
}

async fn a_ttl_alone_is_changed(place: &Place) {
    let zone = Zone::updated(place);
    let low = RecordSet { ttl: Some(60), ..zone.old.clone() };
    zone.writes().change(&swapped(from_ref(&zone.old), from_ref(&low)), "").await.unwrap();
    assert_eq!(zone.listed("app").await, from_ref(&low));
    zone.serves(&low).await;
    zone.writes().change(&swapped(&[low], from_ref(&zone.old)), "").await.unwrap();
    assert_eq!(zone.listed("app").await, from_ref(&zone.old));
}

async fn a_name_comes_and_goes(place: &Place) {
    let zone = Zone::updated(place);
    assert_eq!(zone.listed("fresh").await, []);
    let fresh = zone.set("fresh", "CNAME", 30, &["old.example.test"]);
    zone.writes().change(&swapped(&[], from_ref(&fresh)), "").await.unwrap();
    assert_eq!(zone.listed("fresh").await, from_ref(&fresh));
    zone.writes().change(&swapped(from_ref(&fresh), &[]), "").await.unwrap();
    assert_eq!(zone.listed("fresh").await, []);
    zone.serves_no_more(&fresh).await;
}

async fn all_that_a_name_has_is_listed_and_nothing_that_a_wildcard_has(place: &Place) {
    let zone = Zone::updated(place);
    let text = [zone.set("text", "A", 60, &["192.0.2.3"]), zone.set("text", "TXT", 60, &["\"hello\""])];
    assert_eq!(zone.listed("text").await, text);
    assert_eq!(zone.listed("any.wild").await, []);
    assert_eq!(zone.listed("*.wild").await, [zone.set("*.wild", "A", 60, &["192.0.2.9"])]);
    let own = zone.set("any.wild", "A", 60, &["192.0.2.10"]);
    zone.writes().change(&swapped(&[], from_ref(&own)), "").await.unwrap();
    assert_eq!(zone.listed("any.wild").await, [own]);
}

/// Servers ignore it without a word, and what had to go would be gone.
async fn nothing_comes_to_stand_beside_a_cname(place: &Place) {
    let zone = Zone::updated(place);
    let before = zone.listed("text").await;
    let cname = zone.set("text", "CNAME", 60, &["old.example.test"]);
    let fault = zone.writes().change(&swapped(&before[..1], &[cname]), "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Permanent, Landed::No), "{fault}");
    assert_eq!(zone.listed("text").await, before);
    let fault = zone.writes().change(&swapped(&[], &zone.new[..1]), "").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Foreign, Landed::No), "{fault}");
    assert_eq!(zone.listed("app").await, [zone.old]);
}

async fn what_a_primary_accepted_it_serves(place: &Place) {
    let zone = Zone::updated(place);
    let change = zone.writes().change(&zone.switched(&zone.old), "").await.unwrap();
    assert_eq!(zone.dns().status(&change).await.unwrap(), ChangeStatus::Insync);
    assert_eq!(zone.dns().status(&ChangeId("C0".into())).await.unwrap(), ChangeStatus::Unknown);
}
