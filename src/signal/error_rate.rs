//! `alb.error_rate`: answers of a load balancer that say that a server failed, of all its answers.

use super::balancer::{Counted, MINUTE, current};
use super::{Condition, Count, Measured, Memory, Signal};
use crate::plan::{Fields, Timestamp};
use crate::port::need::Need;
use crate::port::{Metric, Reads, Series};
use crate::run::Fault;
use std::{collections::BTreeMap, time::Duration};

/// Errors of a load balancer.
#[derive(Clone, Debug)]
pub(super) struct ErrorRate(Counted);

/// Each answer is one of these: by a target, or by the load balancer itself where no target answered. `RequestCount` is
/// not their sum: it leaves out what was refused before a target was chosen, so that nobody would be seen to fail where no
/// target is left.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
const ANSWERS: [&str; 5] = [
    "HTTPCode_Target_5XX_Count",
    "HTTPCode_ELB_5XX_Count",
    "HTTPCode_Target_2XX_Count",
    "HTTPCode_Target_3XX_Count",
    "HTTPCode_Target_4XX_Count",
];
/// So many of them are errors.
const ERRORS: usize = 2;

#[async_trait::async_trait]
impl Signal for ErrorRate {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        Counted::decode(fields).map(Self)
    }

    fn period(&self) -> Duration {
        MINUTE
    }

    fn costs() -> &'static str {
        "Every 1m. The load balancer is found by DescribeLoadBalancers, DescribeLoadBalancerAttributes and \
         DescribeTargetGroups, its counts by GetMetricData. They come one to three minutes late. Each answer is a \
         sample."
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
        let reported = all.iter().flat_map(|series| &series.points).map(|point| point.at).max();
        let measured = measured(all.get(..ANSWERS.len()).unwrap_or(&all));
        Ok(current(Measured { counted: Some(span.1), ..measured }, reported, span.1))
    }
}

/// What each minute counted.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, and positive")]
fn minutes(series: &[Series]) -> Vec<Count> {
    let mut minutes: BTreeMap<Timestamp, (f64, f64)> = BTreeMap::new();
    for (place, series) in series.iter().enumerate() {
        for point in &series.points {
            let (bad, all) = minutes.entry(point.at).or_default();
            *all += point.value;
            *bad += if place < ERRORS { point.value } else { 0.0 };
        }
    }
    let count = |(at, (bad, all)): (Timestamp, (f64, f64))| Count {
        until: at.after(MINUTE),
        bad: bad as u64,
        all: all as u64,
    };
    minutes.into_iter().map(count).collect()
}

/// A count that is missing is zero where any of them was reported; where none was, there were no answers.
fn measured(series: &[Series]) -> Measured {
    if series.iter().any(|series| !series.complete) {
        return Measured::nothing("CloudWatch has not got these minutes whole");
    }
    let sum = |series: &[Series]| {
        series.iter().flat_map(|series| &series.points).fold(0.0, |sum, point| sum + point.value)
    };
    let (errors, all) = (sum(&series[..ERRORS.min(series.len())]), sum(series));
    if all <= 0.0 {
        return Measured::nothing("no answers");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, and positive")]
    let samples = all as u64;
    Measured {
        value: Some(errors / all),
        named: [("errors", errors), ("samples", all)].into(),
        samples,
        counts: minutes(series),
        text: format!("{errors} of {all} answers were 5xx"),
        ..Measured::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Point;

    fn series(counts: [&[f64]; 5]) -> Vec<Series> {
        let points = |counts: &[f64]| counts.iter().map(|&value| Point { at: Timestamp(0), value }).collect();
        counts.map(|counts| Series { points: points(counts), complete: true }).into()
    }

    #[test]
    fn errors_of_targets_and_of_the_balancer_count() {
        let some = measured(&series([&[1.0, 2.0], &[3.0], &[40.0, 50.0], &[], &[4.0]]));
        assert_eq!((some.value, some.samples), (Some(0.06), 100));
        assert_eq!(some.text, "6 of 100 answers were 5xx");
        let Count { until, bad, all } = some.counts[0];
        assert_eq!((until, bad, all), (Timestamp(60_000), 6, 100));
        let no_target_left = measured(&series([&[], &[7.0], &[], &[], &[]]));
        assert_eq!(no_target_left.value, Some(1.0));
    }

    #[test]
    fn silence_and_parts_have_no_rate() {
        assert_eq!(measured(&series([&[]; 5])).value, None);
        let mut part = series([&[], &[], &[9.0], &[], &[]]);
        part[0].complete = false;
        assert_eq!((measured(&part).value, measured(&part).samples), (None, 0));
    }
}
