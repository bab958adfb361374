//! Services and tasks of ECS.

mod arrive;
mod change;
mod deploy;
mod standing;
mod task;

pub(super) use deploy::Deploy;
pub(super) use task::RunOnce;
