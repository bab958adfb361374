//! The world of a plan as it stands: what is really there, read and never written, in place of what would be made up.
//!
//! Values of environments, commands and secrets of what runs are left out: nothing in a world goes by them, and a world
//! file is passed around. Not here: what is made up all the same (`derive`).

use super::derive::{Derived, Facts, FoundBalancer, FoundDefinition, FoundZone, with_facts};
use super::file::StrategyFile;
use crate::plan::Plan;
use crate::port::dns::Name;
use crate::port::need::{ANY, Account, Asker, Leads, Need, Runs, Zone};
use crate::port::{Owner, ReadWorld, Service, TaskDefinition};
use crate::run::Fault;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The world of a plan, by what is there now; `params` are the values that the plan was read with.
///
/// # Errors
/// Something could not be read. What is not there is no error: it is made up, and a note says so.
pub async fn from_live(
    plan: &Plan,
    needs: &[(Asker, Need)],
    params: &BTreeMap<String, Json>,
    world: &dyn ReadWorld,
) -> Result<Derived, Fault> {
    let mut reading = Reading { world, facts: Facts::default(), notes: Vec::new() };
    for (_, need) in needs {
        reading.read(need).await?;
    }
    let mut derived = with_facts(plan, needs, params, &reading.facts);
    derived.file.summary = Some(format!("The world of the plan {} as it was found.", plan.name));
    derived.notes = reading.notes;
    Ok(derived)
}

/// What was read so far.
struct Reading<'w> {
    world: &'w dyn ReadWorld,
    facts: Facts,
    notes: Vec<String>,
}

impl Reading<'_> {
    async fn read(&mut self, need: &Need) -> Result<(), Fault> {
        match need {
            Need::Weighted { zone, name, .. } => self.record(zone, name).await,
            Need::Record { zone, name, to, .. } => {
                self.record(zone, name).await?;
                match to {
                    Some(Leads::Balancer { at, name }) => self.balancer(at, name).await,
                    _ => Ok(()),
                }
            }
            Need::Balancer { at, name, .. }
            | Need::Rule { at, balancer: name, .. }
            | Need::Attributes { at, name, owner: Owner::LoadBalancer, .. } => self.balancer(at, name).await,
            Need::Attributes { at, name, owner: Owner::TargetGroup, .. } => self.group(at, name).await,
            Need::Service { at, cluster, name, runs, .. } => {
                self.service(at, cluster, name).await?;
                match runs {
                    Runs::Definition(definition) => self.definition(at, definition).await,
                    Runs::Images(_) | Runs::AsItIs => Ok(()),
                }
            }
            Need::Scaling { at, cluster, name, .. } => {
                self.service(at, cluster, name).await?;
                self.scaling(at, cluster, name).await
            }
            Need::Definition { at, name, .. } => self.definition(at, name).await,
            Need::Answer { .. }
            | Need::Command { .. }
            | Need::Query { .. }
            | Need::Watch { .. }
            | Need::Flag { .. }
            | Need::Parameter { .. }
            | Need::Metric { .. }
            | Need::Alarm { .. }
            | Need::Lines { .. }
            | Need::Opaque { .. } => Ok(()),
        }
    }

    async fn record(&mut self, zone: &Zone, name: &Name) -> Result<(), Fault> {
        let dns = self.world.dns(&zone.target)?;
        if !self.facts.zones.contains_key(&zone.id) {
            let name_servers = dns.zone().await?.name_servers;
            let found = FoundZone { name_servers, records: BTreeMap::new() };
            self.facts.zones.insert(zone.id.clone(), found);
        }
        let sets = dns.record_sets(name).await?;
        if let Some(found) = self.facts.zones.get_mut(&zone.id) {
            found.records.insert(name.clone(), sets);
        }
        Ok(())
    }

    async fn balancer(&mut self, at: &Account, name: &str) -> Result<(), Fault> {
        if self.facts.balancers.contains_key(name) {
            return Ok(());
        }
        let traffic = self.world.traffic(&at.target)?;
        let Some(described) = traffic.load_balancer(name).await? else {
            self.note(format!(
                "there is no load balancer `{name}` in target `{}`: one was made up",
                at.target
            ));
            return Ok(());
        };
        let groups = traffic.target_groups(&described.arn).await?;
        for group in &groups {
            let targets = traffic.targets(group).await?;
            let healthy = targets.iter().filter(|target| target.state == "healthy").count();
            if healthy < targets.len() {
                let short = group.rsplit_once(":targetgroup/").map_or(group.as_str(), |(_, rest)| rest);
                let all = targets.len();
                self.note(format!(
                    "{healthy} of {all} targets of {short} behind {name} are healthy; here all are"
                ));
            }
        }
        self.facts.balancers.insert(name.to_owned(), FoundBalancer { described, groups });
        Ok(())
    }

    async fn group(&mut self, at: &Account, name: &str) -> Result<(), Fault> {
        let traffic = self.world.traffic(&at.target)?;
        let arn = traffic.target_group(name).await?;
        let attributes = match &arn {
            Some(arn) => traffic.attributes(Owner::TargetGroup, arn).await?,
            None => None,
        };
        match attributes {
            Some(attributes) => drop(self.facts.groups.insert(name.to_owned(), attributes)),
            None => self.note(format!(
                "there is no target group `{name}` in target `{}`: one was made up",
                at.target
            )),
        }
        Ok(())
    }

    async fn service(&mut self, at: &Account, cluster: &str, name: &str) -> Result<(), Fault> {
        let key = (short(cluster), short(name));
        if self.facts.services.contains_key(&key) {
            return Ok(());
        }
        let compute = self.world.compute(&at.target)?;
        let Some(service) = compute.service(cluster, name).await? else {
            self.note(format!("there is no service {name} of {cluster}: one was made up"));
            return Ok(());
        };
        let Some(definition) = compute.definition(&service.definition).await? else {
            self.note(format!("service {name} of {cluster} runs {}, which is gone", service.definition));
            return Ok(());
        };
        if service.running != service.desired || service.deployments.len() > 1 {
            let (running, desired) = (service.running, service.desired);
            self.note(format!(
                "service {name} of {cluster} is moving: {running} of {desired} tasks run; here it is settled"
            ));
        }
        if service.strategy.hooks.iter().any(|hook| hook.person) {
            self.note(format!(
                "deployments of service {name} of {cluster} wait for somebody (PAUSE): here nobody is waited for"
            ));
        }
        self.facts.services.insert(key, found(&definition, Some(&service)));
        Ok(())
    }

    async fn scaling(&mut self, at: &Account, cluster: &str, name: &str) -> Result<(), Fault> {
        match self.world.compute(&at.target)?.scaling(cluster, name).await? {
            Some(found) => drop(self.facts.scaling.insert((short(cluster), short(name)), found)),
            None => self.note(format!("nothing scales service {name} of {cluster}: bounds were made up")),
        }
        Ok(())
    }

    async fn definition(&mut self, at: &Account, name: &str) -> Result<(), Fault> {
        if name.contains(ANY) || self.facts.definitions.contains_key(name) {
            return Ok(());
        }
        match self.world.compute(&at.target)?.definition(name).await? {
            Some(definition) => {
                self.facts.definitions.insert(name.to_owned(), found(&definition, None));
            }
            None => self.note(format!("there is no task definition {name}: one was made up")),
        }
        Ok(())
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// The last part of an ARN, or the name itself.
fn short(name: &str) -> String {
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

/// What a world needs to know of a definition, and no more.
fn found(definition: &TaskDefinition, service: Option<&Service>) -> FoundDefinition {
    let revision =
        definition.arn.rsplit_once(':').and_then(|(_, revision)| revision.parse().ok()).unwrap_or(1);
    let described = definition.content["containerDefinitions"].as_array();
    let port = |name: &str| {
        let own = described.into_iter().flatten().find(|container| container["name"] == *name)?;
        own["portMappings"][0]["containerPort"].as_u64().and_then(|port| u16::try_from(port).ok())
    };
    let containers = definition.containers.iter();
    FoundDefinition {
        family: definition.family.clone(),
        revision,
        containers: containers.map(|c| (c.name.clone(), c.image.clone(), port(&c.name))).collect(),
        desired: service.map_or(0, |service| service.desired),
        groups: service.map_or_else(Vec::new, |service| service.target_groups.clone()),
        deployment: service.map_or_else(StrategyFile::default, |service| StrategyFile::of(&service.strategy)),
    }
}
