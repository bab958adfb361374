//! The loop.

use super::desk::{Desk, waits_for_a_human};
use super::heartbeat::{self, Heartbeat, Listener};
use super::journal::Journal;
use super::tasks::Tasks;
use super::work::{Hands, Host, Progress};
use super::{Actions, Interruption, Observer, Redactor};
use crate::mutant::{Mistake, on};
use crate::plan::{Plan, Scope, Timestamp};
use crate::port::{Clock, WriteHttp, WriteWorld};
use crate::run::{Actor, Input, Mode, Run, follow};
use crate::store::{Barred, Owner, Recorded, RunId, Seq, Store, StoreError};
use serde_json::{Map, Value as Json};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How often other terminals are listened to, on the wall clock.
const LISTEN: Duration = Duration::from_millis(200);

/// Everything that driving a run needs.
pub struct Driver {
    /// Where it is kept.
    pub store: Arc<dyn Store>,
    /// Which run.
    pub run: RunId,
    /// Its plan, as it was pinned.
    pub plan: Arc<Plan>,
    /// What the plan's steps do.
    pub actions: Arc<Actions>,
    /// Names of what it writes: no other run may write them meanwhile.
    pub locks: Vec<String>,
    /// The world, with the clock of the run's time.
    pub world: Arc<dyn WriteWorld>,
    /// The wall clock: leases and orders go by it.
    pub wall: Arc<dyn Clock>,
    /// The plan's secrets, by name.
    pub secrets: Map<String, Json>,
    /// Hides them.
    pub redactor: Redactor,
    /// Sends the plan's heartbeat. `None` where nobody should hear of the run: in a sandbox.
    pub beats: Option<Arc<dyn WriteHttp>>,
    /// Who starts it, if it has not begun.
    pub by: Actor,
    /// This process.
    pub owner: Owner,
    /// For how long the run stays ours if we fall silent. It is renewed three times as often.
    pub lease: Duration,
    /// Wait for orders while it is paused, rather than end.
    pub stay: bool,
    /// Watch the guards of a run that bakes, rather than leave that to another process.
    pub watches: bool,
    /// Ctrl-C.
    pub interruption: Interruption,
    /// Who is told.
    pub observers: Vec<Box<dyn Observer>>,
}

/// How driving ended. What it means for the run, [`crate::run::ending`] says.
#[derive(Debug)]
pub struct Driven {
    /// The run, as its journal has it.
    pub run: Run,
    /// Why this process stopped.
    pub rest: Rest,
}

/// Why a process stopped driving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The run is over.
    Finished,
    /// Nothing more happens without a human.
    Waiting,
    /// All is done, and the guards are kept for a while yet: another process watches them.
    Baking,
    /// Ctrl-C: the run is paused, and no call is under way.
    Interrupted,
    /// Ctrl-C twice: a call may be under way; whoever resumes looks first.
    Exited,
    /// There was no room left to write the journal: the run is paused.
    OutOfRoom,
}

/// Why driving could not go on. The run can be resumed; nothing was done that is not in its journal.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Another process took the run over: this one stopped, and wrote nothing more.
    #[error("the run was taken over while this process was silent; it stopped, and wrote nothing more")]
    LeaseLost(#[source] StoreError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The journal holds, or the machine made, what cannot follow.
    #[error("event {seq} of the journal cannot follow the ones before it")]
    Illegal {
        /// Which.
        seq: Seq,
    },
}

impl From<StoreError> for DriveError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Fenced { .. } => Self::LeaseLost(error),
            other => Self::Store(other),
        }
    }
}

impl DriveError {
    /// What to do now.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::LeaseLost(error) | Self::Store(error) => error.hint(),
            Self::Illegal { .. } => Some(
                "nothing was done. keep the state directory, finish by the runbook, and report it".into(),
            ),
        }
    }
}

impl Driver {
    /// Drives the run until it is over, waits for a human, or this process must stop.
    ///
    /// # Errors
    /// See [`DriveError`]. A run or resource that somebody else holds is a [`StoreError`].
    pub async fn drive(mut self) -> Result<Driven, DriveError> {
        let (store, plan, wall) = (self.store.clone(), self.plan.clone(), self.wall.clone());
        let (mut journal, events) =
            Journal::open(store, plan, wall, &self.run, self.owner.clone(), self.lease).await?;
        let (hands, progress) = self.hands();
        let desk = Desk::new(self.plan.clone(), &self.actions, self.run.0.clone(), self.scope());
        let mut tasks = Tasks::new(hands, desk);
        let mut heartbeat = Heartbeat::new(self.listener());
        let result = self.go(&mut journal, &mut tasks, &mut heartbeat, progress, &events).await;
        // Nothing of ours is sent once the run is let go.
        tasks.drop_all().await;
        match result {
            Ok(rest) => {
                let run = journal.close().await?;
                self.end(heartbeat, &run, rest).await;
                Ok(Driven { run, rest })
            }
            Err(error) => {
                let _ = journal.close().await;
                Err(error)
            }
        }
    }

    fn hands(&self) -> (Arc<Hands>, UnboundedReceiver<Progress>) {
        let (progress, receiver) = unbounded_channel();
        let hands = Hands {
            plan: self.plan.clone(),
            actions: self.actions.clone(),
            world: self.world.clone(),
            redactor: self.redactor.clone(),
            host: Host::Runtime { wall: self.wall.clone(), progress },
        };
        (Arc::new(hands), receiver)
    }

    /// Who listens to the plan's heartbeat.
    fn listener(&self) -> Option<Listener> {
        let (told, http) = (self.plan.policy.heartbeat.as_ref()?, self.beats.clone()?);
        // The plan was read: nothing but its secrets stands there, and all of them are known.
        let url = told.url.render(&self.scope()).unwrap_or_default();
        let secrets = self.secrets.values().filter_map(Json::as_str).map(str::to_owned);
        let hidden = secrets.chain(heartbeat::hidden(&told.url, &url));
        Some(Listener {
            http,
            wall: self.wall.clone(),
            url,
            every: told.every,
            run: self.run.0.to_string(),
            plan: self.plan.name.to_string(),
            redactor: Redactor::new(hidden),
        })
    }

    /// Says that this process drives the run no more, unless it is to exit now.
    async fn end(&mut self, heartbeat: Heartbeat, run: &Run, rest: Rest) {
        let exits = self.interruption.clone();
        let told = tokio::select! {
            biased;
            () = exits.to_exit() => None,
            told = heartbeat.end(run), if rest != Rest::Exited => told,
        };
        self.notice(told);
    }

    fn notice(&mut self, text: Option<String>) {
        if let Some(text) = text {
            self.observers.iter_mut().for_each(|observer| observer.on_notice(&text));
        }
    }

    fn scope(&self) -> Scope {
        let mut run = Map::new();
        run.insert("id".into(), self.run.0.to_string().into());
        Scope { secrets: self.secrets.clone(), run, ..Scope::default() }
    }

    async fn go(
        &mut self,
        journal: &mut Journal,
        tasks: &mut Tasks,
        heartbeat: &mut Heartbeat,
        mut progress: UnboundedReceiver<Progress>,
        events: &[Recorded],
    ) -> Result<Rest, DriveError> {
        journal.replay(events, &mut self.observers)?;
        for recorded in events {
            tasks.learn(recorded.at, &recorded.event);
        }
        let mut inputs: Vec<Input> = self.first_input(&journal.run).into_iter().collect();
        inputs.extend(orders(journal).await?);
        if !inputs.is_empty()
            && let Some(rest) = self.lock(journal, heartbeat).await?
        {
            return Ok(rest);
        }
        let mut stopping = None;
        let mut listen = self.wall.now();
        loop {
            self.take(journal, tasks, &inputs).await?;
            inputs.clear();
            if journal.is_out_of_room() && stopping.is_none() {
                stopping = Some(Rest::OutOfRoom);
                inputs.push(Input::OutOfRoom);
                continue;
            }
            tasks.reconcile(&journal.run, stopping.is_some());
            if let Some(rest) = self.rest(&journal.run, tasks, stopping) {
                return Ok(rest);
            }
            heartbeat.beat(&journal.run);
            let forgets = on(Mistake::LeaseNotRenewed) && tasks.are_writing();
            tokio::select! {
                ended = tasks.next() => inputs.extend(tasks.hear(ended)),
                Some(news) = progress.recv() => self.tell(&journal.run, &news),
                told = heartbeat.next(&*self.wall) => self.notice(told),
                () = self.wall.sleep_until(listen) => {
                    listen = self.wall.now().after(LISTEN);
                    match orders(journal).await {
                        Ok(orders) => inputs.extend(orders),
                        // It passes by itself, and breaks off no call.
                        Err(DriveError::Store(StoreError::Busy { .. })) => {}
                        Err(error) => return Err(error),
                    }
                }
                () = self.wall.sleep_until(journal.renewal()), if !forgets => journal.renew().await?,
                () = self.interruption.to_pause(), if stopping.is_none() => {
                    stopping = Some(Rest::Interrupted);
                    inputs.push(Input::Interrupted);
                }
                () = self.interruption.to_exit() => return Ok(Rest::Exited),
            }
            // What else is there already is recorded with it: one sync for all.
            while let Some(ended) = tasks.more() {
                inputs.extend(tasks.hear(ended));
            }
            while let Ok(news) = progress.try_recv() {
                self.tell(&journal.run, &news);
            }
        }
    }

    fn first_input(&self, run: &Run) -> Option<Input> {
        match run.mode {
            Mode::Idle => Some(Input::Begin { by: self.by.clone() }),
            Mode::Forward | Mode::Rollback => Some(Input::Resume { owner: self.owner.to_string().into() }),
            Mode::Finished(_) => None,
        }
    }

    /// Whoever has a lock that is to be taken over may have announced a call that is sent yet, or lands late: that is waited
    /// out before the lock changes hands, so that whoever comes after one that dies waiting waits, too. `Some` if this process
    /// is asked to stop meanwhile.
    async fn lock(
        &mut self,
        journal: &mut Journal,
        heartbeat: &mut Heartbeat,
    ) -> Result<Option<Rest>, DriveError> {
        loop {
            let barred = journal.bar(self.locks.clone()).await?;
            if let Some(rest) = self.wait_out(&barred, journal, heartbeat).await? {
                return Ok(Some(rest));
            }
            // Where somebody has run one of them meanwhile, that is waited out, too.
            let Some(takeovers) = journal.lock(self.locks.clone(), barred).await? else { continue };
            for takeover in takeovers {
                self.observers.iter_mut().for_each(|observer| observer.on_takeover(&takeover));
            }
            return Ok(None);
        }
    }

    /// Waits until nothing lands any more of what these runs have announced.
    async fn wait_out(
        &mut self,
        barred: &[Barred],
        journal: &mut Journal,
        heartbeat: &mut Heartbeat,
    ) -> Result<Option<Rest>, DriveError> {
        let mut quiet = Timestamp::PAST;
        for barred in barred {
            if let Some(until) = journal.open_until(&barred.run).await? {
                quiet = quiet.max(until.after(self.plan.policy.grace));
            }
        }
        let (clock, wall) = (self.world.clone(), self.wall.clone());
        if clock.clock().now() < quiet {
            let text = format!("a call that was announced before may land until {quiet}: that is waited for");
            self.notice(Some(text));
        }
        while clock.clock().now() < quiet {
            heartbeat.beat(&journal.run);
            tokio::select! {
                told = heartbeat.next(&*wall) => self.notice(told),
                () = clock.clock().sleep_until(quiet) => {}
                () = wall.sleep_until(journal.renewal()) => journal.renew().await?,
                () = self.interruption.to_pause() => return Ok(Some(Rest::Interrupted)),
            }
        }
        Ok(None)
    }

    async fn take(
        &mut self,
        journal: &mut Journal,
        tasks: &mut Tasks,
        inputs: &[Input],
    ) -> Result<(), DriveError> {
        if inputs.is_empty() {
            return Ok(());
        }
        let now = self.world.clock().now();
        if on(Mistake::EffectFirst) {
            tasks.reconcile(&follow(&journal.run, inputs, now).1, false);
            let done = if tasks.are_writing() { LISTEN * 5 } else { Duration::ZERO };
            self.wall.sleep_until(self.wall.now().after(done)).await;
        }
        for event in journal.take(inputs, now, &mut self.observers).await? {
            tasks.learn(now, &event);
        }
        Ok(())
    }

    fn tell(&mut self, run: &Run, news: &Progress) {
        self.observers.iter_mut().for_each(|observer| match news {
            Progress::Says(step, text) => observer.on_progress(run, *step, text),
            Progress::Step(step, curves) => observer.on_curves(run, *step, curves),
            Progress::Guard(guard, curve) => observer.on_guard(run, *guard, curve),
        });
    }

    /// Whether this process has nothing more to do.
    fn rest(&self, run: &Run, tasks: &Tasks, stopping: Option<Rest>) -> Option<Rest> {
        if run.is_finished() {
            return Some(Rest::Finished);
        }
        if tasks.are_writing() {
            return None;
        }
        if stopping.is_some() {
            return stopping;
        }
        if !self.watches && run.bakes_until().is_some() && !run.is_held() {
            return Some(Rest::Baking);
        }
        (!self.stay && waits_for_a_human(run)).then_some(Rest::Waiting)
    }
}

async fn orders(journal: &mut Journal) -> Result<Vec<Input>, DriveError> {
    let orders = journal.orders().await?;
    Ok(orders.into_iter().map(|(id, by, order)| Input::Ordered { id, by, order }).collect())
}
