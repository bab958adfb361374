//! Double kills: the real binary is killed in a run over a world that is a file, and its recovery is killed again, at
//! every pair of points; then the run is brought to its end as an operator would. What `crash` does with few kills of a
//! go-live, this does with ten thousand of a small plan: steps side by side, one that fails, undos that are stuck.
//!
//! A first kill is before or after an append to the journal, or within a command: once it has begun, once it has done
//! what it does, or while it does it whatever it is told. Then one operator resumes and another aborts; that process is
//! killed before and after each of its own appends, and within each undo. There are as many trials as there are such
//! points: what was appended in one piece is one.
//!
//! Afterwards: the verdict is right, and the world as it says; the chain holds; nothing was done that was not announced
//! before, nothing twice; no lock, no lease and no process is left. And no command goes on whose tool was killed.
//!
//! A sample runs with the other tests. All of it, or a part:
//!
//! ```text
//! SWITCHOVER_KILLS=all                                     cargo test --release --test it kills:: -- --nocapture
//! SWITCHOVER_KILLS=3/8                                     … the third of eight parts
//! SWITCHOVER_KILLS=1-5/9                                   … five of nine
//! SWITCHOVER_KILLS=right-fails/before-7/abort              … one first kill, and all that follow on it
//! SWITCHOVER_KILLS=right-fails/before-7/abort/after-2      … one trial
//! ```

#[cfg(feature = "mistakes")]
mod planted;
mod trial;

use crate::crash::{Wanted, at_once, parts, share};
use crate::ledger::point::{Course, Point};
use crate::ledger::{SCENARIOS, Scenario, Then, stage};
use crate::stage::Stage;
use std::cmp::Reverse;
use std::sync::atomic::AtomicUsize;
use trial::{Chain, Ended, Told, chains};

/// At once, and of those that mostly wait: as many as keep two cores busy, and not more, or commands would not end in their time.
/// Trials that follow on one first kill run one after the other.
const AT_ONCE: usize = 12;
const WAITING: usize = 72;
/// Those that mostly wait are split into so many rows.
const ROWS: usize = 4;

/// The first kills that are wanted, and which second ones.
fn choose<'s>(wanted: &Wanted, stage: &'s Stage) -> Vec<Chain<'s>> {
    let all = move || Course::all(stage).iter().flat_map(move |course| chains(stage, course));
    match wanted {
        Wanted::All => all().collect(),
        Wanted::Parts(wanted, of) => parts(all(), wanted.clone(), *of).collect(),
        Wanted::Sample => sample(stage),
        Wanted::Named(name) => all().filter_map(|chain| chain.named(name)).collect(),
    }
}

/// Of every scenario and verb one trial, whose points go by its place among them; some are within commands.
fn sample(stage: &Stage) -> Vec<Chain<'_>> {
    let both = SCENARIOS.iter().flat_map(|scenario| Then::BOTH.map(|then| (*scenario, then)));
    let one = |(place, (scenario, then)): (usize, (Scenario, Then))| {
        let append = |number: usize| Point::Append { number, after: place % 4 < 2 };
        let moment = ["begun", "deaf", "landed"][place % 3];
        let (first, second) = match (place % 5, then) {
            (4, Then::Resume) => (Point::Within { command: ("run", "left"), moment }, append(2)),
            (4, Then::Abort) => (append(9), Point::Within { command: ("undo", "first"), moment }),
            _ => (append(2 + place * 5 % 11), append(1 + place * 3 % 5)),
        };
        Chain::one(stage, scenario, first, then, second)
    };
    both.enumerate().map(one).collect()
}

/// What became of trials, with their names.
fn run(chains: Vec<Chain<'_>>) -> Vec<Told> {
    let (waiting, others): (Vec<_>, Vec<_>) = chains.into_iter().partition(|chain| chain.waits() > 0);
    let mut waiting: Vec<Chain<'_>> = waiting.iter().flat_map(|chain| chain.split(ROWS)).collect();
    // Who waits longest begins: or one who began last would be waited for by all.
    waiting.sort_by_key(|chain| Reverse(chain.waits()));
    let next = AtomicUsize::new(0);
    let ((waiting, more), others) = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let done = at_once(WAITING, &waiting, Chain::run);
            // Where nobody waits any more, there is room for more of the others.
            (done, share(&next, AT_ONCE, &others, Chain::run))
        });
        let others = share(&next, AT_ONCE, &others, Chain::run);
        (waiting.join().unwrap(), others)
    });
    let others = others.into_iter().chain(more).map(|(_, told)| told);
    others.chain(waiting).flatten().collect()
}

#[test]
fn a_recovery_that_is_killed_is_recovered() {
    let stage = stage();
    let chains = choose(&Wanted::read("SWITCHOVER_KILLS"), &stage);
    assert!(!chains.is_empty(), "no trial has this name");
    let told = run(chains);
    for Told { name, ended } in &told {
        if let Err(why) = ended {
            println!("SWITCHOVER_KILLS='{name}' cargo test --test it kills:: -- --nocapture: {why}");
        }
    }
    for scenario in SCENARIOS {
        let count = |ended: &Result<Ended, String>| {
            let of_it = told.iter().filter(|told| told.name.split('/').next() == Some(scenario.name));
            of_it.filter(|told| told.ended == *ended).count()
        };
        let (twice, once) = (count(&Ok(Ended::KilledTwice)), count(&Ok(Ended::KilledOnce)));
        println!("{}: {twice} killed twice, {once} over before the second kill", scenario.name);
    }
    let twice: Vec<&Told> = told.iter().filter(|told| told.ended != Ok(Ended::KilledOnce)).collect();
    let good = twice.iter().filter(|told| told.ended.is_ok()).count();
    println!("proved: double kills {good} of {}", twice.len());
    assert!(good > 0 && good == twice.len(), "some did not end as they should");
}
