//! Actions as the driver sees them: typed records become JSON and back.

use super::{Action, ByHand, Known, Planned, Seen, Trouble};
use crate::plan::{Scope, StepTraits, Timestamp};
use crate::port::{Reads, Writes, need::Need};
use crate::run::{Curve, DnsClock, Fault, Look, Memo, Proposal, Told};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// Which way a look goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toward {
    /// Has this stage (from 1) arrived? 0: it writes nothing.
    Desired(u32),
    /// Is the prior state back?
    Prior,
}

/// What the journal holds of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// As planned.
    pub prior: Memo,
    /// The newest note of this stage.
    pub note: Option<Memo>,
    /// When the stage was applied, the undo was called, or the watching began.
    pub since: Timestamp,
    /// Names the newest call, of the stage or of the undo: [`crate::port::Writes::token`].
    pub token: std::sync::Arc<str>,
}

/// What an action would do, of a step that is undone by it or is not.
///
/// # Errors
/// Of the plan; permanent, too, where what would be done could not be undone.
pub async fn propose(action: &dyn AnyAction, is_undone: bool, reads: &Reads<'_>) -> Result<Proposal, Fault> {
    let proposal = action.plan(reads, is_undone).await?;
    if !is_undone || proposal.stages == 0 {
        return Ok(proposal);
    }
    match action.way_back(reads, &proposal.prior).await? {
        Some(why) => {
            let way_out =
                "if this step should go on without a way back, say so in the plan: `undo: { keep: <why> }`";
            Err(Fault::permanent(format!("{why}. {way_out}")))
        }
        None => Ok(proposal),
    }
}

/// Any action, its types erased.
#[async_trait::async_trait]
pub trait AnyAction: Debug + Send + Sync {
    /// What lints, locks and previews need to know.
    fn traits(&self) -> StepTraits;
    /// How people would do this by hand.
    fn by_hand(&self) -> ByHand;
    /// Commands that undo it, of a run that recorded this.
    fn undo_by_hand(&self, _prior: &Memo, _scope: &Scope) -> Vec<String> {
        self.by_hand().undo
    }
    /// What a look has noted that may still break the step, or hold it up.
    fn trouble(&self, _note: &Memo) -> Trouble {
        Trouble::default()
    }
    /// Whether a note is to be recorded before the next look, where the other one was recorded last.
    fn is_news(&self, _recorded: &Memo, _note: &Memo) -> bool {
        true
    }
    /// What its signals measured lately, as it was noted.
    fn curves(&self, _note: &Memo) -> Vec<Curve> {
        Vec::new()
    }
    /// For how long clients go by what its name said before, if it planned this.
    fn clock(&self, _prior: &Memo) -> Option<DnsClock> {
        None
    }
    /// What must be there for it, as far as the plan tells.
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }
    /// What it would do.
    async fn plan(&self, reads: &Reads<'_>, is_undone: bool) -> Result<Proposal, Fault>;
    /// What a preview tells beside what it planned.
    async fn told(&self, _reads: &Reads<'_>, _prior: &Memo, _is_undone: bool) -> Result<Told, Fault> {
        Ok(Told::default())
    }
    /// Writes one stage.
    async fn apply(&self, writes: &Writes<'_>, stage: u32, prior: &Memo) -> Result<Option<Memo>, Fault>;
    /// Looks.
    async fn look(&self, reads: &Reads<'_>, toward: Toward, record: &Record) -> Result<Look, Fault>;
    /// Why something that the undo needs is certainly gone.
    async fn way_back(&self, _reads: &Reads<'_>, _prior: &Memo) -> Result<Option<String>, Fault> {
        Ok(None)
    }
    /// Whether a look tells more than that a call was answered.
    fn reads_back(&self) -> bool {
        true
    }
    /// Restores.
    async fn undo(&self, writes: &Writes<'_>, record: &Record) -> Result<Option<Memo>, Fault>;
}

#[async_trait::async_trait]
impl<A: Action> AnyAction for A {
    fn traits(&self) -> StepTraits {
        Action::traits(self)
    }

    fn by_hand(&self) -> ByHand {
        Action::by_hand(self)
    }

    fn undo_by_hand(&self, prior: &Memo, scope: &Scope) -> Vec<String> {
        read(prior)
            .map_or_else(|_| Action::by_hand(self).undo, |prior| Action::undo_by_hand(self, &prior, scope))
    }

    fn trouble(&self, note: &Memo) -> Trouble {
        read(note).map_or_else(|_| Trouble::default(), |note| Action::trouble(self, &note))
    }

    fn is_news(&self, recorded: &Memo, note: &Memo) -> bool {
        match (read(recorded), read(note)) {
            (Ok(recorded), Ok(note)) => Action::is_news(self, &recorded, &note),
            _ => true,
        }
    }

    fn curves(&self, note: &Memo) -> Vec<Curve> {
        read(note).map_or_else(|_| Vec::new(), |note| Action::curves(self, &note))
    }

    fn clock(&self, prior: &Memo) -> Option<DnsClock> {
        Action::clock(self, &read::<A::Prior>(prior).ok()?)
    }

    fn needs(&self) -> Vec<Need> {
        Action::needs(self)
    }

    async fn plan(&self, reads: &Reads<'_>, is_undone: bool) -> Result<Proposal, Fault> {
        let planned = Action::plan(self, reads, is_undone).await?;
        let Planned { prior, stages, within, call, must_finish, changes } = planned;
        Ok(Proposal { prior: write(&prior)?, stages, within, call, must_finish, changes })
    }

    async fn told(&self, reads: &Reads<'_>, prior: &Memo, is_undone: bool) -> Result<Told, Fault> {
        Action::told(self, reads, &read::<A::Prior>(prior)?, is_undone).await
    }

    async fn apply(&self, writes: &Writes<'_>, stage: u32, prior: &Memo) -> Result<Option<Memo>, Fault> {
        let note = Action::apply(self, writes, stage, &read::<A::Prior>(prior)?).await?;
        note.as_ref().map(write).transpose()
    }

    async fn look(&self, reads: &Reads<'_>, toward: Toward, record: &Record) -> Result<Look, Fault> {
        Ok(match Action::look(self, reads, toward, &known(record)?).await? {
            Seen::Prior if toward == Toward::Prior && !Action::reads_back(self) => Look::Assumed,
            Seen::Prior => Look::Prior,
            Seen::Moving { note, again } => {
                Look::Moving { note: note.as_ref().map(write).transpose()?, again }
            }
            Seen::Desired { out } => Look::Desired { out: write(&out)? },
        })
    }

    async fn way_back(&self, reads: &Reads<'_>, prior: &Memo) -> Result<Option<String>, Fault> {
        Action::way_back(self, reads, &read::<A::Prior>(prior)?).await
    }

    fn reads_back(&self) -> bool {
        Action::reads_back(self)
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Record) -> Result<Option<Memo>, Fault> {
        let note = Action::undo(self, writes, &known(record)?).await?;
        note.as_ref().map(write).transpose()
    }
}

fn known<A: Action>(record: &Record) -> Result<Known<A>, Fault> {
    let note = record.note.as_ref().map(read).transpose()?;
    let token = record.token.clone();
    Ok(Known { prior: read(&record.prior)?, note, since: record.since, token })
}

fn write<T: Serialize>(value: &T) -> Result<Memo, Fault> {
    serde_json::to_string(value)
        .map(Memo::from)
        .map_err(|error| Fault::permanent(format!("what this step recorded cannot be written: {error}")))
}

fn read<T: DeserializeOwned>(memo: &Memo) -> Result<T, Fault> {
    serde_json::from_str(memo)
        .map_err(|error| Fault::permanent(format!("what this step recorded cannot be read: {error}")))
}
