//! Clusters, services, their deployments and tasks, as plain data; how they move is in `schedule`, what callers may do in
//! `calls`.

use super::capacity::CapacityFile;
use super::common::Common;
use super::file::{Breaker, StrategyFile};
use super::service_deployment::ServiceDeployment;
use crate::plan::Timestamp;
use crate::port::Scaling;
use serde_json::{Value as Json, json};
use std::{collections::VecDeque, net::Ipv4Addr, sync::Arc, time::Duration};

/// A task definition.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its family.
    pub family: String,
    /// Its revision.
    pub revision: u32,
    /// Its ARN.
    pub arn: String,
    /// Services can be set to it.
    pub active: bool,
    /// As it was registered.
    pub content: Json,
    /// When it was registered.
    pub registered: Timestamp,
    /// Read from its content once.
    pub(super) read: Arc<[Container]>,
    /// Stands for its content.
    pub(super) print: u64,
}

/// One container of a definition, read from its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// The first port that it maps.
    pub port: Option<u16>,
    /// What it runs.
    pub command: Vec<String>,
}

impl Definition {
    /// Its containers.
    #[must_use]
    pub fn containers(&self) -> Vec<Container> {
        self.read.to_vec()
    }
}

/// The containers that the content of a definition states.
pub(super) fn containers(content: &Json) -> Arc<[Container]> {
    let text = |json: &Json, key: &str| json[key].as_str().unwrap_or_default().to_owned();
    let strings = |json: &Json| -> Vec<String> {
        json.as_array().into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let read = |json: &Json| Container {
        name: text(json, "name"),
        image: text(json, "image"),
        port: json["portMappings"][0]["containerPort"].as_u64().and_then(|p| u16::try_from(p).ok()),
        command: strings(&json["command"]),
    };
    content["containerDefinitions"].as_array().into_iter().flatten().map(read).collect()
}

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its cluster.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// How many tasks it should have.
    pub desired: u32,
    /// How many its load calls for.
    pub load: u32,
    /// Within which bounds it is scaled, if it is.
    pub scaling: Option<Scaling>,
    /// The PRIMARY one first; never empty.
    pub deployments: Vec<Deployment>,
    /// Its tasks by id, as long as they can be seen.
    pub tasks: Vec<String>,
    /// The newest first.
    pub events: Common<VecDeque<Arc<Event>>>,
    /// The name of its target group.
    pub group: Option<String>,
    /// How long unhealthy targets are forgiven.
    pub grace: Duration,
    /// What happens to failing deployments.
    pub breaker: Breaker,
    /// How it takes over a new definition.
    pub strategy: StrategyFile,
    /// What its tasks are placed on, where that can be asked about.
    pub capacity: Option<CapacityFile>,
    /// Its service deployments, the newest first.
    pub rollouts: Common<Vec<ServiceDeployment>>,
    /// The definition and id of the last deployment that completed.
    pub settled: (String, String),
    /// No task is started before.
    pub next_start: Timestamp,
    /// When it was made.
    pub created: Timestamp,
}

impl Service {
    /// Where its tasks are, as the service tells.
    #[must_use]
    pub fn network(&self) -> Json {
        json!({"awsvpcConfiguration": {
            "subnets": ["subnet-0a1b2c3d4e5f6071a", "subnet-0a1b2c3d4e5f6071b"],
            "securityGroups": ["sg-0a1b2c3d4e5f60718"], "assignPublicIp": "DISABLED",
        }})
    }
}

/// Something that a service says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub message: String,
}

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// `ecs-svc/…`.
    pub id: String,
    /// The definition's ARN.
    pub definition: String,
    /// How far it is.
    pub rollout: Rollout,
    /// Why.
    pub reason: String,
    /// Tasks that failed.
    pub failed: u32,
    /// When it began.
    pub created: Timestamp,
    /// When it last moved.
    pub updated: Timestamp,
}

/// How far a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// Moving.
    InProgress,
    /// There.
    Completed,
    /// Given up.
    Failed,
}

impl Rollout {
    /// As the service writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// A task.
#[derive(Clone, Debug)]
pub struct Task {
    /// 32 hex digits.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// Its cluster.
    pub cluster: String,
    /// Its service, if it belongs to one.
    pub service: Option<String>,
    /// The definition's ARN.
    pub definition: String,
    /// The deployment's id, or what the caller said.
    pub started_by: Option<String>,
    /// Its containers; the first decides how it behaves.
    pub containers: Arc<[Container]>,
    /// Where it listens.
    pub address: Ipv4Addr,
    /// What it is doing.
    pub phase: Phase,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it began to run.
    pub started: Option<Timestamp>,
    /// Its program ends before it ever listens.
    pub stillborn: bool,
    /// What its program keeps in mind.
    pub app: super::app::Memory,
    /// What the caller replaced.
    pub overrides: Arc<Json>,
}

/// What a task is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Starts to run at this moment.
    Pending(Timestamp),
    /// Cannot be pulled; found out at this moment.
    Unpullable(Timestamp),
    /// Runs; ends by itself at that moment, with that exit code.
    Running(Option<(Timestamp, i32)>),
    /// Is given time until then, and stops.
    Stopping(Timestamp, Stopped),
    /// Is over.
    Over(Timestamp, Stopped),
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// `EssentialContainerExited`.
    pub code: &'static str,
    /// Why.
    pub reason: String,
    /// Absent if it never ran.
    pub exit: Option<i32>,
}

impl Task {
    /// PENDING, RUNNING, DEACTIVATING, STOPPED.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self.phase {
            Phase::Pending(_) | Phase::Unpullable(_) => "PENDING",
            Phase::Running(_) => "RUNNING",
            Phase::Stopping(..) => "DEACTIVATING",
            Phase::Over(..) => "STOPPED",
        }
    }

    /// RUNNING, or STOPPED.
    #[must_use]
    pub fn desired_status(&self) -> &'static str {
        if self.leaves() { "STOPPED" } else { "RUNNING" }
    }

    /// It is stopping, or over.
    #[must_use]
    pub fn leaves(&self) -> bool {
        matches!(self.phase, Phase::Stopping(..) | Phase::Over(..))
    }

    /// Its program is there: it listens.
    #[must_use]
    pub fn listens(&self) -> bool {
        matches!(self.phase, Phase::Running(_) | Phase::Stopping(..))
            && self.started.is_some()
            && !self.stillborn
    }

    /// Its image; that of its first container.
    #[must_use]
    pub fn image(&self) -> &str {
        self.containers.first().map_or("", |container| &container.image)
    }

    /// Where its program listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.containers.iter().find_map(|c| c.port).unwrap_or(8080)
    }

    /// The moment at which it does something by itself.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Pending(at)
            | Phase::Unpullable(at)
            | Phase::Running(Some((at, _)))
            | Phase::Stopping(at, _) => Some(at),
            Phase::Running(None) | Phase::Over(..) => None,
        }
    }
}

/// A refusal, as AWS states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// `ServiceNotFoundException`.
    pub code: String,
    /// The message.
    pub message: String,
}

impl Refusal {
    /// With status 400, as most.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.into(), message: message.into() }
    }
}
