//! `alb.error_rate`: answers of a load balancer that say that a server failed, of all its answers. Who was given none, since it
//! had no room for another connection, counts as if one had been that.

use super::balancer::{Counted, ENOUGH, MINUTE};
use super::{Condition, Measured, Memory, Signal, minutes};
use crate::plan::{Fields, Timestamp};
use crate::port::need::Need;
use crate::port::{Metric, Reads, Series};
use crate::run::Fault;
use std::time::Duration;

/// Errors of a load balancer.
#[derive(Clone, Debug)]
pub(super) struct ErrorRate(Counted);

/// Each answer is one of these: by a target, or by the load balancer itself where no target answered. `RequestCount` is
/// not their sum: it leaves out what was refused before a target was chosen, so that nobody would be seen to fail where no
/// target is left. A connection to a target that fails is answered 5xx by the load balancer, and so is in here.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
const ANSWERS: [&str; 6] = [
    "HTTPCode_Target_5XX_Count",
    "HTTPCode_ELB_5XX_Count",
    "RejectedConnectionCount",
    "HTTPCode_Target_2XX_Count",
    "HTTPCode_Target_3XX_Count",
    "HTTPCode_Target_4XX_Count",
];
/// So many of them are errors.
const ERRORS: usize = 3;
/// Which of them tells of connections.
const REJECTED: usize = 2;

#[async_trait::async_trait]
impl Signal for ErrorRate {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        Counted::decode(fields).map(Self)
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
        &["value", "errors", "samples"]
    }

    fn counts() -> bool {
        true
    }

    fn needs_traffic(&self) -> bool {
        true
    }

    fn needs(&self, _: &Condition) -> Vec<Need> {
        vec![self.0.balancer.need(false)]
    }

    async fn measure(&self, reads: &Reads<'_>, since: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let Some(span) = self.0.window(reads, since) else {
            return Ok(Measured::too_early("no whole minute has been counted yet"));
        };
        let balancer = self.0.balancer.find(reads).await?;
        let answers = ANSWERS.map(|name| balancer.metric(name, "Sum", MINUTE, span));
        let asked: Vec<Metric> = answers.into_iter().chain(balancer.hosts(span)).collect();
        let all = balancer.series(reads, &asked).await?;
        let measured = measured(all.get(..ANSWERS.len()).unwrap_or(&all));
        Ok(self.0.judged(measured, minutes::reported(&all), span))
    }
}

fn measured(series: &[Series]) -> Measured {
    let points = series.get(REJECTED).into_iter().flat_map(|series| &series.points);
    let rejected: f64 = points.map(|point| point.value).sum();
    minutes::measured(series, ERRORS, "errors", |errors, all| {
        if rejected > 0.0 {
            let answered = errors - rejected;
            return format!(
                "{errors} of {all} failed: {answered} answers were 5xx, {rejected} connections refused"
            );
        }
        format!("{errors} of {all} answers were 5xx")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Point;
    use crate::signal::Count;

    fn series(counts: [&[f64]; 6]) -> Vec<Series> {
        let points = |counts: &[f64]| counts.iter().map(|&value| Point { at: Timestamp(0), value }).collect();
        counts.map(|counts| Series { points: points(counts), complete: true }).into()
    }

    #[test]
    fn errors_of_targets_and_of_the_balancer_count() {
        let some = measured(&series([&[1.0, 2.0], &[3.0], &[], &[40.0, 50.0], &[], &[4.0]]));
        assert_eq!((some.value, some.samples), (Some(0.06), 100));
        assert_eq!(some.text, "6 of 100 answers were 5xx");
        let Count { until, bad, all } = some.counts[0];
        assert_eq!((until, bad, all), (Timestamp(60_000), 6, 100));
        let no_target_left = measured(&series([&[], &[7.0], &[], &[], &[], &[]]));
        assert_eq!(no_target_left.value, Some(1.0));
        let no_room = measured(&series([&[], &[1.0], &[4.0], &[95.0], &[], &[]]));
        assert_eq!((no_room.value, no_room.samples), (Some(0.05), 100));
        assert_eq!(no_room.text, "5 of 100 failed: 1 answers were 5xx, 4 connections refused");
    }

    #[test]
    fn silence_and_parts_have_no_rate() {
        assert_eq!(measured(&series([&[]; 6])).value, None);
        let mut part = series([&[], &[], &[], &[9.0], &[], &[]]);
        part[0].complete = false;
        assert_eq!((measured(&part).value, measured(&part).samples), (None, 0));
    }
}
