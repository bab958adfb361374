//! Every word of the format, as it was first written: these lines never change.

use super::EventRecord;
use crate::plan::{Constants, Guard, GuardSpan, OnBreach, Plan, StepIx, Timestamp, Use, Value};
use crate::run::{
    Actor, Cause, Change, Event, Fault, FaultKind, Landed, Order, PauseCause, Proposal, Receipt, Refusal,
    Rewind, StepEvent, Stuck, Verdict,
};
use crate::store::tests::plan_of;
use std::{sync::Arc, time::Duration};

/// One line an event, as version 1 writes it.
const V1: &str = include_str!("v1.jsonl");

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
    events.push(Event::RollbackAnnounced { cause: Cause::Guard(0), at: Timestamp(10) });
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

fn all() -> Vec<Event> {
    let steps = step_events().into_iter().map(|event| Event::Step(StepIx(1), event));
    run_events().into_iter().chain(steps).collect()
}

#[test]
fn version_1_is_written_as_it_always_was() {
    let plan = plan();
    let lines: Vec<String> =
        all().iter().map(|event| serde_json::to_string(&EventRecord::of(event, &plan)).unwrap()).collect();
    assert_eq!(lines.join("\n") + "\n", V1);
}

#[test]
fn version_1_reads_back() {
    let plan = plan();
    let read: Vec<Event> =
        V1.lines().map(|line| EventRecord::parse(line).unwrap().event(&plan).unwrap()).collect();
    assert_eq!(read, all());
}

#[test]
fn what_the_plan_does_not_have_is_an_error() {
    let line = r#"{"event":"step","step":"gone","fact":{"is":"started"}}"#;
    let error = EventRecord::parse(line).unwrap().event(&plan()).unwrap_err();
    assert_eq!(error.to_string(), "the plan has no step `gone`");
    let line = V1.lines().find(|line| line.contains("guard_tripped")).unwrap().replace("alarms", "gone");
    let error = EventRecord::parse(&line).unwrap().event(&plan()).unwrap_err();
    assert_eq!(error.to_string(), "the plan has no guard `gone`");
    assert!(EventRecord::parse(r#"{"event":"run_invented"}"#).is_err());
}
