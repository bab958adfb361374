//! Zombies: the real binary is stopped (SIGSTOP) at every kind of moment, for longer than its lease; another takes the run
//! over; then the one that was stopped goes on, as if no time had passed. It says that the run was taken over, with the
//! exit code for that. It has written nothing more to the journal, and nothing to the world.
//!
//! Moments: before and after each append, and within each command, once it has begun and once it has done what it does.
//! The other resumes or aborts; and it is over when the zombie wakes, or in the midst of its work.
//!
//! `round` plays them in a world that is a file, a few seconds a round beside the fifteen of a lease; `cloud` in a
//! sandbox, with changes of DNS on their way. `clock` has the wall clock jump while a process is stopped.
//!
//! A sample runs with the other tests. All of it, or a part:
//!
//! ```text
//! SWITCHOVER_ZOMBIES=all                                   cargo test --test it zombies:: -- --nocapture
//! SWITCHOVER_ZOMBIES=2/8                                   … the second of eight parts
//! SWITCHOVER_ZOMBIES=right-fails/before-7/abort/meanwhile  … one round, or all whose names begin so
//! ```

#![expect(clippy::print_stdout, reason = "what was proved is printed")]

mod clock;
mod cloud;
#[cfg(feature = "mistakes")]
mod planted;
mod round;

use crate::crash::{Wanted, at_once, parts};
use crate::ledger::point::Course;
use crate::ledger::stage;
use crate::stage::Said;
use round::{Round, rounds};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::process::Child;
use std::sync::{Condvar, Mutex};

/// At once: nearly all of a round is waiting for a lease to run out.
const AT_ONCE: usize = 160;
/// Of these at work: who is slow because of others looks like one whose time ran out.
static WORKSHOP: Workshop = Workshop { free: Mutex::new(24), left: Condvar::new() };

/// Has room for so many; whoever only waits leaves it.
struct Workshop {
    free: Mutex<usize>,
    left: Condvar,
}

/// A place in it.
struct Place<'w>(&'w Workshop);

impl Workshop {
    fn enter(&self) -> Place<'_> {
        let mut free = self.left.wait_while(self.free.lock().unwrap(), |free| *free == 0).unwrap();
        *free -= 1;
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap() += 1;
        self.0.left.notify_one();
    }
}

/// A process that is stopped now and then: it ends with the test, however that ends.
pub(crate) struct Zombie(Option<Child>);

impl Zombie {
    pub(crate) fn new(child: Child) -> Self {
        Self(Some(child))
    }

    fn pid(&self) -> Pid {
        Pid::from_child(self.0.as_ref().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until it is stopped; false if it ended before.
    pub(crate) fn is_stopped(&self) -> bool {
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(self.pid()), options).unwrap().unwrap().stopped()
    }

    /// It goes on, to its end.
    pub(crate) fn wake(mut self) -> Said {
        self.signal(Signal::CONT);
        self.0.take().unwrap().wait_with_output().unwrap().into()
    }
}

impl Drop for Zombie {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// It was silent for too long: it says so, and that it wrote nothing.
pub(crate) fn is_fenced(said: &Said) -> Result<(), String> {
    let told = ["taken over while this process was silent", "wrote nothing more", "R-lease-lost"];
    let right = said.code == Some(13) && told.iter().all(|words| said.stderr.contains(words));
    if right { Ok(()) } else { Err(format!("it does not say that it was replaced: {said:#?}")) }
}

/// What became of rounds, by name: `None` if nobody could be stopped there.
type Ended = Vec<(String, Option<Result<(), String>>)>;

/// Says how many ended as they should, and fails unless all did.
fn proved(suite: &str, ended: &Ended) {
    let stopped: Vec<_> = ended.iter().filter_map(|(name, ended)| Some((name, ended.as_ref()?))).collect();
    let good = stopped.iter().filter(|(_, ended)| ended.is_ok()).count();
    for (name, ended) in &stopped {
        if let Err(why) = ended {
            println!("SWITCHOVER_ZOMBIES='{name}' cargo test --test it zombies:: -- --nocapture: {why}");
        }
    }
    println!("proved: {suite} {good} of {}", stopped.len());
    assert!(!stopped.is_empty(), "{suite}: nobody could be stopped anywhere");
    assert!(good == stopped.len(), "{suite}: some did not end as they should");
}

/// Of all rounds, by their names, those that are wanted; a sample has this many.
fn choose<T>(all: Vec<T>, sample: usize, name: impl Fn(&T) -> String) -> Vec<T> {
    match Wanted::read("SWITCHOVER_ZOMBIES") {
        Wanted::All => all,
        Wanted::Parts(wanted, of) => parts(all, wanted, of).collect(),
        Wanted::Sample => {
            let step = (all.len() / sample).max(1) | 1;
            all.into_iter().skip(step / 2).step_by(step).collect()
        }
        Wanted::Named(wanted) => all.into_iter().filter(|one| name(one).starts_with(&wanted)).collect(),
    }
}

#[test]
fn whoever_was_replaced_does_nothing_more() {
    let stage = stage();
    let all = Course::all(&stage).iter().flat_map(|course| rounds(&stage, course)).collect();
    let chosen = choose(all, 14, Round::name);
    proved("zombies", &at_once(AT_ONCE, &chosen, |round| (round.name(), round.play())));
}
