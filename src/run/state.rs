//! The state of a run, and the questions that the way forward asks of it. Those of the way back are in `rewind`.

use super::event::{Actor, Cause, Event, IllegalEvent, PauseCause, Receipt, Rewind, Verdict};
use super::outcome::Memo;
use super::step::{Phase, StepRun, Stopped, before};
use super::steps::Steps;
use crate::mutant::{Mistake, on};
use crate::plan::{OnFailure, Part, Plan, Reversibility, StepIx, Timestamp, Undo};
use std::{ops::Index, sync::Arc, time::Duration};

/// How long an undo of its own, of which nothing is recorded, may take, unless the step has a `timeout`.
const OWN_UNDO: Duration = Duration::from_secs(600);

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

/// A rollback that will begin by itself, unless a person says no.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Announced {
    /// Why.
    pub cause: Cause,
    /// When.
    pub at: Timestamp,
}

impl Announced {
    /// What a person is asked who said no.
    pub(super) fn question(&self) -> PauseCause {
        match self.cause {
            Cause::Failed(ix) => PauseCause::Failed(ix),
            Cause::Guard(guard) => PauseCause::Guard(guard),
            Cause::Order { .. } => PauseCause::Operator,
        }
    }
}

/// How far the bake of a run is: the time for which its guards are kept once all is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bake {
    /// It is yet to come, or the plan has none.
    Ahead,
    /// Until then, and until each guard has seen that all is well.
    Until(Timestamp),
    /// It is over.
    Over,
}

/// What a run knows of one of its guards.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GuardRun {
    /// It saw a breach; armed again by `continue`.
    pub tripped: bool,
    /// It saw that all is well once the bake's time was over, since somebody drives the run without a stop.
    pub satisfied: bool,
    /// What it has seen, as far as that is recorded.
    pub note: Option<Memo>,
    /// When it looks next; [`Timestamp::PAST`]: it begins to look, or begins again.
    pub next: Timestamp,
    /// Names its work: other facts call for other work.
    pub turn: u32,
}

impl GuardRun {
    pub(super) fn noted(&mut self, note: &Memo, next: Timestamp) {
        (self.note, self.next, self.turn) = (Some(note.clone()), next, self.turn + 1);
    }

    /// It begins again. What it has seen is kept, for what it is compared with cannot be measured again.
    pub(super) fn arm(&mut self) {
        *self = Self { turn: self.turn + 1, note: self.note.take(), ..Self::default() };
    }

    /// The bake begins, at the end of which it is asked whether all is well.
    pub(super) fn bakes(&mut self) {
        (self.satisfied, self.turn) = (false, self.turn + 1);
    }

    pub(super) fn is_satisfied(&mut self) {
        (self.satisfied, self.turn) = (true, self.turn + 1);
    }

    /// That all is well is to be seen again.
    pub(super) fn is_to_see(&mut self) {
        if self.satisfied {
            self.bakes();
        }
    }
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
    /// A rollback that will begin by itself.
    pub announced: Option<Announced>,
    /// Why it rolled back.
    pub cause: Option<Cause>,
    /// How far.
    pub rewind: Rewind,
    /// Who started it.
    pub started_by: Option<Actor>,
    /// When it pauses by itself; `None` until what may be done ahead is over.
    pub deadline: Option<Timestamp>,
    /// What is known of its guards, by place.
    pub guards: Vec<GuardRun>,
    /// How far its bake is.
    pub bake: Bake,
    /// The newest order that was answered.
    pub last_order: u64,
    /// Some step, other than those of `finally` and of the lock in the world, recorded an intent.
    pub wrote: bool,
    /// All steps.
    pub steps: Steps,
}

impl Run {
    /// A run that has not begun.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Self {
        let steps = Steps::new(plan.steps.len(), StepRun::new());
        let guards = vec![GuardRun::default(); plan.guards.len()];
        Self {
            plan,
            mode: Mode::Idle,
            paused: None,
            announced: None,
            cause: None,
            rewind: Rewind::Safe,
            started_by: None,
            deadline: None,
            guards,
            bake: Bake::Ahead,
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

    /// Nothing new is begun: it is paused, or about to turn back.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.paused.is_some() || self.announced.is_some()
    }

    /// When it turns back without a word. A process that was asked to stop turns nothing back.
    #[must_use]
    pub fn turns_at(&self) -> Option<Timestamp> {
        let stopping = self.paused.as_ref().is_some_and(PauseCause::ends_with_its_process);
        self.announced.as_ref().filter(|_| !stopping).map(|announced| announced.at)
    }

    /// Whether a step's own work is wanted, rather than its undoing.
    #[must_use]
    pub fn goes_forward(&self, ix: StepIx) -> bool {
        match self.mode {
            Mode::Forward => !self[ix].turned,
            Mode::Rollback => self.plan.is_finally(ix),
            Mode::Idle | Mode::Finished(_) => false,
        }
    }

    /// The plan lets the run go on without this step, once nothing of it is left.
    #[must_use]
    pub fn tolerates(&self, ix: StepIx) -> bool {
        self.plan[ix].on_failure == OnFailure::Continue && !self.plan.is_finally(ix)
    }

    /// What needs this step may begin.
    #[must_use]
    pub fn passed(&self, ix: StepIx) -> bool {
        let step = &self[ix];
        match step.phase {
            Phase::Done | Phase::Skipped => true,
            // Whatever ends a step of `finally` is an end.
            Phase::Failed | Phase::Foreign | Phase::Blind if self.plan.is_finally(ix) => true,
            // Tolerated: nothing was written, or it has been undone.
            Phase::Failed => self.tolerates(ix) && !step.marked(),
            Phase::Undone(_) => self.tolerates(ix),
            _ => false,
        }
    }

    /// Only an operator, or a rollback, gets the run past this step.
    #[must_use]
    pub fn stops_the_run(&self, ix: StepIx) -> bool {
        !self.plan.is_finally(ix)
            && match self[ix].stopped() {
                Some(Stopped::Failed) => !self.tolerates(ix) || self[ix].mended || self.must_be_asked(ix),
                Some(_) => true,
                None => false,
            }
    }

    /// It is not undone alone: it may have passed a point of no return, or something in force stands on it.
    pub(super) fn must_be_asked(&self, ix: StepIx) -> bool {
        self[ix].marked() && (self.is_irreversible(ix) || self.is_stood_on(ix))
    }

    /// A point of no return.
    #[must_use]
    pub fn is_irreversible(&self, ix: StepIx) -> bool {
        self.plan[ix].reversibility == Reversibility::Irreversible
    }

    /// All steps of the plan but those of `finally` have passed; or all of `finally` have.
    #[must_use]
    pub(super) fn all_passed(&self, part: Part) -> bool {
        let is_asked = |ix: &StepIx| (part == Part::Finally) == self.plan.is_finally(*ix);
        self.plan.places().filter(is_asked).all(|ix| self.passed(ix))
    }

    /// What may be done days ahead, and is in no hurry, is over; and there is more.
    pub(super) fn is_prepared(&self) -> bool {
        let ahead = |ix: &StepIx| self.plan[*ix].part == Part::Prepare;
        self.plan.places().any(|ix| self.plan[ix].part == Part::Main)
            && self.plan.places().filter(ahead).all(|ix| self.passed(ix))
    }

    /// Left as it is on the way back: harmless, kept for a reason.
    #[must_use]
    pub fn is_left(&self, ix: StepIx) -> bool {
        self.plan[ix].reversibility == Reversibility::Expand || matches!(self.plan[ix].undo, Undo::Keep(_))
    }

    /// How long one stage of a step may take to arrive.
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

    /// How long its undo may take until it is back. A plan's `timeout` is about the way forward: it never cuts short
    /// the drain of the way back.
    #[must_use]
    pub fn allowance_back(&self, ix: StepIx) -> Duration {
        let proposed = self[ix].record.as_ref().map(|record| record.proposal.within).unwrap_or_default();
        self.allowance(ix).max(proposed).max(self.own_undo(ix))
    }

    /// How long one call of its undo may take before its answer counts as lost.
    #[must_use]
    pub fn call_back(&self, ix: StepIx) -> Duration {
        self.call(ix).max(self.own_undo(ix))
    }

    /// What is recorded is about the step's action; an undo that the plan states is another one.
    fn own_undo(&self, ix: StepIx) -> Duration {
        match self.plan[ix].undo {
            Undo::By(_) => self.plan[ix].timeout.unwrap_or(OWN_UNDO),
            Undo::Own | Undo::Keep(_) => Duration::ZERO,
        }
    }

    /// When the stage being watched was applied, the undo being read back was called, the watching began, or the call
    /// in doubt was announced.
    #[must_use]
    pub fn since(&self, ix: StepIx) -> Option<Timestamp> {
        match self[ix].phase {
            Phase::Watching { until, .. } => Some(before(until, self.allowance(ix))),
            Phase::Restoring { until, .. } => Some(before(until, self.allowance_back(ix))),
            _ => self[ix].called,
        }
    }

    /// Whether a guard watches now.
    #[must_use]
    pub fn guarded(&self, guard: usize) -> bool {
        let Some(rule) = self.plan.guards.get(guard) else { return false };
        let begun = |ix: StepIx| self[ix].phase != Phase::Waiting;
        let over = || self.all_passed(Part::Main) && self.is_baked();
        let until = || rule.span.until.map_or_else(over, |ix| self.passed(ix));
        self.mode == Mode::Forward
            && !self.guards[guard].tripped
            && rule.span.from.map_or(self.wrote, begun)
            && !until()
    }

    /// Whether a guard looks now. One that is tripped from outside has no looks of its own.
    pub(super) fn looks(&self, guard: usize) -> bool {
        self.guarded(guard) && !self.plan.guards[guard].is_outside()
    }

    /// Some undo was believed, for nothing could be read back.
    #[must_use]
    pub fn assumes(&self) -> bool {
        self.steps.iter().any(|step| step.phase == Phase::Undone(Receipt::Assumed))
    }

    /// All steps but those of `finally` have passed.
    pub(super) fn is_done(&self) -> bool {
        self.all_passed(Part::Main)
    }

    /// All is done, and the guards are kept until then at least.
    #[must_use]
    pub fn bakes_until(&self) -> Option<Timestamp> {
        match self.bake {
            Bake::Until(until) => Some(until),
            Bake::Ahead | Bake::Over => None,
        }
    }

    /// What comes after a bake may begin.
    pub(super) fn is_baked(&self) -> bool {
        self.bake == Bake::Over || !self.is_to_bake()
    }

    /// The plan keeps its guards, there is one to keep, and something that it could turn back.
    pub(super) fn is_to_bake(&self) -> bool {
        let plan = &self.plan;
        let stays = plan.guards.iter().any(|guard| guard.span.until.is_none());
        plan.policy.bake.is_some() && stays && self.wrote && !on(Mistake::NotBaked)
    }

    /// A guard that watches has yet to see that all is well. One that is tripped from outside never sees that: for it the
    /// time alone counts.
    pub(super) fn waits_for_a_guard(&self) -> bool {
        let awaited = |guard: usize| self.looks(guard) && !self.guards[guard].satisfied;
        !on(Mistake::BakedByTheClock) && (0..self.plan.guards.len()).any(awaited)
    }

    /// A step of `finally` failed: the verdict stands, but somebody should know.
    #[must_use]
    pub fn finally_failed(&self) -> bool {
        self.plan.places().any(|ix| self.plan.is_finally(ix) && self[ix].stopped().is_some())
    }
}

impl Index<StepIx> for Run {
    type Output = StepRun;
    #[inline]
    fn index(&self, ix: StepIx) -> &StepRun {
        &self.steps[ix.index()]
    }
}
