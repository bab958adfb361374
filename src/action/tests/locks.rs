//! The lock in the world: one run has it, says so, and gives it back; nobody else's is written over.

use super::world::{Fate, World, record};
use super::{Story, fails, is_foreign};
use crate::action::Toward;
use crate::plan::{FREE, LOCK, StepId};
use crate::port::dns::{Name, RecordSet};
use crate::run::{FaultKind, Landed, Look};
use serde_json::{Value as Json, json};
use std::time::Duration;

const LOCKED: &str = "_switchover.app.example.com";

fn locks() -> Json {
    json!([{"target": "zone", "names": [LOCKED, "_switchover.www.example.com"]}])
}

/// What a run sees of the world; `passed`: the check that nobody else holds the lock.
fn run(world: &World, id: &str, passed: bool) -> World {
    world.seen_by(|scope| {
        scope.run.insert("id".into(), id.into());
        scope.run.insert("by".into(), format!("{id}@host").into());
        if passed {
            scope.answered(&StepId(FREE.into()), "{}");
        }
    })
}

fn free(world: &World) -> Story {
    Story::new(world, "lock.free", &json!({ "locks": locks() }))
}

fn take(world: &World) -> Story {
    Story::new(world, "lock.take", &json!({"locks": locks(), "plan": "go-live", "seconds": 14400}))
}

/// Somebody puts a text where the lock is.
fn put(world: &World, value: &str) -> RecordSet {
    let set = record(LOCKED, "TXT", 60, &[value]);
    let mut sets = world.listed();
    sets.retain(|other| other.name != Name::new(LOCKED));
    sets.push(set.clone());
    world.list(sets);
    set
}

#[tokio::test]
async fn a_lock_is_one_batch_that_names_the_run_and_is_gone_with_it() {
    let world = run(&World::new(), "A", true);
    free(&world).done().await;
    let mut lock = take(&world);
    let out = lock.done().await;
    let text = "\"switchover v1 run=A plan=go-live by=A@host since=2027-01-15T08:00:00Z until=2027-01-15T12:00:00Z\"";
    let set = |name: &str| record(name, "TXT", 60, &[text]);
    let [app, www] = [set(LOCKED), set("_switchover.www.example.com")];
    assert_eq!(world.listed(), [app.clone(), www.clone()]);
    assert_eq!(lock.writes(), [format!("+{app} +{www}")], "all or nothing");
    assert_eq!(out["made"][0][0]["values"][0], text);
    // It is this run's own: nothing is in its way.
    free(&world).done().await;
    lock.undo().await.unwrap();
    lock.restored().await.unwrap();
    assert_eq!(world.listed(), []);
}

#[tokio::test]
async fn another_run_is_refused_and_hears_who_has_it() {
    let world = World::new();
    take(&run(&world, "A", true)).done().await;
    let (other, listed) = (run(&world, "B", false), world.listed());
    let words = ["locked by another run: run A of go-live, by A@host, since 2027-01-15T08:00:00Z", LOCKED];
    is_foreign(free(&other).plan().await, &words);
    // Whoever got past the check before it was there does not take it either.
    is_foreign(take(&run(&world, "B", true)).plan().await, &words);
    // Time alone gives nobody a right to it.
    world.pass(Duration::from_secs(5 * 3600));
    is_foreign(free(&other).plan().await, &["which is past and says nothing of whether it lives"]);
    assert_eq!(world.listed(), listed);
}

#[tokio::test]
async fn of_two_that_found_nothing_one_has_it() {
    let world = World::new();
    let (mut a, mut b) = (take(&run(&world, "A", true)), take(&run(&world, "B", true)));
    assert_eq!((a.plan().await, b.plan().await), (Ok(1), Ok(1)));
    a.apply().await.unwrap();
    is_foreign(b.apply().await, &["locked by another run: run A of"]);
    let listed = world.listed();
    b.undo().await.unwrap();
    b.restored().await.unwrap();
    assert_eq!(world.listed(), listed, "it is not given back by whoever has it not");
    // Once it is given back the other may have it.
    a.undo().await.unwrap();
    b.apply().await.unwrap();
    b.arrive().await.unwrap();
}

#[tokio::test]
async fn a_person_who_skips_the_check_takes_over_and_the_other_one_sees_it() {
    let world = World::new();
    let mut dead = take(&run(&world, "A", true));
    dead.done().await;
    let mut heir = take(&run(&world, "B", false));
    heir.plan().await.unwrap();
    let change = &heir.proposal.as_ref().unwrap().changes[0];
    assert!(change.from.starts_with("run A of go-live, by A@host"), "{change:?}");
    heir.apply().await.unwrap();
    heir.arrive().await.unwrap();
    assert!(world.listed().iter().all(|set| set.values[0].contains("run=B")), "{:?}", world.listed());
    let look = dead.look(Toward::Desired(1)).await;
    is_foreign(look, &["locked by another run: run B of"]);
    // What was taken from it is gone, which is all that its undo wants.
    let listed = world.listed();
    dead.undo().await.unwrap();
    dead.restored().await.unwrap();
    assert_eq!(world.listed(), listed);
}

#[tokio::test]
async fn what_was_found_is_compared_when_it_is_taken_over() {
    let world = World::new();
    take(&run(&world, "A", true)).done().await;
    let mut heir = take(&run(&world, "B", false));
    heir.plan().await.unwrap();
    take(&run(&world, "C", false)).done().await;
    is_foreign(heir.apply().await, &["locked by another run: run C of"]);
}

#[tokio::test]
async fn what_no_run_wrote_is_never_written_over() {
    let world = World::new();
    for value in ["\"hello\"", "\"switchover v9 run=A\""] {
        let theirs = put(&world, value);
        for skipped in [false, true] {
            let run = run(&world, "B", !skipped);
            let words = [LOCKED, "no lock of a run", "world_lock: off"];
            fails(free(&run).plan().await, FaultKind::Permanent, &words);
            fails(take(&run).plan().await, FaultKind::Permanent, &words);
        }
        assert_eq!(world.listed(), [theirs]);
    }
}

#[tokio::test]
async fn a_lost_answer_is_found_by_looking() {
    for (fate, landed) in [(Fate::LostAfter, true), (Fate::LostBefore, false)] {
        let world = run(&World::new(), "A", true);
        let mut lock = take(&world);
        lock.plan().await.unwrap();
        world.state().fate = Some(fate);
        assert_eq!(lock.apply().await.unwrap_err().landed, Landed::Maybe);
        let look = lock.look(Toward::Desired(1)).await.unwrap();
        assert_eq!(matches!(look, Look::Desired { .. }), landed, "{look:?}");
        assert_eq!(look == Look::Prior, !landed);
        // Sent again it is what it was.
        lock.apply().await.unwrap();
        // A journal without its intent finds the lock of this very run.
        let mut again = take(&world);
        again.done().await;
        again.undo().await.unwrap();
        assert_eq!(world.listed(), []);
    }
}

#[tokio::test]
async fn a_lock_that_is_gone_or_changed_is_told() {
    let world = run(&World::new(), "A", true);
    let mut lock = take(&world);
    lock.done().await;
    let mine = world.listed();
    let theirs = put(&world, "\"hello\"");
    is_foreign(lock.look(Toward::Desired(1)).await, &["\"hello\"", "somebody else's"]);
    world.list(vec![theirs]);
    is_foreign(lock.look(Toward::Prior).await, &["\"hello\"", "somebody else changed it"]);
    world.list(mine[1..].to_vec());
    is_foreign(lock.look(Toward::Desired(1)).await, &["is gone: somebody took it away"]);
    world.list(Vec::new());
    assert_eq!(lock.look(Toward::Desired(1)).await, Ok(Look::Prior));
    // Of a half of it the undo takes that half away.
    world.list(mine[1..].to_vec());
    lock.undo().await.unwrap();
    assert_eq!(world.listed(), []);
}

#[tokio::test]
async fn it_is_released_after_everything_by_whoever_made_it() {
    let world = World::new();
    let out = take(&run(&world, "A", true)).done().await;
    let with = json!({ "locks": locks() });
    let ended = |ending: &str, made: bool| {
        run(&world, "A", true).seen_by(|scope| {
            scope.run.insert("ending".into(), ending.into());
            if made {
                scope.answered(&StepId(LOCK.into()), &out.to_string());
            }
        })
    };
    // On the way back that is its undo's; and what was not made is not given back.
    for (ending, made) in [("rolled_back", true), ("stuck", true), ("completed", false)] {
        assert_eq!(Story::new(&ended(ending, made), "lock.release", &with).plan().await, Ok(0));
    }
    let mut release = Story::new(&ended("completed", true), "lock.release", &with);
    assert_eq!(release.plan().await, Ok(1));
    assert_eq!(release.look(Toward::Desired(1)).await, Ok(Look::Prior));
    release.apply().await.unwrap();
    release.arrive().await.unwrap();
    assert_eq!(world.listed(), []);
    // The next run may have it before that was seen.
    take(&run(&world, "B", true)).done().await;
    release.apply().await.unwrap();
    release.arrive().await.unwrap();
    assert_eq!(world.listed().len(), 2);
}

#[tokio::test]
async fn a_preview_is_of_no_run_and_takes_nothing_over() {
    let world = World::new();
    let mut lock = take(&world);
    lock.plan().await.unwrap();
    let change = &lock.proposal.as_ref().unwrap().changes[0];
    assert_eq!((&*change.from, &*change.to), ("nothing", "this run's"));
    take(&run(&world, "A", true)).done().await;
    is_foreign(take(&world).plan().await, &["run A of go-live"]);
    let with = json!({ "locks": locks() });
    assert_eq!(Story::new(&world, "lock.release", &with).plan().await, Ok(1), "it shows what it will do");
}
