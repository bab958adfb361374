//! Two runs that write the same cell, in one store: what one has locked the other takes over once nobody runs that any more,
//! it is fenced, and what it had announced can land no more. Calls take no condition: each lands as it was sent.

use super::system::{Move, Process, System};
use super::{Budget, Given, abort, one};
use crate::plan::Timestamp;
use crate::run::Mode;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Mistakes of whoever takes a lock over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bug {
    /// What was announced is not waited for.
    NotWaited,
    /// Whoever had the lock may go on writing.
    NotFenced,
    /// A lock is taken from a run that is under way.
    NotHeeded,
    /// What is announced meanwhile, by a process that runs it again, is not waited for.
    BarredOnce,
}

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Something of one run.
    Of(usize, Move),
    /// The process of this run fences the other, and reads what that had announced.
    Bar(usize),
    /// It takes the lock.
    Lock(usize),
    /// It finds the other under way, and ends.
    GiveUp(usize),
    /// A millisecond passes.
    Pass,
}

#[derive(Clone)]
struct Pair {
    runs: [System; 2],
    /// Which of them has the lock.
    lock: Option<usize>,
    /// Of a process that has barred the other: until when that may land something, and its epoch.
    barred: [Option<(u64, u64)>; 2],
    bug: Option<Bug>,
}

/// What was seen on the way.
#[derive(Debug, Default)]
struct Seen {
    states: usize,
    takeovers: usize,
    /// Locks that had to be waited for once more.
    again: usize,
    finished: usize,
}

impl Pair {
    fn new(orders: &[Given], left: [Budget; 2], bug: Option<Bug>) -> Self {
        let plan = Arc::new(one());
        let run = |n: usize| {
            System::new(plan.clone(), orders.into(), left[n], None).beside(if n == 0 { 1 } else { 2 })
        };
        Self { runs: [run(0), run(1)], lock: None, barred: [None, None], bug }
    }

    fn key(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        (self.runs[0].key(), self.runs[1].key(), self.lock).hash(&mut hash);
        for k in 0..2 {
            let epoch = self.runs[1 - k].kept.epoch;
            let barred =
                self.barred[k].map(|(quiet, at)| (quiet.saturating_sub(self.runs[0].now), at == epoch));
            barred.hash(&mut hash);
        }
        hash.finish()
    }

    /// Somebody runs it: its process is there, or may be, for its lease holds.
    fn is_driven(&self, k: usize) -> bool {
        let run = &self.runs[k];
        run.kept.holder.is_some_and(|(n, expires)| run.processes[n].is_some() && expires > run.now)
    }

    /// The process of this run could take the lock.
    fn asks(&self, k: usize) -> bool {
        let run = &self.runs[k];
        let asks = |process: &Process| !process.locked && !process.stopped && process.epoch == run.kept.epoch;
        run.processes[0].as_ref().is_some_and(asks)
    }

    fn steps(&self) -> Vec<Step> {
        let mut all = Vec::new();
        let mut passes = true;
        for k in 0..2 {
            let moves = self.runs[k].moves();
            passes &= moves.contains(&Move::Pass);
            all.extend(moves.into_iter().filter(|way| *way != Move::Pass).map(|way| Step::Of(k, way)));
            if self.asks(k) {
                all.extend(self.next_to_lock(k));
            }
        }
        if passes {
            all.push(Step::Pass);
        }
        all
    }

    fn next_to_lock(&self, k: usize) -> Option<Step> {
        let (other, bug) = (1 - k, self.bug);
        Some(match self.barred[k] {
            _ if self.lock != Some(other) => Step::Lock(k),
            _ if self.is_driven(other) && bug != Some(Bug::NotHeeded) => Step::GiveUp(k),
            None => Step::Bar(k),
            // It waits.
            Some((quiet, _)) if self.runs[k].now < quiet && bug != Some(Bug::NotWaited) => return None,
            Some(_) => Step::Lock(k),
        })
    }

    fn go(&mut self, step: Step, seen: &mut Seen) {
        match step {
            Step::Of(k, way) => self.of(k, way, seen),
            Step::Bar(k) => self.bar(k),
            Step::Lock(k) => self.take_lock(k, seen),
            Step::GiveUp(k) => {
                (self.runs[k].processes[0], self.runs[k].kept.holder) = (None, None);
            }
            Step::Pass => {
                self.runs.iter_mut().for_each(|run| run.go(Move::Pass, &mut super::Seen::default()));
            }
        }
        for k in 0..2 {
            if self.runs[k].processes[0].as_ref().is_none_or(|process| process.locked) {
                self.barred[k] = None;
            }
        }
    }

    fn of(&mut self, k: usize, way: Move, seen: &mut Seen) {
        let was = self.runs[k].cells.clone();
        self.runs[k].go(way, &mut super::Seen::default());
        let cells = self.runs[k].cells.clone();
        if matches!(way, Move::Land(_)) {
            assert!(self.lock == Some(k) || cells == was, "a call landed under the lock of another run");
        }
        self.runs[1 - k].cells = cells;
        let is_over = matches!(self.runs[k].kept.run.mode, Mode::Finished(_));
        if matches!(way, Move::Append(_)) && is_over && self.lock == Some(k) {
            // With its last fact it gives its locks back.
            self.lock = None;
            seen.finished += 1;
        }
    }

    fn bar(&mut self, k: usize) {
        assert!(!self.is_driven(1 - k), "a run that is under way was replaced");
        let grace = self.runs[k].kept.run.plan.policy.grace;
        let other = &mut self.runs[1 - k];
        if other.kept.holder.is_some() && self.bug != Some(Bug::NotFenced) {
            other.kept.epoch += 1;
        }
        let quiet = other.kept.open.until().map_or(Timestamp::PAST, |until| until.after(grace));
        self.barred[k] = Some((quiet.0, other.kept.epoch));
    }

    fn take_lock(&mut self, k: usize, seen: &mut Seen) {
        let other = &mut self.runs[1 - k];
        if self.lock == Some(1 - k) {
            let known = self.barred[k].map(|(_, epoch)| epoch);
            if known != Some(other.kept.epoch) && self.bug != Some(Bug::BarredOnce) {
                // Somebody has run it meanwhile.
                seen.again += 1;
                self.barred[k] = None;
                return;
            }
            if self.bug != Some(Bug::NotFenced) && other.kept.holder.take().is_some() {
                other.kept.epoch += 1;
            }
            seen.takeovers += 1;
        }
        self.lock = Some(k);
        self.runs[k].begin(0);
    }
}

/// Visits all states. Panics with the shortest way to one in which a law is broken.
fn explore(left: [Budget; 2], orders: &[Given], bug: Option<Bug>) -> Seen {
    let first = Pair::new(orders, left, bug);
    let mut known = HashSet::from([first.key()]);
    let mut ways: Vec<(usize, Option<Step>)> = vec![(0, None)];
    let (mut layer, mut seen) = (vec![(0, first)], Seen::default());
    while !layer.is_empty() {
        let mut next = Vec::new();
        for (place, pair) in layer {
            for step in pair.steps() {
                let mut after = pair.clone();
                let went = catch_unwind(AssertUnwindSafe(|| after.go(step, &mut seen)));
                if let Err(panic) = went {
                    let why = panic.downcast_ref::<String>().cloned();
                    let why = why.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                    panic!("{}\nby {:?}", why.unwrap_or_default(), path(&ways, place, step));
                }
                if known.insert(after.key()) {
                    ways.push((place, Some(step)));
                    next.push((ways.len() - 1, after));
                }
            }
        }
        layer = next;
    }
    seen.states = ways.len();
    seen
}

fn path(ways: &[(usize, Option<Step>)], mut place: usize, last: Step) -> Vec<Step> {
    let mut path = vec![last];
    while let (parent, Some(step)) = ways[place] {
        path.push(step);
        place = parent;
    }
    path.reverse();
    path
}

/// The first may be killed, stopped, lose an answer, and be aborted; the second may be killed while it waits.
fn budgets(large: bool) -> [Budget; 2] {
    let first = Budget { crashes: 2, stops: u8::from(large), lost: 0, orders: u8::from(large), refused: 0 };
    [first, Budget { crashes: u8::from(large), ..Budget::default() }]
}

#[test]
fn two_runs_that_write_one_thing_break_no_law() {
    let seen = explore(budgets(super::wanted().is_some()), &[abort()], None);
    println!("{seen:?}");
    println!("proved: states of two runs and their lock {0} of {0}", seen.states);
    assert!(seen.takeovers > 0 && seen.again > 0 && seen.finished > 0, "{seen:?}");
}

#[test]
fn each_mistake_of_whoever_takes_a_lock_over_breaks_a_law() {
    let landed = "a call landed under the lock of another run";
    for (bug, law) in [
        (Bug::NotWaited, landed),
        (Bug::NotFenced, landed),
        (Bug::NotHeeded, "a run that is under way was replaced"),
        (Bug::BarredOnce, landed),
    ] {
        let budgets = [Budget { crashes: 2, stops: 1, ..Budget::default() }, Budget::default()];
        let broken = catch_unwind(|| explore(budgets, &[abort()], Some(bug)));
        let panic = broken.expect_err("a law is broken");
        let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        println!("{bug:?}: {why}");
        assert!(why.starts_with(law), "{bug:?}: {why}");
    }
}
