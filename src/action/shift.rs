//! How requests are shifted: how many of them, one weight after the other, and what is watched after each.
//!
//! Not here: what has weights, and how they are set.

use super::monitor::Monitor;
use super::{Action, Known, Seen, Trouble};
use crate::plan::{Code, Fields, Timestamp, integer, list};
use crate::port::{Reads, need::Need};
use crate::run::{Curve, Fault};
use crate::signal::Evidence;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{fmt, sync::Arc, time::Duration};

/// The weights of a shift, and what is watched after each.
#[derive(Debug)]
pub(super) struct Course {
    /// How many requests in a hundred, one after the other.
    pub(super) to: Vec<u32>,
    soak: Option<Monitor>,
}

/// What was seen since a weight was set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::action) struct Watched {
    evidence: Evidence,
    /// It was watched for long enough: what follows only looks whether it still holds.
    watched: bool,
}

impl Watched {
    /// As [`Action::is_news`].
    pub(super) fn is_news(&self, recorded: &Self) -> bool {
        self.watched != recorded.watched || self.evidence.is_news(&recorded.evidence)
    }

    /// It was watched for long enough.
    pub(super) fn is_over(&self) -> bool {
        self.watched
    }

    /// Its signals were looked at before.
    pub(super) fn has_begun(&self) -> bool {
        !self.evidence.is_empty()
    }
}

impl fmt::Display for Course {
    /// `1, 10, 50, 100 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<String> = self.to.iter().map(ToString::to_string).collect();
        write!(f, "{} %", each.join(", "))
    }
}

impl Course {
    /// Reads `to`, and what is watched.
    pub(super) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let about = "how many requests in a hundred it gets, one after the other: `[1, 10, 50, 100]`";
        let to = fields.required("to", list(integer(1..=100)), about);
        let soak = Monitor::soak(fields);
        let to: Vec<u32> = to?.into_iter().filter_map(|percent| u32::try_from(percent).ok()).collect();
        rising(fields, &to)?;
        if soak.is_none() && Monitor::SOAK.iter().any(|key| fields.has(key)) {
            return None;
        }
        if to.len() > 1 && soak.is_none() && fields.reading() {
            let span = fields.span_of("to");
            let message = "nothing is watched between the weights: all of them are set within seconds";
            fields.problems().warn(Code("SW2011"), span, message).help("add `soak: 5m`, and `signals`");
        }
        let left_alone = soak.as_ref().and_then(Monitor::beside).filter(|_| to.last() == Some(&100));
        if let Some(signal) = left_alone {
            let span = fields.span_of("to");
            let message = format!(
                "`{signal}` compares with the old side at the same time, and at 100 that takes no requests"
            );
            let help = "end at 90, say, and go to 100 in a step of its own, compared with a time before";
            fields.problems().warn(Code("SW2026"), span, message).help(help);
        }
        Some(Self { to, soak })
    }

    /// What its signals need.
    pub(super) fn needs(&self) -> Vec<Need> {
        self.soak.iter().flat_map(Action::needs).collect()
    }

    /// As [`Action::trouble`].
    pub(super) fn trouble(&self, watched: &Watched) -> Trouble {
        self.soak.as_ref().map_or_else(Trouble::default, |soak| soak.trouble(&watched.evidence))
    }

    /// As [`Action::curves`].
    pub(super) fn curves(&self, watched: &Watched) -> Vec<Curve> {
        self.soak.as_ref().map_or_else(Vec::new, |soak| soak.curves(&watched.evidence))
    }

    /// For how long each weight is watched.
    pub(super) fn soak(&self) -> Option<Duration> {
        self.soak.as_ref().and_then(Monitor::length)
    }

    /// How long watching one weight may take at most.
    pub(super) fn takes(&self) -> Duration {
        self.soak.as_ref().map_or(Duration::ZERO, Monitor::takes)
    }

    /// A weight is set: signals are looked at from `since` on, and what is watched counts from `counted` on, which may be
    /// yet to come.
    pub(super) async fn watch(
        &self,
        reads: &Reads<'_>,
        watched: &Watched,
        since: Timestamp,
        counted: Timestamp,
        token: &Arc<str>,
    ) -> Result<Seen<Watched>, Fault> {
        if watched.watched {
            return Ok(Seen::Desired { out: json!(null) });
        }
        let over = Watched { evidence: watched.evidence.clone(), watched: true };
        let over = Seen::Moving { note: Some(over), again: Duration::ZERO };
        let Some(soak) = &self.soak else { return Ok(over) };
        let known = Known { prior: (), note: Some(watched.evidence.clone()), since, token: token.clone() };
        Ok(match soak.watch(reads, &known, counted).await? {
            Seen::Desired { .. } => over,
            Seen::Moving { note, again } => {
                let note = note.map(|evidence| Watched { evidence, watched: false });
                Seen::Moving { note, again }
            }
            Seen::Prior => Seen::Prior,
        })
    }
}

/// Weights must rise: a shift takes nothing back.
fn rising(fields: &mut Fields<'_>, to: &[u32]) -> Option<()> {
    if !to.is_empty() && to.windows(2).all(|pair| pair[0] < pair[1]) {
        return Some(());
    }
    let span = fields.span_of("to");
    fields
        .problems()
        .error(Code("SW2010"), span, "the weights of a shift must rise from one to the next")
        .help("`to: [1, 10, 50, 100]`: the way back is the undo, in one change");
    None
}
