//! `watch`: a run as it happens, from any terminal.

use crate::cli::screen::Out;
use crate::cli::stored::{self, RunArg};
use crate::cli::{Context, Exit, Failure, actions, screen};
use crate::plan::Plan;
use crate::report::{Fact, Renderer, Story};
use crate::store::{self, Recorded, Seq, Store};
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    run: RunArg,
}

/// How often the journal is looked at, on the wall clock.
const PERIOD: Duration = Duration::from_millis(200);

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let store = stored::open_to_read(context)?;
    let id = stored::find(context, &store, args.run.run.as_deref())?;
    let mut known = stored::tell(context, &store, &id)?;
    let out = Out::default();
    let mut screen = renderers(context, &known.plan, &out);
    let mut told = Story::new(id.0.clone(), known.plan.clone());
    let show = |told: &mut Story, screen: &mut Vec<Box<dyn Renderer>>, recorded: &Recorded| {
        actions::take(told, recorded);
        if let Some((step, curves)) = actions::noted(&told.plan, &recorded.event) {
            told.see(step, curves);
        }
        if let Some((guard, curve)) = actions::seen(told, &recorded.event) {
            told.see_guard(guard, curve);
        }
        screen.fact(told, &Fact { seq: recorded.seq.0, at: recorded.at, event: &recorded.event });
    };
    for recorded in &known.events {
        show(&mut told, &mut screen, recorded);
    }
    let mut last = known.last();
    while told.verdict().is_none() && known.driven() {
        std::thread::sleep(PERIOD);
        if !context.is_read() {
            return Ok(Exit::Done);
        }
        let failed = |error| stored::failed(context, &error);
        for recorded in store::events(&store, &id, &known.plan, Seq(last.0 + 1)).map_err(failed)? {
            show(&mut told, &mut screen, &recorded);
            last = recorded.seq;
        }
        known.holder = store.holder(&id, stored::now()).map_err(failed)?;
        screen.tick(&told, known.now());
        out.is_whole(context)?;
    }
    // What was recorded between the last look at the journal and the last look at the holder.
    for recorded in
        store::events(&store, &id, &known.plan, Seq(last.0 + 1)).map_err(|e| stored::failed(context, &e))?
    {
        show(&mut told, &mut screen, &recorded);
    }
    screen.end(&told, known.now());
    out.is_whole(context)?;
    let exit = Exit::of(&told.run);
    screen::tell(context, &told, known.now(), &screen::extras(context, &known, Vec::new()), Some(exit))?;
    Ok(exit)
}

/// On a terminal the tree, else the facts as the result.
fn renderers(context: &Context, plan: &Plan, out: &Out) -> Vec<Box<dyn Renderer>> {
    use crate::cli::Output;
    match context.output {
        Output::Auto | Output::Live if context.drawable => screen::live(context, plan),
        _ => screen::result(context, plan, out),
    }
}
