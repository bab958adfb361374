//! World files: YAML text to a checked description of a starting world. Knows nothing of how a world then lives.
//!
//! A file may `extends:` another one. An entry of a map then replaces the base's entry of the same name; everything
//! else that is stated replaces what the base states. Each file is read on its own, so that errors name their line.

use crate::plan::parse_duration;
use serde::{Deserialize, Deserializer};
use std::{collections::BTreeMap, time::Duration};

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
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorldFile {
    /// `v1`.
    pub world: Option<String>,
    /// What happens here, for people.
    pub summary: Option<String>,
    /// The file that this one changes.
    pub extends: Option<String>,
    /// The verdict that a run here must end in: `completed`, `rolled_back`.
    pub verdict: Option<String>,
    /// How much faster its time runs: `60x`.
    pub time: Option<Scale>,
    /// Twelve digits.
    pub account: Option<String>,
    /// `eu-west-1`.
    pub region: Option<String>,
    /// Who answers approvals.
    pub people: BTreeMap<String, PersonFile>,
    /// Values for a plan's params.
    pub params: BTreeMap<String, serde_json::Value>,
    /// Values for a plan's secrets. They open nothing.
    pub secrets: BTreeMap<String, String>,
    /// How DNS changes travel.
    pub dns: Option<DnsFile>,
    /// Zones by name.
    pub zones: BTreeMap<String, ZoneFile>,
    /// By name.
    pub load_balancers: BTreeMap<String, BalancerFile>,
    /// How tasks behave, by image with digest.
    pub images: BTreeMap<String, Behaviour>,
    /// By family.
    pub task_definitions: BTreeMap<String, DefinitionFile>,
    /// Services by cluster.
    pub clusters: BTreeMap<String, BTreeMap<String, ServiceFile>>,
    /// The users.
    pub traffic: Option<TrafficFile>,
    /// What happens when the run tells of a step.
    pub on: Vec<Rule>,
    /// Faults from the start on.
    pub faults: Vec<super::FaultRule>,
}

/// `60x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale(pub u32);

impl<'de> Deserialize<'de> for Scale {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let scale = text.strip_suffix('x').and_then(|n| n.parse().ok()).filter(|n| (1..=10_000).contains(n));
        scale.map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a scale of time; write `60x`, from 1x to 10000x"
            ))
        })
    }
}

/// A span as plans write it, or `0s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == "0s" {
            return Ok(Self(Duration::ZERO));
        }
        parse_duration(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Span {
    const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

/// Somebody who answers approvals.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonFile {
    /// `approve`, `reject`, `ignore`.
    pub answer: Verb,
    /// How long they take.
    #[serde(default)]
    pub after: Span,
}

/// What somebody does when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Debug, Deserialize)]
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
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneFile {
    /// `Z…`.
    pub id: String,
    /// The name servers that its parent sends resolvers to: the world's own unless stated. Others: nobody reaches it.
    #[serde(default)]
    pub delegated_to: Option<Vec<String>>,
    /// Its record sets, without the SOA and NS of the zone itself.
    #[serde(default)]
    pub records: Vec<RecordFile>,
}

/// A record set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordFile {
    /// Inside the zone; `@` is the zone itself.
    pub name: String,
    /// `CNAME`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In seconds.
    pub ttl: Option<u32>,
    /// Values.
    pub values: Vec<String>,
    /// The name of a load balancer, in place of `ttl` and `values`.
    pub alias: Option<String>,
    /// `SetIdentifier` of a weighted set.
    pub set: Option<String>,
    /// Its weight.
    pub weight: Option<u8>,
}

/// A load balancer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BalancerFile {
    /// The name that its address is under; made from its own if absent.
    pub dns_name: Option<String>,
    /// How long a client may keep a connection.
    pub client_keep_alive: Option<Span>,
    /// How long a connection may be idle.
    pub idle_timeout: Option<Span>,
}

/// A task definition as it is registered at the start.
#[derive(Clone, Debug, Deserialize)]
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

/// A container.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerFile {
    /// With digest.
    pub image: String,
    /// Where it listens.
    #[serde(default)]
    pub port: Option<u16>,
    /// What it runs.
    #[serde(default)]
    pub command: Vec<String>,
    /// Its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// A service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFile {
    /// Its family; the newest revision runs.
    pub task_definition: String,
    /// How many tasks.
    #[serde(default = "one")]
    pub desired: u32,
    /// Which load balancer sends it requests, if any.
    #[serde(default)]
    pub load_balancer: Option<String>,
    /// Which paths: `/api/*`. None: all that nobody else takes.
    #[serde(default)]
    pub paths: Vec<String>,
    /// How its targets are checked.
    #[serde(default)]
    pub check: CheckFile,
    /// How long unhealthy targets are forgiven after a task began.
    #[serde(default)]
    pub grace: Span,
    /// Whether failing deployments are given up, and rolled back.
    #[serde(default)]
    pub breaker: Breaker,
}

/// The circuit breaker of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
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
#[derive(Clone, Debug, Deserialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum App {
    /// `/health/…`, `/api/scans`.
    #[default]
    Backend,
    /// A page at `/`.
    Frontend,
    /// Runs once and ends.
    Job,
}

/// How tasks of an image behave.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// What it is.
    pub app: App,
    /// From PENDING to RUNNING.
    pub starts_in: Option<Span>,
    /// It ends by itself, with exit code 1, so long after it began to run, and before it ever listens.
    pub crashes_after: Option<Span>,
    /// `/health/ready` says no for so long after it began to run.
    pub ready_after: Option<Span>,
    /// How long every answer takes.
    pub latency: Option<Span>,
    /// The part of the requests that fail with 500.
    pub error_rate: f64,
    /// The part of the requests that fail once it gets more than so many a minute: what only real users show.
    pub overload: Option<Overload>,
    /// What `/health/ready` says of its database.
    pub database: Dependency,
    /// What `/health/ready` says of its cache.
    pub redis: Dependency,
    /// Scans end as failed.
    pub scans_fail: bool,
    /// How long a job runs.
    pub runs_for: Option<Span>,
    /// How a job ends.
    pub exit_code: i32,
    /// Nobody can pull it.
    pub unpullable: bool,
}

/// Errors under load.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overload {
    /// Requests a minute that one task still answers well.
    pub per_minute: u32,
    /// The part of the requests that fail beyond that.
    pub error_rate: f64,
}

/// Something that an app needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependency {
    /// Works.
    #[default]
    Ok,
    /// Does not.
    Failing,
}

/// The users.
#[derive(Clone, Debug, Deserialize)]
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

/// What happens when the run tells of a step.
#[derive(Clone, Debug, Deserialize)]
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
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deed {
    /// A load balancer goes away.
    pub tear_down: Option<String>,
    /// An image behaves differently from now on.
    pub image: BTreeMap<String, Behaviour>,
    /// Somebody else sets a record set: what was there is replaced.
    pub set_record: Option<RecordFile>,
    /// Somebody else deletes all record sets of this name.
    pub delete_record: Option<String>,
    /// Somebody else sets a service's task definition: `cluster/service: family:revision`.
    pub set_service: BTreeMap<String, String>,
    /// A task definition becomes INACTIVE: `family:revision`, or its ARN.
    pub deregister: Option<String>,
    /// Nobody can pull this image any more; what runs of it goes on.
    pub delete_image: Option<String>,
    /// The running tasks of a service crash: `cluster/service`.
    pub stop_tasks: Option<String>,
    /// A scripted fault.
    pub fault: Option<super::FaultRule>,
}

impl WorldFile {
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
            traffic: self.traffic.or(base.traffic),
            on: base.on.into_iter().chain(self.on).collect(),
            faults: base.faults.into_iter().chain(self.faults).collect(),
        }
    }
}
