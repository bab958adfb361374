//! `prometheus`: the number that a query comes to, now or over a window.
//!
//! What is no number, more than one, old, a part, or of a clock that is not ours is no evidence.

use super::spread::{NAMES, Spread, shortened};
use super::{Condition, Measured, Memory, Signal};
use crate::plan::{Code, Fields, Target, Template, Timestamp, duration, format_duration, target, text};
use crate::port::need::Need;
use crate::port::{Answered, Grid, Query, Reads, told_apart};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// A query.
#[derive(Clone, Debug)]
pub(super) struct Prometheus {
    target: Arc<Target>,
    token: Option<Template>,
    query: Arc<str>,
    /// Comes to how many observations the other rests on.
    samples: Option<Arc<str>>,
    over: Option<Duration>,
    step: Duration,
    looks_back: Duration,
    fresh: Duration,
}

/// Between two points of a window.
const STEP: Duration = Duration::from_secs(15);
/// The most points of a window.
const POINTS: u128 = 1000;
/// How old a sample may be: three scrapes of the longest interval that is common, less what it takes to be asked.
const FRESH: Duration = Duration::from_secs(120);

#[async_trait::async_trait]
impl Signal for Prometheus {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["prometheus"]), "the server that is asked");
        let query = fields.required("query", text(), "PromQL that comes to one number");
        let samples = fields.optional(
            "samples",
            text(),
            "PromQL for how many observations that number rests on; without it, 1, or the points of `over`",
        );
        let over = fields.optional(
            "over",
            duration(),
            "a window that is judged point by point: `value` is the mean, beside `min`, `max` and `last`",
        );
        let step = fields.optional("step", duration(), "between two points of `over`; 15s without it");
        let looks_back = fields.optional(
            "looks_back",
            duration(),
            "how far back the query looks by itself: until then it tells of what was before; its longest `[range]` without it",
        );
        let fresh = fields.or("stale", duration(), FRESH, "a sample that is older is no evidence");
        check(fields, over, step);
        let says = target.as_ref().and_then(|target| target.says("token"));
        let token = says.and_then(|token| Template::parse(&token, &fields.known().constants).ok());
        let query = query?;
        Some(Self {
            target: target?,
            token,
            looks_back: looks_back.unwrap_or_else(|| reach(&query)),
            query,
            samples,
            over,
            step: step.unwrap_or(STEP).max(Duration::from_secs(1)),
            fresh,
        })
    }

    fn period(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn costs() -> &'static str {
        "Every 30s: one query, and one more where `samples` is given. It is as late as what it asks for is scraped. Each point \
         is a sample, unless `samples` counts them, and one is enough: of a rate of requests say more by `min_samples`."
    }

    fn names() -> &'static [&'static str] {
        NAMES
    }

    fn needs(&self, condition: &Condition) -> Vec<Need> {
        let (good, bad) = condition.numbers();
        let one = |text: &Arc<str>, good, bad| Need::Query { text: text.to_string(), good, bad };
        #[expect(clippy::cast_precision_loss, reason = "at most a million")]
        let enough = condition.min_samples as f64;
        let samples = self.samples.iter().map(|text| one(text, Some(enough), None));
        std::iter::once(one(&self.query, good, bad)).chain(samples).collect()
    }

    async fn measure(&self, reads: &Reads<'_>, since: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let (now, from) = (reads.world.clock().now(), since.after(self.looks_back));
        if now < from {
            let (back, watched) = (format_duration(self.looks_back), format_duration(now.since(since)));
            let why =
                format!("it looks {back} back, and was watched for {watched}: it tells of what was before");
            return Ok(Measured::too_early(&format!("{}: {why}", self.told(&self.query))));
        }
        let grid = self.over.map(|over| grid(from, now, over, self.step));
        if grid.is_some_and(|grid| grid.from > grid.to) {
            let why =
                format!("{}: no point of the window is later than the beginning", self.told(&self.query));
            return Ok(Measured::too_early(&why));
        }
        let points = self.points(reads, &self.query, grid).await?;
        let samples = match &self.samples {
            None => points.len() as u64,
            Some(text) => whole(&self.points(reads, text, None).await?),
        };
        Ok(self.measured(&points, grid, samples))
    }
}

/// Reports a window that cannot be asked for.
fn check(fields: &mut Fields<'_>, over: Option<Duration>, step: Option<Duration>) {
    let mut wrong = |key: &str, message: &str, help: &str| {
        let span = fields.span_of(key);
        fields.problems().error(Code("SW2003"), span, message).help(help);
    };
    let whole = |span: Duration| span.subsec_millis() == 0;
    match (over, step) {
        (None, Some(_)) => {
            wrong("step", "`step` is about a window, and there is no `over`", "say how long: `over: 5m`");
        }
        (_, Some(step)) if !whole(step) => wrong("step", "`step` is whole seconds", "such as `step: 15s`"),
        (Some(over), step) => {
            let step = step.unwrap_or(STEP);
            if step > over {
                wrong(
                    "over",
                    "`over` has room for no point",
                    "let it be longer than `step`, which is 15s unless stated",
                );
            } else if over.as_millis() / step.as_millis().max(1) > POINTS {
                wrong("over", "`over` has more than 1000 points", "let `step` be longer");
            }
        }
        _ => {}
    }
}

impl Prometheus {
    fn told(&self, query: &str) -> String {
        format!("`{}` of {}", shortened(query), self.target.name)
    }

    /// The values of a query that comes to one number: finite, at their moments, at least one.
    async fn points(&self, reads: &Reads<'_>, text: &str, over: Option<Grid>) -> Result<Vec<f64>, Fault> {
        let told = |why: &str| format!("{}: {why}", self.told(text));
        let token = self.token.as_ref().map(|token| token.render(reads.scope)).transpose();
        let token = token.map_err(|error| Fault::permanent(told(&error.to_string())))?;
        let query = Query { text: text.to_owned(), token, fresh: self.fresh, over };
        let clock = reads.world.clock();
        let asked = clock.now();
        let answer = reads.world.queries(&self.target.name)?.ask(&query).await;
        let answer = answer.map_err(|fault| Fault { message: told(&fault.message).into(), ..fault })?;
        let fresh = self.fresh.max(if over.is_some() { self.step * 2 } else { Duration::ZERO });
        values(&answer, (asked, clock.now()), over.is_some(), fresh).map_err(|why| Fault::blind(told(&why)))
    }

    fn measured(&self, points: &[f64], grid: Option<Grid>, samples: u64) -> Measured {
        let Some(spread) = Spread::of(points) else { return Measured::default() };
        let value = spread.told(grid.map(|grid| (grid.moments().count(), "points")));
        let rests = self.samples.as_ref().map(|_| format!(", by {samples} samples")).unwrap_or_default();
        let text = format!("{} is {value}{rests}", self.told(&self.query));
        Measured { counted: grid.map(|grid| grid.to), text, ..spread.measured(samples) }
    }
}

/// The points of a window that ends now, later than this.
fn grid(from: Timestamp, now: Timestamp, over: Duration, step: Duration) -> Grid {
    let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    let (length, apart) = (millis(over), millis(step));
    let to = now.0 / apart * apart;
    let from = from.0.div_ceil(apart).saturating_mul(apart).max(to.saturating_sub(length));
    Grid { from: Timestamp(from), to: Timestamp(to), step }
}

/// How many observations there are.
fn whole(points: &[f64]) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a negative count is none")]
    points.last().map_or(0, |count| count.max(0.0) as u64)
}

/// The finite values of the one line of an answer, asked for and answered at these moments of ours; or why there is no
/// evidence in it.
fn values(
    answer: &Answered,
    (asked, answered): (Timestamp, Timestamp),
    over: bool,
    fresh: Duration,
) -> Result<Vec<f64>, String> {
    if let Some(warning) = &answer.warning {
        return Err(format!("the server warns: {warning}"));
    }
    let line = match &answer.lines[..] {
        [line] if line.points.is_empty() => return Err("a series without a sample".into()),
        [line] => line,
        [] => return Err("no series: nothing was measured, or nothing matches".into()),
        [first, second, ..] => {
            let (all, first, second) = (answer.lines.len(), &first.labels, &second.labels);
            return Err(format!("{all} series, {first} and {second} among them, and one number is needed"));
        }
    };
    let newest = |points: &[(Timestamp, f64)]| points.last().map(|(at, _)| *at);
    // A window is of moments that we named: only the server itself can tell its time.
    let there = answer.clock.or_else(|| newest(&line.points).filter(|_| !over));
    let there = there.ok_or("the server does not say what time it is")?;
    if let Some(apart) = told_apart(there, (asked, answered)) {
        return Err(format!("the server's clock is {apart}"));
    }
    let finite: Vec<(Timestamp, f64)> =
        line.points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let Some(at) = newest(&finite) else {
        let value = line.points.last().map_or(f64::NAN, |(_, value)| *value);
        let all = line.points.len();
        return Err(if over {
            format!("none of {all} points is a finite number")
        } else {
            format!("it is {value}, which is no finite number")
        });
    };
    let age = there.since(at);
    if age > fresh {
        let (age, fresh) = (format_duration(age), format_duration(fresh));
        return Err(format!("its newest sample is {age} old, and none older than {fresh} is believed"));
    }
    Ok(finite.into_iter().map(|(_, value)| value).collect())
}

/// How far back a query looks: by its longest range, and the longest subquery around it.
fn reach(query: &str) -> Duration {
    let (mut plain, mut around) = (Duration::ZERO, Duration::ZERO);
    for range in ranges(query) {
        let (length, longest) = match range.split_once(':') {
            Some((length, _)) => (length, &mut around),
            None => (range.as_str(), &mut plain),
        };
        *longest = (*longest).max(length_of(length.trim()));
    }
    plain + around
}

/// What stands in brackets, quoted text apart.
fn ranges(query: &str) -> Vec<String> {
    let (mut found, mut quote, mut open) = (Vec::new(), None, None::<String>);
    let mut characters = query.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some('"' | '\''), '\\') => drop(characters.next()),
            (Some(mark), c) if mark == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '[') => open = Some(String::new()),
            (None, ']') => found.extend(open.take()),
            (None, c) => open.iter_mut().for_each(|range| range.push(c)),
        }
    }
    found
}

/// `1h30m`, `2w`, or seconds; nothing where it is none.
fn length_of(text: &str) -> Duration {
    const UNITS: [(&str, u64); 7] = [
        ("ms", 1),
        ("s", 1000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
        ("w", 604_800_000),
        ("y", 31_536_000_000),
    ];
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).unwrap_or_default();
    }
    let (mut rest, mut total) = (text, 0u64);
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let letters = rest[digits..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - digits);
        let (number, unit) = (rest[..digits].parse::<u64>(), &rest[digits..digits + letters]);
        let (Ok(number), Some((_, scale))) = (number, UNITS.iter().find(|(name, _)| *name == unit)) else {
            return Duration::ZERO;
        };
        total = total.saturating_add(number.saturating_mul(*scale));
        rest = &rest[digits + letters..];
    }
    Duration::from_millis(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Line;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn line(points: &[(u64, f64)]) -> Line {
        let points = points.iter().map(|(ago, value)| (Timestamp(NOW.0 - ago * 1000), *value)).collect();
        Line { labels: "{job=app}".into(), points }
    }

    fn judged(answer: &Answered, over: bool) -> Result<Vec<f64>, String> {
        values(answer, (NOW, NOW.after(Duration::from_secs(1))), over, FRESH)
    }

    fn of(lines: Vec<Line>) -> Answered {
        Answered { lines, warning: None, clock: Some(NOW) }
    }

    #[track_caller]
    fn silent(answer: &Answered, over: bool, words: &str) {
        let why = judged(answer, over).unwrap_err();
        assert!(why.contains(words), "`{words}` is not in: {why}");
    }

    #[test]
    fn one_number_is_a_value() {
        assert_eq!(judged(&of(vec![line(&[(0, 0.25)])]), false), Ok(vec![0.25]));
        let window = of(vec![line(&[(60, 1.0), (30, f64::NAN), (15, 3.0)])]);
        assert_eq!(judged(&window, true), Ok(vec![1.0, 3.0]));
    }

    #[test]
    fn what_is_not_one_finite_number_is_no_evidence() {
        silent(&of(vec![]), false, "no series");
        silent(&of(vec![line(&[])]), false, "without a sample");
        silent(&of(vec![line(&[(0, 1.0)]), line(&[(0, 2.0)])]), false, "2 series, {job=app} and");
        silent(&of(vec![line(&[(0, f64::NAN)])]), false, "it is NaN");
        silent(&of(vec![line(&[(0, f64::INFINITY)])]), false, "it is inf");
        silent(&of(vec![line(&[(15, f64::NAN), (0, f64::NEG_INFINITY)])]), true, "none of 2 points");
        let warning = Some("remote read: timeout".into());
        silent(&Answered { warning, ..of(vec![line(&[(0, 1.0)])]) }, false, "warns: remote read");
    }

    #[test]
    fn what_is_old_or_of_another_clock_is_no_evidence() {
        silent(&of(vec![line(&[(121, 1.0)])]), false, "2m1s old");
        silent(&of(vec![line(&[(300, 1.0), (0, f64::NAN)])]), true, "5m old");
        let at = |clock| Answered { clock, ..of(vec![line(&[(0, 1.0)])]) };
        silent(&at(Some(Timestamp(NOW.0 - 31_000))), false, "31s behind ours");
        silent(&at(Some(NOW.after(Duration::from_secs(41)))), false, "40s ahead of ours");
        assert!(judged(&at(Some(Timestamp(NOW.0 - 30_000))), false).is_ok());
        // Of now the sample itself tells the time; of a window nothing does.
        assert!(judged(&at(None), false).is_ok());
        silent(&at(None), true, "what time it is");
    }

    #[test]
    fn how_far_back_a_query_looks_is_in_its_text() {
        let seconds = |query: &str| reach(query).as_secs();
        assert_eq!(seconds("up"), 0);
        assert_eq!(seconds("sum(rate(x{code=~\"[5][0-9]{2}\"}[5m])) / sum(rate(x[1h30m]))"), 5400);
        assert_eq!(seconds("max_over_time(sum(rate(x[5m]))[1h:30s])"), 3900);
        assert_eq!(seconds("rate(x{a='it\\'s [9h]'}[300])"), 300);
        assert_eq!(seconds("x[1w]"), 604_800);
        assert_eq!(seconds("x[$__interval]"), 0);
    }

    #[test]
    fn a_window_begins_after_the_beginning() {
        let (minute, step) = (Duration::from_secs(300), Duration::from_secs(15));
        let late = grid(Timestamp(NOW.0 - 40_000), NOW, minute, step);
        assert_eq!((late.from.0, late.to), (NOW.0 - 30_000, NOW));
        assert_eq!(late.moments().count(), 3);
        assert_eq!(grid(Timestamp(0), NOW, minute, step).moments().count(), 21);
    }
}
