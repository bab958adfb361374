//! What a step owns of something that is described, and set by a call that takes no condition: how it stands against what was
//! recorded, and what follows from that before a write, for a look, and on the way back.

use super::{Seen, Toward};
use crate::mutant::{Mistake, on};
use crate::run::Fault;
use serde_json::Value as Json;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As it was before the step.
    Before,
    /// As the step sets it.
    Set,
    /// Neither, or each in part: somebody else changed it.
    Other,
}

impl Standing {
    /// What it is now, against what it was and what it is set to. Where those are the same it is as before.
    pub(super) fn of<T: PartialEq>(now: &T, before: &T, to: &T) -> Self {
        if now == before {
            Self::Before
        } else if now == to {
            Self::Set
        } else {
            Self::Other
        }
    }

    /// Whether the step has still to write.
    ///
    /// # Errors
    /// It would write over somebody else's change: `foreign` says which.
    pub(super) fn to_set(self, foreign: impl FnOnce() -> Fault) -> Result<bool, Fault> {
        match self {
            // Set by a call of ours whose answer was lost.
            Self::Set => Ok(false),
            Self::Before => Ok(true),
            Self::Other if on(Mistake::ForeignOverwritten) => Ok(true),
            Self::Other => Err(foreign()),
        }
    }

    /// Whether the undo has still to write.
    ///
    /// # Errors
    /// As [`Self::to_set`].
    pub(super) fn to_restore(self, foreign: impl FnOnce() -> Fault) -> Result<bool, Fault> {
        match self {
            Self::Before => Ok(false),
            Self::Set => Ok(true),
            Self::Other if on(Mistake::UndoOverwrites) => Ok(true),
            Self::Other => Err(foreign()),
        }
    }

    /// What a look sees of it; `out` is what the step answers once it is done.
    ///
    /// # Errors
    /// As [`Self::to_set`].
    pub(super) fn seen<N>(
        self,
        toward: Toward,
        out: impl FnOnce() -> Json,
        foreign: impl FnOnce() -> Fault,
    ) -> Result<Seen<N>, Fault> {
        match (toward, self) {
            (_, Self::Other) => Err(foreign()),
            (Toward::Prior, Self::Before) => Ok(Seen::Prior),
            (Toward::Prior, Self::Set) => Ok(Seen::Desired { out: Json::Null }),
            // Nothing was to be written: what was there before is what was asked for.
            (Toward::Desired(0), Self::Before) | (Toward::Desired(_), Self::Set) => {
                Ok(Seen::Desired { out: out() })
            }
            (Toward::Desired(_), Self::Before) => Ok(Seen::Prior),
        }
    }
}
