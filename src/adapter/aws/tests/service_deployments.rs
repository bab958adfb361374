//! Service deployments: what is asked for them, what is told, and how one is turned back.

use super::*;
use crate::port::{
    DeploymentFilter, DeploymentStatus, GivesUp, HookSeen, ReadCompute, Shift, StrategyKind, WriteCompute,
};
use serde_json::{Value as Json, json};
use std::time::Duration;

fn say(status: u16, body: &Json) -> Say {
    Say::Answer(status, vec![("content-type", "application/x-amz-json-1.1".into())], body.to_string().into())
}

fn bodies(server: &Server) -> Vec<Json> {
    calls(server).iter().map(|call| serde_json::from_str(&call.body).unwrap()).collect()
}

#[tokio::test]
async fn those_since_a_moment_are_told_with_what_they_bring() {
    let page = |arn: &str, revision: &str, next: Option<&str>| {
        let brief =
            json!({"serviceDeploymentArn": arn, "targetServiceRevisionArn": revision, "status": "PENDING"});
        json!({"serviceDeployments": [brief], "nextToken": next})
    };
    let revisions = json!({"serviceRevisions": [
        {"serviceRevisionArn": "arn:r1", "taskDefinition": "arn:td:1"},
        {"serviceRevisionArn": "arn:r2", "taskDefinition": "arn:td:2"}], "failures": []});
    let described = json!({"failures": [], "serviceDeployments": [
        {"serviceDeploymentArn": "arn:d1", "createdAt": 100.0, "status": "ROLLBACK_SUCCESSFUL",
         "targetServiceRevision": {"arn": "arn:r1", "requestedTaskCount": 2, "runningTaskCount": 0, "pendingTaskCount": 0},
         "rollback": {"reason": "alarms went off"},
         "alarms": {"status": "TRIGGERED", "alarmNames": ["a", "b"], "triggeredAlarmNames": ["b"]},
         "deploymentCircuitBreaker": {"status": "MONITORING", "failureCount": 0, "threshold": 3}},
        {"serviceDeploymentArn": "arn:d2", "createdAt": 200.5, "status": "IN_PROGRESS",
         "lifecycleStage": "PRE_PRODUCTION_TRAFFIC_SHIFT",
         "targetServiceRevision": {"arn": "arn:r2", "requestedTaskCount": 2, "runningTaskCount": 1, "pendingTaskCount": 1,
            "requestedProductionTrafficWeight": 12.5},
         "lifecycleHookDetails": [
            {"hookId": "h1", "targetType": "AWS_LAMBDA", "status": "SUCCEEDED"},
            {"hookId": "h2", "targetType": "PAUSE", "status": "AWAITING_ACTION", "expiresAt": 3600.0,
             "timeoutAction": "CONTINUE"}],
         "alarms": {"status": "MONITORING", "alarmNames": ["a"], "triggeredAlarmNames": ["a"]},
         "deploymentCircuitBreaker": {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}}]});
    let script = [page("arn:d1", "arn:r1", Some("n")), page("arn:d2", "arn:r2", None), revisions, described];
    let server = aws(script.iter().map(|answer| say(200, answer)).collect()).await;
    let since = DeploymentFilter::Since(Timestamp(90_000));
    let found = account(&wired(&server)).service_deployments("c", "s", &since).await.unwrap();
    let [newest, older] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&*newest.arn, newest.status), ("arn:d2", DeploymentStatus::InProgress));
    assert_eq!((newest.created, newest.definition.as_deref()), (Timestamp(200_500), Some("arn:td:2")));
    assert_eq!(newest.stage.as_deref(), Some("PRE_PRODUCTION_TRAFFIC_SHIFT"));
    assert_eq!((newest.share, newest.breaker, newest.alarms.len()), (Some(12.5), true, 0));
    let expires = Some(Timestamp(3_600_000));
    let waits = HookSeen { person: true, status: "AWAITING_ACTION".into(), expires, back: false };
    assert_eq!(newest.hooks, [waits]);
    assert_eq!((older.status, older.breaker), (DeploymentStatus::RollbackSuccessful, false));
    assert_eq!((older.reason.as_deref(), &*older.alarms), (Some("alarms went off"), &["b".to_owned()][..]));
    let asked = bodies(&server);
    assert_eq!(asked[0], json!({"cluster": "c", "service": "s", "createdAt": {"after": 90}}));
    assert_eq!(asked[1]["nextToken"], "n");
    assert_eq!(asked[2], json!({"serviceRevisionArns": ["arn:r1", "arn:r2"]}));
    assert_eq!(asked[3], json!({"serviceDeploymentArns": ["arn:d1", "arn:d2"]}));
}

#[tokio::test]
async fn those_under_way_are_asked_for_by_their_states() {
    let server = aws(vec![say(200, &json!({"serviceDeployments": []}))]).await;
    let under_way = DeploymentFilter::UnderWay;
    assert_eq!(account(&wired(&server)).service_deployments("c", "s", &under_way).await.unwrap(), []);
    let states = ["PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"];
    assert_eq!(bodies(&server), [json!({"cluster": "c", "service": "s", "status": states})]);
}

#[tokio::test]
async fn one_by_its_arn_is_one_call() {
    let described = json!({"failures": [], "serviceDeployments": [
        {"serviceDeploymentArn": "arn:d1", "status": "A_WORD_YET_TO_COME", "targetServiceRevision": {"arn": "arn:r1",
         "requestedTaskCount": 2, "runningTaskCount": 0, "pendingTaskCount": 0}}]});
    let server = aws(vec![say(200, &described)]).await;
    let named = DeploymentFilter::Named("arn:d1".into());
    let found = account(&wired(&server)).service_deployments("c", "s", &named).await.unwrap().remove(0);
    assert_eq!((found.definition, found.status), (None, DeploymentStatus::InProgress));
    assert_eq!(calls(&server).len(), 1);
}

#[tokio::test]
async fn who_may_not_list_is_told_so() {
    let denied = json!({"__type": "AccessDeniedException", "message": "not authorized"});
    let server = aws(vec![say(400, &denied)]).await;
    let under_way = DeploymentFilter::UnderWay;
    let fault = account(&wired(&server)).service_deployments("c", "s", &under_way).await.unwrap_err();
    is(&fault, FaultKind::Blind, Landed::No, &["ecs ListServiceDeployments of s in c", "may not look"]);
}

#[tokio::test]
async fn turning_back_is_asked_for_in_so_many_words() {
    let server = aws(vec![say(200, &json!({"serviceDeploymentArn": "arn:d1"})), Say::Drop]).await;
    let account = account(&wired(&server));
    account.until(soon()).turn_back("arn:d1").await.unwrap();
    assert_eq!(bodies(&server), [json!({"serviceDeploymentArn": "arn:d1", "stopType": "ROLLBACK"})]);
    let fault = account.until(soon()).turn_back("arn:d1").await.unwrap_err();
    is(&fault, FaultKind::Transient, Landed::Maybe, &["ecs StopServiceDeployment of arn:d1"]);
    assert_eq!(calls(&server).len(), 2);
}

#[tokio::test]
async fn a_service_tells_how_it_takes_over() {
    let service = |more: Json| {
        let mut service = json!({"serviceName": "s", "status": "ACTIVE", "deployments": [],
            "loadBalancers": [{"targetGroupArn": "arn:blue",
                "advancedConfiguration": {"alternateTargetGroupArn": "arn:green"}}]});
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        say(200, &json!({"services": [service], "failures": []}))
    };
    let canary = json!({"deploymentController": {"type": "ECS"}, "deploymentConfiguration": {
        "strategy": "CANARY", "bakeTimeInMinutes": 15,
        "canaryConfiguration": {"canaryPercent": 2.5, "canaryBakeTimeInMinutes": 20},
        "deploymentCircuitBreaker": {"enable": false, "rollback": true},
        "alarms": {"enable": true, "rollback": true, "alarmNames": ["web-5xx"]},
        "lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]},
            {"hookTargetArn": "arn:lambda", "roleArn": "arn:role", "lifecycleStages": ["POST_SCALE_UP"],
             "timeoutConfiguration": {"timeoutInMinutes": 5, "action": "CONTINUE"}}]}});
    let linear = json!({"deploymentConfiguration": {"strategy": "LINEAR"}});
    let early = json!({"deploymentConfiguration": {"strategy": "ROLLING",
        "deploymentCircuitBreaker": {"enable": true, "rollback": false},
        "earlySuccessCriteria": {"enable": true, "healthyPercent": 50}}});
    let codedeploy = json!({"deploymentController": {"type": "CODE_DEPLOY"},
        "deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 15}});
    let server = aws([canary, linear, early, codedeploy].map(service).into()).await;
    let account = account(&wired(&server));
    let minutes = |count: u64| Duration::from_secs(count * 60);

    let found = account.service("c", "s").await.unwrap().unwrap();
    assert_eq!(found.alternates, [("arn:blue".to_owned(), "arn:green".to_owned())]);
    let strategy = found.strategy;
    assert_eq!((strategy.kind, strategy.bake), (StrategyKind::Canary, minutes(15)));
    assert_eq!(strategy.shift, Some(Shift { percent: 2.5, wait: minutes(20) }));
    let monitors = &strategy.monitors;
    assert_eq!((monitors.breaker, monitors.alarmed), (None, GivesUp::TurnsBack));
    assert_eq!(monitors.alarms, ["web-5xx"]);
    let [pause, function] = &strategy.hooks[..] else { panic!("{strategy:?}") };
    assert_eq!((pause.person, pause.back, pause.timeout()), (true, true, minutes(1440)));
    assert_eq!((function.person, function.back, function.timeout()), (false, false, minutes(5)));

    let strategy = account.service("c", "s").await.unwrap().unwrap().strategy;
    assert_eq!(strategy.shift, Some(Shift { percent: 10.0, wait: minutes(6) }), "as ECS has it");
    let strategy = account.service("c", "s").await.unwrap().unwrap().strategy;
    assert_eq!((strategy.early, strategy.monitors.breaker), (Some(50), Some(GivesUp::Stops)));
    assert!(!strategy.has_stages() && !strategy.is_plain());
    let strategy = account.service("c", "s").await.unwrap().unwrap().strategy;
    assert!(strategy.is_plain(), "another controller deploys: {strategy:?}");
}
