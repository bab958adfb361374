//! Mistakes of the tool that the crash matrix finds.

use super::scenario::scenarios;
use super::trial::{Course, Ended, Trial};
use super::{AT_ONCE, at_once, spread};

/// A mistake, and what the names of the trials begin and end with in which it is looked for: who resumes may find all well.
const PLANTED: [(&str, &str, &str); 3] = [
    ("DoubtIsNotUndone", "all-well/route53-ChangeResourceRecordSets-", "-landed/abort"),
    ("DoubtIsNotUndone", "all-well/ecs-UpdateService-", "-landed/abort"),
    ("UndoByRevision", "all-well/after-", "/abort"),
];
/// Trials of each.
const TRIALS: usize = 4;

#[test]
fn each_mistake_is_found_by_the_crash_matrix() {
    let scenarios = scenarios();
    let course = Course::of(&scenarios[0]);
    let mut missed = Vec::new();
    for (mistake, begin, end) in PLANTED {
        let mut of_it = course.trials();
        of_it.retain(|trial| trial.name().starts_with(begin) && trial.name().ends_with(end));
        let of_it: Vec<Trial<'_>> =
            spread(of_it, TRIALS).into_iter().map(|trial| trial.mistaken(mistake)).collect();
        let ended = at_once(AT_ONCE, &of_it, Trial::run);
        let killed = ended.iter().filter(|ended| !matches!(ended, Ok((Ended::NeverKilled, _)))).count();
        let seen = ended.iter().filter(|ended| ended.is_err()).count();
        println!("planted: {mistake}, crash matrix: seen in {seen} of {killed} trials");
        if seen == 0 {
            missed.push(mistake);
        }
    }
    assert!(missed.is_empty(), "{missed:?} were not seen");
    println!("proved: mistakes about crashes {0} of {0}", PLANTED.len());
}
