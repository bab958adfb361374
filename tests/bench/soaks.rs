//! Soaks of a quarter of an hour over traffic that is made up: users of two load balancers, counted minute by minute as
//! CloudWatch counts them, and looked at by the signals of a plan as a run looks at them.
//!
//! A run has two signals, and rolls back by either: requests that fail, of which one in five hundred does on the old side; and
//! requests that take longer than nineteen of twenty do there (latencies are lognormal, with a deviation of a half of the
//! logarithm). What a signal is compared with is measured, too: nobody is told how often the old side fails. The dice are seeded.

#![expect(clippy::cast_precision_loss, reason = "counts of requests")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, and positive")]

use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use switchover::action::Registry;
use switchover::doc::{Inputs, Stored, read};
use switchover::plan::{Scope, Timestamp};
use switchover::port::{
    Alarm, Attributes, Clock, Formula, Lines, Listener, LoadBalancer, LogQuery, LogStream, Metric, Owner,
    Point, ReadCompute, ReadDns, ReadFiles, ReadHttp, ReadMetrics, ReadParameters, ReadPermissions,
    ReadProcess, ReadQueries, ReadTraffic, ReadWorld, Reads, Rule, Series, TargetHealth,
};
use switchover::run::Fault;
use switchover::signal::{Memory, SignalRegistry, Verdict, Watch, watch};

/// How long a soak lasts, and what is known of the time before it, in minutes.
const LASTS: u64 = 15;
const BEFORE: u64 = 60;
const FAILS: f64 = 0.002;
const SLOW: f64 = 0.05;
const DEVIATION: f64 = 0.5;
const MINUTE: u64 = 60_000;
/// When a soak begins.
const START: Timestamp = Timestamp(1_800_000_000_000);

/// What users meet on the new side: how many points more fail, and how many hundredths slower it is.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    pub(crate) name: &'static str,
    pub(crate) points: f64,
    pub(crate) slower: f64,
}

pub(crate) const HEALTHY: Change = Change { name: "healthy", points: 0.0, slower: 0.0 };

/// What both sides share, for the middle third of a soak: how many points more fail on either.
#[derive(Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) name: &'static str,
    pub(crate) points: f64,
}

pub(crate) const FAIR: Weather = Weather { name: "fair", points: 0.0 };

/// SplitMix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// From 0 to 1, and neither.
    fn throw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64 + 1e-17
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.throw().ln()).sqrt() * (std::f64::consts::TAU * self.throw()).cos()
    }

    /// How many of so many: exactly where they are few, else as a normal number.
    fn of(&mut self, all: u64, share: f64) -> u64 {
        let (mean, spread) = (all as f64 * share, (all as f64 * share * (1.0 - share)).sqrt());
        if mean > 50.0 && all as f64 - mean > 50.0 {
            return (mean + spread * self.normal()).round().clamp(0.0, all as f64) as u64;
        }
        // From one to the next the gaps are geometric.
        let (mut found, mut place) = (0, 0.0);
        loop {
            place += (self.throw().ln() / (1.0 - share).ln()).floor() + 1.0;
            if place > all as f64 {
                return found;
            }
            found += 1;
        }
    }
}

/// What came of all requests of one side, minute by minute, from [`BEFORE`] minutes before the soak on.
#[derive(Clone, Default)]
pub(crate) struct Side {
    failed: Vec<u64>,
    slow: Vec<u64>,
}

/// Both sides of a soak.
#[derive(Clone)]
pub(crate) struct Soak {
    /// Requests of a minute, on each side.
    all: u64,
    new: Side,
    old: Side,
}

impl Soak {
    /// So many requests a second on each side.
    pub(crate) fn of(dice: &mut Dice, rate: u64, change: Change, weather: Weather) -> Self {
        let all = rate * 60;
        let storm = |minute| (BEFORE + LASTS / 3..BEFORE + LASTS * 2 / 3).contains(&minute);
        let mut side = |points: f64, slower: f64| {
            let fails = |minute| FAILS + (points + if storm(minute) { weather.points } else { 0.0 }) / 100.0;
            let minutes = || 0..BEFORE + LASTS;
            let failed = minutes().map(|minute| dice.of(all, fails(minute))).collect();
            Side { failed, slow: minutes().map(|_| dice.of(all, slow(slower))).collect() }
        };
        Self { all, old: side(0.0, 0.0), new: side(change.points, change.slower) }
    }

    /// Mann-Whitney as Kayenta uses it: minutes of both sides are compared every five minutes, and the interval of 98 % for how
    /// far apart they are lies above a quarter of the estimate of it.
    pub(crate) fn kayenta(&self) -> Option<u64> {
        let looks = [6, 11, LASTS];
        let apart = |new: &[u64], old: &[u64], look: u64| {
            let counted = BEFORE as usize..(BEFORE + look - 1) as usize;
            self.is_apart(&new[counted.clone()], &old[counted])
        };
        let turns = |look: &u64| {
            apart(&self.new.failed, &self.old.failed, *look) || apart(&self.new.slow, &self.old.slow, *look)
        };
        looks.into_iter().find(turns).map(|look| look * 60)
    }

    fn is_apart(&self, new: &[u64], old: &[u64]) -> bool {
        let share = |count: &u64| *count as f64 / self.all as f64;
        let each = |new: &u64| old.iter().map(move |old| share(new) - share(old)).collect::<Vec<_>>();
        let mut apart: Vec<f64> = new.iter().flat_map(each).collect();
        apart.sort_by(f64::total_cmp);
        let (n, m) = (new.len() as f64, old.len() as f64);
        // The rank at which the interval begins, by the normal approximation of the statistic.
        let begins = n * m / 2.0 - 2.326 * (n * m * (n + m + 1.0) / 12.0).sqrt();
        let lower = apart[begins.max(0.0) as usize];
        let estimate = f64::midpoint(apart[(apart.len() - 1) / 2], apart[apart.len() / 2]);
        estimate > 0.0 && lower > 0.25 * estimate.abs()
    }
}

/// The share of requests that are slower than nineteen of twenty were, where all take so much longer.
fn slow(slower: f64) -> f64 {
    if slower <= 0.0 {
        return SLOW;
    }
    let far = 1.644_853_627 - (1.0 + slower / 100.0).ln() / DEVIATION;
    // The upper tail of a normal number (Abramowitz and Stegun 7.1.26, good to seven digits).
    let x = far.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let tail = series.iter().fold(0.0, |sum, a| (sum + a) * t) * (-x * x).exp() / 2.0;
    if far < 0.0 { 1.0 - tail } else { tail }
}

/// The signals of a plan, with one condition for both.
pub(crate) struct Judge(Vec<Watch>);

impl Judge {
    /// Tests against what was for so long before.
    pub(crate) fn certain(before: &str) -> Self {
        Self::of(&format!(", over: {before}"), "expected: baseline * 1.2 + 0.001, fail: certainty > 0.999")
    }

    /// The same against the other side at the same time.
    pub(crate) fn beside() -> Self {
        Self::of(", at: same", "expected: baseline * 1.2 + 0.001, fail: certainty > 0.999")
    }

    /// A plain threshold over five minutes.
    pub(crate) fn threshold() -> Self {
        Self::of("", "fail: value > baseline * 1.3 + 0.005, min_samples: 200, breaches: 2")
    }

    fn of(at: &str, condition: &str) -> Self {
        let guard = |id: &str, uses: &str, bound: &str| {
            let side = |name: &str| format!("load_balancer: {name}, in: prod{bound}");
            let (new, old) = (side("new"), side("old"));
            format!(
                "  - {{ id: {id}, uses: {uses}, with: {{ {new} }}, baseline: {{ {old}{at} }}, {condition} }}\n"
            )
        };
        let text = format!(
            "switchover: v1\nname: soak\n\
             targets: {{ prod: {{ aws: {{ account: \"123456789012\", region: eu-west-1 }} }} }}\n\
             steps: [{{ id: a, uses: wait, with: {{ for: 1m }} }}]\nguards:\n{}{}",
            guard("errors", "alb.error_rate", ""),
            guard("slow", "alb.slow_rate", ", slower_than: 500ms")
        );
        let reading = read(
            "plan.yaml",
            text.as_bytes(),
            &Stored::default(),
            &Inputs::default(),
            &Registry,
            &SignalRegistry,
        );
        let Some(plan) = reading.plan else { panic!("{:?}\n{text}", reading.problems) };
        let watches = plan.guards.iter().map(|guard| watch(&guard.uses, &plan));
        Self(watches.collect::<Result<_, _>>().unwrap_or_else(|fault| panic!("{fault}")))
    }

    /// After how many seconds it turns back.
    pub(crate) fn turns(&self, soak: &Soak) -> Option<u64> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap_or_else(|error| panic!("{error}")).block_on(self.looks(soak))
    }

    async fn looks(&self, soak: &Soak) -> Option<u64> {
        let world = World { source: Arc::new(Source(soak.clone())), clock: Ticks::default() };
        let (scope, progress) = (Scope::default(), |_: &str| ());
        let reads = Reads { world: &world, step: "", scope: &scope, progress: &progress };
        let mut memories = vec![Memory::default(); self.0.len()];
        for minute in 1..=LASTS {
            world.clock.0.store(START.0 + minute * MINUTE, Ordering::Relaxed);
            for (watch, memory) in self.0.iter().zip(&mut memories) {
                if watch.look(&reads, START, memory).await.verdict == Verdict::Fail {
                    return Some(minute * 60);
                }
            }
        }
        None
    }
}

/// A clock that is put forward.
#[derive(Default)]
struct Ticks(AtomicU64);

#[async_trait]
impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
    async fn sleep_until(&self, _: Timestamp) {}
}

/// Two load balancers, and what was counted of them.
struct World {
    source: Arc<Source>,
    clock: Ticks,
}

struct Source(Soak);

impl Source {
    /// What was counted under this name in a minute, as far as there is anything.
    fn count(&self, metric: &Metric, minute: usize) -> u64 {
        let id = metric.dimensions.last().map_or("", |(_, id)| id.as_str());
        let side = if id.contains("new") { &self.0.new } else { &self.0.old };
        let all = self.0.all;
        match (&*metric.name, &*metric.statistic) {
            ("HTTPCode_Target_5XX_Count", _) => side.failed[minute],
            ("HTTPCode_Target_2XX_Count", _) => all - side.failed[minute],
            ("TargetResponseTime", "TC(0.5:)") => side.slow[minute],
            ("TargetResponseTime", "TC(:0.5)") => all - side.slow[minute],
            ("HealthyHostCount", _) => 2,
            _ => 0,
        }
    }
}

/// There is no such thing here.
fn absent<T>() -> Result<T, Fault> {
    Err(Fault::permanent("there is no such thing in this world"))
}

#[async_trait]
impl ReadMetrics for Source {
    async fn series(&self, metrics: &[Metric]) -> Result<Vec<Series>, Fault> {
        let first = START.0 - BEFORE * MINUTE;
        let of = |metric: &Metric| {
            let minutes = (metric.from.0.max(first)..metric.to.0).step_by(MINUTE as usize);
            let points = minutes.map(|at| (at, self.count(metric, ((at - first) / MINUTE) as usize)));
            // What is zero is not published.
            let points = points.filter(|(_, count)| *count > 0);
            let point = |(at, count)| Point { at: Timestamp(at), value: count as f64 };
            Series { points: points.map(point).collect(), complete: true }
        };
        Ok(metrics.iter().map(of).collect())
    }
    async fn computed(&self, _: &Formula) -> Result<Series, Fault> {
        absent()
    }
    async fn alarms(&self, _: &[String]) -> Result<Vec<Alarm>, Fault> {
        absent()
    }
    async fn lines(&self, _: &LogQuery) -> Result<Option<Lines>, Fault> {
        absent()
    }
    async fn newest_lines(&self, _: &LogStream, _: u32) -> Result<Option<Vec<String>>, Fault> {
        absent()
    }
}

#[async_trait]
impl ReadTraffic for Source {
    async fn load_balancer(&self, name: &str) -> Result<Option<LoadBalancer>, Fault> {
        Ok(Some(LoadBalancer {
            arn: format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/{name}/1"),
            name: name.to_owned(),
            dns_name: format!("{name}.elb.example"),
            zone_id: "Z1".to_owned(),
            keep_alive: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
        }))
    }
    async fn target_groups(&self, balancer: &str) -> Result<Vec<String>, Fault> {
        Ok(vec![format!("{balancer}:targetgroup/all/1")])
    }
    async fn target_health(&self, _: &str) -> Result<Option<Vec<TargetHealth>>, Fault> {
        absent()
    }
    async fn target_group(&self, _: &str) -> Result<Option<String>, Fault> {
        absent()
    }
    async fn listeners(&self, _: &str) -> Result<Vec<Listener>, Fault> {
        absent()
    }
    async fn rules(&self, _: &str) -> Result<Vec<Rule>, Fault> {
        absent()
    }
    async fn rule(&self, _: &str) -> Result<Option<Rule>, Fault> {
        absent()
    }
    async fn attributes(&self, _: Owner, _: &str) -> Result<Option<Attributes>, Fault> {
        absent()
    }
}

impl ReadWorld for World {
    fn clock(&self) -> &dyn Clock {
        &self.clock
    }
    fn dns(&self, _: &str) -> Result<Arc<dyn ReadDns>, Fault> {
        absent()
    }
    fn compute(&self, _: &str) -> Result<Arc<dyn ReadCompute>, Fault> {
        absent()
    }
    fn traffic(&self, _: &str) -> Result<Arc<dyn ReadTraffic>, Fault> {
        Ok(self.source.clone())
    }
    fn metrics(&self, _: &str) -> Result<Arc<dyn ReadMetrics>, Fault> {
        Ok(self.source.clone())
    }
    fn parameters(&self, _: &str) -> Result<Arc<dyn ReadParameters>, Fault> {
        absent()
    }
    fn permissions(&self, _: &str) -> Result<Arc<dyn ReadPermissions>, Fault> {
        absent()
    }
    fn queries(&self, _: &str) -> Result<Arc<dyn ReadQueries>, Fault> {
        absent()
    }
    fn files(&self) -> &dyn ReadFiles {
        unreachable!("these signals read no files")
    }
    fn http(&self) -> &dyn ReadHttp {
        unreachable!("these signals send no requests")
    }
    fn process(&self) -> &dyn ReadProcess {
        unreachable!("these signals run no commands")
    }
}
