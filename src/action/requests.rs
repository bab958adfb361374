//! How many requests a load balancer took, minute by minute. A minute in which nothing was reported counts as zero only
//! where the same load balancer reported its hosts for that minute: silence alone is no evidence.

use crate::mutant::{Mistake, on};
use crate::plan::Timestamp;
use crate::port::{Metric, Reads, Series};
use crate::run::Fault;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A load balancer whose traffic can be measured, as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Balancer {
    target: String,
    name: String,
    arn: String,
    dns_name: String,
    zone_id: String,
    groups: Vec<String>,
    keep_alive: Duration,
}

/// One minute: when it began, and how many requests it had; `None` is no evidence.
pub(super) type Minute = (Timestamp, Option<f64>);

pub(super) const MINUTE: Duration = Duration::from_secs(60);
const NAMESPACE: &str = "AWS/ApplicationELB";

impl Balancer {
    /// Finds it by name.
    pub(super) async fn find(reads: &Reads<'_>, target: &str, name: &str) -> Result<Self, Fault> {
        let traffic = reads.world.traffic(target)?;
        let Some(found) = traffic.load_balancer(name).await? else {
            return Err(Fault::permanent(format!("there is no load balancer `{name}` in target `{target}`")));
        };
        let groups = traffic.target_groups(&found.arn).await?;
        Ok(Self {
            target: target.into(),
            name: found.name,
            arn: found.arn,
            dns_name: found.dns_name,
            zone_id: found.zone_id,
            groups,
            keep_alive: found.keep_alive,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
    pub(super) fn dns_name(&self) -> &str {
        &self.dns_name
    }
    pub(super) fn zone_id(&self) -> &str {
        &self.zone_id
    }
    pub(super) fn keep_alive(&self) -> Duration {
        self.keep_alive
    }

    /// The minutes that begin from `from` on and end by `to`.
    pub(super) async fn minutes(
        &self,
        reads: &Reads<'_>,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Minute>, Fault> {
        let (from, to) = (minute_of(from), minute_of(to));
        if from >= to {
            return Ok(Vec::new());
        }
        let dimension = |name: &str, arn: &str, mark: &str| {
            let id = arn.rsplit_once(mark).map_or(arn, |(_, rest)| rest);
            (name.to_owned(), id.to_owned())
        };
        let balancer = dimension("LoadBalancer", &self.arn, ":loadbalancer/");
        let metric = |name: &str, statistic: &str, dimensions: Vec<(String, String)>| Metric {
            namespace: NAMESPACE.into(),
            name: name.into(),
            dimensions,
            statistic: statistic.into(),
            period: MINUTE,
            from,
            to,
        };
        let mut asked = vec![metric("RequestCount", "Sum", vec![balancer.clone()])];
        asked.extend(self.groups.iter().map(|arn| {
            let (key, id) = dimension("TargetGroup", arn, ":targetgroup/");
            metric("HealthyHostCount", "Maximum", vec![(key, format!("targetgroup/{id}")), balancer.clone()])
        }));
        let series = reads.world.metrics(&self.target)?.series(&asked).await?;
        let Some((requests, hosts)) = series.split_first() else { return Ok(Vec::new()) };
        let count = usize::try_from(to.since(from).as_secs() / 60).unwrap_or(0);
        let starts = (0..count as u64).map(|n| Timestamp(from.0 + n * 60_000));
        Ok(starts.map(|start| (start, at(start, requests, hosts))).collect())
    }
}

/// How many requests one minute had.
fn at(start: Timestamp, requests: &Series, hosts: &[Series]) -> Option<f64> {
    let point = |series: &Series| series.points.iter().find(|point| point.at == start).map(|p| p.value);
    if let Some(count) = point(requests) {
        return Some(count);
    }
    let reported = hosts.iter().any(|series| point(series).is_some());
    (requests.complete && reported || on(Mistake::SilencePasses)).then_some(0.0)
}

/// The beginning of the minute that a moment is in.
pub(super) fn minute_of(moment: Timestamp) -> Timestamp {
    Timestamp(moment.0 / 60_000 * 60_000)
}

/// The end of the newest minute that may be judged: the one under way and the one before it are still being counted.
pub(super) fn settled(now: Timestamp) -> Timestamp {
    Timestamp(minute_of(now).0.saturating_sub(60_000))
}

/// Whether it took not one request in so many whole minutes in a row since then. Where nobody can tell, it did.
pub(super) async fn idle_since(
    reads: &Reads<'_>,
    balancer: Option<&Balancer>,
    since: Timestamp,
    minutes: usize,
) -> bool {
    let Some(balancer) = balancer else { return false };
    let to = settled(reads.world.clock().now());
    let span = MINUTE * u32::try_from(minutes).unwrap_or(u32::MAX);
    let from = Timestamp(to.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)));
    if from < since {
        return false;
    }
    let seen = balancer.minutes(reads, from, to).await.unwrap_or_default();
    seen.len() >= minutes && seen.iter().all(|(_, count)| *count == Some(0.0))
}
