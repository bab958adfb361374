//! Journals that earlier versions wrote are read, replayed and told for ever as on the day they were kept.
//!
//! To keep one more: `cp STATE_DIR/switchover.db tests/data/journals/NAME.db`, and run this test with `INSTA_UPDATE=always`.

use crate::stage::{Said, repository, tool};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use switchover::action::Registry;
use switchover::doc::{self, Inputs, Stored};
use switchover::run::{Mode, Run, ending};
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
fn folded(state: &Path) -> Run {
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
    run
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

/// The journals of a folder, by name.
fn databases(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(repository(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "db"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn every_journal_that_was_kept_is_told_as_on_its_day() {
    let folder = repository("tests/data/journals");
    let names = databases("tests/data/journals");
    assert!(names.len() >= 8, "journals are never taken away: {names:?}");
    let count = names.len();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for name in names {
            let state = kept(&name);
            let text = format!("{:?}\n\n{}", ending(&folded(state.path())), told(state.path()));
            insta::assert_snapshot!(name, text);
        }
    });
    println!("proved: journals of earlier versions told {count} of {count}");
}

/// How a run that was left open is brought to its end: what its steps had left, what is typed, the exit code, and what is told
/// of it then.
struct Open {
    name: &'static str,
    left: &'static [&'static str],
    typed: &'static [&'static str],
    code: i32,
    told: &'static str,
}

const fn open(
    name: &'static str,
    left: &'static [&'static str],
    typed: &'static [&'static str],
    code: i32,
    told: &'static str,
) -> Open {
    Open { name, left, typed, code, told }
}

const OPEN: &[Open] = &[
    open("interrupted", &[], &["resume"], 0, " completed after "),
    open("v3-paused", &["first", "second"], &["continue"], 0, " completed after "),
    open("v3-stuck", &["first", "second"], &["retry", "second"], 10, " rolled back and verified after "),
    // The call had been lost, or had not.
    open("v3-in-doubt", &["first"], &["resume"], 0, " completed after "),
    open("v3-in-doubt", &["first", "second"], &["resume"], 0, " completed after "),
    open("v3-in-doubt", &["first", "second"], &["abort"], 12, " rolled back and verified after "),
    open("v3-rolling-back", &["first", "second"], &["resume"], 10, " rolled back and verified after "),
    open("v3-rolling-back", &["first"], &["resume"], 10, " rolled back and verified after "),
    open("v3-baking", &["first", "second", "third"], &["resume"], 0, " completed after "),
];

/// To keep more: `keep.sh` beside the journals.
#[test]
fn every_run_that_an_earlier_version_began_is_finished_by_this_one() {
    let names = databases("tests/data/journals/open");
    let unknown: Vec<&String> =
        names.iter().filter(|name| !OPEN.iter().any(|open| open.name == **name)).collect();
    assert!(unknown.is_empty(), "nobody says how these are finished: {unknown:?}");
    for Open { name, left, typed, code, told } in OPEN {
        assert!(names.iter().any(|kept| kept == name), "journals are never taken away: {name}");
        let (state, world) = (kept(&format!("open/{name}")), tempfile::tempdir().unwrap());
        left.iter().for_each(|file| std::fs::write(world.path().join(file), "").unwrap());
        let say = |arguments: &[&str]| -> Said {
            let mut command = tool();
            command.env("KEPT", world.path()).env("SWITCHOVER_ON_PAUSE", "exit");
            command.args(arguments).arg("--state-dir").arg(state.path()).output().unwrap().into()
        };
        // How the oldest stands was not kept beside its journal, which tells it.
        assert!(!say(&["runs", "--open"]).stdout.is_empty(), "{name}");
        let before = folded(state.path());
        assert!(!matches!(before.mode, Mode::Finished(_) | Mode::Idle), "{name}");
        let said = say(typed);
        assert_eq!(said.code, Some(*code), "{name}, {typed:?}: {said:#?}");
        let listed = say(&["runs"]);
        assert!(listed.stdout.contains(told), "{name}, {typed:?}: {listed:#?}");
        let verified = say(&["log", "--verify"]);
        assert!(verified.stdout.contains(" holds: "), "{name}: {verified:#?}");
        // The world is as the verdict says: files of those steps, or none.
        let mut files: Vec<String> = std::fs::read_dir(world.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let all: &[&str] =
            if *code == 0 && *name != "interrupted" { &["first", "second", "third"] } else { &[] };
        assert_eq!(files, all, "{name}, {typed:?}: {said:#?}");
    }
    println!("proved: open runs of earlier versions finished {0} of {0}", OPEN.len());
}

/// Their sandboxes are gone, and time goes on: what the facts come to is told, and each of them.
#[test]
fn every_open_journal_of_a_sandbox_is_replayed_as_on_its_day() {
    let folder = repository("tests/data/journals/told");
    let names = databases("tests/data/journals/told");
    assert!(names.len() >= 5, "journals are never taken away: {names:?}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for name in &names {
            let state = kept(&format!("told/{name}"));
            let run = folded(state.path());
            let mut text = format!("{:?}, paused: {:?}, {:?}\n", run.mode, run.paused, ending(&run));
            for (ix, step) in run.plan.places().zip(run.steps.iter()) {
                writeln!(text, "{}: {:?}, {:?}", run.plan[ix].id, step.phase, step.mark()).unwrap();
            }
            let said: Said = tool().args(["log", "--state-dir"]).arg(state.path()).output().unwrap().into();
            assert_eq!(said.code, Some(0), "{said:#?}");
            insta::assert_snapshot!(name.as_str(), text + "\n" + &said.stdout);
        }
    });
    println!("proved: open journals of sandboxes replayed {0} of {0}", names.len());
}
