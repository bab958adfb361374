//! Measured series, alarms on them, and how much logs say.

use super::{Lines, LogQuery, LogStream};
use crate::plan::Timestamp;
use crate::run::Fault;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt;
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

impl fmt::Display for Metric {
    /// Which it is, by its dimensions in order of their names: `AWS/RDS CPUUtilization DBInstanceIdentifier=aep`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.namespace, self.name)?;
        let dimensions: BTreeMap<&String, &String> =
            self.dimensions.iter().map(|(name, value)| (name, value)).collect();
        dimensions.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

/// A number that is worked out of metrics, period by period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formula {
    /// Metric math: `100 * errors / requests`.
    pub expression: String,
    /// What it calls each metric; all of this period and span.
    pub metrics: Vec<(String, Metric)>,
    /// Length of one point.
    pub period: Duration,
    /// From, inclusive.
    pub from: Timestamp,
    /// To, exclusive.
    pub to: Timestamp,
}

impl Formula {
    /// What its own result is called: no metric may be.
    pub const ID: &str = "switchover";
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

/// Looking at metrics, alarms and logs.
#[async_trait]
pub trait ReadMetrics: Send + Sync {
    /// Several at once, in order: one call's worth.
    async fn series(&self, metrics: &[Metric]) -> Result<Vec<Series>, Fault>;
    /// What a formula comes to.
    ///
    /// # Errors
    /// Also where it comes to several series.
    async fn computed(&self, formula: &Formula) -> Result<Series, Fault>;
    /// Alarms by their names, in any order; those that are not there are absent.
    async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Fault>;
    /// How many lines a log group says; `None`: there is no such group.
    async fn lines(&self, query: &LogQuery) -> Result<Option<Lines>, Fault>;
    /// The newest lines of a stream, at most so many, the oldest of them first; `None`: there is no such stream.
    async fn newest_lines(&self, stream: &LogStream, most: u32) -> Result<Option<Vec<String>>, Fault>;
}
