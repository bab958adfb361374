//! How each run stands, kept in the transaction of each append: a listing reads one small row a run.
//!
//! A row says up to which event it tells. Where it is not up to date, as after a version that did not keep it, or cannot
//! be read, the journal tells the rest.

use super::witness::Witness;
use super::{Failed, journal, leases};
use crate::plan::Timestamp;
use crate::store::record::{EventRecord, StandingRecord, TitleRecord};
use crate::store::{Entry, Listed, RunId, Seq, StoreError, Told};
use rusqlite::{OptionalExtension, Transaction, params};

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS standings (
  run TEXT PRIMARY KEY REFERENCES runs (id), title TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What is kept of a run, and up to which event.
struct Kept {
    title: TitleRecord,
    seq: u64,
    standing: StandingRecord,
}

/// `None` if there is nothing that could be read.
fn kept(title: Option<String>, seq: Option<u64>, body: Option<String>) -> Option<Kept> {
    let title = serde_json::from_str(&title?).ok()?;
    Some(Kept { title, seq: seq?, standing: serde_json::from_str(&body?).ok()? })
}

fn keep(tx: &Transaction<'_>, run: &RunId, kept: &Kept) -> Result<(), Failed> {
    let text = |result: Result<String, serde_json::Error>| {
        result.map_err(|error| journal::broken(run, kept.seq, error.to_string()))
    };
    let title = text(serde_json::to_string(&kept.title))?;
    let body = text(serde_json::to_string(&kept.standing))?;
    tx.prepare_cached("INSERT OR REPLACE INTO standings (run, title, seq, body) VALUES (?, ?, ?, ?)")?
        .execute(params![&*run.0, title, kept.seq, body])?;
    Ok(())
}

/// How a run stands after the event `head`, its last.
fn standing(tx: &Transaction<'_>, run: &RunId, head: u64, found: Option<Kept>) -> Result<Kept, Failed> {
    match found {
        Some(kept) if kept.seq == head => Ok(kept),
        found => caught_up(tx, run, found.filter(|kept| kept.seq < head), None),
    }
}

/// What the journal tells, from where `so_far` ends.
fn caught_up(
    tx: &Transaction<'_>,
    run: &RunId,
    so_far: Option<Kept>,
    witness: Option<&Witness>,
) -> Result<Kept, Failed> {
    let mut kept = match so_far {
        Some(kept) => kept,
        None => Kept { title: (&journal::run(tx, run)?).into(), seq: 0, standing: StandingRecord::default() },
    };
    for stored in journal::read(tx, run, Seq(kept.seq + 1), witness)? {
        let event = EventRecord::parse(&stored.body)
            .map_err(|error| journal::broken(run, stored.seq.0, error.to_string()))?;
        kept.standing.take(stored.at, &event);
        kept.seq = stored.seq.0;
    }
    Ok(kept)
}

/// Takes what is about to be appended after the event `after`.
pub(super) fn follow(tx: &Transaction<'_>, run: &RunId, after: u64, entries: &[Entry]) -> Result<(), Failed> {
    let found = tx
        .prepare_cached("SELECT title, seq, body FROM standings WHERE run = ?")?
        .query_row([&*run.0], |row| Ok(kept(row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?
        .flatten();
    let mut kept = standing(tx, run, after, found)?;
    for entry in entries {
        kept.standing.take(entry.at, &entry.body);
    }
    kept.seq = after + entries.len() as u64;
    keep(tx, run, &kept)
}

/// Until when a run bakes, as its journal tells it. One that cannot be told of holds up nobody.
pub(super) fn bakes_until(tx: &Transaction<'_>, run: &RunId) -> Option<Timestamp> {
    caught_up(tx, run, None, None).ok()?.standing.baking.map(Timestamp)
}

/// How a run stands as its whole journal tells it, whatever was kept; that is kept from here on.
pub(super) fn by_journal(
    tx: &Transaction<'_>,
    run: &RunId,
    witness: Option<&Witness>,
) -> Result<StandingRecord, Failed> {
    let told = caught_up(tx, run, None, witness)?;
    keep(tx, run, &told)?;
    Ok(told.standing)
}

/// All runs, the newest first. One that cannot be read does not hide the others.
pub(super) fn all(
    tx: &Transaction<'_>,
    now: Timestamp,
    explain: impl Fn(Failed) -> StoreError,
) -> Result<Vec<Told>, Failed> {
    let are_kept: bool =
        tx.query_row("SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'standings'", [], |r| r.get(0))?;
    let (columns, join) = if are_kept {
        ("s.title, s.seq, s.body", "LEFT JOIN standings s ON s.run = r.id")
    } else {
        ("NULL, NULL, NULL", "")
    };
    let mut query = tx.prepare(&format!(
        "SELECT r.id, r.head_seq, {columns}, l.epoch, l.host, l.pid, l.birth, l.since, l.expires, l.held
         FROM runs r {join} LEFT JOIN leases l ON l.run = r.id WHERE r.head_seq > 0 ORDER BY r.id DESC"
    ))?;
    let mut rows = query.query([])?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        let id = RunId(row.get::<_, String>(0)?.into());
        let found = kept(row.get(2)?, row.get(3)?, row.get(4)?);
        let lease = match row.get::<_, Option<u64>>(5)? {
            Some(_) => Some(leases::Row::read(row, 5)?),
            None => None,
        };
        listed.push(match standing(tx, &id, row.get(1)?, found) {
            Ok(Kept { title, standing, .. }) => {
                let driven = lease.as_ref().map_or(Timestamp::PAST, |lease| lease.expires);
                let driven = driven.max(Timestamp(title.created));
                let holder = lease.filter(|lease| lease.held).map(|lease| lease.holder(now));
                Ok(Listed { id, title, standing, holder, driven })
            }
            Err(failed) => Err(Box::new((id, explain(failed)))),
        });
    }
    Ok(listed)
}
