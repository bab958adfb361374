//! `rehearse`: whether a plan ends well, whatever goes wrong at any moment of it. In a world in memory; nothing real is
//! touched.

use crate::cli::plans::PlanArgs;
use crate::cli::rehearsal::{Played, Stage, StageArgs, Wanted, play};
use crate::cli::{Context, Exit, Failure, Output, runtime, screen};
use crate::plan::parse_duration;
use crate::rehearse::{NoSuchScenario, repeat};
use crate::report::{self, Fact, Rehearsed, Renderer, Runbook, Story};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(mut_arg("plan", |plan| plan.required(false).required_unless_present("catalogue")))]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    plan: Option<PlanArgs>,
    #[command(flatten)]
    stage: StageArgs,
    /// Play one scenario, as its operator would see it: a name that a finding gives
    #[arg(long, env = "SWITCHOVER_ONLY", hide_env_values = true, value_name = "NAME")]
    only: Option<String>,
    /// Only faults with this in their name, one by one
    #[arg(long, env = "SWITCHOVER_FAULT", hide_env_values = true, value_name = "NAME[@STEP]")]
    fault: Option<String>,
    /// List all faults and all laws
    #[arg(long, env = "SWITCHOVER_CATALOGUE", hide_env_values = true)]
    catalogue: bool,
    /// How many pairs of faults to play after all single ones, or for how long to play at most
    #[arg(long, env = "SWITCHOVER_BUDGET", hide_env_values = true, value_name = "NUMBER|DURATION")]
    #[arg(default_value = "500", value_parser = Budget::parse)]
    budget: Budget,
    /// Chooses the pairs
    #[arg(long, env = "SWITCHOVER_SEED", hide_env_values = true, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How many threads play [default: one a core]
    #[arg(long, env = "SWITCHOVER_THREADS", hide_env_values = true, value_name = "NUMBER")]
    threads: Option<NonZeroUsize>,
    /// Save what came of it as JSON, bound to this plan and these params
    #[arg(long, env = "SWITCHOVER_SAVE", hide_env_values = true, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Save what came of it as JUnit XML: a case a law, and a case a step
    #[arg(long, env = "SWITCHOVER_JUNIT", hide_env_values = true, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// How much is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Budget {
    Pairs(u64),
    Time(Duration),
}

/// As good as without end: no time is long enough.
const MOST_PAIRS: u64 = 1_000_000;

impl Budget {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return parse_duration(text).map(Self::Time);
        }
        match text.parse() {
            Ok(pairs) if pairs <= MOST_PAIRS => Ok(Self::Pairs(pairs)),
            _ => Err(format!("at most {} pairs are played", report::grouped(MOST_PAIRS))),
        }
    }
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if args.catalogue {
        let text = if context.is_json() {
            format!("{:#}\n", report::catalogue_json())
        } else {
            report::catalogue_text(screen::width(), context.out)
        };
        context.print(&text)?;
        return Ok(Exit::Done);
    }
    let Some(plan) = &args.plan else { return Err(Failure::usage("no plan is named")) };
    let stage = args.stage.set(context, plan)?;
    match &args.only {
        Some(name) => tell(context, &stage, name),
        None => explore(args, context, &stage),
    }
}

/// One scenario.
fn tell(context: &Context, stage: &Stage, name: &str) -> Result<Exit, Failure> {
    let plan = &stage.loaded.plan;
    let played = repeat(&stage.setting, name).map_err(|none| no_such(stage, &none))?;
    let out = screen::Out::default();
    let mut renderers = screen::result(context, plan, &out);
    let mut told = Story::new("rehearsal", plan.clone());
    let mut struck = report::struck(name, &played).into_iter().peekable();
    let mut say_until = |renderers: &mut Vec<Box<dyn Renderer>>, seq: u64| {
        while let Some((_, text)) = struck.next_if(|(after, _)| *after < seq) {
            renderers.say(&format!(">>> {text}"));
        }
    };
    for recorded in &played.facts {
        say_until(&mut renderers, recorded.seq.0);
        told.take(recorded.at, &recorded.event);
        renderers.fact(&told, &Fact { seq: recorded.seq.0, at: recorded.at, event: &recorded.event });
    }
    say_until(&mut renderers, u64::MAX);
    out.is_whole(context)?;
    if context.is_json() {
        context.print(&format!("{}\n", report::scenario_json(name, &played)))?;
    } else {
        context.print(&report::scenario_end(&played, screen::width(), context.out))?;
    }
    match played.breaches.len() {
        0 => Ok(Exit::Done),
        1 => Err(Failure::new(Exit::Gate, "a law does not hold in this scenario").see(Runbook::Rehearsal)),
        many => Err(Failure::new(Exit::Gate, format!("{many} laws do not hold in this scenario"))
            .see(Runbook::Rehearsal)),
    }
}

fn no_such(stage: &Stage, none: &NoSuchScenario) -> Failure {
    let failure = Failure::usage(none.to_string());
    let failure = none.near.iter().fold(failure, |failure, near| failure.hint(format!("there is {near}")));
    failure.hint(format!("`{} --catalogue` lists all faults", stage.command))
}

/// All scenarios.
fn explore(args: &Args, context: &Context, stage: &Stage) -> Result<Exit, Failure> {
    let fault = args.fault.as_ref().map(|fault| match fault.split_once('@') {
        Some((fault, step)) => (fault.to_owned(), Some(step.to_owned())),
        None => (fault.clone(), None),
    });
    let (pairs, time) = match args.budget {
        Budget::Pairs(pairs) => (pairs, None),
        Budget::Time(time) => (MOST_PAIRS, Some(time)),
    };
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let wanted = Wanted {
        // A pair is of faults that nobody chose.
        pairs: if fault.is_some() { 0 } else { pairs },
        seed: args.seed,
        threads: args.threads.map_or_else(cores, NonZeroUsize::get),
        fault,
        time,
    };
    let mut played = runtime()?.block_on(play(context, stage.setting.clone(), wanted))?;
    played.rehearsal.opaque.extend(stage.opaque.iter().cloned());
    let told = Rehearsed {
        rehearsal: &played.rehearsal,
        plan: &stage.loaded.plan,
        digest: &stage.loaded.reading.digest,
        params_digest: &stage.loaded.reading.params_digest,
        command: &stage.command,
        at: played.at,
        took: played.took,
        begins: stage.begins,
        only: args.fault.as_deref(),
        cut: played.cut,
    };
    if let Some(fault) = args.fault.as_ref().filter(|_| struck_nothing(&played)) {
        return Err(Failure::usage(format!("no fault like `{fault}` strikes this plan"))
            .hint(format!("`{} --catalogue` lists all faults", stage.command)));
    }
    show(context, &told)?;
    if let Some(file) = &args.save {
        save(file, &format!("{:#}\n", report::rehearsal_json(&told)))?;
        context.say(&format!("saved to {}", file.display()));
    }
    if let Some(file) = &args.junit {
        save(file, &report::junit(&told))?;
    }
    verdict(&played, &told)
}

fn struck_nothing(played: &Played) -> bool {
    played.cut.is_none() && played.rehearsal.scenarios() == 0
}

fn show(context: &Context, told: &Rehearsed<'_>) -> Result<(), Failure> {
    match context.output {
        Output::Json => context.print(&format!("{:#}\n", report::rehearsal_json(told))),
        Output::Jsonl => context.print(&format!("{}\n", report::rehearsal_json(told))),
        Output::Github => {
            let text = report::rehearsal_text(told, screen::width(), context.out);
            context.print(&(text + &report::annotations(told)))
        }
        _ => context.print(&report::rehearsal_text(told, screen::width(), context.out)),
    }
}

fn save(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| {
        Failure::usage(format!("the rehearsal cannot be saved to {}", file.display())).from_error(&error)
    })
}

fn verdict(played: &Played, told: &Rehearsed<'_>) -> Result<Exit, Failure> {
    if let Some(exit) = played.ended_by {
        return Err(Failure::new(exit, "interrupted: the report is partial"));
    }
    let found = told.found();
    let Some(repeat) = told.first_repeat() else { return Ok(Exit::Done) };
    let s = if found == 1 { "" } else { "s" };
    Err(Failure::new(
        Exit::Gate,
        format!("{found} finding{s}: {} does not end well whatever goes wrong", told.plan.name),
    )
    .hint(format!("see the first as its operator would: `{repeat}`"))
    .see(Runbook::Rehearsal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_number_or_a_time() {
        assert_eq!(Budget::parse("0"), Ok(Budget::Pairs(0)));
        assert_eq!(Budget::parse("20000"), Ok(Budget::Pairs(20_000)));
        assert_eq!(Budget::parse("90s"), Ok(Budget::Time(Duration::from_secs(90))));
        for wrong in ["", "1000001", "99999999999999999999", "5x", "-1"] {
            assert!(Budget::parse(wrong).is_err(), "{wrong}");
        }
    }
}
