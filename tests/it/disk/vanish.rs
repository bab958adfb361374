//! The state directory, or a file of it, goes away while it is in use: nothing is acknowledged that nobody will find.

use super::clerk::{PRANKS, Prank, Promise, Task};
use super::{Ended, HANDS, Wanted, at_once, folder, proved};

const PIECES: usize = 12;

fn trial(prank: Prank, piece: usize) -> Result<(), String> {
    let root = folder();
    let task = Task { session: 5, prank: (piece, prank), ..Task::until(PIECES) };
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

#[test]
fn the_directory_goes_away() {
    let wanted = Wanted::read();
    let trials: Vec<(usize, Prank)> =
        (1..PIECES).flat_map(|piece| PRANKS.map(|prank| (piece, prank))).collect();
    let name = |number: usize| format!("vanish/{:?}-{}", trials[number].1, trials[number].0);
    let chosen = wanted.choose("vanished state", trials.len(), trials.len(), name);
    let ended: Ended = at_once(HANDS, &chosen, |number| {
        let (piece, prank) = trials[number];
        (name(number), trial(prank, piece))
    });
    if !ended.is_empty() {
        proved("vanished state", &ended);
    }
}
