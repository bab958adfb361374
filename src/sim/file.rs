//! World files: YAML text to a checked description of a starting world. Knows nothing of how a world then lives.
//!
//! A file may `extends:` another one. An entry of a map then replaces the base's entry of the same name; everything
//! else that is stated replaces what the base states. Each file is read on its own, so that errors name their line.

mod deed;
mod quantity;
mod strategy;

pub(super) use deed::Rule;
pub use deed::{AttributesFile, Deed, RuleFile};
pub(super) use quantity::Scale;
pub use quantity::Span;
pub(super) use strategy::PAUSED_AT;
pub use strategy::StrategyFile;

use super::capacity::CapacityFile;
use super::health_check::HealthCheckFile;
use super::logs::LogFile;
use super::stated::{AlarmFile, MetricFile, QueryFile};
use crate::port::Scaling;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::{net::Ipv4Addr, sync::Arc};

/// What went wrong with a world file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("world `{name}`: {message}")]
pub struct WorldError {
    /// The file.
    pub name: String,
    /// Where and what.
    pub message: String,
}

impl WorldError {
    /// About this file.
    pub fn new(name: &str, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into() }
    }
}

/// A world file.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldFile {
    /// `v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub world: Option<String>,
    /// What happens here, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The file that this one changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// How a run here must end, left to itself: `completed`, `rolled_back`, or `stuck` in an undo that fails for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// How much faster its time runs: `60x`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Scale>,
    /// Twelve digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// `eu-west-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Who answers approvals.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub people: BTreeMap<String, PersonFile>,
    /// Values for a plan's params.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, serde_json::Value>,
    /// Values for a plan's secrets. They open nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// How DNS changes travel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsFile>,
    /// Zones by name, or by another key that says its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub zones: BTreeMap<String, ZoneFile>,
    /// By name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub load_balancers: BTreeMap<String, BalancerFile>,
    /// How tasks behave, by image with digest.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, Behaviour>,
    /// By family.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub task_definitions: BTreeMap<String, DefinitionFile>,
    /// Services by cluster.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub clusters: BTreeMap<String, BTreeMap<String, ServiceFile>>,
    /// Files beside the plan that are there.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub files: BTreeSet<String>,
    /// What queries of Prometheus come to, by their text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub queries: BTreeMap<String, QueryFile>,
    /// Metrics of CloudWatch that others publish, by namespace, name and dimensions: `AWS/RDS CPUUtilization
    /// DBInstanceIdentifier=aep`; or formulas.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, MetricFile>,
    /// Alarms of CloudWatch, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub alarms: BTreeMap<String, AlarmFile>,
    /// What logs say, by log group: `/ecs/aep`; and what of it matches a pattern, by both: `/ecs/aep ?panic ?FATAL`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub logs: BTreeMap<String, LogFile>,
    /// What the Parameter Store of Systems Manager keeps, by name: `/aep/stop`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, ParameterFile>,
    /// Roles, secrets and log groups that are not there, as definitions name them; all others are. Parameters are those above.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub absent: BTreeSet<String>,
    /// The users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<TrafficFile>,
    /// What happens when the run tells of a step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<Rule>,
    /// Faults from the start on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<super::FaultRule>,
}

/// What is kept under a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterFile {
    /// A text.
    pub value: String,
    /// It is kept encrypted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
}

/// Somebody who answers approvals.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PersonFile {
    /// `approve`, `reject`, `ignore`.
    pub answer: Verb,
    /// How long they take.
    #[serde(default)]
    pub after: Span,
}

/// What somebody does when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Says yes.
    Approve,
    /// Says no.
    Reject,
    /// Says nothing.
    Ignore,
}

/// How changes of zones travel.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DnsFile {
    /// From PENDING to INSYNC.
    pub insync_after: Span,
    /// Name servers, and how long after a change each serves it.
    pub name_servers: BTreeMap<String, Span>,
}

impl Default for DnsFile {
    fn default() -> Self {
        let servers =
            [("ns-2048.awsdns-64.com", 4), ("ns-2049.awsdns-65.net", 9), ("ns-2050.awsdns-66.org", 14)];
        Self {
            insync_after: Span::seconds(25),
            name_servers: servers.into_iter().map(|(name, s)| (name.into(), Span::seconds(s))).collect(),
        }
    }
}

/// A zone.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneFile {
    /// `Z…`; the zone's own name if it is kept on a primary server, and not on AWS.
    pub id: String,
    /// Its name, where another zone has it, too: a private one beside a public one. A deed by name is done to the first by key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name servers that its parent sends resolvers to: the world's own unless stated. Others: nobody reaches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated_to: Option<Vec<String>>,
    /// Only resolvers inside its network answer from it: nobody delegates it, and its name servers answer nobody. Inside are
    /// those that a plan names, and users, unless a public zone has its name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// Health checks that its sets go by. One that a set names and that is not stated passes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<HealthCheckFile>,
    /// Its record sets, without the SOA and NS of the zone itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordFile>,
}

/// A record set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordFile {
    /// Inside the zone; `@` is the zone itself.
    pub name: String,
    /// `CNAME`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// Values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The name of a load balancer, in place of `ttl` and `values`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Whether a set among several is left out while that load balancer is not healthy.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub evaluate_target_health: bool,
    /// `SetIdentifier` of a weighted set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<String>,
    /// Its weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
    /// All else that is listed of it, as Route 53 calls it: `Region`, `Failover`, `HealthCheckId`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
}

/// A load balancer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BalancerFile {
    /// Its address; one of the world's own if absent. The sandbox serves only those of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Addr>,
    /// The name that its address is under; made from its own if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_name: Option<String>,
    /// How long a client may keep a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_keep_alive: Option<Span>,
    /// How long a connection may be idle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Span>,
}

/// A task definition as it is registered at the start.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DefinitionFile {
    /// The newest revision.
    #[serde(default = "one")]
    pub revision: u32,
    /// By name.
    pub containers: BTreeMap<String, ContainerFile>,
}

const fn one() -> u32 {
    1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A container.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerFile {
    /// With digest.
    pub image: String,
    /// Where it listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFile {
    /// Its family; the newest revision runs.
    pub task_definition: String,
    /// How many tasks.
    #[serde(default = "one")]
    pub desired: u32,
    /// Within which bounds it is scaled, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    /// Which load balancer sends it requests, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<String>,
    /// Which paths: `/api/*`. None: all that nobody else takes. Services with the same paths share a rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// The priority of the rule for its paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// Its weight in the rule: 1 for the first service of a rule, by name, and 0 for the others unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// How its targets are checked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub check: CheckFile,
    /// How long unhealthy targets are forgiven after a task began.
    #[serde(default, skip_serializing_if = "is_default")]
    pub grace: Span,
    /// Whether failing deployments are given up, and rolled back.
    #[serde(default, skip_serializing_if = "is_default")]
    pub breaker: Breaker,
    /// How it takes over a new definition: `{ strategy: canary, percent: 10, step_bake: 2m, bake: 5m, pause: 1h }`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deployment: StrategyFile,
    /// What its tasks are placed on, where that can be asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityFile>,
}

/// The circuit breaker of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// Gives up and rolls back.
    #[default]
    Rollback,
    /// Gives up.
    Stop,
    /// Tries for ever.
    Off,
}

/// Health checks of a load balancer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckFile {
    /// Where.
    pub path: String,
    /// How often.
    pub every: Span,
    /// How many in a row make a target healthy.
    pub healthy: u32,
    /// How many in a row make it unhealthy.
    pub unhealthy: u32,
    /// How long a target that leaves is still given its requests' answers.
    pub deregistration_delay: Span,
}

impl Default for CheckFile {
    fn default() -> Self {
        Self {
            path: "/health/live".into(),
            every: Span::seconds(10),
            healthy: 2,
            unhealthy: 3,
            deregistration_delay: Span::seconds(15),
        }
    }
}

/// What kind of program an image is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum App {
    /// `/health/…`, `/api/scans`.
    #[default]
    Backend,
    /// A page at `/`.
    Frontend,
    /// Runs once and ends.
    Job,
    /// Only what `answers` states, and health.
    Stated,
}

/// How tasks of an image behave.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// What it is.
    pub app: App,
    /// From PENDING to RUNNING.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_in: Option<Span>,
    /// It ends by itself, with exit code 1, so long after it began to run, and before it ever listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crashes_after: Option<Span>,
    /// `/health/ready` says no for so long after it began to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_after: Option<Span>,
    /// How long every answer takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Span>,
    /// The part of the requests that fail with 500.
    #[serde(skip_serializing_if = "is_default")]
    pub error_rate: f64,
    /// The part of the requests that fail once it gets more than so many a minute: what only real users show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overload: Option<Overload>,
    /// What `/health/ready` says of its database.
    #[serde(skip_serializing_if = "is_default")]
    pub database: Dependency,
    /// What `/health/ready` says of its cache.
    #[serde(skip_serializing_if = "is_default")]
    pub redis: Dependency,
    /// Scans end as failed.
    #[serde(skip_serializing_if = "is_default")]
    pub scans_fail: bool,
    /// How long a job runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_for: Option<Span>,
    /// How a job ends.
    #[serde(skip_serializing_if = "is_default")]
    pub exit_code: i32,
    /// Nobody can pull it.
    #[serde(skip_serializing_if = "is_default")]
    pub unpullable: bool,
    /// What it answers, before all that its kind does; the first that fits.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub answers: Arc<[StatedAnswer]>,
}

/// What a program answers to a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StatedAnswer {
    /// `GET`.
    pub method: String,
    /// The path; `*` in it stands for any text.
    pub path: String,
    /// 200 unless stated.
    #[serde(default = "ok", skip_serializing_if = "is_ok")]
    pub status: u16,
    /// The body.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
}

const fn ok() -> u16 {
    200
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_ok(status: &u16) -> bool {
    *status == ok()
}

impl StatedAnswer {
    /// Whether it is what a request is answered with.
    #[must_use]
    pub fn fits(&self, method: &str, path: &str) -> bool {
        if self.method != method {
            return false;
        }
        let Some((start, rest)) = self.path.split_once('*') else { return self.path == path };
        let Some(mut left) = path.strip_prefix(start) else { return false };
        let mut parts = rest.split('*').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return left.ends_with(part);
            }
            let Some(at) = left.find(part) else { return false };
            left = &left[at + part.len()..];
        }
        true
    }
}

/// Errors under load.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Overload {
    /// Requests a minute that one task still answers well.
    pub per_minute: u32,
    /// The part of the requests that fail beyond that.
    pub error_rate: f64,
}

/// Something that an app needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependency {
    /// Works.
    #[default]
    Ok,
    /// Does not.
    Failing,
}

/// The users.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrafficFile {
    /// What they call.
    pub url: String,
    /// What they ask for, in turn.
    pub paths: Vec<String>,
    /// How many.
    pub users: u32,
    /// How often each asks.
    pub every: Span,
    /// The part of the users who keep their connection.
    pub kept: f64,
}

impl Default for TrafficFile {
    fn default() -> Self {
        Self {
            url: String::new(),
            paths: vec!["/".into(), "/health/live".into()],
            users: 30,
            every: Span::seconds(60),
            kept: 0.3,
        }
    }
}

impl WorldFile {
    /// As text that reads back as the same.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self) -> Result<String, WorldError> {
        let name = self.summary.as_deref().unwrap_or("world");
        serde_yaml::to_string(self).map_err(|error| WorldError::new(name, error.to_string()))
    }

    /// Reads a file, and those that it extends through `find`.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn read(text: &str, name: &str, find: &dyn Fn(&str) -> Option<String>) -> Result<Self, WorldError> {
        let mut file = Self::read_one(text, name)?;
        let mut below = vec![name.to_owned()];
        while let Some(base) = file.extends.take() {
            if below.contains(&base) || below.len() > 8 {
                return Err(WorldError::new(name, format!("`extends: {base}` leads in a circle")));
            }
            let text = find(&base).ok_or_else(|| {
                WorldError::new(
                    name,
                    format!("`extends: {base}` names no world file here and none that is shipped"),
                )
            })?;
            let base_file = Self::read_one(&text, &base)?;
            below.push(base);
            file = file.over(base_file);
        }
        if file.account.as_ref().is_none_or(|a| a.len() != 12 || a.bytes().any(|b| !b.is_ascii_digit())) {
            return Err(WorldError::new(name, "`account` must be twelve digits, in quotes"));
        }
        Ok(file)
    }

    fn read_one(text: &str, name: &str) -> Result<Self, WorldError> {
        let file: Self =
            serde_yaml::from_str(text).map_err(|error| WorldError::new(name, error.to_string()))?;
        match file.world.as_deref() {
            Some("v1") => Ok(file),
            Some(other) => {
                Err(WorldError::new(name, format!("`world: {other}` is not known; write `world: v1`")))
            }
            None => Err(WorldError::new(name, "the first line must be `world: v1`")),
        }
    }

    fn over(self, base: Self) -> Self {
        fn both<V>(mut base: BTreeMap<String, V>, own: BTreeMap<String, V>) -> BTreeMap<String, V> {
            base.extend(own);
            base
        }
        let mut clusters = base.clusters;
        for (name, services) in self.clusters {
            clusters.entry(name).or_default().extend(services);
        }
        Self {
            world: self.world,
            summary: self.summary.or(base.summary),
            extends: base.extends,
            verdict: self.verdict.or(base.verdict),
            time: self.time.or(base.time),
            account: self.account.or(base.account),
            region: self.region.or(base.region),
            people: both(base.people, self.people),
            params: both(base.params, self.params),
            secrets: both(base.secrets, self.secrets),
            dns: self.dns.or(base.dns),
            zones: both(base.zones, self.zones),
            load_balancers: both(base.load_balancers, self.load_balancers),
            images: both(base.images, self.images),
            task_definitions: both(base.task_definitions, self.task_definitions),
            clusters,
            files: base.files.into_iter().chain(self.files).collect(),
            queries: both(base.queries, self.queries),
            metrics: both(base.metrics, self.metrics),
            alarms: both(base.alarms, self.alarms),
            logs: both(base.logs, self.logs),
            parameters: both(base.parameters, self.parameters),
            absent: base.absent.into_iter().chain(self.absent).collect(),
            traffic: self.traffic.or(base.traffic),
            on: base.on.into_iter().chain(self.on).collect(),
            faults: base.faults.into_iter().chain(self.faults).collect(),
        }
    }
}
