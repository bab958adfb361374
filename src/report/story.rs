//! What a run looks like so far, told from its facts alone: a replay looks as the run did live.
//!
//! Not here: rules. The machine decides; this only remembers what people want to see.

use crate::plan::{Plan, StepIx, Timestamp};
use crate::run::{
    Actor, Cause, Change, Event, Fault, Order, PauseCause, Receipt, Rewind, StepEvent, Stuck, Verdict,
};
use std::{sync::Arc, time::Duration};

/// Where a step is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Not begun.
    Waiting,
    /// The world is looked at.
    Planning,
    /// Somebody is asked.
    Asking {
        /// Until when.
        until: Timestamp,
    },
    /// It will be applied.
    Ready,
    /// Its call is under way.
    Applying,
    /// Watched until it has arrived.
    Watching {
        /// Until when it must have arrived.
        until: Timestamp,
    },
    /// Tried again then.
    Backoff {
        /// When.
        at: Timestamp,
    },
    /// What its call did is not known yet.
    InDoubt,
    /// Arrived.
    Done,
    /// Its `when` said no, or an operator did.
    Skipped,
    /// It did not arrive.
    Failed,
    /// Somebody else's change is in the way.
    Foreign,
    /// Its undo is under way.
    Undoing,
    /// Its undo is tried again then.
    UndoBackoff {
        /// When.
        at: Timestamp,
    },
    /// Read back until the prior state is there.
    Restoring {
        /// Until when.
        until: Timestamp,
    },
    /// Not undone without a human.
    Stuck(Stuck),
    /// Nothing left to undo.
    Undone(Receipt),
}

impl Shown {
    /// Something is being done, or waited for.
    #[must_use]
    pub fn is_live(self) -> bool {
        !matches!(
            self,
            Self::Waiting
                | Self::Done
                | Self::Skipped
                | Self::Failed
                | Self::Foreign
                | Self::Stuck(_)
                | Self::Undone(_)
        )
    }
}

/// One step so far.
#[derive(Clone, Debug, PartialEq)]
pub struct StepStory {
    /// Where it is.
    pub shown: Shown,
    /// Since when it is there.
    pub since: Timestamp,
    /// When it was first begun.
    pub began: Option<Timestamp>,
    /// When it arrived, failed or was undone.
    pub ended: Option<Timestamp>,
    /// It failed, or was in the way, at some time.
    pub failed: bool,
    /// An intent to write was recorded.
    pub wrote: bool,
    /// What it changes.
    pub changes: Vec<Change>,
    /// How many writes.
    pub stages: u32,
    /// Why it failed, is stuck, or is tried again.
    pub reason: Option<Arc<str>>,
    /// Who said yes.
    pub approved: Vec<Arc<str>>,
    /// When it looks again.
    pub next: Option<Timestamp>,
    /// How it goes, in its own words; not recorded.
    pub evidence: Option<String>,
}

/// A run so far.
#[derive(Clone, Debug)]
pub struct Story {
    /// Its id.
    pub id: Arc<str>,
    /// Its plan.
    pub plan: Arc<Plan>,
    /// Who started it, and when.
    pub begun: Option<(Actor, Timestamp)>,
    /// When it pauses by itself.
    pub deadline: Timestamp,
    /// It turned back, for this cause.
    pub back: Option<(Cause, Rewind)>,
    /// Nothing new is begun.
    pub paused: Option<PauseCause>,
    /// It is over.
    pub verdict: Option<Verdict>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// When the newest fact was recorded.
    pub last: Timestamp,
    /// How often another process took it over.
    pub resumed: u32,
    /// The newest breach of a guard.
    pub breach: Option<Fault>,
    steps: Vec<StepStory>,
}

impl Story {
    /// Before the first fact.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>, plan: Arc<Plan>) -> Self {
        let step = StepStory {
            shown: Shown::Waiting,
            since: Timestamp::PAST,
            began: None,
            ended: None,
            failed: false,
            wrote: false,
            changes: Vec::new(),
            stages: 0,
            reason: None,
            approved: Vec::new(),
            next: None,
            evidence: None,
        };
        Self {
            id: id.into(),
            begun: None,
            deadline: Timestamp::NEVER,
            back: None,
            paused: None,
            verdict: None,
            ended: None,
            last: Timestamp::PAST,
            resumed: 0,
            breach: None,
            steps: vec![step; plan.steps.len()],
            plan,
        }
    }

    /// One step.
    #[must_use]
    pub fn step(&self, ix: StepIx) -> &StepStory {
        &self.steps[ix.index()]
    }

    /// All steps with their places.
    pub fn steps(&self) -> impl Iterator<Item = (StepIx, &StepStory)> {
        self.plan.places().zip(&self.steps)
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

    /// Takes the next fact.
    pub fn take(&mut self, at: Timestamp, event: &Event) {
        self.last = at;
        match event {
            Event::RunStarted { by, deadline } => {
                self.begun = Some((by.clone(), at));
                self.deadline = *deadline;
            }
            Event::RunResumed { .. } => self.resumed += 1,
            Event::OrderTaken { order, .. } => self.order(at, order),
            Event::OrderRefused { .. } => {}
            Event::GuardTripped { fault, .. } => self.breach = Some(fault.clone()),
            Event::RunPaused { cause } => self.paused = Some(cause.clone()),
            Event::RollbackStarted { cause, rewind } => {
                self.back = Some((cause.clone(), *rewind));
                (self.paused, self.verdict, self.ended) = (None, None, None);
            }
            Event::RunFinished { verdict } => {
                (self.verdict, self.ended, self.paused) = (Some(*verdict), Some(at), None);
            }
            Event::Step(ix, event) => {
                if let Some(step) = self.steps.get_mut(ix.index()) {
                    step.take(at, event);
                }
            }
        }
    }

    fn order(&mut self, at: Timestamp, order: &Order) {
        match order {
            Order::Continue => self.paused = None,
            Order::Retry { step } | Order::Settle { step, .. } => {
                self.paused = None;
                if let Some(step) = self.steps.get_mut(step.index()) {
                    step.be(at, if step.wrote { Shown::InDoubt } else { Shown::Waiting });
                }
            }
            Order::Skip { step, reason } => {
                self.paused = None;
                let Some(step) = self.steps.get_mut(step.index()) else { return };
                step.reason = Some(reason.clone());
                if !matches!(step.shown, Shown::Stuck(_)) {
                    step.be(at, Shown::Skipped);
                }
            }
            Order::Pause { .. } | Order::Rollback { .. } | Order::Approve { .. } | Order::Reject { .. } => {}
        }
    }
}

impl StepStory {
    fn be(&mut self, at: Timestamp, shown: Shown) {
        (self.shown, self.since, self.evidence) = (shown, at, None);
        self.next = None;
        if shown.is_live() {
            self.began.get_or_insert(at);
            self.ended = None;
        } else {
            self.ended = Some(at);
        }
    }

    fn take(&mut self, at: Timestamp, event: &StepEvent) {
        match event {
            StepEvent::Started => self.be(at, Shown::Planning),
            StepEvent::Skipped => self.be(at, Shown::Skipped),
            StepEvent::ApprovalAsked { until } => self.be(at, Shown::Asking { until: *until }),
            StepEvent::Approved { by } => self.approved.push(by.clone()),
            StepEvent::Planned { proposal, until } => {
                (self.changes, self.stages) = (proposal.changes.clone(), proposal.stages);
                let watched = Shown::Watching { until: *until };
                self.be(at, if proposal.stages == 0 { watched } else { Shown::Ready });
            }
            StepEvent::Applying { .. } => {
                self.wrote = true;
                self.be(at, Shown::Applying);
            }
            StepEvent::Applied { until, .. } => self.be(at, Shown::Watching { until: *until }),
            StepEvent::WasInDoubt { reason } => self.because(at, Shown::InDoubt, reason),
            StepEvent::NotLanded => {
                let shown = if self.shown == Shown::Failed { Shown::Failed } else { Shown::Ready };
                self.be(at, shown);
            }
            StepEvent::Noted { next, .. } => self.next = Some(*next),
            StepEvent::StageReached => self.be(at, Shown::Ready),
            StepEvent::Succeeded { .. } => self.be(at, Shown::Done),
            StepEvent::RetryScheduled { at: then, fault } => {
                let undoing = matches!(
                    self.shown,
                    Shown::Undoing | Shown::Restoring { .. } | Shown::UndoBackoff { .. }
                );
                let shown =
                    if undoing { Shown::UndoBackoff { at: *then } } else { Shown::Backoff { at: *then } };
                self.because(at, shown, &fault.message);
            }
            StepEvent::FoundForeign { fault } => {
                self.failed = true;
                self.because(at, Shown::Foreign, &fault.message);
            }
            StepEvent::WentBlind { fault } | StepEvent::Failed { fault } => {
                self.failed = true;
                self.because(at, Shown::Failed, &fault.message);
            }
            StepEvent::Undoing { .. } => self.be(at, Shown::Undoing),
            StepEvent::UndoCalled { until } => self.be(at, Shown::Restoring { until: *until }),
            StepEvent::Undone { receipt } => self.be(at, Shown::Undone(*receipt)),
            StepEvent::GotStuck { stuck, reason } => self.because(at, Shown::Stuck(*stuck), reason),
            StepEvent::Settled { done } => self.be(at, if *done { Shown::Done } else { Shown::Waiting }),
            StepEvent::SettleRefused { reason } => self.reason = Some(reason.clone()),
        }
    }

    fn because(&mut self, at: Timestamp, shown: Shown, reason: &Arc<str>) {
        self.be(at, shown);
        self.reason = Some(reason.clone());
    }
}
