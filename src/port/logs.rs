//! Lines of logs.

use crate::plan::Timestamp;

/// A question for how many lines a log group says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// The log group, by name.
    pub group: String,
    /// What the lines match, in the words of whoever keeps them; empty: all of them.
    pub pattern: String,
    /// Written from then on.
    pub from: Timestamp,
    /// Written before then.
    pub to: Timestamp,
    /// More than so many are not counted.
    pub most: u64,
}

/// Where one container, or whoever else writes, has written its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStream {
    /// The log group, by name.
    pub group: String,
    /// Its stream.
    pub stream: String,
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    /// Those that were counted.
    pub count: u64,
    /// These are all. If not, there may be more.
    pub whole: bool,
}
