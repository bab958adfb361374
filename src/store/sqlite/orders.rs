//! Orders from other terminals.

use super::Failed;
use crate::plan::Timestamp;
use crate::run::Actor;
use crate::store::record::OrderRecord;
use crate::store::{OrderEntry, RunId, Seq, StoreError};
use rusqlite::{OptionalExtension, Transaction, params};

pub(super) fn give(
    tx: &Transaction<'_>,
    run: &RunId,
    by: &Actor,
    order: &OrderRecord,
    now: Timestamp,
) -> Result<u64, Failed> {
    let there: Option<bool> =
        tx.query_row("SELECT TRUE FROM runs WHERE id = ?", [&*run.0], |row| row.get(0)).optional()?;
    if there.is_none() {
        return Err(StoreError::NoSuchRun(run.to_string()).into());
    }
    let last: u64 =
        tx.query_row("SELECT coalesce(max(id), 0) FROM orders WHERE run = ?", [&*run.0], |row| row.get(0))?;
    let (by, order) = (by.clone(), order.clone());
    keep(tx, run, &OrderEntry { id: last + 1, at: now, by, order })?;
    Ok(last + 1)
}

pub(super) fn keep(tx: &Transaction<'_>, run: &RunId, entry: &OrderEntry) -> Result<(), Failed> {
    let OrderEntry { id, at, by, order } = entry;
    let body = serde_json::to_string(order).map_err(|error| unreadable(run, error))?;
    tx.execute(
        "INSERT INTO orders (run, id, at, by, automatic, body) VALUES (?, ?, ?, ?, ?, ?)",
        params![&*run.0, id, at.0, &*by.name, by.automatic, body],
    )?;
    Ok(())
}

pub(super) fn after(tx: &Transaction<'_>, run: &RunId, id: u64) -> Result<Vec<OrderEntry>, Failed> {
    let mut query = tx.prepare_cached(
        "SELECT id, at, by, automatic, body FROM orders WHERE run = ? AND id > ? ORDER BY id",
    )?;
    let mut rows = query.query(params![&*run.0, id])?;
    let mut orders = Vec::new();
    while let Some(row) = rows.next()? {
        let by = Actor { name: row.get::<_, String>(2)?.into(), automatic: row.get(3)? };
        let body: String = row.get(4)?;
        let order = serde_json::from_str(&body).map_err(|error| unreadable(run, error))?;
        orders.push(OrderEntry { id: row.get(0)?, at: Timestamp(row.get(1)?), by, order });
    }
    Ok(orders)
}

fn unreadable(run: &RunId, error: serde_json::Error) -> Failed {
    let reason = format!("an order cannot be read: {error}");
    StoreError::Broken { run: run.clone(), seq: Seq(0), reason }.into()
}
