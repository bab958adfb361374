//! `settle`: says what became of a step; the world is looked at first, and contradicts where it can.

use crate::cli::orders::{self, Alone, step_of};
use crate::cli::stored::RunOption;
use crate::cli::{Context, Exit, Failure};
use crate::run::Order;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Which step
    #[arg(env = "SWITCHOVER_STEP", hide_env_values = true, value_name = "STEP")]
    step: String,
    /// It is in force
    #[arg(
        long,
        env = "SWITCHOVER_DONE",
        hide_env_values = true,
        required_unless_present = "undone",
        conflicts_with = "undone"
    )]
    done: bool,
    /// It is not in force
    #[arg(long, env = "SWITCHOVER_UNDONE", hide_env_values = true)]
    undone: bool,
    /// How you know
    #[arg(long, env = "SWITCHOVER_REASON", hide_env_values = true, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    run: RunOption,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (store, known) = orders::meant(context, args.run.run.as_deref())?;
    let step = step_of(&known.plan, &args.step)?;
    let order = Order::Settle { step, done: args.done && !args.undone, reason: args.reason.as_str().into() };
    orders::give(context, store, known, &order, Alone::Drive)
}
