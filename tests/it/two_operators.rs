//! Two operators: one holder at a time, and nothing that a process does late, after another took over, counts.

use crate::stage::{Said, Stage};
use crate::zombies::{Zombie, is_fenced};
use rustix::process::Signal;
use serde_json::{Value as Json, json};
use std::time::Duration;

const PLAN: &str = "plans/one-record.yaml";
const WORLD: &str = "plans/worlds/one-record.yaml";
const TIME: u32 = 60;

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
    is_fenced(&silent.wake()).unwrap();
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
