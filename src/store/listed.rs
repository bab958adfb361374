//! What a listing says of a run.

use super::record::{StandingRecord, TitleRecord};
use super::{Holder, RunId, StoreError};
use crate::plan::Timestamp;

/// A run of a listing, or why it cannot be told of.
pub type Told = Result<Listed, Box<(RunId, StoreError)>>;

/// A run as a listing says it: nobody replays a thousand journals to see which of them are open.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Which.
    pub id: RunId,
    /// What was said of it when it was created.
    pub title: TitleRecord,
    /// How it stands.
    pub standing: StandingRecord,
    /// Who holds it, if somebody does.
    pub holder: Option<Holder>,
    /// When it was driven last, on the wall clock.
    pub driven: Timestamp,
}
