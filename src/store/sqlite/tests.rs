//! What errors of the database and the disk mean, and what is read again when nobody knows what became of a commit.

use super::*;
use crate::store::tests::{NOW, TTL, entries, held, new_run, other};
use rusqlite::ffi;

fn failure(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

/// The name of what an error means.
fn kind(error: &StoreError) -> String {
    format!("{error:?}").split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn what_was_written_is_known_again() {
    let (_directory, store, lease) = held();
    let all = entries(3);
    store.append(&lease, Seq(0), &all).unwrap();
    let is_written = |lease: &Lease, after, entries: &[Entry]| {
        store.reading(|tx| journal::is_written(tx, lease, Seq(after), entries)).unwrap()
    };
    assert!(is_written(&lease, 0, &all) && is_written(&lease, 1, &all[1..]) && is_written(&lease, 3, &[]));
    assert!(!is_written(&lease, 0, &all[..2]), "more is there");
    assert!(!is_written(&lease, 2, &all[1..]), "less is there");
    assert!(!is_written(&lease, 1, &all[..2]), "something else is there");
    let other = Lease { epoch: crate::store::Epoch(lease.epoch.0 + 1), ..lease };
    assert!(!is_written(&other, 0, &all), "somebody else wrote it");
}

#[test]
fn an_error_is_said_to_be_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("switchover.db");
    for (code, meaning) in [
        (ffi::SQLITE_FULL, "Full"),
        (ffi::SQLITE_IOERR, "Failing"),
        (ffi::SQLITE_READONLY, "ReadOnly"),
        (ffi::SQLITE_CANTOPEN, "ReadOnly"),
        (ffi::SQLITE_CORRUPT, "Damaged"),
        (ffi::SQLITE_NOTADB, "Damaged"),
        (ffi::SQLITE_ERROR, "Damaged"),
        (ffi::SQLITE_BUSY, "Busy"),
        (ffi::SQLITE_LOCKED, "Busy"),
        (ffi::SQLITE_NOMEM, "Failed"),
    ] {
        assert_eq!(kind(&explain(&path, &failure(code))), meaning, "{code}");
    }
    // A small file system that is full says that it fails. `/proc` has no room at all.
    assert_eq!(kind(&explain(Path::new("/proc/full"), &failure(ffi::SQLITE_IOERR))), "Full");
}

#[test]
fn a_commit_that_failed_is_in_doubt_unless_it_cannot_have_happened() {
    let path = Path::new("/proc/full");
    let run = RunId("r".into());
    for (code, meaning) in [
        (ffi::SQLITE_BUSY, "Busy"),
        (ffi::SQLITE_READONLY, "ReadOnly"),
        (ffi::SQLITE_FULL, "Full"),
        (ffi::SQLITE_IOERR, "Unknown"),
        (ffi::SQLITE_CORRUPT, "Unknown"),
    ] {
        assert_eq!(kind(&explain_commit(path, &run, &failure(code))), meaning, "{code}");
    }
}

#[test]
fn what_the_system_says_of_a_file_is_told_apart() {
    for (code, meaning) in [
        (rustix::io::Errno::NOSPC, "Full"),
        (rustix::io::Errno::DQUOT, "Full"),
        (rustix::io::Errno::ROFS, "ReadOnly"),
        (rustix::io::Errno::ACCESS, "ReadOnly"),
        (rustix::io::Errno::MFILE, "Failed"),
        (rustix::io::Errno::NFILE, "Failed"),
        (rustix::io::Errno::IO, "Failing"),
    ] {
        assert_eq!(kind(&explain_io(Path::new("x"), &io::Error::from(code))), meaning, "{code:?}");
    }
}

/// Whoever has two things at once is barred once, and told once.
#[test]
fn a_run_that_has_several_of_the_names_is_barred_once() {
    let (_directory, store, first) = held();
    let names: Vec<String> = vec!["dns:zone/app".into(), "ecs:prod/api".into()];
    assert_eq!(store.lock(&first, &names, &[], NOW).unwrap(), Some(Vec::new()));
    let later = NOW.after(TTL);
    let run = store.create(new_run()).unwrap().id;
    let second = store.acquire(&run, &other(2), TTL, later).unwrap();
    let barred = store.bar(&second, &names, later).unwrap();
    assert_eq!(barred.iter().map(|one| &one.run).collect::<Vec<_>>(), [&first.run]);
}
