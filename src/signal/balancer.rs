//! What a load balancer counted, minute by minute. It reports nothing where there is nothing to report: a minute without
//! requests or open connections counts as zero only where the same load balancer reported its hosts for it. Silence alone is no evidence.
//!
//! Counts come one to three minutes late, and a minute grows while it is reported: the newest that is over is left out.
//! Where none of the last three that are judged was reported, neither by answers nor by hosts, the rest tells of the past:
//! it may break a condition, and passes none.

use super::Measured;
use crate::mutant::{Mistake, on};
use crate::plan::{Fields, Target, Timestamp, duration, target, text};
use crate::port::need::{Account, Leads, Need};
use crate::port::{LoadBalancer, Metric, ReadTraffic, Reads, Series, TargetHealth};
use crate::run::Fault;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// A load balancer whose traffic can be measured, as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Balancer {
    target: String,
    name: String,
    arn: String,
    dns_name: String,
    zone_id: String,
    groups: Vec<String>,
    keep_alive: Duration,
    /// Runs of before it was asked for have none on record.
    #[serde(default)]
    idle_timeout: Duration,
}

/// Which load balancer, as a plan says it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    name: Arc<str>,
    target: Arc<Target>,
}

impl Named {
    pub(crate) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let name = fields.required("load_balancer", text(), "the load balancer, by name");
        let target = fields.required("in", target(&["aws"]), "its account and region");
        Some(Self { name: name?, target: target? })
    }

    pub(crate) fn new(name: Arc<str>, target: Arc<Target>) -> Self {
        Self { name, target }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A record that leads to it.
    pub(crate) fn leads(&self) -> Leads {
        Leads::Balancer { at: Account::of(&self.target), name: self.name.to_string() }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// `left`: users leave it.
    pub(crate) fn need(&self, left: bool) -> Need {
        Need::Balancer { at: Account::of(&self.target), name: self.name.to_string(), left }
    }

    pub(crate) async fn find(&self, reads: &Reads<'_>) -> Result<Balancer, Fault> {
        Balancer::find(reads, &self.target.name, &self.name).await
    }
}

/// A window over what a load balancer counts by the minute, as a plan says it.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) balancer: Named,
    over: Duration,
}

impl Counted {
    pub(crate) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let balancer = Named::decode(fields);
        let over = fields.or("over", duration(), Duration::from_secs(300), "the window that is judged");
        Some(Self { balancer: balancer?, over })
    }

    /// The whole minutes since then; `None`: there is none yet.
    pub(crate) fn window(&self, reads: &Reads<'_>, since: Timestamp) -> Option<(Timestamp, Timestamp)> {
        window(reads.world.clock().now(), since, self.over, MINUTE)
    }

    /// What was counted of these minutes, of which the newest that was reported began then. As long as the window is not full,
    /// that there are few is no silence.
    pub(crate) fn judged(
        &self,
        measured: Measured,
        reported: Option<Timestamp>,
        (from, to): (Timestamp, Timestamp),
    ) -> Measured {
        let early = measured.samples > 0 && to.since(from) < self.over;
        current(Measured { counted: Some(to), early, ..measured }, reported, to)
    }
}

/// One minute: when it began, and what was counted of each that was asked for; `None` is no evidence.
pub(crate) type Minute<const N: usize> = (Timestamp, [Option<f64>; N]);

/// Requests of a minute.
pub(crate) const REQUESTS: &str = "RequestCount";
/// What tells that somebody is there: requests, and the connections that are open, of clients and to targets. Over one of them
/// a client of a WebSocket or of a long poll may be served for hours without a request. It is no proof: where nothing at all
/// flows, neither may be reported.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
pub(crate) const PRESENCE: [&str; 2] = [REQUESTS, "ActiveConnectionCount"];

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// So many requests of users make a share of them mean something: one more that fails is two in a hundred.
pub(super) const ENOUGH: u64 = 50;
const NAMESPACE: &str = "AWS/ApplicationELB";
/// How far back from the end of a window the newest minute may lie that was reported.
const LATE: Duration = Duration::from_secs(180);

impl Balancer {
    /// Finds it by name.
    pub(crate) async fn find(reads: &Reads<'_>, target: &str, name: &str) -> Result<Self, Fault> {
        let traffic = reads.world.traffic(target)?;
        let found = load_balancer(&*traffic, target, name).await?;
        let groups = traffic.target_groups(&found.arn).await?;
        Ok(Self {
            target: target.into(),
            name: found.name,
            arn: found.arn,
            dns_name: found.dns_name,
            zone_id: found.zone_id,
            groups,
            keep_alive: found.keep_alive,
            idle_timeout: found.idle_timeout,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
    pub(crate) fn dns_name(&self) -> &str {
        &self.dns_name
    }
    pub(crate) fn zone_id(&self) -> &str {
        &self.zone_id
    }
    /// For how long it may still get requests once no name leads to it: a connection is kept for as long as it may be,
    /// and its last request may be answered as late as it may be.
    pub(crate) fn tail(&self) -> Duration {
        self.keep_alive + self.idle_timeout
    }

    /// Minutes without a request after which each connection is closed.
    pub(crate) fn idle_minutes(&self) -> usize {
        usize::try_from(self.idle_timeout.as_secs().div_ceil(60)).unwrap_or(usize::MAX)
    }

    pub(crate) fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Why nobody is served who comes to it, where that is certain. Its target groups are asked for one after the other, until one
    /// has somebody; one without any answers by its listeners alone.
    pub(crate) async fn serves_nobody(&self, reads: &Reads<'_>) -> Result<Option<String>, Fault> {
        let traffic = reads.world.traffic(&self.target)?;
        if self.groups.is_empty() || is_served(&*traffic, &self.groups).await? {
            return Ok(None);
        }
        let name = &self.name;
        match traffic.load_balancer(name).await? {
            Some(now) if now.arn == self.arn => {
                // By now it may have others.
                let mut others = traffic.target_groups(&now.arn).await?;
                others.retain(|group| !self.groups.contains(group));
                let served = is_served(&*traffic, &others).await?;
                Ok((!served).then(|| format!("no target of load balancer {name} is healthy")))
            }
            _ => Ok(Some(format!("load balancer {name} is gone"))),
        }
    }

    /// What all of it reports under this name.
    pub(crate) fn metric(
        &self,
        name: &str,
        statistic: &str,
        period: Duration,
        (from, to): (Timestamp, Timestamp),
    ) -> Metric {
        Metric {
            namespace: NAMESPACE.into(),
            name: name.into(),
            dimensions: vec![("LoadBalancer".into(), id(&self.arn, ":loadbalancer/").into())],
            statistic: statistic.into(),
            period,
            from,
            to,
        }
    }

    /// How many hosts each of its target groups has, minute by minute: reported whether or not there are requests.
    pub(crate) fn hosts(&self, span: (Timestamp, Timestamp)) -> impl Iterator<Item = Metric> + '_ {
        self.groups.iter().map(move |group| {
            let mut hosts = self.metric("HealthyHostCount", "Maximum", MINUTE, span);
            hosts.dimensions.insert(0, ("TargetGroup".into(), id(group, ":").into()));
            hosts
        })
    }

    /// Asks for several at once.
    pub(crate) async fn series(&self, reads: &Reads<'_>, asked: &[Metric]) -> Result<Vec<Series>, Fault> {
        reads.world.metrics(&self.target)?.series(asked).await
    }

    /// What it counted under these names in the minutes that begin from `from` on and end by `to`.
    pub(crate) async fn minutes<const N: usize>(
        &self,
        reads: &Reads<'_>,
        names: [&str; N],
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<Minute<N>>, Fault> {
        let (from, to) = (minute_of(from), minute_of(to));
        if from >= to {
            return Ok(Vec::new());
        }
        let counts = names.iter().map(|name| self.metric(name, "Sum", MINUTE, (from, to)));
        let asked: Vec<Metric> = counts.chain(self.hosts((from, to))).collect();
        let series = self.series(reads, &asked).await?;
        let Some((counts, hosts)) = series.split_first_chunk::<N>() else { return Ok(Vec::new()) };
        let minutes = to.since(from).as_secs() / 60;
        let starts = (0..minutes).map(|n| Timestamp(from.0 + n * 60_000));
        Ok(starts.map(|start| (start, counts.each_ref().map(|counted| at(start, counted, hosts)))).collect())
    }
}

/// A load balancer, which must be there.
pub(crate) async fn load_balancer(
    traffic: &dyn ReadTraffic,
    target: &str,
    name: &str,
) -> Result<LoadBalancer, Fault> {
    let missing = || Fault::permanent(format!("there is no load balancer `{name}` in target `{target}`"));
    traffic.load_balancer(name).await?.ok_or_else(missing)
}

/// Whether a target of one of these groups is healthy, or nobody checks whether it is.
async fn is_served(traffic: &dyn ReadTraffic, groups: &[String]) -> Result<bool, Fault> {
    let serves = |target: &TargetHealth| matches!(&*target.state, "healthy" | "unavailable");
    for group in groups {
        if traffic.target_health(group).await?.is_some_and(|targets| targets.iter().any(serves)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What was measured of a window that ends then, whose newest minute that was reported begins at `reported`.
pub(crate) fn current(measured: Measured, reported: Option<Timestamp>, end: Timestamp) -> Measured {
    match reported {
        Some(newest) if newest.after(LATE) < end => {
            let text = format!("{}; nothing is reported since {}", measured.text, newest.after(MINUTE));
            Measured { partial: true, text, ..measured }
        }
        _ => measured,
    }
}

/// What an ARN ends with, from after this mark.
fn id<'a>(arn: &'a str, mark: &str) -> &'a str {
    arn.rsplit_once(mark).map_or(arn, |(_, rest)| rest)
}

/// How many of these one minute had.
fn at(start: Timestamp, counted: &Series, hosts: &[Series]) -> Option<f64> {
    let point = |series: &Series| {
        let place = series.points.binary_search_by_key(&start, |point| point.at).ok()?;
        Some(series.points[place].value)
    };
    if let Some(count) = point(counted) {
        return Some(count);
    }
    let reported = hosts.iter().any(|series| point(series).is_some());
    (counted.complete && reported || on(Mistake::SilencePasses)).then_some(0.0)
}

/// The beginning of the minute that a moment is in.
pub(crate) fn minute_of(moment: Timestamp) -> Timestamp {
    Timestamp(moment.0 / 60_000 * 60_000)
}

/// The end of the newest minute that may be judged: the one under way and the one before it are still being counted.
pub(crate) fn settled(now: Timestamp) -> Timestamp {
    Timestamp(minute_of(now).0.saturating_sub(60_000))
}

/// The whole periods since then that may be judged, at most so long back; empty where there is none yet.
pub(crate) fn window(
    now: Timestamp,
    since: Timestamp,
    over: Duration,
    period: Duration,
) -> Option<(Timestamp, Timestamp)> {
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    let step = millis(period);
    let to = settled(now).0 / step * step;
    let from = since.0.div_ceil(step).saturating_mul(step).max(to.saturating_sub(millis(over)));
    (from < to).then_some((Timestamp(from), Timestamp(to)))
}

/// Whether it had no request and no open connection in so many whole minutes in a row since then. Where nobody can tell, it
/// had.
pub(crate) async fn idle_since(
    reads: &Reads<'_>,
    balancer: Option<&Balancer>,
    since: Timestamp,
    minutes: usize,
) -> bool {
    let Some(balancer) = balancer else { return false };
    let span = MINUTE * u32::try_from(minutes).unwrap_or(u32::MAX);
    let Some(window) = window(reads.world.clock().now(), since, span, MINUTE) else { return false };
    let seen = balancer.minutes(reads, PRESENCE, window).await.unwrap_or_default();
    seen.len() >= minutes && seen.iter().flat_map(|(_, counts)| counts).all(|count| *count == Some(0.0))
}
