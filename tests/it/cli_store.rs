//! Many runs in one state directory: listed, verified, exported, taken in, pruned. The real binary, over journals that the
//! library wrote.

use crate::stage::{Said, tool};
use rusqlite::Connection;
use serde_json::Value as Json;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use switchover::plan::Timestamp;
use switchover::store::record::{ActorRecord, EventRecord, PauseRecord, VerdictRecord};
use switchover::store::{Entry, NewRun, Owner, RunId, Seq, Source, SqliteStore, Store};
use tempfile::TempDir;

const PLAN: &str = "switchover: v1\nname: small\nsteps:\n  - { id: rest, uses: wait, with: { for: 1s } }\n";
const DAY: u64 = 24 * 3600 * 1000;

#[expect(clippy::disallowed_methods, reason = "the tool asks the same clock")]
fn now() -> Timestamp {
    Timestamp(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap())
}

/// How a run was left.
enum Left {
    /// Its process is gone, in the middle.
    Interrupted,
    /// It asks.
    Paused,
    /// It is over.
    Completed,
}

/// A run of `days` ago.
fn run(store: &SqliteStore, days: u64, left: &Left) -> RunId {
    let created = Timestamp(now().0 - days * DAY);
    let new = NewRun {
        plan: "small".into(),
        sources: vec![Source { name: "small.yaml".into(), text: PLAN.into() }],
        params: serde_json::Map::new(),
        wiring: None,
        only_prepare: false,
        world_lock: false,
        created,
        by: "ana".into(),
        tool: "0.1.0".into(),
    };
    let id = store.create(new).unwrap().id;
    // A process of another boot: only its lease says that it is gone.
    let owner = Owner { host: "elsewhere".into(), pid: 1, birth: String::new() };
    let lease = store.acquire(&id, &owner, Duration::from_millis(1), created).unwrap();
    let entry = |body| Entry { at: created, body };
    let mut entries =
        vec![entry(EventRecord::RunStarted { by: ActorRecord { name: "ana".into(), automatic: false } })];
    let last = match left {
        Left::Interrupted => None,
        Left::Paused => Some(EventRecord::RunPaused { cause: PauseRecord::Failed { step: "rest".into() } }),
        Left::Completed => Some(EventRecord::RunFinished { verdict: VerdictRecord::Completed }),
    };
    entries.extend(last.map(entry));
    store.append(&lease, Seq(0), &entries).unwrap();
    if matches!(left, Left::Completed) {
        store.release(&lease).unwrap();
    }
    id
}

fn say(state: &Path, arguments: &[&str]) -> Said {
    tool().args(arguments).env("SWITCHOVER_STATE_DIR", state).output().unwrap().into()
}

fn store() -> (TempDir, SqliteStore) {
    let state = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(state.path()).unwrap();
    (state, store)
}

fn spoil(state: &Path, run: &RunId) {
    let raw = Connection::open(state.join("switchover.db")).unwrap();
    raw.execute("UPDATE events SET at = at + 1 WHERE seq = 1 AND run = ?", [&*run.0]).unwrap();
}

#[test]
fn runs_are_listed_as_they_stand_and_a_damaged_one_hides_no_other() {
    let (state, store) = store();
    let interrupted = run(&store, 3, &Left::Interrupted);
    let paused = run(&store, 2, &Left::Paused);
    let completed = run(&store, 1, &Left::Completed);
    let said = say(state.path(), &["runs"]);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!((said.code, lines.len()), (Some(0), 3), "{said:#?}");
    assert!(
        lines[0].starts_with(&*completed.0) && lines[0].ends_with("production  small completed after 0s"),
        "{said:#?}"
    );
    assert!(lines[1].ends_with(": rest failed, and a person decides"), "{said:#?}");
    assert!(lines[2].contains("small under way for "), "{said:#?}");
    let said = say(state.path(), &["runs", "--open", "--output", "json"]);
    let listed: Vec<Json> = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!((listed[0]["run"].as_str(), &listed[0]["verdict"]), (Some(&*paused.0), &Json::Null));
    assert_eq!(listed[0]["paused"], serde_json::json!({"kind": "failed", "step": "rest"}));
    // Told from its journal it is the same.
    for (run, listed) in [(&paused, &listed[0]), (&interrupted, &listed[1])] {
        let told: Json =
            serde_json::from_str(&say(state.path(), &["status", &run.0, "--output", "json"]).stdout).unwrap();
        for (key, value) in listed.as_object().unwrap() {
            let moves = matches!(key.as_str(), "lasted_seconds" | "created_by");
            assert!(moves || told[key] == *value, "{key}: {value} {}", told[key]);
        }
    }
    let said = say(state.path(), &["resume"]);
    assert_eq!(said.code, Some(64), "two are not over: {said:#?}");
    spoil(state.path(), &paused);
    assert_eq!(say(state.path(), &["runs"]).stdout.lines().count(), 3);
    let said = say(state.path(), &["resume", &paused.0]);
    assert_eq!(said.code, Some(13), "{said:#?}");
    let said = say(state.path(), &["resume", &interrupted.0]);
    assert_eq!(said.code, Some(0), "{said:#?}");
}

#[test]
fn verify_names_the_first_bad_fact_and_log_prints_those_before_it() {
    let (state, store) = store();
    let id = run(&store, 1, &Left::Completed);
    let raw = Connection::open(state.path().join("switchover.db")).unwrap();
    raw.execute("UPDATE events SET at = at + 1 WHERE seq = 2", []).unwrap();
    let said = say(state.path(), &["log", "--verify"]);
    assert_eq!(said.code, Some(13), "{said:#?}");
    insta::assert_snapshot!(said.stdout.replace(&*id.0, "RUN"), @"the chain of run RUN breaks at fact 2: its hash does not follow from what is before it");
    insta::assert_snapshot!(said.stderr.replace(&*id.0, "RUN").replace(state.path().to_str().unwrap(), "STATE"), @r"
    error: the journal of run RUN is damaged from fact 2 on
      hint: `switchover log RUN --state-dir STATE` prints the facts before it
      hint: keep a copy of the state directory before anything else
      see: runbooks/R-journal-broken.md (`switchover explain R-journal-broken` prints it)
    ");
    let said = say(state.path(), &["log", "--verify", "--output", "json"]);
    let told: Json = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((said.code, &told["holds"], &told["first_bad"]), (Some(13), &Json::Bool(false), &2.into()));
    let said = say(state.path(), &["log"]);
    assert_eq!((said.code, said.stdout.lines().count()), (Some(13), 1), "{said:#?}");
    assert!(said.stdout.contains("small started by ana"), "{said:#?}");
}

#[test]
fn a_run_is_exported_and_taken_in_elsewhere() {
    let (state, store) = store();
    let id = run(&store, 1, &Left::Interrupted);
    let (there, _elsewhere) = self::store();
    let file = there.path().join("run.jsonl");
    let file = file.to_str().unwrap();
    let said = say(state.path(), &["export", "--to", file]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{said:#?}");
    assert_eq!(say(state.path(), &["export", "--to", file]).code, Some(64), "a file that is there is kept");
    assert_eq!(say(state.path(), &["export"]).stdout, std::fs::read_to_string(file).unwrap());
    let said = say(there.path(), &["import", file]);
    assert_eq!(said.code, Some(64), "{said:#?}");
    assert!(said.stderr.contains("is not over, and may be resumed where it was exported"), "{said:#?}");
    let said = say(there.path(), &["import", file, "--unfinished"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.stdout.starts_with(&format!("run {id} is here: 1 facts, the last is ")), "{said:#?}");
    let verified = |state: &Path| say(state, &["log", "--verify"]).stdout;
    assert_eq!(verified(there.path()), verified(state.path()));
    let said = say(there.path(), &["import", file, "--unfinished"]);
    assert!(said.code == Some(64) && said.stderr.contains("is here already"), "{said:#?}");
    assert_eq!(say(there.path(), &["resume"]).code, Some(0));
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replace("ana", "eve")).unwrap();
    let said = say(there.path(), &["import", file]);
    assert_eq!(said.code, Some(13), "{said:#?}");
    assert!(said.stderr.contains("its chain does not hold"), "{said:#?}");
    assert_eq!(say(there.path(), &["import", "nowhere.jsonl"]).code, Some(64));
}

#[test]
fn only_old_runs_that_are_over_are_pruned_and_first_they_are_named() {
    let (state, store) = store();
    let old = run(&store, 100, &Left::Completed);
    let damaged = run(&store, 100, &Left::Completed);
    let open = run(&store, 100, &Left::Paused);
    let young = run(&store, 10, &Left::Completed);
    spoil(state.path(), &damaged);
    let listed = || say(state.path(), &["runs"]).stdout;
    let said = say(state.path(), &["prune"]);
    assert_eq!(said.code, Some(64), "how old must be said: {said:#?}");
    let said = say(state.path(), &["prune", "--older-than", "90d"]);
    assert_eq!((said.code, said.stdout.lines().count()), (Some(64), 2), "{said:#?}");
    assert!(said.stdout.contains(&*old.0) && said.stderr.contains("add --yes"), "{said:#?}");
    assert_eq!(listed().lines().count(), 4);
    let said = say(state.path(), &["prune", "--older-than", "90d", "--yes", "--output", "json"]);
    let told: Json = serde_json::from_str(&said.stdout).unwrap();
    // One that cannot be believed is kept, to be looked at.
    assert_eq!((said.code, &told["removed"]), (Some(13), &serde_json::json!([*old.0])), "{said:#?}");
    assert_eq!(told["kept"][0]["run"], *damaged.0);
    let left = listed();
    assert_eq!(left.lines().count(), 3);
    assert!([damaged, open, young].iter().all(|run| left.contains(&*run.0)), "{left}");
    let said = say(state.path(), &["prune", "--older-than", "300d", "--yes"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{said:#?}");
}
