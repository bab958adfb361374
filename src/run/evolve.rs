//! Folding facts into the state: the only place that changes a [`Run`].

use super::event::{Cause, Event, IllegalEvent, Order, PauseCause, StepEvent, Verdict};
use super::state::{Announced, Bake, GuardRun, Mode, Run};
use super::step::{Bounds, Phase, StepRun};
use crate::mutant::{Mistake, on};
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
            (E::RunStarted { by }, M::Idle) => (self.mode, self.started_by) = (M::Forward, Some(by.clone())),
            (E::DeadlineSet { deadline }, M::Forward) if self.deadline.is_none() => {
                self.deadline = Some(*deadline);
            }
            (E::RunResumed { .. }, M::Forward | M::Rollback) => {
                self.paused = self.paused.take().filter(|cause| !cause.ends_with_its_process());
                self.guards.iter_mut().for_each(GuardRun::is_to_see);
                let grace = self.plan.policy.grace;
                let under_way: Vec<StepIx> =
                    self.plan.places().filter(|ix| self[*ix].call_is_under_way()).collect();
                under_way.into_iter().try_for_each(|ix| self.step_mut(ix)?.resume(grace))?;
            }
            (E::OrderTaken { id, order, .. }, _) if *id > self.last_order => {
                self.last_order = *id;
                self.obey(order)?;
            }
            (E::OrderRefused { id, .. }, _) if *id > self.last_order => self.last_order = *id,
            (E::GuardNoted { guard, note, next }, M::Forward) => {
                self.guards.get_mut(*guard)?.noted(note, *next);
            }
            (E::GuardTripped { guard, .. }, M::Forward) => self.guards.get_mut(*guard)?.tripped = true,
            (E::RunPaused { cause }, M::Forward | M::Rollback) => self.pause(cause)?,
            (E::RollbackAnnounced { cause, at }, M::Forward) if self.announced.is_none() => {
                self.announced = Some(Announced { cause: cause.clone(), at: *at });
            }
            (
                E::RollbackStarted { cause, rewind },
                M::Forward | M::Rollback | M::Finished(Verdict::Completed),
            ) => {
                let turns = self.mode != M::Rollback;
                (self.mode, self.rewind) = (M::Rollback, *rewind);
                self.not_over(turns);
                // What first turned it back is why, however far it is told to go later.
                self.cause.get_or_insert_with(|| cause.clone());
                // Whatever held the run back holds back no rollback.
                (self.paused, self.announced) = (None, None);
                self.bake = Bake::Ahead;
            }
            (E::Baking { until }, M::Forward) if self.bake == Bake::Ahead => {
                self.bake = Bake::Until(*until);
                self.guards.iter_mut().for_each(GuardRun::bakes);
                // It is about the work.
                self.deadline = self.deadline.map(|_| Timestamp::NEVER);
            }
            (E::GuardSatisfied { guard }, M::Forward) if self.bakes_until().is_some() => {
                self.guards.get_mut(*guard)?.is_satisfied();
            }
            (E::Baked, M::Forward) if self.bakes_until().is_some() => self.bake = Bake::Over,
            (E::RunFinished { verdict }, M::Forward | M::Rollback) => {
                (self.mode, self.paused) = (M::Finished(*verdict), None);
            }
            (E::Step(ix, event), M::Forward | M::Rollback) => self.step(*ix, event)?,
            _ => return None,
        }
        Some(())
    }

    fn step(&mut self, ix: StepIx, event: &StepEvent) -> Option<()> {
        if ix.index() >= self.steps.len() {
            return None;
        }
        let counts = !self.plan.is_finally(ix) && !self.plan.is_lock(ix);
        self.wrote |= matches!(event, StepEvent::Applying { .. }) && counts;
        let bounds = Bounds {
            grace: self.plan.policy.grace,
            allowance: self.allowance(ix),
            call: self.call(ix),
            irreversible: self.is_irreversible(ix),
        };
        self.step_mut(ix)?.evolve(event, bounds)
    }

    fn pause(&mut self, cause: &PauseCause) -> Option<()> {
        match cause {
            // It is asked again when the run goes on.
            PauseCause::Rejected(step) | PauseCause::Expired(step) => self.step_mut(*step)?.reset(),
            // Once is enough.
            PauseCause::Deadline => self.deadline = Some(Timestamp::NEVER),
            // A person is asked instead.
            PauseCause::Barrier(_) | PauseCause::Diverged { .. } => self.announced = None,
            _ => {}
        }
        self.paused = Some(cause.clone());
        Some(())
    }

    /// What an order changes by itself; what else follows from it is decided, and recorded as facts of its own.
    fn obey(&mut self, order: &Order) -> Option<()> {
        match order {
            Order::Pause { .. } if self.announced.is_some() => self.veto()?,
            Order::Pause { .. } | Order::Rollback { .. } | Order::Approve { .. } | Order::Reject { .. } => {}
            Order::Trip { .. } => {}
            Order::Continue => self.go_on()?,
            Order::Retry { step } => self.mend(*step, StepRun::retry)?,
            Order::Skip { step, .. } => self.mend(*step, StepRun::skip)?,
            Order::Settle { step, done, .. } => {
                self.step_mut(*step)?.settle(*done)?;
                self.mend(*step, |_| ())?;
            }
        }
        Some(())
    }

    /// A person says no: what failed is theirs from now on, and turns nothing back by itself.
    fn veto(&mut self) -> Option<()> {
        self.announced.take_if(|_| !on(Mistake::NoIsNotHeard));
        let failed = |ix: &StepIx| self.stops_the_run(*ix) && self[*ix].phase == Phase::Failed;
        let failed: Vec<StepIx> = self.plan.places().filter(failed).collect();
        failed.into_iter().try_for_each(|ix| self.step_mut(ix).map(|step| step.mended = true))
    }

    /// Also tries again whatever stopped the run.
    fn go_on(&mut self) -> Option<()> {
        if self.bakes_until().is_some() && !self.is_held() {
            self.bake = Bake::Over;
            return Some(());
        }
        let was = self.paused.take();
        self.announced = None;
        let turns = matches!(was, Some(PauseCause::Checkpoint(_) | PauseCause::Rewound(_)));
        for guard in &mut self.guards {
            if guard.tripped || turns { guard.arm() } else { guard.is_to_see() }
        }
        if turns {
            self.not_over(true);
            self.go_forward_again();
        }
        // On the way back only what is stuck is a human's; what failed on the way out is undone.
        let back = self.mode == Mode::Rollback;
        let waits = |ix: &StepIx| self.stops_the_run(*ix) && (self[*ix].goes_back() || !back);
        let stopped: Vec<StepIx> = self.plan.places().filter(waits).collect();
        stopped.into_iter().try_for_each(|ix| self.step_mut(ix).map(StepRun::retry))?;
        self.not_over(false);
        Some(())
    }

    /// A human does something about a step that had stopped; the run that it had stopped goes on.
    fn mend(&mut self, step: StepIx, how: impl FnOnce(&mut StepRun)) -> Option<()> {
        how(self.step_mut(step)?);
        self.not_over(false);
        self.guards.iter_mut().for_each(GuardRun::is_to_see);
        let announced = self.announced.take();
        self.announced = announced.filter(|announced| announced.cause != Cause::Failed(step));
        let by_step = matches!(
            self.paused,
            Some(PauseCause::Failed(ix) | PauseCause::Foreign(ix) | PauseCause::Blind(ix) | PauseCause::Stuck(ix))
                if ix == step
        );
        if by_step {
            self.paused = None;
        }
        Some(())
    }

    pub(super) fn step_mut(&mut self, ix: StepIx) -> Option<&mut StepRun> {
        self.steps.get_mut(ix.index())
    }
}
