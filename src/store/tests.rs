//! The store against itself: two connections, damage at every place, no room, dead holders.

use super::record::{EventRecord, OrderRecord, StepRecord};
use super::runs::FORMAT;
use super::*;
use crate::plan::{Kind, Plan, Policy, Step, StepIx, Timestamp};
use crate::run::{Actor, Order};
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

mod listing;
mod mistakes;
mod whole;

pub(super) const TTL: Duration = Duration::from_secs(10);
pub(super) const NOW: Timestamp = Timestamp(1_000_000);

/// A plan of steps one after the other, that do nothing.
pub(super) fn plan_of(ids: &[&str]) -> Plan {
    let step = |(place, id): (usize, &&str)| {
        let need = place.checked_sub(1).map(|need| StepIx(u32::try_from(need).unwrap()));
        Step::new(*id, Kind::Checkpoint, need.into_iter().collect())
    };
    Plan {
        name: "small".into(),
        summary: None,
        owner: None,
        production: false,
        steps: ids.iter().enumerate().map(step).collect(),
        pools: Vec::new(),
        guards: Vec::new(),
        targets: Vec::new(),
        secrets: Vec::new(),
        people: Vec::new(),
        policy: Policy::default(),
    }
}

pub(super) fn new_run() -> NewRun {
    NewRun {
        plan: "small".into(),
        sources: vec![Source { name: "small.yaml".into(), text: "switchover: v1\n".into() }],
        params: serde_json::Map::new(),
        wiring: None,
        only_prepare: false,
        world_lock: false,
        created: NOW,
        by: "ana".into(),
        tool: "0.1.0".into(),
    }
}

pub(super) fn entries(count: usize) -> Vec<Entry> {
    let entry =
        |n| Entry { at: Timestamp(n as u64), body: EventRecord::RunResumed { owner: format!("h/{n}") } };
    (0..count).map(entry).collect()
}

pub(super) fn other(pid: u32) -> Owner {
    Owner { host: "elsewhere".into(), pid, birth: String::new() }
}

/// A store with one run, held.
pub(super) fn held() -> (TempDir, SqliteStore, Lease) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let run = store.create(new_run()).unwrap();
    let lease = store.acquire(&run.id, &other(1), TTL, NOW).unwrap();
    (directory, store, lease)
}

fn raw(directory: &Path) -> Connection {
    Connection::open(directory.join("switchover.db")).unwrap()
}

#[test]
fn a_run_is_pinned_and_found_again() {
    let (directory, store, lease) = held();
    assert!(matches!(find(&store, "latest"), Err(StoreError::NoRuns)), "nothing has begun");
    store.append(&lease, Seq(0), &entries(1)).unwrap();
    let run = store.run(&lease.run).unwrap();
    assert_eq!((run.plan.as_str(), run.by.as_str(), run.created), ("small", "ana", NOW));
    assert!(run.digest.starts_with("sha256:") && run.params_digest.starts_with("sha256:"));
    let reader = SqliteStore::open_to_read(directory.path()).unwrap();
    assert_eq!(reader.run(&run.id).unwrap(), run);
    assert_eq!(find(&reader, "latest").unwrap(), run.id);
    assert_eq!(find(&reader, &run.id.0[..12].to_lowercase()).unwrap(), run.id);
    assert!(matches!(find(&reader, "nope"), Err(StoreError::NoSuchRun(_))));
    assert!(matches!(find(&reader, ""), Err(StoreError::NoSuchRun(_))));
    let second = store.create(new_run()).unwrap().id;
    let second = store.acquire(&second, &other(2), TTL, NOW).unwrap();
    store.append(&second, Seq(0), &entries(1)).unwrap();
    assert!(matches!(find(&store, &run.id.0[..2]), Err(StoreError::Ambiguous { .. })));
    assert_eq!(store.runs(NOW).unwrap().len(), 2);
    let params = [("size".to_owned(), 2.into())].into_iter().collect();
    let other = store.create(NewRun { params, ..new_run() }).unwrap();
    assert!(other.digest == run.digest && other.params_digest != run.params_digest);
    // A run without a witness is a run.
    std::fs::remove_dir_all(directory.path().join("heads")).unwrap();
    let mut newest_first = [second.run, run.id];
    newest_first.sort_by(|one, other| other.cmp(one));
    assert_eq!(store.ids().unwrap(), newest_first);
}

#[test]
fn a_call_that_was_announced_is_open_until_its_outcome_is_recorded() {
    let (_directory, store, lease) = held();
    let fact = |step: &str, fact| Entry { at: NOW, body: EventRecord::Step { step: step.into(), fact } };
    let applying = |step, by| fact(step, StepRecord::Applying { stage: 1, by });
    let mut seq = Seq(0);
    let mut open = |entry: Entry| {
        seq = store.append(&lease, seq, &[entry]).unwrap();
        open_until(&store, &lease.run).unwrap()
    };
    assert_eq!(open(fact("a", StepRecord::Started)), None);
    assert_eq!(open(applying("a", 50)), Some(Timestamp(50)));
    assert_eq!(open(applying("b", 40)), Some(Timestamp(50)));
    assert_eq!(open(fact("a", StepRecord::WasInDoubt { reason: "lost".into() })), Some(Timestamp(50)));
    assert_eq!(open(fact("a", StepRecord::NotLanded)), Some(Timestamp(40)));
    assert_eq!(open(fact("b", StepRecord::Applied { note: None, until: 90 })), None);
    assert_eq!(open(fact("b", StepRecord::Undoing { by: 70 })), Some(Timestamp(70)));
}

#[test]
fn a_journal_is_read_as_the_plan_understands_it() {
    let (_directory, store, lease) = held();
    store.append(&lease, Seq(0), &entries(2)).unwrap();
    let read = events(&store, &lease.run, &plan_of(&["go"]), Seq(2)).unwrap();
    let resumed = crate::run::Event::RunResumed { owner: "h/1".into() };
    assert_eq!(read, [Recorded { seq: Seq(2), at: Timestamp(1), event: resumed }]);
}

#[test]
fn a_live_run_can_be_read_by_others() {
    let (directory, store, lease) = held();
    let reader = SqliteStore::open_to_read(directory.path()).unwrap();
    assert_eq!(store.append(&lease, Seq(0), &entries(2)).unwrap(), Seq(2));
    assert_eq!(reader.read(&lease.run, Seq(1)).unwrap().len(), 2);
    assert_eq!(store.append(&lease, Seq(2), &entries(1)).unwrap(), Seq(3));
    assert_eq!(reader.read(&lease.run, Seq(3)).unwrap()[0].seq, Seq(3));
    assert_eq!(reader.read(&lease.run, Seq(4)).unwrap(), []);
    assert_eq!(reader.verify(&lease.run).unwrap().events, 3);
    let refused = reader.append(&lease, Seq(3), &entries(1)).unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused}");
}

#[test]
fn whoever_was_replaced_cannot_write() {
    let (directory, first, old) = held();
    let second = SqliteStore::open(directory.path()).unwrap();
    first.append(&old, Seq(0), &entries(1)).unwrap();
    let refused = second.acquire(&old.run, &other(2), TTL, NOW).unwrap_err();
    assert!(matches!(refused, StoreError::Held { .. }) && refused.is_locked(), "{refused}");
    let later = NOW.after(TTL);
    let new = second.acquire(&old.run, &other(2), TTL, later).unwrap();
    assert!(new.taken_over.as_ref().unwrap().contains("elsewhere/1 ran out"), "{new:?}");
    for result in [
        first.append(&old, Seq(1), &entries(1)).map(drop),
        first.renew(&old, TTL, later),
        first.release(&old),
        first.lock(&old, &["x".into()], &[], later).map(drop),
        first.unlock(&old),
    ] {
        assert!(
            matches!(result, Err(StoreError::Fenced { ref by, .. }) if by == "elsewhere/2"),
            "{result:?}"
        );
    }
    assert_eq!(second.append(&new, Seq(1), &entries(1)).unwrap(), Seq(2));
}

#[test]
fn a_hundred_takeovers_fence_a_hundred_writers() {
    let (directory, store, mut lease) = held();
    let other_connection = SqliteStore::open(directory.path()).unwrap();
    let mut seq = Seq(0);
    for round in 1..=100u64 {
        let now = NOW.after(TTL * u32::try_from(round).unwrap());
        let new = other_connection.acquire(&lease.run, &other(2), TTL, now).unwrap();
        assert!(store.append(&lease, seq, &entries(1)).is_err());
        seq = other_connection.append(&new, seq, &entries(1)).unwrap();
        lease = new;
    }
    assert_eq!(seq, Seq(100));
    store.verify(&lease.run).unwrap();
}

#[test]
fn a_renewed_lease_holds_and_a_released_one_is_free() {
    let (_directory, store, lease) = held();
    let later = NOW.after(TTL);
    store.renew(&lease, TTL, later).unwrap();
    assert!(store.acquire(&lease.run, &other(2), TTL, later).is_err());
    let holder = store.holder(&lease.run, later).unwrap().unwrap();
    assert_eq!((holder.to_string().as_str(), holder.gone), ("elsewhere/1 since 1970-01-01T00:16:40Z", false));
    store.release(&lease).unwrap();
    assert_eq!(store.holder(&lease.run, later).unwrap(), None);
    let next = store.acquire(&lease.run, &other(2), TTL, later).unwrap();
    assert_eq!((next.epoch, next.taken_over), (Epoch(2), None));
}

#[test]
fn a_killed_holder_is_replaced_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let run = store.create(new_run()).unwrap().id;
    // As a process that lives, then dies and is not buried yet: a zombie.
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let owner = Owner::of(child.id());
    // Where the system does not tell when a process began, its id must do.
    let of_unknown_birth = Owner { birth: String::new(), ..owner.clone() };
    assert!(!owner.is_gone() && !of_unknown_birth.is_gone());
    store.acquire(&run, &owner, TTL, NOW).unwrap();
    assert!(store.acquire(&run, &other(2), TTL, NOW).is_err());
    child.kill().unwrap();
    let is_gone = || {
        std::thread::sleep(Duration::from_millis(1));
        owner.is_gone()
    };
    assert!((0..10_000).any(|_| is_gone()), "nobody sees that it died");
    let lease = store.acquire(&run, &other(2), TTL, NOW).unwrap();
    assert!(lease.taken_over.unwrap().contains("is gone"));
    child.wait().unwrap();
    assert!(owner.is_gone() && of_unknown_birth.is_gone());
    // Another process has its id now.
    let reborn = Owner { birth: Owner::this_process().birth + "1", ..Owner::this_process() };
    assert!(reborn.is_gone());
    // Of another boot nobody here knows anything.
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let elsewhere = Owner { birth: owner.birth.replacen(boot.trim(), "another", 1), ..owner.clone() };
    assert!(elsewhere != owner && !elsewhere.is_gone());
    assert!(!Owner::this_process().is_gone());
}

#[test]
fn the_expected_place_must_be_the_last() {
    let (_directory, store, lease) = held();
    store.append(&lease, Seq(0), &entries(2)).unwrap();
    for wrong in [0, 1, 3] {
        let refused = store.append(&lease, Seq(wrong), &entries(1)).unwrap_err();
        assert!(matches!(refused, StoreError::Conflict { found: Seq(2), .. }), "{refused}");
        assert!(!refused.is_locked());
        assert!(refused.to_string().ends_with(&format!("holds 2 events, not {wrong}")), "{refused}");
    }
    assert_eq!(store.read(&lease.run, Seq(1)).unwrap().len(), 2);
}

#[test]
fn damage_to_any_stored_field_is_found_where_it_is() {
    let damages = [
        ("UPDATE events SET body = replace(body, 'h/', 'j/') WHERE seq = 3", 3),
        ("UPDATE events SET at = at + 1 WHERE seq = 3", 3),
        ("UPDATE events SET epoch = epoch + 1 WHERE seq = 3", 3),
        ("UPDATE events SET hash = zeroblob(32) WHERE seq = 3", 3),
        ("DELETE FROM events WHERE seq = 3", 3),
        ("DELETE FROM events WHERE seq = 1", 1),
        ("DELETE FROM events WHERE seq >= 3", 3),
        ("DELETE FROM events", 1),
        ("UPDATE events SET seq = 9 WHERE seq = 5", 5),
        ("UPDATE runs SET pinned = replace(pinned, 'v1', 'v2')", 1),
        ("UPDATE runs SET head_hash = zeroblob(32)", 5),
    ];
    for (damage, place) in damages {
        let (directory, store, lease) = held();
        store.append(&lease, Seq(0), &entries(5)).unwrap();
        assert!(raw(directory.path()).execute(damage, []).unwrap() > 0, "{damage}");
        match store.verify(&lease.run).unwrap_err() {
            StoreError::Broken { seq, .. } => assert_eq!(seq, Seq(place), "{damage}"),
            error => panic!("{damage}: {error}"),
        }
    }
}

#[test]
fn a_flipped_bit_in_the_file_never_changes_a_journal() {
    let (directory, store, lease) = held();
    store.append(&lease, Seq(0), &entries(20)).unwrap();
    let sound = store.read(&lease.run, Seq(1)).unwrap();
    let run = lease.run.clone();
    drop(store);
    let file = directory.path().join("switchover.db");
    let bytes = std::fs::read(&file).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for place in (0..bytes.len()).step_by(97) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        std::fs::write(copy.path().join("switchover.db"), damaged).unwrap();
        let read = SqliteStore::open_to_read(copy.path()).and_then(|store| store.read(&run, Seq(1)));
        match read {
            Ok(events) => assert_eq!(events, sound, "byte {place}"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn a_truncated_file_is_an_error_or_sound() {
    let (directory, store, lease) = held();
    store.append(&lease, Seq(0), &entries(20)).unwrap();
    let (run, sound) = (lease.run.clone(), store.read(&lease.run, Seq(1)).unwrap());
    drop(store);
    let bytes = std::fs::read(directory.path().join("switchover.db")).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for length in (0..bytes.len()).step_by(509) {
        std::fs::write(copy.path().join("switchover.db"), &bytes[..length]).unwrap();
        if let Ok(store) = SqliteStore::open_to_read(copy.path())
            && let Ok(events) = store.read(&run, Seq(1))
        {
            assert_eq!(events, sound, "{length} bytes");
        }
    }
}

#[test]
fn newer_formats_are_refused_with_a_clear_sentence() {
    let (directory, store, lease) = held();
    store.append(&lease, Seq(0), &entries(1)).unwrap();
    raw(directory.path()).execute("UPDATE runs SET format = format + 1", []).unwrap();
    let error = store.append(&lease, Seq(1), &entries(1)).unwrap_err();
    let says = format!("was written by a newer switchover (format {}; this one knows {FORMAT}", FORMAT + 1);
    assert!(error.to_string().contains(&says), "{error}");
    assert!(store.run(&lease.run).is_err() && store.read(&lease.run, Seq(1)).is_err());
    drop(store);
    raw(directory.path()).pragma_update(None, "user_version", 7).unwrap();
    for opened in [SqliteStore::open(directory.path()), SqliteStore::open_to_read(directory.path())] {
        let error = opened.unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 7, known: 1, .. }), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_run_without_a_format_is_damaged() {
    let (directory, store, lease) = held();
    store.append(&lease, Seq(0), &entries(1)).unwrap();
    raw(directory.path()).execute("UPDATE runs SET format = 0", []).unwrap();
    for failed in [
        store.run(&lease.run).map(drop),
        store.read(&lease.run, Seq(1)).map(drop),
        store.append(&lease, Seq(1), &entries(1)).map(drop),
    ] {
        assert!(matches!(failed, Err(StoreError::Broken { .. })), "{failed:?}");
    }
}

#[test]
fn a_run_of_an_older_format_than_it_began_in_is_damaged() {
    let (directory, store, lease) = held();
    store.append(&lease, Seq(0), &entries(1)).unwrap();
    for older in 1..FORMAT {
        raw(directory.path()).execute("UPDATE runs SET format = ?", [older]).unwrap();
        let says = format!("it began in format {FORMAT}, and is said to be of {older}");
        for damaged in [store.run(&lease.run).map(drop), store.read(&lease.run, Seq(1)).map(drop)] {
            let damaged = damaged.unwrap_err();
            assert!(damaged.hint().is_some() && damaged.to_string().contains(&says), "{damaged}");
        }
    }
}

#[test]
fn what_is_not_a_state_file_is_said_to_be_damaged() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("switchover.db"), "hello, this is not a database, sorry").unwrap();
    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    for theirs in ["PRAGMA user_version = 1", "CREATE TABLE x (y)"] {
        let directory = tempfile::tempdir().unwrap();
        raw(directory.path()).execute_batch(theirs).unwrap();
        let error = SqliteStore::open(directory.path()).unwrap_err();
        assert!(error.to_string().contains("another program"), "{theirs}: {error}");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_said_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = SqliteStore::open(&file.join("state")).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    let error = SqliteStore::open_to_read(&directory.path().join("nothing")).unwrap_err();
    assert!(matches!(error, StoreError::Absent { .. }), "{error:?}");
}

#[test]
fn what_is_written_where_nobody_finds_it_is_not_taken_for_written() {
    for name in ["switchover.db", "switchover.db-wal"] {
        let (directory, store, lease) = held();
        store.append(&lease, Seq(0), &entries(1)).unwrap();
        std::fs::remove_file(directory.path().join(name)).unwrap();
        let error = store.append(&lease, Seq(1), &entries(1)).unwrap_err();
        assert!(matches!(error, StoreError::Vanished { .. }), "{name}: {error}");
    }
}

#[test]
fn a_state_file_that_is_gone_is_not_begun_anew() {
    let (directory, store, lease) = held();
    store.append(&lease, Seq(0), &entries(1)).unwrap();
    drop(store);
    for name in ["switchover.db", "switchover.db-wal", "switchover.db-shm"] {
        let _ = std::fs::remove_file(directory.path().join(name));
    }
    for opened in [SqliteStore::open(directory.path()), SqliteStore::open_to_read(directory.path())] {
        let error = opened.unwrap_err();
        assert!(error.to_string().ends_with("it is gone, and had the journals of 1 runs"), "{error}");
    }
}

#[test]
fn a_state_directory_is_made_where_there_is_none_and_is_ours_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("deep/state");
    SqliteStore::open(&state).unwrap();
    assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn whoever_makes_the_state_file_at_the_same_time_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let first = raw(directory.path());
    first.execute_batch("BEGIN EXCLUSIVE").unwrap();
    std::thread::scope(|scope| {
        let second = scope.spawn(|| SqliteStore::open(directory.path()));
        std::thread::sleep(Duration::from_millis(100));
        first.execute_batch("COMMIT").unwrap();
        assert!(second.join().unwrap().is_ok());
    });
}

#[test]
fn without_room_nothing_is_half_written_and_the_reserve_lets_the_run_stop() {
    let (directory, store, lease) = held();
    let mut seq = store.append(&lease, Seq(0), &entries(10)).unwrap();
    store.limit_pages();
    let full = loop {
        match store.append(&lease, seq, &entries(50)) {
            Ok(last) => seq = last,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::Full { .. }), "{full:?}");
    assert!(full.hint().unwrap().contains("resume"));
    // It was given up, and did not help here, where the limit is another.
    assert!(store.is_out_of_room());
    let reserve = directory.path().join("reserve");
    assert!(!reserve.exists());
    assert_eq!(store.verify(&lease.run).unwrap().events, seq.0);
    drop(store);
    // A part of it is not enough.
    std::fs::write(&reserve, "half").unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let lease = store.acquire(&lease.run, &other(2), TTL, NOW.after(TTL)).unwrap();
    assert!(!store.is_out_of_room());
    assert_eq!(std::fs::metadata(&reserve).unwrap().len(), 4 << 20);
    assert_eq!(store.append(&lease, seq, &entries(50)).unwrap(), Seq(seq.0 + 50));
}

#[test]
fn orders_are_numbered_and_heard() {
    let (directory, store, lease) = held();
    let terminal = SqliteStore::open(directory.path()).unwrap();
    let plan = plan_of(&["go"]);
    let bo = Actor { name: "bo".into(), automatic: false };
    let before = store.orders_mark().unwrap();
    assert_eq!(store.orders_mark().unwrap(), before);
    let approve = Order::Approve { step: StepIx(0) };
    assert_eq!(give_order(&terminal, &lease.run, &plan, &bo, &approve, NOW).unwrap(), 1);
    let heard = store.orders_mark().unwrap();
    assert!(heard > before);
    assert_eq!(give_order(&store, &lease.run, &plan, &bo, &Order::Continue, NOW).unwrap(), 2);
    assert!(store.orders_mark().unwrap() > heard);
    let orders = orders_after(&store, &lease.run, &plan, 0).unwrap();
    assert_eq!(orders, [(1, bo.clone(), approve), (2, bo.clone(), Order::Continue)]);
    assert_eq!(orders_after(&store, &lease.run, &plan, 1).unwrap().len(), 1);
    // What the plan does not have is kept, and names no step.
    let odd = OrderRecord::Approve { step: "nope".into() };
    store.order(&lease.run, &bo, &odd, NOW).unwrap();
    let orders = orders_after(&store, &lease.run, &plan, 2).unwrap();
    assert_eq!(orders[0].2, Order::Approve { step: StepIx(u32::MAX) });
    let nobody = RunId("NONE".into());
    assert!(matches!(store.order(&nobody, &bo, &odd, NOW), Err(StoreError::NoSuchRun(_))));
}

/// As a run does it that need not wait for anything.
fn lock(
    store: &dyn Store,
    lease: &Lease,
    resources: &[String],
    now: Timestamp,
) -> Result<Vec<Takeover>, StoreError> {
    let barred = store.bar(lease, resources, now)?;
    Ok(store.lock(lease, resources, &barred, now)?.expect("nobody has run it since"))
}

/// Who waits for what another run announced waits for what was there then: what is announced meanwhile is waited for, too.
#[test]
fn a_run_that_was_run_again_must_be_barred_again() {
    let (_directory, store, first) = held();
    let resources: Vec<String> = vec!["ecs:prod/other".into(), "dns:zone/app".into()];
    assert_eq!(lock(&store, &first, &resources[1..], NOW).unwrap(), []);
    let later = NOW.after(TTL);
    let run = store.create(new_run()).unwrap().id;
    let second = store.acquire(&run, &other(2), TTL, later).unwrap();
    assert_eq!(store.lock(&second, &resources, &[], later).unwrap(), None, "nobody has waited for anything");
    let barred = store.bar(&second, &resources, later).unwrap();
    let again = store.acquire(&first.run, &other(3), TTL, later).unwrap();
    assert!(store.lock(&second, &resources, &barred, later).unwrap_err().is_locked());
    store.append(&again, Seq(0), &entries(1)).unwrap();
    store.release(&again).unwrap();
    assert_eq!(store.lock(&second, &resources, &barred, later).unwrap(), None);
    // Of what was refused nothing was done: the other name is free, too.
    let third = store.create(new_run()).unwrap().id;
    let third = store.acquire(&third, &other(4), TTL, later).unwrap();
    assert_eq!(lock(&store, &third, &resources[..1], later).unwrap(), []);
    store.unlock(&third).unwrap();
    let taken = lock(&store, &second, &resources, later).unwrap();
    assert_eq!(taken.into_iter().map(|taken| taken.run).collect::<Vec<_>>(), [first.run]);
}

#[test]
fn what_two_runs_write_is_locked() {
    let (_directory, store, first) = held();
    let resources: Vec<String> = vec!["dns:zone/app".into(), "ecs:prod/api".into()];
    assert_eq!(lock(&store, &first, &resources, NOW).unwrap(), []);
    assert_eq!(lock(&store, &first, &resources, NOW).unwrap(), []);
    let run = store.create(new_run()).unwrap().id;
    let second = store.acquire(&run, &other(2), TTL, NOW).unwrap();
    let wanted = vec!["ecs:prod/other".to_owned(), "ecs:prod/api".into()];
    let refused = lock(&store, &second, &wanted, NOW).unwrap_err();
    let text = refused.to_string();
    assert!(refused.is_locked() && text.contains("ecs:prod/api is locked by run"), "{text}");
    assert!(text.contains(&*first.run.0) && text.contains("elsewhere/1 since 1970"), "{text}");
    // All or nothing.
    let third = store.create(new_run()).unwrap().id;
    let third = store.acquire(&third, &other(3), TTL, NOW).unwrap();
    assert_eq!(lock(&store, &third, &wanted[..1], NOW).unwrap(), []);
    store.unlock(&third).unwrap();
    // A holder that is gone has nothing locked any more, and the reason is kept.
    let later = NOW.after(TTL);
    store.renew(&second, TTL, later).unwrap();
    let takeovers = lock(&store, &second, &wanted, later).unwrap();
    assert_eq!(takeovers.len(), 1);
    assert!(takeovers[0].reason.contains("the lease of elsewhere/1 ran out"), "{takeovers:?}");
    // It was only silent, and wakes: it is as replaced as if its own run had been taken over.
    assert!(matches!(store.renew(&first, TTL, later), Err(StoreError::Fenced { .. })));
    assert!(matches!(store.append(&first, Seq(0), &entries(1)), Err(StoreError::Fenced { .. })));
    store.unlock(&second).unwrap();
    let again = store.acquire(&first.run, &other(1), TTL, later).unwrap();
    assert_eq!(lock(&store, &again, &resources, later).unwrap(), []);
}

#[test]
fn two_processes_may_open_a_new_directory_at_once() {
    let directory = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = SqliteStore::open(directory.path()).unwrap();
                let run = store.create(new_run()).unwrap().id;
                let lease = store.acquire(&run, &other(1), TTL, NOW).unwrap();
                store.append(&lease, Seq(0), &entries(1)).unwrap();
            });
        }
    });
    assert_eq!(SqliteStore::open(directory.path()).unwrap().ids().unwrap().len(), 8);
}

#[test]
fn faults_are_read() {
    let faults = Faults::parse("kill-before-append=3, kill-after-append=9").unwrap();
    assert_eq!(faults.kill_before_append, Some(Seq(3)));
    assert_eq!(faults.kill_after_append, Some(Seq(9)));
    assert_eq!(Faults::parse("stop-before-append=5").unwrap().stop_before_append, Some(Seq(5)));
    assert_eq!(Faults::parse("stop-after-append=4").unwrap().stop_after_append, Some(Seq(4)));
    assert!(Faults::parse("explode=1").is_err());
    assert!(Faults::parse("kill-after-append=x").is_err());
}
