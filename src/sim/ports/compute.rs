//! Services, task definitions and tasks of the world, in our words.

use super::call::{Account, Call};
use crate::plan::Timestamp;
use crate::port::{
    CapacityProvider, Container, Deployment, DeploymentFilter, HookSeen, Image, Named, Placement, Presence,
    Pull, ReadCompute, Rollout, RunTask, Scaling, Service, ServiceDeployment, SetScaling, Task,
    TaskContainer, TaskDefinition, TaskFilter, UpdateService, WriteCompute,
};
use crate::run::Fault;
use crate::sim::write::Write;
use crate::sim::{self, CapacityFile, IMAGE_GONE, Phase, Refusal, World};
use async_trait::async_trait;
use serde_json::{Value as Json, json};
use std::fmt::{self, Display};

/// What scales services.
const SCALING: &str = "application-autoscaling";
/// What keeps images.
const REGISTRY: &str = "ecr";
/// How many tasks one call describes.
const BATCH: usize = 100;
/// How many of a service's events are kept, the newest first.
const EVENTS: usize = 10;
/// How many characters of a reason are kept.
const REASON: usize = 255;

fn look<'a>(operation: &'static str, resource: &'a (dyn Display + Sync)) -> Call<'a> {
    Call { service: "ecs", operation, resource, writes: false }
}

/// The last part of an ARN, or the name itself.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

#[async_trait]
impl ReadCompute for Account {
    async fn service(&self, cluster: &str, service: &str) -> Result<Option<Service>, Fault> {
        let resource = fmt::from_fn(|f| write!(f, "{service} in {cluster}"));
        let looking = self.look(look("DescribeServices", &resource), |world, _| {
            world.cluster_exists(short(cluster))?;
            let found = world.service(short(cluster), short(service));
            Ok(found.map(|service| service_of(world, service)))
        });
        looking.await
    }

    async fn definition(&self, name: &str) -> Result<Option<TaskDefinition>, Fault> {
        let call = look("DescribeTaskDefinition", &name);
        let looking = self.read(call, |world, _| {
            let none = || Refusal::new("ClientException", "Unable to describe task definition.");
            world.definition(name).map(definition_of).ok_or_else(none)
        });
        match looking.await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.text.contains("Unable to describe task definition") => Ok(None),
            Err(failure) => Err(failure.fault(&call)),
        }
    }

    async fn tasks(&self, cluster: &str, filter: &TaskFilter) -> Result<Vec<Task>, Fault> {
        let running = |task: &sim::Task| task.desired_status() == "RUNNING";
        let of = |task: &sim::Task, service: &str| task.service.as_deref() == Some(short(service));
        let mut found = match filter {
            TaskFilter::Service(service) => {
                self.list(cluster, Some(service), |task| of(task, service) && running(task)).await?
            }
            TaskFilter::StoppedOf(service) => {
                self.list(cluster, Some(service), |task| of(task, service) && !running(task)).await?
            }
            TaskFilter::Named(arn) => vec![arn.clone()],
            TaskFilter::StartedBy(token) => {
                let own = |task: &sim::Task| task.started_by.as_ref() == Some(token) && running(task);
                let mut found = self.list(cluster, None, own).await?;
                found.extend(self.list(cluster, None, |task| !running(task)).await?);
                found
            }
        };
        // One that stopped between two lists is in both.
        found.sort();
        found.dedup();
        let mut tasks: Vec<Task> = Vec::new();
        for batch in found.chunks(BATCH) {
            let described = self.look(look("DescribeTasks", &cluster), |world, _| {
                world.cluster_exists(short(cluster))?;
                Ok(batch
                    .iter()
                    .filter_map(|arn| world.tasks.get(short(arn)))
                    .filter(|task| task.cluster == short(cluster))
                    .map(task_of)
                    .collect::<Vec<_>>())
            });
            tasks.extend(described.await?);
        }
        if let TaskFilter::StartedBy(token) = filter {
            tasks.retain(|task| task.started_by.as_ref() == Some(token));
        }
        Ok(tasks)
    }

    async fn service_deployments(
        &self,
        cluster: &str,
        service: &str,
        filter: &DeploymentFilter,
    ) -> Result<Vec<ServiceDeployment>, Fault> {
        let arns = match filter {
            DeploymentFilter::Named(arn) => vec![arn.clone()],
            DeploymentFilter::UnderWay => {
                self.rollouts(cluster, service, |one| one.status.is_under_way()).await?
            }
            DeploymentFilter::Since(since) => {
                self.rollouts(cluster, service, |one| one.created > *since).await?
            }
        };
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let named = matches!(filter, DeploymentFilter::Named(_));
        let looking = self.look(look("DescribeServiceDeployments", &service), |world, _| {
            let found = arns.iter().filter_map(|arn| world.service_deployment(arn));
            let told = found.map(|found| {
                let told = service_deployment_of(found);
                ServiceDeployment { definition: told.definition.filter(|_| !named), ..told }
            });
            Ok(told.collect::<Vec<_>>())
        });
        looking.await
    }

    async fn scaling(&self, cluster: &str, service: &str) -> Result<Option<Scaling>, Fault> {
        let resource = fmt::from_fn(|f| write!(f, "service/{}/{}", short(cluster), short(service)));
        let call = Call { service: SCALING, ..look("DescribeScalableTargets", &resource) };
        let looking = self.look(call, |world, _| {
            Ok(world.service(short(cluster), short(service)).and_then(|service| service.scaling))
        });
        looking.await
    }

    async fn capacity_providers(
        &self,
        cluster: &str,
        names: &[String],
    ) -> Result<Vec<CapacityProvider>, Fault> {
        let resource = fmt::from_fn(|f| write!(f, "{} in {cluster}", names.join(", ")));
        let looking = self.look(look("DescribeCapacityProviders", &resource), |world, _| {
            world.cluster_exists(short(cluster))?;
            let told = names.iter().map(|name| world.capacity_provider(short(cluster), name));
            Ok(told.collect::<Vec<_>>())
        });
        looking.await
    }

    async fn instances(&self, cluster: &str) -> Result<u32, Fault> {
        let looking = self.look(look("DescribeClusters", &cluster), |world, _| {
            world.cluster_exists(short(cluster))?;
            Ok(world.instances(short(cluster)))
        });
        looking.await
    }

    async fn pull(&self, image: &Image) -> Pull {
        let resource = &image.repository;
        let call = Call { service: REGISTRY, ..look("DescribeImages", resource) };
        match self.read(call, |world, _| world.described(image).map(|()| true)).await {
            Ok(_) => Pull::Can,
            Err(failure) if failure.code == IMAGE_GONE => {
                Pull::Cannot(format!("ECR does not have it: {}: {}", failure.code, failure.text))
            }
            Err(failure) => Pull::Unknown(failure.fault(&call).message.to_string()),
        }
    }

    async fn named(&self, thing: &Named) -> Presence {
        let (service, operation) = match thing {
            Named::Role(_) => ("iam", "GetRole"),
            Named::Secret(_) => ("secretsmanager", "DescribeSecret"),
            Named::Parameter(_) => ("ssm", "GetParameter"),
            Named::LogGroup(_) => ("logs", "DescribeLogGroups"),
        };
        let name = thing.name();
        let call = Call { service, ..look(operation, &name) };
        match self.look(call, |world, _| Ok(world.has(thing))).await {
            Ok(true) => Presence::There,
            Ok(false) => Presence::Missing,
            Err(fault) => Presence::Unknown(fault.message.to_string()),
        }
    }
}

impl Account {
    async fn rollouts(
        &self,
        cluster: &str,
        service: &str,
        which: impl Fn(&sim::ServiceDeployment) -> bool + Send + Sync,
    ) -> Result<Vec<String>, Fault> {
        let resource = fmt::from_fn(|f| write!(f, "{service} in {cluster}"));
        let looking = self.look(look("ListServiceDeployments", &resource), |world, _| {
            world.cluster_exists(short(cluster))?;
            let none = || Refusal::new("ServiceNotFoundException", "Service not found.");
            let found = world.service(short(cluster), short(service)).ok_or_else(none)?;
            let own = found.rollouts.iter().filter(|one| which(one));
            Ok(own.map(|one| one.arn.clone()).collect())
        });
        looking.await
    }

    async fn list(
        &self,
        cluster: &str,
        service: Option<&str>,
        which: impl Fn(&sim::Task) -> bool + Send + Sync,
    ) -> Result<Vec<String>, Fault> {
        let cluster = short(cluster);
        let looking = self.look(look("ListTasks", &cluster), |world, _| {
            world.cluster_exists(cluster)?;
            if service.is_some_and(|name| world.service(cluster, short(name)).is_none()) {
                return Err(Refusal::new("ServiceNotFoundException", "Service not found."));
            }
            let own = world.tasks.values().filter(|task| task.cluster == cluster && which(task));
            Ok(own.map(|task| task.arn.clone()).collect())
        });
        looking.await
    }
}

fn service_of(world: &World, service: &sim::Service) -> Service {
    let running = |deployment: Option<&str>| {
        let own = world.tasks_of(service).filter(|task| task.status() == "RUNNING");
        let own = own.filter(|task| deployment.is_none_or(|id| task.started_by.as_deref() == Some(id)));
        u32::try_from(own.count()).unwrap_or(u32::MAX)
    };
    let deployment = |(place, found): (usize, &sim::Deployment)| Deployment {
        id: found.id.clone(),
        primary: place == 0,
        definition: found.definition.clone(),
        rollout: match found.rollout {
            sim::Rollout::InProgress => Rollout::InProgress,
            sim::Rollout::Completed => Rollout::Completed,
            sim::Rollout::Failed => Rollout::Failed,
        },
        reason: (!found.reason.is_empty()).then(|| found.reason.clone()),
        desired: if place == 0 { service.desired } else { 0 },
        running: running(Some(&found.id)),
        failed: found.failed,
    };
    let group = service.group.as_ref().and_then(|group| world.groups.get(group));
    let (placed, told) = service.placed();
    Service {
        name: service.name.clone(),
        status: "ACTIVE".into(),
        desired: service.desired,
        running: running(None),
        definition: service.deployments[0].definition.clone(),
        deployments: service.deployments.iter().enumerate().map(deployment).collect(),
        alternates: Vec::new(),
        strategy: service.strategy.told(service.breaker),
        placement: service.capacity.as_ref().map_or(Placement::Provided, CapacityFile::placement),
        target_groups: group.map(|group| group.arn.clone()).into_iter().collect(),
        events: service.events.iter().take(EVENTS).map(|event| event.message.clone()).collect(),
        network: Some(json!({
            "networkConfiguration": service.network(), placed: told, "platformVersion": "LATEST",
        })),
    }
}

fn service_deployment_of(found: &sim::ServiceDeployment) -> ServiceDeployment {
    let paused = found.stage == Some(sim::Stage::Paused) && !found.status.is_stopping();
    let hook = HookSeen { person: true, status: "AWAITING_ACTION".into(), expires: found.until, back: true };
    ServiceDeployment {
        arn: found.arn.clone(),
        status: found.status,
        reason: (!found.reason.is_empty()).then(|| found.reason.clone()),
        created: found.created,
        definition: Some(found.definition.clone()),
        stage: found.stage.map(|stage| stage.word().to_owned()),
        share: found.stage.map(|_| f64::from(found.share)),
        hooks: paused.then_some(hook).into_iter().collect(),
        breaker: found.is_broken(),
        alarms: Vec::new(),
    }
}

fn definition_of(found: &sim::Definition) -> TaskDefinition {
    let mut content = found.content.clone();
    if let Some(fields) = content.as_object_mut() {
        fields.retain(|key, value| key != "tags" || value.as_array().is_some_and(|tags| !tags.is_empty()));
        // In one order, so that equal definitions are equal text too.
        fields.sort_keys();
    }
    let container = |found: sim::Container| Container { name: found.name, image: found.image };
    TaskDefinition {
        arn: found.arn.clone(),
        family: found.family.clone(),
        active: found.active,
        containers: found.containers().into_iter().map(container).collect(),
        content,
    }
}

fn task_of(task: &sim::Task) -> Task {
    let (stopped, exit) = match &task.phase {
        Phase::Stopping(_, stopped) => (Some(stopped), None),
        Phase::Over(_, stopped) => (Some(stopped), stopped.exit),
        _ => (None, None),
    };
    let never = stopped.filter(|stopped| stopped.code == "TaskFailedToStart");
    let container = |found: &sim::Container| TaskContainer {
        name: found.name.clone(),
        exit_code: exit,
        reason: never.map(|stopped| stopped.reason.clone()),
        image_digest: task.started.and(found.image.split_once('@')).map(|(_, digest)| digest.to_owned()),
    };
    Task {
        arn: task.arn.clone(),
        definition: task.definition.clone(),
        status: task.status().to_owned(),
        stop_code: stopped.map(|stopped| stopped.code.to_owned()),
        stopped_reason: stopped.map(|stopped| stopped.reason.clone()),
        started_by: task.started_by.clone(),
        containers: task.containers.iter().map(container).collect(),
    }
}

/// An account, for changing what is in it until a deadline.
pub(super) struct Changing {
    pub(super) account: Account,
    pub(super) until: Timestamp,
}

impl Changing {
    async fn write(
        &self,
        operation: &'static str,
        resource: &(dyn Display + Sync),
        write: Write,
    ) -> Result<String, Fault> {
        let call = Call { writes: true, ..look(operation, resource) };
        self.account.write(call, self.until, write).await.map_err(|failure| failure.fault(&call))
    }

    async fn only_container(&self, definition: &str) -> Result<String, Fault> {
        let found = self.account.definition(definition).await?;
        let found =
            found.ok_or_else(|| Fault::permanent(format!("there is no task definition {definition}")))?;
        match &found.containers[..] {
            [one] => Ok(one.name.clone()),
            many => Err(Fault::permanent(format!(
                "{definition} has {} containers: say which one runs the command with `container`",
                many.len()
            ))),
        }
    }
}

#[async_trait]
impl WriteCompute for Changing {
    async fn register(&self, content: &Json) -> Result<String, Fault> {
        let family = content["family"].as_str().unwrap_or_default();
        if family.is_empty() || !content["containerDefinitions"].is_array() {
            return Err(Fault::permanent("the content names no family or no containers"));
        }
        self.write("RegisterTaskDefinition", &family, Write::Register(content.clone())).await
    }

    async fn update(&self, update: &UpdateService) -> Result<String, Fault> {
        let resource =
            fmt::from_fn(|f| write!(f, "{} in {} to {}", update.service, update.cluster, update.definition));
        let setting = Write::Update {
            cluster: short(&update.cluster).into(),
            service: short(&update.service).into(),
            definition: update.definition.clone(),
            desired: update.desired,
            force: false,
        };
        self.write("UpdateService", &resource, setting).await
    }

    async fn turn_back(&self, arn: &str) -> Result<(), Fault> {
        self.write("StopServiceDeployment", &arn, Write::TurnBack(arn.to_owned())).await.map(drop)
    }

    async fn run_task(&self, task: &RunTask) -> Result<String, Fault> {
        let container = match (&task.container, &task.command) {
            (None, Some(_)) => Some(self.only_container(&task.definition).await?),
            (container, _) => container.clone(),
        };
        let overrides = match (container, &task.command) {
            (Some(container), Some(command)) => {
                json!({"containerOverrides": [{"name": container, "command": command}]})
            }
            _ => Json::Null,
        };
        let request = sim::RunTask {
            cluster: short(&task.cluster).to_owned(),
            definition: task.definition.clone(),
            overrides,
            started_by: Some(task.token.clone()),
            token: Some(task.token.clone()),
            count: 1,
        };
        let resource =
            fmt::from_fn(|f| write!(f, "{} in {} for {}", task.definition, task.cluster, task.token));
        let arn = self.write("RunTask", &resource, Write::Run(request)).await?;
        if arn.is_empty() {
            return Err(Fault::lost("ecs RunTask: the answer does not name a task"));
        }
        Ok(arn)
    }

    async fn stop_task(&self, cluster: &str, task: &str, reason: &str) -> Result<(), Fault> {
        let resource = fmt::from_fn(|f| write!(f, "{task} in {cluster}"));
        let stopping = Write::Stop {
            cluster: short(cluster).into(),
            task: task.into(),
            reason: reason.chars().take(REASON).collect(),
        };
        self.write("StopTask", &resource, stopping).await.map(drop)
    }

    async fn set_scaling(&self, setting: &SetScaling) -> Result<(), Fault> {
        let (cluster, service) = (short(&setting.cluster), short(&setting.service));
        let resource = fmt::from_fn(|f| {
            write!(f, "service/{cluster}/{service} to")?;
            let told = [("min", setting.min), ("max", setting.max)];
            let mut told = told.into_iter().filter_map(|(name, count)| Some((name, count?)));
            told.try_for_each(|(name, count)| write!(f, " {name}={count}"))
        });
        let scaling = Write::Scale {
            cluster: cluster.into(),
            service: service.into(),
            min: setting.min,
            max: setting.max,
        };
        let call = Call { writes: true, service: SCALING, ..look("RegisterScalableTarget", &resource) };
        self.account.write(call, self.until, scaling).await.map(drop).map_err(|failure| failure.fault(&call))
    }
}
