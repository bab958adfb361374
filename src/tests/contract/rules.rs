//! Rules of load balancers: what they say is what was set, and requests go by it.

use super::{Place, get, held_everywhere, worth};
use crate::plan::Timestamp;
use crate::port::{Does, Forward, Listener, ReadTraffic, Request, Rule, Share};
use crate::run::{FaultKind, Landed};
use serde_json::json;
use std::sync::Arc;

const ALIAS: &str = "aep-prod-alb.eu-west-1.elb.amazonaws.com";

held_everywhere!(
    Balancers;
    a_rule_is_set_and_set_back_to_what_it_was,
    requests_go_by_the_weights_of_their_rule,
    a_lost_change_of_a_rule_is_in_doubt,
    what_a_rule_cannot_be_is_refused,
    more_rules_than_one_page_tells in with_many,
);

/// How many rules there are beside those of the shipped world.
const MANY: usize = 55;

fn with_many(text: &str) -> String {
    let service = |number| {
        format!(
            "    many-{number}: {{ task_definition: aep-backend, desired: 0, load_balancer: aep-prod, paths: [/{number}/*] }}\n"
        )
    };
    let services: String = (0..MANY).map(service).collect();
    let changed = text.replace("\ntraffic:\n", &format!("{services}\ntraffic:\n"));
    assert_ne!(changed, text);
    changed
}

async fn listeners(place: &Place) -> (Arc<dyn ReadTraffic>, Vec<Listener>) {
    let traffic = place.world.traffic("prod").unwrap();
    let balancer = traffic.load_balancer("aep-prod").await.unwrap().unwrap();
    let listeners = traffic.listeners(&balancer.arn).await.unwrap();
    (traffic, listeners)
}

/// The rule for `/api/*`, and the default, of the listener for TLS.
async fn rules(place: &Place) -> (Arc<dyn ReadTraffic>, Rule, Rule) {
    let (traffic, listeners) = listeners(place).await;
    let mut rules = traffic.rules(&listeners[0].arn).await.unwrap();
    rules.sort_by_key(|rule| rule.priority.is_none());
    let [api, default] = &rules[..] else { panic!("{rules:#?}") };
    (traffic, api.clone(), default.clone())
}

fn shares(groups: &[(&str, u32)]) -> Vec<Share> {
    groups.iter().map(|(group, weight)| Share { group: (*group).into(), weight: *weight }).collect()
}

async fn a_rule_is_set_and_set_back_to_what_it_was(place: &Place) {
    let (traffic, listeners) = listeners(place).await;
    assert_eq!(listeners.iter().map(|listener| listener.port).collect::<Vec<_>>(), [443, 80]);
    let (_, api, default) = rules(place).await;
    assert_eq!((api.priority, default.priority), (Some(10), None));
    assert!(api.conditions[0].contains("/api/*"), "{api:?}");
    assert_eq!(api.listener, listeners[0].arn);
    let plain = traffic.rules(&listeners[1].arn).await.unwrap();
    let backend = traffic.target_group("aep-backend-prod").await.unwrap().unwrap();
    let frontend = traffic.target_group("aep-frontend-prod").await.unwrap().unwrap();
    assert_eq!(traffic.target_group("none").await.unwrap(), None);
    assert_eq!(api.forward().unwrap().groups, shares(&[(&backend, 1)]));
    let write = place.world.change_traffic("prod", Timestamp::NEVER).unwrap();
    for rule in [&api, &default] {
        let both = shares(&[(&backend, 90), (&frontend, 10)]);
        let mut actions = rule.dealing(&both);
        actions[0].does =
            Does::Forward(Forward { groups: both, sticks: Some(std::time::Duration::from_mins(5)) });
        write.set_actions(rule, &actions).await.unwrap();
        let now = traffic.rule(&rule.arn).await.unwrap().unwrap();
        assert_eq!(now, Rule { actions, ..rule.clone() }, "all else stays");
        write.set_actions(&now, &rule.actions).await.unwrap();
        assert_eq!(traffic.rule(&rule.arn).await.unwrap().as_ref(), Some(rule));
    }
    assert_eq!(
        traffic.rules(&listeners[1].arn).await.unwrap(),
        plain,
        "another listener has rules of its own"
    );
    assert_eq!(traffic.rule(&format!("{}0", api.arn)).await.unwrap(), None);
}

async fn more_rules_than_one_page_tells(place: &Place) {
    let (traffic, listeners) = listeners(place).await;
    for listener in &listeners {
        let rules = traffic.rules(&listener.arn).await.unwrap();
        assert_eq!(rules.len(), MANY + 2, "{rules:#?}");
        let mut priorities: Vec<Option<u32>> = rules.iter().map(|rule| rule.priority).collect();
        priorities.sort_unstable();
        priorities.dedup();
        assert_eq!(priorities.len(), MANY + 2, "each is told once");
    }
}

async fn requests_go_by_the_weights_of_their_rule(place: &Place) {
    let (traffic, api, _) = rules(place).await;
    let backend = traffic.target_group("aep-backend-prod").await.unwrap().unwrap();
    let frontend = traffic.target_group("aep-frontend-prod").await.unwrap().unwrap();
    let request = |scheme: &str| Request {
        connect_to: Some(ALIAS.into()),
        ..get(&format!("{scheme}://app.navralabs.com/api/scans"))
    };
    let answers = async |scheme: &str| {
        let mut bodies = Vec::new();
        for _ in 0..20 {
            let answer = place.world.http().get(request(scheme)).await.unwrap();
            bodies.push(String::from_utf8_lossy(&answer.body).contains("scans"));
        }
        bodies.into_iter().filter(|scans| *scans).count()
    };
    assert_eq!(answers("https").await, 20, "only the backend has scans to tell of");
    let write = place.world.change_traffic("prod", Timestamp::NEVER).unwrap();
    for (weights, least, most) in [((1, 1), 8, 12), ((0, 100), 0, 0), ((3, 1), 13, 17)] {
        let both = shares(&[(&backend, weights.0), (&frontend, weights.1)]);
        write.set_actions(&api, &api.dealing(&both)).await.unwrap();
        let scans = answers("https").await;
        assert!((least..=most).contains(&scans), "{weights:?}: {scans}");
        assert_eq!(answers("http").await, 20, "another listener has rules of its own");
    }
    write.set_actions(&api, &api.actions).await.unwrap();
    assert_eq!(answers("https").await, 20);
}

async fn a_lost_change_of_a_rule_is_in_doubt(place: &Place) {
    let (traffic, api, default) = rules(place).await;
    let frontend = traffic.target_group("aep-frontend-prod").await.unwrap().unwrap();
    let write = place.world.change_traffic("prod", Timestamp::NEVER).unwrap();
    for (rule, operation) in [(&api, "ModifyRule"), (&default, "ModifyListener")] {
        let wanted = rule.dealing(&shares(&[(&frontend, 7)]));
        for (kind, landed) in [("drop_before", false), ("drop_after", true)] {
            place
                .fault(json!({"service": "elasticloadbalancing", "operation": operation, "kind": kind}))
                .await;
            let fault = write.set_actions(rule, &wanted).await.unwrap_err();
            assert_eq!(worth(&fault), (FaultKind::Transient, Landed::Maybe), "{fault}");
            let now = traffic.rule(&rule.arn).await.unwrap().unwrap();
            assert_eq!(now.actions == wanted, landed, "{kind} of {operation}");
        }
        let throttled = json!({"service": "elasticloadbalancing", "operation": operation, "kind": "throttle", "times": 2});
        place.fault(throttled).await;
        write.set_actions(rule, &rule.actions).await.unwrap();
        assert_eq!(traffic.rule(&rule.arn).await.unwrap().as_ref(), Some(rule), "tried again");
        let broken = json!({"service": "elasticloadbalancing", "operation": operation, "kind": "error", "status": 503});
        place.fault(broken).await;
        let fault = write.set_actions(rule, &wanted).await.unwrap_err();
        assert_eq!(worth(&fault), (FaultKind::Transient, Landed::Maybe), "{fault}");
        assert_eq!(traffic.rule(&rule.arn).await.unwrap().as_ref(), Some(rule));
    }
}

async fn what_a_rule_cannot_be_is_refused(place: &Place) {
    let (traffic, api, default) = rules(place).await;
    let elsewhere = traffic.target_group("aep-backend-staging").await.unwrap().unwrap();
    let own = traffic.target_group("aep-backend-prod").await.unwrap().unwrap();
    let write = place.world.change_traffic("prod", Timestamp::NEVER).unwrap();
    let late = place.world.change_traffic("prod", Timestamp::PAST).unwrap();
    let none = Rule { arn: format!("{}0", api.arn), ..api.clone() };
    let by_the_wrong_call = Rule { priority: Some(1), ..default.clone() };
    for (rule, groups) in [
        (&none, shares(&[(&own, 1)])),
        (&by_the_wrong_call, shares(&[(&own, 1)])),
        (&api, shares(&[("none", 1)])),
        (&api, shares(&[(&elsewhere, 1)])),
        (&api, shares(&[(&own, 1000)])),
        (&api, Vec::new()),
    ] {
        let fault = write.set_actions(rule, &api.dealing(&groups)).await.unwrap_err();
        assert_eq!(worth(&fault), (FaultKind::Permanent, Landed::No), "{fault}");
    }
    let fault = late.set_actions(&api, &api.dealing(&shares(&[(&own, 5)]))).await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Blind, Landed::No), "its deadline has passed: {fault}");
    assert_eq!(traffic.rule(&api.arn).await.unwrap(), Some(api));
}
