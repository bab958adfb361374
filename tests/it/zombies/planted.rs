//! Mistakes of the tool that zombies find.

use super::round::{Round, rounds};
use super::{AT_ONCE, Ended};
use crate::crash::at_once;
use crate::ledger::point::Course;
use crate::ledger::stage;

/// A mistake, and where it is looked for.
const PLANTED: &[(&str, &str)] =
    &[("EpochNotChecked", "all-well/before-"), ("FencingIgnored", "all-well/before-")];

#[test]
fn each_mistake_is_found_by_zombies() {
    let stage = stage();
    let courses = Course::all(&stage);
    let mut missed = Vec::new();
    for (mistake, place) in PLANTED {
        let all = courses.iter().flat_map(|course| rounds(&stage, course));
        let of_it = all.filter(|round| round.name().starts_with(place));
        let mistaken: Vec<Round<'_>> = of_it.map(|round| round.mistaken(mistake)).collect();
        let ended: Ended = at_once(AT_ONCE, &mistaken, |round| (round.name(), round.play()));
        let stopped: Vec<_> = ended.iter().filter_map(|(_, ended)| ended.as_ref()).collect();
        let seen = stopped.iter().filter(|ended| ended.is_err()).count();
        println!("planted: {mistake}: seen in {seen} of {} rounds", stopped.len());
        if seen == 0 {
            missed.push(mistake);
        }
    }
    assert!(missed.is_empty(), "{missed:?} were not seen");
}
