//! Load balancers of the world, the health of what stands behind them, and the rules by which requests are dealt.

use super::call::{Account, Call};
use super::compute::Changing;
use crate::port::{
    Attributes, Does, Forward, Listener, LoadBalancer, Owner, ReadTraffic, Rule, RuleAction, Share,
    TargetHealth, WriteTraffic,
};
use crate::run::Fault;
use crate::sim::write::Write;
use crate::sim::{BALANCER_ZONE, Balancer, ListenerRule, Refusal, World};
use async_trait::async_trait;
use std::fmt::{self, Display};

fn look<'a>(operation: &'static str, resource: &'a (dyn Display + Sync)) -> Call<'a> {
    Call { service: "elasticloadbalancing", operation, resource, writes: false }
}

fn by_arn<'a>(world: &'a World, arn: &str) -> Result<&'a Balancer, Refusal> {
    let missing = || Refusal::new("LoadBalancerNotFound", format!("Load balancer '{arn}' not found"));
    world.balancers.values().find(|balancer| balancer.arn == arn).ok_or_else(missing)
}

#[async_trait]
impl ReadTraffic for Account {
    async fn load_balancer(&self, name: &str) -> Result<Option<LoadBalancer>, Fault> {
        let call = look("DescribeLoadBalancers", &name);
        let looking = self.read(call, |world, _| {
            let missing =
                || Refusal::new("LoadBalancerNotFound", format!("Load balancer '{name}' not found"));
            world.balancers.get(name).map(|found| found.arn.clone()).ok_or_else(missing)
        });
        let arn = match looking.await {
            Ok(arn) => arn,
            Err(failure) if failure.code == "LoadBalancerNotFound" => return Ok(None),
            Err(failure) => return Err(failure.fault(&call)),
        };
        let looking = self.look(look("DescribeLoadBalancerAttributes", &arn), |world, _| {
            let found = by_arn(world, &arn)?;
            Ok(LoadBalancer {
                arn: found.arn.clone(),
                name: found.name.clone(),
                dns_name: found.dns_name.to_string(),
                zone_id: BALANCER_ZONE.into(),
                keep_alive: found.keep_alive,
                idle_timeout: found.idle_timeout,
            })
        });
        looking.await.map(Some)
    }

    async fn target_groups(&self, load_balancer: &str) -> Result<Vec<String>, Fault> {
        let looking = self.look(look("DescribeTargetGroups", &load_balancer), |world, _| {
            let name = &by_arn(world, load_balancer)?.name;
            let own = world.groups.values().filter(|group| group.balancer == *name);
            Ok(own.map(|group| group.arn.clone()).collect())
        });
        looking.await
    }

    async fn target_health(&self, group: &str) -> Result<Option<Vec<TargetHealth>>, Fault> {
        let call = look("DescribeTargetHealth", &group);
        let looking = self.read(call, |world, _| {
            let found = world.groups.values().find(|known| known.arn == group);
            let missing = || Refusal::new("TargetGroupNotFound", "One or more target groups not found");
            let found = found.ok_or_else(missing)?;
            let used = world.balancers.contains_key(&found.balancer);
            let told = found.targets.values().map(|target| {
                let (state, reason, words) = target.told(used);
                TargetHealth {
                    id: format!("{}:{}", target.address, found.port),
                    state: state.into(),
                    reason: reason.map(|reason| format!("{reason}: {words}")),
                }
            });
            Ok(told.collect())
        });
        match looking.await {
            Ok(targets) => Ok(Some(targets)),
            Err(failure) if failure.code == "TargetGroupNotFound" => Ok(None),
            Err(failure) => Err(failure.fault(&call)),
        }
    }

    async fn target_group(&self, name: &str) -> Result<Option<String>, Fault> {
        let call = look("DescribeTargetGroups", &name);
        let looking = self.read(call, |world, _| {
            let missing = || Refusal::new("TargetGroupNotFound", "One or more target groups not found");
            world.groups.get(name).map(|found| found.arn.clone()).ok_or_else(missing)
        });
        match looking.await {
            Ok(arn) => Ok(Some(arn)),
            Err(failure) if failure.code == "TargetGroupNotFound" => Ok(None),
            Err(failure) => Err(failure.fault(&call)),
        }
    }

    async fn listeners(&self, load_balancer: &str) -> Result<Vec<Listener>, Fault> {
        let looking = self.look(look("DescribeListeners", &load_balancer), |world, _| {
            let mut all: Vec<Listener> = Vec::new();
            for rule in &by_arn(world, load_balancer)?.rules {
                if all.iter().all(|known| known.arn != rule.listener) {
                    all.push(Listener { arn: rule.listener.clone(), port: rule.port });
                }
            }
            Ok(all)
        });
        looking.await
    }

    async fn rules(&self, listener: &str) -> Result<Vec<Rule>, Fault> {
        let looking = self.look(look("DescribeRules", &listener), |world, _| {
            Ok(world.rules(listener)?.into_iter().map(|rule| rule_of(world, rule)).collect())
        });
        looking.await
    }

    async fn rule(&self, arn: &str) -> Result<Option<Rule>, Fault> {
        let call = look("DescribeRules", &arn);
        match self.read(call, |world, _| world.rule(arn).map(|rule| rule_of(world, rule))).await {
            Ok(rule) => Ok(Some(rule)),
            Err(failure) if failure.code == "RuleNotFound" => Ok(None),
            Err(failure) => Err(failure.fault(&call)),
        }
    }

    async fn attributes(&self, owner: Owner, arn: &str) -> Result<Option<Attributes>, Fault> {
        let (operation, missing) = match owner {
            Owner::LoadBalancer => ("DescribeLoadBalancerAttributes", "LoadBalancerNotFound"),
            Owner::TargetGroup => ("DescribeTargetGroupAttributes", "TargetGroupNotFound"),
        };
        let call = look(operation, &arn);
        match self.read(call, |world, _| world.attributes(owner, arn)).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.code == missing => Ok(None),
            Err(failure) => Err(failure.fault(&call)),
        }
    }
}

fn rule_of(world: &World, rule: &ListenerRule) -> Rule {
    let share = |(name, weight): &(String, u32)| {
        Some(Share { group: world.groups.get(name)?.arn.clone(), weight: *weight })
    };
    let groups = rule.shares.iter().filter_map(share).collect();
    let paths = (!rule.paths.is_empty()).then(|| format!("path-pattern {}", rule.paths.join(" or ")));
    let does = Does::Forward(Forward { groups, sticks: rule.sticks });
    Rule {
        arn: rule.arn.clone(),
        listener: rule.listener.clone(),
        priority: rule.priority,
        conditions: paths.into_iter().collect(),
        actions: vec![RuleAction { order: Some(1), does }],
    }
}

#[async_trait]
impl WriteTraffic for Changing {
    async fn set_actions(&self, rule: &Rule, actions: &[RuleAction]) -> Result<(), Fault> {
        let [RuleAction { does: Does::Forward(forward), .. }] = actions else {
            return Err(Fault::permanent("rules of this world forward, and do nothing else"));
        };
        let operation = if rule.priority.is_some() { "ModifyRule" } else { "ModifyListener" };
        let resource = fmt::from_fn(|f| {
            write!(f, "{} to", rule.arn)?;
            forward.groups.iter().try_for_each(|share| write!(f, " {}={}", share.group, share.weight))
        });
        let dealing = Write::Deal {
            rule: rule.arn.clone(),
            default: rule.priority.is_none(),
            shares: forward.groups.iter().map(|share| (share.group.clone(), share.weight)).collect(),
            sticks: forward.sticks,
        };
        let call = Call { writes: true, ..look(operation, &resource) };
        self.account.write(call, self.until, dealing).await.map(drop).map_err(|failure| failure.fault(&call))
    }

    async fn set_attributes(&self, owner: Owner, arn: &str, attributes: &Attributes) -> Result<(), Fault> {
        let operation = match owner {
            Owner::LoadBalancer => "ModifyLoadBalancerAttributes",
            Owner::TargetGroup => "ModifyTargetGroupAttributes",
        };
        let resource = fmt::from_fn(|f| {
            write!(f, "{arn} to")?;
            attributes.iter().try_for_each(|(attribute, value)| write!(f, " {attribute}={}", value.as_secs()))
        });
        let setting = Write::SetAttributes { owner, arn: arn.to_owned(), values: attributes.clone() };
        let call = Call { writes: true, ..look(operation, &resource) };
        self.account.write(call, self.until, setting).await.map(drop).map_err(|failure| failure.fault(&call))
    }
}
