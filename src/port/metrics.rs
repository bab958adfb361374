//! Measured series.

use crate::plan::Timestamp;
use crate::run::Fault;
use async_trait::async_trait;
use std::time::Duration;

/// One metric over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// `AWS/ApplicationELB`.
    pub namespace: String,
    /// `RequestCount`.
    pub name: String,
    /// `LoadBalancer` = `app/…`.
    pub dimensions: Vec<(String, String)>,
    /// `Sum`, `Average`, `p95`.
    pub statistic: String,
    /// Length of one point.
    pub period: Duration,
    /// From, inclusive.
    pub from: Timestamp,
    /// To, exclusive.
    pub to: Timestamp,
}

/// What was measured in one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When the period began.
    pub at: Timestamp,
    /// The value; never NaN.
    pub value: f64,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// In order of time; periods without data are absent.
    pub points: Vec<Point>,
    /// The source says that this is all it has. If not, what is absent is no evidence.
    pub complete: bool,
}

/// An alarm on metrics, or on other alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// What it says.
    pub state: AlarmState,
    /// Why, in the provider's words.
    pub reason: String,
    /// Since when it says so, where that is told.
    pub since: Option<Timestamp>,
    /// Whether it does anything when it fires: who mutes an alarm takes its actions away.
    pub enabled: bool,
    /// What keeps it from being worked out whole, in the provider's words: `PARTIAL_DATA`.
    pub trouble: Option<String>,
}

/// What an alarm says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// All is well.
    Ok,
    /// It fires.
    Firing,
    /// Nobody can tell: `INSUFFICIENT_DATA`, or what was not known when this was written.
    Unknown(String),
}

/// Looking at metrics.
#[async_trait]
pub trait ReadMetrics: Send + Sync {
    /// Several at once, in order: one call's worth.
    async fn series(&self, metrics: &[Metric]) -> Result<Vec<Series>, Fault>;
    /// Alarms by their names, in any order; those that are not there are absent.
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Fault>;
}
