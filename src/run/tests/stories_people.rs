//! People: approvals, and orders that are refused with a reason.

use super::build::{act, approve, checkpoint, finally, irreversible, plan, policy, simple};
use super::story::{Story, abort, back, chain, person, retry, settle, skip, tell};
use crate::plan::{Freeze, Policy, StepIx, Timestamp};
use crate::run::{
    Actor, Cause, Ending, Event, Fault, Input, Mode, Order, PauseCause, Phase, Refusal, Rewind, Work, decide,
};

fn yes(step: u32) -> Order {
    Order::Approve { step: StepIx(step) }
}

fn no(step: u32) -> Order {
    Order::Reject { step: StepIx(step), reason: "not today".into() }
}

fn refused(story: &mut Story, by: Actor, order: Order) -> Refusal {
    let before = story.run.clone();
    story.order_by(by, order);
    let Event::OrderRefused { refusal, .. } = story.last() else { panic!("not refused: {:?}", story.last()) };
    let refusal = refusal.clone();
    assert_eq!(story.run.steps, before.steps, "what was refused changed nothing");
    refusal
}

fn alarm() -> Actor {
    Actor { name: "alertmanager".into(), automatic: true }
}

#[test]
fn as_many_different_people_as_the_plan_says() {
    let mut story = tell(simple(vec![approve("go", &[], 2, false), act("switch", &[0])]));
    assert_eq!(refused(&mut story, person("mallory"), yes(0)), Refusal::NotEntitled);
    assert_eq!(refused(&mut story, alarm(), yes(0)), Refusal::NotEntitled);
    story.order_by(person("bo"), yes(0));
    assert!(matches!(story.phase(0), Phase::Asking { .. }));
    assert_eq!(refused(&mut story, person("bo"), yes(0)), Refusal::AlreadyApproved);
    story.order_by(person("cy"), yes(0));
    assert_eq!((story.phase(0), story.work()), (Phase::Done, vec![Work::Plan(StepIx(1))]));
    assert_eq!(refused(&mut story, person("dee"), yes(0)), Refusal::NotAsked);
}

#[test]
fn in_production_somebody_else_says_yes_and_the_starter_may_say_no() {
    let mut story = tell(simple(vec![approve("go", &[], 1, true)]));
    story.run.started_by = Some(person("bo"));
    let by_starter = Input::Ordered { id: 1, by: person("bo"), order: yes(0) };
    let events = decide(&story.run, &by_starter, story.at());
    assert!(matches!(&events[..], [Event::OrderRefused { refusal: Refusal::StarterMayNotApprove, .. }]));
    let by_another = Input::Ordered { id: 1, by: person("cy"), order: yes(0) };
    assert!(matches!(decide(&story.run, &by_another, story.at())[0], Event::OrderTaken { .. }));
    let events = decide(&story.run, &Input::Ordered { id: 1, by: person("bo"), order: no(0) }, story.at());
    assert!(matches!(events.last(), Some(Event::RunPaused { cause: PauseCause::Rejected(_) })));
    // Elsewhere they may say yes, too.
    story.run = tell(simple(vec![approve("go", &[], 1, false)])).run;
    story.run.started_by = Some(person("bo"));
    assert!(matches!(decide(&story.run, &by_starter, story.at())[0], Event::OrderTaken { .. }));
}

#[test]
fn an_approval_expires_also_in_a_pause_and_is_asked_for_again() {
    for paused in [false, true] {
        let mut story = tell(simple(vec![act("deploy", &[]), approve("go", &[0], 1, false)]));
        story.does(0);
        if paused {
            story.order(Order::Pause { reason: None });
        }
        assert_eq!(story.due().last().unwrap().from, Timestamp(60_000));
        let late = Input::Ordered { id: story.orders + 1, by: person("bo"), order: yes(1) };
        let events = decide(&story.run, &late, Timestamp(60_000));
        assert!(matches!(events[0], Event::OrderRefused { refusal: Refusal::NotAsked, .. }));
        story.after(60);
        assert_eq!((story.run.mode, story.paused()), (Mode::Forward, Some(PauseCause::Expired(StepIx(1)))));
        assert!(story.due().iter().all(|due| due.work != Work::Wake), "and wakes nobody");
        assert_eq!(refused(&mut story, person("bo"), yes(1)), Refusal::NotAsked);
        story.order(Order::Continue);
        assert_eq!(story.phase(1), Phase::Asking { until: Timestamp(120_000) });
        assert_eq!(story.order(yes(1)).ending(), Ending::Done);
    }
}

#[test]
fn nobody_is_asked_on_the_way_back() {
    let mut story = tell(simple(vec![act("deploy", &[]), approve("go", &[0], 1, false)]));
    story.does(0).order(abort());
    assert_eq!(refused(&mut story, person("bo"), yes(1)), Refusal::NotAsked);
    assert_eq!(story.wakes(), None, "and nobody is woken for it");
}

#[test]
fn a_rejection_pauses_and_rolls_nothing_back() {
    let mut story = tell(simple(vec![act("deploy", &[]), approve("go", &[0], 1, false)]));
    story.does(0).order(no(1));
    assert_eq!((story.run.mode, story.paused()), (Mode::Forward, Some(PauseCause::Rejected(StepIx(1)))));
    assert_eq!(refused(&mut story, person("bo"), skip(1)), Refusal::NotStopped, "an approval is not skipped");
    assert_eq!(story.order(abort()).undoes(0).ending(), Ending::Aborted);
}

#[test]
fn what_is_frozen_is_not_approved_but_may_be_undone() {
    let day = |d| jiff::civil::date(1970, 1, d);
    let freeze =
        Freeze { from: day(1), to: day(2), reason: "new year".into(), zone: jiff::tz::TimeZone::UTC };
    let policy = Policy { freeze: vec![freeze], ..policy() };
    let mut story =
        tell(plan(vec![act("a", &[]), approve("go", &[0], 1, false)], Vec::new(), Vec::new(), policy));
    story.does(0);
    assert!(matches!(refused(&mut story, person("bo"), yes(1)), Refusal::OutsideWindow(_)));
    assert_eq!(story.order(abort()).undoes(0).ending(), Ending::Aborted);
}

#[test]
fn every_order_is_answered_once_with_a_reason_where_it_is_refused() {
    let bo = || person("bo");
    let mut story = chain(&["a", "b"]);
    assert_eq!(refused(&mut story, bo(), Order::Continue), Refusal::NotPaused);
    assert_eq!(refused(&mut story, bo(), retry(0)), Refusal::NotStopped);
    assert_eq!(refused(&mut story, bo(), skip(9)), Refusal::NoSuchStep);
    assert_eq!(refused(&mut story, bo(), yes(9)), Refusal::NoSuchStep);
    assert_eq!(refused(&mut story, bo(), yes(0)), Refusal::NotAsked);
    assert_eq!(refused(&mut story, bo(), back(Rewind::To(StepIx(9)))), Refusal::NoSuchStep);
    assert_eq!(refused(&mut story, alarm(), back(Rewind::All)), Refusal::PersonNeeded);
    assert_eq!(refused(&mut story, alarm(), Order::Continue), Refusal::PersonNeeded);
    story.order(Order::Pause { reason: None });
    assert_eq!(refused(&mut story, bo(), Order::Pause { reason: None }), Refusal::AlreadyPaused);
    // An order that was taken is not taken again.
    let again = Input::Ordered { id: story.orders, by: bo(), order: Order::Continue };
    assert_eq!(decide(&story.run, &again, story.at()), []);
    // Nothing was recorded of what cannot even be planned.
    story.order(Order::Continue).answers(0, crate::run::Answer::Planned(Err(Fault::blind("?"))));
    assert_eq!(refused(&mut story, bo(), settle(0, true)), Refusal::NothingRecorded);
    story.order(abort());
    assert_eq!(refused(&mut story, bo(), Order::Pause { reason: None }), Refusal::NotRunning);
    assert_eq!(refused(&mut story, bo(), abort()), Refusal::NotRunning);
}

#[test]
fn what_a_lost_call_did_must_be_known_before_its_step_is_skipped() {
    let mut story = chain(&["a"]);
    story.plans(0).crashes().cannot_see(0, Fault::blind("?"));
    assert_eq!(refused(&mut story, person("bo"), skip(0)), Refusal::StillInDoubt);
    story.order(settle(0, true)).cannot_see(0, Fault::blind("?"));
    assert_eq!(story.ending(), Ending::Done, "a human's word stands where the world cannot tell");
}

#[test]
fn an_alarm_may_turn_back_a_live_run_and_no_other() {
    let mut story = chain(&["a"]);
    story.plans(0).applies(0).order_by(alarm(), abort());
    assert!(matches!(&story.run.cause, Some(Cause::Order { by, .. }) if by.automatic));
    assert_eq!(refused(&mut story, alarm(), abort()), Refusal::AlreadyRollingBack);
    assert_eq!(story.undoes(0).ending(), Ending::RolledBack, "not aborted: no person said so");
    let mut story = chain(&["a"]);
    story.does(0);
    assert_eq!(refused(&mut story, alarm(), abort()), Refusal::PersonNeeded);
}

#[test]
fn how_far_may_be_said_anew_while_a_rollback_is_under_way() {
    let steps = vec![act("a", &[]), checkpoint("wave", &[0]), act("b", &[1]), finally("f", &[])];
    let mut story = tell(simple(steps));
    story.does(0).plans(2).applies(2).fails(2).order(back(Rewind::All));
    assert_eq!(refused(&mut story, person("bo"), back(Rewind::All)), Refusal::AlreadyRollingBack);
    story.undoes(2).undoes(0).passes(3);
    assert_eq!((story.ending(), &story.run.cause), (Ending::RolledBack, &Some(Cause::Failed(StepIx(2)))));
    assert_eq!(refused(&mut story, person("bo"), back(Rewind::To(StepIx(3)))), Refusal::NoSuchStep);
}

#[test]
fn a_rollback_that_was_paused_goes_on_as_far_as_it_was_told_to() {
    let mut story = tell(simple(vec![act("a", &[]), checkpoint("wave", &[0]), act("b", &[1])]));
    story.does(0).plans(2).applies(2).order(back(Rewind::All)).order(abort());
    assert_eq!(story.paused(), Some(PauseCause::Operator));
    story.order(abort()).undoes(2);
    assert_eq!(story.undoes(0).ending(), Ending::Aborted, "past the checkpoint");
}

#[test]
fn an_abort_is_heeded_in_front_of_a_point_of_no_return() {
    let mut story = tell(simple(vec![act("a", &[]), irreversible("b", &[0])]));
    story.does(0).order(Order::Pause { reason: None }).plans(1).order(abort());
    assert_eq!(story.work(), [Work::Undo(StepIx(0))]);
}
