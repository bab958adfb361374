//! Power is lost at every point of a journal that is written, and at every point of its recovery.

use super::clerk::{PIECES, Promise, Task};
use super::platter::{Kept, Platter, Sync};
use super::tape::{self, Deed};
use super::{Ended, HANDS, Wanted, at_once, folder, found_out, proved, skipped};
use std::path::Path;

/// What of the unsynced is kept: one of these for each trial of a point.
const KEPT: [Kept; 4] = [Kept::Nothing, Kept::Part(1), Kept::Part(2), Kept::Everything];

/// A process that was watched, and what was on the disk before.
pub(super) struct Tape {
    pub(super) before: tempfile::TempDir,
    pub(super) deeds: Vec<Deed>,
    pub(super) promise: Promise,
}

impl Tape {
    /// Of a clerk who does this, beginning with these files.
    fn of(task: Task, before: tempfile::TempDir, promise: Promise) -> Self {
        let (root, log) = (folder(), folder());
        copy(before.path(), root.path());
        let log = log.path().join("log");
        let output = tape::watched(&task.command(&root.path().join("state")), &log, &[]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && !said.contains("failed "), "{said}");
        let deeds = tape::read(&log, root.path());
        Self { before, deeds, promise }
    }

    /// Points at which power may be lost: after each thing that was done to a file.
    fn points(&self) -> Vec<usize> {
        let place = |(place, deed): (usize, &Deed)| (!matches!(deed, Deed::Said(_))).then_some(place + 1);
        self.deeds.iter().enumerate().filter_map(place).collect()
    }

    /// The disk at each of these points, which come in order, and what had been promised by then.
    fn at(&self, points: &[usize], sync: Sync, mut look: impl FnMut(usize, &Platter, Promise)) {
        let mut platter = Platter::holding(self.before.path(), sync);
        let mut promise = self.promise;
        let mut points = points.iter().enumerate().peekable();
        for (place, deed) in self.deeds.iter().enumerate() {
            if let Deed::Said(line) = deed {
                promise.hear(line);
            } else {
                let next = self.deeds[place + 1..].iter().find(|next| !matches!(next, Deed::Said(_)));
                platter.take(deed, next);
            }
            while let Some((number, _)) = points.next_if(|(_, point)| **point == place + 1) {
                look(number, &platter, promise);
            }
        }
    }
}

pub(super) fn copy(from: &Path, to: &Path) {
    let platter = Platter::holding(from, Sync::Honest);
    platter.after_power_loss(Kept::Everything, to);
}

fn name(kept: Kept) -> String {
    match kept {
        Kept::Nothing => "nothing".into(),
        Kept::Everything => "everything".into(),
        Kept::Part(seed) => format!("part-{seed}"),
    }
}

/// Another part at each point.
fn at_point(kept: Kept, point: usize) -> Kept {
    if let Kept::Part(seed) = kept { Kept::Part(seed * 1_000_003 + point as u64) } else { kept }
}

/// Trials of this tape; their names begin so. Each point comes so many times.
fn trials(
    wanted: &Wanted,
    tape: &Tape,
    head: &str,
    suite: &str,
    (times, sample): (usize, usize),
) -> Vec<(String, usize, Kept)> {
    let points = tape.points();
    let trial = |number: usize| {
        let (point, kept) = (points[number / times], KEPT[(number + number / times) % KEPT.len()]);
        (format!("{head}/{point}/{}", name(kept)), point, at_point(kept, point))
    };
    let chosen = wanted.choose(suite, points.len() * times, sample, |number| trial(number).0);
    chosen.into_iter().map(trial).collect()
}

/// What becomes of it.
fn lose_power(tape: &Tape, trials: &[(String, usize, Kept)], sync: Sync) -> Ended {
    // Each hand goes along the tape once.
    let hands: Vec<usize> = (0..HANDS).collect();
    let ended = at_once(HANDS, &hands, |hand| {
        let mine: Vec<_> = trials.iter().skip(hand).step_by(HANDS).collect();
        let points: Vec<usize> = mine.iter().map(|(_, point, _)| *point).collect();
        let mut ended = Ended::new();
        tape.at(&points, sync, |number, platter, promise| {
            let (name, _, kept) = mine[number];
            let image = folder();
            platter.after_power_loss(*kept, image.path());
            ended.push((name.clone(), promise.judge(&image.path().join("state"))));
        });
        ended
    });
    ended.into_iter().flatten().collect()
}

/// With a store that has this bug power loss would be seen.
fn planted(tape: &Tape, trials: &[(String, usize, Kept)], bug: &str, sync: Sync) {
    found_out(&format!("power loss with {bug}"), &lose_power(tape, trials, sync));
}

#[test]
fn power_is_lost_while_a_journal_is_written() {
    let suite = "power loss";
    if let Err(why) = tape::is_possible() {
        return skipped(suite, &why);
    }
    let tape = Tape::of(Task::until(PIECES - 1), folder(), Promise::default());
    anywhere(&tape, "power", suite, KEPT.len());
}

/// At every point of a tape, so many times; the names of the trials begin so.
pub(super) fn anywhere(tape: &Tape, head: &str, suite: &str, times: usize) {
    let wanted = Wanted::read();
    let mut chosen = trials(&wanted, tape, head, suite, (times, 110));
    let ended = lose_power(tape, &chosen, Sync::Honest);
    if wanted.is_named() && chosen.is_empty() {
        return;
    }
    proved(suite, &ended);
    if !wanted.is_named() {
        // What is kept hides a bug.
        chosen.retain(|(_, _, kept)| *kept != Kept::Everything);
        let few = 1 + chosen.len() / 300;
        let chosen: Vec<_> = chosen.into_iter().step_by(few).collect();
        planted(tape, &chosen, "synchronous=OFF", Sync::Never);
        planted(tape, &chosen, "synchronous=NORMAL", Sync::AtCheckpoints);
        planted(tape, &chosen, "names that are never synced", Sync::NoNames);
    }
}

/// At points of the first tape where recovery has something to do; the second is what it does.
#[test]
fn power_is_lost_again_while_a_journal_is_recovered() {
    let suite = "power loss in recovery";
    if let Err(why) = tape::is_possible() {
        return skipped(suite, &why);
    }
    let wanted = Wanted::read();
    let ended = recovered(&wanted, suite, None);
    if !(wanted.is_named() && ended.is_empty()) {
        proved(suite, &ended);
    }
}

/// What becomes of a store that does this wrongly while it recovers.
#[cfg(feature = "mistakes")]
pub(super) fn mistaken(mistake: &'static str) -> Result<Ended, String> {
    tape::is_possible().map(|()| recovered(&Wanted::Sample { seed: 1 }, "with a mistake", Some(mistake)))
}

fn recovered(wanted: &Wanted, suite: &str, mistake: Option<&'static str>) -> Ended {
    let tape = Tape::of(Task::until(PIECES - 5), folder(), Promise::default());
    let points = tape.points();
    let first: Vec<(usize, Kept)> = (0..points.len())
        .step_by(points.len() / 20)
        .map(|place| (points[place], at_point(KEPT[place % KEPT.len()], points[place])))
        .collect();
    let few = if matches!(wanted, Wanted::Sample { .. }) { first.len() / 4 } else { 1 };
    let first: Vec<_> = first.into_iter().enumerate().step_by(few).collect();
    let places: Vec<usize> = first.iter().map(|(_, (point, _))| *point).collect();
    let mut images = Vec::new();
    tape.at(&places, Sync::Honest, |place, platter, promise| {
        let (number, (_, kept)) = first[place];
        let image = folder();
        platter.after_power_loss(kept, image.path());
        images.push((number, image, promise));
    });
    let ended = images.into_iter().flat_map(|(number, image, promise)| {
        let task = Task { mistake, ..Task::until((promise.begun + 2).min(PIECES)) };
        let again = Tape::of(task, image, promise);
        let chosen = trials(wanted, &again, &format!("recovery/{number}"), suite, (1, 12));
        lose_power(&again, &chosen, Sync::Honest)
    });
    ended.collect()
}
