//! The wall clock jumps while a process is stopped, forward or back, as that process and what it starts see it: a
//! library in front of the system's adds to the time. It goes on to the end that is right, does nothing twice, and
//! nothing that it did not announce. Forward, what was under way may have run out of time: then it is in doubt and looked
//! at, or a human is asked. Back, what waits waits for so much longer.

use super::{Zombie, choose, proved};
use crate::crash::at_once;
use crate::disk::{folder, skipped};
use crate::ledger::point::{Blow, Course, Point};
use crate::ledger::{Ledger, Scenario, Then, stage};
use crate::stage::{Said, Stage, repository};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// At once: nobody waits for long.
const AT_ONCE: usize = 8;
/// So many seconds, on the wall: more than a lease, more than any step may take, and back.
const JUMPS: [i64; 3] = [20, 3600, -8];

struct Jump<'s> {
    stage: &'s Stage,
    scenario: Scenario,
    point: Point,
    seconds: i64,
    mistake: Option<&'static str>,
}

impl Jump<'_> {
    fn name(&self) -> String {
        format!("{}/{}/clock{:+}", self.scenario.name, self.point, self.seconds)
    }

    fn play(&self, library: &Path) -> Option<Result<(), String>> {
        let ledger = Ledger::new(self.stage, self.scenario, self.mistake);
        let clock = ledger.file("clock");
        fs::write(&clock, "0").unwrap();
        let mut command = ledger.struck(&["run"], Blow::Stop, &self.point, 0);
        let sleeper = command.env("LD_PRELOAD", library).env("CLOCK_IS_OFF_BY", &clock).spawn().unwrap();
        let sleeper = Zombie::new(sleeper);
        if !sleeper.is_stopped() {
            return None;
        }
        fs::write(&clock, self.seconds.to_string()).unwrap();
        let said = sleeper.wake();
        let judge = || {
            ledger.bring_to_an_end()?;
            ledger.judge(Then::Resume, &[])
        };
        Some(judge().map_err(|why| format!("{why}\n{said:#?}")))
    }
}

/// What adds to the time, in this folder.
pub(super) fn library(home: &Path) -> Result<PathBuf, String> {
    let library = home.join("clock.so");
    let source = repository("tests/it/zombies/clock.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
    match compiler.output().map(Said::from) {
        Ok(said) if said.code == Some(0) => Ok(library),
        why => Err(format!("cc cannot build a library: {why:?}")),
    }
}

/// All of them, of a tool that does this wrongly, if anything.
fn jumps<'s>(stage: &'s Stage, mistake: Option<&'static str>) -> Vec<Jump<'s>> {
    let courses = Course::all(stage);
    let usual = courses.iter().filter(|course| ["all-well", "right-fails"].contains(&course.scenario.name));
    let all = usual.flat_map(|course| {
        let points = course.points().flat_map(|point| JUMPS.map(|seconds| (point.clone(), seconds)));
        points.map(|(point, seconds)| Jump { stage, scenario: course.scenario, point, seconds, mistake })
    });
    all.collect()
}

#[test]
fn a_clock_that_jumps_does_nothing_twice() {
    let suite = "clock jumps";
    let home = folder();
    let library = match library(home.path()) {
        Ok(library) => library,
        Err(why) => return skipped(suite, &why),
    };
    let stage = stage();
    let chosen = choose(jumps(&stage, None), 12, Jump::name);
    proved(suite, &at_once(AT_ONCE, &chosen, |jump| (jump.name(), jump.play(&library))));
}

/// What becomes of those whose names have this in them.
#[cfg(feature = "mistakes")]
pub(super) fn mistaken(mistake: &'static str, place: &str) -> Result<super::Ended, String> {
    let home = folder();
    let library = library(home.path())?;
    let stage = stage();
    let mut of_it = jumps(&stage, Some(mistake));
    of_it.retain(|jump| jump.name().contains(place));
    Ok(at_once(AT_ONCE, &of_it, |jump| (jump.name(), jump.play(&library))))
}
