//! A private zone: it is listed and changed as any other, and its name servers answer nobody.

use super::{INSIDE, Place, held_by_both, worth};
use crate::plan::Timestamp;
use crate::port::dns::{Name, RecordChange, RecordSet, RecordType};
use crate::run::{FaultKind, Landed};
use std::net::IpAddr;

held_by_both!(
    a_private_zone_is_changed_and_nobody_is_asked in private,
    a_private_zone_beside_a_public_one_is_seen_from_inside in both,
);

fn private(text: &str) -> String {
    let id = "id: Z0123456789ABC";
    text.replace(id, &format!("{id}\n    private: true"))
}

/// The zone, and a private one of its name.
fn both(text: &str) -> String {
    let record = "{ name: app, type: A, ttl: 60, values: [192.0.2.77] }";
    let zone =
        format!("  inside: {{ id: {INSIDE}, name: navralabs.com, private: true, records: [{record}] }}");
    text.replace("\nzones:\n", &format!("\nzones:\n{zone}\n"))
}

async fn a_private_zone_beside_a_public_one_is_seen_from_inside(place: &Place) {
    let (public, private) = (place.world.dns("zone").unwrap(), place.world.dns("inside").unwrap());
    let (app, own) = (Name::new("app.navralabs.com"), ["192.0.2.77".parse::<IpAddr>().unwrap()]);
    assert!(private.zone().await.unwrap().private && !public.zone().await.unwrap().private);
    let authority = &public.authorities().await.unwrap()[0];
    let served = public.ask(authority, &app, &RecordType("CNAME".into())).await.unwrap();
    assert!(served.authoritative && !served.values.is_empty(), "{served:?}");
    let kept = private.resolvers()[0].ask(&app, &RecordType("A".into())).await.unwrap();
    assert_eq!(kept.values, ["192.0.2.77"]);
    let asked = place.world.dns("asked").unwrap();
    let kept = asked.resolvers()[0].ask(&app, &RecordType("CNAME".into())).await.unwrap();
    assert_eq!(kept.values, served.values, "that of a public zone is not inside");
    assert_eq!(private.addresses(&app).await.unwrap(), own);
    assert_ne!(public.addresses(&app).await.unwrap(), own, "this machine is not inside");
}

async fn a_private_zone_is_changed_and_nobody_is_asked(place: &Place) {
    let (dns, mail) = (place.world.dns("zone").unwrap(), Name::new("mail.navralabs.com"));
    let zone = dns.zone().await.unwrap();
    assert!(zone.private && zone.name_servers.len() == 4, "{zone:?}");
    let words = ["zone Z0123456789ABC (navralabs.com) is private", "name resolvers of that network"];
    for fault in [dns.delegation().await.unwrap_err(), dns.authorities().await.unwrap_err()] {
        assert_eq!(worth(&fault), (FaultKind::Permanent, Landed::No), "{fault}");
        assert!(words.iter().all(|word| fault.message.contains(word)), "{fault}");
    }
    let old = dns.record_sets(&mail).await.unwrap().remove(0);
    let new = RecordSet { values: vec!["192.0.2.26".into()], ..old.clone() };
    let batch = [RecordChange::Delete(old), RecordChange::Create(new.clone())];
    place.world.change_dns("zone", Timestamp::NEVER).unwrap().change(&batch, "a test").await.unwrap();
    assert_eq!(dns.record_sets(&mail).await.unwrap(), [new]);
    // Users are inside its network.
    let found: Vec<IpAddr> = dns.addresses(&mail).await.unwrap();
    assert!(!found.is_empty(), "{found:?}");
}
