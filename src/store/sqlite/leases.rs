//! Who holds a run, and what runs have locked.

use super::{Failed, listing};
use crate::mutant::{Mistake, on};
use crate::plan::Timestamp;
use crate::store::{Barred, Epoch, Holder, Lease, Owner, RunId, StoreError, Takeover};
use rusqlite::{OptionalExtension, Transaction, params};

/// A row of the table.
pub(super) struct Row {
    epoch: u64,
    owner: Owner,
    since: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) held: bool,
}

fn row(tx: &Transaction<'_>, run: &RunId) -> Result<Option<Row>, Failed> {
    let mut query =
        tx.prepare_cached("SELECT epoch, host, pid, birth, since, expires, held FROM leases WHERE run = ?")?;
    Ok(query.query_row([&*run.0], |row| Row::read(row, 0)).optional()?)
}

impl Row {
    /// From the column `first` on: epoch, host, pid, birth, since, expires, held.
    pub(super) fn read(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            epoch: row.get(first)?,
            owner: Owner { host: row.get(first + 1)?, pid: row.get(first + 2)?, birth: row.get(first + 3)? },
            since: Timestamp(row.get(first + 4)?),
            expires: Timestamp(row.get(first + 5)?),
            held: row.get(first + 6)?,
        })
    }

    /// Why it may be taken from its holder; `None` while it may not.
    fn free(&self, now: Timestamp) -> Option<String> {
        if !self.held {
            Some("it was let go".into())
        } else if self.owner.is_gone() {
            Some(format!("its process {} is gone", self.owner))
        } else if self.expires <= now {
            Some(format!("the lease of {} ran out at {}", self.owner, self.expires))
        } else {
            None
        }
    }

    pub(super) fn holder(self, now: Timestamp) -> Holder {
        let gone = self.free(now).is_some();
        Holder { owner: self.owner, since: self.since, expires: self.expires, gone }
    }
}

pub(super) fn holder(tx: &Transaction<'_>, run: &RunId, now: Timestamp) -> Result<Option<Holder>, Failed> {
    Ok(row(tx, run)?.filter(|row| row.held).map(|row| row.holder(now)))
}

pub(super) fn acquire(
    tx: &Transaction<'_>,
    run: &RunId,
    owner: &Owner,
    now: Timestamp,
    expires: Timestamp,
) -> Result<Lease, Failed> {
    let sandboxed: bool = tx
        .query_row("SELECT sandboxed FROM runs WHERE id = ?", [&*run.0], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::NoSuchRun(run.to_string()))?;
    let before = row(tx, run)?;
    let mut taken_over = None;
    if let Some(row) = before.as_ref().filter(|row| row.held) {
        taken_over = row.free(now);
        if taken_over.is_none() {
            let holder = before.expect("it is there").holder(now);
            return Err(StoreError::Held { run: run.clone(), holder }.into());
        }
    }
    let epoch = before.map_or(1, |row| row.epoch + 1);
    tx.execute(
        "INSERT OR REPLACE INTO leases (run, epoch, host, pid, birth, since, expires, held)
         VALUES (?, ?, ?, ?, ?, ?, ?, TRUE)",
        params![&*run.0, epoch, owner.host, owner.pid, owner.birth, now.0, far(expires)],
    )?;
    Ok(Lease { run: run.clone(), epoch: Epoch(epoch), taken_over, sandboxed })
}

/// The database's numbers are signed.
fn far(moment: Timestamp) -> i64 {
    i64::try_from(moment.0).unwrap_or(i64::MAX)
}

/// Refuses whoever has been replaced.
pub(super) fn check(tx: &Transaction<'_>, lease: &Lease) -> Result<(), Failed> {
    let mut query = tx.prepare_cached("SELECT epoch, held, host, pid FROM leases WHERE run = ?")?;
    let found = query
        .query_row([&*lease.run.0], |row| {
            let by = format!("{}/{}", row.get::<_, String>(2)?, row.get::<_, u32>(3)?);
            Ok((row.get::<_, u64>(0)?, row.get::<_, bool>(1)?, by))
        })
        .optional()?;
    match found {
        Some((epoch, true, _)) if epoch == lease.epoch.0 => Ok(()),
        Some(_) if on(Mistake::EpochNotChecked) => Ok(()),
        Some((_, _, by)) => Err(StoreError::Fenced { run: lease.run.clone(), by }.into()),
        None => Err(StoreError::Fenced { run: lease.run.clone(), by: "nobody".into() }.into()),
    }
}

pub(super) fn renew(tx: &Transaction<'_>, lease: &Lease, expires: Timestamp) -> Result<(), Failed> {
    check(tx, lease)?;
    tx.execute("UPDATE leases SET expires = ? WHERE run = ?", params![far(expires), &*lease.run.0])?;
    Ok(())
}

pub(super) fn release(tx: &Transaction<'_>, lease: &Lease) -> Result<(), Failed> {
    check(tx, lease)?;
    tx.execute("UPDATE leases SET held = FALSE WHERE run = ?", [&*lease.run.0])?;
    Ok(())
}

/// For a run that was held elsewhere, the last time with this epoch.
pub(super) fn let_go(tx: &Transaction<'_>, run: &RunId, epoch: u64) -> Result<(), Failed> {
    tx.execute(
        "INSERT INTO leases (run, epoch, host, pid, birth, since, expires, held)
         VALUES (?, ?, 'elsewhere', 0, '', 0, 0, FALSE)",
        params![&*run.0, epoch],
    )?;
    Ok(())
}

pub(super) fn bar(
    tx: &Transaction<'_>,
    lease: &Lease,
    resources: &[String],
    now: Timestamp,
) -> Result<Vec<Barred>, Failed> {
    check(tx, lease)?;
    let mut barred: Vec<Barred> = Vec::new();
    for resource in resources {
        let other = other_holder(tx, lease, resource)?;
        let Some(run) = other.filter(|run| !barred.iter().any(|one| one.run == *run)) else { continue };
        why_free(tx, resource, &run, now)?;
        // Who had it, and why it may be taken from them, is told when it is taken.
        tx.execute("UPDATE leases SET epoch = epoch + 1 WHERE run = ? AND held", [&*run.0])?;
        let epoch = epoch(tx, &run)?;
        barred.push(Barred { run, epoch });
    }
    Ok(barred)
}

pub(super) fn lock(
    tx: &Transaction<'_>,
    lease: &Lease,
    resources: &[String],
    barred: &[Barred],
    now: Timestamp,
) -> Result<Option<Vec<Takeover>>, Failed> {
    check(tx, lease)?;
    // Before anything is written.
    for resource in resources {
        let Some(run) = other_holder(tx, lease, resource)? else { continue };
        why_free(tx, resource, &run, now)?;
        // Somebody may have run it since, and have announced more.
        let epoch = epoch(tx, &run)?;
        let is_barred =
            |barred: &&Barred| barred.run == run && (barred.epoch == epoch || on(Mistake::BarredOnce));
        if barred.iter().find(is_barred).is_none() {
            return Ok(None);
        }
    }
    let mut takeovers = Vec::new();
    for resource in resources {
        let reason = match other_holder(tx, lease, resource)? {
            None => None,
            Some(run) => {
                let reason = why_free(tx, resource, &run, now)?;
                // It may only be silent: once its lock is another's it writes nothing more.
                tx.execute(
                    "UPDATE leases SET held = FALSE, epoch = epoch + 1 WHERE run = ? AND held",
                    [&*run.0],
                )?;
                let reason = format!("taken over from run {run}: {reason}");
                takeovers.push(Takeover { resource: resource.clone(), run, reason: reason.clone() });
                Some(reason)
            }
        };
        tx.execute(
            "INSERT INTO locks (resource, run, since, taken_over) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (resource) DO UPDATE SET run = ?2, since = ?3, taken_over = ?4 WHERE run != ?2",
            params![resource, &*lease.run.0, far(now), reason],
        )?;
    }
    Ok(Some(takeovers))
}

/// The newest of a run; 0 if nobody has ever run it.
fn epoch(tx: &Transaction<'_>, run: &RunId) -> Result<Epoch, Failed> {
    Ok(Epoch(row(tx, run)?.map_or(0, |row| row.epoch)))
}

/// The run that has locked it, if it is another one.
fn other_holder(tx: &Transaction<'_>, lease: &Lease, resource: &str) -> Result<Option<RunId>, Failed> {
    let holder: Option<String> =
        tx.query_row("SELECT run FROM locks WHERE resource = ?", [resource], |row| row.get(0)).optional()?;
    Ok(holder.map(|id| RunId(id.into())).filter(|run| *run != lease.run))
}

/// Why a lock may be taken from its holder: nobody runs that any more.
fn why_free(tx: &Transaction<'_>, resource: &str, run: &RunId, now: Timestamp) -> Result<String, Failed> {
    // Its guards turn it back, also where nobody drives it now.
    if let Some(until) = listing::bakes_until(tx, run) {
        return Err(StoreError::Baking { resource: resource.into(), run: run.clone(), until }.into());
    }
    let row = row(tx, run)?;
    let reason = row.as_ref().map_or_else(|| Some("nobody holds it".into()), |r| r.free(now));
    let reason = reason.or(on(Mistake::LockNotHeeded).then(String::new));
    let locked = || {
        let holder = row.expect("somebody holds it").holder(now);
        StoreError::Locked { resource: resource.into(), run: run.clone(), holder }
    };
    Ok(reason.ok_or_else(locked)?)
}

pub(super) fn unlock(tx: &Transaction<'_>, lease: &Lease) -> Result<(), Failed> {
    check(tx, lease)?;
    tx.execute("DELETE FROM locks WHERE run = ?", [&*lease.run.0])?;
    Ok(())
}
