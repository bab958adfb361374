//! Runs as a whole: exported, taken in, removed.

use super::*;
use crate::store::record::{ActorRecord, ModeRecord, VerdictRecord};

fn started() -> Entry {
    let by = ActorRecord { name: "ana".into(), automatic: false };
    Entry { at: Timestamp(1), body: EventRecord::RunStarted { by } }
}

fn finished() -> Entry {
    Entry { at: Timestamp(9), body: EventRecord::RunFinished { verdict: VerdictRecord::Completed } }
}

fn exported(store: &SqliteStore, run: &RunId) -> String {
    let mut text = Vec::new();
    store.export(run).unwrap().write(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn an_exported_run_is_taken_in_whole() {
    let (_directory, store, lease) = held();
    let run = &lease.run;
    store.append(&lease, Seq(0), &[started()]).unwrap();
    let bo = Actor { name: "bo".into(), automatic: false };
    store.order(run, &bo, &OrderRecord::Continue, NOW).unwrap();
    let again = store.acquire(run, &other(2), TTL, NOW.after(TTL)).unwrap();
    store.append(&again, Seq(1), &entries(3)).unwrap();
    let text = exported(&store, run);
    let elsewhere = tempfile::tempdir().unwrap();
    let second = SqliteStore::open(elsewhere.path()).unwrap();
    let read = Exported::read(text.as_bytes()).unwrap();
    // Two stores know nothing of each other's leases.
    assert!(matches!(second.import(&read, false), Err(StoreError::Unfinished(_))));
    assert!(matches!(second.run(run), Err(StoreError::NoSuchRun(_))), "nothing of it is there");
    second.import(&read, true).unwrap();
    assert!(matches!(second.import(&read, true), Err(StoreError::Exists(_))));
    assert_eq!(second.run(run).unwrap(), store.run(run).unwrap());
    assert_eq!(second.verify(run).unwrap(), store.verify(run).unwrap());
    assert_eq!(exported(&second, run), text);
    let listed = second.runs(NOW).unwrap().remove(0).unwrap();
    assert_eq!((listed.standing.mode, listed.holder), (ModeRecord::Forward, None));
    // It goes on: later than all who held it before, and orders are numbered on.
    let lease = second.acquire(run, &other(3), TTL, NOW).unwrap();
    assert_eq!((lease.epoch, lease.taken_over.clone()), (Epoch(3), None));
    assert_eq!(second.order(run, &bo, &OrderRecord::Continue, NOW).unwrap(), 2);
    second.append(&lease, Seq(4), &[finished()]).unwrap();
    second.verify(run).unwrap();
    let third = tempfile::tempdir().unwrap();
    let third = SqliteStore::open(third.path()).unwrap();
    third.import(&Exported::read(exported(&second, run).as_bytes()).unwrap(), false).unwrap();
}

#[test]
fn a_run_that_never_began_is_not_taken_in() {
    let (_directory, store, lease) = held();
    let refused = Exported::read(exported(&store, &lease.run).as_bytes()).unwrap_err();
    assert!(matches!(refused, NotExported::Store(StoreError::Broken { seq: Seq(1), .. })), "{refused}");
}

#[test]
fn an_export_that_was_touched_anywhere_is_refused() {
    let (_directory, store, lease) = held();
    store.append(&lease, Seq(0), &[started()]).unwrap();
    store.append(&lease, Seq(1), &entries(2)).unwrap();
    store.append(&lease, Seq(3), &[finished()]).unwrap();
    let text = exported(&store, &lease.run);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6);
    for missing in 0..lines.len() {
        let kept: Vec<&str> =
            lines.iter().enumerate().filter(|(n, _)| *n != missing).map(|(_, l)| *l).collect();
        let refused = Exported::read(kept.join("\n").as_bytes()).unwrap_err();
        if missing == 5 {
            assert!(matches!(refused, NotExported::Line { line: 6, .. }), "{refused}");
        }
        if (1..5).contains(&missing) {
            assert!(
                matches!(refused, NotExported::Store(StoreError::Broken { seq: Seq(n), .. }) if n == missing as u64 || n == 4),
                "{missing}: {refused}"
            );
        }
    }
    // One letter at a time: it is refused, or says the same.
    let sound = Exported::read(text.as_bytes()).unwrap();
    for place in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[place] ^= 1;
        if let Ok(read) = Exported::read(&*bytes) {
            assert_eq!(read, sound, "byte {place}");
        }
    }
    assert_eq!(sound.head(), sound.events[3].hash);
    let (lines, end) = text.trim_end().rsplit_once('\n').unwrap();
    for (said, wrong) in [(r#""events":4"#, r#""events":5"#), (sound.head(), "f00d")] {
        let touched = format!("{lines}\n{}\n", end.replace(said, wrong));
        let refused = Exported::read(touched.as_bytes()).unwrap_err();
        assert!(matches!(refused, NotExported::Store(StoreError::Broken { seq: Seq(5), .. })), "{refused}");
    }
    let (known, format) = (FORMAT, FORMAT + 1);
    let newer = text.replacen(&format!(r#""format":{known}"#), &format!(r#""format":{format}"#), 1);
    let refused = Exported::read(newer.as_bytes()).unwrap_err().to_string();
    let says = format!("was written by a newer switchover (format {format}; this one knows {known}");
    assert!(refused.contains(&says), "{refused}");
    for more in [&text, lines.lines().last().unwrap()] {
        let longer = format!("{text}{more}\n");
        assert!(matches!(Exported::read(longer.as_bytes()), Err(NotExported::Line { line: 7, .. })));
    }
}

#[test]
fn only_what_is_over_and_held_by_nobody_is_removed() {
    let (directory, store, lease) = held();
    let later = NOW.after(TTL);
    let refused = |store: &SqliteStore, now| store.remove(&lease.run, now).unwrap_err();
    store.append(&lease, Seq(0), &[started()]).unwrap();
    lock(&store, &lease, &["dns:zone/app".into()], NOW).unwrap();
    assert!(matches!(refused(&store, NOW), StoreError::Held { .. }));
    assert_eq!(refused(&store, later).to_string(), format!("run {} is kept: it is not over", lease.run));
    // What a listing says of it decides nothing.
    raw(directory.path())
        .execute(r#"UPDATE standings SET body = replace(body, '"forward"', '{"finished":"completed"}')"#, [])
        .unwrap();
    assert!(store.runs(NOW).unwrap()[0].as_ref().unwrap().standing.verdict().is_some());
    assert!(matches!(refused(&store, later), StoreError::Needed(_)));
    store.append(&lease, Seq(1), &[finished()]).unwrap();
    assert!(matches!(refused(&store, NOW), StoreError::Held { .. }));
    store.append(&lease, Seq(2), &entries(2000)).unwrap();
    store.release(&lease).unwrap();
    raw(directory.path()).execute("UPDATE events SET at = at + 1 WHERE seq = 1", []).unwrap();
    assert!(matches!(refused(&store, NOW), StoreError::Broken { .. }), "it is kept to be looked at");
    raw(directory.path()).execute("UPDATE events SET at = at - 1 WHERE seq = 1", []).unwrap();
    let second = store.create(new_run()).unwrap().id;
    let second = store.acquire(&second, &other(2), TTL, NOW).unwrap();
    store.append(&second, Seq(0), &entries(1)).unwrap();
    store.remove(&lease.run, NOW).unwrap();
    assert_eq!(lock(&store, &second, &["dns:zone/app".into()], NOW).unwrap(), [], "its lock went with it");
    assert!(matches!(store.run(&lease.run), Err(StoreError::NoSuchRun(_))));
    let left: u64 = raw(directory.path())
        .query_row("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM standings)", [], |r| {
            r.get(0)
        })
        .unwrap();
    assert_eq!(left, 2);
    let files = ["switchover.db", "switchover.db-wal"].map(|name| directory.path().join(name));
    let size = || files.iter().map(|file| std::fs::metadata(file).unwrap().len()).sum::<u64>();
    let before = size();
    store.compact().unwrap();
    assert!(size() < before / 4, "{} of {before}", size());
    assert_eq!(store.append(&second, Seq(1), &entries(1)).unwrap(), Seq(2));
}

#[test]
fn a_journal_whose_end_is_missing_is_neither_exported_nor_removed() {
    let (directory, store, lease) = held();
    let run = &lease.run;
    store.append(&lease, Seq(0), &[started()]).unwrap();
    store.append(&lease, Seq(1), &[finished()]).unwrap();
    store.append(&lease, Seq(2), &entries(1)).unwrap();
    store.release(&lease).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let second = SqliteStore::open(elsewhere.path()).unwrap();
    second.import(&store.export(run).unwrap(), false).unwrap();
    for (store, directory) in [(&store, &directory), (&second, &elsewhere)] {
        // As a flipped bit in the log leaves it: all before it holds.
        let cut = "DELETE FROM events WHERE seq = 3;
                   UPDATE runs SET head_seq = 2, head_hash = (SELECT hash FROM events WHERE seq = 2)";
        raw(directory.path()).execute_batch(cut).unwrap();
        let is_cut = |error| matches!(error, StoreError::Broken { seq: Seq(3), .. });
        assert!(is_cut(store.export(run).unwrap_err()));
        assert!(is_cut(store.remove(run, NOW).unwrap_err()));
        assert!(store.sound(run).unwrap().1.is_some_and(is_cut));
        // And one of which nothing is left is not as if it had never been.
        let gone = ["standings", "orders", "leases", "events"].map(|table| format!("DELETE FROM {table};"));
        raw(directory.path()).execute_batch(&(gone.concat() + "DELETE FROM runs")).unwrap();
        let [Err(lost)] = &store.runs(NOW).unwrap()[..] else { panic!("it is not listed") };
        assert!(lost.0 == *run && matches!(lost.1, StoreError::Broken { seq: Seq(1), .. }), "{lost:?}");
        assert_eq!(store.ids().unwrap(), std::slice::from_ref(run));
        assert!(matches!(store.run(run).unwrap_err(), StoreError::Broken { seq: Seq(1), .. }));
    }
}
