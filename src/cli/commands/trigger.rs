//! `trigger`: what an alarm or a pipeline says in place of a person: the run rolls back, as far as it may by itself; or a guard
//! of it trips, and its plan says what that does.

use crate::cli::stored::RunArg;
use crate::cli::triggers::{self, Given, Reply, Wish};
use crate::cli::{Context, Exit, Failure, operate, orders, stored};
use crate::plan::{Plan, nearest};
use crate::report::Runbook;
use crate::run::Order;
use crate::store::Store;
use crate::web::Told;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    run: RunArg,
    /// Trip this guard, of kind `webhook`: its plan says what that does [default: roll back]
    #[arg(long, env = "SWITCHOVER_GUARD", hide_env_values = true, value_name = "GUARD")]
    guard: Option<String>,
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
    let wish = Wish { guard: args.guard.clone(), by, reason: args.reason.clone() };
    let Some(order) = triggers::order(&known.plan, &wish) else {
        return Err(no_such_guard(&known.plan, args.guard.as_deref().unwrap_or_default()));
    };
    let given = triggers::give(&*store, known, wish).map_err(failed)?;
    if !given.wants_a_driver() {
        return answered(context, &*store, &given, &order);
    }
    let (run, wish, number) = (given.known.record.id.clone(), given.wish, given.order);
    let driven = operate::take_over(context, store.clone(), given.known, number.clone().ok());
    let Err(Failure { exit: Exit::Locked, .. }) = &driven else { return driven };
    // Somebody else may have taken it up at the same moment, and hear of it.
    let known = stored::look_to_order(context, &*store, &run)?;
    let awaited = known.driven();
    let given = Given { known, wish, order: number, awaited };
    if given.wants_a_driver() { driven } else { answered(context, &*store, &given, &order) }
}

fn no_such_guard(plan: &Plan, name: &str) -> Failure {
    let guards = plan.guards.iter().filter(|guard| guard.is_outside());
    let names: Vec<&str> = guards.map(|guard| &*guard.id).collect();
    let failure = Failure::usage(format!("the plan has no guard `{name}`"));
    match (nearest(name, &names), &names[..]) {
        (Some(near), _) => failure.hint(format!("did you mean `{near}`?")),
        (None, []) => failure.hint("it has no guard of kind `webhook`; without --guard the run rolls back"),
        (None, names) => failure.hint(format!("of kind `webhook` there are {}", names.join(", "))),
    }
}

/// Waits for whoever drives the run.
fn answered(context: &Context, store: &dyn Store, given: &Given, order: &Order) -> Result<Exit, Failure> {
    let reply = triggers::hear(store, given, &mut { PATIENCE });
    let reply = reply.map_err(|error| stored::failed(context, &error))?;
    let told = reply.as_ref().map_or_else(|| given.unanswered(), |reply| given.told(reply));
    let exit = match reply {
        Some(Reply::Refused(refusal)) => {
            let failure = orders::refused(context, &given.known.record.id.0, order, &refusal);
            return Err(failure.see(Runbook::Trigger));
        }
        Some(Reply::Held(_)) => Exit::Incomplete,
        Some(Reply::AlreadyTripped) if given.is_halted() => Exit::Incomplete,
        Some(Reply::AlreadyRollingBack) if !given.awaited => Exit::of(&given.known.story.run),
        Some(
            Reply::RollingBack
            | Reply::AlreadyRollingBack
            | Reply::Announced(_)
            | Reply::Tripped
            | Reply::AlreadyTripped,
        )
        | None => Exit::Done,
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
