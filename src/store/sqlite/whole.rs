//! Whole runs: read for an export, taken in from one, removed.

use super::witness::Witness;
use super::{Failed, journal, leases, listing, orders};
use crate::plan::Timestamp;
use crate::store::chain::{self, Hash};
use crate::store::{Exported, RunId, Seq, StoreError};
use rusqlite::{OptionalExtension, Transaction, params};

/// All that is stored of a run.
pub(super) fn export(
    tx: &Transaction<'_>,
    run: &RunId,
    witness: Option<&Witness>,
) -> Result<Exported, Failed> {
    let record = journal::run(tx, run)?;
    let pinned = tx.query_row("SELECT pinned FROM runs WHERE id = ?", [&*run.0], |row| row.get(0))?;
    Ok(Exported {
        record,
        pinned,
        events: journal::read(tx, run, Seq(1), witness)?,
        orders: orders::after(tx, run, 0)?,
    })
}

/// Takes in a run whose chain has been checked; gives the hash of its last event. Nobody holds it here.
pub(super) fn import(tx: &Transaction<'_>, run: &Exported, unfinished: bool) -> Result<Hash, Failed> {
    let id = run.id();
    let there: Option<bool> =
        tx.query_row("SELECT TRUE FROM runs WHERE id = ?", [&*id.0], |row| row.get(0)).optional()?;
    if there.is_some() {
        return Err(StoreError::Exists(id.clone()).into());
    }
    journal::create(tx, &run.record, &run.pinned)?;
    let mut hash = chain::genesis(&run.pinned);
    let mut insert = tx.prepare_cached(journal::INSERT)?;
    for stored in &run.events {
        let (seq, epoch, at) = (stored.seq.0, stored.epoch.0, stored.at.0);
        hash = chain::link(&hash, seq, epoch, at, &stored.body);
        insert.execute(params![&*id.0, seq, epoch, at, stored.body, hash])?;
    }
    tx.execute(
        "UPDATE runs SET head_seq = ?, head_hash = ? WHERE id = ?",
        params![run.events.len(), hash, &*id.0],
    )?;
    run.orders.iter().try_for_each(|order| orders::keep(tx, id, order))?;
    if listing::by_journal(tx, id, None)?.verdict().is_none() && !unfinished {
        return Err(StoreError::Unfinished(id.clone()).into());
    }
    // Whoever takes it up is later than all that wrote to it.
    leases::let_go(tx, id, run.events.iter().map(|stored| stored.epoch.0).max().unwrap_or(0))?;
    Ok(hash)
}

/// Removes a run that nobody needs any more. What decides is its journal.
pub(super) fn remove(
    tx: &Transaction<'_>,
    run: &RunId,
    witness: Option<&Witness>,
    now: Timestamp,
) -> Result<(), Failed> {
    let standing = listing::by_journal(tx, run, witness)?;
    if let Some(holder) = leases::holder(tx, run, now)?.filter(|holder| !holder.gone) {
        return Err(StoreError::Held { run: run.clone(), holder }.into());
    }
    if standing.verdict().is_none() {
        return Err(StoreError::Needed(run.clone()).into());
    }
    // Whoever died before they gave a lock back, once all was over, needs it no more.
    for table in ["standings", "orders", "locks", "leases", "events"] {
        tx.execute(&format!("DELETE FROM {table} WHERE run = ?"), [&*run.0])?;
    }
    tx.execute("DELETE FROM runs WHERE id = ?", [&*run.0])?;
    Ok(())
}
