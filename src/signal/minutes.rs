//! What a load balancer counted in each minute, good and bad: a share, and what a sequential test takes.

use super::balancer::MINUTE;
use super::{Count, Measured};
use crate::plan::Timestamp;
use crate::port::Series;
use std::collections::BTreeMap;

/// The share of the bad ones, of series of which so many, the first, count those. A count that is missing is zero where any of
/// them was reported; where none was, there were no answers.
pub(super) fn measured(
    series: &[Series],
    bad: usize,
    name: &'static str,
    told: impl FnOnce(f64, f64) -> String,
) -> Measured {
    if series.iter().any(|series| !series.complete) {
        return Measured::nothing("CloudWatch has not got these minutes whole");
    }
    let sum = |series: &[Series]| {
        series.iter().flat_map(|series| &series.points).fold(0.0, |sum, point| sum + point.value)
    };
    let (worse, all) = (sum(&series[..bad.min(series.len())]), sum(series));
    if all <= 0.0 {
        return Measured::nothing("no answers");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, and positive")]
    let samples = all as u64;
    Measured {
        value: Some(worse / all),
        named: [(name, worse), ("samples", all)].into(),
        samples,
        counts: counts(series, bad),
        text: told(worse, all),
        ..Measured::default()
    }
}

/// When the newest minute of any of them began.
pub(super) fn reported(series: &[Series]) -> Option<Timestamp> {
    series.iter().flat_map(|series| &series.points).map(|point| point.at).max()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, and positive")]
fn counts(series: &[Series], worse: usize) -> Vec<Count> {
    let mut minutes: BTreeMap<Timestamp, (f64, f64)> = BTreeMap::new();
    for (place, series) in series.iter().enumerate() {
        for point in &series.points {
            let (bad, all) = minutes.entry(point.at).or_default();
            *all += point.value;
            *bad += if place < worse { point.value } else { 0.0 };
        }
    }
    let count = |(at, (bad, all)): (Timestamp, (f64, f64))| Count {
        until: at.after(MINUTE),
        bad: bad as u64,
        all: all as u64,
    };
    minutes.into_iter().map(count).collect()
}
