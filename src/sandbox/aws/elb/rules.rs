//! Listeners and their rules: what they forward to, and how callers change that. Rules of this world forward and do nothing
//! else.

use super::super::super::serve::Answer;
use super::super::{Call, query};
use super::{Form, NAMESPACE, by_arn};
use crate::plan::Timestamp;
use crate::sim::{LISTENERS, ListenerRule, Refusal, World};
use crate::xml::Writer;
use std::time::Duration;

pub(super) fn listeners(world: &World, call: &Call, form: &Form) -> Result<Answer, Refusal> {
    let arns = query::members(form, "ListenerArns");
    let balancers: Vec<&crate::sim::Balancer> = match query::value(form, "LoadBalancerArn") {
        Some(_) => vec![by_arn(world, form)?],
        None => world.balancers.values().collect(),
    };
    Ok(query::result(call, NAMESPACE, |w| {
        w.element("Listeners", |w| {
            for balancer in balancers {
                let base = balancer.arn.replace(":loadbalancer/", ":listener/");
                for (port, protocol) in LISTENERS {
                    let arn = format!("{base}/{port}");
                    if arns.is_empty() || arns.contains(&arn) {
                        let default = |rule: &&ListenerRule| rule.listener == arn && rule.priority.is_none();
                        let rule = balancer.rules.iter().find(default);
                        write_listener(w, world, (&arn, &balancer.arn), (port, protocol), rule);
                    }
                }
            }
        });
    }))
}

fn write_listener(
    w: &mut Writer,
    world: &World,
    (arn, balancer): (&str, &str),
    (port, protocol): (u16, &str),
    rule: Option<&ListenerRule>,
) {
    w.element("member", |w| {
        w.text("ListenerArn", arn).text("LoadBalancerArn", balancer);
        w.text("Port", &port.to_string()).text("Protocol", protocol);
        w.element("DefaultActions", |w| {
            if let Some(rule) = rule {
                write_action(w, world, rule);
            }
        });
    });
}

pub(super) fn described(world: &World, call: &Call, form: &Form) -> Result<Answer, Refusal> {
    let arns = query::members(form, "RuleArns");
    let chosen: Vec<&ListenerRule> = match query::value(form, "ListenerArn") {
        Some(listener) => world.rules(listener)?,
        None => arns.iter().map(|arn| world.rule(arn)).collect::<Result<_, _>>()?,
    };
    Ok(query::result(call, NAMESPACE, |w| {
        w.element("Rules", |w| chosen.iter().for_each(|rule| write_rule(w, world, rule)));
    }))
}

fn write_rule(w: &mut Writer, world: &World, rule: &ListenerRule) {
    let priority = rule.priority.map_or_else(|| "default".to_owned(), |priority| priority.to_string());
    w.element("member", |w| {
        w.text("RuleArn", &rule.arn).text("Priority", &priority);
        w.text("IsDefault", if rule.priority.is_none() { "true" } else { "false" });
        w.element("Conditions", |w| {
            if !rule.paths.is_empty() {
                w.element("member", |w| {
                    w.text("Field", "path-pattern");
                    for list in ["Values", "PathPatternConfig"] {
                        w.element(list, |w| write_paths(w, list, &rule.paths));
                    }
                });
            }
        });
        w.element("Actions", |w| write_action(w, world, rule));
    });
}

/// The same paths stand in two places.
fn write_paths(w: &mut Writer, list: &str, paths: &[String]) {
    let all = |w: &mut Writer| {
        for path in paths {
            w.text("member", path);
        }
    };
    if list == "Values" {
        return all(w);
    }
    w.element("Values", all);
}

fn write_action(w: &mut Writer, world: &World, rule: &ListenerRule) {
    let arn = |name: &str| world.groups.get(name).map_or("", |group| &*group.arn);
    w.element("member", |w| {
        w.text("Type", "forward").text("Order", "1");
        if let [(only, _)] = &rule.shares[..] {
            w.text("TargetGroupArn", arn(only));
        }
        w.element("ForwardConfig", |w| {
            w.element("TargetGroups", |w| {
                for (group, weight) in &rule.shares {
                    w.element("member", |w| {
                        w.text("TargetGroupArn", arn(group)).text("Weight", &weight.to_string());
                    });
                }
            });
            w.element("TargetGroupStickinessConfig", |w| {
                w.text("Enabled", if rule.sticks.is_some() { "true" } else { "false" });
                if let Some(sticks) = rule.sticks {
                    w.text("DurationSeconds", &sticks.as_secs().to_string());
                }
            });
        });
    });
}

pub(super) fn modify_rule(
    world: &mut World,
    call: &Call,
    form: &Form,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let arn = query::value(form, "RuleArn").unwrap_or_default().to_owned();
    let (shares, sticks) = forward(form, "Actions")?;
    world.deal(&arn, false, &shares, sticks, now)?;
    let rule = world.rule(&arn)?;
    Ok(query::result(call, NAMESPACE, |w| {
        w.element("Rules", |w| write_rule(w, world, rule));
    }))
}

pub(super) fn modify_listener(
    world: &mut World,
    call: &Call,
    form: &Form,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let listener = query::value(form, "ListenerArn").unwrap_or_default().to_owned();
    let (shares, sticks) = forward(form, "DefaultActions")?;
    let default = world.rules(&listener)?.into_iter().find(|rule| rule.priority.is_none());
    let arn = default.map(|rule| rule.arn.clone()).unwrap_or_default();
    world.deal(&arn, true, &shares, sticks, now)?;
    let rule = world.rule(&arn)?;
    let protocol = LISTENERS.iter().find(|(port, _)| *port == rule.port).map_or("HTTP", |(_, name)| name);
    let balancer =
        listener.rsplit_once('/').map_or("", |(base, _)| base).replace(":listener/", ":loadbalancer/");
    Ok(query::result(call, NAMESPACE, |w| {
        w.element("Listeners", |w| {
            write_listener(w, world, (&listener, &balancer), (rule.port, protocol), Some(rule));
        });
    }))
}

/// Target groups by ARN with their weights, and for how long clients stick to one.
type Dealt = (Vec<(String, u32)>, Option<Duration>);

/// The one action that a caller may ask for here.
fn forward(form: &Form, list: &str) -> Result<Dealt, Refusal> {
    let invalid = |text: String| Refusal::new("ValidationError", text);
    let field = |rest: &str| query::value(form, &format!("{list}.member.1.{rest}"));
    let kind = field("Type").unwrap_or_default();
    if kind != "forward" || query::value(form, &format!("{list}.member.2.Type")).is_some() {
        return Err(invalid(format!("rules of this world do one thing, `forward`; asked for was `{kind}`")));
    }
    let mut shares = Vec::new();
    for place in 1.. {
        let start = format!("ForwardConfig.TargetGroups.member.{place}");
        let Some(group) = field(&format!("{start}.TargetGroupArn")) else { break };
        let weight = field(&format!("{start}.Weight")).unwrap_or("1");
        let weight = weight.parse().map_err(|_| invalid(format!("`{weight}` is not a weight")))?;
        shares.push((group.to_owned(), weight));
    }
    if shares.is_empty() {
        shares.extend(field("TargetGroupArn").map(|group| (group.to_owned(), 1)));
    }
    let start = "ForwardConfig.TargetGroupStickinessConfig";
    let sticks = field(&format!("{start}.Enabled")) == Some("true");
    let seconds = field(&format!("{start}.DurationSeconds")).and_then(|seconds| seconds.parse().ok());
    if sticks && seconds.is_none() {
        return Err(invalid("stickiness of target groups needs DurationSeconds".into()));
    }
    Ok((shares, seconds.filter(|_| sticks).map(Duration::from_secs)))
}
