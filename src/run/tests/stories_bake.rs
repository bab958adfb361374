//! Guards that are kept for a while once all is done: what they see turns the run back, and silence ends nothing.

use super::build::{act, checkpoint, finally, guard, plan, policy, secs};
use super::story::{Story, abort, person, retry, tell};
use crate::mutant::{Mistake, making};
use crate::plan::{Guard, GuardSpan, OnBreach, Policy, Step, StepIx, Timestamp};
use crate::run::{
    Actor, Bake, Cause, Due, Ending, Event, Fault, Input, Mode, Order, PauseCause, Phase, Refusal, Run,
    Verdict, Work,
};

const PAUSE: Order = Order::Pause { reason: None };
const UNTIL: Timestamp = Timestamp(60_000);

/// A run that bakes for a minute.
fn guarded(steps: Vec<Step>, guards: Vec<Guard>) -> Story {
    tell(plan(steps, Vec::new(), guards, Policy { bake: Some(secs(60)), ..policy() }))
}

fn to_bake(steps: Vec<Step>) -> Story {
    guarded(steps, vec![guard("errors", OnBreach::Rollback)])
}

/// One change is in force since the beginning, and `finally` is yet to come.
fn baking() -> Story {
    let mut story = to_bake(vec![act("a", &[]), finally("f", &[])]);
    story.does(0);
    story
}

impl Story {
    fn satisfies(&mut self, guard: usize) -> &mut Self {
        self.hears(Input::Satisfied { guard })
    }

    fn guards(&self) -> Vec<Due> {
        self.due().into_iter().filter(|due| matches!(due.work, Work::Guard(_))).collect()
    }
}

#[test]
fn the_guards_stay_once_all_is_done_and_finally_comes_after() {
    let mut story = baking();
    assert_eq!(*story.last(), Event::Baking { until: UNTIL });
    assert_eq!((story.run.mode, story.run.bakes_until()), (Mode::Forward, Some(UNTIL)));
    assert_eq!((story.work(), story.wakes(), story.run.rests()), (vec![], None, false));
    assert_eq!(story.ending(), Ending::Done);
    let [guard] = story.guards()[..] else { panic!("{:?}", story.due()) };
    assert_eq!((guard.turn, guard.until), (1, UNTIL));
    assert!(
        story.due().iter().any(|due| due.work == Work::Hold(StepIx(0))),
        "and what was done is looked at"
    );
    // That all is well counts once the time is over.
    story.now = 59;
    assert_eq!(*story.satisfies(0).last(), Event::Baking { until: UNTIL });
    story.now = 60;
    story.satisfies(0);
    let end = [Event::GuardSatisfied { guard: 0 }, Event::Baked];
    assert_eq!(story.facts[story.facts.len() - 3..][..2], end);
    assert_eq!((story.work(), story.guards()), (vec![Work::Plan(StepIx(1))], vec![]));
    story.does(1);
    assert_eq!(*story.last(), Event::RunFinished { verdict: Verdict::Completed });
}

/// What a process that ends meanwhile exits with.
#[test]
fn a_bake_is_as_good_as_an_end_unless_it_is_to_be_turned_back() {
    let mut story = to_bake(vec![act("a", &[])]);
    assert_eq!((story.run.is_held(), story.ending()), (false, Ending::Resumable), "it has yet to bake");
    assert_eq!(story.does(0).ending(), Ending::Done);
    let policy = Policy { bake: Some(secs(60)), veto: Some(secs(60)), ..policy() };
    let mut story =
        tell(plan(vec![act("a", &[])], Vec::new(), vec![guard("errors", OnBreach::Rollback)], policy));
    story.does(0);
    assert_eq!(story.ending(), Ending::Done);
    story.trips();
    assert_eq!((story.paused(), story.run.is_held(), story.ending()), (None, true, Ending::Resumable));
}

#[test]
fn silence_ends_no_bake() {
    let mut story = baking();
    assert_eq!((story.after(90_000).run.bakes_until(), story.work()), (Some(UNTIL), vec![]));
    // Nor does one guard of two; and what it said is forgotten by whoever takes the run over.
    let both = ["errors", "alarms"].map(|id| guard(id, OnBreach::Rollback));
    let mut story = guarded(vec![act("a", &[])], both.into());
    story.does(0).after(70).satisfies(0);
    let asked: Vec<bool> = story.guards().iter().map(|due| due.until == UNTIL).collect();
    assert_eq!((story.run.bake, asked), (Bake::Until(UNTIL), vec![false, true]), "and it watches on");
    story.crashes().satisfies(1);
    assert_eq!(story.run.bake, Bake::Until(UNTIL));
    assert_eq!(story.satisfies(0).ending(), Ending::Done);
    assert!(story.run.is_finished());
}

/// What it is compared with was measured before the switch: it cannot be measured again.
#[test]
fn what_a_guard_has_noted_is_kept() {
    let noted = |story: &Story| story.run.guards[0].note.as_deref().map(str::to_owned);
    let notes = |story: &mut Story, note: &str| {
        let (turn, next) = (story.guards()[0].turn, Timestamp((story.now + 30) * 1000));
        story.hears(Input::Noted { guard: 0, turn, note: note.into(), next });
        turn
    };
    let mut story = to_bake(vec![act("a", &[])]);
    story.plans(0).applies(0);
    let turn = notes(&mut story, "first");
    let [guard] = story.guards()[..] else { panic!("{:?}", story.due()) };
    assert_eq!((guard.turn, guard.from), (turn + 1, Timestamp(30_000)), "it looks again then");
    story.hears(Input::Noted { guard: 0, turn, note: "late".into(), next: Timestamp::PAST });
    assert_eq!(noted(&story).unwrap(), "first", "what is not asked for any more is not taken");
    assert_eq!(noted(story.crashes()).unwrap(), "first");
    assert_eq!(noted(story.arrives(0)).unwrap(), "first");
    assert_eq!(story.run.bakes_until(), Some(UNTIL));
    notes(&mut story, "second");
    let seen = Input::Tripped { guard: 0, note: Some("third".into()), fault: Fault::foreign("theirs") };
    assert_eq!(noted(story.hears(seen)).unwrap(), "third", "the look that tripped it is kept");
    assert_eq!(noted(story.order(Order::Continue)).unwrap(), "third", "what it is compared with is not lost");
    assert_eq!(story.guards()[0].from, Timestamp::PAST, "and it begins again");
}

#[test]
fn a_bake_that_ends_by_the_clock_would_end_by_silence() {
    making(Some(Mistake::BakedByTheClock), || {
        let mut story = baking();
        assert_eq!((story.wakes(), story.after(60).run.bake), (Some(UNTIL), Bake::Over));
    });
    making(Some(Mistake::NotBaked), || assert_eq!(baking().work(), [Work::Plan(StepIx(1))]));
}

#[test]
fn whoever_takes_it_up_late_looks_first() {
    let mut story = baking();
    story.now = 5_000;
    story.crashes();
    assert_eq!((story.run.bakes_until(), story.work(), story.wakes()), (Some(UNTIL), vec![], None));
    assert_eq!(story.clone().trips().work(), [Work::Undo(StepIx(0))]);
    assert_eq!(story.satisfies(0).work(), [Work::Plan(StepIx(1))]);
}

#[test]
fn a_breach_does_what_it_did_before() {
    assert_eq!(baking().trips().work(), [Work::Undo(StepIx(0))]);
    let mut story = baking();
    story.trips().undoes(0).does(1);
    assert_eq!((story.ending(), &story.run.cause), (Ending::RolledBack, &Some(Cause::Guard(0))));
    assert_eq!(story.run.bake, Bake::Ahead);
    let mut story = baking();
    story.trips_with(Fault::blind("no samples"));
    assert_eq!((story.paused(), story.ending()), (Some(PauseCause::Guard(0)), Ending::Resumable));
    // It is held, and a person says no: the bake goes on.
    let veto = Policy { bake: Some(secs(60)), veto: Some(secs(30)), ..policy() };
    let guards = vec![guard("errors", OnBreach::Rollback)];
    let mut story = tell(plan(vec![act("a", &[])], Vec::new(), guards, veto));
    story.does(0).after(40).trips();
    assert_eq!((story.work(), story.wakes()), (vec![], Some(Timestamp(70_000))));
    assert_eq!(story.clone().after(30).work(), [Work::Undo(StepIx(0))]);
    story.order(Order::Continue).after(30);
    assert_eq!((story.run.bakes_until(), story.guards().len()), (Some(UNTIL), 1));
    assert!(story.satisfies(0).run.is_finished());
}

#[test]
fn somebody_elses_change_asks_and_then_it_bakes_on() {
    let mut story = baking();
    story.now = 59;
    story.cannot_see(0, Fault::foreign("not ours"));
    assert_eq!((story.paused(), story.phase(0)), (Some(PauseCause::Foreign(StepIx(0))), Phase::Foreign));
    story.after(10).satisfies(0);
    assert_eq!(story.run.bakes_until(), Some(UNTIL), "what holds the run holds its end");
    story.order(retry(0)).arrives(0).arrives(0);
    assert_eq!((story.work(), story.guards()[0].until), (vec![], UNTIL), "and it is asked once more");
    assert_eq!(story.satisfies(0).work(), [Work::Plan(StepIx(1))]);
}

#[test]
fn people_end_it_pause_it_and_turn_it_back() {
    assert_eq!(baking().order(Order::Continue).work(), [Work::Plan(StepIx(1))]);
    assert_eq!(baking().order(abort()).work(), [Work::Undo(StepIx(0))]);
    let alarm = Actor { name: "alertmanager".into(), automatic: true };
    assert_eq!(baking().order_by(alarm.clone(), abort()).work(), [Work::Undo(StepIx(0))]);
    let mut story = baking();
    story.order_by(alarm, Order::Continue);
    let refusal = Refusal::PersonNeeded;
    assert!(matches!(story.last(), Event::OrderRefused { refusal: why, .. } if *why == refusal));
    // Of a run that is paused it says to go on; once more, and it is enough.
    story.order(PAUSE).after(70).satisfies(0);
    assert_eq!((story.paused(), story.run.bakes_until()), (Some(PauseCause::Operator), Some(UNTIL)));
    story.order(Order::Continue);
    assert_eq!((story.paused(), story.run.bakes_until(), story.work()), (None, Some(UNTIL), vec![]));
    assert_eq!(story.order_by(person("cy"), Order::Continue).work(), [Work::Plan(StepIx(1))]);
    // Asked to stop, and taken up again, it bakes on.
    let mut story = baking();
    story.hears(Input::Interrupted).crashes();
    assert_eq!((story.paused(), story.run.bakes_until()), (None, Some(UNTIL)));
}

#[test]
fn what_no_guard_watches_to_the_end_does_not_bake() {
    let ended = |story: &Story| story.run.is_finished();
    assert!(ended(guarded(vec![act("a", &[])], Vec::new()).does(0)));
    let span = GuardSpan { until: Some(StepIx(0)), ..GuardSpan::default() };
    let early = Guard { span, ..guard("errors", OnBreach::Rollback) };
    assert!(ended(guarded(vec![act("a", &[])], vec![early]).does(0)));
    // Nothing was changed: there is nothing to turn back.
    assert!(ended(to_bake(vec![act("a", &[])]).passes(0)));
    assert!(ended(super::story::chain(&["a"]).does(0)));
}

#[test]
fn where_each_guard_has_said_its_word_it_bakes_for_alarms() {
    let mut story = guarded(vec![act("a", &[])], vec![guard("errors", OnBreach::Notify)]);
    story.does(0).trips();
    assert_eq!((story.guards(), story.wakes()), (vec![], Some(UNTIL)));
    // Whoever takes it up late hears first what was said meanwhile.
    story.now = 100;
    let mut late = story.clone();
    assert_eq!(late.crashes().run.bakes_until(), Some(UNTIL));
    assert_eq!(late.clone().order(abort()).work(), [Work::Undo(StepIx(0))]);
    assert!(late.after(0).run.is_finished());
    assert!(story.after(0).run.is_finished());
}

#[test]
fn the_deadline_is_about_the_work() {
    let rules = Policy { bake: Some(secs(60)), deadline: Some(secs(30)), ..policy() };
    let guards = vec![guard("errors", OnBreach::Rollback)];
    let mut story = tell(plan(vec![act("a", &[]), finally("f", &[])], Vec::new(), guards, rules));
    story.does(0);
    assert_eq!((story.wakes(), story.after(60).paused()), (None, None));
    story.satisfies(0).does(1);
    assert_eq!(story.ending(), Ending::Done);
}

#[test]
fn a_run_that_is_sent_forward_again_bakes_again() {
    let mut story = to_bake(vec![act("a", &[]), checkpoint("here", &[0]), act("b", &[1])]);
    story.does(0).does(2).order(abort()).undoes(2);
    assert_eq!(story.paused(), Some(PauseCause::Checkpoint(StepIx(1))));
    story.now = 100;
    story.order(Order::Continue).does(2);
    assert_eq!(story.run.bakes_until(), Some(Timestamp(160_000)));
    // And so it does after it had ended.
    story.after(60).satisfies(0);
    assert!(story.run.is_finished());
    story.order(abort()).undoes(2).order(Order::Continue).does(2);
    assert_eq!(story.run.bakes_until(), Some(Timestamp(220_000)));
}

#[test]
fn a_journal_tells_of_one_bake_at_a_time() {
    let (baking, before) = (baking().run, to_bake(vec![act("a", &[])]).run);
    let mut over = baking.clone();
    over.evolve(&Event::Baked).unwrap();
    let facts = [Event::Baking { until: UNTIL }, Event::GuardSatisfied { guard: 0 }, Event::Baked];
    let follows = |run: &Run| facts.clone().map(|fact| run.clone().evolve(&fact).is_ok());
    assert_eq!(follows(&before), [true, false, false]);
    assert_eq!(follows(&baking), [false, true, true]);
    assert_eq!(follows(&over), [false, false, false]);
    assert!(baking.clone().evolve(&Event::GuardSatisfied { guard: 1 }).is_err(), "there is no such guard");
}
