//! `supervise`: the process that stands between a run and one command of its plan.

use crate::adapter;
use crate::cli::{Exit, Failure};

pub(in crate::cli) fn run() -> Result<Exit, Failure> {
    adapter::supervise().map_err(|error| {
        Failure::usage("this verb is for switchover itself: it starts one with each command of a plan")
            .from_error(&error)
    })?;
    Ok(Exit::Done)
}
