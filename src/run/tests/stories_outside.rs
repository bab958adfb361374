//! Guards that are tripped from outside: a trip is a breach like any other, it is heard while the guard watches, and nobody
//! waits for it.

use super::build::{act, approve, finally, guard, irreversible, plan, policy, secs, webhook};
use super::story::{Story, abort, tell};
use crate::plan::{Guard, GuardSpan, OnBreach, Policy, StepIx, Timestamp};
use crate::run::{Actor, Bake, Cause, Ending, Event, Fault, Mode, Order, PauseCause, Refusal, Work};

const UNTIL: Timestamp = Timestamp(60_000);

fn trip(guard: usize) -> Order {
    Order::Trip { guard, reason: "5 % fail".into() }
}

fn alert() -> Actor {
    Actor { name: "alertmanager".into(), automatic: true }
}

/// Two changes, of which the first is being made.
fn watched(guards: Vec<Guard>, policy: Policy) -> Story {
    let mut story = tell(plan(vec![act("a", &[]), act("b", &[0])], Vec::new(), guards, policy));
    story.plans(0).applies(0);
    story
}

fn alerts(on_breach: OnBreach) -> Story {
    watched(vec![webhook("alerts", on_breach)], policy())
}

impl Story {
    fn is_tripped(&mut self, guard: usize) -> &mut Self {
        self.order_by(alert(), trip(guard))
    }

    fn refuses(&mut self, guard: usize) -> Refusal {
        let before = self.run.clone();
        self.is_tripped(guard);
        let Event::OrderRefused { refusal, .. } = self.last() else {
            panic!("not refused: {:?}", self.last())
        };
        let refusal = refusal.clone();
        assert_eq!(
            (&before.steps, &before.paused, before.mode),
            (&self.run.steps, &self.run.paused, self.run.mode)
        );
        refusal
    }
}

#[test]
fn a_trip_is_a_breach_of_its_guard() {
    let fault = Fault::permanent("alertmanager says: 5 % fail");
    let rules = [policy(), Policy { veto: Some(secs(60)), ..policy() }];
    for on_breach in [OnBreach::Rollback, OnBreach::Pause, OnBreach::Notify] {
        for rules in &rules {
            let mut heard = watched(vec![webhook("alerts", on_breach)], rules.clone());
            let (mut seen, before) = (heard.clone(), heard.facts.len());
            heard.is_tripped(0);
            seen.trips_with(fault.clone());
            assert!(matches!(heard.facts[before], Event::OrderTaken { id: 1, .. }));
            assert_eq!(heard.facts[before + 1], Event::GuardTripped { guard: 0, fault: fault.clone() });
            assert_eq!(heard.facts[before + 1..], seen.facts[before..], "{on_breach:?}");
        }
    }
    let mut story = alerts(OnBreach::Rollback);
    assert_eq!(story.is_tripped(0).undoes(0).ending(), Ending::RolledBack);
    assert_eq!(story.run.cause, Some(Cause::Guard(0)), "it is the guard that turned it back");
}

#[test]
fn what_holds_a_guard_back_holds_a_trip_back() {
    // Past a point of no return a person decides.
    let steps = vec![approve("ask", &[], 1, false), irreversible("gone", &[0]), act("after", &[1])];
    let guards = vec![webhook("alerts", OnBreach::Rollback)];
    let mut story = tell(plan(steps, Vec::new(), guards, policy()));
    story.order(Order::Approve { step: StepIx(0) }).does(1).is_tripped(0);
    assert_eq!((story.run.mode, story.paused()), (Mode::Forward, Some(PauseCause::Barrier(StepIx(1)))));
    // What is announced can be said no to.
    let rules = Policy { veto: Some(secs(60)), ..policy() };
    let mut story = watched(vec![webhook("alerts", OnBreach::Rollback)], rules);
    assert_eq!(story.is_tripped(0).run.turns_at(), Some(Timestamp(60_000)));
    assert_eq!(story.clone().after(60).run.mode, Mode::Rollback);
    story.order(Order::Pause { reason: None }).after(60);
    assert_eq!((story.run.mode, story.paused()), (Mode::Forward, Some(PauseCause::Guard(0))));
    // And a person's word arms it again.
    assert_eq!(story.order(Order::Continue).is_tripped(0).run.turns_at(), Some(Timestamp(120_000)));
}

#[test]
fn it_is_heard_while_it_watches_and_refused_with_a_reason_else() {
    let span = GuardSpan { from: Some(StepIx(1)), until: Some(StepIx(1)) };
    let early = Guard { span, ..webhook("alerts", OnBreach::Rollback) };
    let guards = vec![early, guard("errors", OnBreach::Rollback), webhook("told", OnBreach::Notify)];
    let steps = vec![act("a", &[]), act("b", &[0]), act("c", &[1])];
    let mut story = tell(plan(steps, Vec::new(), guards, policy()));
    assert_eq!(story.refuses(2), Refusal::NotWatched, "nothing is written yet");
    story.does(0).plans(1);
    for nowhere in [3, usize::MAX] {
        assert_eq!(story.refuses(nowhere), Refusal::NoSuchGuard);
    }
    assert_eq!(story.refuses(1), Refusal::LooksItself);
    assert_eq!(story.clone().is_tripped(0).run.mode, Mode::Rollback);
    // A pause suspends it no more than another guard.
    story.order(Order::Pause { reason: None });
    assert_eq!(story.clone().is_tripped(0).run.mode, Mode::Rollback);
    story.order(Order::Continue).is_tripped(2);
    assert!(matches!(story.last(), Event::GuardTripped { guard: 2, .. }));
    assert_eq!(story.refuses(2), Refusal::AlreadyTripped);
    story.applies(1).arrives(1);
    assert_eq!(story.refuses(0), Refusal::NotWatched, "its time is over");
    story.order(abort());
    assert_eq!(story.refuses(0), Refusal::AlreadyRollingBack);
    story.undoes(1).undoes(0);
    assert_eq!((story.refuses(0), story.ending()), (Refusal::NotRunning, Ending::Aborted));
}

#[test]
fn an_alert_of_before_its_time_turns_nothing_back_later() {
    let span = GuardSpan { from: Some(StepIx(1)), until: None };
    let mut story = watched(vec![Guard { span, ..webhook("alerts", OnBreach::Rollback) }], policy());
    assert_eq!(story.refuses(0), Refusal::NotWatched);
    story.arrives(0).does(1);
    assert_eq!(story.ending(), Ending::Done);
}

#[test]
fn nobody_looks_for_it_and_nobody_waits_for_it() {
    let mut story = alerts(OnBreach::Rollback);
    let looks = |story: &Story| story.due().iter().any(|due| matches!(due.work, Work::Guard(_)));
    assert!(story.run.guarded(0) && !looks(&story));
    story.after(90_000);
    assert_eq!((story.paused(), looks(&story)), (None, false), "it is never silent");
    // A process that died meanwhile has missed nothing: the order is there still.
    assert_eq!(story.crashes().is_tripped(0).run.mode, Mode::Rollback);
}

/// A run that bakes for a minute.
fn baking(guards: Vec<Guard>) -> Story {
    let rules = Policy { bake: Some(secs(60)), ..policy() };
    let mut story = tell(plan(vec![act("a", &[]), finally("f", &[])], Vec::new(), guards, rules));
    story.does(0);
    story
}

#[test]
fn a_bake_keeps_it_for_its_time_and_no_longer() {
    let mut story = baking(vec![webhook("alerts", OnBreach::Rollback)]);
    assert_eq!((story.run.bakes_until(), story.wakes()), (Some(UNTIL), Some(UNTIL)));
    assert_eq!(story.clone().is_tripped(0).work(), [Work::Undo(StepIx(0))]);
    assert_eq!(story.clone().after(60).run.bake, Bake::Over);
    // Whoever takes it up late hears first what was said meanwhile.
    story.now = 5_000;
    assert_eq!(story.crashes().run.bakes_until(), Some(UNTIL));
    assert_eq!(story.clone().is_tripped(0).work(), [Work::Undo(StepIx(0))]);
    assert_eq!(story.after(0).work(), [Work::Plan(StepIx(1))]);
    // A guard that looks is waited for, and it alone.
    let mut story = baking(vec![webhook("alerts", OnBreach::Rollback), guard("errors", OnBreach::Rollback)]);
    assert_eq!((story.after(60).run.bakes_until(), story.wakes()), (Some(UNTIL), None));
    assert_eq!(story.clone().is_tripped(0).work(), [Work::Undo(StepIx(0))]);
    story.hears(crate::run::Input::Satisfied { guard: 1 });
    assert_eq!(story.run.bake, Bake::Over);
}
