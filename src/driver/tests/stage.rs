//! A state directory, a plan of cells, and processes that drive it and die.

use super::world::{Cell, Cells, Empty, Nature};
use crate::action::AnyAction;
use crate::adapter::SystemClock;
use crate::driver::{Actions, DriveError, Driven, Driver, Interruption, Observer, Redactor};
use crate::plan::{Kind, Plan, Policy, Span, Step, StepIx, Timestamp, Use, Value};
use crate::port::{Clock, WriteHttp};
use crate::run::{Actor, Order, Run};
use crate::signal::Watch;
use crate::store::record::OrderRecord;
use crate::store::{
    Barred, Entry, Holder, Lease, NewRun, OrderEntry, Owner, Recorded, RunId, RunRecord, Seq, SqliteStore,
    Store, StoreError, Stored, Takeover, Told, give_order,
};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// Where a store fails, as if the process had died there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Crash {
    Before(u64),
    After(u64),
}

/// A store that dies once.
#[derive(Debug)]
pub(super) struct Mortal {
    inner: Arc<SqliteStore>,
    crash: Mutex<Option<Crash>>,
    pub(super) out_of_room: AtomicBool,
    pub(super) appends: AtomicUsize,
    pub(super) renewals: AtomicUsize,
    /// So many renewals find the store busy.
    pub(super) busy: AtomicUsize,
    /// Appends do not come back.
    pub(super) hangs: AtomicBool,
}

impl Store for Mortal {
    fn create(&self, run: NewRun) -> Result<RunRecord, StoreError> {
        self.inner.create(run)
    }
    fn run(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        self.inner.run(run)
    }
    fn runs(&self, now: Timestamp) -> Result<Vec<Told>, StoreError> {
        self.inner.runs(now)
    }
    fn ids(&self) -> Result<Vec<RunId>, StoreError> {
        self.inner.ids()
    }
    fn holder(&self, run: &RunId, now: Timestamp) -> Result<Option<Holder>, StoreError> {
        self.inner.holder(run, now)
    }
    fn acquire(
        &self,
        run: &RunId,
        owner: &Owner,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Lease, StoreError> {
        self.inner.acquire(run, owner, ttl, now)
    }
    fn renew(&self, lease: &Lease, ttl: Duration, now: Timestamp) -> Result<(), StoreError> {
        self.renewals.fetch_add(1, Ordering::Relaxed);
        let waits = |left: usize| left.checked_sub(1);
        if self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, waits).is_ok() {
            return Err(StoreError::Busy { path: "switchover.db".into() });
        }
        self.inner.renew(lease, ttl, now)
    }
    fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.inner.release(lease)
    }
    fn bar(&self, lease: &Lease, wanted: &[String], now: Timestamp) -> Result<Vec<Barred>, StoreError> {
        self.inner.bar(lease, wanted, now)
    }
    fn lock(
        &self,
        lease: &Lease,
        wanted: &[String],
        barred: &[Barred],
        now: Timestamp,
    ) -> Result<Option<Vec<Takeover>>, StoreError> {
        self.inner.lock(lease, wanted, barred, now)
    }
    fn unlock(&self, lease: &Lease) -> Result<(), StoreError> {
        self.inner.unlock(lease)
    }
    fn append(&self, lease: &Lease, after: Seq, entries: &[Entry]) -> Result<Seq, StoreError> {
        self.appends.fetch_add(1, Ordering::Relaxed);
        while self.hangs.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let last = after.0 + entries.len() as u64;
        let died = || StoreError::Unknown { run: lease.run.clone(), reason: "died".into() };
        let mut crash = self.crash.lock().unwrap();
        match *crash {
            Some(Crash::Before(seq)) if seq <= last => {
                *crash = None;
                Err(died())
            }
            Some(Crash::After(seq)) if seq <= last => {
                *crash = None;
                self.inner.append(lease, after, entries)?;
                Err(died())
            }
            _ => self.inner.append(lease, after, entries),
        }
    }
    fn read(&self, run: &RunId, from: Seq) -> Result<Vec<Stored>, StoreError> {
        self.inner.read(run, from)
    }
    fn is_out_of_room(&self) -> bool {
        self.out_of_room.load(Ordering::Relaxed)
    }
    fn order(&self, run: &RunId, by: &Actor, order: &OrderRecord, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.order(run, by, order, now)
    }
    fn orders_after(&self, run: &RunId, id: u64) -> Result<Vec<OrderEntry>, StoreError> {
        self.inner.orders_after(run, id)
    }
    fn orders_mark(&self) -> Result<u64, StoreError> {
        self.inner.orders_mark()
    }
}

/// What an observer saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) events: Vec<Recorded>,
    pub(super) replayed: usize,
    pub(super) progress: Vec<String>,
    pub(super) notices: Vec<String>,
}

struct Watcher(Arc<Mutex<Seen>>);

impl Observer for Watcher {
    fn on_event(&mut self, run: &Run, recorded: &Recorded) {
        // The run is as it was right after this fact.
        assert!(run.is_live() || run.is_finished());
        self.0.lock().unwrap().events.push(recorded.clone());
    }
    fn on_replayed(&mut self, _: &Run, _: &Recorded) {
        self.0.lock().unwrap().replayed += 1;
    }
    fn on_progress(&mut self, _: &Run, _: StepIx, text: &str) {
        self.0.lock().unwrap().progress.push(text.to_owned());
    }
    fn on_notice(&mut self, text: &str) {
        self.0.lock().unwrap().notices.push(text.to_owned());
    }
}

/// A run, its world, and what happened.
pub(super) struct Stage {
    pub(super) directory: Arc<TempDir>,
    pub(super) store: Arc<Mortal>,
    pub(super) run: RunId,
    pub(super) plan: Arc<Plan>,
    pub(super) actions: Arc<Actions>,
    pub(super) cells: Arc<Mutex<Cells>>,
    pub(super) world: Arc<Empty>,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) interruption: Interruption,
    pub(super) secrets: Vec<(&'static str, &'static str)>,
    pub(super) stay: bool,
    pub(super) watches: bool,
    pub(super) beats: Option<Arc<dyn WriteHttp>>,
}

pub(in crate::driver) fn ana() -> Actor {
    Actor { name: "ana".into(), automatic: false }
}

pub(in crate::driver) fn step(id: &str, needs: Vec<StepIx>) -> Step {
    let with = Value::from_json(&json!({}), Span::default());
    let uses = Use { kind: "cell".into(), with, constants: Arc::default() };
    Step::new(id, Kind::Act(Some(uses)), needs)
}

/// Steps one after the other.
pub(in crate::driver) fn chain(ids: &[&str]) -> Plan {
    let need =
        |place: usize| place.checked_sub(1).map(|n| StepIx(u32::try_from(n).unwrap())).into_iter().collect();
    Plan {
        name: "cells".into(),
        summary: None,
        owner: None,
        production: false,
        steps: ids.iter().enumerate().map(|(place, id)| step(id, need(place))).collect(),
        pools: Vec::new(),
        guards: Vec::new(),
        targets: Vec::new(),
        secrets: Vec::new(),
        people: Vec::new(),
        policy: Policy::default(),
    }
}

impl Stage {
    /// A new run of this plan; cells have these natures, `Fine` where none is named.
    pub(super) fn new(plan: Plan, natures: &[(&str, Nature)]) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let store = Arc::new(SqliteStore::open(directory.path()).unwrap());
        Self::among(directory, store, plan, natures, Vec::new())
    }

    /// The same beside other runs, with guards.
    pub(super) fn among(
        directory: Arc<TempDir>,
        store: Arc<SqliteStore>,
        plan: Plan,
        natures: &[(&str, Nature)],
        guards: Vec<Watch>,
    ) -> Self {
        let new = NewRun {
            plan: "cells".into(),
            sources: Vec::new(),
            params: serde_json::Map::new(),
            wiring: None,
            only_prepare: false,
            world_lock: false,
            created: SystemClock::wall().now(),
            by: "ana".into(),
            tool: "0.1.0".into(),
        };
        let run = store.create(new).unwrap().id;
        let cells = Arc::new(Mutex::new(Cells::default()));
        let action = |step: &Step| {
            let nature = natures.iter().find(|(name, _)| *name == &*step.id.0);
            let nature = nature.map(|(_, nature)| nature.clone()).unwrap_or_default();
            let cell = Cell { name: step.id.to_string(), nature, cells: cells.clone() };
            matches!(step.kind, Kind::Act(_)).then(|| Arc::new(cell) as Arc<dyn AnyAction>)
        };
        let actions = Arc::new(Actions::from_parts(plan.steps.iter().map(action).collect(), guards));
        Self {
            directory,
            store: Arc::new(Mortal {
                inner: store,
                crash: Mutex::new(None),
                out_of_room: AtomicBool::new(false),
                appends: AtomicUsize::new(0),
                renewals: AtomicUsize::new(0),
                busy: AtomicUsize::new(0),
                hangs: AtomicBool::new(false),
            }),
            run,
            plan: Arc::new(plan),
            actions,
            cells,
            world: Arc::new(Empty::new()),
            seen: Arc::default(),
            interruption: Interruption::default(),
            secrets: Vec::new(),
            stay: false,
            watches: true,
            beats: None,
        }
    }

    pub(super) fn driver(&self) -> Driver {
        let secrets = self.secrets.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        Driver {
            store: self.store.clone(),
            run: self.run.clone(),
            plan: self.plan.clone(),
            actions: self.actions.clone(),
            locks: self.actions.resources(),
            world: self.world.clone(),
            wall: Arc::new(SystemClock::wall()),
            secrets,
            redactor: Redactor::new(self.secrets.iter().map(|(_, value)| value)),
            beats: self.beats.clone(),
            by: ana(),
            owner: Owner { host: "test".into(), pid: 1, birth: String::new() },
            lease: Duration::from_secs(60),
            stay: self.stay,
            watches: self.watches,
            interruption: self.interruption.clone(),
            observers: vec![Box::new(Watcher(self.seen.clone()))],
        }
    }

    pub(super) async fn drive(&self) -> Result<Driven, DriveError> {
        self.driver().drive().await
    }

    /// The next process dies there.
    pub(super) fn crash_at(&self, crash: Crash) {
        *self.store.crash.lock().unwrap() = Some(crash);
    }

    /// Whether it has died.
    pub(super) fn has_crashed(&self) -> bool {
        self.store.crash.lock().unwrap().is_none()
    }

    /// From another terminal.
    pub(super) fn order(&self, order: &Order) {
        let terminal = SqliteStore::open(self.directory.path()).unwrap();
        give_order(&terminal, &self.run, &self.plan, &ana(), order, SystemClock::wall().now()).unwrap();
    }

    pub(super) fn value(&self, cell: &str) -> String {
        self.cells.lock().unwrap().values.get(cell).cloned().unwrap_or_else(|| "old".into())
    }

    pub(super) fn writes(&self) -> Vec<String> {
        self.cells.lock().unwrap().writes.clone()
    }

    /// What the journal holds, as text.
    pub(super) fn journal(&self) -> Vec<String> {
        let stored = self.store.read(&self.run, Seq(1)).unwrap();
        stored.into_iter().map(|event| event.body).collect()
    }

    /// Waits until something was recorded that says this.
    pub(super) async fn until(&self, text: &str) {
        while !self.journal().iter().any(|line| line.contains(text)) {
            let wall = SystemClock::wall();
            wall.sleep_until(wall.now().after(Duration::from_millis(2))).await;
        }
    }
}
