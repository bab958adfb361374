//! Two operators: one holder at a time, and nothing that a process does late, after another took over, counts.

use crate::stage::{Said, Stage};
use crate::zombies::{Zombie, is_fenced};
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use std::process::Stdio;
use std::time::Duration;

const PLAN: &str = "plans/one-record.yaml";
const WORLD: &str = "plans/worlds/one-record.yaml";
const TIME: u32 = 60;

/// One service. What becomes of it is looked at long before its call must have landed.
const DEPLOY: &str = r#"
switchover: v1
name: one-service
params: { image: { type: string, default: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/aep-frontend@sha256:0b1059d155cefb2eca9dbb8d0f6d4b2b2b75b36944856bb9f6c9490eddab72dc } }
targets:
  prod: { aws: { account: "123456789012", region: eu-west-1 } }
steps:
  - id: deploy
    uses: ecs.deploy
    with: { target: prod, cluster: aep-prod, service: aep-frontend-prod, images: { frontend: "${{ params.image }}" } }
"#;
/// A lease lasts as long on the wall clock as this many seconds of the world: less than a call may take.
pub(crate) const SLOW: u32 = 3;

/// Tries until the lease of the holder has run out.
fn take_over(stage: &Stage) -> Said {
    loop {
        let said = stage.run(&["resume", "--on-pause", "exit"]);
        if said.code != Some(14) {
            return said;
        }
        assert!(said.stderr.contains("is under way in"), "{said:#?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Starts to take over, as above, and returns once somebody has.
fn begin_to_take_over(stage: &Stage) -> std::thread::JoinHandle<Said> {
    let mut command = stage.command(&["resume", "--on-pause", "exit"]);
    let worker = std::thread::spawn(move || {
        loop {
            let said: Said = command.output().unwrap().into();
            if said.code != Some(14) {
                return said;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    stage.wait_until("run.resumed", || facts(stage, "run.resumed") == 1);
    worker
}

fn assert_is_fenced(zombie: Zombie) {
    is_fenced(&zombie.wake()).unwrap();
}

/// spinnaker#5046: two runs of one thing at once. bike_index#4313: a deploy that was cancelled held the lock for four weeks.
#[test]
fn the_same_resources_have_one_holder() {
    let stage = Stage::new(WORLD, TIME);
    stage.hold("route53", "ChangeResourceRecordSets", 1, "hold_before");
    let mut first = stage.start(&["run", PLAN, "--on-pause", "exit"]);
    stage.wait_until("the call", || stage.is_holding());
    let holder = format!("/{} since", first.id());

    // Refused, by the name of what both write and of who holds it.
    let second = stage.run(&["run", PLAN, "--on-pause", "exit"]);
    assert_eq!(second.code, Some(14), "{second:#?}");
    assert!(second.stderr.contains("is locked by run") && second.stderr.contains(&holder), "{second:#?}");
    assert!(second.stderr.contains("R-lock-held"), "{second:#?}");

    // A holder that is gone holds nobody up; why its lock could be taken is told.
    first.kill().unwrap();
    first.wait().unwrap();
    stage.release();
    let third = stage.run(&["run", PLAN, "--on-pause", "exit"]);
    assert_eq!(third.code, Some(0), "{third:#?}");
    let reason = third.stderr.lines().find(|line| line.contains("taken over from run")).unwrap_or_default();
    assert!(reason.contains(&holder.replace(" since", " is gone")), "{third:#?}");
}

/// A process is stopped while this change is on its way, and wakes when another has carried the plan out and a third
/// party has the record. What deletes exactly what it found does nothing then; what sets would clobber.
fn write_late(number: u64, theirs: &Json) {
    let stage = Stage::new(WORLD, TIME);
    stage.hold("route53", "ChangeResourceRecordSets", number, "hold_before");
    let silent = Zombie::new(stage.start(&["run", PLAN, "--on-pause", "exit"]));
    stage.wait_until("the call", || stage.is_holding());
    silent.signal(Signal::STOP);

    let said = take_over(&stage);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.stderr.contains("taken over by"), "{said:#?}");
    stage.fault(&json!({"kind": "change", "change": {"set_record": theirs}}));
    let (world, journal) = (stage.world.state(), stage.log());
    let values = theirs["values"][0].as_str().unwrap();
    assert!(world["zones"].to_string().contains(values), "{world:#}");

    stage.release();
    stage.wait_until("the late answer", || {
        let (came, answered) = calls(&stage, "ChangeResourceRecordSets");
        came == answered
    });
    assert_eq!(stage.world.state(), world);
    assert_is_fenced(silent);
    assert_eq!((stage.world.state(), stage.log()), (world, journal));
}

#[test]
fn a_late_dns_write_is_refused_by_compare_and_swap() {
    std::thread::scope(|scope| {
        // The first change is the TTL's, the second the switch.
        scope.spawn(|| {
            let values = ["somebody-else.example.net"];
            write_late(1, &json!({"name": "app", "type": "CNAME", "ttl": 60, "values": values}));
        });
        scope.spawn(|| {
            write_late(2, &json!({"name": "app", "type": "A", "ttl": 60, "values": ["192.0.2.77"]}));
        });
    });
}

fn deploy_slowly() -> (Stage, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("one-service.yaml");
    std::fs::write(&plan, DEPLOY).unwrap();
    (Stage::new(WORLD, SLOW), folder, plan.display().to_string())
}

/// How many calls of this kind came, and how many were answered.
pub(crate) fn calls(stage: &Stage, operation: &str) -> (u64, u64) {
    let calls = stage.calls();
    let call = calls.iter().find(|call| call["operation"] == operation);
    call.map_or((0, 0), |call| (call["came"].as_u64().unwrap(), call["answered"].as_u64().unwrap()))
}

pub(crate) fn facts(stage: &Stage, event: &str) -> usize {
    let journal = stage.log();
    let facts = journal.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    facts.filter(|fact| fact["event"] == event).count()
}

/// A process is stopped with its call on the way, and another takes over. Until the deadline of the call it may land, so
/// nothing is believed and nothing is sent; `meanwhile` looks at the world then.
pub(crate) fn is_waited_out(stage: &Stage, plan: &str, service: &str, operation: &str, meanwhile: impl Fn()) {
    stage.hold(service, operation, 1, "hold_before");
    let silent = Zombie::new(stage.start(&["run", plan, "--on-pause", "exit"]));
    stage.wait_until("the call", || stage.is_holding());
    silent.signal(Signal::STOP);

    let taken = begin_to_take_over(stage);
    std::thread::sleep(Duration::from_secs(2));
    let log = || stage.log();
    assert_eq!((calls(stage, operation), facts(stage, "step.not_landed")), ((1, 0), 0), "{}", log());
    meanwhile();
    stage.release();
    let said = taken.join().unwrap();
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(calls(stage, operation), (1, 1), "it landed late, and was not sent again: {}", log());
    assert_is_fenced(silent);
}

/// The same, stopped once its intent is recorded and before it sent anything: it wakes when its deadline has passed, and
/// sends nothing.
pub(crate) fn leaves_no_more(stage: &Stage, plan: &str, operation: &str) {
    let mut command = stage.command(&["run", plan, "--on-pause", "exit"]);
    command.env("SWITCHOVER_FAULTS", "stop-after-append=4").stdout(Stdio::piped()).stderr(Stdio::piped());
    let silent = Zombie::new(command.spawn().unwrap());
    assert!(silent.is_stopped());
    assert_eq!(facts(stage, "step.applying"), 1, "{}", stage.log());

    let said = take_over(stage);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let journal = stage.log();
    assert_eq!((calls(stage, operation), facts(stage, "step.not_landed")), ((1, 1), 1), "{journal}");
    assert_is_fenced(silent);
    assert_eq!((calls(stage, operation), stage.log()), ((1, 1), journal));
}

#[test]
fn a_late_call_without_a_condition_is_waited_out() {
    let (stage, _folder, plan) = deploy_slowly();
    is_waited_out(&stage, &plan, "ecs", "UpdateService", || {});
}

#[test]
fn a_call_leaves_no_more_once_its_deadline_has_passed() {
    let (stage, _folder, plan) = deploy_slowly();
    leaves_no_more(&stage, &plan, "UpdateService");
}
