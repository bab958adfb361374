//! `prune`: removes runs that are over and old. Says first which; what is not over is never among them.

use super::runs;
use crate::cli::stored;
use crate::cli::{Context, Exit, Failure};
use crate::plan::parse_duration;
use crate::store::{Listed, SqliteStore, Store, StoreError};
use serde_json::{Value as Json, json};
use std::fs;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Runs that are over and that nobody has driven for so long: `90d`
    #[arg(long, env = "SWITCHOVER_OLDER_THAN", hide_env_values = true, value_name = "SPAN")]
    #[arg(value_parser = age)]
    older_than: Duration,
    /// Do not ask
    #[arg(long, env = "SWITCHOVER_YES", hide_env_values = true)]
    yes: bool,
}

/// As plans write spans, and any number of days.
fn age(text: &str) -> Result<Duration, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    days.map_or_else(|| parse_duration(text), |days| Ok(Duration::from_secs(24 * 3600) * days))
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    // Nothing is created where there is nothing to remove.
    drop(stored::open_to_read(context)?);
    let store = stored::open(context)?;
    let now = stored::now();
    let failed = |error: StoreError| stored::failed(context, &error);
    let is_old = |run: &Listed| run.standing.verdict().is_some() && now.since(run.driven) >= args.older_than;
    let old: Vec<Listed> = store.runs(now).map_err(failed)?.into_iter().flatten().filter(is_old).collect();
    if old.is_empty() {
        context.say("no run is over and so old");
    } else {
        let lines: Vec<String> = old.iter().map(|run| runs::line(context, run) + "\n").collect();
        if !context.is_json() {
            context.print(&lines.concat())?;
        }
        confirm(args, context, &lines)?;
    }
    let before = size(context);
    let (mut removed, mut kept) = (Vec::new(), Vec::new());
    for Listed { id, .. } in old {
        match store.remove(&id, now) {
            Ok(()) => removed.push(Json::from(&*id.0)),
            // One run that cannot be removed does not keep the others.
            Err(error) => {
                kept.push(json!({"run": &*id.0, "because": error.to_string()}));
                context.say(stored::failed(context, &error).render(context.err).trim_end());
            }
        }
    }
    let given_back =
        give_back(context, &store, removed.is_empty())?.then(|| before.saturating_sub(size(context)));
    if context.is_json() {
        let told = json!({"removed": removed, "kept": kept, "given_back_bytes": given_back});
        context.print(&format!("{told:#}\n"))?;
    } else if !removed.is_empty() {
        let room = given_back.map(|bytes| format!("; {} KiB given back", bytes / 1024)).unwrap_or_default();
        context.say(&format!("removed {} of {} runs{room}", removed.len(), removed.len() + kept.len()));
    }
    Ok(if kept.is_empty() { Exit::Done } else { Exit::Stopped })
}

fn confirm(args: &Args, context: &Context, lines: &[String]) -> Result<(), Failure> {
    let count = lines.len();
    if args.yes {
        return Ok(());
    }
    if !context.interactive {
        return Err(Failure::usage(format!("{count} runs would be removed, and nobody can be asked"))
            .hint("`switchover export RUN` keeps one elsewhere")
            .hint("add --yes to remove them"));
    }
    match context.ask(&format!("remove these {count} runs for good? [y/N] "))? {
        Some(answer) if matches!(answer.as_str(), "y" | "Y" | "yes") => Ok(()),
        _ => Err(Failure::new(Exit::Gate, "not confirmed; nothing was changed")),
    }
}

/// Not while a run is under way: it could not write meanwhile.
fn give_back(context: &Context, store: &SqliteStore, nothing: bool) -> Result<bool, Failure> {
    let failed = |error: StoreError| stored::failed(context, &error);
    let is_driven = |run: &Listed| run.holder.as_ref().is_some_and(|holder| !holder.gone);
    if nothing {
        return Ok(false);
    }
    if store.runs(stored::now()).map_err(failed)?.iter().flatten().any(is_driven) {
        context.say("a run is under way: the room is used again, and given back another time");
        return Ok(false);
    }
    store.compact().map_err(failed)?;
    Ok(true)
}

/// What the state takes on the disk.
fn size(context: &Context) -> u64 {
    let names = ["switchover.db", "switchover.db-wal"];
    names
        .iter()
        .filter_map(|name| fs::metadata(context.state_dir.join(name)).ok())
        .map(|file| file.len())
        .sum()
}
