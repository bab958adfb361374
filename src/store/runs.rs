//! What is pinned when a run is created: editing a file afterwards changes nothing that was started.

use super::chain;
use crate::plan::Timestamp;
use crate::port::Wiring;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};

/// The newest format of a run and its journal that this version reads and writes.
pub(super) const FORMAT: u32 = 3;

/// Names a run: a ULID, so that runs sort by when they were created.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub Arc<str>);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file that a plan was read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// As it was named: the plan first, then what it includes.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// A run to be created.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// The plan's name.
    pub plan: String,
    /// The plan's text, with all that it includes.
    pub sources: Vec<Source>,
    /// The values of its params.
    pub params: serde_json::Map<String, serde_json::Value>,
    /// The sandbox that it runs in; `None` in production.
    pub wiring: Option<Wiring>,
    /// Only the steps that may be done ahead.
    pub only_prepare: bool,
    /// It takes the lock in the world.
    pub world_lock: bool,
    /// When, on the wall clock.
    pub created: Timestamp,
    /// By whom.
    pub by: String,
    /// The version of the tool that creates it.
    pub tool: String,
}

/// A run as it was created.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// Its name.
    pub id: RunId,
    /// The plan's name.
    pub plan: String,
    /// The plan's text, with all that it includes.
    pub sources: Vec<Source>,
    /// Of the plan's text.
    pub digest: String,
    /// The values of its params.
    pub params: serde_json::Map<String, serde_json::Value>,
    /// Of the params: apart, so that "this plan was drilled in staging" can be said of another environment.
    pub params_digest: String,
    /// The sandbox that it runs in; `None` in production.
    pub wiring: Option<Wiring>,
    /// Only the steps that may be done ahead.
    pub only_prepare: bool,
    /// It takes the lock in the world.
    pub world_lock: bool,
    /// When, on the wall clock.
    pub created: Timestamp,
    /// By whom.
    pub by: String,
    /// The version of the tool that created it.
    pub tool: String,
    /// Of its journal.
    pub format: u32,
}

/// What is stored of a run, as one text, so that the chain of its journal can begin with it.
#[derive(Serialize, Deserialize)]
pub(super) struct Pinned {
    id: String,
    plan: String,
    sources: Vec<Source>,
    digest: String,
    params: serde_json::Map<String, serde_json::Value>,
    params_digest: String,
    wiring: Option<Wiring>,
    only_prepare: bool,
    /// What was pinned before there was one reads as it was written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    world_lock: bool,
    created: u64,
    by: String,
    tool: String,
    /// The format that it began in. The one that is told beside is only ever raised, and in no chain.
    #[serde(default)]
    format: u32,
}

impl RunRecord {
    pub(super) fn create(new: NewRun) -> Self {
        let random = ulid::Ulid::generate().random();
        let id = ulid::Ulid::from_parts(new.created.0, random);
        Self {
            id: RunId(id.to_string().into()),
            digest: digest(&new.sources),
            params_digest: params_digest(&new.params),
            plan: new.plan,
            sources: new.sources,
            params: new.params,
            wiring: new.wiring,
            only_prepare: new.only_prepare,
            world_lock: new.world_lock,
            created: new.created,
            by: new.by,
            tool: new.tool,
            format: FORMAT,
        }
    }

    pub(super) fn pinned(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Pinned {
            id: self.id.0.to_string(),
            plan: self.plan.clone(),
            sources: self.sources.clone(),
            digest: self.digest.clone(),
            params: self.params.clone(),
            params_digest: self.params_digest.clone(),
            wiring: self.wiring.clone(),
            only_prepare: self.only_prepare,
            world_lock: self.world_lock,
            created: self.created.0,
            by: self.by.clone(),
            tool: self.tool.clone(),
            format: self.format,
        })
    }

    pub(super) fn unpin(text: &str, format: u32) -> Result<Self, serde_json::Error> {
        let pinned: Pinned = serde_json::from_str(text)?;
        if format < pinned.format {
            let began = pinned.format;
            return Err(serde::de::Error::custom(format!(
                "it began in format {began}, and is said to be of {format}"
            )));
        }
        Ok(Self {
            id: RunId(pinned.id.into()),
            plan: pinned.plan,
            sources: pinned.sources,
            digest: pinned.digest,
            params: pinned.params,
            params_digest: pinned.params_digest,
            wiring: pinned.wiring,
            only_prepare: pinned.only_prepare,
            world_lock: pinned.world_lock,
            created: Timestamp(pinned.created),
            by: pinned.by,
            tool: pinned.tool,
            format,
        })
    }
}

/// The digest of a text, in hexadecimal.
#[must_use]
pub fn digest_of(text: &str) -> String {
    chain::hex(&Sha256::digest(text))
}

/// The digest of a plan: of all files that it was read from, whatever they are called.
#[must_use]
pub fn digest(sources: &[Source]) -> String {
    let mut hash = Sha256::new();
    for source in sources {
        hash.update((source.text.len() as u64).to_be_bytes());
        hash.update(&source.text);
    }
    format!("sha256:{}", chain::hex(&hash.finalize()))
}

fn params_digest(params: &serde_json::Map<String, serde_json::Value>) -> String {
    // In the order of their names, however they came.
    let sorted: std::collections::BTreeMap<_, _> = params.iter().collect();
    let text = serde_json::to_string(&sorted).unwrap_or_default();
    format!("sha256:{}", digest_of(&text))
}
