//! Faults on the wire: each call that writes of a go-live, of a shift of a rule and of weighted records, and of a switch whose
//! sides are held, forward and on the way back, each of a deployment in stages that is turned back, and of a task that is
//! stopped, meets each kind of trouble between the SDK and the API: refused, throttled, cut before and after it landed,
//! landing late, answered too slowly, answered with garbage or with a failure although it landed.
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
use proxy::Trouble;
use trial::{Course, Trial};

/// At once: most of a trial is waiting.
const AT_ONCE: usize = 24;

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
    let courses = Course::all();
    let trials = choose(courses.iter().flat_map(Course::trials).collect());
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
