//! Attributes of load balancers and target groups: those that are spans of time are the world's, the others stand still.

use super::super::super::serve::Answer;
use super::super::{Call, query};
use super::{Form, NAMESPACE};
use crate::plan::Timestamp;
use crate::port::{Attribute, Attributes, Owner};
use crate::sim::{Refusal, World};
use std::time::Duration;

/// The parameter that names it.
fn arn(form: &Form, owner: Owner) -> &str {
    let name = match owner {
        Owner::LoadBalancer => "LoadBalancerArn",
        Owner::TargetGroup => "TargetGroupArn",
    };
    query::value(form, name).unwrap_or_default()
}

pub(super) fn described(world: &World, call: &Call, form: &Form, owner: Owner) -> Result<Answer, Refusal> {
    let others: &[(&str, &str)] = match owner {
        Owner::LoadBalancer => &[
            ("deletion_protection.enabled", "false"),
            ("access_logs.s3.enabled", "false"),
            ("routing.http2.enabled", "true"),
        ],
        Owner::TargetGroup => &[
            ("stickiness.enabled", "false"),
            ("load_balancing.algorithm.type", "round_robin"),
            ("slow_start.duration_seconds", "0"),
        ],
    };
    Ok(told(call, &world.attributes(owner, arn(form, owner))?, others))
}

pub(super) fn modify(
    world: &mut World,
    call: &Call,
    form: &Form,
    owner: Owner,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let mut wanted = Attributes::new();
    for place in 1.. {
        let field = |name: &str| query::value(form, &format!("Attributes.member.{place}.{name}"));
        let Some(key) = field("Key") else { break };
        let value = field("Value").unwrap_or_default();
        let known = Attribute::of_key(key).zip(value.parse().ok());
        let (attribute, seconds) = known.ok_or_else(|| {
            let text = format!("The value '{value}' is invalid for the attribute '{key}' of this world");
            Refusal::new("InvalidConfigurationRequest", text)
        })?;
        wanted.insert(attribute, Duration::from_secs(seconds));
    }
    let arn = arn(form, owner).to_owned();
    world.set_attributes(owner, &arn, &wanted, now)?;
    Ok(told(call, &wanted, &[]))
}

fn told(call: &Call, attributes: &Attributes, others: &[(&str, &str)]) -> Answer {
    query::result(call, NAMESPACE, |w| {
        w.element("Attributes", |w| {
            let own =
                attributes.iter().map(|(attribute, value)| (attribute.key(), value.as_secs().to_string()));
            let others = others.iter().map(|(key, value)| (*key, (*value).to_owned()));
            for (key, value) in own.chain(others) {
                w.element("member", |w| {
                    w.text("Key", key).text("Value", &value);
                });
            }
        });
    })
}
