//! Triggers: an order to roll back, or to trip a guard, that no person gives. It goes the way of every order, and what became
//! of it is told.

use super::hosted::Hosted;
use super::stored::{self, Known};
use super::{Context, orders, sandbox};
use crate::plan::{OnBreach, Plan, Timestamp};
use crate::report;
use crate::run::{Actor, Event, Order, PauseCause, Refusal, Rewind};
use crate::store::record::{ModeRecord, SandboxRecord};
use crate::store::{self, Listed, Recorded, Seq, Store, StoreError};
use crate::web::{Became, Runs, Told, Trigger, Unheard};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How often an answer is looked for, on the wall clock.
const PERIOD: Duration = Duration::from_millis(25);

/// For how many periods a request waits for all its answers: within a second it has one of its own.
const PATIENCE: u32 = 28;

/// What somebody outside wants of a run.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// A guard of its plan trips, by its id; none: it rolls back.
    pub(super) guard: Option<String>,
    pub(super) by: String,
    pub(super) reason: String,
}

/// A trigger that was given to a run.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) known: Known,
    pub(super) wish: Wish,
    /// Its number among the run's orders, or what became of it at once.
    pub(super) order: Result<u64, Reply>,
    /// Somebody drives the run, or will at once.
    pub(super) awaited: bool,
}

/// What a run made of a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// It rolls back.
    RollingBack,
    /// It did already.
    AlreadyRollingBack,
    /// It pauses, or did already: a person decides.
    Held(PauseCause),
    /// It rolls back then, unless a person says no.
    Announced(Timestamp),
    /// The guard tripped, and nothing follows from that.
    Tripped,
    /// The guard had tripped before.
    AlreadyTripped,
    /// Nothing.
    Refused(Refusal),
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AlreadyRollingBack => Self::AlreadyRollingBack,
            Refusal::AlreadyTripped => Self::AlreadyTripped,
            Refusal::HeldBy(cause) => Self::Held(cause),
            other => Self::Refused(other),
        }
    }
}

impl Given {
    /// Nobody drives the run, and whoever did would have something to do.
    pub(super) fn wants_a_driver(&self) -> bool {
        match &self.order {
            _ if self.awaited => false,
            Ok(_) => self.turns_back(),
            Err(Reply::AlreadyRollingBack) => self.halt().is_none(),
            Err(Reply::AlreadyTripped) => self.is_announced(),
            Err(_) => false,
        }
    }

    /// It turns the run back. Nobody takes a run up, and so goes on with it, for the sake of a guard that only asks or tells.
    fn turns_back(&self) -> bool {
        let Some(name) = &self.wish.guard else { return true };
        let mut guards = self.known.plan.guards.iter();
        guards.any(|guard| *guard.id == **name && guard.on_breach == OnBreach::Rollback)
    }

    /// It will turn back by itself, if somebody drives it.
    fn is_announced(&self) -> bool {
        self.known.story.run.announced.is_some() && self.halt().is_none()
    }

    /// A person must decide before the run goes on, whoever drives it.
    pub(super) fn is_halted(&self) -> bool {
        self.halt().is_some()
    }

    /// What keeps the run from going on, whoever drives it.
    fn halt(&self) -> Option<&PauseCause> {
        self.known.story.run.paused.as_ref().filter(|cause| !cause.ends_with_its_process())
    }

    /// How a trigger that no reply has come to is told of.
    pub(super) fn unanswered(&self) -> Told {
        let id = &self.known.record.id;
        let (became, says) = if self.awaited {
            (Became::Recorded, format!("recorded for run {id}; not answered yet"))
        } else {
            (Became::NotDriven, format!("recorded for run {id}; nobody drives it now"))
        };
        self.say(became, says)
    }

    fn say(&self, became: Became, says: String) -> Told {
        let (run, plan) = (self.known.record.id.to_string(), self.known.record.plan.clone());
        let Wish { guard, by, reason } = self.wish.clone();
        Told { run, plan, guard, by, reason, became, says }
    }

    /// What the run is asked for, for people.
    fn asked(&self) -> String {
        self.wish.guard.as_ref().map_or_else(|| "it".into(), |guard| format!("a trip of `{guard}`"))
    }

    /// Its guard, for people.
    fn guard(&self) -> &str {
        self.wish.guard.as_deref().unwrap_or_default()
    }

    /// Why nothing goes on for now, for people.
    fn halted(&self) -> String {
        let halt = self.halt().map(|cause| report::pause(&self.known.plan, cause));
        halt.map(|why| format!(", and is paused: {why}")).unwrap_or_default()
    }

    /// How a reply is told of.
    pub(super) fn told(&self, reply: &Reply) -> Told {
        let id = &self.known.record.id;
        let (became, says) = match reply {
            Reply::RollingBack => (Became::RollingBack, format!("run {id} rolls back")),
            Reply::AlreadyRollingBack if self.wants_a_driver() => {
                (Became::NotDriven, format!("run {id} is rolling back already; nobody drives it now"))
            }
            Reply::AlreadyRollingBack => {
                let halted = self.halted();
                (Became::AlreadyRollingBack, format!("run {id} is rolling back already{halted}"))
            }
            Reply::Announced(at) => {
                let says = format!("run {id} rolls back at {at}, unless somebody says no before that");
                (Became::Announced, says)
            }
            Reply::Tripped => {
                let says = format!("`{}` of run {id} tripped; nothing follows from that now", self.guard());
                (Became::Tripped, says)
            }
            Reply::AlreadyTripped if self.wants_a_driver() => {
                (Became::NotDriven, format!("run {id} is to roll back already; nobody drives it now"))
            }
            Reply::AlreadyTripped => {
                let (guard, halted) = (self.guard(), self.halted());
                (Became::AlreadyTripped, format!("run {id} knows already that `{guard}` tripped{halted}"))
            }
            Reply::Held(cause) => {
                let why = report::pause(&self.known.plan, cause);
                (Became::Held, format!("run {id} is paused, and a person must decide: {why}"))
            }
            Reply::Refused(refusal) => {
                (Became::Refused, format!("run {id} refused {}: {}", self.asked(), report::refused(refusal)))
            }
        };
        self.say(became, says)
    }
}

/// What a trigger tells a run of this plan; none: it has no such guard.
pub(super) fn order(plan: &Plan, wish: &Wish) -> Option<Order> {
    let reason = wish.reason.as_str().into();
    let Some(name) = &wish.guard else { return Some(Order::Rollback { rewind: Rewind::Safe, reason }) };
    let guard = plan.guards.iter().position(|guard| *guard.id == **name)?;
    Some(Order::Trip { guard, reason })
}

/// Gives a trigger to a run. One that waits for an answer is not given again: whoever repeats it changes nothing.
pub(super) fn give(store: &dyn Store, known: Known, wish: Wish) -> Result<Given, StoreError> {
    let order = match order(&known.plan, &wish) {
        Some(order) => record(store, &known, &wish.by, &order)?,
        None => Err(Reply::Refused(Refusal::NoSuchGuard)),
    };
    let awaited = known.driven();
    Ok(Given { known, wish, order, awaited })
}

/// The number of an order that is recorded; or what becomes of it at once.
fn record(
    store: &dyn Store,
    known: &Known,
    by: &str,
    order: &Order,
) -> Result<Result<u64, Reply>, StoreError> {
    let actor = Actor { name: by.into(), automatic: true };
    // Nobody takes a run over for the sake of an order that changes nothing.
    let refusal = orders::refusal(known, &actor, order).filter(|_| !known.driven());
    Ok(match (refusal, waiting(store, known, order)?) {
        (Some(refusal), _) => Err(refusal.into()),
        (None, Some(number)) => Ok(number),
        (None, None) => {
            Ok(store::give_order(store, &known.record.id, &known.plan, &actor, order, stored::now())?)
        }
    })
}

/// The number of a trigger to the same end that the run has not answered.
fn waiting(store: &dyn Store, known: &Known, order: &Order) -> Result<Option<u64>, StoreError> {
    let orders = store::orders_after(store, &known.record.id, &known.plan, known.story.run.last_order)?;
    let is_same = |other: &Order| match (order, other) {
        (Order::Rollback { .. }, Order::Rollback { .. }) => true,
        (Order::Trip { guard, .. }, Order::Trip { guard: other, .. }) => guard == other,
        _ => false,
    };
    let mut orders = orders.into_iter().filter(|(_, by, other)| by.automatic && is_same(other));
    Ok(orders.next().map(|(number, ..)| number))
}

/// Waits until whoever drives the run has replied; `patience` is in periods, and what is left of it is kept.
pub(super) fn hear(
    store: &dyn Store,
    given: &Given,
    patience: &mut u32,
) -> Result<Option<Reply>, StoreError> {
    let number = match &given.order {
        Err(reply) => return Ok(Some(reply.clone())),
        Ok(_) if !given.awaited => return Ok(None),
        Ok(number) => *number,
    };
    let (run, plan) = (&given.known.record.id, &given.known.plan);
    if let Some(reply) = reply(&given.known.events, number) {
        return Ok(Some(reply));
    }
    let mut from = Seq(given.known.last().0 + 1);
    loop {
        let events = store::events(store, run, plan, from)?;
        if let Some(reply) = reply(&events, number) {
            return Ok(Some(reply));
        }
        from = events.last().map_or(from, |last| Seq(last.seq.0 + 1));
        if *patience == 0 {
            return Ok(None);
        }
        *patience -= 1;
        std::thread::sleep(PERIOD);
    }
}

/// What these facts say of an order. What follows from it was recorded with it.
fn reply(events: &[Recorded], number: u64) -> Option<Reply> {
    let mut events = events.iter().map(|recorded| &recorded.event);
    let taken = events.find_map(|event| match event {
        Event::OrderTaken { id, order, .. } if *id == number => Some(Ok(order)),
        Event::OrderRefused { id, refusal, .. } if *id == number => Some(Err(refusal)),
        _ => None,
    })?;
    match taken {
        Err(refusal) => return Some(refusal.clone().into()),
        Ok(Order::Trip { .. }) => return Some(tripped(events)),
        Ok(_) => {}
    }
    let held = events.find_map(|event| match event {
        Event::RollbackStarted { .. } => Some(None),
        Event::RunPaused { cause } => Some(Some(cause)),
        _ => None,
    });
    Some(held.flatten().map_or(Reply::RollingBack, |cause| Reply::Held(cause.clone())))
}

/// What follows from a guard that tripped stands right after that fact.
fn tripped<'e>(mut after: impl Iterator<Item = &'e Event>) -> Reply {
    match after.nth(1) {
        Some(Event::RollbackStarted { .. }) => Reply::RollingBack,
        Some(Event::RollbackAnnounced { at, .. }) => Reply::Announced(*at),
        Some(Event::RunPaused { cause }) => Reply::Held(cause.clone()),
        _ => Reply::Tripped,
    }
}

/// The runs of a state directory, as a server sees them. It is opened for each request: a directory that was moved away
/// and came back needs no restart.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) context: Context,
    /// Takes up runs that nobody drives.
    pub(super) hosted: Option<Arc<Hosted>>,
}

impl Runs for Kept {
    fn trigger(&self, triggers: &[Trigger]) -> Result<Vec<Told>, Unheard> {
        let unheard = |error: StoreError| Unheard(error.to_string());
        // Nothing is created where there is nothing to give orders to.
        let directory = &self.context.state_dir;
        drop(store::SqliteStore::open_to_read(directory).map_err(unheard)?);
        let store = store::SqliteStore::open(directory).map_err(unheard)?;
        let runs = store.runs(stored::now()).map_err(unheard)?;
        // One run that cannot be told of does not hide the others.
        let runs = runs.into_iter().flatten().filter(is_under_way);
        let meant = runs.flat_map(|run| {
            let mut named = BTreeSet::new();
            let fits = triggers.iter().filter(|one| one.aim.fits(&run.id.0, &run.title.plan));
            let first: Vec<&Trigger> = fits.filter(|one| named.insert(&one.guard)).collect();
            first.into_iter().map(move |trigger| (run.clone(), trigger))
        });
        // All are told before any is waited for.
        let given: Vec<_> =
            meant.map(|(run, trigger)| (self.give(&store, &run, trigger), run, trigger)).collect();
        let mut patience = PATIENCE;
        let told = given.into_iter().map(|(given, run, trigger)| match given {
            Ok(given) => heard(&store, &given, &mut patience),
            Err(why) => failed(&run, trigger, why),
        });
        Ok(told.collect())
    }
}

impl Kept {
    fn give(&self, store: &dyn Store, run: &Listed, trigger: &Trigger) -> Result<Given, String> {
        let known = stored::look_to_order(&self.context, store, &run.id);
        let known = known.map_err(|failure| failure.message().to_owned())?;
        let Trigger { guard, by, reason, .. } = trigger.clone();
        let given = give(store, known, Wish { guard, by, reason }).map_err(|error| error.to_string())?;
        let Some(hosted) = self.hosted.as_ref().filter(|_| given.wants_a_driver()) else { return Ok(given) };
        // Whoever takes it up hears of its orders first.
        hosted.take_up(&run.id).map_err(|why| format!("it cannot be taken up: {why}"))?;
        Ok(Given { awaited: true, ..given })
    }
}

fn heard(store: &dyn Store, given: &Given, patience: &mut u32) -> Told {
    match hear(store, given, patience) {
        Ok(Some(reply)) => given.told(&reply),
        // Recorded it is, whatever keeps us from reading on.
        Ok(None) | Err(_) => given.unanswered(),
    }
}

fn failed(run: &Listed, trigger: &Trigger, why: String) -> Told {
    let (id, plan) = (run.id.to_string(), run.title.plan.clone());
    let says = format!("run {id} was not told: {why}");
    let Trigger { guard, by, reason, .. } = trigger.clone();
    Told { run: id, plan, guard, by, reason, became: Became::Failed, says }
}

/// It goes one way or the other, and its world is there.
pub(super) fn is_under_way(run: &Listed) -> bool {
    let is_up = |sandbox: &SandboxRecord| sandbox::is_up(&sandbox.control);
    matches!(run.standing.mode, ModeRecord::Forward | ModeRecord::Rollback)
        && run.title.sandbox.as_ref().is_none_or(is_up)
}
