//! Power loss, calls that fail and disks that are full once more, on any Unix: a file layer below the database
//! (`tests/vfs`) shows what the store does, and fails. Nothing is traced or mounted.
//!
//! It sees what the database does. What the store does to files by itself, it did before the tape begins: it made its
//! directory, set room aside, began its witnesses. `power`, `errors` and `full` see that as well, where they can.

use super::clerk::{self, PIECES, Promise, Task};
use super::errors::{self, After};
use super::full;
use super::power::{self, Tape};
use super::tape::Deed;
use super::{Wanted, folder};
use hooked_vfs::{Call, Failure, watched};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A folder with a store, in which the first piece of the journal is.
fn begun() -> (tempfile::TempDir, String) {
    let root = folder();
    let mut said = String::new();
    clerk::keep(Task::until(1), &root.path().join("state"), &mut |line| said.extend([line, "\n"]));
    (root, said)
}

/// What this call does to a disk, if it is made or fails.
fn deeds(call: Call<'_>, root: &Path, made: bool) -> Vec<Deed> {
    let ours = |path: &Path| path.strip_prefix(root).unwrap().to_owned();
    let folder = |path: &Path| ours(path.parent().unwrap());
    match call {
        Call::Sync(path) if !made => vec![Deed::NotSynced(ours(path))],
        _ if !made => Vec::new(),
        Call::Open { path, create } => create.then(|| Deed::Opened(ours(path))).into_iter().collect(),
        Call::Read(_) => Vec::new(),
        Call::Write { path, at, bytes } => vec![Deed::Wrote(ours(path), at, bytes.to_vec())],
        Call::Truncate(path, length) => vec![Deed::Cut(ours(path), length)],
        // The name of a log comes before what is in it.
        Call::Sync(path) if path.to_string_lossy().ends_with("-wal") => {
            vec![Deed::Synced(folder(path)), Deed::Synced(ours(path))]
        }
        Call::Sync(path) => vec![Deed::Synced(ours(path))],
        Call::Delete { path, synced } => {
            let mut deeds = vec![Deed::Removed(ours(path))];
            deeds.extend(synced.then(|| Deed::Synced(folder(path))));
            deeds
        }
    }
}

/// A clerk at work in this thread, on a disk that fails as `fault` says.
fn at_work(
    task: Task,
    root: &Path,
    mut fault: impl FnMut(Call<'_>) -> Result<(), Failure> + 'static,
) -> Vec<Deed> {
    let tape = Rc::new(RefCell::new(Vec::new()));
    let (seen, folder) = (Rc::clone(&tape), root.to_owned());
    let hook = move |call: Call<'_>| {
        let answer = fault(call);
        seen.borrow_mut().extend(deeds(call, &folder, answer.is_ok()));
        answer
    };
    let mut say = |line: &str| tape.borrow_mut().push(Deed::Said(format!("{line}\n")));
    watched(hook, || clerk::keep(task, &root.join("state"), &mut say));
    tape.take()
}

fn said(deeds: &[Deed]) -> String {
    deeds
        .iter()
        .filter_map(|deed| if let Deed::Said(line) = deed { Some(line.as_str()) } else { None })
        .collect()
}

#[test]
fn power_is_lost_above_a_simulated_disk() {
    let (root, said) = begun();
    let before = folder();
    power::copy(root.path(), before.path());
    let deeds = at_work(Task::until(PIECES - 1), root.path(), |_| Ok(()));
    let tape = Tape { before, deeds, promise: Promise::heard(&said) };
    power::anywhere(&tape, "layer-power", "power loss, simulated disk", 2);
}

/// Which call fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Open,
    Read,
    Write,
    Truncate,
    Sync,
    Delete,
}

impl Kind {
    const ALL: [Self; 6] = [Self::Open, Self::Read, Self::Write, Self::Truncate, Self::Sync, Self::Delete];

    fn of(call: Call<'_>) -> Self {
        match call {
            Call::Open { .. } => Self::Open,
            Call::Read(_) => Self::Read,
            Call::Write { .. } => Self::Write,
            Call::Truncate(..) => Self::Truncate,
            Call::Sync(_) => Self::Sync,
            Call::Delete { .. } => Self::Delete,
        }
    }
}

#[derive(Clone, Copy)]
struct Trial {
    kind: Kind,
    /// From 1.
    nth: usize,
    /// All that follow as well.
    on: bool,
    failure: Failure,
}

impl Trial {
    fn name(&self) -> String {
        let Self { kind, nth, on, failure } = self;
        format!("layer-errors/{kind:?}-{nth}{}/{failure:?}", if *on { "-on" } else { "" })
    }

    fn run(self) -> After {
        let (root, earlier) = begun();
        let before = folder();
        power::copy(root.path(), before.path());
        let mut count = 0;
        let deeds = at_work(errors::task(), root.path(), move |call| {
            count += usize::from(Kind::of(call) == self.kind);
            let strikes = Kind::of(call) == self.kind && (count == self.nth || self.on && count > self.nth);
            if strikes { Err(self.failure) } else { Ok(()) }
        });
        let said = earlier + &said(&deeds);
        After { before, root, deeds, promise: Promise::heard(&said), said }
    }
}

/// Every call that is made if none fails, and how each may fail.
fn trials() -> Vec<Trial> {
    let counts = Rc::new(RefCell::new(Kind::ALL.map(|_| 0)));
    let counted = Rc::clone(&counts);
    let (root, _) = begun();
    at_work(errors::task(), root.path(), move |call| {
        counted.borrow_mut()[Kind::of(call) as usize] += 1;
        Ok(())
    });
    let each = Kind::ALL.into_iter().zip(counts.take()).flat_map(|(kind, count)| {
        let grows = matches!(kind, Kind::Write | Kind::Sync | Kind::Truncate);
        let failures = if grows { &[Failure::Io, Failure::Full][..] } else { &[Failure::Io] };
        let all = (1..=count).flat_map(move |nth| [false, true].map(move |on| (nth, on)));
        all.flat_map(move |(nth, on)| {
            failures.iter().map(move |failure| Trial { kind, nth, on, failure: *failure })
        })
    });
    each.collect()
}

#[test]
fn every_call_of_the_database_fails() {
    let suite = "I/O errors, simulated disk";
    let (wanted, all) = (Wanted::read(), trials());
    let chosen = wanted.choose(suite, all.len(), 40, |number| all[number].name());
    if !chosen.is_empty() {
        errors::each(&wanted, suite, &chosen, |number| (all[number].name(), all[number].run()));
    }
}

/// A disk that has so many bytes for files that grow.
struct Room {
    left: u64,
    sizes: BTreeMap<PathBuf, u64>,
}

impl Room {
    fn size(&mut self, path: &Path) -> &mut u64 {
        let there = || path.metadata().map_or(0, |file| file.len());
        self.sizes.entry(path.to_owned()).or_insert_with(there)
    }

    fn take(&mut self, call: Call<'_>) -> Result<(), Failure> {
        match call {
            Call::Write { path, at, bytes } => {
                let (left, size) = (self.left, self.size(path));
                let more = (at + bytes.len() as u64).saturating_sub(*size);
                if more > left {
                    return Err(Failure::Full);
                }
                *size += more;
                self.left -= more;
            }
            Call::Truncate(path, length) => {
                let less = std::mem::replace(self.size(path), length).saturating_sub(length);
                self.left += less;
            }
            Call::Delete { path, .. } => {
                let less = std::mem::take(self.size(path));
                self.left += less;
            }
            Call::Open { .. } | Call::Read(_) | Call::Sync(_) => {}
        }
        Ok(())
    }
}

#[test]
fn simulated_disks_of_every_size_are_full() {
    let trial = |size: usize| {
        let (root, earlier) = begun();
        let mut room = Room { left: size as u64 * 1024, sizes: BTreeMap::new() };
        let task = Task { session: full::PIECES, ..Task::until(full::PIECES) };
        let deeds = at_work(task, root.path(), move |call| room.take(call));
        full::judge(&(earlier + &said(&deeds)), root.path())
    };
    full::every_size(&Wanted::read(), "full disks, simulated", "layer-full", 16, trial);
}
