//! ECS: what is read whole, and what is never done twice.

use super::*;
use crate::port::{
    CapacityProvider, Placement, ReadCompute, Rollout, RunTask, TaskFilter, UpdateService, WriteCompute,
};
use serde_json::{Value as Json, json};

fn say(status: u16, body: &Json) -> Say {
    Say::Answer(status, vec![("content-type", "application/x-amz-json-1.1".into())], body.to_string().into())
}

fn update() -> UpdateService {
    UpdateService { cluster: "c".into(), service: "s".into(), definition: "arn:2".into(), desired: None }
}

fn run() -> RunTask {
    RunTask {
        cluster: "c".into(),
        definition: "migrate".into(),
        container: Some("app".into()),
        command: Some(vec!["alembic".into(), "upgrade".into()]),
        network: Some(
            json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s-1"]}}, "launchType": "FARGATE"}),
        ),
        token: "t-1".into(),
    }
}

#[tokio::test]
async fn a_service_is_told_with_its_deployments() {
    let answer = json!({"services": [{"serviceName": "s", "status": "ACTIVE", "desiredCount": 2, "runningCount": 1,
        "taskDefinition": "arn:2", "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s-1"], "somethingNew": true}},
        "loadBalancers": [{"targetGroupArn": "arn:tg"}], "events": [{"message": "newest"}],
        "deployments": [
            {"id": "d-1", "status": "ACTIVE", "taskDefinition": "arn:1", "rolloutState": "COMPLETED"},
            {"id": "d-2", "status": "PRIMARY", "taskDefinition": "arn:2", "rolloutState": "FAILED",
             "rolloutStateReason": "circuit breaker", "failedTasks": 3}]}], "failures": []});
    let none = json!({"services": [], "failures": [{"arn": "arn:none", "reason": "MISSING"}]});
    let server = aws(vec![say(200, &answer), say(200, &none)]).await;
    let account = account(&wired(&server));
    let found = account.service("c", "s").await.unwrap().unwrap();
    assert_eq!((found.desired, found.running, &*found.target_groups[0]), (2, 1, "arn:tg"));
    let primary = &found.deployments[0];
    assert_eq!((&*primary.id, primary.rollout, primary.failed), ("d-2", Rollout::Failed, 3));
    assert_eq!(primary.reason.as_deref(), Some("circuit breaker"));
    let network = found.network.unwrap();
    assert_eq!(network["networkConfiguration"]["awsvpcConfiguration"]["somethingNew"], true);
    assert_eq!(account.service("c", "none").await.unwrap(), None);
}

#[tokio::test]
async fn a_service_is_placed_by_the_providers_that_get_tasks() {
    let strategy = |weight: u32| {
        json!([{"capacityProvider": "FARGATE", "weight": 1, "base": 0},
            {"capacityProvider": "ours", "weight": weight, "base": 0}])
    };
    let own = Placement::Providers(vec!["ours".into()]);
    for (placed, expected) in [
        (json!({"launchType": "EC2"}), Placement::Instances),
        (json!({"launchType": "EXTERNAL"}), Placement::Instances),
        (json!({"launchType": "FARGATE"}), Placement::Provided),
        (json!({"capacityProviderStrategy": strategy(1)}), own),
        (json!({"capacityProviderStrategy": strategy(0)}), Placement::Provided),
    ] {
        let mut service = placed;
        service["serviceName"] = "s".into();
        let server = aws(vec![say(200, &json!({"services": [service], "failures": []}))]).await;
        let found = account(&wired(&server)).service("c", "s").await.unwrap().unwrap();
        assert_eq!(found.placement, expected);
    }
}

#[tokio::test]
async fn only_a_provider_that_is_called_missing_is_gone() {
    let missing = "arn:aws:ecs:eu-west-1:123456789012:capacity-provider/gone";
    let answer = json!({"capacityProviders": [{"name": "ours", "status": "DEPROVISIONING"}],
        "failures": [{"arn": missing, "reason": "MISSING"}]});
    let server = aws(vec![say(200, &answer)]).await;
    let names = ["ours", "gone", "silent"].map(str::to_owned);
    let told = account(&wired(&server)).capacity_providers("c", &names).await.unwrap();
    let provider = |name: &str, status: Option<&str>| CapacityProvider {
        name: name.into(),
        status: status.map(str::to_owned),
    };
    assert_eq!(told, [provider("ours", Some("DEPROVISIONING")), provider("gone", None)]);
    let body: Json = serde_json::from_str(&calls(&server)[0].body).unwrap();
    assert_eq!(body, json!({"cluster": "c", "capacityProviders": names}));
}

#[tokio::test]
async fn instances_are_counted_by_their_cluster() {
    let answer =
        json!({"clusters": [{"clusterName": "c", "registeredContainerInstancesCount": 2}], "failures": []});
    let none = json!({"clusters": [], "failures": [{"arn": "arn:none", "reason": "MISSING"}]});
    let server = aws(vec![say(200, &answer), say(200, &none)]).await;
    let account = account(&wired(&server));
    assert_eq!(account.instances("c").await.unwrap(), 2);
    let fault = account.instances("none").await.unwrap_err();
    is(&fault, FaultKind::Permanent, Landed::No, &["ecs DescribeClusters of none", "MISSING: arn:none"]);
}

#[tokio::test]
async fn a_definition_registers_again_as_it_was() {
    let described = json!({"taskDefinition": {"taskDefinitionArn": "arn:7", "family": "app", "revision": 7,
        "status": "ACTIVE", "requiresAttributes": [{"name": "x"}], "compatibilities": ["FARGATE"],
        "registeredAt": 1.5, "registeredBy": "arn:me", "cpu": "256", "somethingNew": {"a": [1, null]},
        "containerDefinitions": [{"name": "web", "image": "web@sha256:0", "essential": true, "somethingElse": 1}]},
        "tags": [{"key": "team", "value": "aep"}]});
    let registered = json!({"taskDefinition": {"taskDefinitionArn": "arn:8"}});
    let server = aws(vec![say(200, &described), say(200, &registered)]).await;
    let account = account(&wired(&server));
    let found = account.definition("app").await.unwrap().unwrap();
    assert_eq!((&*found.arn, found.active, &*found.containers[0].image), ("arn:7", true, "web@sha256:0"));
    let expected = json!({"containerDefinitions": [{"name": "web", "image": "web@sha256:0", "essential": true, "somethingElse": 1}],
        "cpu": "256", "family": "app", "somethingNew": {"a": [1, null]}, "tags": [{"key": "team", "value": "aep"}]});
    assert_eq!(found.content, expected);
    assert_eq!(account.until(soon()).register(&found.content).await.unwrap(), "arn:8");
    let call = calls(&server).pop().unwrap();
    assert!(call.head.contains("x-amz-target: amazonec2containerservicev20141113.registertaskdefinition"));
    assert_eq!(serde_json::from_str::<Json>(&call.body).unwrap(), expected);
}

#[tokio::test]
async fn a_definition_that_is_not_there_is_none() {
    let text = json!({"__type": "ClientException", "message": "Unable to describe task definition."});
    let server = aws(vec![say(400, &text)]).await;
    assert_eq!(account(&wired(&server)).definition("none").await.unwrap(), None);
}

#[tokio::test]
async fn an_update_names_its_deployment() {
    let answer = json!({"service": {"deployments": [{"id": "d-1", "status": "ACTIVE"}, {"id": "d-2", "status": "PRIMARY"}]}});
    let server = aws(vec![say(200, &answer)]).await;
    let id = account(&wired(&server)).until(soon()).update(&update()).await.unwrap();
    assert_eq!(id, "d-2");
    let body: Json = serde_json::from_str(&calls(&server)[0].body).unwrap();
    assert_eq!(
        body,
        json!({"cluster": "c", "service": "s", "taskDefinition": "arn:2"}),
        "the count is not ours"
    );
}

#[tokio::test]
async fn writes_whose_answer_is_lost_are_sent_once() {
    for say in [Say::Drop, Say::text(500, ""), Say::text(400, "<html>a proxy</html>"), say(200, &json!({}))] {
        let server = aws(vec![say]).await;
        let fault = account(&wired(&server)).until(soon()).update(&update()).await.unwrap_err();
        is(&fault, FaultKind::Transient, Landed::Maybe, &["ecs UpdateService of s in c"]);
        assert_eq!(calls(&server).len(), 1);
    }
}

#[tokio::test]
async fn refused_writes_did_not_land() {
    use FaultKind::{Blind, Permanent};
    for (code, kind) in [
        ("ServiceNotFoundException", Permanent),
        ("AccessDeniedException", Permanent),
        ("ExpiredTokenException", Blind),
        ("UnrecognizedClientException", Blind),
    ] {
        let server = aws(vec![say(400, &json!({"__type": code, "message": "no"}))]).await;
        let fault = account(&wired(&server)).until(soon()).update(&update()).await.unwrap_err();
        is(&fault, kind, Landed::No, &[code]);
        assert_eq!(calls(&server).len(), 1);
    }
}

#[tokio::test]
async fn a_task_is_run_with_its_token_beside_its_service() {
    let answer = json!({"tasks": [{"taskArn": "arn:task"}], "failures": []});
    let throttled = json!({"__type": "ThrottlingException", "message": "Rate exceeded"});
    let server = aws(vec![say(400, &throttled), say(200, &answer)]).await;
    assert_eq!(account(&wired(&server)).until(soon()).run_task(&run()).await.unwrap(), "arn:task");
    let body: Json = serde_json::from_str(&calls(&server)[1].body).unwrap();
    let expected = json!({"cluster": "c", "taskDefinition": "migrate", "count": 1, "clientToken": "t-1",
        "startedBy": "t-1", "launchType": "FARGATE",
        "overrides": {"containerOverrides": [{"name": "app", "command": ["alembic", "upgrade"]}]},
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s-1"]}}});
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_refusal_may_come_as_a_success() {
    for (reason, kind) in [("RESOURCE:MEMORY", FaultKind::Transient), ("MISSING", FaultKind::Permanent)] {
        let answer = json!({"tasks": [], "failures": [{"arn": "arn:i", "reason": reason, "detail": "why"}]});
        let server = aws(vec![say(200, &answer)]).await;
        let fault = account(&wired(&server)).until(soon()).run_task(&run()).await.unwrap_err();
        is(&fault, kind, Landed::No, &[reason, "arn:i: why"]);
    }
}

#[tokio::test]
async fn tasks_of_a_token_are_found_running_and_stopped() {
    let lists = [
        json!({"taskArns": ["arn:1"], "nextToken": "n"}),
        json!({"taskArns": ["arn:2"]}),
        json!({"taskArns": ["arn:2", "arn:3"]}),
    ];
    let described = json!({"tasks": [
        {"taskArn": "arn:1", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "startedBy": "t-1",
         "containers": [{"name": "app", "exitCode": 0, "imageDigest": "sha256:1"}, {"name": "sidecar"}]},
        {"taskArn": "arn:2", "lastStatus": "RUNNING", "startedBy": "t-1"},
        {"taskArn": "arn:3", "lastStatus": "STOPPED", "startedBy": "somebody"}]});
    let script = lists.iter().chain([&described]).map(|answer| say(200, answer)).collect();
    let server = aws(script).await;
    let found = account(&wired(&server)).tasks("c", &TaskFilter::StartedBy("t-1".into())).await.unwrap();
    assert_eq!(found[0].containers[0].exit_code, Some(0));
    assert_eq!(found[0].containers[1].exit_code, None);
    assert_eq!(found[0].stop_code.as_deref(), Some("EssentialContainerExited"));
    let bodies: Vec<Json> =
        calls(&server).iter().map(|call| serde_json::from_str(&call.body).unwrap()).collect();
    // ECS takes `startedBy` alone or not at all.
    let filters: Vec<_> =
        bodies[..3].iter().map(|body| (&body["startedBy"], &body["desiredStatus"])).collect();
    let (mine, stopped) = (json!("t-1"), json!("STOPPED"));
    assert_eq!(filters, [(&mine, &Json::Null), (&mine, &Json::Null), (&Json::Null, &stopped)]);
    let arns: Vec<&str> = found.iter().map(|task| &*task.arn).collect();
    assert_eq!(arns, ["arn:1", "arn:2"], "what others started is left out");
    assert_eq!(bodies[3]["tasks"], json!(["arn:1", "arn:2", "arn:3"]));
}

#[tokio::test]
async fn a_task_whose_arn_is_known_is_described_alone() {
    let gone = json!({"tasks": [], "failures": [{"arn": "arn:1", "reason": "MISSING"}]});
    let there = json!({"tasks": [{"taskArn": "arn:1", "lastStatus": "RUNNING"}], "failures": []});
    let server = aws(vec![say(200, &gone), say(200, &there)]).await;
    let account = account(&wired(&server));
    let named = TaskFilter::Named("arn:1".into());
    assert_eq!(account.tasks("c", &named).await.unwrap(), []);
    assert_eq!(account.tasks("c", &named).await.unwrap()[0].arn, "arn:1");
    let bodies: Vec<Json> =
        calls(&server).iter().map(|call| serde_json::from_str(&call.body).unwrap()).collect();
    assert!(bodies.iter().all(|body| body["tasks"] == json!(["arn:1"])), "nothing is listed: {bodies:?}");
}
