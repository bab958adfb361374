//! Every journal boundary: the process dies before or after each append, once more during the recovery, and then
//! somebody resumes in one trial and aborts in another.

use super::stage::{Crash, Stage, chain};
use super::world::Nature;
use super::{abort, completed};
use crate::run::{Mode, Order, PauseCause, Run, Verdict};
use crate::store::SqliteStore;
use std::sync::Arc;

/// What the plan comes to when nothing dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Story {
    Completes,
    RollsBack,
}

impl Story {
    fn natures(self) -> Vec<(&'static str, Nature)> {
        match self {
            Self::Completes => Vec::new(),
            Self::RollsBack => vec![("c", Nature::Denied)],
        }
    }
}

/// Drives until a process does not die, and at most twice dies on purpose.
async fn through(stage: &Stage, crash: Crash, again: Option<Crash>, aborted: bool) -> Run {
    stage.crash_at(crash);
    let first = stage.drive().await;
    if let Ok(driven) = first {
        assert!(!stage.has_crashed(), "it went on without its journal");
        return driven.run;
    }
    assert!(stage.has_crashed());
    if aborted {
        stage.order(&abort());
    }
    if let Some(again) = again {
        stage.crash_at(again);
        if let Ok(driven) = stage.drive().await {
            return driven.run;
        }
    }
    let run = stage.drive().await.unwrap().run;
    if run.paused != Some(PauseCause::Operator) {
        return run;
    }
    // It was rolling back already, and an abort pauses that.
    stage.order(&Order::Continue);
    stage.drive().await.unwrap().run
}

async fn trials(tale: Story) -> usize {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let store = Arc::new(SqliteStore::open(directory.path()).unwrap());
    let new = || {
        Stage::among(directory.clone(), store.clone(), chain(&["a", "b", "c"]), &tale.natures(), Vec::new())
    };
    let whole = new();
    whole.drive().await.unwrap();
    let length = whole.journal().len() as u64;
    let mut count = 0;
    for seq in 1..=length {
        for crash in [Crash::Before(seq), Crash::After(seq)] {
            for (again, aborted) in [(None, false), (None, true), (Some(2), false), (Some(1), true)] {
                let stage = new();
                let again = again.map(|more| Crash::Before(seq + more));
                let run = through(&stage, crash, again, aborted).await;
                let told = format!("{tale:?} {crash:?} {again:?} aborted: {aborted}\n{:#?}", stage.journal());
                check(&stage, &run, tale, aborted, &told);
                count += 1;
            }
        }
    }
    count
}

fn check(stage: &Stage, run: &Run, story: Story, aborted: bool, told: &str) {
    assert!(run.is_finished(), "{told}");
    let back = aborted || story == Story::RollsBack;
    assert_eq!(completed(run), !back, "{told}");
    assert!(completed(run) || run.mode == Mode::Finished(Verdict::RolledBack), "{told}");
    for cell in ["a", "b", "c"] {
        assert_eq!(stage.value(cell), if back { "old" } else { "new" }, "{cell}: {told}");
    }
    let writes = stage.writes();
    for (place, write) in writes.iter().enumerate() {
        assert!(!writes[..place].contains(write), "{write} was done twice: {told}");
    }
}

/// spinnaker#6443: an execution that nobody drove any more could not be cancelled, though each try was answered as if it
/// had been. spinnaker#5952: nor one that had not begun.
#[tokio::test]
async fn an_abort_of_a_run_that_nobody_drives_is_carried_out_by_whoever_takes_it_up() {
    for seq in [1, 3, 6] {
        let stage = Stage::new(chain(&["a", "b"]), &[]);
        stage.crash_at(Crash::After(seq));
        assert!(stage.drive().await.is_err() && stage.has_crashed());
        stage.order(&abort());
        let run = stage.drive().await.unwrap().run;
        assert_eq!(run.mode, Mode::Finished(Verdict::RolledBack), "{seq}: {:#?}", stage.journal());
        assert_eq!([stage.value("a"), stage.value("b")], ["old", "old"], "{seq}");
        let heard = stage.journal().iter().filter(|line| line.contains("order_taken")).count();
        assert_eq!(heard, 1, "it is in the journal, once: {:#?}", stage.journal());
    }
}

#[tokio::test]
async fn a_crash_is_a_pause_forward() {
    let count = trials(Story::Completes).await;
    println!("{count} of {count}");
}

#[tokio::test]
async fn a_crash_is_a_pause_on_the_way_back() {
    let count = trials(Story::RollsBack).await;
    println!("{count} of {count}");
}
