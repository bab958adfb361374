//! What a plan needs of this machine and the world before a run of it can be driven: its actions, secrets, targets.
//!
//! Nothing is journaled here, so what is missing is said before a run exists.

use super::sandbox::Control;
use super::{Context, Exit, Failure};
use crate::adapter::{Process, Secrets, SystemClock, World};
use crate::driver::Actions;
use crate::plan::{Plan, Policy};
use crate::port::{ReadWorld, Wiring};
use crate::report::Runbook;
use crate::run::Fault;
use std::path::Path;
use std::sync::Arc;

/// A plan's actions, secrets and connections.
pub(super) struct Connected {
    pub(super) actions: Arc<Actions>,
    pub(super) world: Arc<World>,
    pub(super) secrets: Secrets,
    /// Of the sandbox, if it is in one.
    pub(super) control: Option<Control>,
}

impl Connected {
    /// For a plan that stands in `folder`.
    pub(super) async fn to(
        context: &Context,
        plan: &Plan,
        folder: &Path,
        wiring: Option<Wiring>,
    ) -> Result<Self, Failure> {
        let control = wiring.as_ref().map(Control::of);
        if let Some(control) = &control {
            control.wiring().await?;
        }
        let actions = Actions::of(plan).map_err(|faults| unreadable(&faults))?;
        let secrets = secrets(context, plan, folder, wiring.as_ref()).await?;
        let world = World::connect(plan, folder, wiring, context.supervision(), &context.budgets);
        let world = world.knowing(&secrets);
        Ok(Self { actions: Arc::new(actions), world: Arc::new(world), secrets, control })
    }

    /// Refuses to begin what would stop half-way: every target lets us look at it, as whom the plan means.
    /// And as the plan's deadline needs it.
    pub(super) async fn check(&self, policy: &Policy) -> Result<(), Failure> {
        let until = policy.deadline.map(|deadline| self.world.clock().now().after(deadline));
        let unseen = self.world.unseen(until).await;
        if unseen.is_empty() {
            return Ok(());
        }
        let failure = Failure::new(Exit::Credentials, "targets cannot be reached; nothing was changed");
        let failure = unseen
            .iter()
            .fold(failure, |failure, (target, fault)| failure.because(format!("target `{target}`: {fault}")));
        Err(failure.see(Runbook::Credentials))
    }
}

/// The secrets of a plan.
pub(super) async fn secrets(
    context: &Context,
    plan: &Plan,
    folder: &Path,
    wiring: Option<&Wiring>,
) -> Result<Secrets, Failure> {
    let process = Process::new(SystemClock::wall(), folder, context.supervision());
    Secrets::resolve(plan, folder, wiring, &process).await.map_err(|faults| {
        let failure = Failure::new(Exit::Credentials, "secrets of the plan are missing; nothing was changed");
        let failure = faults.iter().fold(failure, |failure, fault| failure.because(fault.to_string()));
        failure.see(Runbook::Credentials)
    })
}

/// This version does not read a plan as the one that began the run did.
pub(super) fn unreadable(faults: &[Fault]) -> Failure {
    let failure = Failure::new(Exit::Invalid, "steps of the plan make no sense to this version");
    faults
        .iter()
        .fold(failure, |failure, fault| failure.because(fault.to_string()))
        .see(Runbook::OtherVersion)
}
