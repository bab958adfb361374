//! `supervise`: the process that stands between a run and one command of its plan. It is no verb for people, and there is one
//! for each command: so it begins without what verbs need, which would be most of its work.

use crate::adapter;
use crate::cli::{Exit, Failure};

/// How this process is told that it is one.
pub(in crate::cli) const NAME: &str = "supervise";

pub(in crate::cli) fn run() -> Result<Exit, Failure> {
    adapter::supervise().map_err(|error| {
        Failure::usage("this verb is for switchover itself: it starts one with each command of a plan")
            .from_error(&error)
    })?;
    Ok(Exit::Done)
}
