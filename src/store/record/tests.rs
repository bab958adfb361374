//! Every word of each format, as it was first written: these lines never change.

use super::*;
use crate::plan::{Constants, Guard, GuardSpan, OnBreach, Plan, StepIx, Timestamp, Use, Value};
use crate::run::{
    Actor, Cause, Change, Event, Fault, FaultKind, Landed, Order, PauseCause, Proposal, Receipt, Refusal,
    Rewind, StepEvent, Stuck, Verdict,
};
use crate::store::runs::FORMAT;
use crate::store::tests::plan_of;
use std::{sync::Arc, time::Duration};

/// One line an event, of those that came with each format.
const FORMATS: [&str; 3] = [include_str!("v1.jsonl"), include_str!("v2.jsonl"), include_str!("v3.jsonl")];

fn plan() -> Plan {
    let with = Value::from_json(&serde_json::json!({}), crate::plan::Span::default());
    let uses = Use { kind: "http.probe".into(), with, constants: Arc::new(Constants::default()) };
    let guard =
        Guard { id: "alarms".into(), uses, span: GuardSpan::default(), on_breach: OnBreach::Rollback };
    Plan { guards: vec![guard], ..plan_of(&["lower", "switch"]) }
}

fn actor() -> Actor {
    Actor { name: "ana@navralabs.com".into(), automatic: false }
}

fn fault() -> Fault {
    Fault { message: "no answer".into(), kind: FaultKind::Transient, landed: Landed::Maybe }
}

fn run_events() -> Vec<Event> {
    let ix = StepIx(1);
    let orders = [
        Order::Pause { reason: Some("lunch".into()) },
        Order::Pause { reason: None },
        Order::Continue,
        Order::Rollback { rewind: Rewind::Safe, reason: "errors".into() },
        Order::Rollback { rewind: Rewind::To(ix), reason: "errors".into() },
        Order::Rollback { rewind: Rewind::All, reason: "errors".into() },
        Order::Approve { step: ix },
        Order::Reject { step: ix, reason: "not today".into() },
        Order::Retry { step: ix },
        Order::Skip { step: ix, reason: "done by hand".into() },
        Order::Settle { step: ix, done: true, reason: "seen".into() },
    ];
    let refusals = [
        Refusal::NotRunning,
        Refusal::NotPaused,
        Refusal::AlreadyPaused,
        Refusal::AlreadyRollingBack,
        Refusal::NoSuchStep,
        Refusal::NotAsked,
        Refusal::NotEntitled,
        Refusal::StarterMayNotApprove,
        Refusal::AlreadyApproved,
        Refusal::OutsideWindow("frozen".into()),
        Refusal::NotStopped,
        Refusal::StillInDoubt,
        Refusal::PersonNeeded,
        Refusal::NothingRecorded,
        Refusal::HeldBy(PauseCause::Checkpoint(ix)),
    ];
    let pauses = [
        PauseCause::Operator,
        PauseCause::Interrupted,
        PauseCause::Failed(ix),
        PauseCause::Foreign(ix),
        PauseCause::Blind(ix),
        PauseCause::Guard(0),
        PauseCause::Stuck(ix),
        PauseCause::Rejected(ix),
        PauseCause::Expired(ix),
        PauseCause::Deadline,
        PauseCause::Barrier(ix),
        PauseCause::Checkpoint(ix),
        PauseCause::Rewound(ix),
        PauseCause::Diverged { step: ix, since: Timestamp(7) },
    ];
    let mut events = vec![
        Event::RunStarted { by: actor() },
        Event::DeadlineSet { deadline: Timestamp(7_200_000) },
        Event::RunResumed { owner: "host/1".into() },
        Event::GuardTripped { guard: 0, fault: fault() },
    ];
    events.extend(orders.into_iter().map(|order| Event::OrderTaken { id: 3, by: actor(), order }));
    events.extend(refusals.into_iter().map(|refusal| {
        let by = Actor { name: "alarm".into(), automatic: true };
        Event::OrderRefused { id: 4, by, order: Order::Continue, refusal }
    }));
    events.extend(pauses.into_iter().map(|cause| Event::RunPaused { cause }));
    let causes = [Cause::Failed(ix), Cause::Guard(0), Cause::Order { by: actor(), reason: "errors".into() }];
    events.extend(causes.into_iter().map(|cause| Event::RollbackStarted { cause, rewind: Rewind::Safe }));
    let verdicts = [Verdict::Completed, Verdict::RolledBack, Verdict::Incomplete];
    events.extend(verdicts.into_iter().map(|verdict| Event::RunFinished { verdict }));
    events
}

fn step_events() -> Vec<StepEvent> {
    let change = Change { what: "record app".into(), from: "old".into(), to: "new".into() };
    let proposal = Proposal {
        prior: r#"{"value":"old"}"#.into(),
        stages: 1,
        within: Duration::from_secs(60),
        call: None,
        must_finish: false,
        changes: vec![change],
    };
    let kinds = [FaultKind::Permanent, FaultKind::Foreign, FaultKind::Blind];
    let mut events = vec![
        StepEvent::Started,
        StepEvent::Skipped,
        StepEvent::ApprovalAsked { until: Timestamp(1) },
        StepEvent::Approved { by: "bo".into() },
        StepEvent::Planned { proposal: proposal.clone(), until: Timestamp(2) },
        StepEvent::Planned {
            proposal: Proposal { call: Some(Duration::from_millis(5)), ..proposal },
            until: Timestamp(2),
        },
        StepEvent::Applying { stage: 1, by: Timestamp(3) },
        StepEvent::Applied { note: Some("{}".into()), until: Timestamp(4) },
        StepEvent::Applied { note: None, until: Timestamp(4) },
        StepEvent::WasInDoubt { reason: "no answer".into() },
        StepEvent::NotLanded,
        StepEvent::Noted { note: "[1]".into(), next: Timestamp(5) },
        StepEvent::StageReached,
        StepEvent::Succeeded { out: Some("{}".into()) },
        StepEvent::Succeeded { out: None },
        StepEvent::RetryScheduled { at: Timestamp(6), fault: fault() },
        StepEvent::FoundForeign { fault: fault() },
        StepEvent::WentBlind { fault: fault() },
        StepEvent::Undoing { by: Timestamp(8) },
        StepEvent::UndoCalled { note: Some("{}".into()), until: Timestamp(9) },
        StepEvent::Undone { receipt: Receipt::Restored },
        StepEvent::Undone { receipt: Receipt::Left },
        StepEvent::Undone { receipt: Receipt::TakenOver },
        StepEvent::GotStuck { stuck: Stuck::Failed, reason: "denied".into() },
        StepEvent::GotStuck { stuck: Stuck::Drifted, reason: "not ours".into() },
        StepEvent::Settled { done: true },
        StepEvent::SettleRefused { reason: "it is not there".into() },
    ];
    events
        .extend(kinds.map(|kind| StepEvent::Failed { fault: Fault { kind, landed: Landed::No, ..fault() } }));
    events
}

fn trip_events() -> impl Iterator<Item = Event> {
    let by = || Actor { name: "alertmanager".into(), automatic: true };
    let trip = Order::Trip { guard: 0, reason: "errors".into() };
    let refusals = [Refusal::NoSuchGuard, Refusal::LooksItself, Refusal::NotWatched, Refusal::AlreadyTripped];
    let refused =
        refusals.map(|refusal| Event::OrderRefused { id: 4, by: by(), order: Order::Continue, refusal });
    [Event::OrderTaken { id: 3, by: by(), order: trip }].into_iter().chain(refused)
}

/// The events that came with each format.
fn all() -> [Vec<Event>; 3] {
    let steps = step_events().into_iter().map(|event| Event::Step(StepIx(1), event));
    let second = [
        Event::RollbackAnnounced { cause: Cause::Guard(0), at: Timestamp(10) },
        Event::Baking { until: Timestamp(11) },
        Event::GuardSatisfied { guard: 0 },
        Event::Baked,
        Event::Step(StepIx(1), StepEvent::Undone { receipt: Receipt::Assumed }),
    ];
    let third = [
        Event::GuardNoted { guard: 0, note: "{}".into(), next: Timestamp(12) },
        Event::RunPaused { cause: PauseCause::OutOfRoom },
    ];
    let second = second.into_iter().chain(trip_events());
    [run_events().into_iter().chain(steps).collect(), second.collect(), third.to_vec()]
}

#[test]
fn every_format_is_written_as_it_always_was() {
    let plan = plan();
    for (events, written) in all().iter().zip(FORMATS) {
        let line = |event| serde_json::to_string(&EventRecord::of(event, &plan)).unwrap() + "\n";
        assert_eq!(events.iter().map(line).collect::<String>(), written);
    }
}

/// Without its plan an event can be told by what stands for it.
#[test]
fn all_that_events_name_is_found() {
    let written = FORMATS.concat();
    let mut named = Named::default();
    written.lines().for_each(|line| named.take(line));
    assert_eq!((named.steps, named.guards), (vec!["switch".to_owned()], vec!["alarms".to_owned()]));
    named = Named::default();
    named.take(r#"{"event":"step","step":"a","fact":{"is":"noted","note":"{\"step\":\"b\"}","next":1}}"#);
    named.take("not an event");
    assert_eq!(named.steps, ["a"]);
}

#[test]
fn every_format_reads_back() {
    let plan = plan();
    for (events, written) in all().iter().zip(FORMATS) {
        let read = |line| EventRecord::parse(line).unwrap().event(&plan).unwrap();
        assert_eq!(&written.lines().map(read).collect::<Vec<_>>(), events);
    }
}

/// An older version would take a word that it does not know for damage: with a new one `FORMAT` is raised, and a file of
/// lines is kept for it.
#[test]
fn every_word_came_with_a_format() {
    assert_eq!(FORMAT as usize, FORMATS.len());
    let written = FORMATS.concat();
    let mut words = 0;
    for unknown in [
        serde_json::from_str::<EventRecord>(r#"{"event":"?"}"#).unwrap_err(),
        serde_json::from_str::<StepRecord>(r#"{"is":"?"}"#).unwrap_err(),
        serde_json::from_str::<OrderRecord>(r#"{"order":"?"}"#).unwrap_err(),
        serde_json::from_str::<RewindRecord>(r#"{"to":"?"}"#).unwrap_err(),
        serde_json::from_str::<FaultKindRecord>(r#""?""#).unwrap_err(),
        serde_json::from_str::<LandedRecord>(r#""?""#).unwrap_err(),
        serde_json::from_str::<CauseRecord>(r#"{"why":"?"}"#).unwrap_err(),
        serde_json::from_str::<PauseRecord>(r#"{"why":"?"}"#).unwrap_err(),
        serde_json::from_str::<VerdictRecord>(r#""?""#).unwrap_err(),
        serde_json::from_str::<ReceiptRecord>(r#""?""#).unwrap_err(),
        serde_json::from_str::<StuckRecord>(r#""?""#).unwrap_err(),
        serde_json::from_str::<RefusalRecord>(r#"{"because":"?"}"#).unwrap_err(),
    ] {
        // It names all that it knows, each in quotes of its own.
        let text = unknown.to_string();
        let known = text.split_once("expected ").unwrap().1.split('`').skip(1).step_by(2);
        for word in known {
            assert!(written.contains(&format!(r#""{word}""#)), "`{word}` came with no format");
            words += 1;
        }
    }
    assert!(words > 80, "{words}");
}

#[test]
fn what_the_plan_does_not_have_is_an_error() {
    let line = r#"{"event":"step","step":"gone","fact":{"is":"started"}}"#;
    let error = EventRecord::parse(line).unwrap().event(&plan()).unwrap_err();
    assert_eq!(error.to_string(), "the plan has no step `gone`");
    let line =
        FORMATS[0].lines().find(|line| line.contains("guard_tripped")).unwrap().replace("alarms", "gone");
    let error = EventRecord::parse(&line).unwrap().event(&plan()).unwrap_err();
    assert_eq!(error.to_string(), "the plan has no guard `gone`");
    // An order may name anything: it is the machine that refuses it.
    let gone = OrderRecord::Trip { guard: "gone".into(), reason: "errors".into() };
    assert_eq!(gone.order(&plan()), Order::Trip { guard: usize::MAX, reason: "errors".into() });
    assert!(EventRecord::parse(r#"{"event":"run_invented"}"#).is_err());
}

/// What was about the process ends with it; what people were asked stays.
#[test]
fn whoever_takes_a_run_over_goes_on_unless_people_were_asked() {
    for (cause, stays) in [
        (PauseRecord::Interrupted, false),
        (PauseRecord::OutOfRoom, false),
        (PauseRecord::Operator, true),
        (PauseRecord::Stuck { step: "switch".into() }, true),
    ] {
        let mut standing = StandingRecord::default();
        standing.take(Timestamp(1), &EventRecord::RunPaused { cause: cause.clone() });
        assert_eq!(standing.paused, Some(cause.clone()));
        standing.take(Timestamp(2), &EventRecord::RunResumed { owner: "host:1".into() });
        assert_eq!(standing.paused, stays.then_some(cause));
    }
}
