//! `alb.requests`: how many requests a load balancer takes a minute. That there are none is seen too, where its hosts are
//! reported.

use super::balancer::{Counted, MINUTE, REQUESTS, current};
use super::{Condition, Measured, Memory, Signal};
use crate::plan::{Fields, Timestamp};
use crate::port::Reads;
use crate::port::need::Need;
use crate::run::Fault;
use std::time::Duration;

/// Requests of a load balancer.
#[derive(Clone, Debug)]
pub(super) struct Requests(Counted);

#[async_trait::async_trait]
impl Signal for Requests {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        Counted::decode(fields).map(Self)
    }

    fn period(&self) -> Duration {
        MINUTE
    }

    fn costs() -> &'static str {
        "Every 1m. The load balancer is found by DescribeLoadBalancers, DescribeLoadBalancerAttributes and \
         DescribeTargetGroups, its counts by GetMetricData. They come one to three minutes late. Each minute is a \
         sample, and one is enough."
    }

    fn names() -> &'static [&'static str] {
        &["value", "samples"]
    }

    fn needs(&self, _: &Condition) -> Vec<Need> {
        vec![self.0.balancer.need(false)]
    }

    async fn measure(&self, reads: &Reads<'_>, since: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let Some(window) = self.0.window(reads, since) else {
            return Ok(Measured::too_early("no whole minute has been counted yet"));
        };
        let minutes = self.0.balancer.find(reads).await?.minutes(reads, [REQUESTS], window).await?;
        let known: Vec<f64> = minutes.iter().filter_map(|(_, [count])| *count).collect();
        let reported = minutes.iter().rev().find_map(|(at, [count])| count.map(|_| *at));
        let measured = Measured { counted: Some(window.1), ..measured(&known, minutes.len()) };
        Ok(current(measured, reported, window.1))
    }
}

/// One sample is one minute.
fn measured(known: &[f64], minutes: usize) -> Measured {
    let Ok(count @ 1..) = u32::try_from(known.len()) else {
        return Measured::nothing("neither requests nor hosts were reported");
    };
    let rate = known.iter().sum::<f64>() / f64::from(count);
    Measured {
        value: Some(rate),
        named: [("samples", f64::from(count))].into(),
        samples: count.into(),
        text: format!("{rate:.1} requests a minute in {count} of {minutes} minutes"),
        ..Measured::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_not_zero() {
        let some = measured(&[0.0, 30.0], 3);
        assert_eq!((some.value, some.samples), (Some(15.0), 2));
        assert_eq!(some.text, "15.0 requests a minute in 2 of 3 minutes");
        assert_eq!((measured(&[], 3).value, measured(&[], 3).samples), (None, 0));
    }
}
