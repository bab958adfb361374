//! A scene, and what makes it differ from another.

use super::*;
use crate::rehearse::tests::setting;

/// The first instant at which a call is announced, and the run just before.
fn announced() -> (Scene, Run) {
    let mut scene = Scene::start(&setting("plans/one-record.yaml", Some("one-record.yaml")));
    loop {
        let before = scene.run.clone();
        let Next::Facts(events, run) = scene.next() else { panic!("nothing is announced") };
        let is_intent = |event: &Event| {
            matches!(event, Event::Step(_, StepEvent::Applying { .. } | StepEvent::Undoing { .. }))
        };
        let intent = events.iter().any(is_intent);
        scene.record(events, *run);
        if intent {
            return (scene, before);
        }
    }
}

#[test]
fn what_a_sleeper_will_send_makes_another_situation() {
    let (scene, before) = announced();
    let mut asleep = scene.killed(Death::Suspended).unwrap();
    let sends = asleep.situation();
    assert_eq!(sends, scene.killed(Death::Suspended).unwrap().situation());
    asleep.suspended.as_mut().unwrap().run = before;
    assert_ne!(sends, asleep.situation());
}

#[test]
fn a_sleeper_wakes_also_when_all_is_over() {
    let (mut scene, _) = announced();
    scene.suspend();
    while let Next::Facts(events, run) = scene.next() {
        scene.record(events, *run);
    }
    assert!(scene.run.is_finished() && scene.suspended.is_none() && scene.witness.woke);
    let last = scene.journal.newest().next().map(|fact| fact.at);
    assert!(last < Some(scene.now()), "it was over before");
}
