//! `status`: how a run stands, and what a human must do now.

use crate::cli::stored::{self, RunArg};
use crate::cli::{Context, Exit, Failure, sandbox, screen};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    run: RunArg,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let store = stored::open_to_read(context)?;
    let id = stored::find(context, &store, args.run.run.as_deref())?;
    let known = stored::tell(context, &store, &id)?;
    if context.is_json() {
        context.print(&format!("{:#}\n", screen::object(context, &known)))?;
    } else {
        let extras = screen::extras(context, &known, Vec::new());
        screen::tell(context, &known.story, known.now(), &extras, None)?;
        let record = &known.record;
        if let Some(holder) = known.holder.as_ref().filter(|holder| !holder.gone) {
            context.print(&format!("\ndriven by {holder}\n"))?;
        }
        if let Some(wiring) = &record.wiring {
            context.print(&format!("in the sandbox `{}`; nothing real is touched\n", wiring.world))?;
            if known.story.verdict().is_none() && !sandbox::is_up(&wiring.control) {
                context
                    .say("that sandbox is gone, and its world with it: this run cannot go on; start another");
            }
        }
        context.print(&format!("plan {} {}\n", record.plan, record.digest))?;
    }
    Ok(Exit::Done)
}
