//! `validate`: everything that is wrong with a plan, at once.

use crate::cli::plans::{self, PlanArgs};
use crate::cli::{Context, Exit, Failure};
use crate::doc;
use crate::plan::{Kind, Severity};
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    plan: PlanArgs,
    /// Refuse a plan with warnings too
    #[arg(long, env = "SWITCHOVER_STRICT", hide_env_values = true)]
    strict: bool,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let reading = args.plan.read(BTreeMap::new())?;
    let count = |severity| reading.problems.iter().filter(|p| p.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let name = args.plan.plan.display().to_string();
    let refused = reading.plan.is_none() || (args.strict && warnings > 0);
    if context.is_json() {
        let place = |span| {
            reading
                .sources
                .place(span)
                .map(|(file, line, column)| json!({"file": file, "line": line, "column": column}))
        };
        let problems: Vec<_> = reading
            .problems
            .iter()
            .map(|p| {
                json!({
                    "code": p.code.0,
                    "severity": if p.severity == Severity::Error { "error" } else { "warning" },
                    "message": p.message,
                    "help": p.help,
                    "at": place(p.span),
                })
            })
            .collect();
        let result = json!({"plan": name, "valid": !refused, "digest": reading.digest,
            "params_digest": reading.params_digest, "problems": problems});
        context.print(&format!("{result}\n"))?;
        return if refused { Err(Failure::said(Exit::Invalid)) } else { Ok(Exit::Done) };
    }
    if !reading.problems.is_empty() {
        let text = doc::render(&reading.problems, &reading.sources, context.err.colour, context.err.ascii);
        context.say(text.trim_end());
    }
    let plan = match &reading.plan {
        Some(plan) if !refused => plan,
        Some(_) => {
            return Err(Failure::new(
                Exit::Invalid,
                format!("{name} has warnings, and --strict refuses them"),
            ));
        }
        None => return Err(plans::invalid(&name, errors, &reading)),
    };
    let steps = plan.steps.iter().filter(|step| !matches!(step.kind, Kind::Join)).count();
    let more = match warnings {
        0 => String::new(),
        1 => ", 1 warning".into(),
        many => format!(", {many} warnings"),
    };
    let s = if steps == 1 { "" } else { "s" };
    context.print(&format!("{name} is sound: {steps} step{s}{more}\n"))?;
    Ok(Exit::Done)
}
