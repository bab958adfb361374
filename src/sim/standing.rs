//! How things stand, in words that compare: what of a world is the same before and after, without ids and times.
//!
//! What decides how a world goes on is more than that: see `situation`.

use super::compute::{Definition, Phase, Rollout, Service, Task};
use super::world::World;
use crate::plan::format_duration;
use crate::port::dns::RecordSet;
use std::collections::BTreeMap;
use std::sync::Arc;

impl World {
    /// Every place of the world, and what stands there: all sets of a name and type are one. Definitions have places of
    /// their own, for a rollback leaves those behind that were registered.
    #[must_use]
    pub fn standing(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for zone in &self.zones {
            for record in zone.newest().values() {
                let key = format!("record {} {} in {}", record.name, record.kind.0, zone.id);
                let (all, own) = (all.entry(key).or_insert_with(String::new), content(record));
                let and = if all.is_empty() { "" } else { " and " };
                *all = format!("{all}{and}{own}");
            }
        }
        for service in &self.services {
            let key = format!("service {}/{}", service.cluster, service.name);
            all.insert(key, self.service_standing(service));
            if let Some(scaling) = service.scaling {
                all.insert(format!("scaling of {}/{}", service.cluster, service.name), scaling.to_string());
            }
        }
        for name in self.balancers.keys() {
            all.insert(format!("load balancer {name}"), "stands".into());
        }
        all.extend(self.all_attributes().map(|(place, value)| (place, format_duration(value))));
        all.extend(self.all_rules().map(|(name, rule)| (format!("rule {name}"), rule.dealt())));
        for name in &self.torn_down {
            all.insert(format!("load balancer {name}"), "torn down".into());
        }
        self.add_jobs(&mut all);
        for definition in &self.definitions {
            let key = format!("definition {}", named(definition));
            let state = if definition.active { "active" } else { "inactive" };
            all.insert(key, format!("{state}: {}", images(definition)));
        }
        all.extend(self.cells().map(|(cell, stands)| (format!("command {cell}"), stands.word().to_owned())));
        all.insert("scans".into(), self.scans.len().to_string());
        all
    }

    fn service_standing(&self, service: &Service) -> String {
        let primary = &service.deployments[0];
        let found = self.definition(&primary.definition);
        let (name, images) = match found {
            Some(definition) => (named(self.first_of(definition)), images(definition)),
            None => (primary.definition.clone(), String::new()),
        };
        let runs = |task: &Task| matches!(task.phase, Phase::Running(_));
        let own = |task: &Task| runs(task) && task.definition == primary.definition;
        let mut live = self.tasks_of(service).filter(|task| !matches!(task.phase, Phase::Over(..)));
        let all = live.by_ref().all(own);
        let running = self.tasks_of(service).filter(|task| own(task)).count();
        let progress = match primary.rollout {
            Rollout::Completed if all && u32::try_from(running) == Ok(service.desired) => {
                "done, and all tasks run it"
            }
            Rollout::Completed => "done, and not all tasks run it",
            Rollout::InProgress => "in progress",
            Rollout::Failed => "failed",
        };
        format!("{name} ({images}), desired {}; rollout {progress}", service.desired)
    }

    /// The first revision that says the same: what was registered again is no other thing.
    fn first_of<'w>(&'w self, definition: &'w Definition) -> &'w Definition {
        let same = |other: &Definition| other.family == definition.family && other.print == definition.print;
        self.definitions.iter().map(Arc::as_ref).find(|other| same(other)).unwrap_or(definition)
    }

    /// One-off tasks that still run, or will.
    fn add_jobs(&self, all: &mut BTreeMap<String, String>) {
        let over = |task: &Task| matches!(task.phase, Phase::Over(..));
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for task in self.tasks.values().filter(|task| task.service.is_none() && !over(task)) {
            let definition = self.definition(&task.definition).map_or_else(|| task.definition.clone(), named);
            let command = &task.overrides["containerOverrides"][0]["command"];
            let command = if command.is_null() { String::new() } else { format!(" {command}") };
            *counts.entry(format!("task {} {definition}{command}", task.cluster)).or_default() += 1;
        }
        all.extend(counts.into_iter().map(|(key, count)| (key, format!("{count} not over"))));
    }
}

fn named(definition: &Definition) -> String {
    format!("{}:{}", definition.family, definition.revision)
}

fn images(definition: &Definition) -> String {
    let each = definition.read.iter().map(|container| format!("{}={}", container.name, container.image));
    each.collect::<Vec<_>>().join(" ")
}

/// Everything that a record set says, its values in one order.
fn content(record: &RecordSet) -> String {
    let mut words = Vec::new();
    if let Some(ttl) = record.ttl {
        words.push(format!("ttl {ttl}"));
    }
    let mut values: Vec<&str> = record.values.iter().map(String::as_str).collect();
    values.sort_unstable();
    words.extend(values.into_iter().map(str::to_owned));
    if let Some(alias) = &record.alias {
        let health = if alias.evaluate_health { " with its health" } else { "" };
        words.push(format!("alias {} in {}{health}", alias.name, alias.zone_id));
    }
    words.extend(record.extra.iter().map(|(key, value)| format!("{key}={value}")));
    words.join(" ")
}
