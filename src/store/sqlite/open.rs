//! Opening the database: the directory, the settings that make a commit durable, the format.

use super::witness::Witnesses;
use super::{explain, explain_io};
use crate::mutant::{Mistake, on};
use crate::store::StoreError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::{fs, io::ErrorKind, time::Duration};

/// The newest format of the database that this version reads and writes.
const FORMAT: u32 = 1;

/// Says whose database it is: `SWOV`.
const APPLICATION: u32 = 0x5357_4f56;

/// How long a writer waits for another. Commits take milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
CREATE TABLE runs (
  id TEXT PRIMARY KEY, format INTEGER NOT NULL, pinned TEXT NOT NULL, sandboxed INTEGER NOT NULL,
  head_seq INTEGER NOT NULL, head_hash BLOB NOT NULL
) STRICT;
CREATE TABLE events (
  run TEXT NOT NULL REFERENCES runs (id), seq INTEGER NOT NULL, epoch INTEGER NOT NULL, at INTEGER NOT NULL,
  body TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE leases (
  run TEXT PRIMARY KEY REFERENCES runs (id), epoch INTEGER NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL,
  birth TEXT NOT NULL, since INTEGER NOT NULL, expires INTEGER NOT NULL, held INTEGER NOT NULL
) STRICT;
CREATE TABLE locks (
  resource TEXT PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id), since INTEGER NOT NULL, taken_over TEXT
) STRICT;
CREATE TABLE orders (
  run TEXT NOT NULL REFERENCES runs (id), id INTEGER NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL,
  automatic INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
";

pub(super) fn for_writing(directory: &Path) -> Result<(PathBuf, Connection), StoreError> {
    make_directory(directory)?;
    let path = directory.join("switchover.db");
    refuse_if_lost(&path, witnessed(directory), !path.exists(), "it is gone")?;
    let connection = Connection::open_with_flags(
        &path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .and_then(|connection| connection.busy_timeout(PATIENCE).map(|()| connection))
    .map_err(|error| explain(&path, &error))?;
    prepare(&path, connection, directory).map(|connection| (path, connection))
}

pub(super) fn for_reading(directory: &Path) -> Result<(PathBuf, Connection), StoreError> {
    let path = directory.join("switchover.db");
    let witnessed = witnessed(directory);
    if !path.exists() {
        refuse_if_lost(&path, witnessed, true, "it is gone")?;
        return Err(StoreError::Absent { path: directory.to_owned() });
    }
    let plain = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = |name: &Path, flags| {
        let connection = Connection::open_with_flags(name, flags)?;
        connection.busy_timeout(PATIENCE)?;
        // The first statement that needs the file.
        connection.query_row("PRAGMA schema_version", [], |row| row.get::<_, i64>(0))?;
        Ok(connection)
    };
    let connection = open(&path, plain).or_else(|error: rusqlite::Error| {
        // Nobody has it open, and we may not create what sharing needs, or have no room for it: then it does not change either.
        // Whoever tried may have left an empty log.
        let alone = fs::metadata(directory.join("switchover.db-wal")).map_or(true, |log| log.len() == 0);
        let as_it_is = PathBuf::from(format!("file:{}?immutable=1", path.display()));
        match explain(&path, &error) {
            StoreError::ReadOnly { .. } | StoreError::Full { .. } if alone => {
                open(&as_it_is, plain | OpenFlags::SQLITE_OPEN_URI)
            }
            _ => Err(error),
        }
    });
    let connection = connection.map_err(|error| explain(&path, &error))?;
    if check_format(&path, &connection)? == 0 {
        refuse_if_lost(&path, witnessed, true, "it is empty")?;
        return Err(StoreError::NoRuns);
    }
    Ok((path, connection))
}

/// How many runs were ever written here: asked before the database is looked at, which others may be writing.
fn witnessed(directory: &Path) -> usize {
    Witnesses::in_directory(directory).runs().len()
}

/// A database that is missing is begun anew; one that was lost is not.
fn refuse_if_lost(path: &Path, witnessed: usize, missing: bool, how: &str) -> Result<(), StoreError> {
    if witnessed == 0 || !missing {
        return Ok(());
    }
    let reason = format!("{how}, and had the journals of {witnessed} runs");
    Err(StoreError::Damaged { path: path.to_owned(), reason })
}

/// Makes the directory where it is not there. Whoever made it may have lost power before its name was on disk.
fn make_directory(directory: &Path) -> Result<(), StoreError> {
    let explain = |error| explain_io(directory, &error);
    let absolute = std::path::absolute(directory).map_err(explain)?;
    let mut names = 1;
    if !directory.is_dir() {
        names = absolute.ancestors().take_while(|folder| !folder.is_dir()).count();
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(directory).map_err(explain)?;
    }
    absolute.ancestors().skip(1).take(names).try_for_each(sync_names)
}

/// The names in a folder survive a power loss from here on.
fn sync_names(folder: &Path) -> Result<(), StoreError> {
    match fs::File::open(folder).and_then(|opened| opened.sync_all()) {
        // Some file systems know no such order; and what may not be read is not ours, and was there before.
        Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::PermissionDenied) => {
            Err(explain_io(folder, &error))
        }
        _ => Ok(()),
    }
}

fn prepare(path: &Path, mut connection: Connection, directory: &Path) -> Result<Connection, StoreError> {
    let sql = |error: rusqlite::Error| explain(path, &error);
    // Another process may be creating it too; this statement does not wait for it by itself.
    let mut tries = 0;
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
            Ok(_) => break,
            Err(error) if tries < 100 && matches!(explain(path, &error), StoreError::Busy { .. }) => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(sql(error)),
        }
    }
    let synced = if on(Mistake::NeverSynced) { "OFF" } else { "FULL" };
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous = {synced}; PRAGMA foreign_keys = ON; PRAGMA fullfsync = ON"
        ))
        .map_err(sql)?;
    if check_format(path, &connection)? == 0 {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        if check_format(path, &transaction)? == 0 {
            refuse_if_lost(path, witnessed(directory), true, "it is empty")?;
            transaction.execute_batch(SCHEMA).map_err(sql)?;
            transaction.pragma_update(None, "application_id", APPLICATION).map_err(sql)?;
            transaction.pragma_update(None, "user_version", FORMAT).map_err(sql)?;
        }
        transaction.commit().map_err(sql)?;
    }
    // Versions that know nothing of it leave it alone: what they write is caught up with.
    connection.execute_batch(super::listing::SCHEMA).map_err(sql)?;
    // The names of the file and its log must survive a power loss as well. Where the folder cannot be opened, the
    // database itself takes no notice.
    sync_names(directory)?;
    Ok(connection)
}

/// The format of the database: 0 if it is empty.
fn check_format(path: &Path, connection: &Connection) -> Result<u32, StoreError> {
    let number = |pragma: &str| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, u32>(0))
            .map_err(|error| explain(path, &error))
    };
    let (format, application) = (number("user_version")?, number("application_id")?);
    let tables: u32 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| explain(path, &error))?;
    if (tables > 0 || format > 0) && application != APPLICATION {
        let reason = "it is a database of another program".into();
        return Err(StoreError::Damaged { path: path.to_owned(), reason });
    }
    if format > FORMAT {
        let what = format!("the state file {}", path.display());
        return Err(StoreError::Newer { what, found: format, known: FORMAT });
    }
    Ok(format)
}
