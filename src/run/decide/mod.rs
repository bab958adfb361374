//! Which facts follow from something that happened outside: first its own, then what they entail.

mod answer;
mod back;
mod forward;
mod order;

use super::event::{Actor, Cause, Event, Input, Order, PauseCause, Rewind, StepEvent};
use super::outcome::{Fault, FaultKind, Memo};
use super::state::{Announced, Mode, Run};
use super::step::Phase;
use crate::mutant::{Mistake, on};
use crate::plan::{OnBreach, StepIx, Timestamp};
use std::borrow::Cow;

/// The facts to record, in order. Empty if nothing follows, as for an answer that comes too late.
#[must_use]
pub fn decide(run: &Run, input: &Input, now: Timestamp) -> Vec<Event> {
    follow(run, std::slice::from_ref(input), now).0
}

/// The facts that follow from these inputs, one after the other, and the run as it will be once they are recorded.
#[must_use]
pub fn follow<'r>(run: &'r Run, inputs: &[Input], now: Timestamp) -> (Vec<Event>, Cow<'r, Run>) {
    let mut draft = Draft { run: Cow::Borrowed(run), events: Vec::new(), now, resumes: false };
    for input in inputs {
        draft.resumes = matches!(input, Input::Resume { .. });
        draft.take(input);
        draft.entail();
    }
    (draft.events, draft.run)
}

/// The run as it will be once the facts so far are recorded. Copied only when there is a first one.
struct Draft<'r> {
    run: Cow<'r, Run>,
    events: Vec<Event>,
    now: Timestamp,
    /// A process has just taken the run over: first it hears what was said meanwhile.
    resumes: bool,
}

impl Draft<'_> {
    fn push(&mut self, event: Event) {
        self.run.to_mut().evolve(&event).expect("no fact is drafted that evolve() refuses");
        self.events.push(event);
    }

    fn step(&mut self, ix: StepIx, event: StepEvent) {
        self.push(Event::Step(ix, event));
    }

    fn take(&mut self, input: &Input) {
        let run = &self.run;
        match input {
            Input::Begin { by } if run.mode == Mode::Idle => {
                self.push(Event::RunStarted { by: by.clone() });
            }
            Input::Resume { owner } if run.is_live() => self.push(Event::RunResumed { owner: owner.clone() }),
            Input::Interrupted | Input::OutOfRoom if run.is_live() && run.paused.is_none() => {
                let full = *input == Input::OutOfRoom;
                let cause = if full { PauseCause::OutOfRoom } else { PauseCause::Interrupted };
                self.push(Event::RunPaused { cause });
            }
            Input::Begin { .. } | Input::Resume { .. } | Input::Tick => {}
            Input::Interrupted | Input::OutOfRoom => {}
            Input::Answered { step, turn, answer } => {
                if run.is_live() && step.index() < run.steps.len() && run[*step].turn == *turn {
                    self.answered(*step, answer);
                }
            }
            Input::Noted { guard, turn, note, next } => {
                if run.guarded(*guard) && run.guards[*guard].turn == *turn {
                    self.guard_noted(*guard, note, *next);
                }
            }
            Input::Tripped { guard, note, fault } => {
                if let Some(note) = note.as_ref().filter(|_| run.guarded(*guard)) {
                    self.guard_noted(*guard, note, Timestamp::PAST);
                }
                self.tripped(*guard, fault);
            }
            Input::Satisfied { guard } => {
                let is_over = run.bakes_until().is_some_and(|until| until <= self.now);
                if is_over && run.guarded(*guard) && !run.guards[*guard].satisfied {
                    self.push(Event::GuardSatisfied { guard: *guard });
                }
            }
            Input::Ordered { id, by, order } => {
                if *id > run.last_order {
                    self.ordered(*id, by, order);
                }
            }
        }
    }

    fn guard_noted(&mut self, guard: usize, note: &Memo, next: Timestamp) {
        self.push(Event::GuardNoted { guard, note: note.clone(), next });
    }

    fn tripped(&mut self, guard: usize, fault: &Fault) {
        let asks = || self.run.steps.iter().any(|step| matches!(step.phase, Phase::Asking { .. }));
        let suspended = on(Mistake::TriggersDeaf) || on(Mistake::TriggersSuspended) && asks();
        if !self.run.guarded(guard) || suspended {
            return;
        }
        self.push(Event::GuardTripped { guard, fault: fault.clone() });
        let unsure = matches!(fault.kind, FaultKind::Foreign | FaultKind::Blind);
        match self.run.plan.guards[guard].on_breach {
            OnBreach::Notify => {}
            OnBreach::Rollback if !unsure => self.turn_back(Cause::Guard(guard)),
            OnBreach::Rollback | OnBreach::Pause => self.pause(PauseCause::Guard(guard)),
        }
    }

    /// Pauses. What a human must look at shows, also if the run was paused for the sake of pausing.
    fn pause(&mut self, cause: PauseCause) {
        let plain = |cause: &PauseCause| {
            matches!(cause, PauseCause::Operator | PauseCause::Deadline) || cause.ends_with_its_process()
        };
        let news = self.run.paused.as_ref().is_none_or(|was| plain(was) && !plain(&cause));
        if news {
            self.push(Event::RunPaused { cause });
        }
    }

    /// Rolls back by itself, unless that is a person's to decide. Where the plan says so it is announced first, but for an
    /// order.
    fn turn_back(&mut self, cause: Cause) {
        let ordered = matches!(cause, Cause::Order { .. });
        if self.run.announced.is_some() && !ordered {
            return;
        }
        let veto = self.run.plan.policy.veto.filter(|_| !ordered && !on(Mistake::NotAnnounced));
        match (self.run.held_back(self.now), veto) {
            (None, None) => self.push(Event::RollbackStarted { cause, rewind: Rewind::Safe }),
            (None, Some(span)) => self.push(Event::RollbackAnnounced { cause, at: self.now.after(span) }),
            (Some(hold), _) if self.run.paused.as_ref() == Some(&hold) => {}
            (Some(hold), _) => self.push(Event::RunPaused { cause: hold }),
        }
    }

    /// Nobody said no in time. What happened meanwhile may have made it a person's to decide.
    fn turn_back_as_announced(&mut self) {
        let Some(Announced { cause, .. }) = self.run.announced.clone() else { return };
        let event = match self.run.held_back(self.now) {
            None => Event::RollbackStarted { cause, rewind: Rewind::Safe },
            Some(hold) => Event::RunPaused { cause: hold },
        };
        self.push(event);
    }

    fn ordered(&mut self, id: u64, by: &Actor, order: &Order) {
        if let Err(refusal) = order::check(&self.run, by, order, self.now) {
            let (by, order) = (by.clone(), order.clone());
            return self.push(Event::OrderRefused { id, by, order, refusal });
        }
        let turning = self.run.mode == Mode::Rollback && self.run.paused.is_none();
        let question = self.run.announced.as_ref().map(Announced::question);
        self.push(Event::OrderTaken { id, by: by.clone(), order: order.clone() });
        match order {
            Order::Pause { .. } => {
                self.push(Event::RunPaused { cause: question.unwrap_or(PauseCause::Operator) });
            }
            // Whoever aborts a rollback wants it to stop.
            Order::Rollback { rewind: Rewind::Safe, .. } if turning => {
                self.push(Event::RunPaused { cause: PauseCause::Operator });
            }
            Order::Rollback { .. } if on(Mistake::AbortIgnored) => {}
            Order::Rollback { rewind, reason } => {
                let cause = Cause::Order { by: by.clone(), reason: reason.clone() };
                match (rewind, self.run.rewind) {
                    // Paused on its way, it goes on as far as it was told to.
                    (Rewind::Safe, Rewind::All) => {
                        self.push(Event::RollbackStarted { cause, rewind: Rewind::All });
                    }
                    (Rewind::Safe, _) => self.turn_back(cause),
                    (rewind, _) => self.push(Event::RollbackStarted { cause, rewind: *rewind }),
                }
            }
            Order::Approve { step } => {
                self.step(*step, StepEvent::Approved { by: by.name.clone() });
                if order::approved(&self.run, *step) {
                    self.step(*step, StepEvent::Succeeded { out: None });
                }
            }
            Order::Reject { step, .. } => self.push(Event::RunPaused { cause: PauseCause::Rejected(*step) }),
            // As if the guard had seen it.
            Order::Trip { guard, reason } => {
                self.tripped(*guard, &Fault::permanent(format!("{} says: {reason}", by.name)));
            }
            Order::Continue | Order::Retry { .. } | Order::Skip { .. } | Order::Settle { .. } => {}
        }
    }

    /// What the facts so far entail: time that has passed, steps whose turn has come, the end.
    fn entail(&mut self) {
        loop {
            let before = self.events.len();
            match self.run.mode {
                Mode::Forward => self.forward(),
                Mode::Rollback => self.backward(),
                Mode::Idle | Mode::Finished(_) => {}
            }
            if self.events.len() == before {
                return;
            }
        }
    }
}
