//! `abort`: ends a run now and undoes what it did, as far as that may happen by itself.

use crate::cli::orders::{self, Alone};
use crate::cli::stored::RunArg;
use crate::cli::{Context, Exit, Failure};
use crate::run::{Order, Rewind};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    run: RunArg,
    /// Why, for those who come after
    #[arg(
        long,
        env = "SWITCHOVER_REASON",
        hide_env_values = true,
        value_name = "TEXT",
        default_value = "aborted"
    )]
    reason: String,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (store, known) = orders::meant(context, args.run.run.as_deref())?;
    let order = Order::Rollback { rewind: Rewind::Safe, reason: args.reason.as_str().into() };
    orders::give(context, store, known, &order, Alone::Drive)
}
