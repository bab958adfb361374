//! What a listing says: the same as the journal, also where it was not kept, and where one run cannot be told of.

use super::*;
use crate::store::record::{ActorRecord, CauseRecord, ModeRecord, PauseRecord, RewindRecord, StandingRecord};

#[test]
fn a_listing_tells_what_the_journal_tells_also_where_it_was_not_kept() {
    let (directory, store, lease) = held();
    let started = EventRecord::RunStarted { by: ActorRecord { name: "ana".into(), automatic: false } };
    let paused = EventRecord::RunPaused { cause: PauseRecord::Failed { step: "go".into() } };
    let entry = |at, body: &EventRecord| Entry { at: Timestamp(at), body: body.clone() };
    store.append(&lease, Seq(0), &[entry(7, &started)]).unwrap();
    let one = |store: &SqliteStore| store.runs(NOW).unwrap().remove(0).unwrap();
    let listed = one(&store);
    assert_eq!((listed.title.plan.as_str(), listed.title.created), ("small", NOW.0));
    assert_eq!((listed.standing.began, listed.standing.mode), (Some(7), ModeRecord::Forward));
    assert_eq!(listed.holder.unwrap().owner, other(1));
    assert_eq!(listed.driven, NOW.after(TTL));
    store.append(&lease, Seq(1), &[entry(8, &paused)]).unwrap();
    let whole = one(&store);
    assert_eq!(whole.standing.paused, Some(PauseRecord::Failed { step: "go".into() }));
    for forgotten in [
        "UPDATE standings SET seq = 1, body = replace(body, 'failed', 'operator')",
        "UPDATE standings SET seq = 9",
        "UPDATE standings SET body = '?'",
        "UPDATE standings SET title = '?'",
        "DELETE FROM standings",
        "DROP TABLE standings",
    ] {
        let raw = raw(directory.path());
        assert!(raw.execute_batch(forgotten).is_ok(), "{forgotten}");
        let reader = SqliteStore::open_to_read(directory.path()).unwrap();
        let told = one(&reader).standing;
        assert!(told == whole.standing || forgotten.contains("seq = 1"), "{forgotten}: {told:?}");
        assert_eq!((told.began, told.mode), (whole.standing.began, whole.standing.mode), "{forgotten}");
    }
    // Whoever writes next keeps it again, from the first fact on.
    let store = SqliteStore::open(directory.path()).unwrap();
    store.append(&lease, Seq(2), &entries(1)).unwrap();
    assert_eq!(one(&store).standing, whole.standing);
    // What it says is believed up to where it says it, and told on from there.
    let claimed = "UPDATE standings SET seq = 2, body = replace(body, 'failed', 'operator')";
    raw(directory.path()).execute_batch(claimed).unwrap();
    assert_ne!(one(&store).standing.paused, whole.standing.paused);
    // One that cannot be told of does not hide the others.
    raw(directory.path()).execute_batch("DELETE FROM standings; DELETE FROM events WHERE seq = 2").unwrap();
    let second = store.create(new_run()).unwrap().id;
    let second = store.acquire(&second, &other(2), TTL, NOW).unwrap();
    store.append(&second, Seq(0), &entries(1)).unwrap();
    let runs = store.runs(NOW).unwrap();
    assert_eq!(runs.iter().filter(|run| run.is_ok()).count(), 1, "{runs:?}");
    let broken = runs.into_iter().find_map(Result::err).unwrap();
    assert!(
        broken.0 == lease.run && matches!(broken.1, StoreError::Broken { seq: Seq(2), .. }),
        "{broken:?}"
    );
}

#[test]
fn what_an_order_lifts_is_lifted_in_a_listing_too() {
    let by = ActorRecord { name: "bo".into(), automatic: false };
    let ordered = |order| EventRecord::OrderTaken { id: 1, by: by.clone(), order };
    let paused = |cause| EventRecord::RunPaused { cause };
    let failed = || PauseRecord::Failed { step: "go".into() };
    let after = |facts: &[EventRecord]| {
        let mut standing = StandingRecord::default();
        for fact in facts {
            standing.take(NOW, fact);
        }
        standing
    };
    let retried = |step: &str| after(&[paused(failed()), ordered(OrderRecord::Retry { step: step.into() })]);
    assert_eq!(retried("go").paused, None);
    assert_eq!(retried("other").paused, Some(failed()), "the step that stopped it still does");
    let waits = after(&[paused(PauseRecord::Operator), ordered(OrderRecord::Retry { step: "go".into() })]);
    assert_eq!(waits.paused, Some(PauseRecord::Operator));

    let cause = || CauseRecord::Failed { step: "go".into() };
    let back = EventRecord::RollbackStarted { cause: cause(), rewind: RewindRecord::Safe };
    let continued = |pause| after(&[back.clone(), paused(pause), ordered(OrderRecord::Continue)]);
    let on = continued(PauseRecord::Operator);
    assert_eq!((on.mode, on.paused, on.cause), (ModeRecord::Rollback, None, Some(cause())));
    let forward = continued(PauseRecord::Checkpoint { step: "wave".into() });
    assert_eq!((forward.mode, forward.paused, forward.cause), (ModeRecord::Forward, None, None));
}

#[test]
fn the_lock_in_the_world_is_no_change_yet() {
    let mut standing = StandingRecord::default();
    for (step, wrote) in [("_lock", false), ("switch", true), ("_lock", true)] {
        let fact = StepRecord::Applying { stage: 1, by: 9 };
        standing.take(Timestamp(7), &EventRecord::Step { step: step.into(), fact });
        assert_eq!(standing.wrote, wrote, "{step}");
    }
}
