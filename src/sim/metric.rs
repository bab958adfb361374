//! What load balancers publish: which series exist, under which dimensions, by the minute, and only where there was traffic.

use super::balancer::{Counts, minute};
use super::world::World;
use crate::plan::Timestamp;
use std::{collections::BTreeMap, fmt, ops::Range};

/// A question for one series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `AWS/ApplicationELB`.
    pub namespace: String,
    /// `RequestCount`.
    pub name: String,
    /// `LoadBalancer`, `TargetGroup`.
    pub dimensions: BTreeMap<String, String>,
    /// `Sum`, `Average`, `Maximum`, `Minimum`, `SampleCount`, `p95`.
    pub statistic: String,
    /// Seconds.
    pub period: u64,
    /// From, inclusive.
    pub from: Timestamp,
    /// To, exclusive.
    pub to: Timestamp,
}

impl fmt::Display for Asked {
    /// Which metric: `AWS/RDS CPUUtilization DBInstanceIdentifier=aep`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.namespace, self.name)?;
        self.dimensions.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// One point: the start of its period, and the value.
pub type Measured = (Timestamp, f64);

/// How long after its end a minute can be seen.
pub(super) const DELAY_MINUTES: u64 = 1;

impl World {
    /// The points of a formula, of periods of so many seconds: no arithmetic is done, they are as the world states them.
    pub fn computed(&self, expression: &str, period: u64, from: Timestamp, to: Timestamp) -> Vec<Measured> {
        self.stated(expression, false, (period / 60).max(1), (from, to)).unwrap_or_default()
    }

    /// The points of a series, oldest first; periods without data are absent.
    pub fn measure(&self, asked: &Asked) -> Vec<Measured> {
        let (counts, period) = (asked.statistic == "SampleCount", (asked.period / 60).max(1));
        let span = (asked.from, asked.to);
        let stated =
            (!self.metrics.is_empty()).then(|| self.stated(&asked.to_string(), counts, period, span));
        if let Some(points) = stated.flatten() {
            return points;
        }
        if asked.namespace != "AWS/ApplicationELB" {
            return Vec::new();
        }
        let visible = minute(self.now).saturating_sub(DELAY_MINUTES);
        // Whole periods, those at both ends too.
        let minutes = minute(asked.from) / period * period..visible.min(minute(asked.to) + period);
        let samples = self.samples(asked, minutes);
        let mut periods: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for (at, values) in samples {
            let start = at / period * period;
            let moment = start * 60_000;
            if at < visible && moment >= asked.from.0 && moment < asked.to.0 {
                periods.entry(start).or_default().extend(values);
            }
        }
        let point = |(start, values): (u64, Vec<f64>)| {
            statistic(&asked.statistic, values).map(|value| (Timestamp(start * 60_000), value))
        };
        periods.into_iter().filter_map(point).collect()
    }

    /// Samples by minute. The service publishes a series only under these dimensions.
    fn samples(&self, asked: &Asked, minutes: Range<u64>) -> Vec<(u64, Vec<f64>)> {
        let of = |arn: &str, part: &str| arn.rsplit_once(part).map(|(_, rest)| rest.to_owned());
        let balancer = asked.dimensions.get("LoadBalancer");
        let group = asked.dimensions.get("TargetGroup");
        let known = asked.dimensions.keys().all(|k| k == "LoadBalancer" || k == "TargetGroup");
        let found = balancer.and_then(|id| {
            self.balancers.values().find(|b| of(&b.arn, "loadbalancer/").as_ref() == Some(id))
        });
        let Some(found) = found.filter(|_| known) else { return Vec::new() };
        let Some(id) = group else {
            return counted(&found.counts, &asked.name, false);
        };
        let group = self.groups.values().find(|g| {
            g.balancer == found.name
                && of(&g.arn, ":targetgroup/").map(|r| format!("targetgroup/{r}")).as_ref() == Some(id)
        });
        let Some(group) = group else { return Vec::new() };
        let hosts = group.hosts_by_minute(minutes);
        match asked.name.as_str() {
            "HealthyHostCount" => hosts.map(|(at, h)| (at, vec![f64::from(h.healthy)])).collect(),
            "UnHealthyHostCount" => hosts.map(|(at, h)| (at, vec![f64::from(h.unhealthy)])).collect(),
            name => counted(&group.counts, name, true),
        }
    }
}

/// A count is published for minutes in which it is not zero.
fn counted(counts: &BTreeMap<u64, Counts>, name: &str, of_group: bool) -> Vec<(u64, Vec<f64>)> {
    let class = |c: &Counts, n: usize| c.targets[n];
    let number = |c: &Counts| -> u64 {
        match name {
            "RequestCount" => c.requests,
            "HTTPCode_Target_2XX_Count" => class(c, 0),
            "HTTPCode_Target_3XX_Count" => class(c, 1),
            "HTTPCode_Target_4XX_Count" => class(c, 2),
            "HTTPCode_Target_5XX_Count" => class(c, 3),
            "TargetConnectionErrorCount" => c.connection_errors,
            "HTTPCode_ELB_5XX_Count" if !of_group => c.own_5xx,
            "NewConnectionCount" if !of_group => c.connections,
            "ActiveConnectionCount" if !of_group => c.active,
            _ => 0,
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of a minute are small")]
    let series = |(at, c): (&u64, &Counts)| {
        if name == "TargetResponseTime" {
            let each = |&(ms, times): &(u32, u64)| {
                let times = usize::try_from(times).unwrap_or(usize::MAX);
                std::iter::repeat_n(f64::from(ms) / 1000.0, times)
            };
            let took: Vec<f64> = c.took.iter().flat_map(each).collect();
            return (!took.is_empty()).then_some((*at, took));
        }
        (number(c) > 0).then(|| (*at, vec![number(c) as f64]))
    };
    counts.iter().filter_map(series).collect()
}

fn statistic(name: &str, mut values: Vec<f64>) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "samples of a period are few")]
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    match name {
        "Sum" => Some(sum),
        "Average" => Some(sum / count),
        "Maximum" => values.last().copied(),
        "Minimum" => values.first().copied(),
        "SampleCount" => Some(count),
        other if other.starts_with("TC(") => counted_within(other, &values),
        other => {
            let percent: f64 = other.strip_prefix('p')?.parse().ok()?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "within the length of the list"
            )]
            let place = (percent / 100.0 * count).ceil().max(1.0) as usize - 1;
            values.get(place.min(values.len() - 1)).copied()
        }
    }
}

/// `TC(a:b)`: how many are above `a` and not above `b`; either may be left out. Where none is, nothing is told.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>
fn counted_within(name: &str, values: &[f64]) -> Option<f64> {
    let (above, up_to) = name.strip_prefix("TC(")?.strip_suffix(')')?.split_once(':')?;
    let bound = |text: &str, none: f64| if text.is_empty() { Some(none) } else { text.parse().ok() };
    let (above, up_to): (f64, f64) = (bound(above, f64::NEG_INFINITY)?, bound(up_to, f64::INFINITY)?);
    let within = values.iter().filter(|value| **value > above && **value <= up_to).count();
    #[expect(clippy::cast_precision_loss, reason = "samples of a period are few")]
    let count = within as f64;
    (within > 0).then_some(count)
}
