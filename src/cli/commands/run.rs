//! `run`: carries a plan out.

use crate::cli::connected::Connected;
use crate::cli::operate::{self, Begun, DriveArgs};
use crate::cli::plans::{Loaded, PlanArgs};
use crate::cli::sandbox::{self, PlaceArgs};
use crate::cli::signals::Signals;
use crate::cli::{Context, Exit, Failure, preview, runtime, stored, version};
use crate::plan::Part;
use crate::port::{Clock, Wiring};
use crate::report::{Runbook, quoted};
use crate::store::{NewRun, Source, Store};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Only the steps that may be done ahead; outside window and deadline
    #[arg(long, env = "SWITCHOVER_PREPARE", hide_env_values = true)]
    prepare: bool,
    /// Go without asking, if the world is as this saved preview saw it
    #[arg(long, env = "SWITCHOVER_AUTO_APPROVE", hide_env_values = true, value_name = "PREVIEW")]
    auto_approve: Option<PathBuf>,
    /// Go without asking, where the plan is not `production: true`
    #[arg(long, env = "SWITCHOVER_YES", hide_env_values = true)]
    yes: bool,
    #[command(flatten)]
    drive: DriveArgs,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    args.plan.exists()?;
    let wiring = args.place.open(context, &args.plan.plan)?;
    let runtime = runtime()?;
    match runtime.block_on(begin(args, context, wiring.clone())) {
        Ok(begun) => operate::drive_on(runtime, context, begun, &args.drive, None),
        Err(failure) => {
            if let Some(wiring) = wiring {
                sandbox::close(&wiring)?;
            }
            Err(failure)
        }
    }
}

/// Everything that must hold before the first fact.
async fn begin(args: &Args, context: &Context, wiring: Option<Wiring>) -> Result<Begun, Failure> {
    let given = wiring.as_ref().map(|wiring| wiring.params.clone()).unwrap_or_default();
    let loaded = args.plan.load(context, given)?;
    if args.prepare && !loaded.plan.steps.iter().any(|step| step.part == Part::Prepare) {
        return Err(Failure::usage("the plan has no steps under `prepare`"));
    }
    let plan = if args.prepare { loaded.only_prepare()? } else { loaded.plan.clone() };
    match &wiring {
        Some(wiring) => {
            context.say(&sandbox::headline(wiring));
            if let Some(saved) = &args.auto_approve {
                preview::still_holds(context, &loaded, saved, Some(wiring.clone())).await?;
            }
        }
        None => admit(args, context, &loaded).await?,
    }
    // Not before somebody was asked: a question ends by Ctrl-C.
    let mut signals = Signals::listen()?;
    let connecting = async {
        let connected = Connected::to(context, &plan, &loaded.folder, wiring.clone()).await?;
        connected.check(&plan.policy).await.map(|()| connected)
    };
    let connected = signals.unless_asked(Box::pin(connecting)).await?;
    let store = Arc::new(stored::open(context)?);
    let sources = loaded.reading.sources.plan().into_iter();
    let whole = std::path::absolute(&args.plan.plan).unwrap_or_else(|_| args.plan.plan.clone());
    let sources = sources.enumerate().map(|(place, (name, text))| {
        // A run may be resumed from anywhere.
        let name = if place == 0 { whole.display().to_string() } else { name };
        Source { name, text }
    });
    let new = NewRun {
        plan: loaded.plan.name.to_string(),
        sources: sources.collect(),
        params: loaded.reading.params.clone().into_iter().collect(),
        wiring,
        only_prepare: args.prepare,
        world_lock: plan.has_lock(),
        created: stored::now(),
        by: context.who.clone(),
        tool: version::name(),
    };
    let record = store.create(new).map_err(|error| stored::failed(context, &error))?;
    if !context.is_json() {
        context.say(&format!("run {}", record.id));
    }
    let known = stored::look(context, &*store, &record.id)?;
    Ok(Begun { store, known, connected, signals })
}

/// Whether a run of the real world may begin, now and by whoever is there.
async fn admit(args: &Args, context: &Context, loaded: &Loaded) -> Result<(), Failure> {
    let plan = &loaded.plan;
    if !args.prepare {
        let now = crate::adapter::SystemClock::wall().now();
        plan.policy.admits(now).map_err(|why| {
            Failure::new(Exit::Gate, format!("{} may not start now; nothing was changed", plan.name))
                .because(why)
                .see(Runbook::Closed)
        })?;
    }
    if let Some(saved) = &args.auto_approve {
        return preview::still_holds(context, loaded, saved, None).await;
    }
    let file = quoted(&args.plan.plan.display().to_string());
    if plan.production {
        if !context.interactive {
            return Err(Failure::usage(format!("{} is marked `production: true`, and nobody can be asked", plan.name))
                .hint(format!("`switchover preview {file} --save preview.json`, have it reviewed, then add --auto-approve preview.json"))
                .hint("or rehearse it in a sandbox: add --sandbox"));
        }
        context.say(&format!("{} changes production. `switchover preview {file}` shows what.", plan.name));
        return match context.ask("type the plan's name to go on: ")? {
            Some(answer) if *answer == *plan.name => Ok(()),
            _ => Err(Failure::new(Exit::Gate, "not confirmed; nothing was changed")),
        };
    }
    if args.yes {
        return Ok(());
    }
    if !context.interactive {
        return Err(Failure::usage("nobody can be asked whether to go on")
            .hint("add --yes, or --auto-approve with a saved preview, or --sandbox"));
    }
    match context.ask(&format!("run {} against the real world? [y/N] ", plan.name))? {
        Some(answer) if matches!(answer.as_str(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::new(Exit::Gate, "not confirmed; nothing was changed")),
    }
}
