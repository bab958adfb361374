//! The real binary loses its power: killed at a call to the system, its state directory replaced by what a disk would
//! hold, then taken up again in the world that lived on, where the power may be lost once more.

use super::platter::{Kept, Platter, Sync};
use super::{Dice, Ended, Wanted, at_once, folder, found_out, proved, skipped, tape};
use crate::stage::{Said, Stage, lasting, repository};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// How fast time runs.
const TIME: u32 = 90;
/// At once: most of a trial is waiting.
const AT_ONCE: usize = 6;
/// How often an operator does something before they give up.
const PATIENCE: usize = 8;
/// What the run writes, so that anything that is done twice or not at all is seen.
const PLAN: &str = r#"
switchover: v1
name: one-switch
targets:
  prod: { aws: { account: "123456789012", region: eu-west-1 } }
  zone: { route53: { zone_id: Z0123456789ABC, name: navralabs.com, aws: prod } }
steps:
  - id: switch
    uses: dns.switch
    with:
      target: zone
      record: app
      to: { load_balancer: aep-prod, in: prod }
      writes: shared
"#;
/// How many runs are gone through to see which calls are made.
const PROBES: usize = 3;
/// Calls at which it dies.
const CALLS: &[&str] = &["pwrite64", "fsync", "openat", "ftruncate", "unlink"];

/// A world, and a place for the tool to keep its state in.
pub(super) struct Scene {
    pub(super) stage: Stage,
    root: tempfile::TempDir,
    plan: tempfile::TempDir,
}

impl Scene {
    pub(super) fn new() -> Self {
        let (root, plan) = (folder(), folder());
        std::fs::write(plan.path().join("plan.yaml"), PLAN).unwrap();
        let stage = Stage::without_users(&repository("plans/worlds/aep.yaml"), TIME);
        Self { stage, root, plan }
    }

    pub(super) fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// A verb of the tool; `run` is given the plan.
    pub(super) fn command(&self, verb: &[&str]) -> Command {
        let mut command = self.stage.command(verb);
        if verb == ["run"] {
            command.arg(self.plan.path().join("plan.yaml"));
        }
        command.env("SWITCHOVER_STATE_DIR", self.state()).env("SWITCHOVER_ON_PAUSE", "exit");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(super) fn run(&self, verb: &[&str]) -> Said {
        self.command(verb).output().unwrap().into()
    }

    /// The newest run, if there is any.
    pub(super) fn status(&self) -> Option<Json> {
        serde_json::from_str(&self.run(&["status", "latest", "--output", "json"]).stdout).ok()
    }

    /// The files of the state directory, for strace: only calls that are about them are looked at.
    pub(super) fn about(&self) -> Vec<String> {
        let files = ["switchover.db", "switchover.db-wal", "switchover.db-shm", "reserve"];
        let state = self.state();
        let paths = [self.root.path().to_owned(), state.clone()].into_iter();
        let all = paths.chain(files.map(|file| state.join(file)));
        all.flat_map(|path| ["-P".into(), path.display().to_string()]).collect()
    }

    fn world(&self) -> Json {
        lasting(&self.stage.world.state())
    }

    /// Runs until it dies at this call, and then without what was not synced. False if it ended before.
    fn lose_power(&self, verb: &[&str], kill: &Kill, sync: Sync) -> bool {
        let log = folder();
        let log = log.path().join("log");
        let mut platter = Platter::holding(self.root.path(), sync);
        let mut more = self.about();
        more.push(format!("--inject={}:signal=SIGKILL:when={}", kill.call, kill.nth));
        let mut watched = tape::watched(&self.command(verb), &log, &more);
        let ended = watched.stdin(Stdio::null()).output().unwrap().status;
        if ended.code().is_some() {
            return false;
        }
        let deeds = tape::read(&log, self.root.path());
        for (place, deed) in deeds.iter().enumerate() {
            platter.take(deed, deeds.get(place + 1));
        }
        let _ = std::fs::remove_dir_all(self.state());
        platter.after_power_loss(kill.kept, self.root.path());
        true
    }

    /// Goes on as an operator would, until there is a verdict.
    pub(super) fn bring_to_an_end(&self) -> Result<String, String> {
        let mut done = Vec::new();
        for _ in 0..PATIENCE {
            let status = self.status().ok_or("the run is gone")?;
            if let Some(verdict) = status["verdict"].as_str() {
                return Ok(verdict.to_owned());
            }
            let step = status["paused"]["step"].as_str().unwrap_or_default();
            let verb = match status["paused"]["kind"].as_str() {
                None => ["resume", "latest"],
                Some("stuck") => ["retry", step],
                Some(_) => ["continue", "latest"],
            };
            let said = self.run(&verb);
            done.push(format!("{verb:?} {:?} {}", said.code, said.stderr));
        }
        Err(format!("no end: {done:#?}"))
    }
}

#[derive(Clone, Debug)]
struct Kill {
    call: &'static str,
    nth: usize,
    kept: Kept,
}

/// What all trials begin with, and what is right.
pub(super) struct Course {
    /// A state directory with a run that is over: opened, it needs no new files.
    used: tempfile::TempDir,
    earlier: String,
    /// The world before, and after.
    worlds: (Json, Json),
    points: Vec<Point>,
}

/// Where the power is lost, and what follows.
#[derive(Clone, Copy, Debug)]
struct Point {
    call: &'static str,
    nth: usize,
    used: bool,
    then: &'static str,
}

impl Course {
    pub(super) fn new() -> Self {
        let scene = Scene::new();
        let before = scene.world();
        let said = scene.run(&["run"]);
        assert_eq!(said.code, Some(0), "{said:#?}");
        let earlier = scene.status().unwrap()["run"].as_str().unwrap().to_owned();
        let worlds = (before, scene.world());
        assert_ne!(worlds.0, worlds.1);
        let mut course = Self { used: scene.root, earlier, worlds, points: Vec::new() };
        course.points = [false, true].into_iter().flat_map(|used| course.points(used)).collect();
        course
    }

    /// A world in which nothing was done, and a state directory in which something may have been.
    fn scene(&self, used: bool) -> Scene {
        let scene = Scene::new();
        if used {
            Platter::holding(self.used.path(), Sync::Honest)
                .after_power_loss(Kept::Everything, scene.root.path());
        }
        scene
    }

    /// Every call that is made of these kinds. Each thread counts its own, and which thread does what differs from run to
    /// run: what one of several runs did without may not come again.
    fn points(&self, used: bool) -> Vec<Point> {
        let logs: Vec<String> = (0..PROBES).map(|_| self.log(used)).collect();
        let most = |call: &str, text: &str| {
            let mut threads: BTreeMap<&str, usize> = BTreeMap::new();
            let begun = text.lines().filter(|line| line.contains(&format!(" {call}(")));
            begun.for_each(|line| *threads.entry(line.split(' ').next().unwrap()).or_default() += 1);
            threads.into_values().max().unwrap_or_default()
        };
        let surely = |call: &str| logs.iter().map(|text| most(call, text)).min().unwrap_or_default();
        let each = CALLS.iter().flat_map(|call| (1..=surely(call)).map(|nth| (*call, nth)));
        each.flat_map(|(call, nth)| ["resume", "abort"].map(|then| Point { call, nth, used, then })).collect()
    }

    /// What a run without trouble asks of the system.
    fn log(&self, used: bool) -> String {
        let (scene, log) = (self.scene(used), folder());
        let log = log.path().join("log");
        let mut watched = tape::watched(&scene.command(&["run"]), &log, &scene.about());
        let status = watched.stdin(Stdio::null()).output().unwrap().status;
        assert!(status.success());
        std::fs::read_to_string(log).unwrap()
    }

    pub(super) fn is_as_before(&self, scene: &Scene) -> Result<(), String> {
        same(&scene.world(), &self.worlds.0, "before")
    }

    pub(super) fn is_as_after(&self, scene: &Scene) -> Result<(), String> {
        same(&scene.world(), &self.worlds.1, "after")
    }

    fn name(&self, number: usize) -> String {
        let Point { call, nth, used, then } = self.points[number];
        format!("course/{}/{call}-{nth}/{then}", if used { "used" } else { "new" })
    }

    fn trial(&self, number: usize, sync: Sync) -> Result<bool, String> {
        let Point { call, nth, used, then } = self.points[number];
        let mut dice = Dice::new(number as u64);
        let mut kept = || {
            let seed = dice.below(1 << 20) as u64;
            if dice.below(2) == 0 { Kept::Nothing } else { Kept::Part(seed) }
        };
        let (first, second) = (kept(), kept());
        let scene = self.scene(used);
        if !scene.lose_power(&["run"], &Kill { call, nth, kept: first }, sync) {
            return Ok(false);
        }
        if scene.status().is_none_or(|status| status["run"] == *self.earlier) {
            // There is no run: then nothing was done.
            return same(&scene.world(), &self.worlds.0, "no run").map(|()| true);
        }
        let (call, last) = [("pwrite64", 40), ("fsync", 8)][dice.below(2)];
        let again = Kill { call, nth: 1 + dice.below(last), kept: second };
        if !scene.lose_power(&[then, "latest"], &again, sync) || then == "abort" {
            // If the order was lost with the power it is given again; an operator sees that.
            let _ = scene.run(&[then, "latest"]);
        }
        let verdict = scene.bring_to_an_end()?;
        let verified = scene.run(&["log", "latest", "--verify"]);
        if verified.code != Some(0) {
            return Err(format!("the journal does not hold: {}", verified.stderr));
        }
        match &*verdict {
            "completed" => same(&scene.world(), &self.worlds.1, &verdict)?,
            "rolled_back" if then == "abort" => same(&scene.world(), &self.worlds.0, &verdict)?,
            other => return Err(format!("after {then} it is {other}")),
        }
        Ok(true)
    }
}

fn same(is: &Json, should: &Json, verdict: &str) -> Result<(), String> {
    let zones = "zones";
    if is == should {
        return Ok(());
    }
    Err(format!("{verdict}, but the world is another: {} and not {}", is[zones], should[zones]))
}

#[test]
fn power_is_lost_while_a_plan_runs() {
    let suite = "power loss of a run";
    if let Err(why) = tape::is_possible() {
        return skipped(suite, &why);
    }
    let wanted = Wanted::read();
    if matches!(&wanted, Wanted::Named(name) if !name.starts_with("course/")) {
        return;
    }
    let course = Course::new();
    let chosen = wanted.choose(suite, course.points.len(), 24, |number| course.name(number));
    let run = |sync| at_once(AT_ONCE, &chosen, |number| (course.name(number), course.trial(number, sync)));
    let dead = |ended: Vec<(String, Result<bool, String>)>| -> Ended {
        ended.into_iter().filter(|(_, ended)| *ended != Ok(false)).map(|(n, e)| (n, e.map(drop))).collect()
    };
    let ended = dead(run(Sync::Honest));
    proved(suite, &ended);
    if !wanted.is_named() {
        // How often a call is made is not the same each time: a monitor looks less often where others keep the machine busy.
        assert!(ended.len() * 4 >= chosen.len() * 3, "only {} of {} were killed", ended.len(), chosen.len());
        found_out("power loss of a run with synchronous=OFF", &dead(run(Sync::Never)));
    }
}
