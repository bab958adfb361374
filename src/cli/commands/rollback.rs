//! `rollback`: undoes a run that has stopped or completed; with `--to` or `--all`, past points where it stops by itself.

use crate::cli::orders::{self, Alone, step_of};
use crate::cli::stored::{Known, RunArg};
use crate::cli::{Context, Exit, Failure};

use crate::run::{Order, Phase, Rewind};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    run: RunArg,
    /// Until this step is undone too, also past barriers and checkpoints
    #[arg(long, env = "SWITCHOVER_TO", hide_env_values = true, value_name = "STEP", conflicts_with = "all")]
    to: Option<String>,
    /// Everything that can be undone, also past barriers and checkpoints
    #[arg(long, env = "SWITCHOVER_ALL", hide_env_values = true)]
    all: bool,
    /// Why, for those who come after
    #[arg(
        long,
        env = "SWITCHOVER_REASON",
        hide_env_values = true,
        value_name = "TEXT",
        default_value = "rolled back by hand"
    )]
    reason: String,
    /// Do not ask, where `--to` or `--all` go past a point where it stops by itself
    #[arg(long, env = "SWITCHOVER_YES", hide_env_values = true)]
    yes: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (store, known) = orders::meant(context, args.run.run.as_deref())?;
    let rewind = match &args.to {
        Some(step) => Rewind::To(step_of(&known.plan, step)?),
        None if args.all => Rewind::All,
        None => Rewind::Safe,
    };
    if rewind != Rewind::Safe && known.plan.production && known.record.wiring.is_none() && !args.yes {
        confirm(context, &known, rewind)?;
    }
    let order = Order::Rollback { rewind, reason: args.reason.as_str().into() };
    orders::give(context, store, known, &order, Alone::Drive)
}

/// Going past a barrier is a person's choice: they are shown first what it undoes.
fn confirm(context: &Context, known: &Known, rewind: Rewind) -> Result<(), Failure> {
    context.say("this undoes, the last first:");
    for (ix, step) in known.story.steps().rev() {
        let within = !matches!(rewind, Rewind::To(last) if ix < last);
        if within && step.wrote && !matches!(known.story.phase(ix), Phase::Undone(_)) {
            context.say(&format!("  {}", known.plan[ix].id));
            for change in &step.changes {
                let line = format!("    {}: {} again", change.what, change.from);
                context.say(&context.err.safe(&line));
            }
        }
    }
    if !context.interactive {
        return Err(Failure::usage(
            "nobody can be asked whether to go past the points where a rollback stops by itself",
        )
        .hint("add --yes once you have decided"));
    }
    match context.ask("type `yes` to go on: ")? {
        Some(answer) if answer == "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Gate, "not confirmed; nothing was changed")),
    }
}
