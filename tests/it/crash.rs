//! The crash matrix: the real binary is killed at every journal boundary and around every kind of call, forward and on
//! the way back; then one trial resumes and another aborts, with one more kill on the way. The world must end as it
//! should.
//!
//! A sample runs with the other tests. All of it: `SWITCHOVER_CRASH=all cargo test --test it crash -- --nocapture`

use crate::stage::{Said, Stage, lasting};
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const PLAN: &str = "plans/aep-go-live.yaml";
const WORLD: &str = "plans/worlds/aep.yaml";
const TIME: u32 = 180;
/// Trials of one scenario in a sample.
const SAMPLE: usize = 4;

/// Where the tool dies.
#[derive(Clone, Debug)]
enum Kill {
    /// Around the append of this event.
    Append { number: usize, after: bool },
    /// Around this call, by its number among its kind.
    Call { service: &'static str, operation: &'static str, number: u32, landed: bool },
}

/// What somebody does afterwards.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Resume,
    Abort,
}

/// What goes wrong besides.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    None,
    /// The switch is refused, so that the run rolls back by itself.
    StepFails,
    /// The switch's undo is refused for good.
    UndoFails,
}

const WRITES: &[(&str, &str, u32)] = &[
    ("route53", "ChangeResourceRecordSets", 2),
    ("ecs", "RegisterTaskDefinition", 2),
    ("ecs", "UpdateService", 2),
    ("ecs", "RunTask", 1),
];
const READS: &[(&str, &str)] = &[
    ("route53", "ListResourceRecordSets"),
    ("route53", "GetChange"),
    ("ecs", "DescribeServices"),
    ("ecs", "DescribeTaskDefinition"),
    ("ecs", "DescribeTasks"),
    ("elasticloadbalancing", "DescribeTargetHealth"),
    ("sts", "GetCallerIdentity"),
    ("monitoring", "GetMetricData"),
];

fn set_up(trouble: Trouble) -> Stage {
    let stage = Stage::new(WORLD, TIME);
    let refuse = |nth: u32, times: u32| {
        stage.fault(&json!({
            "service": "route53", "operation": "ChangeResourceRecordSets", "nth": nth, "times": times,
            "kind": "error", "code": "AccessDenied", "status": 403, "message": "refused on purpose",
        }));
    };
    match trouble {
        Trouble::None => {}
        // The first change is the TTL's, the second the switch.
        Trouble::StepFails => refuse(2, 1),
        Trouble::UndoFails => refuse(3, 0),
    }
    stage
}

/// Runs until it is killed; `false` if it ended before.
fn die(stage: &Stage, verb: &[&str], kill: &Kill) -> bool {
    match kill {
        Kill::Append { number, after } => {
            let fault = format!("kill-{}-append={number}", if *after { "after" } else { "before" });
            stage.run_with(verb, ("SWITCHOVER_FAULTS", &fault)).code.is_none()
        }
        Kill::Call { service, operation, number, landed } => {
            let kind = if *landed { "hold_after" } else { "hold_before" };
            stage.fault(
                &json!({"service": service, "operation": operation, "nth": number, "times": 1, "kind": kind}),
            );
            let mut child = stage.start(verb);
            let died = loop {
                let faults = stage.world.ask("GET", "/faults", None);
                let held =
                    faults["faults"].as_array().unwrap().iter().any(|f| f["holding"].as_u64() > Some(0));
                if held {
                    child.kill().unwrap();
                    break true;
                }
                if child.try_wait().unwrap().is_some() {
                    break false;
                }
                std::thread::sleep(Duration::from_millis(10));
            };
            let _ = child.wait_with_output();
            release(stage);
            died
        }
    }
}

/// Lets go of every call that is held; the faults of the scenario stay.
fn release(stage: &Stage) {
    let faults = stage.world.ask("GET", "/faults", None);
    for fault in faults["faults"].as_array().unwrap() {
        if fault["kind"].as_str().is_some_and(|kind| kind.starts_with("hold")) {
            stage.world.ask("DELETE", &format!("/faults/{}", fault["id"]), None);
        }
    }
}

/// One trial; what is wrong with its end, if anything.
fn trial(trouble: Trouble, kill: &Kill, then: Then, again: usize) -> Result<(), String> {
    let stage = set_up(trouble);
    let before = stage.world.state();
    die(&stage, &["run", PLAN, "--on-pause", "exit"], kill);
    let journal = stage.run(&["log", "latest", "--output", "jsonl"]);
    if journal.stdout.trim().is_empty() {
        // It died before there was a run.
        return same(&lasting(&stage.world.state()), &lasting(&before), "nothing had begun");
    }
    if then == Then::Abort {
        stage.run(&["abort", "latest", "--reason", "crash matrix"]);
    }
    let resume = ["resume", "latest", "--on-pause", "exit"];
    let behind = journal.stdout.lines().count();
    die(&stage, &resume, &Kill::Append { number: behind + again, after: again.is_multiple_of(2) });
    let said = stage.run(&resume);
    judge(&stage, &before, trouble, said)
}

fn judge(stage: &Stage, before: &Json, trouble: Trouble, said: Said) -> Result<(), String> {
    let state = stage.world.state();
    let record = state["zones"].to_string();
    let told = format!("{}{}", said.stdout, said.stderr);
    // A run that had ended before has nothing to resume, and says how it ended.
    match (said.code, trouble) {
        (Some(0), Trouble::None | Trouble::UndoFails) if record.contains("alias aep-prod-alb") => Ok(()),
        (Some(10 | 12), _) => same(&lasting(&state), &lasting(before), &told),
        (Some(11 | 13), Trouble::UndoFails) => Ok(()),
        (code, _) => Err(format!("ended with {code:?}, {record}: {told}")),
    }
}

fn same(is: &Json, should: &Json, told: &str) -> Result<(), String> {
    if is == should { Ok(()) } else { Err(format!("the world is not as before: {is:#}\n{told}")) }
}

fn points(appends: usize) -> Vec<Kill> {
    let mut all: Vec<Kill> =
        (1..=appends).flat_map(|number| [false, true].map(|after| Kill::Append { number, after })).collect();
    for (service, operation, times) in WRITES {
        for number in 1..=*times {
            all.extend([false, true].map(|landed| Kill::Call { service, operation, number, landed }));
        }
    }
    for (service, operation) in READS {
        all.extend([false, true].map(|landed| Kill::Call { service, operation, number: 1, landed }));
    }
    all
}

#[test]
fn a_crash_is_a_pause() {
    let all = option_env!("SWITCHOVER_CRASH").is_some() || std::env::var_os("SWITCHOVER_CRASH").is_some();
    let mut failures = Vec::new();
    let mut total = 0;
    for trouble in [Trouble::None, Trouble::StepFails, Trouble::UndoFails] {
        let stage = set_up(trouble);
        let undisturbed = stage.run(&["run", PLAN, "--on-pause", "exit"]);
        let appends = stage.run(&["log", "latest", "--output", "jsonl"]).stdout.lines().count();
        assert!(appends > 20, "{undisturbed:#?}");
        drop(stage);
        let mut trials: Vec<(Kill, Then)> = points(appends)
            .into_iter()
            .flat_map(|kill| [(kill.clone(), Then::Resume), (kill, Then::Abort)])
            .collect();
        if !all {
            // Spread over the whole run; another start each scenario.
            let step = trials.len() / SAMPLE;
            let offset = total % step.max(1);
            trials = trials.into_iter().skip(offset).step_by(step.max(1)).take(SAMPLE).collect();
        }
        let next = AtomicUsize::new(0);
        let told = std::thread::scope(|scope| {
            let work = || {
                let mut wrong = Vec::new();
                while let Some((kill, then)) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let number = next.load(Ordering::Relaxed);
                    if let Err(why) = trial(trouble, kill, *then, 1 + number % 13) {
                        wrong.push(format!("{trouble:?}, {kill:?}, then {then:?}: {why}"));
                    }
                }
                wrong
            };
            let handles = [scope.spawn(work), scope.spawn(work)];
            handles.into_iter().flat_map(|handle| handle.join().unwrap()).collect::<Vec<_>>()
        });
        let ran = trials.len();
        println!("{trouble:?}: {} of {ran} trials ended as they should", ran - told.len());
        total += ran;
        failures.extend(told);
    }
    assert!(
        failures.is_empty(),
        "{} of {total} trials went wrong:\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}
