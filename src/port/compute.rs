//! Services, their deployments, and one-off tasks.

use super::{
    CapacityProvider, DeploymentFilter, Image, Named, Placement, Presence, Pull, ServiceDeployment, Strategy,
};
use crate::run::Fault;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::fmt;
use std::time::Duration;

/// A service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// `ACTIVE`, `DRAINING`, `INACTIVE`.
    pub status: String,
    /// How many tasks it should have; autoscaling may change it at any time.
    pub desired: u32,
    /// How many run.
    pub running: u32,
    /// The task definition it should run, as ARN.
    pub definition: String,
    /// Deployments, the PRIMARY one first.
    pub deployments: Vec<Deployment>,
    /// Target groups, as ARN.
    pub target_groups: Vec<String>,
    /// Target groups that take turns with another of the service, and that one, as ARN.
    pub alternates: Vec<(String, String)>,
    /// How it takes over a new definition.
    pub strategy: Strategy,
    /// What its tasks are placed on.
    pub placement: Placement,
    /// The newest events first, a few.
    pub events: Vec<String>,
    /// Network configuration as the provider gives it, for tasks that should run beside the service.
    pub network: Option<Json>,
}

/// One deployment of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: String,
    /// It is the one that the service should have.
    pub primary: bool,
    /// Its task definition, as ARN.
    pub definition: String,
    /// How far it is.
    pub rollout: Rollout,
    /// Why, in the provider's words.
    pub reason: Option<String>,
    /// Tasks it should have.
    pub desired: u32,
    /// Tasks that run.
    pub running: u32,
    /// Tasks that failed to start.
    pub failed: u32,
}

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// Tasks are being replaced.
    InProgress,
    /// All of its tasks run.
    Completed,
    /// The circuit breaker gave up on it.
    Failed,
}

/// A task definition.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskDefinition {
    /// `arn:…:task-definition/family:7`.
    pub arn: String,
    /// Its family.
    pub family: String,
    /// ACTIVE: services can be set to it.
    pub active: bool,
    /// Its containers.
    pub containers: Vec<Container>,
    /// Everything that registering it again takes, as the provider gives it: two definitions with equal `content` do
    /// the same.
    pub content: Json,
}

/// One container of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image, `repository@sha256:…` where it is pinned.
    pub image: String,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// Its task definition, as ARN.
    pub definition: String,
    /// `PENDING`, `RUNNING`, `STOPPED`.
    pub status: String,
    /// `EssentialContainerExited`, `TaskFailedToStart`.
    pub stop_code: Option<String>,
    /// Why, in the provider's words.
    pub stopped_reason: Option<String>,
    /// Who started it.
    pub started_by: Option<String>,
    /// Its containers.
    pub containers: Vec<TaskContainer>,
}

/// One container of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskContainer {
    /// Its name.
    pub name: String,
    /// Absent where it never ran.
    pub exit_code: Option<i32>,
    /// Why it stopped.
    pub reason: Option<String>,
    /// The digest of the image that it really runs, `sha256:…`.
    pub image_digest: Option<String>,
}

/// Which tasks to list. The provider allows one filter at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskFilter {
    /// Running tasks of a service.
    Service(String),
    /// The one with this ARN, running or recently stopped.
    Named(String),
    /// Tasks that this token started, running and stopped.
    StartedBy(String),
    /// Recently stopped tasks of a service, for their reasons.
    StoppedOf(String),
}

/// Sets a service to a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateService {
    /// The cluster.
    pub cluster: String,
    /// The service.
    pub service: String,
    /// The definition, as ARN.
    pub definition: String,
    /// Only where the plan owns the count.
    pub desired: Option<u32>,
}

/// Starts a one-off task.
#[derive(Clone, Debug, PartialEq)]
pub struct RunTask {
    /// The cluster.
    pub cluster: String,
    /// Family, `family:revision` or ARN.
    pub definition: String,
    /// The container whose command is replaced.
    pub container: Option<String>,
    /// The command.
    pub command: Option<Vec<String>>,
    /// Network configuration, as [`Service::network`] has it.
    pub network: Option<Json>,
    /// At most 36 characters; the same token never starts two.
    pub token: String,
}

/// Within which bounds the provider scales a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// No fewer tasks than that.
    pub min: u32,
    /// And no more than that.
    pub max: u32,
}

impl fmt::Display for Scaling {
    /// `2 to 10 tasks`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {} tasks", self.min, self.max)
    }
}

/// Sets bounds of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetScaling {
    /// The cluster.
    pub cluster: String,
    /// The service.
    pub service: String,
    /// `None`: as it is.
    pub min: Option<u32>,
    /// `None`: as it is.
    pub max: Option<u32>,
}

/// Looking at compute.
#[async_trait]
pub trait ReadCompute: Send + Sync {
    /// A service; `None` if there is none.
    async fn service(&self, cluster: &str, service: &str) -> Result<Option<Service>, Fault>;
    /// A definition by ARN, `family:revision` or family (its newest active one); `None` if there is none.
    async fn definition(&self, name: &str) -> Result<Option<TaskDefinition>, Fault>;
    /// Tasks.
    async fn tasks(&self, cluster: &str, filter: &TaskFilter) -> Result<Vec<Task>, Fault>;
    /// Service deployments of a service, the newest first.
    async fn service_deployments(
        &self,
        cluster: &str,
        service: &str,
        filter: &DeploymentFilter,
    ) -> Result<Vec<ServiceDeployment>, Fault>;
    /// Within which bounds a service is scaled; `None`: nothing scales it.
    async fn scaling(&self, cluster: &str, service: &str) -> Result<Option<Scaling>, Fault>;
    /// How these capacity providers of a cluster stand. Those of which nothing is told are left out.
    async fn capacity_providers(
        &self,
        cluster: &str,
        names: &[String],
    ) -> Result<Vec<CapacityProvider>, Fault>;
    /// How many instances are registered in a cluster.
    async fn instances(&self, cluster: &str) -> Result<u32, Fault>;
    /// Whether tasks could pull an image. Who cannot tell says why, and that is no fault: it may well be there.
    async fn pull(&self, image: &Image) -> Pull;
    /// Whether something that a definition names is there: in this account and region, where its ARN does not say otherwise
    /// ([`Named::elsewhere`]). Who cannot tell says why, and that is no fault. No value of a secret is read.
    async fn named(&self, thing: &Named) -> Presence;
}

/// Changing compute.
#[async_trait]
pub trait WriteCompute: Send + Sync {
    /// Registers a definition with this content; returns its ARN. Registering twice leaves two, both harmless.
    async fn register(&self, content: &Json) -> Result<String, Fault>;
    /// Sets a service; returns the id of the PRIMARY deployment after it.
    async fn update(&self, update: &UpdateService) -> Result<String, Fault>;
    /// Turns a service deployment that is under way back (`stopType` ROLLBACK, the only one that is documented). One that is
    /// being turned back already goes on with that; one that is over is refused.
    async fn turn_back(&self, arn: &str) -> Result<(), Fault>;
    /// Starts a task; returns its ARN.
    async fn run_task(&self, task: &RunTask) -> Result<String, Fault>;
    /// Stops a task.
    async fn stop_task(&self, cluster: &str, task: &str, reason: &str) -> Result<(), Fault>;
    /// Sets bounds of a service that is scaled. The call takes no condition: whoever sends it has just looked.
    async fn set_scaling(&self, setting: &SetScaling) -> Result<(), Fault>;
}

/// How often services and tasks are looked at while they move.
pub const POLL: Duration = Duration::from_secs(3);
