//! `runs`: all runs of this state directory, the newest first.

use crate::cli::stored::{self, Known};
use crate::cli::{Context, Exit, Failure, screen};
use crate::report::{self, quoted};
use crate::store::{Store, StoreError};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Only runs that are not over
    #[arg(long, env = "SWITCHOVER_OPEN", hide_env_values = true)]
    open: bool,
    /// At most this many
    #[arg(long, env = "SWITCHOVER_LIMIT", hide_env_values = true, default_value_t = 50)]
    limit: usize,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let store = match crate::store::SqliteStore::open_to_read(&context.state_dir) {
        Ok(store) => store,
        Err(StoreError::Absent { .. }) => {
            if context.is_json() {
                context.print("[]\n")?;
            } else {
                let dir = quoted(&context.state_dir.display().to_string());
                context.say(&format!("there are no runs in {dir} yet"));
            }
            return Ok(Exit::Done);
        }
        Err(error) => return Err(stored::failed(context, &error)),
    };
    let ids = store.ids().map_err(|error| stored::failed(context, &error))?;
    let (mut lines, mut objects) = (Vec::new(), Vec::new());
    for id in ids {
        if lines.len() >= args.limit {
            break;
        }
        // One run that cannot be read does not hide the others.
        match stored::look(context, &store, &id) {
            Ok(known) if args.open && known.story.verdict().is_some() => {}
            Ok(known) => {
                lines.push(line(context, &known));
                objects.push(screen::object(context, &known));
            }
            Err(failure) => {
                lines.push(format!("{id}  cannot be read"));
                objects.push(json!({"run": &*id.0, "unreadable": true}));
                context.say(failure.render(context.err).trim_end());
            }
        }
    }
    if context.is_json() {
        context.print(&format!("{:#}\n", serde_json::Value::from(objects)))?;
    } else {
        lines.push(String::new());
        context.print(&lines.join("\n"))?;
    }
    Ok(Exit::Done)
}

fn line(context: &Context, known: &Known) -> String {
    let place = known.record.wiring.as_ref().map_or("production", |_| "sandbox");
    let started = known.record.created.to_string();
    let state = report::state(&known.story, known.now(), context.out);
    let driven = match &known.holder {
        Some(holder) if !holder.gone => format!(", driven by {}", holder.owner),
        _ => String::new(),
    };
    format!("{}  {started}  {place:10}  {} {state}{driven}", known.record.id, known.plan.name)
}
