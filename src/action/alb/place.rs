//! Where a shift takes place: a rule of a listener of a load balancer, found by what people call it.

use crate::plan::{Fields, Target, integer, target, text};
use crate::port::{Does, ReadTraffic, Reads, Rule};
use crate::run::Fault;
use crate::signal::balancer::load_balancer;
use std::sync::Arc;

/// A rule, as a plan names it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) target: Arc<Target>,
    pub(super) load_balancer: Arc<str>,
    pub(super) listener: u16,
    /// `None`: the default of the listener.
    pub(super) priority: Option<u32>,
}

/// A rule that was found, and what people should know of its neighbours.
pub(super) struct Found {
    pub(super) rule: Rule,
    /// Other rules that forward to target groups, by name, and to which.
    pub(super) others: Vec<(String, Vec<String>)>,
}

/// Actions that may stand before a forward, and that a rule can be given again as they are.
const KEPT: [&str; 3] = ["authenticate-oidc", "authenticate-cognito", "jwt-validation"];

impl Place {
    /// Reads where.
    pub(super) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["aws"]), "the account and region");
        let load_balancer = fields.required("load_balancer", text(), "the load balancer, by name");
        let listener = fields.or("listener", integer(1..=65_535), 443, "the port of its listener");
        let about = "the priority of the listener's rule; without it, the listener's default";
        let rule = fields.optional("rule", integer(1..=50_000), about);
        if rule.is_none() && fields.has("rule") {
            return None;
        }
        Some(Self {
            target: target?,
            load_balancer: load_balancer?,
            listener: u16::try_from(listener).ok()?,
            priority: rule.and_then(|priority| u32::try_from(priority).ok()),
        })
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        named(&self.load_balancer, self.listener, self.priority)
    }

    /// What only one run may write at once.
    pub(super) fn resource(&self) -> String {
        let rule = self.priority.map_or_else(|| "default".into(), |priority| priority.to_string());
        format!("alb:{}/{}/{}/{rule}", self.target.place(), self.load_balancer, self.listener)
    }

    /// The rule, which must be there and must deal requests.
    pub(super) async fn find(&self, reads: &Reads<'_>) -> Result<Found, Fault> {
        let traffic = reads.world.traffic(&self.target.name)?;
        let (balancer, target) = (&self.load_balancer, &self.target.name);
        let found = load_balancer(&*traffic, target, balancer).await?;
        let (mut own, mut others, mut ports) = (None, Vec::new(), Vec::new());
        for listener in traffic.listeners(&found.arn).await? {
            ports.push(listener.port.to_string());
            for rule in traffic.rules(&listener.arn).await? {
                if listener.port == self.listener && rule.priority == self.priority {
                    own = Some(rule);
                    continue;
                }
                let groups = rule.forward().into_iter().flat_map(|forward| &forward.groups);
                let groups: Vec<String> = groups.map(|share| share.group.clone()).collect();
                if !groups.is_empty() {
                    others.push((named(balancer, listener.port, rule.priority), groups));
                }
            }
        }
        if !ports.contains(&self.listener.to_string()) {
            return Err(Fault::permanent(format!(
                "{balancer} has no listener at port {}; there are {}",
                self.listener,
                ports.join(", ")
            )));
        }
        let rule = own.ok_or_else(|| Fault::permanent(format!("there is no {}", self.name())))?;
        self.usable(&rule)?;
        Ok(Found { rule, others })
    }

    /// It forwards, and whatever else it does can be kept.
    fn usable(&self, rule: &Rule) -> Result<(), Fault> {
        let kinds = rule.actions.iter().filter_map(|action| match &action.does {
            Does::Other(json) => Some(json["Type"].as_str().unwrap_or_default()),
            Does::Forward(_) => None,
        });
        let kinds: Vec<&str> = kinds.collect();
        if rule.forward().is_none_or(|forward| forward.groups.is_empty()) {
            let does = if kinds.is_empty() { "nothing".into() } else { kinds.join(", ") };
            return Err(Fault::permanent(format!(
                "{} does not forward to target groups: it does {does}",
                self.name()
            )));
        }
        match kinds.iter().find(|kind| !KEPT.contains(*kind)) {
            Some(kind) => Err(Fault::permanent(format!(
                "{} also does `{kind}`, and this version could not write that back as it is",
                self.name()
            ))),
            None => Ok(()),
        }
    }

    /// As it is now.
    pub(super) async fn again(&self, traffic: &dyn ReadTraffic, arn: &str) -> Result<Rule, Fault> {
        let gone = || Fault::foreign(format!("{} is gone: somebody deleted it", self.name()));
        traffic.rule(arn).await?.ok_or_else(gone)
    }
}

fn named(balancer: &str, port: u16, priority: Option<u32>) -> String {
    match priority {
        Some(priority) => format!("rule {priority} of {balancer}:{port}"),
        None => format!("the default rule of {balancer}:{port}"),
    }
}
