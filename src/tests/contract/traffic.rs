//! Load balancers, requests, and what was measured of them.

use super::{Place, get, held_everywhere, worth};
use crate::plan::Timestamp;
use crate::port::{Metric, Request};
use crate::run::{FaultKind, Landed};
use serde_json::json;
use std::time::Duration;

const ALIAS: &str = "aep-prod-alb.eu-west-1.elb.amazonaws.com";

held_everywhere!(
    Balancers Services;
    traffic_over_tls_is_measured,
    silence_is_no_measurement,
    a_request_meets_faults_on_its_way,
    a_group_without_targets_has_nothing_healthy in without_tasks,
    behind_a_load_balancer_that_is_gone_nothing_is_used,
);

async fn traffic_over_tls_is_measured(place: &Place) {
    let world = &place.world;
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
    place.until(healthy).await;
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
    for to_one in request.clone().to_each_address(world.http()).await.unwrap() {
        assert_ne!(to_one.connect_to, request.connect_to);
        assert_eq!(world.http().get(to_one).await.unwrap().status, 200);
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
    place.until(counted).await;
}

/// Nobody came: no point says zero, and the source says that this is all it has.
async fn silence_is_no_measurement(place: &Place) {
    let now = place.world.clock().now();
    let metric = Metric {
        namespace: "AWS/ApplicationELB".into(),
        name: "RequestCount".into(),
        dimensions: vec![("LoadBalancer".into(), "app/none/0".into())],
        statistic: "Sum".into(),
        period: Duration::from_mins(1),
        from: Timestamp(now.0.saturating_sub(600_000)),
        to: now,
    };
    let found = place.world.metrics("prod").unwrap().series(&[metric.clone(), metric]).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|series| series.complete && series.points.is_empty()), "{found:?}");
}

async fn a_request_meets_faults_on_its_way(place: &Place) {
    let request = Request { connect_to: Some(ALIAS.into()), ..get("https://app.navralabs.com/health/live") };
    let post = Request { method: "POST".into(), ..request.clone() };
    let (read, write) = (place.world.http(), place.world.send_http());
    for service in ["http", "app"] {
        place.fault(json!({"service": service, "kind": "error", "status": 418})).await;
        assert_eq!(read.get(request.clone()).await.unwrap().status, 418);
    }
    place.fault(json!({"service": "app", "operation": "/health/live", "kind": "drop_before"})).await;
    assert_eq!(
        read.get(request.clone()).await.unwrap().status,
        502,
        "the load balancer answers for its target"
    );
    for kind in ["drop_before", "drop_after"] {
        place.fault(json!({"service": "http", "kind": kind})).await;
        let fault = write.send(post.clone()).await.unwrap_err();
        assert_eq!(worth(&fault), (FaultKind::Transient, Landed::Maybe), "{fault}");
        place.fault(json!({"service": "http", "kind": kind})).await;
        let fault = read.get(request.clone()).await.unwrap_err();
        assert_eq!(worth(&fault), (FaultKind::Transient, Landed::No), "{fault}");
    }
    let fault = read.get(post).await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Permanent, Landed::No), "{fault}");
    let nobody = Request { connect_to: Some("none.navralabs.com".into()), ..request };
    let fault = write.send(nobody).await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Transient, Landed::No), "it never left: {fault}");
}

fn without_tasks(text: &str) -> String {
    let changed = text.replace("desired: 2", "desired: 0");
    assert_ne!(changed, text);
    changed
}

async fn a_group_without_targets_has_nothing_healthy(place: &Place) {
    let traffic = place.world.traffic("prod").unwrap();
    let balancer = traffic.load_balancer("aep-prod").await.unwrap().unwrap();
    let groups = traffic.target_groups(&balancer.arn).await.unwrap();
    assert!(!groups.is_empty());
    for group in &groups {
        assert_eq!(traffic.targets(group).await.unwrap(), []);
    }
    let request = Request { connect_to: Some(ALIAS.into()), ..get("https://app.navralabs.com/health/live") };
    assert_eq!(place.world.http().get(request).await.unwrap().status, 503);
}

async fn behind_a_load_balancer_that_is_gone_nothing_is_used(place: &Place) {
    let traffic = place.world.traffic("prod").unwrap();
    let balancer = traffic.load_balancer("aep-prod").await.unwrap().unwrap();
    let groups = traffic.target_groups(&balancer.arn).await.unwrap();
    let rule =
        json!({"service": "elasticloadbalancing", "kind": "change", "change": {"tear_down": "aep-prod"}});
    place.fault(rule).await;
    assert_eq!(traffic.load_balancer("aep-prod").await.unwrap(), None);
    let targets = traffic.targets(&groups[0]).await.unwrap();
    assert!(!targets.is_empty() && targets.iter().all(|target| target.state == "unused"), "{targets:?}");
    let request = Request { connect_to: Some(ALIAS.into()), ..get("https://app.navralabs.com/health/live") };
    let fault = place.world.send_http().send(request).await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Transient, Landed::No), "{fault}");
}
