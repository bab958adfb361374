//! `cloudwatch.alarms`: alarms that somebody has set, on metrics, on logs, or on other alarms.
//!
//! One that says neither yes nor no is no evidence, unless the plan says what it counts for. One that was firing when the
//! watch began does not tell of what was done since.

use super::{Condition, Measured, Memory, NoEvidence, Signal};
use crate::plan::{Code, Fields, Target, Timestamp, format_duration, list, one_of, target, text};
use crate::port::need::{Account, Need};
use crate::port::{Alarm, AlarmState, Reads};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// Alarms by name.
#[derive(Clone, Debug)]
pub(super) struct Alarms {
    target: Arc<Target>,
    names: Vec<Arc<str>>,
    missing: NoEvidence,
    insufficient: NoEvidence,
    disabled: NoEvidence,
}

/// What an alarm counts for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Counts {
    Fine,
    Fires(String),
    Doubtful(String),
}

#[async_trait::async_trait]
impl Signal for Alarms {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        const WORDS: &[(&str, NoEvidence)] =
            &[("wait", NoEvidence::Wait), ("fail", NoEvidence::Fail), ("pass", NoEvidence::Pass)];
        let target = fields.required("target", target(&["aws"]), "their account and region");
        let names =
            fields.required("names", list(text()), "metric alarms, composite alarms, and alarms on logs");
        let mut counts = |key, about| fields.or(key, one_of(WORDS), NoEvidence::Wait, about);
        let missing = counts("missing", "what an alarm counts for that is not there: wait is no evidence");
        let insufficient = counts("insufficient", "what one counts for whose data do not suffice to tell");
        let disabled =
            counts("disabled", "what one counts for whose actions are disabled; pass: it goes by its state");
        if names.as_ref().is_some_and(Vec::is_empty) {
            let span = fields.span_of("names");
            fields.problems().error(Code("SW2003"), span, "no alarm is named");
        }
        Some(Self { target: target?, names: names?, missing, insufficient, disabled })
    }

    fn period(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn costs() -> &'static str {
        "Every 30s: DescribeAlarms, a call for a hundred names. It is as late as the alarms are. Each alarm is a \
         sample, and one is enough."
    }

    fn names() -> &'static [&'static str] {
        &["value", "samples"]
    }

    fn needs(&self, _: &Condition) -> Vec<Need> {
        let may_be_missing = self.missing == NoEvidence::Pass;
        let need = |name: &Arc<str>| Need::Alarm {
            at: Account::of(&self.target),
            name: name.to_string(),
            may_be_missing,
        };
        self.names.iter().map(need).collect()
    }

    async fn measure(&self, reads: &Reads<'_>, since: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let names: Vec<String> = self.names.iter().map(ToString::to_string).collect();
        let found = reads.world.metrics(&self.target.name)?.alarms(&names).await?;
        let counts = self.names.iter().map(|name| {
            let alarm = found.iter().find(|alarm| alarm.name == **name);
            self.counts(name, alarm, since)
        });
        Ok(measured(&counts.collect::<Vec<_>>()))
    }
}

impl Alarms {
    fn counts(&self, name: &str, alarm: Option<&Alarm>, since: Timestamp) -> Counts {
        let as_said = |word, why: String| match word {
            NoEvidence::Wait => Counts::Doubtful(why),
            NoEvidence::Fail => Counts::Fires(why),
            NoEvidence::Pass => Counts::Fine,
        };
        let Some(alarm) = alarm else {
            return as_said(self.missing, format!("there is no alarm `{name}`"));
        };
        if !alarm.enabled && self.disabled != NoEvidence::Pass {
            return as_said(self.disabled, format!("the actions of `{name}` are disabled"));
        }
        match (&alarm.state, &alarm.trouble, alarm.since) {
            // Times are told by the second.
            (AlarmState::Firing, _, Some(at)) if at.after(Duration::from_secs(1)) <= since => {
                let before = format_duration(since.since(at));
                Counts::Doubtful(format!(
                    "`{name}` was firing {before} before the watch began: that is not of this run"
                ))
            }
            (AlarmState::Firing, _, at) => {
                let at = at.map(|at| format!(" since {at}")).unwrap_or_default();
                Counts::Fires(format!("`{name}` fires{at}: {}", alarm.reason))
            }
            (AlarmState::Ok, None, _) => Counts::Fine,
            (AlarmState::Ok, Some(trouble), _) => {
                Counts::Doubtful(format!("`{name}` is OK, and was not worked out whole ({trouble})"))
            }
            (AlarmState::Unknown(state), ..) => {
                as_said(self.insufficient, format!("`{name}` says {state}: {}", alarm.reason))
            }
        }
    }
}

/// How many of them fire. As long as one is in doubt, that none does is no pass.
fn measured(all: &[Counts]) -> Measured {
    let told = |of: fn(&Counts) -> Option<&String>| {
        all.iter().filter_map(of).map(String::as_str).collect::<Vec<_>>()
    };
    let fires = told(|counts| if let Counts::Fires(why) = counts { Some(why) } else { None });
    let doubts = told(|counts| if let Counts::Doubtful(why) = counts { Some(why) } else { None });
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let text = match (fires.len(), doubts.len()) {
        (0, 0) if all.len() == 1 => "the alarm does not fire".to_owned(),
        (0, 0) => format!("none of {} alarms fires", all.len()),
        _ => [&fires[..], &doubts[..]].concat().join("; "),
    };
    Measured {
        value: Some(number(fires.len())),
        named: [("samples", number(all.len()))].into(),
        samples: all.len() as u64,
        partial: !doubts.is_empty(),
        text,
        ..Measured::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Span, Value};
    use serde_json::json;

    const SINCE: Timestamp = Timestamp(1_800_000_000_000);

    fn watched(missing: NoEvidence, insufficient: NoEvidence, disabled: NoEvidence) -> Alarms {
        let with = Value::from_json(&json!({}), Span::default());
        let target = Arc::new(Target { name: "prod".into(), kind: "aws".into(), with });
        Alarms { target, names: vec!["a".into()], missing, insufficient, disabled }
    }

    fn alarm(state: AlarmState) -> Alarm {
        let since = Some(SINCE.after(Duration::from_secs(60)));
        Alarm { name: "a".into(), state, reason: "why".into(), since, enabled: true, trouble: None }
    }

    /// How it counts, and how it is told.
    fn told(alarms: &Alarms, alarm: Option<&Alarm>) -> (Option<f64>, bool, String) {
        let Measured { value, partial, text, .. } = measured(&[alarms.counts("a", alarm, SINCE)]);
        (value, partial, text)
    }

    #[track_caller]
    fn doubtful(alarm: Option<&Alarm>, words: &str) {
        let wait = watched(NoEvidence::Wait, NoEvidence::Wait, NoEvidence::Wait);
        let (value, partial, text) = told(&wait, alarm);
        assert!(value == Some(0.0) && partial && text.contains(words), "{value:?} {partial} {text}");
    }

    #[test]
    fn an_alarm_says_yes_or_no() {
        let alarms = watched(NoEvidence::Wait, NoEvidence::Wait, NoEvidence::Wait);
        assert_eq!(
            told(&alarms, Some(&alarm(AlarmState::Ok))),
            (Some(0.0), false, "the alarm does not fire".into())
        );
        let fires = "`a` fires since 2027-01-15T08:01:00Z: why".to_owned();
        assert_eq!(told(&alarms, Some(&alarm(AlarmState::Firing))), (Some(1.0), false, fires));
        let whenever = Alarm { since: None, ..alarm(AlarmState::Firing) };
        assert_eq!(told(&alarms, Some(&whenever)), (Some(1.0), false, "`a` fires: why".into()));
    }

    #[test]
    fn what_says_neither_is_no_evidence() {
        doubtful(None, "there is no alarm `a`");
        doubtful(
            Some(&alarm(AlarmState::Unknown("INSUFFICIENT_DATA".into()))),
            "says INSUFFICIENT_DATA: why",
        );
        for state in [AlarmState::Ok, AlarmState::Firing] {
            doubtful(Some(&Alarm { enabled: false, ..alarm(state) }), "actions of `a` are disabled");
        }
        let part = Alarm { trouble: Some("PARTIAL_DATA".into()), ..alarm(AlarmState::Ok) };
        doubtful(Some(&part), "not worked out whole (PARTIAL_DATA)");
        let before = Alarm { since: Some(Timestamp(SINCE.0 - 720_000)), ..alarm(AlarmState::Firing) };
        doubtful(Some(&before), "was firing 12m before the watch began");
    }

    #[test]
    fn a_plan_may_say_what_it_counts_for() {
        let strict = watched(NoEvidence::Fail, NoEvidence::Fail, NoEvidence::Fail);
        let unknown = alarm(AlarmState::Unknown("INSUFFICIENT_DATA".into()));
        let muted = |state| Alarm { enabled: false, ..alarm(state) };
        for alarm in [None, Some(&unknown), Some(&muted(AlarmState::Ok))] {
            assert_eq!(told(&strict, alarm).0, Some(1.0), "{alarm:?}");
        }
        let lax = watched(NoEvidence::Pass, NoEvidence::Pass, NoEvidence::Pass);
        for alarm in [None, Some(&unknown), Some(&muted(AlarmState::Ok))] {
            assert_eq!((told(&lax, alarm).0, told(&lax, alarm).1), (Some(0.0), false), "{alarm:?}");
        }
        assert_eq!(told(&lax, Some(&muted(AlarmState::Firing))).0, Some(1.0), "it goes by its state");
    }

    #[test]
    fn a_doubt_hides_no_alarm() {
        let both = measured(&[Counts::Doubtful("x".into()), Counts::Fires("y".into()), Counts::Fine]);
        assert_eq!((both.value, both.partial, &*both.text), (Some(1.0), true, "y; x"));
        assert_eq!(measured(&[Counts::Fine, Counts::Fine]).text, "none of 2 alarms fires");
    }
}
