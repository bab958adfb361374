//! Rules of load balancers: which of them takes a request, among which target groups it deals requests, and who changes
//! that.
//!
//! Each listener has rules of its own. That a client sticks to a group is kept and told, and nobody acts by it here.

use super::balancer::Balancer;
use super::compute::Refusal;
use super::file::RuleFile;
use super::world::World;
use crate::plan::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Where load balancers listen: in place of these the sandbox has other ports.
pub const LISTENERS: [(u16, &str); 2] = [(443, "HTTPS"), (80, "HTTP")];
/// The largest weight.
const MOST: u32 = 999;
/// How many target groups one rule may have.
const GROUPS: usize = 5;
/// 2^32 divided by the golden ratio: multiples of it are spread evenly.
const GOLDEN: u64 = 2_654_435_769;
/// Between the priorities of rules that state none.
const APART: u32 = 10;

/// A rule of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerRule {
    /// Its ARN.
    pub arn: String,
    /// The ARN of its listener.
    pub listener: String,
    /// Where that listens.
    pub port: u16,
    /// The lowest goes first; `None`: what no other rule takes.
    pub priority: Option<u32>,
    /// Paths that it takes.
    pub paths: Vec<String>,
    /// Names of target groups, and their weights.
    pub shares: Vec<(String, u32)>,
    /// For how long a client sticks to a group.
    pub sticks: Option<Duration>,
}

/// What the service of a target group says of the rule that it is in.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) paths: Vec<String>,
    pub(super) priority: Option<u32>,
    pub(super) weight: Option<u32>,
}

impl ListenerRule {
    fn takes(&self, path: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == pattern,
        };
        self.priority.is_none() || self.paths.iter().any(fits)
    }

    /// The group whose turn it is: over many turns, each has its part of them, and they alternate.
    #[must_use]
    pub fn turn(&self, turn: u64) -> Option<&str> {
        if let [(only, weight)] = &self.shares[..] {
            return (*weight > 0).then_some(only);
        }
        let all: u64 = self.shares.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut left = ((turn.wrapping_mul(GOLDEN) & 0xffff_ffff) * all) >> 32;
        for (group, weight) in &self.shares {
            if left < u64::from(*weight) {
                return Some(group);
            }
            left -= u64::from(*weight);
        }
        None
    }

    /// What people call it: `aep-prod:443 default`.
    pub(super) fn named(&self, balancer: &str) -> String {
        match self.priority {
            Some(priority) => format!("{balancer}:{} {priority}", self.port),
            None => format!("{balancer}:{} default", self.port),
        }
    }

    /// How it deals, in words that compare.
    #[must_use]
    pub fn dealt(&self) -> String {
        let mut shares: Vec<String> =
            self.shares.iter().map(|(group, weight)| format!("{group}={weight}")).collect();
        shares.sort();
        if let Some(sticks) = self.sticks {
            shares.push(format!("sticks for {}", crate::plan::format_duration(sticks)));
        }
        shares.join(" ")
    }
}

impl Balancer {
    /// The rule that takes a path.
    pub(super) fn taker(&self, port: u16, path: &str) -> Option<&ListenerRule> {
        self.rules.iter().find(|rule| rule.port == port && rule.takes(path))
    }
}

/// The rules of a load balancer, by what the services say whose target groups are behind it, in order of their names.
pub(super) fn rules_of(balancer: &str, places: &BTreeMap<String, Place>) -> Vec<ListenerRule> {
    let base = balancer.replacen(":loadbalancer/", ":listener/", 1);
    let mut all = Vec::new();
    for (port, _) in LISTENERS {
        let listener = format!("{base}/{port}");
        let mut own: Vec<ListenerRule> = Vec::new();
        for (group, place) in places {
            let default = place.paths.is_empty();
            if let Some(known) = own.iter_mut().find(|rule| rule.paths == place.paths) {
                known.shares.push((group.clone(), place.weight.unwrap_or(0)));
                known.priority = if default { None } else { place.priority.or(known.priority) };
                continue;
            }
            let next = own.iter().filter_map(|rule| rule.priority).max().unwrap_or(0) + APART;
            let priority = (!default).then(|| place.priority.unwrap_or(next));
            own.push(ListenerRule {
                arn: String::new(),
                listener: listener.clone(),
                port,
                priority,
                paths: place.paths.clone(),
                shares: vec![(group.clone(), place.weight.unwrap_or(1))],
                sticks: None,
            });
        }
        // A listener always has a default, if only to refuse.
        if !own.is_empty() && own.iter().all(|rule| rule.priority.is_some()) {
            let (arn, listener) = (String::new(), listener.clone());
            let (paths, shares) = (Vec::new(), Vec::new());
            own.push(ListenerRule { arn, listener, port, priority: None, paths, shares, sticks: None });
        }
        own.sort_by_key(|rule| rule.priority.unwrap_or(u32::MAX));
        for rule in &mut own {
            let id = rule.priority.map_or_else(|| "default".to_owned(), |priority| priority.to_string());
            rule.arn = format!("{}/{id}", listener.replacen(":listener/", ":listener-rule/", 1));
        }
        all.extend(own);
    }
    all
}

impl World {
    /// The target group that takes a request, and the target in it whose turn it is.
    #[must_use]
    pub fn choose(
        &self,
        balancer: &str,
        port: u16,
        path: &str,
        turn: usize,
    ) -> (Option<String>, Option<String>) {
        let rule = self.balancers.get(balancer).and_then(|found| found.taker(port, path));
        let turns = u64::try_from(turn).unwrap_or(0);
        let Some(group) = rule.and_then(|rule| self.groups.get(rule.turn(turns)?)) else {
            return (None, None);
        };
        let candidates = group.candidates();
        let target = (!candidates.is_empty()).then(|| candidates[turn % candidates.len()].clone());
        (Some(group.name.clone()), target)
    }

    /// A rule by its ARN.
    ///
    /// # Errors
    /// There is none.
    pub fn rule(&self, arn: &str) -> Result<&ListenerRule, Refusal> {
        let mut all = self.balancers.values().flat_map(|balancer| &balancer.rules);
        all.find(|rule| rule.arn == arn)
            .ok_or_else(|| Refusal::new("RuleNotFound", format!("One or more rules not found: '{arn}'")))
    }

    /// All rules of a listener, by its ARN.
    ///
    /// # Errors
    /// There is no such listener.
    pub fn rules(&self, listener: &str) -> Result<Vec<&ListenerRule>, Refusal> {
        let all = self.balancers.values().flat_map(|balancer| &balancer.rules);
        let own: Vec<&ListenerRule> = all.filter(|rule| rule.listener == listener).collect();
        if own.is_empty() {
            let text = format!("One or more listeners not found: '{listener}'");
            return Err(Refusal::new("ListenerNotFound", text));
        }
        Ok(own)
    }

    /// Has a rule deal requests among these target groups, by their ARNs. `default`: the caller means the default rule.
    ///
    /// # Errors
    /// There is no such rule or group, or there may be no such rule.
    pub fn deal(
        &mut self,
        arn: &str,
        default: bool,
        shares: &[(String, u32)],
        sticks: Option<Duration>,
        now: Timestamp,
    ) -> Result<&ListenerRule, Refusal> {
        let rule = self.rule(arn)?;
        if rule.priority.is_none() != default {
            return Err(Refusal::new(
                "OperationNotPermitted",
                format!("Default rule '{arn}' cannot be modified"),
            ));
        }
        if shares.is_empty() || shares.iter().any(|(_, weight)| *weight > MOST) {
            let text =
                format!("A forward action needs target groups, each with a weight between 0 and {MOST}");
            return Err(Refusal::new("ValidationError", text));
        }
        if shares.len() > GROUPS {
            return Err(Refusal::new(
                "TooManyTargetGroups",
                format!("A rule has at most {GROUPS} target groups"),
            ));
        }
        let owner = self.balancers.values().find(|balancer| balancer.rules.iter().any(|r| r.arn == arn));
        let owner = owner.map(|balancer| balancer.name.clone()).unwrap_or_default();
        let mut named = Vec::new();
        for (group, weight) in shares {
            let found = self.groups.values().find(|known| known.arn == *group).ok_or_else(|| {
                Refusal::new("TargetGroupNotFound", format!("One or more target groups not found: '{group}'"))
            })?;
            if found.balancer != owner {
                let text = format!(
                    "The following target groups cannot be associated with more than one load balancer: {group}"
                );
                return Err(Refusal::new("TargetGroupAssociationLimit", text));
            }
            named.push((found.name.clone(), *weight));
        }
        self.put_shares(&owner, arn, named, sticks, now);
        self.rule(arn)
    }

    fn put_shares(
        &mut self,
        balancer: &str,
        arn: &str,
        shares: Vec<(String, u32)>,
        sticks: Option<Duration>,
        now: Timestamp,
    ) {
        let Some(found) = self.balancers.get_mut(balancer) else { return };
        let Some(rule) = found.rules.iter_mut().find(|rule| rule.arn == arn) else { return };
        let before = rule.dealt();
        (rule.shares, rule.sticks) = (shares, sticks);
        let (place, what) = (format!("rule {}", rule.named(balancer)), rule.dealt());
        if what != before {
            self.ledger.note(now, place, what);
        }
    }

    /// Somebody else changes a rule.
    pub(super) fn foreign_rule(&mut self, file: &RuleFile, now: Timestamp) -> Result<(), Refusal> {
        let missing =
            || Refusal::new("RuleNotFound", format!("there is no such rule of `{}`", file.load_balancer));
        let balancer = self.balancers.get(&file.load_balancer).ok_or_else(missing)?;
        let own = |rule: &&super::ListenerRule| rule.port == file.port && rule.priority == file.priority;
        let rule = balancer.rules.iter().find(own).ok_or_else(missing)?;
        let (arn, sticks) = (rule.arn.clone(), rule.sticks);
        let arn_of =
            |name: &String| self.groups.get(name).map_or_else(|| name.clone(), |group| group.arn.clone());
        let shares: Vec<(String, u32)> =
            file.weights.iter().map(|(group, weight)| (arn_of(group), *weight)).collect();
        self.deal(&arn, file.priority.is_none(), &shares, sticks, now).map(drop)
    }

    /// All rules, by what people call them.
    pub(super) fn all_rules(&self) -> impl Iterator<Item = (String, &ListenerRule)> {
        self.balancers
            .values()
            .flat_map(|balancer| balancer.rules.iter().map(|rule| (rule.named(&balancer.name), rule)))
    }
}
