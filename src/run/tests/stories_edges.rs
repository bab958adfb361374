//! The edges of the machine: what comes twice, late or from nowhere changes nothing, and a journal that is not ours is
//! refused.

use super::build::{act, approve, plan, policy, secs, simple};
use super::story::{Story, chain, person, retry, tell};
use crate::plan::{Policy, StepIx, Timestamp};
use crate::run::{
    Answer, Event, Fault, IllegalEvent, Input, Look, Order, Receipt, Refusal, StepEvent, decide,
};

/// Nothing follows from it.
fn ignores(story: &Story, input: Input) {
    assert_eq!(decide(&story.run, &input, story.at()), [], "{input:?}");
}

/// It cannot follow the facts so far.
fn refuses(story: &Story, event: Event) {
    assert_eq!(story.run.clone().evolve(&event), Err(IllegalEvent(event)));
}

fn refuses_of_step(story: &Story, facts: &[StepEvent]) {
    for fact in facts {
        refuses(story, Event::Step(StepIx(0), fact.clone()));
    }
}

#[test]
fn a_run_begins_once() {
    ignores(&chain(&["a"]), Input::Begin { by: person("bo") });
}

#[test]
fn an_answer_to_older_work_or_for_no_step_changes_nothing() {
    let mut story = chain(&["a"]);
    story.plans(0).applies(0);
    let turn = story.run[StepIx(0)].turn;
    story.sees(0, Look::Moving { note: Some("\"half\"".into()), again: secs(1) });
    for (step, turn) in [(0, turn), (1, 0), (2, 0)] {
        let answer = Answer::Looked(Err(Fault::permanent("no")));
        ignores(&story, Input::Answered { step: StepIx(step), turn, answer });
    }
}

#[test]
fn a_deadline_is_set_once() {
    let policy = Policy { deadline: Some(secs(60)), ..policy() };
    let story = tell(plan(vec![act("a", &[])], Vec::new(), Vec::new(), policy));
    refuses(&story, Event::DeadlineSet { deadline: Timestamp(90_000) });
}

#[test]
fn an_order_is_answered_once() {
    let mut story = chain(&["a"]);
    story.order(Order::Pause { reason: None });
    let (by, order) = (person("bo"), Order::Continue);
    refuses(&story, Event::OrderTaken { id: 1, by: by.clone(), order: order.clone() });
    refuses(&story, Event::OrderRefused { id: 1, by, order, refusal: Refusal::NotPaused });
}

#[test]
fn nothing_is_undone_of_a_step_that_has_left_nothing() {
    let undone = StepEvent::Undone { receipt: Receipt::Left };
    let in_doubt = StepEvent::WasInDoubt { reason: "?".into() };
    let again = StepEvent::RetryScheduled { at: Timestamp(1), fault: Fault::blind("?") };
    let mut story = chain(&["a"]);
    story.order(Order::Pause { reason: None }).plans(0);
    refuses_of_step(&story, &[undone.clone(), in_doubt, StepEvent::Undoing { by: Timestamp(1) }]);
    let mut story = chain(&["a"]);
    story.plans(0).cannot_apply(0, Fault::foreign("elsewhere")).order(retry(0));
    refuses_of_step(&story, &[undone, again]);
}

#[test]
fn what_a_call_under_way_does_is_not_known() {
    let mut story = chain(&["a"]);
    refuses_of_step(story.plans(0), &[StepEvent::Undone { receipt: Receipt::Left }]);
    refuses_of_step(story.applies(0).fails(0), &[StepEvent::Undone { receipt: Receipt::TakenOver }]);
}

#[test]
fn only_what_was_read_back_is_restored() {
    let mut story = chain(&["a", "b"]);
    refuses_of_step(story.does(0), &[StepEvent::Undone { receipt: Receipt::Restored }]);
}

#[test]
fn a_change_is_applied_again_as_it_was_planned() {
    let mut story = chain(&["a"]);
    story.plans(0).cannot_apply(0, Fault::transient("throttled"));
    refuses_of_step(&story, &[StepEvent::Started, StepEvent::Applying { stage: 2, by: Timestamp(1) }]);
}

#[test]
fn nobody_approves_twice() {
    let mut story = tell(simple(vec![approve("go", &[], 2, false)]));
    story.order(Order::Approve { step: StepIx(0) });
    refuses_of_step(&story, &[StepEvent::Approved { by: "bo".into() }]);
}

#[test]
fn a_run_rests_when_only_a_human_gets_it_on() {
    let mut story = chain(&["a", "b"]);
    assert!(!story.plans(0).run.rests());
    story.order(Order::Pause { reason: None });
    assert!(!story.run.rests(), "a call is under way");
    assert!(story.applies(0).arrives(0).run.rests());
    let asking = tell(simple(vec![approve("go", &[], 1, false)]));
    assert!(!asking.run.rests(), "it waits for an answer, and may not have it in time");
}

#[test]
fn a_fault_is_told_by_its_message() {
    assert_eq!(Fault::permanent("denied").to_string(), "denied");
}
