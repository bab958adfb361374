//! Every call that the store makes of the system fails once, and from then on; afterwards power is lost as well.
//!
//! A sync that failed has synced nothing, and the system takes what it was about for synced: so its pages are lost.

use super::clerk::{Promise, Task};
use super::platter::{Kept, Platter, Sync};
use super::{Ended, HANDS, Wanted, at_once, folder, found_out, proved, skipped, tape};
use std::path::Path;

/// Calls, and how each may fail.
const FAULTS: &[(&str, &[&str])] = &[
    ("openat", &["EIO", "EMFILE"]),
    ("mkdir", &["EIO", "ENOSPC"]),
    ("pwrite64", &["EIO", "ENOSPC"]),
    ("write", &["EIO", "ENOSPC"]),
    ("fsync", &["EIO", "ENOSPC"]),
    ("ftruncate", &["EIO", "ENOSPC"]),
    ("fallocate", &["EIO", "ENOSPC"]),
    ("pread64", &["EIO"]),
    ("unlink", &["EIO"]),
];
const PIECES: usize = 9;

/// So many pieces, and what is opened twice.
pub(super) fn task() -> Task {
    Task { session: 6, ..Task::until(PIECES) }
}

/// The files of a state directory, for strace: only calls that are about them fail.
fn about(root: &Path) -> Vec<String> {
    let state = root.join("state");
    let files = ["switchover.db", "switchover.db-wal", "switchover.db-shm", "reserve", "heads"];
    let paths = [root.to_owned(), state.clone()].into_iter().chain(files.map(|file| state.join(file)));
    paths.flat_map(|path| ["-P".into(), path.display().to_string()]).collect()
}

/// How often a call is made if nothing fails.
fn count(call: &str) -> usize {
    let (root, log) = (folder(), folder());
    let mut more = about(root.path());
    more.extend(["-e".into(), format!("trace={call}")]);
    let log = log.path().join("log");
    let output = tape::watched(&task().command(&root.path().join("state")), &log, &more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(log).unwrap().lines().filter(|line| line.contains(&format!(" {call}("))).count()
}

struct Trial {
    call: &'static str,
    error: &'static str,
    nth: usize,
    on: bool,
    mistake: Option<&'static str>,
}

/// What the clerk said of it, and what is left.
pub(super) struct After {
    pub(super) before: tempfile::TempDir,
    pub(super) root: tempfile::TempDir,
    pub(super) deeds: Vec<tape::Deed>,
    pub(super) promise: Promise,
    pub(super) said: String,
}

impl Trial {
    fn name(&self) -> String {
        let Self { call, error, nth, on, .. } = self;
        format!("errors/{call}-{nth}{}/{error}", if *on { "-on" } else { "" })
    }

    fn run(&self) -> After {
        let Self { call, error, nth, on, mistake } = self;
        let (root, log) = (folder(), folder());
        let mut more = about(root.path());
        let on = if *on { "+" } else { "" };
        more.push(format!("--inject={call}:error={error}:when={nth}{on}"));
        let log = log.path().join("log");
        let task = Task { mistake: *mistake, ..task() };
        let output = tape::watched(&task.command(&root.path().join("state")), &log, &more).output().unwrap();
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            said.push_str("died: ");
            said.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        let deeds = tape::read(&log, root.path());
        After { before: folder(), promise: Promise::heard(&said), deeds, root, said }
    }
}

impl After {
    fn judge(&self, promise: Promise, seed: u64) -> Result<(), String> {
        if let Some((_, died)) = self.said.split_once("died: ") {
            return Err(format!("it died: {died}"));
        }
        let failed = self.said.lines().find(|line| line.starts_with("failed "));
        if let Some(failed) = failed.filter(|line| line.ends_with("NONE")) {
            return Err(format!("nobody says what to do: {failed}"));
        }
        if failed.is_none() && promise.kept < PIECES {
            return Err("it said nothing".into());
        }
        let mut platter = Platter::holding(self.before.path(), Sync::Honest);
        self.deeds.iter().for_each(|deed| platter.take(deed, None));
        for kept in [Kept::Nothing, Kept::Part(seed)] {
            let image = folder();
            platter.after_power_loss(kept, image.path());
            promise
                .judge(&image.path().join("state"))
                .map_err(|why| format!("{kept:?}: {why}; {failed:?}"))?;
        }
        Ok(())
    }

    /// The same without a power loss: it is gone on with.
    fn judge_as_it_is(&self) -> Result<(), String> {
        self.promise.judge(&self.root.path().join("state"))
    }
}

fn trials() -> Vec<Trial> {
    let each = FAULTS.iter().flat_map(|(call, errors)| {
        let count = count(call);
        let all = (1..=count).flat_map(move |nth| errors.iter().map(move |error| (nth, error)));
        all.flat_map(move |(nth, error)| {
            [false, true].map(|on| Trial { call, error, nth, on, mistake: None })
        })
    });
    each.collect()
}

/// What becomes of some trials of writes, of a store that does this wrongly.
#[cfg(feature = "mistakes")]
pub(super) fn mistaken(mistake: &'static str) -> Result<Ended, String> {
    tape::is_possible()?;
    let writes = trials().into_iter().filter(|trial| ["pwrite64", "fsync"].contains(&trial.call));
    let some: Vec<Trial> =
        writes.map(|trial| Trial { mistake: Some(mistake), ..trial }).step_by(13).collect();
    let numbers: Vec<usize> = (0..some.len()).collect();
    Ok(at_once(HANDS, &numbers, |number| {
        let after = some[number].run();
        let judged = after.judge(after.promise, number as u64).and_then(|()| after.judge_as_it_is());
        (some[number].name(), judged)
    }))
}

#[test]
fn every_call_fails() {
    let suite = "I/O errors";
    if let Err(why) = tape::is_possible() {
        return skipped(suite, &why);
    }
    let wanted = Wanted::read();
    let all = trials();
    let chosen = wanted.choose(suite, all.len(), 40, |number| all[number].name());
    if chosen.is_empty() {
        return;
    }
    let run = |number: usize| (all[number].name(), all[number].run());
    each(&wanted, suite, &chosen, run);
}

/// What comes of these calls that fail, and of a store that takes a failed call for done.
pub(super) fn each(
    wanted: &Wanted,
    suite: &str,
    chosen: &[usize],
    run: impl Fn(usize) -> (String, After) + std::marker::Sync,
) {
    let ended: Vec<_> = at_once(HANDS, chosen, |number| {
        let (name, after) = run(number);
        let good = after.judge(after.promise, number as u64).and_then(|()| after.judge_as_it_is());
        // As if the store had swallowed the error.
        let swallowed = Promise { kept: after.promise.begun, ..after.promise };
        (name, good, after.judge(swallowed, number as u64))
    });
    let good: Ended = ended.iter().map(|(name, good, _)| (name.clone(), good.clone())).collect();
    proved(suite, &good);
    if !wanted.is_named() {
        let swallowed: Ended = ended.into_iter().map(|(name, _, swallowed)| (name, swallowed)).collect();
        found_out("an append that takes a failed call for done", &swallowed);
    }
}
