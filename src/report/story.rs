//! What a run looks like so far, told from its facts alone: a replay looks as the run did live.
//!
//! Not here: rules. The machine says where each step is; this remembers when, why, and what people want to see.

use crate::plan::{Plan, StepIx, Timestamp};
use crate::run::{
    Actor, Change, Curve, DnsClock, Event, Fault, Mode, Order, PauseCause, Phase, Rewind, Run, StepEvent,
    StepRun, Stopped, Verdict,
};
use std::{sync::Arc, time::Duration};

/// A time in which nobody watched is told from so long on: no guard looks more often.
const NOTICED: Duration = Duration::from_secs(1);

/// One step so far.
#[derive(Clone, Debug, PartialEq)]
pub struct StepStory {
    /// Since when it is where it is.
    pub since: Timestamp,
    /// When it was first begun.
    pub began: Option<Timestamp>,
    /// When it was first to write something.
    pub written: Option<Timestamp>,
    /// When it arrived, failed or was undone.
    pub ended: Option<Timestamp>,
    /// It failed, or was in the way, at some time.
    pub failed: bool,
    /// An intent to write was recorded.
    pub wrote: bool,
    /// What it changes, as first planned.
    pub changes: Vec<Change>,
    /// Why it failed, is stuck, or is tried again.
    pub reason: Option<Arc<str>>,
    /// How it goes, in its own words; not recorded.
    pub evidence: Option<String>,
    /// What its signals measured lately.
    pub curves: Vec<Curve>,
}

/// A run so far.
#[derive(Clone, Debug)]
pub struct Story {
    /// Its id.
    pub id: Arc<str>,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Where it is.
    pub run: Run,
    /// Who started it, and when.
    pub begun: Option<(Actor, Timestamp)>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// When the newest fact was recorded.
    pub last: Timestamp,
    /// How often another process took it over.
    pub resumed: u32,
    /// While it baked: from the last fact of a process that was gone to the first one of the next.
    pub unwatched: Vec<(Timestamp, Timestamp)>,
    /// The newest breach of a guard.
    pub breach: Option<Fault>,
    /// The rollback that was called for last.
    pub rewind: Rewind,
    /// What the guards measured lately, by place, as far as that is known here; not recorded.
    pub guards: Vec<Option<Curve>>,
    /// For how long clients go by what a name says since each step, by place, as far as that is known here; not recorded.
    pub clocks: Vec<Option<DnsClock>>,
    steps: Vec<StepStory>,
}

impl Story {
    /// Before the first fact.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>, plan: Arc<Plan>) -> Self {
        let step = StepStory {
            since: Timestamp::PAST,
            began: None,
            written: None,
            ended: None,
            failed: false,
            wrote: false,
            changes: Vec::new(),
            reason: None,
            evidence: None,
            curves: Vec::new(),
        };
        Self {
            id: id.into(),
            run: Run::new(plan.clone()),
            begun: None,
            ended: None,
            last: Timestamp::PAST,
            resumed: 0,
            unwatched: Vec::new(),
            breach: None,
            rewind: Rewind::Safe,
            guards: vec![None; plan.guards.len()],
            clocks: vec![None; plan.steps.len()],
            steps: vec![step; plan.steps.len()],
            plan,
        }
    }

    /// One step.
    #[must_use]
    pub fn step(&self, ix: StepIx) -> &StepStory {
        &self.steps[ix.index()]
    }

    /// Where a step is.
    #[must_use]
    pub fn phase(&self, ix: StepIx) -> Phase {
        self.run[ix].phase
    }

    /// All steps with their places.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = (StepIx, &StepStory)> {
        self.steps
            .iter()
            .enumerate()
            .map(|(place, step)| (StepIx(u32::try_from(place).unwrap_or(u32::MAX)), step))
    }

    /// The run turned back while it was under way, and it had written nothing.
    #[must_use]
    pub fn is_broken_off(&self, ix: StepIx) -> bool {
        let step = &self.run[ix];
        self.run.cause.is_some() && is_live(step.phase) && !step.marked() && !self.plan.is_finally(ix)
    }

    /// How it ended.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        match self.run.mode {
            Mode::Finished(verdict) => Some(verdict),
            Mode::Idle | Mode::Forward | Mode::Rollback => None,
        }
    }

    /// Why nothing new is begun.
    #[must_use]
    pub fn paused(&self) -> Option<&PauseCause> {
        self.run.paused.as_ref()
    }

    /// How long it has taken, or took.
    #[must_use]
    pub fn lasted(&self, now: Timestamp) -> Duration {
        let begun = self.begun.as_ref().map_or(now, |(_, at)| *at);
        self.ended.unwrap_or(now).since(begun)
    }

    /// A step says how it goes.
    pub fn hear(&mut self, ix: StepIx, text: &str) {
        if let Some(step) = self.steps.get_mut(ix.index()) {
            step.evidence = Some(text.to_owned());
        }
    }

    /// The signals of a step measured this lately.
    pub fn see(&mut self, ix: StepIx, curves: Vec<Curve>) {
        if let Some(step) = self.steps.get_mut(ix.index()) {
            step.curves = curves;
        }
    }

    /// A guard's signal measured this lately.
    pub fn see_guard(&mut self, guard: usize, curve: Curve) {
        if let Some(known) = self.guards.get_mut(guard) {
            *known = Some(curve);
        }
    }

    /// Takes the next fact. One that cannot follow the others changes nothing.
    pub fn take(&mut self, at: Timestamp, event: &Event) {
        let last = std::mem::replace(&mut self.last, at);
        let before: Vec<(Phase, u32)> = self.run.steps.iter().map(|step| (step.phase, step.turn)).collect();
        if self.run.evolve(event).is_err() {
            return;
        }
        for ((step, run), before) in self.steps.iter_mut().zip(self.run.steps.iter()).zip(before) {
            if (run.phase, run.turn) != before {
                step.moved(at, run, before.0);
            }
        }
        match event {
            Event::RunStarted { by } => self.begun = Some((by.clone(), at)),
            Event::RunResumed { .. } => {
                self.resumed += 1;
                let bakes = self.run.bakes_until().is_some();
                self.unwatched.extend((bakes && at.since(last) >= NOTICED).then_some((last, at)));
            }
            Event::GuardTripped { fault, .. } => self.breach = Some(fault.clone()),
            Event::RollbackStarted { rewind, .. } => {
                (self.rewind, self.ended) = (*rewind, None);
                let broken_off: Vec<StepIx> =
                    self.plan.places().filter(|ix| self.is_broken_off(*ix)).collect();
                for ix in broken_off {
                    self.steps[ix.index()].ended = Some(at);
                }
            }
            Event::RunFinished { .. } => self.ended = Some(at),
            Event::OrderTaken {
                order: Order::Reject { step, reason } | Order::Skip { step, reason },
                ..
            } => {
                if let Some(step) = self.steps.get_mut(step.index()) {
                    step.reason = Some(reason.clone());
                }
            }
            Event::Step(ix, event) => {
                if let Some(step) = self.steps.get_mut(ix.index()) {
                    step.told(event);
                }
            }
            Event::DeadlineSet { .. }
            | Event::GuardNoted { .. }
            | Event::OrderTaken { .. }
            | Event::OrderRefused { .. }
            | Event::RunPaused { .. }
            | Event::RollbackAnnounced { .. }
            | Event::Baking { .. }
            | Event::GuardSatisfied { .. }
            | Event::Baked => {}
        }
    }
}

/// Something is being done, or waited for.
pub(super) fn is_live(phase: Phase) -> bool {
    !is_over(phase) && phase != Phase::Waiting
}

fn is_over(phase: Phase) -> bool {
    matches!(
        phase,
        Phase::Done
            | Phase::Skipped
            | Phase::Failed
            | Phase::Foreign
            | Phase::Blind
            | Phase::Stuck(_)
            | Phase::Undone(_)
    )
}

impl StepStory {
    fn moved(&mut self, at: Timestamp, run: &StepRun, before: Phase) {
        if std::mem::discriminant(&run.phase) != std::mem::discriminant(&before) {
            (self.since, self.evidence) = (at, None);
            self.curves.clear();
        }
        self.failed |= matches!(run.stopped(), Some(Stopped::Failed | Stopped::Foreign));
        if matches!(run.phase, Phase::Applying { .. }) {
            self.written.get_or_insert(at);
        }
        if run.phase == Phase::Waiting {
            (self.began, self.written, self.ended) = (None, None, None);
        } else if is_live(run.phase) {
            self.began.get_or_insert(at);
            self.ended = None;
        } else if is_over(run.phase) {
            self.ended = Some(at);
        }
    }

    fn told(&mut self, event: &StepEvent) {
        match event {
            StepEvent::Planned { proposal, .. } if self.changes.is_empty() || !self.wrote => {
                self.changes.clone_from(&proposal.changes);
            }
            StepEvent::Applying { .. } => self.wrote = true,
            StepEvent::RetryScheduled { fault, .. }
            | StepEvent::FoundForeign { fault }
            | StepEvent::WentBlind { fault }
            | StepEvent::Failed { fault } => self.reason = Some(fault.message.clone()),
            StepEvent::WasInDoubt { reason }
            | StepEvent::GotStuck { reason, .. }
            | StepEvent::SettleRefused { reason } => self.reason = Some(reason.clone()),
            StepEvent::Succeeded { .. } => self.reason = None,
            _ => {}
        }
    }
}
