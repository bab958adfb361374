//! ECS as JSON 1.1: clusters, services, task definitions, tasks.

mod capacity;
mod service_deployment;

use super::super::serve::{Answer, answer};
use super::{Call, unknown};
use crate::plan::Timestamp;
use crate::sim::{Definition, Deployment, Phase, Refusal, RunTask, Service, Task, World};
use serde_json::{Value as Json, json};

pub(super) fn perform(world: &mut World, call: &Call, now: Timestamp) -> Result<Answer, Refusal> {
    let input: Json = serde_json::from_slice(&call.body)
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))?;
    let output = match call.operation.as_str() {
        "DescribeClusters" => Ok(describe_clusters(world, &input)),
        "DescribeCapacityProviders" => capacity::describe(world, &input),
        "ListClusters" => Ok(list("clusterArns", world.clusters.iter().map(|c| cluster_arn(world, c)))),
        "DescribeServices" => describe_services(world, &input),
        "ListServices" => list_services(world, &input),
        "UpdateService" => update_service(world, &input, now),
        "RegisterTaskDefinition" => register(world, input, now),
        "DeregisterTaskDefinition" => {
            let found = world.deregister(text(&input, "taskDefinition").unwrap_or_default())?;
            Ok(json!({"taskDefinition": definition(found)}))
        }
        "DescribeTaskDefinition" => describe_definition(world, &input),
        "ListTaskDefinitions" => Ok(list_definitions(world, &input)),
        "ListServiceDeployments" => service_deployment::list(world, &input),
        "DescribeServiceDeployments" => Ok(service_deployment::describe(world, &input)),
        "DescribeServiceRevisions" => Ok(service_deployment::revisions(world, &input)),
        "StopServiceDeployment" => service_deployment::stop(world, &input, now),
        "RunTask" => run_task(world, &input, now),
        "StopTask" => {
            let task = text(&input, "task").unwrap_or_default();
            let reason = text(&input, "reason").unwrap_or("Task stopped by user");
            let id = world.stop_task(cluster(&input), task, reason, now)?;
            Ok(json!({"task": world.tasks.get(&id).map(|t| task_json(world, t))}))
        }
        "ListTasks" => list_tasks(world, &input),
        "DescribeTasks" => describe_tasks(world, &input),
        _ => return Err(unknown(call)),
    }?;
    Ok(answer(200, "application/x-amz-json-1.1", output.to_string()))
}

fn text<'a>(input: &'a Json, key: &str) -> Option<&'a str> {
    input[key].as_str().filter(|text| !text.is_empty())
}

fn texts(input: &Json, key: &str) -> Vec<String> {
    input[key].as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// The last part of an ARN, or the name itself.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn cluster(input: &Json) -> &str {
    short(text(input, "cluster").unwrap_or("default"))
}

fn count(input: &Json, key: &str) -> Option<u32> {
    input[key].as_u64().and_then(|n| u32::try_from(n).ok())
}

fn list(key: &str, arns: impl Iterator<Item = String>) -> Json {
    json!({key: arns.collect::<Vec<_>>()})
}

#[expect(clippy::cast_precision_loss, reason = "a time of this century, in milliseconds")]
fn seconds(moment: Timestamp) -> Json {
    (moment.0 as f64 / 1000.0).into()
}

fn cluster_arn(world: &World, name: &str) -> String {
    format!("arn:aws:ecs:{}:{}:cluster/{name}", world.region, world.account)
}

fn missing(arn: String) -> Json {
    json!({"arn": arn, "reason": "MISSING"})
}

fn describe_clusters(world: &World, input: &Json) -> Json {
    let mut asked = texts(input, "clusters");
    if asked.is_empty() {
        asked.push("default".into());
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in asked.iter().map(|name| short(name)) {
        if world.clusters.iter().any(|c| c == name) {
            let running =
                world.tasks.values().filter(|t| t.cluster == name && t.status() == "RUNNING").count();
            found.push(json!({
                "clusterArn": cluster_arn(world, name), "clusterName": name, "status": "ACTIVE",
                "runningTasksCount": running, "pendingTasksCount": 0,
                "registeredContainerInstancesCount": world.instances(name),
                "activeServicesCount": world.services.iter().filter(|s| s.cluster == name).count(),
            }));
        } else {
            failures.push(missing(cluster_arn(world, name)));
        }
    }
    json!({"clusters": found, "failures": failures})
}

fn describe_services(world: &World, input: &Json) -> Result<Json, Refusal> {
    let cluster = cluster(input);
    world.cluster_exists(cluster)?;
    let asked = texts(input, "services");
    if asked.is_empty() || asked.len() > 10 {
        return Err(Refusal::new("InvalidParameterException", "Services must contain 1 to 10 names."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in &asked {
        match world.service(cluster, short(name)) {
            Some(service) => found.push(service_json(world, service)),
            None => failures.push(missing(format!(
                "arn:aws:ecs:{}:{}:service/{cluster}/{}",
                world.region,
                world.account,
                short(name)
            ))),
        }
    }
    Ok(json!({"services": found, "failures": failures}))
}

fn list_services(world: &World, input: &Json) -> Result<Json, Refusal> {
    let cluster = cluster(input);
    world.cluster_exists(cluster)?;
    let own = world.services.iter().filter(|s| s.cluster == cluster).map(|s| s.arn.clone());
    Ok(list("serviceArns", own))
}

fn update_service(world: &mut World, input: &Json, now: Timestamp) -> Result<Json, Refusal> {
    let name = text(input, "service").map(short).unwrap_or_default().to_owned();
    let force = input["forceNewDeployment"].as_bool().unwrap_or(false);
    let definition = text(input, "taskDefinition");
    let (cluster, desired) = (cluster(input).to_owned(), count(input, "desiredCount"));
    world.update_service(&cluster, &name, definition, desired, force, now)?;
    let service = world.service(&cluster, &name);
    Ok(json!({"service": service.map(|s| service_json(world, s))}))
}

fn service_json(world: &World, service: &Service) -> Json {
    let tasks: Vec<&Task> = world.tasks_of(service).collect();
    let counted = |status: &str| tasks.iter().filter(|t| t.status() == status).count();
    let events: Vec<Json> = service
        .events
        .iter()
        .map(|e| json!({"id": e.id, "createdAt": seconds(e.at), "message": e.message}))
        .collect();
    let group = service.group.as_ref().and_then(|g| world.groups.get(g));
    let balancers: Vec<Json> = group
        .map(|g| {
            let primary = world.definition(&service.deployments[0].definition);
            let container = primary.and_then(|d| d.containers().into_iter().next());
            json!({
                "targetGroupArn": g.arn, "containerName": container.map(|c| c.name),
                "containerPort": g.port,
            })
        })
        .into_iter()
        .collect();
    let deployments: Vec<Json> = service
        .deployments
        .iter()
        .enumerate()
        .map(|(place, deployment)| deployment_json(service, &tasks, deployment, place == 0))
        .collect();
    let mut told = json!({
        "serviceArn": service.arn, "serviceName": service.name, "clusterArn": cluster_arn(world, &service.cluster),
        "status": "ACTIVE", "desiredCount": service.desired, "runningCount": counted("RUNNING"),
        "pendingCount": counted("PENDING"), "platformVersion": "LATEST",
        "taskDefinition": service.deployments[0].definition, "deployments": deployments, "events": events,
        "loadBalancers": balancers, "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "deploymentConfiguration": service_deployment::configuration(service),
        "healthCheckGracePeriodSeconds": service.grace.as_secs(),
        "networkConfiguration": service.network(), "createdAt": seconds(service.created),
        "propagateTags": "NONE", "enableECSManagedTags": false, "enableExecuteCommand": false,
    });
    let (key, value) = service.placed();
    told[key] = value;
    told
}

fn deployment_json(service: &Service, tasks: &[&Task], deployment: &Deployment, primary: bool) -> Json {
    let counted = |status: &str| {
        let own = |t: &&&Task| t.started_by.as_ref() == Some(&deployment.id) && t.status() == status;
        tasks.iter().filter(own).count()
    };
    json!({
        "id": deployment.id, "status": if primary { "PRIMARY" } else { "ACTIVE" },
        "taskDefinition": deployment.definition, "desiredCount": if primary { service.desired } else { 0 },
        "runningCount": counted("RUNNING"), "pendingCount": counted("PENDING"),
        "failedTasks": deployment.failed, "rolloutState": deployment.rollout.word(),
        "rolloutStateReason": deployment.reason, "createdAt": seconds(deployment.created),
        "updatedAt": seconds(deployment.updated), "launchType": "FARGATE", "platformVersion": "1.4.0",
        "networkConfiguration": service.network(),
    })
}

fn register(world: &mut World, input: Json, now: Timestamp) -> Result<Json, Refusal> {
    let found = world.register(input, now)?;
    Ok(json!({"taskDefinition": definition(found)}))
}

fn definition(found: &Definition) -> Json {
    let mut json = found.content.clone();
    // Tags stand beside a definition, not in it.
    json.as_object_mut().map(|fields| fields.shift_remove("tags"));
    json["taskDefinitionArn"] = found.arn.as_str().into();
    json["revision"] = found.revision.into();
    json["status"] = if found.active { "ACTIVE" } else { "INACTIVE" }.into();
    json["registeredAt"] = seconds(found.registered);
    json["registeredBy"] = "arn:aws:iam::123456789012:user/sandbox".into();
    json["compatibilities"] = json!(["EC2", "FARGATE"]);
    json
}

fn describe_definition(world: &World, input: &Json) -> Result<Json, Refusal> {
    let asked = text(input, "taskDefinition").unwrap_or_default();
    let found = world.definition(asked);
    let found =
        found.ok_or_else(|| Refusal::new("ClientException", "Unable to describe task definition."))?;
    Ok(json!({"taskDefinition": definition(found), "tags": found.content.get("tags").unwrap_or(&json!([]))}))
}

fn list_definitions(world: &World, input: &Json) -> Json {
    let family = text(input, "familyPrefix");
    let inactive = text(input, "status") == Some("INACTIVE");
    let mut arns: Vec<String> = world
        .definitions
        .iter()
        .filter(|d| family.is_none_or(|f| d.family.starts_with(f)) && d.active != inactive)
        .map(|d| d.arn.clone())
        .collect();
    if text(input, "sort") == Some("DESC") {
        arns.reverse();
    }
    list("taskDefinitionArns", arns.into_iter())
}

fn run_task(world: &mut World, input: &Json, now: Timestamp) -> Result<Json, Refusal> {
    let request = RunTask {
        cluster: cluster(input).to_owned(),
        definition: text(input, "taskDefinition").unwrap_or_default().to_owned(),
        overrides: input["overrides"].clone(),
        started_by: text(input, "startedBy").map(str::to_owned),
        token: text(input, "clientToken").map(str::to_owned),
        count: count(input, "count").unwrap_or(1),
    };
    let started = world.run_task(&request, now)?;
    let tasks: Vec<Json> =
        started.iter().filter_map(|id| world.tasks.get(id)).map(|t| task_json(world, t)).collect();
    Ok(json!({"tasks": tasks, "failures": []}))
}

fn list_tasks(world: &World, input: &Json) -> Result<Json, Refusal> {
    let cluster = cluster(input);
    world.cluster_exists(cluster)?;
    let (service, family) = (text(input, "serviceName").map(short), text(input, "family"));
    let started_by = text(input, "startedBy");
    let filtered = service.is_some() || family.is_some() || text(input, "desiredStatus").is_some();
    if started_by.is_some() && filtered {
        let message = "startedBy cannot be combined with other filters.";
        return Err(Refusal::new("InvalidParameterException", message));
    }
    if let Some(name) = service.filter(|name| world.service(cluster, name).is_none()) {
        let _ = name;
        return Err(Refusal::new("ServiceNotFoundException", "Service not found."));
    }
    let desired = text(input, "desiredStatus").unwrap_or("RUNNING");
    let of_family = |t: &Task, f: &str| world.definition(&t.definition).is_some_and(|d| d.family == f);
    let arns = world
        .tasks
        .values()
        .filter(|t| t.cluster == cluster && t.desired_status() == desired)
        .filter(|t| service.is_none_or(|name| t.service.as_deref() == Some(name)))
        .filter(|t| started_by.is_none_or(|by| t.started_by.as_deref() == Some(by)))
        .filter(|t| family.is_none_or(|f| of_family(t, f)))
        .map(|t| t.arn.clone());
    Ok(list("taskArns", arns))
}

fn describe_tasks(world: &World, input: &Json) -> Result<Json, Refusal> {
    let cluster = cluster(input);
    world.cluster_exists(cluster)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for arn in texts(input, "tasks") {
        match world.tasks.get(short(&arn)).filter(|t| t.cluster == cluster) {
            Some(task) => found.push(task_json(world, task)),
            None => failures.push(missing(arn)),
        }
    }
    Ok(json!({"tasks": found, "failures": failures}))
}

fn task_json(world: &World, task: &Task) -> Json {
    let stopped = match &task.phase {
        Phase::Stopping(at, stopped) | Phase::Over(at, stopped) => Some((at, stopped)),
        _ => None,
    };
    let exit = match &task.phase {
        Phase::Over(_, stopped) => stopped.exit,
        _ => None,
    };
    let containers: Vec<Json> = task
        .containers
        .iter()
        .map(|c| {
            let digest = c.image.split_once('@').map(|(_, digest)| digest);
            let mut json = json!({
                "name": c.name, "image": c.image, "lastStatus": task.status(), "taskArn": task.arn,
                "containerArn": format!("{}/{}", task.arn.replace(":task/", ":container/"), c.name),
            });
            if let Some(digest) = digest.filter(|_| task.started.is_some()) {
                json["imageDigest"] = digest.into();
            }
            if let Some(exit) = exit {
                json["exitCode"] = exit.into();
            }
            if let Some((_, stopped)) = stopped.filter(|(_, s)| s.code == "TaskFailedToStart") {
                json["reason"] = stopped.reason.as_str().into();
            }
            json
        })
        .collect();
    let family = world.definition(&task.definition).map(|d| d.family.clone()).unwrap_or_default();
    let group = match &task.service {
        Some(service) => format!("service:{service}"),
        None => format!("family:{family}"),
    };
    let mut json = json!({
        "taskArn": task.arn, "clusterArn": cluster_arn(world, &task.cluster), "taskDefinitionArn": task.definition,
        "lastStatus": task.status(), "desiredStatus": task.desired_status(), "group": group,
        "containers": containers, "overrides": task.overrides, "launchType": "FARGATE", "version": 1,
        "createdAt": seconds(task.created), "cpu": "256", "memory": "512", "attachments": [{
            "type": "ElasticNetworkInterface", "status": "ATTACHED",
            "details": [{"name": "privateIPv4Address", "value": task.address.to_string()}],
        }],
    });
    if let Some(by) = &task.started_by {
        json["startedBy"] = by.as_str().into();
    }
    if let Some(started) = task.started {
        json["startedAt"] = seconds(started);
    }
    if let Some((at, stopped)) = stopped {
        json["stopCode"] = stopped.code.into();
        json["stoppedReason"] = stopped.reason.as_str().into();
        json["stoppingAt"] = seconds(*at);
        if matches!(task.phase, Phase::Over(..)) {
            json["stoppedAt"] = seconds(*at);
        }
    }
    json
}
