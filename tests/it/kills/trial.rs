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
    /// Those that are wanted; `None`: all that there are, or every so many of them.
    seconds: Option<Vec<Point>>,
    /// Which of so many appends, and of how many.
    part: (usize, usize),
    /// What the tool does wrongly.
    mistake: Option<&'static str>,
}

/// What a trial came to.
enum Outcome {
    /// The first kill never comes, or is the same as that of another chain: nothing follows on it.
    NoFirst,
    /// The second kill is the same as another.
    SameSecond,
    KilledTwice,
    /// The second kill never came; what the process did by commands.
    KilledOnce(BTreeSet<Command>),
}

/// All of them in this course.
pub(super) fn chains<'s>(stage: &'s Stage, course: &Course) -> Vec<Chain<'s>> {
    let both = course.points().flat_map(|first| Then::BOTH.map(|then| (first.clone(), then)));
    let scenario = course.scenario;
    let chain =
        |(first, then)| Chain { stage, scenario, first, then, seconds: None, part: (0, 1), mistake: None };
    both.map(chain).collect()
}

impl<'s> Chain<'s> {
    /// How many times over it waits for something that will not happen.
    pub(super) fn waits(&self) -> usize {
        self.scenario.waits()
    }

    /// `right-fails/before-7/abort`.
    pub(super) fn name(&self) -> String {
        format!("{}/{}/{}", self.scenario.name, self.first, self.then)
    }

    /// One trial.
    pub(super) fn one(stage: &'s Stage, scenario: Scenario, first: Point, then: Then, second: Point) -> Self {
        Self { stage, scenario, first, then, seconds: Some(vec![second]), part: (0, 1), mistake: None }
    }

    /// One after the other they would take as long as all the rest: so many that can be run beside each other, which have
    /// every so many of its appends.
    pub(super) fn split(&self, of: usize) -> impl Iterator<Item = Self> {
        let of = if self.seconds.is_none() { of } else { 1 };
        (0..of).map(move |one| {
            let (first, seconds) = (self.first.clone(), self.seconds.clone());
            Self { first, seconds, part: (one, of), ..*self }
        })
    }

    /// With the first so many second kills only.
    #[cfg(feature = "mistakes")]
    pub(super) fn some(self, count: usize) -> Self {
        Self { seconds: Some(Point::around(MANY).take(count).collect()), ..self }
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
        let seconds = match &self.seconds {
            Some(seconds) => seconds.clone(),
            None => Point::within(self.around_appends(&mut told)).collect(),
        };
        if self.part.0 == 0 {
            for second in seconds {
                self.tell(second, &mut told);
            }
        }
        told
    }

    /// What the process does by commands that is not killed: it ends before so many appends.
    fn around_appends(&self, told: &mut Vec<Told>) -> BTreeSet<Command> {
        let (first, step) = self.part;
        for number in (1 + first..=MANY).step_by(step) {
            for after in [false, true] {
                match self.tell(Point::Append { number, after }, told) {
                    Some(Outcome::NoFirst) => return BTreeSet::new(),
                    Some(Outcome::KilledOnce(commands)) => return commands,
                    Some(Outcome::SameSecond | Outcome::KilledTwice) | None => {}
                }
            }
        }
        BTreeSet::new()
    }

    fn tell(&self, second: Point, told: &mut Vec<Told>) -> Option<Outcome> {
        let ledger = Ledger::new(self.stage, self.scenario, self.mistake);
        let (ended, outcome) = match self.kill_twice(&ledger, &second) {
            Err(why) => (Err(why), None),
            Ok(outcome @ (Outcome::NoFirst | Outcome::SameSecond)) => return Some(outcome),
            Ok(outcome @ Outcome::KilledTwice) => (Ok(Ended::KilledTwice), Some(outcome)),
            Ok(outcome @ Outcome::KilledOnce(_)) => (Ok(Ended::KilledOnce), Some(outcome)),
        };
        told.push(Told { name: format!("{}/{second}", self.name()), ended });
        outcome
    }

    fn kill_twice(&self, ledger: &Ledger<'_>, second: &Point) -> Result<Outcome, String> {
        // Whoever asks for some points takes them as they come; of all of them, each is wanted once.
        let each = self.seconds.is_none();
        match kill(ledger, &["run"], &self.first, 0)? {
            Some(written) if !each || self.first.is_own(0, written) => {}
            _ => return Ok(Outcome::NoFirst),
        }
        let (facts, lines) = (ledger.facts()?, ledger.lines());
        let written = kill(ledger, self.then.verb(facts.len()), second, facts.len())?;
        if each && written.is_some_and(|written| !second.is_own(0, written)) {
            return Ok(Outcome::SameSecond);
        }
        let new = &ledger.lines()[lines.len()..];
        ledger.bring_to_an_end()?;
        ledger.judge(self.then, &facts)?;
        Ok(written.map_or_else(|| Outcome::KilledOnce(commands(new)), |_| Outcome::KilledTwice))
    }
}

/// Runs the tool until it is killed, and says how many facts it had written; `None` if it ended before. So many facts
/// there are already.
fn kill(ledger: &Ledger<'_>, verb: &[&str], point: &Point, before: usize) -> Result<Option<usize>, String> {
    let said: Said = ledger.struck(verb, Blow::Kill, point, before).output().unwrap().into();
    if said.code.is_some() {
        return Ok(None);
    }
    Ok(Some(ledger.facts()?.len() - before))
}
