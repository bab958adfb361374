//! `schema`: the JSON Schema of plans, for editors.

use crate::action::Registry;
use crate::cli::{Context, Exit, Failure};
use crate::doc;
use crate::signal::SignalRegistry;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {}

pub(in crate::cli) fn run(_: &Args, context: &Context) -> Result<Exit, Failure> {
    let schema = doc::schema(&Registry, &SignalRegistry);
    context.print(&format!("{schema:#}\n"))?;
    Ok(Exit::Done)
}
