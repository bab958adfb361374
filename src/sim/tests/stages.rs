//! A service takes over a definition in stages, and goes back from each of them.

use super::super::{REQUESTED, Stage, World};
use super::{SERVICE, world};
use crate::port::DeploymentStatus;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

const CANARY: &str = "strategy: canary, percent: 20, step_bake: 2m, bake: 3m";

fn staged(deployment: &str) -> World {
    world(&SERVICE.replace("grace: 30s", &format!("grace: 30s, deployment: {{ {deployment} }}")))
}

fn deploy(world: &mut World, image: &str) {
    let now = world.now;
    let content = serde_json::json!({"family": "web", "containerDefinitions": [
        {"name": "web", "image": image, "portMappings": [{"containerPort": 8080}]}]});
    let arn = world.register(content, now).unwrap().arn.clone();
    world.update_service("main", "web", Some(&arn), None, false, now).unwrap();
}

fn pass(world: &mut World, seconds: u64) {
    let next = world.now.after(Duration::from_secs(seconds));
    world.advance(next);
}

/// Second by second until it is at this stage.
fn until_at(world: &mut World, stage: Stage) {
    for _ in 0..1200 {
        if world.services[0].under_way().and_then(|one| one.stage) == Some(stage) {
            return;
        }
        pass(world, 1);
    }
    panic!("it never came to {stage:?}: {:?}", world.services[0].rollouts);
}

/// The images that requests come to.
fn answering(world: &World) -> Vec<String> {
    let turns = (0..20).filter_map(|turn| world.choose("front", 443, "/", turn).1);
    let images: BTreeSet<String> = turns.map(|id| world.tasks[&id].image().to_owned()).collect();
    images.into_iter().collect()
}

fn status(world: &World) -> DeploymentStatus {
    world.services[0].rollouts[0].status
}

const OLD: &str = "web@sha256:good";
const NEW: &str = "web@sha256:next";

#[test]
fn requests_come_over_as_the_stages_say() {
    let mut world = staged(CANARY);
    deploy(&mut world, NEW);
    pass(&mut world, 5);
    assert_eq!(answering(&world), [OLD]);
    until_at(&mut world, Stage::Shift);
    assert_eq!(answering(&world), [OLD, NEW]);
    let shifting = world.now;
    until_at(&mut world, Stage::Bake);
    assert_eq!(world.now.since(shifting), Duration::from_secs(120));
    assert_eq!(answering(&world), [NEW]);
    assert_eq!(world.tasks_of(&world.services[0]).filter(|task| task.status() == "RUNNING").count(), 4);
    let baking = world.now;
    until_at(&mut world, Stage::CleanUp);
    assert_eq!(world.now.since(baking), Duration::from_secs(180));
    pass(&mut world, 60);
    assert_eq!((status(&world), answering(&world)), (DeploymentStatus::Successful, vec![NEW.to_owned()]));
    assert_eq!(world.services[0].deployments.len(), 1);
}

#[test]
fn a_linear_shift_has_steps_of_one_size() {
    let mut world = staged("strategy: linear, percent: 40, step_bake: 1m, bake: 1m");
    deploy(&mut world, NEW);
    let mut shares = Vec::new();
    for _ in 0..400 {
        pass(&mut world, 1);
        shares.extend(world.services[0].under_way().map(|one| one.share));
    }
    shares.dedup();
    assert_eq!((shares, status(&world)), (vec![0, 40, 80, 100], DeploymentStatus::Successful));
}

#[test]
fn from_every_stage_it_goes_back_to_the_very_deployment_it_had() {
    for stage in [Stage::ScaleUp, Stage::Shift, Stage::Bake, Stage::CleanUp] {
        let mut world = staged(CANARY);
        let before = (world.services[0].deployments[0].id.clone(), world.state());
        deploy(&mut world, NEW);
        until_at(&mut world, stage);
        let (arn, now) = (world.services[0].rollouts[0].arn.clone(), world.now);
        world.turn_back(&arn, REQUESTED, now).unwrap();
        world.turn_back(&arn, REQUESTED, now).unwrap();
        assert_eq!(status(&world), DeploymentStatus::RollbackInProgress);
        // Tasks that leave already take no requests any more: new ones come first.
        if stage != Stage::CleanUp {
            assert_eq!(answering(&world), [OLD], "{stage:?}: at once");
        }
        pass(&mut world, 120);
        assert_eq!(status(&world), DeploymentStatus::RollbackSuccessful, "{stage:?}");
        let mut after = (world.services[0].deployments[0].id.clone(), world.state());
        after.1["task_definitions"] = before.1["task_definitions"].clone();
        assert_eq!(after, before, "{stage:?}");
        assert_eq!(world.turn_back(&arn, REQUESTED, now).unwrap_err().code, "ConflictException");
    }
    let mut world = staged(CANARY);
    let now = world.now;
    let none = world.turn_back("arn:none", REQUESTED, now).unwrap_err();
    assert_eq!(none.code, "ServiceDeploymentNotFoundException");
}

/// "The deployment circuit breaker can only be used for services using the rolling update."
#[test]
fn tasks_that_crash_hold_it_up() {
    let mut world = staged(CANARY);
    deploy(&mut world, "web@sha256:crash");
    pass(&mut world, 1200);
    let one = world.services[0].under_way().unwrap();
    assert_eq!((one.status, one.stage), (DeploymentStatus::InProgress, Some(Stage::ScaleUp)));
    assert_eq!(answering(&world), [OLD]);
}

#[test]
fn a_rolling_deployment_ends_as_its_breaker_or_a_newer_one_says() {
    let mut world = world(SERVICE);
    deploy(&mut world, NEW);
    assert_eq!((status(&world), world.services[0].rollouts[0].stage), (DeploymentStatus::InProgress, None));
    deploy(&mut world, "web@sha256:crash");
    assert_eq!(world.services[0].rollouts[1].status, DeploymentStatus::Stopped);
    pass(&mut world, 300);
    let broken = &world.services[0].rollouts[0];
    assert_eq!((broken.status, broken.is_broken()), (DeploymentStatus::RollbackSuccessful, true));
    deploy(&mut world, NEW);
    pass(&mut world, 120);
    assert_eq!(status(&world), DeploymentStatus::Successful);
}

/// Two worlds at different stages go on differently.
#[test]
fn a_stage_is_a_part_of_the_situation() {
    let situation = |world: &World| {
        let mut hash = DefaultHasher::new();
        world.situation(&mut hash);
        hash.finish()
    };
    let mut world = staged(CANARY);
    deploy(&mut world, NEW);
    until_at(&mut world, Stage::Bake);
    pass(&mut world, 60);
    let early = situation(&world);
    pass(&mut world, 60);
    assert_ne!(situation(&world), early);
}
