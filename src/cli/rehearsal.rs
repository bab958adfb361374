//! What a rehearsal is made of: a plan, the world that belongs to it, and the moment at which its runs begin. And how it
//! is played: on threads of its own, so that whoever waits can be told how far it is, and can say that it is enough.

use super::connected::{secrets, unreadable};
use super::plans::{Loaded, PlanArgs};
use super::sandbox::{Control, WorldArgs, read_world};
use super::signals::Signals;
use super::{Context, Exit, Failure, runtime};
use crate::adapter::{Preview as PreviewWorld, SystemClock};
use crate::driver::{Actions, Called};
use crate::plan::{Plan, Timestamp};
use crate::port::Clock;
use crate::rehearse::{BEFORE, Estimate, Options, Rehearsal, Setting, outlook, rehearse};
use crate::report::{Cut, Progress, Runbook, quoted};
use crate::sandbox::shipped;
use crate::sim::{Derived, World, WorldError, WorldFile, asker_name, derive, from_live};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// In which world.
#[derive(Debug, clap::Args)]
pub(super) struct StageArgs {
    /// The world: a file, or the name of one that comes with switchover [default: by the plan's name, else one that is
    /// derived from the plan]
    #[arg(long, env = "SWITCHOVER_WORLD", hide_env_values = true, value_name = "FILE")]
    world: Option<String>,
    /// Read the real world, and rehearse in a copy of it; it cannot write
    #[arg(long, env = "SWITCHOVER_FROM_LIVE", hide_env_values = true, conflicts_with = "world")]
    from_live: bool,
    /// With --from-live: the sandbox at this address stands for the real world
    #[arg(long, env = "SWITCHOVER_SANDBOX", hide_env_values = true, value_name = "URL")]
    sandbox: Option<String>,
    /// Save the world to this file, to be changed and given as --world
    #[arg(long, env = "SWITCHOVER_SAVE_WORLD", hide_env_values = true, value_name = "FILE")]
    save_world: Option<PathBuf>,
}

/// All that is needed to rehearse.
pub(super) struct Stage {
    pub(super) loaded: Loaded,
    pub(super) setting: Arc<Setting>,
    /// When its runs begin.
    pub(super) begins: Timestamp,
    /// What the world does not model: the step, and why.
    pub(super) opaque: Vec<(String, String)>,
    /// `switchover rehearse plans/one-record.yaml`, with all that makes it the same rehearsal again.
    pub(super) command: String,
}

/// A world before it lives.
struct Found {
    name: String,
    file: WorldFile,
    opaque: Vec<(String, String)>,
}

impl Found {
    fn derived(name: &str, plan: &Plan, derived: Derived) -> Self {
        let opaque = derived.opaque.into_iter().map(|(asker, why)| (asker_name(plan, asker), why));
        Self { name: name.to_owned(), opaque: opaque.collect(), file: derived.file }
    }
}

/// Any does: nothing is opened. The sandbox takes those from here on.
const NETWORK: u8 = 77;

impl StageArgs {
    /// Reads the plan and the world.
    pub(super) fn set(&self, context: &Context, plan: &PlanArgs) -> Result<Stage, Failure> {
        plan.exists()?;
        let stated = self.stated(&plan.plan)?;
        let given = stated.as_ref().map(|found| found.file.params.clone()).unwrap_or_default();
        let loaded = plan.load(context, given)?;
        let actions = Arc::new(Actions::of(&loaded.plan).map_err(|faults| unreadable(&faults))?);
        let found = match stated {
            Some(found) => found,
            None => self.world_of(context, &loaded, &actions)?,
        };
        if let Some(file) = &self.save_world {
            save_world(&found.file, file)?;
            context.say(&format!("the world is saved to {}", file.display()));
        }
        let begins = begins(&loaded.plan)?;
        let Found { name, file, opaque } = found;
        let setting = World::new(file, &name, earlier(begins), NETWORK)
            .and_then(|world| Setting::new(loaded.plan.clone(), actions, world))
            .map_err(|error| wrong_world(&error))?;
        // What is really there may be another thing next time; what was saved is not.
        let saved = self.save_world.as_ref().map(|file| file.display().to_string());
        let world = match saved.as_ref().or(self.world.as_ref()) {
            Some(world) => format!(" --world {}", quoted(world)),
            None if self.from_live => " --from-live".to_owned(),
            None => String::new(),
        };
        let command = format!("switchover rehearse {}{world}", plan.again());
        Ok(Stage { loaded, setting: Arc::new(setting), begins, opaque, command })
    }

    /// The world that is named, or that belongs to the plan. It may state values of params.
    fn stated(&self, plan: &Path) -> Result<Option<Found>, Failure> {
        if self.from_live {
            return Ok(None);
        }
        let named = WorldArgs { world: self.world.clone(), time: None, no_traffic: false };
        let name = match named.find(Some(plan)) {
            Ok(name) => name,
            Err(failure) if self.world.is_some() => return Err(failure),
            Err(_) => return Ok(None),
        };
        let text = read_world(&name)?;
        let find = |file: &str| {
            let beside =
                text.folder.as_ref().and_then(|folder| std::fs::read_to_string(folder.join(file)).ok());
            beside.or_else(|| shipped(file).map(str::to_owned))
        };
        let file = WorldFile::read(&text.text, &text.name, &find).map_err(|error| wrong_world(&error))?;
        Ok(Some(Found { name, file, opaque: Vec::new() }))
    }

    /// The world that follows from a plan, or from what is really there.
    fn world_of(&self, context: &Context, loaded: &Loaded, actions: &Actions) -> Result<Found, Failure> {
        let (plan, needs, params) = (&loaded.plan, actions.needs(), &loaded.reading.params);
        if !self.from_live {
            return Ok(Found::derived("derived from the plan", plan, derive(plan, &needs, params)));
        }
        let wiring = match self.sandbox.as_deref() {
            None | Some("" | "0" | "false") => None,
            Some(url) => Some(runtime()?.block_on(Control::at(url).wiring())?),
        };
        let (folder, budgets) = (&loaded.folder, &context.budgets);
        let mut world = PreviewWorld::connect(plan, folder, wiring.clone(), context.supervision(), budgets);
        if plan.targets.iter().any(|target| target.names_secrets()) {
            let secrets = secrets(context, plan, folder, wiring.as_ref());
            world = world.knowing(&runtime()?.block_on(secrets)?);
        }
        let derived = runtime()?.block_on(from_live(plan, &needs, params, &world)).map_err(|fault| {
            Failure::new(Exit::Credentials, "the world could not be read; nothing was rehearsed")
                .because(fault.to_string())
                .see(Runbook::Credentials)
        })?;
        for note in &derived.notes {
            context.say(note);
        }
        Ok(Found::derived("as it was found", plan, derived))
    }
}

/// When the world is made in which a run begins then.
fn earlier(begins: Timestamp) -> Timestamp {
    let before = u64::try_from(BEFORE.as_millis()).unwrap_or(0);
    Timestamp(begins.0.saturating_sub(before))
}

fn wrong_world(error: &WorldError) -> Failure {
    Failure::new(Exit::Invalid, "the world makes no sense; nothing was rehearsed").from_error(error)
}

fn save_world(world: &WorldFile, file: &Path) -> Result<(), Failure> {
    let text = world.write().map_err(|error| wrong_world(&error))?;
    std::fs::write(file, text).map_err(|error| {
        Failure::usage(format!("the world cannot be saved to {}", file.display())).from_error(&error)
    })
}

/// 2026-01-06T10:00:00Z, a Tuesday: a rehearsal tells the same on any day.
const BEGINS: Timestamp = Timestamp(1_767_693_600_000);
/// How far apart moments are that are tried, where a plan's window is closed.
const STRIDE: Duration = Duration::from_secs(15 * 60);
/// For how long they are tried: two years.
const STRIDES: u32 = 2 * 366 * 24 * 4;

/// The first moment at which the plan may start.
fn begins(plan: &Plan) -> Result<Timestamp, Failure> {
    let moments = (0..STRIDES).map(|stride| BEGINS.after(STRIDE * stride));
    let mut why = String::new();
    for moment in moments {
        match plan.policy.admits(moment) {
            Ok(()) => return Ok(moment),
            Err(closed) => why = closed,
        }
    }
    Err(Failure::new(Exit::Gate, format!("{} may never start; nothing was rehearsed", plan.name))
        .because(why)
        .see(Runbook::Closed))
}

/// How long a plan takes, and which calls it makes, as a rehearsal without faults in the world that is named, or belongs to
/// it, tells. Nothing where there is none: a preview is no worse for it.
pub(super) fn outlook_of(plan: &Path, loaded: &Loaded, world: Option<&str>) -> Outlook {
    let args =
        StageArgs { world: world.map(str::to_owned), from_live: false, sandbox: None, save_world: None };
    let (Ok(actions), Ok(begins)) = (Actions::of(&loaded.plan), begins(&loaded.plan)) else {
        return Outlook::default();
    };
    let stated = args.stated(plan).ok().flatten();
    let Found { name, mut file, .. } = stated.unwrap_or_else(|| {
        let derived = derive(&loaded.plan, &actions.needs(), &loaded.reading.params);
        Found::derived("derived from the plan", &loaded.plan, derived)
    });
    // What is refused there would hide the calls that come after it.
    file.faults.clear();
    let setting = World::new(file, &name, earlier(begins), NETWORK)
        .and_then(|world| Setting::new(loaded.plan.clone(), Arc::new(actions), world));
    let (timeline, calls) =
        setting.map_or_else(|_| Default::default(), |setting| outlook(&Arc::new(setting)));
    Outlook { world: name, timeline, calls }
}

/// How a run would go where nothing goes wrong; all empty where it cannot be played.
#[derive(Default)]
pub(super) struct Outlook {
    /// The world that it was played in.
    pub(super) world: String,
    pub(super) timeline: Vec<Estimate>,
    pub(super) calls: Vec<Called>,
}

/// How much is played.
pub(super) struct Wanted {
    pub(super) pairs: u64,
    pub(super) seed: u64,
    pub(super) threads: usize,
    pub(super) fault: Option<(String, Option<String>)>,
    /// For how long, on the wall clock.
    pub(super) time: Option<Duration>,
}

/// What was played.
pub(super) struct Played {
    pub(super) rehearsal: Rehearsal,
    /// When it began, on the wall clock.
    pub(super) at: Timestamp,
    pub(super) took: Duration,
    pub(super) cut: Option<Cut>,
    /// The signal that ended it.
    pub(super) ended_by: Option<Exit>,
}

/// What those who play and those who wait share.
#[derive(Default)]
struct Shared {
    enough: AtomicBool,
    struck: AtomicU64,
}

/// How often the line of progress is drawn, on the wall clock.
const TICK: Duration = Duration::from_millis(100);

/// Plays until all is played, the time is over, or somebody interrupts. A second signal does not wait for what is played.
pub(super) async fn play(
    context: &Context,
    setting: Arc<Setting>,
    wanted: Wanted,
) -> Result<Played, Failure> {
    let mut signals = Signals::listen()?;
    let clock = SystemClock::wall();
    let (at, time) = (clock.now(), wanted.time);
    let shared = Arc::new(Shared::default());
    let mut playing = start(setting, wanted, shared.clone())?;
    let progress = context.drawable.then(|| Progress::new(context.err));
    let mut every = tokio::time::interval(TICK);
    let (mut cut, mut ended_by) = (None, None);
    loop {
        tokio::select! {
            told = &mut playing => {
                let rehearsal = told.map_err(|_| {
                    Failure::new(Exit::Bug, "the rehearsal broke off; this is a bug in switchover")
                        .see(Runbook::Bug)
                })?;
                return Ok(Played { rehearsal, at, took: clock.now().since(at), cut, ended_by });
            }
            exit = signals.next() => {
                if ended_by.is_some() {
                    return Err(Failure::new(exit, "interrupted twice; what was played is not told"));
                }
                (cut, ended_by) = (Some(Cut::Interrupted), Some(exit));
                shared.enough.store(true, Ordering::Relaxed);
            }
            _ = every.tick() => {
                let took = clock.now().since(at);
                if let Some(time) = time.filter(|time| cut.is_none() && took >= *time) {
                    cut = Some(Cut::Over(time));
                    shared.enough.store(true, Ordering::Relaxed);
                }
                if let Some(progress) = &progress {
                    progress.tell(shared.struck.load(Ordering::Relaxed), took);
                }
            }
        }
    }
}

/// A thread that plays, and what it will tell.
fn start(
    setting: Arc<Setting>,
    wanted: Wanted,
    shared: Arc<Shared>,
) -> Result<tokio::sync::oneshot::Receiver<Rehearsal>, Failure> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let work = move || {
        // It is asked before each fault.
        let stop = || {
            shared.struck.fetch_add(1, Ordering::Relaxed);
            shared.enough.load(Ordering::Relaxed)
        };
        let Wanted { pairs, seed, threads, fault, time: _ } = wanted;
        let rehearsal = rehearse(&setting, &Options { pairs, seed, threads, fault, stop: &stop });
        // Nobody waits any more: it was interrupted twice.
        let _ = sender.send(rehearsal);
    };
    let started = std::thread::Builder::new().name("rehearsal".into()).spawn(work);
    started.map_err(|error| Failure::new(Exit::Bug, "no thread can be started").from_error(&error))?;
    Ok(receiver)
}
