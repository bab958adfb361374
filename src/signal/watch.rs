//! A signal with the condition under which it is broken: what a guard is, and each line of a monitor.

use super::{Measured, Memory, Sample, Signal, Verdict};
use crate::plan::{Code, Expr, Fields, Timestamp, duration, integer, nested, one_of};
use crate::port::{Reads, need::Need};
use serde_json::Value as Json;
use std::{sync::Arc, time::Duration};

/// When a signal is broken.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// It is broken where this holds.
    pub fail: Expr,
    /// What the condition may name.
    pub names: &'static [&'static str],
    /// Observations without which there is no evidence.
    pub min_samples: u64,
    /// So many measurements in a row must break it.
    pub breaches: u32,
    /// What silence means.
    pub no_evidence: NoEvidence,
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
    /// Reads the keys of a condition.
    pub fn decode(fields: &mut Fields<'_>, names: &'static [&'static str]) -> Option<Self> {
        let fail = fields.required("fail", crate::plan::expr(names), "it is broken where this holds");
        let min_samples = fields.or(
            "min_samples",
            integer(1..=1_000_000),
            1,
            "observations without which there is no evidence",
        );
        let breaches =
            fields.or("breaches", integer(1..=1000), 1, "so many measurements in a row must break it");
        let words = &[("wait", NoEvidence::Wait), ("fail", NoEvidence::Fail), ("pass", NoEvidence::Pass)];
        let no_evidence = fields.or("no_evidence", one_of(words), NoEvidence::Wait, "what silence means");
        let baseline = fields.optional(
            "baseline",
            nested(|fields| {
                let _ = fields.required("window", duration(), "how far back the baseline looks");
                Some(())
            }),
            "what it is compared with",
        );
        if baseline.is_some() {
            let span = fields.span_of("baseline");
            fields
                .problems()
                .error(Code("SW2005"), span, "`baseline` is not here yet")
                .help("compare with a number: `fail: value > 0.01`");
        }
        Some(Self {
            fail: fail?,
            names,
            min_samples: u64::try_from(min_samples).unwrap_or(1),
            breaches: u32::try_from(breaches).unwrap_or(1),
            no_evidence,
        })
    }

    /// Judges one measurement; counts those in a row that broke the condition.
    fn judge(&self, measured: &Measured, memory: &mut Memory) -> (Verdict, String) {
        let text = &measured.text;
        if measured.samples < self.min_samples {
            let few = format!("{text}; {} of the {} samples it needs", measured.samples, self.min_samples);
            return self.silent(few, memory);
        }
        match self.fail.holds(&self.variables(measured)) {
            Err(error) => self.silent(format!("{text}; {error}"), memory),
            Ok(false) => {
                (memory.broken, memory.counted) = (0, None);
                (Verdict::Pass, text.clone())
            }
            Ok(true) => {
                let again = measured.counted.is_some() && memory.counted == measured.counted;
                memory.counted = measured.counted;
                self.broken(&format!("{text}: {}", self.fail.source()), !again, memory)
            }
        }
    }

    /// One more in a row, unless it is the same once more. Until there are enough it is suspect: neither broken nor fine.
    fn broken(&self, text: &str, new: bool, memory: &mut Memory) -> (Verdict, String) {
        memory.broken = memory.broken.saturating_add(new.into());
        if memory.broken >= self.breaches {
            return (Verdict::Fail, text.to_owned());
        }
        (Verdict::NoEvidence, format!("{text} ({} of {} in a row)", memory.broken, self.breaches))
    }

    /// Nothing in a row is forgotten in a silence.
    fn silent(&self, text: String, memory: &mut Memory) -> (Verdict, String) {
        match self.no_evidence {
            NoEvidence::Wait => (Verdict::NoEvidence, text),
            NoEvidence::Pass => (Verdict::Pass, text),
            NoEvidence::Fail => self.broken(&format!("no evidence: {text}"), true, memory),
        }
    }

    fn variables(&self, measured: &Measured) -> Vec<(&'static str, Json)> {
        let finite = |number: f64| number.is_finite().then(|| Json::from(number));
        let named = measured.named.iter().filter_map(|(name, number)| Some((*name, finite(*number)?)));
        let value = measured.value.and_then(finite).map(|value| ("value", value));
        named.chain(value).filter(|(name, _)| self.names.contains(name)).collect()
    }
}

/// A signal and its condition.
#[derive(Clone, Debug)]
pub struct Watch {
    signal: Arc<dyn Signal>,
    condition: Condition,
}

impl Watch {
    /// Puts them together.
    #[must_use]
    pub fn new(signal: Arc<dyn Signal>, condition: Condition) -> Self {
        Self { signal, condition }
    }

    /// How often it is worth looking.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.signal.period()
    }

    /// What must be there for it to measure that all is well.
    #[must_use]
    pub fn needs(&self) -> Vec<Need> {
        self.signal.needs()
    }

    /// When it is broken.
    #[must_use]
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// Looks once at what happened between `since` and now. Give it the same `memory` each time.
    pub async fn look(&self, reads: &Reads<'_>, since: Timestamp, memory: &mut Memory) -> Sample {
        let measured = self.signal.measure(reads, since, memory).await;
        let (verdict, text) = match &measured {
            Ok(measured) => self.condition.judge(measured, memory),
            Err(fault) => self.condition.silent(fault.message.to_string(), memory),
        };
        let value = measured.ok().and_then(|measured| measured.value).filter(|value| value.is_finite());
        Sample { verdict, value, text }
    }
}
