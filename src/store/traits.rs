//! What a store does, whatever it is made of.

use super::record::{EventRecord, LandedRecord, OrderRecord, StepRecord};
use super::{NewRun, Owner, RunId, RunRecord, StoreError, Told};
use crate::plan::{Plan, Timestamp};
use crate::run::{Actor, Event, Order};
use std::{collections::BTreeMap, fmt, time::Duration};

/// The place of an event in its journal, from 1. 0: before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts the holders of a run: whoever writes with an older one is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// The right to write a run's journal, until somebody else takes it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which run.
    pub run: RunId,
    /// The fencing token.
    pub epoch: Epoch,
    /// Why it was taken from a holder that had not let go, if it was.
    pub taken_over: Option<String>,
    /// The run is in a sandbox: faults on purpose are honoured.
    pub(super) sandboxed: bool,
}

/// A process that holds a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Which.
    pub owner: Owner,
    /// Since when, on the wall clock.
    pub since: Timestamp,
    /// When its lease runs out, unless it renews it.
    pub expires: Timestamp,
    /// It is known to be gone, or its lease ran out.
    pub gone: bool,
}

impl fmt::Display for Holder {
    /// `host/pid since 2026-11-20T10:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} since {}", self.owner, self.since)
    }
}

/// An event to be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, in the run's time.
    pub at: Timestamp,
    /// What.
    pub body: EventRecord,
}

/// An event as it is stored; its place in the chain has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its place.
    pub seq: Seq,
    /// Who wrote it.
    pub epoch: Epoch,
    /// When, in the run's time.
    pub at: Timestamp,
    /// What, as JSON.
    pub body: String,
    /// Its hash, in hexadecimal.
    pub hash: String,
}

/// An event as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place.
    pub seq: Seq,
    /// When, in the run's time.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// An order from some terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEntry {
    /// Its number, from 1.
    pub id: u64,
    /// When, on the wall clock.
    pub at: Timestamp,
    /// Who gave it.
    pub by: Actor,
    /// What.
    pub order: OrderRecord,
}

/// A run that nobody runs any more, fenced: until somebody runs it again, nothing of it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Barred {
    /// Which.
    pub run: RunId,
    /// Whoever runs it again has a later one.
    pub epoch: Epoch,
}

/// A lock that was taken from a run that nobody runs any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takeover {
    /// What is locked.
    pub resource: String,
    /// Who had it.
    pub run: RunId,
    /// Why it could be taken: recorded with the lock.
    pub reason: String,
}

/// What a walk over a whole journal found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many events there are.
    pub events: u64,
    /// The hash of the last, in hexadecimal.
    pub head: String,
}

/// Keeps runs. All calls may block for some milliseconds. `now` is the wall clock, except in [`Entry`].
pub trait Store: Send + Sync + fmt::Debug {
    /// Pins a run.
    fn create(&self, run: NewRun) -> Result<RunRecord, StoreError>;
    /// A run.
    fn run(&self, run: &RunId) -> Result<RunRecord, StoreError>;
    /// How all of them stand, the newest first. Journals are not read, nor their chains checked. One that cannot be
    /// told of does not hide the others.
    fn runs(&self, now: Timestamp) -> Result<Vec<Told>, StoreError>;
    /// The ids of all runs, the newest first.
    fn ids(&self) -> Result<Vec<RunId>, StoreError>;

    /// Who holds a run; `None` if it was let go.
    fn holder(&self, run: &RunId, now: Timestamp) -> Result<Option<Holder>, StoreError>;
    /// Takes a run: from nobody, from a process of this machine that is gone, or from one whose lease ran out. Sets
    /// room aside for its journal.
    fn acquire(&self, run: &RunId, owner: &Owner, ttl: Duration, now: Timestamp)
    -> Result<Lease, StoreError>;
    /// Holds it for longer.
    fn renew(&self, lease: &Lease, ttl: Duration, now: Timestamp) -> Result<(), StoreError>;
    /// Lets it go.
    fn release(&self, lease: &Lease) -> Result<(), StoreError>;

    /// The runs that nobody runs any more and that have locked some of these: each is fenced from now on, and keeps its
    /// locks. What one of them announced may land yet: whoever waits for that before it locks leaves it to others to wait,
    /// too, should it die meanwhile.
    fn bar(&self, lease: &Lease, resources: &[String], now: Timestamp) -> Result<Vec<Barred>, StoreError>;
    /// Locks all of these for the run, or none. Locks of a run that nobody runs any more are taken over if it was barred, and
    /// nobody has run it since. `None`: it must be barred first, or again, and what it announced waited for.
    fn lock(
        &self,
        lease: &Lease,
        resources: &[String],
        barred: &[Barred],
        now: Timestamp,
    ) -> Result<Option<Vec<Takeover>>, StoreError>;
    /// Gives back all that the run has locked.
    fn unlock(&self, lease: &Lease) -> Result<(), StoreError>;

    /// Adds events after the event `after`, which must be the last: all or none, durably.
    fn append(&self, lease: &Lease, after: Seq, entries: &[Entry]) -> Result<Seq, StoreError>;
    /// The events from `from` on, in order; their chain is checked.
    fn read(&self, run: &RunId, from: Seq) -> Result<Vec<Stored>, StoreError>;
    /// There was no room left, and what was set aside for this is in use: end the run durably, now.
    fn is_out_of_room(&self) -> bool;

    /// Records an order; returns its number.
    fn order(&self, run: &RunId, by: &Actor, order: &OrderRecord, now: Timestamp) -> Result<u64, StoreError>;
    /// The orders with larger numbers than `id`.
    fn orders_after(&self, run: &RunId, id: u64) -> Result<Vec<OrderEntry>, StoreError>;
    /// Changes whenever an order may have come. Cheap.
    fn orders_mark(&self) -> Result<u64, StoreError>;

    /// Walks the whole journal of a run.
    fn verify(&self, run: &RunId) -> Result<Verified, StoreError> {
        let events = self.read(run, Seq(1))?;
        let head = events.last().map_or_else(String::new, |event| event.hash.clone());
        Ok(Verified { events: events.len() as u64, head })
    }
}

/// The events of a run of this plan, from `from` on.
///
/// # Errors
/// The journal cannot be read, its chain is broken, or it does not fit the plan.
pub fn events(store: &dyn Store, run: &RunId, plan: &Plan, from: Seq) -> Result<Vec<Recorded>, StoreError> {
    store.read(run, from)?.iter().map(|stored| recorded(run, plan, stored)).collect()
}

/// What was recorded as this event, of a run of this plan.
///
/// # Errors
/// It is not an event of this version, or does not fit the plan.
pub fn recorded(run: &RunId, plan: &Plan, stored: &Stored) -> Result<Recorded, StoreError> {
    let event = EventRecord::parse(&stored.body).and_then(|record| record.event(plan)).map_err(|error| {
        StoreError::Broken { run: run.clone(), seq: stored.seq, reason: error.to_string() }
    })?;
    Ok(Recorded { seq: stored.seq, at: stored.at, event })
}

/// Until when a call that a run announced may still be sent, if its answer is not recorded; by the run's clock.
///
/// # Errors
/// The run cannot be read.
pub fn open_until(store: &dyn Store, run: &RunId) -> Result<Option<Timestamp>, StoreError> {
    let mut open = OpenCalls::default();
    for stored in store.read(run, Seq(1))? {
        // What this version cannot read announces nothing that it could wait for.
        if let Ok(event) = EventRecord::parse(&stored.body) {
            open.take(&event);
        }
    }
    Ok(open.until())
}

/// Calls that were announced, and that nothing recorded says are over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct OpenCalls(BTreeMap<String, u64>);

impl OpenCalls {
    /// Takes the next fact.
    pub(crate) fn take(&mut self, event: &EventRecord) {
        let EventRecord::Step { step, fact } = event else { return };
        match fact {
            StepRecord::Applying { by, .. } | StepRecord::Undoing { by } => {
                self.0.insert(step.clone(), *by);
            }
            // What was lost may be under way.
            StepRecord::WasInDoubt { .. } | StepRecord::GotStuck { .. } => {}
            StepRecord::RetryScheduled { fault, .. }
            | StepRecord::WentBlind { fault }
            | StepRecord::Failed { fault }
                if fault.landed == LandedRecord::Maybe => {}
            _ => drop(self.0.remove(step)),
        }
    }

    /// Until when one of them may be sent.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.0.values().max().copied().map(Timestamp)
    }
}

/// Gives an order to a run of this plan; returns its number.
///
/// # Errors
/// It could not be recorded.
pub fn give_order(
    store: &dyn Store,
    run: &RunId,
    plan: &Plan,
    by: &Actor,
    order: &Order,
    now: Timestamp,
) -> Result<u64, StoreError> {
    store.order(run, by, &OrderRecord::of(order, plan), now)
}

/// The orders for a run of this plan with larger numbers than `id`: number, who, what.
///
/// # Errors
/// They cannot be read.
pub fn orders_after(
    store: &dyn Store,
    run: &RunId,
    plan: &Plan,
    id: u64,
) -> Result<Vec<(u64, Actor, Order)>, StoreError> {
    let entries = store.orders_after(run, id)?;
    Ok(entries.into_iter().map(|entry| (entry.id, entry.by, entry.order.order(plan))).collect())
}

/// The run that people mean by `latest`, an id, or the beginning of one.
///
/// # Errors
/// There is none, or there are several.
pub fn find(store: &dyn Store, called: &str) -> Result<RunId, StoreError> {
    let ids = store.ids()?;
    if called == "latest" {
        return ids.into_iter().next().ok_or(StoreError::NoRuns);
    }
    let prefix = called.to_ascii_uppercase();
    let mut meant: Vec<RunId> =
        ids.into_iter().filter(|id| !prefix.is_empty() && id.0.starts_with(&prefix)).collect();
    match meant.len() {
        0 => Err(StoreError::NoSuchRun(called.to_owned())),
        1 => Ok(meant.remove(0)),
        _ => Err(StoreError::Ambiguous { prefix: called.to_owned(), runs: meant }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::record::{FaultKindRecord, FaultRecord};

    #[test]
    fn a_call_that_may_have_landed_is_under_way_until_somebody_knows() {
        let fault =
            |landed| FaultRecord { message: "no answer".into(), kind: FaultKindRecord::Transient, landed };
        let failures = |landed| {
            [
                StepRecord::Failed { fault: fault(landed) },
                StepRecord::WentBlind { fault: fault(landed) },
                StepRecord::RetryScheduled { at: 3, fault: fault(landed) },
            ]
        };
        let until = |facts: &[StepRecord]| {
            let mut calls = OpenCalls::default();
            for fact in facts {
                calls.take(&EventRecord::Step { step: "switch".into(), fact: fact.clone() });
            }
            calls.until()
        };
        let sent = StepRecord::Applying { stage: 1, by: 9 };
        assert_eq!(until(std::slice::from_ref(&sent)), Some(Timestamp(9)));
        for (maybe, no) in failures(LandedRecord::Maybe).into_iter().zip(failures(LandedRecord::No)) {
            assert_eq!(until(&[sent.clone(), maybe.clone()]), Some(Timestamp(9)), "{maybe:?}");
            assert_eq!(until(&[sent.clone(), maybe, no.clone()]), None, "{no:?}");
        }
    }
}
