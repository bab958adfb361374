//! `ecs.deploy`.

use super::world::{Fate, World, definition, deployment, service};
use super::{Story, codes, fails, is_foreign};
use crate::action::Toward;
use crate::port::{CapacityProvider, Named, Placement, Presence, Pull, Rollout, Service};
use crate::run::{Fault, FaultKind, Landed, Look};
use serde_json::{Value as Json, json};
use std::time::Duration;

pub(super) const OLD: &str = "arn:aws:ecs:eu-west-1:1:task-definition/web:1";
pub(super) const GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/tg/1";

pub(super) fn digest(letter: char) -> String {
    format!("sha256:{}", letter.to_string().repeat(64))
}

pub(super) fn image(letter: char) -> String {
    format!("repo/web@{}", digest(letter))
}

pub(super) fn world() -> World {
    let world = World::new();
    {
        let mut state = world.state();
        state.definitions.push(definition("web", 1, &image('a')));
        state.services.insert("web".into(), service("web", OLD));
    }
    world
}

pub(super) fn with(more: &Json) -> Json {
    let mut with = json!({"target": "prod", "cluster": "main", "service": "web"});
    for (key, value) in more.as_object().unwrap() {
        with[key] = value.clone();
    }
    with
}

fn deploy(world: &World) -> Story {
    Story::new(world, "ecs.deploy", &with(&json!({"images": {"app": image('b')}})))
}

async fn applied(world: &World) -> Story {
    let mut story = deploy(world);
    assert_eq!(story.plan().await.unwrap(), 1);
    story.apply().await.unwrap();
    story
}

/// Somebody deploys a definition of their own.
fn meddle(world: &World) {
    let mut state = world.state();
    let theirs = definition("web", 9, &image('f'));
    let arn = theirs.arn.clone();
    state.definitions.push(theirs);
    let service = state.services.get_mut("web").unwrap();
    service.deployments = vec![deployment("ecs-svc/theirs", &arn, Rollout::Completed)];
}

#[tokio::test]
async fn a_deployment_has_arrived_by_id_digest_and_health() {
    let world = world();
    let mut story = applied(&world).await;
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
    world.complete("web", &digest('b'));
    let out = story.arrive().await.unwrap();
    assert_eq!(out["task_definition"], "arn:aws:ecs:eu-west-1:1:task-definition/web:2");
    assert_eq!(out["running"], 2);
}

#[tokio::test]
async fn too_few_healthy_targets_are_not_success() {
    let world = world();
    let mut story = applied(&world).await;
    world.complete("web", &digest('b'));
    world.state().healthy.insert(GROUP.into(), 0);
    fails(story.arrive().await, FaultKind::Permanent, &["not there in time"]);
}

#[tokio::test]
async fn a_task_from_another_image_is_not_success() {
    let world = world();
    let mut story = applied(&world).await;
    world.complete("web", &digest('c'));
    fails(story.arrive().await, FaultKind::Permanent, &[&digest('c'), &digest('b')]);
}

/// ecspresso#733: once it was stable, nobody looked whether PRIMARY is what was deployed.
#[tokio::test]
async fn stable_after_the_circuit_breaker_is_a_failure_with_its_reasons() {
    let world = world();
    let mut story = applied(&world).await;
    world.break_circuit("web", OLD);
    let words =
        ["ECS rolled it back", "circuit breaker", "CannotPullContainerError", "tasks failed to start"];
    let ended = story.arrive().await;
    let told = format!("{ended:?}");
    fails(ended, FaultKind::Permanent, &words);
    assert!(!told.contains("Scaling activity"), "that is a task of another definition: {told}");
    story.undo().await.unwrap();
    story.restored().await.unwrap();
}

/// copilot-cli#2041, containers-roadmap#1247: a deployment that could only fail was waited for, until ten tasks had failed.
#[tokio::test]
async fn as_many_failures_as_the_plan_says_are_enough() {
    let world = world();
    let with = with(&json!({"images": {"app": image('b')}, "healthy": {"failed_tasks": 2}}));
    let mut story = Story::new(&world, "ecs.deploy", &with);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    let fail = |count| world.state().services.get_mut("web").unwrap().deployments[0].failed = count;
    fail(1);
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
    fail(2);
    let words = ["is given up, for so many of its tasks failed to start (2)"];
    fails(story.look(Toward::Desired(1)).await, FaultKind::Permanent, &words);
    story.undo().await.unwrap();
    world.complete("web", &digest('a'));
    story.restored().await.unwrap();
}

#[tokio::test]
async fn a_service_that_should_run_nothing_deploys_nothing() {
    let world = world();
    world.state().services.get_mut("web").unwrap().desired = 0;
    fails(deploy(&world).plan().await, FaultKind::Permanent, &["0 tasks"]);
}

#[tokio::test]
async fn what_runs_already_is_not_deployed_again() {
    let world = world();
    world.complete("web", &digest('a'));
    let mut story = Story::new(&world, "ecs.deploy", &with(&json!({"images": {"app": image('a')}})));
    assert_eq!(story.plan().await.unwrap(), 0);
    story.arrive().await.unwrap();
    assert!(story.writes().is_empty());
}

/// botocore#2865: a service that CodeDeploy deploys tells of no deployments, and was waited for until time was up.
#[tokio::test]
async fn a_service_that_tells_of_no_deployments_is_found_before_going() {
    let world = world();
    world.state().services.get_mut("web").unwrap().deployments.clear();
    fails(deploy(&world).plan().await, FaultKind::Permanent, &["has no PRIMARY deployment"]);
}

#[tokio::test]
async fn somebody_elses_deployment_under_way_is_not_overtaken() {
    let world = world();
    world.state().services.get_mut("web").unwrap().deployments[0].rollout = Rollout::InProgress;
    is_foreign(deploy(&world).plan().await, &["under way", "ecs-svc/0"]);
}

#[tokio::test]
async fn a_definition_that_could_not_be_restored_is_found_before_going() {
    let world = world();
    world.state().definitions[0].active = false;
    fails(deploy(&world).plan().await, FaultKind::Permanent, &["INACTIVE", OLD]);
}

/// ecs-deploy#8, aws-cdk#24372: what was to be gone back to was deregistered meanwhile.
#[tokio::test]
async fn what_was_deregistered_meanwhile_is_registered_again_to_go_back() {
    for lost in [false, true] {
        let world = world();
        let mut story = applied(&world).await;
        world.complete("web", &digest('b'));
        story.arrive().await.unwrap();
        let old = world.state().definitions[0].clone();
        world.state().definitions[0].active = false;
        story.undo().await.unwrap();
        if lost {
            story.note = None;
        }
        assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })));
        world.complete("web", &digest('a'));
        story.restored().await.unwrap();
        let again = world.state().definitions.last().unwrap().clone();
        assert!(again.active && again.arn != old.arn && again.content == old.content, "{again:?}");
        assert_eq!(world.state().services["web"].definition, again.arn);
        // Whoever undoes it once more finds it done.
        let written = story.writes().len();
        story.undo().await.unwrap();
        assert_eq!(story.writes().len(), written);
        story.restored().await.unwrap();
    }
    // Nothing says what it was.
    let world = world();
    let mut story = applied(&world).await;
    world.complete("web", &digest('b'));
    story.arrive().await.unwrap();
    world.state().definitions.remove(0);
    fails(story.undo().await, FaultKind::Permanent, &["there is no task definition", OLD]);
}

/// Minutes of a deployment went by until its tasks were said not to start.
#[tokio::test]
async fn what_the_definition_names_and_is_not_there_is_told_beforehand() {
    let world = world();
    let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
    let secret = |name: &str| format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}");
    {
        let mut state = world.state();
        let content = &mut state.definitions[0].content;
        content["executionRoleArn"] = role("gone").into();
        content["taskRoleArn"] = role("there").into();
        let app = &mut content["containerDefinitions"][0];
        app["secrets"] = json!([
            {"name": "DB", "valueFrom": secret("db") + ":password::"},
            {"name": "OLD", "valueFrom": secret("old")},
            {"name": "TOKEN", "valueFrom": "/aep/token"},
            {"name": "FAR", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/far"},
        ]);
        let options = json!({"awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1"});
        app["logConfiguration"] = json!({"logDriver": "awslogs", "options": options});
        state.present.insert(Named::Role(role("gone")), Presence::Missing);
        state.present.insert(Named::Secret(secret("old")), Presence::Leaving);
        let denied = Presence::Unknown("AccessDeniedException: /aep/token".into());
        state.present.insert(Named::Parameter("/aep/token".into()), denied);
        state.present.insert(Named::LogGroup("/ecs/web".into()), Presence::Missing);
    }
    let mut story = deploy(&world);
    assert_eq!(story.plan().await.unwrap(), 1, "it holds nothing up");
    assert!(world.state().sought.is_empty(), "only a preview asks");
    let told = story.told().await.unwrap().notes;
    let told: Vec<&str> = told.iter().map(|note| &**note).filter(|note| note.contains("names (")).collect();
    let role = "role arn:aws:iam::123456789012:role/gone, which the definition names (executionRoleArn), does not \
                exist: its tasks would not start";
    let old = "secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:old, which the definition names \
               (app.secrets[OLD]), is marked for deletion: its tasks would not start";
    let token = "whether a parameter, which the definition names (app.secrets[TOKEN]), is there could not be known: \
                 AccessDeniedException: (not shown)";
    let group = "log group /ecs/web, which the definition names (app.logConfiguration.options.awslogs-group), does \
                 not exist: its tasks would not start";
    let far = "whether parameter arn:aws:ssm:us-east-1:123456789012:parameter/far, which the definition names \
               (app.secrets[FAR]), is there could not be known: it is in us-east-1";
    assert_eq!(told, [role, old, token, group, far]);
    assert_eq!(world.state().sought.len(), 6, "each once, and what is elsewhere not at all");
    // The run does not ask.
    story.apply().await.unwrap();
    world.complete("web", &digest('b'));
    story.arrive().await.unwrap();
    assert_eq!(world.state().sought.len(), 6);
}

/// A world whose service runs an image of ECR.
fn world_of_ecr() -> World {
    let world = world();
    world.state().definitions[0] = definition("web", 1, &in_ecr('a'));
    world
}

fn in_ecr(letter: char) -> String {
    format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/web@{}", digest(letter))
}

fn deploy_from_ecr(world: &World) -> Story {
    Story::new(world, "ecs.deploy", &with(&json!({"images": {"app": in_ecr('b')}})))
}

fn deleted() -> Pull {
    Pull::Cannot("ECR does not have it: ImageNotFoundException: gone".into())
}

/// aws-cdk#24372, containers-roadmap#1078: the image of the old definition had expired, and nothing could be gone back to.
#[tokio::test]
async fn an_image_that_nobody_can_pull_any_more_is_found_before_going() {
    for (letter, what) in [('a', "could not be set back to"), ('b', "could not be set to it")] {
        let world = world_of_ecr();
        world.state().pulls.insert(in_ecr(letter), deleted());
        let found = deploy_from_ecr(&world).plan().await;
        fails(found, FaultKind::Permanent, &[&in_ecr(letter), "ImageNotFoundException", what]);
        // Nothing would be started.
        world.complete("web", &digest('a'));
        let mut same = Story::new(&world, "ecs.deploy", &with(&json!({"images": {"app": in_ecr('a')}})));
        assert_eq!(same.plan().await.unwrap(), 0);
        same.arrive().await.unwrap();
    }
    // Who means to go on without a way back says so.
    let world = world_of_ecr();
    world.state().pulls.insert(in_ecr('a'), deleted());
    let mut story = Story { is_undone: false, ..deploy_from_ecr(&world) };
    assert_eq!(story.plan().await.unwrap(), 1);
    // Who may not look knows nothing, and is told so beforehand.
    let world = world_of_ecr();
    world.state().pulls.insert(in_ecr('a'), Pull::Unknown("AccessDeniedException".into()));
    let mut story = deploy_from_ecr(&world);
    assert_eq!(story.plan().await.unwrap(), 1);
    let told = story.told().await.unwrap().notes.join(" ");
    assert!(told.contains(&format!("whether {} can be pulled", in_ecr('a'))), "{told}");
    assert!(told.contains("AccessDeniedException") && !told.contains(&in_ecr('b')), "{told}");
    // Who does not go back needs it no more.
    story.is_undone = false;
    let told = story.told().await.unwrap().notes.join(" ");
    assert!(!told.contains("AccessDeniedException"), "{told}");
}

#[tokio::test]
async fn an_image_that_the_way_back_needs_is_looked_for_as_long_as_the_run_lives() {
    let world = world_of_ecr();
    let mut story = deploy_from_ecr(&world);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    world.complete("web", &digest('b'));
    story.arrive().await.unwrap();
    assert_eq!(story.way_back().await, None);
    world.state().pulls.insert(in_ecr('a'), deleted());
    let gone = story.way_back().await.unwrap();
    assert!([&*in_ecr('a'), "push it again", OLD].iter().all(|word| gone.contains(word)), "{gone}");
    world.state().pulls.clear();
    assert_eq!(story.way_back().await, None);
    // Whether it arrives, and whether it is back, is what the service makes of it.
    world.state().pulls.insert(in_ecr('a'), deleted());
    story.arrive().await.unwrap();
    story.undo().await.unwrap();
    world.complete("web", &digest('a'));
    story.restored().await.unwrap();
}

/// The service is placed by a capacity provider of the account, which stands like this.
fn provided(world: &World, status: Option<&str>) {
    let mut state = world.state();
    state.services.get_mut("web").unwrap().placement = Placement::Providers(vec!["ours".into()]);
    state.providers = vec![CapacityProvider { name: "ours".into(), status: status.map(str::to_owned) }];
}

/// The service is placed on instances of its cluster; this is said of how many there are.
fn on_instances(world: &World, count: Result<u32, Fault>) {
    let mut state = world.state();
    state.services.get_mut("web").unwrap().placement = Placement::Instances;
    state.instances = Some(count);
}

/// No error of ECS tells it: the service just waits for its tasks.
#[tokio::test]
async fn tasks_that_could_not_be_placed_are_found_before_going() {
    for status in ["DEPROVISIONING", "INACTIVE"] {
        let world = world();
        provided(&world, Some(status));
        let words = format!("capacity provider ours of main is {status}");
        let words = [words.as_str(), "tasks of service web of main could not be placed"];
        fails(deploy(&world).plan().await, FaultKind::Permanent, &words);
    }
    let world = world();
    on_instances(&world, Ok(0));
    fails(deploy(&world).plan().await, FaultKind::Permanent, &["no instance is registered in main"]);
}

#[tokio::test]
async fn what_nobody_can_know_of_room_is_told_beforehand() {
    let told = async |world: &World| {
        let mut story = deploy(world);
        assert_eq!(story.plan().await.unwrap(), 1);
        story.told().await.unwrap().notes.join(" ")
    };
    let world = world();
    assert!(!told(&world).await.contains("placed"), "nobody is asked about what is always there");
    world.state().services.get_mut("web").unwrap().placement = Placement::Spare;
    assert!(told(&world).await.contains("service web of main is placed on spare capacity alone"));
    for (status, words) in [
        (Some("ACTIVE"), "capacity provider ours is ACTIVE; whether there is room"),
        (Some("PROVISIONING"), "capacity provider ours is PROVISIONING; whether there is room"),
        (None, "can be placed could not be known: no capacity provider ours is told of in main"),
    ] {
        provided(&world, status);
        assert!(told(&world).await.contains(words));
    }
    world.state().providers.clear();
    assert!(told(&world).await.contains("could not be known: nothing is told of capacity provider ours"));
    on_instances(&world, Ok(3));
    assert!(told(&world).await.contains("3 instances are registered in main; whether there is room"));
    // Who may not ask is not held up.
    on_instances(&world, Err(Fault::blind("AccessDenied: these credentials may not look")));
    assert!(told(&world).await.contains("can be placed could not be known: AccessDenied"));
}

/// Requests would have no way there.
#[tokio::test]
async fn a_target_group_that_is_gone_is_found_before_going() {
    let world = world();
    world.state().services.get_mut("web").unwrap().target_groups = vec!["none".into()];
    fails(deploy(&world).plan().await, FaultKind::Permanent, &["there is no target group none"]);
}

#[tokio::test]
async fn a_deployment_between_plan_and_apply_is_never_overwritten() {
    let world = world();
    let mut story = deploy(&world);
    story.plan().await.unwrap();
    meddle(&world);
    is_foreign(story.apply().await, &["web:9", OLD]);
    assert!(story.writes().is_empty());
}

#[tokio::test]
async fn a_deployment_after_ours_is_named_and_left() {
    let world = world();
    let mut story = applied(&world).await;
    world.complete("web", &digest('b'));
    story.arrive().await.unwrap();
    meddle(&world);
    is_foreign(story.look(Toward::Desired(1)).await, &["web:9"]);
    let written = story.writes().len();
    is_foreign(story.undo().await, &["web:9"]);
    assert_eq!(story.writes().len(), written);
}

/// amazon-ecs-deploy-task-definition#860: a deployment that is forced keeps the definition, and only its id is another.
#[tokio::test]
async fn the_same_definition_deployed_again_by_somebody_else_is_told() {
    let world = world();
    let mut story = applied(&world).await;
    world.complete("web", &digest('b'));
    world.pass(Duration::from_secs(120));
    world.state().services.get_mut("web").unwrap().deployments[0].id = "ecs-svc/forced".into();
    is_foreign(story.look(Toward::Desired(1)).await, &["ecs-svc/forced"]);
}

#[tokio::test]
async fn put_back_by_hand_is_seen_as_the_prior_state() {
    let world = world();
    let mut story = applied(&world).await;
    world.pass(Duration::from_secs(120));
    let back = deployment("ecs-svc/hand", OLD, Rollout::Completed);
    world.state().services.get_mut("web").unwrap().deployments = vec![back];
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Prior)));
}

#[tokio::test]
async fn what_is_told_late_is_not_believed_to_be_gone() {
    let world = world();
    let mut story = applied(&world).await;
    let late = service("web", OLD);
    let now = world.state().services.insert("web".into(), late).unwrap();
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
    world.state().services.insert("web".into(), now);
    world.complete("web", &digest('b'));
    story.arrive().await.unwrap();
}

/// Before the run ECS went back to what runs there, from a deployment that failed: PRIMARY goes on telling so.
#[tokio::test]
async fn a_circuit_breaker_of_before_does_not_fail_what_is_told_late() {
    let world = world();
    let reason = "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/7.";
    let back = |service: &mut Service| service.deployments[0].reason = Some(reason.into());
    back(world.state().services.get_mut("web").unwrap());
    let mut story = applied(&world).await;
    let mut late = service("web", OLD);
    back(&mut late);
    let now = world.state().services.insert("web".into(), late).unwrap();
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
    world.state().services.insert("web".into(), now);
    world.complete("web", &digest('b'));
    story.arrive().await.unwrap();
}

#[tokio::test]
async fn what_is_told_late_is_not_believed_to_be_undone() {
    let world = world();
    let mut story = applied(&world).await;
    let writes = story.writes().len();
    world.state().services.insert("web".into(), service("web", OLD));
    story.undo().await.unwrap();
    assert_eq!(story.writes().len(), writes + 1, "sent, whatever was listed");
    let now = world.state().services.insert("web".into(), service("web", OLD)).unwrap();
    assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })));
    world.state().services.insert("web".into(), now);
    world.complete("web", &digest('a'));
    story.restored().await.unwrap();
}

#[tokio::test]
async fn a_lost_update_is_settled_by_what_the_definition_says() {
    for (fate, landed) in [(Fate::LostBefore, false), (Fate::LostAfter, true)] {
        let world = world();
        let mut story = deploy(&world);
        story.plan().await.unwrap();
        // The definition is registered already, as after a crash between the two calls.
        world.state().definitions.push(definition("web", 2, &image('b')));
        world.state().fate = Some(fate);
        assert_eq!(story.apply().await.unwrap_err().landed, Landed::Maybe);
        match story.look(Toward::Desired(1)).await.unwrap() {
            Look::Prior => assert!(!landed),
            Look::Moving { note: Some(_), .. } => assert!(landed),
            look => panic!("{look:?}"),
        }
        if !landed {
            story.apply().await.unwrap();
        }
        world.complete("web", &digest('b'));
        story.arrive().await.unwrap();
        assert_eq!(story.writes().len(), 1, "no second definition, no second update");
    }
}

#[tokio::test]
async fn a_lost_registration_is_looked_for() {
    for fate in [Fate::LostBefore, Fate::LostAfter] {
        let world = world();
        let mut story = deploy(&world);
        story.plan().await.unwrap();
        world.state().fate = Some(fate);
        story.apply().await.unwrap();
        assert_eq!(world.state().definitions.len(), 2, "one that ran, and one more");
    }
}

#[tokio::test]
async fn exactly_the_definition_that_ran_is_restored() {
    let world = world();
    // A newer revision that was never deployed: the one before ours, and not the prior.
    world.state().definitions.push(definition("web", 2, &image('e')));
    let mut story = applied(&world).await;
    world.complete("web", &digest('b'));
    story.arrive().await.unwrap();
    story.undo().await.unwrap();
    assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })), "not before it runs");
    world.complete("web", &digest('a'));
    story.restored().await.unwrap();
    assert_eq!(world.state().services["web"].definition, OLD);
}

/// nomad#3836: going back killed what was healthy of the failed deployment before what came in its place was. Here the
/// service is told what to run, and which tasks stop, and when, is left to who knows their health.
#[tokio::test]
async fn going_back_stops_no_task_and_is_over_when_those_of_before_run() {
    let world = world();
    let mut story = applied(&world).await;
    world.state().services.get_mut("web").unwrap().deployments[0].running = 1;
    let sent = story.writes().len();
    story.undo().await.unwrap();
    assert_eq!(
        story.writes()[sent..],
        [format!("update {OLD} None")],
        "no task is stopped, no count lowered"
    );
    assert_eq!(world.state().services["web"].desired, 2);
    assert!(matches!(story.look(Toward::Prior).await, Ok(Look::Moving { .. })), "they do not run yet");
    world.complete("web", &digest('a'));
    story.restored().await.unwrap();
    assert_eq!(story.writes().len(), sent + 1);
}

#[tokio::test]
async fn autoscaling_is_never_somebody_elses_change() {
    let world = world();
    let mut story = applied(&world).await;
    world.complete("web", &digest('b'));
    {
        let mut state = world.state();
        let service = state.services.get_mut("web").unwrap();
        service.desired = 5;
        (service.deployments[0].desired, service.deployments[0].running) = (5, 5);
    }
    story.arrive().await.unwrap();
    story.undo().await.unwrap();
    assert!(story.writes().last().unwrap().ends_with("None"), "the count is left to who owns it");
}

#[tokio::test]
async fn a_count_that_the_plan_owns_is_set_and_restored() {
    let world = world();
    let wanted = with(&json!({"images": {"app": image('b')}, "desired_count": 4}));
    let mut story = Story::new(&world, "ecs.deploy", &wanted);
    story.plan().await.unwrap();
    story.apply().await.unwrap();
    world.complete("web", &digest('b'));
    story.arrive().await.unwrap();
    assert_eq!(world.state().services["web"].desired, 4);
    story.undo().await.unwrap();
    world.complete("web", &digest('a'));
    story.restored().await.unwrap();
    assert_eq!(world.state().services["web"].desired, 2);
}

#[tokio::test]
async fn a_container_that_is_not_there_is_named() {
    let world = world();
    let mut story = Story::new(&world, "ecs.deploy", &with(&json!({"images": {"ap": image('b')}})));
    fails(story.plan().await, FaultKind::Permanent, &["`ap`", "app"]);
}

#[test]
fn images_by_tag_and_unclear_sources_are_found_before_the_run() {
    assert_eq!(codes("ecs.deploy", &with(&json!({"images": {"app": "repo/web:latest"}}))), ["SW2001"]);
    assert_eq!(codes("ecs.deploy", &with(&json!({"images": {"app": image('b')}}))), [""; 0]);
    assert_eq!(codes("ecs.deploy", &with(&json!({}))), ["SW2003"]);
    let both = with(&json!({"images": {"app": image('b')}, "task_definition": "web:3"}));
    assert_eq!(codes("ecs.deploy", &both), ["SW2003"]);
}
