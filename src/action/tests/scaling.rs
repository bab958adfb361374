//! `ecs.scaling`.

use super::world::{Fate, World, service};
use super::{Story, codes, fails, is_foreign, known, value};
use crate::action::{AnyAction, Registry, Toward};
use crate::plan::{Fields, Known, Problems, Scope, StepId};
use crate::port::{Reads, Scaling};
use crate::run::{FaultKind, Landed, Look};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// A service of two tasks that may be one to six.
fn world() -> World {
    let world = World::new();
    let mut state = world.state();
    state.services.insert("web".into(), service("web", "arn:web:1"));
    state.scaling.insert("web".into(), Scaling { min: 1, max: 6 });
    drop(state);
    world
}

fn with(more: &Json) -> Json {
    let mut with = json!({"target": "prod", "cluster": "main", "service": "web"});
    for (key, value) in more.as_object().unwrap() {
        with[key] = value.clone();
    }
    with
}

fn hold(world: &World, more: &Json) -> Story {
    Story::new(world, "ecs.scaling", &with(more))
}

fn now(world: &World) -> Scaling {
    world.state().scaling["web"]
}

/// Somebody else sets it.
fn meddle(world: &World, min: u32, max: u32) {
    world.state().scaling.insert("web".into(), Scaling { min, max });
}

/// A step that gives back what the step `hold` holds.
fn giving_back() -> Arc<dyn AnyAction> {
    let known = Known { steps: vec!["hold".into()], ..known() };
    let (with, mut problems) = (value(&with(&json!({"restore": "hold"}))), Problems::default());
    let action = Registry.build("ecs.scaling", &mut Fields::new(&with, &known, &mut problems));
    assert_eq!(known.read_steps.borrow().len(), 1, "who reads the plan sees that it comes before");
    action.unwrap_or_else(|| panic!("{:?}", problems.as_slice()))
}

/// Plans it as a run does in which the step `hold` has answered this.
async fn given_back(world: &World, out: Option<&Json>) -> Result<Story, crate::run::Fault> {
    let mut story = Story::of(world, giving_back());
    let mut scope = Scope::default();
    if let Some(out) = out {
        scope.answered(&StepId("hold".into()), &out.to_string());
    }
    let reads = Reads { scope: &scope, ..world.reads() };
    story.proposal = Some(story.action.plan(&reads, true).await?);
    Ok(story)
}

#[tokio::test]
async fn a_service_is_held_at_what_it_has_and_the_undo_gives_it_back() {
    let world = world();
    let mut story = hold(&world, &json!({"at_least": "desired"}));
    let out = story.done().await;
    assert_eq!(now(&world), Scaling { min: 2, max: 6 });
    assert_eq!(out["service"], "service/main/web");
    let changes = format!("{:?}", story.proposal.as_ref().unwrap().changes);
    assert!(changes.contains("\"min 1\"") && changes.contains("\"min 2\""), "{changes}");
    // How many tasks there are is the autoscaler's to say.
    world.state().services.get_mut("web").unwrap().desired = 5;
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Desired { .. })));
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(now(&world), Scaling { min: 1, max: 6 });
    let sent = ["scale web Some(2) None", "scale web Some(1) None"];
    assert_eq!(story.writes(), sent, "the maximum is not ours");
    story.undo().await.unwrap();
    assert_eq!(story.writes(), sent, "what is back is not written again");
}

#[tokio::test]
async fn a_minimum_is_raised_and_never_lowered() {
    let world = world();
    meddle(&world, 4, 6);
    for wants in [json!({"min": 3}), json!({"at_least": "desired"})] {
        let mut story = hold(&world, &wants);
        story.done().await;
        story.undo().await.unwrap();
        assert!(story.writes().is_empty(), "{wants}");
    }
    let mut story = hold(&world, &json!({"min": 6, "max": 8}));
    story.done().await;
    assert_eq!(now(&world), Scaling { min: 6, max: 8 });
    let changes = format!("{:?}", story.proposal.as_ref().unwrap().changes);
    assert!(changes.contains("min 6, max 8; tasks to be started: 4"), "{changes}");
    story.undo().await.unwrap();
    assert_eq!(now(&world), Scaling { min: 4, max: 6 });
}

#[tokio::test]
async fn what_could_not_be_held_is_said_before_anything_is_written() {
    let world = world();
    world.state().services.get_mut("web").unwrap().desired = 5;
    for (wants, words) in [
        (json!({"min": 7}), &["may have 6 tasks at most, and 7 are to be held", "larger `max`"][..]),
        (json!({"min": 1, "max": 4}), &["should have 5 tasks: `max: 4` would stop some of them"]),
    ] {
        fails(hold(&world, &wants).plan().await, FaultKind::Permanent, words);
    }
    world.state().scaling.clear();
    let words = ["service web of main has no scalable target", "leave this step out, or register one first"];
    fails(hold(&world, &json!({"min": 1})).plan().await, FaultKind::Permanent, &words);
    fails(given_back(&world, None).await.map(drop), FaultKind::Permanent, &words);
}

#[tokio::test]
async fn bounds_that_somebody_else_sets_are_never_overwritten() {
    let world = world();
    let mut story = hold(&world, &json!({"min": 2}));
    story.plan().await.unwrap();
    meddle(&world, 3, 6);
    is_foreign(story.apply().await, &["is min 3", "somebody else"]);
    meddle(&world, 1, 6);
    story.apply().await.unwrap();
    // The maximum is not ours.
    meddle(&world, 2, 9);
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Desired { .. })));
    meddle(&world, 3, 9);
    is_foreign(
        story.look(Toward::Desired(1)).await,
        &["autoscaling of service web of main", "somebody else"],
    );
    is_foreign(story.undo().await, &["min 2", "min 1"]);
    assert_eq!(story.writes().len(), 1);
    meddle(&world, 1, 9);
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Prior)), "put back by hand");
    world.state().scaling.clear();
    is_foreign(story.undo().await, &["no scalable target any more"]);
}

#[tokio::test]
async fn a_lost_call_is_settled_by_what_is_told() {
    for (fate, landed) in [(Fate::LostBefore, false), (Fate::LostAfter, true)] {
        let world = world();
        let mut story = hold(&world, &json!({"min": 2}));
        story.plan().await.unwrap();
        world.state().fate = Some(fate);
        assert_eq!(story.apply().await.unwrap_err().landed, Landed::Maybe);
        match story.look(Toward::Desired(1)).await.unwrap() {
            Look::Prior => assert!(!landed),
            Look::Desired { .. } => assert!(landed),
            look => panic!("{look:?}"),
        }
        story.apply().await.unwrap();
        assert_eq!(story.writes().len(), 1, "one call landed");
    }
}

#[tokio::test]
async fn another_step_gives_back_what_was_held() {
    let world = world();
    let out = hold(&world, &json!({"min": 3, "max": 8})).done().await;
    assert_eq!(now(&world), Scaling { min: 3, max: 8 });
    let mut last = given_back(&world, Some(&out)).await.unwrap();
    assert_eq!(last.proposal.as_ref().unwrap().stages, 1);
    last.apply().await.unwrap();
    last.arrive().await.unwrap();
    assert_eq!(now(&world), Scaling { min: 1, max: 6 });
    // It was undone on the way back, or given back before.
    assert_eq!(given_back(&world, Some(&out)).await.unwrap().proposal.unwrap().stages, 0);
    meddle(&world, 2, 8);
    is_foreign(given_back(&world, Some(&out)).await.map(drop), &["is min 2, max 8", "somebody else"]);
}

#[tokio::test]
async fn where_nothing_was_held_nothing_is_given_back() {
    let world = world();
    let mut never = given_back(&world, None).await.unwrap();
    assert_eq!(never.proposal.as_ref().unwrap().stages, 0);
    never.arrive().await.unwrap();
    meddle(&world, 4, 6);
    let held = hold(&world, &json!({"min": 3})).done().await;
    assert_eq!(given_back(&world, Some(&held)).await.unwrap().proposal.unwrap().stages, 0, "it was higher");
    let mut other = held;
    other["service"] = "service/main/other".into();
    let words = ["`hold` holds service/main/other", "service/main/web"];
    fails(given_back(&world, Some(&other)).await.map(drop), FaultKind::Permanent, &words);
}

#[tokio::test]
async fn people_are_told_what_to_type() {
    let world = world();
    let mut story = hold(&world, &json!({"min": 2, "max": 7}));
    story.done().await;
    let prior = story.proposal.as_ref().unwrap().prior.clone();
    let of = "--service-namespace ecs --resource-id service/main/web --scalable-dimension ecs:service:DesiredCount";
    assert_eq!(
        story.action.undo_by_hand(&prior, &Scope::default()),
        [format!(
            "aws application-autoscaling register-scalable-target {of} --min-capacity 1 --max-capacity 6 --region eu-west-1"
        )]
    );
    assert!(giving_back().by_hand().what.contains("as before `hold`"));
}

#[test]
fn what_cannot_be_is_refused_before_anything_runs() {
    for (wants, expected) in [
        (json!({"min": 0}), &[][..]),
        (json!({"at_least": "desired", "max": 20}), &[]),
        (json!({}), &["SW2033"]),
        (json!({"max": 20}), &["SW2033"]),
        (json!({"min": 2, "at_least": "desired"}), &["SW2033"]),
        (json!({"min": 2, "max": 1}), &["SW2033"]),
        (json!({"min": -1}), &["SW1006"]),
        (json!({"min": 2, "max": 0}), &["SW1006"]),
        (json!({"min": 10_001}), &["SW1006"]),
        (json!({"at_least": "running"}), &["SW1007"]),
        (json!({"restore": "none"}), &["SW1009"]),
    ] {
        assert_eq!(codes("ecs.scaling", &with(&wants)), expected, "{wants}");
    }
    let both = with(&json!({"restore": "hold", "max": 3}));
    let known = Known { steps: vec!["hold".into()], ..known() };
    let (both, mut problems) = (value(&both), Problems::default());
    assert!(Registry.build("ecs.scaling", &mut Fields::new(&both, &known, &mut problems)).is_none());
    assert_eq!(problems.as_slice()[0].code.0, "SW2033");
}
