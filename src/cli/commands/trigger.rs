//! `trigger`: what an alarm or a pipeline says in place of a person: the run rolls back, as far as it may by itself.

use crate::cli::stored::RunArg;
use crate::cli::triggers::{self, Given, Reply};
use crate::cli::{Context, Exit, Failure, operate, orders, stored};
use crate::report::Runbook;
use crate::store::Store;
use crate::web::Told;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    run: RunArg,
    /// Why, for those who come after
    #[arg(long, env = "SWITCHOVER_REASON", hide_env_values = true, value_name = "TEXT")]
    reason: String,
}

/// How long an answer is waited for, in periods of 25 ms on the wall clock.
const PATIENCE: u32 = 600;

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let failed = |error| stored::failed(context, &error);
    let (store, known) = orders::meant(context, args.run.run.as_deref())?;
    let by = format!("{} via trigger", context.who);
    let given = triggers::give(&*store, known, &by, &args.reason).map_err(failed)?;
    if !given.wants_a_driver() {
        return answered(args, context, &*store, &given);
    }
    let (run, order) = (given.known.record.id.clone(), given.order.clone());
    let driven = operate::take_over(context, store.clone(), given.known, order.clone().ok());
    let Err(Failure { exit: Exit::Locked, .. }) = &driven else { return driven };
    // Somebody else may have taken it up at the same moment, and hear of it.
    let known = stored::look(context, &*store, &run)?;
    let awaited = known.driven();
    let given = Given { known, by, reason: args.reason.clone(), order, awaited };
    if given.wants_a_driver() { driven } else { answered(args, context, &*store, &given) }
}

/// Waits for whoever drives the run.
fn answered(args: &Args, context: &Context, store: &dyn Store, given: &Given) -> Result<Exit, Failure> {
    let reply = triggers::hear(store, given, &mut { PATIENCE });
    let reply = reply.map_err(|error| stored::failed(context, &error))?;
    let told = reply.as_ref().map_or_else(|| given.unanswered(), |reply| given.told(reply));
    let exit = match reply {
        Some(Reply::Refused(refusal)) => {
            let order = triggers::order(&args.reason);
            let failure = orders::refused(context, &given.known.record.id.0, &order, &refusal);
            return Err(failure.see(Runbook::Trigger));
        }
        Some(Reply::Held(_)) => Exit::Incomplete,
        Some(Reply::AlreadyRollingBack) if !given.awaited => Exit::of(&given.known.story.run),
        Some(Reply::RollingBack | Reply::AlreadyRollingBack) | None => Exit::Done,
    };
    print(context, &told)?;
    Ok(exit)
}

fn print(context: &Context, told: &Told) -> Result<(), Failure> {
    if context.is_json() {
        context.print(&format!("{:#}\n", told.json()))
    } else {
        context.print(&format!("{}\n", context.out.safe(&told.says)))
    }
}
