//! Service deployments: which there are, how far each is, and turning one back.
//!
//! A list names only the revision that a deployment brings; what that runs is described by the revision.

use super::super::account::{Account, Changing};
use super::super::call;
use crate::adapter::budgets::Service;
use crate::plan::Timestamp;
use crate::port::{
    DeploymentFilter, DeploymentStatus, GivesUp, Hook, HookSeen, Monitors, ServiceDeployment, Shift,
    Strategy, StrategyKind,
};
use crate::run::Fault;
use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{
    self, CreatedAt, DeploymentControllerType, DeploymentLifecycleHookAction as HookAction,
    DeploymentLifecycleHookStatus as HookStatus, DeploymentLifecycleHookTargetType as HookTarget,
    ServiceDeploymentRollbackMonitorsStatus as Monitor, ServiceDeploymentStatus,
    StopServiceDeploymentStopType,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many one call describes.
const BATCH: usize = 20;
/// `canaryPercent`, `canaryBakeTimeInMinutes`, `stepPercent` and `stepBakeTimeInMinutes` where nothing is stated.
const CANARY: (f64, i32) = (5.0, 10);
const LINEAR: (f64, i32) = (10.0, 6);

/// Those that a filter means, the newest first.
pub(super) async fn list(
    account: &Account,
    cluster: &str,
    service: &str,
    filter: &DeploymentFilter,
) -> Result<Vec<ServiceDeployment>, Fault> {
    if let DeploymentFilter::Named(arn) = filter {
        return described(account, std::slice::from_ref(arn), &BTreeMap::new()).await;
    }
    let unseen = account.unseen("ecs ListServiceDeployments", &format!("{service} in {cluster}"));
    let client = account.ecs().await.map_err(&unseen)?;
    let (states, since) = match filter {
        DeploymentFilter::Since(since) => (None, Some(created_after(*since))),
        _ => (Some(under_way()), None),
    };
    let (mut found, mut next) = (Vec::new(), None::<String>);
    loop {
        let ask = |watch| {
            client
                .list_service_deployments()
                .cluster(cluster)
                .service(service)
                .set_status(states.clone())
                .set_created_at(since.clone())
                .set_next_token(next.clone())
                .customize()
                .interceptor(watch)
                .send()
        };
        let page = call::read(account, Service::Ecs, ask).await.map_err(&unseen)?;
        let briefs = page.service_deployments.unwrap_or_default();
        found.extend(
            briefs
                .into_iter()
                .filter_map(|brief| Some((brief.service_deployment_arn?, brief.target_service_revision_arn))),
        );
        match page.next_token {
            Some(token) => next = Some(token),
            None => break,
        }
    }
    let revisions: Vec<String> = found.iter().filter_map(|(_, revision)| revision.clone()).collect();
    let definitions = definitions(account, &revisions).await?;
    let arns: Vec<String> = found.into_iter().map(|(arn, _)| arn).collect();
    let mut all = described(account, &arns, &definitions).await?;
    all.sort_by_key(|one| std::cmp::Reverse(one.created));
    Ok(all)
}

/// Turns one back.
pub(super) async fn turn_back(changing: &Changing, arn: &str) -> Result<(), Fault> {
    let account = &*changing.account;
    let unwritten = account.unwritten("ecs StopServiceDeployment", arn);
    let client = account.ecs().await.map_err(&unwritten)?;
    let send = |watch| {
        client
            .stop_service_deployment()
            .service_deployment_arn(arn)
            .stop_type(StopServiceDeploymentStopType::Rollback)
            .customize()
            .interceptor(watch)
            .send()
    };
    call::write(account, Service::Ecs, changing.until, send).await.map(drop).map_err(&unwritten)
}

async fn described(
    account: &Account,
    arns: &[String],
    definitions: &BTreeMap<String, String>,
) -> Result<Vec<ServiceDeployment>, Fault> {
    let mut found = Vec::new();
    for batch in arns.chunks(BATCH) {
        let unseen = account.unseen("ecs DescribeServiceDeployments", &batch.join(", "));
        let client = account.ecs().await.map_err(&unseen)?;
        let ask = |watch| {
            client
                .describe_service_deployments()
                .set_service_deployment_arns(Some(batch.to_vec()))
                .customize()
                .interceptor(watch)
                .send()
        };
        let told = call::read(account, Service::Ecs, ask)
            .await
            .map_err(&unseen)?
            .service_deployments
            .unwrap_or_default();
        found.extend(told.into_iter().map(|one| service_deployment(one, definitions)));
    }
    Ok(found)
}

/// The task definitions of revisions, by their ARNs.
async fn definitions(account: &Account, revisions: &[String]) -> Result<BTreeMap<String, String>, Fault> {
    let mut found = BTreeMap::new();
    for batch in revisions.chunks(BATCH) {
        let unseen = account.unseen("ecs DescribeServiceRevisions", &batch.join(", "));
        let client = account.ecs().await.map_err(&unseen)?;
        let ask = |watch| {
            client
                .describe_service_revisions()
                .set_service_revision_arns(Some(batch.to_vec()))
                .customize()
                .interceptor(watch)
                .send()
        };
        let told = call::read(account, Service::Ecs, ask)
            .await
            .map_err(&unseen)?
            .service_revisions
            .unwrap_or_default();
        found.extend(
            told.into_iter().filter_map(|one| Some((one.service_revision_arn?, one.task_definition?))),
        );
    }
    Ok(found)
}

fn under_way() -> Vec<ServiceDeploymentStatus> {
    let all = DeploymentStatus::ALL.into_iter().filter(|status| status.is_under_way());
    all.map(|status| ServiceDeploymentStatus::from(status.word())).collect()
}

fn created_after(since: Timestamp) -> CreatedAt {
    let since = DateTime::from_millis(i64::try_from(since.0).unwrap_or(i64::MAX));
    CreatedAt::builder().after(since).build()
}

fn service_deployment(
    found: types::ServiceDeployment,
    definitions: &BTreeMap<String, String>,
) -> ServiceDeployment {
    let word = found.status.as_ref().map_or("", |status| status.as_str());
    let target = found.target_service_revision;
    let revision = target.as_ref().and_then(|target| target.arn.as_ref());
    let triggered = |status: Option<&Monitor>| status == Some(&Monitor::Triggered);
    let breaker = found.deployment_circuit_breaker.and_then(|breaker| breaker.status);
    let reason = found.status_reason.or(found.rollback.and_then(|rollback| rollback.reason));
    ServiceDeployment {
        arn: found.service_deployment_arn.unwrap_or_default(),
        // A word that nobody here has heard of: it is waited for what it becomes.
        status: DeploymentStatus::ALL
            .into_iter()
            .find(|status| status.word() == word)
            .unwrap_or(DeploymentStatus::InProgress),
        reason: reason.filter(|reason| !reason.is_empty()),
        created: moment(found.created_at.or(found.started_at)).unwrap_or(Timestamp::PAST),
        definition: revision.and_then(|revision| definitions.get(revision)).cloned(),
        stage: found.lifecycle_stage.map(|stage| stage.as_str().to_owned()),
        share: target.and_then(|target| target.requested_production_traffic_weight),
        hooks: found.lifecycle_hook_details.unwrap_or_default().into_iter().filter_map(hook_seen).collect(),
        breaker: triggered(breaker.as_ref()),
        alarms: found
            .alarms
            .filter(|alarms| triggered(alarms.status.as_ref()))
            .and_then(|alarms| alarms.triggered_alarm_names.or(alarms.alarm_names))
            .unwrap_or_default(),
    }
}

fn hook_seen(found: types::DeploymentLifecycleHookDetail) -> Option<HookSeen> {
    let status = found.status.filter(|status| *status != HookStatus::Succeeded)?;
    Some(HookSeen {
        person: found.target_type == Some(HookTarget::Pause),
        status: status.as_str().to_owned(),
        expires: moment(found.expires_at),
        back: found.timeout_action != Some(HookAction::Continue),
    })
}

fn moment(time: Option<DateTime>) -> Option<Timestamp> {
    Some(Timestamp(time?.to_millis().ok()?.try_into().ok()?))
}

/// How a service takes over a new definition. Other deployment controllers than ECS's own have no such strategies.
pub(super) fn strategy(
    found: Option<types::DeploymentConfiguration>,
    controller: Option<&types::DeploymentController>,
) -> Strategy {
    let own = controller.is_none_or(|controller| controller.r#type == DeploymentControllerType::Ecs);
    let Some(found) = found.filter(|_| own) else { return Strategy::default() };
    let kind = match found.strategy {
        Some(types::DeploymentStrategy::BlueGreen) => StrategyKind::BlueGreen,
        Some(types::DeploymentStrategy::Canary) => StrategyKind::Canary,
        Some(types::DeploymentStrategy::Linear) => StrategyKind::Linear,
        _ => StrategyKind::Rolling,
    };
    let shift = match kind {
        StrategyKind::Rolling | StrategyKind::BlueGreen => None,
        StrategyKind::Canary => {
            let stated = found.canary_configuration;
            let wait = stated.as_ref().and_then(|canary| canary.canary_bake_time_in_minutes);
            Some((stated.and_then(|canary| canary.canary_percent), wait, CANARY))
        }
        StrategyKind::Linear => {
            let stated = found.linear_configuration;
            let wait = stated.as_ref().and_then(|linear| linear.step_bake_time_in_minutes);
            Some((stated.and_then(|linear| linear.step_percent), wait, LINEAR))
        }
    };
    let early = found.early_success_criteria.filter(|early| early.enable);
    Strategy {
        kind,
        bake: minutes(found.bake_time_in_minutes.unwrap_or_default()),
        shift: shift.map(|(percent, wait, usual)| Shift {
            percent: percent.unwrap_or(usual.0),
            wait: minutes(wait.unwrap_or(usual.1)),
        }),
        hooks: found.lifecycle_hooks.unwrap_or_default().into_iter().map(hook).collect(),
        monitors: monitors(found.deployment_circuit_breaker, found.alarms),
        early: early.map(|early| early.healthy_percent.and_then(|n| u32::try_from(n).ok()).unwrap_or(100)),
    }
}

fn monitors(
    breaker: Option<types::DeploymentCircuitBreaker>,
    alarms: Option<types::DeploymentAlarms>,
) -> Monitors {
    let then = |rollback: bool| if rollback { GivesUp::TurnsBack } else { GivesUp::Stops };
    let alarms = alarms.filter(|alarms| alarms.enable);
    Monitors {
        breaker: breaker.filter(|breaker| breaker.enable).map(|breaker| then(breaker.rollback)),
        alarmed: then(alarms.as_ref().is_some_and(|alarms| alarms.rollback)),
        alarms: alarms.map(|alarms| alarms.alarm_names).unwrap_or_default(),
    }
}

fn hook(found: types::DeploymentLifecycleHook) -> Hook {
    let stages = found.lifecycle_stages.unwrap_or_default();
    let timeout = found.timeout_configuration;
    Hook {
        person: found.target_type == Some(HookTarget::Pause),
        stages: stages.into_iter().map(|stage| stage.as_str().to_owned()).collect(),
        timeout: timeout.as_ref().and_then(|timeout| timeout.timeout_in_minutes).map(minutes),
        back: timeout.and_then(|timeout| timeout.action) != Some(HookAction::Continue),
    }
}

fn minutes(count: i32) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0) * 60)
}
