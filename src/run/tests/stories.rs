//! The way forward: one behaviour each.

use super::build::{
    act, approve, checkpoint, guard, irreversible, leaf, lowered, on_failure, plan, policy, secs, simple,
};
use super::story::{Story, abort, chain, permanent_but_landed, person, tell};
use crate::plan::{
    Constants, Expr, GuardSpan, Node, OnBreach, OnFailure, Part, Policy, Retry, Step, StepId, StepIx,
    Timestamp, Undo,
};
use crate::run::{
    Answer, Cause, Ending, Event, Fault, Input, Look, Mark, Mode, Order, PauseCause, Phase, StepEvent,
    Verdict, Work, decide,
};
use std::sync::Arc;

#[test]
fn a_change_is_planned_announced_applied_watched_and_done() {
    let mut story = chain(&["switch"]);
    assert_eq!(story.work(), [Work::Plan(StepIx(0))]);
    assert_eq!(story.plans(0).work(), [Work::Apply(StepIx(0))]);
    assert_eq!(story.applies(0).work(), [Work::Watch(StepIx(0))]);
    story.arrives(0);
    assert_eq!((story.run.steps[0].out.as_deref(), story.ending()), (Some("\"new\""), Ending::Done));
    assert!(story.run.is_finished() && story.due().is_empty());
}

#[test]
fn a_check_and_a_change_already_there_write_nothing() {
    let mut story = chain(&["health"]);
    story.passes(0);
    assert_eq!((story.run.wrote, story.ending()), (false, Ending::Done));
}

#[test]
fn a_condition_that_does_not_hold_skips_any_kind_of_step() {
    let names = ["params"];
    let when = Expr::compile("false", &names, Arc::<Constants>::default()).unwrap();
    let skipped = |step: Step| Step { when: Some(when.clone()), ..step };
    let steps = vec![
        skipped(act("a", &[])),
        skipped(approve("go", &[0], 1, false)),
        skipped(checkpoint("wave", &[1])),
        skipped(approve("go2", &[2], 1, false)),
        act("b", &[3]),
    ];
    let mut story = tell(simple(steps));
    for step in 0..3 {
        assert_eq!(story.work(), [Work::Plan(StepIx(step))]);
        story.answers(step, Answer::Planned(Ok(None)));
        assert_eq!(story.phase(step), Phase::Skipped);
    }
    // Where it holds, an approval is asked for.
    assert!(matches!(story.plans_stages(3, 0).phase(3), Phase::Asking { .. }));
    story.order(Order::Approve { step: StepIx(3) });
    assert_eq!(story.work(), [Work::Plan(StepIx(4))]);
}

#[test]
fn a_lost_answer_is_settled_by_looking_and_absence_is_believed_late() {
    let mut story = chain(&["switch"]);
    story.plans(0).loses(0);
    // Sent with a limit of 30 s, and it may land 60 s later still.
    assert_eq!((story.work()[0], story.due()[0].until), (Work::Settle(StepIx(0)), Timestamp(90_000)));
    assert_eq!(story.sees(0, Look::Prior).phase(0), Phase::InDoubt, "it may land yet");
    story.now = 90;
    assert_eq!(story.sees(0, Look::Prior).phase(0), Phase::Applying { by: Timestamp(120_000) });
    assert_eq!((story.run.steps[0].tries, story.run.steps[0].round), (1, 0), "the same client token");
    story.loses(0).arrives(0);
    assert!(matches!(story.phase(0), Phase::Watching { .. }), "found to have landed: not applied again");
}

#[test]
fn a_call_that_is_always_lost_asks_in_the_end_for_silence_is_no_failure() {
    let mut story = chain(&["switch"]);
    story.plans(0);
    for _ in 0..3 {
        story.loses(0);
        story.now += 90;
        story.sees(0, Look::Prior);
    }
    assert_eq!((story.run.mode, story.paused()), (Mode::Forward, Some(PauseCause::Blind(StepIx(0)))));
    assert_eq!(story.count(0, |e| matches!(e, StepEvent::Applying { .. })), 3);
    story.order(Order::Continue).sees(0, Look::Prior);
    assert_eq!(story.work(), [Work::Apply(StepIx(0))], "it is tried again");
}

#[test]
fn what_landed_and_failed_is_a_failure_and_what_nobody_can_see_is_asked() {
    let mut story = chain(&["deploy"]);
    story.plans(0).crashes().cannot_see(0, Fault::permanent("the deployment failed"));
    assert_eq!(story.run.cause, Some(Cause::Failed(StepIx(0))), "and rolls back");
    assert_eq!(story.work(), [Work::Settle(StepIx(0))], "what may still land is not undone yet");

    let mut story = chain(&["deploy"]);
    story.plans(0).crashes().cannot_see(0, Fault::blind("credentials expired"));
    assert_eq!((story.phase(0), &story.run.paused), (Phase::Blind, &Some(PauseCause::Blind(StepIx(0)))));
    assert_eq!(story.order(Order::Continue).work(), [Work::Settle(StepIx(0))], "looked at again");
}

#[test]
fn an_answered_call_is_made_again_with_another_client_token() {
    let mut story = chain(&["task"]);
    story.plans(0).cannot_apply(0, Fault::transient("throttled"));
    assert_eq!(story.phase(0), Phase::Backoff { until: Timestamp(1000) });
    assert_eq!(story.work(), []);
    assert!(matches!(story.after(1).phase(0), Phase::Applying { .. }));
    assert_eq!((story.run.steps[0].tries, story.run.steps[0].round), (1, 1));
    // The last try fails, and the failing step is undone too.
    story.cannot_apply(0, Fault::transient("throttled"));
    assert_eq!((story.run.mode, story.work()), (Mode::Rollback, vec![Work::Undo(StepIx(0))]));
    assert_eq!(story.undoes(0).ending(), Ending::RolledBack);
}

#[test]
fn a_crash_while_a_call_is_in_flight_leaves_it_in_doubt() {
    let mut story = chain(&["switch"]);
    story.plans(0).crashes();
    assert_eq!((story.phase(0), story.run[StepIx(0)].mark()), (Phase::InDoubt, Mark::InDoubt));
    // A second process dies too: what was in doubt still is.
    story.now = 500;
    story.crashes();
    assert_eq!(story.due()[0].until, Timestamp(90_000));
    assert_eq!(story.sees(0, Look::Prior).phase(0), Phase::Applying { by: Timestamp(530_000) });
}

#[test]
fn a_late_answer_to_older_work_changes_nothing() {
    let mut story = chain(&["switch"]);
    story.plans(0).loses(0);
    let late = Input::Answered { step: StepIx(0), turn: 2, answer: Answer::Applied(Ok(None)) };
    assert_eq!(decide(&story.run, &late, story.at()), []);
}

#[test]
fn a_check_is_tried_again_and_planned_anew() {
    let mut story = chain(&["health"]);
    story.plans_stages(0, 0).fails(0);
    assert_eq!(story.phase(0), Phase::Backoff { until: Timestamp(1000) });
    assert_eq!(story.wakes(), Some(Timestamp(1000)));
    assert_eq!(story.after(1).work(), [Work::Plan(StepIx(0))]);
    story.plans_stages(0, 0).fails(0);
    assert_eq!(
        (story.ending(), story.run.mode),
        (Ending::NothingChanged, Mode::Finished(Verdict::RolledBack))
    );
}

#[test]
fn what_would_be_done_is_asked_again_where_that_may_help() {
    let mut story = chain(&["a"]);
    let planned = |fault| Answer::Planned(Err(fault));
    let mut throttled = story.clone();
    throttled.answers(0, planned(Fault::transient("throttled")));
    assert_eq!(throttled.phase(0), Phase::Backoff { until: Timestamp(1000) });
    assert_eq!(story.answers(0, planned(Fault::permanent("denied"))).ending(), Ending::NothingChanged);
}

#[test]
fn each_try_waits_longer() {
    let retry = Retry { attempts: 3, wait: secs(1), backoff_percent: 200 };
    let mut story = tell(simple(vec![Step { retry, ..act("a", &[]) }]));
    let throttled = || Fault::transient("throttled");
    story.plans(0).cannot_apply(0, throttled());
    assert_eq!(story.phase(0), Phase::Backoff { until: Timestamp(1000) });
    story.after(1).cannot_apply(0, throttled());
    assert_eq!(story.phase(0), Phase::Backoff { until: Timestamp(3000) });
}

#[test]
fn silence_is_not_a_failure() {
    // Not even after every try: nobody can tell, so a human is asked.
    for fault in [Fault::transient("throttled"), Fault::blind("port 53 is blocked")] {
        let mut story = chain(&["a", "b"]);
        story.does(0);
        story.answers(1, Answer::Planned(Err(fault.clone())));
        if story.paused().is_none() {
            story.after(1).answers(1, Answer::Planned(Err(fault)));
        }
        assert_eq!((story.run.mode, story.paused()), (Mode::Forward, Some(PauseCause::Blind(StepIx(1)))));
        assert_eq!(story.order(Order::Continue).does(1).ending(), Ending::Done);
    }
    let mut story = chain(&["a"]);
    story.plans(0).applies(0).cannot_see(0, Fault::transient("throttled for ten minutes"));
    assert_eq!((story.run.mode, story.paused()), (Mode::Forward, Some(PauseCause::Blind(StepIx(0)))));
    // A lost credential keeps a call from being sent: nobody rolls back for that.
    let mut story = chain(&["a"]);
    story.plans(0).cannot_apply(0, Fault::blind("credentials expired"));
    assert_eq!((story.run.mode, story.paused()), (Mode::Forward, Some(PauseCause::Blind(StepIx(0)))));
}

#[test]
fn a_progressive_shift_is_one_step_of_many_stages_and_one_undo() {
    let mut story = chain(&["weights"]);
    story.plans_stages(0, 3).applies(0).arrives(0).applies(0).arrives(0).applies(0);
    assert_eq!(story.count(0, |e| matches!(e, StepEvent::Applying { .. })), 3, "each write is announced");
    assert_eq!(story.run.steps[0].stage(), 3);
    // Evidence against the last weight: back in one change.
    assert_eq!(story.fails(0).undoes(0).ending(), Ending::RolledBack);
}

#[test]
fn a_lost_later_stage_leaves_the_stages_before_it_to_undo() {
    let mut story = chain(&["weights"]);
    story.plans_stages(0, 2).applies(0).arrives(0).loses(0).order(abort());
    story.now = 90;
    story.sees(0, Look::Prior);
    assert_eq!(story.work(), [Work::Undo(StepIx(0))], "of the second stage nothing landed, of the first all");
}

#[test]
fn a_drain_is_a_recorded_moment_that_a_crash_does_not_move() {
    let mut story = chain(&["ttl"]);
    let note = Look::Moving { note: Some("\"until 300\"".into()), again: secs(300) };
    story.plans(0).applies(0).sees(0, note).crashes();
    let watch = story.due()[0];
    assert_eq!((watch.work, watch.from), (Work::Watch(StepIx(0)), Timestamp(300_000)));
    assert_eq!(story.run[StepIx(0)].record.as_ref().unwrap().note.as_deref(), Some("\"until 300\""));
    assert_eq!(story.run.since(StepIx(0)), Some(Timestamp(0)));
}

#[test]
fn a_deadline_pauses_once_and_reverts_nothing() {
    let policy = Policy { deadline: Some(secs(60)), ..policy() };
    let mut story = tell(plan(vec![act("a", &[]), act("b", &[0])], Vec::new(), Vec::new(), policy));
    story.does(0);
    let wake = *story.due().last().unwrap();
    assert_eq!((wake.work, wake.from), (Work::Wake, Timestamp(60_000)));
    story.after(60);
    assert_eq!((story.run.mode, story.paused()), (Mode::Forward, Some(PauseCause::Deadline)));
    assert!(story.due().iter().all(|due| due.work != Work::Wake), "and wakes nobody while it is paused");
    story.order(Order::Continue).after(60);
    assert_eq!(story.paused(), None);
    assert_eq!(story.does(1).ending(), Ending::Done);
}

#[test]
fn what_is_done_ahead_has_no_deadline() {
    let policy = Policy { deadline: Some(secs(60)), ..policy() };
    let prepare = Step { part: Part::Prepare, ..act("ttl", &[]) };
    let whole = plan(vec![prepare, act("switch", &[0])], Vec::new(), Vec::new(), policy);
    let mut ahead = tell(whole.only_prepare());
    ahead.after(600).does(0);
    assert_eq!(ahead.ending(), Ending::Done);
    // Done on the day itself, the deadline begins after it.
    let mut story = tell(whole);
    story.after(600).does(0);
    assert_eq!((story.paused(), story.run.deadline), (None, Some(Timestamp(660_000))));
    story.after(60);
    assert_eq!(story.paused(), Some(PauseCause::Deadline));
}

#[test]
fn a_foreign_change_pauses_and_touches_nothing() {
    let mut story = chain(&["switch"]);
    let foreign = || Fault::foreign("points elsewhere");
    story.plans(0).cannot_apply(0, foreign());
    assert_eq!((story.paused(), story.work()), (Some(PauseCause::Foreign(StepIx(0))), vec![]));
    assert_eq!(story.clone().order(abort()).ending(), Ending::Aborted, "nothing of ours to undo");
    // After a human's fix it is looked at: as before, so it is applied; what was recorded first stays.
    story.order(Order::Continue);
    assert_eq!(story.work(), [Work::Settle(StepIx(0))]);
    assert_eq!(story.clone().sees(0, Look::Prior).work(), [Work::Apply(StepIx(0))]);
    // Or done by hand: then a rollback restores what was there before.
    let mut done = story.clone();
    done.arrives(0).arrives(0).order(abort());
    assert_eq!(done.work(), [Work::Undo(StepIx(0))]);
    // Or foreign still: asked again.
    story.cannot_see(0, foreign());
    assert_eq!(story.paused(), Some(PauseCause::Foreign(StepIx(0))));
    assert_eq!(story.order(abort()).ending(), Ending::Aborted, "never ours, so nothing is stuck");
}

#[test]
fn what_somebody_put_back_or_changed_later_is_foreign() {
    let mut story = chain(&["switch", "soak"]);
    story.plans(0).applies(0).sees(0, Look::Prior);
    assert_eq!(story.paused(), Some(PauseCause::Foreign(StepIx(0))));
    let mut story = chain(&["switch", "soak"]);
    story.does(0);
    assert!(story.due().iter().any(|due| due.work == Work::Hold(StepIx(0))), "held while the run goes on");
    assert_eq!(story.cannot_see(0, Fault::blind("?")).paused(), None, "that nobody sees it is no news");
    assert_eq!(story.clone().sees(0, Look::Prior).paused(), Some(PauseCause::Foreign(StepIx(0))));
    story.cannot_see(0, Fault::foreign("points elsewhere"));
    assert_eq!(story.paused(), Some(PauseCause::Foreign(StepIx(0))));
    // The step that was begun meanwhile goes on with what only looks.
    assert_eq!(story.work(), [Work::Plan(StepIx(1))]);
    // Skipped: nobody looks at it any more, and the run goes on; but an undo still compares.
    story.order(super::story::skip(0));
    assert!(story.due().iter().all(|due| due.work != Work::Hold(StepIx(0))));
    story.does(1);
    assert_eq!(story.ending(), Ending::Done);
}

/// Nobody need be told that there is no way back where the run would take none by itself.
#[test]
fn what_a_way_back_needs_is_looked_for_as_long_as_the_run_may_take_it() {
    let held = |story: &Story| {
        let holds = story.due().into_iter().filter_map(|due| match due.work {
            Work::Hold(ix) => Some((ix.0, due.back)),
            _ => None,
        });
        holds.collect::<Vec<_>>()
    };
    let left = Step { undo: Undo::Keep("it harms nobody".into()), ..act("log", &[0]) };
    let after = [checkpoint("released", &[2]), act("clean", &[3]), act("more", &[4])];
    let mut story =
        tell(simple([vec![act("switch", &[]), left, act("soak", &[1])], after.to_vec()].concat()));
    story.does(0).does(1);
    assert_eq!(held(&story), [(0, true), (1, false)]);
    story.does(2);
    assert_eq!(held(&story), [(0, false), (1, false), (2, false)], "a checkpoint was passed");
    story.does(4);
    assert_eq!(held(&story)[3..], [(4, true)], "and this stands behind it");
    let steps = vec![act("switch", &[]), irreversible("promote", &[0]), act("health", &[1])];
    let mut story = tell(simple(steps));
    assert_eq!(held(story.does(0)), [(0, true)]);
    assert_eq!(held(story.does(1)), [(0, false), (1, false)], "a point of no return was passed");
}

#[test]
fn siblings_of_a_failed_child_start_nothing_more_and_their_calls_end() {
    let group = Node::Parallel {
        id: StepId("deploy".into()),
        max: None,
        children: vec![
            leaf("a"),
            Node::Sequence { id: None, children: vec![leaf("b"), leaf("c")] },
            leaf("d"),
        ],
    };
    let mut story = tell(lowered(&[group]));
    assert_eq!(story.work().len(), 3);
    story.plans(0).plans(1).plans_stages(3, 1).applies(3).applies(0).fails(0);
    assert_eq!((story.run.mode, story.phase(2)), (Mode::Rollback, Phase::Waiting));
    // The call in flight is awaited and asked to end; what has been applied is undone at once, together.
    let works = story.work();
    assert_eq!(works, [Work::Undo(StepIx(0)), Work::Apply(StepIx(1)), Work::Undo(StepIx(3))]);
    assert!(story.due().iter().any(|due| due.work == Work::Apply(StepIx(1)) && due.stop));
    story.applies(1);
    assert_eq!(story.undoes(0).undoes(3).undoes(1).ending(), Ending::RolledBack);
    assert_eq!(story.count(2, |_| true), 0);
}

#[test]
fn a_group_with_a_bound_opens_no_more_than_that() {
    let pairs =
        |n: u32| Node::Sequence { id: None, children: vec![leaf(&format!("a{n}")), leaf(&format!("b{n}"))] };
    let group =
        Node::Parallel { id: StepId("all".into()), max: Some(2), children: (0..3).map(pairs).collect() };
    let mut story = tell(lowered(&[group]));
    assert_eq!(story.work(), [Work::Plan(StepIx(0)), Work::Plan(StepIx(2))]);
    story.does(0);
    assert_eq!(story.work(), [Work::Plan(StepIx(1)), Work::Plan(StepIx(2))], "a child is open to its end");
    story.does(1);
    assert_eq!(story.work(), [Work::Plan(StepIx(2)), Work::Plan(StepIx(4))]);
}

#[test]
fn a_failure_that_is_tolerated_is_undone_before_the_run_goes_on() {
    let warm = on_failure(OnFailure::Continue, act("warm", &[]));
    let mut story = tell(simple(vec![warm, act("switch", &[0])]));
    story.plans(0).applies(0).fails(0);
    assert_eq!((story.work(), story.phase(1)), (vec![Work::Undo(StepIx(0))], Phase::Waiting));
    assert_eq!(story.undoes(0).does(1).ending(), Ending::Done);
}

#[test]
fn a_check_whose_failure_is_tolerated_holds_nothing_up() {
    let check = on_failure(OnFailure::Continue, act("cache", &[]));
    let mut story = tell(simple(vec![check, act("switch", &[0])]));
    story.plans_stages(0, 0).fails(0).after(1).plans_stages(0, 0).fails(0);
    assert_eq!((story.phase(0), story.work()), (Phase::Failed, vec![Work::Plan(StepIx(1))]));
}

#[test]
fn a_tolerated_failure_in_doubt_is_settled_and_undone_never_applied_again() {
    let warm = on_failure(OnFailure::Continue, act("warm", &[]));
    let mut story = tell(simple(vec![warm, act("switch", &[0])]));
    story.plans(0).crashes().cannot_see(0, Fault::permanent("it failed"));
    assert_eq!(story.work(), [Work::Settle(StepIx(0))]);
    story.now = 90;
    story.sees(0, Look::Prior);
    assert_eq!(story.work(), [Work::Plan(StepIx(1))]);
    assert_eq!(story.count(0, |e| matches!(e, StepEvent::Applying { .. })), 1);
}

#[test]
fn on_failure_pause_asks_and_a_retry_looks_first() {
    let mut story = tell(simple(vec![on_failure(OnFailure::Pause, act("a", &[])), act("b", &[0])]));
    story.plans(0).applies(0).fails(0);
    assert_eq!((story.paused(), story.work()), (Some(PauseCause::Failed(StepIx(0))), vec![]));
    story.order(super::story::retry(0));
    assert_eq!((story.paused(), story.work()), (None, vec![Work::Settle(StepIx(0))]));
    // Not as before, not as it should be: asked again, whatever `on_failure` says.
    let mut again = story.clone();
    again.fails(0);
    assert_eq!((again.run.mode, again.paused()), (Mode::Forward, Some(PauseCause::Failed(StepIx(0)))));
    assert_eq!(story.arrives(0).arrives(0).does(1).ending(), Ending::Done);
}

#[test]
fn what_ran_and_failed_is_undone_and_not_in_doubt() {
    let mut story = chain(&["script"]);
    story.plans(0).cannot_apply(0, permanent_but_landed());
    assert_eq!((story.run.mode, story.work()), (Mode::Rollback, vec![Work::Undo(StepIx(0))]));
}

#[test]
fn guards_watch_from_the_first_write_to_the_end_or_between_two_steps() {
    let is_watched = |story: &Story| story.due().iter().any(|due| matches!(due.work, Work::Guard(_)));
    let mut story = chain(&["a", "b"]);
    assert!(!is_watched(story.plans(0).answers(0, Answer::Planned(Ok(None)))) || story.run.wrote);
    assert!(is_watched(&story));

    let span = GuardSpan { from: Some(StepIx(1)), until: Some(StepIx(2)) };
    let guards = vec![crate::plan::Guard { span, ..guard("alarms", OnBreach::Rollback) }];
    let steps = vec![act("deploy", &[]), act("switch", &[0]), act("soak", &[1]), act("tidy", &[2])];
    let mut story = tell(plan(steps, Vec::new(), guards, policy()));
    story.plans(0);
    assert!(!is_watched(&story), "deploying sets off some alarms by itself");
    assert_eq!(story.trips().run.cause, None, "and nobody listens to them");
    story.applies(0).arrives(0);
    assert!(is_watched(&story));
    story.does(1).does(2);
    assert!(!is_watched(&story));
}

/// argo-rollouts#1617: a metric could not be tried out before it decided anything.
#[test]
fn a_guard_that_is_tried_out_is_told_and_decides_nothing() {
    let guards = vec![guard("errors", OnBreach::Notify)];
    let mut story = tell(plan(vec![act("a", &[])], Vec::new(), guards, policy()));
    story.plans(0).applies(0).trips();
    assert!(matches!(story.last(), Event::GuardTripped { .. }));
    story.arrives(0);
    assert_eq!((&story.run.cause, story.ending()), (&None, Ending::Done));
}

#[test]
fn a_breach_does_what_the_plan_says_and_never_what_nobody_knows() {
    let told = |on_breach| {
        let mut story =
            tell(plan(vec![act("a", &[])], Vec::new(), vec![guard("errors", on_breach)], policy()));
        story.plans(0).applies(0);
        story
    };
    assert_eq!(told(OnBreach::Rollback).trips().run.cause, Some(Cause::Guard(0)));
    assert_eq!(told(OnBreach::Pause).trips().paused(), Some(PauseCause::Guard(0)));
    let mut notified = told(OnBreach::Notify);
    notified.trips();
    assert!(matches!(notified.last(), Event::GuardTripped { .. }));
    assert_eq!((notified.paused(), notified.run.mode), (None, Mode::Forward));
    for unsure in [Fault::blind("no samples"), Fault::foreign("somebody else")] {
        assert_eq!(told(OnBreach::Rollback).trips_with(unsure).paused(), Some(PauseCause::Guard(0)));
    }
    // A guard that tripped is armed again by `continue`.
    let mut paused = told(OnBreach::Pause);
    paused.trips().trips();
    assert_eq!(paused.order(Order::Continue).trips().paused(), Some(PauseCause::Guard(0)));
}

#[test]
fn a_pause_suspends_neither_guards_nor_looks() {
    let mut story = chain(&["a", "b"]);
    story.plans(0).applies(0).order(Order::Pause { reason: None });
    assert_eq!(story.work(), [Work::Watch(StepIx(0))]);
    assert_eq!(story.arrives(0).work(), [], "but nothing new is begun");
    assert_eq!(story.trips().work(), [Work::Undo(StepIx(0))]);
}

#[test]
fn ctrl_c_pauses_durably_and_resume_goes_on() {
    let mut story = chain(&["a", "b"]);
    story.plans(0).hears(Input::Interrupted).applies(0).arrives(0);
    assert_eq!(
        (story.paused(), story.work(), story.run.rests()),
        (Some(PauseCause::Interrupted), vec![], true)
    );
    assert_eq!(story.crashes().work(), [Work::Plan(StepIx(1))]);
    // So it is where there was no room for the journal, and that is told.
    let mut story = chain(&["a", "b"]);
    story.plans(0).hears(Input::OutOfRoom).hears(Input::Interrupted).applies(0).arrives(0);
    assert_eq!((story.paused(), story.work()), (Some(PauseCause::OutOfRoom), vec![]));
    assert_eq!((story.crashes().paused(), story.work()), (None, vec![Work::Plan(StepIx(1))]));
    // What a human must look at is not lifted by that.
    let mut story = chain(&["a"]);
    story.plans(0).cannot_apply(0, Fault::foreign("elsewhere")).hears(Input::Interrupted).crashes();
    assert_eq!(story.paused(), Some(PauseCause::Foreign(StepIx(0))));
}

#[test]
fn what_a_human_must_see_shows_though_the_run_was_paused_before() {
    let mut story = tell(simple(vec![on_failure(OnFailure::Pause, act("a", &[])), act("b", &[])]));
    story.plans(0).applies(0).order(Order::Pause { reason: None }).fails(0);
    assert_eq!(story.paused(), Some(PauseCause::Failed(StepIx(0))));
}

#[test]
fn a_point_of_no_return_is_finished_and_holds_back_a_rollback() {
    let mut story =
        tell(simple(vec![act("deploy", &[]), irreversible("promote", &[0]), act("switch", &[1])]));
    story.does(0).plans(1).order(abort());
    assert_eq!(story.paused(), Some(PauseCause::Barrier(StepIx(1))));
    assert!(story.due().iter().all(|due| !due.stop), "it is not asked to end");
    assert_eq!(story.applies(1).work(), [Work::Watch(StepIx(1))], "and is watched to its end");
    story.arrives(1);
    assert_eq!((story.run.mode, story.work(), story.ending()), (Mode::Forward, vec![], Ending::NeedsHuman));
    // A failure past it holds in the same way.
    story.order(Order::Continue).plans(2).applies(2).fails(2);
    assert_eq!((story.paused(), story.work()), (Some(PauseCause::Barrier(StepIx(1))), vec![]));
    // What was refused was not passed.
    let mut story = tell(simple(vec![act("deploy", &[]), irreversible("promote", &[0])]));
    story.does(0).plans(1).cannot_apply(1, Fault::permanent("denied"));
    assert_eq!((story.run.mode, story.work()), (Mode::Rollback, vec![Work::Undo(StepIx(0))]));
}

#[test]
fn starting_is_recorded_with_who() {
    let story = chain(&["a"]);
    assert_eq!(story.facts[0], Event::RunStarted { by: person("ana") });
    assert_eq!(story.run.started_by, Some(person("ana")));
}

impl Story {
    pub(super) fn paused(&self) -> Option<PauseCause> {
        self.run.paused.clone()
    }
}
