//! The state of a run, and the questions that the rules ask of it.

use super::event::{Actor, Cause, Event, IllegalEvent, PauseCause, Rewind, Verdict};
use super::step::{Phase, StepRun, Stopped, before};
use crate::plan::{Kind, OnFailure, Part, Plan, Reversibility, StepIx, Timestamp, Undo, Writes};
use std::{ops::Index, sync::Arc, time::Duration};

/// Which way a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Not begun.
    Idle,
    /// To the new side.
    Forward,
    /// Back.
    Rollback,
    /// Over.
    Finished(Verdict),
}

/// One run of one plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What it runs; pinned.
    pub plan: Arc<Plan>,
    /// Which way it goes.
    pub mode: Mode,
    /// Why nothing new is begun.
    pub paused: Option<PauseCause>,
    /// Why it rolled back.
    pub cause: Option<Cause>,
    /// How far.
    pub rewind: Rewind,
    /// Who started it.
    pub started_by: Option<Actor>,
    /// When it pauses by itself.
    pub deadline: Timestamp,
    /// Guards that saw a breach; armed again by `continue`.
    pub tripped: Vec<bool>,
    /// The newest order that was answered.
    pub last_order: u64,
    /// Some step recorded an intent.
    pub wrote: bool,
    /// All steps, in the order of the plan.
    pub steps: Vec<StepRun>,
}

impl Run {
    /// A run that has not begun.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        let steps = vec![StepRun::new(); plan.steps.len()];
        let tripped = vec![false; plan.guards.len()];
        Self {
            plan,
            mode: Mode::Idle,
            paused: None,
            cause: None,
            rewind: Rewind::Safe,
            started_by: None,
            deadline: Timestamp::NEVER,
            tripped,
            last_order: 0,
            wrote: false,
            steps,
        }
    }

    /// A run as its journal tells it.
    ///
    /// # Errors
    /// A fact cannot follow the ones before it.
    pub fn replay<'e>(
        plan: Arc<Plan>,
        events: impl IntoIterator<Item = &'e Event>,
    ) -> Result<Self, IllegalEvent> {
        let mut run = Self::new(plan);
        events.into_iter().try_for_each(|event| run.evolve(event))?;
        Ok(run)
    }

    /// It is over, whatever the verdict.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.mode, Mode::Finished(_))
    }

    /// It goes one way or the other.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.mode, Mode::Forward | Mode::Rollback)
    }

    /// Whether a step's own work is wanted, rather than its undoing.
    #[must_use]
    pub fn goes_forward(&self, ix: StepIx) -> bool {
        match self.mode {
            Mode::Forward => true,
            Mode::Rollback => self.plan.is_finally(ix),
            Mode::Idle | Mode::Finished(_) => false,
        }
    }

    /// It is on its way back, but what it began must end first: a migration is never interrupted.
    #[must_use]
    pub fn must_finish(&self, ix: StepIx) -> bool {
        self.mode == Mode::Rollback
            && self[ix].must_finish()
            && matches!(self[ix].phase, Phase::Watching { .. })
    }

    /// What needs this step may begin.
    #[must_use]
    pub fn passed(&self, ix: StepIx) -> bool {
        let (step, rule) = (&self[ix], &self.plan[ix]);
        match step.phase {
            Phase::Done | Phase::Skipped => true,
            // Whatever ends a step of `finally` is an end.
            Phase::Failed | Phase::Foreign | Phase::Blind | Phase::Stuck(_) if self.plan.is_finally(ix) => {
                true
            }
            // Tolerated: nothing was written, or it has been undone.
            Phase::Failed => rule.on_failure == OnFailure::Continue && !step.marked(),
            Phase::Undone(_) => rule.on_failure == OnFailure::Continue,
            _ => false,
        }
    }

    /// Only an operator, or a rollback, gets the run past this step.
    #[must_use]
    pub fn stops_the_run(&self, ix: StepIx) -> bool {
        !self.plan.is_finally(ix)
            && match self[ix].stopped() {
                Some(Stopped::Failed) => self.plan[ix].on_failure != OnFailure::Continue,
                Some(_) => true,
                None => false,
            }
    }

    /// Its turn has come.
    #[must_use]
    pub(super) fn may_begin(&self, ix: StepIx) -> bool {
        if self.plan.is_finally(ix) {
            // After everything else, also where the rollback can do no more without a human.
            let over = match self.mode {
                Mode::Forward => self.paused.is_none() && self.all_passed(Part::Main),
                Mode::Rollback => self.paused.is_none() && self.has_unwound(),
                Mode::Idle | Mode::Finished(_) => false,
            };
            return over && self.plan[ix].needs.iter().all(|need| self.passed(*need));
        }
        self.mode == Mode::Forward
            && self.paused.is_none()
            && self.plan[ix].needs.iter().all(|need| self.passed(*need))
            && self.has_room(ix)
    }

    /// No pool that this step's child is in is full, unless that child is open already.
    fn has_room(&self, ix: StepIx) -> bool {
        let is_open = |child: &std::ops::Range<usize>| {
            let begun = self.steps[child.clone()].iter().any(|step| step.phase != Phase::Waiting);
            begun && !self.plan.places().skip(child.start).take(child.len()).all(|ix| self.passed(ix))
        };
        self.plan.pools.iter().all(|pool| {
            match pool.children.iter().find(|child| child.contains(&ix.index())) {
                Some(own) => is_open(own) || pool.children.iter().filter(|c| is_open(c)).count() < pool.max,
                None => true,
            }
        })
    }

    /// All steps of a part, and of those before it, have passed.
    #[must_use]
    pub(super) fn all_passed(&self, part: Part) -> bool {
        let is_asked = |ix: &StepIx| (part == Part::Finally) == self.plan.is_finally(*ix);
        self.plan.places().filter(is_asked).all(|ix| self.passed(ix))
    }

    /// A rollback may undo this step.
    #[must_use]
    pub fn in_scope(&self, scope: &[bool], ix: StepIx) -> bool {
        scope[ix.index()] && !self.plan.is_finally(ix)
    }

    /// Which steps the rollback may undo, by place.
    #[must_use]
    pub fn scope(&self) -> Vec<bool> {
        match self.rewind {
            Rewind::All => vec![true; self.steps.len()],
            Rewind::To(step) => {
                let mut stands_on = vec![false; self.steps.len()];
                stands_on[step.index()] = true;
                for ix in self.plan.places() {
                    if self.plan[ix].needs.iter().any(|need| stands_on[need.index()]) {
                        stands_on[ix.index()] = true;
                    }
                }
                stands_on
            }
            Rewind::Safe => {
                let mut before = vec![false; self.steps.len()];
                for ix in self.plan.places().rev() {
                    if before[ix.index()] || self.is_passed_checkpoint(ix) {
                        self.plan[ix].needs.iter().for_each(|need| before[need.index()] = true);
                    }
                }
                before.into_iter().map(|before| !before).collect()
            }
        }
    }

    fn is_passed_checkpoint(&self, ix: StepIx) -> bool {
        self.plan[ix].kind == Kind::Checkpoint && self[ix].phase == Phase::Done
    }

    /// The checkpoint, or the step of `--to`, at which the rollback ends although something before it is in force.
    #[must_use]
    pub(super) fn stops_at(&self) -> Option<StepIx> {
        let scope = self.scope();
        let in_force =
            |ix: &StepIx| !self.in_scope(&scope, *ix) && !self[*ix].settled() && !self.plan.is_finally(*ix);
        self.plan.places().find(in_force)?;
        match self.rewind {
            Rewind::To(step) => Some(step),
            Rewind::Safe => self.plan.places().rev().find(|ix| self.is_passed_checkpoint(*ix)),
            Rewind::All => None,
        }
    }

    /// The steps whose turn to be undone has come: all that was built on them is settled.
    #[must_use]
    pub fn frontier(&self) -> Vec<StepIx> {
        let scope = self.scope();
        let mut blocked = vec![false; self.steps.len()];
        let mut frontier = Vec::new();
        for ix in self.plan.places().rev().filter(|ix| !self.plan.is_finally(*ix)) {
            let (held, settled) = (blocked[ix.index()], self[ix].settled());
            if !held && !settled && self.in_scope(&scope, ix) {
                frontier.push(ix);
            }
            if held || !settled {
                self.plan[ix].needs.iter().for_each(|need| blocked[need.index()] = true);
            }
        }
        frontier
    }

    /// The rollback can do nothing more by itself.
    #[must_use]
    pub fn has_unwound(&self) -> bool {
        self.frontier().iter().all(|ix| matches!(self[*ix].phase, Phase::Stuck(_)))
    }

    /// A point of no return that was, or may have been, passed.
    #[must_use]
    pub fn barrier(&self) -> Option<StepIx> {
        let irreversible = |ix: &StepIx| self.plan[*ix].reversibility == Reversibility::Irreversible;
        self.plan.places().filter(irreversible).find(|ix| !self[*ix].settled())
    }

    /// A switch whose new side takes writes that a rollback would leave behind, and since when.
    #[must_use]
    pub fn diverged(&self) -> Option<(StepIx, Timestamp)> {
        let diverges = |ix: &StepIx| self.plan[*ix].writes == Some(Writes::Diverge) && !self[*ix].settled();
        let step = self.plan.places().find(diverges)?;
        Some((step, self[step].changed.unwrap_or_default()))
    }

    /// Left as it is on the way back: harmless, kept for a reason.
    #[must_use]
    pub fn is_left(&self, ix: StepIx) -> bool {
        self.plan[ix].reversibility == Reversibility::Expand || matches!(self.plan[ix].undo, Undo::Keep(_))
    }

    /// How long an undo may take until it is back. A plan's `timeout` is about the way forward: it never cuts short
    /// the drain of the way back.
    #[must_use]
    pub fn allowance_back(&self, ix: StepIx) -> Duration {
        let proposed = self[ix].record.as_ref().map(|record| record.proposal.within).unwrap_or_default();
        self.plan[ix].timeout.map_or(proposed, |timeout| timeout.max(proposed))
    }

    /// How long one stage of a step may take.
    #[must_use]
    pub fn allowance(&self, ix: StepIx) -> Duration {
        let proposed = self[ix].record.as_ref().map(|record| record.proposal.within);
        self.plan[ix].timeout.or(proposed).unwrap_or_default()
    }

    /// How long one call of a step may take before its answer counts as lost.
    #[must_use]
    pub fn call(&self, ix: StepIx) -> Duration {
        let own = self[ix].record.as_ref().and_then(|record| record.proposal.call);
        own.unwrap_or(self.plan.policy.call)
    }

    /// When the stage being watched was applied, the undo being read back was called, or the watching began.
    #[must_use]
    pub fn since(&self, ix: StepIx) -> Option<Timestamp> {
        match self[ix].phase {
            Phase::Watching { until, .. } => Some(before(until, self.allowance(ix))),
            Phase::Restoring { until, .. } => Some(before(until, self.allowance_back(ix))),
            _ => None,
        }
    }

    /// Whether a guard watches now.
    #[must_use]
    pub fn guarded(&self, guard: usize) -> bool {
        let Some(rule) = self.plan.guards.get(guard) else { return false };
        let begun = |ix: StepIx| self[ix].phase != Phase::Waiting;
        let from = rule.span.from.map_or(self.wrote, begun);
        let until = rule.span.until.map_or_else(|| self.all_passed(Part::Main), |ix| self.passed(ix));
        self.mode == Mode::Forward && from && !until && !self.tripped[guard]
    }

    /// A step of `finally` failed: the verdict stands, but somebody should know.
    #[must_use]
    pub fn finally_failed(&self) -> bool {
        self.plan.places().any(|ix| self.plan.is_finally(ix) && self[ix].stopped().is_some())
    }
}

impl Index<StepIx> for Run {
    type Output = StepRun;
    fn index(&self, ix: StepIx) -> &StepRun {
        &self.steps[ix.index()]
    }
}
