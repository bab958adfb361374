//! `continue`: goes on with a paused run, and tries again whatever stopped it.

use crate::cli::orders::{self, Alone};
use crate::cli::stored::RunArg;
use crate::cli::{Context, Exit, Failure};
use crate::run::Order;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    run: RunArg,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (store, known) = orders::meant(context, args.run.run.as_deref())?;
    orders::give(context, store, known, &Order::Continue, Alone::Drive)
}
