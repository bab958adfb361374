//! What facts and lines of a ledger must be to each other, and to the verdict.

use super::STEPS;
use std::collections::BTreeMap;
use switchover::store::record::{EventRecord, StepRecord, VerdictRecord};

/// For people, a line each.
pub(crate) fn told(facts: &[EventRecord]) -> String {
    facts.iter().map(|fact| serde_json::to_string(fact).unwrap() + "\n").collect()
}

/// The answer of this step was lost, and nobody heard that it fails.
pub(super) fn is_settled_by_looking(facts: &[EventRecord], of: &str) -> bool {
    let told = |fact: &EventRecord| match fact {
        EventRecord::Step { step, fact: StepRecord::Applied { note, .. } } if step == of => {
            Some(note.is_none())
        }
        EventRecord::Step { step, fact: StepRecord::Failed { .. } } if step == of => Some(false),
        _ => None,
    };
    facts.iter().find_map(told).unwrap_or(false)
}

/// The run is over, with this verdict.
pub(super) fn ended(facts: &[EventRecord], verdict: VerdictRecord) -> Result<(), String> {
    match facts.last() {
        Some(EventRecord::RunFinished { verdict: is }) if *is == verdict => Ok(()),
        _ => Err(format!("it is not {verdict:?}")),
    }
}

/// Nothing was done more often than it was announced.
pub(super) fn announced(facts: &[EventRecord], lines: &str) -> Result<(), String> {
    for step in STEPS {
        for verb in ["run", "undo"] {
            let effects = lines.lines().filter(|line| *line == format!("{verb} {step}")).count();
            let intents = intents(facts, verb, step);
            if effects > intents {
                return Err(format!("{verb} {step}: {effects} effects of {intents} intents"));
            }
        }
    }
    Ok(())
}

fn intents(facts: &[EventRecord], verb: &str, of: &str) -> usize {
    let is = |fact: &&EventRecord| match fact {
        EventRecord::Step { step, fact: StepRecord::Applying { .. } } => step == of && verb == "run",
        EventRecord::Step { step, fact: StepRecord::Undoing { .. } } => step == of && verb == "undo",
        _ => false,
    };
    facts.iter().filter(is).count()
}

/// What is in force after these lines is what the verdict says.
pub(super) fn in_force(before: &str, lines: &str, verdict: VerdictRecord) -> Result<(), String> {
    let mut is: BTreeMap<&str, bool> = STEPS.map(|step| (step, false)).into();
    follow(&mut is, before)?;
    let should = match verdict {
        VerdictRecord::Completed => STEPS.map(|step| (step, true)).into(),
        VerdictRecord::RolledBack | VerdictRecord::Incomplete => is.clone(),
    };
    follow(&mut is, lines)?;
    if is == should { Ok(()) } else { Err(format!("{verdict:?}, but in force is {is:?}, not {should:?}")) }
}

/// Nothing is done that is done already, and nothing undone that is not; and nothing without what it stands on.
fn follow(is: &mut BTreeMap<&str, bool>, lines: &str) -> Result<(), String> {
    for line in lines.lines() {
        let (verb, step) = line.split_once(' ').unwrap_or_default();
        match (verb, is.get_mut(step)) {
            ("run", Some(is @ false)) => *is = true,
            ("undo", Some(is @ true)) => *is = false,
            ("run" | "undo", Some(_)) => return Err(format!("`{line}` once more")),
            _ => return Err(format!("`{line}`")),
        }
        if !is["first"] && (is["left"] || is["right"]) {
            return Err(format!("`{line}`, and what stands on it is in force"));
        }
    }
    Ok(())
}
