//! A rollback that is announced before it begins, and people who say no, or nothing.

use super::build::{act, approve, finally, guard, irreversible, on_failure, plan, policy, secs};
use super::story::{Story, abort, desired, person, retry, settle, skip, tell};
use crate::plan::{OnBreach, OnFailure, Policy, Step, StepIx, Timestamp, Writes};
use crate::run::{
    Actor, Announced, Cause, Ending, Event, Fault, Input, Look, Mode, Order, PauseCause, Phase, Refusal,
    Rewind, Work, decide,
};

const PAUSE: Order = Order::Pause { reason: None };

/// A run whose rollbacks are announced for a minute.
fn held(steps: Vec<Step>) -> Story {
    let guards = vec![guard("errors", OnBreach::Rollback)];
    tell(plan(steps, Vec::new(), guards, Policy { veto: Some(secs(60)), ..policy() }))
}

/// One change is in force, and the next one failed at ten seconds.
fn failed() -> Story {
    let mut story = held(vec![act("a", &[]), act("b", &[0]), act("c", &[1])]);
    story.does(0).plans(1).applies(1);
    story.now = 10;
    story.fails(1);
    story
}

/// One change is in force, another waits to be applied, and the guard tripped at ten seconds.
fn tripped() -> Story {
    let mut story = held(vec![act("a", &[]), act("b", &[0])]);
    story.does(0);
    story.now = 10;
    story.trips();
    story
}

fn announced(cause: Cause) -> Announced {
    Announced { cause, at: Timestamp(70_000) }
}

fn refused(story: &mut Story, by: Actor, order: Order) -> Refusal {
    story.order_by(by, order);
    let Event::OrderRefused { refusal, .. } = story.last() else { panic!("not refused: {:?}", story.last()) };
    refusal.clone()
}

#[test]
fn without_a_word_it_rolls_back_when_the_time_is_over() {
    for (mut story, cause) in [(failed(), Cause::Failed(StepIx(1))), (tripped(), Cause::Guard(0))] {
        assert_eq!((story.run.mode, story.paused(), &story.run.cause), (Mode::Forward, None, &None));
        assert_eq!(story.run.announced, Some(announced(cause.clone())));
        assert_eq!(*story.last(), Event::RollbackAnnounced { cause: cause.clone(), at: Timestamp(70_000) });
        assert_eq!((story.wakes(), story.run.rests()), (Some(Timestamp(70_000)), false));
        story.now = 69;
        assert_eq!((story.after(0).run.mode, story.run.is_held()), (Mode::Forward, true));
        story.after(1);
        assert_eq!((story.run.mode, &story.run.cause), (Mode::Rollback, &Some(cause)));
        assert_eq!((&story.run.announced, story.run.is_held()), (&None, false));
        assert!(story.work().iter().any(|work| work.writes()), "and undoes");
    }
}

#[test]
fn nothing_is_begun_while_it_is_announced_and_what_is_under_way_is_watched() {
    let mut story = held(vec![act("a", &[]), act("b", &[]), act("c", &[1]), finally("f", &[])]);
    story.does(0).plans(1);
    assert_eq!(story.trips().work(), [Work::Apply(StepIx(1))], "a call under way is not broken off");
    assert_eq!(story.applies(1).work(), [Work::Watch(StepIx(1))]);
    assert_eq!(story.arrives(1).work(), [], "and what needs it does not begin");
    // What is planned meanwhile is not applied, and what is tried again is not.
    let mut story = held(vec![act("a", &[]), act("b", &[]), act("c", &[])]);
    story.does(0).plans(1).cannot_apply(1, Fault::transient("throttled")).trips();
    assert_eq!(story.plans(2).after(30).phase(2), Phase::Ready);
    assert!(matches!(story.phase(1), Phase::Backoff { .. }));
    assert_eq!(story.work(), []);
    // Nor does it end, though all is done.
    let mut story = held(vec![act("a", &[])]);
    story.plans(0).applies(0).trips();
    assert_eq!((story.arrives(0).run.mode, story.work()), (Mode::Forward, vec![]));
    assert_eq!(story.after(60).work(), [Work::Undo(StepIx(0))]);
}

#[test]
fn the_first_announcement_counts_whatever_else_goes_wrong() {
    let mut story = held(vec![act("a", &[]), act("b", &[])]);
    story.plans(0).applies(0).plans(1).applies(1).trips();
    story.now = 30;
    story.fails(0).fails(1).trips();
    assert_eq!(story.run.announced, Some(Announced { cause: Cause::Guard(0), at: Timestamp(60_000) }));
    assert!(story.facts.iter().filter(|fact| matches!(fact, Event::RollbackAnnounced { .. })).count() == 1);
    assert_eq!(story.after(30).run.cause, Some(Cause::Guard(0)));
}

#[test]
fn a_pause_says_no_and_asks_what_then() {
    let mut story = failed();
    story.order(PAUSE);
    let asked = Some(PauseCause::Failed(StepIx(1)));
    assert_eq!((&story.run.announced, story.paused()), (&None, asked.clone()));
    assert_eq!(story.after(600).paused(), asked, "and it is not announced again");
    assert_eq!((story.run.mode, story.work(), story.run.rests()), (Mode::Forward, vec![], true));
    assert_eq!((story.phase(1), story.wakes()), (Phase::Failed, None));
    assert_eq!(story.crashes().paused(), asked);
    // From there on it is a failed step like any other.
    assert_eq!(story.clone().order(abort()).work(), [Work::Undo(StepIx(1))]);
    assert_eq!(story.clone().order(skip(1)).work(), [Work::Plan(StepIx(2))]);
    assert_eq!(story.order(retry(1)).work(), [Work::Settle(StepIx(1))]);
    // What fails later is announced again.
    story.arrives(1).arrives(1).plans(2).applies(2);
    assert_eq!(story.fails(2).run.announced.clone().unwrap().cause, Cause::Failed(StepIx(2)));

    let mut story = tripped();
    story.order(PAUSE).plans(1);
    assert_eq!((story.paused(), story.after(600).run.mode), (Some(PauseCause::Guard(0)), Mode::Forward));
    story.order(Order::Continue);
    assert_eq!((story.paused(), story.work()), (None, vec![Work::Apply(StepIx(1))]));
    assert_eq!(story.trips().run.announced.clone().unwrap().cause, Cause::Guard(0), "it is armed again");
}

#[test]
fn a_pause_says_no_for_all_that_has_failed_by_then() {
    let tolerated = |id| on_failure(OnFailure::Continue, act(id, &[]));
    let mut story = held(vec![act("a", &[]), act("b", &[]), tolerated("c"), tolerated("check")]);
    story.plans_stages(3, 0).fails(3).after(1).plans_stages(3, 0).fails(3);
    story.plans(0).applies(0).plans(1).applies(1).plans(2).applies(2);
    story.fails(0).fails(1).fails(2).order(PAUSE);
    assert_eq!(
        (story.paused(), story.after(600).run.announced.clone()),
        (Some(PauseCause::Failed(StepIx(0))), None)
    );
    assert!(story.run[StepIx(0)].mended && story.run[StepIx(1)].mended);
    assert!(!story.run[StepIx(2)].mended, "which the plan does without");
    assert_eq!(
        (story.phase(3), story.run[StepIx(3)].mended),
        (Phase::Failed, false),
        "and so it does without this"
    );
    // What was under way, and fails after that, is news.
    let mut story = held(vec![act("a", &[]), act("b", &[])]);
    story.plans(0).applies(0).plans(1).applies(1).fails(0).order(PAUSE);
    story.fails(1);
    assert_eq!(story.run.announced.clone().unwrap().cause, Cause::Failed(StepIx(1)));
}

#[test]
fn to_go_on_says_no_and_tries_again() {
    let mut story = failed();
    story.order(Order::Continue);
    assert_eq!(
        (&story.run.announced, story.paused(), story.work()),
        (&None, None, vec![Work::Settle(StepIx(1))])
    );
    assert_eq!(story.after(600).run.mode, Mode::Forward);
    let mut again = story.clone();
    again.arrives(1).arrives(1).does(2);
    assert_eq!(again.ending(), Ending::Done);
    // A human tried: what is not as it should be is a question from then on.
    story.cannot_see(1, Fault::permanent("no"));
    assert_eq!((&story.run.announced, story.paused()), (&None, Some(PauseCause::Failed(StepIx(1)))));
}

#[test]
fn who_does_something_about_the_step_that_failed_says_no() {
    for order in [retry(1), skip(1), settle(1, true)] {
        let mut story = failed();
        assert_eq!(story.order(order.clone()).run.announced, None, "{order:?}");
        assert_eq!(story.after(600).run.mode, Mode::Forward);
    }
    // Unless the world says otherwise: then it is announced once more.
    let mut story = failed();
    story.order(settle(1, true)).sees(1, Look::Prior);
    assert_eq!(story.run.announced, Some(announced(Cause::Failed(StepIx(1)))));
    // Another reason stands.
    let mut story = held(vec![act("a", &[]), on_failure(OnFailure::Pause, act("b", &[]))]);
    story.plans(0).applies(0).plans(1).applies(1).fails(1).trips().order(skip(1));
    assert_eq!(story.run.announced.clone().unwrap().cause, Cause::Guard(0));
    let mut story = held(vec![act("a", &[]), act("b", &[])]);
    story.plans(0).applies(0).plans(1).applies(1).fails(0).fails(1).order(skip(1));
    assert_eq!(story.run.announced.clone().unwrap().cause, Cause::Failed(StepIx(0)));
}

#[test]
fn an_order_is_not_held() {
    let alarm = Actor { name: "alertmanager".into(), automatic: true };
    for by in [person("bo"), alarm.clone()] {
        let mut story = held(vec![act("a", &[])]);
        story.plans(0).applies(0).order_by(by.clone(), abort());
        assert_eq!(story.work(), [Work::Undo(StepIx(0))]);
        // Nor is one that is announced already.
        for mut story in [failed(), tripped()] {
            story.order_by(by.clone(), abort());
            assert_eq!((story.run.mode, &story.run.announced), (Mode::Rollback, &None));
            assert!(matches!(&story.run.cause, Some(Cause::Order { by: who, .. }) if *who == by));
        }
    }
    let all = Order::Rollback { rewind: Rewind::All, reason: "all".into() };
    assert_eq!(tripped().order(all).work(), [Work::Undo(StepIx(0))]);
    // An alarm says nothing that holds back a rollback.
    assert_eq!(refused(&mut tripped(), alarm.clone(), PAUSE), Refusal::PersonNeeded);
    assert_eq!(refused(&mut tripped(), alarm.clone(), Order::Continue), Refusal::PersonNeeded);
    let mut story = held(vec![act("a", &[])]);
    story.order_by(alarm, PAUSE);
    assert_eq!(story.paused(), Some(PauseCause::Operator), "but it may pause what goes forward");
}

#[test]
fn it_survives_whoever_drives_the_run() {
    let mut story = failed();
    story.now = 20;
    assert_eq!(story.crashes().run.announced, Some(announced(Cause::Failed(StepIx(1)))));
    // Whoever takes over late rolls back at once, but hears first what was said meanwhile.
    story.now = 500;
    story.crashes();
    assert_eq!((story.run.mode, story.wakes()), (Mode::Forward, Some(Timestamp(70_000))));
    assert_eq!(story.clone().order(Order::Continue).after(0).run.mode, Mode::Forward);
    assert_eq!(story.after(0).run.mode, Mode::Rollback);
    // Whatever else is heard after the time is over turns it back, too.
    let mut story = tripped();
    story.now = 100;
    let late =
        Input::Answered { step: StepIx(0), turn: 0, answer: crate::run::Answer::Looked(Ok(desired())) };
    assert!(matches!(decide(&story.run, &late, story.at())[..], [Event::RollbackStarted { .. }, ..]));
}

#[test]
fn a_process_that_is_asked_to_stop_turns_nothing_back() {
    let mut story = tripped();
    story.plans(1).hears(Input::Interrupted);
    assert_eq!(
        (story.paused(), story.wakes(), story.run.rests()),
        (Some(PauseCause::Interrupted), None, true)
    );
    assert_eq!(story.after(100).run.mode, Mode::Forward);
    assert_eq!(story.run.turns_at(), None);
    story.crashes();
    assert_eq!((story.paused(), story.wakes()), (None, Some(Timestamp(70_000))));
    assert_eq!(story.after(0).run.cause, Some(Cause::Guard(0)));
}

#[test]
fn whatever_else_stops_the_run_stops_no_rollback() {
    let mut story = held(vec![act("a", &[]), approve("go", &[0], 1, false), act("b", &[])]);
    story.does(0);
    story.now = 10;
    story.trips();
    // The approval expires meanwhile, a step is blind, somebody had paused: it turns back all the same.
    let mut expired = story.clone();
    expired.after(50);
    assert_eq!(expired.paused(), Some(PauseCause::Expired(StepIx(1))));
    assert_eq!((expired.run.rests(), expired.wakes()), (false, Some(Timestamp(70_000))));
    assert_eq!(expired.after(10).work(), [Work::Undo(StepIx(0))]);
    let mut rejected = story.clone();
    rejected.order(Order::Reject { step: StepIx(1), reason: "no".into() });
    assert!(rejected.run.announced.is_some(), "who says no to going forward says yes to going back");
    let mut blind = story.clone();
    blind.cannot_see(2, Fault::blind("?"));
    assert_eq!(blind.after(60).run.mode, Mode::Rollback);
    let mut paused = held(vec![act("a", &[])]);
    paused.plans(0).applies(0).order(PAUSE).trips();
    assert_eq!((paused.paused(), paused.run.announced.is_some()), (Some(PauseCause::Operator), true));
    let mut vetoed = paused.clone();
    assert_eq!(vetoed.order(PAUSE).paused(), Some(PauseCause::Guard(0)));
    assert_eq!(refused(&mut vetoed, person("bo"), PAUSE), Refusal::AlreadyPaused);
    assert_eq!(paused.after(60).work(), [Work::Undo(StepIx(0))]);
}

#[test]
fn what_only_a_person_may_decide_is_asked_and_not_announced() {
    let mut story = held(vec![act("a", &[]), irreversible("b", &[0]), act("c", &[1])]);
    story.does(0).does(1).plans(2).applies(2).fails(2);
    assert_eq!((story.paused(), &story.run.announced), (Some(PauseCause::Barrier(StepIx(1))), &None));
    for unsure in [Fault::blind("no samples"), Fault::foreign("somebody else")] {
        let mut story = held(vec![act("a", &[])]);
        story.plans(0).applies(0).trips_with(unsure);
        assert_eq!((story.paused(), &story.run.announced), (Some(PauseCause::Guard(0)), &None));
    }
    // What becomes so while it is announced is asked when the time is over, and then once.
    let switch = Step { writes: Some(Writes::Diverge), ..act("switch", &[]) };
    let mut story = held(vec![switch]);
    story.plans(0).trips().applies(0);
    assert_eq!(story.run.announced.clone().unwrap().at, Timestamp(60_000));
    let hold = PauseCause::Diverged { step: StepIx(0), since: Timestamp(0) };
    assert_eq!((story.after(60).paused(), &story.run.announced), (Some(hold), &None));
    assert_eq!((story.wakes(), story.run.rests()), (None, false), "it is still watched");
}

#[test]
fn a_no_needs_something_that_is_announced() {
    let mut story = held(vec![act("a", &[])]);
    story.plans(0).applies(0);
    assert_eq!(refused(&mut story, person("bo"), Order::Continue), Refusal::NotPaused);
    assert!(story.trips().order(Order::Continue).run.announced.is_none());
    assert_eq!(refused(&mut story, person("bo"), Order::Continue), Refusal::NotPaused);
    // A plan without a veto rolls back at once.
    let mut story = super::story::chain(&["a"]);
    assert_eq!(story.plans(0).applies(0).trips().work(), [Work::Undo(StepIx(0))]);
    // And what was announced follows nothing but the way forward.
    let said = Event::RollbackAnnounced { cause: Cause::Guard(0), at: Timestamp(1) };
    assert!(story.run.clone().evolve(&said).is_err());
    let mut run = tripped().run;
    assert!(run.evolve(&said).is_err(), "nothing is announced twice");
}
