//! Runs that were started: finding them, and telling their story from the store.

use super::{Context, Exit, Failure, actions, sandbox, unread};
use crate::adapter::SystemClock;
use crate::plan::{Plan, Timestamp};
use crate::port::Clock;
use crate::report::{Runbook, Story, Unread};
use crate::store::record::SandboxRecord;
use crate::store::{self, Holder, Listed, Recorded, RunId, RunRecord, Seq, SqliteStore, Store, StoreError};
use clap::{ArgMatches, error::ErrorKind};
use std::sync::Arc;

/// Which run, by its place or by `--run`: one argument, spelled either way.
#[derive(Clone, Debug)]
pub(super) struct RunArg {
    pub(super) run: Option<String>,
}

impl RunArg {
    const PLACE: &str = "run";
    const OPTION: &str = "run_option";
}

impl clap::Args for RunArg {
    fn augment_args(command: clap::Command) -> clap::Command {
        let argument = |id: &'static str| {
            clap::Arg::new(id).env("SWITCHOVER_RUN").hide_env_values(true).value_name("RUN")
        };
        let place = argument(Self::PLACE)
            .help("Which run: its id, the beginning of it, or `latest` [default: latest]");
        command.arg(place).arg(argument(Self::OPTION).long("run").help("The same, by name"))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for RunArg {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = |id: &&str| matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine);
        let run = match [Self::PLACE, Self::OPTION].into_iter().filter(typed).collect::<Vec<_>>()[..] {
            // Both have what the variable says.
            [] => Self::PLACE,
            [one] => one,
            _ => {
                let text = "the run is named twice: by its place, and by --run\n";
                return Err(clap::Error::raw(ErrorKind::ArgumentConflict, text));
            }
        };
        Ok(Self { run: matches.get_one::<String>(run).cloned() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Which run, for verbs that name a step first.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct RunOption {
    /// Which run: its id, the beginning of it, or `latest` [default: the one that is not over]
    #[arg(long, env = "SWITCHOVER_RUN", hide_env_values = true, value_name = "RUN")]
    pub(super) run: Option<String>,
}

/// A run as the store tells it.
#[derive(Debug)]
pub(super) struct Known {
    /// As it was created.
    pub(super) record: RunRecord,
    /// Its plan.
    pub(super) plan: Arc<Plan>,
    /// All that happened.
    pub(super) events: Vec<Recorded>,
    /// What that looks like.
    pub(super) story: Story,
    /// Who holds it, if somebody does.
    pub(super) holder: Option<Holder>,
    /// Its plan cannot be read: what the journal names stands for it.
    pub(super) unread: Option<Unread>,
}

/// How many runs an error names, where any of them may be meant.
const SHOWN: usize = 5;

/// The wall clock.
pub(super) fn now() -> Timestamp {
    SystemClock::wall().now()
}

/// What time it is for a run: a sandbox has a time of its own.
pub(super) fn clock_of(record: &RunRecord) -> SystemClock {
    record.wiring.as_ref().map_or_else(SystemClock::wall, |wiring| SystemClock::scaled(wiring.time))
}

impl Known {
    /// Somebody drives it at this moment.
    pub(super) fn driven(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| !holder.gone)
    }

    /// Nothing is done of a run whose plan cannot be read.
    pub(super) fn is_readable(&self, context: &Context) -> Result<(), Failure> {
        self.unread.as_ref().map_or(Ok(()), |unread| Err(unread::refused(context, &self.record, unread)))
    }

    /// What time it is in it.
    pub(super) fn now(&self) -> Timestamp {
        clock_of(&self.record).now()
    }

    /// The place of its last fact.
    pub(super) fn last(&self) -> Seq {
        self.events.last().map_or(Seq(0), |event| event.seq)
    }
}

/// For looking: creates nothing.
pub(super) fn open_to_read(context: &Context) -> Result<SqliteStore, Failure> {
    SqliteStore::open_to_read(&context.state_dir).map_err(|error| failed(context, &error))
}

/// For running and for giving orders.
pub(super) fn open(context: &Context) -> Result<SqliteStore, Failure> {
    let store = SqliteStore::open(&context.state_dir).map_err(|error| failed(context, &error))?;
    Ok(store.with_faults(context.faults))
}

/// The run that is meant; without a name, the newest.
pub(super) fn find(context: &Context, store: &dyn Store, called: Option<&str>) -> Result<RunId, Failure> {
    store::find(store, called.unwrap_or("latest")).map_err(|error| failed(context, &error))
}

/// The run that an order is meant for; without a name, the one that is not over.
pub(super) fn find_open(
    context: &Context,
    store: &dyn Store,
    called: Option<&str>,
) -> Result<RunId, Failure> {
    if called.is_some() {
        return find(context, store, called);
    }
    let newest = find(context, store, None)?;
    let runs = store.runs(now()).map_err(|error| failed(context, &error))?;
    // One run that cannot be told of does not hide the others; one whose sandbox is gone is over.
    let is_open = |run: &Listed| {
        let is_up = |sandbox: &SandboxRecord| sandbox::is_up(&sandbox.control);
        run.standing.verdict().is_none() && run.title.sandbox.as_ref().is_none_or(is_up)
    };
    let open: Vec<Listed> = runs.into_iter().flatten().filter(is_open).collect();
    match &open[..] {
        [] => Ok(newest),
        [only] => Ok(only.id.clone()),
        several => {
            let mut failure = Failure::usage("several runs are not over; say which one is meant");
            for Listed { id, title, .. } in several.iter().take(SHOWN) {
                failure =
                    failure.hint(format!("{id} is {}, started {}", title.plan, Timestamp(title.created)));
            }
            if several.len() > SHOWN {
                let more = several.len() - SHOWN;
                let list = &context.commands.suffix;
                failure = failure.hint(format!("and {more} more: `switchover runs --open{list}` lists them"));
            }
            Err(failure)
        }
    }
}

/// A run, from its first fact to its last.
pub(super) fn look(context: &Context, store: &dyn Store, id: &RunId) -> Result<Known, Failure> {
    let known = known(context, store, id)?;
    known.is_readable(context).map(|()| known)
}

/// The same, for telling of it, whatever version began it.
pub(super) fn tell(context: &Context, store: &dyn Store, id: &RunId) -> Result<Known, Failure> {
    let known = known(context, store, id)?;
    if let Some(unread) = &known.unread {
        context.say(&unread::note(&known.record, unread));
    }
    Ok(known)
}

/// The same, for giving it an order. Whoever drives it can read its plan.
pub(super) fn look_to_order(context: &Context, store: &dyn Store, id: &RunId) -> Result<Known, Failure> {
    let known = known(context, store, id)?;
    if known.driven() { Ok(known) } else { known.is_readable(context).map(|()| known) }
}

fn known(context: &Context, store: &dyn Store, id: &RunId) -> Result<Known, Failure> {
    let failed = |error: StoreError| failed(context, &error);
    let record = store.run(id).map_err(failed)?;
    let journal = store.read(id, Seq(1)).map_err(failed)?;
    let (plan, unread) = unread::plan_or_stand_in(&record, &journal);
    let events =
        journal.iter().map(|stored| store::recorded(id, &plan, stored)).collect::<Result<Vec<_>, _>>();
    let events = events.map_err(failed)?;
    let holder = store.holder(id, now()).map_err(failed)?;
    let mut told = Story::new(id.0.clone(), plan.clone());
    for recorded in &events {
        actions::take(&mut told, recorded);
    }
    Ok(Known { record, plan, events, story: told, holder, unread })
}

/// What the store says, for people.
pub(super) fn failed(context: &Context, error: &StoreError) -> Failure {
    let (exit, see) = match error {
        StoreError::Absent { .. }
        | StoreError::NoSuchRun(_)
        | StoreError::NoRuns
        | StoreError::Exists(_)
        | StoreError::Unfinished(_)
        | StoreError::Needed(_)
        | StoreError::Ambiguous { .. } => (Exit::Usage, None),
        StoreError::ReadOnly { .. }
        | StoreError::Full { .. }
        | StoreError::Failing { .. }
        | StoreError::Vanished { .. }
        | StoreError::Failed { .. }
        | StoreError::Busy { .. } => (Exit::Stopped, Some(Runbook::JournalFull)),
        StoreError::Damaged { .. } | StoreError::Broken { .. } => {
            (Exit::Stopped, Some(Runbook::JournalBroken))
        }
        StoreError::Newer { .. } => (Exit::Stopped, Some(Runbook::JournalNewer)),
        StoreError::Held { .. } | StoreError::Locked { .. } | StoreError::Baking { .. } => {
            (Exit::Locked, Some(Runbook::LockHeld))
        }
        StoreError::Fenced { .. } => (Exit::Stopped, Some(Runbook::LeaseLost)),
        StoreError::Conflict { .. } | StoreError::Unknown { .. } => {
            (Exit::Stopped, Some(Runbook::Interrupted))
        }
    };
    let mut failure = Failure::new(exit, error.to_string());
    if let Some(hint) = error.hint() {
        let suffix = &context.commands.suffix;
        failure = failure.hint(if suffix.is_empty() { hint } else { format!("{hint} (with{suffix})") });
    }
    match see {
        Some(page) => failure.see(page),
        None => failure,
    }
}
