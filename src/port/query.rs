//! Questions in the query language of a monitoring system, and the numbers that it answers.

use crate::plan::Timestamp;
use crate::run::Fault;
use async_trait::async_trait;
use std::time::Duration;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// `sum(rate(http_requests_total[5m]))`.
    pub text: String,
    /// Sent as a bearer token.
    pub token: Option<String>,
    /// How old a sample may be that counts for a moment, where the source lets itself be told.
    pub fresh: Duration,
    /// At each of these moments; `None`: now, by the clock of whoever answers.
    pub over: Option<Grid>,
}

/// Moments at equal distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The first.
    pub from: Timestamp,
    /// The last.
    pub to: Timestamp,
    /// Between two of them: whole seconds.
    pub step: Duration,
}

impl Grid {
    /// All of them.
    pub fn moments(self) -> impl Iterator<Item = Timestamp> {
        let step = usize::try_from(self.step.as_millis()).unwrap_or(usize::MAX).max(1);
        (self.from.0..=self.to.0).step_by(step).map(Timestamp)
    }
}

/// What came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answered {
    /// One for each set of labels. A number without labels is one, too.
    pub lines: Vec<Line>,
    /// The source says that this is not all, or not sound: in its words.
    pub warning: Option<String>,
    /// What time it is there, where it is told.
    pub clock: Option<Timestamp>,
}

/// The values of one set of labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// `{code="500"}`; empty without labels.
    pub labels: String,
    /// In order of time: for which moment, and the value, NaN and infinities too. Moments without a value are absent.
    pub points: Vec<(Timestamp, f64)>,
}

/// Asking.
#[async_trait]
pub trait ReadQueries: Send + Sync {
    /// Asks once. An answer without lines is one.
    ///
    /// # Errors
    /// No answer came, or one that is no numbers: which, and in whose words.
    async fn ask(&self, query: &Query) -> Result<Answered, Fault>;
}
