//! The contract of the ports, held by the adapters against the sandbox: real sockets, real wire protocols. What the
//! answers of AWS itself look like is held in `aws/tests`.

use super::{plan, supervision};
use crate::adapter::World;
use crate::plan::{Span, Target, Timestamp, Value};
use crate::port::dns::{Alias, ChangeStatus, Name, RecordChange, RecordSet, RecordType};
use crate::port::{Metric, ReadWorld, Request, Rollout, RunTask, TaskFilter, UpdateService, WriteWorld};
use crate::run::{FaultKind, Landed};
use crate::sandbox::{Options, Sandbox, shipped, start};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

const ALIAS: &str = "aep-prod-alb.eu-west-1.elb.amazonaws.com";

async fn sandbox() -> (Sandbox, World) {
    sandbox_of(shipped("aep").unwrap()).await
}

async fn sandbox_of(text: &str) -> (Sandbox, World) {
    let options = Options { scale: Some(600), traffic: false, ..Options::default() };
    let sandbox = start(text, "aep.yaml", options).await.unwrap();
    let target = |name: &str, kind: &str, with| Target {
        name: name.into(),
        kind: kind.into(),
        with: Value::from_json(&with, Span::default()),
    };
    let targets = vec![
        target("prod", "aws", json!({"account": "123456789012", "region": "eu-west-1"})),
        target("other", "aws", json!({"account": "210987654321", "region": "eu-west-1"})),
        target(
            "zone",
            "route53",
            json!({"zone_id": "Z0123456789ABC", "name": "navralabs.com", "aws": "prod"}),
        ),
    ];
    let world = World::connect(&plan(targets), Path::new(""), Some(sandbox.wiring().clone()), supervision());
    (sandbox, world)
}

/// Puts a fault in the sandbox's way.
async fn fault(sandbox: &Sandbox, world: &World, rule: serde_json::Value) {
    let request = Request {
        method: "POST".into(),
        url: format!("{}/faults", sandbox.wiring().control),
        headers: Vec::new(),
        body: Some(rule.to_string().into()),
        connect_to: None,
        timeout: Duration::from_secs(10),
    };
    let answer = world.send_http().send(request).await.unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

/// Looks until it is so, at most for so long of the world's time.
async fn until<F: Future<Output = bool>>(world: &World, look: impl Fn() -> F) {
    let limit = world.clock().now().after(Duration::from_hours(24));
    while !look().await {
        assert!(world.clock().now() < limit, "it never came");
        world.clock().sleep_until(world.clock().now().after(Duration::from_secs(5))).await;
    }
}

fn switched(old: &RecordSet) -> Vec<RecordChange> {
    let alias =
        Alias { name: Name::new(ALIAS), zone_id: crate::sim::BALANCER_ZONE.into(), evaluate_health: true };
    let new = RecordSet {
        kind: RecordType("A".into()),
        ttl: None,
        values: Vec::new(),
        alias: Some(alias),
        ..old.clone()
    };
    vec![RecordChange::Delete(old.clone()), RecordChange::Create(new)]
}

#[tokio::test]
async fn a_record_is_switched_and_every_authority_comes_to_serve_it() {
    let (_sandbox, world) = sandbox().await;
    let (dns, app) = (world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    let zone = dns.zone().await.unwrap();
    assert_eq!((zone.name.as_str(), zone.name_servers.len()), ("navralabs.com", 4));
    let old = dns.record_sets(&app).await.unwrap().remove(0);
    assert_eq!(old.to_string(), "CNAME staging-alb.eu-west-1.elb.amazonaws.com (TTL 300)");
    let authorities = dns.authorities().await.unwrap();
    assert_eq!(authorities.len(), 4);
    let cname = RecordType("CNAME".into());
    let served = dns.ask(&authorities[0], &app, &cname).await.unwrap();
    assert!(served.authoritative);
    assert_eq!((served.values, served.ttl), (old.values.clone(), Duration::from_mins(5)));

    let write = world.change_dns("zone", Timestamp::NEVER).unwrap();
    let change = write.change(&switched(&old), "a test").await.unwrap();
    assert_eq!(dns.record_sets(&app).await.unwrap()[0].alias.as_ref().unwrap().name.as_str(), ALIAS);
    let insync = async || dns.status(&change).await.unwrap() == ChangeStatus::Insync;
    until(&world, insync).await;
    let there = dns.addresses(&Name::new(ALIAS)).await.unwrap();
    let a = RecordType("A".into());
    for authority in &authorities {
        let arrived = async || {
            let served = dns.ask(authority, &app, &a).await.unwrap();
            served.values == [there[0].to_string()] && served.ttl == Duration::from_mins(1)
        };
        until(&world, arrived).await;
        let gone = dns.ask(authority, &app, &cname).await.unwrap();
        assert!(gone.authoritative && gone.values.is_empty() && gone.negative_ttl.is_some());
    }
    // The same batch again is stale now.
    let fault = write.change(&switched(&old), "again").await.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Foreign, Landed::No), "{fault}");
}

#[tokio::test]
async fn a_zone_says_whom_it_is_on_and_its_parent_whom_users_are_sent_to() {
    let app = Name::new("app.navralabs.com");
    let (_own, world) = sandbox().await;
    let dns = world.dns("zone").unwrap();
    let mut own = dns.zone().await.unwrap().name_servers;
    own.sort();
    assert_eq!(dns.delegation().await.unwrap(), own);
    assert!(!dns.addresses(&app).await.unwrap().is_empty());

    let text = shipped("aep").unwrap();
    let id = "id: Z0123456789ABC";
    let elsewhere = text.replace(id, &format!("{id}\n    delegated_to: [ns.other.example, ns.else.example]"));
    let (_elsewhere, world) = sandbox_of(&elsewhere).await;
    let dns = world.dns("zone").unwrap();
    let others = ["ns.else.example", "ns.other.example"].map(Name::new);
    assert_eq!(dns.delegation().await.unwrap(), others);
    let served =
        dns.ask(&dns.authorities().await.unwrap()[0], &app, &RecordType("CNAME".into())).await.unwrap();
    assert!(served.authoritative && !served.values.is_empty(), "its own servers do not know better");
    assert_eq!(dns.addresses(&app).await.unwrap_err().kind, FaultKind::Blind);

    let (_nowhere, world) = sandbox_of(&text.replace(id, &format!("{id}\n    delegated_to: []"))).await;
    assert_eq!(world.dns("zone").unwrap().delegation().await.unwrap(), []);
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_may_have_landed_and_is_found_by_looking() {
    let (sandbox, world) = sandbox().await;
    let (dns, app) = (world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    let old = dns.record_sets(&app).await.unwrap().remove(0);
    let write = world.change_dns("zone", Timestamp::NEVER).unwrap();
    for (kind, landed) in [("drop_before", false), ("drop_after", true)] {
        let rule = json!({"service": "route53", "operation": "ChangeResourceRecordSets", "kind": kind});
        fault(&sandbox, &world, rule).await;
        let lost = write.change(&switched(&old), "").await.unwrap_err();
        assert_eq!((lost.kind, lost.landed), (FaultKind::Transient, Landed::Maybe), "{lost}");
        let now = dns.record_sets(&app).await.unwrap();
        assert_eq!(now[0].alias.is_some(), landed, "{kind}: {now:?}");
    }
}

#[tokio::test]
async fn a_throttled_write_goes_through_and_one_after_its_deadline_does_not() {
    let (sandbox, world) = sandbox().await;
    let (dns, app) = (world.dns("zone").unwrap(), Name::new("app.navralabs.com"));
    let old = dns.record_sets(&app).await.unwrap().remove(0);
    let late = world.change_dns("zone", world.clock().now()).unwrap();
    let fault_of_late = late.change(&switched(&old), "").await.unwrap_err();
    assert_eq!((fault_of_late.kind, fault_of_late.landed), (FaultKind::Blind, Landed::No));
    assert_eq!(dns.record_sets(&app).await.unwrap(), std::slice::from_ref(&old));
    let rule = json!({"service": "route53", "operation": "ChangeResourceRecordSets", "kind": "throttle", "times": 9});
    fault(&sandbox, &world, rule).await;
    let write = world.change_dns("zone", world.clock().now().after(Duration::from_mins(10))).unwrap();
    write.change(&switched(&old), "").await.unwrap();
}

#[tokio::test]
async fn a_service_is_set_to_a_definition_and_back_to_the_very_one_it_had() {
    let (_sandbox, world) = sandbox().await;
    let compute = world.compute("prod").unwrap();
    let (cluster, service) = ("aep-prod", "aep-backend-prod");
    let before = compute.service(cluster, service).await.unwrap().unwrap();
    assert_eq!((before.desired, before.deployments.len(), before.target_groups.len()), (2, 1, 1));
    let definition = compute.definition(&before.definition).await.unwrap().unwrap();
    assert!(definition.active && definition.arn.ends_with("aep-backend:41"), "{definition:?}");
    let write = world.change_compute("prod", Timestamp::NEVER).unwrap();
    let mut content = definition.content.clone();
    let image = &world_image();
    content["containerDefinitions"][0]["image"] = image.as_str().into();
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
        until(&world, done).await;
    }
    let running = compute.tasks(cluster, &TaskFilter::Service(service.into())).await.unwrap();
    assert!(running.iter().all(|task| task.definition == before.definition), "{running:?}");
    assert!(
        running[0].containers[0].image_digest.as_deref().is_some_and(|digest| digest.starts_with("sha256:"))
    );
    let stopped = compute.tasks(cluster, &TaskFilter::StoppedOf(service.into())).await.unwrap();
    assert!(stopped.iter().any(|task| task.definition == arn), "{stopped:?}");
}

/// The backend's new image, as the world states it.
fn world_image() -> String {
    let text = shipped("aep").unwrap();
    let line = text.lines().find(|line| line.trim_start().starts_with("backend_image:")).unwrap();
    line.split_once(": ").unwrap().1.trim().to_owned()
}

#[tokio::test]
async fn a_task_runs_once_for_its_token() {
    let (sandbox, world) = sandbox().await;
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
    fault(&sandbox, &world, json!({"service": "ecs", "operation": "RunTask", "kind": "drop_after"})).await;
    assert_eq!(write.run_task(&task).await.unwrap_err().landed, Landed::Maybe);
    let arn = write.run_task(&task).await.unwrap();
    let mine = async || compute.tasks("aep-prod", &TaskFilter::StartedBy(task.token.clone())).await.unwrap();
    until(&world, async || mine().await[0].status == "STOPPED").await;
    let [done] = &mine().await[..] else { panic!("one task") };
    assert_eq!((&done.arn, done.containers[0].exit_code), (&arn, Some(0)));
    assert_eq!(done.stop_code.as_deref(), Some("EssentialContainerExited"));
}

#[tokio::test]
async fn what_is_not_there_is_none() {
    let (_sandbox, world) = sandbox().await;
    let compute = world.compute("prod").unwrap();
    assert_eq!(compute.service("aep-prod", "none").await.unwrap(), None);
    assert_eq!(compute.definition("none").await.unwrap(), None);
    assert_eq!(world.traffic("prod").unwrap().load_balancer("none").await.unwrap(), None);
    let none = world.dns("zone").unwrap().record_sets(&Name::new("none.navralabs.com")).await.unwrap();
    assert!(none.is_empty());
    let fault = world.dns("nope").err().unwrap();
    assert!(fault.message.contains("no target `nope`"));
    assert!(world.dns("prod").is_err() && world.compute("zone").is_err());
}

#[tokio::test]
async fn another_account_is_not_even_looked_at() {
    let (_sandbox, world) = sandbox().await;
    let fault = world.compute("other").unwrap().service("aep-prod", "x").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent);
    assert!(fault.message.contains("210987654321") && fault.message.contains("123456789012"), "{fault}");
}

#[tokio::test]
async fn traffic_over_tls_is_measured() {
    let (_sandbox, world) = sandbox().await;
    let traffic = world.traffic("prod").unwrap();
    let balancer = traffic.load_balancer("aep-prod").await.unwrap().unwrap();
    assert_eq!((&*balancer.dns_name, balancer.keep_alive), (ALIAS, Duration::from_mins(1)));
    let groups = traffic.target_groups(&balancer.arn).await.unwrap();
    let healthy = async || {
        let mut all = Vec::new();
        for group in &groups {
            all.extend(traffic.targets(group).await.unwrap());
        }
        all.len() == 4 && all.iter().all(|target| target.state == "healthy")
    };
    until(&world, healthy).await;
    let from = world.clock().now();
    let mut request = Request {
        method: "GET".into(),
        url: "https://app.navralabs.com/health/live".into(),
        headers: Vec::new(),
        body: None,
        connect_to: Some(ALIAS.into()),
        timeout: Duration::from_secs(10),
    };
    for _ in 0..5 {
        assert_eq!(world.http().get(request.clone()).await.unwrap().status, 200);
    }
    request.connect_to = None;
    let old_side = world.http().get(request).await.unwrap();
    assert_eq!(old_side.status, 200, "by the name, as users come");
    let minute = |at: Timestamp| at.0 / 60_000 * 60_000;
    let metrics = world.metrics("prod").unwrap();
    let dimension = balancer.arn.split_once("loadbalancer/").unwrap().1.to_owned();
    let counted = async || {
        let metric = Metric {
            namespace: "AWS/ApplicationELB".into(),
            name: "RequestCount".into(),
            dimensions: vec![("LoadBalancer".into(), dimension.clone())],
            statistic: "Sum".into(),
            period: Duration::from_mins(1),
            from: Timestamp(minute(from)),
            to: Timestamp(minute(world.clock().now()) + 60_000),
        };
        let found = metrics.series(&[metric]).await.unwrap().remove(0);
        found.complete && found.points.iter().map(|point| point.value).sum::<f64>() >= 5.0
    };
    until(&world, counted).await;
}
