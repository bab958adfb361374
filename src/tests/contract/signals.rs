//! Signals that read what a port tells as it stands: they say the same of a world in memory and over real protocols.

use super::logs::with_logs;
use super::{Place, held_by_both, plan};
use crate::plan::{Kind, Plan, Scope, Span, Step, Timestamp, Use, Value};
use crate::port::dns::{Name, RecordChange, RecordSet};
use crate::port::switched::Switched;
use crate::port::{Reads, Request};
use crate::signal::{Memory, Sample, Verdict, watch};
use serde_json::{Value as Json, json};
use std::time::Duration;

held_by_both!(
    tasks_of_a_service_that_run_are_seen,
    tasks_that_keep_failing_are_seen_behind_old_ones,
    services_that_tell_nothing_are_no_evidence in with_none_desired,
    connections_to_a_database_are_seen in with_databases,
    databases_that_tell_nothing_are_no_evidence in with_databases,
    lines_of_a_log_are_seen in with_logs,
    logs_that_tell_nothing_are_no_evidence in with_logs,
    who_answers_nobody_is_known_by_five_requests_as_soon_as_by_one,
    a_name_that_leads_elsewhere_is_seen,
    slow_answers_of_a_load_balancer_are_counted,
    who_is_led_to_the_old_side_by_a_resolver_is_seen in with_late_servers,
);

/// Each serves a change a day after it.
fn with_late_servers(text: &str) -> String {
    let is_server = |line: &str| line.trim_start().starts_with("ns-");
    let late = |line: &str| match line.split_once(": ") {
        Some((server, _)) if is_server(line) => format!("{server}: 1d"),
        _ => line.to_owned(),
    };
    text.lines().map(late).collect::<Vec<_>>().join("\n")
}

fn with_none_desired(text: &str) -> String {
    let desired = "aep-frontend-prod: { task_definition: aep-frontend, desired: ";
    let (before, after) = text.split_once(desired).unwrap();
    format!("{before}{desired}0{}", &after[1..])
}

fn with_databases(text: &str) -> String {
    let metrics = "
metrics:
  AWS/RDS DatabaseConnections DBInstanceIdentifier=aep: { value: 190, samples: 1 }
";
    format!("{text}{metrics}")
}

/// One look since then.
async fn look(place: &Place, uses: &str, with: &Json, since: Timestamp) -> Sample {
    look_once(place, &Scope::default(), uses, with, since).await
}

/// The same, where the only step has answered that.
async fn look_once(place: &Place, scope: &Scope, uses: &str, with: &Json, since: Timestamp) -> Sample {
    let plan = Plan { targets: super::targets(super::ACCOUNT, super::ZONE), steps: vec![step()], ..plan() };
    let uses = Use {
        kind: uses.into(),
        with: Value::from_json(with, Span::default()),
        constants: std::sync::Arc::default(),
    };
    let reads = Reads { world: place.world.as_reads(), step: "", scope, progress: &|_| () };
    watch(&uses, &plan).unwrap().look(&reads, since, &mut Memory::default()).await
}

async fn tasks(place: &Place, service: &str, fail: &str) -> Sample {
    let with = json!({"target": "prod", "cluster": "aep-prod", "service": service, "fail": fail});
    look(place, "ecs.running", &with, Timestamp::PAST).await
}

#[track_caller]
fn says(sample: &Sample, verdict: Verdict, words: &str) {
    assert!(sample.verdict == verdict && sample.text.contains(words), "`{words}` is not in {sample:?}");
}

const BACKEND: &str = "aep-backend-prod";

async fn tasks_of_a_service_that_run_are_seen(place: &Place) {
    let few = "value < 1";
    says(
        &tasks(place, BACKEND, few).await,
        Verdict::Pass,
        "2 of 2 tasks of aep-backend-prod in aep-prod run",
    );
    let change = json!({"stop_tasks": "aep-prod/aep-backend-prod"});
    place.fault(json!({"service": "ecs", "kind": "change", "change": change})).await;
    says(
        &tasks(place, BACKEND, few).await,
        Verdict::Fail,
        "0 of 2 tasks of aep-backend-prod in aep-prod run",
    );
    place.until(async || tasks(place, BACKEND, few).await.verdict == Verdict::Pass).await;
}

async fn tasks_that_keep_failing_are_seen_behind_old_ones(place: &Place) {
    let (cluster, service) = ("aep-prod", BACKEND);
    let compute = place.world.compute("prod").unwrap();
    let before = compute.service(cluster, service).await.unwrap().unwrap();
    let mut content = compute.definition(&before.definition).await.unwrap().unwrap().content;
    content["containerDefinitions"][0]["image"] = super::compute::NOWHERE.into();
    let write = place.world.change_compute("prod", Timestamp::NEVER).unwrap();
    let definition = write.register(&content).await.unwrap();
    let (cluster, service) = (cluster.into(), service.into());
    let update = crate::port::UpdateService { cluster, service, definition, desired: None };
    write.update(&update).await.unwrap();
    let failing = async || tasks(place, BACKEND, "failed > 0 && value >= 1").await.verdict == Verdict::Fail;
    place.until(failing).await;
}

async fn services_that_tell_nothing_are_no_evidence(place: &Place) {
    let silent = Verdict::NoEvidence;
    says(&tasks(place, "none", "value < 1").await, silent, "there is no service none in aep-prod");
    let idle = tasks(place, "aep-frontend-prod", "value < 1").await;
    says(&idle, silent, "service aep-frontend-prod in aep-prod should run 0 tasks");
    let denied = json!({"service": "ecs", "operation": "DescribeServices", "kind": "error", "status": 400,
        "code": "AccessDeniedException", "message": "scripted"});
    place.fault(denied).await;
    says(&tasks(place, BACKEND, "value < 1").await, silent, "scripted");
}

/// Of the five minutes that have passed since the look began.
async fn connections(place: &Place, database: &str) -> Sample {
    let clock = place.world.clock();
    let since = clock.now();
    clock.sleep_until(since.after(Duration::from_mins(5))).await;
    let with =
        json!({"target": "prod", "database": database, "limit": 200, "over": "1m", "fail": "value > 0.9"});
    look(place, "rds.connections", &with, since).await
}

async fn connections_to_a_database_are_seen(place: &Place) {
    let full = connections(place, "aep").await;
    says(&full, Verdict::Fail, "190 of 200 connections to aep");
    assert_eq!(full.value, Some(0.95));
}

async fn databases_that_tell_nothing_are_no_evidence(place: &Place) {
    let silent = Verdict::NoEvidence;
    says(&connections(place, "other").await, silent, "connections to other: no data in 1 periods of 1m");
    let with = json!({"target": "prod", "database": "aep", "limit": 200, "fail": "value > 0.9"});
    let early = look(place, "rds.connections", &with, place.world.clock().now()).await;
    says(&early, silent, "no whole minute after the beginning has been counted yet");
    let denied = json!({"service": "monitoring", "kind": "error", "status": 400, "code": "AccessDenied",
        "message": "scripted"});
    place.fault(denied).await;
    says(&connections(place, "aep").await, silent, "scripted");
}

/// Of the five minutes that have passed since the look began.
async fn lines(place: &Place, group: &str, pattern: &str, fail: &str) -> Sample {
    let clock = place.world.clock();
    let since = clock.now();
    clock.sleep_until(since.after(Duration::from_mins(6))).await;
    let with = json!({"target": "prod", "log_group": group, "pattern": pattern, "fail": fail});
    look(place, "logs.pattern", &with, since).await
}

async fn lines_of_a_log_are_seen(place: &Place) {
    let many = lines(place, "/ecs/aep", "ERROR", "value > 5").await;
    says(&many, Verdict::Fail, "30 lines of /ecs/aep match `ERROR` in 5m");
    assert_eq!(many.value, Some(6.0));
    let none = lines(place, "/ecs/aep", "WARN", "value > 5").await;
    says(&none, Verdict::Pass, "0 lines of /ecs/aep match `WARN`");
}

async fn logs_that_tell_nothing_are_no_evidence(place: &Place) {
    let silent = Verdict::NoEvidence;
    let gone = lines(place, "/ecs/none", "ERROR", "value > 5").await;
    says(&gone, silent, "/ecs/none: there is no such log group in target `prod`");
    let quiet = lines(place, "/ecs/quiet", "ERROR", "value > 5").await;
    says(&quiet, silent, "/ecs/quiet: not one line, of any kind, in 5m up to");
    let with = json!({"target": "prod", "log_group": "/ecs/aep", "pattern": "ERROR", "late": "1h", "fail": "value > 5"});
    let early = look(place, "logs.pattern", &with, place.world.clock().now()).await;
    says(&early, silent, "/ecs/aep: no whole minute after the beginning can be counted yet");
    let denied = json!({"service": "logs", "kind": "error", "status": 400, "code": "AccessDeniedException",
        "message": "scripted"});
    place.fault(denied).await;
    says(&lines(place, "/ecs/aep", "ERROR", "value > 5").await, silent, "scripted");
}

async fn who_answers_nobody_is_known_by_five_requests_as_soon_as_by_one(place: &Place) {
    place
        .fault(json!({"service": "http", "containing": "aep-staging", "kind": "delay", "delay": "1h", "times": 0}))
        .await;
    let (clock, mut spans) = (place.world.clock(), Vec::new());
    for requests in [1, 5] {
        let begun = clock.now();
        let with = json!({"url": "https://app.navralabs.com/", "requests": requests, "answer_within": "500ms",
            "fail": "error_rate > 0.1", "min_samples": 1});
        let sample = look(place, "http.probe", &with, begun).await;
        says(&sample, Verdict::Fail, &format!("{requests} of {requests} requests failed"));
        spans.push(clock.now().since(begun));
    }
    assert!(spans[1] < spans[0] * 3, "{spans:?}");
}

async fn slow_answers_of_a_load_balancer_are_counted(place: &Place) {
    let since = place.world.clock().now();
    let request = Request {
        connect_to: Some("aep-prod-alb.eu-west-1.elb.amazonaws.com".into()),
        ..super::get("https://app.navralabs.com/health/live")
    };
    let answered =
        async || place.world.http().get(request.clone()).await.is_ok_and(|answer| answer.status == 200);
    place.until(answered).await;
    let slow = async |bound: &str| {
        let with = json!({"load_balancer": "aep-prod", "in": "prod", "slower_than": bound, "over": "1h",
            "fail": "value > 0.5", "min_samples": 1});
        look(place, "alb.slow_rate", &with, Timestamp(since.0 - 60_000)).await
    };
    place.until(async || slow("5m").await.verdict == Verdict::Pass).await;
    says(&slow("5m").await, Verdict::Pass, "answers took longer than 5m");
    assert!(slow("5m").await.text.starts_with("0 of "));
}

async fn a_name_that_leads_elsewhere_is_seen(place: &Place) {
    let drift = async || {
        let with = json!({"target": "zone", "record": "mail", "is": {"a": ["192.0.2.25"]}});
        look(place, "dns.drift", &with, Timestamp::PAST).await
    };
    says(&drift().await, Verdict::Pass, "mail.navralabs.com is A 192.0.2.25 (TTL 3600)");
    let denied = json!({"service": "route53", "operation": "ListResourceRecordSets", "kind": "error", "status": 403,
        "code": "AccessDenied", "message": "scripted"});
    place.fault(denied).await;
    says(&drift().await, Verdict::NoEvidence, "scripted");
    let theirs = json!({"name": "mail", "type": "A", "ttl": 60, "values": ["192.0.2.99"]});
    place.fault(json!({"service": "route53", "kind": "change", "change": {"set_record": theirs}})).await;
    place.until(async || drift().await.verdict == Verdict::Fail).await;
    says(&drift().await, Verdict::Fail, "mail.navralabs.com is A 192.0.2.99 (TTL 60), and not A 192.0.2.25");
}

async fn who_is_led_to_the_old_side_by_a_resolver_is_seen(place: &Place) {
    let (world, mail) = (&place.world, Name::new("mail.navralabs.com"));
    let now = world.clock().now();
    let old = world.dns("zone").unwrap().record_sets(&mail).await.unwrap().remove(0);
    let told = async |by: Timestamp| {
        let mut scope = Scope::default();
        let switched = Switched {
            record: mail.to_string(),
            before: vec![old.clone()],
            changed: true,
            new_lookups_reach_it_by: by.to_string(),
        };
        scope.answered(&step().id, &json!(switched).to_string());
        let with = json!({"target": "asked", "after": "switch", "fail": "value > 0"});
        look_once(place, &scope, "dns.resolvers", &with, now).await
    };
    says(&told(now).await, Verdict::NoEvidence, "mail.navralabs.com leads where it led before");
    let new = RecordSet { values: vec!["192.0.2.26".into()], ..old.clone() };
    let batch = [RecordChange::Delete(old.clone()), RecordChange::Create(new)];
    world.change_dns("zone", Timestamp::NEVER).unwrap().change(&batch, "a test").await.unwrap();
    let later = now.after(Duration::from_hours(3));
    says(&told(later).await, Verdict::Pass, "1 to the old one, as they may for 1h more");
    says(&told(now).await, Verdict::Fail, "serves 192.0.2.25 as before for 1h more (A)");
    place.fault(json!({"service": "dns", "operation": "https", "kind": "drop_before", "times": 0})).await;
    says(&told(later).await, Verdict::NoEvidence, "no answer from resolver https://dns.example/dns-query");
}

/// One that changes where a name leads.
fn step() -> Step {
    Step::new("switch", Kind::Act(None), Vec::new())
}
