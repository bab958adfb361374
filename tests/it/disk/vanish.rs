//! The state directory, or a file of it, goes away while it is in use: nothing is acknowledged that nobody will find.

use super::clerk::{PRANKS, Prank, Promise, Task};
use super::{Ended, HANDS, Wanted, at_once, folder, proved};

const PIECES: usize = 12;

fn trial(prank: Prank, piece: usize, mistake: Option<&'static str>) -> Result<(), String> {
    let root = folder();
    let task = Task { session: 5, prank: (piece, prank), mistake, ..Task::until(PIECES) };
    let output = task.command(&root.path().join("state")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let promise = Promise::heard(&said);
    let failed = said.lines().find(|line| line.starts_with("failed "));
    // At the end of a session there is nothing to be written to what is gone; the next one begins with nothing.
    let told = failed.is_some_and(|line| line.contains("failed Vanished"));
    if !output.status.success() || !told || promise.kept > piece {
        return Err(format!("{promise:?}: {failed:?} {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(())
}

/// What becomes of all trials, of a store that does this wrongly.
#[cfg(feature = "mistakes")]
pub(super) fn mistaken(mistake: &'static str) -> Ended {
    let pieces: Vec<usize> = (1..PIECES).collect();
    let trials = at_once(HANDS, &pieces, |piece| {
        PRANKS.map(|prank| (format!("{prank:?}-{piece}"), trial(prank, piece, Some(mistake))))
    });
    trials.into_iter().flatten().collect()
}

#[test]
fn the_directory_goes_away() {
    let wanted = Wanted::read();
    let trials: Vec<(usize, Prank)> =
        (1..PIECES).flat_map(|piece| PRANKS.map(|prank| (piece, prank))).collect();
    let name = |number: usize| format!("vanish/{:?}-{}", trials[number].1, trials[number].0);
    let chosen = wanted.choose("vanished state", trials.len(), trials.len(), name);
    let ended: Ended = at_once(HANDS, &chosen, |number| {
        let (piece, prank) = trials[number];
        (name(number), trial(prank, piece, None))
    });
    if !ended.is_empty() {
        proved("vanished state", &ended);
    }
}
