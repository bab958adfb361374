//! Which facts follow from something that happened outside: first its own, then what they entail.

mod answer;
mod order;
mod settle;

use super::event::{Cause, Event, Input, Order, PauseCause, Rewind, StepEvent};
use super::outcome::{Fault, FaultKind};
use super::state::{Mode, Run};
use crate::plan::{OnBreach, StepIx, Timestamp};
use std::borrow::Cow;

/// The facts to record, in order. Empty if nothing follows, as for an answer that comes too late.
#[must_use]
pub fn decide(run: &Run, input: &Input, now: Timestamp) -> Vec<Event> {
    let mut draft = Draft { run: Cow::Borrowed(run), events: Vec::new(), now };
    draft.take(input);
    draft.settle();
    draft.events
}

/// The run as it will be once the facts so far are recorded. Copied only when there is a first one.
struct Draft<'r> {
    run: Cow<'r, Run>,
    events: Vec<Event>,
    now: Timestamp,
}

impl Draft<'_> {
    fn push(&mut self, event: Event) {
        self.run.to_mut().evolve(&event).expect("decide() drafts no fact that evolve() refuses");
        self.events.push(event);
    }

    fn step(&mut self, ix: StepIx, event: StepEvent) {
        self.push(Event::Step(ix, event));
    }

    fn take(&mut self, input: &Input) {
        let run = &self.run;
        match input {
            Input::Begin { by } if run.mode == Mode::Idle => {
                let deadline = run.plan.policy.deadline.map_or(Timestamp::NEVER, |d| self.now.after(d));
                self.push(Event::RunStarted { by: by.clone(), deadline });
            }
            Input::Resume { owner } if run.is_live() => self.push(Event::RunResumed { owner: owner.clone() }),
            Input::Interrupted if run.is_live() => self.pause(PauseCause::Interrupted),
            Input::Begin { .. } | Input::Resume { .. } | Input::Interrupted | Input::Tick => {}
            Input::Answered { step, turn, answer } => {
                if run.is_live() && step.index() < run.steps.len() && run[*step].turn == *turn {
                    self.answered(*step, answer);
                }
            }
            Input::Tripped { guard, fault } => self.tripped(*guard, fault),
            Input::Ordered { id, by, order } => {
                if *id > run.last_order {
                    self.ordered(*id, by, order);
                }
            }
        }
    }

    fn tripped(&mut self, guard: usize, fault: &Fault) {
        if !self.run.guarded(guard) {
            return;
        }
        self.push(Event::GuardTripped { guard, fault: fault.clone() });
        let unsure = matches!(fault.kind, FaultKind::Foreign | FaultKind::Blind);
        match self.run.plan.guards[guard].on_breach {
            OnBreach::Notify => {}
            OnBreach::Rollback if !unsure => self.turn_back(Cause::Guard(guard), Rewind::Safe),
            OnBreach::Rollback | OnBreach::Pause => self.pause(PauseCause::Guard(guard)),
        }
    }

    fn pause(&mut self, cause: PauseCause) {
        if self.run.paused.is_none() {
            self.push(Event::RunPaused { cause });
        }
    }

    /// Rolls back, unless it is a person's to decide: past a point of no return, or where users' writes would be left.
    fn turn_back(&mut self, cause: Cause, rewind: Rewind) {
        let hold = match rewind {
            Rewind::Safe => self.held_back(),
            Rewind::To(_) | Rewind::All => None,
        };
        match hold {
            None => self.push(Event::RollbackStarted { cause, rewind }),
            Some(hold) if self.run.is_live() && self.run.paused.as_ref() != Some(&hold) => {
                self.push(Event::RunPaused { cause: hold });
            }
            Some(_) => {}
        }
    }

    /// What keeps a rollback from starting by itself.
    fn held_back(&self) -> Option<PauseCause> {
        let barrier = self.run.barrier().map(PauseCause::Barrier);
        barrier.or_else(|| self.run.diverged().map(|(step, since)| PauseCause::Diverged { step, since }))
    }

    fn ordered(&mut self, id: u64, by: &super::Actor, order: &Order) {
        if let Err(refusal) = order::check(&self.run, by, order, self.now) {
            let (by, order) = (by.clone(), order.clone());
            return self.push(Event::OrderRefused { id, by, order, refusal });
        }
        self.push(Event::OrderTaken { id, by: by.clone(), order: order.clone() });
        match order {
            Order::Rollback { rewind, reason } => {
                let turning = self.run.mode == Mode::Rollback && self.run.paused.is_none();
                if turning && *rewind == Rewind::Safe {
                    return self.pause(PauseCause::Operator);
                }
                self.turn_back(Cause::Order { by: by.clone(), reason: reason.clone() }, *rewind);
            }
            Order::Approve { step } => {
                self.step(*step, StepEvent::Approved { by: by.name.clone() });
                if order::approved(&self.run, *step) {
                    self.step(*step, StepEvent::Succeeded { out: None });
                }
            }
            Order::Reject { step, .. } => self.push(Event::RunPaused { cause: PauseCause::Rejected(*step) }),
            Order::Pause { .. }
            | Order::Continue
            | Order::Retry { .. }
            | Order::Skip { .. }
            | Order::Settle { .. } => {}
        }
    }
}
