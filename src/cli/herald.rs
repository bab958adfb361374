//! Tells a sandbox what becomes of each step, in order, so that its world can answer: an old side is torn down once the
//! plan calls it drained.

use super::sandbox::{self, Control};
use crate::driver::Observer;
use crate::plan::Plan;
use crate::run::Run;
use crate::store::Recorded;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// How long the last words are waited for, on the wall clock.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a sandbox is called, on the wall clock: while an approval is awaited the run itself may not.
const STILL_HERE: Duration = Duration::from_secs(60);

/// A step, and what became of it.
pub(super) type Told = (String, String);

/// Tells it.
pub(super) struct Herald {
    plan: Arc<Plan>,
    sender: UnboundedSender<Told>,
    task: JoinHandle<()>,
}

struct Mouth {
    plan: Arc<Plan>,
    sender: UnboundedSender<Told>,
}

impl Herald {
    /// From now on.
    pub(super) fn start(control: Control, plan: Arc<Plan>) -> Self {
        let (sender, receiver) = unbounded_channel();
        Self { plan, sender, task: tokio::spawn(carry(control, receiver)) }
    }

    /// Hears the run.
    pub(super) fn observer(&self) -> Box<dyn Observer> {
        Box::new(Mouth { plan: self.plan.clone(), sender: self.sender.clone() })
    }

    /// Waits until all is told.
    pub(super) async fn finish(self) {
        drop(self.sender);
        // A sandbox that is gone needs to hear nothing.
        let _ = tokio::time::timeout(PATIENCE, self.task).await;
    }
}

async fn carry(control: Control, mut receiver: UnboundedReceiver<Told>) {
    // A run that is taken up has much to tell at once.
    let mut told = Vec::new();
    // One that is gone fails every call of the run too, and there it is told.
    loop {
        match tokio::time::timeout(STILL_HERE, receiver.recv_many(&mut told, usize::MAX)).await {
            Ok(0) => return,
            Ok(_) => drop(control.tell(&std::mem::take(&mut told)).await),
            Err(_) => drop(control.wiring().await),
        }
    }
}

impl Observer for Mouth {
    fn on_event(&mut self, _: &Run, recorded: &Recorded) {
        if let Some(told) = sandbox::told(&self.plan, &recorded.event) {
            let _ = self.sender.send(told);
        }
    }
    fn on_replayed(&mut self, run: &Run, recorded: &Recorded) {
        // A process that died may have died before it told.
        self.on_event(run, recorded);
    }
}
