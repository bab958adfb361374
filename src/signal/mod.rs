//! Evidence: what monitors and guards go by. One file per kind of signal, and a registry line each.
//!
//! A verdict has three values; silence, NaN, too few samples and errors of the source are no evidence, never a pass.
//! Not here: what a breach does (`run`), where samples come from (`adapter`).

use crate::plan::{Fields, Timestamp};
use crate::port::Reads;
use serde::{Deserialize, Serialize};
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

/// One sample of a signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// What it says.
    pub verdict: Verdict,
    /// The number it is based on, where there is one.
    pub value: Option<f64>,
    /// For people: `error rate 3.2 % of 250 requests, allowed 1 %`.
    pub text: String,
}

/// A kind of signal.
#[async_trait::async_trait]
pub trait Signal: Debug + Send + Sync {
    /// How often a sample is worth taking.
    fn period(&self) -> Duration;
    /// Takes one sample of what happened between `since` and now. A fault is no evidence.
    async fn sample(&self, reads: &Reads<'_>, since: Timestamp) -> Sample;
}

/// A kind of signal, by name.
#[derive(Debug)]
pub struct SignalKind {
    /// `http.probe`.
    pub name: &'static str,
    /// What it is for, in one line.
    pub summary: &'static str,
    /// Reads `with`.
    pub decode: fn(&mut Fields<'_>) -> Option<std::sync::Arc<dyn Signal>>,
}
