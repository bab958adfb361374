//! The whole go-live on loopback: it completes, and in worlds that break it ends as each of them says.

use crate::stage::{Stage, World, altered, images, lasting};
use serde_json::{Value as Json, json};

pub(crate) const PLAN: &str = "plans/aep-go-live.yaml";
/// Fast enough for a test, slow enough that real sockets keep up on two cores.
pub(crate) const TIME: u32 = 60;

fn records(state: &Json) -> String {
    state["zones"]["navralabs.com"].to_string()
}

#[test]
fn the_go_live_completes_and_no_user_notices() {
    let stage = Stage::new("plans/worlds/aep.yaml", TIME);
    let said = stage.run(&["run", PLAN]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let state = stage.world.state();
    assert!(records(&state).contains("alias aep-prod-alb"), "{state:#}");
    assert!(!records(&state).contains("staging-alb"), "{state:#}");
    assert_eq!(state["load_balancers"].to_string(), r#"["aep-prod"]"#, "the old side is torn down");
    let report = stage.world.report();
    assert_eq!(report["failed"], 0, "{report:#}");
    assert!(report["requests"].as_u64().unwrap() >= 1000, "{report:#}");

    // Carried out again it finds everything in place and changes nothing.
    let listed = stage.run(&["runs", "--output", "json"]);
    assert!(listed.stdout.contains("aep-go-live"), "{listed:#?}");
}

/// Zero failed requests mean something only if requests fail where the drain is left out: the old side goes away as soon
/// as every name server serves the new answer, while resolvers and browsers still keep the old one.
#[test]
fn without_the_drain_users_notice() {
    let torn_down = json!({"step": "switch", "event": "succeeded", "do": {"tear_down": "aep-staging"}});
    let (_folder, hasty) = altered("aep.yaml", &json!({"on": [torn_down]}));
    let stage = Stage::new(hasty.to_str().unwrap(), TIME);
    let mut child = stage.start(&["run", PLAN, "--on-pause", "exit"]);
    stage.wait_until("a failed request", || stage.world.report()["failed"].as_u64() > Some(0));
    let first = &stage.world.report()["first_failures"][0];
    assert!(first.as_str().unwrap().contains("aep-staging"), "it is the old side that is missed: {first}");
    assert!(stage.log().contains(r#""event":"step.succeeded","step":"switch""#), "{}", stage.log());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The record and the task definitions, as `aws` and `dig` see them.
pub(crate) fn seen_by_strangers(world: &World) -> [String; 3] {
    let zone = ["route53", "list-resource-record-sets", "--hosted-zone-id", "Z0123456789ABC"];
    let services =
        ["ecs", "describe-services", "--cluster", "aep-prod", "--query", "services[].taskDefinition"];
    let services = [&services[..], &["--services", "aep-backend-prod", "aep-frontend-prod"]].concat();
    let [record, definitions] = [&zone[..], &services].map(|arguments| world.seen_by("aws", arguments));
    let served = world.seen_by("dig", &["+noall", "+answer", "+norecurse", "app.navralabs.com", "CNAME"]);
    assert!(
        record.contains("staging-alb") && served.contains("300\tIN\tCNAME\tstaging-alb"),
        "{record}{served}"
    );
    [record, definitions, served]
}

#[test]
fn errors_after_the_switch_bring_everything_back() {
    let stage = Stage::new("plans/worlds/errors-after-switch.yaml", TIME);
    let (before, seen) = (stage.world.state(), seen_by_strangers(&stage.world));
    let said = stage.run(&["run", PLAN]);
    assert!(said.stderr.contains("switch             RESTORED"), "it failed after the switch: {said:#?}");
    assert_eq!(seen_by_strangers(&stage.world), seen, "{said:#?}");
    assert_eq!(said.code, Some(10), "{said:#?}");
    assert_eq!(lasting(&stage.world.state()), lasting(&before), "{said:#?}");
    assert!(said.stdout.contains("RESTORED") || said.stderr.contains("RESTORED"), "{said:#?}");
}

#[test]
fn each_world_ends_as_it_says() {
    for world in ["bad-image", "slow-health", "dns-slow"] {
        let stage = Stage::new(&format!("plans/worlds/{world}.yaml"), TIME);
        let before = stage.world.state();
        let verdict =
            stage.world.ask("GET", "/world", None)["verdict"].as_str().unwrap_or_default().to_owned();
        let said = stage.run(&["run", PLAN]);
        let expected = match verdict.as_str() {
            "completed" => 0,
            "rolled_back" => 10,
            other => panic!("{world}: `{other}` is not a verdict"),
        };
        assert_eq!(said.code, Some(expected), "{world}: {said:#?}");
        if expected == 10 {
            assert_eq!(lasting(&stage.world.state()), lasting(&before), "{world}: {said:#?}");
        }
    }
}

#[test]
fn a_preview_changes_nothing() {
    let stage = Stage::new("plans/worlds/aep.yaml", TIME);
    let before = stage.world.state();
    let said = stage.run(&["preview", PLAN]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(images(&stage.world.state())["zones"], images(&before)["zones"]);
    assert_eq!(stage.world.state()["services"], before["services"]);
    assert_eq!(stage.world.state()["task_definitions"], before["task_definitions"]);
}
