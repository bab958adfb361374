//! `ecs.deploy` of services that take over a definition in stages: followed, turned back, and never somebody else's.

use super::deploys::{GROUP, OLD, digest, image, with, world};
use super::world::{Fate, World, definition, deployment};
use super::{Story, fails, is_foreign};
use crate::action::Toward;
use crate::plan::{Scope, Timestamp};
use crate::port::{
    DeploymentStatus, HookSeen, Monitors, Rollout, ServiceDeployment, Shift, Strategy, StrategyKind,
};
use crate::run::{Fault, FaultKind, Landed, Look};
use serde_json::json;
use std::time::Duration;

const NEW: &str = "arn:aws:ecs:eu-west-1:1:task-definition/web:2";

/// A service deployment that is under way.
pub(super) fn rollout(arn: &str, definition: &str, created: Timestamp) -> ServiceDeployment {
    ServiceDeployment {
        arn: arn.into(),
        status: DeploymentStatus::InProgress,
        reason: None,
        created,
        definition: Some(definition.into()),
        stage: Some("SCALE_UP".into()),
        share: Some(0.0),
        hooks: Vec::new(),
        breaker: false,
        alarms: Vec::new(),
    }
}

impl World {
    /// The newest service deployment stands so.
    fn stand(&self, status: DeploymentStatus, stage: Option<&str>) {
        let mut state = self.state();
        let newest = &mut state.rollouts[0];
        (newest.status, newest.stage) = (status, stage.map(str::to_owned));
    }

    /// The provider turned the newest service deployment back, and the tasks of this definition are all there is.
    fn turned_back(&self, name: &str, back_to: &str, digest: &str) {
        self.stand(DeploymentStatus::RollbackSuccessful, None);
        {
            let mut state = self.state();
            let service = state.services.get_mut(name).unwrap();
            service.definition = back_to.into();
            service.deployments = vec![deployment("ecs-svc/0", back_to, Rollout::Completed)];
        }
        self.complete(name, digest);
    }
}

/// A fifth of the requests, all of them five minutes later, and a bake of five minutes.
fn canary() -> Strategy {
    Strategy {
        kind: StrategyKind::Canary,
        shift: Some(Shift { percent: 20.0, wait: Duration::from_secs(300) }),
        bake: Duration::from_secs(300),
        ..Strategy::default()
    }
}

/// Task by task, while alarms are watched.
fn watched() -> Strategy {
    let monitors = Monitors { alarms: vec!["web-5xx".into()], ..Monitors::default() };
    Strategy { monitors, ..Strategy::default() }
}

fn taking_over(strategy: Strategy) -> World {
    let world = world();
    world.state().services.get_mut("web").unwrap().strategy = strategy;
    world
}

fn deploy(world: &World) -> Story {
    let healthy = json!({"targets": 1, "within": "30m"});
    Story::new(world, "ecs.deploy", &with(&json!({"images": {"app": image('b')}, "healthy": healthy})))
}

/// The new definition is being taken over, and the run has found out by which service deployment.
async fn under_way(world: &World) -> Story {
    let mut story = deploy(world);
    assert_eq!(story.plan().await.unwrap(), 1);
    story.apply().await.unwrap();
    for _ in 0..2 {
        assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
    }
    story
}

/// It is over, as ECS tells.
fn over(world: &World) {
    world.stand(DeploymentStatus::Successful, None);
    world.complete("web", &digest('b'));
}

#[tokio::test]
async fn it_has_arrived_once_its_service_deployment_is_successful() {
    let world = taking_over(canary());
    let mut story = under_way(&world).await;
    world.complete("web", &digest('b'));
    world.stand(DeploymentStatus::InProgress, Some("BAKE_TIME"));
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })), "all run, and it bakes");
    over(&world);
    assert_eq!(story.arrive().await.unwrap()["task_definition"], NEW);
}

/// `earlySuccessCriteria`: some tasks are still to come.
#[tokio::test]
async fn called_done_early_it_has_not_arrived() {
    let world = taking_over(Strategy { early: Some(50), ..Strategy::default() });
    let mut story = under_way(&world).await;
    over(&world);
    world.state().services.get_mut("web").unwrap().deployments[0].running = 1;
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
    world.complete("web", &digest('c'));
    fails(story.arrive().await, FaultKind::Permanent, &[&digest('c'), &digest('b')]);
}

#[tokio::test]
async fn what_ecs_turns_back_has_failed_in_its_words() {
    for status in DeploymentStatus::ALL.into_iter().filter(|status| status.is_turned_back()) {
        let world = taking_over(canary());
        let mut story = under_way(&world).await;
        world.stand(status, Some("BAKE_TIME"));
        {
            let mut state = world.state();
            state.rollouts[0].alarms = vec!["web-5xx".into()];
            state.rollouts[0].reason = Some("an alarm was in ALARM".into());
        }
        let words = ["turned back by ECS", status.word(), "BAKE_TIME", "an alarm was in ALARM", "web-5xx"];
        fails(story.look(Toward::Desired(1)).await, FaultKind::Permanent, &words);
        // PRIMARY is what it was by then, or not yet.
        world.turned_back("web", OLD, &digest('a'));
        world.stand(status, Some("BAKE_TIME"));
        fails(story.look(Toward::Desired(1)).await, FaultKind::Permanent, &words);
    }
}

#[tokio::test]
async fn what_ended_it_is_told_as_far_as_it_is_known() {
    let hook = |person, status: &str| HookSeen { person, status: status.into(), expires: None, back: true };
    for (status, breaker, hooks, words) in [
        (
            DeploymentStatus::RollbackRequested,
            true,
            vec![],
            ["turned back by ECS", "circuit breaker gave it up"],
        ),
        (
            DeploymentStatus::RollbackInProgress,
            false,
            vec![hook(true, "TIMED_OUT")],
            ["turned", "nobody continued it"],
        ),
        (
            DeploymentStatus::RollbackInProgress,
            false,
            vec![hook(false, "FAILED")],
            ["turned", "a hook of it FAILED"],
        ),
        (DeploymentStatus::Stopped, false, vec![], ["was stopped", "see who stopped it"]),
        (DeploymentStatus::StopRequested, false, vec![], ["was stopped", "see who stopped it"]),
    ] {
        let world = taking_over(canary());
        let mut story = under_way(&world).await;
        world.stand(status, None);
        {
            let mut state = world.state();
            (state.rollouts[0].breaker, state.rollouts[0].hooks) = (breaker, hooks);
        }
        fails(story.look(Toward::Desired(1)).await, FaultKind::Permanent, &words);
    }
}

/// Who turned it back by hand is told of a plain rolling deployment, too.
#[tokio::test]
async fn a_rolling_deployment_that_was_turned_back_by_hand_has_failed() {
    let world = world();
    let mut story = deploy(&world);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    let mut theirs = rollout("arn:service-deployment/1", NEW, world.state().now);
    theirs.status = DeploymentStatus::RollbackSuccessful;
    world.state().rollouts.push(theirs);
    world.pass(Duration::from_secs(120));
    world.turned_back("web", OLD, &digest('a'));
    fails(story.look(Toward::Desired(1)).await, FaultKind::Permanent, &["ROLLBACK_SUCCESSFUL"]);
}

/// The same definition was deployed, and turned back, a minute ago; the list is late.
#[tokio::test]
async fn an_earlier_try_is_not_taken_for_this_one() {
    let world = taking_over(canary());
    let now = world.state().now;
    let mut before = rollout("arn:service-deployment/before", NEW, Timestamp(now.0 - 60_000));
    before.status = DeploymentStatus::RollbackSuccessful;
    world.state().rollouts.push(before.clone());
    let mut story = deploy(&world);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    let listed = std::mem::replace(&mut world.state().rollouts, vec![before]);
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { note: None, .. })));
    world.state().rollouts = listed;
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { note: Some(_), .. })));
    over(&world);
    story.arrive().await.unwrap();
}

#[tokio::test]
async fn who_may_not_list_follows_a_rolling_deployment_by_its_id() {
    let world = taking_over(watched());
    let mut story = deploy(&world);
    world.state().closed = Some(Fault::blind("AccessDeniedException: these credentials may not look"));
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
    world.complete("web", &digest('b'));
    story.arrive().await.unwrap();
}

#[tokio::test]
async fn who_may_not_list_begins_no_deployment_with_stages() {
    let world = taking_over(canary());
    world.state().closed = Some(Fault::blind("AccessDeniedException: these credentials may not look"));
    fails(deploy(&world).plan().await, FaultKind::Blind, &["AccessDeniedException"]);
}

#[tokio::test]
async fn a_deployment_of_somebody_else_is_not_overtaken() {
    let world = taking_over(canary());
    let theirs = rollout("arn:service-deployment/theirs", OLD, world.state().now);
    world.state().rollouts.push(theirs);
    is_foreign(deploy(&world).plan().await, &["arn:service-deployment/theirs", "IN_PROGRESS"]);
}

#[tokio::test]
async fn nor_is_one_that_began_after_the_plan() {
    let world = taking_over(canary());
    let mut story = deploy(&world);
    story.plan().await.unwrap();
    let theirs = rollout("arn:service-deployment/theirs", OLD, world.state().now);
    world.state().rollouts.push(theirs);
    is_foreign(story.apply().await, &["arn:service-deployment/theirs"]);
    assert!(story.writes().is_empty());
}

/// Whatever PRIMARY is called meanwhile.
#[tokio::test]
async fn what_is_under_way_is_not_gone() {
    let world = taking_over(canary());
    let mut story = under_way(&world).await;
    world.pass(Duration::from_secs(120));
    let old = deployment("ecs-svc/0", OLD, Rollout::Completed);
    world.state().services.get_mut("web").unwrap().deployments = vec![old];
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
    world.stand(DeploymentStatus::Stopped, None);
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Prior)), "somebody set it back");
}

/// containers-roadmap#2474: ten minutes were waited for a service to be stable, and nobody could have it wait for longer. Here the
/// plan says how long, and it must be enough.
#[tokio::test]
async fn there_must_be_time_for_all_stages() {
    let short = Strategy { bake: Duration::from_secs(1500), ..canary() };
    fails(deploy(&taking_over(short)).plan().await, FaultKind::Permanent, &["CANARY", "30m", "within"]);
    let just = Strategy { bake: Duration::from_secs(1499), ..canary() };
    assert_eq!(deploy(&taking_over(just)).plan().await.unwrap(), 1);
}

#[tokio::test]
async fn what_is_under_way_is_turned_back_and_awaited() {
    let world = taking_over(canary());
    let mut story = under_way(&world).await;
    let written = story.writes().len();
    story.undo().await.unwrap();
    assert_eq!(story.writes()[written..], ["turn back arn:service-deployment/1"], "and nothing else");
    // PRIMARY may be what it was from the first moment on: it is not over for that.
    for _ in 0..2 {
        assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })));
        world.turned_back("web", OLD, &digest('a'));
        world.stand(DeploymentStatus::RollbackInProgress, Some("PRODUCTION_TRAFFIC_SHIFT"));
    }
    // Undone once more, it is left to what is under way.
    story.undo().await.unwrap();
    assert_eq!(story.writes().len(), written + 1);
    world.turned_back("web", OLD, &digest('a'));
    story.restored().await.unwrap();
    assert_eq!(story.writes().len(), written + 1);
}

/// `ROLLBACK_FAILED` leaves the service where it was: then it is set back.
#[tokio::test]
async fn what_could_not_be_turned_back_is_set_back() {
    let world = taking_over(canary());
    let mut story = under_way(&world).await;
    story.undo().await.unwrap();
    world.pass(Duration::from_secs(120));
    world.stand(DeploymentStatus::RollbackFailed, None);
    assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Desired { .. })), "it did not take");
    story.undo().await.unwrap();
    assert!(story.writes().last().unwrap().starts_with(&format!("update {OLD}")));
    assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })), "through all stages again");
    world.stand(DeploymentStatus::Successful, None);
    world.complete("web", &digest('a'));
    story.restored().await.unwrap();
}

#[tokio::test]
async fn what_is_over_is_undone_by_another_deployment() {
    let world = taking_over(canary());
    let mut story = under_way(&world).await;
    over(&world);
    story.arrive().await.unwrap();
    story.undo().await.unwrap();
    assert!(story.writes().last().unwrap().starts_with(&format!("update {OLD}")));
    world.stand(DeploymentStatus::InProgress, Some("BAKE_TIME"));
    world.complete("web", &digest('a'));
    assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })), "it bakes");
    world.stand(DeploymentStatus::Successful, None);
    story.restored().await.unwrap();
}

#[tokio::test]
async fn what_ecs_turns_back_already_is_awaited() {
    let world = taking_over(canary());
    let mut story = under_way(&world).await;
    world.stand(DeploymentStatus::RollbackInProgress, None);
    let written = story.writes().len();
    story.undo().await.unwrap();
    assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })));
    world.turned_back("web", OLD, &digest('a'));
    story.restored().await.unwrap();
    assert_eq!(story.writes().len(), written, "nothing is sent");
}

/// A moment after it began: the deployment that is listed is the very one that it has replaced.
#[tokio::test]
async fn what_ecs_has_turned_back_needs_no_undo() {
    let world = taking_over(canary());
    let mut story = under_way(&world).await;
    world.turned_back("web", OLD, &digest('a'));
    fails(story.look(Toward::Desired(1)).await, FaultKind::Permanent, &["ROLLBACK_SUCCESSFUL"]);
    let (written, over) = (story.writes().len(), world.state().rollouts.clone());
    // Where nothing is told of it, or that it is done, the other list is late.
    world.stand(DeploymentStatus::Successful, None);
    fails(story.undo().await, FaultKind::Transient, &["not listed yet"]);
    world.state().rollouts.clear();
    fails(story.undo().await, FaultKind::Transient, &["not listed yet"]);
    world.state().rollouts = over;
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(story.writes().len(), written, "nothing is sent");
}

/// The same definition is deployed by somebody else: by its ARN it is not ours.
#[tokio::test]
async fn a_service_deployment_of_somebody_else_is_never_turned_back() {
    let world = taking_over(canary());
    let mut story = under_way(&world).await;
    world.stand(DeploymentStatus::Stopped, None);
    let theirs = rollout("arn:service-deployment/theirs", NEW, world.state().now);
    world.state().rollouts.insert(0, theirs);
    let written = story.writes().len();
    is_foreign(story.undo().await, &["arn:service-deployment/theirs", "left alone"]);
    assert_eq!(story.writes().len(), written);
}

/// Nobody knows the ARN, for the answer was lost: then it is known by what it deploys.
#[tokio::test]
async fn without_its_arn_it_is_known_by_what_it_deploys() {
    for (theirs, foreign) in [(NEW, false), ("arn:aws:ecs:eu-west-1:1:task-definition/web:9", true)] {
        let world = taking_over(canary());
        let mut story = deploy(&world);
        story.plan().await.unwrap();
        world.state().definitions.push(definition("web", 9, &image('f')));
        world.state().definitions.push(definition("web", 2, &image('b')));
        world.state().fate = Some(Fate::LostAfter);
        assert_eq!(story.apply().await.unwrap_err().landed, Landed::Maybe);
        world.state().rollouts[0].definition = Some(theirs.into());
        let undone = story.undo().await;
        if foreign {
            is_foreign(undone, &["left alone"]);
        } else {
            undone.unwrap();
            assert_eq!(story.writes().last().unwrap(), "turn back arn:service-deployment/1");
        }
    }
}

#[tokio::test]
async fn a_lost_answer_of_turning_back_is_settled_by_looking() {
    for (fate, landed) in [(Fate::LostBefore, false), (Fate::LostAfter, true)] {
        let world = taking_over(canary());
        let mut story = under_way(&world).await;
        world.state().fate = Some(fate);
        assert_eq!(story.undo().await.unwrap_err().landed, Landed::Maybe);
        story.since = world.state().now;
        assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })), "it may land yet");
        world.pass(Duration::from_secs(120));
        match story.look(Toward::Prior).await.unwrap() {
            Look::Desired { .. } => assert!(!landed),
            Look::Moving { .. } => assert!(landed),
            look => panic!("{look:?}"),
        }
        story.undo().await.unwrap();
        world.turned_back("web", OLD, &digest('a'));
        story.restored().await.unwrap();
        let sent = story.writes().iter().filter(|write| write.starts_with("turn back")).count();
        assert_eq!(sent, 1);
    }
}

/// It ends between the look and the call.
#[tokio::test]
async fn what_ended_just_before_it_was_turned_back_is_undone_otherwise() {
    let world = taking_over(canary());
    let mut story = under_way(&world).await;
    let under_way = world.state().rollouts.clone();
    over(&world);
    let over = std::mem::replace(&mut world.state().rollouts, under_way);
    world.state().meanwhile = Some(over);
    fails(story.undo().await, FaultKind::Transient, &["it is over"]);
    story.undo().await.unwrap();
    assert!(story.writes().last().unwrap().starts_with(&format!("update {OLD}")));
}

/// Turning back brings the definition back, and not the count.
#[tokio::test]
async fn a_count_that_the_plan_owns_is_restored_after_it_was_turned_back() {
    let world = taking_over(canary());
    let wanted = json!({"images": {"app": image('b')}, "desired_count": 4, "healthy": {"within": "30m"}});
    let mut story = Story::new(&world, "ecs.deploy", &with(&wanted));
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    story.undo().await.unwrap();
    world.turned_back("web", OLD, &digest('a'));
    assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Desired { .. })), "4 tasks still");
    story.undo().await.unwrap();
    assert_eq!(story.writes().last().unwrap(), &format!("update {OLD} Some(2)"));
    world.stand(DeploymentStatus::Successful, None);
    world.complete("web", &digest('a'));
    story.restored().await.unwrap();
    assert_eq!(world.state().services["web"].desired, 2);
}

/// Which of two target groups requests come to changes with each deployment.
#[tokio::test]
async fn targets_are_healthy_in_the_group_that_takes_turns() {
    let world = taking_over(canary());
    let mut story = under_way(&world).await;
    over(&world);
    world.state().healthy.insert(GROUP.into(), 0);
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
    let other = GROUP.replace("/tg/", "/other/");
    world.state().services.get_mut("web").unwrap().alternates = vec![(GROUP.into(), other)];
    story.arrive().await.unwrap();
}

/// A rolling deployment that is watched by alarms is followed, and undone as ever.
#[tokio::test]
async fn a_rolling_deployment_is_set_back() {
    let world = taking_over(watched());
    let mut story = under_way(&world).await;
    story.undo().await.unwrap();
    assert!(story.writes().last().unwrap().starts_with(&format!("update {OLD}")));
    assert_eq!(world.state().services["web"].deployments[0].rollout, Rollout::InProgress);
}

/// What is under way is not overtaken by hand, either.
#[tokio::test]
async fn commands_turn_back_first() {
    for (strategy, count) in [(canary(), 3), (watched(), 1)] {
        let world = taking_over(strategy);
        let mut story = deploy(&world);
        story.plan().await.unwrap();
        let prior = &story.proposal.as_ref().unwrap().prior;
        let commands = story.action.undo_by_hand(prior, &Scope::default());
        assert_eq!(commands.len(), count, "{commands:#?}");
        assert!(
            commands
                .last()
                .unwrap()
                .contains(&format!("update-service --cluster main --service web --task-definition {OLD}"))
        );
        assert_eq!(commands.iter().any(|one| one.contains("--stop-type ROLLBACK")), count > 1);
    }
}
