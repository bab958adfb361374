//! `monitor`: watches signals for a while. It passes only on evidence from every signal. Changes nothing.

use super::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{
    Code, Expr, Fields, Known as Names, Problems, Shape, StepTraits, Value, duration, expr, format_duration,
    list, nested, text, value,
};
use crate::port::{Reads, Writes};
use crate::run::Fault;
use crate::signal::{Condition, SignalRegistry, Watch};
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

#[async_trait::async_trait]
impl Action for Monitor {
    type Prior = ();
    type Note = ();

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

    async fn plan(&self, _reads: &Reads<'_>) -> Result<Planned<Self::Prior>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }

    async fn apply(
        &self,
        _writes: &Writes<'_>,
        _stage: u32,
        _prior: &Self::Prior,
    ) -> Result<Option<Self::Note>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }

    async fn look(
        &self,
        _reads: &Reads<'_>,
        _toward: Toward,
        _record: &Known<Self>,
    ) -> Result<Seen<Self::Note>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }

    async fn undo(&self, _writes: &Writes<'_>, _record: &Known<Self>) -> Result<Option<Self::Note>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
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
        for line in &self.signals {
            let needed = self.every * line.watch.condition().breaches;
            if self.length.is_some_and(|length| needed > length) {
                let message = format!(
                    "signal `{}` cannot breach: {} looks in a row, one every {}, take longer than `for`",
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
    let names = kind.map_or(&["value"][..], |kind| (kind.names)());
    let condition = Condition::decode(fields, names);
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
    use crate::plan::{Kinds, nearest};
    let span = fields.span_of("uses");
    if let Some((_, about)) = SignalRegistry.not_yet().into_iter().find(|(name, _)| *name == uses) {
        let message = format!("signal `{uses}` ({about}) is not here yet");
        fields.problems().error(Code("SW2005"), span, message).help("`http.probe` is");
        return;
    }
    let names = SignalRegistry.names();
    let message = format!("there is no signal `{uses}`");
    let problem = fields.problems().error(Code("SW2008"), span, message);
    match nearest(uses, &names) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("there are {}", names.join(", "))),
    };
}
