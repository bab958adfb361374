//! What happens in a world by itself, or after what a step does.

use super::super::FaultRule;
use super::super::logs::LogFile;
use super::super::stated::{AlarmFile, MetricFile, QueryFile};
use super::{Behaviour, ParameterFile, RecordFile, Span};
use crate::port::Scaling;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What happens when the run tells of a step.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The step's id.
    pub step: String,
    /// `started`, `succeeded`, `failed`, `undone` …
    pub event: String,
    /// What then happens.
    #[serde(rename = "do")]
    pub deed: Deed,
}

/// Something that the world does by itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deed {
    /// A load balancer goes away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tear_down: Option<String>,
    /// An image behaves differently from now on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub image: BTreeMap<String, Behaviour>,
    /// Somebody else sets a record set: what was there is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_record: Option<RecordFile>,
    /// Somebody else deletes all record sets of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_record: Option<String>,
    /// Somebody else sets a service's task definition: `cluster/service: family:revision`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set_service: BTreeMap<String, String>,
    /// A service deployment that is under way is turned back, for this reason: `cluster/service: reason`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub turn_back: BTreeMap<String, String>,
    /// Somebody else sets within which bounds a service is scaled: `cluster/service: { min: 2, max: 10 }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub set_scaling: BTreeMap<String, Scaling>,
    /// Somebody else changes how a rule deals requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_rule: Option<RuleFile>,
    /// Somebody else changes attributes of a load balancer or a target group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_attributes: Option<AttributesFile>,
    /// Somebody makes a file beside the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub put_file: Option<String>,
    /// Somebody removes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remove_file: Option<String>,
    /// Queries come to something else.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub queries: BTreeMap<String, QueryFile>,
    /// Metrics are something else.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, MetricFile>,
    /// Alarms say something else.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub alarms: BTreeMap<String, AlarmFile>,
    /// Logs say something else.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub logs: BTreeMap<String, LogFile>,
    /// Something else is kept under these names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, ParameterFile>,
    /// A task definition becomes INACTIVE: `family:revision`, or its ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deregister: Option<String>,
    /// Nobody can pull this image any more; what runs of it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_image: Option<String>,
    /// The running tasks of a service crash: `cluster/service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_tasks: Option<String>,
    /// A scripted fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultRule>,
}

/// How a rule of a load balancer should deal requests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Its name.
    pub load_balancer: String,
    /// Where it listens: 443 unless stated.
    #[serde(default = "https")]
    pub port: u16,
    /// The default rule unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// By target group.
    pub weights: BTreeMap<String, u32>,
}

const fn https() -> u16 {
    443
}

/// Which attributes of what should be what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttributesFile {
    /// Of the load balancer of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<String>,
    /// Or of the target group of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_group: Option<String>,
    /// How long a client may keep a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_keep_alive: Option<Span>,
    /// How long a connection may be idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Span>,
    /// How long a target that leaves is given to answer what it has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deregistration_delay: Option<Span>,
}
