//! The journal of a run that this process writes: recorded first, then true.

use super::{DriveError, Observer};
use crate::mutant::{Mistake, on};
use crate::plan::{Plan, Timestamp};
use crate::port::Clock;
use crate::run::{Actor, Event, Input, Order, Run, follow};
use crate::store::record::EventRecord;
use crate::store::{self, Barred, Entry, Lease, Owner, Recorded, RunId, Seq, Store, StoreError, Takeover};
use std::sync::Arc;
use std::time::Duration;

/// A run, its journal, and the right to write it.
pub(super) struct Journal {
    store: Arc<dyn Store>,
    plan: Arc<Plan>,
    wall: Arc<dyn Clock>,
    lease: Lease,
    ttl: Duration,
    /// When the lease runs out, unless it is renewed.
    expires: Timestamp,
    /// When that is tried next.
    renewal: Timestamp,
    seq: Seq,
    /// The newest order that was read.
    heard: u64,
    mark: Option<u64>,
    pub(super) run: Run,
}

/// Runs what may block where it holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

impl Journal {
    /// Takes the run and reads what happened so far.
    pub(super) async fn open(
        store: Arc<dyn Store>,
        plan: Arc<Plan>,
        wall: Arc<dyn Clock>,
        run: &store::RunId,
        owner: Owner,
        ttl: Duration,
    ) -> Result<(Self, Vec<Recorded>), DriveError> {
        let (now, id, held, pinned) = (wall.now(), run.clone(), store.clone(), plan.clone());
        let (lease, events) = blocking(move || {
            let lease = held.acquire(&id, &owner, ttl, now)?;
            match store::events(&*held, &id, &pinned, Seq(1)) {
                Ok(events) => Ok((lease, events)),
                Err(error) => {
                    let _ = held.release(&lease);
                    Err(error)
                }
            }
        })
        .await?;
        let journal = Self {
            seq: events.last().map_or(Seq(0), |last| last.seq),
            run: Run::new(plan.clone()),
            expires: now.after(ttl),
            renewal: now.after(ttl / 3),
            heard: 0,
            mark: None,
            store,
            plan,
            wall,
            lease,
            ttl,
        };
        Ok((journal, events))
    }

    /// Takes facts that were recorded before.
    pub(super) fn replay(
        &mut self,
        events: &[Recorded],
        observers: &mut [Box<dyn Observer>],
    ) -> Result<(), DriveError> {
        for recorded in events {
            self.run.evolve(&recorded.event).map_err(|_| DriveError::Illegal { seq: recorded.seq })?;
            for observer in observers.iter_mut() {
                observer.on_replayed(&self.run, recorded);
            }
        }
        self.heard = self.run.last_order;
        Ok(())
    }

    /// Runs that nobody runs any more and that have locked what this one writes: they write nothing from now on.
    pub(super) async fn bar(&self, resources: Vec<String>) -> Result<Vec<Barred>, StoreError> {
        let (store, lease, now) = (self.store.clone(), self.lease.clone(), self.wall.now());
        blocking(move || store.bar(&lease, &resources, now)).await
    }

    /// Locks what the run writes. `None`: somebody has run one of the others since it was barred.
    pub(super) async fn lock(
        &self,
        resources: Vec<String>,
        barred: Vec<Barred>,
    ) -> Result<Option<Vec<Takeover>>, StoreError> {
        let (store, lease, now) = (self.store.clone(), self.lease.clone(), self.wall.now());
        blocking(move || store.lock(&lease, &resources, &barred, now)).await
    }

    /// Until when a call of another run may still be sent.
    pub(super) async fn open_until(&self, run: &RunId) -> Result<Option<Timestamp>, StoreError> {
        let (store, run) = (self.store.clone(), run.clone());
        blocking(move || store::open_until(&*store, &run)).await
    }

    /// Decides on each input in turn, and records all that follows in one piece. Only then is it told, and done.
    pub(super) async fn take(
        &mut self,
        inputs: &[Input],
        at: Timestamp,
        observers: &mut [Box<dyn Observer>],
    ) -> Result<Vec<Event>, DriveError> {
        let (events, next) = follow(&self.run, inputs, at);
        if events.is_empty() {
            return Ok(events);
        }
        let next = next.into_owned();
        self.append(&events, at).await?;
        let before = std::mem::replace(&mut self.run, next);
        self.tell(before, &events, at, observers)?;
        Ok(events)
    }

    async fn append(&mut self, events: &[Event], at: Timestamp) -> Result<(), DriveError> {
        let entry = |event| Entry { at, body: EventRecord::of(event, &self.plan) };
        let entries: Vec<Entry> = events.iter().map(entry).collect();
        let (store, lease, seq) = (self.store.clone(), self.lease.clone(), self.seq);
        let last = Seq(seq.0 + events.len() as u64);
        self.seq = match blocking(move || store.append(&lease, seq, &entries)).await {
            Err(StoreError::Fenced { .. }) if on(Mistake::FencingIgnored) => last,
            appended => appended?,
        };
        Ok(())
    }

    /// Shows each fact with the run as it was right after it.
    fn tell(
        &self,
        mut run: Run,
        events: &[Event],
        at: Timestamp,
        observers: &mut [Box<dyn Observer>],
    ) -> Result<(), DriveError> {
        let first = self.seq.0 + 1 - events.len() as u64;
        for (seq, event) in (first..).map(Seq).zip(events) {
            run.evolve(event).map_err(|_| DriveError::Illegal { seq })?;
            let recorded = Recorded { seq, at, event: event.clone() };
            for observer in observers.iter_mut() {
                observer.on_event(&run, &recorded);
            }
        }
        Ok(())
    }

    /// The orders that came since the last time.
    pub(super) async fn orders(&mut self) -> Result<Vec<(u64, Actor, Order)>, StoreError> {
        let (store, plan, id) = (self.store.clone(), self.plan.clone(), self.lease.run.clone());
        let (heard, known) = (self.heard, self.mark);
        let (mark, orders) = blocking(move || {
            let mark = store.orders_mark()?;
            if known == Some(mark) {
                return Ok((mark, Vec::new()));
            }
            Ok((mark, store::orders_after(&*store, &id, &plan, heard)?))
        })
        .await?;
        self.mark = Some(mark);
        self.heard = orders.last().map_or(self.heard, |(id, ..)| *id);
        Ok(orders)
    }

    /// Holds the run for longer. What passes by itself is waited for, as long as the lease lasts.
    pub(super) async fn renew(&mut self) -> Result<(), DriveError> {
        let (store, lease, ttl, now) = (self.store.clone(), self.lease.clone(), self.ttl, self.wall.now());
        match blocking(move || store.renew(&lease, ttl, now)).await {
            Ok(()) => (self.expires, self.renewal) = (now.after(self.ttl), now.after(self.ttl / 3)),
            Err(StoreError::Fenced { .. }) if on(Mistake::FencingIgnored) => self.renewal = Timestamp::NEVER,
            Err(error @ StoreError::Fenced { .. }) => return Err(error.into()),
            Err(error) if self.wall.now() >= self.expires => return Err(error.into()),
            Err(_) => self.renewal = self.wall.now().after(self.ttl / 10),
        }
        Ok(())
    }

    /// When the lease should be renewed next.
    pub(super) fn renewal(&self) -> Timestamp {
        self.renewal
    }

    pub(super) fn is_out_of_room(&self) -> bool {
        self.store.is_out_of_room()
    }

    /// Lets the run go, and all that it locked if it is over.
    pub(super) async fn close(self) -> Result<Run, StoreError> {
        let (store, lease, over) = (self.store, self.lease, self.run.is_finished());
        blocking(move || {
            if over && !on(Mistake::LocksStay) {
                store.unlock(&lease)?;
            }
            store.release(&lease)
        })
        .await?;
        Ok(self.run)
    }
}
