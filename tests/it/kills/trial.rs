//! One trial: killed somewhere, taken up, killed once more, and brought to its end.

use crate::ledger::point::{Blow, Command, Course, Point, commands, every_command};
use crate::ledger::{Ledger, Scenario, Then};
use crate::stage::{Said, Stage};
use std::collections::BTreeSet;

/// More facts than any process writes here.
const MANY: usize = 60;

/// How a trial ended that ended as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    KilledTwice,
    /// The second kill never came.
    KilledOnce,
}

/// What became of a trial.
pub(super) struct Told {
    pub(super) name: String,
    pub(super) ended: Result<Ended, String>,
}

/// A first kill, what somebody does then, and the second kills that follow on it.
pub(super) struct Chain<'s> {
    stage: &'s Stage,
    scenario: Scenario,
    first: Point,
    then: Then,
    /// Those that are wanted; `None`: all that there are.
    seconds: Option<Vec<Point>>,
    /// What the tool does wrongly.
    mistake: Option<&'static str>,
}

/// What a trial came to.
enum Outcome {
    /// The first kill never comes, or is the same as the one before: nothing follows on it.
    NoFirst,
    /// The second kill is the same as the one before.
    SameSecond,
    KilledTwice,
    /// The second kill never came; what the process did by commands.
    KilledOnce(BTreeSet<Command>),
}

/// All of them in this course.
pub(super) fn chains<'s>(stage: &'s Stage, course: &Course) -> Vec<Chain<'s>> {
    let both = course.points().flat_map(|first| Then::BOTH.map(|then| (first.clone(), then)));
    let scenario = course.scenario;
    let chain = |(first, then)| Chain { stage, scenario, first, then, seconds: None, mistake: None };
    both.map(chain).collect()
}

impl Chain<'_> {
    /// `right-fails/before-7/abort`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}/{}", self.scenario.name, self.first, self.then)
    }

    /// With so many second kills only, from this one on.
    pub(super) fn some(self, from: usize, count: usize) -> Self {
        let seconds = Point::around(MANY).skip(from).take(count).collect();
        Self { seconds: Some(seconds), ..self }
    }

    /// What of it is called so: all of it, or one trial.
    pub(super) fn named(self, wanted: &str) -> Option<Self> {
        let name = self.name();
        if name.starts_with(wanted) {
            return Some(self);
        }
        let second = wanted.strip_prefix(&format!("{name}/"))?;
        let all = Point::around(MANY).chain(Point::within(every_command()));
        let meant: Vec<Point> = all.filter(|point| point.to_string() == second).collect();
        (!meant.is_empty()).then_some(Self { seconds: Some(meant), ..self })
    }

    /// Of a tool that does this wrongly.
    #[cfg(feature = "mistakes")]
    pub(super) fn mistaken(self, mistake: &'static str) -> Self {
        Self { mistake: Some(mistake), ..self }
    }

    /// Every second kill: around an append until the process ends before it comes, then within the commands that it
    /// starts.
    pub(super) fn run(&self) -> Vec<Told> {
        let mut told = Vec::new();
        if let Some(seconds) = &self.seconds {
            for second in seconds {
                self.tell(second, &mut told);
            }
            return told;
        }
        let last = Point::around(MANY).find_map(|second| match self.tell(&second, &mut told)? {
            Outcome::NoFirst => Some(BTreeSet::new()),
            Outcome::KilledOnce(commands) => Some(commands),
            Outcome::SameSecond | Outcome::KilledTwice => None,
        });
        for second in Point::within(last.unwrap_or_default()) {
            self.tell(&second, &mut told);
        }
        told
    }

    fn tell(&self, second: &Point, told: &mut Vec<Told>) -> Option<Outcome> {
        let ledger = Ledger::new(self.stage, self.scenario, self.mistake);
        let (ended, outcome) = match self.kill_twice(&ledger, second) {
            Err(why) => (Err(why), None),
            Ok(outcome @ (Outcome::NoFirst | Outcome::SameSecond)) => return Some(outcome),
            Ok(outcome @ Outcome::KilledTwice) => (Ok(Ended::KilledTwice), Some(outcome)),
            Ok(outcome @ Outcome::KilledOnce(_)) => (Ok(Ended::KilledOnce), Some(outcome)),
        };
        told.push(Told { name: format!("{}/{second}", self.name()), ended });
        outcome
    }

    fn kill_twice(&self, ledger: &Ledger<'_>, second: &Point) -> Result<Outcome, String> {
        if kill(ledger, &["run"], &self.first, 0)? != Death::Own {
            return Ok(Outcome::NoFirst);
        }
        let (facts, lines) = (ledger.facts()?, ledger.lines());
        let twice = match kill(ledger, self.then.verb(facts.len()), second, facts.len())? {
            Death::Same => return Ok(Outcome::SameSecond),
            Death::None => false,
            Death::Own => true,
        };
        let new = &ledger.lines()[lines.len()..];
        ledger.bring_to_an_end()?;
        ledger.judge(self.then, &facts)?;
        Ok(if twice { Outcome::KilledTwice } else { Outcome::KilledOnce(commands(new)) })
    }
}

/// Whether it died; and if so, whether it did at the same place as by the kill before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Death {
    None,
    Same,
    Own,
}

/// Runs the tool until it is killed. So many facts there are before.
fn kill(ledger: &Ledger<'_>, verb: &[&str], point: &Point, before: usize) -> Result<Death, String> {
    let said: Said = ledger.struck(verb, Blow::Kill, point, before).output().unwrap().into();
    Ok(match said.code {
        Some(_) => Death::None,
        None if point.is_own(before, ledger.facts()?.len()) => Death::Own,
        None => Death::Same,
    })
}
