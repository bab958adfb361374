//! What a signal is compared with: the same signal, told otherwise. Measured once, of a time before; or, `at: same`, at
//! each look, of the same time.
//!
//! While both sides serve, the load and the weather of all that they share hit both. What was before knows nothing of that:
//! compared with it a healthy new side looks broken in a storm, and a broken one well in a calm.
//! Not here: how sure a difference is (`certainty`).

use super::certainty::at_most;
use super::{Baseline, Condition, Count, Level, Measured, Memory, Pair, Signal, SignalKind};
use crate::plan::{Expr, Fields, Timestamp, one_of};
use crate::port::{Reads, need::Need};
use serde_json::Value as Json;
use std::sync::Arc;

/// What a signal is compared with.
#[derive(Clone, Debug)]
pub struct Compared {
    signal: Arc<dyn Signal>,
    /// It is measured at each look, of the same time.
    same: bool,
    /// It is a rate of what is counted one by one.
    counts: bool,
    /// What the plan expects by it, where it is measured at the same time.
    pub(super) level: Option<Level>,
}

/// There is nothing to compare with.
pub(super) struct Silent {
    pub(super) why: String,
    /// There cannot be yet.
    pub(super) early: bool,
}

impl Compared {
    /// Reads the keys of the signal, and when it is measured.
    pub(super) fn decode(fields: &mut Fields<'_>, kind: &SignalKind) -> Option<Self> {
        let words = &[("before", false), ("same", true)];
        let about = "when it is measured: once, of a time `before`, or at each look, of the `same` time";
        let same = fields.or("at", one_of(words), false, about);
        Some(Self { signal: (kind.decode)(fields)?, same, counts: (kind.counts)(), level: None })
    }

    /// It is measured at each look, of the same time.
    pub(super) fn is_beside(&self) -> bool {
        self.same
    }

    /// It tells nothing where no users come to the other side at the same time.
    pub(super) fn needs_traffic(&self) -> bool {
        self.same && self.signal.needs_traffic()
    }

    /// What must be there for it.
    pub(super) fn needs(&self, condition: &Condition) -> Vec<Need> {
        self.signal.needs(condition)
    }

    /// Measures it, unless that was done before; what it measured, where it is of the same time.
    pub(super) async fn measure(
        &self,
        reads: &Reads<'_>,
        since: Timestamp,
        min_samples: u64,
        baseline: &mut Baseline,
    ) -> Result<Option<Measured>, Silent> {
        if self.same {
            baseline.value = None;
        } else if baseline.value.is_some() {
            return Ok(None);
        }
        let since = if self.same { since } else { Timestamp(0) };
        let measured = self.signal.measure(reads, since, &mut baseline.memory).await;
        let silent = |why: &str, early| Silent { why: why.to_owned(), early };
        let measured = measured.map_err(|fault| silent(&fault.message, false))?;
        if measured.samples < min_samples {
            let why =
                format!("{}; {} of the {min_samples} samples it needs", measured.text, measured.samples);
            return Err(silent(&why, self.same && measured.early));
        }
        let value = measured.value.filter(|value| value.is_finite() && !measured.partial);
        let Some(value) = value else { return Err(silent(&measured.text, false)) };
        baseline.value = Some(value);
        if self.same {
            return Ok(Some(measured));
        }
        baseline.at_most = self.counts.then(|| at_most(value, measured.samples));
        baseline.memory = Memory::default();
        Ok(None)
    }
}

/// What both sides have counted in the same time, in the order of time. Where the source counts by itself, these are its
/// periods: one in which the other side has counted nothing has no requests there, and the newest is that of the side which
/// is behind. Else both were counted by this look.
pub(super) fn pairs(new: &Measured, old: &Measured) -> Vec<Pair> {
    let (Some(_), Some(counted)) = (new.counted, old.counted) else {
        let both = new.counts.iter().zip(&old.counts);
        return both.map(|(new, old)| Pair { new: *new, old: *old }).collect();
    };
    let there = new.counts.iter().filter(|count| count.until <= counted);
    let other = |until| old.counts.iter().find(|count| count.until == until).copied();
    there
        .map(|new| Pair { new: *new, old: other(new.until).unwrap_or(Count { bad: 0, all: 0, ..*new }) })
        .collect()
}

impl Level {
    /// What an expression of `baseline` expects, where that is a multiple of it and something more.
    pub(super) fn of(expected: &Expr) -> Option<Self> {
        let at = |baseline: f64| expected.eval(&[("baseline", Json::from(baseline))]).ok()?.as_f64();
        let (more, whole) = (at(0.0)?, at(1.0)?);
        let level = Self { times: whole - more, more };
        let straight = |baseline: f64| {
            at(baseline).is_some_and(|found| (found - (level.times * baseline + more)).abs() < 1e-9)
        };
        let is_one = level.times > 0.0 && more >= 0.0 && [0.001, 0.25, 0.5].into_iter().all(straight);
        is_one.then_some(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(until: Option<u64>, counts: &[(u64, u64, u64)]) -> Measured {
        let count = |&(until, bad, all): &(u64, u64, u64)| Count { until: Timestamp(until), bad, all };
        let counts = counts.iter().map(count).collect();
        Measured { counted: until.map(Timestamp), counts, ..Measured::default() }
    }

    fn paired(new: &Measured, old: &Measured) -> Vec<(u64, u64, u64)> {
        pairs(new, old).iter().map(|pair| (pair.new.until.0, pair.new.all, pair.old.all)).collect()
    }

    #[test]
    fn minutes_of_one_time_are_paired() {
        let new = counted(Some(4), &[(1, 0, 10), (2, 0, 20), (4, 0, 40)]);
        let old = counted(Some(4), &[(1, 0, 7), (3, 0, 9), (4, 0, 8)]);
        assert_eq!(paired(&new, &old), [(1, 10, 7), (2, 20, 0), (4, 40, 8)]);
        // The other side was asked a moment earlier: its last minute is not over.
        let behind = counted(Some(3), &[(1, 0, 7), (3, 0, 9)]);
        assert_eq!(paired(&new, &behind), [(1, 10, 7), (2, 20, 0)]);
    }

    #[test]
    fn what_is_counted_by_a_look_is_of_one_time() {
        let (new, old) = (counted(None, &[(17, 1, 5)]), counted(None, &[(12, 0, 9)]));
        assert_eq!(paired(&new, &old), [(17, 5, 9)]);
        assert_eq!(paired(&counted(None, &[]), &old), []);
    }

    #[test]
    fn a_level_is_a_multiple_and_something_more() {
        let level = |text: &str| Level::of(&Expr::compile(text, &["baseline"], Arc::default()).unwrap());
        let found = level("baseline * 1.2 + 0.001").unwrap();
        assert!((found.times - 1.2).abs() < 1e-9 && (found.more - 0.001).abs() < 1e-9, "{found:?}");
        assert!(level("baseline").is_some() && level("0.5 * baseline").is_some());
        for text in ["0.01", "baseline - 0.1", "baseline * baseline", "0.1 - baseline", "1.0 / baseline"] {
            assert_eq!(level(text), None, "{text}");
        }
        assert_eq!(level("baseline > 0.01 ? baseline : 0.01"), None);
    }
}
