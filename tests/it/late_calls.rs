//! Calls that take no condition, from a process that is stopped (SIGSTOP) while they are to be sent or are on their way, for
//! longer than its lease: `UpdateService`, `ModifyRule`, `ModifyListener`. Whoever takes over does not believe that it did not
//! land, and sends nothing, until the deadline that is journaled with the intent has passed; by then it has landed once or never
//! will. What is seen to have landed may be taken back at once. The one that was stopped sends nothing more, and says so.
//!
//! Time runs slowly here: a lease runs out before the call must have landed.

use crate::crash::at_once;
use crate::ledger::Then;
use crate::stage::{Said, Stage, altered, lasting};
use crate::two_operators::{calls, facts};
use crate::zombies::{Zombie, is_fenced};
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// A lease lasts as long on the wall clock as this many seconds of the world: less than a call may take.
const SLOW: u32 = 3;
/// By then the lease of whoever is silent has run out, on the wall clock.
const LEASE: Duration = Duration::from_secs(16);
/// How long whoever took over is watched while the call is on its way, on the wall clock.
const WATCHED: Duration = Duration::from_secs(2);
/// How often is looked.
const GLANCE: Duration = Duration::from_millis(200);
/// The fact that is the intent of the only step.
const INTENT: usize = 4;

/// What is called, in what world, and by what step.
#[derive(Clone, Copy)]
struct Call {
    service: &'static str,
    operation: &'static str,
    world: &'static str,
    change: fn() -> Json,
    step: &'static str,
}

const CALLS: [Call; 3] = [
    Call {
        service: "ecs",
        operation: "UpdateService",
        world: "one-record.yaml",
        change: || json!({}),
        step: r#"{ id: only, uses: ecs.deploy, with: { target: prod, cluster: aep-prod, service: aep-frontend-prod, images: { frontend: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/aep-frontend@sha256:0b1059d155cefb2eca9dbb8d0f6d4b2b2b75b36944856bb9f6c9490eddab72dc" } } }"#,
    },
    Call {
        service: BALANCERS,
        operation: "ModifyRule",
        world: "blue-green.yaml",
        change: by_a_rule,
        step: "{ id: only, uses: alb.weights, with: { target: prod, load_balancer: web, rule: 10, group: web-green, to: [100] } }",
    },
    Call {
        service: BALANCERS,
        operation: "ModifyListener",
        world: "blue-green.yaml",
        change: || json!({}),
        step: "{ id: only, uses: alb.weights, with: { target: prod, load_balancer: web, listener: 443, group: web-green, to: [100] } }",
    },
];
const BALANCERS: &str = "elasticloadbalancing";

/// Blue and green share a rule that is not the default of its listener.
fn by_a_rule() -> Json {
    let service = |family: &str, weight: u32| {
        json!({"task_definition": family, "desired": 2, "load_balancer": "web", "paths": ["/*"], "priority": 10,
            "weight": weight})
    };
    json!({"clusters": {"web": {"web-blue": service("web-blue", 1), "web-green": service("web-green", 0)}}})
}

/// Where its process is stopped.
#[derive(Clone, Copy, PartialEq)]
enum Stopped {
    /// Its intent is recorded, and nothing was sent.
    Unsent,
    /// It is on its way, and lands once another has taken over.
    OnItsWay,
    /// It has landed, and its answer is on its way.
    Landed,
}

struct Round {
    call: Call,
    stopped: Stopped,
    then: Then,
    /// What the tool does wrongly, if it was built for it.
    mistake: Option<&'static str>,
}

fn rounds() -> Vec<Round> {
    let stopped = [Stopped::Unsent, Stopped::OnItsWay, Stopped::Landed];
    let each = CALLS.into_iter().flat_map(|call| stopped.map(|stopped| (call, stopped)));
    each.flat_map(|(call, stopped)| Then::BOTH.map(|then| Round { call, stopped, then, mistake: None }))
        .collect()
}

/// A world and a plan of one round.
struct Scene<'r> {
    round: &'r Round,
    stage: Stage,
    folder: TempDir,
}

impl Scene<'_> {
    fn command(&self, verb: &[&str]) -> Command {
        let mut command = self.stage.command(verb);
        if verb == ["run"] {
            command.arg(self.folder.path().join("plan.yaml"));
        }
        command.env("SWITCHOVER_ON_PAUSE", "exit").stdout(Stdio::piped()).stderr(Stdio::piped());
        command.envs(self.round.mistake.map(|mistake| ("SWITCHOVER_MISTAKE", mistake)));
        command
    }

    /// How many of the calls came, and how many were answered.
    fn calls(&self) -> (u64, u64) {
        calls(&self.stage, self.round.call.operation)
    }

    fn facts(&self, event: &str) -> usize {
        facts(&self.stage, event)
    }

    fn stop(&self) -> Result<Zombie, String> {
        let Call { service, operation, .. } = self.round.call;
        let mut run = self.command(&["run"]);
        let hold = match self.round.stopped {
            Stopped::Unsent => {
                let stop = format!("stop-after-append={INTENT}");
                let zombie = Zombie::new(run.env("SWITCHOVER_FAULTS", stop).spawn().unwrap());
                let is_there = zombie.is_stopped() && self.facts("step.applying") == 1;
                return is_there.then_some(zombie).ok_or_else(|| "its intent is another fact".into());
            }
            Stopped::OnItsWay => "hold_before",
            Stopped::Landed => "hold_after",
        };
        self.stage.hold(service, operation, 1, hold);
        let zombie = Zombie::new(run.spawn().unwrap());
        self.stage.wait_until("the call", || self.stage.is_holding());
        zombie.signal(Signal::STOP);
        Ok(zombie)
    }

    /// Tries until the lease of whoever was stopped has run out, and goes on to the end.
    fn take_over(&self) -> Said {
        let verb = self.round.then.verb(INTENT);
        if self.round.then == Then::Abort {
            // Before, it would be left to whoever drives the run.
            thread::sleep(LEASE);
        }
        loop {
            let said: Said = self.command(verb).output().unwrap().into();
            if said.code != Some(14) {
                return said;
            }
            assert!(said.stderr.contains("is under way in"), "{said:#?}");
            thread::sleep(GLANCE);
        }
    }

    /// What whoever takes over says; the call is let go only after that has looked for a while.
    fn replace(&self, before: &Json) -> Result<Said, String> {
        if self.round.stopped == Stopped::Unsent {
            return Ok(self.take_over());
        }
        thread::scope(|scope| {
            let other = scope.spawn(|| self.take_over());
            self.stage.wait_until("another holder", || other.is_finished() || self.facts("run.resumed") > 0);
            thread::sleep(WATCHED);
            let (calls, settled) = (self.calls(), self.facts("step.not_landed"));
            let is_before = lasting(&self.stage.world.state()) == *before;
            self.stage.release();
            let said = other.join().unwrap();
            let is_on_its_way = self.round.stopped == Stopped::OnItsWay;
            if is_on_its_way && !is_before {
                return Err("it has landed, and should be on its way".into());
            }
            // What is seen to have landed may be taken back at once.
            let waits = is_on_its_way || self.round.then == Then::Resume;
            if waits && (calls, settled) != ((1, 0), 0) {
                return Err(format!("it did not wait: {calls:?} calls, {settled} that did not land"));
            }
            Ok(said)
        })
    }
}

impl Round {
    fn name(&self) -> String {
        let stopped = match self.stopped {
            Stopped::Unsent => "unsent",
            Stopped::OnItsWay => "on-its-way",
            Stopped::Landed => "landed",
        };
        format!("{}/{stopped}/{}", self.call.operation, self.then)
    }

    fn play(&self) -> Result<(), String> {
        let (folder, world) = altered(self.call.world, &(self.call.change)());
        let step = self.call.step;
        let account = "aws: { account: '123456789012', region: eu-west-1 }";
        let plan = format!(
            "switchover: v1\nname: one-call\ntargets:\n  prod: {{ {account} }}\nsteps:\n  - {step}\n"
        );
        fs::write(folder.path().join("plan.yaml"), plan).unwrap();
        let scene = Scene { round: self, stage: Stage::without_users(&world, SLOW), folder };
        self.judge(&scene).map_err(|why| format!("{why}\n{}", scene.stage.log()))
    }

    fn judge(&self, scene: &Scene<'_>) -> Result<(), String> {
        let before = lasting(&scene.stage.world.state());
        let zombie = scene.stop()?;
        let said = scene.replace(&before)?;
        // Once for the step; and once more to take back what has landed.
        let (code, sent) = match (self.then, self.stopped) {
            (Then::Resume, _) => (0, 1),
            (Then::Abort, Stopped::Unsent) => (12, 0),
            (Then::Abort, Stopped::OnItsWay | Stopped::Landed) => (12, 2),
        };
        if said.code != Some(code) {
            return Err(format!("it should end with {code}: {said:#?}"));
        }
        let (world, journal, calls) = (scene.stage.world.state(), scene.stage.log(), scene.calls());
        if calls != (sent, sent) {
            return Err(format!("{calls:?} calls came and were answered, and it should be {sent}"));
        }
        // On the way back it is told as restored.
        let not_landed = usize::from(self.stopped == Stopped::Unsent && self.then == Then::Resume);
        if scene.facts("step.not_landed") != not_landed {
            return Err(format!("what did not land is not told {not_landed} times"));
        }
        if (self.then == Then::Abort) != (lasting(&world) == before) {
            return Err(format!("the world is another: {world:#}"));
        }
        is_fenced(&zombie.wake())?;
        let is_still = (lasting(&scene.stage.world.state()), scene.stage.log(), scene.calls())
            == (lasting(&world), journal, calls);
        if is_still { Ok(()) } else { Err("it went on".into()) }
    }
}

#[test]
fn a_late_call_lands_at_most_once_and_is_waited_out() {
    let rounds = rounds();
    let ended = at_once(rounds.len(), &rounds, |round| (round.name(), round.play()));
    let bad: Vec<_> = ended.iter().filter_map(|(name, ended)| Some((name, ended.as_ref().err()?))).collect();
    for (name, why) in &bad {
        println!("{name}: {why}");
    }
    println!("proved: late calls without a condition {} of {}", ended.len() - bad.len(), ended.len());
    assert!(bad.is_empty(), "some did not end as they should");
}

/// One that is sent too late is held back by its lease as well, so that is no mistake that shows here: a rehearsal finds it.
#[cfg(feature = "mistakes")]
#[test]
fn each_mistake_is_found_by_late_calls() {
    let mut of_it = rounds();
    of_it.retain(|round| round.stopped == Stopped::OnItsWay && round.then == Then::Resume);
    for round in &mut of_it {
        round.mistake = Some("GraceIgnored");
    }
    let ended = at_once(of_it.len(), &of_it, Round::play);
    let seen = ended.iter().filter(|ended| ended.is_err()).count();
    println!("planted: GraceIgnored, late calls: seen in {seen} of {} rounds", ended.len());
    assert!(seen > 0, "nobody noticed that a call was not waited for");
    println!("proved: mistakes about late calls 1 of 1");
}
