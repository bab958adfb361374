//! Stored words to runtime ones.

use super::{
    ActorRecord, CauseRecord, EventRecord, FaultKindRecord, FaultRecord, LandedRecord, ModeRecord,
    OrderRecord, PauseRecord, ProposalRecord, ReceiptRecord, RecordError, RefusalRecord, RewindRecord,
    StepRecord, StuckRecord, VerdictRecord,
};
use crate::plan::{Plan, StepIx, Timestamp};
use crate::run::{
    Actor, Cause, Change, Event, Fault, FaultKind, Landed, Mode, Order, PauseCause, Proposal, Receipt,
    Refusal, Rewind, StepEvent, Stuck, Verdict,
};
use std::cell::RefCell;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// The place of a step, and of a guard, that an order names and the plan does not have.
const NOWHERE: StepIx = StepIx(u32::MAX);
const NO_GUARD: usize = usize::MAX;

fn step(plan: &Plan, name: &str) -> Result<StepIx, RecordError> {
    plan.find(name).ok_or_else(|| RecordError::NoStep(name.to_owned()))
}

fn guard(plan: &Plan, name: &str) -> Result<usize, RecordError> {
    let place = plan.guards.iter().position(|guard| &*guard.id == name);
    place.ok_or_else(|| RecordError::NoGuard(name.to_owned()))
}

/// Where a name stands, if there is no plan to ask.
type Places<'a, T> = &'a dyn Fn(&str) -> Result<T, Infallible>;

/// What a record tells without its plan, and the one name that it may name: every place in it stands for that.
fn without_plan<T>(
    read: impl FnOnce(Places<'_, StepIx>, Places<'_, usize>) -> Result<T, Infallible>,
) -> (T, String) {
    let named = RefCell::new(String::new());
    let met = |name: &str| name.clone_into(&mut named.borrow_mut());
    let step = |name: &str| {
        met(name);
        Ok(StepIx(0))
    };
    let guard = |name: &str| {
        met(name);
        Ok(0)
    };
    let Ok(told) = read(&step, &guard);
    (told, named.into_inner())
}

fn memo(text: Option<&String>) -> Option<Arc<str>> {
    text.map(|text| text.as_str().into())
}

impl EventRecord {
    /// Reads what was stored.
    ///
    /// # Errors
    /// It is not a record of this format.
    pub fn parse(body: &str) -> Result<Self, RecordError> {
        serde_json::from_str(body).map_err(|error| RecordError::Unreadable(error.to_string()))
    }

    /// The event, of a run of this plan.
    ///
    /// # Errors
    /// It names what the plan does not have.
    pub fn event(&self, plan: &Plan) -> Result<Event, RecordError> {
        Ok(match self {
            Self::RunStarted { by } => Event::RunStarted { by: by.into() },
            Self::DeadlineSet { deadline } => Event::DeadlineSet { deadline: Timestamp(*deadline) },
            Self::RunResumed { owner } => Event::RunResumed { owner: owner.as_str().into() },
            Self::OrderTaken { id, by, order } => {
                Event::OrderTaken { id: *id, by: by.into(), order: order.order(plan) }
            }
            Self::OrderRefused { id, by, order, refusal } => Event::OrderRefused {
                id: *id,
                by: by.into(),
                order: order.order(plan),
                refusal: refusal.refusal(plan)?,
            },
            Self::GuardNoted { guard: name, note, next } => Event::GuardNoted {
                guard: guard(plan, name)?,
                note: note.as_str().into(),
                next: Timestamp(*next),
            },
            Self::GuardTripped { guard: name, fault } => {
                Event::GuardTripped { guard: guard(plan, name)?, fault: fault.into() }
            }
            Self::RunPaused { cause } => Event::RunPaused { cause: cause.cause(plan)? },
            Self::RollbackAnnounced { cause, at } => {
                Event::RollbackAnnounced { cause: cause.cause(plan)?, at: Timestamp(*at) }
            }
            Self::RollbackStarted { cause, rewind } => {
                Event::RollbackStarted { cause: cause.cause(plan)?, rewind: rewind.rewind(plan) }
            }
            Self::Baking { until } => Event::Baking { until: Timestamp(*until) },
            Self::GuardSatisfied { guard: name } => Event::GuardSatisfied { guard: guard(plan, name)? },
            Self::Baked => Event::Baked,
            Self::RunFinished { verdict } => Event::RunFinished { verdict: (*verdict).into() },
            Self::Step { step: name, fact } => Event::Step(step(plan, name)?, fact.into()),
        })
    }
}

impl OrderRecord {
    /// The order, for a run of this plan. A step or guard that the plan does not have gets a place that no plan has: the
    /// machine refuses the order then, and says so.
    #[must_use]
    pub fn order(&self, plan: &Plan) -> Order {
        let step = |name: &str| plan.find(name).unwrap_or(NOWHERE);
        match self {
            Self::Pause { reason } => Order::Pause { reason: memo(reason.as_ref()) },
            Self::Continue => Order::Continue,
            Self::Rollback { rewind, reason } => {
                Order::Rollback { rewind: rewind.rewind(plan), reason: reason.as_str().into() }
            }
            Self::Approve { step: name } => Order::Approve { step: step(name) },
            Self::Reject { step: name, reason } => {
                Order::Reject { step: step(name), reason: reason.as_str().into() }
            }
            Self::Retry { step: name } => Order::Retry { step: step(name) },
            Self::Skip { step: name, reason } => {
                Order::Skip { step: step(name), reason: reason.as_str().into() }
            }
            Self::Settle { step: name, done, reason } => {
                Order::Settle { step: step(name), done: *done, reason: reason.as_str().into() }
            }
            Self::Trip { guard: name, reason } => {
                Order::Trip { guard: guard(plan, name).unwrap_or(NO_GUARD), reason: reason.as_str().into() }
            }
        }
    }
}

impl RewindRecord {
    fn rewind(&self, plan: &Plan) -> Rewind {
        match self {
            Self::Safe => Rewind::Safe,
            Self::Step { step } => Rewind::To(plan.find(step).unwrap_or(NOWHERE)),
            Self::All => Rewind::All,
        }
    }
}

impl CauseRecord {
    fn cause(&self, plan: &Plan) -> Result<Cause, RecordError> {
        self.cause_by(|name| step(plan, name), |name| guard(plan, name))
    }

    /// The cause without its plan, and the one name that it may name: every place in it stands for that.
    #[must_use]
    pub fn named(&self) -> (Cause, String) {
        without_plan(|step, guard| self.cause_by(step, guard))
    }

    fn cause_by<E>(
        &self,
        step: impl Fn(&str) -> Result<StepIx, E>,
        guard: impl Fn(&str) -> Result<usize, E>,
    ) -> Result<Cause, E> {
        Ok(match self {
            Self::Failed { step: name } => Cause::Failed(step(name)?),
            Self::Guard { guard: name } => Cause::Guard(guard(name)?),
            Self::Order { by, reason } => Cause::Order { by: by.into(), reason: reason.as_str().into() },
        })
    }
}

impl PauseRecord {
    fn cause(&self, plan: &Plan) -> Result<PauseCause, RecordError> {
        self.cause_by(|name| step(plan, name), |name| guard(plan, name))
    }

    /// The cause without its plan, and the one name that it may name: every place in it stands for that.
    #[must_use]
    pub fn named(&self) -> (PauseCause, String) {
        without_plan(|step, guard| self.cause_by(step, guard))
    }

    fn cause_by<E>(
        &self,
        step: impl Fn(&str) -> Result<StepIx, E>,
        guard: impl Fn(&str) -> Result<usize, E>,
    ) -> Result<PauseCause, E> {
        Ok(match self {
            Self::Operator => PauseCause::Operator,
            Self::Interrupted => PauseCause::Interrupted,
            Self::OutOfRoom => PauseCause::OutOfRoom,
            Self::Failed { step: name } => PauseCause::Failed(step(name)?),
            Self::Foreign { step: name } => PauseCause::Foreign(step(name)?),
            Self::Blind { step: name } => PauseCause::Blind(step(name)?),
            Self::Guard { guard: name } => PauseCause::Guard(guard(name)?),
            Self::Stuck { step: name } => PauseCause::Stuck(step(name)?),
            Self::Rejected { step: name } => PauseCause::Rejected(step(name)?),
            Self::Expired { step: name } => PauseCause::Expired(step(name)?),
            Self::Deadline => PauseCause::Deadline,
            Self::Barrier { step: name } => PauseCause::Barrier(step(name)?),
            Self::Checkpoint { step: name } => PauseCause::Checkpoint(step(name)?),
            Self::Rewound { step: name } => PauseCause::Rewound(step(name)?),
            Self::Diverged { step: name, since } => {
                PauseCause::Diverged { step: step(name)?, since: Timestamp(*since) }
            }
        })
    }
}

impl From<&ActorRecord> for Actor {
    fn from(actor: &ActorRecord) -> Self {
        Self { name: actor.name.as_str().into(), automatic: actor.automatic }
    }
}

impl From<&FaultRecord> for Fault {
    fn from(fault: &FaultRecord) -> Self {
        let kind = match fault.kind {
            FaultKindRecord::Transient => FaultKind::Transient,
            FaultKindRecord::Permanent => FaultKind::Permanent,
            FaultKindRecord::Foreign => FaultKind::Foreign,
            FaultKindRecord::Blind => FaultKind::Blind,
        };
        let landed = match fault.landed {
            LandedRecord::No => Landed::No,
            LandedRecord::Maybe => Landed::Maybe,
        };
        Self { message: fault.message.as_str().into(), kind, landed }
    }
}

impl From<&ProposalRecord> for Proposal {
    fn from(proposal: &ProposalRecord) -> Self {
        let changes = proposal.changes.iter().map(|change| Change {
            what: change.what.as_str().into(),
            from: change.from.as_str().into(),
            to: change.to.as_str().into(),
        });
        Self {
            prior: proposal.prior.as_str().into(),
            stages: proposal.stages,
            within: Duration::from_millis(proposal.within_ms),
            call: proposal.call_ms.map(Duration::from_millis),
            must_finish: proposal.must_finish,
            changes: changes.collect(),
        }
    }
}

impl From<ModeRecord> for Mode {
    fn from(mode: ModeRecord) -> Self {
        match mode {
            ModeRecord::Idle => Self::Idle,
            ModeRecord::Forward => Self::Forward,
            ModeRecord::Rollback => Self::Rollback,
            ModeRecord::Finished(verdict) => Self::Finished(verdict.into()),
        }
    }
}

impl From<VerdictRecord> for Verdict {
    fn from(verdict: VerdictRecord) -> Self {
        match verdict {
            VerdictRecord::Completed => Self::Completed,
            VerdictRecord::RolledBack => Self::RolledBack,
            VerdictRecord::Incomplete => Self::Incomplete,
        }
    }
}

impl RefusalRecord {
    fn refusal(&self, plan: &Plan) -> Result<Refusal, RecordError> {
        Ok(match self {
            Self::NotRunning => Refusal::NotRunning,
            Self::NotPaused => Refusal::NotPaused,
            Self::AlreadyPaused => Refusal::AlreadyPaused,
            Self::AlreadyRollingBack => Refusal::AlreadyRollingBack,
            Self::NoSuchStep => Refusal::NoSuchStep,
            Self::NotAsked => Refusal::NotAsked,
            Self::NotEntitled => Refusal::NotEntitled,
            Self::StarterMayNotApprove => Refusal::StarterMayNotApprove,
            Self::AlreadyApproved => Refusal::AlreadyApproved,
            Self::OutsideWindow { text } => Refusal::OutsideWindow(text.as_str().into()),
            Self::NotStopped => Refusal::NotStopped,
            Self::StillInDoubt => Refusal::StillInDoubt,
            Self::PersonNeeded => Refusal::PersonNeeded,
            Self::NothingRecorded => Refusal::NothingRecorded,
            Self::HeldBy { cause } => Refusal::HeldBy(cause.cause(plan)?),
            Self::NoSuchGuard => Refusal::NoSuchGuard,
            Self::LooksItself => Refusal::LooksItself,
            Self::NotWatched => Refusal::NotWatched,
            Self::AlreadyTripped => Refusal::AlreadyTripped,
        })
    }
}

impl From<&StepRecord> for StepEvent {
    fn from(record: &StepRecord) -> Self {
        match record {
            StepRecord::Started => Self::Started,
            StepRecord::Skipped => Self::Skipped,
            StepRecord::ApprovalAsked { until } => Self::ApprovalAsked { until: Timestamp(*until) },
            StepRecord::Approved { by } => Self::Approved { by: by.as_str().into() },
            StepRecord::Planned { proposal, until } => {
                Self::Planned { proposal: proposal.into(), until: Timestamp(*until) }
            }
            StepRecord::Applying { stage, by } => Self::Applying { stage: *stage, by: Timestamp(*by) },
            StepRecord::Applied { note, until } => {
                Self::Applied { note: memo(note.as_ref()), until: Timestamp(*until) }
            }
            StepRecord::WasInDoubt { reason } => Self::WasInDoubt { reason: reason.as_str().into() },
            StepRecord::NotLanded => Self::NotLanded,
            StepRecord::Noted { note, next } => {
                Self::Noted { note: note.as_str().into(), next: Timestamp(*next) }
            }
            StepRecord::StageReached => Self::StageReached,
            StepRecord::Succeeded { out } => Self::Succeeded { out: memo(out.as_ref()) },
            StepRecord::RetryScheduled { at, fault } => {
                Self::RetryScheduled { at: Timestamp(*at), fault: fault.into() }
            }
            StepRecord::FoundForeign { fault } => Self::FoundForeign { fault: fault.into() },
            StepRecord::WentBlind { fault } => Self::WentBlind { fault: fault.into() },
            StepRecord::Failed { fault } => Self::Failed { fault: fault.into() },
            StepRecord::Undoing { by } => Self::Undoing { by: Timestamp(*by) },
            StepRecord::UndoCalled { note, until } => {
                Self::UndoCalled { note: memo(note.as_ref()), until: Timestamp(*until) }
            }
            StepRecord::Undone { receipt } => Self::Undone {
                receipt: match receipt {
                    ReceiptRecord::Restored => Receipt::Restored,
                    ReceiptRecord::Assumed => Receipt::Assumed,
                    ReceiptRecord::Left => Receipt::Left,
                    ReceiptRecord::TakenOver => Receipt::TakenOver,
                },
            },
            StepRecord::GotStuck { stuck, reason } => Self::GotStuck {
                stuck: match stuck {
                    StuckRecord::Failed => Stuck::Failed,
                    StuckRecord::Drifted => Stuck::Drifted,
                },
                reason: reason.as_str().into(),
            },
            StepRecord::Settled { done } => Self::Settled { done: *done },
            StepRecord::SettleRefused { reason } => Self::SettleRefused { reason: reason.as_str().into() },
        }
    }
}
