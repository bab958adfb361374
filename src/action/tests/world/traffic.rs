//! Load balancers, their rules and their attributes.

use super::World;
use crate::port::{
    Attributes, Listener, LoadBalancer, Owner, ReadTraffic, Rule, RuleAction, TargetHealth, WriteTraffic,
};
use crate::run::Fault;
use async_trait::async_trait;

#[async_trait]
impl ReadTraffic for World {
    async fn load_balancer(&self, name: &str) -> Result<Option<LoadBalancer>, Fault> {
        Ok(self.asked()?.balancers.iter().find(|b| b.name == name).cloned())
    }
    async fn target_groups(&self, _: &str) -> Result<Vec<String>, Fault> {
        Ok(self.asked()?.groups.clone())
    }
    async fn target_health(&self, group: &str) -> Result<Option<Vec<TargetHealth>>, Fault> {
        let state = self.asked()?;
        if group == "none" || state.deleted.iter().any(|deleted| deleted == group) {
            return Ok(None);
        }
        let healthy = state.healthy.get(group).copied().unwrap_or(2);
        let one = |n: usize| TargetHealth {
            id: format!("10.0.0.{n}:80"),
            state: if n < healthy { "healthy" } else { "unhealthy" }.into(),
            reason: (n >= healthy).then(|| "Target.Timeout".into()),
        };
        Ok(Some((0..2).map(one).collect()))
    }
    async fn target_group(&self, name: &str) -> Result<Option<String>, Fault> {
        Ok((name != "none").then(|| target_group(name)))
    }
    async fn listeners(&self, _: &str) -> Result<Vec<Listener>, Fault> {
        let one = |port: u16| Listener { arn: format!("arn:listener/{port}"), port };
        Ok([443, 80].map(one).to_vec())
    }
    async fn rules(&self, listener: &str) -> Result<Vec<Rule>, Fault> {
        Ok(self.state().rules.iter().filter(|rule| rule.listener == listener).cloned().collect())
    }
    async fn rule(&self, arn: &str) -> Result<Option<Rule>, Fault> {
        Ok(self.state().rules.iter().find(|rule| rule.arn == arn).cloned())
    }
    async fn attributes(&self, owner: Owner, arn: &str) -> Result<Option<Attributes>, Fault> {
        Ok(self.asked()?.attributes.get(&(owner, arn.to_owned())).cloned())
    }
}

/// The ARN of a target group.
pub(in crate::action::tests) fn target_group(name: &str) -> String {
    format!("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{name}/1")
}

#[async_trait]
impl WriteTraffic for World {
    async fn set_actions(&self, rule: &Rule, actions: &[RuleAction]) -> Result<(), Fault> {
        let arn = rule.arn.clone();
        self.written(format!("set {arn}"), |state| {
            let found = state.rules.iter_mut().find(|rule| rule.arn == arn).unwrap();
            found.actions = actions.to_vec();
        })
    }
    async fn set_attributes(&self, owner: Owner, arn: &str, attributes: &Attributes) -> Result<(), Fault> {
        let told: Vec<String> =
            attributes.iter().map(|(attribute, value)| format!("{attribute}={}", value.as_secs())).collect();
        self.written(format!("set {arn} {}", told.join(" ")), |state| {
            let found = state.attributes.get_mut(&(owner, arn.to_owned())).unwrap();
            found.extend(attributes.iter().map(|(attribute, value)| (*attribute, *value)));
        })
    }
}
