//! Elastic Load Balancing: load balancers, the health of their targets, and the rules of their listeners.

mod attributes;
mod shape;

use super::account::{Account, Changing};
use super::call::{self, Class, Failure};
use crate::adapter::budgets::Service;
use crate::port::{
    Attribute, Attributes, Listener, LoadBalancer, Owner, ReadTraffic, Rule, RuleAction, TargetHealth,
    WriteTraffic,
};
use crate::run::Fault;
use async_trait::async_trait;

#[async_trait]
impl ReadTraffic for Account {
    async fn load_balancer(&self, name: &str) -> Result<Option<LoadBalancer>, Fault> {
        let unseen = self.unseen("elbv2 DescribeLoadBalancers", name);
        let client = self.elbv2().await.map_err(&unseen)?;
        let ask = |watch| client.describe_load_balancers().names(name).customize().interceptor(watch).send();
        let answer = match call::read(self, Service::Elb, ask).await {
            Err(failure) if failure.code.as_deref() == Some("LoadBalancerNotFound") => return Ok(None),
            answer => answer.map_err(&unseen)?,
        };
        let Some(found) = answer.load_balancers.unwrap_or_default().into_iter().next() else {
            return Ok(None);
        };
        let arn = found.load_balancer_arn.unwrap_or_default();
        let Some(attributes) = attributes::of_balancer(self, &arn, name).await? else { return Ok(None) };
        let told =
            |attribute: Attribute| attributes.get(&attribute).copied().unwrap_or_else(|| attribute.usual());
        Ok(Some(LoadBalancer {
            name: found.load_balancer_name.unwrap_or_default(),
            dns_name: found.dns_name.unwrap_or_default(),
            zone_id: found.canonical_hosted_zone_id.unwrap_or_default(),
            keep_alive: told(Attribute::ClientKeepAlive),
            idle_timeout: told(Attribute::IdleTimeout),
            arn,
        }))
    }

    async fn target_groups(&self, load_balancer: &str) -> Result<Vec<String>, Fault> {
        let unseen = self.unseen("elbv2 DescribeTargetGroups", load_balancer);
        let client = self.elbv2().await.map_err(&unseen)?;
        let (mut found, mut next) = (Vec::new(), None::<String>);
        loop {
            let ask = |watch| {
                client
                    .describe_target_groups()
                    .load_balancer_arn(load_balancer)
                    .set_marker(next.clone())
                    .customize()
                    .interceptor(watch)
                    .send()
            };
            let page = call::read(self, Service::Elb, ask).await.map_err(&unseen)?;
            let groups = page.target_groups.unwrap_or_default();
            found.extend(groups.into_iter().filter_map(|group| group.target_group_arn));
            match page.next_marker.filter(|marker| !marker.is_empty()) {
                Some(marker) => next = Some(marker),
                None => return Ok(found),
            }
        }
    }

    async fn target_health(&self, group: &str) -> Result<Option<Vec<TargetHealth>>, Fault> {
        let unseen = self.unseen("elbv2 DescribeTargetHealth", group);
        let client = self.elbv2().await.map_err(&unseen)?;
        let ask = |watch| {
            client.describe_target_health().target_group_arn(group).customize().interceptor(watch).send()
        };
        let answer = match call::read(self, Service::Elb, ask).await {
            Err(failure) if failure.code.as_deref() == Some("TargetGroupNotFound") => return Ok(None),
            answer => answer.map_err(&unseen)?,
        };
        let descriptions = answer.target_health_descriptions.unwrap_or_default();
        let told = descriptions.into_iter().map(|found| {
            let (target, health) = (found.target, found.target_health);
            let id = target.as_ref().and_then(|target| target.id.clone()).unwrap_or_default();
            let port =
                target.and_then(|target| target.port).map(|port| format!(":{port}")).unwrap_or_default();
            let state = health.as_ref().and_then(|health| health.state.clone());
            let reason = health.and_then(|health| {
                let words = [health.reason.map(|reason| reason.as_str().to_owned()), health.description];
                let words: Vec<String> = words.into_iter().flatten().collect();
                (!words.is_empty()).then(|| words.join(": "))
            });
            TargetHealth {
                id: format!("{id}{port}"),
                state: state.map_or_else(|| "unavailable".into(), |state| state.as_str().to_owned()),
                reason,
            }
        });
        Ok(Some(told.collect()))
    }

    async fn target_group(&self, name: &str) -> Result<Option<String>, Fault> {
        let unseen = self.unseen("elbv2 DescribeTargetGroups", name);
        let client = self.elbv2().await.map_err(&unseen)?;
        let ask = |watch| client.describe_target_groups().names(name).customize().interceptor(watch).send();
        let answer = match call::read(self, Service::Elb, ask).await {
            Err(failure) if failure.code.as_deref() == Some("TargetGroupNotFound") => return Ok(None),
            answer => answer.map_err(&unseen)?,
        };
        Ok(answer.target_groups.unwrap_or_default().into_iter().find_map(|group| group.target_group_arn))
    }

    async fn listeners(&self, load_balancer: &str) -> Result<Vec<Listener>, Fault> {
        let unseen = self.unseen("elbv2 DescribeListeners", load_balancer);
        let client = self.elbv2().await.map_err(&unseen)?;
        let (mut found, mut next) = (Vec::new(), None::<String>);
        loop {
            let ask = |watch| {
                client
                    .describe_listeners()
                    .load_balancer_arn(load_balancer)
                    .set_marker(next.clone())
                    .customize()
                    .interceptor(watch)
                    .send()
            };
            let page = call::read(self, Service::Elb, ask).await.map_err(&unseen)?;
            found.extend(page.listeners.unwrap_or_default().into_iter().filter_map(shape::listener));
            match page.next_marker.filter(|marker| !marker.is_empty()) {
                Some(marker) => next = Some(marker),
                None => return Ok(found),
            }
        }
    }

    async fn rules(&self, listener: &str) -> Result<Vec<Rule>, Fault> {
        let unseen = self.unseen("elbv2 DescribeRules", listener);
        let client = self.elbv2().await.map_err(&unseen)?;
        let (mut found, mut next) = (Vec::new(), None::<String>);
        loop {
            let ask = |watch| {
                client
                    .describe_rules()
                    .listener_arn(listener)
                    .set_marker(next.clone())
                    .customize()
                    .interceptor(watch)
                    .send()
            };
            let page = call::read(self, Service::Elb, ask).await.map_err(&unseen)?;
            found.extend(page.rules.unwrap_or_default().into_iter().map(shape::rule));
            match page.next_marker.filter(|marker| !marker.is_empty()) {
                Some(marker) => next = Some(marker),
                None => return Ok(found),
            }
        }
    }

    async fn rule(&self, arn: &str) -> Result<Option<Rule>, Fault> {
        let unseen = self.unseen("elbv2 DescribeRules", arn);
        let client = self.elbv2().await.map_err(&unseen)?;
        let ask = |watch| client.describe_rules().rule_arns(arn).customize().interceptor(watch).send();
        let answer = match call::read(self, Service::Elb, ask).await {
            Err(failure) if failure.code.as_deref() == Some("RuleNotFound") => return Ok(None),
            answer => answer.map_err(&unseen)?,
        };
        Ok(answer.rules.unwrap_or_default().into_iter().next().map(shape::rule))
    }

    async fn attributes(&self, owner: Owner, arn: &str) -> Result<Option<Attributes>, Fault> {
        match owner {
            Owner::LoadBalancer => attributes::of_balancer(self, arn, arn).await,
            Owner::TargetGroup => attributes::of_group(self, arn).await,
        }
    }
}

#[async_trait]
impl WriteTraffic for Changing {
    async fn set_actions(&self, rule: &Rule, actions: &[RuleAction]) -> Result<(), Fault> {
        let account = &*self.account;
        let operation = if rule.priority.is_some() { "elbv2 ModifyRule" } else { "elbv2 ModifyListener" };
        let unwritten = account.unwritten(operation, &rule.arn);
        let actions = shape::actions(actions)
            .map_err(|text| unwritten(Failure { class: Class::Unsent, code: None, text }))?;
        let client = account.elbv2().await.map_err(&unwritten)?;
        // The default rule of a listener is changed with the listener, and by nothing else.
        if rule.priority.is_none() {
            let send = |watch| {
                client
                    .modify_listener()
                    .listener_arn(&rule.listener)
                    .set_default_actions(Some(actions.clone()))
                    .customize()
                    .interceptor(watch)
                    .send()
            };
            return call::write(account, Service::Elb, self.until, send).await.map(drop).map_err(&unwritten);
        }
        let send = |watch| {
            client
                .modify_rule()
                .rule_arn(&rule.arn)
                .set_actions(Some(actions.clone()))
                .customize()
                .interceptor(watch)
                .send()
        };
        call::write(account, Service::Elb, self.until, send).await.map(drop).map_err(&unwritten)
    }

    async fn set_attributes(&self, owner: Owner, arn: &str, attributes: &Attributes) -> Result<(), Fault> {
        match owner {
            Owner::LoadBalancer => attributes::set_of_balancer(self, arn, attributes).await,
            Owner::TargetGroup => attributes::set_of_group(self, arn, attributes).await,
        }
    }
}
