//! What parts of a run say of themselves.

use crate::plan::Timestamp;
use crate::run::{DnsClock, GuardRun, Memo};
use std::time::Duration;

#[test]
fn what_changes_the_work_of_a_guard_gives_it_another_name() {
    let seen = Memo::from("seen");
    let mut guard = GuardRun::default();
    guard.noted(&seen, Timestamp(5));
    assert_eq!((guard.turn, guard.next), (1, Timestamp(5)));
    guard.bakes();
    assert_eq!((guard.turn, guard.satisfied), (2, false));
    guard.is_satisfied();
    assert_eq!((guard.turn, guard.satisfied), (3, true));
    guard.is_to_see();
    assert_eq!((guard.turn, guard.satisfied), (4, false));
    guard.arm();
    let begun = GuardRun { turn: 5, note: Some(seen), ..GuardRun::default() };
    assert_eq!(guard, begun, "what it has seen is kept");
}

#[test]
fn a_rollback_reaches_lookups_once_it_is_everywhere_and_the_answer_is_forgotten() {
    let seconds = Duration::from_secs;
    let (before, after, connections) = (seconds(300), seconds(20), seconds(3600));
    let clock = DnsClock { name: "app.example.com".into(), before, after, connections, left: None };
    assert_eq!(clock.rollback(), seconds(80));
}
