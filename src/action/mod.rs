//! What steps do: one file per kind, and a registry line each.
//!
//! An action plans from what is there, applies, looks, and undoes. It is given ports and never meets an adapter.
//! Not here: journals, retries, order, time-outs: those are the machine's.

mod alb;
mod dns;
mod drain;
mod ecs;
mod erased;
mod exec;
mod http;
mod monitor;
mod registry;
mod reversal;
mod shares;
mod shift;
mod standing;
mod text;
mod wait;

pub use erased::{AnyAction, Record, Toward, propose};
pub use registry::{ACTIONS, ActionKind, Registry};
pub use reversal::Reversal;

use text::{aws, fill, known, quoted};

use crate::plan::{Fields, Scope, StepTraits};
use crate::port::{Reads, Writes, need::Need};
use crate::run::{Change, Curve, DnsClock, Fault, Told};
pub use crate::signal::Trouble;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, time::Duration};

/// A kind of step.
#[async_trait::async_trait]
pub trait Action: Debug + Send + Sync + Sized + 'static {
    /// What undoing restores: recorded before the first write.
    type Prior: Serialize + DeserializeOwned + Send + Sync;
    /// What a call returned, or a look learned, that later looks need.
    type Note: Serialize + DeserializeOwned + Send + Sync;

    /// Reads `with`. Ask for every field, also when describing (then nothing is there).
    fn decode(fields: &mut Fields<'_>) -> Option<Self>;
    /// What lints, locks and previews need to know.
    fn traits(&self) -> StepTraits;
    /// How people would do this by hand, and undo it.
    fn by_hand(&self) -> ByHand;
    /// Commands that undo it, of a run that recorded this: to be typed as they stand, so far as it is known.
    fn undo_by_hand(&self, _prior: &Self::Prior, _scope: &Scope) -> Vec<String> {
        self.by_hand().undo
    }
    /// What a look has noted that may still break the step, or hold it up.
    fn trouble(&self, _note: &Self::Note) -> Trouble {
        Trouble::default()
    }
    /// Whether what a look has noted is to be recorded before the next look, where this was recorded last. Else it is only
    /// kept: a process that dies loses it.
    fn is_news(&self, _recorded: &Self::Note, _note: &Self::Note) -> bool {
        true
    }
    /// What its signals measured lately.
    fn curves(&self, _note: &Self::Note) -> Vec<Curve> {
        Vec::new()
    }
    /// For how long clients go by what its name said before, if it planned to change that.
    fn clock(&self, _prior: &Self::Prior) -> Option<DnsClock> {
        None
    }
    /// What must be there for it, as far as the plan tells.
    fn needs(&self) -> Vec<Need>;
    /// What it would do from what is there now. `is_undone`: the way back undoes it, so what only that needs is looked up, too.
    async fn plan(&self, reads: &Reads<'_>, is_undone: bool) -> Result<Planned<Self::Prior>, Fault>;
    /// What a preview tells beside [`Planned::changes`]. `is_undone`: the way back undoes it.
    async fn told(&self, _reads: &Reads<'_>, _prior: &Self::Prior, _is_undone: bool) -> Result<Told, Fault> {
        Ok(Told::default())
    }
    /// Writes one stage, from 1.
    async fn apply(
        &self,
        writes: &Writes<'_>,
        stage: u32,
        prior: &Self::Prior,
    ) -> Result<Option<Self::Note>, Fault>;
    /// Looks how the world stands against the record.
    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Self::Note>, Fault>;
    /// Why something that the undo needs is certainly gone; `None`: nothing is. It is asked for before anything is written,
    /// and as long as what was done may have to be undone.
    async fn way_back(&self, _reads: &Reads<'_>, _prior: &Self::Prior) -> Result<Option<String>, Fault> {
        Ok(None)
    }
    /// Whether a look tells more than that a call was answered.
    fn reads_back(&self) -> bool {
        true
    }
    /// Restores the prior state: compares first, writes only what is ours; even if `apply` never ran.
    /// The note that it returns is the first one of the looks back.
    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Self::Note>, Fault>;
}

/// A record, typed.
#[derive(Clone, Debug)]
pub struct Known<A: Action> {
    /// As `plan` found it.
    pub prior: A::Prior,
    /// The newest note of this stage, if any; looking back, of the undo.
    pub note: Option<A::Note>,
    /// When the stage was applied, the undo was called, or the watching began.
    pub since: crate::plan::Timestamp,
    /// Names the newest call, of the stage or of the undo: what it sent can be found again by it.
    pub token: std::sync::Arc<str>,
}

/// What an action proposes; see [`crate::run::Proposal`].
#[derive(Clone, Debug)]
pub struct Planned<P> {
    /// What undoing restores.
    pub prior: P,
    /// How many writes.
    pub stages: u32,
    /// How long one stage may take to arrive, and the undo to be back.
    pub within: Duration,
    /// How long one call may take; `None`: the plan's policy.
    pub call: Option<Duration>,
    /// Once applied it is awaited before it is undone.
    pub must_finish: bool,
    /// What it changes, for people.
    pub changes: Vec<Change>,
}

impl<P> Planned<P> {
    /// Nothing is written: a check, a wait, a change that is there already.
    pub(crate) fn nothing(prior: P, within: Duration) -> Self {
        Self { prior, stages: 0, within, call: None, must_finish: false, changes: Vec::new() }
    }
}

/// What a look found; see [`crate::run::Look`].
#[derive(Clone, Debug)]
pub enum Seen<N> {
    /// As before the stage, or the step.
    Prior,
    /// Under way.
    Moving {
        /// Recorded before the next look.
        note: Option<N>,
        /// When to look again.
        again: Duration,
    },
    /// Arrived.
    Desired {
        /// `steps.<id>.out`.
        out: serde_json::Value,
    },
}

/// How people would do this without us: what the runbook prints. Placeholders in `<>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByHand {
    /// What it does, in one line.
    pub what: String,
    /// Commands that do it.
    pub apply: Vec<String>,
    /// What one then sees.
    pub expect: String,
    /// Commands that undo it.
    pub undo: Vec<String>,
}

#[cfg(test)]
mod tests;
