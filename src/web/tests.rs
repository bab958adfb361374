//! What is told from what, without sockets: keys, nonces, bodies, the door. `tests/it` has the rest.

use super::alertmanager;
use super::door::{Door, GRACE, MOST};
use super::key::{Key, Keys, NONCE, SIGNATURE, TIMESTAMP};
use super::once::Once;
use super::trigger::Aim;
use super::webhook;
use crate::plan::Timestamp;
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use std::time::Duration;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const SECRET: &str = "a secret of some length";

fn keys() -> Keys {
    Keys { token: Key::new("a token of some length"), secret: Key::new(SECRET) }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())).collect()
}

#[test]
fn a_key_that_could_be_guessed_is_none() {
    assert!(Key::new("fifteen letters").is_none());
    assert!(Key::new("sixteen letters!").is_some());
}

/// argo-rollouts#1323: whoever reached the dashboard could act.
#[test]
fn only_the_token_is_the_token() {
    let knows = |value: &str| keys().bearer(&headers(&[("authorization", value)])).is_ok();
    assert!(knows("Bearer a token of some length"));
    assert!(knows("bearer a token of some length"));
    for wrong in [
        "Bearer a token of some lengt",
        "Bearer a token of some lengthh",
        "Bearer ",
        "Bearer",
        "Basic a token of some length",
        "a token of some length",
        "",
    ] {
        assert!(!knows(wrong), "{wrong}");
    }
    assert!(keys().bearer(&HeaderMap::new()).is_err());
    // Two of them: a proxy may have looked at the other one.
    let mut twice = headers(&[("authorization", "Bearer a token of some length")]);
    twice.append("authorization", HeaderValue::from_static("Bearer a token of some length"));
    assert!(keys().bearer(&twice).is_err());
    let closed = Keys { token: None, ..keys() };
    assert!(closed.bearer(&headers(&[("authorization", "Bearer a token of some length")])).is_err());
}

/// By `printf '%s.%s.%s' 1800000000 a-nonce-of-sixteen '{"plan":"small","reason":"x"}' | openssl dgst -sha256 -hmac "$SECRET"`.
const BODY: &[u8] = br#"{"plan":"small","reason":"x"}"#;
const TAG: &str = "v1=a4a75bdd53395400af3aad5169cd0117e16a2cb2267c37ea5f2d645e2e05ad13";

fn signed(stamp: &str, nonce: &str, tag: &str, now: Timestamp) -> Result<(), String> {
    let headers = headers(&[(TIMESTAMP, stamp), (NONCE, nonce), (SIGNATURE, tag)]);
    keys().signature(&headers, now)?.is_of(BODY)
}

#[test]
fn a_signature_is_of_its_body_its_nonce_and_its_time() {
    let nonce = "a-nonce-of-sixteen";
    assert_eq!(signed("1800000000", nonce, TAG, NOW), Ok(()));
    assert_eq!(signed("1800000000", nonce, &TAG.to_uppercase().replace("V1", "v1"), NOW), Ok(()));
    for (stamp, nonce, tag, why) in [
        ("1800000001", nonce, TAG, "the signature is wrong"),
        ("1800000000", "a-nonce-of-sixteem", TAG, "the signature is wrong"),
        ("1800000000", nonce, &TAG.replace('0', "1"), "the signature is wrong"),
        ("1800000000", nonce, &TAG[..65], "is not `v1=`"),
        ("1800000000", nonce, &TAG[3..], "is not `v1=`"),
        ("1800000000", nonce, &format!("{TAG}00"), "is not `v1=`"),
        ("1800000000", "short", TAG, "is not 16 to 64"),
        ("1800000000", "a-nonce.of.sixteen", TAG, "is not 16 to 64"),
        ("soon", nonce, TAG, "is not in seconds"),
        ("-1800000000", nonce, TAG, "is not in seconds"),
        ("99999999999999999999", nonce, TAG, "is not in seconds"),
        ("18446744073709551615", nonce, TAG, "is not in seconds"),
    ] {
        let said = signed(stamp, nonce, tag, NOW).unwrap_err();
        assert!(said.contains(why), "{stamp} {nonce} {tag}: {said}");
    }
    let later = |seconds: u64| Timestamp(NOW.0 + seconds * 1000);
    let earlier = |seconds: u64| Timestamp(NOW.0 - seconds * 1000);
    for now in [later(300), earlier(300)] {
        assert_eq!(signed("1800000000", nonce, TAG, now), Ok(()));
    }
    for now in [later(301), earlier(301)] {
        assert!(signed("1800000000", nonce, TAG, now).unwrap_err().contains("five minutes"));
    }
    let missing = keys().signature(&headers(&[(TIMESTAMP, "1800000000")]), NOW).err();
    assert!(missing.unwrap().contains(NONCE));
}

#[test]
fn a_nonce_is_used_once_by_whichever_process() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (Once::in_folder(&folder.path().join("n")), Once::in_folder(&folder.path().join("n")));
    let now = wall();
    assert!(!one.was_used("nonce"));
    assert!(one.is_first("nonce", now).unwrap());
    assert!(one.was_used("nonce"));
    assert!(!other.is_first("nonce", now).unwrap());
    assert!(other.is_first("another", now).unwrap());
    // As long as a request signed with it could be taken, and no longer.
    assert!(!one.is_first("nonce", now.after(Duration::from_mins(10))).unwrap());
    assert!(one.is_first("nonce", now.after(Duration::from_mins(21))).unwrap());
}

fn wall() -> Timestamp {
    use crate::port::Clock;
    crate::adapter::SystemClock::wall().now()
}

#[test]
fn the_oldest_stranger_makes_way_and_nobody_with_a_key() {
    let door = Door::default();
    let guests: Vec<_> = (0..MOST).map(|_| door.enter(NOW).unwrap()).collect();
    assert!(door.is_full());
    let late = NOW.after(GRACE);
    assert_eq!(door.enter(NOW).err(), Some(late), "all are new here");
    door.forget(&guests[0]);
    assert!(!door.is_full());
    assert!(door.enter(NOW).is_ok());
    assert!(door.enter(late).is_ok());
    let out: Vec<bool> = guests.iter().map(|guest| guest.out.is_cancelled()).collect();
    assert_eq!(out.iter().filter(|out| **out).count(), 1);
    assert!(out[1] && !out[0], "the first has shown a key, so it was the second");
    door.clear();
    assert!(!guests[0].out.is_cancelled() && guests[MOST - 1].out.is_cancelled());
}

#[test]
fn an_aim_says_whom_it_means() {
    assert_eq!(Aim::new(None, None), None);
    assert_eq!(Aim::new(Some(""), Some("")), None);
    let (run, plan) = (Aim::new(Some("01j"), None).unwrap(), Aim::new(Some(""), Some("small")).unwrap());
    assert!(run.fits("01J", "any") && !run.fits("01JX", "any"));
    assert!(plan.fits("01J", "small") && !plan.fits("01J", "smaller"));
    let both = Aim::new(Some("01J"), Some("small")).unwrap();
    assert!(both.fits("01J", "small") && !both.fits("01J", "other") && !both.fits("01K", "small"));
    assert_eq!(both.to_string(), "run 01J of plan small");
}

/// As Alertmanager 0.25 sends it.
const NOTIFICATION: &str = r#"{"receiver":"switchover","status":"firing","alerts":[
  {"status":"resolved","labels":{"alertname":"Old","switchover_plan":"small"},"annotations":{},
   "startsAt":"2026-11-20T10:00:00Z","endsAt":"2026-11-20T10:01:00Z","generatorURL":"","fingerprint":"a"},
  {"status":"firing","labels":{"alertname":"Errors","switchover_plan":"small","severity":"page"},
   "annotations":{"summary":"more than 1 % of\nrequests fail","description":"no"},
   "startsAt":"2026-11-20T10:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"b"},
  {"status":"firing","labels":{"alertname":"Slow"},"annotations":{},
   "startsAt":"2026-11-20T10:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"c"}],
 "groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://localhost:9093",
 "version":"4","groupKey":"{}:{}","truncatedAlerts":0}"#;

#[test]
fn a_firing_alert_that_names_a_plan_is_a_trigger() {
    let triggers = alertmanager::triggers(NOTIFICATION.as_bytes()).unwrap();
    assert_eq!(triggers.len(), 1, "{triggers:?}");
    assert!(triggers[0].aim.fits("any", "small"));
    assert_eq!(
        (&*triggers[0].by, &*triggers[0].reason),
        ("alertmanager", "Errors: more than 1 % of requests fail")
    );
    let newer = NOTIFICATION.replace(r#""version":"4""#, r#""version":"5""#);
    for body in [newer.as_str(), "{}", "[]", "", "\u{0}", r#"{"version":"4","alerts":[{"status":"firing"}]}"#]
    {
        assert!(alertmanager::triggers(body.as_bytes()).is_err(), "{body}");
    }
    assert_eq!(alertmanager::triggers(br#"{"version":"4","alerts":[]}"#), Ok(Vec::new()));
    assert_eq!(triggers[0].guard, None);
    let labels = |guard: &str| {
        let body = NOTIFICATION.replace(r#""severity":"page""#, &format!(r#""switchover_guard":"{guard}""#));
        alertmanager::triggers(body.as_bytes()).unwrap().remove(0).guard
    };
    assert_eq!(labels("canary-alerts").as_deref(), Some("canary-alerts"));
    // An empty name names no guard, and is no wish for a rollback.
    assert_eq!(labels("").as_deref(), Some(""));
    assert_eq!(labels(&"g".repeat(10_000)).unwrap().chars().count(), 64);
    // A body that nests without end is refused, and ends no process.
    assert!(alertmanager::triggers("[".repeat(1 << 20).as_bytes()).is_err());
}

#[test]
fn a_webhook_names_a_run_or_a_plan_and_says_why() {
    let trigger = |body: &str| webhook::trigger(body.as_bytes());
    let told = trigger(r#"{"run":"01j","reason":" 5xx\n","by":"deploy-bot"}"#).unwrap();
    assert!(told.aim.fits("01J", "any"));
    assert_eq!((&*told.by, &*told.reason), ("deploy-bot via webhook", "5xx"));
    let told = trigger(&format!(r#"{{"plan":"small","reason":"{}"}}"#, "é".repeat(1000))).unwrap();
    assert_eq!((&*told.by, told.reason.chars().count()), ("webhook", 300));
    assert_eq!(told.guard, None);
    let told = trigger(r#"{"plan":"small","guard":"canary-alerts","reason":"x"}"#).unwrap();
    assert_eq!(told.guard.as_deref(), Some("canary-alerts"));
    for body in [
        r#"{"guard":"canary-alerts","reason":"x"}"#,
        r#"{"plan":"small","guard":["canary-alerts"],"reason":"x"}"#,
        r#"{"reason":"x"}"#,
        r#"{"plan":"","reason":"x"}"#,
        r#"{"plan":"small"}"#,
        r#"{"plan":"small","reason":"x","all":true}"#,
        r#"{"plan":["small"],"reason":"x"}"#,
        r#""small""#,
        "",
    ] {
        assert!(trigger(body).is_err(), "{body}");
    }
}
