//! `runbook`: a plan as Markdown, to be read before the go-live and when this tool is dead.

use crate::cli::plans::PlanArgs;
use crate::cli::{Context, Exit, Failure, actions};
use crate::report;
use std::collections::BTreeMap;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    plan: PlanArgs,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let loaded = args.plan.load(context, BTreeMap::new())?;
    let hands = actions::hands(&loaded.plan);
    context.print(&report::runbook(&loaded.plan, &args.plan.plan.display().to_string(), &hands))?;
    Ok(Exit::Done)
}
