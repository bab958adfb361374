//! `import`: takes in a run that was exported.

use crate::cli::stored;
use crate::cli::{Context, Exit, Failure};
use crate::report::Runbook;
use crate::store::{Exported, NotExported, StoreError};
use serde_json::json;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// What `export` wrote; `-` for standard input
    #[arg(env = "SWITCHOVER_FILE", hide_env_values = true, value_name = "FILE")]
    file: PathBuf,
    /// Also one that is not over: only where nobody can take it up where it came from
    #[arg(long, env = "SWITCHOVER_UNFINISHED", hide_env_values = true)]
    unfinished: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let read = if args.file.as_os_str() == "-" {
        Exported::read(io::stdin().lock())
    } else {
        File::open(&args.file).map_err(Into::into).and_then(|file| Exported::read(BufReader::new(file)))
    };
    let name = args.file.display();
    let exported = read.map_err(|error| match error {
        NotExported::Store(error @ StoreError::Broken { .. }) => {
            Failure::new(Exit::Stopped, format!("{name} was not taken in: its chain does not hold"))
                .because(error.to_string())
                .hint("export it again, from where it is sound")
                .see(Runbook::JournalBroken)
        }
        NotExported::Store(error) => stored::failed(context, &error),
        error => Failure::usage(format!("{name} was not taken in")).from_error(&error),
    })?;
    let store = stored::open(context)?;
    store.import(&exported, args.unfinished).map_err(|error| stored::failed(context, &error))?;
    let (id, events, head) = (exported.id(), exported.events.len(), exported.head());
    let text = if context.is_json() {
        json!({"run": &*id.0, "events": events, "head": head}).to_string()
    } else {
        format!("run {id} is here: {events} facts, the last is {head}")
    };
    context.print(&format!("{text}\n"))?;
    Ok(Exit::Done)
}
