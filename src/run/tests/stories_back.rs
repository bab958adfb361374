//! The way back: one behaviour each.

use super::build::{act, checkpoint, finally, irreversible, leaf, lowered, on_failure, secs, simple, uses};
use super::story::{Story, abort, back, chain, desired, retry, settle, skip, tell};
use crate::plan::{Node, OnFailure, Reversibility, Step, StepId, StepIx, Timestamp, Undo, Writes};
use crate::run::{
    Answer, Ending, Event, Fault, Look, Mode, Order, PauseCause, Phase, Proposal, Receipt, Refusal, Rewind,
    StepEvent, Stuck, Verdict, Work,
};

fn refusal(story: &Story) -> Refusal {
    match story.last() {
        Event::OrderRefused { refusal, .. } => refusal.clone(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn undo_walks_backwards_and_reads_back() {
    let mut story = chain(&["a", "b"]);
    story.does(0).does(1);
    assert_eq!(story.ending(), Ending::Done);
    // A completed run can be rolled back too.
    story.order(abort());
    assert_eq!(story.work(), [Work::Undo(StepIx(1))]);
    story.answers(1, Answer::Undone(Ok(None)));
    assert_eq!(story.work(), [Work::Confirm(StepIx(1))], "and nothing it stands on yet");
    story.sees(1, Look::Prior);
    assert_eq!(
        (story.phase(1), story.work()),
        (Phase::Undone(Receipt::Restored), vec![Work::Undo(StepIx(0))])
    );
    assert_eq!(story.undoes(0).ending(), Ending::Aborted);
}

#[test]
fn children_of_a_group_are_undone_together() {
    let group = |id: &str, max, of: &[&str]| Node::Parallel {
        id: StepId(id.into()),
        max,
        children: of.iter().map(|id| leaf(id)).collect(),
    };
    let mut story = tell(lowered(&[leaf("ttl"), group("deploy", None, &["a", "b"]), leaf("switch")]));
    story.does(0).does(1).does(2).plans(4).applies(4).fails(4);
    assert_eq!(story.work(), [Work::Undo(StepIx(4))]);
    story.undoes(4);
    assert_eq!(story.work(), [Work::Undo(StepIx(1)), Work::Undo(StepIx(2))]);
    assert_eq!(story.undoes(2).work(), [Work::Undo(StepIx(1))], "ttl waits for both");
    assert_eq!(story.undoes(1).undoes(0).ending(), Ending::RolledBack);
}

#[test]
fn an_undo_that_nothing_reads_back_is_believed_and_says_so() {
    let mut story = chain(&["a", "b"]);
    story.does(0).does(1).order(abort());
    story.answers(1, Answer::Undone(Ok(None))).sees(1, Look::Assumed);
    assert_eq!(
        (story.phase(1), story.work()),
        (Phase::Undone(Receipt::Assumed), vec![Work::Undo(StepIx(0))])
    );
    assert_eq!((story.undoes(0).ending(), story.run.assumes()), (Ending::Aborted, true));
}

#[test]
fn where_nothing_can_be_looked_at_a_human_is_believed() {
    let mut story = chain(&["a"]);
    story.does(0).order(abort()).cannot_undo(0, Fault::permanent("denied"));
    story.after(5).cannot_undo(0, Fault::permanent("denied"));
    story.order(settle(0, true)).sees(0, Look::Assumed);
    assert_eq!(story.phase(0), Phase::Undone(Receipt::TakenOver));
    assert!(!story.run.assumes(), "nothing was believed of an undo");
}

#[test]
fn what_cannot_be_looked_at_is_nothing_on_the_way_out() {
    let mut story = chain(&["a"]);
    story.plans(0).applies(0);
    let phase = story.phase(0);
    assert_eq!(story.sees(0, Look::Assumed).phase(0), phase);
}

#[test]
fn an_undo_that_changes_nothing_is_tried_again_and_then_stuck() {
    let mut story = chain(&["a", "b"]);
    story.does(0).plans(1).applies(1).fails(1);
    story.answers(1, Answer::Undone(Ok(None))).sees(1, desired());
    assert_eq!(story.phase(1), Phase::UndoBackoff { until: Timestamp(5000) });
    story.after(5).cannot_undo(1, Fault::permanent("denied"));
    assert_eq!(story.phase(1), Phase::Stuck(Stuck::Failed));
    assert_eq!((story.phase(0), story.work()), (Phase::Done, vec![]), "what it stands on is held back");
    assert_eq!((story.paused(), story.ending()), (Some(PauseCause::Stuck(StepIx(1))), Ending::NeedsHuman));
    story.order(abort());
    assert_eq!(refusal(&story), Refusal::HeldBy(PauseCause::Stuck(StepIx(1))));
    // Restored by hand: found, and RESTORED.
    let mut mended = story.clone();
    assert_eq!(mended.order(retry(1)).work(), [Work::Undo(StepIx(1))], "it is undone once more");
    assert_eq!(mended.undoes(1).undoes(0).ending(), Ending::RolledBack);
    // Or taken over, and said so.
    story.order(skip(1));
    assert_eq!(
        (story.phase(1), story.work()),
        (Phase::Undone(Receipt::TakenOver), vec![Work::Undo(StepIx(0))])
    );
    assert_eq!(story.undoes(0).ending(), Ending::NeedsHuman);
    assert_eq!(story.run.mode, Mode::Finished(Verdict::Incomplete));
}

#[test]
fn drift_is_never_written_over() {
    let mut story = chain(&["a", "b"]);
    story.does(0).plans(1).applies(1).fails(1).cannot_undo(1, Fault::foreign("points elsewhere"));
    assert_eq!((story.phase(1), story.work()), (Phase::Stuck(Stuck::Drifted), vec![]));
    // Also when it is read back.
    let mut story = chain(&["a"]);
    story.plans(0).applies(0).fails(0).answers(0, Answer::Undone(Ok(None)));
    story.cannot_see(0, Fault::foreign("points elsewhere"));
    assert_eq!(story.phase(0), Phase::Stuck(Stuck::Drifted));
}

#[test]
fn other_branches_go_on_being_undone_when_one_is_stuck() {
    let mut story = tell(simple(vec![act("base", &[]), act("a", &[0]), act("b", &[0]), act("c", &[2])]));
    story.does(0).does(1).does(2).plans(3).applies(3).fails(3);
    story.cannot_undo(1, Fault::foreign("elsewhere"));
    assert_eq!(story.paused(), None, "not while there is something to undo");
    story.undoes(3).undoes(2);
    assert_eq!((story.paused(), story.phase(0)), (Some(PauseCause::Stuck(StepIx(1))), Phase::Done));
}

#[test]
fn in_doubt_on_the_way_back_is_settled_before_it_is_undone() {
    let mut story = chain(&["a"]);
    story.plans(0).order(abort());
    assert_eq!(story.work(), [Work::Apply(StepIx(0))], "the call ends first");
    story.loses(0);
    assert_eq!(story.work(), [Work::Settle(StepIx(0))]);
    // It landed: undone. It did not: nothing to undo, and that is read, not assumed.
    let mut landed = story.clone();
    assert_eq!(landed.arrives(0).work(), [Work::Undo(StepIx(0))]);
    assert_eq!(landed.undoes(0).ending(), Ending::Aborted);
    story.now = 90;
    assert_eq!(story.sees(0, Look::Prior).phase(0), Phase::Undone(Receipt::Restored));
    assert_eq!(story.ending(), Ending::Aborted);
}

#[test]
fn what_cannot_be_seen_is_undone_once_it_can_land_no_more() {
    let mut story = chain(&["a"]);
    story.plans(0).crashes().order(abort()).cannot_see(0, Fault::blind("no check was given"));
    assert_eq!(story.phase(0), Phase::UndoBackoff { until: Timestamp(90_000) });
    assert_eq!(story.after(90).work(), [Work::Undo(StepIx(0))]);
}

#[test]
fn a_lost_undo_may_land_late_so_it_is_called_again_after_that() {
    let mut story = chain(&["a"]);
    story.plans(0).applies(0).fails(0).crashes();
    let wake = story.due()[0];
    assert_eq!((wake.work, wake.from), (Work::Wake, Timestamp(90_000)));
    assert_eq!(story.after(90).work(), [Work::Undo(StepIx(0))]);
}

#[test]
fn the_way_back_has_a_drain_too() {
    let mut story = chain(&["deploy", "switch"]);
    story.does(0).plans(1).applies(1).fails(1).answers(1, Answer::Undone(Ok(None)));
    let draining = Look::Moving { note: Some("\"until 300\"".into()), again: secs(300) };
    story.sees(1, draining).crashes();
    let confirm = story.due()[0];
    assert_eq!((confirm.work, confirm.from), (Work::Confirm(StepIx(1)), Timestamp(300_000)));
    assert_eq!(story.phase(0), Phase::Done, "nothing is taken away that users may still reach");
    story.now = 300;
    assert_eq!(story.sees(1, Look::Prior).work(), [Work::Undo(StepIx(0))]);
}

#[test]
fn what_must_finish_is_awaited_and_what_it_stands_on_too() {
    for left in [false, true] {
        let migrate = act("migrate", &[0]);
        let undo = if left { Undo::Keep("unused".into()) } else { Undo::Own };
        let mut story = tell(simple(vec![act("deploy", &[]), Step { undo, ..migrate }]));
        story.does(0);
        story.proposal = Proposal { must_finish: true, ..story.proposal.clone() };
        story.plans(1).order(abort());
        assert!(story.due().iter().all(|due| !due.stop), "a migration is never interrupted");
        assert_eq!(story.applies(1).work(), [Work::Watch(StepIx(1))], "and is watched to its end");
        story.arrives(1);
        if left {
            assert_eq!(story.phase(1), Phase::Undone(Receipt::Left));
        } else {
            story.undoes(1);
        }
        assert_eq!(story.work(), [Work::Undo(StepIx(0))]);
    }
}

#[test]
fn what_is_harmless_or_kept_is_left() {
    let expand = Step { reversibility: Reversibility::Expand, ..act("columns", &[0]) };
    let kept = Step { undo: Undo::Keep("useful".into()), ..act("cache", &[1]) };
    let mut story = tell(simple(vec![act("a", &[]), expand, kept, act("b", &[2])]));
    story.does(0).does(1).does(2).order(abort());
    assert_eq!(
        (story.phase(1), story.phase(2)),
        (Phase::Undone(Receipt::Left), Phase::Undone(Receipt::Left))
    );
    assert_eq!(story.undoes(0).ending(), Ending::Aborted);
}

#[test]
fn a_timeout_bounds_the_way_forward_and_not_the_drain_of_the_way_back() {
    let bounded = Step { timeout: Some(secs(60)), ..act("a", &[]) };
    for (step, until) in [(act("a", &[]), 610_000), (bounded, 70_000)] {
        let mut story = tell(simple(vec![step]));
        story.plans(0);
        story.now = 10;
        assert_eq!(story.applies(0).due()[0].until, Timestamp(until));
        assert_eq!(story.run.since(StepIx(0)), Some(Timestamp(10_000)));
        story.now = 20;
        story.fails(0).answers(0, Answer::Undone(Ok(None)));
        assert_eq!(story.due()[0].until, Timestamp(620_000));
        assert_eq!(story.run.since(StepIx(0)), Some(Timestamp(20_000)));
    }
}

#[test]
fn an_undo_of_its_own_has_its_own_time() {
    let step = Step { undo: Undo::By(uses()), ..act("a", &[]) };
    let mut story = tell(simple(vec![step]));
    story.does(0).order(abort());
    assert_eq!(story.phase(0), Phase::Undoing { by: Timestamp(600_000) });
}

#[test]
fn past_a_point_of_no_return_only_a_person_goes() {
    let steps = vec![act("deploy", &[]), irreversible("promote", &[0]), act("switch", &[1])];
    let mut story = tell(simple(steps));
    story.does(0).does(1).does(2);
    assert_eq!(story.ending(), Ending::Done);
    story.order(abort());
    assert_eq!(refusal(&story), Refusal::HeldBy(PauseCause::Barrier(StepIx(1))));
    // As far as the step after it, and there it pauses.
    let mut to = story.clone();
    to.order(back(Rewind::To(StepIx(2)))).undoes(2);
    assert_eq!((to.paused(), to.run.mode), (Some(PauseCause::Rewound(StepIx(2))), Mode::Rollback));
    assert_eq!(to.clone().order(Order::Continue).does(2).ending(), Ending::Done, "forward again from there");
    // And no further, unless they say so.
    for _ in 0..2 {
        assert_eq!(to.order(abort()).paused(), Some(PauseCause::Barrier(StepIx(1))));
    }
    assert_eq!(refusal(&to), Refusal::HeldBy(PauseCause::Barrier(StepIx(1))));
    assert_eq!(to.order(back(Rewind::All)).undoes(0).run.mode, Mode::Finished(Verdict::Incomplete));
    // All the way: what cannot be undone is taken over, and the verdict says so.
    story.order(back(Rewind::All)).undoes(2);
    assert_eq!(story.phase(1), Phase::Undone(Receipt::TakenOver));
    assert_eq!(story.undoes(0).run.mode, Mode::Finished(Verdict::Incomplete));
}

#[test]
fn going_forward_again_looks_at_what_was_left_and_repeats_what_was_undone() {
    let steps =
        vec![act("deploy", &[]), irreversible("promote", &[0]), act("health", &[1]), act("switch", &[2])];
    let mut story = tell(simple(steps));
    story.does(0).does(1).passes(2).does(3).order(back(Rewind::To(StepIx(1)))).undoes(3);
    assert_eq!(story.paused(), Some(PauseCause::Rewound(StepIx(1))));
    let round = story.run[StepIx(1)].round;
    story.order(Order::Continue);
    assert_eq!(story.work(), [Work::Settle(StepIx(1))], "looked at, not applied again");
    assert_eq!(story.run[StepIx(1)].round, round + 1, "and if it is, then as another call");
    story.arrives(1).arrives(1);
    assert_eq!(story.work(), [Work::Plan(StepIx(2))], "what only checked holds no longer");
    assert_eq!(story.passes(2).does(3).ending(), Ending::Done);
}

#[test]
fn a_checkpoint_stops_a_rollback_by_itself() {
    let steps = vec![act("one", &[]), checkpoint("wave", &[0]), act("two", &[1])];
    let mut story = tell(simple(steps));
    story.does(0).plans(2).applies(2).fails(2).undoes(2);
    assert_eq!((story.paused(), story.phase(0)), (Some(PauseCause::Checkpoint(StepIx(1))), Phase::Done));
    assert_eq!(story.ending(), Ending::NeedsHuman);
    story.order(abort());
    assert_eq!(refusal(&story), Refusal::HeldBy(PauseCause::Checkpoint(StepIx(1))));
    assert_eq!(story.clone().order(back(Rewind::All)).undoes(0).ending(), Ending::RolledBack);
    assert_eq!(story.order(Order::Continue).does(2).ending(), Ending::Done);
}

#[test]
fn a_lost_undo_settles_before_its_step_is_done_again() {
    let steps = vec![act("one", &[]), checkpoint("wave", &[0]), act("two", &[1])];
    let mut story = tell(simple(steps));
    story.does(0).plans(2).applies(2).fails(2);
    story.now = 10;
    story.cannot_undo(2, Fault::lost("timeout"));
    assert_eq!(story.phase(2), Phase::UndoBackoff { until: Timestamp(90_000) });
    story.now = 90;
    story.after(0).undoes(2).order(Order::Continue);
    assert_eq!(story.phase(2), Phase::Planning);
}

#[test]
fn writes_that_would_be_left_behind_are_asked_about() {
    let switch = Step { writes: Some(Writes::Diverge), ..act("switch", &[0]) };
    let steps = || vec![act("deploy", &[]), switch.clone(), act("soak", &[1])];
    let mut story = tell(simple(steps()));
    story.does(0).plans(1).applies(1);
    story.now = 5;
    story.fails(1);
    let hold = PauseCause::Diverged { step: StepIx(1), since: Timestamp(0) };
    assert_eq!(
        (story.paused(), story.run.mode, story.ending()),
        (Some(hold.clone()), Mode::Forward, Ending::NeedsHuman)
    );
    story.order(abort());
    assert_eq!(refusal(&story), Refusal::HeldBy(hold));
    assert_eq!(story.clone().order(back(Rewind::All)).undoes(1).undoes(0).ending(), Ending::Aborted);
    assert_eq!(story.order(Order::Continue).arrives(1).arrives(1).does(2).ending(), Ending::Done);
    // A call of just now is undone at once; one that was lost long ago is asked about.
    let mut story = tell(simple(steps()));
    story.does(0).plans(1);
    let mut crashed = story.clone();
    assert_eq!(story.order(abort()).run.mode, Mode::Rollback);
    assert_eq!(story.applies(1).work(), [Work::Undo(StepIx(1))]);
    crashed.now = 4000;
    crashed.crashes().order(abort());
    assert_eq!(crashed.paused(), Some(PauseCause::Diverged { step: StepIx(1), since: Timestamp(0) }));
    // Where data are shared there is nothing to ask.
    let shared = Step { writes: Some(Writes::Shared), ..act("switch", &[]) };
    let mut story = tell(simple(vec![shared]));
    assert_eq!(story.plans(0).applies(0).fails(0).run.mode, Mode::Rollback);
}

#[test]
fn abort_works_in_a_backoff_a_wait_and_a_pause_and_stops_a_rollback() {
    let mut story = chain(&["a", "b"]);
    story.does(0).plans(1).cannot_apply(1, Fault::transient("throttled")).order(abort());
    assert_eq!(story.work(), [Work::Undo(StepIx(1))]);
    let mut story = chain(&["a", "wait"]);
    story.does(0).plans_stages(1, 0).order(abort());
    assert_eq!(story.work(), [Work::Undo(StepIx(0))], "a wait ends now");
    let mut story = chain(&["a", "b"]);
    story.does(0).order(Order::Pause { reason: None }).order(abort());
    assert_eq!((story.paused(), story.work()), (None, vec![Work::Undo(StepIx(0))]));
    // Once more: it stops; and goes on.
    story.order(abort()).undoes(0);
    assert_eq!((story.paused(), story.run.rests()), (Some(PauseCause::Operator), true));
    assert_eq!(story.order(Order::Continue).ending(), Ending::Aborted);
}

#[test]
fn finally_runs_after_every_ending_and_changes_no_verdict() {
    let steps = || vec![act("switch", &[]), finally("unpin", &[])];
    let mut done = tell(simple(steps()));
    done.does(0);
    assert_eq!(done.work(), [Work::Plan(StepIx(1))]);
    assert_eq!(done.does(1).ending(), Ending::Done);
    // Rolled back after that: it runs once more.
    done.order(abort()).undoes(0);
    assert_eq!(done.work(), [Work::Plan(StepIx(1))]);
    assert_eq!(done.does(1).ending(), Ending::Aborted);

    let mut failed = tell(simple(steps()));
    failed.does(0).plans(1).cannot_apply(1, Fault::permanent("no"));
    assert_eq!(failed.run.mode, Mode::Finished(Verdict::Completed));
    assert_eq!(
        (failed.run.finally_failed(), failed.ending()),
        (true, Ending::NeedsHuman),
        "but the exit code shows"
    );

    // Stuck: before a human is asked, and again at the end.
    let mut stuck = tell(simple(steps()));
    stuck.plans(0).applies(0).fails(0).cannot_undo(0, Fault::foreign("elsewhere"));
    assert_eq!((stuck.paused(), stuck.work()), (None, vec![Work::Plan(StepIx(1))]));
    stuck.does(1);
    assert_eq!(stuck.paused(), Some(PauseCause::Stuck(StepIx(0))));
    stuck.order(retry(0)).undoes(0);
    assert_eq!(stuck.work(), [Work::Plan(StepIx(1))]);
    assert_eq!(stuck.does(1).ending(), Ending::RolledBack);
    // Not where a rollback was only to go so far.
    let steps = vec![act("one", &[]), checkpoint("wave", &[0]), act("two", &[1]), finally("unpin", &[])];
    let mut held = tell(simple(steps));
    held.does(0).plans(2).applies(2).fails(2).undoes(2);
    assert_eq!((held.paused(), held.work()), (Some(PauseCause::Checkpoint(StepIx(1))), vec![]));
}

#[test]
fn an_abort_while_finally_runs_waits_for_its_call_and_runs_it_after() {
    let mut story = tell(simple(vec![act("switch", &[]), finally("unpin", &[])]));
    story.does(0).plans(1).order(abort());
    assert_eq!(story.work(), [Work::Undo(StepIx(0)), Work::Apply(StepIx(1))]);
    story.applies(1);
    assert_eq!(story.phase(1), Phase::Waiting);
    story.undoes(0);
    assert_eq!(story.work(), [Work::Plan(StepIx(1))]);
    assert_eq!(story.does(1).ending(), Ending::Aborted);
}

#[test]
fn a_human_settles_a_step_and_the_world_contradicts_where_it_can() {
    let mut failed = tell(simple(vec![on_failure(OnFailure::Pause, act("a", &[])), act("b", &[0])]));
    failed.plans(0).applies(0).fails(0);
    // Said to be done.
    let mut done = failed.clone();
    done.order(settle(0, true));
    assert_eq!(done.work(), [Work::Settle(StepIx(0))]);
    let mut denied = done.clone();
    denied.sees(0, Look::Prior);
    assert!(matches!(denied.last(), Event::RunPaused { cause: PauseCause::Failed(_) }));
    assert_eq!(denied.count(0, |e| matches!(e, StepEvent::SettleRefused { .. })), 1);
    assert_eq!(done.arrives(0).does(1).ending(), Ending::Done);
    // Said to be undone: what nobody can see is believed, and it is planned anew.
    failed.order(settle(0, false)).cannot_see(0, Fault::blind("no check"));
    assert_eq!(failed.work(), [Work::Plan(StepIx(0))]);

    // A stuck undo that was done by hand: read, so RESTORED; else taken over.
    let mut stuck = chain(&["a"]);
    stuck.plans(0).applies(0).fails(0).cannot_undo(0, Fault::foreign("elsewhere")).order(settle(0, false));
    assert_eq!(stuck.clone().sees(0, Look::Prior).ending(), Ending::RolledBack);
    assert_eq!(stuck.clone().cannot_see(0, Fault::blind("?")).ending(), Ending::NeedsHuman);
    stuck.sees(0, desired());
    assert_eq!(stuck.paused(), Some(PauseCause::Stuck(StepIx(0))), "it is in place, says the world");
}

#[test]
fn what_a_human_says_is_not_there_is_done_again_once_a_lost_call_can_land_no_more() {
    let mut story = chain(&["a"]);
    story.plans(0).crashes().cannot_see(0, Fault::blind("?"));
    story.order(settle(0, false)).cannot_see(0, Fault::blind("?"));
    assert_eq!((story.phase(0), story.wakes()), (Phase::Waiting, Some(Timestamp(90_000))));
    assert_eq!(story.after(90).work(), [Work::Plan(StepIx(0))]);
}

#[test]
fn a_step_that_another_stands_on_is_not_undone_alone() {
    let tolerated = on_failure(OnFailure::Continue, act("base", &[]));
    let mut story = tell(simple(vec![tolerated, act("a", &[0]), act("b", &[1])]));
    story.does(0).does(1).cannot_see(0, Fault::foreign("elsewhere"));
    // It is applied again, and now it fails.
    story.order(retry(0)).arrives(0).fails(0);
    assert_eq!(story.paused(), Some(PauseCause::Failed(StepIx(0))));
    assert_eq!(story.order(skip(0)).does(2).ending(), Ending::Done, "a person may say so");
}

#[test]
fn what_a_human_mended_is_theirs_also_where_its_failure_is_tolerated() {
    let tolerated = on_failure(OnFailure::Continue, act("base", &[]));
    let mut story = tell(simple(vec![tolerated, act("a", &[0])]));
    story.plans(0).cannot_apply(0, Fault::foreign("elsewhere")).order(retry(0));
    for fault in [Fault::permanent("no"), Fault::blind("?")] {
        let mut story = story.clone();
        assert_eq!(story.cannot_see(0, fault).paused(), Some(PauseCause::Failed(StepIx(0))));
        assert_eq!(story.order(skip(0)).does(1).ending(), Ending::Done);
    }
}

#[test]
fn a_rollback_does_not_rest_while_a_call_is_in_doubt() {
    let mut story = chain(&["base", "a", "b"]);
    story.does(0).does(1).cannot_see(0, Fault::foreign("elsewhere"));
    story.order(retry(0)).order(abort()).cannot_undo(1, Fault::foreign("elsewhere"));
    assert_eq!((story.paused(), story.work()), (None, vec![Work::Settle(StepIx(0))]));
    assert_eq!(story.arrives(0).paused(), Some(PauseCause::Stuck(StepIx(1))));
}

#[test]
fn on_the_way_back_no_answer_counts_that_was_for_the_way_forward() {
    let mut story = chain(&["a", "b", "c"]);
    story.does(0).does(1).order(abort());
    let planned = story.phase(2);
    assert_eq!(story.plans(2).phase(2), planned, "nobody asks any more what it would do");
    assert_eq!(story.cannot_see(0, Fault::foreign("elsewhere")).phase(0), Phase::Done, "its undo will see");

    let mut story = chain(&["a", "b", "c"]);
    story.does(0).does(1).cannot_see(0, Fault::foreign("elsewhere")).order(retry(0)).arrives(0);
    story.order(abort());
    let watching = story.phase(0);
    assert_eq!(story.fails(0).phase(0), watching, "it is undone in its turn, whatever came of it");
    assert_eq!(story.undoes(1).undoes(0).ending(), Ending::Aborted);
}

#[test]
fn what_is_in_doubt_and_not_ours_is_stuck_on_the_way_back() {
    let mut story = chain(&["a"]);
    story.plans(0).crashes().order(abort()).cannot_see(0, Fault::foreign("elsewhere"));
    assert_eq!(story.phase(0), Phase::Stuck(Stuck::Drifted));
}

#[test]
fn each_call_of_an_undo_has_a_client_token_of_its_own() {
    let mut story = chain(&["a"]);
    story.plans(0).applies(0).fails(0);
    let round = story.run[StepIx(0)].round;
    story.cannot_undo(0, Fault::transient("throttled"));
    assert_eq!(story.run[StepIx(0)].round, round + 1);
}

#[test]
fn a_rollback_to_a_step_with_nothing_in_force_before_it_is_a_whole_one() {
    let mut story =
        tell(simple(vec![act("check", &[]), act("a", &[0]), act("b", &[1]), finally("tidy", &[])]));
    story.passes(0).does(1).does(2).passes(3).order(back(Rewind::To(StepIx(1)))).undoes(2).undoes(1);
    assert_eq!(story.passes(3).ending(), Ending::Aborted);
}

#[test]
fn finally_runs_once_for_an_ending_and_again_for_another() {
    let steps = || vec![act("switch", &[]), finally("unpin", &[])];
    let mut mended = tell(simple(steps()));
    mended.does(0).plans(1).cannot_see(0, Fault::foreign("elsewhere")).applies(1).arrives(1);
    assert_eq!(mended.order(retry(0)).arrives(0).arrives(0).ending(), Ending::Done, "once");
    // Also where nothing is left to undo.
    let mut checked = tell(simple(steps()));
    checked.passes(0).passes(1).order(abort());
    assert_eq!(checked.work(), [Work::Plan(StepIx(1))], "again");
}

#[test]
fn what_a_human_says_is_held_against_each_look() {
    let moving = || Look::Moving { note: None, again: secs(1) };
    let elsewhere = || Fault::foreign("points elsewhere");
    let denied = |story: &Story| {
        let refused = story.facts.iter().rev().find_map(|fact| match fact {
            Event::Step(_, StepEvent::SettleRefused { reason }) => Some(reason.to_string()),
            _ => None,
        });
        refused.expect("the world contradicts")
    };
    let mut failed = tell(simple(vec![on_failure(OnFailure::Pause, act("a", &[]))]));
    failed.plans(0).applies(0).fails(0);
    let (mut done, mut undone) = (failed.clone(), failed);
    done.order(settle(0, true));
    assert!(matches!(done.clone().sees(0, moving()).phase(0), Phase::Watching { .. }), "it is awaited");
    assert_eq!(denied(done.cannot_see(0, elsewhere())), "points elsewhere");
    undone.order(settle(0, false));
    assert_eq!(denied(undone.clone().sees(0, moving())), "what the step made is under way");
    assert_eq!(denied(undone.arrives(0)), "what the step made is in place");

    let mut stuck = chain(&["a"]);
    stuck.plans(0).applies(0).fails(0).cannot_undo(0, elsewhere());
    let (mut left, mut gone) = (stuck.clone(), stuck);
    left.order(settle(0, true));
    for look in [Ok(moving()), Err(elsewhere())] {
        let mut left = left.clone();
        assert_eq!(left.answers(0, Answer::Looked(look)).phase(0), Phase::Undone(Receipt::TakenOver));
    }
    assert_eq!(denied(left.sees(0, Look::Prior)), "the prior state is in place");
    assert_eq!(denied(gone.order(settle(0, false)).sees(0, moving())), "it is not back yet");
}

#[test]
fn a_deep_plan_of_what_is_left_is_unwound_in_one_go() {
    let keep = |n: u32| Step {
        undo: Undo::Keep("x".into()),
        ..act(&format!("s{n}"), &n.checked_sub(1).into_iter().collect::<Vec<_>>())
    };
    let mut story = tell(simple((0..50).map(keep).collect()));
    for n in 0..49 {
        story.does(n);
    }
    story.order(abort());
    assert_eq!(story.ending(), Ending::Aborted);
}
