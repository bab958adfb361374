//! The words of a run: what comes in, and what is recorded.

use super::outcome::{Answer, Fault, Memo, Proposal};
use crate::plan::{StepIx, Timestamp};
use std::sync::Arc;

/// Who gave an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// As they are named in the plan's `people`.
    pub name: Arc<str>,
    /// An alarm or a webhook, not a person.
    pub automatic: bool,
}

/// How far a rollback goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rewind {
    /// As far as it may by itself: barriers, checkpoints and `writes: diverge` hold.
    Safe,
    /// Until this step is undone too; a person's choice.
    To(StepIx),
    /// Everything that can be undone; a person's choice.
    All,
}

/// What an operator, or an alarm, may tell a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Begin nothing new. Said of a rollback that is announced: no, and ask.
    Pause {
        /// Why, if they said.
        reason: Option<Arc<str>>,
    },
    /// Go on: also tries again whatever stopped the run. Said of a rollback that is announced: no. Said of a run that bakes
    /// and that nothing holds: enough.
    Continue,
    /// Undo: `abort` of a live run, `rollback` of a completed or stopped one, every trigger.
    Rollback {
        /// How far.
        rewind: Rewind,
        /// Why.
        reason: Arc<str>,
    },
    /// Yes.
    Approve {
        /// To what.
        step: StepIx,
    },
    /// No: the run pauses.
    Reject {
        /// To what.
        step: StepIx,
        /// Why.
        reason: Arc<str>,
    },
    /// Try a failed, foreign or stuck step again. What a human restored by hand is found and becomes RESTORED.
    Retry {
        /// Which.
        step: StepIx,
    },
    /// Go on without a failed, foreign or stuck step.
    Skip {
        /// Which.
        step: StepIx,
        /// Why.
        reason: Arc<str>,
    },
    /// A human says what became of a step; the world is looked at first, and contradicts where it can.
    Settle {
        /// Which.
        step: StepIx,
        /// In force, rather than not.
        done: bool,
        /// Why they know.
        reason: Arc<str>,
    },
    /// A guard of kind `webhook` counts as broken: its plan says what that does, as if a guard had seen it.
    Trip {
        /// Its place among the plan's guards.
        guard: usize,
        /// Why.
        reason: Arc<str>,
    },
}

/// What happened outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Somebody starts the run.
    Begin {
        /// Who.
        by: Actor,
    },
    /// A process takes the run over from one that is gone.
    Resume {
        /// Which process, for the record: `host/pid`.
        owner: Arc<str>,
    },
    /// Time passed.
    Tick,
    /// The process was asked to stop: nothing new is begun until it is resumed.
    Interrupted,
    /// There is no room left to write the journal: nothing new is begun until it is resumed.
    OutOfRoom,
    /// The outcome of due work; `turn` is the one that the work was due with.
    Answered {
        /// Whose work.
        step: StepIx,
        /// Which work.
        turn: u32,
        /// What came of it.
        answer: Answer,
    },
    /// A guard has seen something that is worth keeping.
    Noted {
        /// Its place among the plan's guards.
        guard: usize,
        /// Which work.
        turn: u32,
        /// Replaces the note before it.
        note: Memo,
        /// When it looks again.
        next: Timestamp,
    },
    /// A guard saw a breach ([`super::FaultKind::Foreign`]: somebody else's change).
    Tripped {
        /// Its place among the plan's guards.
        guard: usize,
        /// All that it has seen, where it looks for itself.
        note: Option<Memo>,
        /// What it saw.
        fault: Fault,
    },
    /// A guard saw, once the bake's time was over, that all is well.
    Satisfied {
        /// Its place among the plan's guards.
        guard: usize,
    },
    /// Orders are numbered by the store; one that was taken is not taken again.
    Ordered {
        /// Its number.
        id: u64,
        /// Who gave it.
        by: Actor,
        /// What.
        order: Order,
    },
}

/// Facts, past tense. Each is durable before anything follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The run began.
    RunStarted {
        /// Who started it.
        by: Actor,
    },
    /// What may be done ahead is over: from here on it counts how long the run takes.
    DeadlineSet {
        /// When it pauses by itself.
        deadline: Timestamp,
    },
    /// A process took it over: what was in flight is in doubt.
    RunResumed {
        /// `host/pid`.
        owner: Arc<str>,
    },
    /// An order changed something.
    OrderTaken {
        /// Its number.
        id: u64,
        /// Who gave it.
        by: Actor,
        /// What.
        order: Order,
    },
    /// An order changed nothing.
    OrderRefused {
        /// Its number.
        id: u64,
        /// Who gave it.
        by: Actor,
        /// What.
        order: Order,
        /// Why not.
        refusal: Refusal,
    },
    /// What a guard has seen so far: of some of its looks, so that whoever takes the run over knows it, too.
    GuardNoted {
        /// Its place among the plan's guards.
        guard: usize,
        /// Replaces the note before it.
        note: Memo,
        /// When it looks again.
        next: Timestamp,
    },
    /// A guard saw a breach.
    GuardTripped {
        /// Its place among the plan's guards.
        guard: usize,
        /// What it saw.
        fault: Fault,
    },
    /// Nothing new is begun until somebody says so.
    RunPaused {
        /// Why.
        cause: PauseCause,
    },
    /// The run will turn back by itself, unless a person says no before that.
    RollbackAnnounced {
        /// Why.
        cause: Cause,
        /// When.
        at: Timestamp,
    },
    /// The run turned back.
    RollbackStarted {
        /// Why.
        cause: Cause,
        /// How far.
        rewind: Rewind,
    },
    /// All steps are done, and the guards are kept for a while yet.
    Baking {
        /// For so long at least.
        until: Timestamp,
    },
    /// The bake's time was over, and a guard saw that all is well.
    GuardSatisfied {
        /// Its place among the plan's guards.
        guard: usize,
    },
    /// The bake is over: no guard that watched it saw anything else.
    Baked,
    /// It is over; `finally` has run.
    RunFinished {
        /// How.
        verdict: Verdict,
    },
    /// Something about one step.
    Step(StepIx, StepEvent),
}

/// Facts about a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StepEvent {
    /// The action is asked what it would do.
    Started,
    /// Its `when` says no.
    Skipped,
    /// Somebody is asked.
    ApprovalAsked {
        /// Until when.
        until: Timestamp,
    },
    /// One of several people said yes.
    Approved {
        /// Who.
        by: Arc<str>,
    },
    /// What it will do, and what its undo restores.
    Planned {
        /// From what is there now.
        proposal: Proposal,
        /// Bounds the watching of a step that writes nothing.
        until: Timestamp,
    },
    /// The intent: nothing is written to the world before this is durable.
    Applying {
        /// From 1.
        stage: u32,
        /// When the call's answer counts as lost.
        by: Timestamp,
    },
    /// The call was carried out, as answered or as found by looking.
    Applied {
        /// What the call returned.
        note: Option<Memo>,
        /// Until when it must have arrived.
        until: Timestamp,
    },
    /// The answer to a call was lost: the world is looked at.
    WasInDoubt {
        /// How it was lost.
        reason: Arc<str>,
    },
    /// The call in doubt was not carried out.
    NotLanded,
    /// An action's own record, such as evidence or the end of a drain.
    Noted {
        /// Replaces the note before it.
        note: Memo,
        /// When it looks again.
        next: Timestamp,
    },
    /// One of several stages arrived.
    StageReached,
    /// It arrived.
    Succeeded {
        /// What later steps may read.
        out: Option<Memo>,
    },
    /// It is tried again.
    RetryScheduled {
        /// When.
        at: Timestamp,
        /// Why.
        fault: Fault,
    },
    /// Somebody else's change was found; nothing was written.
    FoundForeign {
        /// What was found and what was expected.
        fault: Fault,
    },
    /// Nobody can tell how it stands.
    WentBlind {
        /// Why not.
        fault: Fault,
    },
    /// It did not arrive.
    Failed {
        /// Why.
        fault: Fault,
    },
    /// The intent to undo.
    Undoing {
        /// When the call's answer counts as lost.
        by: Timestamp,
    },
    /// The undo was called; now it is read back.
    UndoCalled {
        /// What the call returned.
        note: Option<Memo>,
        /// Until when it must be back.
        until: Timestamp,
    },
    /// Nothing of it is left to undo.
    Undone {
        /// How that is known.
        receipt: Receipt,
    },
    /// In force still, and not undone without a human.
    GotStuck {
        /// Why.
        stuck: Stuck,
        /// What happened.
        reason: Arc<str>,
    },
    /// A human's word was checked against the world and stands, or not.
    Settled {
        /// In force, rather than not.
        done: bool,
    },
    /// The world says otherwise than the human.
    SettleRefused {
        /// What was seen.
        reason: Arc<str>,
    },
}

/// Why a run rolls back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// A step failed.
    Failed(StepIx),
    /// A guard saw a breach.
    Guard(usize),
    /// Somebody, or an alarm, said so.
    Order {
        /// Who.
        by: Actor,
        /// Why.
        reason: Arc<str>,
    },
}

/// Why nothing new is begun.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PauseCause {
    /// Somebody said so.
    Operator,
    /// The process was asked to stop.
    Interrupted,
    /// The disk that holds the journal was full.
    OutOfRoom,
    /// A step failed, and the plan, or a person, says to ask.
    Failed(StepIx),
    /// Somebody else's change is in the way.
    Foreign(StepIx),
    /// Nobody can tell how a step stands.
    Blind(StepIx),
    /// A guard's breach, and the plan, or a person, says to ask; or it saw somebody else's change.
    Guard(usize),
    /// An undo failed for good.
    Stuck(StepIx),
    /// Said no.
    Rejected(StepIx),
    /// Nobody said yes in time.
    Expired(StepIx),
    /// The run takes longer than the plan's `deadline`.
    Deadline,
    /// A rollback was called for, past a point of no return: nothing is undone by itself.
    Barrier(StepIx),
    /// A rollback reached a checkpoint.
    Checkpoint(StepIx),
    /// A person's `rollback --to` has got there, and something before is in force.
    Rewound(StepIx),
    /// A rollback was called for, and would leave behind what users wrote since.
    Diverged {
        /// The step that switched.
        step: StepIx,
        /// Since when the new side takes writes.
        since: Timestamp,
    },
}

impl PauseCause {
    /// It was about the process: whoever takes the run over goes on.
    #[must_use]
    pub fn ends_with_its_process(&self) -> bool {
        matches!(self, Self::Interrupted | Self::OutOfRoom)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// All steps are done.
    Completed,
    /// The world is as before, but for what the plan declares harmless.
    RolledBack,
    /// An operator left something in force.
    Incomplete,
}

/// How it is known that nothing is left to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Receipt {
    /// RESTORED: the prior state was read back.
    Restored,
    /// UNDONE: the undo was answered, and nothing can be read back.
    Assumed,
    /// LEFT: the plan declares it harmless, or keeps it for a reason.
    Left,
    /// NOT RESTORED: an operator took it over, with a reason; or it cannot be undone and a person chose to go past it.
    TakenOver,
}

/// Why an undo cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stuck {
    /// NOT RESTORED: every try failed.
    Failed,
    /// DRIFTED: somebody else's change is in place.
    Drifted,
}

/// Why an order changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The run is over, or has not begun.
    NotRunning,
    /// There is nothing to continue.
    NotPaused,
    /// It is paused.
    AlreadyPaused,
    /// It is on its way back.
    AlreadyRollingBack,
    /// There is no such step.
    NoSuchStep,
    /// That step waits for no approval.
    NotAsked,
    /// The plan does not name this person.
    NotEntitled,
    /// In production somebody else must approve.
    StarterMayNotApprove,
    /// This person said yes before.
    AlreadyApproved,
    /// The window is closed, or a freeze holds.
    OutsideWindow(Arc<str>),
    /// The step has not stopped.
    NotStopped,
    /// What a call in doubt did must be known first.
    StillInDoubt,
    /// Only a person may decide this.
    PersonNeeded,
    /// Nothing was written, so there is nothing to settle.
    NothingRecorded,
    /// A rollback by itself goes no further than this; a person may say how far.
    HeldBy(PauseCause),
    /// There is no such guard.
    NoSuchGuard,
    /// That guard looks for itself: nobody trips it.
    LooksItself,
    /// That guard does not watch: its time is yet to come, or over.
    NotWatched,
    /// That guard tripped before, and is not armed again yet.
    AlreadyTripped,
}

/// The journal holds a fact that cannot follow the ones before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a recorded fact cannot follow the ones before it: {0:?}")]
pub struct IllegalEvent(pub Event);
