//! A step whose undo is an action of its own: forward by its `uses`, back by another. Without a `uses` it acts only on
//! the way back.

use super::{AnyAction, ByHand, Record, Toward};
use crate::plan::{StepTraits, Timestamp};
use crate::port::{Reads, Writes};
use crate::run::{Fault, Look, Memo, Proposal};
use std::{sync::Arc, time::Duration};

/// How long a step that does nothing may take.
const AT_ONCE: Duration = Duration::from_secs(60);

/// Two actions as one.
#[derive(Clone, Debug)]
pub struct Reversal {
    forward: Option<Arc<dyn AnyAction>>,
    back: Arc<dyn AnyAction>,
}

impl Reversal {
    /// Forward by one, if any; back by the other.
    #[must_use]
    pub fn new(forward: Option<Arc<dyn AnyAction>>, back: Arc<dyn AnyAction>) -> Self {
        Self { forward, back }
    }

    /// How the way back stands: nothing of it is recorded, so it is planned anew from what is there.
    async fn look_back(&self, reads: &Reads<'_>, since: Timestamp) -> Result<Look, Fault> {
        let proposal = self.back.plan(reads).await?;
        if proposal.stages == 0 {
            return Ok(Look::Prior);
        }
        let record = Record { prior: proposal.prior, note: None, since };
        Ok(match self.back.look(reads, Toward::Desired(proposal.stages), &record).await? {
            Look::Desired { .. } => Look::Prior,
            Look::Moving { again, .. } => Look::Moving { note: None, again },
            Look::Prior => Look::Desired { out: "null".into() },
        })
    }
}

#[async_trait::async_trait]
impl AnyAction for Reversal {
    fn traits(&self) -> StepTraits {
        let back = self.back.traits();
        let mut traits = self.forward.as_ref().map(|forward| forward.traits()).unwrap_or_default();
        traits.has_undo = true;
        traits.writes |= back.writes;
        let more = back.resources.into_iter().filter(|r| !traits.resources.contains(r)).collect::<Vec<_>>();
        traits.resources.extend(more);
        traits
    }

    fn by_hand(&self) -> ByHand {
        let back = self.back.by_hand();
        let forward = self.forward.as_ref().map(|forward| forward.by_hand()).unwrap_or_default();
        ByHand { undo: back.apply, ..forward }
    }

    async fn plan(&self, reads: &Reads<'_>) -> Result<Proposal, Fault> {
        match &self.forward {
            Some(forward) => forward.plan(reads).await,
            // It has a stage, though an empty one: a rollback undoes only what was begun.
            None => Ok(Proposal {
                prior: "null".into(),
                stages: 1,
                within: AT_ONCE,
                call: None,
                must_finish: false,
                changes: Vec::new(),
            }),
        }
    }

    async fn apply(&self, writes: &Writes<'_>, stage: u32, prior: &Memo) -> Result<Option<Memo>, Fault> {
        match &self.forward {
            Some(forward) => forward.apply(writes, stage, prior).await,
            None => Ok(None),
        }
    }

    async fn look(&self, reads: &Reads<'_>, toward: Toward, record: &Record) -> Result<Look, Fault> {
        match (toward, &self.forward) {
            (Toward::Prior, _) => self.look_back(reads, record.since).await,
            (Toward::Desired(_), Some(forward)) => forward.look(reads, toward, record).await,
            (Toward::Desired(_), None) => Ok(Look::Desired { out: "null".into() }),
        }
    }

    async fn undo(&self, writes: &Writes<'_>, _record: &Record) -> Result<(), Fault> {
        let proposal = self.back.plan(&writes.reads()).await?;
        for stage in 1..=proposal.stages {
            writes.in_time()?;
            self.back.apply(writes, stage, &proposal.prior).await?;
        }
        Ok(())
    }
}
