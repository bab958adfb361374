//! What is stored, in its own types (format v3). They are not the runtime types on purpose: those may change with the
//! code, these may only grow. Steps and guards are stored by name.
//!
//! Every name in the file is written out; nothing is flattened or untagged. Not here: SQL, hashes.

mod named;
mod read;
mod standing;
mod write;

pub use named::Named;
pub use standing::{AnnouncedRecord, ModeRecord, SandboxRecord, StandingRecord, TitleRecord};

use serde::{Deserialize, Serialize};

/// What an order or an event names that its plan does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A step.
    #[error("the plan has no step `{0}`")]
    NoStep(String),
    /// A guard.
    #[error("the plan has no guard `{0}`")]
    NoGuard(String),
    /// The text is not a record of this format.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

/// An event, stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event")]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum EventRecord {
    #[serde(rename = "run_started")]
    RunStarted { by: ActorRecord },
    #[serde(rename = "deadline_set")]
    DeadlineSet { deadline: u64 },
    #[serde(rename = "run_resumed")]
    RunResumed { owner: String },
    #[serde(rename = "order_taken")]
    OrderTaken { id: u64, by: ActorRecord, order: OrderRecord },
    #[serde(rename = "order_refused")]
    OrderRefused { id: u64, by: ActorRecord, order: OrderRecord, refusal: RefusalRecord },
    #[serde(rename = "guard_noted")]
    GuardNoted { guard: String, note: String, next: u64 },
    #[serde(rename = "guard_tripped")]
    GuardTripped { guard: String, fault: FaultRecord },
    #[serde(rename = "run_paused")]
    RunPaused { cause: PauseRecord },
    #[serde(rename = "rollback_announced")]
    RollbackAnnounced { cause: CauseRecord, at: u64 },
    #[serde(rename = "rollback_started")]
    RollbackStarted { cause: CauseRecord, rewind: RewindRecord },
    #[serde(rename = "baking")]
    Baking { until: u64 },
    #[serde(rename = "guard_satisfied")]
    GuardSatisfied { guard: String },
    #[serde(rename = "baked")]
    Baked,
    #[serde(rename = "run_finished")]
    RunFinished { verdict: VerdictRecord },
    #[serde(rename = "step")]
    Step { step: String, fact: StepRecord },
}

/// A fact about a step, stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is")]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum StepRecord {
    #[serde(rename = "started")]
    Started,
    #[serde(rename = "skipped")]
    Skipped,
    #[serde(rename = "approval_asked")]
    ApprovalAsked { until: u64 },
    #[serde(rename = "approved")]
    Approved { by: String },
    #[serde(rename = "planned")]
    Planned { proposal: ProposalRecord, until: u64 },
    #[serde(rename = "applying")]
    Applying { stage: u32, by: u64 },
    #[serde(rename = "applied")]
    Applied { note: Option<String>, until: u64 },
    #[serde(rename = "was_in_doubt")]
    WasInDoubt { reason: String },
    #[serde(rename = "not_landed")]
    NotLanded,
    #[serde(rename = "noted")]
    Noted { note: String, next: u64 },
    #[serde(rename = "stage_reached")]
    StageReached,
    #[serde(rename = "succeeded")]
    Succeeded { out: Option<String> },
    #[serde(rename = "retry_scheduled")]
    RetryScheduled { at: u64, fault: FaultRecord },
    #[serde(rename = "found_foreign")]
    FoundForeign { fault: FaultRecord },
    #[serde(rename = "went_blind")]
    WentBlind { fault: FaultRecord },
    #[serde(rename = "failed")]
    Failed { fault: FaultRecord },
    #[serde(rename = "undoing")]
    Undoing { by: u64 },
    #[serde(rename = "undo_called")]
    UndoCalled { note: Option<String>, until: u64 },
    #[serde(rename = "undone")]
    Undone { receipt: ReceiptRecord },
    #[serde(rename = "got_stuck")]
    GotStuck { stuck: StuckRecord, reason: String },
    #[serde(rename = "settled")]
    Settled { done: bool },
    #[serde(rename = "settle_refused")]
    SettleRefused { reason: String },
}

/// Who, stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActorRecord {
    /// As they are named in the plan's `people`.
    pub name: String,
    /// An alarm or a webhook.
    pub automatic: bool,
}

/// An order, stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order")]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum OrderRecord {
    #[serde(rename = "pause")]
    Pause { reason: Option<String> },
    #[serde(rename = "continue")]
    Continue,
    #[serde(rename = "rollback")]
    Rollback { rewind: RewindRecord, reason: String },
    #[serde(rename = "approve")]
    Approve { step: String },
    #[serde(rename = "reject")]
    Reject { step: String, reason: String },
    #[serde(rename = "retry")]
    Retry { step: String },
    #[serde(rename = "skip")]
    Skip { step: String, reason: String },
    #[serde(rename = "settle")]
    Settle { step: String, done: bool, reason: String },
    #[serde(rename = "trip")]
    Trip { guard: String, reason: String },
}

/// How far back, stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to")]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum RewindRecord {
    #[serde(rename = "safe")]
    Safe,
    #[serde(rename = "step")]
    Step { step: String },
    #[serde(rename = "all")]
    All,
}

/// A fault, stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRecord {
    /// What.
    pub message: String,
    /// What trying again is worth.
    pub kind: FaultKindRecord,
    /// The call may have changed the world all the same.
    pub landed: LandedRecord,
}

/// What trying again is worth, stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum FaultKindRecord {
    #[serde(rename = "transient")]
    Transient,
    #[serde(rename = "permanent")]
    Permanent,
    #[serde(rename = "foreign")]
    Foreign,
    #[serde(rename = "blind")]
    Blind,
}

/// Whether a failed call may have landed, stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum LandedRecord {
    #[serde(rename = "no")]
    No,
    #[serde(rename = "maybe")]
    Maybe,
}

/// What a step proposes, stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalRecord {
    /// What undoing restores, as the action wrote it.
    pub prior: String,
    /// How many writes.
    pub stages: u32,
    /// How long a stage may take, in milliseconds.
    pub within_ms: u64,
    /// How long a call may take, in milliseconds.
    pub call_ms: Option<u64>,
    /// It is awaited before it is undone.
    pub must_finish: bool,
    /// What it changes.
    pub changes: Vec<ChangeRecord>,
}

/// One change, stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// What.
    pub what: String,
    /// What is there.
    pub from: String,
    /// What will be.
    pub to: String,
}

/// Why a run rolls back, stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why")]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum CauseRecord {
    #[serde(rename = "failed")]
    Failed { step: String },
    #[serde(rename = "guard")]
    Guard { guard: String },
    #[serde(rename = "order")]
    Order { by: ActorRecord, reason: String },
}

/// Why a run pauses, stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why")]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum PauseRecord {
    #[serde(rename = "operator")]
    Operator,
    #[serde(rename = "interrupted")]
    Interrupted,
    #[serde(rename = "out_of_room")]
    OutOfRoom,
    #[serde(rename = "failed")]
    Failed { step: String },
    #[serde(rename = "foreign")]
    Foreign { step: String },
    #[serde(rename = "blind")]
    Blind { step: String },
    #[serde(rename = "guard")]
    Guard { guard: String },
    #[serde(rename = "stuck")]
    Stuck { step: String },
    #[serde(rename = "rejected")]
    Rejected { step: String },
    #[serde(rename = "expired")]
    Expired { step: String },
    #[serde(rename = "deadline")]
    Deadline,
    #[serde(rename = "barrier")]
    Barrier { step: String },
    #[serde(rename = "checkpoint")]
    Checkpoint { step: String },
    #[serde(rename = "rewound")]
    Rewound { step: String },
    #[serde(rename = "diverged")]
    Diverged { step: String, since: u64 },
}

impl PauseRecord {
    /// It was about the process: whoever takes the run over goes on.
    #[must_use]
    pub fn ends_with_its_process(&self) -> bool {
        matches!(self, Self::Interrupted | Self::OutOfRoom)
    }
}

/// How a run ended, stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum VerdictRecord {
    #[serde(rename = "completed")]
    Completed,
    #[serde(rename = "rolled_back")]
    RolledBack,
    #[serde(rename = "incomplete")]
    Incomplete,
}

/// How it is known that nothing is left to undo, stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum ReceiptRecord {
    #[serde(rename = "restored")]
    Restored,
    #[serde(rename = "assumed")]
    Assumed,
    #[serde(rename = "left")]
    Left,
    #[serde(rename = "taken_over")]
    TakenOver,
}

/// Why an undo cannot go on, stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum StuckRecord {
    #[serde(rename = "failed")]
    Failed,
    #[serde(rename = "drifted")]
    Drifted,
}

/// Why an order changed nothing, stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because")]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum RefusalRecord {
    #[serde(rename = "not_running")]
    NotRunning,
    #[serde(rename = "not_paused")]
    NotPaused,
    #[serde(rename = "already_paused")]
    AlreadyPaused,
    #[serde(rename = "already_rolling_back")]
    AlreadyRollingBack,
    #[serde(rename = "no_such_step")]
    NoSuchStep,
    #[serde(rename = "not_asked")]
    NotAsked,
    #[serde(rename = "not_entitled")]
    NotEntitled,
    #[serde(rename = "starter_may_not_approve")]
    StarterMayNotApprove,
    #[serde(rename = "already_approved")]
    AlreadyApproved,
    #[serde(rename = "outside_window")]
    OutsideWindow { text: String },
    #[serde(rename = "not_stopped")]
    NotStopped,
    #[serde(rename = "still_in_doubt")]
    StillInDoubt,
    #[serde(rename = "person_needed")]
    PersonNeeded,
    #[serde(rename = "nothing_recorded")]
    NothingRecorded,
    #[serde(rename = "held_by")]
    HeldBy { cause: PauseRecord },
    #[serde(rename = "no_such_guard")]
    NoSuchGuard,
    #[serde(rename = "looks_itself")]
    LooksItself,
    #[serde(rename = "not_watched")]
    NotWatched,
    #[serde(rename = "already_tripped")]
    AlreadyTripped,
}

#[cfg(test)]
mod tests;
