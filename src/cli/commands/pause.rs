//! `pause`: what is in flight is finished, nothing new is begun.

use crate::cli::orders::{self, Alone};
use crate::cli::stored::RunArg;
use crate::cli::{Context, Exit, Failure};
use crate::run::Order;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    run: RunArg,
    /// Why, for those who come after
    #[arg(long, env = "SWITCHOVER_REASON", hide_env_values = true, value_name = "TEXT")]
    reason: Option<String>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (store, known) = orders::meant(context, args.run.run.as_deref())?;
    let order = Order::Pause { reason: args.reason.as_deref().map(Into::into) };
    orders::give(context, store, known, &order, Alone::Record)
}
