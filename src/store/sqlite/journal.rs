//! Runs and their events.

use super::Failed;
use super::witness::Witness;
use crate::mutant::{Mistake, on};
use crate::plan::Timestamp;
use crate::store::chain::{self, Hash};
use crate::store::runs::FORMAT;
use crate::store::{Entry, Epoch, Lease, RunId, RunRecord, Seq, StoreError, Stored};
use rusqlite::{OptionalExtension, Row, Transaction, params};

pub(super) const INSERT: &str =
    "INSERT INTO events (run, seq, epoch, at, body, hash) VALUES (?, ?, ?, ?, ?, ?)";

pub(super) fn create(tx: &Transaction<'_>, run: &RunRecord, pinned: &str) -> Result<(), Failed> {
    tx.execute(
        "INSERT INTO runs (id, format, pinned, sandboxed, head_seq, head_hash) VALUES (?, ?, ?, ?, 0, ?)",
        params![&*run.id.0, run.format, pinned, run.wiring.is_some(), chain::genesis(pinned)],
    )?;
    Ok(())
}

pub(super) fn ids(tx: &Transaction<'_>) -> Result<Vec<RunId>, Failed> {
    // One that was refused before its first fact never was.
    let mut query = tx.prepare_cached("SELECT id FROM runs WHERE head_seq > 0 ORDER BY id DESC")?;
    let ids = query.query_map([], |row| row.get::<_, String>(0))?;
    Ok(ids.map(|id| id.map(|id| RunId(id.into()))).collect::<Result<_, _>>()?)
}

pub(super) fn run(tx: &Transaction<'_>, run: &RunId) -> Result<RunRecord, Failed> {
    let row = row(tx, run)?;
    record(run, &row)
}

fn record(run: &RunId, row: &Found) -> Result<RunRecord, Failed> {
    RunRecord::unpin(&row.pinned, row.format).map_err(|error| broken(run, 0, error.to_string()))
}

/// What is stored of a run.
struct Found {
    format: u32,
    pinned: String,
    head: u64,
    hash: Hash,
}

fn row(tx: &Transaction<'_>, run: &RunId) -> Result<Found, Failed> {
    let mut query = tx.prepare_cached("SELECT format, pinned, head_seq, head_hash FROM runs WHERE id = ?")?;
    let row = query
        .query_row([&*run.0], |row| {
            let (format, pinned) = (row.get(0)?, row.get(1)?);
            Ok(Found { format, pinned, head: row.get(2)?, hash: row.get(3)? })
        })
        .optional()?
        .ok_or_else(|| StoreError::NoSuchRun(run.to_string()))?;
    known(run, row.format)?;
    Ok(row)
}

/// There is no format 0: a bit has flipped. That it is not an older one than the run began in, what was pinned tells.
fn known(run: &RunId, format: u32) -> Result<(), Failed> {
    match format {
        0 => Err(broken(run, 0, "it has no format")),
        1..=FORMAT => Ok(()),
        found => Err(StoreError::Newer { what: format!("run {run}"), found, known: FORMAT }.into()),
    }
}

pub(super) fn broken(run: &RunId, seq: u64, reason: impl Into<String>) -> Failed {
    StoreError::Broken { run: run.clone(), seq: Seq(seq), reason: reason.into() }.into()
}

/// The length of the journal and the hash of its last event. The fast way: nothing else is looked at.
pub(super) fn head(tx: &Transaction<'_>, run: &RunId) -> Result<(u64, Hash), Failed> {
    let mut query = tx.prepare_cached("SELECT format, head_seq, head_hash FROM runs WHERE id = ?")?;
    let found = query
        .query_row([&*run.0], |row| Ok((row.get::<_, u32>(0)?, (row.get(1)?, row.get(2)?))))
        .optional()?;
    let (format, head) = found.ok_or_else(|| StoreError::NoSuchRun(run.to_string()))?;
    known(run, format).map(|()| head)
}

/// Adds events; gives the hash of the last.
pub(super) fn append(
    tx: &Transaction<'_>,
    lease: &Lease,
    after: Seq,
    entries: &[Entry],
) -> Result<Hash, Failed> {
    super::leases::check(tx, lease)?;
    let run = &lease.run;
    let (mut seq, mut hash) = head(tx, run)?;
    if seq != after.0 && !on(Mistake::PlaceNotChecked) {
        return Err(StoreError::Conflict { run: run.clone(), expected: after, found: Seq(seq) }.into());
    }
    super::listing::follow(tx, run, seq, entries)?;
    let mut insert = tx.prepare_cached(INSERT)?;
    for entry in entries {
        seq += 1;
        let body = serde_json::to_string(&entry.body).map_err(|error| broken(run, seq, error.to_string()))?;
        hash = chain::link(&hash, seq, lease.epoch.0, entry.at.0, &body);
        insert.execute(params![&*run.0, seq, lease.epoch.0, entry.at.0, body, hash])?;
    }
    // Whoever reads it must know all that was written to it.
    tx.prepare_cached("UPDATE runs SET head_seq = ?, head_hash = ?, format = max(format, ?) WHERE id = ?")?
        .execute(params![seq, hash, FORMAT, &*run.0])?;
    Ok(hash)
}

/// Whether exactly these events are there: asked when the outcome of a commit is not known.
pub(super) fn is_written(
    tx: &Transaction<'_>,
    lease: &Lease,
    after: Seq,
    entries: &[Entry],
) -> Result<bool, Failed> {
    let written = read(tx, &lease.run, Seq(after.0 + 1), None)?;
    Ok(written.len() == entries.len()
        && written.iter().zip(entries).all(|(stored, entry)| {
            stored.epoch == lease.epoch
                && serde_json::to_string(&entry.body).is_ok_and(|body| body == stored.body)
        }))
}

fn fields(row: &Row<'_>) -> rusqlite::Result<(u64, u64, u64, String, Hash)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

/// Reads from `from` on and checks the chain from there, or from the run itself, to the end; and that it is at least as
/// long as it was once seen to be, if that is asked.
pub(super) fn read(
    tx: &Transaction<'_>,
    run: &RunId,
    from: Seq,
    witness: Option<&Witness>,
) -> Result<Vec<Stored>, Failed> {
    let mut events = Vec::new();
    walk(tx, run, from, witness, &mut events).map(|()| events)
}

/// The same; `events` holds what is sound, also where the rest is not.
pub(super) fn walk(
    tx: &Transaction<'_>,
    run: &RunId,
    from: Seq,
    witness: Option<&Witness>,
    events: &mut Vec<Stored>,
) -> Result<(), Failed> {
    let row = row(tx, run)?;
    let from = from.0.max(1);
    let mut hash = if from == 1 {
        record(run, &row)?;
        chain::genesis(&row.pinned)
    } else {
        tx.prepare_cached("SELECT hash FROM events WHERE run = ? AND seq = ?")?
            .query_row(params![&*run.0, from - 1], |row| row.get(0))
            .optional()?
            .unwrap_or(row.hash)
    };
    let mut query = tx.prepare_cached(
        "SELECT seq, epoch, at, body, hash FROM events WHERE run = ? AND seq >= ? ORDER BY seq",
    )?;
    let mut rows = query.query(params![&*run.0, from])?;
    let mut expected = from;
    while let Some(row) = rows.next()? {
        let (seq, epoch, at, body, stored) =
            fields(row).map_err(|error| broken(run, expected, error.to_string()))?;
        if seq != expected {
            return Err(broken(run, expected, "it is missing"));
        }
        hash = chain::link(&hash, seq, epoch, at, &body);
        if hash != stored {
            return Err(broken(run, seq, chain::BREAK));
        }
        let hash = chain::hex(&hash);
        events.push(Stored { seq: Seq(seq), epoch: Epoch(epoch), at: Timestamp(at), body, hash });
        expected += 1;
    }
    if expected <= row.head {
        return Err(broken(
            run,
            expected,
            format!("the journal ends before it, and had {} events", row.head),
        ));
    }
    if hash != row.hash {
        return Err(broken(run, expected.saturating_sub(1), "it is not the event that was written last"));
    }
    if let Some(Witness { seq, hash }) = witness {
        if row.head < *seq {
            let reason = format!("the journal ends before it, and once had {seq} events");
            return Err(broken(run, row.head + 1, reason));
        }
        if events.iter().any(|event| event.seq.0 == *seq && event.hash != *hash) {
            return Err(broken(run, *seq, "it is another than was once written"));
        }
    }
    Ok(())
}
