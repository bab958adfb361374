//! A run stays ours for as long as we live, however long a call takes.

use super::WEEK;
use super::stage::{Stage, chain};
use super::world::Nature;
use crate::adapter::SystemClock;
use crate::driver::DriveError;
use crate::mutant::{Mistake, making};
use crate::port::Clock;
use crate::store::{Owner, Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::Barrier;

/// Whether another process is refused the run while a call takes twice as long as its lease.
fn is_held_during_a_long_call(mistake: Option<Mistake>, busy: usize) -> bool {
    let lease = Duration::from_millis(400);
    let answered = Arc::new(Barrier::new(2));
    // The world's time is quick: no call is lost for it here.
    let mut plan = chain(&["a"]);
    plan.policy.call = Duration::from_secs(30 * 24 * 3600);
    let stage = Stage::new(plan, &[("a", Nature::Together(answered.clone()))]);
    stage.store.busy.store(busy, Ordering::Relaxed);
    let mut driver = stage.driver();
    driver.lease = lease;
    let wall = SystemClock::wall();
    let rival = async {
        stage.until("\"applying\"").await;
        wall.sleep_until(wall.now().after(lease * 2)).await;
        let owner = Owner { host: "elsewhere".into(), pid: 2, birth: String::new() };
        let taken = stage.store.acquire(&stage.run, &owner, lease, wall.now());
        // Also where the driver has ended meanwhile.
        drop(tokio::spawn(async move { answered.wait().await }));
        taken
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (driven, taken) = making(mistake, || runtime.block_on(async { tokio::join!(driver.drive(), rival) }));
    let held = matches!(taken, Err(StoreError::Held { .. }));
    assert_eq!(driven.is_ok(), held, "whoever was replaced goes on, or stops for no reason: {driven:?}");
    let renewals = stage.store.renewals.load(Ordering::Relaxed);
    assert!(renewals < 100, "renewed {renewals} times in eight tenths of a second");
    held
}

/// terraform#30650: a lock without a heartbeat.
#[test]
fn a_lease_is_renewed_while_a_call_takes_long() {
    assert!(is_held_during_a_long_call(None, 0));
    assert!(is_held_during_a_long_call(None, 1), "a store that is busy for a while is tried again");
    assert!(!is_held_during_a_long_call(Some(Mistake::LeaseNotRenewed), 0), "nobody would notice");
}

#[tokio::test]
async fn whoever_cannot_renew_stops_when_the_lease_has_run_out() {
    let mut plan = chain(&["a"]);
    plan.steps[0].timeout = Some(WEEK);
    let stage = Stage::new(plan, &[("a", Nature::Endless)]);
    stage.store.busy.store(usize::MAX, Ordering::Relaxed);
    let mut driver = stage.driver();
    driver.lease = Duration::from_millis(400);
    let wall = SystemClock::wall();
    tokio::select! {
        driven = driver.drive() => {
            assert!(matches!(driven, Err(DriveError::Store(StoreError::Busy { .. }))), "{driven:?}");
            assert!(stage.store.renewals.load(Ordering::Relaxed) > 2, "not before it had run out");
        }
        () = wall.sleep_until(wall.now().after(Duration::from_secs(30))) => panic!("it goes on"),
    }
}
