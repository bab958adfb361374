//! What becomes of a silence, in one table: each kind of signal that there is, and each way in which its source can fall
//! silent. A monitor never passes in one, and what was seen before it does not count after it.

use super::world::{Resolver, START, World, output, record, response, service, target_group};
use super::{Story, known, value};
use crate::plan::{Fields, Problems, StepId, Timestamp};
use crate::port::{Alarm, AlarmState, Answered, Line, Lines, LoadBalancer, Parameter, Query};
use crate::run::{Fault, FaultKind, Look};
use crate::signal::{Condition, Memory, SIGNALS, SignalRegistry, Verdict, Watch};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// What a source does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// It says that all is well.
    Speaks,
    /// It cannot be asked.
    Down,
    /// It does not take these credentials any more.
    Expired,
    /// It answers, and there is nothing in it: no traffic, no data, nobody there.
    Empty,
    /// It tells of five minutes ago.
    Late,
}

/// A kind of signal, and a source of it.
struct Row {
    uses: &'static str,
    with: Json,
    fail: Option<&'static str>,
    /// How there is nothing in an answer of it; `None`: there always is.
    empties: Option<fn(&World)>,
    /// It measures what others publish, which may come late.
    is_late: bool,
    /// Whoever gets no answer is a user who gets none: that is no silence.
    is_a_user: bool,
}

fn row(uses: &'static str, with: Json) -> Row {
    Row { uses, with, fail: Some("value > 0.5"), empties: None, is_late: false, is_a_user: false }
}

/// What CloudWatch publishes of something.
fn published(uses: &'static str, with: Json, fail: &'static str) -> Row {
    let empties: fn(&World) = |world| world.state().measure = Box::new(|_, _| None);
    Row { fail: Some(fail), empties: Some(empties), is_late: true, ..row(uses, with) }
}

fn rows() -> Vec<Row> {
    let balancer = || json!({"load_balancer": "new", "in": "prod"});
    let slow = json!({"load_balancer": "new", "in": "prod", "slower_than": "500ms"});
    let load = json!({"target": "prod", "namespace": "AEP", "name": "Load"});
    let database = json!({"target": "prod", "database": "aep", "limit": 100});
    let tasks = json!({"target": "prod", "cluster": "c", "service": "app"});
    let query = json!({"target": "prom", "query": "errors"});
    let names = json!({"target": "prod", "names": ["aep-5xx"]});
    let errors = json!({"target": "prod", "log_group": "/ecs/aep", "pattern": "ERROR", "over": "2m"});
    vec![
        Row {
            fail: Some("value > 0"),
            is_a_user: true,
            ..row("http.probe", json!({"url": "https://app.example.com/"}))
        },
        published("alb.error_rate", balancer(), "value > 0.5"),
        published("alb.latency", balancer(), "value > 500"),
        published("alb.slow_rate", slow, "value > 0.5"),
        Row { empties: Some(|world| world.state().groups.clear()), ..row("alb.unhealthy_hosts", balancer()) },
        published("alb.requests", balancer(), "value < 1"),
        Row {
            fail: Some("value < 1"),
            empties: Some(|world| world.state().services.get_mut("app").unwrap().desired = 0),
            ..row("ecs.running", tasks)
        },
        published("rds.connections", database, "value > 0.8"),
        published("cloudwatch.metric", load, "value > 500"),
        Row {
            fail: None,
            empties: Some(|world| {
                world.state().alarms[0].state = AlarmState::Unknown("INSUFFICIENT_DATA".into());
            }),
            ..row("cloudwatch.alarms", names)
        },
        Row {
            fail: None,
            // Its zone is gone.
            empties: Some(|world| {
                world.state().cut_off = Some(Fault::permanent("NoSuchHostedZone: no hosted zone found"));
            }),
            ..row("dns.drift", json!({"target": "zone", "record": "www", "is": {"cname": "app.example.com"}}))
        },
        Row {
            fail: None,
            empties: Some(|world| {
                world.state().resolver.as_mut().unwrap().fails = Some(Fault::blind("its status is 503"));
            }),
            ..row("dns.resolvers", json!({"target": "asked", "after": "switch"}))
        },
        Row {
            fail: None,
            empties: Some(|world| world.state().run = Box::new(|_| output(1, ""))),
            ..row("exec", json!({"run": ["./look"]}))
        },
        Row {
            fail: None,
            empties: Some(|world| world.state().answer = Box::new(|_| Ok(response(403, "")))),
            ..row("kill_switch", json!({"url": "https://flags.example.com/stop"}))
        },
        Row {
            fail: None,
            empties: Some(|world| world.state().parameter = None),
            ..row("kill_switch", json!({"parameter": "/aep/stop", "in": "prod"}))
        },
        Row {
            empties: Some(|world| world.state().query = Box::new(|_, now| Ok(says(now, f64::NAN)))),
            is_late: true,
            ..row("prometheus", query)
        },
        Row {
            empties: Some(|world| {
                world.state().lines = Box::new(|_| Some(Lines { count: 0, whole: true }));
            }),
            is_late: true,
            ..row("logs.pattern", errors)
        },
    ]
}

/// What Prometheus says: one number, of this moment.
fn says(at: Timestamp, number: f64) -> Answered {
    let line = Line { labels: String::new(), points: vec![(at, number)] };
    Answered { lines: vec![line], warning: None, clock: None }
}

impl Row {
    /// A world in which all is well.
    fn world(&self) -> World {
        let switched = json!({"record": "www.example.com", "before": [], "changed": true,
            "new_lookups_reach_it_by": START.to_string()});
        let world =
            World::new().seen_by(|scope| scope.answered(&StepId("switch".into()), &switched.to_string()));
        world.state().balancers.push(LoadBalancer {
            arn: "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/new/1".into(),
            name: "new".into(),
            dns_name: "new.elb.example".into(),
            zone_id: "ZLB".into(),
            keep_alive: Duration::from_secs(3600),
            idle_timeout: Duration::from_secs(60),
        });
        self.is(&world, Source::Speaks);
        world
    }

    /// The source does this from now on.
    fn is(&self, world: &World, source: Source) {
        let mut state = world.state();
        state.cut_off = match source {
            Source::Down => Some(Fault::transient("answered 503")),
            Source::Expired => Some(Fault::blind("ExpiredToken: the token is expired")),
            _ => None,
        };
        let late = if source == Source::Late { Duration::from_mins(5) } else { Duration::ZERO };
        let now = state.now;
        // A minute is told of once it is over, and so much later.
        let is_told = move |at: Timestamp| at.after(Duration::from_mins(1)).after(late) <= now;
        state.measure = Box::new(move |metric, at| match (&*metric.statistic, &*metric.name) {
            _ if !is_told(at) => None,
            ("SampleCount", _) => Some(100.0),
            (counted, "TargetResponseTime") if counted.starts_with("TC(") => {
                counted.starts_with("TC(:").then_some(100.0)
            }
            (_, "TargetResponseTime") => Some(0.1),
            (_, "HTTPCode_Target_5XX_Count" | "HTTPCode_ELB_5XX_Count") => None,
            (_, name) if name.starts_with("HTTPCode_") => Some(100.0),
            _ => Some(10.0),
        });
        state.groups = vec![target_group("tg")];
        state.services.insert("app".into(), service("app", "app:1"));
        let www = record("www.example.com", "CNAME", 300, &["app.example.com"]);
        state.listings = vec![(Timestamp::PAST, vec![www])];
        state.resolver = Some(Resolver::default());
        state.alarms = vec![Alarm {
            name: "aep-5xx".into(),
            state: AlarmState::Ok,
            reason: "few".into(),
            since: Some(START),
            enabled: true,
            trouble: None,
        }];
        state.run = Box::new(|_| output(0, ""));
        state.parameter = Some(Parameter::Text("false".into()));
        let status = if self.uses == "kill_switch" { 404 } else { 200 };
        state.answer = Box::new(move |_| Ok(response(status, "")));
        state.query = Box::new(move |_: &Query, now| {
            let there = Timestamp(now.0 - u64::try_from(late.as_millis()).unwrap());
            Ok(Answered { clock: Some(now), ..says(there, 0.25) })
        });
        // Lines, but none that matches.
        state.lines = Box::new(move |query| {
            let found = query.pattern.is_empty() && query.from.after(late) <= now;
            Some(Lines { count: found.into(), whole: true })
        });
        drop(state);
        if let (Source::Empty, Some(empties)) = (source, self.empties) {
            empties(world);
        }
    }

    /// Whether its source can be silent in this way.
    fn can_be(&self, source: Source) -> bool {
        match source {
            Source::Speaks | Source::Down | Source::Expired => true,
            Source::Empty => self.empties.is_some(),
            Source::Late => self.is_late,
        }
    }

    fn signal(&self, more: &Json) -> Json {
        let mut signal = json!({"id": "it", "uses": self.uses, "with": self.with});
        signal.as_object_mut().unwrap().extend(self.fail.map(|fail| ("fail".into(), fail.into())));
        signal.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        signal
    }
}

/// How a monitor ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// It passes in this minute.
    Passes(u64),
    /// A human is asked in this minute.
    Asks(u64),
    /// It is broken in this minute.
    Breaks(u64),
}

/// A soak of a quarter of an hour over a source that does this, minute by minute; in some nobody looks.
async fn soak(row: &Row, more: &Json, source: impl Fn(u64) -> Option<Source>) -> (Ends, String) {
    let world = row.world();
    let with = json!({"for": "15m", "every": "30s", "signals": [row.signal(more)]});
    let mut story = Story::new(&world, "monitor", &with);
    story.plan().await.unwrap();
    let until = story.since.after(story.proposal.as_ref().unwrap().within);
    loop {
        let minute = world.state().now.since(START).as_secs() / 60;
        let Some(source) = source(minute) else {
            world.pass(Duration::from_secs(60));
            continue;
        };
        row.is(&world, source);
        match story.look(story.forward()).await {
            Ok(Look::Moving { again, .. }) => {
                assert!(world.state().now < until, "{}: it has failed by time alone", row.uses);
                world.pass(again);
            }
            Ok(look) => {
                assert!(matches!(look, Look::Desired { .. }), "{}: {look:?}", row.uses);
                assert_eq!(source, Source::Speaks, "{}: it passes in a silence", row.uses);
                return (Ends::Passes(minute), String::new());
            }
            Err(fault) if fault.kind == FaultKind::Permanent => {
                return (Ends::Breaks(minute), fault.message.to_string());
            }
            Err(fault) => {
                assert_eq!(fault.kind, FaultKind::Blind, "{}: {fault}", row.uses);
                return (Ends::Asks(minute), fault.message.to_string());
            }
        }
    }
}

/// All kinds end so; those that are users are broken in that minute, if at all.
async fn all_end(
    what: &str,
    more: &Json,
    ends: Ends,
    broken: Option<u64>,
    source: impl Fn(u64) -> Option<Source> + Copy,
) {
    for row in rows().iter().filter(|row| (0..60).filter_map(source).all(|source| row.can_be(source))) {
        let (ended, why) = soak(row, more, source).await;
        let breaks = broken.filter(|_| row.is_a_user).map(Ends::Breaks);
        assert_eq!(ended, breaks.unwrap_or(ends), "{what}, {}: {why}", row.uses);
        assert!(!matches!(ended, Ends::Asks(_)) || why.contains("no evidence in time"), "{what}: {why}");
    }
}

/// From the fifth minute on, and not again.
fn after_five(source: Source) -> impl Fn(u64) -> Option<Source> + Copy {
    move |minute| Some(if minute < 5 { Source::Speaks } else { source })
}

/// As it is where a plan says nothing of silence.
fn usual() -> Json {
    json!({})
}

const SILENCES: [(&str, Source); 3] = [
    ("the source is down", Source::Down),
    ("the credentials expire", Source::Expired),
    ("nothing is measured", Source::Empty),
];

#[test]
fn every_kind_of_signal_stands_in_the_table() {
    let rows = rows();
    let mut stands: Vec<&str> = rows.iter().map(|row| row.uses).collect();
    let mut all: Vec<&str> = SIGNALS.iter().map(|kind| kind.name).collect();
    stands.sort_unstable();
    all.sort_unstable();
    // A kind may have sources of several sorts.
    stands.dedup();
    assert_eq!(stands, all, "each kind says here what its silence is");
    for row in &rows {
        let says = row.is_a_user || row.empties.is_some();
        assert!(says, "{}: its source has nothing to say some time, or is never silent", row.uses);
    }
}

#[test]
fn what_a_kind_costs_tells_how_many_samples_it_needs() {
    for kind in SIGNALS {
        let told = match (kind.min_samples)() {
            1 => "enough".to_owned(),
            several => format!("{several} are needed"),
        };
        assert!((kind.costs)().contains(&told), "{}: {told}", kind.name);
    }
}

#[test]
fn what_a_kind_costs_tells_its_period() {
    for row in rows() {
        let kind = SIGNALS.iter().find(|kind| kind.name == row.uses).unwrap();
        let (known, mut problems) = (known(), Problems::default());
        let with = value(&row.with);
        let mut fields = Fields::new(&with, &known, &mut problems);
        let period = (kind.decode)(&mut fields).unwrap().period();
        let every = format!("Every {}", crate::plan::format_duration(period));
        assert!((kind.costs)().starts_with(&every), "{}: {every}", row.uses);
    }
}

#[tokio::test]
async fn without_a_silence_all_of_them_pass_in_time() {
    all_end("it speaks", &usual(), Ends::Passes(15), None, |_| Some(Source::Speaks)).await;
}

/// argo-rollouts#1360: an analysis was over before a metric that came later had said anything.
#[tokio::test]
async fn a_silence_that_lasts_asks_once_the_patience_is_over() {
    for (what, source) in SILENCES {
        all_end(what, &usual(), Ends::Asks(25), Some(5), after_five(source)).await;
        // From the beginning: nothing was ever seen.
        all_end(what, &usual(), Ends::Asks(25), Some(0), |_| Some(source)).await;
    }
}

#[tokio::test]
async fn what_is_five_minutes_late_is_no_evidence_of_now() {
    all_end("it is late", &usual(), Ends::Asks(25), None, |_| Some(Source::Late)).await;
}

#[tokio::test]
async fn a_source_that_flaps_completes_no_soak() {
    let flaps = |minute: u64| Some(if minute.is_multiple_of(7) { Source::Speaks } else { Source::Down });
    // It begins anew in the minutes 7, 14, 21; in the minute 28 there is no time left for another quarter of an hour.
    all_end("it flaps", &usual(), Ends::Asks(28), Some(1), flaps).await;
}

#[tokio::test]
async fn evidence_begins_anew_after_a_silence() {
    for (what, source) in SILENCES {
        let until = |end: u64| {
            move |minute: u64| Some(if (5..end).contains(&minute) { source } else { Source::Speaks })
        };
        all_end(what, &usual(), Ends::Passes(27), Some(5), until(12)).await;
        // What windows hold reaches as far back as that.
        all_end(what, &usual(), Ends::Passes(15), Some(5), until(9)).await;
    }
}

#[tokio::test]
async fn evidence_begins_anew_after_nobody_looked() {
    let asleep = |end: u64| move |minute: u64| (!(5..end).contains(&minute)).then_some(Source::Speaks);
    all_end("asleep", &usual(), Ends::Passes(32), None, asleep(17)).await;
    all_end("asleep for an hour", &usual(), Ends::Asks(65), None, asleep(65)).await;
    // The connection is not back at once.
    let dazed = |minute: u64| match minute {
        5..17 => None,
        17..19 => Some(Source::Down),
        _ => Some(Source::Speaks),
    };
    all_end("asleep, and without a network", &usual(), Ends::Passes(34), Some(17), dazed).await;
}

#[tokio::test]
async fn a_plan_may_say_that_silence_is_a_breach_or_good() {
    for (what, source) in SILENCES {
        let fail = json!({"no_evidence": "fail"});
        all_end(what, &fail, Ends::Breaks(5), Some(5), after_five(source)).await;
        let thrice = json!({"no_evidence": "fail", "breaches": 3});
        all_end(what, &thrice, Ends::Breaks(6), Some(6), after_five(source)).await;
    }
    let fail = json!({"no_evidence": "fail"});
    all_end("it is early", &fail, Ends::Passes(15), None, |_| Some(Source::Speaks)).await;
    // It is as the plan says, and nobody looking is no silence of the source.
    let pass = json!({"no_evidence": "pass"});
    for row in rows().iter().filter(|row| !row.is_a_user) {
        let (ended, why) = passes_in_silence(row, &pass).await;
        assert_eq!(ended, Ends::Passes(15), "{}: {why}", row.uses);
    }
    let asleep = |minute: u64| (!(5..17).contains(&minute)).then_some(Source::Speaks);
    all_end("asleep", &pass, Ends::Passes(32), None, asleep).await;
}

/// As [`soak`] over a source that is down: only where the plan says so may it pass.
async fn passes_in_silence(row: &Row, more: &Json) -> (Ends, String) {
    let world = row.world();
    let with = json!({"for": "15m", "every": "30s", "signals": [row.signal(more)]});
    let mut story = Story::new(&world, "monitor", &with);
    story.plan().await.unwrap();
    row.is(&world, Source::Down);
    let ended = story.arrive().await;
    let minute = story.waited(START).as_secs() / 60;
    ended.map_or_else(
        |fault| (Ends::Asks(minute), fault.to_string()),
        |_| (Ends::Passes(minute), String::new()),
    )
}

/// What a guard of this kind makes of each look while its source does that, after five minutes in which it spoke.
async fn guarded(row: &Row, no_evidence: &str, source: Source) -> Vec<Verdict> {
    let (world, mut with) = (row.world(), row.with.clone());
    with["no_evidence"] = no_evidence.into();
    with.as_object_mut().unwrap().extend(row.fail.map(|fail| ("fail".into(), fail.into())));
    let kind = SignalRegistry.find(row.uses).unwrap();
    let (with, known, mut problems) = (value(&with), known(), Problems::default());
    let mut fields = Fields::new(&with, &known, &mut problems);
    let signal = (kind.decode)(&mut fields).unwrap();
    let watch = Watch::new(signal, Condition::decode(&mut fields, Some(kind)).unwrap());
    let (mut memory, mut verdicts) = (Memory::default(), Vec::new());
    while world.state().now.since(START) < Duration::from_mins(20) {
        let silent = world.state().now.since(START) >= Duration::from_mins(5);
        row.is(&world, if silent { source } else { Source::Speaks });
        let sample = watch.look(&world.reads(), START, &mut memory).await;
        verdicts.extend(silent.then_some(sample.verdict));
        world.pass(watch.period());
    }
    verdicts
}

#[tokio::test]
async fn a_guard_takes_no_silence_for_a_pass() {
    let others = [("it is late", Source::Late)];
    for (what, source) in SILENCES.into_iter().chain(others) {
        for row in rows().iter().filter(|row| row.can_be(source)) {
            for (said, verdict) in
                [("wait", Verdict::NoEvidence), ("fail", Verdict::Fail), ("pass", Verdict::Pass)]
            {
                let verdict = if row.is_a_user { Verdict::Fail } else { verdict };
                let all = guarded(row, said, source).await;
                assert!(all.iter().all(|other| *other == verdict), "{what}, {}, {said}: {all:?}", row.uses);
            }
        }
    }
}

#[tokio::test]
async fn a_silence_may_be_waited_out_before_it_means_anything() {
    for (what, source) in SILENCES {
        let with = |says: &str| json!({"no_evidence": says, "patience": "3m"});
        let rows = rows();
        for row in rows.iter().filter(|row| row.can_be(source) && !row.is_a_user) {
            let (ended, why) = soak(row, &with("wait"), after_five(source)).await;
            assert_eq!(ended, Ends::Asks(7), "{what}, {}: {why}", row.uses);
            assert!(why.contains("signal `it` has no evidence for 3m: "), "{why}");
            let (ended, why) = soak(row, &with("fail"), after_five(source)).await;
            assert_eq!(ended, Ends::Breaks(7), "{what}, {}: {why}", row.uses);
            let short = |minute| Some(if (5..7).contains(&minute) { source } else { Source::Speaks });
            for says in ["wait", "fail"] {
                let (ended, why) = soak(row, &with(says), short).await;
                assert_eq!(ended, Ends::Passes(15), "{what}, {}, {says}: {why}", row.uses);
            }
        }
    }
    // What cannot be known yet is no silence: a window has to fill first.
    let soon = json!({"no_evidence": "fail", "patience": "1m"});
    all_end("it is early", &soon, Ends::Passes(15), None, |_| Some(Source::Speaks)).await;
}

#[tokio::test]
async fn who_went_on_waits_as_long_again() {
    // Of what others publish there can be nothing in the first minutes.
    for row in rows().iter().filter(|row| !row.is_a_user && !row.is_late) {
        let world = row.world();
        let with = json!({"for": "15m", "every": "30s", "signals": [row.signal(&json!({"patience": "3m"}))]});
        let mut story = Story::new(&world, "monitor", &with);
        story.plan().await.unwrap();
        row.is(&world, Source::Down);
        for asked in [180, 360] {
            let fault = story.arrive().await.unwrap_err();
            assert_eq!(
                (fault.kind, story.waited(START).as_secs()),
                (FaultKind::Blind, asked),
                "{}",
                row.uses
            );
            story.round += 1;
        }
    }
}

#[test]
fn a_patience_that_means_nothing_is_told() {
    let with = |more: &str| {
        let probe = json!({"id": "it", "uses": "http.probe", "with": {"url": "https://app.example.com/"}, "fail": "value > 0.1"});
        let mut signal = probe;
        signal["patience"] = more.into();
        json!({"for": "15m", "every": "30s", "patience": "5m", "signals": [signal]})
    };
    for (patience, said) in [("59s", true), ("1m", false), ("20m", false), ("21m", true)] {
        let found = super::codes("monitor", &with(patience));
        assert_eq!(found.contains(&"SW2037"), said, "{patience}: {found:?}");
    }
}

#[test]
fn a_window_that_cannot_hold_what_is_needed_is_told() {
    let with = |requests: u32, every: &str, more: &Json| {
        let told = json!({"url": "https://app.example.com/", "requests": requests, "over": "1m"});
        let mut signal = json!({"id": "it", "uses": "http.probe", "with": told, "fail": "value > 0.1"});
        signal.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"for": "15m", "every": every, "signals": [signal]})
    };
    let found = |requests, every, more: Json| super::codes("monitor", &with(requests, every, &more));
    assert_eq!(found(3, "30s", json!({})), ["SW2037"], "9 at most, and 10 are needed");
    assert_eq!(found(3, "20s", json!({})), [""; 0]);
    assert_eq!(found(3, "30s", json!({"min_samples": 9})), [""; 0]);
    assert_eq!(found(100, "10s", json!({"min_samples": 501})), ["SW2037"], "no more than 500 are kept");
}
