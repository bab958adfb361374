//! Drives a run in this process.

use super::stored::Known;
use super::{Context, Exit, Failure};
use crate::store::SqliteStore;
use std::sync::Arc;

/// Takes a run over that nobody drives.
pub(super) fn take_over(
    context: &Context,
    store: Arc<SqliteStore>,
    known: Known,
    order: Option<u64>,
) -> Result<Exit, Failure> {
    let _ = (context, store, known, order);
    Err(Failure::new(Exit::Bug, "runs cannot be driven yet"))
}
