//! Services and tasks of ECS.

mod deploy;
mod task;

pub(super) use deploy::Deploy;
pub(super) use task::RunOnce;
