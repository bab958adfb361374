//! Service deployments as JSON, and how a service takes over a definition.

use super::{cluster, missing, seconds, short, text, texts};
use crate::plan::Timestamp;
use crate::port::{GivesUp, Hook, StrategyKind};
use crate::sim::{REQUESTED, Refusal, Service, ServiceDeployment, Stage, World};
use serde_json::{Value as Json, json};

pub(super) fn list(world: &World, input: &Json) -> Result<Json, Refusal> {
    let cluster = cluster(input);
    world.cluster_exists(cluster)?;
    let name = text(input, "service").map(short).unwrap_or_default();
    let missing = || Refusal::new("ServiceNotFoundException", "Service not found.");
    let service = world.service(cluster, name).ok_or_else(missing)?;
    let states = texts(input, "status");
    let after = input["createdAt"]["after"].as_f64();
    let own = service.rollouts.iter().filter(|one| {
        let wanted = states.is_empty() || states.iter().any(|state| state == one.status.word());
        wanted && after.is_none_or(|after| seconds(one.created).as_f64() > Some(after))
    });
    Ok(json!({"serviceDeployments": own.map(|one| brief(service, one)).collect::<Vec<_>>()}))
}

fn brief(service: &Service, one: &ServiceDeployment) -> Json {
    json!({
        "serviceDeploymentArn": one.arn, "serviceArn": service.arn, "createdAt": seconds(one.created),
        "startedAt": seconds(one.created), "targetServiceRevisionArn": one.revision,
        "status": one.status.word(), "statusReason": one.reason,
    })
}

pub(super) fn describe(world: &World, input: &Json) -> Json {
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in texts(input, "serviceDeploymentArns") {
        let owner = world.services.iter().find(|service| service.rollouts.iter().any(|one| one.arn == arn));
        match owner.zip(world.service_deployment(&arn)) {
            Some((service, one)) => found.push(whole(world, service, one)),
            None => failures.push(missing(arn)),
        }
    }
    json!({"serviceDeployments": found, "failures": failures})
}

fn whole(world: &World, service: &Service, one: &ServiceDeployment) -> Json {
    let own = world.tasks_of(service).filter(|task| task.definition == one.definition);
    let running = own.filter(|task| task.status() == "RUNNING").count();
    let mut json = brief(service, one);
    json["targetServiceRevision"] = json!({
        "arn": one.revision, "requestedTaskCount": service.desired, "runningTaskCount": running,
        "pendingTaskCount": 0,
    });
    json["deploymentConfiguration"] = configuration(service);
    json["deploymentCircuitBreaker"] = json!({
        "status": if one.is_broken() { "TRIGGERED" } else { "MONITORING" }, "failureCount": 0, "threshold": 3,
    });
    if let Some(stage) = one.stage {
        json["lifecycleStage"] = stage.word().into();
        json["targetServiceRevision"]["requestedProductionTrafficWeight"] = f64::from(one.share).into();
    }
    if let Some(until) = one.until.filter(|_| one.stage == Some(Stage::Paused)) {
        json["lifecycleHookDetails"] = json!([{
            "hookId": "pause", "targetType": "PAUSE", "status": "AWAITING_ACTION",
            "expiresAt": seconds(until), "timeoutAction": "ROLLBACK",
        }]);
    }
    json
}

pub(super) fn revisions(world: &World, input: &Json) -> Json {
    let all =
        world.services.iter().flat_map(|service| service.rollouts.iter().map(move |one| (service, one)));
    let asked = texts(input, "serviceRevisionArns");
    let told = all.filter(|(_, one)| asked.contains(&one.revision)).map(|(service, one)| {
        json!({
            "serviceRevisionArn": one.revision, "serviceArn": service.arn, "taskDefinition": one.definition,
            "createdAt": seconds(one.created),
        })
    });
    json!({"serviceRevisions": told.collect::<Vec<_>>(), "failures": []})
}

pub(super) fn stop(world: &mut World, input: &Json, now: Timestamp) -> Result<Json, Refusal> {
    let arn = text(input, "serviceDeploymentArn").unwrap_or_default();
    if text(input, "stopType").is_some_and(|kind| kind != "ROLLBACK") {
        return Err(Refusal::new("InvalidParameterException", "The valid values of stopType are ROLLBACK."));
    }
    world.turn_back(arn, REQUESTED, now)?;
    Ok(json!({"serviceDeploymentArn": arn}))
}

pub(super) fn configuration(service: &Service) -> Json {
    let told = service.strategy.told(service.breaker);
    let breaker = told.monitors.breaker;
    let mut json = json!({
        "maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": told.kind.word(),
        "bakeTimeInMinutes": told.bake.as_secs() / 60,
        "deploymentCircuitBreaker": {
            "enable": breaker.is_some(), "rollback": breaker == Some(GivesUp::TurnsBack),
        },
    });
    let shift = told.shift.map(|shift| (shift.percent, shift.wait.as_secs() / 60));
    match (told.kind, shift) {
        (StrategyKind::Linear, Some((percent, wait))) => {
            json["linearConfiguration"] = json!({"stepPercent": percent, "stepBakeTimeInMinutes": wait});
        }
        (StrategyKind::Canary, Some((percent, wait))) => {
            json["canaryConfiguration"] = json!({"canaryPercent": percent, "canaryBakeTimeInMinutes": wait});
        }
        _ => {}
    }
    let hook = |hook: &Hook| {
        json!({
            "targetType": "PAUSE", "lifecycleStages": hook.stages,
            "timeoutConfiguration": {"timeoutInMinutes": hook.timeout().as_secs() / 60, "action": "ROLLBACK"},
        })
    };
    json["lifecycleHooks"] = told.hooks.iter().map(hook).collect();
    json
}
