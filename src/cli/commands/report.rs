//! `report`: a run as Markdown, for those who were not there.

use crate::cli::stored::{self, RunArg};
use crate::cli::{Context, Exit, Failure, screen};
use crate::report;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    run: RunArg,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let store = stored::open_to_read(context)?;
    let id = stored::find(context, &store, args.run.run.as_deref())?;
    let known = stored::tell(context, &store, &id)?;
    let extras = screen::extras(context, &known, Vec::new());
    if context.is_json() {
        screen::tell(context, &known.story, known.now(), &extras, None)?;
        return Ok(Exit::Done);
    }
    let facts: Vec<report::Fact<'_>> = known
        .events
        .iter()
        .map(|recorded| report::Fact { seq: recorded.seq.0, at: recorded.at, event: &recorded.event })
        .collect();
    context.print(&report::markdown(&known.story, known.now(), &extras, &facts))?;
    Ok(Exit::Done)
}
