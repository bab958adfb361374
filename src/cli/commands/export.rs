//! `export`: a run, whole, as JSON lines.

use crate::cli::stored::{self, RunArg};
use crate::cli::{Context, Exit, Failure};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    run: RunArg,
    /// Write it to this file, which must not be there [default: standard output]
    #[arg(long, env = "SWITCHOVER_TO", hide_env_values = true, value_name = "FILE")]
    to: Option<PathBuf>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let store = stored::open_to_read(context)?;
    let id = stored::find(context, &store, args.run.run.as_deref())?;
    let exported = store.export(&id).map_err(|error| stored::failed(context, &error))?;
    match &args.to {
        None => {
            let mut text = Vec::new();
            exported.write(&mut text)?;
            context.print(&String::from_utf8_lossy(&text))?;
        }
        Some(path) => {
            let write = || -> io::Result<()> {
                let mut file = BufWriter::new(File::create_new(path)?);
                exported.write(&mut file)?;
                file.flush()?;
                file.get_ref().sync_all()
            };
            write().map_err(|error| {
                Failure::usage(format!("{} cannot be written", path.display())).from_error(&error)
            })?;
            context.say(&format!(
                "run {id}: {} facts, the last is {}, in {}",
                exported.events.len(),
                exported.head(),
                path.display()
            ));
        }
    }
    Ok(Exit::Done)
}
