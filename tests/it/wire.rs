//! Faults on the wire: each call that writes of a go-live, of shifts by the default rule of a listener, by another rule of it
//! and by weighted records, of attributes, and of a switch whose sides are held, forward and on the way back, each of a
//! deployment in stages that is turned back, and of a task that is stopped, meets each kind of trouble between the SDK and the
//! API: refused, throttled, cut before and after it landed, landing late, answered too slowly, answered with garbage or with a
//! failure although it landed.
//!
//! Only a refusal changes how a run ends: it turns back, and what could not be put back is put back once somebody has
//! permitted it. Whatever else happens, the run ends as if nothing had been in its way, the world is the same, and every
//! call has landed exactly as often as it does undisturbed.
//!
//! A sample runs with the other tests: each call, with one kind of trouble. All of it, or a part:
//!
//! ```text
//! SWITCHOVER_WIRE=all                                      cargo test --release --test it wire:: -- --nocapture
//! SWITCHOVER_WIRE=2/8                                      … the second of eight parts
//! SWITCHOVER_WIRE=go-live/UpdateService-1/lands-late       … one trial, or all whose names begin so
//! ```

#[cfg(feature = "mistakes")]
mod planted;
mod proxy;
mod trial;

use crate::crash::{Wanted, at_once, parts};
use proxy::{Trouble, reads};
use std::sync::LazyLock;
use switchover::port::operations;
use trial::{Course, Trial};

/// At once: most of a trial is waiting.
const AT_ONCE: usize = 24;

/// What each way comes to undisturbed, for all tests here.
static COURSES: LazyLock<Vec<Course>> = LazyLock::new(Course::all);

/// Of each call a different trouble.
fn sample(all: Vec<Trial<'_>>) -> Vec<Trial<'_>> {
    let kinds = Trouble::ALL.len();
    // Three goes with ten: calls in a row meet all kinds.
    all.into_iter()
        .enumerate()
        .filter(|(place, _)| place % kinds == place / kinds * 3 % kinds)
        .map(|(_, one)| one)
        .collect()
}

fn choose(all: Vec<Trial<'_>>) -> Vec<Trial<'_>> {
    match Wanted::read("SWITCHOVER_WIRE") {
        Wanted::All => all,
        Wanted::Sample => sample(all),
        Wanted::Parts(wanted, of) => parts(all, wanted, of).collect(),
        Wanted::Named(name) => all.into_iter().filter(|trial| trial.name().starts_with(&name)).collect(),
    }
}

#[test]
fn a_call_in_trouble_lands_once() {
    let trials = choose(COURSES.iter().flat_map(Course::trials).collect());
    assert!(!trials.is_empty(), "no trial has this name");
    let ended = at_once(AT_ONCE, &trials, Trial::run);
    for (trial, ended) in trials.iter().zip(&ended) {
        if let Err(why) = ended {
            println!("SWITCHOVER_WIRE='{}' cargo test --test it wire:: -- --nocapture: {why}", trial.name());
        }
    }
    let good = ended.iter().filter(|ended| ended.is_ok()).count();
    println!("proved: calls in trouble on the wire {good} of {}", trials.len());
    assert_eq!(good, trials.len(), "some did not end as they should");
}

/// Whoever adds a call that writes adds a way on which it is made.
#[test]
fn each_call_that_writes_is_made_on_some_way() {
    let trials: Vec<Trial<'_>> = COURSES.iter().flat_map(Course::trials).collect();
    let is_made = |operation: &str| trials.iter().any(|trial| trial.operation() == operation);
    let writes: Vec<&str> =
        operations().map(|(_, operation)| operation).filter(|operation| !reads(operation)).collect();
    assert!(writes.contains(&"ModifyRule"), "{writes:?}");
    let missing: Vec<&&str> = writes.iter().filter(|operation| !is_made(operation)).collect();
    assert!(missing.is_empty(), "no way in tests/it/wire/trial.rs makes {missing:?}");
}
