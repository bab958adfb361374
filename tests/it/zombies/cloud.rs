//! Rounds in a sandbox: the record of a go-live is lowered, switched, and, by an abort, put back. A process is stopped
//! around each append, or while a change is on its way, before it is carried out or before it is answered; one that is
//! carried out after all, late, finds that what it compares with is gone.

use super::round::take_over;
use super::{AT_ONCE, Place, WORKSHOP, Zombie, choose, is_fenced, proved};
use crate::crash::at_once;
use crate::disk::folder;
use crate::ledger::Then;
use crate::ledger::point::Point;
use crate::stage::{Said, Stage, lasting, repository};
use serde_json::Value as Json;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const PLAN: &str = "
switchover: v1
name: one-record
targets:
  prod: { aws: { account: '123456789012', region: eu-west-1 } }
  zone: { route53: { zone_id: Z0123456789ABC, name: navralabs.com, aws: prod } }
prepare:
  - id: lower-ttl
    uses: dns.ttl
    with: { target: zone, record: app, ttl: 60s }
steps:
  - id: switch
    uses: dns.switch
    with: { target: zone, record: app, to: { load_balancer: aep-prod, in: prod }, writes: shared }
";
const TIME: u32 = 60;
/// By then the lease of whoever is silent has run out.
const LEASE: Duration = Duration::from_secs(16);
/// Changes of the record on the way there.
const CHANGES: [u64; 2] = [1, 2];

/// What the process is at when it is stopped.
enum Moment {
    Append(Point),
    /// This change: `hold_before` it is carried out, or `hold_after`.
    Change(u64, &'static str),
}

struct Round {
    moment: Moment,
    then: Then,
    /// What the one that is stopped does wrongly.
    mistake: Option<&'static str>,
}

/// The plan; the world before and after, and how many facts there are.
struct Course {
    plan: TempDir,
    worlds: (Json, Json),
    facts: usize,
}

fn stage() -> Stage {
    Stage::without_users(&repository("plans/worlds/one-record.yaml"), TIME)
}

fn command(stage: &Stage, verb: &[&str], plan: &TempDir) -> Command {
    let mut command = stage.command(verb);
    if verb == ["run"] {
        command.arg(plan.path().join("plan.yaml"));
    }
    command.env("SWITCHOVER_ON_PAUSE", "exit").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn facts(stage: &Stage) -> usize {
    stage.log().lines().count()
}

/// How many changes of records came.
fn changes(stage: &Stage) -> u64 {
    let calls = stage.calls().into_iter().filter(|call| call["operation"] == "ChangeResourceRecordSets");
    calls.map(|call| call["came"].as_u64().unwrap()).sum()
}

impl Course {
    fn watched() -> Self {
        let (stage, plan) = (stage(), folder());
        fs::write(plan.path().join("plan.yaml"), PLAN).unwrap();
        let before = lasting(&stage.world.state());
        let said: Said = command(&stage, &["run"], &plan).output().unwrap().into();
        assert_eq!(said.code, Some(0), "{said:#?}");
        Self { plan, worlds: (before, lasting(&stage.world.state())), facts: facts(&stage) }
    }

    fn rounds(&self) -> Vec<Round> {
        // The run is over after its last.
        let around =
            Point::around(self.facts).filter(|point| point.to_string() != format!("after-{}", self.facts));
        let appends = around.enumerate().map(|(place, point)| {
            let then = if place.is_multiple_of(2) { Then::Abort } else { Then::Resume };
            Round { moment: Moment::Append(point), then, mistake: None }
        });
        let change = |number, hold, then| Round { moment: Moment::Change(number, hold), then, mistake: None };
        let held = CHANGES.into_iter().flat_map(|number| {
            [("hold_before", Then::Resume), ("hold_after", Then::Resume), ("hold_after", Then::Abort)]
                .map(|(hold, then)| change(number, hold, then))
        });
        appends.chain(held).collect()
    }
}

impl Round {
    fn name(&self) -> String {
        match &self.moment {
            Moment::Append(point) => format!("one-record/{point}/{}", self.then),
            Moment::Change(number, hold) => format!("one-record/change-{number}-{hold}/{}", self.then),
        }
    }

    /// `None`: it is the same as the one before.
    fn play(&self, course: &Course) -> Option<Result<(), String>> {
        let working = WORKSHOP.enter();
        let stage = stage();
        let mut run = command(&stage, &["run"], &course.plan);
        run.envs(self.mistake.map(|mistake| ("SWITCHOVER_MISTAKE", mistake)));
        let zombie = match &self.moment {
            Moment::Append(point) => {
                let Point::Append { number, after } = point else { return None };
                let place = if *after { "after" } else { "before" };
                let zombie = Zombie::new(
                    run.env("SWITCHOVER_FAULTS", format!("stop-{place}-append={number}")).spawn().unwrap(),
                );
                if !zombie.is_stopped() || !point.is_own(0, facts(&stage)) {
                    return None;
                }
                zombie
            }
            Moment::Change(number, hold) => {
                stage.hold("route53", "ChangeResourceRecordSets", *number, hold);
                let zombie = Zombie::new(run.spawn().unwrap());
                stage.wait_until("the change", || stage.is_holding());
                zombie.signal(rustix::process::Signal::STOP);
                zombie
            }
        };
        Some(self.replace(course, &stage, zombie, working).map_err(|why| format!("{why}\n{}", stage.log())))
    }

    fn replace(
        &self,
        course: &Course,
        stage: &Stage,
        zombie: Zombie,
        working: Place<'_>,
    ) -> Result<(), String> {
        let verb = self.then.verb(facts(stage));
        let (code, should) = match verb[0] {
            "abort" => (12, &course.worlds.0),
            _ => (0, &course.worlds.1),
        };
        drop(working);
        std::thread::sleep(LEASE);
        let _working = WORKSHOP.enter();
        let said = take_over(command(stage, verb, &course.plan));
        if said.code != Some(code) {
            return Err(format!("{said:#?}"));
        }
        let (log, came) = (stage.log(), changes(stage));
        stage.release();
        is_fenced(&zombie.wake())?;
        if lasting(&stage.world.state()) != *should {
            return Err(format!("the world is another: {:#}", stage.world.state()["zones"]));
        }
        if (stage.log(), changes(stage)) != (log, came) {
            return Err("it went on".into());
        }
        Ok(())
    }
}

#[test]
fn whoever_was_replaced_sends_nothing_more() {
    let course = Course::watched();
    let chosen = choose(course.rounds(), 4, Round::name);
    proved("zombies over DNS", &at_once(AT_ONCE, &chosen, |round| (round.name(), round.play(&course))));
}

/// What becomes of those whose names have this in them, where the one that is stopped does this wrongly.
#[cfg(feature = "mistakes")]
pub(super) fn mistaken(mistake: &'static str, place: &str) -> super::Ended {
    let course = Course::watched();
    let mut of_it = course.rounds();
    of_it.retain(|round| round.name().contains(place));
    for round in &mut of_it {
        round.mistake = Some(mistake);
    }
    at_once(AT_ONCE, &of_it, |round| (round.name(), round.play(&course)))
}
