//! Services roll task by task, breakers roll back, jobs end, load balancers count.

use super::super::{Asked, Health, Outcome, Rollout, RunTask, World};
use super::{SERVICE, START, after, world};
use serde_json::json;
use std::collections::BTreeMap;

/// Registers `web` with another image, and sets the service to it; returns the deployment's id.
fn deploy(world: &mut World, image: &str) -> String {
    let now = world.now;
    let content = json!({"family": "web", "containerDefinitions": [
        {"name": "web", "image": image, "portMappings": [{"containerPort": 8080}]}]});
    let arn = world.register(content, now).unwrap().arn.clone();
    let service = world.update_service("main", "web", Some(&arn), None, false, now).unwrap();
    service.deployments[0].id.clone()
}

/// Plays second by second, and checks what must hold at each.
fn play(world: &mut World, seconds: u64, mut check: impl FnMut(&World)) {
    for _ in 0..seconds {
        let next = world.now.after(std::time::Duration::from_secs(1));
        world.advance(next);
        check(world);
    }
}

fn healthy(world: &World) -> usize {
    world.groups["web"].targets.values().filter(|t| t.state == Health::Healthy).count()
}

fn images(world: &World) -> Vec<String> {
    let service = &world.services[0];
    world
        .tasks_of(service)
        .filter(|t| t.status() == "RUNNING")
        .map(|t| t.containers[0].image.clone())
        .collect()
}

#[test]
fn a_world_begins_well() {
    let world = world(SERVICE);
    assert_eq!(healthy(&world), 2);
    assert_eq!(world.services[0].deployments[0].rollout, Rollout::Completed);
    assert_eq!(images(&world), ["web@sha256:good", "web@sha256:good"]);
}

#[test]
fn a_deployment_replaces_task_by_task_and_never_has_too_few() {
    let mut world = world(SERVICE);
    let id = deploy(&mut world, "web@sha256:next");
    play(&mut world, 90, |world| {
        let service = &world.services[0];
        assert!(healthy(world) >= 2, "minimumHealthyPercent is 100");
        let live = world.tasks_of(service).filter(|t| !t.leaves()).count();
        assert!(live <= 4, "maximumPercent is 200");
    });
    let service = &world.services[0];
    assert_eq!(service.deployments.len(), 1);
    assert_eq!((&service.deployments[0].id, service.deployments[0].rollout), (&id, Rollout::Completed));
    assert_eq!(images(&world), ["web@sha256:next", "web@sha256:next"]);
    assert!(service.events[0].message.ends_with("has reached a steady state."));
}

/// An image that cannot run: the breaker trips, and the service is back with what it had, under a new deployment.
#[track_caller]
fn rolls_back(image: &str) {
    let mut world = world(SERVICE);
    let before = world.services[0].deployments[0].clone();
    let id = deploy(&mut world, image);
    let mut seen_failed = false;
    play(&mut world, 300, |world| {
        assert!(healthy(world) >= 2, "users notice nothing");
        let failed = world.services[0].deployments.iter().find(|d| d.id == id);
        seen_failed |= failed.is_some_and(|d| d.rollout == Rollout::Failed && d.failed >= 3);
    });
    assert!(seen_failed);
    let service = &world.services[0];
    assert_eq!(service.deployments.len(), 1, "the failed deployment is gone");
    let now = &service.deployments[0];
    assert_eq!((&now.definition, now.rollout), (&before.definition, Rollout::Completed));
    assert!(now.id != id && now.id != before.id);
    assert!(
        service
            .events
            .iter()
            .any(|e| e.message.contains(&format!("rolling back to deployment {}", before.id)))
    );
    assert_eq!(images(&world), ["web@sha256:good", "web@sha256:good"]);
}

#[test]
fn a_crashing_image_is_rolled_back() {
    rolls_back("web@sha256:crash");
}

#[test]
fn an_image_that_is_never_healthy_is_rolled_back() {
    rolls_back("web@sha256:sick");
}

#[test]
fn an_image_that_nobody_can_pull_is_rolled_back() {
    rolls_back("web@sha256:unheard-of");
}

#[test]
fn an_image_that_is_slow_to_be_ready_is_waited_for() {
    let mut slow = world(&SERVICE.replace("grace: 30s", "grace: 90s"));
    let id = deploy(&mut slow, "web@sha256:late");
    play(&mut slow, 50, |world| {
        assert_eq!(world.services[0].deployments[0].rollout, Rollout::InProgress);
    });
    play(&mut slow, 120, |_| {});
    let deployment = &slow.services[0].deployments[0];
    assert_eq!((&deployment.id, deployment.rollout), (&id, Rollout::Completed));
}

#[test]
fn going_back_in_the_middle_leads_back() {
    let mut world = world(SERVICE);
    let before = world.services[0].deployments[0].definition.clone();
    deploy(&mut world, "web@sha256:next");
    play(&mut world, 12, |_| {});
    let now = world.now;
    world.update_service("main", "web", Some(&before), None, false, now).unwrap();
    play(&mut world, 90, |world| assert!(healthy(world) >= 2));
    assert_eq!(world.services[0].deployments.len(), 1);
    assert_eq!(images(&world), ["web@sha256:good", "web@sha256:good"]);
}

#[test]
fn only_another_definition_or_force_makes_a_deployment() {
    let mut world = world(SERVICE);
    let id = world.services[0].deployments[0].id.clone();
    let first = |world: &World| world.services[0].deployments[0].id.clone();
    world.update_service("main", "web", Some("web"), Some(3), false, START).unwrap();
    assert_eq!(first(&world), id);
    play(&mut world, 30, |_| {});
    assert_eq!(healthy(&world), 3, "the count alone changed");
    let now = world.now;
    world.update_service("main", "web", None, None, true, now).unwrap();
    assert_ne!(first(&world), id);
}

#[test]
fn what_is_not_there_is_refused_in_the_services_words() {
    let mut world = world(SERVICE);
    let mut refusal = |cluster: &str, service: &str, definition: &str| {
        let refused = world.update_service(cluster, service, Some(definition), None, false, START);
        let refusal = refused.unwrap_err();
        format!("{}: {}", refusal.code, refusal.message)
    };
    assert_eq!(refusal("no", "web", "web"), "ClusterNotFoundException: Cluster not found.");
    assert_eq!(refusal("main", "no", "web"), "ServiceNotFoundException: Service not found.");
    assert_eq!(refusal("main", "web", "no"), "ClientException: TaskDefinition not found.");
    world.deregister("web:1").unwrap();
    let refused = world.update_service("main", "web", Some("web:1"), None, false, START).unwrap_err();
    assert_eq!(refused.message, "TaskDefinition is inactive");
}

fn job(definition: &str, token: &str) -> RunTask {
    RunTask {
        cluster: "main".into(),
        definition: definition.into(),
        overrides: json!({}),
        started_by: Some("run-1".into()),
        token: Some(token.into()),
        count: 1,
    }
}

#[test]
fn a_job_ends_with_its_exit_code() {
    for (definition, code) in [("job", 0), ("bad-job", 3)] {
        let mut world = world(SERVICE);
        let id = world.run_task(&job(definition, "t"), START).unwrap().remove(0);
        assert_eq!(world.tasks[&id].status(), "PENDING");
        world.advance(after(60));
        let super::super::Phase::Over(_, stopped) = &world.tasks[&id].phase else { panic!("not over") };
        assert_eq!((stopped.code, stopped.exit), ("EssentialContainerExited", Some(code)));
    }
}

#[test]
fn one_token_starts_one_task() {
    let mut world = world(SERVICE);
    let first = world.run_task(&job("job", "t"), START).unwrap();
    assert_eq!(world.run_task(&job("job", "t"), after(5)).unwrap(), first);
    let refusal = world.run_task(&job("bad-job", "t"), after(5)).unwrap_err();
    assert_eq!(refusal.code, "ConflictException");
    assert!(refusal.message.contains(&world.tasks[&first[0]].arn));
    assert_ne!(world.run_task(&job("job", "u"), after(5)).unwrap(), first);
}

#[test]
fn stopped_tasks_can_be_seen_for_an_hour() {
    let mut world = world(SERVICE);
    let id = world.run_task(&job("job", "t"), START).unwrap().remove(0);
    world.advance(after(3500));
    assert!(world.tasks.contains_key(&id));
    world.advance(after(3800));
    assert!(!world.tasks.contains_key(&id));
}

fn series(world: &World, name: &str, statistic: &str, with_group: bool) -> Vec<f64> {
    let balancer = &world.balancers["front"];
    let group = &world.groups["web"];
    let tail = |arn: &str, part: &str| arn.split(part).nth(1).unwrap_or_default().to_owned();
    let mut dimensions = BTreeMap::from([("LoadBalancer".to_owned(), tail(&balancer.arn, "loadbalancer/"))]);
    if with_group {
        dimensions.insert("TargetGroup".into(), format!("targetgroup/{}", tail(&group.arn, ":targetgroup/")));
    }
    let asked = Asked {
        namespace: "AWS/ApplicationELB".into(),
        name: name.into(),
        dimensions,
        statistic: statistic.into(),
        period: 60,
        from: START,
        to: after(600),
    };
    world.measure(&asked).into_iter().map(|(_, value)| value).collect()
}

#[test]
fn counts_are_published_late_and_only_where_there_was_traffic() {
    let mut world = world(SERVICE);
    let minute = super::super::minute(START);
    let counts = world.balancers.get_mut("front").unwrap().counts.entry(minute).or_default();
    for status in [200, 200, 503, 404] {
        counts.add(Outcome::Answered { status, took: 20 });
    }
    counts.add(Outcome::Nobody);
    world.advance(after(90));
    assert_eq!(series(&world, "RequestCount", "Sum", false), Vec::<f64>::new(), "not visible yet");
    world.advance(after(130));
    assert_eq!(series(&world, "RequestCount", "Sum", false), [5.0]);
    assert_eq!(series(&world, "HTTPCode_Target_5XX_Count", "Sum", false), [1.0]);
    assert_eq!(series(&world, "HTTPCode_ELB_5XX_Count", "Sum", false), [1.0]);
    assert_eq!(series(&world, "HTTPCode_Target_3XX_Count", "Sum", false), Vec::<f64>::new());
    assert_eq!(series(&world, "TargetResponseTime", "p50", false), [0.02]);
    let trimmed = |statistic| series(&world, "TargetResponseTime", statistic, false);
    assert_eq!(
        (trimmed("TC(:0.02)"), trimmed("TC(0.02:)")),
        (vec![4.0], Vec::new()),
        "up to a bound, and above it"
    );
    assert_eq!((trimmed("TC(0.01:)"), trimmed("TC(:0.01)")), (vec![4.0], Vec::new()));
    world.advance(after(300));
    assert_eq!(series(&world, "RequestCount", "Sum", false), [5.0], "a quiet minute has no point");
}

#[test]
fn hosts_are_published_by_target_group_only() {
    let mut world = world(SERVICE);
    world.advance(after(300));
    assert_eq!(series(&world, "HealthyHostCount", "Minimum", true), [2.0, 2.0, 2.0, 2.0]);
    assert_eq!(series(&world, "HealthyHostCount", "Minimum", false), Vec::<f64>::new());
}

#[test]
fn programs_fail_as_often_as_they_should() {
    let mut world = world(SERVICE);
    deploy(&mut world, "web@sha256:shaky");
    play(&mut world, 90, |_| {});
    let task = world.tasks_of(&world.services[0]).last().unwrap().id.clone();
    let now = world.now;
    let failed =
        (0..100).filter(|_| world.answer(&task, "GET", "/api/scans", b"", now).status == 500).count();
    assert_eq!(failed, 25);
}

#[test]
fn overload_shows_only_under_load() {
    let mut world = world(SERVICE);
    deploy(&mut world, "web@sha256:weak");
    play(&mut world, 90, |_| {});
    let task = world.tasks_of(&world.services[0]).last().unwrap().id.clone();
    let now = world.now;
    let mut ask = |path: &str| world.answer(&task, "GET", path, b"", now).status;
    assert_eq!([(); 5].map(|()| ask("/api/scans")), [200; 5]);
    assert_eq!(ask("/health/ready"), 200);
    assert_eq!(ask("/api/scans"), 500);
    assert_eq!(ask("/health/ready"), 503);
    assert_eq!(ask("/health/live"), 200);
}

#[test]
fn a_scan_is_queued_runs_and_is_done() {
    let mut world = world(SERVICE);
    let tasks: Vec<String> = world.tasks.keys().cloned().collect();
    let made = world.answer(&tasks[0], "POST", "/api/scans", br#"{"target": "smoke"}"#, START);
    assert_eq!(made.status, 201);
    let id =
        serde_json::from_str::<serde_json::Value>(&made.body).unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/scans/{id}");
    let mut state = |seconds: u64| {
        let reply = world.answer(&tasks[1], "GET", &path, b"", after(seconds));
        serde_json::from_str::<serde_json::Value>(&reply.body).unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!([state(0), state(5), state(20)], ["queued", "running", "done"]);
    assert_eq!(world.answer(&tasks[0], "DELETE", &path, b"", after(20)).status, 204);
    assert_eq!(world.answer(&tasks[0], "GET", &path, b"", after(20)).status, 404);
}
