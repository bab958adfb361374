//! `log`: every fact of a run, in order.

use crate::cli::screen::Out;
use crate::cli::stored::{self, RunArg};
use crate::cli::{Context, Exit, Failure, screen, unread};
use crate::report::{Fact, Renderer, Runbook, Story};
use crate::store::{self, RunId, SqliteStore, Store, StoreError, Verified};
use serde_json::json;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    run: RunArg,
    /// Walk the chain of hashes from the first fact to the last, and say whether it holds
    #[arg(long, env = "SWITCHOVER_VERIFY", hide_env_values = true)]
    verify: bool,
    /// Only the facts of this step
    #[arg(long, env = "SWITCHOVER_STEP", hide_env_values = true, value_name = "STEP")]
    step: Option<String>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let store = stored::open_to_read(context)?;
    let id = stored::find(context, &store, args.run.run.as_deref())?;
    if args.verify {
        return verify(context, &store, &id);
    }
    let failed = |error: StoreError| stored::failed(context, &error);
    // Up to where the chain breaks its facts are sound: somebody may have to finish by them.
    let (events, broken) = store.sound(&id).map_err(failed)?;
    let record = store.run(&id).map_err(failed)?;
    let (plan, unread) = unread::plan_or_stand_in(&record, &events);
    let only = match &args.step {
        Some(step) => Some(crate::cli::orders::step_of(&plan, step)?),
        None => None,
    };
    if let Some(unread) = &unread {
        context.say(&unread::note(&record, unread));
    }
    let out = Out::default();
    let mut renderers = screen::result(context, &plan, &out);
    let mut told = Story::new(id.0.clone(), plan.clone());
    for stored in &events {
        let recorded = store::recorded(&id, &plan, stored).map_err(failed)?;
        told.take(recorded.at, &recorded.event);
        let about = match &recorded.event {
            crate::run::Event::Step(ix, _) => Some(*ix),
            _ => None,
        };
        if only.is_none() || only == about {
            renderers.fact(&told, &Fact { seq: recorded.seq.0, at: recorded.at, event: &recorded.event });
        }
    }
    out.is_whole(context)?;
    broken.map_or(Ok(Exit::Done), |error| Err(failed(error)))
}

/// Walks the chain, and names the first fact that does not hold.
fn verify(context: &Context, store: &SqliteStore, id: &RunId) -> Result<Exit, Failure> {
    let (told, text, end) = match store.verify(id) {
        Ok(Verified { events, head }) => (
            json!({"run": &*id.0, "events": events, "head": head, "holds": true}),
            format!("the chain of run {id} holds: {events} facts, the last is {head}"),
            Ok(Exit::Done),
        ),
        Err(StoreError::Broken { seq, reason, .. }) => (
            json!({"run": &*id.0, "holds": false, "first_bad": seq.0, "reason": reason}),
            format!("the chain of run {id} breaks at fact {seq}: {reason}"),
            Err(Failure::new(
                Exit::Stopped,
                format!("the journal of run {id} is damaged from fact {seq} on"),
            )
            .hint(format!("`{}` prints the facts before it", context.commands.run("log", &id.0)))
            .hint("keep a copy of the state directory before anything else")
            .see(Runbook::JournalBroken)),
        ),
        Err(error) => return Err(stored::failed(context, &error)),
    };
    let text = if context.is_json() { told.to_string() } else { text };
    context.print(&format!("{text}\n"))?;
    end
}
