//! A flag that is kept as a parameter.

use super::world::World;
use super::{Story, codes, known, value};
use crate::plan::{Fields, Problems};
use crate::port::Parameter;
use crate::run::{Fault, FaultKind};
use crate::signal::SignalRegistry;
use serde_json::{Value as Json, json};
use std::time::Duration;

/// A monitor of one flag.
fn flag(with: &Json) -> Json {
    json!({"for": "1m", "every": "10s", "signals": [{"id": "stop", "uses": "kill_switch", "with": with}]})
}

/// What a monitor makes of a flag while this is kept.
async fn watched(kept: Option<Parameter>, with: &Json) -> Result<Json, Fault> {
    let world = World::new();
    world.state().parameter = kept;
    let mut story = Story::new(&world, "monitor", &flag(with));
    story.plan().await.unwrap();
    story.arrive().await
}

fn says(text: &str) -> Parameter {
    Parameter::Text(text.into())
}

#[tokio::test]
async fn a_parameter_is_a_flag_too() {
    let with = json!({"parameter": "/aep/stop", "in": "prod"});
    let fine = watched(Some(says("false")), &with).await.unwrap();
    assert_eq!(fine["signals"]["stop"]["last"], "the parameter /aep/stop is not raised");
    let raised = watched(Some(says("true")), &with).await.unwrap_err();
    assert_eq!(raised.kind, FaultKind::Permanent);
    assert!(raised.message.contains("the parameter /aep/stop is raised: value > 0"), "{raised}");
    for (kept, why) in [
        (None, "there is no such parameter in account "),
        (Some(says("maybe")), "it is there, and says neither `true` nor `false`"),
        (Some(Parameter::Secret), "it is a SecureString, which is not decrypted"),
    ] {
        let blind = watched(kept.clone(), &with).await.unwrap_err();
        assert_eq!(blind.kind, FaultKind::Blind, "{kept:?}: {blind}");
        let words = ["no evidence in time", "the parameter /aep/stop cannot be read: ", why];
        assert!(words.iter().all(|word| blind.message.contains(word)), "{kept:?}: {blind}");
        let mut stated = with.clone();
        stated["unreadable"] = "raised".into();
        let raised = watched(kept, &stated).await.unwrap_err();
        assert_eq!(raised.kind, FaultKind::Permanent, "{raised}");
    }
    let mut json = with;
    json["raised"] = "json.stop == true".into();
    assert!(watched(Some(says(r#"{"stop": false}"#)), &json).await.is_ok());
    assert_eq!(watched(Some(says(r#"{"stop": true}"#)), &json).await.unwrap_err().kind, FaultKind::Permanent);
    assert_eq!(watched(Some(says("{}")), &json).await.unwrap_err().kind, FaultKind::Blind);
}

/// What cannot be read stops nobody: a guard asks sooner than of other signals.
#[test]
fn a_guard_does_not_go_on_for_long_without_its_flag() {
    for with in [
        json!({"file": "STOP"}),
        json!({"url": "https://flags.example.com/stop"}),
        json!({"parameter": "/aep/stop", "in": "prod"}),
    ] {
        let (with, known, mut problems) = (value(&with), known(), Problems::default());
        let mut fields = Fields::new(&with, &known, &mut problems);
        let kind = SignalRegistry.find("kill_switch").unwrap();
        let flag = (kind.decode)(&mut fields).unwrap();
        assert_eq!(flag.patience(), Duration::from_mins(1), "{with:?}");
    }
}

#[test]
fn a_parameter_that_cannot_be_one_is_found_before_the_run() {
    let of = |with: Json| codes("monitor", &flag(&with));
    assert_eq!(of(json!({"parameter": "/aep/stop", "in": "prod", "unreadable": "raised"})), [""; 0]);
    assert_eq!(
        of(json!({"parameter": "arn:aws:ssm:eu-west-1:123456789012:parameter/stop", "in": "prod"})),
        [""; 0]
    );
    assert_eq!(of(json!({"parameter": "/aep/stop"})), ["SW1004"]);
    for name in ["/aep/st op", "/aep/stöp", "/aep/$stop", &"x".repeat(1012)] {
        assert_eq!(of(json!({"parameter": name, "in": "prod"})), ["SW1006"], "{name}");
    }
    assert_eq!(of(json!({"parameter": "/aep/stop", "in": "prod", "file": "STOP"})), ["SW2003"]);
    assert_eq!(of(json!({"parameter": "/aep/stop", "in": "prod", "answer_within": "1s"})), ["SW2003"]);
    assert_eq!(of(json!({"file": "STOP", "in": "prod"})), ["SW2003"]);
    assert_eq!(of(json!({"url": "https://flags.example.com/stop", "in": "prod"})), ["SW2003"]);
    // It has no status: what conditions may name is what there is.
    assert_eq!(of(json!({"parameter": "/aep/stop", "in": "prod", "raised": "status == 200"})), ["SW1012"]);
}
