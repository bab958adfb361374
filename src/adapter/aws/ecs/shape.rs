//! What ECS says, in our words.

use super::{capacity, service_deployment};
use crate::port::{Container, Deployment, Rollout, RunTask, Service, Task, TaskContainer, TaskDefinition};
use aws_sdk_ecs::types::{self, DeploymentRolloutState};
use serde_json::{Map, Value as Json, json};

/// How many of a service's events are kept, the newest first.
const EVENTS: usize = 10;
/// What a description says beyond what a registration takes.
const DESCRIBED: [&str; 10] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
    "daemonTaskDefinitionArn",
];
/// What a one-off task takes over from the service that it runs beside.
const BESIDE: [&str; 4] =
    ["networkConfiguration", "launchType", "capacityProviderStrategy", "platformVersion"];

pub(super) fn service(found: types::Service, raw: &Json) -> Service {
    let mut deployments: Vec<Deployment> =
        found.deployments.unwrap_or_default().into_iter().map(deployment).collect();
    deployments.sort_by_key(|deployment| !deployment.primary);
    let beside: Map<String, Json> = BESIDE
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), raw.get(key)?.clone())))
        .filter(|(_, value)| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()))
        .collect();
    let groups = found.load_balancers.unwrap_or_default();
    let alternate = |balancer: &types::LoadBalancer| {
        let other = balancer.advanced_configuration.as_ref()?.alternate_target_group_arn.clone()?;
        Some((balancer.target_group_arn.clone()?, other))
    };
    let events = found.events.unwrap_or_default();
    Service {
        name: found.service_name.unwrap_or_default(),
        status: found.status.unwrap_or_default(),
        desired: count(found.desired_count),
        running: count(found.running_count),
        definition: found.task_definition.unwrap_or_default(),
        deployments,
        alternates: groups.iter().filter_map(alternate).collect(),
        strategy: service_deployment::strategy(
            found.deployment_configuration,
            found.deployment_controller.as_ref(),
        ),
        placement: capacity::placement(found.launch_type.as_ref(), found.capacity_provider_strategy),
        target_groups: groups.into_iter().filter_map(|balancer| balancer.target_group_arn).collect(),
        events: events.into_iter().filter_map(|event| event.message).take(EVENTS).collect(),
        network: (!beside.is_empty()).then_some(Json::Object(beside)),
    }
}

fn deployment(found: types::Deployment) -> Deployment {
    let (desired, running) = (count(found.desired_count), count(found.running_count));
    let rollout = match found.rollout_state {
        Some(DeploymentRolloutState::Completed) => Rollout::Completed,
        Some(DeploymentRolloutState::Failed) => Rollout::Failed,
        // Behind a Classic Load Balancer nothing is said: then it is done when all of its tasks run.
        None if desired == running && found.pending_count == 0 => Rollout::Completed,
        _ => Rollout::InProgress,
    };
    Deployment {
        id: found.id.unwrap_or_default(),
        primary: found.status.as_deref() == Some("PRIMARY"),
        definition: found.task_definition.unwrap_or_default(),
        rollout,
        reason: found.rollout_state_reason.filter(|reason| !reason.is_empty()),
        desired,
        running,
        failed: count(found.failed_tasks),
    }
}

/// A definition from the JSON of `DescribeTaskDefinition`.
pub(super) fn definition(mut raw: Json) -> Option<TaskDefinition> {
    let tags = raw["tags"].take();
    let mut content = raw["taskDefinition"].take();
    let text = |key: &str| content[key].as_str().unwrap_or_default().to_owned();
    let (arn, family, status) = (text("taskDefinitionArn"), text("family"), text("status"));
    let containers = content["containerDefinitions"].as_array()?.iter().map(|container| Container {
        name: container["name"].as_str().unwrap_or_default().to_owned(),
        image: container["image"].as_str().unwrap_or_default().to_owned(),
    });
    let containers = containers.collect();
    let fields = content.as_object_mut()?;
    for key in DESCRIBED {
        fields.shift_remove(key);
    }
    if tags.as_array().is_some_and(|tags| !tags.is_empty()) {
        fields.insert("tags".into(), tags);
    }
    // In one order, so that equal definitions are equal text too.
    fields.sort_keys();
    Some(TaskDefinition { arn, family, active: status == "ACTIVE", containers, content })
}

pub(super) fn task(found: types::Task) -> Task {
    let container = |found: types::Container| TaskContainer {
        name: found.name.unwrap_or_default(),
        exit_code: found.exit_code,
        reason: found.reason,
        image_digest: found.image_digest,
    };
    Task {
        arn: found.task_arn.unwrap_or_default(),
        definition: found.task_definition_arn.unwrap_or_default(),
        status: found.last_status.unwrap_or_default(),
        stop_code: found.stop_code.map(|code| code.as_str().to_owned()),
        stopped_reason: found.stopped_reason,
        started_by: found.started_by,
        containers: found.containers.unwrap_or_default().into_iter().map(container).collect(),
    }
}

/// What `RunTask` is sent.
pub(super) fn run(task: &RunTask, container: Option<&str>) -> Json {
    let mut body = json!({
        "cluster": task.cluster,
        "taskDefinition": task.definition,
        "count": 1,
        "clientToken": task.token,
        "startedBy": task.token,
    });
    if let (Some(container), Some(command)) = (container, &task.command) {
        body["overrides"] = json!({"containerOverrides": [{"name": container, "command": command}]});
    }
    match &task.network {
        Some(Json::Object(fields)) if BESIDE.iter().any(|key| fields.contains_key(*key)) => {
            for (key, value) in fields {
                body[key] = value.clone();
            }
        }
        // The network alone, as a plan may state it.
        Some(network) => body["networkConfiguration"] = network.clone(),
        None => {}
    }
    body
}

/// The reason and the words of the first failure in an answer.
pub(super) fn failures(found: &[types::Failure]) -> Option<(String, String)> {
    let first = found.first()?;
    let text = [first.arn.as_deref(), first.detail.as_deref()];
    let text = text.into_iter().flatten().collect::<Vec<_>>().join(": ");
    Some((first.reason.clone().unwrap_or_default(), text))
}

pub(super) fn count(number: i32) -> u32 {
    number.try_into().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_rollout_state_a_deployment_is_complete_once_all_of_its_tasks_run() {
        let told = |state: Option<DeploymentRolloutState>, running: i32, pending: i32| {
            let told =
                types::Deployment::builder().desired_count(2).running_count(running).pending_count(pending);
            deployment(told.set_rollout_state(state).build()).rollout
        };
        assert_eq!(told(None, 0, 2), Rollout::InProgress);
        assert_eq!(told(None, 2, 1), Rollout::InProgress);
        assert_eq!(told(None, 2, 0), Rollout::Completed);
        assert_eq!(told(Some(DeploymentRolloutState::InProgress), 2, 0), Rollout::InProgress);
        assert_eq!(told(Some(DeploymentRolloutState::Failed), 2, 0), Rollout::Failed);
        assert_eq!(
            told(Some("NEW".into()), 2, 0),
            Rollout::InProgress,
            "a word that nobody knows is no success"
        );
    }
}
