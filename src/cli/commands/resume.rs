//! `resume`: goes on with a run whose process is gone.

use crate::cli::operate::{self, DriveArgs};
use crate::cli::stored::{self, RunArg};
use crate::cli::{Context, Exit, Failure, orders, screen};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    run: RunArg,
    #[command(flatten)]
    drive: DriveArgs,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (store, known) = orders::meant(context, args.run.run.as_deref())?;
    if known.story.verdict().is_some() {
        let exit = Exit::of(&known.story.run);
        let extras = screen::extras(context, &known, Vec::new());
        screen::tell(context, &known.story, known.now(), &extras, Some(exit))?;
        context.say("this run is over; there is nothing to resume");
        return Ok(exit);
    }
    if let Some(holder) = known.holder.as_ref().filter(|holder| !holder.gone) {
        let error = crate::store::StoreError::Held { run: known.record.id.clone(), holder: holder.clone() };
        return Err(stored::failed(context, &error));
    }
    operate::drive(context, store, known, &DriveArgs { watches: true, ..args.drive.clone() }, None)
}
