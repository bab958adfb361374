//! Journals that earlier versions wrote are read, replayed and told for ever as on the day they were kept.
//!
//! To keep one more: `cp STATE_DIR/switchover.db tests/data/journals/NAME.db`, and run this test with `INSTA_UPDATE=always`.

use crate::stage::{repository, tool};
use std::path::Path;
use std::sync::Arc;
use switchover::action::Registry;
use switchover::doc::{self, Inputs, Stored};
use switchover::run::{Ending, Run, ending};
use switchover::signal::SignalRegistry;
use switchover::store::{self, Seq, SqliteStore, Store};

/// A state directory with only this journal.
pub(crate) fn kept(name: &str) -> tempfile::TempDir {
    let state = tempfile::tempdir().unwrap();
    let journal = repository("tests/data/journals").join(name).with_extension("db");
    std::fs::copy(journal, state.path().join("switchover.db")).unwrap();
    state
}

/// What the facts come to: each must be able to follow the ones before it.
fn folded(state: &Path) -> Ending {
    let store = SqliteStore::open_to_read(state).unwrap();
    let id = store::find(&store, "latest").unwrap();
    let record = store.run(&id).unwrap();
    let first = &record.sources[0];
    let kept = record.sources.iter().map(|source| (source.name.clone(), source.text.clone())).collect();
    let given = record.params.clone().into_iter().collect();
    let inputs = Inputs { given, ..Inputs::default() };
    let reading =
        doc::read(&first.name, first.text.as_bytes(), &Stored(kept), &inputs, &Registry, &SignalRegistry);
    let plan = Arc::new(reading.plan.unwrap_or_else(|| panic!("{:?}", reading.problems)));
    let mut run = Run::new(plan.clone());
    for recorded in store::events(&store, &id, &plan, Seq(1)).unwrap() {
        run.evolve(&recorded.event).unwrap_or_else(|error| panic!("event {}: {error:?}", recorded.seq));
    }
    ending(&run)
}

/// What people are told of it.
fn told(state: &Path) -> String {
    let say = |arguments: &[&str]| {
        let output = tool().args(arguments).arg("--state-dir").arg(state).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    [say(&["log", "--verify"]), say(&["status"])].join("\n").replace(state.to_str().unwrap(), "STATE")
}

#[test]
fn every_journal_that_was_kept_is_told_as_on_its_day() {
    let folder = repository("tests/data/journals");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "db"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 8, "journals are never taken away: {names:?}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for name in names {
            let state = kept(&name);
            let text = format!("{:?}\n\n{}", folded(state.path()), told(state.path()));
            insta::assert_snapshot!(name, text);
        }
    });
}

/// To keep one more: kill a run of production that waits, and copy its `switchover.db` to `tests/data/journals/open`.
#[test]
fn every_run_that_an_earlier_version_began_is_finished_by_this_one() {
    let folder = repository("tests/data/journals/open");
    let names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(!names.is_empty(), "journals are never taken away");
    for name in names {
        let state = kept(&format!("open/{name}"));
        let say = |arguments: &[&str]| {
            let output = tool().args(arguments).arg("--state-dir").arg(state.path()).output().unwrap();
            assert!(output.status.success(), "{name}, {arguments:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        // It was not kept how the run stands: the journal tells.
        assert!(say(&["runs", "--open"]).contains(" under way for "), "{name}");
        say(&["resume"]);
        assert!(say(&["runs"]).contains(" completed after "), "{name}");
        assert!(say(&["log", "--verify"]).contains(" holds: "), "{name}");
    }
}
