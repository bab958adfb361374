//! What the logs of a world say: lines of all kinds, and how many of them match a pattern, as its file states. They may differ
//! while users are failed. Patterns are not understood: they are names.

use super::balancer::minute;
use super::world::World;
use crate::plan::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Lines of a log group: all, or those that match a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogFile {
    /// How many there are a minute.
    pub a_minute: u32,
    /// How many there are while users are failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub while_failing: Option<u32>,
    /// What the newest lines of each of its streams say that is not in `streams`, the newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<String>,
    /// The same of single streams, by their names, or by what stands in these before the last `/`: after that comes the id of
    /// a task, which nobody knows before it runs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub streams: BTreeMap<String, Vec<String>>,
}

impl LogFile {
    /// What the newest lines of a stream say.
    fn said_in(&self, stream: &str) -> &[String] {
        let of_task = stream.rsplit_once('/').and_then(|(container, _)| self.streams.get(container));
        self.streams.get(stream).or(of_task).unwrap_or(&self.says)
    }
}

/// How long after it was written a line is found.
const FOUND_AFTER: Duration = Duration::from_secs(5);
/// For how long lines are kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// What a world calls the lines of a group that match a pattern.
pub(super) fn named(group: &str, pattern: &str) -> String {
    if pattern.is_empty() { group.to_owned() } else { format!("{group} {pattern}") }
}

/// So many lines, of a number that is none of lines.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is cut to what there may be")]
pub(super) fn whole(number: f64) -> u32 {
    number.ceil() as u32
}

impl World {
    /// When the lines of a group that match a pattern were written, from then on and before then, as far as they are found;
    /// of an empty pattern all. `None`: there is no such group.
    #[must_use]
    pub fn lines(
        &self,
        group: &str,
        pattern: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> Option<Vec<Timestamp>> {
        if !self.has_log(group) {
            return None;
        }
        let ago = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let from = from.max(Timestamp(self.now.0.saturating_sub(ago(KEPT))));
        let to = to.min(Timestamp(self.now.0.saturating_sub(ago(FOUND_AFTER))));
        let name = named(group, pattern);
        let minutes = minute(from)..to.0.div_ceil(60_000);
        let lines = minutes.flat_map(|start| {
            let count = u64::from(self.lines_a_minute(&name, start));
            (0..count).map(move |line| Timestamp(start * 60_000 + line * 60_000 / count))
        });
        Some(lines.filter(|at| (from..to).contains(at)).collect())
    }

    /// The newest lines of a stream of a group, at most so many; `None`: there is no such group.
    #[must_use]
    pub fn newest_lines(&self, (group, stream): (&str, &str), most: usize) -> Option<Vec<String>> {
        let stated = self.logs.get(group).and_then(|history| history.at(self.now));
        let said = stated.map(|stated| stated.said_in(stream)).unwrap_or_default();
        self.has_log(group).then(|| said[said.len().saturating_sub(most)..].to_vec())
    }

    fn has_log(&self, group: &str) -> bool {
        self.logs.keys().any(|name| name.split(' ').next() == Some(group))
    }

    /// As it was at the end of the minute.
    fn lines_a_minute(&self, name: &str, start: u64) -> u32 {
        let end = Timestamp((start + 1) * 60_000 - 1);
        let Some(stated) = self.logs.get(name).and_then(|history| history.at(end)) else { return 0 };
        stated.while_failing.filter(|_| self.fails_users(end)).unwrap_or(stated.a_minute)
    }
}
