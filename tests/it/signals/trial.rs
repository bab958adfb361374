//! One trial: a run is met at some moment, something is done to its process, and what it says is typed.

use super::scene::{MOMENTS, Moment, Scene, within};
use super::tool::{How, Tool};
use crate::stage::Stage;
use rustix::process::Signal;
use std::fmt::Write;
use std::time::Duration;

/// What is done to the process.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    /// Ctrl-C, so often.
    Interrupt(usize),
    /// SIGTERM, so often.
    Terminate(usize),
    /// SIGHUP, so often: a shell repeats what the kernel says.
    HangUp(usize),
    /// SIGHUP, where it was started so as to ignore that.
    NoHangUp,
    /// Its terminal is closed.
    Close,
    /// Whoever read what it prints in this form goes away.
    NobodyReads(&'static str),
}

const XTERM: Option<&str> = Some("xterm");

/// By name; with the name of the terminal at which it is done, if there is one.
pub(super) const DEEDS: [(&str, Deed); 16] = [
    ("ctrl-c", Deed(Act::Interrupt(1), XTERM)),
    ("ctrl-c-twice", Deed(Act::Interrupt(2), XTERM)),
    ("ctrl-c-thrice", Deed(Act::Interrupt(3), XTERM)),
    ("ctrl-c-nameless", Deed(Act::Interrupt(1), Some(""))),
    ("closed", Deed(Act::Close, XTERM)),
    ("int", Deed(Act::Interrupt(1), None)),
    ("int-twice", Deed(Act::Interrupt(2), None)),
    ("int-thrice", Deed(Act::Interrupt(3), None)),
    ("term", Deed(Act::Terminate(1), None)),
    ("term-twice", Deed(Act::Terminate(2), None)),
    ("hup", Deed(Act::HangUp(1), None)),
    ("hup-twice", Deed(Act::HangUp(2), None)),
    ("nohup", Deed(Act::NoHangUp, None)),
    ("no-reader", Deed(Act::NobodyReads("plain"), None)),
    ("no-reader-json", Deed(Act::NobodyReads("json"), None)),
    ("no-reader-jsonl", Deed(Act::NobodyReads("jsonl"), None)),
];

#[derive(Clone, Copy, Debug)]
pub(super) struct Deed(Act, Option<&'static str>);

impl Deed {
    /// The exit code, as the tool documents it; `watch` is ended by a signal like any program.
    fn code(self, moment: Moment) -> i32 {
        match self.0 {
            Act::Interrupt(_) => 130,
            Act::Terminate(_) => 143,
            Act::HangUp(_) | Act::Close if moment == Moment::Watched => 129,
            Act::HangUp(_) | Act::Close => 143,
            Act::NobodyReads(_) | Act::NoHangUp => match moment {
                Moment::Undo => 10,
                Moment::Pausing => 13,
                _ => 0,
            },
        }
    }

    /// It waits for no call.
    fn is_urgent(self) -> bool {
        matches!(self.0, Act::Interrupt(2..) | Act::Terminate(2..))
    }

    fn stops(self) -> bool {
        !matches!(self.0, Act::NobodyReads(_) | Act::NoHangUp)
    }
}

/// What an operator types afterwards.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// What the tool said.
    Resume,
    Abort,
}

pub(super) struct Trial {
    moment: Moment,
    name: &'static str,
    deed: Deed,
    then: Then,
}

/// All of them. Nothing is aborted that was not begun, or goes on.
pub(super) fn trials() -> Vec<Trial> {
    let mut all = Vec::new();
    for moment in MOMENTS {
        for (name, deed) in DEEDS {
            all.push(Trial { moment, name, deed, then: Then::Resume });
            if deed.stops() && !matches!(moment, Moment::Beginning | Moment::Watched) {
                all.push(Trial { moment, name, deed, then: Then::Abort });
            }
        }
    }
    all
}

impl Trial {
    pub(super) fn name(&self) -> String {
        format!("{:?}/{}/{:?}", self.moment, self.name, self.then).to_lowercase()
    }

    pub(super) fn deed(&self) -> &'static str {
        self.name
    }

    pub(super) fn is_at(&self, moment: Moment) -> bool {
        self.moment == moment
    }

    pub(super) fn is_at_a_terminal(&self) -> bool {
        self.deed.1.is_some()
    }

    /// With this mistake, if any.
    pub(super) fn run(&self, ground: &Stage, mistake: &'static str) -> Result<(), String> {
        let scene = Scene::set(ground, self.moment, mistake);
        let output = match self.deed.0 {
            Act::NobodyReads(output) => output,
            _ => "auto",
        };
        let how = How { output, terminal: self.deed.1, ignores_hang_ups: self.deed.0 == Act::NoHangUp };
        let (mut tool, driver) = scene.arrive(how)?;
        let told = self.act(&scene, &mut tool);
        let said = tool.said();
        told.and_then(|()| self.stopped(&scene, &said, driver)).map_err(|why| {
            let mut why = format!("{why}\n{said}");
            for fact in scene.facts() {
                let _ = write!(why, "\n  {fact}");
            }
            why
        })
    }

    /// The process ends only after what is held at the moment.
    fn is_waited_for(&self) -> bool {
        match self.moment {
            Moment::Watched => self.deed.0 == Act::NoHangUp,
            Moment::Beginning | Moment::Approval => !self.deed.stops(),
            _ => !self.deed.is_urgent(),
        }
    }

    /// Does it, and sees the process end as it should.
    fn act(&self, scene: &Scene<'_>, tool: &mut Tool) -> Result<(), String> {
        let times = match self.deed.0 {
            Act::Interrupt(times) | Act::Terminate(times) | Act::HangUp(times) => times,
            Act::NoHangUp | Act::Close | Act::NobodyReads(_) => 1,
        };
        for time in 0..times {
            match self.deed.0 {
                Act::Interrupt(_) => tool.interrupt(),
                Act::Terminate(_) => tool.signal(Signal::TERM),
                Act::HangUp(_) | Act::NoHangUp => tool.signal(Signal::HUP),
                Act::Close => tool.nobody_reads(true),
                Act::NobodyReads(output) => tool.nobody_reads(output == "plain"),
            }
            if time == 0 && self.deed.stops() {
                let is_heard = |tool: &mut Tool| tool.said().contains("stopping:") || tool.ended().is_some();
                let is_paused = || scene.facts().iter().any(|fact| fact.contains("run_paused"));
                within(30, "it hears", || is_heard(tool) || (self.deed.0 == Act::Close && is_paused()))?;
            }
        }
        if self.is_waited_for() {
            // Whatever should not be stopped has time to be.
            std::thread::sleep(Duration::from_millis(300));
            scene.let_go();
        }
        let mut code = None;
        within(60, "its end", || {
            code = tool.ended();
            code.is_some()
        })?;
        let should = self.deed.code(self.moment);
        if code == Some(should) { Ok(()) } else { Err(format!("it ended with {code:?}, not {should}")) }
    }

    /// Nothing of it lives, it says what to type, and that leads to a good end.
    fn stopped(&self, scene: &Scene<'_>, said: &str, driver: Option<Tool>) -> Result<(), String> {
        if driver.is_none() {
            // Long before the time of a command is over by itself.
            within(5, "nothing lives", || scene.living().is_empty())
                .map_err(|why| format!("{why}: {:?}", scene.living()))?;
        }
        scene.let_go();
        if let Some(mut driver) = driver {
            within(60, "the end of the run", || driver.ended().is_some())?;
        } else if self.moment == Moment::Beginning && self.deed.stops() {
            self.began_nothing(scene, said)?;
        } else {
            self.go_on(scene, said)?;
        }
        self.ended_well(scene)
    }

    fn began_nothing(&self, scene: &Scene<'_>, said: &str) -> Result<(), String> {
        let told = said.trim_end().ends_with("interrupted before anything was done");
        if scene.status().is_some() || !(told || self.deed.0 == Act::Close) {
            return Err("it was interrupted before it began, and does not say so".into());
        }
        let said = scene.run(&["run", "plan.yaml"]);
        if said.code == Some(0) { Ok(()) } else { Err(format!("it cannot be run afterwards: {said:?}")) }
    }

    /// Types what the tool said last, or aborts.
    fn go_on(&self, scene: &Scene<'_>, said: &str) -> Result<(), String> {
        let status = scene.status().ok_or("there is no run")?;
        if !status["verdict"].is_null() {
            return Ok(());
        }
        let mut next = vec!["resume".to_owned(), "latest".to_owned()];
        if self.deed.stops() && self.deed.0 != Act::Close {
            next = advice(said)?;
        }
        if self.then == Then::Abort {
            next = ["abort", "latest", "--reason", "trial"].map(str::to_owned).into();
        }
        let mut done = Vec::new();
        for _ in 0..4 {
            let words: Vec<&str> = next.iter().map(String::as_str).collect();
            let said = scene.run(&words);
            let status = scene.status().ok_or("the run is gone")?;
            if !status["verdict"].is_null() {
                return Ok(());
            }
            done.push(format!("{words:?} -> {:?} {}", said.code, said.stderr));
            next = advice(&said.stdout).unwrap_or_default();
            if next.is_empty() {
                break;
            }
        }
        Err(format!("no end: {done:#?}"))
    }

    fn ended_well(&self, scene: &Scene<'_>) -> Result<(), String> {
        let status = scene.status().ok_or("there is no run")?;
        let aborted = self.then == Then::Abort && self.deed.stops();
        let should = if aborted { "rolled_back" } else { self.moment.verdict() };
        let finished = self.deed.code(self.moment) == 0 || self.moment == Moment::Watched;
        if status["verdict"] != should || (finished && status["paused"].is_object()) {
            return Err(format!("it is {}, not {should}", status["verdict"]));
        }
        scene.is_as(should)?;
        if self.is_waited_for() && scene.log().iter().any(|line| line.starts_with("stopped")) {
            return Err(format!("a command was stopped that should have been waited for: {:?}", scene.log()));
        }
        let verified = scene.run(&["log", "latest", "--verify"]);
        if verified.code != Some(0) {
            return Err(format!("the journal does not hold: {verified:?}"));
        }
        // Another run of what it locked finds nothing of it.
        let again = scene.run(&["run", "again.yaml"]);
        if again.code != Some(0) || again.stderr.contains("taken over from run") {
            return Err(format!("a lock was left: {again:?}"));
        }
        let living = scene.living();
        if living.is_empty() { Ok(()) } else { Err(format!("something lives: {living:?}")) }
    }
}

/// The first command that is said to be typed now, at the end of what was said.
fn advice(said: &str) -> Result<Vec<String>, String> {
    let (_, now) = said.rsplit_once("what to do now\n").ok_or("it does not say what to do now")?;
    let mut lines = now.trim_end().lines();
    let command = lines.clone().find_map(|line| line.trim().strip_prefix("switchover ")).unwrap_or_default();
    if command.is_empty() || !lines.next_back().is_some_and(|line| line.starts_with("  see runbooks/R-")) {
        return Err(format!("the last lines are not what to type: {now}"));
    }
    Ok(command.split(' ').map(str::to_owned).collect())
}
