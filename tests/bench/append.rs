//! How many events a second become durable, one by one and where several come at once, against how often the same disk can
//! be told to write through.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops where it is, and prints")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use switchover::plan::Timestamp;
use switchover::store::record::{EventRecord, StepRecord};
use switchover::store::{Entry, NewRun, Owner, Seq, SqliteStore, Store};

const ROUNDS: u32 = 400;
/// Steps that finish together.
const TOGETHER: usize = 8;
const PAGE: usize = 4096;
const PAGES: usize = 256;

/// What each round takes, in milliseconds.
fn spans(mut round: impl FnMut()) -> Vec<f64> {
    let mut spans = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        round();
        spans.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    spans
}

/// Rounds a second.
fn rate(spans: &[f64]) -> f64 {
    f64::from(ROUNDS) * 1000.0 / spans.iter().sum::<f64>()
}

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let now =
        Timestamp(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap());

    // In place, because a file that grows has its length to write too: this is the most that the disk can do.
    let file = File::create(folder.path().join("plain")).unwrap();
    file.write_all_at(&vec![b'x'; PAGE * PAGES], 0).unwrap();
    file.sync_all().unwrap();
    let mut places = (0..PAGES).cycle();
    let mut plain = || {
        let place = places.next().unwrap() * PAGE;
        file.write_all_at(&[b'y'; PAGE], place as u64).unwrap();
        file.sync_data().unwrap();
    };

    let store = SqliteStore::open(folder.path()).unwrap();
    let run = store
        .create(NewRun {
            plan: "bench".into(),
            sources: Vec::new(),
            params: serde_json::Map::new(),
            wiring: None,
            only_prepare: false,
            world_lock: false,
            created: now,
            by: "bench".into(),
            tool: "0.1.0".into(),
        })
        .unwrap();
    let lease = store.acquire(&run.id, &Owner::this_process(), Duration::from_secs(3600), now).unwrap();
    let mut last = Seq(0);
    let mut durable = |count: usize| {
        let body = EventRecord::Step { step: "deploy[backend]".into(), fact: StepRecord::Started };
        last = store.append(&lease, last, &vec![Entry { at: now, body }; count]).unwrap();
    };

    // Interleaved, so that all meet the same disk.
    let mut all = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..5 {
        all[0].push(spans(&mut plain));
        all[1].push(spans(|| durable(1)));
        all[2].push(spans(|| durable(TOGETHER)));
    }
    let middle = |rounds: &[Vec<f64>]| part(rounds.iter().map(|spans| rate(spans)).collect(), 50);
    let [plain, durable, together] = all.each_ref().map(|rounds| middle(rounds));
    let ratio = durable / plain;
    println!("appends: {durable:.0}/s durable, bare fdatasync {plain:.0}/s, ratio {ratio:.2}");
    let [bare, one, _] = all.map(|rounds| rounds.concat());
    for (what, spans) in [("an append", one), ("a bare fdatasync", bare)] {
        let [p50, p95] = [50, 95].map(|percent| part(spans.clone(), percent));
        println!("{what}: p50 {p50:.2} ms, p95 {p95:.2} ms");
    }
    let events = together * f64::from(u32::try_from(TOGETHER).unwrap());
    let times = events / durable;
    println!("{TOGETHER} at once: {events:.0} events/s, {times:.1} times as many");
    // For `tests/prove.sh`.
    let rounds = ROUNDS * 5;
    println!("measured: appends, of bare fdatasync | {rounds} | {ratio:.2} | >= 0.5 | {}", met(ratio >= 0.5));
    println!(
        "measured: {TOGETHER} facts at once, of one by one | {rounds} | {times:.1} | >= 3 | {}",
        met(times >= 3.0)
    );
}

fn met(is: bool) -> &'static str {
    if is { "kept" } else { "missed" }
}

/// What so many in a hundred do not exceed.
fn part(mut all: Vec<f64>, percent: usize) -> f64 {
    all.sort_by(f64::total_cmp);
    all[(all.len() - 1) * percent / 100]
}
