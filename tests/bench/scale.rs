//! Recovery at scale, of whole processes: a thousand interrupted runs and a damaged one are listed, all that can be are
//! resumed, and a run of a hundred thousand facts is.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops where it is, and prints")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use switchover::plan::Timestamp;
use switchover::store::record::{ActorRecord, EventRecord, ProposalRecord, StepRecord};
use switchover::store::{Entry, NewRun, Owner, RunId, Seq, Source, SqliteStore, Store};

const RUNS: usize = 1000;
const FACTS: usize = 100_000;
/// How often each is measured.
const LISTED: usize = 11;
const RESUMED: usize = 5;
const PLAN: &str = "switchover: v1\nname: bench\nsteps:\n  - { id: rest, uses: wait, with: { for: 1s } }\n";

/// A run that was killed in the middle, an hour ago, after so many facts.
fn interrupted(store: &SqliteStore, now: Timestamp, facts: usize) -> RunId {
    let created = Timestamp(now.0 - 3_600_000);
    let new = NewRun {
        plan: "bench".into(),
        sources: vec![Source { name: "bench.yaml".into(), text: PLAN.into() }],
        params: serde_json::Map::new(),
        wiring: None,
        only_prepare: false,
        world_lock: false,
        created,
        by: "bench".into(),
        tool: "0.1.0".into(),
    };
    let id = store.create(new).unwrap().id;
    let owner = Owner { host: "elsewhere".into(), pid: 1, birth: String::new() };
    let lease = store.acquire(&id, &owner, Duration::from_millis(1), created).unwrap();
    let step = |fact| EventRecord::Step { step: "rest".into(), fact };
    let proposal = ProposalRecord {
        prior: "{}".into(),
        stages: 0,
        within_ms: 61_000,
        call_ms: None,
        must_finish: false,
        changes: Vec::new(),
    };
    let noted = StepRecord::Noted { note: r#"{"sample":1}"#.into(), next: created.0 };
    let first = [
        EventRecord::RunStarted { by: ActorRecord { name: "bench".into(), automatic: false } },
        step(StepRecord::Started),
        step(StepRecord::Planned { proposal, until: created.0 + 61_000 }),
    ];
    let all = first.into_iter().chain(std::iter::repeat_n(step(noted), facts - 3));
    let entries: Vec<Entry> = all.map(|body| Entry { at: created, body }).collect();
    store.append(&lease, Seq(0), &entries).unwrap();
    id
}

/// How long it takes, in milliseconds, and how it ends.
fn spend(state: &Path, arguments: &[&str]) -> (f64, Option<i32>) {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_switchover"));
    tool.args(arguments).arg("--state-dir").arg(state);
    tool.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let code = tool.status().unwrap().code();
    (start.elapsed().as_secs_f64() * 1000.0, code)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let state = folder.path();
    let now =
        Timestamp(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap());
    let store = SqliteStore::open(state).unwrap();
    let runs: Vec<RunId> = (0..=RUNS).map(|_| interrupted(&store, now, 30)).collect();
    let raw = rusqlite::Connection::open(state.join("switchover.db")).unwrap();
    raw.execute("UPDATE events SET at = at + 1 WHERE seq = 7 AND run = ?", [&*runs[RUNS / 2].0]).unwrap();
    let listed = median((0..LISTED).map(|_| spend(state, &["runs", "--limit", "2000"]).0).collect());
    println!("runs: {} listed in {listed:.0} ms", RUNS + 1);
    let ended: Vec<Option<i32>> = runs.iter().map(|run| spend(state, &["resume", &run.0]).1).collect();
    let count = |code| ended.iter().filter(|ended| **ended == Some(code)).count();
    println!("resumed: {} of {RUNS}, {} refused as damaged", count(0), count(13));
    let each = (0..RESUMED).map(|_| spend(state, &["resume", &interrupted(&store, now, FACTS).0]));
    let (spans, codes): (Vec<f64>, Vec<Option<i32>>) = each.unzip();
    assert!(codes.iter().all(|code| *code == Some(0)), "{codes:?}");
    let resumed = median(spans);
    println!("resume: {FACTS} facts in {resumed:.0} ms");
    // For `tests/prove.sh`.
    println!("proved: interrupted runs resumed {} of {RUNS}", count(0));
    println!("proved: damaged runs refused beside them {} of 1", count(13));
    println!(
        "measured: {} runs listed | {LISTED} | {listed:.0} ms | < 100 ms | {}",
        RUNS + 1,
        met(listed < 100.0)
    );
    println!(
        "measured: {FACTS} facts resumed | {RESUMED} | {resumed:.0} ms | < 1000 ms | {}",
        met(resumed < 1000.0)
    );
    assert!((count(0), count(13)) == (RUNS, 1), "{} were resumed, {} refused", count(0), count(13));
}

fn met(is: bool) -> &'static str {
    if is { "kept" } else { "missed" }
}
