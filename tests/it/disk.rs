//! Faults of the disk: power is lost, bits rot, files are cut short, there is no room, calls fail, the directory goes away.
//! Whatever happens to the disk, an event that was acknowledged is there afterwards or its loss is told; nothing is
//! there that was never written; and no run does anything that its journal does not hold.
//!
//! How: `strace` writes down what a process does to its files, and `platter` says what a disk would hold of that after a
//! power loss; calls are made to fail by `strace` as well. `clerk` is a process that only keeps a journal; `course`
//! has the real binary run a plan. Where processes may not be traced, or nothing may be mounted, what needs it is
//! skipped, and says so on the error output; `rot` needs neither, and cuts a log at every byte as a power loss would. Nor does
//! `layer`: a file layer below the database shows what the store does, and fails, on any Unix.
//!
//! Each has its planted bugs: a disk that does what it would do under a store with that bug must be found out.
//!
//! A sample runs with the other tests; which, a seed says, that is printed. All of it, or a part:
//!
//! ```text
//! SWITCHOVER_DISK=all                 cargo test --release --test it disk:: -- --nocapture --test-threads=1
//! SWITCHOVER_DISK=seed=17             … the sample of this seed
//! SWITCHOVER_DISK='power/612/part-3'  … one trial, or all whose names begin so
//! ```

#![expect(clippy::print_stdout, reason = "what was proved is printed")]

mod clerk;
mod course;
mod errors;
mod full;
mod layer;
#[cfg(feature = "mistakes")]
mod planted;
mod platter;
mod power;
mod rot;
mod tape;
mod trouble;
mod vanish;

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use switchover::adapter::SystemClock;
use switchover::port::Clock;

/// At once.
const HANDS: usize = 2;

/// Numbers that a seed gives again.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Any number below this one.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

/// What is to be run.
enum Wanted {
    All,
    Sample { seed: u64 },
    Named(String),
}

impl Wanted {
    fn read() -> Self {
        let Some(text) = std::env::var_os("SWITCHOVER_DISK") else {
            return Self::Sample { seed: SystemClock::wall().now().0 % 10_000 };
        };
        let text = text.into_string().unwrap();
        match (&*text, text.strip_prefix("seed=").and_then(|seed| seed.parse().ok())) {
            ("all", _) => Self::All,
            (_, Some(seed)) => Self::Sample { seed },
            _ => Self::Named(text),
        }
    }

    /// Those that are wanted of so many, by their names; a sample has about `sample` of them.
    fn choose(&self, suite: &str, all: usize, sample: usize, name: impl Fn(usize) -> String) -> Vec<usize> {
        match self {
            Self::All => (0..all).collect(),
            Self::Sample { seed } => {
                aloud(&format!("{suite}: a sample of {all}; SWITCHOVER_DISK=seed={seed} repeats it"));
                // Odd, so that it comes upon each kind of trial.
                let step = (all / sample).max(1) | 1;
                (Dice::new(*seed).below(step)..all).step_by(step).collect()
            }
            Self::Named(wanted) => (0..all).filter(|number| name(*number).starts_with(wanted)).collect(),
        }
    }

    fn is_named(&self) -> bool {
        matches!(self, Self::Named(_))
    }
}

/// Says aloud that something was not looked at.
pub(crate) fn skipped(suite: &str, why: &str) {
    aloud(&format!("skipped: {suite}: {why}"));
}

/// Says a line, also where output is captured.
fn aloud(line: &str) {
    std::io::stderr().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

/// Says how many trials ended as they should, and fails unless all did.
fn proved<T>(suite: &str, ended: &[(String, Result<T, String>)]) {
    let bad: Vec<_> = ended.iter().filter_map(|(name, ended)| Some((name, ended.as_ref().err()?))).collect();
    for (name, why) in bad.iter().take(20) {
        println!("SWITCHOVER_DISK='{name}' cargo test --test it disk:: -- --nocapture: {why}");
    }
    println!("proved: {suite} {} of {}", ended.len() - bad.len(), ended.len());
    assert!(bad.is_empty(), "{suite}: {} of {} did not end as they should", bad.len(), ended.len());
}

type Ended = Vec<(String, Result<(), String>)>;

/// Says how often a bug that was planted was seen, and fails unless it was.
fn found_out<T>(bug: &str, ended: &[(String, Result<T, String>)]) {
    let seen = ended.iter().filter(|(_, ended)| ended.is_err()).count();
    println!("planted: {bug}: seen in {seen} of {} trials", ended.len());
    assert!(seen > 0, "{bug} was not seen");
}

/// Does the work with several hands; the results in order.
pub(crate) fn at_once<R: Send>(hands: usize, work: &[usize], each: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let hand = || {
        let mut done = Vec::new();
        while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*item, each(*item)));
        }
        done
    };
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..hands).map(|_| scope.spawn(hand)).collect();
        hands.into_iter().flat_map(|hand| hand.join().unwrap()).collect()
    });
    done.sort_by_key(|(item, _)| *item);
    done.into_iter().map(|(_, result)| result).collect()
}

/// A folder in memory where there is one: thousands of small files are written, and no disk is meant.
pub(crate) fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}
