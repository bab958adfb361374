//! `alb.unhealthy_hosts`: targets that a load balancer finds unhealthy now. They are asked for by themselves: the metric of
//! this name comes minutes later.

use super::balancer::Named;
use super::{Condition, Measured, Memory, Signal};
use crate::plan::{Fields, Timestamp};
use crate::port::need::Need;
use crate::port::{Reads, TargetHealth};
use crate::run::Fault;
use std::time::Duration;

/// Unhealthy targets.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    balancer: Named,
}

#[async_trait::async_trait]
impl Signal for Hosts {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self { balancer: Named::decode(fields)? })
    }

    fn period(&self) -> Duration {
        Duration::from_secs(15)
    }

    fn costs() -> &'static str {
        "Every 15s, and of this moment. The load balancer is found by DescribeLoadBalancers, \
         DescribeLoadBalancerAttributes and DescribeTargetGroups, its targets by DescribeTargetHealth, a call for \
         each group. Each target is a sample, and one is enough."
    }

    fn names() -> &'static [&'static str] {
        &["value", "healthy", "samples"]
    }

    fn needs(&self, _: &Condition) -> Vec<Need> {
        vec![self.balancer.need(false)]
    }

    async fn measure(&self, reads: &Reads<'_>, _: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let traffic = reads.world.traffic(&self.balancer.target().name)?;
        let balancer = self.balancer.find(reads).await?;
        let mut targets = Vec::new();
        for group in balancer.groups() {
            targets.extend(traffic.targets(group).await?);
        }
        Ok(measured(&targets))
    }
}

/// Who is draining or unused takes no requests, and is no evidence.
fn measured(targets: &[TargetHealth]) -> Measured {
    let count = |states: &[&str]| targets.iter().filter(|t| states.contains(&&*t.state)).count();
    let [healthy, unhealthy, arriving] =
        [&["healthy"][..], &["unhealthy", "unavailable"], &["initial"]].map(count);
    if healthy + unhealthy + arriving == 0 {
        return Measured::nothing("no targets");
    }
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let sick = targets.iter().find(|target| target.state == "unhealthy");
    let why = sick.map(|target| format!(": {} {}", target.id, target.reason.as_deref().unwrap_or_default()));
    let samples = healthy + unhealthy + arriving;
    Measured {
        value: Some(number(unhealthy)),
        named: [("healthy", number(healthy)), ("samples", number(samples))].into(),
        samples: samples as u64,
        text: format!("{unhealthy} of {samples} targets are unhealthy{}", why.unwrap_or_default()),
        ..Measured::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(states: &[&str]) -> Vec<TargetHealth> {
        let target =
            |state: &&str| TargetHealth { id: "10.0.0.1:80".into(), state: (*state).into(), reason: None };
        states.iter().map(target).collect()
    }

    #[test]
    fn who_takes_requests_is_counted() {
        let some =
            measured(&targets(&["healthy", "unhealthy", "initial", "draining", "unused", "unavailable"]));
        assert_eq!((some.value, some.named["healthy"], some.samples), (Some(2.0), 1.0, 4));
        assert!(some.text.starts_with("2 of 4 targets are unhealthy: 10.0.0.1:80"), "{}", some.text);
    }

    #[test]
    fn nobody_there_is_no_evidence() {
        for states in [&[][..], &["draining", "unhealthy.draining", "unused"]] {
            assert_eq!((measured(&targets(states)).value, measured(&targets(states)).samples), (None, 0));
        }
    }
}
