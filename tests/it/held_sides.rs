//! Both sides of a switch are held while users move, with short connections: it is given back when the run is over, however it
//! ends, and what somebody else did meanwhile is kept.

use crate::stage::{Stage, altered, lasting};
use serde_json::{Value as Json, json};

const PLAN: &str = "plans/held-sides.yaml";
const WORLD: &str = "plans/worlds/held-sides.yaml";
const TIME: u32 = 60;
const NEW: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/aep-frontend@sha256:9632ac5a216c00c1478b883fd0b85abbe692ea8daa6950c10b61b88bff15523b";

fn scaling(state: &Json) -> Json {
    let of = |service: &str| state["services"][service]["scaling"].clone();
    json!([of("aep-staging/aep-frontend-staging"), of("aep-prod/aep-frontend-prod")])
}

fn keep_alive(state: &Json) -> Json {
    let of = |name: &str| state["attributes"][format!("client_keep_alive of load balancer {name}")].clone();
    json!([of("aep-staging"), of("aep-prod")])
}

#[test]
fn both_sides_are_held_while_users_move_and_given_back() {
    let stage = Stage::new(WORLD, TIME);
    let before = scaling(&stage.world.state());
    let mut child = stage.start(&["run", PLAN]);
    stage.wait_until("the switch", || stage.log().contains(r#""event":"step.succeeded","step":"switch""#));
    let during = stage.world.state();
    assert_eq!(scaling(&during), json!([{"min": 2, "max": 6}, {"min": 3, "max": 6}]));
    assert_eq!(during["services"]["aep-prod/aep-frontend-prod"]["desired"], 3, "the autoscaler follows");
    assert_eq!(keep_alive(&during), json!(["1m", "1m"]));
    assert!(child.wait().unwrap().success());
    let after = stage.world.state();
    assert_eq!(scaling(&after), before);
    assert_eq!(keep_alive(&after), json!(["1m", "1m"]), "what the plan wants stays");
    assert_eq!(stage.world.report()["failed"], 0);
}

#[test]
fn where_users_suffer_all_of_it_comes_back() {
    let image = json!({NEW: {"app": "frontend", "error_rate": 1.0}});
    let fails = json!([{"step": "switch", "event": "succeeded", "do": {"image": image}}]);
    let (_folder, file) = altered("held-sides.yaml", &json!({"on": fails}));
    let stage = Stage::new(file.to_str().unwrap(), TIME);
    let before = stage.world.state();
    let said = stage.run(&["run", PLAN]);
    assert_eq!(said.code, Some(10), "{said:#?}");
    let after = stage.world.state();
    assert_eq!((scaling(&after), keep_alive(&after)), (scaling(&before), keep_alive(&before)), "{said:#?}");
    assert_eq!(after["zones"], before["zones"], "{said:#?}");
}

#[test]
fn what_somebody_else_sets_meanwhile_is_kept() {
    let theirs = json!({"set_scaling": {"aep-prod/aep-frontend-prod": {"min": 5, "max": 6}}});
    let changed = json!([{"step": "release-old", "event": "succeeded", "do": theirs}]);
    let (_folder, file) = altered("held-sides.yaml", &json!({"on": changed}));
    let stage = Stage::new(file.to_str().unwrap(), TIME);
    let said = stage.run(&["run", PLAN, "--on-pause", "exit"]);
    assert_eq!(said.code, Some(11), "{said:#?}");
    assert!(said.stderr.contains("somebody else changed it"), "{said:#?}");
    assert_eq!(scaling(&stage.world.state()), json!([{"min": 1, "max": 6}, {"min": 5, "max": 6}]));
    let state = lasting(&stage.world.state());
    assert!(state["zones"].to_string().contains("alias aep-prod-alb"), "the verdict stands: {state:#}");
}
