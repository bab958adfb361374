//! How much a journal grows while nothing happens for a day.

use super::setting;
use crate::rehearse::scene::{Next, Scene};
use crate::run::{Event, StepEvent};
use crate::store::record::EventRecord;

/// What a day of watching may cost, with four signals looked at every ten seconds: as README says.
const DAY: usize = 6_000_000;

#[test]
fn a_day_of_watching_costs_a_few_megabytes() {
    let setting = setting("tests/data/rehearse/long-soak.yaml", Some("one-record.yaml"));
    let mut scene = Scene::start(&setting);
    loop {
        match scene.next() {
            Next::Facts(events, run) => scene.record(events, *run),
            Next::Over => break,
            Next::Rests | Next::Died | Next::Hangs => panic!("a quiet day ends well"),
        }
    }
    let facts = scene.journal.facts();
    let notes = facts.iter().filter(|fact| matches!(&fact.event, Event::Step(_, StepEvent::Noted { .. })));
    let notes = notes.count();
    // One every two minutes, and those that something was seen by.
    assert!((700..1_600).contains(&notes), "{notes} notes");
    let written = |event| serde_json::to_string(&EventRecord::of(event, &setting.plan)).unwrap().len();
    let bytes: usize = facts.iter().map(|fact| written(&fact.event)).sum();
    assert!(bytes < DAY, "{bytes} bytes in {} facts, {notes} of them notes", facts.len());
}
