//! A rehearsal in words: for people, for machines, and for what reads JUnit.
//!
//! It knows what `rehearse` counted and the plan. Not here: how scenarios are played, and whose exit code it is.

mod catalogue;
mod causes;
mod columns;
mod json;
mod junit;
mod progress;
mod scenario;
mod text;
mod times;

pub use catalogue::catalogue_text;
pub use causes::annotations;
pub use json::{catalogue_json, rehearsal_json, scenario_json, timeline_json};
pub use junit::junit;
pub use progress::Progress;
pub use scenario::{scenario_end, struck};
pub use text::rehearsal_text;
pub use times::timeline_text;

use crate::plan::{Kind, Plan, Timestamp};
use crate::rehearse::{Class, Rehearsal};
use serde::Serialize;
use std::time::Duration;

/// A rehearsal, and what must be said of it besides.
#[derive(Clone, Copy, Debug)]
pub struct Rehearsed<'a> {
    /// What came of it.
    pub rehearsal: &'a Rehearsal,
    /// Of which plan.
    pub plan: &'a Plan,
    /// Of the plan's text.
    pub digest: &'a str,
    /// Of its params.
    pub params_digest: &'a str,
    /// `switchover rehearse plans/one-record.yaml`: with `--only NAME` it repeats one scenario.
    pub command: &'a str,
    /// When it was asked for, on the wall clock.
    pub at: Timestamp,
    /// How long it took, on the wall clock.
    pub took: Duration,
    /// When its runs begin, in their time.
    pub begins: Timestamp,
    /// Only faults with this in their name.
    pub only: Option<&'a str>,
    /// Why it ended before all was played.
    pub cut: Option<Cut>,
}

/// What ended a rehearsal before all was played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Somebody interrupted it.
    Interrupted,
    /// Its time was over.
    Over(Duration),
}

impl Rehearsed<'_> {
    /// Every fault struck alone at every point. Pairs are samples: there are always more.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.has_singles() && self.only.is_none()
    }

    /// All single faults were played that were asked for.
    fn has_singles(&self) -> bool {
        match self.cut {
            None => true,
            Some(Cut::Interrupted) => false,
            // Pairs come after all single faults.
            Some(Cut::Over(_)) => self.rehearsal.unplayed == 0 || self.pairs() > 0,
        }
    }

    /// How many pairs were played.
    fn pairs(&self) -> u64 {
        self.rehearsal.rows.get(&Class::Pair).map_or(0, |row| row.scenarios)
    }

    /// Repeats a scenario.
    fn repeat(&self, name: &str) -> String {
        format!("{} --only {}", self.command, super::quoted(name))
    }

    /// The first line that repeats what was found.
    #[must_use]
    pub fn first_repeat(&self) -> Option<String> {
        self.rehearsal.findings.first().map(|finding| self.repeat(&finding.name))
    }

    /// How many causes were found.
    #[must_use]
    pub fn found(&self) -> usize {
        causes::of(&self.rehearsal.findings).len()
    }

    /// The steps that people wrote, in the order of the plan.
    fn steps(&self) -> impl Iterator<Item = String> {
        let real = self.plan.steps.iter().filter(|step| !matches!(step.kind, Kind::Join));
        real.map(|step| step.id.to_string())
    }

    /// Steps that no fault struck.
    fn spared(&self) -> Vec<String> {
        self.steps().filter(|step| !self.rehearsal.coverage.contains_key(step)).collect()
    }

    /// What faults struck: the steps in the order of the plan, then the run itself and its guards.
    fn struck(&self) -> Vec<String> {
        let mut all: Vec<String> =
            self.steps().filter(|step| self.rehearsal.coverage.contains_key(step)).collect();
        let others = self.rehearsal.coverage.keys().filter(|name| !all.contains(name));
        let others: Vec<String> = others.cloned().collect();
        all.extend(others);
        all
    }
}

/// As it is written in JSON: `on-people`, `rolled_back`.
fn stable(value: impl Serialize) -> String {
    let written = serde_json::to_value(value).unwrap_or_default();
    written.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
