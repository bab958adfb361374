//! Services, definitions, tasks.

use super::{Place, held_everywhere};
use crate::plan::Timestamp;
use crate::port::{DeploymentFilter, DeploymentStatus, Rollout, RunTask, Task, TaskFilter, UpdateService};
use crate::run::Landed;
use crate::sandbox::shipped;
use serde_json::json;
use std::time::Duration;

held_everywhere!(
    Balancers Services;
    a_service_is_set_to_a_definition_and_back_to_the_very_one_it_had,
    a_running_task_tells_the_digest_of_its_image,
    a_task_runs_once_for_its_token,
    a_deployment_that_the_service_gave_up_is_seen_by_its_id,
    a_deployment_has_a_service_deployment,
);

async fn a_service_is_set_to_a_definition_and_back_to_the_very_one_it_had(place: &Place) {
    let world = &place.world;
    let compute = world.compute("prod").unwrap();
    let (cluster, service) = ("aep-prod", "aep-backend-prod");
    let before = compute.service(cluster, service).await.unwrap().unwrap();
    assert_eq!((before.desired, before.deployments.len(), before.target_groups.len()), (2, 1, 1));
    let definition = compute.definition(&before.definition).await.unwrap().unwrap();
    assert!(definition.active && definition.arn == before.definition, "{definition:?}");
    assert_eq!(definition.family, "aep-backend");
    let write = world.change_compute("prod", Timestamp::NEVER).unwrap();
    let mut content = definition.content.clone();
    let image = &world_image();
    content["containerDefinitions"][0]["image"] = image.as_str().into();
    content["tags"] = json!([{"key": "team", "value": "web"}]);
    let arn = write.register(&content).await.unwrap();
    let registered = compute.definition(&arn).await.unwrap().unwrap();
    assert_eq!(registered.content, content, "registering and describing is the identity");
    for wanted in [arn.clone(), before.definition.clone()] {
        let update = UpdateService {
            cluster: cluster.into(),
            service: service.into(),
            definition: wanted.clone(),
            desired: None,
        };
        let id = write.update(&update).await.unwrap();
        let done = async || {
            let now = compute.service(cluster, service).await.unwrap().unwrap();
            let primary = now.deployments.into_iter().find(|deployment| deployment.primary).unwrap();
            assert_eq!((&primary.id, &primary.definition), (&id, &wanted));
            primary.rollout == Rollout::Completed && primary.running == 2
        };
        place.until(done).await;
    }
    let running = compute.tasks(cluster, &TaskFilter::Service(service.into())).await.unwrap();
    assert!(running.iter().all(|task| task.definition == before.definition), "{running:?}");
    let stopped = compute.tasks(cluster, &TaskFilter::StoppedOf(service.into())).await.unwrap();
    assert!(stopped.iter().any(|task| task.definition == arn), "{stopped:?}");
}

async fn a_running_task_tells_the_digest_of_its_image(place: &Place) {
    let service = TaskFilter::Service("aep-backend-prod".into());
    let running = place.world.compute("prod").unwrap().tasks("aep-prod", &service).await.unwrap();
    assert_eq!(running.len(), 2);
    for task in running {
        let digest = task.containers[0].image_digest.as_deref();
        assert!(digest.is_some_and(|digest| digest.starts_with("sha256:")), "no digest: {task:?}");
    }
}

async fn a_task_runs_once_for_its_token(place: &Place) {
    let world = &place.world;
    let compute = world.compute("prod").unwrap();
    let write = world.change_compute("prod", Timestamp::NEVER).unwrap();
    let task = RunTask {
        cluster: "aep-prod".into(),
        definition: "aep-migrate".into(),
        container: None,
        command: Some(vec!["alembic".into(), "upgrade".into(), "head".into()]),
        network: None,
        token: "run-1-migrate-1".into(),
    };
    place.fault(json!({"service": "ecs", "operation": "RunTask", "kind": "drop_after"})).await;
    assert_eq!(write.run_task(&task).await.unwrap_err().landed, Landed::Maybe);
    let arn = write.run_task(&task).await.unwrap();
    let mine = async || compute.tasks("aep-prod", &TaskFilter::StartedBy(task.token.clone())).await.unwrap();
    assert_eq!(mine().await.len(), 1, "one token, one task");
    place.until(async || mine().await[0].status == "STOPPED").await;
    let [done] = &mine().await[..] else { panic!("one task") };
    assert_eq!((&done.arn, done.containers[0].exit_code), (&arn, Some(0)));
    assert_eq!(done.stop_code.as_deref(), Some("EssentialContainerExited"));
    let named =
        async |arn: &str| compute.tasks("aep-prod", &TaskFilter::Named(arn.to_owned())).await.unwrap();
    assert_eq!(named(&arn).await, std::slice::from_ref(done), "also once it stopped");
    let unknown = format!("{}0000", &arn[..arn.len() - 4]);
    assert_eq!(named(&unknown).await, [], "it is not there, or is forgotten: no fault");
}

/// The backend's new image, as the world states it.
pub(super) fn world_image() -> String {
    let text = shipped("aep").unwrap();
    let line = text.lines().find(|line| line.trim_start().starts_with("backend_image:")).unwrap();
    line.split_once(": ").unwrap().1.trim().to_owned()
}

/// Its image cannot be pulled: the service goes back by itself, to another deployment than the one that was asked for.
/// amazon-ecs-deploy-task-definition#860: that the one with this id is gone says so.
async fn a_deployment_that_the_service_gave_up_is_seen_by_its_id(place: &Place) {
    let (cluster, service) = ("aep-prod", "aep-backend-prod");
    let compute = place.world.compute("prod").unwrap();
    let before = compute.service(cluster, service).await.unwrap().unwrap();
    let mut content = compute.definition(&before.definition).await.unwrap().unwrap().content;
    content["containerDefinitions"][0]["image"] = NOWHERE.into();
    let write = place.world.change_compute("prod", Timestamp::NEVER).unwrap();
    let definition = write.register(&content).await.unwrap();
    let update =
        UpdateService { cluster: cluster.into(), service: service.into(), definition, desired: None };
    let id = write.update(&update).await.unwrap();
    let given_up = async || {
        let now = compute.service(cluster, service).await.unwrap().unwrap();
        now.deployments.iter().find(|known| known.primary).unwrap().id != id
    };
    place.until(given_up).await;
    let now = compute.service(cluster, service).await.unwrap().unwrap();
    assert_eq!(now.definition, before.definition, "it is back by itself");
    assert_ne!(now.deployments[0].id, before.deployments[0].id);
    let stopped = compute.tasks(cluster, &TaskFilter::StoppedOf(service.into())).await.unwrap();
    let failed = |task: &&Task| {
        task.definition == update.definition && task.stop_code.as_deref() == Some("TaskFailedToStart")
    };
    let failed: Vec<&Task> = stopped.iter().filter(failed).collect();
    assert!(!failed.is_empty());
    for task in failed {
        let container = &task.containers[0];
        assert_eq!((container.exit_code, &container.image_digest), (None, &None), "it never ran");
        assert!(container.reason.is_some(), "{task:?}");
    }
}

/// Also where tasks are only replaced: it is told by which definition it brings, and when it is over.
async fn a_deployment_has_a_service_deployment(place: &Place) {
    let (cluster, service) = ("aep-prod", "aep-backend-prod");
    let compute = place.world.compute("prod").unwrap();
    let before = compute.service(cluster, service).await.unwrap().unwrap();
    let mut content = compute.definition(&before.definition).await.unwrap().unwrap().content;
    content["containerDefinitions"][0]["image"] = world_image().into();
    let write = place.world.change_compute("prod", Timestamp::NEVER).unwrap();
    let definition = write.register(&content).await.unwrap();
    let since = DeploymentFilter::Since(place.world.clock().now());
    place.world.clock().sleep_until(place.world.clock().now().after(Duration::from_secs(5))).await;
    let update = UpdateService {
        cluster: cluster.into(),
        service: service.into(),
        definition: definition.clone(),
        desired: None,
    };
    write.update(&update).await.unwrap();
    let listed = async |filter| compute.service_deployments(cluster, service, filter).await.unwrap();
    let brings = async |status| {
        let found = listed(&since).await;
        let own = found.first().filter(|one| one.definition.as_ref() == Some(&definition));
        own.is_some_and(|one| one.status == status)
    };
    place.until(async || brings(DeploymentStatus::Successful).await).await;
    let arn = listed(&since).await.remove(0).arn;
    let named = DeploymentFilter::Named(arn.clone());
    let one = listed(&named).await;
    assert_eq!(
        one.iter().map(|one| (&one.arn, one.status)).collect::<Vec<_>>(),
        [(&arn, DeploymentStatus::Successful)]
    );
    assert_eq!(listed(&DeploymentFilter::UnderWay).await, []);
}

/// An image that is nowhere.
pub(super) const NOWHERE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/aep-backend@sha256:none";
