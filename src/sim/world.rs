//! A whole world in memory: plain data and functions of time. No sockets, no clock, no async: time is an argument.
//!
//! [`World::advance`] plays everything that is due up to a moment, in order; the same calls at the same moments always
//! give the same world. The sandbox plays it in real time; a rehearsal may in virtual time.

use super::balancer::{Balancer, Health, TargetGroup};
use super::change::{AliasTarget, Verb, judge};
use super::common::Common;
use super::compute::{Definition, Phase, Refusal, Service, Task};
use super::course::Course;
use super::fault::Faults;
use super::file::{Behaviour, Deed, ParameterFile, Rule, Scale, TrafficFile, WorldFile};
use super::ledger::Whose;
use super::logs::LogFile;
use super::stated::{AlarmFile, History, MetricFile, QueryFile};
use super::zone::{ChangeInfo, Records, SetKey, Zone, written};
use crate::plan::{Timestamp, format_duration};
use crate::port::dns::{Alias, Name, RecordSet, RecordType};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::{net::Ipv4Addr, sync::Arc, time::Duration};

/// The last part of the root's address.
const ROOT: u8 = 252;

/// A name server.
#[derive(Clone, Debug)]
pub struct NameServer {
    /// Its name.
    pub name: Name,
    /// Its address.
    pub address: Ipv4Addr,
    /// How long after a change it serves it.
    pub delay: Duration,
}

/// A world. A copy of it is another world that goes on by itself; the two share what neither of them changes.
#[derive(Clone, Debug)]
pub struct World {
    /// Its name.
    pub name: String,
    /// As its file states it.
    pub summary: Option<String>,
    /// How a run in it must end, left to itself.
    pub verdict: Option<String>,
    /// How much faster than the wall its time is meant to run.
    pub scale: u32,
    /// Twelve digits.
    pub account: String,
    /// `eu-west-1`.
    pub region: String,
    /// Who answers approvals.
    pub people: Common<Vec<crate::port::Person>>,
    /// Values for params.
    pub params: Common<BTreeMap<String, Json>>,
    /// Values for secrets.
    pub secrets: Common<BTreeMap<String, String>>,
    /// Users.
    pub traffic: Common<Option<TrafficFile>>,
    /// Name servers of all zones.
    pub name_servers: Common<Vec<NameServer>>,
    /// Where all names begin; stands for every parent of a zone.
    pub root: Common<NameServer>,
    /// From PENDING to INSYNC.
    pub insync_after: Duration,
    /// Zones.
    pub zones: Common<Vec<Zone>>,
    /// Changes of zones that were accepted.
    pub changes: Common<Vec<ChangeInfo>>,
    /// Load balancers that stand.
    pub balancers: Common<BTreeMap<String, Balancer>>,
    /// Names of load balancers that were torn down.
    pub torn_down: Common<Vec<String>>,
    /// Target groups.
    pub groups: Common<BTreeMap<String, TargetGroup>>,
    /// How images behave.
    pub images: Common<BTreeMap<String, Behaviour>>,
    /// Clusters.
    pub clusters: Common<Vec<String>>,
    /// Task definitions, oldest first.
    pub definitions: Common<Vec<Arc<Definition>>>,
    /// Services.
    pub services: Common<Vec<Service>>,
    /// Tasks by id.
    pub tasks: Common<BTreeMap<String, Task>>,
    /// Files beside the plan.
    pub(super) files: Common<BTreeSet<String>>,
    /// What queries come to, and came to before.
    pub(super) queries: Common<BTreeMap<String, History<QueryFile>>>,
    /// What others measure, and measured before.
    pub(super) metrics: Common<BTreeMap<String, History<MetricFile>>>,
    /// What alarms say, and said before.
    pub(super) alarms: Common<BTreeMap<String, History<AlarmFile>>>,
    /// What logs say, and said before.
    pub(super) logs: Common<BTreeMap<String, History<LogFile>>>,
    /// What is kept under names.
    pub(super) parameters: Common<BTreeMap<String, ParameterFile>>,
    /// What definitions name, and is not there.
    pub(super) absent: Common<BTreeSet<String>>,
    /// Scripted faults.
    pub faults: Faults,
    /// What came, what is struck, and what landed.
    pub ledger: super::ledger::Ledger,
    /// The moment up to which everything has happened.
    pub now: Timestamp,
    /// Health checks are predicted, not observed.
    pub predicts: bool,
    pub(super) course: Course,
    pub(super) tokens: Common<BTreeMap<String, (super::calls::RunTask, Vec<String>)>>,
    pub(super) scans: Common<BTreeMap<String, super::app::Scan>>,
    pub(super) scans_gone: usize,
    pub(super) rules: Common<Vec<Rule>>,
    network: u8,
    issued: u64,
    addresses: u16,
}

impl World {
    /// The world that a file states, as it stands at a moment. Its addresses are in `127.<network>.0.0/16`.
    ///
    /// # Errors
    /// The file names something that it does not state.
    pub fn new(
        file: WorldFile,
        name: &str,
        now: Timestamp,
        network: u8,
    ) -> Result<Self, super::file::WorldError> {
        super::build::build(file, name, now, network)
    }

    pub(super) fn empty(file: &mut WorldFile, name: &str, now: Timestamp, network: u8) -> Self {
        let dns = file.dns.take().unwrap_or_default();
        let server = |(place, (name, delay)): (u8, (String, super::file::Span))| NameServer {
            name: Name::new(&name),
            address: Ipv4Addr::new(127, network, 1, place),
            delay: delay.0,
        };
        Self {
            name: name.into(),
            summary: file.summary.take(),
            verdict: file.verdict.take(),
            scale: file.time.unwrap_or(Scale(1)).0,
            account: file.account.take().unwrap_or_default(),
            region: file.region.take().unwrap_or_else(|| "eu-west-1".into()),
            people: Common::default(),
            params: std::mem::take(&mut file.params).into(),
            secrets: std::mem::take(&mut file.secrets).into(),
            traffic: file.traffic.take().into(),
            name_servers: (1..).zip(dns.name_servers).map(server).collect::<Vec<_>>().into(),
            root: server((ROOT, ("a.root-servers.net".into(), super::file::Span::default()))).into(),
            insync_after: dns.insync_after.0,
            zones: Common::default(),
            changes: Common::default(),
            balancers: Common::default(),
            torn_down: Common::default(),
            groups: Common::default(),
            images: std::mem::take(&mut file.images).into(),
            clusters: Common::default(),
            definitions: Common::default(),
            services: Common::default(),
            tasks: Common::default(),
            files: std::mem::take(&mut file.files).into(),
            queries: History::of(std::mem::take(&mut file.queries)).into(),
            metrics: History::of(std::mem::take(&mut file.metrics)).into(),
            alarms: History::of(std::mem::take(&mut file.alarms)).into(),
            logs: History::of(std::mem::take(&mut file.logs)).into(),
            parameters: std::mem::take(&mut file.parameters).into(),
            absent: std::mem::take(&mut file.absent).into(),
            faults: Faults::default(),
            ledger: super::ledger::Ledger::default(),
            now,
            predicts: true,
            course: Course::default(),
            tokens: Common::default(),
            scans: Common::default(),
            scans_gone: 0,
            rules: std::mem::take(&mut file.on).into(),
            network,
            issued: 0,
            addresses: 0,
        }
    }

    /// The health of targets changed: services go by it.
    pub fn follow_health(&mut self, now: Timestamp) {
        self.step(now);
    }

    /// Lets services react at once to what a caller did.
    pub(super) fn settle(&mut self, now: Timestamp) {
        self.step(now);
    }

    /// Sends a batch to a zone.
    ///
    /// # Errors
    /// There is no such zone, or the batch breaks a rule: then nothing of it happened.
    pub fn change(
        &mut self,
        zone: &str,
        batch: &[(Verb, RecordSet)],
        comment: Option<String>,
        now: Timestamp,
    ) -> Result<ChangeInfo, Refusal> {
        let place = self.zones.iter().position(|z| z.id == zone).ok_or_else(|| no_zone(zone))?;
        let exists = |zone: &str, name: &Name| self.alias_target(zone, name);
        let next = judge(&self.zones[place], batch, &exists)
            .map_err(|wrong| Refusal::new("InvalidChangeBatch", format!("[{}]", wrong.join(", "))))?;
        let slowest = self.slowest();
        self.note_records(place, batch, &next, now);
        self.zones[place].put(now, next, slowest);
        let id = format!("C{}", self.fresh("change")[..20].to_uppercase());
        let info = ChangeInfo { id, submitted: now, insync: now.after(self.insync_after), comment };
        self.changes.push(info.clone());
        Ok(info)
    }

    /// How long after a change all name servers serve it.
    pub(super) fn slowest(&self) -> Duration {
        self.name_servers.iter().map(|s| s.delay).max().unwrap_or_default()
    }

    fn alias_target(&self, zone: &str, name: &Name) -> AliasTarget {
        let known = self.balancers.values().any(|b| b.is_called(name));
        match (zone == super::balancer::BALANCER_ZONE, name.as_str().ends_with(".elb.amazonaws.com")) {
            (true, true) if known => AliasTarget::Found,
            (true, true) => AliasTarget::Missing,
            _ => AliasTarget::OtherZone,
        }
    }

    /// A zone by its id.
    ///
    /// # Errors
    /// There is none.
    pub fn zone(&self, id: &str) -> Result<&Zone, Refusal> {
        self.zones.iter().find(|z| z.id == id).ok_or_else(|| no_zone(id))
    }

    /// A health check of the account, whichever zone's sets go by it.
    pub fn health_check(&self, id: &str) -> Option<super::HealthCheckFile> {
        self.zones.iter().find_map(|zone| zone.health_check(id))
    }

    /// The addresses of a load balancer by its DNS name.
    pub fn balancer_addresses(&self, name: &Name) -> Vec<Ipv4Addr> {
        self.balancers.values().filter(|b| b.is_called(name)).map(|b| b.address).collect()
    }

    /// The tasks of a service.
    pub fn tasks_of<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Task> + 'a {
        service.tasks.iter().filter_map(|id| self.tasks.get(id))
    }

    /// It runs, and its load balancer, if it has one, finds it healthy.
    pub fn is_healthy(&self, service: &Service, task: &Task) -> bool {
        let target = service.group.as_ref().and_then(|g| self.groups.get(g)).map(|g| g.targets.get(&task.id));
        matches!(task.phase, Phase::Running(_))
            && target.is_none_or(|target| target.is_some_and(|t| t.state == Health::Healthy))
    }

    /// Whether there are rules left for what a run tells.
    #[must_use]
    pub fn listens(&self) -> bool {
        !self.rules.is_empty()
    }

    /// The run tells of a step: the rules for it are followed, each once.
    ///
    /// # Errors
    /// What a rule does was refused.
    pub fn told(&mut self, step: &str, event: &str, now: Timestamp) -> Result<(), Refusal> {
        // A run that was resumed tells again what it had told: a rule is followed once.
        let due = |rule: &Rule| rule.step == step && rule.event == event;
        if !self.rules.iter().any(due) {
            return Ok(());
        }
        let deeds: Vec<Deed> =
            self.rules.iter().filter(|rule| due(rule)).map(|rule| rule.deed.clone()).collect();
        self.rules.retain(|rule| !due(rule));
        deeds.into_iter().try_for_each(|deed| self.perform(deed, now))
    }

    /// Something that the world does by itself.
    ///
    /// # Errors
    /// It was refused, as a caller's would be.
    pub fn perform(&mut self, deed: Deed, now: Timestamp) -> Result<(), Refusal> {
        self.disturbed();
        self.upset(&deed, now)?;
        if let Some(name) = deed.tear_down {
            let gone = self.balancers.remove(&name).ok_or_else(|| {
                Refusal::new("NoSuchThing", format!("there is no load balancer `{name}` to tear down"))
            })?;
            for rule in &gone.rules {
                self.ledger.note(now, format!("rule {}", rule.named(&name)), "gone with its load balancer");
            }
            for place in Self::places_gone(&name) {
                self.ledger.note(now, place, "gone with its load balancer");
            }
            self.torn_down.push(name);
        }
        if !deed.image.is_empty() {
            self.images.extend(deed.image);
            self.course.behave_anew(&self.images);
        }
        if let Some(record) = deed.set_record {
            let record = self.foreign_record(&record)?;
            self.foreign_change(&record.name.clone(), Some(record), now)?;
        }
        if let Some(name) = deed.delete_record {
            self.foreign_change(&Name::new(&name), None, now)?;
        }
        for (service, definition) in deed.set_service {
            let (cluster, name) = service.split_once('/').unwrap_or(("default", &service));
            let (cluster, name) = (cluster.to_owned(), name.to_owned());
            self.update_service(&cluster, &name, Some(&definition), None, false, now)?;
        }
        for (service, reason) in deed.turn_back {
            let (cluster, name) = service.split_once('/').unwrap_or(("default", &service));
            let found = self.service(cluster, name).and_then(|service| service.under_way());
            let none = || Refusal::new("NoSuchThing", format!("nothing is under way at `{service}`"));
            let arn = found.ok_or_else(none)?.arn.clone();
            // Whoever asks for it, it is the provider that carries it out.
            self.acting(Whose::Provider, |world| world.turn_back(&arn, &reason, now))?;
        }
        for (service, scaling) in deed.set_scaling {
            let (cluster, name) = service.split_once('/').unwrap_or(("default", &service));
            self.scale(cluster, name, Some(scaling.min), Some(scaling.max), now)?;
        }
        if let Some(rule) = &deed.set_rule {
            self.foreign_rule(rule, now)?;
        }
        if let Some(attributes) = &deed.set_attributes {
            self.foreign_attributes(attributes, now)?;
        }
        if let Some(file) = deed.put_file {
            self.files.insert(file);
        }
        if let Some(file) = deed.remove_file {
            self.files.remove(&file);
        }
        if !deed.queries.is_empty() {
            History::change(&mut self.queries, deed.queries, now);
        }
        if !deed.metrics.is_empty() {
            History::change(&mut self.metrics, deed.metrics, now);
        }
        if !deed.alarms.is_empty() {
            History::change(&mut self.alarms, deed.alarms, now);
        }
        if !deed.logs.is_empty() {
            History::change(&mut self.logs, deed.logs, now);
        }
        if !deed.parameters.is_empty() {
            self.parameters.extend(deed.parameters);
        }
        if let Some(rule) = deed.fault {
            self.faults.add(rule);
        }
        Ok(())
    }

    fn foreign_record(&self, file: &super::file::RecordFile) -> Result<RecordSet, Refusal> {
        let first = || self.zones.first().ok_or_else(|| no_zone("?"));
        let zone = self.zones.iter().find(|z| z.holds(&Name::new(&file.name))).map_or_else(first, Ok)?;
        self.record(&zone.name, file).map_err(|message| Refusal::new("InvalidInput", message))
    }

    /// Replaces all that is under a name; a set that stands beside others, only that set.
    fn foreign_change(
        &mut self,
        name: &Name,
        record: Option<RecordSet>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let zone = self.zones.iter().find(|z| z.holds(name)).ok_or_else(|| no_zone(name.as_str()))?;
        let routed = record.as_ref().filter(|record| record.extra.contains_key("SetIdentifier"));
        let own = |r: &&RecordSet| {
            routed
                .is_none_or(|one| SetKey::of(one) == SetKey::of(r) || !r.extra.contains_key("SetIdentifier"))
        };
        let old = zone.newest().values().filter(|r| r.name == *name).filter(own).cloned();
        let mut batch: Vec<(Verb, RecordSet)> = old.map(|r| (Verb::Delete, r)).collect();
        batch.extend(record.map(|r| (Verb::Create, r)));
        let id = zone.id.clone();
        self.change(&id, &batch, Some("somebody else".into()), now).map(|_| ())
    }

    /// A record set from a file.
    pub(super) fn record(&self, zone: &Name, file: &super::file::RecordFile) -> Result<RecordSet, String> {
        let alias = match &file.alias {
            None => None,
            Some(name) => {
                let balancer = self
                    .balancers
                    .get(name)
                    .ok_or_else(|| format!("record `{}`: there is no load balancer `{name}`", file.name))?;
                Some(Alias {
                    name: balancer.dns_name.clone(),
                    zone_id: super::balancer::BALANCER_ZONE.into(),
                    evaluate_health: file.evaluate_target_health,
                })
            }
        };
        if alias.is_none() && file.evaluate_target_health {
            let text = "`evaluate_target_health` is the health of an `alias`";
            return Err(format!("record `{}`: {text}", file.name));
        }
        if alias.is_none() && (file.ttl.is_none() || file.values.is_empty()) {
            return Err(format!("record `{}` needs `ttl` and `values`, or `alias`", file.name));
        }
        let mut extra = file.fields.clone();
        if let Some(set) = &file.set {
            extra.insert("SetIdentifier".into(), set.clone());
        }
        if let Some(weight) = file.weight {
            extra.insert("Weight".into(), weight.to_string());
        }
        let ttl = file.ttl.filter(|_| alias.is_none());
        let kind = RecordType(file.kind.clone());
        Ok(RecordSet {
            name: Name::within(&file.name, zone),
            kind,
            ttl,
            values: file.values.clone(),
            alias,
            extra,
        })
    }

    /// The world for comparing: without ids and times.
    pub fn state(&self) -> Json {
        let zones: BTreeMap<String, Json> =
            self.zones.iter().map(|z| (self.called(z), zone_state(z.newest(), &z.name))).collect();
        let services: BTreeMap<String, Json> = self
            .services
            .iter()
            .map(|s| (format!("{}/{}", s.cluster, s.name), self.service_state(s)))
            .collect();
        let mut tasks: Vec<Json> = self
            .tasks
            .values()
            .filter(|t| t.service.is_none())
            .map(|t| {
                let stopped = match &t.phase {
                    Phase::Over(_, stopped) => json!({"code": stopped.code, "exit": stopped.exit}),
                    _ => Json::Null,
                };
                json!({
                    "definition": t.definition.rsplit('/').next(),
                    "command": t.overrides["containerOverrides"][0]["command"],
                    "status": t.status(),
                    "stopped": stopped,
                })
            })
            .collect();
        tasks.sort_by_key(Json::to_string);
        let definitions: Vec<String> =
            self.definitions.iter().map(|d| format!("{}:{}", d.family, d.revision)).collect();
        json!({
            "zones": zones,
            "services": services,
            "one_off_tasks": tasks,
            "rules": self.all_rules().map(|(name, rule)| (name, rule.dealt())).collect::<BTreeMap<_, _>>(),
            "attributes": self
                .all_attributes()
                .map(|(place, value)| (place, format_duration(value)))
                .collect::<BTreeMap<_, _>>(),
            "load_balancers": self.balancers.keys().collect::<Vec<_>>(),
            "task_definitions": definitions,
            "scans": self.scans.len(),
        })
    }

    /// A zone's name; of a private one that shares it, its id, too.
    fn called(&self, zone: &Zone) -> String {
        let shared = |other: &Zone| other.name == zone.name && !other.private;
        let hidden = zone.private && self.zones.iter().any(shared);
        if hidden { format!("{} {}", zone.name, zone.id) } else { zone.name.to_string() }
    }

    /// 32 hex digits that no other call got. Not random: a world is repeatable.
    pub(super) fn fresh(&mut self, what: &str) -> String {
        use sha2::{Digest, Sha256};
        self.issued += 1;
        let digest = Sha256::digest(format!("{}/{what}/{}", self.name, self.issued));
        digest
            .iter()
            .take(16)
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|d| char::from_digit(d.into(), 16))
            .collect()
    }

    pub(super) fn fresh_deployment(&mut self) -> String {
        let hex = self.fresh("deployment");
        let number = u64::from_str_radix(&hex[..15], 16).unwrap_or_default();
        format!("ecs-svc/{number:019}")
    }

    pub(super) fn fresh_address(&mut self) -> Ipv4Addr {
        self.addresses = (self.addresses + 1) % (250 * 250);
        let [high, low] = [self.addresses / 250, self.addresses % 250].map(|n| u8::try_from(n).unwrap_or(0));
        Ipv4Addr::new(127, self.network, 2 + high.min(250), 1 + low)
    }
}

fn no_zone(id: &str) -> Refusal {
    let message = format!("No hosted zone found with ID: {id}");
    Refusal { status: 404, code: "NoSuchHostedZone".into(), message }
}

fn zone_state(records: &Records, zone: &Name) -> Json {
    let listed: Vec<Json> = records
        .values()
        .filter(|r| r.name != *zone || !matches!(r.kind.0.as_str(), "SOA" | "NS"))
        .map(|r| json!({"record": format!("{} {r}", written(&r.name)), "extra": r.extra}))
        .collect();
    json!(listed)
}
