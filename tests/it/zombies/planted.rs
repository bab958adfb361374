//! Mistakes of the tool that zombies find, and clocks that jump.

use super::round::{Round, rounds};
use super::{AT_ONCE, Ended, clock, cloud};
use crate::crash::at_once;
use crate::disk::skipped;
use crate::ledger::point::Course;
use crate::ledger::stage;

/// A mistake, and where it is looked for.
type Planted = (&'static str, &'static str);

const IN_A_FILE: [Planted; 2] =
    [("EpochNotChecked", "all-well/before-"), ("FencingIgnored", "all-well/before-")];
const OVER_DNS: [Planted; 1] = [("EpochNotChecked", "one-record/before-")];
const BY_CLOCK: [Planted; 1] = [("LateFails", "all-well/after-")];

/// Mistakes that nobody saw.
fn missed(suite: &str, planted: &[Planted], look: impl Fn(&'static str, &str) -> Ended) {
    let mut missed = Vec::new();
    for (mistake, place) in planted {
        let ended = look(mistake, place);
        let stopped: Vec<_> = ended.iter().filter_map(|(_, ended)| ended.as_ref()).collect();
        let seen = stopped.iter().filter(|ended| ended.is_err()).count();
        println!("planted: {mistake}, {suite}: seen in {seen} of {} rounds", stopped.len());
        if seen == 0 {
            missed.push(mistake);
        }
    }
    assert!(missed.is_empty(), "{missed:?} were not seen");
    println!("proved: mistakes about {suite} {0} of {0}", planted.len());
}

#[test]
fn each_mistake_is_found_by_zombies() {
    let stage = stage();
    let courses = Course::all(&stage);
    missed("zombies", &IN_A_FILE, |mistake, place| {
        let all = courses.iter().flat_map(|course| rounds(&stage, course));
        let of_it = all.filter(|round| round.name().starts_with(place));
        let mistaken: Vec<Round<'_>> = of_it.map(|round| round.mistaken(mistake)).collect();
        at_once(AT_ONCE, &mistaken, |round| (round.name(), round.play()))
    });
}

#[test]
fn each_mistake_is_found_by_zombies_over_dns() {
    missed("zombies over DNS", &OVER_DNS, cloud::mistaken);
}

#[test]
fn each_mistake_is_found_by_a_clock_that_jumps() {
    let home = crate::disk::folder();
    if let Err(why) = clock::library(home.path()) {
        return skipped("mistakes about clocks", &why);
    }
    missed("clock jumps", &BY_CLOCK, |mistake, place| clock::mistaken(mistake, place).unwrap());
}
