//! Two runs of one process, over the sandbox: one watches as often as it may, the other undoes.

use super::{ACCOUNT, Behind, Place, ZONE, nowhere, plan, targets, world_text};
use crate::adapter::{Budgets, World};
use crate::plan::{Plan, Timestamp};
use crate::port::dns::{Name, RecordChange, RecordSet};
use crate::port::{ReadWorld, Urgency, WriteWorld};
use crate::sandbox::{Options, start};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// Watchers, each of which looks again as soon as it has seen something.
fn watch(world: &Arc<World>, watchers: usize, looks: &Arc<AtomicUsize>) -> JoinSet<()> {
    let mut all = JoinSet::new();
    for _ in 0..watchers {
        let (world, looks) = (world.clone(), looks.clone());
        all.spawn(async move {
            loop {
                let seen = world.dns("zone").unwrap().record_sets(&Name::new("app.navralabs.com")).await;
                looks.fetch_add(usize::from(seen.is_ok()), Ordering::Relaxed);
            }
        });
    }
    all
}

/// How many looks there are in so long.
async fn counted(world: &World, looks: &AtomicUsize, span: Duration) -> usize {
    let before = looks.load(Ordering::Relaxed);
    world.clock().sleep_until(world.clock().now().after(span)).await;
    looks.load(Ordering::Relaxed) - before
}

#[tokio::test]
async fn throttles_slow_the_watching_and_never_the_undoing() {
    let options = Options { scale: Some(1), traffic: false, ..Options::default() };
    let sandbox = start(&world_text(&[]), "aep.yaml", options).await.unwrap();
    let (plan, budgets) = (Plan { targets: targets(ACCOUNT, ZONE), ..plan() }, Budgets::default());
    let run = || {
        let wiring = Some(sandbox.wiring().clone());
        Arc::new(World::connect(&plan, Path::new(""), wiring, nowhere(), &budgets))
    };
    let (watched, undone) = (run(), run());
    let name = Name::new("app.navralabs.com");
    let old = undone.dns("zone").unwrap().record_sets(&name).await.unwrap().remove(0);
    let looks = Arc::default();
    let mut watchers = watch(&watched, 50, &looks);
    let two = Duration::from_secs(2);
    let at_first = counted(&watched, &looks, two).await;
    assert!(
        (1..=9 + 2 * 5 + 1).contains(&at_first),
        "{at_first}: what is left of ten at once, and five a second"
    );

    let wiring = Some(sandbox.wiring().clone());
    let place = Place { world: watched.clone(), behind: Behind::Sandbox(sandbox), wiring };
    place.fault(json!({"operation": "ListResourceRecordSets", "kind": "throttle", "times": 1})).await;
    counted(&watched, &looks, two).await;
    let slowed = counted(&watched, &looks, two).await;
    assert!(slowed <= 2 * 5 / 2 + 1, "{slowed}: at half the pace");
    assert!(!budgets.crowds().is_empty());

    // The way back, at once: it compares, writes and reads.
    let back = undone.serving(Urgency::Undoing);
    let before = back.clock().now();
    let found = back.as_reads().dns("zone").unwrap().record_sets(&name).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&old));
    let new = RecordSet { ttl: Some(77), ..old.clone() };
    let batch = [RecordChange::Delete(old), RecordChange::Create(new.clone())];
    let write = back.change_dns("zone", Timestamp::NEVER).unwrap();
    write.change(&batch, "a test").await.unwrap();
    let found = back.as_reads().dns("zone").unwrap().record_sets(&name).await.unwrap();
    assert_eq!(found, [new]);
    let took = back.clock().now().since(before);
    assert!(took < Duration::from_secs(1), "fifty watchers wait, and it took {took:?}");
    watchers.shutdown().await;
}
