//! One trial: killed somewhere, taken up, killed once more, and brought to its end.

use super::scenario::Scenario;
use crate::stage::{Said, Stage, lasting};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

const PLAN: &str = "plans/aep-go-live.yaml";
/// How fast time runs, and how fast where that was too fast for a busy machine: a call may take a minute of it.
const TIME: u32 = 90;
const SLOWER: u32 = 15;
/// What a run says whose time ran out. Told as a failure of the test only if it is so at the slower pace too.
const OUT_OF_TIME: &[&str] =
    &["not there after", "no answer within", "the deadline of this call passed", "every try was lost"];
/// How often an operator does something before they give up.
const PATIENCE: usize = 12;

/// Where the tool dies.
#[derive(Clone, Debug)]
enum Kill {
    /// Around the append of this event.
    Append { number: usize, after: bool },
    /// Around this call, by its number among its kind.
    Call { service: String, operation: String, number: u64, landed: bool },
    /// Around the command of `finally`.
    Command { landed: bool },
}

/// What somebody does afterwards.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Resume,
    Abort,
}

/// How often it was killed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ended {
    KilledTwice,
    KilledOnce,
    NeverKilled,
}

/// A stage, and the command of `finally` in reach of the test.
struct Scene {
    stage: Stage,
    folder: tempfile::TempDir,
    /// What the tool does wrongly, if it was built for it.
    mistake: Option<&'static str>,
}

/// In place of `echo`: waits where it is told to, and fails where it is told to.
const ECHO: &str = r#"#!/bin/sh
folder="$(dirname "$0")"
hold() {
    if [ -e "$folder/$1" ]; then
        mv "$folder/$1" "$folder/held"
        while [ -e "$folder/held" ]; do sleep 0.01; done
    fi
}
hold before
printf '%s\n' "$*"
hold after
test ! -e "$folder/fails"
"#;

impl Scene {
    fn set(scenario: &Scenario, time: u32, mistake: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = folder.path().join("world.yaml");
        fs::write(&world, scenario.world.to_string()).unwrap();
        let echo = folder.path().join("echo");
        fs::write(&echo, ECHO).unwrap();
        fs::set_permissions(&echo, fs::Permissions::from_mode(0o755)).unwrap();
        let scene = Self { stage: Stage::without_users(&world, time), folder, mistake };
        if scenario.command_fails {
            fs::write(scene.file("fails"), "").unwrap();
        }
        scene
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[expect(clippy::disallowed_methods, reason = "the tool finds the commands that we find, and ours first")]
    fn command(&self, verb: &[&str], faults: &str) -> std::process::Command {
        let mut command = self.stage.command(verb);
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("SWITCHOVER_FAULTS", faults).env("SWITCHOVER_ON_PAUSE", "exit");
        command.envs(self.mistake.map(|mistake| ("SWITCHOVER_MISTAKE", mistake)));
        command.env("SWITCHOVER_PARAM_SOAK", "3m").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, verb: &[&str]) -> Said {
        self.command(verb, "").output().unwrap().into()
    }

    /// Runs until it is killed; `false` if it ended before.
    fn die(&self, verb: &[&str], kill: &Kill) -> bool {
        match kill {
            Kill::Append { number, after } => {
                let fault = format!("kill-{}-append={number}", if *after { "after" } else { "before" });
                self.command(verb, &fault).output().unwrap().status.code().is_none()
            }
            Kill::Call { service, operation, number, landed } => {
                let kind = if *landed { "hold_after" } else { "hold_before" };
                self.stage.hold(service, operation, *number, kind);
                let died = self.die_when(verb, || self.stage.is_holding());
                // What was held for a caller that is gone is never carried out; only then is it let go.
                self.stage.wait_until("the end of the call", || !self.stage.is_holding());
                self.stage.release();
                died
            }
            Kill::Command { landed } => {
                fs::write(self.file(if *landed { "after" } else { "before" }), "").unwrap();
                let died = self.die_when(verb, || self.file("held").exists());
                for name in ["before", "after", "held"] {
                    let _ = fs::remove_file(self.file(name));
                }
                died
            }
        }
    }

    fn die_when(&self, verb: &[&str], held: impl Fn() -> bool) -> bool {
        let mut child = self.command(verb, "").spawn().unwrap();
        let died = loop {
            if held() {
                child.kill().unwrap();
                break true;
            }
            if child.try_wait().unwrap().is_some() {
                break false;
            }
            std::thread::sleep(Duration::from_millis(15));
        };
        let _ = child.wait_with_output();
        died
    }

    fn status(&self) -> Json {
        serde_json::from_str(&self.run(&["status", "latest", "--output", "json"]).stdout).unwrap()
    }

    /// Goes on as an operator would, until there is a verdict.
    fn bring_to_an_end(&self, scenario: &Scenario) -> Result<Json, String> {
        let mut done = Vec::new();
        for _ in 0..PATIENCE {
            let status = self.status();
            if !status["verdict"].is_null() {
                return Ok(status);
            }
            let step = status["paused"]["step"].as_str().unwrap_or_default();
            let verb = match status["paused"]["kind"].as_str() {
                None => ["resume", "latest"],
                Some("stuck") => ["retry", step],
                Some("rejected") => ["abort", "latest"],
                Some("operator" | "checkpoint" | "blind" | "deadline") => ["continue", "latest"],
                Some(_) => return Err(format!("nobody knows what to do after {done:#?}: {status:#}")),
            };
            if matches!(verb[0], "retry" | "continue") {
                // Whatever refused it has been put right.
                self.stage.world.ask("DELETE", "/faults", None);
            }
            let said = self.run(&verb);
            done.push(format!(
                "{verb:?} -> {:?} {}",
                said.code,
                said.stderr.lines().last().unwrap_or_default()
            ));
        }
        Err(format!("no end of {}: {done:#?}", scenario.name))
    }
}

/// What a scenario comes to if nothing is killed.
pub(super) struct Course<'s> {
    pub(super) scenario: &'s Scenario,
    facts: Vec<Json>,
    /// The first fact that is not as in the first scenario, from 1.
    from: usize,
    /// Calls by kind: before that, and in all.
    calls: Calls,
    /// The world before, and after.
    worlds: (Json, Json),
    /// How many tasks were run once.
    tasks: usize,
}

fn counts(stage: &Stage) -> BTreeMap<(String, String), u64> {
    let word = |json: &Json| json.as_str().unwrap().to_owned();
    let calls = stage.calls().into_iter().filter(|call| call["service"] != "app");
    calls.map(|c| ((word(&c["service"]), word(&c["operation"])), c["came"].as_u64().unwrap())).collect()
}

fn facts(log: &str) -> Vec<Json> {
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl<'s> Course<'s> {
    pub(super) fn of(scenario: &'s Scenario) -> Self {
        Self::at(scenario, TIME)
            .or_else(|_| Self::at(scenario, SLOWER))
            .unwrap_or_else(|why| panic!("{}, undisturbed: {why}", scenario.name))
    }

    fn at(scenario: &'s Scenario, time: u32) -> Result<Self, String> {
        let scene = Scene::set(scenario, time, None);
        let before = scene.stage.world.state();
        let said = scene.run(&["run", PLAN]);
        let log = scene.stage.log();
        if said.code != Some(scenario.code) {
            return Err(format!("it ended with {:?}\n{log}", said.code));
        }
        let status = scene.bring_to_an_end(scenario)?;
        if status["verdict"] != scenario.verdict {
            return Err(format!("the verdict is {}\n{log}", status["verdict"]));
        }
        let after = scene.stage.world.state();
        let (worlds, tasks) = ((lasting(&before), lasting(&after)), tasks(&after));
        let from =
            scenario.begins(&facts(&log)).ok_or_else(|| format!("nothing of what it breaks\n{log}"))?;
        let (facts, calls) = watched(scenario, from, time)?;
        Ok(Self { scenario, facts, from, calls, worlds, tasks })
    }

    /// The steps that these facts are about.
    pub(super) fn steps_that(&self, events: &[&str]) -> BTreeSet<&str> {
        let told = self.facts.iter().filter(|fact| events.contains(&fact["event"].as_str().unwrap()));
        told.filter_map(|fact| fact["step"].as_str()).collect()
    }

    fn kills(&self) -> Vec<Kill> {
        let mut all = Vec::new();
        for number in self.from..=self.facts.len() {
            all.extend([false, true].map(|after| Kill::Append { number, after }));
        }
        for ((service, operation), (before, came)) in &self.calls {
            let reads = ["GET ", "Get", "List", "Describe"].iter().any(|verb| operation.starts_with(verb));
            let last = if reads { (*came).min(before + 1) } else { *came };
            for number in before + 1..=last {
                let (service, operation) = (service.clone(), operation.clone());
                all.extend([false, true].map(|landed| {
                    let (service, operation) = (service.clone(), operation.clone());
                    Kill::Call { service, operation, number, landed }
                }));
            }
        }
        if self.facts.iter().any(|fact| fact["step"] == "announce") {
            all.extend([false, true].map(|landed| Kill::Command { landed }));
        }
        all
    }

    pub(super) fn trials(&self) -> Vec<Trial<'_>> {
        let both = |kill: Kill| [(kill.clone(), Then::Resume), (kill, Then::Abort)];
        let trials = self.kills().into_iter().flat_map(both).enumerate();
        trials
            .map(|(place, (kill, then))| Trial {
                course: self,
                kill,
                then,
                again: 1 + place % 11,
                mistake: None,
            })
            .collect()
    }
}

type Calls = BTreeMap<(String, String), (u64, u64)>;

/// Once more, stopped for a moment at this fact: what had been called by then, and in all.
fn watched(scenario: &Scenario, from: usize, time: u32) -> Result<(Vec<Json>, Calls), String> {
    let scene = Scene::set(scenario, time, None);
    let mut child = scene.command(&["run", PLAN], &format!("stop-after-append={from}")).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let stopped = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().is_some_and(|(_, how)| how.stopped());
    if !stopped {
        let _ = child.wait();
        return Err(format!("it ended before fact {from}"));
    }
    let earlier = counts(&scene.stage);
    kill_process(pid, Signal::CONT).unwrap();
    let said: Said = child.wait_with_output().unwrap().into();
    let log = scene.stage.log();
    if said.code != Some(scenario.code) {
        return Err(format!("it ended with {:?}\n{log}", said.code));
    }
    let calls = counts(&scene.stage).into_iter().map(|(kind, all)| {
        let before = earlier.get(&kind).copied().unwrap_or_default();
        (kind, (before, all))
    });
    Ok((facts(&log), calls.collect()))
}

/// One trial.
pub(super) struct Trial<'c> {
    course: &'c Course<'c>,
    kill: Kill,
    then: Then,
    /// So many events later it is killed once more.
    again: usize,
    /// What the tool does wrongly, if it was built for it.
    mistake: Option<&'static str>,
}

impl Trial<'_> {
    /// Of a tool that does this wrongly.
    #[cfg(feature = "mistakes")]
    pub(super) fn mistaken(self, mistake: &'static str) -> Self {
        Self { mistake: Some(mistake), ..self }
    }

    pub(super) fn is_of(&self, course: &Course<'_>) -> bool {
        self.course.scenario.name == course.scenario.name
    }

    /// `switch-fails/before-52/abort`.
    pub(super) fn name(&self) -> String {
        let kill = match &self.kill {
            Kill::Append { number, after: false } => format!("before-{number}"),
            Kill::Append { number, after: true } => format!("after-{number}"),
            Kill::Call { service, operation, number, landed } => {
                let operation = operation.replace(['/', ' '], "-");
                format!("{service}-{operation}-{number}-{}", if *landed { "landed" } else { "unsent" })
            }
            Kill::Command { landed } => format!("command-{}", if *landed { "ended" } else { "begun" }),
        };
        let then = if self.then == Then::Resume { "resume" } else { "abort" };
        format!("{}/{kill}/{then}", self.course.scenario.name)
    }

    /// Of a kill at an append: which.
    fn number(&self) -> usize {
        if let Kill::Append { number, .. } = self.kill { number } else { 0 }
    }

    /// How it is repeated alone.
    pub(super) fn repeat(&self) -> String {
        format!("SWITCHOVER_CRASH='{}' cargo test --release --test it crash -- --nocapture", self.name())
    }

    /// Runs it; and whether it had to be repeated at a slower pace.
    pub(super) fn run(&self) -> Result<(Ended, bool), String> {
        match self.at(&self.kill, TIME) {
            Ok(ended) => Ok((ended, false)),
            Err(why) if OUT_OF_TIME.iter().any(|words| why.contains(words)) => {
                Ok((self.at(&self.kill, SLOWER)?, true))
            }
            Err(why) => Err(why),
        }
    }

    fn at(&self, kill: &Kill, time: u32) -> Result<Ended, String> {
        let scene = Scene::set(self.course.scenario, time, self.mistake);
        let killed = scene.die(&["run", PLAN], kill);
        if scene.run(&["status", "latest"]).code != Some(0) {
            if !killed {
                return Err("it ended, and there is no run".into());
            }
            // It died before there was a run.
            same(&lasting(&scene.stage.world.state()), &self.course.worlds.0, "no run")?;
            return Ok(Ended::KilledOnce);
        }
        let behind = facts(&scene.stage.log()).len();
        if let (false, Kill::Append { number, after }) = (killed, kill) {
            // A signal was sampled less often than in the run that was watched: the same fact has a smaller number.
            let missing = self.course.facts.len().saturating_sub(behind);
            if (1..*number).contains(&missing) && *number == self.number() {
                return self.at(&Kill::Append { number: number - missing, after: *after }, time);
            }
        }
        let verb = if self.then == Then::Resume { ["resume", "latest"] } else { ["abort", "latest"] };
        let twice = killed
            && scene.die(
                &verb,
                &Kill::Append { number: behind + self.again, after: self.again.is_multiple_of(2) },
            );
        let judged =
            scene.bring_to_an_end(self.course.scenario).and_then(|status| self.judge(&scene, &status));
        judged.map_err(|why| format!("{why}\n{}", scene.stage.log()))?;
        Ok(match (killed, twice) {
            (true, true) => Ended::KilledTwice,
            (true, false) => Ended::KilledOnce,
            (false, _) => Ended::NeverKilled,
        })
    }

    fn judge(&self, scene: &Scene, status: &Json) -> Result<(), String> {
        let verified = scene.run(&["log", "latest", "--verify"]);
        if verified.code != Some(0) {
            return Err(format!("the journal does not hold: {}", verified.stderr));
        }
        let verdict = status["verdict"].as_str().unwrap_or_default();
        let log = facts(&scene.stage.log());
        // Past the checkpoint nothing is undone by an order to abort.
        let released = log.iter().any(|f| f["step"] == "old-side-released" && f["event"] == "step.succeeded");
        let expected = match self.then {
            Then::Abort if !released => "rolled_back",
            _ => self.course.scenario.verdict,
        };
        if verdict != expected {
            return Err(format!("the verdict is {verdict}, not {expected}"));
        }
        let (before, after) = &self.course.worlds;
        let mut should = if verdict == "rolled_back" { before } else { after }.clone();
        // Where its own could not be given back, it can be once an operator has put things right before it came to that.
        let succeeded =
            |step: &str| log.iter().any(|fact| fact["step"] == step && fact["event"] == "step.succeeded");
        if succeeded("_lock") && succeeded("_unlock") {
            without_locks(&mut should);
        }
        let state = scene.stage.world.state();
        same(&lasting(&state), &should, verdict)?;
        // All else that is called sets something: what was done twice would look the same.
        let (ran, most) = (tasks(&state), self.course.tasks);
        if ran > most { Err(format!("{ran} tasks were run, and {most} undisturbed")) } else { Ok(()) }
    }
}

/// Those that were run once, also ended ones that are still listed.
fn tasks(state: &Json) -> usize {
    state["one_off_tasks"].as_array().map_or(0, Vec::len)
}

fn without_locks(world: &mut Json) {
    let is_lock =
        |set: &Json| set["record"].as_str().is_some_and(|record| record.starts_with("_switchover."));
    for zone in world["zones"].as_object_mut().unwrap().values_mut() {
        zone.as_array_mut().unwrap().retain(|set| !is_lock(set));
    }
}

fn same(is: &Json, should: &Json, verdict: &str) -> Result<(), String> {
    let apart = |key: &String| is[key] != should[key];
    let keys: Vec<&String> = should.as_object().unwrap().keys().filter(|key| apart(key)).collect();
    if is == should {
        return Ok(());
    }
    let shown: Vec<String> =
        keys.iter().map(|key| format!("{key} is {:#} and should be {:#}", is[*key], should[*key])).collect();
    Err(format!("{verdict}, but the world is another: {}", shown.join("; ")))
}
