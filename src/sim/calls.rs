//! What callers of ECS may do, with the service's own refusals.

use super::compute::{Definition, Deployment, Refusal, Rollout, Service, containers};
use super::situation::print_of;
use super::world::World;
use crate::plan::Timestamp;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// A request to start a one-off task.
#[derive(Clone, Debug, PartialEq)]
pub struct RunTask {
    /// Cluster name.
    pub cluster: String,
    /// Family, `family:revision` or ARN.
    pub definition: String,
    /// `overrides`, as sent.
    pub overrides: Json,
    /// At most 128 characters.
    pub started_by: Option<String>,
    /// At most 64 characters.
    pub token: Option<String>,
    /// How many.
    pub count: u32,
}

impl World {
    /// Registers a definition; its revision is the next of its family.
    ///
    /// # Errors
    /// The content has no family or no containers.
    pub fn register(&mut self, mut content: Json, now: Timestamp) -> Result<&Definition, Refusal> {
        let Some(family) = content["family"].as_str().map(str::to_owned).filter(|f| !f.is_empty()) else {
            return Err(Refusal::new("ClientException", "Family should not be null or empty."));
        };
        if content["containerDefinitions"].as_array().is_none_or(Vec::is_empty) {
            return Err(Refusal::new("ClientException", "Container list cannot be empty."));
        }
        if let Some(map) = content.as_object_mut() {
            map.retain(|_, value| !value.is_null());
        }
        let last = self.definitions.iter().filter(|d| d.family == family).map(|d| d.revision).max();
        let revision = last.unwrap_or(0) + 1;
        self.ledger.note(now, format!("definition {family}"), format!("revision {revision}"));
        self.put_definition(family, revision, content, now);
        Ok(&self.definitions[self.definitions.len() - 1])
    }

    pub(super) fn put_definition(&mut self, family: String, revision: u32, content: Json, now: Timestamp) {
        let arn = format!("arn:aws:ecs:{}:{}:task-definition/{family}:{revision}", self.region, self.account);
        // Who registers the same again may name its fields in another order, and leave out what is empty.
        let mut same = content.clone();
        same.sort_all_objects();
        if let Some(fields) = same.as_object_mut() {
            fields
                .retain(|key, value| key != "tags" || value.as_array().is_some_and(|tags| !tags.is_empty()));
        }
        let (read, print) = (containers(&content), print_of(&same));
        let new = Definition { family, revision, arn, active: true, content, registered: now, read, print };
        self.definitions.push(Arc::new(new));
    }

    /// By ARN, `family:revision`, or family: then its newest active one.
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        let revision = name.rsplit_once(':').and_then(|(family, n)| Some((family, n.parse::<u32>().ok()?)));
        let exact = |d: &&Arc<Definition>| d.arn == name || revision == Some((&*d.family, d.revision));
        let newest =
            || self.definitions.iter().filter(|d| d.family == name && d.active).max_by_key(|d| d.revision);
        self.definitions.iter().find(exact).or_else(newest).map(|found| &**found)
    }

    /// Makes a definition INACTIVE.
    ///
    /// # Errors
    /// There is none.
    pub fn deregister(&mut self, name: &str) -> Result<&Definition, Refusal> {
        let arn = self.definition(name).map(|d| d.arn.clone());
        let found = self.definitions.iter_mut().find(|d| Some(&d.arn) == arn.as_ref());
        let definition = Arc::make_mut(found.ok_or_else(no_definition)?);
        definition.active = false;
        let (place, what) = (
            format!("definition {}", definition.family),
            format!("revision {} is INACTIVE", definition.revision),
        );
        self.ledger.note(self.now, place, what);
        Ok(definition)
    }

    /// A service by its cluster and name.
    pub fn service(&self, cluster: &str, name: &str) -> Option<&Service> {
        self.services.iter().find(|s| s.cluster == cluster && s.name == name)
    }

    pub(super) fn service_mut(&mut self, cluster: &str, name: &str) -> Option<&mut Service> {
        self.services.iter_mut().find(|s| s.cluster == cluster && s.name == name)
    }

    /// Sets a service to a definition, a count, or both. Only another definition, or `force`, makes a deployment.
    ///
    /// # Errors
    /// There is no such cluster, service or active definition.
    pub fn update_service(
        &mut self,
        cluster: &str,
        name: &str,
        definition: Option<&str>,
        desired: Option<u32>,
        force: bool,
        now: Timestamp,
    ) -> Result<&Service, Refusal> {
        self.cluster_exists(cluster)?;
        let place = self.services.iter().position(|s| s.cluster == cluster && s.name == name);
        let Some(place) = place else {
            return Err(Refusal::new("ServiceNotFoundException", "Service not found."));
        };
        let wanted = match definition {
            Some(text) => {
                let found = self
                    .definition(text)
                    .ok_or_else(|| Refusal::new("ClientException", "TaskDefinition not found."))?;
                if !found.active {
                    return Err(Refusal::new("ClientException", "TaskDefinition is inactive"));
                }
                Some(found.arn.clone())
            }
            None => None,
        };
        self.note_service(place, wanted.as_deref(), desired, force, now);
        if let Some(desired) = desired {
            let service = &mut self.services[place];
            (service.desired, service.load) = (desired, desired);
        }
        let current = self.services[place].deployments[0].definition.clone();
        if force || wanted.as_ref().is_some_and(|w| *w != current) {
            let id = self.fresh_deployment();
            let service = &mut self.services[place];
            let new = Deployment {
                reason: format!("ECS deployment {id} in progress."),
                id,
                definition: wanted.unwrap_or(current),
                rollout: Rollout::InProgress,
                failed: 0,
                created: now,
                updated: now,
            };
            service.deployments.insert(0, new);
            service.next_start = now;
            self.begin_service_deployment(place, now);
        }
        self.settle(now);
        Ok(&self.services[place])
    }

    /// Starts one-off tasks. The same token with the same request returns the tasks that it started before.
    ///
    /// # Errors
    /// The cluster or definition is missing, or the token was used for another request.
    pub fn run_task(&mut self, request: &RunTask, now: Timestamp) -> Result<Vec<String>, Refusal> {
        self.cluster_exists(&request.cluster)?;
        let definition = self.definition(&request.definition).filter(|d| d.active);
        let definition = definition.ok_or_else(no_definition)?.arn.clone();
        if request.token.as_ref().is_some_and(|t| t.len() > 64) {
            return Err(Refusal::new(
                "InvalidParameterException",
                "clientToken must be at most 64 characters.",
            ));
        }
        let key = request.token.as_ref().map(|token| format!("{}/{token}", request.cluster));
        let again = RunTask { definition: definition.clone(), ..request.clone() };
        if let Some((before, tasks)) = key.as_ref().and_then(|key| self.tokens.get(key)) {
            if *before == again {
                return Ok(tasks.clone());
            }
            let arns: Vec<&str> =
                tasks.iter().filter_map(|id| self.tasks.get(id)).map(|t| t.arn.as_str()).collect();
            let message = format!(
                "The request contains a client token that was used for a different request. Conflicts with: {}",
                arns.join(", ")
            );
            return Err(Refusal::new("ConflictException", message));
        }
        let overrides = Arc::new(request.overrides.clone());
        let mut started = Vec::new();
        for _ in 0..request.count.clamp(1, 10) {
            let id = self.new_task(&request.cluster, &definition, request.started_by.clone(), now);
            if let Some(task) = self.tasks.get_mut(&id) {
                task.overrides = overrides.clone();
            }
            started.push(id);
        }
        self.note_task(&request.cluster, &definition, "started", now);
        if let Some(key) = key {
            self.tokens.insert(key, (again, started.clone()));
        }
        Ok(started)
    }

    /// Stops a task.
    ///
    /// # Errors
    /// There is no such cluster or task.
    pub fn stop_task(
        &mut self,
        cluster: &str,
        task: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        self.cluster_exists(cluster)?;
        let id = task.rsplit('/').next().unwrap_or(task).to_owned();
        if self.tasks.get(&id).is_none_or(|t| t.cluster != cluster) {
            return Err(Refusal::new("InvalidParameterException", "The referenced task was not found."));
        }
        if let Some(task) = self.tasks.get(&id).filter(|task| !task.leaves()) {
            let definition = task.definition.clone();
            self.note_task(cluster, &definition, "stopped", now);
        }
        self.stop(&id, now, "UserInitiated", reason.into());
        Ok(id)
    }

    /// # Errors
    /// There is no such cluster.
    pub fn cluster_exists(&self, cluster: &str) -> Result<(), Refusal> {
        if self.clusters.iter().any(|c| c == cluster) {
            return Ok(());
        }
        Err(Refusal::new("ClusterNotFoundException", "Cluster not found."))
    }

    /// A service for comparing worlds: without ids and times.
    pub(super) fn service_state(&self, service: &Service) -> Json {
        let definition = self.definition(&service.deployments[0].definition);
        let containers: Vec<Json> = definition
            .map(Definition::containers)
            .unwrap_or_default()
            .into_iter()
            .map(|c| json!({"name": c.name, "image": c.image}))
            .collect();
        let running: Vec<&str> = self
            .tasks_of(service)
            .filter(|t| t.status() == "RUNNING")
            .map(|t| t.containers.first().map_or("", |c| c.image.as_str()))
            .collect();
        json!({
            "task_definition": definition.map(|d| format!("{}:{}", d.family, d.revision)),
            "containers": containers,
            "desired": service.desired,
            "scaling": service.scaling,
            "running_images": running,
            "deployments": service.deployments.len(),
            "rollout": service.deployments[0].rollout.word(),
        })
    }
}

fn no_definition() -> Refusal {
    Refusal::new("ClientException", "Unable to describe task definition.")
}
