//! ECS: services by deployment, task definitions whole, one-off tasks by token.
//!
//! What a definition says, and how a service is networked, goes through as the JSON that ECS sent: so nothing that
//! this SDK has not heard of is lost on the way back.

mod capacity;
mod service_deployment;
mod shape;

use super::account::{Account, Changing};
use super::call::{self, Class, Failure, Watch};
use super::{ecr, named, scaling};
use crate::adapter::budgets;
use crate::port::{
    CapacityProvider, DeploymentFilter, Image, Named, Presence, Pull, ReadCompute, RunTask, Scaling, Service,
    ServiceDeployment, SetScaling, Task, TaskDefinition, TaskFilter, UpdateService, WriteCompute,
};
use crate::run::Fault;
use async_trait::async_trait;
use aws_sdk_ecs::config::http::HttpRequest;
use aws_sdk_ecs::types::DesiredStatus::{self, Running, Stopped};
use aws_sdk_ecs::types::{TaskDefinitionField, TaskField};
use serde_json::Value as Json;

/// How many tasks one call describes.
const BATCH: usize = 100;
/// How many characters of a reason ECS takes.
const REASON: usize = 255;

#[async_trait]
impl ReadCompute for Account {
    async fn service(&self, cluster: &str, service: &str) -> Result<Option<Service>, Fault> {
        let unseen = self.unseen("ecs DescribeServices", &format!("{service} in {cluster}"));
        let client = self.ecs().await.map_err(&unseen)?;
        let ask = async |watch: Watch| {
            let sending = client
                .describe_services()
                .cluster(cluster)
                .services(service)
                .customize()
                .interceptor(watch.clone())
                .send();
            sending.await.map(|answer| (answer, watch.raw()))
        };
        let (answer, raw) = call::read(self, budgets::Service::Ecs, ask).await.map_err(&unseen)?;
        if let Some(found) = answer.services.unwrap_or_default().into_iter().next() {
            return Ok(Some(shape::service(found, &raw["services"][0])));
        }
        match shape::failures(&answer.failures.unwrap_or_default()) {
            Some((reason, _)) if reason == "MISSING" => Ok(None),
            Some((reason, text)) => Err(unseen(Failure { class: Class::Refused, code: Some(reason), text })),
            None => Ok(None),
        }
    }

    async fn definition(&self, name: &str) -> Result<Option<TaskDefinition>, Fault> {
        let unseen = self.unseen("ecs DescribeTaskDefinition", name);
        let client = self.ecs().await.map_err(&unseen)?;
        let ask = async |watch: Watch| {
            let sending = client
                .describe_task_definition()
                .task_definition(name)
                .include(TaskDefinitionField::Tags)
                .customize()
                .interceptor(watch.clone())
                .send();
            sending.await.map(|_| watch.raw())
        };
        match call::read(self, budgets::Service::Ecs, ask).await {
            Ok(raw) => shape::definition(raw).map(Some).ok_or_else(|| {
                unseen(Failure {
                    class: Class::Lost,
                    code: None,
                    text: "the answer has no definition".into(),
                })
            }),
            Err(failure) if failure.text.contains("Unable to describe task definition") => Ok(None),
            Err(failure) => Err(unseen(failure)),
        }
    }

    async fn tasks(&self, cluster: &str, filter: &TaskFilter) -> Result<Vec<Task>, Fault> {
        let mut found = match filter {
            TaskFilter::Service(service) => self.list(cluster, &Listed::Of(service, Running)).await?,
            TaskFilter::StoppedOf(service) => self.list(cluster, &Listed::Of(service, Stopped)).await?,
            TaskFilter::Named(arn) => vec![arn.clone()],
            // Those that stopped cannot be asked for by who started them. Running ones come first: one that stops
            // in between is in one of both.
            TaskFilter::StartedBy(token) => {
                let mut found = self.list(cluster, &Listed::StartedBy(token)).await?;
                found.extend(self.list(cluster, &Listed::Stopped).await?);
                found
            }
        };
        // One that stopped between two lists is in both.
        found.sort();
        found.dedup();
        let mut tasks = Vec::new();
        for batch in found.chunks(BATCH) {
            let unseen = self.unseen("ecs DescribeTasks", &format!("{} tasks in {cluster}", batch.len()));
            let client = self.ecs().await.map_err(&unseen)?;
            let ask = |watch| {
                client
                    .describe_tasks()
                    .cluster(cluster)
                    .set_tasks(Some(batch.to_vec()))
                    .include(TaskField::Tags)
                    .customize()
                    .interceptor(watch)
                    .send()
            };
            let answer = call::read(self, budgets::Service::Ecs, ask).await.map_err(&unseen)?;
            tasks.extend(answer.tasks.unwrap_or_default().into_iter().map(shape::task));
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
        service_deployment::list(self, cluster, service, filter).await
    }

    async fn scaling(&self, cluster: &str, service: &str) -> Result<Option<Scaling>, Fault> {
        scaling::bounds(self, cluster, service).await
    }

    async fn capacity_providers(
        &self,
        cluster: &str,
        names: &[String],
    ) -> Result<Vec<CapacityProvider>, Fault> {
        capacity::providers(self, cluster, names).await
    }

    async fn instances(&self, cluster: &str) -> Result<u32, Fault> {
        capacity::instances(self, cluster).await
    }

    async fn pull(&self, image: &Image) -> Pull {
        ecr::pull(self, image).await
    }

    async fn named(&self, thing: &Named) -> Presence {
        named::presence(self, thing).await
    }
}

/// What one call lists.
enum Listed<'a> {
    /// Tasks of a service that should be in this state.
    Of(&'a str, DesiredStatus),
    /// Tasks that this token started and that should run. ECS takes no other filter beside this one.
    StartedBy(&'a str),
    /// All that stopped within the hour or so for which ECS tells of them.
    Stopped,
}

impl Account {
    async fn list(&self, cluster: &str, which: &Listed<'_>) -> Result<Vec<String>, Fault> {
        let (service, token, state) = match which {
            Listed::Of(service, state) => (Some(*service), None, Some(state.clone())),
            Listed::StartedBy(token) => (None, Some(*token), None),
            Listed::Stopped => (None, None, Some(Stopped)),
        };
        let unseen = self.unseen("ecs ListTasks", cluster);
        let client = self.ecs().await.map_err(&unseen)?;
        let (mut found, mut next) = (Vec::new(), None::<String>);
        loop {
            let ask = |watch| {
                client
                    .list_tasks()
                    .cluster(cluster)
                    .set_desired_status(state.clone())
                    .set_service_name(service.map(str::to_owned))
                    .set_started_by(token.map(str::to_owned))
                    .set_next_token(next.clone())
                    .customize()
                    .interceptor(watch)
                    .send()
            };
            let answer = call::read(self, budgets::Service::Ecs, ask).await.map_err(&unseen)?;
            found.extend(answer.task_arns.unwrap_or_default());
            match answer.next_token {
                Some(token) => next = Some(token),
                None => return Ok(found),
            }
        }
    }
}

#[async_trait]
impl WriteCompute for Changing {
    async fn register(&self, content: &Json) -> Result<String, Fault> {
        let account = &*self.account;
        let family = content["family"].as_str().unwrap_or_default();
        let unwritten = account.unwritten("ecs RegisterTaskDefinition", family);
        if family.is_empty() || !content["containerDefinitions"].is_array() {
            let text = "the content names no family or no containers".into();
            return Err(unwritten(Failure { class: Class::Unsent, code: None, text }));
        }
        let client = account.ecs().await.map_err(&unwritten)?;
        let send = |watch| {
            client
                .register_task_definition()
                .family(family)
                .customize()
                .mutate_request(whole(content))
                .interceptor(watch)
                .send()
        };
        let answer =
            call::write(account, budgets::Service::Ecs, self.until, send).await.map_err(&unwritten)?;
        let arn = answer.task_definition.and_then(|definition| definition.task_definition_arn);
        arn.ok_or_else(|| unwritten(nameless("an ARN")))
    }

    async fn update(&self, update: &UpdateService) -> Result<String, Fault> {
        let account = &*self.account;
        let named = format!("{} in {}", update.service, update.cluster);
        let unwritten = account.unwritten("ecs UpdateService", &named);
        let client = account.ecs().await.map_err(&unwritten)?;
        let desired = update.desired.map(i32::try_from).transpose();
        let desired =
            desired.map_err(|_| Fault::permanent(format!("{named}: more tasks than there can be")))?;
        let send = |watch| {
            client
                .update_service()
                .cluster(&update.cluster)
                .service(&update.service)
                .task_definition(&update.definition)
                .set_desired_count(desired)
                .customize()
                .interceptor(watch)
                .send()
        };
        let answer =
            call::write(account, budgets::Service::Ecs, self.until, send).await.map_err(&unwritten)?;
        let deployments = answer.service.and_then(|service| service.deployments).unwrap_or_default();
        let primary =
            deployments.into_iter().find(|deployment| deployment.status.as_deref() == Some("PRIMARY"));
        primary
            .and_then(|deployment| deployment.id)
            .ok_or_else(|| unwritten(nameless("a PRIMARY deployment")))
    }

    async fn turn_back(&self, arn: &str) -> Result<(), Fault> {
        service_deployment::turn_back(self, arn).await
    }

    async fn run_task(&self, task: &RunTask) -> Result<String, Fault> {
        let account = &*self.account;
        let unwritten = account.unwritten("ecs RunTask", &format!("{} in {}", task.definition, task.cluster));
        let container = match (&task.container, &task.command) {
            (None, Some(_)) => Some(self.only_container(&task.definition).await?),
            (container, _) => container.clone(),
        };
        let body = shape::run(task, container.as_deref());
        let client = account.ecs().await.map_err(&unwritten)?;
        let send = |watch| {
            client
                .run_task()
                .task_definition(&task.definition)
                .customize()
                .mutate_request(whole(&body))
                .interceptor(watch)
                .send()
        };
        // A task of this token is there, of an earlier call: it is found by looking.
        let known = |failure: Failure| match failure.code.as_deref() {
            Some("ConflictException") => unwritten(Failure { class: Class::Lost, ..failure }),
            _ => unwritten(failure),
        };
        let answer = call::write(account, budgets::Service::Ecs, self.until, send).await.map_err(known)?;
        if let Some(arn) = answer.tasks.unwrap_or_default().into_iter().find_map(|task| task.task_arn) {
            return Ok(arn);
        }
        // A refusal that arrives as a success (HTTP 200).
        let Some((reason, text)) = shape::failures(&answer.failures.unwrap_or_default()) else {
            return Err(unwritten(nameless("a task")));
        };
        let passing = ["RESOURCE", "AGENT", "CAPACITY", "Capacity"].iter().any(|sign| reason.contains(sign));
        let class = if passing { Class::Later } else { Class::Refused };
        Err(unwritten(Failure { class, code: Some(reason), text }))
    }

    async fn stop_task(&self, cluster: &str, task: &str, reason: &str) -> Result<(), Fault> {
        let account = &*self.account;
        let unwritten = account.unwritten("ecs StopTask", &format!("{task} in {cluster}"));
        let client = account.ecs().await.map_err(&unwritten)?;
        let reason: String = reason.chars().take(REASON).collect();
        let send = |watch| {
            client
                .stop_task()
                .cluster(cluster)
                .task(task)
                .reason(&reason)
                .customize()
                .interceptor(watch)
                .send()
        };
        call::write(account, budgets::Service::Ecs, self.until, send).await.map_err(&unwritten)?;
        Ok(())
    }

    async fn set_scaling(&self, setting: &SetScaling) -> Result<(), Fault> {
        scaling::set(self, setting).await
    }
}

impl Changing {
    async fn only_container(&self, definition: &str) -> Result<String, Fault> {
        let found = self.account.definition(definition).await?;
        let found =
            found.ok_or_else(|| Fault::permanent(format!("there is no task definition {definition}")))?;
        match &found.containers[..] {
            [one] => Ok(one.name.clone()),
            many => {
                let names: Vec<&str> = many.iter().map(|container| &*container.name).collect();
                let text = format!(
                    "{definition} has {} containers ({}): say which one runs the command with `container`",
                    many.len(),
                    names.join(", ")
                );
                Err(Fault::permanent(text))
            }
        }
    }
}

/// Sends this JSON in place of what the SDK made.
fn whole(body: &Json) -> impl Fn(&mut HttpRequest) + Send + Sync + 'static {
    let text = body.to_string();
    move |request| {
        request.headers_mut().insert("content-length", text.len().to_string());
        *request.body_mut() = text.clone().into();
    }
}

fn nameless(what: &str) -> Failure {
    Failure { class: Class::Lost, code: None, text: format!("the answer does not name {what}") }
}
