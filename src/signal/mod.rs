//! Evidence: what monitors and guards go by. One file per kind of signal, and a registry line each.
//!
//! A verdict has three values; silence, NaN, too few samples and errors of the source are no evidence, never a pass.
//! A signal measures; a [`Watch`] is a signal with the condition under which it is broken.
//! Not here: what a breach does (`run`), where samples come from (`adapter`).

mod alarms;
pub(crate) mod balancer;
mod certainty;
mod compared;
mod connections;
mod drift;
mod error_rate;
mod evidence;
mod exec;
mod hosts;
mod kill_switch;
mod latency;
mod log_lines;
mod metric;
mod minutes;
mod probe;
mod prometheus;
mod registry;
mod requests;
mod resolvers;
mod running;
mod seen;
mod slow_rate;
mod spread;
mod watch;
mod webhook;

pub use certainty::{Certainty, Count, Level, Pair};
pub use compared::Compared;
pub use evidence::Trouble;
pub(crate) use evidence::{Evidence, FORGIVEN, Kept};
#[cfg(test)]
pub(crate) use registry::OF_A_GUARD;
pub use registry::{SIGNALS, SignalKind, SignalRegistry, watch};
pub use watch::{Condition, NoEvidence, Watch};

use crate::plan::{Fields, Timestamp};
use crate::port::{Reads, need::Need};
use crate::run::Fault;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::{fmt::Debug, time::Duration};

/// What one sample says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Fine.
    Pass,
    /// Broken.
    Fail,
    /// Nobody can tell.
    NoEvidence,
}

/// What a watch makes of one measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// What it says.
    pub verdict: Verdict,
    /// The number it is based on, where there is one.
    pub value: Option<f64>,
    /// For people: `error_rate 0.032 of 250 samples: value > 0.01`.
    pub text: String,
}

/// What a signal measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// What conditions call `value`.
    pub value: Option<f64>,
    /// Other numbers, by the names of [`Signal::names`]. What could not be measured is absent, never zero.
    pub named: BTreeMap<&'static str, f64>,
    /// How many observations it rests on.
    pub samples: u64,
    /// What was good and bad of them, in the order of time; see [`Signal::counts`].
    pub counts: Vec<Count>,
    /// Up to when the source had counted, where it counts by itself: to look twice at one count is to look once.
    pub counted: Option<Timestamp>,
    /// A part could not be measured: there may be more of what is counted, and not less. What there is passes no condition,
    /// and breaks one that more of it would break, too.
    pub partial: bool,
    /// Nothing can have been measured yet: all that there is tells of before the watch began.
    pub early: bool,
    /// For people: `2 of 40 requests failed: status 502`.
    pub text: String,
}

impl Measured {
    /// Nobody can tell, and why.
    pub(crate) fn nothing(why: &str) -> Self {
        Self { text: why.to_owned(), ..Self::default() }
    }

    /// Nobody can tell yet, and why.
    pub(crate) fn too_early(why: &str) -> Self {
        Self { early: true, ..Self::nothing(why) }
    }

    /// The source has said something: enough or not, fine or not.
    fn is_heard(&self) -> bool {
        self.early || !self.partial && (self.value.is_some() || self.samples > 0)
    }
}

/// What a watch keeps from one look to the next; bounded, and journaled by whoever watches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// Observations that the window still holds: when, whether it was good, and a number such as milliseconds.
    #[serde(with = "seen")]
    pub seen: Vec<(Timestamp, bool, u32)>,
    /// When its source said something last; see [`Measured::partial`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Timestamp>,
    /// When there was evidence last, or could not be any yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evident: Option<Timestamp>,
    /// Measurements in a row that broke the condition.
    pub broken: u32,
    /// [`Measured::counted`] of the newest that broke it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Timestamp>,
    /// Whether the rate is above the one that is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certainty: Option<Box<Certainty>>,
    /// What it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Box<Baseline>>,
}

/// What a measurement is compared with: measured until there is a number, and kept; or measured at each look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    value: Option<f64>,
    /// The most that the true rate may well be, where the value is one that was measured once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_most: Option<f64>,
    memory: Memory,
}

impl Memory {
    /// Breaches in a row, and bad observations that the window still holds.
    /// How sure it is that something is wrong counts in steps.
    pub(crate) fn bad(&self) -> (u32, usize) {
        let sure = self.certainty.as_ref().map_or(0, |certainty| certainty.steps());
        (self.broken, sure + self.seen.iter().filter(|(_, good, _)| !good).count())
    }

    /// It is known what it is compared with.
    pub(crate) fn is_compared(&self) -> bool {
        self.baseline.as_ref().is_some_and(|baseline| baseline.value.is_some())
    }

    /// For how long there is no evidence, of a watch that began then.
    fn silence(&self, now: Timestamp, since: Timestamp) -> Duration {
        now.since(self.evident.unwrap_or(since))
    }

    /// What of it may decide.
    pub(crate) fn weight(&self) -> Weight {
        Weight {
            broken: self.broken,
            compared: self.is_compared(),
            sure: self.certainty.as_ref().map_or(0, |certainty| certainty.steps()),
            bad: self.seen.iter().filter(|(_, good, _)| !good).map(|(at, ..)| *at).max(),
        }
    }
}

/// What of a memory may decide, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    broken: u32,
    /// It is known what it is compared with.
    compared: bool,
    sure: usize,
    /// The newest bad observation.
    bad: Option<Timestamp>,
}

impl Weight {
    /// Something was seen since that may decide. That something bad has become old does not.
    pub(crate) fn has_news(self, before: Self) -> bool {
        (self.broken, self.compared) != (before.broken, before.compared)
            || self.sure > before.sure
            || self.bad > before.bad
    }
}

/// A kind of signal.
#[async_trait::async_trait]
pub trait Signal: Debug + Send + Sync {
    /// Reads its part of `with`. Ask for every field, also when describing (then nothing is there).
    fn decode(fields: &mut Fields<'_>) -> Option<Self>
    where
        Self: Sized;
    /// How often it is worth measuring.
    fn period(&self) -> Duration;
    /// For how long a guard may see nothing before a human is asked: a window that fills, and a source that restarts, take
    /// minutes.
    fn patience(&self) -> Duration {
        Duration::from_mins(15)
    }
    /// Observations without which there is no evidence, unless the plan says otherwise: one that tells how something stands,
    /// and of requests as many as make a rate mean something.
    fn min_samples() -> u64
    where
        Self: Sized,
    {
        1
    }
    /// The most samples that one measurement can rest on, if it is made so often.
    fn most(&self, _every: Duration) -> u64 {
        u64::MAX
    }
    /// How often it is measured, how late that tells, what one sample is, how many it needs, and the calls that it takes: for
    /// people.
    fn costs() -> &'static str
    where
        Self: Sized;
    /// What it measures besides `value`, for conditions.
    fn names() -> &'static [&'static str]
    where
        Self: Sized;
    /// Whether it counts what is good and bad one by one, so that it can be said how sure a bad rate is.
    fn counts() -> bool
    where
        Self: Sized,
    {
        false
    }
    /// It measures what becomes of the requests of users: where none come, it has nothing to say.
    fn needs_traffic(&self) -> bool {
        false
    }
    /// What must be there for it to measure that all is well, as far as the plan tells, where this says what is not well.
    fn needs(&self, _condition: &Condition) -> Vec<Need> {
        Vec::new()
    }
    /// Measures what happened between `since` and now; it may keep observations in `memory`.
    ///
    /// # Errors
    /// The source could not be asked: no evidence.
    async fn measure(
        &self,
        reads: &Reads<'_>,
        since: Timestamp,
        memory: &mut Memory,
    ) -> Result<Measured, Fault>;
}
