//! A step whose undo is an action of its own: forward by its `uses`, back by another. Without a `uses` it acts only on
//! the way back.

use super::{AnyAction, ByHand, Record, Toward, Trouble};
use crate::plan::StepTraits;
use crate::port::{Reads, Writes, need::Need};
use crate::run::{Curve, Fault, Look, Memo, Proposal};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// How long a step that does nothing may take.
const AT_ONCE: Duration = Duration::from_secs(60);
/// How long the way back may take where that cannot be told yet.
const UNTOLD: Duration = Duration::from_secs(30 * 60);

/// Two actions as one.
#[derive(Clone, Debug)]
pub struct Reversal {
    forward: Option<Arc<dyn AnyAction>>,
    back: Arc<dyn AnyAction>,
}

/// What the looks back need: the way back is a change like any other, planned when it is called for.
#[derive(Debug, Serialize, Deserialize)]
struct Back {
    prior: String,
    stages: u32,
    note: Option<String>,
}

impl Reversal {
    /// Forward by one, if any; back by the other.
    #[must_use]
    pub fn new(forward: Option<Arc<dyn AnyAction>>, back: Arc<dyn AnyAction>) -> Self {
        Self { forward, back }
    }

    async fn look_back(&self, reads: &Reads<'_>, record: &Record) -> Result<Look, Fault> {
        let back: Back = match &record.note {
            Some(note) => read(note)?,
            // The undo was never called: what it would do is there already, or it is not.
            None => {
                let proposal = self.back.plan(reads, false).await?;
                Back { prior: proposal.prior.to_string(), stages: proposal.stages, note: None }
            }
        };
        let its = Record {
            prior: back.prior.as_str().into(),
            note: back.note.as_deref().map(Memo::from),
            since: record.since,
            token: record.token.clone(),
        };
        Ok(match self.back.look(reads, Toward::Desired(back.stages), &its).await? {
            Look::Desired { .. } if self.back.reads_back() => Look::Prior,
            Look::Desired { .. } => Look::Assumed,
            Look::Moving { note, again } => {
                let kept = note.map(|note| write(&Back { note: Some(note.to_string()), ..back }));
                Look::Moving { note: kept.transpose()?, again }
            }
            Look::Prior => Look::Desired { out: "null".into() },
            Look::Assumed => Look::Assumed,
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
        traits.undo_reaches = back.undo_reaches;
        let more = back.resources.into_iter().filter(|r| !traits.resources.contains(r)).collect::<Vec<_>>();
        traits.resources.extend(more);
        traits
    }

    fn by_hand(&self) -> ByHand {
        let back = self.back.by_hand();
        let forward = self.forward.as_ref().map(|forward| forward.by_hand()).unwrap_or_default();
        ByHand { undo: back.apply, ..forward }
    }

    /// Of the way forward; what a look back notes is none of its notes.
    fn trouble(&self, note: &Memo) -> Trouble {
        self.forward.as_ref().map_or_else(Trouble::default, |forward| forward.trouble(note))
    }

    fn is_news(&self, recorded: &Memo, note: &Memo) -> bool {
        self.forward.as_ref().is_none_or(|forward| forward.is_news(recorded, note))
    }

    fn curves(&self, note: &Memo) -> Vec<Curve> {
        self.forward.as_ref().map_or_else(Vec::new, |forward| forward.curves(note))
    }

    fn needs(&self) -> Vec<Need> {
        let forward = self.forward.iter().flat_map(|forward| forward.needs());
        forward.chain(self.back.needs().into_iter().map(Need::backwards)).collect()
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Proposal, Fault> {
        let mut proposal = match &self.forward {
            // It is not undone by itself.
            Some(forward) => forward.plan(reads, false).await?,
            // It has a stage, though an empty one: a rollback undoes only what was begun.
            None => Proposal {
                prior: "null".into(),
                stages: 1,
                within: AT_ONCE,
                call: None,
                must_finish: false,
                changes: Vec::new(),
            },
        };
        // The way back has the same time; what it needs may be there only when it is called for.
        match self.back.plan(reads, false).await {
            Ok(back) => {
                proposal.within = proposal.within.max(back.within);
                proposal.call = proposal.call.max(back.call);
            }
            Err(_) => proposal.within = proposal.within.max(UNTOLD),
        }
        Ok(proposal)
    }

    async fn apply(&self, writes: &Writes<'_>, stage: u32, prior: &Memo) -> Result<Option<Memo>, Fault> {
        match &self.forward {
            Some(forward) => forward.apply(writes, stage, prior).await,
            None => Ok(None),
        }
    }

    async fn look(&self, reads: &Reads<'_>, toward: Toward, record: &Record) -> Result<Look, Fault> {
        match (toward, &self.forward) {
            (Toward::Prior, _) => self.look_back(reads, record).await,
            (Toward::Desired(_), Some(forward)) => forward.look(reads, toward, record).await,
            (Toward::Desired(_), None) => Ok(Look::Desired { out: "null".into() }),
        }
    }

    fn reads_back(&self) -> bool {
        self.back.reads_back()
    }

    async fn undo(&self, writes: &Writes<'_>, _record: &Record) -> Result<Option<Memo>, Fault> {
        let proposal = self.back.plan(&writes.reads(), false).await?;
        let mut note = None;
        for stage in 1..=proposal.stages {
            writes.in_time()?;
            note = self.back.apply(writes, stage, &proposal.prior).await?;
        }
        let (prior, note) = (proposal.prior.to_string(), note.map(|note| note.to_string()));
        write(&Back { prior, stages: proposal.stages, note }).map(Some)
    }
}

fn write(back: &Back) -> Result<Memo, Fault> {
    let text = serde_json::to_string(back);
    text.map(Memo::from).map_err(|error| Fault::permanent(format!("the undo cannot be recorded: {error}")))
}

fn read(note: &Memo) -> Result<Back, Fault> {
    serde_json::from_str(note)
        .map_err(|error| Fault::permanent(format!("what the undo recorded cannot be read: {error}")))
}
