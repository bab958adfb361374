//! Orders: who may give which, when. Every order is answered by exactly one fact, taken or refused.

use crate::mutant::{Mistake, on};
use crate::plan::{Kind, StepIx, Timestamp};
use crate::run::event::{Actor, Order, PauseCause, Refusal, Rewind, Verdict};
use crate::run::state::{Mode, Run};
use crate::run::step::Phase;

pub(super) fn check(run: &Run, by: &Actor, order: &Order, now: Timestamp) -> Result<(), Refusal> {
    let or = |holds: bool, refusal| if holds { Ok(()) } else { Err(refusal) };
    match order {
        Order::Rollback { rewind, .. } => may_roll_back(run, by, *rewind, now),
        _ if !run.is_live() => Err(Refusal::NotRunning),
        // Whether a rollback that is announced shall begin is a person's to say.
        Order::Pause { .. } if by.automatic && run.announced.is_some() => Err(Refusal::PersonNeeded),
        Order::Pause { .. } => or(run.paused.is_none() || run.announced.is_some(), Refusal::AlreadyPaused),
        Order::Approve { step } => may_answer(run, by, *step, now, true),
        Order::Reject { step, .. } => may_answer(run, by, *step, now, false),
        Order::Trip { guard, .. } => may_trip(run, *guard),
        // An alarm may stop a run or turn it back; what else there is to decide is a person's.
        _ if by.automatic => Err(Refusal::PersonNeeded),
        Order::Continue => or(run.is_held() || run.bakes_until().is_some(), Refusal::NotPaused),
        Order::Retry { step } => stopped(run, *step).map(|_| ()),
        Order::Skip { step, .. } => {
            let stuck = matches!(stopped(run, *step)?, Phase::Stuck(_));
            or(stuck || !run[*step].in_doubt(), Refusal::StillInDoubt)
        }
        Order::Settle { step, .. } => {
            stopped(run, *step)?;
            or(run[*step].is_change(), Refusal::NothingRecorded)
        }
    }
}

/// A completed run can be rolled back, as long as the world still is as it left it: each undo compares.
fn may_roll_back(run: &Run, by: &Actor, rewind: Rewind, now: Timestamp) -> Result<(), Refusal> {
    if let Rewind::To(step) = rewind {
        step_in(run, step)?;
        if run.plan.is_finally(step) {
            return Err(Refusal::NoSuchStep);
        }
    }
    if by.automatic && (rewind != Rewind::Safe || run.is_finished()) {
        return Err(Refusal::PersonNeeded);
    }
    match run.mode {
        Mode::Idle => Err(Refusal::NotRunning),
        Mode::Forward | Mode::Finished(Verdict::Completed) => match run.held_back(now) {
            // Said already, or nobody is there to be asked.
            Some(hold)
                if rewind == Rewind::Safe && (run.is_finished() || run.paused.as_ref() == Some(&hold)) =>
            {
                Err(Refusal::HeldBy(hold))
            }
            _ => Ok(()),
        },
        Mode::Rollback if by.automatic => Err(Refusal::AlreadyRollingBack),
        Mode::Rollback => match &run.paused {
            Some(hold @ (PauseCause::Checkpoint(_) | PauseCause::Rewound(_) | PauseCause::Stuck(_)))
                if rewind == run.rewind =>
            {
                Err(Refusal::HeldBy(hold.clone()))
            }
            Some(hold @ (PauseCause::Barrier(_) | PauseCause::Diverged { .. })) if rewind == Rewind::Safe => {
                Err(Refusal::HeldBy(hold.clone()))
            }
            None if rewind == run.rewind && rewind != Rewind::Safe => Err(Refusal::AlreadyRollingBack),
            _ => Ok(()),
        },
        Mode::Finished(_) => Err(Refusal::NotRunning),
    }
}

/// A guard is heard from outside for as long as one that looks for itself would be heard.
fn may_trip(run: &Run, guard: usize) -> Result<(), Refusal> {
    match run.plan.guards.get(guard) {
        None => Err(Refusal::NoSuchGuard),
        Some(rule) if !rule.is_outside() => Err(Refusal::LooksItself),
        Some(_) if run.mode == Mode::Rollback => Err(Refusal::AlreadyRollingBack),
        Some(_) if run.guarded(guard) => Ok(()),
        Some(_) if run.guards[guard].tripped => Err(Refusal::AlreadyTripped),
        Some(_) => Err(Refusal::NotWatched),
    }
}

/// Orders come from outside and may name anything.
fn step_in(run: &Run, step: StepIx) -> Result<StepIx, Refusal> {
    if step.index() < run.steps.len() { Ok(step) } else { Err(Refusal::NoSuchStep) }
}

fn stopped(run: &Run, ix: StepIx) -> Result<Phase, Refusal> {
    let phase = run[step_in(run, ix)?].phase;
    let waits = match phase {
        Phase::Stuck(_) => true,
        _ => run.mode == Mode::Forward && run.stops_the_run(ix),
    };
    if waits { Ok(phase) } else { Err(Refusal::NotStopped) }
}

fn may_answer(run: &Run, by: &Actor, ix: StepIx, now: Timestamp, approving: bool) -> Result<(), Refusal> {
    step_in(run, ix)?;
    let Kind::Approve(rule) = &run.plan[ix].kind else { return Err(Refusal::NotAsked) };
    match run[ix].phase {
        Phase::Asking { until } if now < until && run.goes_forward(ix) => {}
        _ => return Err(Refusal::NotAsked),
    }
    let named = rule.by.of.is_empty() || rule.by.of.contains(&by.name);
    if by.automatic || !named {
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

/// Enough people said yes.
pub(super) fn approved(run: &Run, ix: StepIx) -> bool {
    let Kind::Approve(rule) = &run.plan[ix].kind else { return false };
    run[ix].approved_by.len() >= rule.by.any as usize || on(Mistake::OneIsEnough)
}
