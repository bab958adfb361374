//! The store of one machine: `SQLite`, linked in, with write-ahead log and a sync at every commit.
//!
//! Many may read while one writes. The epoch of a lease is checked in the transaction of the append, so a holder that
//! was replaced cannot write, however late it wakes.

mod journal;
mod leases;
mod listing;
mod open;
mod orders;
mod place;
mod reserve;
mod whole;
mod witness;

use super::{
    Barred, Entry, Exported, Faults, Holder, Lease, NewRun, OrderEntry, Owner, RunId, RunRecord, Seq, Store,
    StoreError, Stored, Takeover, Told, record::OrderRecord,
};
use crate::mutant::{Mistake, on};
use crate::plan::Timestamp;
use crate::run::Actor;
use place::Place;
use reserve::Reserve;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;
use witness::Witnesses;

/// The store of one machine, in a directory.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    connection: Mutex<Connection>,
    /// Of a store that is written.
    reserve: Option<Reserve>,
    place: Option<Place>,
    witnesses: Witnesses,
    faults: Faults,
    /// Orders that came by this connection: the database tells only of others'.
    own_orders: AtomicU64,
}

/// A statement failed, or what it found is not right.
enum Failed {
    Sql(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl SqliteStore {
    /// Opens the store of a directory, creating both where they are not there.
    ///
    /// # Errors
    /// The directory cannot be written, is full, or holds a file that is damaged or newer than this version.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let (path, connection) = open::for_writing(directory)?;
        let (reserve, place) = (Reserve::in_directory(directory), Place::of(&path)?);
        let store = Self::over(path, connection, directory);
        Ok(Self { reserve: Some(reserve), place: Some(place), ..store })
    }

    /// Opens the store of a directory for looking only: also while a run is under way, and without the right to write.
    ///
    /// # Errors
    /// There is none, or it holds a file that is damaged or newer than this version.
    pub fn open_to_read(directory: &Path) -> Result<Self, StoreError> {
        let (path, connection) = open::for_reading(directory)?;
        Ok(Self::over(path, connection, directory))
    }

    fn over(path: PathBuf, connection: Connection, directory: &Path) -> Self {
        Self {
            path,
            connection: Mutex::new(connection),
            reserve: None,
            place: None,
            witnesses: Witnesses::in_directory(directory),
            faults: Faults::default(),
            own_orders: AtomicU64::new(0),
        }
    }

    /// Dies on purpose at these points, in runs of a sandbox.
    #[must_use]
    pub fn with_faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// As if the disk were full from here on.
    #[cfg(test)]
    pub(super) fn limit_pages(&self) {
        let connection = self.connection();
        let pages: u32 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        connection.pragma_update(None, "max_page_count", pages + 4).unwrap();
    }

    /// The events of a run as far as its chain holds, and why no further.
    ///
    /// # Errors
    /// The run cannot be read at all.
    pub fn sound(&self, run: &RunId) -> Result<(Vec<Stored>, Option<StoreError>), StoreError> {
        // First, because the journal may grow meanwhile.
        let witness = self.witnesses.of(run);
        let mut events = Vec::new();
        let walked = self.reading(|tx| journal::walk(tx, run, Seq(1), witness.as_ref(), &mut events));
        match walked.map_err(|error| self.unless_lost(run, error)) {
            Ok(()) => Ok((events, None)),
            Err(broken @ StoreError::Broken { .. }) => Ok((events, Some(broken))),
            Err(error) => Err(error),
        }
    }

    /// All that is stored of a run, as it is at one moment.
    ///
    /// # Errors
    /// It cannot be read, or its chain is broken.
    pub fn export(&self, run: &RunId) -> Result<Exported, StoreError> {
        let witness = self.witnesses.of(run);
        let found = self.reading(|tx| whole::export(tx, run, witness.as_ref()));
        found.map_err(|error| self.unless_lost(run, error))
    }

    /// Takes in a run of another store. One that is not over must be meant (`unfinished`): that store knows nothing of
    /// who takes it up here, and nobody is kept from taking it up there.
    ///
    /// # Errors
    /// There is a run of this name, it is not over, or it cannot be written.
    pub fn import(&self, run: &Exported, unfinished: bool) -> Result<(), StoreError> {
        let hash = self.writing(run.id(), |tx| whole::import(tx, run, unfinished))?;
        self.witnesses.saw(run.id(), run.events.len() as u64, &hash);
        Ok(())
    }

    /// Removes a run that is over, with all that is stored of it. Its room is used again; [`SqliteStore::compact`] gives
    /// it back.
    ///
    /// # Errors
    /// It is not over, is under way, or cannot be read: then it is left as it is.
    pub fn remove(&self, run: &RunId, now: Timestamp) -> Result<(), StoreError> {
        let witness = self.witnesses.of(run);
        self.writing(run, |tx| {
            whole::remove(tx, run, witness.as_ref(), now)?;
            // Before the commit: a run without a witness is a run, and a witness without a run is a loss.
            self.witnesses.forget(run);
            Ok(())
        })
    }

    /// Gives room that nothing uses back to the disk. Others wait meanwhile: not while a run is under way.
    ///
    /// # Errors
    /// There is no room to write it anew, or others use it.
    pub fn compact(&self) -> Result<(), StoreError> {
        let connection = self.connection();
        connection
            .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
            .map_err(|error| self.explain(&error))
    }

    /// The database.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // Whoever panicked while holding it has left no transaction behind: dropping one rolls it back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reading<T>(&self, look: impl FnOnce(&Transaction<'_>) -> Result<T, Failed>) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction().map_err(|error| self.explain(&error))?;
        look(&transaction).map_err(|failed| self.failed(failed))
    }

    /// Everything that `change` writes, or nothing. If the commit itself fails, nobody knows.
    fn writing<T>(
        &self,
        run: &RunId,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Failed>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| self.explain(&error))?;
        let value = change(&transaction).map_err(|failed| self.failed(failed))?;
        transaction.commit().map_err(|error| explain_commit(&self.path, run, &error))?;
        if let Some(place) = &self.place {
            place.check()?;
        }
        Ok(value)
    }

    /// A run that is not there, and was.
    fn unless_lost(&self, run: &RunId, error: StoreError) -> StoreError {
        match error {
            StoreError::NoSuchRun(_) => self.is_lost(run).unwrap_or(error),
            _ => error,
        }
    }

    /// What there is to say of a run that had events and has none.
    fn is_lost(&self, run: &RunId) -> Option<StoreError> {
        let seq = self.witnesses.of(run)?.seq;
        let reason = format!("the whole run is missing, and once had {seq} events");
        Some(StoreError::Broken { run: run.clone(), seq: Seq(1), reason })
    }

    /// Of these runs, those that are not there.
    fn lost(
        &self,
        witnessed: Vec<RunId>,
        there: &HashSet<RunId>,
    ) -> impl Iterator<Item = (RunId, StoreError)> {
        let gone = witnessed.into_iter().filter(|run| !there.contains(run));
        gone.filter_map(|run| self.is_lost(&run).map(|lost| (run, lost)))
    }

    /// Again, with the room that was set aside, where there is no other.
    fn with_the_reserve<T>(&self, attempt: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
        match attempt() {
            Err(StoreError::Full { .. }) if self.give_up_the_reserve() => attempt(),
            told => told,
        }
    }

    fn give_up_the_reserve(&self) -> bool {
        self.reserve.as_ref().is_some_and(Reserve::free)
    }

    fn failed(&self, failed: Failed) -> StoreError {
        match failed {
            Failed::Sql(error) => self.explain(&error),
            Failed::Store(error) => error,
        }
    }

    fn explain(&self, error: &rusqlite::Error) -> StoreError {
        explain(&self.path, error)
    }
}

/// What an error of the database means to people.
fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { path, reason },
        // A small file system that is full answers so too.
        Some(ErrorCode::SystemIoFailure) if !place::has_room(&path) => StoreError::Full { path, reason },
        Some(ErrorCode::SystemIoFailure) => StoreError::Failing { path, reason },
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            StoreError::ReadOnly { path, reason }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged { path, reason },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path },
        // Every statement here is sound, so the file is not what it was made for.
        Some(ErrorCode::Unknown) => StoreError::Damaged { path, reason },
        Some(_) => StoreError::Failed { path, reason },
        // Not the database's: what it holds is not what is ever put there.
        None => StoreError::Damaged { path, reason },
    }
}

/// What a commit that failed means to people.
fn explain_commit(path: &Path, run: &RunId, error: &rusqlite::Error) -> StoreError {
    match (error.sqlite_error_code(), explain(path, error)) {
        (_, explained @ (StoreError::Busy { .. } | StoreError::ReadOnly { .. })) => explained,
        // Found out by a write: what makes it a commit is written last, and was not.
        (Some(ErrorCode::DiskFull), explained) => explained,
        _ => StoreError::Unknown { run: run.clone(), reason: error.to_string() },
    }
}

/// This process, or the machine, has too many files open: no fault of the disk.
const OUT_OF_HANDLES: [i32; 2] =
    [rustix::io::Errno::MFILE.raw_os_error(), rustix::io::Errno::NFILE.raw_os_error()];

/// What an error of the file system means to people.
fn explain_io(path: &Path, error: &io::Error) -> StoreError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { path, reason },
        io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::AlreadyExists => StoreError::ReadOnly { path, reason },
        _ if error.raw_os_error().is_some_and(|code| OUT_OF_HANDLES.contains(&code)) => {
            StoreError::Failed { path, reason }
        }
        _ => StoreError::Failing { path, reason },
    }
}

impl Store for SqliteStore {
    fn create(&self, run: NewRun) -> Result<RunRecord, StoreError> {
        let record = RunRecord::create(run);
        let pinned = record
            .pinned()
            .map_err(|error| StoreError::Failed { path: self.path.clone(), reason: error.to_string() })?;
        self.writing(&record.id, |tx| journal::create(tx, &record, &pinned))?;
        Ok(record)
    }

    fn run(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        let found = self.reading(|tx| journal::run(tx, run));
        found.map_err(|error| self.unless_lost(run, error))
    }

    fn runs(&self, now: Timestamp) -> Result<Vec<Told>, StoreError> {
        // One that is lost is not forgotten. First, because others may begin meanwhile.
        let witnessed = self.witnesses.runs();
        let mut told = self.reading(|tx| listing::all(tx, now, |failed| self.failed(failed)))?;
        let id = |told: &Told| match told {
            Ok(listed) => listed.id.clone(),
            Err(damaged) => damaged.0.clone(),
        };
        let there: HashSet<RunId> = told.iter().map(id).collect();
        told.extend(self.lost(witnessed, &there).map(|lost| Err(Box::new(lost))));
        told.sort_by_key(|told| std::cmp::Reverse(id(told)));
        Ok(told)
    }

    fn ids(&self) -> Result<Vec<RunId>, StoreError> {
        // One that is lost is not forgotten. First, because others may begin meanwhile.
        let witnessed = self.witnesses.runs();
        let mut ids = self.reading(journal::ids)?;
        let there = ids.iter().cloned().collect();
        ids.extend(self.lost(witnessed, &there).map(|(run, _)| run));
        ids.sort_unstable_by(|one, other| other.cmp(one));
        Ok(ids)
    }

    fn holder(&self, run: &RunId, now: Timestamp) -> Result<Option<Holder>, StoreError> {
        self.reading(|tx| leases::holder(tx, run, now))
    }

    fn acquire(
        &self,
        run: &RunId,
        owner: &Owner,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Lease, StoreError> {
        if let Some(reserve) = &self.reserve {
            reserve.set_aside()?;
        }
        self.writing(run, |tx| leases::acquire(tx, run, owner, now, now.after(ttl)))
    }

    fn renew(&self, lease: &Lease, ttl: Duration, now: Timestamp) -> Result<(), StoreError> {
        if let Some(reserve) = &self.reserve {
            reserve.notice_if_gone();
        }
        self.with_the_reserve(|| self.writing(&lease.run, |tx| leases::renew(tx, lease, now.after(ttl))))
    }

    fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.writing(&lease.run, |tx| leases::release(tx, lease))
    }

    fn bar(&self, lease: &Lease, resources: &[String], now: Timestamp) -> Result<Vec<Barred>, StoreError> {
        self.writing(&lease.run, |tx| leases::bar(tx, lease, resources, now))
    }

    fn lock(
        &self,
        lease: &Lease,
        resources: &[String],
        barred: &[Barred],
        now: Timestamp,
    ) -> Result<Option<Vec<Takeover>>, StoreError> {
        self.writing(&lease.run, |tx| leases::lock(tx, lease, resources, barred, now))
    }

    fn unlock(&self, lease: &Lease) -> Result<(), StoreError> {
        self.writing(&lease.run, |tx| leases::unlock(tx, lease))
    }

    fn append(&self, lease: &Lease, after: Seq, entries: &[Entry]) -> Result<Seq, StoreError> {
        let (first, last) = (Seq(after.0 + 1), Seq(after.0 + entries.len() as u64));
        let faults = if lease.sandboxed { self.faults } else { Faults::default() };
        faults.before(first, last);
        let attempt = || self.writing(&lease.run, |tx| journal::append(tx, lease, after, entries));
        let written = attempt().or_else(|error| {
            let worth_another = match &error {
                StoreError::Full { .. } => self.give_up_the_reserve(),
                // Once more, over the same place: what was half written, or not synced, is written whole.
                StoreError::Failing { .. } => true,
                StoreError::Unknown { .. } => place::has_room(&self.path) || self.give_up_the_reserve(),
                _ => return Err(error),
            };
            // Read again before anything else.
            let written = self.reading(|tx| {
                let written = journal::is_written(tx, lease, after, entries)?;
                Ok(if written { Some(journal::head(tx, &lease.run)?.1) } else { None })
            })?;
            match written {
                Some(hash) => Ok(hash),
                None if worth_another => attempt(),
                None => Err(error),
            }
        });
        let hash = match written {
            Err(error) if error.is_of_the_disk() && on(Mistake::DiskErrorSwallowed) => return Ok(last),
            written => written?,
        };
        self.witnesses.saw(&lease.run, last.0, &hash);
        faults.after(first, last);
        Ok(last)
    }

    fn read(&self, run: &RunId, from: Seq) -> Result<Vec<Stored>, StoreError> {
        // First, because the journal may grow meanwhile.
        let witness = self.witnesses.of(run);
        let read = self.reading(|tx| journal::read(tx, run, from, witness.as_ref()));
        read.map_err(|error| self.unless_lost(run, error))
    }

    fn is_out_of_room(&self) -> bool {
        self.reserve.as_ref().is_some_and(Reserve::is_in_use)
    }

    fn order(&self, run: &RunId, by: &Actor, order: &OrderRecord, now: Timestamp) -> Result<u64, StoreError> {
        let id = self.with_the_reserve(|| self.writing(run, |tx| orders::give(tx, run, by, order, now)))?;
        self.own_orders.fetch_add(1, Ordering::Relaxed);
        Ok(id)
    }

    fn orders_after(&self, run: &RunId, id: u64) -> Result<Vec<OrderEntry>, StoreError> {
        self.reading(|tx| orders::after(tx, run, id))
    }

    fn orders_mark(&self) -> Result<u64, StoreError> {
        let version: Option<u64> = self
            .connection()
            .query_row("PRAGMA data_version", [], |row| row.get(0))
            .optional()
            .map_err(|error| self.explain(&error))?;
        // Both only grow.
        Ok(version.unwrap_or_default() + self.own_orders.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
