//! Runtime words to stored ones.

use super::{
    ActorRecord, CauseRecord, ChangeRecord, EventRecord, FaultKindRecord, FaultRecord, LandedRecord,
    OrderRecord, PauseRecord, ProposalRecord, ReceiptRecord, RefusalRecord, RewindRecord, StepRecord,
    StuckRecord, VerdictRecord,
};
use crate::plan::{Plan, StepIx};
use crate::run::{
    Actor, Cause, Event, Fault, FaultKind, Landed, Order, PauseCause, Proposal, Receipt, Refusal, Rewind,
    StepEvent, Stuck, Verdict,
};
use std::time::Duration;

/// What is written for a step or guard that the plan does not have: an order may name anything.
const NOBODY: &str = "?";

fn step(plan: &Plan, ix: StepIx) -> String {
    plan.steps.get(ix.index()).map_or_else(|| NOBODY.into(), |step| step.id.0.to_string())
}

fn guard(plan: &Plan, place: usize) -> String {
    plan.guards.get(place).map_or_else(|| NOBODY.into(), |guard| guard.id.to_string())
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl EventRecord {
    /// The record of an event of a run of this plan.
    #[must_use]
    pub fn of(event: &Event, plan: &Plan) -> Self {
        match event {
            Event::RunStarted { by } => Self::RunStarted { by: by.into() },
            Event::DeadlineSet { deadline } => Self::DeadlineSet { deadline: deadline.0 },
            Event::RunResumed { owner } => Self::RunResumed { owner: owner.to_string() },
            Event::OrderTaken { id, by, order } => {
                Self::OrderTaken { id: *id, by: by.into(), order: OrderRecord::of(order, plan) }
            }
            Event::OrderRefused { id, by, order, refusal } => Self::OrderRefused {
                id: *id,
                by: by.into(),
                order: OrderRecord::of(order, plan),
                refusal: RefusalRecord::of(refusal, plan),
            },
            Event::GuardNoted { guard: place, note, next } => {
                Self::GuardNoted { guard: guard(plan, *place), note: note.to_string(), next: next.0 }
            }
            Event::GuardTripped { guard: place, fault } => {
                Self::GuardTripped { guard: guard(plan, *place), fault: fault.into() }
            }
            Event::RunPaused { cause } => Self::RunPaused { cause: PauseRecord::of(cause, plan) },
            Event::RollbackAnnounced { cause, at } => {
                Self::RollbackAnnounced { cause: CauseRecord::of(cause, plan), at: at.0 }
            }
            Event::RollbackStarted { cause, rewind } => Self::RollbackStarted {
                cause: CauseRecord::of(cause, plan),
                rewind: RewindRecord::of(*rewind, plan),
            },
            Event::Baking { until } => Self::Baking { until: until.0 },
            Event::GuardSatisfied { guard: place } => Self::GuardSatisfied { guard: guard(plan, *place) },
            Event::Baked => Self::Baked,
            Event::RunFinished { verdict } => Self::RunFinished { verdict: (*verdict).into() },
            Event::Step(ix, fact) => Self::Step { step: step(plan, *ix), fact: fact.into() },
        }
    }
}

impl OrderRecord {
    /// The record of an order for a run of this plan.
    #[must_use]
    pub fn of(order: &Order, plan: &Plan) -> Self {
        match order {
            Order::Pause { reason } => Self::Pause { reason: reason.as_deref().map(str::to_owned) },
            Order::Continue => Self::Continue,
            Order::Rollback { rewind, reason } => {
                Self::Rollback { rewind: RewindRecord::of(*rewind, plan), reason: reason.to_string() }
            }
            Order::Approve { step: ix } => Self::Approve { step: step(plan, *ix) },
            Order::Reject { step: ix, reason } => {
                Self::Reject { step: step(plan, *ix), reason: reason.to_string() }
            }
            Order::Retry { step: ix } => Self::Retry { step: step(plan, *ix) },
            Order::Skip { step: ix, reason } => {
                Self::Skip { step: step(plan, *ix), reason: reason.to_string() }
            }
            Order::Settle { step: ix, done, reason } => {
                Self::Settle { step: step(plan, *ix), done: *done, reason: reason.to_string() }
            }
            Order::Trip { guard: place, reason } => {
                Self::Trip { guard: guard(plan, *place), reason: reason.to_string() }
            }
        }
    }
}

impl RewindRecord {
    fn of(rewind: Rewind, plan: &Plan) -> Self {
        match rewind {
            Rewind::Safe => Self::Safe,
            Rewind::To(ix) => Self::Step { step: step(plan, ix) },
            Rewind::All => Self::All,
        }
    }
}

impl CauseRecord {
    fn of(cause: &Cause, plan: &Plan) -> Self {
        match cause {
            Cause::Failed(ix) => Self::Failed { step: step(plan, *ix) },
            Cause::Guard(place) => Self::Guard { guard: guard(plan, *place) },
            Cause::Order { by, reason } => Self::Order { by: by.into(), reason: reason.to_string() },
        }
    }
}

impl PauseRecord {
    fn of(cause: &PauseCause, plan: &Plan) -> Self {
        let step = |ix: &StepIx| step(plan, *ix);
        match cause {
            PauseCause::Operator => Self::Operator,
            PauseCause::Interrupted => Self::Interrupted,
            PauseCause::OutOfRoom => Self::OutOfRoom,
            PauseCause::Failed(ix) => Self::Failed { step: step(ix) },
            PauseCause::Foreign(ix) => Self::Foreign { step: step(ix) },
            PauseCause::Blind(ix) => Self::Blind { step: step(ix) },
            PauseCause::Guard(place) => Self::Guard { guard: guard(plan, *place) },
            PauseCause::Stuck(ix) => Self::Stuck { step: step(ix) },
            PauseCause::Rejected(ix) => Self::Rejected { step: step(ix) },
            PauseCause::Expired(ix) => Self::Expired { step: step(ix) },
            PauseCause::Deadline => Self::Deadline,
            PauseCause::Barrier(ix) => Self::Barrier { step: step(ix) },
            PauseCause::Checkpoint(ix) => Self::Checkpoint { step: step(ix) },
            PauseCause::Rewound(ix) => Self::Rewound { step: step(ix) },
            PauseCause::Diverged { step: ix, since } => Self::Diverged { step: step(ix), since: since.0 },
        }
    }
}

impl From<&Actor> for ActorRecord {
    fn from(actor: &Actor) -> Self {
        Self { name: actor.name.to_string(), automatic: actor.automatic }
    }
}

impl From<&Fault> for FaultRecord {
    fn from(fault: &Fault) -> Self {
        let kind = match fault.kind {
            FaultKind::Transient => FaultKindRecord::Transient,
            FaultKind::Permanent => FaultKindRecord::Permanent,
            FaultKind::Foreign => FaultKindRecord::Foreign,
            FaultKind::Blind => FaultKindRecord::Blind,
        };
        let landed = match fault.landed {
            Landed::No => LandedRecord::No,
            Landed::Maybe => LandedRecord::Maybe,
        };
        Self { message: fault.message.to_string(), kind, landed }
    }
}

impl From<&Proposal> for ProposalRecord {
    fn from(proposal: &Proposal) -> Self {
        let changes = proposal.changes.iter().map(|change| ChangeRecord {
            what: change.what.to_string(),
            from: change.from.to_string(),
            to: change.to.to_string(),
        });
        Self {
            prior: proposal.prior.to_string(),
            stages: proposal.stages,
            within_ms: millis(proposal.within),
            call_ms: proposal.call.map(millis),
            must_finish: proposal.must_finish,
            changes: changes.collect(),
        }
    }
}

impl From<Verdict> for VerdictRecord {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Completed => Self::Completed,
            Verdict::RolledBack => Self::RolledBack,
            Verdict::Incomplete => Self::Incomplete,
        }
    }
}

impl RefusalRecord {
    fn of(refusal: &Refusal, plan: &Plan) -> Self {
        match refusal {
            Refusal::NotRunning => Self::NotRunning,
            Refusal::NotPaused => Self::NotPaused,
            Refusal::AlreadyPaused => Self::AlreadyPaused,
            Refusal::AlreadyRollingBack => Self::AlreadyRollingBack,
            Refusal::NoSuchStep => Self::NoSuchStep,
            Refusal::NotAsked => Self::NotAsked,
            Refusal::NotEntitled => Self::NotEntitled,
            Refusal::StarterMayNotApprove => Self::StarterMayNotApprove,
            Refusal::AlreadyApproved => Self::AlreadyApproved,
            Refusal::OutsideWindow(text) => Self::OutsideWindow { text: text.to_string() },
            Refusal::NotStopped => Self::NotStopped,
            Refusal::StillInDoubt => Self::StillInDoubt,
            Refusal::PersonNeeded => Self::PersonNeeded,
            Refusal::NothingRecorded => Self::NothingRecorded,
            Refusal::HeldBy(cause) => Self::HeldBy { cause: PauseRecord::of(cause, plan) },
            Refusal::NoSuchGuard => Self::NoSuchGuard,
            Refusal::LooksItself => Self::LooksItself,
            Refusal::NotWatched => Self::NotWatched,
            Refusal::AlreadyTripped => Self::AlreadyTripped,
        }
    }
}

impl From<&StepEvent> for StepRecord {
    fn from(event: &StepEvent) -> Self {
        let owned = |memo: &Option<std::sync::Arc<str>>| memo.as_deref().map(str::to_owned);
        match event {
            StepEvent::Started => Self::Started,
            StepEvent::Skipped => Self::Skipped,
            StepEvent::ApprovalAsked { until } => Self::ApprovalAsked { until: until.0 },
            StepEvent::Approved { by } => Self::Approved { by: by.to_string() },
            StepEvent::Planned { proposal, until } => {
                Self::Planned { proposal: proposal.into(), until: until.0 }
            }
            StepEvent::Applying { stage, by } => Self::Applying { stage: *stage, by: by.0 },
            StepEvent::Applied { note, until } => Self::Applied { note: owned(note), until: until.0 },
            StepEvent::WasInDoubt { reason } => Self::WasInDoubt { reason: reason.to_string() },
            StepEvent::NotLanded => Self::NotLanded,
            StepEvent::Noted { note, next } => Self::Noted { note: note.to_string(), next: next.0 },
            StepEvent::StageReached => Self::StageReached,
            StepEvent::Succeeded { out } => Self::Succeeded { out: owned(out) },
            StepEvent::RetryScheduled { at, fault } => Self::RetryScheduled { at: at.0, fault: fault.into() },
            StepEvent::FoundForeign { fault } => Self::FoundForeign { fault: fault.into() },
            StepEvent::WentBlind { fault } => Self::WentBlind { fault: fault.into() },
            StepEvent::Failed { fault } => Self::Failed { fault: fault.into() },
            StepEvent::Undoing { by } => Self::Undoing { by: by.0 },
            StepEvent::UndoCalled { note, until } => Self::UndoCalled { note: owned(note), until: until.0 },
            StepEvent::Undone { receipt } => Self::Undone {
                receipt: match receipt {
                    Receipt::Restored => ReceiptRecord::Restored,
                    Receipt::Assumed => ReceiptRecord::Assumed,
                    Receipt::Left => ReceiptRecord::Left,
                    Receipt::TakenOver => ReceiptRecord::TakenOver,
                },
            },
            StepEvent::GotStuck { stuck, reason } => Self::GotStuck {
                stuck: match stuck {
                    Stuck::Failed => StuckRecord::Failed,
                    Stuck::Drifted => StuckRecord::Drifted,
                },
                reason: reason.to_string(),
            },
            StepEvent::Settled { done } => Self::Settled { done: *done },
            StepEvent::SettleRefused { reason } => Self::SettleRefused { reason: reason.to_string() },
        }
    }
}
