//! `alb.slow_rate`: answers of a load balancer's targets that took longer than a bound, of all their answers.
//!
//! A percentile says how slow the slowest are, and not how sure that is: the percentile of a few answers is any of them. Whether
//! an answer took longer than a bound is yes or no, so it is counted, minute by minute, and tested as errors are.
//! Not here: requests that no target answered. Those are errors.

use super::balancer::{Counted, ENOUGH, MINUTE};
use super::{Condition, Measured, Memory, Signal, minutes};
use crate::plan::{Fields, Timestamp, duration, format_duration};
use crate::port::need::Need;
use crate::port::{Metric, Reads, Series};
use crate::run::Fault;
use std::time::Duration;

/// Slow answers of a load balancer's targets.
#[derive(Clone, Debug)]
pub(super) struct SlowRate {
    counted: Counted,
    bound: Duration,
}

#[async_trait::async_trait]
impl Signal for SlowRate {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let counted = Counted::decode(fields);
        let about = "an answer that took longer is slow: from when a request left the load balancer until the target began to answer";
        let bound = fields.required("slower_than", duration(), about);
        Some(Self { counted: counted?, bound: bound? })
    }

    fn period(&self) -> Duration {
        MINUTE
    }

    fn min_samples() -> u64 {
        ENOUGH
    }

    fn costs() -> &'static str {
        "Every 1m. The load balancer is found by DescribeLoadBalancers, DescribeLoadBalancerAttributes and \
         DescribeTargetGroups, its counts by GetMetricData. They come one to three minutes late. Each answer is a \
         sample, and 50 are needed."
    }

    fn names() -> &'static [&'static str] {
        &["value", "slow", "samples"]
    }

    fn counts() -> bool {
        true
    }

    fn needs_traffic(&self) -> bool {
        true
    }

    fn needs(&self, _: &Condition) -> Vec<Need> {
        vec![self.counted.balancer.need(false)]
    }

    async fn measure(&self, reads: &Reads<'_>, since: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let Some(span) = self.counted.window(reads, since) else {
            return Ok(Measured::too_early("no whole minute has been counted yet"));
        };
        let balancer = self.counted.balancer.find(reads).await?;
        let sides = self.statistics();
        let counts = sides.iter().map(|side| balancer.metric("TargetResponseTime", side, MINUTE, span));
        let asked: Vec<Metric> = counts.chain(balancer.hosts(span)).collect();
        let all = balancer.series(reads, &asked).await?;
        let measured = self.measured(all.get(..sides.len()).unwrap_or(&all));
        Ok(self.counted.judged(measured, minutes::reported(&all), span))
    }
}

impl SlowRate {
    /// Above the bound, and up to it: trimmed counts leave out their lower bound, and hold their upper one.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>
    fn statistics(&self) -> [String; 2] {
        let seconds = self.bound.as_secs_f64();
        [format!("TC({seconds}:)"), format!("TC(:{seconds})")]
    }

    fn measured(&self, series: &[Series]) -> Measured {
        let bound = format_duration(self.bound);
        minutes::measured(series, 1, "slow", |slow, all| {
            format!("{slow} of {all} answers took longer than {bound}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Known, Problems, Span, Target, Value};
    use crate::port::Point;
    use crate::signal::Count;
    use serde_json::json;
    use std::sync::Arc;

    fn bound(bound: &str) -> SlowRate {
        let with = Value::from_json(&json!({}), Span::default());
        let target = Arc::new(Target { name: "prod".into(), kind: "aws".into(), with });
        let known = Known { targets: vec![target], ..Known::default() };
        let with = json!({"load_balancer": "new", "in": "prod", "slower_than": bound});
        let (value, mut problems) = (Value::from_json(&with, Span::default()), Problems::default());
        SlowRate::decode(&mut Fields::new(&value, &known, &mut problems)).unwrap()
    }

    fn series(counts: &[f64]) -> Series {
        let point = |(minute, value): (u64, &f64)| Point { at: Timestamp(minute * 60_000), value: *value };
        Series { points: (0..).zip(counts).map(point).collect(), complete: true }
    }

    #[test]
    fn a_bound_is_told_in_seconds() {
        assert_eq!(bound("500ms").statistics(), ["TC(0.5:)", "TC(:0.5)"]);
        assert_eq!(bound("2s").statistics(), ["TC(2:)", "TC(:2)"]);
    }

    #[test]
    fn slow_answers_are_a_share_of_all() {
        let some = bound("500ms").measured(&[series(&[1.0, 2.0]), series(&[39.0, 18.0])]);
        assert_eq!((some.value, some.samples), (Some(0.05), 60));
        assert_eq!(some.text, "3 of 60 answers took longer than 500ms");
        let second = Count { until: Timestamp(120_000), bad: 2, all: 20 };
        assert_eq!(some.counts[1], second);
        assert_eq!(bound("1s").measured(&[series(&[9.0]), series(&[])]).value, Some(1.0));
    }

    #[test]
    fn silence_and_parts_have_no_share() {
        assert_eq!(bound("1s").measured(&[series(&[]), series(&[])]).value, None);
        let part = Series { complete: false, ..series(&[9.0]) };
        assert_eq!(bound("1s").measured(&[series(&[]), part]).samples, 0);
    }
}
