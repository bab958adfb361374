//! `skip`: goes on without a failed, foreign or stuck step.

use crate::cli::orders::{self, Alone, step_of};
use crate::cli::stored::RunOption;
use crate::cli::{Context, Exit, Failure};
use crate::run::Order;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Which step
    #[arg(env = "SWITCHOVER_STEP", hide_env_values = true, value_name = "STEP")]
    step: String,
    /// Why, for those who come after
    #[arg(long, env = "SWITCHOVER_REASON", hide_env_values = true, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    run: RunOption,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (store, known) = orders::meant(context, args.run.run.as_deref())?;
    let step = step_of(&known.plan, &args.step)?;
    let order = Order::Skip { step, reason: args.reason.as_str().into() };
    orders::give(context, store, known, &order, Alone::Drive)
}
