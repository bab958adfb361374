//! `rds.connections`: connections to a database, of those that it allows: the most that it had in the window.
//!
//! One call a minute, for `DatabaseConnections` of CloudWatch. Whole minutes count that began after the watch did, from two
//! to three minutes after their end: they are published late. A minute without data at the end of the window, parts of one,
//! and silence are no evidence; CloudWatch counts the samples. How many connections it allows is stated, as `limit`:
//! `max_connections` is a formula in a parameter group, over the memory of its class, that only the engine can work out. What
//! the engine keeps for itself (`superuser_reserved_connections`) is best left out of it.

use super::balancer::{MINUTE, window};
use super::metric::values;
use super::{Condition, Measured, Memory, Signal};
use crate::plan::{Code, Fields, Target, Timestamp, duration, integer, target, text};
use crate::port::need::{Account, Need};
use crate::port::{Metric, Reads, Series};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// Connections to a database.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    target: Arc<Target>,
    database: Arc<str>,
    limit: f64,
    over: Duration,
}

/// The most connections that any engine takes.
const MOST: i64 = 1_000_000;
/// The longest window.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// For how long after it is over a minute is not judged, beside the one that no window takes.
const LATE: u64 = 60_000;

#[async_trait::async_trait]
impl Signal for Connections {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["aws"]), "its account and region");
        let database = fields.required("database", text(), "the instance, by its identifier");
        let about = "connections that it allows: `max_connections`, as the engine tells it";
        let limit = fields.required("limit", integer(1..=MOST), about);
        let about = "the window of which the highest minute counts: whole minutes";
        let over = fields.or("over", duration(), MINUTE, about);
        if over.is_zero() || !over.as_millis().is_multiple_of(MINUTE.as_millis()) || over > LONGEST {
            let span = fields.span_of("over");
            fields
                .problems()
                .error(Code("SW2003"), span, "`over` is whole minutes")
                .help("say at most a day: `over: 5m`");
        }
        let limit = limit.and_then(|limit| u32::try_from(limit).ok()).map(f64::from);
        Some(Self { target: target?, database: database?, limit: limit?, over })
    }

    fn period(&self) -> Duration {
        MINUTE
    }

    fn costs() -> &'static str {
        "Every 1m: GetMetricData. A minute comes two to three minutes late. CloudWatch counts the samples, \
         and one is enough."
    }

    fn names() -> &'static [&'static str] {
        &["value", "connections", "samples"]
    }

    fn needs(&self, condition: &Condition) -> Vec<Need> {
        let [good, bad] = <[_; 2]>::from(condition.numbers()).map(|share| share.map(|of| of * self.limit));
        let name = self.asked("Maximum", (Timestamp::PAST, Timestamp::PAST)).to_string();
        vec![Need::Metric { at: Account::of(&self.target), name, good, bad }]
    }

    async fn measure(&self, reads: &Reads<'_>, since: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let now = Timestamp(reads.world.clock().now().0.saturating_sub(LATE));
        let Some(span) = window(now, since, self.over, MINUTE) else {
            let early = self.nothing("no whole minute after the beginning has been counted yet");
            return Ok(Measured { early: true, ..early });
        };
        let asked = ["Maximum", "SampleCount"].map(|statistic| self.asked(statistic, span));
        let found = reads.world.metrics(&self.target.name)?.series(&asked).await?;
        Ok(self.measured(&found, span))
    }
}

impl Connections {
    fn asked(&self, statistic: &str, (from, to): (Timestamp, Timestamp)) -> Metric {
        Metric {
            namespace: "AWS/RDS".into(),
            name: "DatabaseConnections".into(),
            dimensions: vec![("DBInstanceIdentifier".into(), self.database.to_string())],
            statistic: statistic.into(),
            period: MINUTE,
            from,
            to,
        }
    }

    fn nothing(&self, why: &str) -> Measured {
        Measured::nothing(&format!("connections to {}: {why}", self.database))
    }

    fn measured(&self, found: &[Series], span: (Timestamp, Timestamp)) -> Measured {
        let (points, samples) = match values(found, span, MINUTE) {
            Ok(found) => found,
            Err(why) => return self.nothing(&why),
        };
        let most = points.into_iter().fold(0.0, f64::max);
        #[expect(clippy::cast_precision_loss, reason = "samples are counted, and fewer than 2^53")]
        let seen = samples as f64;
        Measured {
            value: Some(most / self.limit),
            named: [("connections", most), ("samples", seen)].into(),
            samples,
            counted: Some(span.1),
            text: format!("{most:.0} of {:.0} connections to {}", self.limit, self.database),
            ..Measured::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Span, Value};
    use crate::port::Point;
    use serde_json::json;

    const SPAN: (Timestamp, Timestamp) = (Timestamp(0), Timestamp(180_000));

    fn watched() -> Connections {
        let with = Value::from_json(&json!({}), Span::default());
        let target = Arc::new(Target { name: "prod".into(), kind: "aws".into(), with });
        Connections { target, database: "aep".into(), limit: 200.0, over: MINUTE * 3 }
    }

    /// The most of each minute, and how often it was counted.
    fn counted(most: &[(u64, f64)], complete: bool) -> [Series; 2] {
        let series = |points: Vec<(u64, f64)>| Series {
            points: points
                .into_iter()
                .map(|(at, value)| Point { at: Timestamp(at * 60_000), value })
                .collect(),
            complete,
        };
        [series(most.to_vec()), series(most.iter().map(|(at, _)| (*at, 1.0)).collect())]
    }

    #[test]
    fn the_highest_minute_is_a_share_of_the_limit() {
        let found = watched().measured(&counted(&[(0, 20.0), (1, 190.0), (2, 50.0)], true), SPAN);
        assert_eq!((found.value, found.named["connections"], found.samples), (Some(0.95), 190.0, 3));
        assert_eq!((&*found.text, found.counted), ("190 of 200 connections to aep", Some(SPAN.1)));
        let none = watched().measured(&counted(&[(2, 0.0)], true), SPAN);
        assert_eq!(none.value, Some(0.0), "it was counted, and nobody was connected");
    }

    #[test]
    fn silence_parts_and_what_is_old_are_no_evidence() {
        for (found, why) in [
            (counted(&[], true), "no data in 3 periods of 1m up to 1970-01-01T00:03:00Z"),
            (counted(&[(2, 5.0)], false), "CloudWatch has not got these periods whole"),
            (
                counted(&[(1, 5.0)], true),
                "its newest data are of 1970-01-01T00:01:00Z, and the period that ended at \
                 1970-01-01T00:03:00Z has none",
            ),
        ] {
            let told = format!("connections to aep: {why}");
            assert_eq!(watched().measured(&found, SPAN), Measured::nothing(&told));
        }
    }

    /// What was published, and nobody counted: too few samples for whoever asks for one.
    #[test]
    fn what_nobody_counted_has_no_samples() {
        let [most, _] = counted(&[(2, 5.0)], true);
        let uncounted = Series { points: Vec::new(), complete: true };
        assert_eq!(watched().measured(&[most, uncounted], SPAN).samples, 0);
    }
}
