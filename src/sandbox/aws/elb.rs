//! Load balancers as AWS's query protocol tells of them: themselves, their attributes, target groups, the health of targets,
//! listeners and their rules.

mod attributes;
mod rules;

use super::super::serve::Answer;
use super::{Call, query, unknown};
use crate::plan::Timestamp;
use crate::port::Owner;
use crate::sim::{BALANCER_ZONE, Balancer, Refusal, TargetGroup, World};
use crate::xml::Writer;

pub(super) const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

pub(super) fn perform(world: &mut World, call: &Call, now: Timestamp) -> Result<Answer, Refusal> {
    let form = query::form(call);
    match call.operation.as_str() {
        "DescribeLoadBalancers" => balancers(world, call, &form),
        "DescribeLoadBalancerAttributes" => attributes::described(world, call, &form, Owner::LoadBalancer),
        "DescribeTargetGroupAttributes" => attributes::described(world, call, &form, Owner::TargetGroup),
        "ModifyLoadBalancerAttributes" => attributes::modify(world, call, &form, Owner::LoadBalancer, now),
        "ModifyTargetGroupAttributes" => attributes::modify(world, call, &form, Owner::TargetGroup, now),
        "DescribeTargetGroups" => groups(world, call, &form),
        "DescribeTargetHealth" => health(world, call, &form),
        "DescribeListeners" => rules::listeners(world, call, &form),
        "DescribeRules" => rules::described(world, call, &form),
        "ModifyRule" => rules::modify_rule(world, call, &form, now),
        "ModifyListener" => rules::modify_listener(world, call, &form, now),
        _ => Err(unknown(call)),
    }
}

type Form = [(String, String)];

fn no_balancer(names: &[String]) -> Refusal {
    let message = format!("Load balancers '[{}]' not found", names.join(", "));
    Refusal::new("LoadBalancerNotFound", message)
}

fn by_arn<'a>(world: &'a World, form: &Form) -> Result<&'a Balancer, Refusal> {
    let arn = query::value(form, "LoadBalancerArn").unwrap_or_default();
    let found = world.balancers.values().find(|b| b.arn == arn);
    found.ok_or_else(|| no_balancer(&[arn.to_owned()]))
}

fn balancers(world: &World, call: &Call, form: &Form) -> Result<Answer, Refusal> {
    let (names, arns) = (query::members(form, "Names"), query::members(form, "LoadBalancerArns"));
    let all: Vec<&Balancer> = world.balancers.values().collect();
    let chosen: Vec<&Balancer> = if names.is_empty() && arns.is_empty() {
        all
    } else {
        let missing = |n: &&String| !all.iter().any(|b| b.name == **n || b.arn == **n);
        let absent: Vec<String> = names.iter().chain(&arns).filter(missing).cloned().collect();
        if !absent.is_empty() {
            return Err(no_balancer(&absent));
        }
        all.into_iter().filter(|b| names.contains(&b.name) || arns.contains(&b.arn)).collect()
    };
    Ok(query::result(call, NAMESPACE, |w| {
        w.element("LoadBalancers", |w| chosen.iter().for_each(|b| write_balancer(w, b)));
    }))
}

fn write_balancer(w: &mut Writer, balancer: &Balancer) {
    w.element("member", |w| {
        w.text("LoadBalancerArn", &balancer.arn).text("DNSName", balancer.dns_name.as_str());
        w.text("CanonicalHostedZoneId", BALANCER_ZONE).text("LoadBalancerName", &balancer.name);
        w.text("CreatedTime", "2026-01-05T08:00:00.000Z").text("Scheme", "internet-facing");
        w.text("VpcId", "vpc-0a1b2c3d4e5f60718").text("Type", "application").text("IpAddressType", "ipv4");
        w.element("State", |w| {
            w.text("Code", "active");
        });
        w.element("AvailabilityZones", |w| {
            for zone in ["a", "b"] {
                w.element("member", |w| {
                    w.text("ZoneName", &format!("eu-west-1{zone}"));
                    w.text("SubnetId", &format!("subnet-0a1b2c3d4e5f6071{zone}"));
                });
            }
        });
        w.element("SecurityGroups", |w| {
            w.text("member", "sg-0a1b2c3d4e5f60718");
        });
    });
}

fn groups(world: &World, call: &Call, form: &Form) -> Result<Answer, Refusal> {
    let (names, arns) = (query::members(form, "Names"), query::members(form, "TargetGroupArns"));
    let balancer = match query::value(form, "LoadBalancerArn") {
        Some(_) => Some(by_arn(world, form)?.name.clone()),
        None => None,
    };
    let chosen: Vec<&TargetGroup> = world
        .groups
        .values()
        .filter(|g| names.is_empty() || names.contains(&g.name))
        .filter(|g| arns.is_empty() || arns.contains(&g.arn))
        .filter(|g| balancer.as_ref().is_none_or(|b| g.balancer == *b))
        .collect();
    if chosen.is_empty() && balancer.is_none() {
        return Err(Refusal::new("TargetGroupNotFound", "One or more target groups not found"));
    }
    Ok(query::result(call, NAMESPACE, |w| {
        w.element("TargetGroups", |w| chosen.iter().for_each(|group| write_group(w, world, group)));
    }))
}

fn write_group(w: &mut Writer, world: &World, group: &TargetGroup) {
    let check = &group.check;
    w.element("member", |w| {
        w.text("TargetGroupArn", &group.arn).text("TargetGroupName", &group.name);
        w.text("Protocol", "HTTP").text("Port", &group.port.to_string());
        w.text("VpcId", "vpc-0a1b2c3d4e5f60718").text("HealthCheckProtocol", "HTTP");
        w.text("HealthCheckPort", "traffic-port").text("HealthCheckEnabled", "true");
        w.text("HealthCheckIntervalSeconds", &check.every.0.as_secs().to_string());
        w.text("HealthCheckTimeoutSeconds", "5");
        w.text("HealthyThresholdCount", &check.healthy.to_string());
        w.text("UnhealthyThresholdCount", &check.unhealthy.to_string());
        w.text("HealthCheckPath", &check.path).text("TargetType", "ip").text("IpAddressType", "ipv4");
        w.element("Matcher", |w| {
            w.text("HttpCode", "200-299");
        });
        w.element("LoadBalancerArns", |w| {
            if let Some(balancer) = world.balancers.get(&group.balancer) {
                w.text("member", &balancer.arn);
            }
        });
    });
}

fn health(world: &World, call: &Call, form: &Form) -> Result<Answer, Refusal> {
    let arn = query::value(form, "TargetGroupArn").unwrap_or_default();
    let group = world.groups.values().find(|g| g.arn == arn);
    let group =
        group.ok_or_else(|| Refusal::new("TargetGroupNotFound", "One or more target groups not found"))?;
    let used = world.balancers.contains_key(&group.balancer);
    Ok(query::result(call, NAMESPACE, |w| {
        w.element("TargetHealthDescriptions", |w| {
            for target in group.targets.values() {
                let (state, reason, words) = target.told(used);
                w.element("member", |w| {
                    w.element("Target", |w| {
                        w.text("Id", &target.address.to_string()).text("Port", &group.port.to_string());
                        w.text("AvailabilityZone", "eu-west-1a");
                    });
                    w.text("HealthCheckPort", &group.port.to_string());
                    w.element("TargetHealth", |w| {
                        w.text("State", state);
                        if let Some(reason) = reason {
                            w.text("Reason", reason).text("Description", words);
                        }
                    });
                });
            }
        });
    }))
}
