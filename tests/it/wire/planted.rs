//! Mistakes of the tool that calls in trouble find.

use super::trial::{Course, Trial};
use super::{AT_ONCE, COURSES};
use crate::crash::at_once;

/// A mistake, and a trial that finds it. What is there already no step writes again, whatever it believes: what shows is a
/// call that is on its way while it is sent once more.
const PLANTED: &[(&str, &str)] = &[
    ("LostIsRepeated", "go-live/UpdateService-1/lands-late"),
    ("LostIsRepeated", "shift/ModifyListener-1/lands-late"),
    ("GraceIgnored", "go-live/UpdateService-1/lands-late"),
];

#[test]
fn each_mistake_is_found_by_calls_in_trouble() {
    let find = |(mistake, name): &(&'static str, &str)| {
        let mut all = COURSES.iter().flat_map(Course::trials);
        all.find(|trial| trial.name() == *name).unwrap_or_else(|| panic!("no {name}")).mistaken(mistake)
    };
    let trials: Vec<Trial<'_>> = PLANTED.iter().map(find).collect();
    let ended = at_once(AT_ONCE, &trials, Trial::run);
    for ((mistake, name), ended) in PLANTED.iter().zip(&ended) {
        println!("planted: {mistake}: {} in {name}", if ended.is_err() { "seen" } else { "not seen" });
    }
    assert!(ended.iter().all(Result::is_err), "some were not seen");
}
