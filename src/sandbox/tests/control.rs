//! The sandbox's own interface, faults, and refusals on the wire.

use super::*;
use crate::port::Wiring;
use serde_json::json as j;

/// A call to ECS as an SDK sends it, without the signature, which nobody checks.
async fn ecs(wiring: &Wiring, operation: &str, body: &str) -> Option<(u16, String)> {
    call(wiring, &wiring.access_key, "ecs", &[("x-amz-target", &format!("X.{operation}"))], body).await
}

async fn call(
    wiring: &Wiring,
    key: &str,
    service: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<(u16, String)> {
    let scope = format!("AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/{service}/aws4_request, S=x");
    let mut all = vec![("authorization", scope.as_str())];
    all.extend_from_slice(headers);
    http("POST", &wiring.aws_endpoint, &all, body).await
}

#[tokio::test]
async fn it_tells_how_it_is_reached_and_what_its_world_holds() {
    let sandbox = sandbox(AEP).await;
    let wiring = sandbox.wiring();
    let told: Wiring =
        serde_json::from_value(json("GET", &format!("{}/wiring", wiring.control), "").await).unwrap();
    assert_eq!(told, *wiring);
    assert_eq!(told.people.len(), 2);
    let state = json("GET", &format!("{}/state", wiring.control), "").await;
    assert_eq!(state["services"]["aep-prod/aep-backend-prod"]["desired"], 2);
    assert_eq!(sandbox.verdict(), Some("completed"));
    assert!(sandbox.exports()[0].starts_with("export AWS_ENDPOINT_URL=http://127."));
}

#[tokio::test]
async fn two_sandboxes_share_nothing() {
    let (one, two) = (sandbox(AEP).await, sandbox(AEP).await);
    assert_ne!(one.wiring().aws_endpoint, two.wiring().aws_endpoint);
    assert_ne!(one.wiring().resolver, two.wiring().resolver);
}

#[tokio::test]
async fn it_stops_when_told_and_when_nobody_calls() {
    let told = sandbox(AEP).await;
    json("POST", &format!("{}/stop", told.wiring().control), "").await;
    told.ended().await;
    let idle = Duration::from_millis(50);
    let forgotten = sandbox_with(AEP, Options { idle, ..Options::default() }).await;
    forgotten.ended().await;
}

#[tokio::test]
async fn strangers_are_refused_in_the_words_of_each_service() {
    let sandbox = sandbox(AEP).await;
    let wiring = sandbox.wiring();
    let (status, body) =
        call(wiring, "AKIAREAL", "ecs", &[("x-amz-target", "X.ListClusters")], "{}").await.unwrap();
    assert_eq!((status, body.contains("UnrecognizedClientException")), (400, true));
    let (status, body) = call(wiring, "AKIAREAL", "sts", &[], "Action=GetCallerIdentity").await.unwrap();
    assert_eq!((status, body.contains("<Code>InvalidClientTokenId</Code>")), (403, true));
    let (status, body) = call(wiring, &wiring.access_key, "s3", &[], "").await.unwrap();
    assert_eq!((status, body.contains("does not speak `s3`")), (501, true));
    let (status, _) = http("POST", &wiring.aws_endpoint, &[], "").await.unwrap();
    assert_eq!(status, 403);
}

#[tokio::test]
async fn a_scripted_fault_meets_its_call_only() {
    let sandbox = sandbox(AEP).await;
    let wiring = sandbox.wiring();
    let faults = format!("{}/faults", wiring.control);
    let put = |rule: serde_json::Value| {
        let faults = faults.clone();
        async move { json("POST", &faults, &rule.to_string()).await }
    };
    put(j!({"service": "ecs", "operation": "ListClusters", "kind": "throttle"})).await;
    let (status, body) = ecs(wiring, "ListClusters", "{}").await.unwrap();
    assert_eq!((status, body.contains("ThrottlingException")), (400, true));
    assert_eq!(ecs(wiring, "ListClusters", "{}").await.unwrap().0, 200);

    put(j!({"service": "ecs", "operation": "ListClusters", "kind": "drop_before", "nth": 2})).await;
    assert!(ecs(wiring, "ListClusters", "{}").await.is_some());
    assert!(ecs(wiring, "ListClusters", "{}").await.is_none());

    let bad = http("POST", &faults, &[], r#"{"kind": "explode"}"#).await.unwrap();
    assert_eq!((bad.0, bad.1.contains("explode")), (400, true));
}

const RUN: &str =
    r#"{"cluster": "aep-prod", "taskDefinition": "aep-migrate", "clientToken": "t", "startedBy": "me"}"#;

async fn jobs(wiring: &Wiring) -> usize {
    let state = json("GET", &format!("{}/state", wiring.control), "").await;
    state["one_off_tasks"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_lost_answer_is_one_whose_call_was_done() {
    for (kind, done) in [("drop_before", 0), ("drop_after", 1)] {
        let sandbox = sandbox(AEP).await;
        let wiring = sandbox.wiring();
        let rule = j!({"operation": "RunTask", "kind": kind}).to_string();
        json("POST", &format!("{}/faults", wiring.control), &rule).await;
        assert!(ecs(wiring, "RunTask", RUN).await.is_none());
        assert_eq!(jobs(wiring).await, done, "{kind}");
        // The same token again: one task in the end.
        assert!(ecs(wiring, "RunTask", RUN).await.is_some());
        assert_eq!(jobs(wiring).await, 1);
    }
}

#[tokio::test]
async fn a_held_call_waits_until_it_is_released() {
    for (kind, done) in [("hold_before", 0), ("hold_after", 1)] {
        let sandbox = sandbox(AEP).await;
        let wiring = sandbox.wiring().clone();
        let faults = format!("{}/faults", wiring.control);
        let rule = j!({"operation": "RunTask", "kind": kind}).to_string();
        json("POST", &faults, &rule).await;
        let own = wiring.clone();
        let held = tokio::spawn(async move { ecs(&own, "RunTask", RUN).await });
        until(|| async { (json("GET", &faults, "").await["faults"][0]["holding"] == 1).then_some(()) }).await;
        assert_eq!(jobs(&wiring).await, done, "{kind}");
        assert!(!held.is_finished());
        json("DELETE", &faults, "").await;
        assert_eq!(held.await.unwrap().unwrap().0, 200);
        assert_eq!(jobs(&wiring).await, 1);
    }
}

#[tokio::test]
async fn a_held_call_whose_caller_died_is_never_done() {
    let sandbox = sandbox(AEP).await;
    let wiring = sandbox.wiring().clone();
    let faults = format!("{}/faults", wiring.control);
    json("POST", &faults, r#"{"operation": "RunTask", "kind": "hold_before"}"#).await;
    let own = wiring.clone();
    let held = tokio::spawn(async move { ecs(&own, "RunTask", RUN).await });
    let holding = |count: u32| {
        let faults = faults.clone();
        async move { (json("GET", &faults, "").await["faults"][0]["holding"] == count).then_some(()) }
    };
    until(|| holding(1)).await;
    held.abort();
    until(|| holding(0)).await;
    json("DELETE", &faults, "").await;
    assert_eq!(jobs(&wiring).await, 0);
}

#[tokio::test]
async fn somebody_else_changes_something_at_once_or_before_a_call() {
    let sandbox = sandbox(AEP).await;
    let wiring = sandbox.wiring();
    let foreign =
        j!({"set_record": {"name": "app.navralabs.com", "type": "A", "ttl": 60, "values": ["192.0.2.6"]}});
    let faults = format!("{}/faults", wiring.control);
    let zone = || async {
        let state = json("GET", &format!("{}/state", wiring.control), "").await;
        state["zones"]["navralabs.com"].to_string()
    };
    let rule = j!({"operation": "ListClusters", "kind": "change", "change": foreign});
    json("POST", &faults, &rule.to_string()).await;
    assert!(!zone().await.contains("192.0.2.6"));
    ecs(wiring, "ListClusters", "{}").await;
    assert!(zone().await.contains("192.0.2.6"));
    let at_once = j!({"kind": "change", "change": {"delete_record": "app.navralabs.com"}});
    json("POST", &faults, &at_once.to_string()).await;
    assert!(!zone().await.contains("192.0.2.6"));
}
