//! `preview`: what each step would change from what is there now. It cannot write.

use crate::cli::plans::PlanArgs;
use crate::cli::rehearsal::outlook_of;
use crate::cli::sandbox::{self, PlaceArgs};
use crate::cli::{Context, Exit, Failure, preview, runtime, screen};
use crate::plan::StepIx;
use crate::report::{Runbook, preview_json, preview_text, timeline_json, timeline_text};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Save it here, so that `run --auto-approve FILE` can be bound to it
    #[arg(long, env = "SWITCHOVER_SAVE", hide_env_values = true, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Exit 2 if changes are pending, 0 if there is nothing to change
    #[arg(long, env = "SWITCHOVER_DETAILED_EXITCODE", hide_env_values = true)]
    detailed_exitcode: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    args.plan.exists()?;
    let wiring = args.place.open(context, &args.plan.plan)?;
    let told = look(args, context, wiring.clone());
    if let Some(wiring) = wiring {
        sandbox::close(&wiring)?;
    }
    told
}

fn look(args: &Args, context: &Context, wiring: Option<crate::port::Wiring>) -> Result<Exit, Failure> {
    let given = wiring.as_ref().map(|wiring| wiring.params.clone()).unwrap_or_default();
    let loaded = args.plan.load(context, given)?;
    let runtime = runtime()?;
    let outlook = outlook_of(&args.plan.plan, &loaded, args.place.world());
    let seen = runtime.block_on(async {
        let mut taken = preview::take(context, &loaded, wiring).await?;
        taken.probe(&loaded.plan, &outlook.calls).await;
        Ok::<_, Failure>(taken.preview)
    })?;
    if context.is_json() {
        let mut told = preview_json(&loaded.plan, &seen);
        told["timeline"] = timeline_json(&outlook.timeline);
        told["timeline_world"] = outlook.world.into();
        context.print(&format!("{told:#}\n"))?;
    } else {
        context.print(&preview_text(&loaded.plan, &seen, context.out))?;
        context.print(&format!(
            "\n{}",
            timeline_text(&outlook.timeline, &outlook.world, screen::width(), context.out)
        ))?;
    }
    if let Some(file) = &args.save {
        preview::save(&loaded.plan, &seen, file)?;
        context.say(&format!("saved to {}", file.display()));
    }
    let failure = |exit, steps: &[StepIx], what: &str| {
        let first = steps.first().map(|ix| loaded.plan[*ix].id.to_string()).unwrap_or_default();
        Failure::new(exit, format!("{} of its steps {what}, {first} first", steps.len()))
    };
    let (unseen, refused) = (seen.unseen(), seen.refused());
    if !unseen.is_empty() {
        return Err(failure(Exit::Credentials, &unseen, "could not be looked at")
            .hint("a preview needs the same sight as a run: credentials, network, names")
            .see(Runbook::Credentials));
    }
    if !refused.is_empty() {
        return Err(failure(Exit::Gate, &refused, "would fail before changing anything")
            .hint("what each of them says is above: a run would end there"));
    }
    let denied = seen.denied();
    if let Some(first) = denied.first() {
        let text =
            format!("{} of its steps and guards may not make a call of the run, {first} first", denied.len());
        return Err(Failure::new(Exit::Credentials, text)
            .hint("what is denied, and by what, is above; `switchover explain SW4001` says more")
            .see(Runbook::Credentials));
    }
    if let Some(first) = seen.ending().first() {
        let text = format!("the credentials of target `{first}` end before the run should be over");
        return Err(Failure::new(Exit::Credentials, text)
            .hint("a run would pause half-way until somebody logs in: log in anew first, or use a profile that renews itself")
            .see(Runbook::Credentials));
    }
    Ok(if args.detailed_exitcode && seen.pending() > 0 { Exit::Pending } else { Exit::Done })
}
