//! `ecs.deploy`, on the way back: what runs again is what ran before, and that it can come back is looked at beforehand.

use super::deploys::{GROUP, OLD, digest, image, with, world};
use super::world::{STEP, World, definition, task};
use super::{Story, fails};
use crate::action::Toward;
use crate::plan::Scope;
use crate::port::{Placement, Reads, TaskContainer};
use crate::run::{Fault, FaultKind, Look};
use serde_json::{Value as Json, json};
use std::sync::Mutex;

/// An image by a tag, which may move.
const TAGGED: &str = "repo/web:v1";

/// The running tasks of the service are of this definition, and from these images.
fn run(world: &World, definition: &str, digests: &[Option<char>]) {
    let mut tasks = Vec::new();
    for (place, letter) in digests.iter().enumerate() {
        let digest = letter.map(digest);
        tasks.push(task(&format!("arn:task/{place}"), definition, "RUNNING", None, digest.as_deref()));
    }
    world.state().tasks = tasks;
}

/// A world whose service runs a tag, from these images.
fn tagged(digests: &[Option<char>]) -> World {
    let world = world();
    world.state().definitions[0] = definition("web", 1, TAGGED);
    run(&world, OLD, digests);
    world
}

/// So many targets of the service are healthy.
fn healthy(world: &World, count: usize) {
    world.state().healthy.insert(GROUP.into(), count);
}

fn deploy(world: &World) -> Story {
    Story::new(world, "ecs.deploy", &with(&json!({"images": {"app": image('b')}})))
}

/// It has arrived.
async fn deployed(world: &World) -> Story {
    let mut story = deploy(world);
    assert_eq!(story.plan().await.unwrap(), 1);
    story.apply().await.unwrap();
    world.complete("web", &digest('b'));
    story.arrive().await.unwrap();
    story
}

/// It was undone, and its tasks run from these images.
async fn undone(world: &World, story: &mut Story, digests: &[Option<char>]) {
    story.undo().await.unwrap();
    world.complete("web", &digest('a'));
    run(world, OLD, digests);
}

/// The same, and none of their targets is healthy.
async fn without_targets(world: &World, digests: &[Option<char>]) -> Story {
    let mut story = deployed(world).await;
    undone(world, &mut story, digests).await;
    healthy(world, 0);
    story
}

#[tokio::test]
async fn an_image_under_a_moved_tag_is_not_called_restored() {
    let world = tagged(&[Some('a')]);
    let mut story = deployed(&world).await;
    undone(&world, &mut story, &[Some('a'), Some('c')]).await;
    let (is, was) = (digest('c'), digest('a'));
    let words = ["service web of main", "app runs", &*is, &*was, OLD, TAGGED, "--force-new-deployment"];
    fails(story.restored().await, FaultKind::Permanent, &words);
    // Who undoes it once more changes nothing, and is told the same.
    let written = story.writes().len();
    story.undo().await.unwrap();
    assert_eq!(story.writes().len(), written);
    fails(story.restored().await, FaultKind::Permanent, &words);
    // The tag was put right, and a person had the tasks started anew.
    world.state().services.get_mut("web").unwrap().deployments[0].id = "ecs-svc/by-hand".into();
    run(&world, OLD, &[Some('a'), Some('a')]);
    story.restored().await.unwrap();
}

#[tokio::test]
async fn of_images_that_ran_beside_each_other_any_is_right() {
    for (letter, is_right) in [('a', true), ('c', true), ('d', false)] {
        let world = tagged(&[Some('c'), Some('a')]);
        let mut story = deployed(&world).await;
        undone(&world, &mut story, &[Some(letter)]).await;
        let restored = story.restored().await;
        if is_right {
            restored.unwrap();
        } else {
            let both = format!("{} or {}", digest('a'), digest('c'));
            fails(restored, FaultKind::Permanent, &[&digest('d'), &both]);
        }
    }
}

#[tokio::test]
async fn an_image_that_nobody_tells_is_not_compared() {
    for (before, after) in [(None, Some('c')), (Some('a'), None)] {
        let world = tagged(&[before]);
        let mut story = deployed(&world).await;
        undone(&world, &mut story, &[after]).await;
        story.restored().await.unwrap();
    }
}

#[tokio::test]
async fn tasks_of_another_definition_tell_nothing_of_what_is_back() {
    let world = tagged(&[Some('a')]);
    let mut story = deployed(&world).await;
    let new = world.state().services["web"].definition.clone();
    undone(&world, &mut story, &[Some('a')]).await;
    world.state().tasks.push(task("arn:task/new", &new, "RUNNING", None, Some(digest('b').as_str())));
    let back = world.state().tasks.remove(0);
    assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })), "none of it is listed yet");
    world.state().tasks.push(back);
    story.restored().await.unwrap();
}

/// A sidecar that AWS adds to each task is of no definition, and is renewed when AWS likes.
#[tokio::test]
async fn a_container_that_no_definition_names_may_run_anything() {
    let world = tagged(&[Some('a')]);
    let beside = |letter| {
        let (name, image_digest) = ("aws-guardduty-agent".into(), Some(digest(letter)));
        let added = TaskContainer { name, exit_code: None, reason: None, image_digest };
        world.state().tasks[0].containers.push(added);
    };
    beside('d');
    let mut story = deployed(&world).await;
    undone(&world, &mut story, &[Some('a')]).await;
    beside('e');
    story.restored().await.unwrap();
}

#[tokio::test]
async fn who_may_not_look_at_tasks_is_told_so_and_goes_on() {
    let world = tagged(&[Some('a')]);
    let mut story = deploy(&world);
    world.state().hidden = Some(Fault::transient("ServiceUnavailable"));
    fails(story.plan().await, FaultKind::Transient, &["ServiceUnavailable"]);
    world.state().hidden = Some(Fault::blind("AccessDenied: these credentials may not look"));
    assert_eq!(story.plan().await.unwrap(), 1);
    let told = story.told().await.unwrap().notes.join(" ");
    assert!(told.contains("which images run could not be known") && told.contains("AccessDenied"), "{told}");
    // Who does not go back needs to know nothing of it.
    let mut kept = Story { is_undone: false, ..deploy(&world) };
    for hidden in [Fault::transient("ServiceUnavailable"), Fault::blind("AccessDenied")] {
        world.state().hidden = Some(hidden);
        assert_eq!(kept.plan().await.unwrap(), 1);
    }
    story.is_undone = false;
    let told = story.told().await.unwrap().notes.join(" ");
    assert!(!told.contains("AccessDenied"), "{told}");
    story.is_undone = true;
    world.state().hidden = None;
    story.apply().await.unwrap();
    undone(&world, &mut story, &[Some('c')]).await;
    story.restored().await.unwrap();
}

/// A run that was begun by an earlier version goes back as it would have gone.
#[tokio::test]
async fn what_no_record_tells_is_not_compared() {
    let world = tagged(&[Some('a')]);
    let mut story = deployed(&world).await;
    let proposal = story.proposal.as_mut().unwrap();
    let mut prior: Json = serde_json::from_str(&proposal.prior).unwrap();
    for field in ["ran", "served"] {
        assert!(prior.as_object_mut().unwrap().remove(field).is_some(), "{field} is recorded");
    }
    proposal.prior = prior.to_string().into();
    undone(&world, &mut story, &[Some('c')]).await;
    healthy(&world, 0);
    story.restored().await.unwrap();
}

#[tokio::test]
async fn it_is_not_back_before_a_target_is_healthy_again() {
    let world = world();
    let mut story = without_targets(&world, &[Some('a')]).await;
    let said = Mutex::new(String::new());
    {
        let (scope, tell) = (Scope::default(), |text: &str| said.lock().unwrap().push_str(text));
        let reads = Reads { world: &world, step: STEP, scope: &scope, progress: &tell };
        let look = story.action.look(&reads, Toward::Prior, &story.record()).await;
        assert!(matches!(look, Ok(Look::Moving { .. })), "{look:?}");
    }
    let said = said.into_inner().unwrap();
    let words = [GROUP, "10.0.0.0:80 is unhealthy (Target.Timeout)"];
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
    healthy(&world, 1);
    story.restored().await.unwrap();
}

#[tokio::test]
async fn where_no_target_becomes_healthy_again_it_is_not_restored() {
    let world = world();
    let mut story = without_targets(&world, &[Some('a')]).await;
    fails(story.restored().await, FaultKind::Permanent, &["not there in time"]);
}

/// Which of two groups requests come to changes with each deployment.
#[tokio::test]
async fn a_target_in_the_group_that_takes_turns_is_one_that_is_back() {
    let world = world();
    let mut story = without_targets(&world, &[Some('a')]).await;
    assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })));
    let other = GROUP.replace("/tg/", "/other/");
    world.state().services.get_mut("web").unwrap().alternates = vec![(GROUP.into(), other)];
    story.restored().await.unwrap();
}

#[tokio::test]
async fn nobody_waits_for_targets_where_none_was_healthy_before() {
    let world = world();
    healthy(&world, 0);
    let mut story = deploy(&world);
    assert_eq!(story.plan().await.unwrap(), 1);
    story.apply().await.unwrap();
    undone(&world, &mut story, &[Some('a')]).await;
    story.restored().await.unwrap();
}

#[tokio::test]
async fn where_nothing_should_run_nothing_is_waited_for() {
    let world = tagged(&[Some('a')]);
    let mut story = without_targets(&world, &[]).await;
    assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })));
    {
        let mut state = world.state();
        let service = state.services.get_mut("web").unwrap();
        service.desired = 0;
        (service.deployments[0].desired, service.deployments[0].running) = (0, 0);
    }
    story.restored().await.unwrap();
}

/// The service was given other target groups meanwhile: those of before are none of its own any more.
#[tokio::test]
async fn a_group_that_the_service_has_no_more_is_not_waited_for() {
    let world = world();
    let mut story = without_targets(&world, &[Some('a')]).await;
    world.state().services.get_mut("web").unwrap().target_groups = vec![GROUP.replace("/tg/", "/other/")];
    story.restored().await.unwrap();
}

#[tokio::test]
async fn a_definition_that_is_not_even_inactive_leaves_no_way_back() {
    let world = world();
    let story = deployed(&world).await;
    assert_eq!(story.way_back().await, None);
    world.state().definitions[0].active = false;
    assert_eq!(story.way_back().await, None, "the undo registers the same again");
    world.state().definitions.remove(0);
    let gone = story.way_back().await.unwrap();
    assert!(["there is no task definition", OLD].iter().all(|word| gone.contains(word)), "{gone}");
}

#[tokio::test]
async fn a_target_group_that_was_deleted_leaves_no_way_back() {
    let world = world();
    let story = deployed(&world).await;
    world.state().deleted.push(GROUP.into());
    let gone = story.way_back().await.unwrap();
    assert!([GROUP, "service web of main", "is gone"].iter().all(|word| gone.contains(word)), "{gone}");
    // By now the service has another one.
    world.state().services.get_mut("web").unwrap().target_groups = vec![GROUP.replace("/tg/", "/other/")];
    assert_eq!(story.way_back().await, None);
}

#[tokio::test]
async fn a_cluster_without_any_instance_leaves_no_way_back() {
    let world = world();
    world.state().services.get_mut("web").unwrap().placement = Placement::Instances;
    world.state().instances = Some(Ok(3));
    let story = deployed(&world).await;
    assert_eq!(story.way_back().await, None);
    world.state().instances = Some(Ok(0));
    let gone = story.way_back().await.unwrap();
    let words = ["no instance is registered in main", "could not be set back to", OLD];
    assert!(words.iter().all(|word| gone.contains(word)), "{gone}");
    // Who may not ask any more knows nothing of it.
    world.state().instances = Some(Err(Fault::blind("AccessDenied: these credentials may not look")));
    assert_eq!(story.way_back().await, None);
    // By now the service is placed elsewhere.
    world.state().instances = Some(Ok(0));
    world.state().services.get_mut("web").unwrap().placement = Placement::Provided;
    assert_eq!(story.way_back().await, None);
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_not_taken_for_gone() {
    let world = world();
    let story = deployed(&world).await;
    for fault in [
        Fault::blind("AccessDenied: these credentials may not look"),
        Fault::transient("ServiceUnavailable"),
        Fault::permanent("ValidationError: no"),
    ] {
        world.state().cut_off = Some(fault);
        let gone = story.action.way_back(&story.world.reads(), &story.record().prior).await;
        assert!(!matches!(gone, Ok(Some(_))), "{gone:?}");
    }
}

/// What was not written is not to be set back.
#[tokio::test]
async fn a_step_that_changed_nothing_needs_no_way_back() {
    let world = world();
    run(&world, OLD, &[Some('a')]);
    let mut story = Story::new(&world, "ecs.deploy", &with(&json!({"images": {"app": image('a')}})));
    assert_eq!(story.plan().await.unwrap(), 0);
    world.state().definitions.clear();
    world.state().deleted.push(GROUP.into());
    assert_eq!(story.way_back().await, None);
}
