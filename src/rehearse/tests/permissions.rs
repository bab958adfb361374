//! What a plan's credentials may not do is found before a run of it: on the way there, and on the way back.

use super::{setting, setting_of};
use crate::driver::{Actions, Called, Permitted, Redactor, Wish, permissions, preview};
use crate::port::need::Asker;
use crate::port::{Denier, ReadWorld, needed_for, services};
use crate::rehearse::{Setting, outlook};
use crate::sim::FaultRule;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// What a preview finds in the setting's own world, where these faults are in place.
fn probed(setting: &Arc<Setting>, faults: &[Json]) -> (Vec<Called>, Vec<Permitted>) {
    let (_, calls) = outlook(setting);
    let ports = Arc::new(setting.ports());
    for rule in faults {
        let rule: FaultRule = serde_json::from_value(rule.clone()).unwrap();
        ports.look(|world, _| world.faults.add(rule));
    }
    let plan = setting.plan.clone();
    let actions = Arc::new(Actions::of(&plan).unwrap());
    let world: Arc<dyn ReadWorld> = ports.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(async {
        let steps = preview(&plan, &actions, &world, &Arc::default(), &Redactor::default()).await;
        permissions(&plan, &actions, &*world, &steps, &calls).await
    });
    (calls, found)
}

fn denies(service: &str, operation: &str, containing: &str) -> Json {
    json!({"service": service, "operation": operation, "containing": containing, "times": 0,
        "code": "AccessDeniedException", "message": "no"})
}

/// Who needs what is denied, and whether on the way back alone.
fn denied(found: &[Permitted]) -> Vec<(&str, Vec<&str>, bool)> {
    let all = found.iter().flat_map(|of| &of.denied);
    all.map(|(wish, _)| (&*wish.action, wish.by.iter().map(String::as_str).collect(), wish.only_back))
        .collect()
}

#[test]
fn what_shipped_plans_call_is_asked_for_and_nothing_else() {
    for (plan, world) in [
        ("plans/aep-go-live.yaml", "aep.yaml"),
        ("plans/blue-green.yaml", "blue-green.yaml"),
        ("plans/held-sides.yaml", "held-sides.yaml"),
        ("plans/one-record.yaml", "one-record.yaml"),
        ("plans/parallel-deploys.yaml", "parallel-deploys.yaml"),
        ("plans/weighted-records.yaml", "weighted-records.yaml"),
    ] {
        let (calls, found) = probed(&setting(plan, Some(world)), &[]);
        for called in &calls {
            let (service, operation) = (called.service, &*called.operation);
            let known = needed_for(service, operation).is_some() || !services().any(|one| one == service);
            assert!(known, "{plan}: src/port/permission/table.rs has no row for {service} {operation}");
        }
        let [of] = &found[..] else { panic!("{plan}: {found:#?}") };
        assert_eq!((&*of.target, of.who.as_deref()), ("prod", Some("user sandbox")), "{plan}");
        assert_eq!(of.denied, [], "{plan}");
        let known_later = |(_, why): &&(Wish, String)| !why.contains("known only once");
        let unknown: Vec<&(Wish, String)> = of.unknown.iter().filter(known_later).collect();
        assert!(unknown.is_empty() && of.allowed > 3, "{plan}: {unknown:#?} {}", of.allowed);
    }
}

#[test]
fn a_denial_is_told_with_the_steps_that_need_it() {
    let setting = setting("plans/parallel-deploys.yaml", Some("parallel-deploys.yaml"));
    let services: Vec<String> = setting
        .world
        .services
        .iter()
        .map(|service| format!("{}/{}", service.cluster, service.name))
        .collect();
    let (_, found) = probed(&setting, &[denies("ecs", "UpdateService", &format!("service/{}", services[0]))]);
    let [(wish, denier)] = &found[0].denied[..] else { panic!("{found:#?}") };
    assert_eq!((&*wish.action, denier, wish.only_back), ("ecs:UpdateService", &Denier::Nothing, false));
    assert!(wish.resource.as_ref().unwrap().ends_with(&services[0]) && wish.by.len() == 1, "{wish:?}");
    let allowed = found[0].allowed;

    // The roles of what is deployed must be passed on.
    let (_, found) = probed(&setting, &[denies("iam", "PassRole", "role/ecs-execution")]);
    let passing = denied(&found);
    assert!(matches!(&passing[..], [("iam:PassRole", by, false)] if by.len() > 1), "{passing:?}");
    assert_eq!(found[0].allowed, allowed, "one kind of call is missing in each");
}

#[test]
fn a_zone_is_asked_for_with_the_credentials_of_its_account() {
    let setting = setting("plans/one-record.yaml", Some("one-record.yaml"));
    let (_, found) =
        probed(&setting, &[denies("route53", "ChangeResourceRecordSets", "hostedzone/Z0123456789ABC")]);
    assert_eq!(denied(&found), [("route53:ChangeResourceRecordSets", vec!["lower-ttl", "switch"], false)]);
    let (_, found) = probed(&setting, &[denies("route53", "ChangeResourceRecordSets", "hostedzone/ZOTHER")]);
    assert_eq!(denied(&found), []);
}

const STOPPED: &str = "switchover: v1
name: job
targets: { prod: { aws: { account: '123456789012', region: eu-west-1 } } }
steps:
  - { id: migrate, uses: ecs.task, with: { target: prod, cluster: main, task_definition: job, abort: stop } }
  - { id: pause, uses: wait, with: { for: 5m } }
";

#[test]
fn what_only_the_way_back_calls_is_asked_for_too() {
    let setting = setting_of("job.yaml", STOPPED, None);
    let (calls, found) = probed(&setting, &[denies("ecs", "StopTask", "task/main/")]);
    assert_eq!(denied(&found), [("ecs:StopTask", vec!["migrate"], true)]);
    let there = calls.iter().filter(|called| !called.only_back);
    assert!(there.clone().any(|called| &*called.operation == "RunTask"), "{calls:#?}");
    assert!(there.map(|called| called.by).all(|by| matches!(by, Asker::Step(_))));
}

/// The answer to a start says which task it is. Where it is lost the task is looked for, and that must be allowed then.
#[test]
fn what_only_a_lost_answer_calls_for_is_asked_for_too() {
    let setting = setting_of("job.yaml", STOPPED, None);
    let (calls, found) = probed(&setting, &[denies("ecs", "ListTasks", "container-instance/main/")]);
    assert!(calls.iter().all(|called| &*called.operation != "ListTasks"), "{calls:#?}");
    assert_eq!(denied(&found), [("ecs:ListTasks", vec!["migrate"], false)]);
}

#[test]
fn what_nobody_knows_yet_is_said_so() {
    let first =
        "  - { id: first, uses: ecs.task, with: { target: prod, cluster: main, task_definition: job } }\n";
    let text = STOPPED.replacen("steps:\n", &format!("steps:\n{first}"), 1);
    let text = text.replace("abort: stop", "command: [\"${{ steps.first.out.task }}\"]");
    let (_, found) = probed(&setting_of("job.yaml", &text, None), &[]);
    let told = |(wish, why): &(Wish, String)| (wish.action.clone(), wish.by.join(" "), why.clone());
    let unknown: Vec<(String, String, String)> = found[0].unknown.iter().map(told).collect();
    let why = "what it is about is known only once first ran";
    let row = |action: &str| (action.to_owned(), "migrate".to_owned(), why.to_owned());
    assert_eq!(unknown, [row("ecs:RunTask"), row("iam:PassRole")]);
    // What the other step needs of them is known, and is not taken for all.
    assert!(found[0].allowed > 2 && found[0].denied.is_empty(), "{found:#?}");
}

#[test]
fn a_step_that_no_rehearsal_comes_to_is_said_so() {
    let setting = setting_of("job.yaml", STOPPED, None);
    let (plan, ports) = (setting.plan.clone(), setting.ports());
    let actions = Actions::of(&plan).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(permissions(&plan, &actions, &ports, &[], &[]));
    let [of] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((of.allowed, of.denied.len()), (0, 0));
    let [(wish, why)] = &of.unknown[..] else { panic!("{of:#?}") };
    assert!(wish.by == ["migrate"] && why.contains("does not come to it"), "{wish:?} {why}");
}

/// A monitor that looks at two accounts for two things asks each for its own.
#[test]
fn each_account_is_asked_for_what_it_is_looked_at_for() {
    let text = "switchover: v1
name: watch
targets:
  prod: { aws: { account: '123456789012', region: eu-west-1 } }
  logs: { aws: { account: '123456789012', region: eu-west-1, profile: logs } }
steps:
  - id: watch
    uses: monitor
    with:
      for: 5m
      signals:
        - { id: fires, uses: cloudwatch.alarms, with: { target: prod, names: [orders] } }
        - { id: panics, uses: logs.pattern, with: { target: logs, log_group: /ecs/aep, pattern: panic }, fail: value > 5 }
";
    let (_, found) =
        probed(&setting_of("watch.yaml", text, None), &[denies("logs", "FilterLogEvents", "/ecs/aep")]);
    assert_eq!(denied(&found), [("logs:FilterLogEvents", vec!["watch"], false)]);
    let told: Vec<(&str, usize, usize)> =
        found.iter().map(|of| (&*of.target, of.allowed, of.denied.len())).collect();
    assert_eq!(told, [("logs", 0, 1), ("prod", 1, 0)], "{found:#?}");
}
