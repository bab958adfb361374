//! `retry`: tries a failed, foreign or stuck step again. What was restored by hand is found.

use crate::cli::orders::{self, Alone, step_of};
use crate::cli::stored::RunOption;
use crate::cli::{Context, Exit, Failure};
use crate::run::Order;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Which step
    #[arg(env = "SWITCHOVER_STEP", hide_env_values = true, value_name = "STEP")]
    step: String,
    #[command(flatten)]
    run: RunOption,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (store, known) = orders::meant(context, args.run.run.as_deref())?;
    let order = Order::Retry { step: step_of(&known.plan, &args.step)? };
    orders::give(context, store, known, &order, Alone::Drive)
}
