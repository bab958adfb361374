//! Orders to runs, from any terminal: recorded in the store, answered by whoever drives the run, or by us if nobody does.

use super::stored::{self, Known};
use super::{Context, Exit, Failure, operate};
use crate::plan::{Plan, StepIx};
use crate::report;
use crate::run::{Actor, Event, Input, Order, PauseCause, Refusal, decide};
use crate::store::{self, SqliteStore, Store};
use std::sync::Arc;
use std::time::Duration;

/// What to do where nobody drives the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alone {
    /// Drive it here, until it ends or stops.
    Drive,
    /// Only record the order.
    Record,
}

/// How long an answer is waited for, on the wall clock, in tenths of a second.
const PATIENCE: u32 = 150;

/// The run that an order is for, as it stands.
pub(super) fn meant(context: &Context, called: Option<&str>) -> Result<(Arc<SqliteStore>, Known), Failure> {
    // Nothing is created where there is nothing to give orders to.
    drop(stored::open_to_read(context)?);
    let store = Arc::new(stored::open(context)?);
    let id = stored::find_open(context, &*store, called)?;
    let known = stored::look_to_order(context, &*store, &id)?;
    Ok((store, known))
}

/// Gives an order and says what became of it.
pub(super) fn give(
    context: &Context,
    store: Arc<SqliteStore>,
    known: Known,
    order: &Order,
    alone: Alone,
) -> Result<Exit, Failure> {
    let by = Actor { name: context.who.as_str().into(), automatic: false };
    let run = known.record.id.clone();
    if !known.driven() {
        // Nobody takes a run over for the sake of an order that changes nothing.
        if let Some(refusal) = refusal(&known, &by, order) {
            return Err(refused(context, &run.0, order, &refusal));
        }
        let run = &known.story.run;
        let passes = run.paused.as_ref().is_some_and(PauseCause::ends_with_its_process);
        if *order == Order::Continue && passes && run.announced.is_none() {
            // It was paused for as long as nobody drove it.
            return operate::take_over(context, store, known, None);
        }
    }
    let given = store::give_order(&*store, &run, &known.plan, &by, order, stored::now());
    let number = given.map_err(|error| stored::failed(context, &error))?;
    if known.driven() {
        return wait(context, &*store, known, number);
    }
    if alone == Alone::Drive {
        return operate::take_over(context, store, known, Some(number));
    }
    context.print(&format!("recorded for run {run}\n"))?;
    context.say(&format!(
        "nobody drives this run now; `{}` takes it up",
        context.commands.run("resume", &run.0)
    ));
    Ok(Exit::Done)
}

/// Why the run, as it stands, would refuse an order.
pub(super) fn refusal(known: &Known, by: &Actor, order: &Order) -> Option<Refusal> {
    let input = Input::Ordered { id: u64::MAX, by: by.clone(), order: order.clone() };
    decide(&known.story.run, &input, known.now()).into_iter().find_map(|event| match event {
        Event::OrderRefused { refusal, .. } => Some(refusal),
        _ => None,
    })
}

/// Waits until whoever drives the run has taken the order, or refused it.
fn wait(context: &Context, store: &dyn Store, known: Known, number: u64) -> Result<Exit, Failure> {
    let run = known.record.id.clone();
    let mut from = store::Seq(known.last().0 + 1);
    for _ in 0..PATIENCE {
        let events =
            store::events(store, &run, &known.plan, from).map_err(|error| stored::failed(context, &error))?;
        for recorded in &events {
            from = store::Seq(recorded.seq.0 + 1);
            match &recorded.event {
                Event::OrderTaken { id, .. } if *id == number => {
                    context.print(&format!("taken by run {run}\n"))?;
                    return Ok(Exit::Done);
                }
                Event::OrderRefused { id, refusal, order, .. } if *id == number => {
                    return Err(refused(context, &run.0, order, refusal));
                }
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    context.print(&format!("recorded for run {run}; not answered yet\n"))?;
    context.say(&format!("`{}` shows what becomes of it", context.commands.run("watch", &run.0)));
    Ok(Exit::Done)
}

/// Why an order changed nothing.
pub(super) fn refused(context: &Context, run: &str, order: &Order, refusal: &Refusal) -> Failure {
    let approval = matches!(order, Order::Approve { .. } | Order::Reject { .. });
    let exit = match refusal {
        Refusal::OutsideWindow(_) => Exit::Gate,
        Refusal::NotAsked if approval => Exit::Stale,
        _ => Exit::Usage,
    };
    let failure = Failure::new(exit, format!("run {run} refused it: {}", report::refused(refusal)));
    match refusal {
        Refusal::NotEntitled | Refusal::StarterMayNotApprove => failure.hint(format!(
            "you are {}; say who you are with --as NAME or SWITCHOVER_AS, as the plan's `people` name you",
            context.who
        )),
        Refusal::OutsideWindow(_) => failure.see(report::Runbook::Closed),
        _ => failure.hint(format!("`{}` shows how it stands", context.commands.run("status", run))),
    }
}

/// A step of a plan, by name.
pub(super) fn step_of(plan: &Plan, name: &str) -> Result<StepIx, Failure> {
    if let Some(ix) = plan.find(name) {
        return Ok(ix);
    }
    let names: Vec<&str> = plan.steps.iter().map(|step| &*step.id.0).collect();
    let failure = Failure::usage(format!("the plan has no step `{name}`"));
    Err(match crate::plan::nearest(name, &names) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint(format!("there are {}", names.join(", "))),
    })
}
