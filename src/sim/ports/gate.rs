//! The one gate that every call goes through: it is numbered, may be struck, and may meet a scripted fault.

use super::Inside;
use crate::port::Clock;
use crate::sim::World;
use crate::sim::fault::{FaultKind, FaultRule, Met};
use crate::sim::ledger::{Call, Passage};
use crate::sim::strike::Strike;
use std::fmt::Display;
use std::time::Duration;

/// How a call comes through.
pub(super) enum Admitted<T> {
    /// Nothing met it.
    Done(T),
    /// Something may: it is not performed yet.
    Met(Passage),
    /// Nobody is there any more to make it.
    Dead,
}

impl Inside {
    /// Lets a call through, or never: who would have made it is dead.
    pub(super) async fn enter(&self, call: &Call<'_>) -> Passage {
        match self.look(|world, now| world.admit(call, now)) {
            Some(passage) => passage,
            None => self.never().await,
        }
    }

    /// The same for a call that is performed at once where nothing meets it.
    pub(super) fn admit<T>(
        &self,
        call: &Call<'_>,
        perform: impl FnOnce(&mut World, crate::plan::Timestamp, &Passage) -> T,
    ) -> Admitted<T> {
        self.look(|world, now| match world.admit(call, now) {
            None => Admitted::Dead,
            Some(passage) if passage.strike.is_none() && world.faults.all().is_empty() => {
                Admitted::Done(perform(world, now, &passage))
            }
            Some(passage) => Admitted::Met(passage),
        })
    }

    /// What is waited for will never come; whoever waits for the death that caused it is told.
    pub(super) async fn never<T>(&self) -> T {
        self.released.notify_waiters();
        std::future::pending().await
    }

    /// What a strike makes of an answer that is there: it may come later, or never.
    pub(super) async fn answer(&self, strike: Option<&Strike>) {
        match strike {
            Some(Strike::Slow(span)) => self.wait(*span).await,
            Some(Strike::LostBefore | Strike::LostAfter | Strike::Late(_)) => std::future::pending().await,
            Some(Strike::KillAfter) => {
                self.look(World::die);
                self.never::<()>().await;
            }
            _ => {}
        }
    }

    pub(super) async fn wait(&self, span: Duration) {
        self.clock.sleep_until(self.clock.now().after(span)).await;
    }

    /// Answers a call as the scripted fault that it meets wants it, if it meets one. `None`: no answer comes.
    pub(super) async fn meet<T, F: Future<Output = Option<T>> + Send>(
        &self,
        (service, operation, request): (&str, &(dyn Display + Sync), &(dyn Display + Sync)),
        refuse: impl FnOnce(FaultRule) -> T + Send,
        perform: impl FnOnce() -> F + Send,
    ) -> Option<T> {
        if self.look(|world, _| world.faults.all().is_empty()) {
            return perform().await;
        }
        let (operation, request) = (operation.to_string(), request.to_string());
        let Met { hold: held, fate } = self.look(|world, _| world.faults.meet(service, &operation, &request));
        let held = |kind| held.as_ref().filter(|fault| fault.rule.kind == kind).map(|fault| fault.id);
        if let Some(fault) = held(FaultKind::HoldBefore) {
            self.hold(fault).await;
        }
        let answered = match fate {
            None => perform().await,
            Some(fault) => match fault.rule.kind {
                FaultKind::Throttle | FaultKind::Error => Some(refuse(fault.rule)),
                FaultKind::DropBefore => None,
                FaultKind::DropAfter => perform().await.and(None),
                FaultKind::Delay => {
                    self.wait(fault.rule.delay.0).await;
                    perform().await
                }
                FaultKind::Change => {
                    if let Some(deed) = fault.rule.change {
                        // A deed that is refused changes nothing; whoever scripted it will see that.
                        let _ = self.look(|world, now| world.perform(*deed, now));
                    }
                    perform().await
                }
                FaultKind::HoldBefore | FaultKind::HoldAfter => perform().await,
            },
        };
        if let Some(fault) = held(FaultKind::HoldAfter) {
            self.hold(fault).await;
        }
        self.look(|world, _| world.faults.answered(service, &operation));
        answered
    }

    /// Waits as long as the fault is in place.
    async fn hold(&self, fault: u64) {
        /// Also when the caller goes away, and this wait with it.
        struct Held<'a>(&'a Inside, u64);
        impl Drop for Held<'_> {
            fn drop(&mut self) {
                self.0.look(|world, _| world.faults.hold(self.1, false));
            }
        }
        self.look(|world, _| world.faults.hold(fault, true));
        let _held = Held(self, fault);
        loop {
            let released = self.released.notified();
            if !self.look(|world, _| world.faults.in_place(fault)) {
                return;
            }
            released.await;
        }
    }
}
