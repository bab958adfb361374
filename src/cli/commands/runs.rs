//! `runs`: all runs of this state directory, the newest first.

use crate::adapter::SystemClock;
use crate::cli::stored;
use crate::cli::{Context, Exit, Failure};
use crate::plan::Timestamp;
use crate::port::Clock;
use crate::report::{self, Standing, quoted};
use crate::store::record::{CauseRecord, SandboxRecord, VerdictRecord};
use crate::store::{Listed, Store, StoreError};
use serde_json::{Value as Json, json};

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
    let runs = store.runs(stored::now()).map_err(|error| stored::failed(context, &error))?;
    let (mut lines, mut objects) = (Vec::new(), Vec::new());
    for run in runs {
        if lines.len() >= args.limit {
            break;
        }
        // One run that cannot be read does not hide the others.
        match run {
            Ok(run) if args.open && run.standing.verdict().is_some() => {}
            Ok(run) => {
                lines.push(line(context, &run));
                objects.push(object(&run));
            }
            Err(unreadable) => {
                let (id, error) = *unreadable;
                lines.push(format!("{id}  cannot be read"));
                objects.push(json!({"run": &*id.0, "unreadable": true}));
                context.say(stored::failed(context, &error).render(context.err).trim_end());
            }
        }
    }
    if context.is_json() {
        context.print(&format!("{:#}\n", Json::from(objects)))?;
    } else {
        lines.push(String::new());
        context.print(&lines.join("\n"))?;
    }
    Ok(Exit::Done)
}

/// What time it is in a run: a sandbox has a time of its own.
fn now_in(run: &Listed) -> Timestamp {
    let sandbox = run.title.sandbox.as_ref();
    sandbox.map_or_else(SystemClock::wall, |sandbox| SystemClock::scaled(sandbox.time)).now()
}

fn driver(run: &Listed) -> Option<String> {
    run.holder.as_ref().filter(|holder| !holder.gone).map(|holder| holder.owner.to_string())
}

fn standing(run: &Listed) -> Standing {
    let kept = &run.standing;
    let by_person = matches!(&kept.cause, Some(CauseRecord::Order { by, .. }) if !by.automatic);
    let rolled_back = kept.verdict() == Some(VerdictRecord::RolledBack);
    let now = kept.ended.map_or_else(|| now_in(run), Timestamp);
    Standing {
        mode: kept.mode.into(),
        paused: kept.paused.as_ref().map(|cause| {
            let (cause, name) = cause.named();
            report::pause_about(&name, &cause)
        }),
        announced: kept.announced.as_ref().map(|announced| {
            let (cause, name) = announced.cause.named();
            (Timestamp(announced.at).since(now), report::why_back_about(&name, &cause))
        }),
        baking: kept.baking.map(|until| (Timestamp(until), Timestamp(until).since(now))),
        because: kept.cause.as_ref().map(|cause| {
            let (cause, name) = cause.named();
            report::why_back_about(&name, &cause)
        }),
        changed_nothing: rolled_back && !kept.wrote && !by_person,
        assumes: kept.assumes,
        lasted: kept.began.map(|began| now.since(Timestamp(began))).unwrap_or_default(),
    }
}

pub(super) fn line(context: &Context, run: &Listed) -> String {
    let place = if run.title.sandbox.is_some() { "sandbox" } else { "production" };
    let (started, plan) = (Timestamp(run.title.created), context.out.safe(&run.title.plan));
    let state = standing(run).text(context.out);
    let driven = driver(run).map(|by| format!(", driven by {by}")).unwrap_or_default();
    format!("{}  {started}  {place:10}  {plan} {state}{driven}", run.id)
}

/// What `status` says of it, as far as that is known without its journal.
fn object(run: &Listed) -> Json {
    let (title, kept, said) = (&run.title, &run.standing, standing(run));
    let moment = |at: u64| Timestamp(at).to_string();
    let sandbox = |sandbox: &SandboxRecord| json!({"world": sandbox.world, "control": sandbox.control});
    json!({
        "run": &*run.id.0,
        "plan": title.plan,
        "verdict": kept.verdict(),
        "paused": kept.paused.as_ref().map(|cause| kind(json!(cause))),
        "announced": kept.announced.as_ref().map(|announced| {
            json!({"cause": kind(json!(announced.cause)), "begins": moment(announced.at)})
        }),
        "baking": kept.baking.map(|until| json!({"until": moment(until)})),
        "rolled_back_because": kept.cause.as_ref().map(|cause| kind(json!(cause))),
        "started": kept.began.map(moment),
        "ended": kept.ended.map(moment),
        "lasted_seconds": said.lasted.as_secs(),
        "created": moment(title.created),
        "created_by": title.by,
        "plan_digest": title.digest,
        "params_digest": title.params_digest,
        "sandbox": title.sandbox.as_ref().map(sandbox),
        "driven_by": driver(run),
    })
}

/// A cause as results have it.
fn kind(mut cause: Json) -> Json {
    let entries = cause.as_object_mut().into_iter().flatten();
    let named = entries.map(|(key, value)| match (key.as_str(), value.as_u64()) {
        ("why", _) => ("kind".to_owned(), value.take()),
        ("since", Some(at)) => ("since".to_owned(), Timestamp(at).to_string().into()),
        _ => (key.clone(), value.take()),
    });
    named.collect()
}
