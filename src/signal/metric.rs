//! `cloudwatch.metric`: any metric of CloudWatch, or a formula over several.
//!
//! Only periods count that are whole, over, and later than the beginning of the watch. One that is missing is no evidence:
//! where a metric is reported only when something happens, `FILL` in a formula says what its silence means.

use super::balancer::{MINUTE, window};
use super::spread::{NAMES, Spread, shortened};
use super::{Condition, Measured, Memory, Signal};
use crate::plan::{Code, Fields, Target, Timestamp, duration, format_duration, map, nested, target, text};
use crate::port::need::{Account, Need};
use crate::port::{Formula, Metric, Reads, Series};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// A metric, or a formula.
#[derive(Clone, Debug)]
pub(super) struct Measurement {
    target: Arc<Target>,
    what: What,
    period: Duration,
    over: Duration,
    late: Duration,
}

#[derive(Clone, Debug)]
enum What {
    One(Named),
    Formula { expression: Arc<str>, metrics: Vec<(Arc<str>, Named)> },
}

/// A metric as a plan names it.
#[derive(Clone, Debug)]
struct Named {
    namespace: Arc<str>,
    name: Arc<str>,
    dimensions: Vec<(Arc<str>, Arc<str>)>,
    statistic: String,
}

/// What a plan calls them, and what CloudWatch does.
const STATISTICS: [(&str, &str); 5] = [
    ("average", "Average"),
    ("sum", "Sum"),
    ("minimum", "Minimum"),
    ("maximum", "Maximum"),
    ("samples", "SampleCount"),
];
/// The longest window.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

#[async_trait::async_trait]
impl Signal for Measurement {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["aws"]), "its account and region");
        let expression = fields.optional("expression", text(), "metric math, in place of one metric");
        let metrics = fields.optional(
            "metrics",
            map(nested(named)),
            "the metrics of `expression`, by what it calls them",
        );
        let one = Parts::read(fields, false);
        let period = fields.or("period", duration(), MINUTE, "one point: whole minutes");
        let over = fields.optional(
            "over",
            duration(),
            "the window that is judged: `value` is the mean of its points, beside `min`, `max` and `last`; one period without it",
        );
        let late = fields.or(
            "late",
            duration(),
            MINUTE,
            "how long after its end a point is still being counted; what publishes late needs more than 1m",
        );
        let (period, over) = (period.max(Duration::from_secs(1)), over.unwrap_or(period));
        let what = what(fields, expression, metrics, one);
        check(fields, what.as_ref(), period, over);
        Some(Self { target: target?, what: what?, period, over, late })
    }

    fn period(&self) -> Duration {
        MINUTE
    }

    fn costs() -> &'static str {
        "Every 1m: GetMetricData, which is priced by the metric. A period counts once it is over. CloudWatch \
         counts the samples, and one is enough: of a rate of requests say more by `min_samples`."
    }

    fn names() -> &'static [&'static str] {
        NAMES
    }

    fn needs(&self, condition: &Condition) -> Vec<Need> {
        let (good, bad) = condition.numbers();
        let span = (Timestamp::PAST, Timestamp::PAST);
        let name = match &self.what {
            What::One(metric) => self.asked(metric, &metric.statistic, span).to_string(),
            What::Formula { expression, .. } => expression.to_string(),
        };
        vec![Need::Metric { at: Account::of(&self.target), name, good, bad }]
    }

    async fn measure(&self, reads: &Reads<'_>, since: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        // The window leaves out the last minute by itself.
        let late = u64::try_from(self.late.saturating_sub(MINUTE).as_millis()).unwrap_or(u64::MAX);
        let now = Timestamp(reads.world.clock().now().0.saturating_sub(late));
        let told = |why: &str| format!("{}: {why}", self.told());
        let Some(span) = window(now, since, self.over, self.period) else {
            let why = told("no whole period after the beginning has been counted yet");
            return Ok(Measured::too_early(&why));
        };
        let metrics = reads.world.metrics(&self.target.name)?;
        let found = match &self.what {
            What::One(metric) => {
                let ask = |statistic: &str| self.asked(metric, statistic, span);
                metrics.series(&[ask(&metric.statistic), ask("SampleCount")]).await
            }
            What::Formula { expression, metrics: parts } => {
                let part = |(id, metric): &(Arc<str>, Named)| {
                    (id.to_string(), self.asked(metric, &metric.statistic, span))
                };
                let formula = Formula {
                    expression: expression.to_string(),
                    metrics: parts.iter().map(part).collect(),
                    period: self.period,
                    from: span.0,
                    to: span.1,
                };
                metrics.computed(&formula).await.map(|series| vec![series])
            }
        };
        let found = found.map_err(|fault| Fault { message: told(&fault.message).into(), ..fault })?;
        Ok(match values(&found, span, self.period) {
            Ok((points, samples)) => self.measured(&points, samples, span),
            Err(why) => Measured::nothing(&told(&why)),
        })
    }
}

/// The keys of one metric: in a formula, and beside it.
struct Parts {
    namespace: Option<Arc<str>>,
    name: Option<Arc<str>>,
    dimensions: Vec<(Arc<str>, Arc<str>)>,
    statistic: Option<String>,
}

impl Parts {
    fn read(fields: &mut Fields<'_>, needed: bool) -> Self {
        let mut ask = |key, about| {
            if needed { fields.required(key, text(), about) } else { fields.optional(key, text(), about) }
        };
        let namespace = ask("namespace", "such as `AWS/RDS`");
        let name = ask("name", "such as `CPUUtilization`");
        let dimensions =
            fields.or("dimensions", map(text()), Vec::new(), "exactly those that it is published under");
        let said = fields.optional(
            "statistic",
            text(),
            "average, sum, minimum, maximum, samples, or a percentile such as p99; average without it",
        );
        let statistic = statistic(said.as_deref().unwrap_or("average"));
        if statistic.is_none() {
            let span = fields.span_of("statistic");
            let message = format!("`{}` is no statistic", said.as_deref().unwrap_or_default());
            let help = "there are average, sum, minimum, maximum, samples, and percentiles such as p99";
            fields.problems().error(Code("SW1007"), span, message).help(help);
        }
        Self { namespace, name, dimensions, statistic }
    }

    fn whole(self) -> Option<Named> {
        let Self { namespace, name, dimensions, statistic } = self;
        Some(Named { namespace: namespace?, name: name?, dimensions, statistic: statistic? })
    }
}

fn named(fields: &mut Fields<'_>) -> Option<Named> {
    Parts::read(fields, true).whole()
}

/// As CloudWatch writes it.
fn statistic(said: &str) -> Option<String> {
    let percentile = || {
        let hundredths: f64 = said.strip_prefix('p')?.parse().ok()?;
        (hundredths > 0.0 && hundredths <= 100.0).then(|| said.to_owned())
    };
    let plain = STATISTICS.iter().find(|(name, _)| *name == said).map(|(_, own)| (*own).to_owned());
    plain.or_else(percentile)
}

/// One metric, or a formula, and not both.
fn what(
    fields: &mut Fields<'_>,
    expression: Option<Arc<str>>,
    metrics: Option<Vec<(Arc<str>, Named)>>,
    one: Parts,
) -> Option<What> {
    if !fields.has("expression") && !fields.has("metrics") {
        if fields.reading()
            && let Some(key) = ["namespace", "name"].into_iter().find(|key| !fields.has(key))
        {
            let span = fields.span();
            fields
                .problems()
                .error(Code("SW1004"), span, format!("`{key}` is missing"))
                .help("name a metric by `namespace` and `name`, or write an `expression` over `metrics`");
        }
        return one.whole().map(What::One);
    }
    if let Some(key) =
        ["namespace", "name", "dimensions", "statistic"].into_iter().find(|key| fields.has(key))
    {
        let span = fields.span_of(key);
        let message = format!("`{key}` is about one metric, and there is an `expression`");
        fields.problems().error(Code("SW2003"), span, message).help("write it inside `metrics`");
        return None;
    }
    if fields.has("expression") != fields.has("metrics") {
        let span = fields.span();
        fields.problems().error(
            Code("SW2003"),
            span,
            "an `expression` is over `metrics`, and both are needed",
        );
        return None;
    }
    let metrics = metrics?;
    let fits = |id: &str| {
        id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some((id, _)) = metrics.iter().find(|(id, _)| !fits(id) || &**id == Formula::ID) {
        let span = fields.span_of("metrics");
        let message = format!("CloudWatch does not let a metric be called `{id}`");
        fields
            .problems()
            .error(Code("SW1006"), span, message)
            .help("use a-z, A-Z, 0-9 and _, and begin with a small letter");
        return None;
    }
    Some(What::Formula { expression: expression?, metrics })
}

fn check(fields: &mut Fields<'_>, what: Option<&What>, period: Duration, over: Duration) {
    let whole = |span: Duration, part: Duration| span.as_millis().is_multiple_of(part.as_millis().max(1));
    let mut wrong = |key: &str, message: &str, help: &str| {
        let span = fields.span_of(key);
        fields.problems().error(Code("SW2003"), span, message).help(help);
    };
    if !whole(period, MINUTE) || period > LONGEST {
        wrong(
            "period",
            "`period` is one point of CloudWatch",
            "say whole minutes, at most a day: `period: 1m`",
        );
    } else if !whole(over, period) || over > LONGEST {
        wrong("over", "`over` is whole periods", "say a multiple of `period`, at most a day");
    } else if over > period && matches!(what, Some(What::One(metric)) if metric.statistic.starts_with('p')) {
        wrong(
            "over",
            "percentiles of several periods cannot be put together",
            "let `period` be as long as `over`",
        );
    }
}

impl Measurement {
    /// What is measured, for people.
    fn told(&self) -> String {
        match &self.what {
            What::One(metric) => {
                let statistic = STATISTICS.iter().find(|(_, own)| *own == metric.statistic);
                let statistic = statistic.map_or(&*metric.statistic, |(name, _)| name);
                format!("{statistic} of {} {}", metric.namespace, metric.name)
            }
            What::Formula { expression, .. } => format!("`{}`", shortened(expression)),
        }
    }

    fn asked(&self, metric: &Named, statistic: &str, (from, to): (Timestamp, Timestamp)) -> Metric {
        let dimension = |(name, value): &(Arc<str>, Arc<str>)| (name.to_string(), value.to_string());
        Metric {
            namespace: metric.namespace.to_string(),
            name: metric.name.to_string(),
            dimensions: metric.dimensions.iter().map(dimension).collect(),
            statistic: statistic.to_owned(),
            period: self.period,
            from,
            to,
        }
    }

    fn measured(&self, points: &[f64], samples: u64, span: (Timestamp, Timestamp)) -> Measured {
        let Some(spread) = Spread::of(points) else { return Measured::default() };
        let all = periods(span, self.period);
        let value = spread.told((all > 1).then_some((all, "periods")));
        let text = format!("{} is {value}, by {samples} samples", self.told());
        Measured { counted: Some(span.1), text, ..spread.measured(samples) }
    }
}

fn periods((from, to): (Timestamp, Timestamp), period: Duration) -> usize {
    usize::try_from(to.since(from).as_millis() / period.as_millis().max(1)).unwrap_or(usize::MAX)
}

/// The values of a window, and how many samples they rest on; or why there is no evidence in it.
pub(super) fn values(
    found: &[Series],
    (from, to): (Timestamp, Timestamp),
    period: Duration,
) -> Result<(Vec<f64>, u64), String> {
    if found.iter().any(|series| !series.complete) {
        return Err("CloudWatch has not got these periods whole".into());
    }
    let Some(series) = found.first() else { return Err("nothing was answered".into()) };
    let all = periods((from, to), period);
    let Some(last) = series.points.last() else {
        return Err(format!("no data in {all} periods of {} up to {to}", format_duration(period)));
    };
    if last.at.after(period) < to {
        return Err(format!(
            "its newest data are of {}, and the period that ended at {to} has none",
            last.at
        ));
    }
    let sum = |series: &Series| series.points.iter().map(|point| point.value).sum::<f64>();
    let counted = found.get(1).map_or(0.0, sum);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, and positive")]
    let counted = counted.max(0.0) as u64;
    let points: Vec<f64> = series.points.iter().map(|point| point.value).collect();
    // Of a formula nobody counts the samples.
    let samples = if found.len() > 1 { counted } else { points.len() as u64 };
    Ok((points, samples))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Point;

    const SPAN: (Timestamp, Timestamp) = (Timestamp(0), Timestamp(180_000));

    fn series(points: &[(u64, f64)], complete: bool) -> Series {
        let points =
            points.iter().map(|(minute, value)| Point { at: Timestamp(minute * 60_000), value: *value });
        Series { points: points.collect(), complete }
    }

    #[track_caller]
    fn silent(found: &[Series], words: &str) {
        let why = values(found, SPAN, MINUTE).unwrap_err();
        assert!(why.contains(words), "`{words}` is not in: {why}");
    }

    #[test]
    fn whole_periods_have_values() {
        let found = [series(&[(0, 1.0), (2, 3.0)], true), series(&[(0, 10.0), (2, 20.0)], true)];
        assert_eq!(values(&found, SPAN, MINUTE), Ok((vec![1.0, 3.0], 30)));
        assert_eq!(values(&found[..1], SPAN, MINUTE), Ok((vec![1.0, 3.0], 2)));
    }

    #[test]
    fn parts_silence_and_what_is_old_are_no_evidence() {
        silent(&[series(&[(2, 1.0)], false), series(&[(2, 9.0)], true)], "has not got these periods whole");
        silent(&[series(&[(2, 1.0)], true), series(&[(2, 9.0)], false)], "has not got these periods whole");
        silent(
            &[series(&[], true), series(&[], true)],
            "no data in 3 periods of 1m up to 1970-01-01T00:03:00Z",
        );
        silent(
            &[series(&[(0, 1.0), (1, 1.0)], true)],
            "are of 1970-01-01T00:01:00Z, and the period that ended",
        );
    }

    #[test]
    fn statistics_are_those_of_cloudwatch() {
        let known = [("average", "Average"), ("samples", "SampleCount"), ("p99", "p99"), ("p99.9", "p99.9")];
        for (said, own) in known {
            assert_eq!(statistic(said).as_deref(), Some(own));
        }
        for said in ["Average", "p", "p0", "p101", "pNaN", "mean"] {
            assert_eq!(statistic(said), None, "{said}");
        }
    }
}
