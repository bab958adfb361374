//! A call as it meets scripted faults: refused, dropped, late, held, or carried out. What each call does is its server's.

use super::serve::{Answer, Dropped, answer};
use super::shared::Shared;
use crate::sim::{FaultKind, FaultRule, Met};
use std::future::Future;

/// Answers a call as the fault that it meets wants it, if it meets one; counts it.
pub(super) async fn meet<A, F>(
    shared: &Shared,
    (service, operation, request): (&str, &str, &str),
    refuse: impl FnOnce(FaultRule) -> A,
    perform: impl FnOnce() -> F,
) -> Result<A, Dropped>
where
    F: Future<Output = Result<A, Dropped>>,
{
    let Met { hold: held, fate } = shared.look(|world, _| world.faults.meet(service, operation, request));
    let held = |kind| held.as_ref().filter(|fault| fault.rule.kind == kind).map(|fault| fault.id);
    if let Some(fault) = held(FaultKind::HoldBefore) {
        hold(shared, fault).await;
    }
    let answered = match fate {
        None => perform().await,
        Some(fault) => match fault.rule.kind {
            FaultKind::Throttle | FaultKind::Error => Ok(refuse(fault.rule)),
            FaultKind::DropBefore => Err(Dropped),
            FaultKind::DropAfter => perform().await.and(Err(Dropped)),
            FaultKind::Delay => {
                shared.clock.wait(fault.rule.delay.0).await;
                perform().await
            }
            FaultKind::Change => {
                if let Some(deed) = fault.rule.change {
                    // A deed that is refused changes nothing; the test that scripted it will see that.
                    let _ = shared.change(|world, now| world.perform(*deed, now));
                }
                perform().await
            }
            FaultKind::HoldBefore | FaultKind::HoldAfter => perform().await,
        },
    };
    if let Some(fault) = held(FaultKind::HoldAfter) {
        hold(shared, fault).await;
    }
    shared.look(|world, _| world.faults.answered(service, operation));
    answered
}

/// The refusal of a service that is no API.
pub(super) fn scripted(rule: &FaultRule) -> Answer {
    answer(rule.refused_with(), "text/plain", "a scripted fault")
}

/// Waits as long as the fault is in place.
async fn hold(shared: &Shared, fault: u64) {
    /// Also when the caller goes away, and this wait with it.
    struct Held<'a>(&'a Shared, u64);
    impl Drop for Held<'_> {
        fn drop(&mut self) {
            self.0.look(|world, _| world.faults.hold(self.1, false));
        }
    }
    shared.look(|world, _| world.faults.hold(fault, true));
    let _held = Held(shared, fault);
    loop {
        let released = shared.released.notified();
        if !shared.look(|world, _| world.faults.in_place(fault)) {
            return;
        }
        released.await;
    }
}
