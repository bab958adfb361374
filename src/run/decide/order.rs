//! Orders: who may give which, when. Every order is answered by exactly one fact, taken or refused.

use crate::plan::{Approvers, Kind, StepIx, Timestamp};
use crate::run::event::{Actor, Order, Refusal, Rewind, Verdict};
use crate::run::state::{Mode, Run};
use crate::run::step::Phase;

pub(super) fn check(run: &Run, by: &Actor, order: &Order, now: Timestamp) -> Result<(), Refusal> {
    let or = |holds: bool, refusal| if holds { Ok(()) } else { Err(refusal) };
    match order {
        Order::Rollback { rewind, .. } => may_roll_back(run, by, *rewind),
        _ if !run.is_live() => Err(Refusal::NotRunning),
        Order::Pause { .. } => or(run.paused.is_none(), Refusal::AlreadyPaused),
        Order::Continue => or(run.paused.is_some(), Refusal::NotPaused),
        Order::Approve { step } => may_answer(run, by, *step, now, true),
        Order::Reject { step, .. } => may_answer(run, by, *step, now, false),
        Order::Retry { step } => stopped(run, *step).map(|_| ()),
        Order::Skip { step, .. } => {
            let stuck = matches!(stopped(run, *step)?, Phase::Stuck(_));
            or(stuck || !run[*step].in_doubt(), Refusal::StillInDoubt)
        }
        Order::Settle { step, .. } => {
            let begun = run[*step_in(run, step)?].record.is_some();
            stopped(run, *step)?;
            or(begun, Refusal::NotStopped)
        }
    }
}

/// A completed run can be rolled back, as long as the world still is as it left it: each undo compares.
fn may_roll_back(run: &Run, by: &Actor, rewind: Rewind) -> Result<(), Refusal> {
    if let Rewind::To(step) = rewind {
        step_in(run, &step)?;
    }
    if by.automatic && rewind != Rewind::Safe {
        return Err(Refusal::PersonNeeded);
    }
    match run.mode {
        Mode::Forward | Mode::Finished(Verdict::Completed) => Ok(()),
        Mode::Rollback if by.automatic => Err(Refusal::AlreadyRollingBack),
        Mode::Rollback => Ok(()),
        Mode::Idle | Mode::Finished(_) => Err(Refusal::NotRunning),
    }
}

/// Orders come from outside and may name anything.
fn step_in<'s>(run: &Run, step: &'s StepIx) -> Result<&'s StepIx, Refusal> {
    if step.index() < run.steps.len() { Ok(step) } else { Err(Refusal::NoSuchStep) }
}

fn stopped(run: &Run, ix: StepIx) -> Result<Phase, Refusal> {
    let phase = run[*step_in(run, &ix)?].phase;
    let waits = match phase {
        Phase::Stuck(_) => true,
        _ => run.mode == Mode::Forward && run.stops_the_run(ix),
    };
    if waits { Ok(phase) } else { Err(Refusal::NotStopped) }
}

fn may_answer(run: &Run, by: &Actor, ix: StepIx, now: Timestamp, approving: bool) -> Result<(), Refusal> {
    step_in(run, &ix)?;
    let Kind::Approve(rule) = &run.plan[ix].kind else { return Err(Refusal::NotAsked) };
    match run[ix].phase {
        Phase::Asking { until } if now < until && run.goes_forward(ix) => {}
        _ => return Err(Refusal::NotAsked),
    }
    if by.automatic || !entitled(by, &rule.by) {
        return Err(Refusal::NotEntitled);
    }
    if !approving {
        return Ok(());
    }
    // Whoever started a run may always say no to it.
    if rule.another && run.started_by.as_ref().is_some_and(|starter| starter.name == by.name) {
        return Err(Refusal::StarterMayNotApprove);
    }
    if run[ix].approved_by.contains(&by.name) {
        return Err(Refusal::AlreadyApproved);
    }
    run.plan.policy.admits(now).map_err(|why| Refusal::OutsideWindow(why.into()))
}

/// `of` holds people: the groups were resolved when the plan was read.
fn entitled(by: &Actor, rule: &Approvers) -> bool {
    rule.of.is_empty() || rule.of.contains(&by.name)
}

/// Enough people said yes.
pub(super) fn approved(run: &Run, ix: StepIx) -> bool {
    let Kind::Approve(rule) = &run.plan[ix].kind else { return false };
    run[ix].approved_by.len() >= rule.by.any as usize
}
