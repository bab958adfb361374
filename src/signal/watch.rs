//! A signal with the condition under which it is broken: what a guard is, and each line of a monitor.

use super::compared::{Compared, Silent, pairs};
use super::{Baseline, Kept, Level, Measured, Memory, Sample, Signal, SignalKind, Verdict};
use crate::plan::wish::{Place, Test};
use crate::plan::{
    Code, Data, Expr, ExprError, Fields, Known, Problems, Shape, Timestamp, Value, duration, expr,
    format_duration, integer, nested, one_of, value,
};
use crate::port::{Reads, need::Need};
use crate::run::Curve;
use serde_json::{Value as Json, json};
use std::{sync::Arc, time::Duration};

/// No share that anybody asks for is above it; twice as many tasks as there should be run while they are replaced.
const WHOLE: f64 = 2.0;
/// Of a probe both are one.
const VALUES: [&str; 2] = ["value", "error_rate"];
/// No count is larger.
const MOST: f64 = 1e15;

/// When a signal is broken.
#[derive(Clone, Debug)]
pub struct Condition {
    /// It is broken where this holds.
    pub fail: Expr,
    /// What the condition may name.
    pub names: Vec<&'static str>,
    /// The rate that is still fine; above it, one may ask how sure that is.
    pub expected: Option<Expr>,
    /// What it is compared with.
    pub baseline: Option<Compared>,
    /// Observations without which there is no evidence.
    pub min_samples: u64,
    /// So many measurements in a row must break it.
    pub breaches: u32,
    /// What silence means.
    pub no_evidence: NoEvidence,
    /// For how long it means nothing yet; `None`: whoever watches says how long a human is not asked.
    pub patience: Option<Duration>,
}

/// What silence means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoEvidence {
    /// Nothing yet: whoever watches waits, and then asks a human.
    #[default]
    Wait,
    /// As a breach.
    Fail,
    /// As a pass. Only where silence is known to be good.
    Pass,
}

impl Condition {
    /// The keys that it reads.
    pub(super) const KEYS: [&'static str; 7] =
        ["baseline", "expected", "fail", "min_samples", "breaches", "no_evidence", "patience"];

    /// Reads the keys of a condition on this kind of signal; `None`: on any.
    pub fn decode(fields: &mut Fields<'_>, kind: Option<&SignalKind>) -> Option<Self> {
        const FAIL: &str = "it is broken where this holds";
        let mut names = kind.map_or_else(|| vec!["value"], |kind| (kind.names)().to_vec());
        let compared = fields.has("baseline").then_some("baseline");
        let about = "what it is compared with, as `baseline`: the same signal, told otherwise; measured once, or `at` the \
                     same time";
        let mut baseline = match kind {
            Some(kind) => fields.optional("baseline", nested(|fields| Compared::decode(fields, kind)), about),
            None => fields.optional("baseline", value(), about).and(None),
        };
        let about = "the rate that is still fine, a number or an expression; `certainty` is how sure it is that the true \
                     rate is above it";
        let expected = fields.optional("expected", Rate(compared), about);
        if expected.is_some() && kind.is_some_and(|kind| !(kind.counts)()) {
            let span = fields.span_of("expected");
            fields
                .problems()
                .error(Code("SW2003"), span, "`expected` is about what is counted one by one, good and bad")
                .help("compare the number itself: `fail: value > 100`");
        }
        if let (Some(baseline), Some(expected)) = (&mut baseline, &expected) {
            beside(fields, baseline, expected);
        }
        names.extend(compared);
        names.extend(expected.is_some().then_some("certainty"));
        let fail = match kind.map(|kind| kind.fails) {
            Some(None) => fields.required("fail", expr(&*names), FAIL),
            Some(Some(own)) => fields.optional("fail", expr(&*names), FAIL).or_else(|| {
                let constants = fields.known().constants.clone();
                Expr::compile(own, &names, constants).ok()
            }),
            // Some kinds need none.
            None => fields.optional("fail", expr(&*names), FAIL),
        };
        if let Some(fail) = fail.as_ref().filter(|_| kind.is_some_and(|kind| kind.share)) {
            percent(fields, fail);
        }
        let about = "observations without which there is no evidence; without it as many as this kind needs, which \
                     `switchover explain KIND` says";
        let min_samples = fields.optional("min_samples", integer(1..=1_000_000), about);
        let breaches =
            fields.or("breaches", integer(1..=1000), 1, "so many measurements in a row must break it");
        let words = &[("wait", NoEvidence::Wait), ("fail", NoEvidence::Fail), ("pass", NoEvidence::Pass)];
        let no_evidence = fields.or("no_evidence", one_of(words), NoEvidence::Wait, "what silence means");
        let about = "how long a silence may last before it means what `no_evidence` says; with `wait` a human is asked then";
        let patience = fields.optional("patience", duration(), about);
        let condition = Self {
            fail: fail?,
            names,
            expected,
            baseline,
            min_samples: min_samples
                .and_then(|least| u64::try_from(least).ok())
                .unwrap_or_else(|| kind.map_or(1, |kind| (kind.min_samples)())),
            breaches: u32::try_from(breaches).unwrap_or(1),
            no_evidence,
            patience,
        };
        condition.must_calculate(fields);
        Some(condition)
    }

    /// Refuses arithmetic that never has a value: all that is measured has a fraction, and whole numbers are of another
    /// kind. Such a condition would be silent for ever.
    fn must_calculate(&self, fields: &mut Fields<'_>) {
        let measured: Vec<_> = self.names.iter().map(|name| (*name, Json::from(0.5))).collect();
        for (key, written) in [("fail", Some(&self.fail)), ("expected", self.expected.as_ref())] {
            let told =
                written.and_then(|written| written.eval(&measured).err()).map(|error| error.to_string());
            if let Some(error) = told.filter(|error| error.contains(" binary operator ")) {
                let span = fields.span_of(key);
                fields
                    .problems()
                    .error(Code("SW2036"), span, format!("this never has a value: {error}"))
                    .help("in arithmetic write whole numbers with a point: `error_rate * 100.0 > 1.0`");
            }
        }
    }

    /// What `value` is compared with, where that is one number.
    pub(crate) fn limit(&self, memory: &Memory) -> Option<f64> {
        let baseline = memory.baseline.as_ref().and_then(|baseline| baseline.value);
        if let Some(expected) = &self.expected {
            return Self::level(expected, memory).ok();
        }
        let known: Vec<_> = baseline.map(|baseline| ("baseline", Json::from(baseline))).into_iter().collect();
        let wishes = self.fail.wishes(&known, true).into_iter().flatten();
        let compared = wishes.filter_map(|wish| match (&wish.place[..], wish.test) {
            ([Place::Field(name)], Test::Is(_, number)) if VALUES.contains(&&**name) => number.as_f64(),
            _ => None,
        });
        compared.into_iter().next()
    }

    /// It is compared with the other side at the same time, and tells nothing where no users come to that.
    pub(crate) fn needs_traffic_beside(&self) -> bool {
        self.baseline.as_ref().is_some_and(Compared::needs_traffic)
    }

    /// A number with which it is not broken, and one with which it is, where there is one: for a world that is made up.
    pub(super) fn numbers(&self) -> (Option<f64>, Option<f64>) {
        (self.number(false), self.number(true))
    }

    fn number(&self, broken: bool) -> Option<f64> {
        let wishes = self.fail.wishes(&[], broken).into_iter().flatten();
        let wished = wishes.filter_map(|wish| match wish.test {
            Test::Is(_, number) => number.as_f64(),
            _ => None,
        });
        let near = wished.flat_map(|number| [number, number + 1.0, number - 1.0, number * 2.0, number / 2.0]);
        let mut tried = [0.0].into_iter().chain(near).chain([1.0, 100.0]);
        tried.find(|number| self.fail.holds(&self.all(*number)) == Ok(broken))
    }

    /// All that it may name has this value; there are samples enough.
    fn all(&self, number: f64) -> Vec<(&'static str, Json)> {
        let value = |name| {
            if name == "samples" { Json::from(self.min_samples.max(1000)) } else { Json::from(number) }
        };
        self.names.iter().map(|name| (*name, value(*name))).collect()
    }

    /// What silence means by now: nothing yet, as long as it is waited out.
    fn now(&self, at: Timestamp, since: Timestamp, memory: &Memory) -> Now {
        let patient = self.patience.is_some_and(|patience| memory.silence(at, since) < patience);
        Now { at, silence: if patient { NoEvidence::Wait } else { self.no_evidence } }
    }

    /// Judges one measurement; counts those in a row that broke the condition.
    fn judge(
        &self,
        measured: &Measured,
        old: Option<&Measured>,
        now: Now,
        memory: &mut Memory,
    ) -> (Verdict, String) {
        let certainty = match self.certainty(measured, old, memory) {
            Ok(certainty) => certainty,
            Err(error) => return self.silent(format!("{}; {error}", measured.text), now, memory),
        };
        let text = &told(&measured.text, memory.baseline.as_deref(), certainty);
        let baseline = memory.baseline.as_ref().and_then(|baseline| baseline.value);
        if measured.samples < self.min_samples {
            if measured.samples > 0 && self.is_sure(certainty) {
                return self.breached(text, measured, now, memory);
            }
            let few = format!("{text}; {} of the {} samples it needs", measured.samples, self.min_samples);
            return self.unheard(few, measured.early, now, memory);
        }
        let compared = [("baseline", baseline), ("certainty", certainty)];
        let holds = |measured: &Measured| self.fail.holds(&self.variables(measured, &compared));
        match holds(measured) {
            Err(error) => self.silent(format!("{text}; {error}"), now, memory),
            Ok(false) if measured.partial => self.silent(text.clone(), now, memory),
            Ok(true) if measured.partial && holds(&most(measured)) != Ok(true) => {
                self.silent(text.clone(), now, memory)
            }
            Ok(false) => {
                (memory.broken, memory.counted, memory.evident) = (0, None, Some(now.at));
                (Verdict::Pass, text.clone())
            }
            Ok(true) => self.breached(text, measured, now, memory),
        }
    }

    /// It is broken by its certainty alone: that knows by itself how few there are.
    fn is_sure(&self, certainty: Option<f64>) -> bool {
        let known = self.variables(&Measured::default(), &[("certainty", certainty)]);
        certainty.is_some() && self.fail.holds(&known) == Ok(true)
    }

    /// A measurement broke it.
    fn breached(&self, text: &str, measured: &Measured, now: Now, memory: &mut Memory) -> (Verdict, String) {
        let again = measured.counted.is_some() && memory.counted == measured.counted;
        (memory.counted, memory.evident) = (measured.counted, Some(now.at));
        self.broken(&format!("{text}: {}", self.fail.source()), !again, memory)
    }

    /// One more in a row, unless it is the same once more. Until there are enough it is suspect: neither broken nor fine.
    fn broken(&self, text: &str, new: bool, memory: &mut Memory) -> (Verdict, String) {
        memory.broken = memory.broken.saturating_add(new.into());
        if memory.broken >= self.breaches {
            return (Verdict::Fail, text.to_owned());
        }
        (Verdict::NoEvidence, format!("{text} ({} of {} in a row)", memory.broken, self.breaches))
    }

    /// What cannot be known yet is no silence.
    fn unheard(&self, text: String, early: bool, now: Now, memory: &mut Memory) -> (Verdict, String) {
        if early && self.patience.is_some() {
            memory.evident = Some(now.at);
        }
        if early && now.silence == NoEvidence::Fail {
            return (Verdict::NoEvidence, text);
        }
        self.silent(text, now, memory)
    }

    /// Nothing in a row is forgotten in a silence.
    fn silent(&self, text: String, now: Now, memory: &mut Memory) -> (Verdict, String) {
        match now.silence {
            NoEvidence::Wait => (Verdict::NoEvidence, text),
            NoEvidence::Pass => (Verdict::Pass, text),
            NoEvidence::Fail => self.broken(&format!("no evidence: {text}"), true, memory),
        }
    }

    /// How sure it is that the rate is above the expected one, with what is new of this measurement.
    fn certainty(
        &self,
        measured: &Measured,
        old: Option<&Measured>,
        memory: &mut Memory,
    ) -> Result<Option<f64>, ExprError> {
        let Some(expected) = &self.expected else { return Ok(None) };
        let level = Self::level(expected, memory)?;
        let certainty = memory.certainty.get_or_insert_default();
        let beside = self.baseline.as_ref().and_then(|baseline| baseline.level);
        match old.zip(beside) {
            Some((old, beside)) => certainty.take_beside(beside, &pairs(measured, old)),
            None => certainty.take(level, &measured.counts),
        }
        Ok(Some(certainty.value()))
    }

    /// The rate that is still fine, by the most that what it is compared with may well be.
    fn level(expected: &Expr, memory: &Memory) -> Result<f64, ExprError> {
        let by = |baseline: Option<f64>| {
            let known = baseline.map(|baseline| ("baseline", Json::from(baseline)));
            let level = expected.eval(known.as_slice())?;
            level.as_f64().ok_or_else(|| {
                let reason = format!("it is {level}, and no number");
                ExprError::NoValue { source_text: expected.source().into(), reason }
            })
        };
        let Some(baseline) = &memory.baseline else { return by(None) };
        let level = by(baseline.value)?;
        if baseline.at_most.is_some() { Ok(level.max(by(baseline.at_most)?)) } else { Ok(level) }
    }

    fn variables(
        &self,
        measured: &Measured,
        compared: &[(&'static str, Option<f64>)],
    ) -> Vec<(&'static str, Json)> {
        let named = measured.named.iter().map(|(name, number)| (*name, Some(*number)));
        let all = named.chain([("value", measured.value)]).chain(compared.iter().copied());
        let finite =
            all.filter_map(|(name, number)| Some((name, number.filter(|number| number.is_finite())?)));
        let known = finite.filter(|(name, _)| self.names.contains(name));
        known.map(|(name, number)| (name, Json::from(number))).collect()
    }
}

/// When it is looked at, and what silence means by then.
#[derive(Clone, Copy)]
struct Now {
    at: Timestamp,
    silence: NoEvidence,
}

/// Takes what is expected of the other side at the same time, and reports what cannot be tested so.
fn beside(fields: &mut Fields<'_>, baseline: &mut Compared, expected: &Expr) {
    if !baseline.is_beside() {
        return;
    }
    baseline.level = Level::of(expected);
    if baseline.level.is_none() {
        let span = fields.span_of("expected");
        let message = "beside a baseline of the same time `expected` is a multiple of it, and something more";
        fields.problems().error(Code("SW2003"), span, message).help("`expected: baseline * 1.2 + 0.001`");
    }
}

/// Reports a share that is compared as if it were of a hundred.
fn percent(fields: &mut Fields<'_>, fail: &Expr) {
    let value = [Place::Field("value".into())];
    let wishes = fail.wishes(&[], true).into_iter().flatten();
    let compared = wishes.filter(|wish| wish.place == value).find_map(|wish| match wish.test {
        Test::Is(_, number) => number.as_f64().filter(|number| *number > WHOLE),
        _ => None,
    });
    if let Some(number) = compared {
        let span = fields.span_of("fail");
        let message = format!("`value` is a share, and is compared with {number}");
        fields.problems().warn(Code("SW2012"), span, message).help("80 % is 0.8");
    }
}

/// The same with as much as there can be of what was not counted whole.
fn most(measured: &Measured) -> Measured {
    let named = measured.named.keys().map(|name| (*name, MOST)).collect();
    Measured { value: measured.value.map(|_| MOST), named, ..Measured::default() }
}

/// With what it was compared with.
fn told(text: &str, baseline: Option<&Baseline>, certainty: Option<f64>) -> String {
    let with = |what: &str, number: Option<f64>| number.map(|number| format!("{what} {number:.4}"));
    let at_most = certainty.and_then(|_| baseline?.at_most);
    let compared = with("; the baseline is", baseline.and_then(|baseline| baseline.value))
        .into_iter()
        .chain(with(", at most", at_most))
        .chain(with("; certainty", certainty));
    compared.fold(text.to_owned(), |text, more| text + &more)
}

/// A rate: a number, or an expression that may name this.
struct Rate(Option<&'static str>);

impl Shape for Rate {
    type Out = Expr;

    fn read(&self, value: &Value, known: &Known, problems: &mut Problems) -> Option<Expr> {
        let names: Vec<&'static str> = self.0.into_iter().collect();
        let number = |number: String| Value { span: value.span, data: Data::Text(number.into()) };
        match &value.data {
            Data::Float(level) if *level > 0.0 && *level < 1.0 => {
                expr(names).read(&number(level.to_string()), known, problems)
            }
            Data::Float(_) | Data::Integer(_) => {
                problems.error(Code("SW1002"), value.span, "a rate is between 0 and 1, and neither of them");
                None
            }
            _ => expr(names).read(value, known, problems),
        }
    }

    fn schema(&self) -> Json {
        json!({"type": ["number", "string"]})
    }
}

/// A signal and its condition.
#[derive(Clone, Debug)]
pub struct Watch {
    signal: Arc<dyn Signal>,
    condition: Condition,
    every: Option<Duration>,
    grace: Duration,
}

impl Watch {
    /// Puts them together.
    #[must_use]
    pub fn new(signal: Arc<dyn Signal>, condition: Condition) -> Self {
        Self { signal, condition, every: None, grace: Duration::ZERO }
    }

    /// The same, looked at so often; `None`: as often as is worth it.
    #[must_use]
    pub fn every(self, every: Option<Duration>) -> Self {
        Self { every, ..self }
    }

    /// The same, not looked at before that long after it might be.
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// From when on it is looked at, where it might be from `now` on.
    #[must_use]
    pub fn begins(&self, now: Timestamp) -> Timestamp {
        now.after(self.grace)
    }

    /// Between two looks: as the plan says, or as often as is worth it.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.every.unwrap_or_else(|| self.signal.period())
    }

    /// For how long a guard may see nothing before a human is asked. Where silence comes to mean more by itself, not before
    /// that.
    #[must_use]
    pub fn patience(&self) -> Duration {
        let own = self.signal.patience();
        match (self.condition.patience, self.condition.no_evidence) {
            (None, _) => own,
            (Some(stated), NoEvidence::Wait) => stated,
            (Some(stated), NoEvidence::Fail | NoEvidence::Pass) => stated + own,
        }
    }

    /// How long nothing was seen, where the plan says for how long that may be, and a human is to be asked now.
    #[must_use]
    pub(crate) fn gave_up(&self, now: Timestamp, since: Timestamp, memory: &Memory) -> Option<Duration> {
        let silence = memory.silence(now, since);
        let is_over = self.condition.patience.is_some_and(|patience| silence >= patience);
        (is_over && self.condition.no_evidence == NoEvidence::Wait).then_some(silence)
    }

    /// Why its evidence comes never, or too late, where it is looked at so often and a human is asked after so long anyway: as
    /// a fragment after its name.
    #[must_use]
    pub(crate) fn check(&self, every: Duration, asks: Duration) -> Option<String> {
        let (most, needed) = (self.signal.most(every), self.condition.min_samples);
        let patience = self.condition.patience;
        if most < needed {
            let every = format_duration(every);
            return Some(format!(
                "needs {needed} samples, and its window holds {most} at most, looked at every {every}"
            ));
        }
        let looks = every * 2;
        if let Some(patience) = patience.filter(|patience| *patience < looks) {
            let (patience, looks) = (format_duration(patience), format_duration(looks));
            return Some(format!("has a `patience` of {patience}, and two looks take {looks}"));
        }
        let patience = patience.filter(|patience| *patience > asks)?;
        let (patience, asks) = (format_duration(patience), format_duration(asks));
        Some(format!("has a `patience` of {patience}, and a human is asked after {asks} anyway"))
    }

    /// What must be there for it to measure that all is well.
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        let compared = self.condition.baseline.iter().flat_map(|baseline| baseline.needs(&self.condition));
        self.signal.needs(&self.condition).into_iter().chain(compared).collect()
    }

    /// When it is broken.
    #[must_use]
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// What it has seen lately, for people.
    pub(crate) fn curve(&self, name: &Arc<str>, kept: &Kept) -> Curve {
        let limit = self.condition.limit(&kept.memory);
        Curve { name: name.clone(), values: kept.values.clone(), limit }
    }

    /// Looks once at what happened between `since` and now. Give it the same `memory` each time.
    pub async fn look(&self, reads: &Reads<'_>, since: Timestamp, memory: &mut Memory) -> Sample {
        let old = match self.compare(reads, since, memory).await {
            Ok(old) => old,
            Err(Silent { why, early }) => {
                if early {
                    memory.heard = Some(reads.world.clock().now());
                }
                let text = format!("the baseline: {why}");
                let now = self.condition.now(reads.world.clock().now(), since, memory);
                let (verdict, text) = self.condition.unheard(text, early, now, memory);
                return Sample { verdict, value: None, text };
            }
        };
        let measured = self.signal.measure(reads, since, memory).await;
        let now = self.condition.now(reads.world.clock().now(), since, memory);
        // Where the plan calls silence good, it is as good as an answer.
        if measured.as_ref().is_ok_and(Measured::is_heard) || now.silence == NoEvidence::Pass {
            memory.heard = Some(now.at);
        }
        let (verdict, text) = match &measured {
            Ok(measured) => self.condition.judge(measured, old.as_ref(), now, memory),
            Err(fault) => self.condition.silent(fault.message.to_string(), now, memory),
        };
        let value = measured.ok().and_then(|measured| measured.value).filter(|value| value.is_finite());
        Sample { verdict, value, text }
    }

    /// Measures what it is compared with, unless that is known; see [`Compared::measure`].
    async fn compare(
        &self,
        reads: &Reads<'_>,
        since: Timestamp,
        memory: &mut Memory,
    ) -> Result<Option<Measured>, Silent> {
        let Some(compared) = &self.condition.baseline else { return Ok(None) };
        let baseline = memory.baseline.get_or_insert_default();
        compared.measure(reads, since, self.condition.min_samples, baseline).await
    }
}
