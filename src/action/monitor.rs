//! `monitor`: watches signals for a while. It passes only on evidence from every signal. Changes nothing.
//!
//! A source that says nothing for a while leaves a hole in what was watched: what was seen before it counts no more, and the
//! time begins anew. So it is where nobody looked, because the machine was asleep or the process dead. Where there is no time
//! left for that, a human is asked.

use super::{Action, ByHand, Known, Planned, Seen, Toward, Trouble};
use crate::mutant::{Mistake, on};
use crate::plan::{
    Code, Expr, ExprError, Fields, Known as Names, Problems, Shape, StepTraits, Timestamp, Value, WEBHOOK,
    duration, expr, format_duration, list, nearest, nested, text, value,
};
use crate::port::{Reads, Writes, need::Need};
use crate::run::{Curve, Fault};
use crate::signal::{Condition, Evidence, FORGIVEN, Kept, SignalRegistry, Verdict, Watch};
use serde_json::{Value as Json, json};
use std::{sync::Arc, time::Duration};

/// Watches signals.
#[derive(Debug)]
pub(super) struct Monitor {
    length: Option<Duration>,
    until: Option<Expr>,
    every: Duration,
    patience: Option<Duration>,
    signals: Vec<Line>,
}

/// One signal of a monitor.
#[derive(Debug)]
struct Line {
    id: Arc<str>,
    watch: Watch,
}

const EVERY: Duration = Duration::from_secs(30);
/// How long evidence may be missing, unless the plan says otherwise.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// A hole of a few looks is forgiven, too.
const FORGIVEN_LOOKS: u32 = 3;
/// How long `until` may take, unless the step has a `timeout`.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

#[async_trait::async_trait]
impl Action for Monitor {
    type Prior = ();
    type Note = Evidence;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let length = fields.optional("for", duration(), "how long");
        let until = fields.optional("until", expr(&["signals"]), "in place of `for`: until this holds");
        let every = fields.or("every", duration(), EVERY, "between two looks");
        let patience = fields.optional(
            "patience",
            duration(),
            "how long evidence may be missing after `for`, before a human is asked",
        );
        let signals = fields.required("signals", list(LineShape), "what is watched");
        let signals = signals?;
        if length.is_some() == until.is_some() && fields.has("for") == fields.has("until") {
            let span = fields.span();
            fields.problems().error(Code("SW2003"), span, "exactly one of `for` and `until` is needed");
            return None;
        }
        let monitor = Self { length, until, every, patience, signals };
        monitor.check(fields);
        Some(monitor)
    }

    fn traits(&self) -> StepTraits {
        StepTraits::default()
    }

    fn by_hand(&self) -> ByHand {
        let signals = self
            .signals
            .iter()
            .map(|line| format!("{}: broken where {}", line.id, line.watch.condition().fail.source()));
        let length = match (&self.length, &self.until) {
            (Some(length), _) => format!("for {}", format_duration(*length)),
            (None, Some(until)) => format!("until {}", until.source()),
            (None, None) => String::new(),
        };
        ByHand {
            what: format!("watch {length}"),
            apply: signals.collect(),
            expect: "none is broken, and each has evidence: silence is not a pass".into(),
            undo: Vec::new(),
        }
    }

    fn trouble(&self, note: &Evidence) -> Trouble {
        note.trouble()
    }

    fn is_news(&self, recorded: &Evidence, note: &Evidence) -> bool {
        note.is_news(recorded)
    }

    fn curves(&self, note: &Evidence) -> Vec<Curve> {
        let curve = |(line, kept): (&Line, &Kept)| line.watch.curve(&line.id, kept);
        self.signals.iter().zip(&note.signals).map(curve).collect()
    }

    fn needs(&self) -> Vec<Need> {
        self.signals.iter().flat_map(|line| line.watch.needs()).collect()
    }

    async fn plan(&self, _reads: &Reads<'_>, _: bool) -> Result<Planned<()>, Fault> {
        Ok(Planned::nothing((), self.takes()))
    }

    async fn apply(&self, _: &Writes<'_>, _: u32, (): &()) -> Result<Option<Evidence>, Fault> {
        Ok(None)
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Evidence>, Fault> {
        if toward == Toward::Prior {
            return Ok(Seen::Prior);
        }
        self.watch(reads, record, record.since).await
    }

    async fn undo(&self, _: &Writes<'_>, _: &Known<Self>) -> Result<Option<Evidence>, Fault> {
        Ok(None)
    }
}

impl Monitor {
    /// Looks at each signal. Its time counts from `counted` on, which may be later than that signals are looked at.
    pub(super) async fn watch(
        &self,
        reads: &Reads<'_>,
        record: &Known<Self>,
        counted: Timestamp,
    ) -> Result<Seen<Evidence>, Fault> {
        let clock = reads.world.clock();
        let mut evidence = record.note.clone().unwrap_or_default();
        if let Some(broken) = self.broken(&evidence, &record.token) {
            return Err(Fault::permanent(broken));
        }
        evidence.forget_broken();
        evidence.look(clock.now(), self.signals.len());
        let (since, standings) = (evidence.begun(record.since), evidence.standings());
        let (mut hole, mut lost) = (None, None);
        for (line, kept) in self.signals.iter().zip(&mut evidence.signals) {
            let before = kept.memory.heard.unwrap_or(since);
            let mut sample = line.watch.look(reads, since, &mut kept.memory).await;
            if sample.verdict == Verdict::Fail && on(Mistake::TriggersDeaf) {
                sample.verdict = Verdict::Pass;
            }
            let is_broken = sample.verdict == Verdict::Fail;
            kept.keep(sample);
            if is_broken {
                break;
            }
            if let Some(silence) = line.watch.gave_up(clock.now(), since, &kept.memory) {
                let told = kept.last.as_ref().map_or("", |sample| &sample.text);
                let silence = format_duration(silence);
                lost = Some(format!("signal `{}` has no evidence for {silence}: {told}", line.id));
            }
            let silence = kept.memory.heard.unwrap_or(before).since(before);
            if silence > self.forgiven() {
                hole = Some(format!("signal `{}` said nothing for {}", line.id, format_duration(silence)));
            }
        }
        evidence.is_looked_at(&standings);
        let (now, is_of_another) = (clock.now(), evidence.is_of_another(&record.token));
        if let Some(broken) = self.broken(&evidence, &record.token) {
            // What broke it is recorded before what follows from it, which is the next look's to say.
            (reads.progress)(&broken);
            return Ok(Seen::Moving { note: Some(evidence), again: Duration::ZERO });
        }
        if is_of_another {
            // Somebody was asked, and went on: it has all of its time again.
            evidence.begin_anew(now, "somebody went on");
            evidence.signals.iter_mut().for_each(|kept| kept.memory.evident = Some(now));
        } else if let Some(lost) = lost {
            return Err(Fault::blind(lost));
        } else if let Some(hole) = hole {
            if self.length.is_some_and(|length| now.after(length) > self.last(counted)) {
                let late = format!("no evidence in time: {hole}, and there is no time left to begin anew");
                return Err(Fault::blind(late));
            }
            evidence.begin_anew(now, &hole);
        }
        (reads.progress)(&self.told(&evidence));
        let from = evidence.begun(counted);
        let watched = now.since(from);
        if now >= from && self.is_over(&evidence, watched)? {
            return self.judge(evidence, watched, now >= self.last(counted));
        }
        // From one look to the next, however long it took: whoever answers nobody is not looked at less often.
        let pause = self.every.saturating_sub(now.since(evidence.looked()));
        let rest = self.length.map_or(pause, |length| length.saturating_sub(watched));
        let again = if rest.is_zero() { pause } else { rest.min(pause) };
        Ok(Seen::Moving { note: Some(evidence), again })
    }
}

impl Monitor {
    /// The keys of [`Monitor::soak`].
    pub(super) const SOAK: [&str; 4] = ["soak", "signals", "patience", "every"];

    /// What is watched after each part of a change: keys of another kind of step. `None` where none of them is there, or
    /// one is wrong.
    pub(super) fn soak(fields: &mut Fields<'_>) -> Option<Self> {
        let length = fields.optional("soak", duration(), "how long each weight is watched before the next");
        let every = fields.or("every", duration(), EVERY, "between two looks at the signals");
        let patience = fields.optional(
            "patience",
            duration(),
            "how long evidence may be missing after `soak`, before a human is asked",
        );
        let signals = fields.optional("signals", list(LineShape), "what is watched meanwhile");
        if length.is_none() && fields.has("soak") || signals.is_none() && fields.has("signals") {
            return None;
        }
        let signals = signals.unwrap_or_default();
        if length.is_none() {
            if let Some(key) = Self::SOAK.into_iter().find(|key| fields.has(key)) {
                let span = fields.span_of(key);
                fields
                    .problems()
                    .error(
                        Code("SW2003"),
                        span,
                        format!("`{key}` is about what is watched, and there is no `soak`"),
                    )
                    .help("say how long: `soak: 5m`");
            }
            return None;
        }
        let monitor = Self { length, until: None, every, patience, signals };
        monitor.check_breaches(fields, "soak");
        Some(monitor)
    }

    /// The first of its signals that compares with users of the other side at the same time.
    pub(super) fn beside(&self) -> Option<&str> {
        let line = self.signals.iter().find(|line| line.watch.condition().needs_traffic_beside());
        line.map(|line| &*line.id)
    }

    /// How long it watches.
    pub(super) fn length(&self) -> Option<Duration> {
        self.length
    }

    /// How long it may take at most: with time to begin anew once, for evidence that comes late, and for a look more than
    /// that, so that a human hears why.
    pub(super) fn takes(&self) -> Duration {
        self.length.map_or(LONGEST, |length| length * 2) + self.patience() + self.every * 2
    }

    /// When a human hears of it at the latest that evidence is missing.
    fn last(&self, counted: Timestamp) -> Timestamp {
        self.length.map_or(Timestamp::NEVER, |length| counted.after(length * 2 + self.patience()))
    }

    fn patience(&self) -> Duration {
        self.patience.unwrap_or(PATIENCE)
    }

    /// How long a source may say nothing before what was seen counts no more.
    fn forgiven(&self) -> Duration {
        FORGIVEN.max(self.every * FORGIVEN_LOOKS)
    }

    /// What is broken, as the newest look in the name of this call saw it.
    fn broken(&self, evidence: &Evidence, call: &str) -> Option<String> {
        let line = |(line, kept): (&Line, &Kept)| {
            let sample = kept.last.as_ref().filter(|sample| sample.verdict == Verdict::Fail)?;
            Some(format!("signal `{}` is broken: {}", line.id, sample.text))
        };
        let mut lines = self.signals.iter().zip(&evidence.signals).filter_map(line);
        lines.next().filter(|_| evidence.is_of(call))
    }

    /// The time is over, or what it waits for holds.
    fn is_over(&self, evidence: &Evidence, watched: Duration) -> Result<bool, Fault> {
        let Some(until) = &self.until else { return Ok(self.length.is_some_and(|length| watched >= length)) };
        let line = |(line, kept): (&Line, &Kept)| {
            let value = kept.last.as_ref().and_then(|sample| sample.value);
            (line.id.to_string(), json!({"value": value, "passes": kept.passes}))
        };
        let signals: serde_json::Map<String, Json> =
            self.signals.iter().zip(&evidence.signals).map(line).collect();
        match until.holds(&[("signals", Json::Object(signals))]) {
            Ok(holds) => Ok(holds),
            // A value that is not there yet.
            Err(ExprError::NoValue { .. }) => Ok(false),
            Err(error) => Err(Fault::permanent(error.to_string())),
        }
    }

    /// It passes only on evidence from every signal; without it, it waits a while, and then asks a human.
    fn judge(&self, evidence: Evidence, watched: Duration, last: bool) -> Result<Seen<Evidence>, Fault> {
        if evidence.signals.iter().all(Kept::is_fine) {
            let signal = |(line, kept): (&Line, &Kept)| {
                let last = kept.last.as_ref().map(|sample| sample.text.clone());
                (line.id.to_string(), json!({"looks": kept.passes, "last": last, "values": kept.values}))
            };
            let signals: serde_json::Map<String, Json> =
                self.signals.iter().zip(&evidence.signals).map(signal).collect();
            return Ok(Seen::Desired {
                out: json!({"watched": format_duration(watched), "signals": signals}),
            });
        }
        let patience = self.length.unwrap_or_default() + self.patience();
        if self.until.is_none() && (watched >= patience || last) {
            return Err(Fault::blind(format!("no evidence in time: {}", self.told(&evidence))));
        }
        Ok(Seen::Moving { note: Some(evidence), again: self.every })
    }

    fn told(&self, evidence: &Evidence) -> String {
        let line = |(line, kept): (&Line, &Kept)| {
            let text = kept.last.as_ref().map_or("nothing yet", |sample| &sample.text);
            format!("{}: {text}", line.id)
        };
        self.signals.iter().zip(&evidence.signals).map(line).collect::<Vec<_>>().join("; ")
    }
}

impl Monitor {
    /// Reports a monitor that cannot breach.
    fn check(&self, fields: &mut Fields<'_>) {
        let span = fields.span_of("signals");
        if self.signals.is_empty() {
            fields.problems().error(
                Code("SW2007"),
                span,
                "a monitor without signals passes whatever happens",
            );
        }
        self.check_breaches(fields, "for");
    }

    /// Reports signals that cannot breach in the time of this key, and evidence that comes too late or never.
    fn check_breaches(&self, fields: &mut Fields<'_>, key: &str) {
        let span = fields.span_of("signals");
        let asks = self.length.unwrap_or(LONGEST) + self.patience();
        for line in &self.signals {
            let waits = line.watch.check(self.every, asks);
            if let Some(why) = waits {
                let message = format!("signal `{}` {why}", line.id);
                fields.problems().warn(Code("SW2037"), span, message);
            }
            let needed = self.every * line.watch.condition().breaches;
            if self.length.is_some_and(|length| needed > length) {
                let message = format!(
                    "signal `{}` cannot breach: {} looks in a row, one every {}, take longer than `{key}`",
                    line.id,
                    line.watch.condition().breaches,
                    format_duration(self.every)
                );
                fields.problems().warn(Code("SW2007"), span, message);
            }
        }
    }
}

/// `{ id, uses, with, fail, … }`. The keys of `with` depend on `uses`.
struct LineShape;

impl Shape for LineShape {
    type Out = Line;

    fn read(&self, value: &Value, known: &Names, problems: &mut Problems) -> Option<Line> {
        let mut fields = Fields::new(value, known, problems);
        let uses = value.get("uses").and_then(Value::as_text).cloned();
        let line = decode_line(&mut fields, uses.as_deref());
        fields.finish();
        line
    }

    fn schema(&self) -> serde_json::Value {
        nested(|fields| decode_line(fields, None)).schema()
    }
}

fn decode_line(fields: &mut Fields<'_>, uses: Option<&str>) -> Option<Line> {
    let id = fields.required("id", text(), "its name");
    let _ = fields.required("uses", text(), "the kind of signal");
    let with = fields.optional("with", value(), "what the signal is told");
    let kind = uses.and_then(|uses| SignalRegistry.find(uses));
    let condition = Condition::decode(fields, kind);
    let Some(kind) = kind else {
        if let Some(uses) = uses {
            unknown(fields, uses);
        }
        return None;
    };
    let empty = Value { span: fields.span(), data: crate::plan::Data::Map(Vec::new()) };
    let known = fields.known();
    let with = with.unwrap_or(empty);
    let mut own = Fields::new(&with, known, fields.problems());
    let signal = (kind.decode)(&mut own);
    own.finish();
    Some(Line { id: id?, watch: Watch::new(signal?, condition?) })
}

fn unknown(fields: &mut Fields<'_>, uses: &str) {
    let span = fields.span_of("uses");
    if uses == WEBHOOK {
        fields
            .problems()
            .error(Code("SW2016"), span, "`webhook` is tripped from outside, and what is watched here looks")
            .help("name it among the plan's `guards`: there it is heard whatever the run is doing");
        return;
    }
    let names = SignalRegistry.looking();
    let message = format!("there is no signal `{uses}`");
    let problem = fields.problems().error(Code("SW2008"), span, message);
    match nearest(uses, &names) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("there are {}", names.join(", "))),
    };
}
