//! How many events a second become durable, against how often the same disk can be told to write through.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark stops where it is, and prints")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use switchover::plan::Timestamp;
use switchover::store::record::{EventRecord, StepRecord};
use switchover::store::{Entry, NewRun, Owner, Seq, SqliteStore, Store};

const ROUNDS: u32 = 400;
const PAGE: usize = 4096;
const PAGES: usize = 256;

/// Rounds a second.
fn rate(mut round: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..ROUNDS).for_each(|_| round());
    f64::from(ROUNDS) / start.elapsed().as_secs_f64()
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
            created: now,
            by: "bench".into(),
        })
        .unwrap();
    let lease = store.acquire(&run.id, &Owner::this_process(), Duration::from_secs(3600), now).unwrap();
    let mut last = Seq(0);
    let mut durable = || {
        let body = EventRecord::Step { step: "deploy[backend]".into(), fact: StepRecord::Started };
        last = store.append(&lease, last, &[Entry { at: now, body }]).unwrap();
    };

    // Interleaved, so that both meet the same disk.
    let (mut plain_rates, mut durable_rates) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        plain_rates.push(rate(&mut plain));
        durable_rates.push(rate(&mut durable));
    }
    let median = |rates: &mut Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    let (plain, durable) = (median(&mut plain_rates), median(&mut durable_rates));
    println!("appends: {durable:.0}/s durable, bare fdatasync {plain:.0}/s, ratio {:.2}", durable / plain);
}
