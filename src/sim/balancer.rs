//! Load balancers and their target groups: whose health is what, who may get requests, and counts by the minute. Which
//! group takes a request is in `rule`.
//!
//! Whoever checks health tells [`TargetGroup::checked`] what it saw: the sandbox really asks, a rehearsal predicts.

use super::common::Common;
use super::file::CheckFile;
use super::rule::ListenerRule;
use super::world::World;
use crate::plan::Timestamp;
use crate::port::dns::Name;
use std::{collections::BTreeMap, net::Ipv4Addr, ops::Range, time::Duration};

/// The zone id of load balancers in eu-west-1; any will do elsewhere.
pub const BALANCER_ZONE: &str = "Z32O12XQLNTSW2";

/// A load balancer.
#[derive(Clone, Debug)]
pub struct Balancer {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The name that its address is under.
    pub dns_name: Name,
    /// Its address.
    pub address: Ipv4Addr,
    /// How long a client may keep a connection.
    pub keep_alive: Duration,
    /// How long a connection may be idle.
    pub idle_timeout: Duration,
    /// The rules of its listeners: of each the one that goes first, first.
    pub rules: Common<Vec<ListenerRule>>,
    /// Requests by minute.
    pub counts: Common<BTreeMap<u64, Counts>>,
}

impl Balancer {
    /// Whether its address is under this name. `dualstack.` is how consoles write alias targets; it names the same load balancer.
    pub(super) fn is_called(&self, name: &Name) -> bool {
        let name = name.as_str();
        self.dns_name.as_str() == name.strip_prefix("dualstack.").unwrap_or(name)
    }
}

/// What a load balancer counted in one minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// All requests.
    pub requests: u64,
    /// Answers of targets by class: 2XX, 3XX, 4XX, 5XX.
    pub targets: [u64; 4],
    /// 5XX of its own: no healthy target, or one that did not answer.
    pub own_5xx: u64,
    /// Connections to targets that failed.
    pub connection_errors: u64,
    /// How long targets took, in milliseconds, and how many in a row took so long.
    pub took: Common<Vec<(u32, u64)>>,
    /// New connections of clients.
    pub connections: u64,
    /// The most connections that were open at once.
    pub active: u64,
}

/// A target group.
#[derive(Clone, Debug)]
pub struct TargetGroup {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The name of its load balancer.
    pub balancer: String,
    /// Where targets listen.
    pub port: u16,
    /// How they are checked.
    pub check: CheckFile,
    /// By the id of the task.
    pub targets: BTreeMap<String, Target>,
    /// Hosts: from which minute on there were so many at each minute's end.
    pub hosts: Common<Vec<(u64, Hosts)>>,
    /// Requests by minute.
    pub counts: Common<BTreeMap<u64, Counts>>,
}

/// How many hosts were what, at the end of a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Healthy.
    pub healthy: u32,
    /// Not healthy.
    pub unhealthy: u32,
}

/// A target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it listens.
    pub address: Ipv4Addr,
    /// What is thought of it.
    pub state: Health,
    /// Requests come to it, if it is well; else only if nobody else is there.
    pub sent: bool,
    /// How many checks in a row said the opposite of `state` (or, at first, yes).
    pub streak: u32,
    /// Why it is not healthy: `Target.ResponseCodeMismatch`.
    pub reason: Option<&'static str>,
    /// When it is next checked.
    pub next_check: Timestamp,
}

impl Target {
    /// Its state, the reason, and the words for it, as the service tells; `used`: its load balancer stands.
    #[must_use]
    pub fn told(&self, used: bool) -> (&'static str, Option<&'static str>, &'static str) {
        if !used {
            let words = "Target group is not configured to receive traffic from the load balancer";
            return ("unused", Some("Target.NotInUse"), words);
        }
        let (reason, words) = match self.state {
            Health::Initial => (Some("Elb.RegistrationInProgress"), "Target registration is in progress"),
            Health::Healthy => (None, ""),
            Health::Unhealthy => (self.reason, "Health checks failed"),
            Health::Draining(_) => {
                (Some("Target.DeregistrationInProgress"), "Target deregistration is in progress")
            }
        };
        (self.state.word(), reason, words)
    }
}

/// What is thought of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Not yet known.
    Initial,
    /// Gets requests.
    Healthy,
    /// Gets none.
    Unhealthy,
    /// Leaves at this moment; gets no new requests.
    Draining(Timestamp),
}

impl Health {
    /// As the service writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Draining(_) => "draining",
        }
    }
}

/// What a health check saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// 2XX.
    Passed,
    /// Another status.
    Status,
    /// No answer in time.
    Timeout,
    /// Nobody listens.
    Refused,
}

impl TargetGroup {
    /// Takes what a health check saw.
    pub fn checked(&mut self, task: &str, check: Check, now: Timestamp) {
        let (healthy, unhealthy, every) = (self.check.healthy, self.check.unhealthy, self.check.every.0);
        let Some(target) = self.targets.get_mut(task) else { return };
        target.next_check = now.after(every.max(Duration::from_millis(1)));
        let passed = check == Check::Passed;
        match (target.state, passed) {
            (Health::Draining(_), _) => {}
            (Health::Healthy, true) | (Health::Unhealthy, false) => target.streak = 0,
            (Health::Initial | Health::Unhealthy, true) => {
                target.streak += 1;
                // The first check that passes makes a new target healthy at once, as the service does.
                if target.streak >= healthy || target.state == Health::Initial {
                    (target.state, target.streak, target.reason) = (Health::Healthy, 0, None);
                }
            }
            (Health::Healthy | Health::Initial, false) => {
                target.streak += 1;
                if target.streak >= unhealthy {
                    (target.state, target.streak) = (Health::Unhealthy, 0);
                }
            }
        }
        if !passed {
            target.reason = Some(match check {
                Check::Timeout => "Target.Timeout",
                Check::Refused => "Target.FailedHealthChecks",
                Check::Status | Check::Passed => "Target.ResponseCodeMismatch",
            });
        }
    }

    /// Who may get a request.
    #[must_use]
    pub fn candidates(&self) -> Vec<&String> {
        let open = self.open_to();
        self.targets.iter().filter(|(_, target)| open(target)).map(|(id, _)| id).collect()
    }

    /// Which targets may get a request: the healthy ones that requests should come to, else those that are healthy; if there
    /// are none, all that are not leaving ("fail open").
    pub(super) fn open_to(&self) -> fn(&Target) -> bool {
        let any = |which: fn(&Target) -> bool| self.targets.values().any(which);
        let ways: [fn(&Target) -> bool; 2] = [
            |target| target.sent && target.state == Health::Healthy,
            |target| target.state == Health::Healthy,
        ];
        let open = ways.into_iter().find(|which| any(*which));
        open.unwrap_or(|target| !matches!(target.state, Health::Draining(_)))
    }

    /// The hosts at the end of each of these minutes, as far as there were any.
    pub fn hosts_by_minute(&self, minutes: Range<u64>) -> impl Iterator<Item = (u64, Hosts)> + '_ {
        let ends = self.hosts.iter().skip(1).map(|(minute, _)| *minute).chain([u64::MAX]);
        self.hosts.iter().zip(ends).flat_map(move |(&(first, hosts), end)| {
            (first.max(minutes.start)..end.min(minutes.end)).map(move |minute| (minute, hosts))
        })
    }

    /// How many are what, now.
    #[must_use]
    pub fn hosts_now(&self) -> Hosts {
        let mut hosts = Hosts::default();
        for target in self.targets.values() {
            match target.state {
                Health::Healthy => hosts.healthy += 1,
                Health::Unhealthy | Health::Initial => hosts.unhealthy += 1,
                Health::Draining(_) => {}
            }
        }
        hosts
    }
}

/// One request, as the load balancer counted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A target answered.
    Answered {
        /// Its status.
        status: u16,
        /// How long it took, in milliseconds.
        took: u32,
    },
    /// There was nobody to ask: 503.
    Nobody,
    /// The target could not be reached, or did not answer: 502, 504.
    Failed,
}

impl Counts {
    /// Counts one request.
    pub fn add(&mut self, outcome: Outcome) {
        self.add_many(outcome, 1);
    }

    /// Counts requests that all ended the same.
    pub fn add_many(&mut self, outcome: Outcome, times: u64) {
        self.requests += times;
        match outcome {
            Outcome::Answered { status, took } => {
                if let Some(class) = usize::from(status / 100).checked_sub(2).filter(|c| *c < 4) {
                    self.targets[class] += times;
                }
                match self.took.last().copied() {
                    Some((last, _)) if last == took => {
                        let place = self.took.len() - 1;
                        self.took[place].1 += times;
                    }
                    _ => self.took.push((took, times)),
                }
            }
            Outcome::Nobody => self.own_5xx += times,
            Outcome::Failed => {
                self.own_5xx += times;
                self.connection_errors += times;
            }
        }
    }
}

impl World {
    /// Whether Route 53 counts a load balancer as healthy, by its DNS name: each of its target groups that has targets has one
    /// that is healthy, and there is such a group. Developer guide, "Evaluate target health". One that is gone is not.
    #[must_use]
    pub fn is_balancer_healthy(&self, name: &Name) -> bool {
        let Some(found) = self.balancers.values().find(|balancer| balancer.is_called(name)) else {
            return false;
        };
        let groups = self.groups.values().filter(|group| group.balancer == found.name);
        let mut filled = groups.map(TargetGroup::hosts_now).filter(|hosts| *hosts != Hosts::default());
        let Some(first) = filled.next() else { return false };
        first.healthy > 0 && filled.all(|hosts| hosts.healthy > 0)
    }

    /// Notes for each group how many hosts are what from this minute on, where that changed.
    pub(super) fn note_hosts(&mut self, now: Timestamp) {
        let changed = |g: &TargetGroup| g.hosts.last().is_none_or(|(_, hosts)| *hosts != g.hosts_now());
        if !self.groups.values().any(changed) {
            return;
        }
        for group in self.groups.values_mut().filter(|g| changed(g)) {
            let hosts = group.hosts_now();
            match group.hosts.last().copied() {
                Some((last, _)) if last == minute(now) => {
                    let place = group.hosts.len() - 1;
                    group.hosts[place].1 = hosts;
                }
                _ => group.hosts.push((minute(now), hosts)),
            }
        }
    }

    /// A request to a load balancer is over: it is counted there, and for the group that took it.
    pub fn count(&mut self, balancer: &str, group: Option<&str>, outcome: Outcome, now: Timestamp) {
        if let Some(balancer) = self.balancers.get_mut(balancer) {
            balancer.counts.entry(minute(now)).or_default().add(outcome);
        }
        if let Some(group) = group.and_then(|group| self.groups.get_mut(group)) {
            group.counts.entry(minute(now)).or_default().add(outcome);
        }
    }
}

/// The minute that a moment is in, since the epoch.
#[must_use]
pub fn minute(now: Timestamp) -> u64 {
    now.0 / 60_000
}
