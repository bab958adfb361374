//! Folding facts into the state: the only place that changes a [`Run`].

use super::event::{Event, IllegalEvent, Order, PauseCause, Rewind, StepEvent, Verdict};
use super::state::{Mode, Run};
use super::step::{Phase, StepRun};
use crate::plan::{StepIx, Timestamp};

impl Run {
    /// Applies a recorded fact.
    ///
    /// # Errors
    /// It cannot follow the ones before it; then the run is of no more use.
    pub fn evolve(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        self.fold(event).ok_or_else(|| IllegalEvent(event.clone()))
    }

    fn fold(&mut self, event: &Event) -> Option<()> {
        use {Event as E, Mode as M};
        match (event, self.mode) {
            (E::RunStarted { by, deadline }, M::Idle) => {
                (self.mode, self.started_by, self.deadline) = (M::Forward, Some(by.clone()), *deadline);
            }
            (E::RunResumed { .. }, M::Forward | M::Rollback) => {
                if self.paused == Some(PauseCause::Interrupted) {
                    self.paused = None;
                }
                let grace = self.plan.policy.grace;
                self.steps.iter_mut().try_for_each(|step| step.resume(grace))?;
            }
            (E::OrderTaken { id, order, .. }, _) if *id > self.last_order => {
                self.last_order = *id;
                self.obey(order)?;
            }
            (E::OrderRefused { id, .. }, _) if *id > self.last_order => self.last_order = *id,
            (E::GuardTripped { guard, .. }, M::Forward) => *self.tripped.get_mut(*guard)? = true,
            (E::RunPaused { cause }, M::Forward | M::Rollback) => self.pause(cause)?,
            (
                E::RollbackStarted { cause, rewind },
                M::Forward | M::Rollback | M::Finished(Verdict::Completed),
            ) => {
                if self.is_finished() {
                    let finally =
                        self.plan.places().filter(|ix| self.plan.is_finally(*ix)).collect::<Vec<_>>();
                    finally.into_iter().try_for_each(|ix| self.step_mut(ix).map(StepRun::reset))?;
                }
                (self.mode, self.cause, self.rewind) = (M::Rollback, Some(cause.clone()), *rewind);
                // Whatever held the run back holds back no rollback.
                self.paused = None;
            }
            (E::RunFinished { verdict }, M::Forward | M::Rollback) => {
                (self.mode, self.paused) = (M::Finished(*verdict), None);
            }
            (E::Step(ix, event), M::Forward | M::Rollback) => {
                self.wrote |= matches!(event, StepEvent::Applying { .. });
                let (grace, allowance) = (self.plan.policy.grace, self.allowance(*ix));
                self.step_mut(*ix)?.evolve(event, grace, allowance)?;
            }
            _ => return None,
        }
        Some(())
    }

    fn pause(&mut self, cause: &PauseCause) -> Option<()> {
        match cause {
            // It is asked again when the run goes on.
            PauseCause::Rejected(step) | PauseCause::Expired(step) => self.step_mut(*step)?.ask_again(),
            // Once is enough.
            PauseCause::Deadline => self.deadline = Timestamp::NEVER,
            _ => {}
        }
        self.paused = Some(cause.clone());
        Some(())
    }

    /// What an order changes by itself; what else follows from it is decided, and recorded as facts of its own.
    fn obey(&mut self, order: &Order) -> Option<()> {
        match order {
            Order::Pause { .. } => self.paused = Some(PauseCause::Operator),
            Order::Continue => {
                let was = self.paused.take();
                self.tripped.fill(false);
                if matches!(was, Some(PauseCause::Checkpoint(_))) && self.mode == Mode::Rollback {
                    self.go_forward_again();
                }
                // On the way back only what is stuck is a human's; what failed on the way out is undone.
                let forward = self.mode == Mode::Forward;
                let waits = |ix: &StepIx| matches!(self[*ix].phase, Phase::Stuck(_)) || forward;
                let stopped: Vec<StepIx> =
                    self.plan.places().filter(|ix| self.stops_the_run(*ix) && waits(ix)).collect();
                stopped.into_iter().try_for_each(|ix| self.step_mut(ix).map(StepRun::retry))?;
            }
            Order::Rollback { .. } | Order::Approve { .. } | Order::Reject { .. } => {}
            Order::Retry { step } => self.step_mut(*step)?.retry(),
            Order::Skip { step, .. } => self.step_mut(*step)?.skip(),
            Order::Settle { step, done, .. } => self.step_mut(*step)?.settle(*done)?,
        }
        if let Order::Retry { step } | Order::Skip { step, .. } | Order::Settle { step, .. } = order {
            self.lift(*step);
        }
        Some(())
    }

    /// A run that this step had stopped goes on.
    fn lift(&mut self, step: StepIx) {
        let by_step = matches!(
            self.paused,
            Some(PauseCause::Failed(ix) | PauseCause::Foreign(ix) | PauseCause::Blind(ix) | PauseCause::Stuck(ix))
                if ix == step
        );
        if by_step {
            self.paused = None;
        }
    }

    /// From a checkpoint: what was undone, and what came after it, is done again.
    fn go_forward_again(&mut self) {
        for step in &mut self.steps {
            let again = match step.phase {
                Phase::Undone(_) | Phase::Failed | Phase::Skipped => true,
                // What wrote nothing, a check or an approval, holds no longer.
                Phase::Watching { .. } | Phase::Ready | Phase::Backoff { .. } | Phase::Planning => {
                    !step.marked()
                }
                Phase::Asking { .. } => true,
                _ => false,
            };
            if again {
                step.reset();
            }
        }
        (self.mode, self.cause, self.rewind) = (Mode::Forward, None, Rewind::Safe);
    }

    fn step_mut(&mut self, ix: StepIx) -> Option<&mut StepRun> {
        self.steps.get_mut(ix.index())
    }
}
