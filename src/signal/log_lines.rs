//! `logs.pattern`: lines of a log that match a pattern, as many as there are a minute.
//!
//! `CloudWatch Logs` counts nothing: it tells the lines themselves, page by page, and a page may be empty though there are more. So
//! they are read to the end, or to a bound; what lies beyond it can only be more. A line is found seconds after it was
//! written, so the window ends a while ago. Where nothing matches, it is asked whether there are lines at all: a program that is
//! dead says nothing wrong. No line is kept: what it says is not for a journal.

use super::balancer::MINUTE;
use super::spread::{plain, shortened};
use super::{Condition, Measured, Memory, NoEvidence, Signal};
use crate::plan::{Code, Fields, Target, Timestamp, duration, format_duration, one_of, target, text};
use crate::port::need::{Account, Need};
use crate::port::{Lines, LogQuery, Reads};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// Lines of a log that match a pattern.
#[derive(Clone, Debug)]
pub(super) struct LogLines {
    target: Arc<Target>,
    group: Arc<str>,
    pattern: Arc<str>,
    over: Duration,
    late: Duration,
    /// What a log counts for that says nothing at all.
    silent: NoEvidence,
}

/// The window, unless the plan says otherwise.
const OVER: Duration = Duration::from_secs(300);
/// The longest window.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How long ago the window ends, unless the plan says otherwise; and for how long a line may not be found as a rule: agents
/// send what they have every five seconds or so.
const LATE: Duration = Duration::from_secs(30);
const INGESTED: Duration = Duration::from_secs(10);
/// More matching lines than this are not counted.
const MOST: u64 = 100_000;
/// As long as a pattern may be, in characters (`FilterPattern`, API reference).
const PATTERN: usize = 1024;

#[async_trait::async_trait]
impl Signal for LogLines {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["aws"]), "its account and region");
        let group = fields.required("log_group", text(), "the log group, by name");
        let about =
            "a filter pattern of CloudWatch Logs: `ERROR`, `?panic ?FATAL`, `{ $.level = \"error\" }`";
        let pattern = fields.required("pattern", text(), about);
        let over = fields.or("over", duration(), OVER, "the window that is judged, from 1m to a day");
        let about = "how long ago the window ends: a line is found only a while after it was written";
        let late = fields.or("late", duration(), LATE, about);
        let words = &[("wait", NoEvidence::Wait), ("pass", NoEvidence::Pass)];
        let about = "what a log counts for that says nothing at all: wait is no evidence";
        let silent = fields.or("silent", one_of(words), NoEvidence::Wait, about);
        check(fields, group.as_deref(), pattern.as_deref(), over, late);
        Some(Self { target: target?, group: group?, pattern: pattern?, over, late, silent })
    }

    fn period(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn costs() -> &'static str {
        "Every 30s: FilterLogEvents, page by page, and once more where nothing matches. The window ends `late` \
         ago. Each minute is a sample, and one is enough."
    }

    fn names() -> &'static [&'static str] {
        &["value", "lines", "samples"]
    }

    fn needs(&self, condition: &Condition) -> Vec<Need> {
        let (good, bad) = condition.numbers();
        let (group, pattern) = (self.group.to_string(), self.pattern.to_string());
        vec![Need::Lines { at: Account::of(&self.target), group, pattern, good, bad }]
    }

    async fn measure(&self, reads: &Reads<'_>, since: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let Some(span) = self.window(reads.world.clock().now(), since) else {
            let early = self.nothing("no whole minute after the beginning can be counted yet");
            return Ok(Measured { early: true, ..early });
        };
        let logs = reads.world.metrics(&self.target.name)?;
        let Some(found) = logs.lines(&self.asked(&self.pattern, span, MOST)).await? else {
            return Ok(self.nothing(&format!("there is no such log group in target `{}`", self.target.name)));
        };
        if found.whole && found.count == 0 && self.silent == NoEvidence::Wait {
            let any = logs.lines(&self.asked("", span, 1)).await?;
            if any.is_none_or(|any| any.count == 0) {
                return Ok(self.nothing(&format!("not one line, of any kind, {}", told(span))));
            }
        }
        Ok(self.measured(found, span))
    }
}

fn check(
    fields: &mut Fields<'_>,
    group: Option<&str>,
    pattern: Option<&str>,
    over: Duration,
    late: Duration,
) {
    let named = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
    if group.is_some_and(|group| group.is_empty() || !group.chars().all(named)) {
        let span = fields.span_of("log_group");
        let help = "say its name, and no ARN: `/ecs/aep-backend`";
        fields.problems().error(Code("SW2003"), span, "this is no name of a log group").help(help);
    }
    if !(MINUTE..=LONGEST).contains(&over) {
        let span = fields.span_of("over");
        let help = "say from a minute to a day: `over: 5m`";
        fields.problems().error(Code("SW2003"), span, "`over` is the window that is judged").help(help);
    }
    let span = fields.span_of("pattern");
    if pattern.is_some_and(|pattern| pattern.chars().count() > PATTERN) {
        let message = format!("a pattern has at most {PATTERN} characters");
        fields.problems().error(Code("SW2003"), span, message);
    }
    if pattern.is_some_and(takes_all) {
        fields
            .problems()
            .warn(Code("SW2013"), span, "every line matches this pattern")
            .help("say what is wrong with a line: `ERROR`, `?panic ?FATAL`");
    }
    if late < INGESTED {
        let span = fields.span_of("late");
        let (message, least) = ("the newest lines are not found yet", format_duration(INGESTED));
        fields
            .problems()
            .warn(Code("SW2014"), span, message)
            .help(format!("let the window end longer ago: at least `late: {least}`"));
    }
}

/// Whether there is no line that it does not match: it names nothing, or only fields without a condition on one.
fn takes_all(pattern: &str) -> bool {
    let pattern = pattern.trim();
    let fields = pattern.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    pattern.chars().all(|c| c == '"' || c.is_whitespace())
        || matches!(pattern, "%.*%" | "%.+%")
        || fields.is_some_and(|fields| !fields.contains(['=', '<', '>']))
}

/// `in 5m up to 2027-01-15T08:00:00Z`.
fn told((from, to): (Timestamp, Timestamp)) -> String {
    format!("in {} up to {to}", format_duration(Duration::from_secs(to.since(from).as_secs())))
}

impl LogLines {
    /// What was written since then and is found by now, at most so long back; `None`: that is less than a minute.
    fn window(&self, now: Timestamp, since: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let back = |from: Timestamp, span: Duration| {
            Timestamp(from.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
        };
        let to = back(now, self.late);
        let from = since.max(back(to, self.over));
        (to.since(from) >= MINUTE).then_some((from, to))
    }

    fn asked(&self, pattern: &str, (from, to): (Timestamp, Timestamp), most: u64) -> LogQuery {
        LogQuery { group: self.group.to_string(), pattern: pattern.to_owned(), from, to, most }
    }

    fn nothing(&self, why: &str) -> Measured {
        Measured::nothing(&format!("{}: {why}", self.group))
    }

    fn measured(&self, found: Lines, span: (Timestamp, Timestamp)) -> Measured {
        #[expect(clippy::cast_precision_loss, reason = "lines are counted, and fewer than 2^53")]
        let lines = found.count as f64;
        let length = span.1.since(span.0);
        let a_minute = lines / (length.as_secs_f64() / MINUTE.as_secs_f64());
        let minutes = u32::try_from(length.as_secs() / MINUTE.as_secs()).unwrap_or(u32::MAX);
        let (least, rest) = if found.whole {
            ("", "")
        } else {
            ("at least ", "; the rest was not read: there is too much of it")
        };
        let (count, pattern) = (found.count, shortened(&self.pattern));
        let (group, when, rate) = (&self.group, told(span), plain(a_minute));
        Measured {
            value: Some(a_minute),
            named: [("lines", lines), ("samples", f64::from(minutes))].into(),
            samples: minutes.into(),
            partial: !found.whole,
            text: format!("{least}{count} lines of {group} match `{pattern}` {when}: {rate} a minute{rest}"),
            ..Measured::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Span, Value};
    use serde_json::json;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn watched() -> LogLines {
        let with = Value::from_json(&json!({}), Span::default());
        let target = Arc::new(Target { name: "prod".into(), kind: "aws".into(), with });
        let (group, pattern) = ("/ecs/aep".into(), "ERROR".into());
        LogLines { target, group, pattern, over: OVER, late: LATE, silent: NoEvidence::Wait }
    }

    fn ago(seconds: u64) -> Timestamp {
        Timestamp(NOW.0 - seconds * 1000)
    }

    #[test]
    fn the_window_begins_after_the_beginning_and_ends_where_lines_are_found() {
        assert_eq!(watched().window(NOW, Timestamp::PAST), Some((ago(330), ago(30))));
        assert_eq!(watched().window(NOW, ago(200)), Some((ago(200), ago(30))));
        assert_eq!(watched().window(NOW, ago(90)), Some((ago(90), ago(30))));
        assert_eq!(watched().window(NOW, ago(89)), None, "less than a minute");
        assert_eq!(watched().window(NOW, NOW), None);
    }

    #[test]
    fn lines_are_told_by_the_minute() {
        let found = watched().measured(Lines { count: 3, whole: true }, (ago(330), ago(30)));
        assert_eq!((found.value, found.named["lines"], found.samples), (Some(0.6), 3.0, 5));
        let text = "3 lines of /ecs/aep match `ERROR` in 5m up to 2027-01-15T07:59:30Z: 0.6 a minute";
        assert_eq!((&*found.text, found.partial), (text, false));
        let short = watched().measured(Lines { count: 3, whole: true }, (ago(120), ago(30)));
        assert_eq!((short.value, short.samples), (Some(2.0), 1));
    }

    #[test]
    fn what_was_not_read_is_more() {
        let found = watched().measured(Lines { count: 100_000, whole: false }, (ago(330), ago(30)));
        assert!(found.partial && found.text.starts_with("at least 100000 lines of /ecs/aep"), "{found:?}");
        assert!(found.text.ends_with("20000 a minute; the rest was not read: there is too much of it"));
    }

    #[test]
    fn a_pattern_that_takes_all_says_nothing() {
        for pattern in ["", "  ", "\"\"", "\" \"", "%.*%", "[...]", "[ip, user, ...]", "[]"] {
            assert!(takes_all(pattern), "{pattern}");
        }
        for pattern in [
            "ERROR",
            "\"out of memory\"",
            "-INFO",
            "[..., status = 5*, size]",
            "{ $.level = \"error\" }",
            "%5\\d\\d%",
        ] {
            assert!(!takes_all(pattern), "{pattern}");
        }
    }
}
