//! Health checks that record sets go by: what they ask, and what their checkers say.

use super::{Place, held_by_both};
use crate::port::dns::{Checkers, HealthCheck};
use crate::run::FaultKind;
use serde_json::json;

held_by_both!(
    a_health_check_tells_what_it_asks_and_how_it_stands in with_checks,
    a_health_check_that_a_set_names_passes_unless_it_is_stated in with_checks,
    who_may_not_ask_for_a_health_check_is_told_so in with_checks,
);

fn with_checks(text: &str) -> String {
    let checks = "    health_checks:
      - { id: hc-well, healthy: true, asks: 'https://app.navralabs.com/health' }
      - { id: hc-ill, healthy: false, asks: 'http://old.navralabs.com:8080/' }
      - { id: hc-port, healthy: true, asks: 'tcp://db.navralabs.com:5432' }
";
    let set = "      - { name: eu, type: A, ttl: 60, values: [192.0.2.7], set: eu, weight: 1, fields: { HealthCheckId: hc-named } }\n";
    let (id, mail) = ("    id: Z0123456789ABC\n", "      - { name: mail, type: A");
    text.replace(id, &format!("{id}{checks}")).replace(mail, &format!("{set}{mail}"))
}

fn stands(asks: &str, well: usize) -> HealthCheck {
    let checkers = Checkers::Counted { well, of: 15 };
    HealthCheck { asks: asks.into(), disabled: false, inverted: false, checkers }
}

async fn a_health_check_tells_what_it_asks_and_how_it_stands(place: &Place) {
    let dns = place.world.dns("zone").unwrap();
    for (id, asks, well) in [
        ("hc-well", "https://app.navralabs.com/health", 15),
        ("hc-ill", "http://old.navralabs.com:8080/", 0),
        ("hc-port", "tcp://db.navralabs.com:5432", 15),
    ] {
        let found = dns.health_check(id).await.unwrap().unwrap();
        assert_eq!(found, stands(asks, well), "{id}");
        assert_eq!(found.fails(), well == 0, "{id}");
    }
    assert_eq!(dns.health_check("hc-none").await.unwrap(), None);
}

async fn a_health_check_that_a_set_names_passes_unless_it_is_stated(place: &Place) {
    let dns = place.world.dns("zone").unwrap();
    let found = dns.health_check("hc-named").await.unwrap().unwrap();
    assert_eq!(found, stands("https://health.example/", 15));
}

async fn who_may_not_ask_for_a_health_check_is_told_so(place: &Place) {
    let dns = place.world.dns("zone").unwrap();
    // Nothing is asked before the account is known.
    dns.zone().await.unwrap();
    let denies = |operation: &str| {
        json!({"service": "route53", "operation": operation, "kind": "error", "status": 403,
            "code": "AccessDenied", "message": "no"})
    };
    place.fault(denies("GetHealthCheck")).await;
    let fault = dns.health_check("hc-well").await.unwrap_err();
    let words = "route53 GetHealthCheck of health check hc-well: AccessDenied: no";
    assert!(fault.kind == FaultKind::Blind && fault.message.contains(words), "{fault}");
    // Of what it asks something is known.
    place.fault(denies("GetHealthCheckStatus")).await;
    let found = dns.health_check("hc-well").await.unwrap().unwrap();
    assert_eq!(found.asks, "https://app.navralabs.com/health");
    let Checkers::Unknown(why) = &found.checkers else { panic!("{found:?}") };
    let words = "route53 GetHealthCheckStatus of health check hc-well: AccessDenied: no";
    assert!(why.contains(words) && !found.fails(), "{why}");
}
