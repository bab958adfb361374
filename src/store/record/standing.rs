//! How a run stands, as a listing says it: folded from the facts of its journal, kept beside it, and read without it.
//!
//! It is a copy. Whoever acts on a run goes by the journal; tests hold that both tell the same.

use super::{CauseRecord, EventRecord, OrderRecord, PauseRecord, ReceiptRecord, StepRecord, VerdictRecord};
use crate::plan::{Timestamp, is_lock};
use crate::port::WorldTime;
use crate::store::RunRecord;
use serde::{Deserialize, Serialize};

/// What a listing says of a run whatever becomes of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TitleRecord {
    /// The plan's name.
    pub plan: String,
    /// Of the plan's text.
    pub digest: String,
    /// Of the values of its params.
    pub params_digest: String,
    /// The sandbox that it runs in.
    pub sandbox: Option<SandboxRecord>,
    /// When it was created, on the wall clock, in milliseconds.
    pub created: u64,
    /// By whom.
    pub by: String,
}

/// A sandbox, as far as a listing needs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SandboxRecord {
    /// The name of its world.
    pub world: String,
    /// Where it is controlled.
    pub control: String,
    /// Its time.
    pub time: WorldTime,
}

impl From<&RunRecord> for TitleRecord {
    fn from(run: &RunRecord) -> Self {
        let sandbox = run.wiring.as_ref().map(|wiring| SandboxRecord {
            world: wiring.world.clone(),
            control: wiring.control.clone(),
            time: wiring.time,
        });
        Self {
            plan: run.plan.clone(),
            digest: run.digest.clone(),
            params_digest: run.params_digest.clone(),
            sandbox,
            created: run.created.0,
            by: run.by.clone(),
        }
    }
}

/// Which way a run goes, stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the runtime types say what each word means")]
pub enum ModeRecord {
    #[default]
    #[serde(rename = "idle")]
    Idle,
    #[serde(rename = "forward")]
    Forward,
    #[serde(rename = "rollback")]
    Rollback,
    #[serde(rename = "finished")]
    Finished(VerdictRecord),
}

/// A rollback that will begin by itself, stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncedRecord {
    /// Why.
    pub cause: CauseRecord,
    /// When, in the run's time.
    pub at: u64,
}

/// How a run stands, stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingRecord {
    /// Which way it goes.
    pub mode: ModeRecord,
    /// Why nothing new is begun.
    pub paused: Option<PauseRecord>,
    /// A rollback that will begin by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<AnnouncedRecord>,
    /// All is done, and the guards are kept until then at least, in the run's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baking: Option<u64>,
    /// Why it rolled back.
    pub cause: Option<CauseRecord>,
    /// Some step recorded an intent.
    pub wrote: bool,
    /// Some undo was believed, for nothing could be read back.
    #[serde(default)]
    pub assumes: bool,
    /// When it began, in the run's time.
    pub began: Option<u64>,
    /// When it ended.
    pub ended: Option<u64>,
}

impl StandingRecord {
    /// How it ended, if it is over.
    #[must_use]
    pub fn verdict(&self) -> Option<VerdictRecord> {
        match self.mode {
            ModeRecord::Finished(verdict) => Some(verdict),
            ModeRecord::Idle | ModeRecord::Forward | ModeRecord::Rollback => None,
        }
    }

    /// Takes the next fact.
    pub fn take(&mut self, at: Timestamp, event: &EventRecord) {
        match event {
            EventRecord::RunStarted { .. } => {
                (self.mode, self.began) = (ModeRecord::Forward, Some(at.0));
            }
            EventRecord::RunResumed { .. } => {
                self.paused = self.paused.take().filter(|cause| !cause.ends_with_its_process());
            }
            EventRecord::RunPaused { cause } => {
                self.paused = Some(cause.clone());
                let asked = matches!(cause, PauseRecord::Barrier { .. } | PauseRecord::Diverged { .. });
                self.announced = self.announced.take().filter(|_| !asked);
            }
            EventRecord::RollbackAnnounced { cause, at } => {
                self.announced = Some(AnnouncedRecord { cause: cause.clone(), at: *at });
            }
            EventRecord::RollbackStarted { cause, .. } => {
                (self.mode, self.paused, self.ended) = (ModeRecord::Rollback, None, None);
                (self.announced, self.baking) = (None, None);
                self.cause.get_or_insert_with(|| cause.clone());
            }
            EventRecord::Baking { until } => self.baking = Some(*until),
            EventRecord::Baked => self.baking = None,
            EventRecord::RunFinished { verdict } => {
                (self.mode, self.paused, self.ended) = (ModeRecord::Finished(*verdict), None, Some(at.0));
            }
            EventRecord::OrderTaken { order, .. } => self.obey(order),
            EventRecord::Step { step, fact: StepRecord::Applying { .. } } => self.wrote |= !is_lock(step),
            EventRecord::Step { fact: StepRecord::Undone { receipt: ReceiptRecord::Assumed }, .. } => {
                self.assumes = true;
            }
            EventRecord::Step { .. }
            | EventRecord::DeadlineSet { .. }
            | EventRecord::OrderRefused { .. }
            | EventRecord::GuardNoted { .. }
            | EventRecord::GuardTripped { .. }
            | EventRecord::GuardSatisfied { .. } => {}
        }
    }

    fn obey(&mut self, order: &OrderRecord) {
        match order {
            OrderRecord::Continue if self.paused.is_none() && self.announced.is_none() => self.baking = None,
            OrderRecord::Continue => {
                let was = self.paused.take();
                self.announced = None;
                if matches!(was, Some(PauseRecord::Checkpoint { .. } | PauseRecord::Rewound { .. })) {
                    (self.mode, self.cause) = (ModeRecord::Forward, None);
                }
            }
            // The run that this step had stopped goes on.
            OrderRecord::Retry { step: mended }
            | OrderRecord::Skip { step: mended, .. }
            | OrderRecord::Settle { step: mended, .. } => {
                self.paused = self.paused.take().filter(|cause| !is_by(cause, mended));
                let other = |announced: &AnnouncedRecord| !matches!(&announced.cause, CauseRecord::Failed { step } if step == mended);
                self.announced = self.announced.take().filter(other);
            }
            OrderRecord::Pause { .. } => self.announced = None,
            OrderRecord::Rollback { .. } | OrderRecord::Approve { .. } | OrderRecord::Reject { .. } => {}
            OrderRecord::Trip { .. } => {}
        }
    }
}

fn is_by(cause: &PauseRecord, mended: &str) -> bool {
    matches!(
        cause,
        PauseRecord::Failed { step }
            | PauseRecord::Foreign { step }
            | PauseRecord::Blind { step }
            | PauseRecord::Stuck { step } if step == mended
    )
}
