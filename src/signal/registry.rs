//! The kinds of signals there are: one line each.

use super::alarms::Alarms;
use super::connections::Connections;
use super::drift::Drift;
use super::error_rate::ErrorRate;
use super::exec::Exec;
use super::hosts::Hosts;
use super::kill_switch::KillSwitch;
use super::latency::Latency;
use super::log_lines::LogLines;
use super::metric::Measurement;
use super::probe::Probe;
use super::prometheus::Prometheus;
use super::requests::Requests;
use super::resolvers::Resolvers;
use super::running::Running;
use super::slow_rate::SlowRate;
use super::{Condition, Signal, Watch, webhook};
use crate::plan::{Code, Fields, Kinds, Plan, Problems, StepTraits, Use, WEBHOOK, duration, format_duration};
use crate::run::Fault;
use std::sync::Arc;
use std::time::Duration;

/// How often a guard may look.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// For how long it may not look, or see nothing.
const PATIENT: Duration = Duration::from_secs(3600);

/// What is said beside a guard's condition.
pub(crate) const OF_A_GUARD: [&str; 2] = ["every", "grace"];

/// A kind of signal, by name.
#[derive(Debug)]
pub struct SignalKind {
    /// `http.probe`.
    pub name: &'static str,
    /// What it is for, in one line.
    pub summary: &'static str,
    /// What it costs, and how soon it tells; see [`Signal::costs`].
    pub costs: fn() -> &'static str,
    /// Observations without which there is no evidence, where the plan does not say; see [`Signal::min_samples`].
    pub min_samples: fn() -> u64,
    /// What conditions on it may name.
    pub names: fn() -> &'static [&'static str],
    /// Whether conditions on it may ask how sure it is.
    pub counts: fn() -> bool,
    /// When it is broken, where the plan does not say; `None`: the plan must.
    pub fails: Option<&'static str>,
    /// `value` is a share of something: 0.8, and not 80.
    pub share: bool,
    /// Reads its part of `with`.
    pub decode: fn(&mut Fields<'_>) -> Option<Arc<dyn Signal>>,
}

const fn kind<S: Signal + 'static>(name: &'static str, summary: &'static str) -> SignalKind {
    let decode = |fields: &mut Fields<'_>| Some(Arc::new(S::decode(fields)?) as Arc<dyn Signal>);
    let (costs, min_samples, names, counts) = (S::costs, S::min_samples, S::names, S::counts);
    SignalKind { name, summary, costs, min_samples, names, counts, fails: None, share: false, decode }
}

/// A kind that knows by itself when it is broken.
const fn judging<S: Signal + 'static>(
    name: &'static str,
    summary: &'static str,
    fails: &'static str,
) -> SignalKind {
    SignalKind { fails: Some(fails), ..kind::<S>(name, summary) }
}

/// A kind whose `value` is a share of something.
const fn share<S: Signal + 'static>(name: &'static str, summary: &'static str) -> SignalKind {
    SignalKind { share: true, ..kind::<S>(name, summary) }
}

/// All of them.
pub const SIGNALS: &[SignalKind] = &[
    kind::<Probe>("http.probe", "requests of our own, as users make them"),
    share::<ErrorRate>("alb.error_rate", "answers of a load balancer that are 5xx, of all its answers"),
    share::<SlowRate>("alb.slow_rate", "answers of a load balancer that took too long, of all its answers"),
    kind::<Latency>("alb.latency", "milliseconds that the targets of a load balancer took"),
    kind::<Hosts>("alb.unhealthy_hosts", "targets that a load balancer finds unhealthy now"),
    kind::<Requests>("alb.requests", "requests that a load balancer takes a minute"),
    share::<Running>("ecs.running", "tasks of a service that run, of those that it should have"),
    share::<Connections>("rds.connections", "connections to a database, of those that it allows"),
    kind::<Measurement>("cloudwatch.metric", "any metric of CloudWatch, or a formula over several"),
    judging::<Alarms>("cloudwatch.alarms", "alarms of CloudWatch that fire, by name", "value > 0"),
    judging::<Drift>("dns.drift", "a name that leads elsewhere than it should", "value > 0"),
    judging::<Resolvers>(
        "dns.resolvers",
        "public resolvers that still lead to the old side when they may not any more",
        "value > 0",
    ),
    kind::<LogLines>("logs.pattern", "lines of a log of CloudWatch Logs that match, a minute"),
    judging::<Exec>("exec", "a command of your own that looks, and changes nothing", "value > 0"),
    judging::<KillSwitch>(
        "kill_switch",
        "a flag that anybody may raise: a file, an address, or a parameter",
        "value > 0",
    ),
    kind::<Prometheus>("prometheus", "the number that a query of Prometheus comes to"),
];

/// The signals, as the plan language sees them: `with` of a guard holds the keys of the signal and of its condition. Beside
/// those that look there is `webhook`, which is tripped from outside.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignalRegistry;

impl SignalRegistry {
    /// A kind by name.
    #[must_use]
    pub fn find(self, name: &str) -> Option<&'static SignalKind> {
        SIGNALS.iter().find(|kind| kind.name == name)
    }

    /// Those that look, which a monitor may watch.
    #[must_use]
    pub fn looking(self) -> Vec<&'static str> {
        SIGNALS.iter().map(|kind| kind.name).collect()
    }
}

fn read(uses: &str, fields: &mut Fields<'_>) -> Option<Watch> {
    let kind = SignalRegistry.find(uses)?;
    let signal = (kind.decode)(fields);
    let condition = Condition::decode(fields, Some(kind));
    let (every, grace) = (every(fields), grace(fields));
    let watch = signal.zip(condition);
    let watch = watch.map(|(signal, condition)| Watch::new(signal, condition).every(every).grace(grace));
    if let Some(why) = watch.as_ref().and_then(|watch| watch.check(watch.period(), PATIENT)) {
        let key = if fields.has("patience") { "patience" } else { "min_samples" };
        let span = fields.span_of(key);
        fields.problems().warn(Code("SW2037"), span, format!("it {why}"));
    }
    fields.finish();
    watch
}

/// How often a guard looks, where the plan says it: rarely enough for whoever is asked, and so often that it sees nothing
/// several times before a human is asked.
fn every(fields: &mut Fields<'_>) -> Option<Duration> {
    let every =
        fields.optional("every", duration(), "between two looks; as often as is worth it without it")?;
    if !(SHORTEST..=LONGEST).contains(&every) {
        let span = fields.span_of("every");
        let bounds = format!("between {} and {}", format_duration(SHORTEST), format_duration(LONGEST));
        fields.problems().error(Code("SW1006"), span, format!("a guard looks every so often {bounds}"));
        return None;
    }
    Some(every)
}

/// For how long a guard does not look yet, where what it is told settles first.
fn grace(fields: &mut Fields<'_>) -> Duration {
    let about =
        "for how long it does not look yet, once it may: what a step sets off by itself settles first";
    let grace = fields.optional("grace", duration(), about).unwrap_or_default();
    if grace > PATIENT {
        let (span, bound) = (fields.span_of("grace"), format_duration(PATIENT));
        let message = format!("a guard that does not look for more than {bound} guards nothing meanwhile");
        fields
            .problems()
            .error(Code("SW1006"), span, message)
            .help("let it begin at a later step: `from: STEP`");
    }
    grace
}

/// The signal of a guard, of a plan that was found sound.
///
/// # Errors
/// This version does not read it as the one that began the run did.
pub fn watch(uses: &Use, plan: &Plan) -> Result<Watch, Fault> {
    let known = plan.known(uses);
    let mut problems = Problems::default();
    let read = read(&uses.kind, &mut Fields::new(&uses.with, &known, &mut problems));
    read.filter(|_| !problems.refuse()).ok_or_else(|| {
        let first = problems.as_slice().first().map_or("no such signal", |problem| &*problem.message);
        Fault::permanent(format!("signal `{}` cannot be read: {first}", uses.kind))
    })
}

impl Kinds for SignalRegistry {
    fn names(&self) -> Vec<&'static str> {
        self.looking().into_iter().chain([WEBHOOK]).collect()
    }
    fn not_yet(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
    fn check(&self, uses: &str, fields: &mut Fields<'_>) -> Option<StepTraits> {
        let is_read = if uses == WEBHOOK { webhook::check(fields) } else { read(uses, fields).is_some() };
        is_read.then(StepTraits::default)
    }
    fn summary(&self, uses: &str) -> &'static str {
        if uses == WEBHOOK { webhook::SUMMARY } else { self.find(uses).map_or("", |kind| kind.summary) }
    }
    fn costs(&self, uses: &str) -> &'static str {
        self.find(uses).map_or("", |kind| (kind.costs)())
    }
}
