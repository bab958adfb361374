//! Points of a run at which its process is struck, and what a run comes to if nobody strikes.

use super::{Ledger, SCENARIOS, STEPS, Scenario, Then};
use crate::crash::at_once;
use crate::stage::Stage;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::OnceLock;

/// A point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Around the append of this fact, from 1, of those that the process writes.
    Append { number: usize, after: bool },
    /// Within a command: `begun`, `landed`, or `deaf`, when it does it whatever it is told.
    Within { command: Command, moment: &'static str },
}

/// `run` or `undo`, and of which step.
pub(crate) type Command = (&'static str, &'static str);

/// What happens to the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    Kill,
    Stop,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Append { number, after: false } => write!(f, "before-{number}"),
            Self::Append { number, after: true } => write!(f, "after-{number}"),
            Self::Within { command: (verb, step), moment } => write!(f, "{verb}-{step}-{moment}"),
        }
    }
}

impl Point {
    /// Around each of the first so many appends.
    pub(crate) fn around(facts: usize) -> impl Iterator<Item = Self> {
        (1..=facts).flat_map(|number| [false, true].map(|after| Self::Append { number, after }))
    }

    /// Within each of these commands.
    pub(crate) fn within(commands: impl IntoIterator<Item = Command>) -> impl Iterator<Item = Self> {
        let moments = |command| ["begun", "deaf", "landed"].map(|moment| Self::Within { command, moment });
        commands.into_iter().flat_map(moments)
    }

    /// Whether a process that was struck here, of whose run there were so many facts before and are so many now, was
    /// struck at a point of its own. What is appended in one piece has one before its first fact and one after its last.
    pub(crate) fn is_own(&self, before: usize, now: usize) -> bool {
        match self {
            Self::Append { number, after } => now + usize::from(!after) == before + number,
            Self::Within { .. } => true,
        }
    }
}

/// All commands that do something.
pub(crate) fn every_command() -> impl Iterator<Item = Command> {
    ["run", "undo"].into_iter().flat_map(|verb| STEPS.map(|step| (verb, step)))
}

/// Those that these lines of a ledger tell of.
pub(crate) fn commands(lines: &str) -> BTreeSet<Command> {
    let told = |(verb, step): &Command| lines.lines().any(|line| line == format!("{verb} {step}"));
    every_command().filter(told).collect()
}

/// What a scenario comes to if nobody strikes.
pub(crate) struct Course {
    pub(crate) scenario: Scenario,
    facts: usize,
    commands: BTreeSet<Command>,
}

impl Course {
    /// Of every scenario; they are gone through once.
    pub(crate) fn all(stage: &Stage) -> &'static [Self] {
        static ALL: OnceLock<Vec<Course>> = OnceLock::new();
        ALL.get_or_init(|| at_once(SCENARIOS.len(), SCENARIOS, |scenario| Self::of(stage, *scenario)))
    }

    fn of(stage: &Stage, scenario: Scenario) -> Self {
        let ledger = Ledger::new(stage, scenario, None);
        let said = ledger.run(&["run"]);
        let (facts, commands) = (ledger.facts().unwrap().len(), commands(&ledger.lines()));
        let ended = ledger.bring_to_an_end().and_then(|()| ledger.judge(Then::Resume, &[]));
        ended.unwrap_or_else(|why| panic!("{}, undisturbed: {why}\n{said:#?}", scenario.name));
        Self { scenario, facts, commands }
    }

    /// Where its first process may be struck.
    pub(crate) fn points(&self) -> impl Iterator<Item = Point> {
        Point::around(self.facts).chain(Point::within(self.commands.iter().copied()))
    }
}
