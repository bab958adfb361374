//! Writes as data: so that they can land later, otherwise than asked, or be put back, and a world stays a value.

use super::attribute;
use super::cell::Cell;
use super::change::Verb;
use super::ledger::Whose;
use super::service_deployment::REQUESTED;
use super::world::World;
use super::zone::SetKey;
use super::{Refusal, Reply, RunTask};
use crate::plan::Timestamp;
use crate::port::dns::RecordSet;
use crate::port::{Attributes, Owner};
use serde_json::Value as Json;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// A write.
#[derive(Clone, Debug)]
pub(super) enum Write {
    Change {
        zone: String,
        batch: Vec<(Verb, RecordSet)>,
        comment: Option<String>,
    },
    /// Puts these sets back, whatever is there.
    Restore {
        zone: String,
        touched: Vec<SetKey>,
        sets: Vec<RecordSet>,
    },
    Register(Json),
    Deregister(String),
    Update {
        cluster: String,
        service: String,
        definition: String,
        desired: Option<u32>,
        force: bool,
    },
    /// A service deployment, by its ARN, goes back.
    TurnBack(String),
    /// Within which bounds a service is scaled.
    Scale {
        cluster: String,
        service: String,
        min: Option<u32>,
        max: Option<u32>,
    },
    Run(RunTask),
    Stop {
        cluster: String,
        task: String,
        reason: String,
    },
    Send {
        to: Listener,
        origin: Arc<str>,
        method: String,
        path: String,
        body: Vec<u8>,
    },
    /// How a rule deals requests, among groups by their ARNs.
    Deal {
        rule: String,
        default: bool,
        shares: Vec<(String, u32)>,
        sticks: Option<Duration>,
    },
    /// Attributes of a load balancer or a target group, by its ARN.
    SetAttributes {
        owner: Owner,
        arn: String,
        values: Attributes,
    },
    Set {
        cell: Arc<str>,
        to: Cell,
    },
}

/// Who listens at an address.
#[derive(Clone, Debug)]
pub(super) enum Listener {
    Balancer(String),
    Task(String),
}

/// A request, as a program gets it.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) origin: &'a (dyn Display + Sync),
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
}

/// Whether requests of this method change nothing.
pub(super) fn looks(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

impl World {
    /// Performs it; returns what names it: a change, a definition, a deployment, a task.
    pub(super) fn write(&mut self, write: &Write, by: Whose, now: Timestamp) -> Result<String, Refusal> {
        self.acting(by, |world| world.carry_out(write, now))
    }

    /// What changes meanwhile is somebody's deed.
    pub(super) fn acting<T>(&mut self, by: Whose, deed: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.ledger.acting, by);
        let done = deed(self);
        self.ledger.acting = before;
        done
    }

    fn carry_out(&mut self, write: &Write, now: Timestamp) -> Result<String, Refusal> {
        Ok(match write {
            Write::Change { zone, batch, comment } => self.change(zone, batch, comment.clone(), now)?.id,
            Write::Restore { zone, touched, sets } => self.restore(zone, touched, sets, now)?,
            Write::Register(content) => self.register(content.clone(), now)?.arn.clone(),
            Write::Deregister(name) => self.deregister(name)?.arn.clone(),
            Write::Update { cluster, service, definition, desired, force } => {
                let found = self.update_service(cluster, service, Some(definition), *desired, *force, now)?;
                found.deployments[0].id.clone()
            }
            Write::TurnBack(arn) => {
                self.turn_back(arn, REQUESTED, now)?;
                arn.clone()
            }
            Write::Scale { cluster, service, min, max } => {
                self.scale(cluster, service, *min, *max, now)?;
                String::new()
            }
            Write::Run(request) => {
                let started = self.run_task(request, now)?;
                let found = started.iter().find_map(|id| self.tasks.get(id));
                found.map(|task| task.arn.clone()).unwrap_or_default()
            }
            Write::Stop { cluster, task, reason } => self.stop_task(cluster, task, reason, now)?,
            Write::Send { to, origin, method, path, body } => {
                let task = match to {
                    Listener::Task(id) => Some(id.clone()),
                    Listener::Balancer(name) => {
                        let port = if origin.starts_with("http://") { 80 } else { 443 };
                        self.choose(name, port, path, 0).1
                    }
                };
                let message = Message { origin, method, path, body };
                task.map(|task| self.serve(&task, message, now).body).unwrap_or_default()
            }
            Write::Deal { rule, default, shares, sticks } => {
                self.deal(rule, *default, shares, *sticks, now)?.arn.clone()
            }
            Write::SetAttributes { owner, arn, values } => {
                self.set_attributes(*owner, arn, values, now)?;
                String::new()
            }
            Write::Set { cell, to } => {
                self.set_cell(cell, *to, now);
                String::new()
            }
        })
    }

    fn restore(
        &mut self,
        zone: &str,
        touched: &[SetKey],
        sets: &[RecordSet],
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let mut batch = Vec::new();
        let newest = self.zone(zone)?.newest();
        for key in touched {
            let (there, wanted) = (newest.get(key), sets.iter().find(|set| SetKey::of(set) == *key));
            if there != wanted {
                batch.extend(there.map(|set| (Verb::Delete, set.clone())));
                batch.extend(wanted.map(|set| (Verb::Create, set.clone())));
            }
        }
        if batch.is_empty() {
            return Ok(String::new());
        }
        self.change(zone, &batch, Some("somebody else".into()), now).map(|info| info.id)
    }

    /// A task answers a request. What its program took in has landed.
    pub(super) fn serve(&mut self, task: &str, message: Message<'_>, now: Timestamp) -> Reply {
        let Message { origin, method, path, body } = message;
        let reply = self.answer(task, method, path, body, now);
        if !looks(method) && reply.status < 400 {
            let what = format!("{method} {path}: {}", reply.status);
            self.ledger.note(now, format!("http {origin}"), what);
        }
        reply
    }

    /// A task answers a request as if it took it in.
    pub(super) fn pretend(&mut self, task: &str, message: Message<'_>, now: Timestamp) -> Reply {
        let scans = self.scans.clone();
        let reply = self.answer(task, message.method, message.path, message.body, now);
        self.scans = scans;
        reply
    }

    /// Something else lands than was asked for, and the answer does not tell.
    pub(super) fn write_wrong(
        &mut self,
        write: &Write,
        by: Whose,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        // What would be refused is refused.
        let mut trial = self.clone();
        let answer = trial.write(write, by, now)?;
        let other = match write {
            Write::Change { zone, batch, comment } => {
                let mut batch = batch.clone();
                match batch.iter_mut().find(|(verb, _)| *verb != Verb::Delete) {
                    Some((_, set)) => spoil(set),
                    None => batch.clear(),
                }
                Some(Write::Change { zone: zone.clone(), batch, comment: comment.clone() })
            }
            Write::Register(content) => Some(Write::Register(self.with_another_image(content))),
            Write::Update { cluster, service, definition, desired, .. } => {
                let current = self.service(cluster, service).map(|found| &found.deployments[0].definition);
                let asked = self.definition(definition);
                let mut family = self.definitions.iter().rev().filter(|other| {
                    let own = asked.is_some_and(|asked| asked.family == other.family);
                    own && other.active && asked.is_none_or(|asked| asked.arn != other.arn)
                });
                let other = family.find(|other| Some(&other.arn) != current);
                Some(Write::Update {
                    cluster: cluster.clone(),
                    service: service.clone(),
                    definition: other.map(|other| &other.arn).or(current).unwrap_or(definition).clone(),
                    desired: *desired,
                    force: other.is_none(),
                })
            }
            Write::Scale { cluster, service, min, max } => {
                let (cluster, service) = (cluster.clone(), service.clone());
                // One more than was asked for; of both, more room.
                let more = |count: &Option<u32>| count.map(|count| count + 1);
                let (min, max) = if max.is_some() { (*min, more(max)) } else { (more(min), None) };
                Some(Write::Scale { cluster, service, min, max })
            }
            Write::Deal { rule, default, shares, sticks } => {
                let (rule, default, sticks) = (rule.clone(), *default, *sticks);
                Some(Write::Deal { rule, default, shares: spoiled(shares), sticks })
            }
            Write::SetAttributes { owner, arn, values } => {
                let (owner, arn, values) = (*owner, arn.clone(), attribute::spoiled(values));
                Some(Write::SetAttributes { owner, arn, values })
            }
            _ => None,
        };
        match other {
            Some(other) => self.write(&other, by, now),
            None => {
                // The name of what never began is nobody else's.
                self.fresh("nothing");
                Ok(answer)
            }
        }
    }

    /// A definition with the image that its family had before, if it had another.
    fn with_another_image(&self, content: &Json) -> Json {
        let image = |content: &Json| content["containerDefinitions"][0]["image"].clone();
        let family = content["family"].as_str().unwrap_or_default();
        let before = self.definitions.iter().rev().filter(|known| known.family == family);
        let other = before.map(|known| image(&known.content)).find(|other| *other != image(content));
        let mut content = content.clone();
        if let Some(place) = content.pointer_mut("/containerDefinitions/0/image") {
            *place = other.unwrap_or_else(|| Json::from("nobody/built@sha256:0"));
        }
        content
    }

    /// What puts back what a write is about to change, as far as it can be told before.
    pub(super) fn before(&self, write: &Write) -> Option<Write> {
        match write {
            Write::Change { zone, batch, .. } => {
                let newest = self.zone(zone).ok()?.newest();
                let mut touched: Vec<SetKey> = batch.iter().map(|(_, set)| SetKey::of(set)).collect();
                touched.sort();
                touched.dedup();
                let sets = touched.iter().filter_map(|key| newest.get(key)).cloned().collect();
                Some(Write::Restore { zone: zone.clone(), touched, sets })
            }
            Write::Update { cluster, service, .. } => {
                let found = self.service(cluster, service)?;
                Some(Write::Update {
                    cluster: cluster.clone(),
                    service: service.clone(),
                    definition: found.deployments[0].definition.clone(),
                    desired: Some(found.desired),
                    force: false,
                })
            }
            Write::Scale { cluster, service, .. } => {
                let found = self.service(cluster, service)?.scaling?;
                let (cluster, service) = (cluster.clone(), service.clone());
                Some(Write::Scale { cluster, service, min: Some(found.min), max: Some(found.max) })
            }
            Write::Deal { rule, default, .. } => {
                let found = self.rule(rule).ok()?;
                let arn =
                    |(name, weight): &(String, u32)| Some((self.groups.get(name)?.arn.clone(), *weight));
                Some(Write::Deal {
                    rule: rule.clone(),
                    default: *default,
                    shares: found.shares.iter().filter_map(arn).collect(),
                    sticks: found.sticks,
                })
            }
            Write::SetAttributes { owner, arn, values } => {
                let mut before = self.attributes(*owner, arn).ok()?;
                before.retain(|attribute, _| values.contains_key(attribute));
                Some(Write::SetAttributes { owner: *owner, arn: arn.clone(), values: before })
            }
            Write::Set { cell, .. } => Some(Write::Set { cell: cell.clone(), to: self.cell(cell)? }),
            _ => None,
        }
    }
}

impl Write {
    /// What takes away what it brought, by the answer that it got.
    pub(super) fn undone(&self, answer: &str) -> Option<Self> {
        match self {
            Self::Register(_) => Some(Self::Deregister(answer.into())),
            Self::Run(request) => Some(Self::Stop {
                cluster: request.cluster.clone(),
                task: answer.into(),
                reason: "somebody else".into(),
            }),
            _ => None,
        }
    }
}

/// Weights the other way round; if that is the same, one is larger.
fn spoiled(shares: &[(String, u32)]) -> Vec<(String, u32)> {
    let weights = shares.iter().rev().map(|(_, weight)| *weight);
    let groups = shares.iter().map(|(group, _)| group.clone());
    let mut wrong: Vec<(String, u32)> = groups.zip(weights).collect();
    if wrong == shares
        && let Some((_, weight)) = wrong.first_mut()
    {
        *weight += 1;
    }
    wrong
}

/// Another value, of the same kind.
fn spoil(set: &mut RecordSet) {
    let wrong = match &*set.kind.0 {
        "A" => "192.0.2.254",
        "AAAA" => "2001:db8::254",
        "CNAME" | "NS" | "PTR" => "wrong.example.net",
        "TXT" => "\"wrong\"",
        _ => {
            set.ttl = set.ttl.map(|ttl| ttl + 1);
            return;
        }
    };
    set.values = vec![wrong.into()];
    if set.alias.take().is_some() {
        set.ttl = Some(60);
    }
}
