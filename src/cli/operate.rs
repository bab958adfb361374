//! Drives a run in this process, in front of somebody or beside other runs: the world, the screen, Ctrl-C, and the people of
//! a sandbox.

use super::connected::Connected;
use super::herald::Herald;
use super::people::People;
use super::sandbox::Control;
use super::signals::Signals;
use super::stored::{self, Known};
use super::{Context, Exit, Failure, actions, crowds, orders, plans, runtime, screen};
use crate::adapter::{Http, SystemClock};
use crate::driver::{DriveError, Driven, Driver, Interruption, Observer, Redactor, Rest};
use crate::plan::StepIx;
use crate::port::{Clock, WriteHttp};
use crate::report::{self, Fact, Renderer, Runbook, Story};
use crate::run::{Actor, Curve, Event, Order, Refusal, Run};
use crate::store::{Owner, Recorded, SqliteStore, Takeover};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// For how long a run stays ours if this process falls silent.
const LEASE: Duration = Duration::from_secs(15);
/// How often countdowns move, on the wall clock.
const TICK: Duration = Duration::from_millis(125);

/// How a run is driven.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct DriveArgs {
    /// In a sandbox: do not answer approvals as its people would, but wait for `switchover approve`
    #[arg(long, env = "SWITCHOVER_ASK", hide_env_values = true)]
    pub(super) ask: bool,
    /// While the run is paused: wait for orders, or exit and be resumed later; the same once a new run bakes [default: wait on
    /// a terminal]
    #[arg(long, env = "SWITCHOVER_ON_PAUSE", hide_env_values = true, value_name = "wait|exit")]
    pub(super) on_pause: Option<OnPause>,
    /// The guards of a run that bakes are watched here, also where nobody is there.
    #[arg(skip)]
    pub(super) watches: bool,
}

/// What to do while a run is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum OnPause {
    /// Wait for orders from other terminals
    Wait,
    /// End; the run can be resumed
    Exit,
}

/// Takes a run over that nobody drives. `order` is what it is taken over for.
pub(super) fn take_over(
    context: &Context,
    store: Arc<SqliteStore>,
    known: Known,
    order: Option<u64>,
) -> Result<Exit, Failure> {
    drive(context, store, known, &DriveArgs::default(), order)
}

/// Drives a run until it ends, stops, or this process is asked to.
pub(super) fn drive(
    context: &Context,
    store: Arc<SqliteStore>,
    known: Known,
    args: &DriveArgs,
    order: Option<u64>,
) -> Result<Exit, Failure> {
    let runtime = runtime()?;
    let connecting = async {
        let mut signals = Signals::listen()?;
        let connecting = connect(context, &known);
        let connected =
            signals.unless_asked(Box::pin(connecting)).await.map_err(|failure| match failure.exit {
                Exit::Interrupted | Exit::Terminated => {
                    failure.hint(format!("`{}`", context.commands.run("resume", &known.record.id.0)))
                }
                _ => failure,
            })?;
        Ok::<_, Failure>((connected, signals))
    };
    let (connected, signals) = runtime.block_on(connecting)?;
    drive_on(runtime, context, Begun { store, known, connected, signals }, args, order)
}

async fn connect(context: &Context, known: &Known) -> Result<Connected, Failure> {
    known.is_readable(context)?;
    let (folder, wiring) = (plans::folder_of(&known.record), known.record.wiring.clone());
    Connected::to(context, &known.plan, &folder, wiring).await
}

/// Drives a run on a runtime that others share, until it ends, waits for a person, or `interruption` says so.
pub(super) async fn drive_beside(
    context: &Context,
    store: Arc<SqliteStore>,
    known: Known,
    interruption: Interruption,
    renderer: Box<dyn Renderer>,
) -> Result<(), Failure> {
    let connected = connect(context, &known).await?;
    let session = Session { context, store, known, connected };
    let show = session.show(vec![renderer], None);
    let args = DriveArgs { ask: false, on_pause: Some(OnPause::Exit), watches: true };
    let driven = session.drive(&show, interruption, &args).await.map_err(|error| session.failed(&error))?;
    session.leave_sandbox(driven.rest).await;
    Ok(())
}

/// A run, and all it needs.
pub(super) struct Begun {
    pub(super) store: Arc<SqliteStore>,
    pub(super) known: Known,
    pub(super) connected: Connected,
    /// Heard since before the run was there: none is lost.
    pub(super) signals: Signals,
}

/// The same, on the runtime that its connections belong to.
pub(super) fn drive_on(
    runtime: tokio::runtime::Runtime,
    context: &Context,
    begun: Begun,
    args: &DriveArgs,
    order: Option<u64>,
) -> Result<Exit, Failure> {
    let Begun { store, known, connected, signals } = begun;
    let session = Session { context, store, known, connected };
    let told = runtime.block_on(session.drive_in_front(signals, args, order));
    // A look that blocks must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    told
}

/// What the screen shows; the ticker shares it.
struct Show {
    story: Story,
    renderers: Vec<Box<dyn Renderer>>,
    clock: SystemClock,
    order: Option<u64>,
    refused: Option<(Order, Refusal)>,
}

/// Tells the screen.
struct Screen(Arc<Mutex<Show>>);

impl Show {
    fn lock(show: &Mutex<Self>) -> std::sync::MutexGuard<'_, Self> {
        show.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&mut self, recorded: &Recorded, shown: bool) {
        let Self { story, renderers, .. } = self;
        actions::take(story, recorded);
        if shown {
            renderers.fact(story, &Fact { seq: recorded.seq.0, at: recorded.at, event: &recorded.event });
        }
        if let Event::OrderRefused { id, order, refusal, .. } = &recorded.event
            && Some(*id) == self.order
        {
            self.refused = Some((order.clone(), refusal.clone()));
        }
    }
}

impl Observer for Screen {
    fn on_event(&mut self, _: &Run, recorded: &Recorded) {
        Show::lock(&self.0).take(recorded, true);
    }
    fn on_replayed(&mut self, _: &Run, recorded: &Recorded) {
        Show::lock(&self.0).take(recorded, false);
    }
    fn on_progress(&mut self, _: &Run, step: StepIx, text: &str) {
        let show = &mut *Show::lock(&self.0);
        show.story.hear(step, text);
        show.renderers.progress(&show.story, show.clock.now(), step, text);
    }
    fn on_curves(&mut self, _: &Run, step: StepIx, curves: &[Curve]) {
        Show::lock(&self.0).story.see(step, curves.to_vec());
    }
    fn on_guard(&mut self, _: &Run, guard: usize, curve: &Curve) {
        Show::lock(&self.0).story.see_guard(guard, curve.clone());
    }
    fn on_takeover(&mut self, takeover: &Takeover) {
        let Takeover { resource, reason, .. } = takeover;
        Show::lock(&self.0).renderers.say(&format!("the lock on {resource} was {reason}"));
    }
    fn on_notice(&mut self, text: &str) {
        Show::lock(&self.0).renderers.say(text);
    }
}

/// A run being driven.
struct Session<'c> {
    context: &'c Context,
    store: Arc<SqliteStore>,
    known: Known,
    connected: Connected,
}

impl Session<'_> {
    fn driver(
        &self,
        args: &DriveArgs,
        interruption: Interruption,
        observers: Vec<Box<dyn Observer>>,
    ) -> Driver {
        let by = self.known.record.by.as_str();
        let stay = match args.on_pause {
            Some(choice) => choice == OnPause::Wait,
            None => self.context.interactive,
        };
        Driver {
            store: self.store.clone(),
            run: self.known.record.id.clone(),
            plan: self.known.plan.clone(),
            actions: self.connected.actions.clone(),
            locks: self.locks(),
            world: self.connected.world.clone(),
            wall: Arc::new(SystemClock::wall()),
            secrets: self.connected.secrets.scope(),
            redactor: Redactor::new(self.connected.secrets.hidden()),
            beats: self
                .known
                .record
                .wiring
                .is_none()
                .then(|| Arc::new(Http::new(None)) as Arc<dyn WriteHttp>),
            by: Actor { name: by.into(), automatic: false },
            owner: Owner::this_process(),
            lease: LEASE,
            stay,
            // A sandbox that ends with its run is watched by nobody else.
            watches: stay || args.watches || self.sandbox_ends_with_run(),
            interruption,
            observers,
        }
    }

    fn sandbox_ends_with_run(&self) -> bool {
        self.known.record.wiring.as_ref().is_some_and(|wiring| wiring.ends_with_run)
    }

    /// What a sandbox holds is held nowhere else: a rehearsal keeps nobody from production.
    fn locks(&self) -> Vec<String> {
        let wiring = self.known.record.wiring.as_ref();
        let place = wiring.map(|wiring| format!(" of the sandbox at {}", wiring.control)).unwrap_or_default();
        self.connected.actions.resources().into_iter().map(|resource| resource + &place).collect()
    }

    fn show(&self, renderers: Vec<Box<dyn Renderer>>, order: Option<u64>) -> Arc<Mutex<Show>> {
        let record = &self.known.record;
        let story = Story::new(record.id.0.clone(), self.known.plan.clone());
        let clock = stored::clock_of(record);
        Arc::new(Mutex::new(Show { story, renderers, clock, order, refused: None }))
    }

    async fn drive(
        &self,
        show: &Arc<Mutex<Show>>,
        interruption: Interruption,
        args: &DriveArgs,
    ) -> Result<Driven, DriveError> {
        let (plan, record) = (self.known.plan.clone(), &self.known.record);
        let mut observers: Vec<Box<dyn Observer>> = vec![Box::new(Screen(show.clone()))];
        let herald = record.wiring.as_ref().map(|wiring| Herald::start(Control::of(wiring), plan.clone()));
        if let Some(herald) = &herald {
            observers.push(herald.observer());
        }
        if let Some(wiring) = record.wiring.as_ref().filter(|_| !args.ask) {
            let clock = stored::clock_of(record);
            let people = People::new(wiring, plan, self.store.clone(), record.id.clone(), clock);
            people.answer_what_is_asked(&self.known.story);
            observers.push(Box::new(people));
        }
        let driven = self.driver(args, interruption, observers).drive().await;
        if let Some(herald) = herald {
            herald.finish().await;
        }
        driven
    }

    async fn drive_in_front(
        self,
        signals: Signals,
        args: &DriveArgs,
        order: Option<u64>,
    ) -> Result<Exit, Failure> {
        let record = &self.known.record;
        let show = self.show(screen::live(self.context, &self.known.plan), order);
        let interruption = Interruption::default();
        let ended_by = Arc::new(Mutex::new(None));
        let watch = tokio::spawn(watch(signals, interruption.clone(), ended_by.clone(), show.clone()));
        let tick = tokio::spawn(tick(show.clone()));
        let crowds = tokio::spawn(crowds::tell(self.context.budgets.clone(), {
            let show = show.clone();
            move |text: &str| Show::lock(&show).renderers.say(text)
        }));
        let driven = self.drive(&show, interruption, args).await;
        watch.abort();
        tick.abort();
        crowds.abort();
        {
            let show = &mut *Show::lock(&show);
            show.renderers.end(&show.story, show.clock.now());
        }
        let driven = driven.map_err(|error| self.failed(&error))?;
        let signal = ended_by.lock().unwrap_or_else(PoisonError::into_inner).take();
        let exit = match driven.rest {
            Rest::Finished | Rest::Waiting | Rest::Baking => Exit::of(&driven.run),
            Rest::Interrupted | Rest::Exited => signal.unwrap_or(Exit::Interrupted),
            Rest::OutOfRoom => Exit::Stopped,
        };
        let (told, refused) = {
            let show = &mut *Show::lock(&show);
            (show.story.clone(), show.refused.take())
        };
        self.tell(&told, driven.rest, exit).await?;
        self.leave_sandbox(driven.rest).await;
        match (&refused, driven.rest) {
            (Some((order, refusal)), _) => Err(orders::refused(self.context, &record.id.0, order, refusal)),
            (None, Rest::OutOfRoom) => {
                Err(Failure::new(exit, "there is no room left for the journal; the run is paused")
                    .hint(format!(
                        "free some space, then `{}`",
                        self.context.commands.run("resume", &record.id.0)
                    ))
                    .see(Runbook::JournalFull))
            }
            (None, _) => Ok(exit),
        }
    }

    /// Tells how it ended.
    async fn tell(&self, story: &Story, rest: Rest, exit: Exit) -> Result<(), Failure> {
        let traffic = match &self.connected.control {
            Some(control) => control.traffic().await,
            None => Vec::new(),
        };
        let extras = actions::extras(story, traffic, self.context.commands.clone());
        let now = self.known.now();
        if let Err(failure) = screen::tell(self.context, story, now, &extras, Some(exit)) {
            // How the run ended is not lost where it cannot be written.
            self.context.say(&failure.render(self.context.err));
            self.context.say(&report::summary(story, now, &extras, self.context.err));
        }
        if let (Rest::Baking, Some(until), false) = (rest, story.run.bakes_until(), self.context.is_json()) {
            let suffix = &self.context.commands.suffix;
            self.context.say(&format!(
                "completed; bakes until {until}: `switchover serve --take-up{suffix}` watches it"
            ));
        }
        if let Some(wiring) = self.known.record.wiring.as_ref()
            && wiring.ends_with_run
            && rest != Rest::Finished
            && !self.context.is_json()
        {
            self.context.say(&format!(
                "the sandbox goes on at {}; it ends by itself after ten idle minutes",
                wiring.control
            ));
        }
        Ok(())
    }

    /// Ends a sandbox that is needed no more.
    async fn leave_sandbox(&self, rest: Rest) {
        if let Some(control) = &self.connected.control
            && rest == Rest::Finished
            && self.sandbox_ends_with_run()
        {
            control.stop().await;
        }
    }

    fn failed(&self, error: &DriveError) -> Failure {
        let id = &self.known.record.id.0;
        match error {
            DriveError::Store(error) => stored::failed(self.context, error),
            DriveError::LeaseLost(source) => Failure::new(Exit::Stopped, error.to_string())
                .because(source.to_string())
                .hint(format!("`{}` shows where it goes on", self.context.commands.run("watch", id)))
                .see(Runbook::LeaseLost),
            DriveError::Illegal { .. } => Failure::new(Exit::Stopped, error.to_string())
                .hint(format!("`{} --verify` looks at its chain", self.context.commands.run("log", id)))
                .see(Runbook::JournalBroken),
        }
    }
}

/// The first signal pauses the run, the second ends the process.
async fn watch(
    mut signals: Signals,
    interruption: Interruption,
    ended_by: Arc<Mutex<Option<Exit>>>,
    show: Arc<Mutex<Show>>,
) {
    let mut first = true;
    loop {
        let exit = signals.next().await;
        *ended_by.lock().unwrap_or_else(PoisonError::into_inner) = Some(exit);
        let text = if first {
            "stopping: the call in flight is finished first, then the run pauses; once more to exit now"
        } else {
            "exiting now; what is in flight is looked at when the run is resumed"
        };
        Show::lock(&show).renderers.say(text);
        first = false;
        interruption.ask();
    }
}

/// Moves the countdowns.
async fn tick(show: Arc<Mutex<Show>>) {
    let mut every = tokio::time::interval(TICK);
    loop {
        every.tick().await;
        let show = &mut *Show::lock(&show);
        show.renderers.tick(&show.story, show.clock.now());
    }
}
