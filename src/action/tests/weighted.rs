//! `dns.weights`.

use super::world::{Fate, World, checked, record};
use super::{Story, codes, fails, is_foreign};
use crate::action::Toward;
use crate::plan::Scope;
use crate::port::Stop;
use crate::port::dns::{Name, RecordSet};
use crate::run::{Fault, FaultKind, Landed, Look};
use serde_json::{Value as Json, json};
use std::time::Duration;

const APP: &str = "app.example.com";
const TTL: Duration = Duration::from_secs(60);
const SOAK: Duration = Duration::from_secs(120);

fn set(id: &str, weight: u32) -> RecordSet {
    let weight = weight.to_string();
    let extra = [("SetIdentifier", id), ("Weight", weight.as_str()), ("HealthCheckId", "hc-1")];
    let extra = extra.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    RecordSet { extra, ..record(APP, "CNAME", 60, &[&format!("{id}.elb.example")]) }
}

fn sets(all: &[(&str, u32)]) -> Vec<RecordSet> {
    all.iter().map(|(id, weight)| set(id, *weight)).collect()
}

pub(super) fn world() -> World {
    let world = World::new();
    let other = record("other.example.com", "A", 300, &["10.9.9.9"]);
    world.state().listings[0].1 = [sets(&[("blue", 1), ("green", 0)]), vec![other]].concat();
    world.pass(Duration::from_secs(1000));
    world
}

pub(super) fn with(more: &Json) -> Json {
    let mut with = json!({
        "target": "zone", "record": "app", "old": ["blue"], "new": "green", "to": [10, 100], "soak": "2m",
    });
    for (key, value) in more.as_object().unwrap() {
        with[key] = value.clone();
    }
    with
}

fn shift(world: &World) -> Story {
    Story::new(world, "dns.weights", &with(&json!({})))
}

async fn planned(world: &World) -> Story {
    let mut story = shift(world);
    assert_eq!(story.plan().await.unwrap(), 2);
    story
}

async fn apply(story: &mut Story, stage: u32) -> Result<(), Fault> {
    let (token, stop) = (format!("stage-{stage}"), Stop::default());
    let prior = story.proposal.as_ref().unwrap().prior.clone();
    story.note = None;
    story.note = story.action.apply(&story.world.writes(&token, &stop), stage, &prior).await?;
    story.since = story.world.state().now;
    Ok(())
}

/// What is listed of the name, in a fixed order.
fn at_app(world: &World) -> Vec<RecordSet> {
    let mut sets: Vec<RecordSet> =
        world.listed().into_iter().filter(|set| set.name == Name::new(APP)).collect();
    sets.sort_by_key(|set| set.extra["SetIdentifier"].clone());
    sets
}

/// Somebody else makes it something else.
fn meddle(world: &World, theirs: Vec<RecordSet>) {
    let mut all = world.listed();
    all.retain(|set| set.name != Name::new(APP));
    all.extend(theirs);
    world.list(all);
}

#[tokio::test]
async fn each_weight_is_watched_from_when_the_answers_of_before_have_run_out() {
    let world = world();
    world.state().insync_after = Duration::from_secs(20);
    let mut story = planned(&world).await;
    for (stage, all) in [(1, [("blue", 90), ("green", 10)]), (2, [("blue", 0), ("green", 100)])] {
        apply(&mut story, stage).await.unwrap();
        assert_eq!(at_app(&world), sets(&all), "only the weights change");
        let begun = world.state().now;
        assert!(matches!(story.until_there(Toward::Desired(stage)).await, Ok(Look::Desired { .. })));
        let waited = story.waited(begun);
        let least = Duration::from_secs(20) + TTL + SOAK;
        assert!(waited >= least && waited < least + Duration::from_secs(60), "{waited:?}");
        assert!(matches!(story.look(Toward::Desired(stage)).await, Ok(Look::Desired { .. })));
        assert_eq!(world.state().now, begun.after(waited), "nothing is watched once more");
    }
    assert_eq!(world.listed().len(), 3, "the other name is left alone");
}

#[tokio::test]
async fn a_signal_breaks_it_before_the_answers_of_before_have_run_out() {
    let world = world();
    world.state().answer = Box::new(|_| Ok(super::world::response(500, "")));
    let signal = json!([{"id": "e", "uses": "http.probe", "with": {"url": "https://a.example/", "over": "1m"},
        "fail": "error_rate > 0.1", "min_samples": 1}]);
    let mut story = Story::new(&world, "dns.weights", &with(&json!({"signals": signal, "every": "5s"})));
    story.plan().await.unwrap();
    apply(&mut story, 1).await.unwrap();
    let begun = world.state().now;
    fails(story.until_there(Toward::Desired(1)).await, FaultKind::Permanent, &["signal `e` is broken"]);
    assert!(story.waited(begun) < TTL, "{:?}", story.waited(begun));
}

#[tokio::test]
async fn the_undo_is_one_batch_from_any_weight_and_waits_for_the_answers_of_the_other() {
    for last in [1, 2] {
        let world = world();
        let before = at_app(&world);
        let mut story = planned(&world).await;
        for stage in 1..=last {
            apply(&mut story, stage).await.unwrap();
        }
        let written = story.writes().len();
        story.undo().await.unwrap();
        let undone = story.since;
        story.restored().await.unwrap();
        assert!(story.waited(undone) > TTL);
        assert_eq!((at_app(&world), story.writes().len()), (before, written + 1));
        story.undo().await.unwrap();
        story.restored().await.unwrap();
        assert_eq!(story.writes().len(), written + 1, "what is back is not written again");
    }
}

#[tokio::test]
async fn what_somebody_else_makes_of_any_set_is_never_overwritten() {
    let world = world();
    let mut story = planned(&world).await;
    apply(&mut story, 1).await.unwrap();
    let left = at_app(&world);
    let mut ttl = left.clone();
    for set in &mut ttl {
        set.ttl = Some(5);
    }
    let mut health = left.clone();
    health[0].extra.insert("HealthCheckId".into(), "hc-2".into());
    let mut beside = left.clone();
    beside.push(set("canary", 5));
    for theirs in
        [sets(&[("blue", 80), ("green", 10)]), sets(&[("blue", 90), ("green", 11)]), ttl, health, beside]
    {
        meddle(&world, theirs);
        let (written, listed) = (story.writes().len(), world.listed());
        is_foreign(story.look(Toward::Desired(1)).await, &["somebody else"]);
        is_foreign(apply(&mut story, 2).await, &["somebody else"]);
        is_foreign(story.undo().await, &["somebody else"]);
        assert_eq!((story.writes().len(), world.listed()), (written, listed));
    }
    meddle(&world, sets(&[("blue", 1), ("green", 0)]));
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Prior)), "put back by hand");
    is_foreign(apply(&mut story, 2).await, &["somebody else"]);
}

#[tokio::test]
async fn a_set_whose_weight_stays_is_compared_in_the_batch_too() {
    let world = world();
    meddle(&world, sets(&[("blue", 1), ("green", 0), ("spare", 0)]));
    let mut story = Story::new(&world, "dns.weights", &with(&json!({"old": ["blue", "spare"]})));
    story.plan().await.unwrap();
    apply(&mut story, 1).await.unwrap();
    let [batch] = &story.writes()[..] else { panic!("{:?}", story.writes()) };
    for id in ["blue", "green", "spare"] {
        assert_eq!(batch.matches(&format!("set {id}")).count(), 2, "deleted and created: {batch}");
    }
    assert_eq!(at_app(&world), sets(&[("blue", 90), ("green", 10), ("spare", 0)]));
}

#[tokio::test]
async fn a_lost_call_is_settled_by_reading_and_its_servers_get_a_minute() {
    for (fate, landed) in [(Fate::LostBefore, false), (Fate::LostAfter, true)] {
        let world = world();
        let mut story = planned(&world).await;
        apply(&mut story, 1).await.unwrap();
        world.state().fate = Some(fate);
        assert_eq!(apply(&mut story, 2).await.unwrap_err().landed, Landed::Maybe);
        let begun = world.state().now;
        match story.look(Toward::Desired(2)).await.unwrap() {
            Look::Prior => assert!(!landed),
            Look::Moving { note: Some(_), .. } => assert!(landed),
            look => panic!("{look:?}"),
        }
        if landed {
            story.until_there(Toward::Desired(2)).await.unwrap();
            assert!(story.waited(begun) >= Duration::from_secs(60) + TTL + SOAK);
        } else {
            apply(&mut story, 2).await.unwrap();
        }
        assert_eq!(story.writes().len(), 2, "one call a weight landed");
    }
}

#[tokio::test]
async fn a_server_that_still_answers_by_the_weights_of_before_is_waited_for() {
    let world = world();
    let mut story = planned(&world).await;
    apply(&mut story, 1).await.unwrap();
    apply(&mut story, 2).await.unwrap();
    world.state().lags[1] = Duration::from_secs(90);
    let begun = world.state().now;
    story.until_there(Toward::Desired(2)).await.unwrap();
    assert!(story.waited(begun) >= Duration::from_secs(90) + TTL + SOAK, "{:?}", story.waited(begun));
}

#[tokio::test]
async fn a_preview_names_what_counts_beside_the_weights() {
    let world = world();
    let story = planned(&world).await;
    let changes = format!("{:?}", story.proposal.as_ref().unwrap().changes);
    for words in [
        "weights of app.example.com",
        "blue 90, green 10; then blue 0, green 100, each watched for 2m once the answers of before have run out (1m)",
        "health of set green (CNAME)",
        "health check hc-1",
    ] {
        assert!(changes.contains(words), "{words}: {changes}");
    }
    let notes = story.told().await.unwrap().notes.join(" ");
    assert!(notes.contains("weight 0 is not off") && notes.contains("no Accelerated Recovery"), "{notes}");
}

/// A world in which each set has a health check of its own.
fn checked_apart() -> World {
    let world = world();
    let mut listed = sets(&[("blue", 1), ("green", 0)]);
    listed[1].extra.insert("HealthCheckId".into(), "hc-green".into());
    meddle(&world, listed);
    world.pass(Duration::from_secs(1000));
    world
}

#[tokio::test]
async fn weights_are_not_shifted_to_a_set_whose_health_check_fails() {
    let world = checked_apart();
    world.state().health_checks.insert("hc-green".into(), Ok(Some(checked(0))));
    let words = ["health check hc-green of set green", "0 of 15 checkers call it healthy"];
    fails(shift(&world).plan().await, FaultKind::Permanent, &words);
    // Away from such a set is the way out.
    world.state().health_checks = [("hc-1".into(), Ok(Some(checked(0))))].into();
    let story = planned(&world).await;
    let notes = story.told().await.unwrap().notes.join("\n");
    for words in [
        "health check hc-1 of set blue asks https://old.example/health: 0 of 15 checkers call it healthy",
        "health check hc-green of set green asks https://old.example/health: 15 of 15",
    ] {
        assert!(notes.contains(words), "`{words}` is not in: {notes}");
    }
}

#[tokio::test]
async fn who_may_not_ask_for_a_health_check_shifts_all_the_same() {
    let world = world();
    let forbidden = Fault::blind("AccessDenied: these credentials may not look");
    world.state().health_checks.insert("hc-1".into(), Err(forbidden));
    let story = planned(&world).await;
    let notes = story.told().await.unwrap().notes.join("\n");
    assert!(
        notes.contains("how health check hc-1 of sets blue and green stands could not be known"),
        "{notes}"
    );
}

#[tokio::test]
async fn sets_that_are_not_as_the_plan_names_them_are_refused() {
    let simple = vec![record(APP, "CNAME", 60, &["old.elb.example"])];
    let mut aaaa = set("green", 7);
    aaaa.kind.0 = "AAAA".into();
    for (listed, words) in [
        (Vec::new(), "has no record"),
        (simple, "has no weights"),
        (sets(&[("blue", 1)]), "no set `green` of type CNAME"),
        (sets(&[("blue", 1), ("green", 0), ("canary", 1)]), "`canary`, which the plan does not name"),
        (sets(&[("blue", 0), ("green", 0)]), "all are served alike"),
        ([sets(&[("blue", 1), ("green", 0)]), vec![aaaa]].concat(), "give it one weight first"),
    ] {
        let world = world();
        meddle(&world, listed);
        fails(shift(&world).plan().await, FaultKind::Permanent, &[words]);
    }
    let world = world();
    meddle(&world, sets(&[("blue", 0), ("green", 5)]));
    let mut story = shift(&world);
    story.done().await;
    assert!(story.writes().is_empty(), "what is there already is not written again");
}

/// terraform-provider-aws#11485: a simple record was to become a weighted one, and what was sent was refused half-way. Here
/// it is refused before anything is sent, with what to do; also if it becomes a simple one while the run is under way.
#[tokio::test]
async fn a_simple_record_is_never_made_weighted_on_the_way() {
    let simple = vec![record(APP, "CNAME", 60, &["old.elb.example"])];
    let world = world();
    meddle(&world, simple.clone());
    let words = ["has no weights", "cannot stand beside one that is not", "make weighted sets of it first"];
    fails(shift(&world).plan().await, FaultKind::Permanent, &words);
    assert!(world.state().writes.is_empty());
    meddle(&world, sets(&[("blue", 1), ("green", 0)]));
    let mut story = planned(&world).await;
    meddle(&world, simple.clone());
    is_foreign(apply(&mut story, 1).await, &["CNAME old.elb.example", "somebody else"]);
    is_foreign(story.undo().await, &["somebody else"]);
    assert!(world.listed().contains(&simple[0]) && story.writes().is_empty(), "nothing was sent");
}

/// The weighted sets with this TTL.
fn lasting(ttl: u32) -> Vec<RecordSet> {
    let all = sets(&[("blue", 1), ("green", 0)]);
    all.into_iter().map(|set| RecordSet { ttl: Some(ttl), ..set }).collect()
}

fn lower(world: &World) -> Story {
    Story::new(world, "dns.ttl", &json!({"target": "zone", "record": "app", "ttl": "60s"}))
}

/// hashicorp/terraform#5312: each weighted set was given its new TTL by itself, and refused, since all of a group have one.
#[tokio::test]
async fn the_ttl_of_weighted_sets_is_lowered_in_one_batch_and_put_back_in_one() {
    let world = world();
    meddle(&world, lasting(300));
    world.pass(Duration::from_secs(1000));
    world.state().lags[1] = Duration::from_secs(50);
    let mut story = lower(&world);
    assert_eq!(story.plan().await.unwrap(), 1);
    let changes = format!("{:?}", story.proposal.as_ref().unwrap().changes);
    for words in ["TTL of app.example.com CNAME set blue", "TTL of app.example.com CNAME set green"] {
        assert!(changes.contains(words), "{words}: {changes}");
    }
    story.apply().await.unwrap();
    let sent = world.state().now;
    let out = story.arrive().await.unwrap();
    assert!(story.waited(sent) >= Duration::from_secs(50 + 300), "{:?}", story.waited(sent));
    assert_eq!((at_app(&world), out["old_ttl"].as_u64()), (lasting(60), Some(300)));
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!((at_app(&world), story.writes().len()), (lasting(300), 2), "one batch there and one back");
}

#[tokio::test]
async fn the_ttl_of_sets_that_one_answer_does_not_show_is_left_to_people() {
    let mut many = lasting(300);
    for set in &mut many {
        set.extra.remove("Weight").unwrap();
        set.extra.insert("MultiValueAnswer".into(), "true".into());
    }
    for (listed, words) in
        [(many, "several of its sets at once"), (sets(&[("blue", 0), ("green", 0)]), "all are served alike")]
    {
        let world = world();
        meddle(&world, listed);
        fails(lower(&world).plan().await, FaultKind::Permanent, &[words]);
    }
}

#[tokio::test]
async fn by_hand_one_of_the_batches_fits_whichever_weight_is_there() {
    let world = world();
    let story = planned(&world).await;
    let prior = &story.proposal.as_ref().unwrap().prior;
    let [command] = &story.action.undo_by_hand(prior, &Scope::default())[..] else { panic!("one line") };
    let batches: Vec<&str> = command.split(" || ").collect();
    assert_eq!(batches.len(), 2, "{command}");
    for (batch, weight) in batches.iter().zip(["\"Weight\":100", "\"Weight\":10"]) {
        assert!(
            batch.contains(weight) && batch.contains("\"Weight\":1}") && !batch.contains("UPSERT"),
            "{batch}"
        );
    }
}

#[test]
fn what_cannot_be_shifted_is_found_before_the_run() {
    let found = |more: Json| codes("dns.weights", &with(&more));
    assert_eq!(found(json!({})), [""; 0]);
    assert_eq!(found(json!({"to": [50, 10]})), ["SW2010"]);
    assert_eq!(found(json!({"old": []})), ["SW2003"]);
    assert_eq!(found(json!({"old": ["green"]})), ["SW2003"]);
    assert_eq!(found(json!({"target": "updated"})), ["SW2006"], "only Route 53 has weights");
    let mut hasty = with(&json!({}));
    hasty.as_object_mut().unwrap().remove("soak");
    assert_eq!(codes("dns.weights", &hasty), ["SW2011"]);
    let beside = |to: Json, at: &str| {
        let old = json!({"load_balancer": "blue", "in": "prod", "at": at});
        let errors = json!({"id": "errors", "uses": "alb.error_rate", "with": {"load_balancer": "green", "in": "prod"},
            "baseline": old, "expected": "baseline * 1.2", "fail": "certainty > 0.999"});
        found(json!({"to": to, "signals": [errors]}))
    };
    assert_eq!(beside(json!([10, 100]), "same"), ["SW2026"], "at 100 the old side takes no requests");
    assert_eq!(beside(json!([10, 90]), "same"), [""; 0]);
    assert_eq!(beside(json!([10, 100]), "before"), [""; 0]);
}
