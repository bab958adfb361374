//! `log`: every fact of a run, in order.

use crate::cli::stored::{self, RunArg};
use crate::cli::{Context, Exit, Failure, screen};
use crate::report::{Fact, Renderer, Story};
use crate::store::Store;
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
        let verified = store.verify(&id).map_err(|error| stored::failed(context, &error))?;
        let text = if context.is_json() {
            json!({"run": &*id.0, "events": verified.events, "head": verified.head, "holds": true})
                .to_string()
        } else {
            format!("the chain of run {id} holds: {} facts, the last is {}", verified.events, verified.head)
        };
        context.print(&format!("{text}\n"))?;
        return Ok(Exit::Done);
    }
    let known = stored::look(context, &store, &id)?;
    let only = match &args.step {
        Some(step) => Some(crate::cli::orders::step_of(&known.plan, step)?),
        None => None,
    };
    let mut renderers = screen::result(context, &known.plan);
    let mut told = Story::new(id.0.clone(), known.plan.clone());
    for recorded in &known.events {
        told.take(recorded.at, &recorded.event);
        let about = match &recorded.event {
            crate::run::Event::Step(ix, _) => Some(*ix),
            _ => None,
        };
        if only.is_none() || only == about {
            renderers.fact(&told, &Fact { seq: recorded.seq.0, at: recorded.at, event: &recorded.event });
        }
    }
    Ok(Exit::Done)
}
