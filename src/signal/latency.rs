//! `alb.latency`: how long the targets of a load balancer took to answer.

use super::balancer::{MINUTE, Named, window};
use super::{Condition, Measured, Memory, Signal};
use crate::plan::{Code, Fields, Timestamp, duration, one_of};
use crate::port::need::Need;
use crate::port::{Reads, Series};
use crate::run::Fault;
use std::time::Duration;

/// Time that targets took.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    balancer: Named,
    statistic: &'static str,
    over: Duration,
}

/// Of `TargetResponseTime`: from when a request left the load balancer until the target began to answer.
const STATISTICS: &[(&str, &str)] =
    &[("average", "Average"), ("p50", "p50"), ("p90", "p90"), ("p95", "p95"), ("p99", "p99")];
/// Percentiles of several periods cannot be put together: the newest whole one is asked for.
const LONGEST: Duration = Duration::from_secs(3600);

#[async_trait::async_trait]
impl Signal for Latency {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let balancer = Named::decode(fields);
        let statistic = fields.or("statistic", one_of(STATISTICS), "p95", "of all answers of a period");
        let over = fields.or("over", duration(), MINUTE, "one period: whole minutes, at most an hour");
        if !over.as_millis().is_multiple_of(MINUTE.as_millis()) || over > LONGEST {
            let span = fields.span_of("over");
            let problem = fields.problems().error(Code("SW2003"), span, "`over` is one period of CloudWatch");
            problem.help("say whole minutes, at most an hour: `over: 1m`");
        }
        Some(Self { balancer: balancer?, statistic, over: over.max(MINUTE) })
    }

    fn period(&self) -> Duration {
        MINUTE
    }

    fn min_samples() -> u64 {
        20
    }

    fn costs() -> &'static str {
        "Every 1m. The load balancer is found by DescribeLoadBalancers, DescribeLoadBalancerAttributes and \
         DescribeTargetGroups, its counts by GetMetricData. They come one to three minutes late. Each answer is a \
         sample, and 20 are needed: of fewer, p95 is the slowest of them."
    }

    fn names() -> &'static [&'static str] {
        &["value", "samples"]
    }

    fn needs(&self, _: &Condition) -> Vec<Need> {
        vec![self.balancer.need(false)]
    }

    async fn measure(&self, reads: &Reads<'_>, since: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let Some(span) = window(reads.world.clock().now(), since, self.over, self.over) else {
            return Ok(Measured::too_early("no whole period has been counted yet"));
        };
        let balancer = self.balancer.find(reads).await?;
        let ask = |statistic| balancer.metric("TargetResponseTime", statistic, self.over, span);
        let series = balancer.series(reads, &[ask(self.statistic), ask("SampleCount")]).await?;
        Ok(Measured { counted: Some(span.1), ..measured(&series, self.statistic) })
    }
}

fn measured(series: &[Series], statistic: &str) -> Measured {
    if series.iter().any(|series| !series.complete) {
        return Measured::nothing("CloudWatch has not got this period whole");
    }
    let last = |series: &Series| series.points.last().map(|point| point.value);
    let (Some(seconds), Some(count)) = (series.first().and_then(last), series.get(1).and_then(last)) else {
        return Measured::nothing("no answers");
    };
    let millis = seconds * 1000.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, and positive")]
    let samples = count as u64;
    Measured {
        value: Some(millis),
        named: [("samples", count)].into(),
        samples,
        text: format!("{statistic} of {count} answers {millis:.0} ms"),
        ..Measured::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Point;

    fn series(value: Option<f64>, complete: bool) -> Series {
        Series {
            points: value.map(|value| Point { at: Timestamp(0), value }).into_iter().collect(),
            complete,
        }
    }

    #[test]
    fn seconds_become_milliseconds() {
        let some = measured(&[series(Some(0.25), true), series(Some(40.0), true)], "p95");
        assert_eq!((some.value, some.samples, &*some.text), (Some(250.0), 40, "p95 of 40 answers 250 ms"));
    }

    #[test]
    fn silence_and_parts_have_no_latency() {
        for (value, complete) in [(None, true), (Some(0.25), false)] {
            let none = measured(&[series(value, complete), series(Some(40.0), true)], "p95");
            assert_eq!((none.value, none.samples), (None, 0));
        }
    }
}
