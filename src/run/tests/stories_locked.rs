//! The lock in the world: what the machine knows of it, which is that it is no change yet.

use super::build::{act, simple};
use super::story::{Story, retry, skip, tell};
use crate::plan::{FREE, LOCK, StepIx};
use crate::run::{Answer, Cause, Ending, Fault, PauseCause, Work};

fn locked() -> Story {
    tell(simple(vec![act(FREE, &[]), act(LOCK, &[0]), act("a", &[1]), act("b", &[2])]))
}

#[test]
fn whoever_finds_it_locked_has_changed_nothing_and_asks() {
    let mut story = locked();
    let fault = Fault::foreign("locked by another run");
    story.answers(0, Answer::Planned(Err(fault.clone())));
    assert_eq!(story.run.paused, Some(PauseCause::Foreign(StepIx(0))));
    assert_eq!(story.ending(), Ending::LockedOut);
    story.order(retry(0)).answers(0, Answer::Planned(Err(fault.clone())));
    assert_eq!(story.ending(), Ending::LockedOut);
    // A person takes it over; and somebody else was quicker.
    story.order(skip(0)).plans(1).cannot_apply(1, fault);
    assert_eq!((story.run.wrote, story.ending()), (false, Ending::LockedOut));
    story.order(retry(1)).arrives(1).arrives(1);
    assert_eq!(story.work(), [Work::Plan(StepIx(2))]);
}

#[test]
fn what_fails_once_it_is_locked_has_changed_nothing() {
    let mut story = locked();
    story.passes(0).does(1);
    assert!(!story.run.guarded(0), "guards watch what was changed");
    story.answers(2, Answer::Planned(Err(Fault::permanent("no"))));
    assert_eq!(story.run.cause, Some(Cause::Failed(StepIx(2))));
    assert_eq!(story.work(), [Work::Undo(StepIx(1))], "it is given back");
    story.undoes(1);
    assert_eq!(story.ending(), Ending::NothingChanged);
}

#[test]
fn whoever_loses_it_later_is_not_locked_out() {
    let mut story = locked();
    story.passes(0).does(1).does(2);
    assert!(story.run.guarded(0));
    story.cannot_see(1, Fault::foreign("locked by another run"));
    assert_eq!(story.run.paused, Some(PauseCause::Foreign(StepIx(1))));
    assert_eq!(story.ending(), Ending::Resumable, "something was changed");
}
