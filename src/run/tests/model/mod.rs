//! Every state that two executors, a store and a world can reach together: takeovers, leases that run out, processes that
//! are stopped and wake, crashes, lost answers, calls that land late, orders. The machine is the real one.
//!
//! Moments fold to how far ahead they are, and counters to whether they agree, so the states are finitely many: all of
//! them are visited, to a stated number of crashes, stops, lost answers and orders. Two states of one hash (64 bits) are
//! taken for one. `SWITCHOVER_MODEL=all cargo test --lib model -- --nocapture` visits more of them and prints how many.
//!
//! | law | what breaks it |
//! |---|---|
//! | no effect without an intent that is durable | the call is sent while its append is under way |
//! | one process writes under an epoch, and none under an older one | the epoch is not checked, or not raised |
//! | a call lands at most once for each intent, and never after it was given up | blind repetition, a deadline ignored |
//! | who is alive is not replaced | a lease that is not renewed during a long call, or not heeded |
//! | a verdict is what the world is, and stays so | an outcome before its effect |
//! | what nobody ordered was announced, and its time has passed | a rollback that begins without a word |
//! | nobody is passed by who was to be asked | an approval that is not waited for |
//! | an alarm that is taken trips its guard, a word is not believed against the world | triggers that are deaf |
//! | no call of a run lands once another has its lock (`pair`) | a lock that is taken without waiting, or without fencing |
//! | from every state an abort ends | an abort that is taken, and nothing follows |

mod key;
mod pair;
mod system;

use super::build::{act, approve, guard, on_failure, plan, policy, webhook};
use super::story::person;
use crate::mutant::{Mistake, making};
use crate::plan::{Kind, OnBreach, OnFailure, Plan, Policy, Retry, Step, StepIx};
use crate::run::{Actor, Order, Rewind};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{sync::Arc, time::Duration};
use system::{Move, System};

/// Mistakes of a host or a store, made on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    /// An append of whoever was replaced is taken, if nothing was appended since.
    EpochNotChecked,
    /// Who takes a run over gets the epoch of who had it.
    EpochNotRaised,
    /// Work begins before the facts that call for it are durable.
    IntentNotRecorded,
    /// A call is sent although its deadline has passed.
    DeadlineIgnored,
    /// Nobody renews while a call is under way.
    LeaseNotRenewed,
    /// A run is taken from whoever has it.
    LeaseIgnored,
    /// A call is answered when it is sent.
    OutcomeBeforeEffect,
}

/// How often each may happen in one history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Budget {
    crashes: u8,
    /// A process is stopped, as by SIGSTOP.
    stops: u8,
    /// An answer, or a call, is lost.
    lost: u8,
    /// Orders of these come in this order.
    orders: u8,
    /// A call is refused for good.
    refused: u8,
}

/// An order, and who gives it.
type Given = (Actor, Order);

fn by_bo(order: Order) -> Given {
    (person("bo"), order)
}

fn by_an_alarm(order: Order) -> Given {
    (Actor { name: "alarm".into(), automatic: true }, order)
}

/// What was seen on the way: a model in which nothing happens proves nothing.
#[derive(Debug, Default)]
struct Seen {
    states: usize,
    moves: usize,
    /// Appends of whoever was replaced.
    refused: usize,
    /// Runs taken from a process that lives.
    replaced: usize,
    /// Calls that landed when whoever sent them was gone or replaced.
    late: usize,
    finished: usize,
}

fn of(steps: Vec<Step>) -> Plan {
    let millis = Duration::from_millis;
    let undo = Retry { attempts: 3, wait: millis(1), backoff_percent: 100 };
    plan(steps, Vec::new(), Vec::new(), Policy { call: millis(2), grace: millis(2), undo, ..policy() })
}

fn one() -> Plan {
    of(vec![act("a", &[])])
}

fn chain() -> Plan {
    of(vec![act("a", &[]), act("b", &[0])])
}

fn beside() -> Plan {
    of(vec![act("a", &[]), act("b", &[])])
}

/// A guard may trip at any moment, and the rollback is announced.
fn announced() -> Plan {
    let mut plan = one();
    plan.guards = vec![guard("errors", OnBreach::Rollback)];
    plan.policy.veto = Some(Duration::from_millis(2));
    plan
}

/// Somebody must say yes, soon.
fn asked() -> Plan {
    let mut plan = of(vec![approve("go", &[], 1, false), act("a", &[0])]);
    if let Kind::Approve(approval) = &mut plan.steps[0].kind {
        approval.expires = Duration::from_millis(2);
    }
    plan
}

/// What fails is a human's to decide.
fn pausing() -> Plan {
    of(vec![on_failure(OnFailure::Pause, act("a", &[]))])
}

/// An alarm elsewhere trips a guard, and the rollback is announced.
fn outside() -> Plan {
    Plan { guards: vec![webhook("errors", OnBreach::Rollback)], ..announced() }
}

fn abort() -> Given {
    by_bo(rollback())
}

fn rollback() -> Order {
    Order::Rollback { rewind: Rewind::Safe, reason: "enough".into() }
}

fn trip() -> Given {
    by_an_alarm(Order::Trip { guard: 0, reason: "errors".into() })
}

fn yes() -> Given {
    by_bo(Order::Approve { step: StepIx(0) })
}

/// What a human may say of a step that has failed.
fn words() -> [Given; 4] {
    let (step, reason) = (StepIx(0), Arc::from("seen"));
    [
        Order::Skip { step, reason: Arc::clone(&reason) },
        Order::Settle { step, done: true, reason: Arc::clone(&reason) },
        Order::Settle { step, done: false, reason },
        Order::Retry { step },
    ]
    .map(by_bo)
}

/// One state on the way to another.
struct Node {
    parent: usize,
    by: Option<Move>,
}

/// Visits all states. Panics with the shortest way to one in which a law is broken.
fn explore(plan: Plan, orders: &[Given], budget: Budget, bug: Option<Bug>) -> Seen {
    let first = System::new(Arc::new(plan), orders.into(), budget, bug);
    let (mut known, mut ending) = (HashSet::from([first.key()]), HashSet::new());
    let mut nodes = vec![Node { parent: 0, by: None }];
    let (mut layer, mut seen) = (vec![(0, first)], Seen::default());
    while !layer.is_empty() {
        let mut next = Vec::new();
        for (place, system) in layer {
            // From every state an abort ends; what is not durable has no say in it.
            if ending.insert(system.durable_key()) {
                told(&nodes, place, None, || system.ends_if_aborted());
            }
            for way in system.moves() {
                seen.moves += 1;
                let mut after = system.clone();
                told(&nodes, place, Some(way), || after.go(way, &mut seen));
                if known.insert(after.key()) {
                    nodes.push(Node { parent: place, by: Some(way) });
                    next.push((nodes.len() - 1, after));
                }
            }
        }
        layer = next;
    }
    seen.states = nodes.len();
    seen
}

/// Says how the state was reached in which a law is broken.
fn told(nodes: &[Node], mut place: usize, last: Option<Move>, act: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(act)) else { return };
    let mut path: Vec<Move> = last.into_iter().collect();
    while let Some(by) = nodes[place].by {
        path.push(by);
        place = nodes[place].parent;
    }
    path.reverse();
    let why = panic.downcast_ref::<String>().cloned();
    let why = why.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    panic!("{}\nby {path:?}", why.unwrap_or_default());
}

/// What goes wrong, and how often: crashes, stops, lost answers, orders, refused calls.
type Case = (&'static str, Vec<Given>, [u8; 5]);

/// Each with all that may happen to it.
fn cases() -> Vec<Case> {
    let pause = || [Order::Pause { reason: None }, Order::Continue].map(by_bo).to_vec();
    let mut small = vec![
        ("one", vec![abort()], [1, 0, 1, 1, 0]),
        ("one", vec![abort()], [0, 1, 0, 1, 0]),
        ("announced", vec![abort()], [0, 0, 0, 1, 0]),
        ("asked", vec![yes()], [1, 0, 0, 1, 0]),
        ("outside", vec![trip()], [0, 0, 0, 1, 0]),
    ];
    small.extend(words().map(|word| ("pausing", vec![word], [0, 0, 0, 1, 1])));
    let mut large = vec![
        ("one", vec![abort()], [1, 1, 1, 1, 0]),
        ("one", pause(), [0, 1, 0, 2, 0]),
        ("announced", pause(), [1, 0, 0, 2, 0]),
        ("announced", vec![abort()], [1, 1, 0, 1, 0]),
        ("one", vec![abort(), abort()], [1, 0, 1, 2, 0]),
        ("chain", vec![abort()], [1, 0, 1, 1, 0]),
        ("beside", vec![abort()], [1, 0, 0, 1, 0]),
        ("asked", vec![yes(), abort()], [1, 0, 0, 2, 0]),
        ("outside", vec![trip(), abort()], [1, 0, 0, 2, 0]),
        ("one", vec![by_an_alarm(rollback()), abort()], [1, 0, 0, 2, 0]),
    ];
    large.extend(words().map(|word| ("pausing", vec![word, abort()], [1, 0, 1, 2, 1])));
    match wanted().as_deref() {
        Some("all") => large,
        // `chain 1 0 1 1 0`: one case.
        Some(one) => {
            let mut words = one.split(' ');
            let name = words.next().and_then(|name| large.iter().find(|case| case.0 == name)).unwrap().0;
            let counts: Vec<u8> = words.map(|word| word.parse().unwrap()).collect();
            vec![(name, vec![abort(), abort()], counts.try_into().unwrap())]
        }
        None => small,
    }
}

#[expect(clippy::disallowed_methods, reason = "who wants more says so")]
fn wanted() -> Option<String> {
    std::env::var("SWITCHOVER_MODEL").ok()
}

#[test]
fn two_executors_break_no_law_whatever_happens_when() {
    let mut all = Seen::default();
    for (name, orders, [crashes, stops, lost, given, refused]) in cases() {
        let plan = match name {
            "chain" => chain(),
            "beside" => beside(),
            "announced" => announced(),
            "asked" => asked(),
            "pausing" => pausing(),
            "outside" => outside(),
            _ => one(),
        };
        let budget = Budget { crashes, stops, lost, orders: given, refused };
        let seen = explore(plan, &orders, budget, None);
        println!("{name}, {budget:?}: {seen:?}");
        all.states += seen.states;
        all.refused += seen.refused;
        all.replaced += seen.replaced;
        all.late += seen.late;
        all.finished += seen.finished;
    }
    // A law that is broken ends it.
    println!("proved: states of the model {0} of {0}", all.states);
    let vacuous = all.refused == 0 || all.replaced == 0 || all.late == 0 || all.finished == 0;
    let is_one_case = wanted().is_some_and(|wanted| wanted != "all");
    assert!(!vacuous || is_one_case, "{all:?}");
}

/// Why a law was broken. Silence, if none was.
fn broken(plan: &Plan, order: Given, mistake: Option<Mistake>, bug: Option<Bug>) -> Option<String> {
    let budget = Budget { crashes: 1, stops: 1, lost: 1, orders: 1, refused: 0 };
    let lived = making(mistake, || catch_unwind(|| explore(plan.clone(), &[order], budget, bug)));
    lived.err().map(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())
}

#[test]
fn each_mistake_of_a_host_or_a_store_breaks_a_law() {
    for (bug, law) in [
        (Bug::EpochNotChecked, "an append of whoever was replaced was taken"),
        (Bug::EpochNotRaised, "two processes wrote under one epoch"),
        (Bug::IntentNotRecorded, "sent without a durable intent"),
        (Bug::DeadlineIgnored, "sent after its deadline"),
        (Bug::LeaseNotRenewed, "a process that lives was replaced"),
        (Bug::LeaseIgnored, "a process that lives was replaced"),
        (Bug::OutcomeBeforeEffect, "nobody else writes, and the world is not as we left it"),
    ] {
        let why =
            broken(&one(), abort(), None, Some(bug)).unwrap_or_else(|| panic!("{bug:?} breaks nothing"));
        println!("{bug:?}: {why}");
        assert!(why.starts_with(law), "{bug:?}: {why}");
    }
}

#[test]
fn each_mistake_of_the_machine_breaks_a_law() {
    let of_one =
        [Mistake::ResumeForgets, Mistake::LostIsRepeated, Mistake::DoubtIsNotLanded, Mistake::AbortIgnored];
    let more = [
        (announced(), abort(), Mistake::NotAnnounced),
        (asked(), yes(), Mistake::NobodyAsked),
        (outside(), trip(), Mistake::TriggersDeaf),
    ];
    for (plan, order, mistake) in of_one.map(|mistake| (one(), abort(), mistake)).into_iter().chain(more) {
        let why =
            broken(&plan, order, Some(mistake), None).unwrap_or_else(|| panic!("{mistake:?} breaks nothing"));
        println!("{mistake:?}: {why}");
    }
}
