//! Mistakes of the tool that double kills find.

use super::run;
use super::trial::{Chain, chains};
use crate::ledger::point::Course;
use crate::ledger::stage;

/// A mistake, where it is looked for, and whether `abort` alone finds it: who resumes looks, and finds all well. What was
/// not announced the world does not show either, unless somebody aborts; the journal beside the ledger does.
const PLANTED: &[(&str, &str, bool)] = &[
    ("EffectFirst", "all-well/run-", false),
    ("ResumeForgets", "all-well/run-", false),
    ("DoubtIsNotLanded", "all-well/run-", false),
    ("DoubtIsNotUndone", "all-well/run-", true),
    ("FailedIsNotUndone", "right-fails/run-right-", false),
    ("AbortIgnored", "all-well/after-1", true),
    ("UndoUnordered", "right-fails/run-", false),
    ("StuckHoldsNothing", "undo-of-left-is-stuck/run-", false),
    ("StuckSwallowed", "undo-of-first-is-stuck/run-", false),
];

#[test]
fn each_mistake_is_found_by_double_kills() {
    let stage = stage();
    let courses = Course::all(&stage);
    let mut missed = Vec::new();
    for (mistake, place, by_abort) in PLANTED {
        let all = courses.iter().flat_map(|course| chains(&stage, course));
        let of_it = all.filter(|chain| chain.name().starts_with(place));
        let mistaken: Vec<Chain<'_>> = of_it.map(|chain| chain.some(2).mistaken(mistake)).collect();
        let told = run(mistaken);
        let count = |verb: &str| {
            let of_it: Vec<_> = told.iter().filter(|told| told.name.contains(verb)).collect();
            (of_it.iter().filter(|told| told.ended.is_err()).count(), of_it.len())
        };
        let (resumed, aborted) = (count("/resume/"), count("/abort/"));
        println!(
            "planted: {mistake}: seen in {} of {} trials that resume, {} of {} that abort",
            resumed.0, resumed.1, aborted.0, aborted.1
        );
        if resumed.0 + aborted.0 == 0 || *by_abort && (resumed.0 > 0 || aborted.0 == 0) {
            missed.push(mistake);
        }
    }
    assert!(missed.is_empty(), "{missed:?} were not seen, or not by `abort` alone");
    println!("proved: mistakes about double kills {0} of {0}", PLANTED.len());
}
