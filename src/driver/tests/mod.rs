//! The driver in a world of cells: to the end, back, and through every crash.

mod actions;
mod beliefs;
mod crashes;
mod heartbeats;
mod leases;
mod previews;
mod scope;
pub(super) mod stage;
mod taken_up;
pub(super) mod world;

use super::*;
use crate::action::{AnyAction, Reversal};
use crate::adapter::SystemClock;
use crate::plan::{
    Approval, Approvers, Constants, Expr, Guard, GuardSpan, Kind, OnBreach, Plan, Policy, Span, StepIx,
    Timestamp, Use, Value,
};
use crate::port::{Clock, Reads};
use crate::run::{Ending, Event, Fault, Mode, Order, PauseCause, Phase, Rewind, Run, Verdict, ending};
use crate::signal::{Condition, Measured, Memory, NoEvidence, Signal, Watch};
use crate::store::{Owner, RunId, Seq, Store, StoreError};
use serde_json::{Value as Json, json};
use stage::{Crash, Stage, ana, chain, step};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Barrier;
use world::{Nature, SCALE};

fn abort() -> Order {
    Order::Rollback { rewind: Rewind::Safe, reason: "enough".into() }
}

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Calls may take as long as a busy machine needs.
fn patient() -> Policy {
    Policy { call: WEEK, ..Policy::default() }
}

fn completed(run: &Run) -> bool {
    run.mode == Mode::Finished(Verdict::Completed)
}

#[tokio::test]
async fn a_run_goes_to_its_end_and_every_fact_is_told_once() {
    let stage = Stage::new(chain(&["a", "check", "b"]), &[("check", Nature::Check)]);
    let driven = stage.drive().await.unwrap();
    assert_eq!(driven.rest, Rest::Finished);
    assert!(completed(&driven.run));
    assert_eq!(stage.writes(), ["a=new", "b=new"]);
    let seen = stage.seen.lock().unwrap();
    let places: Vec<u64> = seen.events.iter().map(|recorded| recorded.seq.0).collect();
    assert_eq!(places, (1..=stage.journal().len() as u64).collect::<Vec<_>>());
    assert_eq!(stage.store.holder(&stage.run, SystemClock::wall().now()).unwrap(), None);
}

#[tokio::test]
async fn a_failure_is_rolled_back_to_what_was_there() {
    let stage = Stage::new(chain(&["a", "b", "c"]), &[("c", Nature::Denied)]);
    let driven = stage.drive().await.unwrap();
    assert_eq!((driven.rest, ending(&driven.run)), (Rest::Finished, Ending::RolledBack));
    assert_eq!(stage.writes(), ["a=new", "b=new", "b=old", "a=old"]);
    assert!(stage.journal().iter().any(|line| line.contains("access denied")));
}

#[tokio::test]
async fn an_answer_that_is_lost_is_looked_for_and_never_sent_again() {
    let stage = Stage::new(chain(&["a"]), &[("a", Nature::Silent)]);
    let driven = stage.drive().await.unwrap();
    assert!(completed(&driven.run));
    assert_eq!(stage.writes(), ["a=new"]);
    assert!(
        stage.journal().iter().any(|line| line.contains("was_in_doubt") && line.contains("no answer within"))
    );
}

#[tokio::test]
async fn a_mistake_of_ours_ends_no_run() {
    let stage = Stage::new(chain(&["a"]), &[("a", Nature::Panics)]);
    let driven = stage.drive().await.unwrap();
    // Nobody can tell what a call that broke off did, so a human is asked.
    assert!(matches!(driven.run.paused, Some(PauseCause::Blind(_))), "{:?}", driven.run.paused);
    assert_eq!(stage.value("a"), "old");
}

#[tokio::test]
async fn what_passes_by_itself_is_waited_for() {
    let flaky = Nature::Flaky(Arc::new(Mutex::new(3)));
    let stage = Stage::new(chain(&["a"]), &[("a", flaky)]);
    assert!(completed(&stage.drive().await.unwrap().run));
    let seen = stage.seen.lock().unwrap();
    assert!(seen.progress.iter().any(|text| text == "throttled; trying again"), "{:?}", seen.progress);
}

#[tokio::test]
async fn a_hundred_calls_are_under_way_at_once() {
    let together = Nature::Together(Arc::new(Barrier::new(100)));
    let ids: Vec<String> = (0..100).map(|n| format!("s{n}")).collect();
    let plan =
        Plan { steps: ids.iter().map(|id| step(id, Vec::new())).collect(), policy: patient(), ..chain(&[]) };
    let natures: Vec<(&str, Nature)> = ids.iter().map(|id| (&**id, together.clone())).collect();
    let stage = Stage::new(plan, &natures);
    // None is answered before all have been called.
    assert!(completed(&stage.drive().await.unwrap().run));
    let tokens = stage.cells.lock().unwrap().tokens.clone();
    let different: std::collections::BTreeSet<&String> = tokens.iter().collect();
    assert_eq!((tokens.len(), different.len()), (100, 100));
    assert!(tokens.iter().all(|token| token.len() <= 36 && token.is_ascii()));
    let appends = stage.store.appends.load(Ordering::Relaxed);
    assert!(
        appends < stage.journal().len() / 3,
        "{appends} syncs: what is answered together is recorded together"
    );
}

#[tokio::test]
async fn no_secret_is_recorded_or_shown() {
    let mut stage = Stage::new(chain(&["a", "b"]), &[("a", Nature::Telling("s3cr3t-value"))]);
    stage.secrets = vec![("token", "s3cr3t-value")];
    assert!(completed(&stage.drive().await.unwrap().run));
    let journal = stage.journal().join("\n");
    assert!(!journal.contains("s3cr3t") && journal.contains("[secret]"), "{journal}");
    assert_eq!(stage.seen.lock().unwrap().progress, ["with [secret]"]);
}

#[tokio::test]
async fn a_prior_that_holds_a_secret_stops_the_step_before_it_writes() {
    let mut stage = Stage::new(chain(&["a"]), &[("a", Nature::Holding("s3cr3t-value"))]);
    stage.secrets = vec![("token", "s3cr3t-value")];
    let driven = stage.drive().await.unwrap();
    assert_eq!(ending(&driven.run), Ending::NothingChanged);
    assert!(!stage.journal().join("\n").contains("s3cr3t"));
}

#[tokio::test]
async fn an_interruption_pauses_and_a_new_process_goes_on() {
    let mut stage = Stage::new(chain(&["a", "b"]), &[("a", Nature::Endless)]);
    let ask = async {
        stage.until("\"applied\"").await;
        stage.interruption.ask();
    };
    assert!(!stage.interruption.is_asked());
    let (driven, ()) = tokio::join!(stage.drive(), ask);
    assert!(stage.interruption.is_asked());
    let driven = driven.unwrap();
    assert_eq!((driven.rest, driven.run.paused), (Rest::Interrupted, Some(PauseCause::Interrupted)));
    assert_eq!(stage.value("b"), "old");
    stage.interruption = Interruption::default();
    stage.order(&abort());
    let driven = stage.drive().await.unwrap();
    assert_eq!((driven.rest, ending(&driven.run)), (Rest::Finished, Ending::Aborted));
    assert_eq!(stage.value("a"), "old");
    assert!(stage.seen.lock().unwrap().replayed > 0);
}

#[tokio::test]
async fn an_interruption_awaits_the_call_under_way_and_a_second_does_not() {
    let mut stage = Stage::new(chain(&["a"]), &[("a", Nature::Silent)]);
    let ask = async {
        stage.until("\"applying\"").await;
        stage.interruption.ask();
    };
    let (driven, ()) = tokio::join!(stage.drive(), ask);
    let driven = driven.unwrap();
    // It was lost at its deadline, and is looked for by whoever resumes.
    assert_eq!((driven.rest, driven.run[StepIx(0)].phase), (Rest::Interrupted, Phase::InDoubt));
    stage.interruption = Interruption::default();
    assert!(completed(&stage.drive().await.unwrap().run));

    let stage = Stage::new(chain(&["a"]), &[("a", Nature::Together(Arc::new(Barrier::new(2))))]);
    let ask = async {
        stage.until("\"applying\"").await;
        stage.interruption.ask();
        stage.interruption.ask();
    };
    let (driven, ()) = tokio::join!(stage.drive(), ask);
    assert_eq!(driven.unwrap().rest, Rest::Exited);
}

#[tokio::test]
async fn orders_from_another_terminal_are_heard() {
    let mut plan = chain(&["a", "go", "b"]);
    plan.steps[1].kind = Kind::Approve(Approval {
        message: "go?".into(),
        by: Approvers { any: 1, of: Vec::new() },
        another: false,
        expires: WEEK,
    });
    let stage = Stage::new(plan, &[]);
    let approve = async {
        stage.until("approval_asked").await;
        stage.order(&Order::Approve { step: StepIx(0) });
        stage.order(&Order::Approve { step: StepIx(u32::MAX) });
        stage.order(&Order::Approve { step: StepIx(1) });
    };
    let (driven, ()) = tokio::join!(stage.drive(), approve);
    assert!(completed(&driven.unwrap().run));
    let journal = stage.journal().join("\n");
    assert!(journal.contains("not_asked") && journal.contains("no_such_step"), "{journal}");
    // None is taken twice.
    stage.drive().await.unwrap();
    assert_eq!(stage.journal().join("\n"), journal);
}

#[tokio::test]
async fn an_abort_ends_a_wait_at_once_and_a_completed_run_can_be_rolled_back() {
    let stage = Stage::new(chain(&["a", "b"]), &[("b", Nature::Endless)]);
    let order = async {
        stage.until(r#""step":"b","fact":{"is":"applied""#).await;
        stage.order(&abort());
    };
    let (driven, ()) = tokio::join!(stage.drive(), order);
    assert_eq!(ending(&driven.unwrap().run), Ending::Aborted);
    assert_eq!(stage.writes(), ["a=new", "b=new", "b=old", "a=old"]);

    let stage = Stage::new(chain(&["a"]), &[]);
    assert!(completed(&stage.drive().await.unwrap().run));
    stage.order(&abort());
    assert_eq!(ending(&stage.drive().await.unwrap().run), Ending::Aborted);
    assert_eq!(stage.value("a"), "old");
}

#[tokio::test]
async fn a_paused_run_lets_its_process_go_unless_it_is_to_stay() {
    let mut plan = chain(&["a", "b"]);
    plan.steps[1].on_failure = crate::plan::OnFailure::Pause;
    let mut stage = Stage::new(plan, &[("b", Nature::Denied)]);
    // Whatever was there before is there in the end.
    stage.cells.lock().unwrap().values.insert("b".into(), "theirs".into());
    let driven = stage.drive().await.unwrap();
    assert_eq!((driven.rest, driven.run.paused), (Rest::Waiting, Some(PauseCause::Failed(StepIx(1)))));
    stage.stay = true;
    let order = async {
        stage.until("run_resumed").await;
        stage.order(&abort());
    };
    let (driven, ()) = tokio::join!(stage.drive(), order);
    assert_eq!(driven.unwrap().rest, Rest::Finished);
    assert_eq!((stage.value("a").as_str(), stage.value("b").as_str()), ("old", "theirs"));
}

#[tokio::test]
async fn whoever_lost_the_lease_writes_nothing_more() {
    let stage = Stage::new(chain(&["a", "b"]), &[("a", Nature::Endless)]);
    let thief = async {
        stage.until("\"applied\"").await;
        let later = SystemClock::wall().now().after(Duration::from_secs(3600));
        let owner = Owner { host: "elsewhere".into(), pid: 2, birth: String::new() };
        stage.store.acquire(&stage.run, &owner, Duration::from_secs(60), later).unwrap();
        stage.order(&abort());
    };
    let (driven, ()) = tokio::join!(stage.drive(), thief);
    let error = driven.unwrap_err();
    assert!(matches!(error, DriveError::LeaseLost(_)), "{error:?}");
    assert!(error.hint().unwrap().contains("watch"));
    assert_eq!(stage.writes(), ["a=new"]);
    assert!(!stage.journal().join("\n").contains("order_taken"));
}

#[tokio::test]
async fn what_another_live_run_writes_is_refused() {
    let first = Stage::new(chain(&["a"]), &[("a", Nature::Endless)]);
    let inner = Arc::new(crate::store::SqliteStore::open(first.directory.path()).unwrap());
    let second = Stage::among(first.directory.clone(), inner, chain(&["z", "a"]), &[], Vec::new());
    let other = async {
        first.until("\"applied\"").await;
        let error = second.drive().await.unwrap_err();
        let DriveError::Store(refused @ StoreError::Locked { .. }) = error else { panic!("{error:?}") };
        assert!(refused.to_string().contains("cell:a is locked by run"), "{refused}");
        first.interruption.ask();
    };
    let (driven, ()) = tokio::join!(first.drive(), other);
    assert_eq!(driven.unwrap().rest, Rest::Interrupted);
    assert_eq!(second.writes(), Vec::<String>::new());
    assert_eq!(second.journal(), Vec::<String>::new());
    // The process of the first is gone: its lock is taken over.
    assert!(completed(&second.drive().await.unwrap().run));
}

/// Calls may be sent for an hour, and land ten minutes later.
fn late(ids: &[&str]) -> Plan {
    let policy =
        Policy { call: Duration::from_secs(3600), grace: Duration::from_secs(600), ..Policy::default() };
    Plan { policy, ..chain(ids) }
}

/// A run whose process died as soon as its call was announced, and until when that may land.
async fn announced() -> (Stage, Timestamp) {
    let undisturbed = Stage::new(late(&["a"]), &[]);
    undisturbed.drive().await.unwrap();
    assert_eq!(undisturbed.seen.lock().unwrap().notices, Vec::<String>::new());
    let intent = undisturbed.journal().iter().position(|line| line.contains("applying")).unwrap();
    let first = Stage::new(late(&["a"]), &[]);
    first.crash_at(Crash::After(intent as u64 + 1));
    assert!(first.drive().await.is_err());
    let last: Json = serde_json::from_str(first.journal().last().unwrap()).unwrap();
    let by = Timestamp(last["fact"]["by"].as_u64().unwrap());
    (first, by.after(Duration::from_secs(600)))
}

/// Another run in the same store, that writes what it does.
fn beside(first: &Stage, id: &str) -> Stage {
    let inner = Arc::new(crate::store::SqliteStore::open(first.directory.path()).unwrap());
    Stage::among(first.directory.clone(), inner, late(&[id, "a"]), &[], Vec::new())
}

/// It completes, and begins no earlier than that.
#[track_caller]
fn waited(stage: &Stage, driven: Result<Driven, DriveError>, lands: Timestamp) {
    assert!(completed(&driven.unwrap().run));
    let begun = stage.store.read(&stage.run, Seq(1)).unwrap()[0].at;
    assert!(begun >= lands, "it began at {begun}, and the call may land until {lands}");
    let seen = stage.seen.lock().unwrap();
    let notices = &seen.notices[..];
    assert!(matches!(notices, [notice] if notice.ends_with("that is waited for")), "{notices:?}");
}

#[tokio::test]
async fn a_call_that_another_run_announced_is_waited_out() {
    let (first, lands) = announced().await;
    let second = beside(&first, "z");
    waited(&second, second.drive().await, lands);
}

/// One that is stopped while it waits has taken nothing over: whoever comes after it, or takes it up, waits anew.
#[tokio::test]
async fn whoever_comes_after_one_that_was_waiting_waits_too() {
    let (first, lands) = announced().await;
    let second = beside(&first, "z");
    second.interruption.ask();
    assert_eq!(second.drive().await.unwrap().rest, Rest::Interrupted);
    assert_eq!(second.journal(), Vec::<String>::new());
    let third = beside(&first, "y");
    waited(&third, third.drive().await, lands);
}

#[tokio::test]
async fn without_room_the_run_pauses_on_what_was_set_aside() {
    let stage = Stage::new(chain(&["a", "b"]), &[("a", Nature::Endless)]);
    let full = async {
        stage.until("\"applied\"").await;
        stage.store.out_of_room.store(true, Ordering::Relaxed);
        stage.order(&Order::Continue);
    };
    let (driven, ()) = tokio::join!(stage.drive(), full);
    let driven = driven.unwrap();
    assert_eq!((driven.rest, driven.run.paused), (Rest::OutOfRoom, Some(PauseCause::OutOfRoom)));
}

#[tokio::test]
async fn somebody_elses_change_is_seen_after_the_step_is_done() {
    let mut plan = chain(&["a", "b"]);
    plan.steps[1].timeout = Some(WEEK);
    let stage = Stage::new(plan, &[("b", Nature::Endless)]);
    let third_party = async {
        stage.until(r#""step":"b","fact":{"is":"applied""#).await;
        stage.cells.lock().unwrap().values.insert("a".into(), "theirs".into());
        stage.until("found_foreign").await;
        // What watches goes on watching: the process stays.
        stage.interruption.ask();
    };
    let (driven, ()) = tokio::join!(stage.drive(), third_party);
    let driven = driven.unwrap();
    assert_eq!(driven.run.paused, Some(PauseCause::Foreign(StepIx(0))));
    assert_eq!(stage.value("a"), "theirs");
}

#[tokio::test]
async fn what_a_later_step_makes_of_it_is_nobody_elses_change() {
    let mut plan = chain(&["a", "b", "c"]);
    plan.steps[2].timeout = Some(WEEK);
    let stage = Stage::new(plan, &[("b", Nature::Over("a")), ("c", Nature::Endless)]);
    let abort = async {
        stage.until(r#""step":"c","fact":{"is":"applied""#).await;
        // Long enough for three looks at `a`, if there were any.
        let wall = SystemClock::wall();
        wall.sleep_until(wall.now().after(Duration::from_millis(3500))).await;
        stage.order(&abort());
    };
    let (driven, ()) = tokio::join!(stage.drive(), abort);
    assert_eq!(ending(&driven.unwrap().run), Ending::Aborted);
    assert!(!stage.journal().join("\n").contains("foreign"));
    assert_eq!((stage.value("a"), stage.value("b")), ("old".into(), "old".into()));
}

#[tokio::test]
async fn a_condition_goes_by_what_earlier_steps_gave() {
    let when =
        |source: &str| Some(Expr::compile(source, &["steps"], Arc::new(Constants::default())).unwrap());
    let mut plan = chain(&["a", "b", "c"]);
    plan.steps[1].when = when(r#"steps.a.out.value == "old""#);
    plan.steps[2].when = when(r#"steps.a.out.value == "new""#);
    let stage = Stage::new(plan, &[]);
    assert!(completed(&stage.drive().await.unwrap().run));
    assert_eq!(stage.writes(), ["a=new", "c=new"]);

    let mut plan = chain(&["a", "b"]);
    plan.steps[1].when = when("steps.a.out.nothing == 1");
    let stage = Stage::new(plan, &[]);
    assert_eq!(ending(&stage.drive().await.unwrap().run), Ending::RolledBack);
}

#[tokio::test]
async fn an_undo_of_its_own_runs_on_the_way_back_also_where_nothing_ran_forward() {
    let mut stage = Stage::new(chain(&["a", "b", "c"]), &[]);
    let cell = |name: &str, nature| -> Arc<dyn AnyAction> {
        Arc::new(world::Cell { name: name.into(), nature, cells: stage.cells.clone() })
    };
    let steps: [Arc<dyn AnyAction>; 3] = [
        Arc::new(Reversal::new(Some(cell("a", Nature::Fine)), cell("undo-a", Nature::Fine))),
        Arc::new(Reversal::new(None, cell("undo-b", Nature::Fine))),
        cell("c", Nature::Denied),
    ];
    let resources: Vec<String> = steps[0].traits().resources;
    assert_eq!(resources, ["cell:a", "cell:undo-a"]);
    stage.actions = Arc::new(Actions::from_parts(steps.map(Some).to_vec(), Vec::new()));
    let driven = stage.drive().await.unwrap();
    assert_eq!(ending(&driven.run), Ending::RolledBack);
    assert_eq!(stage.writes(), ["a=new", "undo-b=new", "undo-a=new"]);
}

/// What a guard is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Errors {
    Rate(f64),
    /// The source is silent.
    Unknown,
    /// The same, and no run may go on without it for long.
    Deaf,
    /// A mistake of ours.
    Panics,
}

#[async_trait::async_trait]
impl Signal for Errors {
    fn decode(_: &mut crate::plan::Fields<'_>) -> Option<Self> {
        None
    }
    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }
    fn patience(&self) -> Duration {
        Duration::from_mins(if *self == Self::Deaf { 1 } else { 15 })
    }
    fn costs() -> &'static str {
        ""
    }
    fn names() -> &'static [&'static str] {
        &["value"]
    }
    async fn measure(
        &self,
        _: &Reads<'_>,
        _: crate::plan::Timestamp,
        _: &mut Memory,
    ) -> Result<Measured, Fault> {
        match *self {
            Self::Rate(rate) => {
                let text = format!("{rate} with s3cr3t");
                Ok(Measured { value: Some(rate), samples: 10, text, ..Measured::default() })
            }
            Self::Unknown | Self::Deaf => Ok(Measured::default()),
            Self::Panics => panic!("a mistake"),
        }
    }
}

fn guarded(errors: Errors) -> Stage {
    guarded_by(errors, Policy::default())
}

fn guarded_by(errors: Errors, policy: Policy) -> Stage {
    let uses = Use {
        kind: "errors".into(),
        with: Value::from_json(&json!({}), Span::default()),
        constants: Arc::default(),
    };
    let guard =
        Guard { id: "errors".into(), uses, span: GuardSpan::default(), on_breach: OnBreach::Rollback };
    let mut plan = Plan { guards: vec![guard], policy, ..chain(&["a", "b"]) };
    plan.steps[1].timeout = Some(WEEK);
    let condition = Condition {
        fail: Expr::compile("value > 0.1", &["value"], Arc::default()).unwrap(),
        names: vec!["value"],
        expected: None,
        baseline: None,
        min_samples: 1,
        breaches: 3,
        no_evidence: NoEvidence::Wait,
        patience: None,
    };
    let watch = Watch::new(Arc::new(errors), condition);
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let store = Arc::new(crate::store::SqliteStore::open(directory.path()).unwrap());
    let fine = matches!(errors, Errors::Rate(rate) if rate < 0.1);
    let natures = [("b", if fine { Nature::Fine } else { Nature::Endless })];
    Stage::among(directory, store, plan, &natures, vec![watch])
}

#[tokio::test]
async fn a_guard_that_breaks_rolls_back() {
    let mut stage = guarded(Errors::Rate(0.5));
    stage.secrets = vec![("token", "s3cr3t")];
    let driven = stage.drive().await.unwrap();
    assert_eq!(ending(&driven.run), Ending::RolledBack);
    let journal = stage.journal().join("\n");
    assert!(journal.contains("guard_tripped") && !journal.contains("s3cr3t"), "{journal}");
    assert!(completed(&guarded(Errors::Rate(0.01)).drive().await.unwrap().run));
}

/// How long a rollback was announced for, by the journal; none: it did not begin.
fn held(stage: &Stage) -> Option<Duration> {
    let facts = crate::store::events(&*stage.store, &stage.run, &stage.plan, Seq(1)).unwrap();
    let when = |is: fn(&Event) -> bool| Some(facts.iter().find(|fact| is(&fact.event))?.at);
    let said = when(|event| matches!(event, Event::RollbackAnnounced { .. })).expect("it was announced");
    Some(when(|event| matches!(event, Event::RollbackStarted { .. }))?.since(said))
}

#[tokio::test]
async fn a_rollback_that_is_announced_begins_without_a_word() {
    let veto = Duration::from_millis(300);
    let stage = guarded_by(Errors::Rate(0.5), Policy { veto: Some(veto), ..Policy::default() });
    let driven = stage.drive().await.unwrap();
    assert_eq!((driven.rest, ending(&driven.run)), (Rest::Finished, Ending::RolledBack));
    assert!(held(&stage).unwrap() >= veto, "{:#?}", stage.journal());
}

#[tokio::test]
async fn a_rollback_that_somebody_says_no_to_does_not_begin() {
    let stage = guarded_by(Errors::Rate(0.5), Policy { veto: Some(WEEK), ..Policy::default() });
    let said = async {
        stage.until("rollback_announced").await;
        stage.order(&Order::Pause { reason: None });
        stage.until("run_paused").await;
        stage.interruption.ask();
    };
    let (driven, ()) = tokio::join!(stage.drive(), said);
    let run = driven.unwrap().run;
    assert_eq!((run.mode, &run.paused), (Mode::Forward, &Some(PauseCause::Guard(0))));
    assert_eq!(held(&stage), None);
    assert!(stage.writes().iter().all(|write| write.ends_with("=new")), "{:?}", stage.writes());
}

/// A tool that is stopped turns nothing back; the one that comes after the time does so at once.
#[tokio::test]
async fn a_rollback_that_is_announced_begins_whoever_drives_the_run() {
    let on_wall = Duration::from_secs(1);
    let veto = on_wall * SCALE;
    let stage = guarded_by(Errors::Rate(0.5), Policy { veto: Some(veto), ..Policy::default() });
    let stopped = async {
        stage.until("rollback_announced").await;
        stage.interruption.ask();
    };
    let (driven, ()) = tokio::join!(stage.drive(), stopped);
    let driven = driven.unwrap();
    assert_eq!((driven.rest, driven.run.mode), (Rest::Interrupted, Mode::Forward));
    assert!(driven.run.announced.is_some());
    let wall = SystemClock::wall();
    wall.sleep_until(wall.now().after(on_wall)).await;
    let again = Stage { interruption: Interruption::default(), ..stage };
    let driven = again.drive().await.unwrap();
    assert_eq!(ending(&driven.run), Ending::RolledBack);
    assert!(held(&again).unwrap() >= veto);
}

/// The kinds of facts that are not about a step.
fn kinds(stage: &Stage) -> Vec<String> {
    let kind =
        |line: &String| serde_json::from_str::<Json>(line).unwrap()["event"].as_str().unwrap().to_owned();
    stage.journal().iter().map(kind).filter(|kind| !["step", "guard_noted"].contains(&&**kind)).collect()
}

#[tokio::test]
async fn a_run_bakes_until_its_guard_says_that_all_is_well() {
    let bake = Duration::from_secs(60);
    let stage = guarded_by(Errors::Rate(0.01), Policy { bake: Some(bake), ..Policy::default() });
    let driven = stage.drive().await.unwrap();
    assert_eq!(driven.rest, Rest::Finished);
    assert_eq!(kinds(&stage), ["run_started", "baking", "guard_satisfied", "baked", "run_finished"]);
    let facts = crate::store::events(&*stage.store, &stage.run, &stage.plan, Seq(1)).unwrap();
    let when = |is: fn(&Event) -> bool| facts.iter().find(|fact| is(&fact.event)).unwrap().at;
    let begun = when(|event| matches!(event, Event::Baking { .. }));
    assert!(when(|event| *event == Event::Baked).since(begun) >= bake);
}

/// What it holds stays locked, whoever watches it, or nobody.
#[tokio::test]
async fn a_run_that_bakes_is_left_to_another_process_and_keeps_its_locks() {
    let stage = guarded_by(Errors::Rate(0.01), Policy { bake: Some(WEEK), ..Policy::default() });
    let stage = Stage { watches: false, ..stage };
    let driven = stage.drive().await.unwrap();
    assert_eq!((driven.rest, ending(&driven.run)), (Rest::Baking, Ending::Done));
    let inner = Arc::new(crate::store::SqliteStore::open(stage.directory.path()).unwrap());
    let second = Stage::among(stage.directory.clone(), inner, chain(&["b"]), &[], Vec::new());
    let error = second.drive().await.unwrap_err();
    let DriveError::Store(refused @ StoreError::Baking { .. }) = &error else { panic!("{error:?}") };
    assert!(refused.to_string().contains("it is done, and bakes until 2"), "{refused}");
    assert!(error.hint().unwrap().contains("switchover continue"), "{error:?}");
    stage.order(&Order::Continue);
    let driven = stage.drive().await.unwrap();
    assert_eq!(driven.rest, Rest::Finished);
    assert_eq!(kinds(&stage), ["run_started", "baking", "run_resumed", "order_taken", "run_finished"]);
    assert!(completed(&second.drive().await.unwrap().run));
}

#[tokio::test]
async fn a_guard_that_cannot_see_pauses_and_turns_nothing_back() {
    for (blind, why) in [
        (Errors::Unknown, "no evidence for 15m"),
        (Errors::Deaf, "no evidence for 1m"),
        (Errors::Panics, "please report it"),
    ] {
        let stage = guarded(blind);
        let asked = async {
            stage.until("run_paused").await;
            stage.interruption.ask();
        };
        let (driven, ()) = tokio::join!(stage.drive(), asked);
        let run = driven.unwrap().run;
        assert_eq!((run.mode, run.paused), (Mode::Forward, Some(PauseCause::Guard(0))), "{blind:?}");
        assert!(stage.journal().join("\n").contains(why), "{:#?}", stage.journal());
        assert!(stage.writes().iter().all(|write| write.ends_with("=new")), "{:?}", stage.writes());
    }
}

#[tokio::test]
async fn a_run_whose_end_could_not_be_recorded_keeps_its_locks() {
    let first = Stage::new(chain(&["a"]), &[]);
    let undisturbed = Stage::new(chain(&["a"]), &[]);
    undisturbed.drive().await.unwrap();
    first.crash_at(Crash::Before(undisturbed.journal().len() as u64));
    assert!(first.drive().await.is_err());
    assert_eq!(taken_over_after(&first), [first.run]);
}

#[tokio::test]
async fn a_run_that_is_over_has_no_lock() {
    let first = Stage::new(chain(&["a"]), &[]);
    first.drive().await.unwrap();
    assert_eq!(taken_over_after(&first), []);
}

/// Whose locks another run takes over that writes what this one wrote.
fn taken_over_after(first: &Stage) -> Vec<RunId> {
    let inner = Arc::new(crate::store::SqliteStore::open(first.directory.path()).unwrap());
    let second = Stage::among(first.directory.clone(), inner, chain(&["a"]), &[], Vec::new());
    let now = SystemClock::wall().now();
    let owner = Owner { host: "test".into(), pid: 2, birth: String::new() };
    let lease = second.store.acquire(&second.run, &owner, Duration::from_secs(60), now).unwrap();
    let wanted = second.actions.resources();
    let barred = second.store.bar(&lease, &wanted, now).unwrap();
    let taken = second.store.lock(&lease, &wanted, &barred, now).unwrap().unwrap();
    taken.into_iter().map(|lock| lock.run).collect()
}

#[tokio::test]
async fn a_run_is_begun_by_whoever_starts_it() {
    let stage = Stage::new(chain(&["a"]), &[]);
    let driven = stage.drive().await.unwrap();
    assert_eq!(driven.run.started_by, Some(ana()));
}
