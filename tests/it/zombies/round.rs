//! One round in a world that is a file.

use super::{Place, WORKSHOP, Zombie, is_fenced};
use crate::ledger::point::{Blow, Course, Point};
use crate::ledger::{Ledger, Scenario, Then, told};
use crate::stage::{Said, Stage};
use std::process::Command;
use std::thread;
use std::time::Duration;
use switchover::store::record::EventRecord;

/// Between two looks whether the other has begun.
const GLANCE: Duration = Duration::from_millis(50);

/// When the zombie wakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    /// While the other is at work.
    Meanwhile,
    /// Once the run is over.
    Afterwards,
}

/// A round.
pub(super) struct Round<'s> {
    stage: &'s Stage,
    scenario: Scenario,
    stopped: Point,
    then: Then,
    woken: Woken,
    /// What the tool does wrongly.
    mistake: Option<&'static str>,
}

/// All of them in this course.
pub(super) fn rounds<'s>(stage: &'s Stage, course: &Course) -> Vec<Round<'s>> {
    let scenario = course.scenario;
    // Whoever is stopped, and not killed, has nothing to be deaf to.
    let points = course.points().filter(|point| !matches!(point, Point::Within { moment: "deaf", .. }));
    let each = points.flat_map(|stopped| Then::BOTH.map(|then| (stopped.clone(), then)));
    let all = each.flat_map(|(stopped, then)| {
        [Woken::Meanwhile, Woken::Afterwards].map(|woken| (stopped.clone(), then, woken))
    });
    all.map(|(stopped, then, woken)| Round { stage, scenario, stopped, then, woken, mistake: None }).collect()
}

impl Round<'_> {
    /// `right-fails/before-7/abort/meanwhile`.
    pub(super) fn name(&self) -> String {
        let woken = if self.woken == Woken::Meanwhile { "meanwhile" } else { "afterwards" };
        format!("{}/{}/{}/{woken}", self.scenario.name, self.stopped, self.then)
    }

    /// Of a tool that does this wrongly.
    #[cfg(feature = "mistakes")]
    pub(super) fn mistaken(self, mistake: &'static str) -> Self {
        Self { mistake: Some(mistake), ..self }
    }

    /// `None`: nobody could be stopped there or replaced, or it is the same as the one before.
    pub(super) fn play(&self) -> Option<Result<(), String>> {
        let working = WORKSHOP.enter();
        let ledger = Ledger::new(self.stage, self.scenario, self.mistake);
        let zombie = Zombie::new(ledger.struck(&["run"], Blow::Stop, &self.stopped, 0).spawn().unwrap());
        if !zombie.is_stopped() {
            return None;
        }
        let played = ledger.facts().and_then(|facts| {
            let own = self.stopped.is_own(0, facts.len());
            if own { self.replace(&ledger, zombie, &facts, working) } else { Ok(false) }
        });
        match played {
            Ok(false) => None,
            Ok(true) => Some(Ok(())),
            Err(why) => Some(Err(why)),
        }
    }

    /// Whether another took its place.
    fn replace(
        &self,
        ledger: &Ledger<'_>,
        zombie: Zombie,
        facts: &[EventRecord],
        working: Place<'_>,
    ) -> Result<bool, String> {
        drop(working);
        ledger.wait_for_the_lease();
        let _working = (self.scenario.waits() == 0).then(|| WORKSHOP.enter());
        let verb = self.then.verb(facts.len());
        let said = match self.woken {
            Woken::Meanwhile => {
                let command = ledger.command(verb);
                let other = thread::spawn(|| take_over(command));
                while !other.is_finished() && holders(&ledger.facts()?) == holders(facts) {
                    thread::sleep(GLANCE);
                }
                let said = zombie.wake();
                let other = other.join().unwrap();
                if is_kept_out(&other) || is_refused(&other) {
                    return Ok(false);
                }
                ledger.bring_to_an_end()?;
                said
            }
            Woken::Afterwards => {
                if is_kept_out(&take_over(ledger.command(verb))) {
                    return Ok(false);
                }
                ledger.bring_to_an_end()?;
                let (lines, facts) = (ledger.lines(), ledger.facts()?);
                let said = zombie.wake();
                if (&lines, &facts) != (&ledger.lines(), &ledger.facts()?) {
                    return Err(format!("it went on:\n{}{}", ledger.lines(), told(&ledger.facts()?)));
                }
                said
            }
        };
        // A run that is over is taken over only to be rolled back.
        let is_over = matches!(facts.last(), Some(EventRecord::RunFinished { .. }));
        if !is_over || ledger.facts()?.len() > facts.len() {
            is_fenced(&said)?;
        }
        ledger.judge(self.then, facts).map(|()| true)
    }
}

/// Runs it, again while the run is held.
pub(super) fn take_over(mut command: Command) -> Said {
    loop {
        let said: Said = command.output().unwrap().into();
        if said.code != Some(14) {
            return said;
        }
        thread::sleep(GLANCE * 4);
    }
}

/// Who is stopped within a commit keeps the database: the other says so, and does nothing.
fn is_kept_out(said: &Said) -> bool {
    said.code == Some(13) && said.stderr.contains("is busy: another process has kept it for too long")
}

/// Who aborts a run whose undo is stuck is told what to do instead, and takes nobody's place.
fn is_refused(said: &Said) -> bool {
    said.code == Some(64) && said.stderr.contains("an undo is stuck")
}

/// How many processes have driven the run.
fn holders(facts: &[EventRecord]) -> usize {
    let takes =
        |fact: &&EventRecord| matches!(fact, EventRecord::RunStarted { .. } | EventRecord::RunResumed { .. });
    facts.iter().filter(takes).count()
}
