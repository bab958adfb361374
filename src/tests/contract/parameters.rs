//! Values that are kept under names.

use super::{Place, held_everywhere, worth};
use crate::port::Parameter;
use crate::run::{Fault, FaultKind, Landed};
use serde_json::json;

held_everywhere!(
    Parameters;
    a_parameter_is_told_and_a_secret_is_not in with_parameters,
    a_parameter_may_say_something_else_later in with_parameters,
    parameters_meet_faults_on_their_way in with_parameters,
);

fn with_parameters(text: &str) -> String {
    let parameters = "
parameters:
  /aep/stop: { value: 'false' }
  /aep/blank: { value: ' ' }
  /aep/password: { value: hunter2, encrypted: true }
";
    format!("{text}{parameters}")
}

async fn look(place: &Place, name: &str) -> Result<Option<Parameter>, Fault> {
    place.world.parameters("prod").unwrap().parameter(name).await
}

fn text(text: &str) -> Parameter {
    Parameter::Text(text.into())
}

async fn a_parameter_is_told_and_a_secret_is_not(place: &Place) {
    assert_eq!(look(place, "/aep/stop").await, Ok(Some(text("false"))));
    assert_eq!(look(place, "/aep/blank").await, Ok(Some(text(" "))));
    assert_eq!(look(place, "/aep/password").await, Ok(Some(Parameter::Secret)));
    for none in ["/aep", "/aep/stop/", "aep/stop", "/AEP/stop"] {
        assert_eq!(look(place, none).await, Ok(None), "{none}");
    }
    // Of another account nothing is told.
    assert!(place.world.parameters("zone").is_err(), "a zone keeps none");
    let other = place.world.parameters("other").unwrap().parameter("/aep/stop").await;
    assert_eq!(other.unwrap_err().kind, FaultKind::Permanent);
}

async fn a_parameter_may_say_something_else_later(place: &Place) {
    let change = json!({"parameters": {"/aep/stop": {"value": "true"}, "/aep/new": {"value": "x"}}});
    place.fault(json!({"service": "ssm", "kind": "change", "change": change})).await;
    assert_eq!(
        look(place, "/aep/stop").await,
        Ok(Some(text("true"))),
        "the value of now, and not one that was kept"
    );
    assert_eq!(look(place, "/aep/new").await, Ok(Some(text("x"))));
    assert_eq!(look(place, "/aep/blank").await, Ok(Some(text(" "))), "others are as they were");
}

async fn parameters_meet_faults_on_their_way(place: &Place) {
    let denied = json!({"service": "ssm", "operation": "GetParameter", "kind": "error", "status": 400,
        "code": "AccessDeniedException", "message": "no"});
    place.fault(denied).await;
    let fault = look(place, "/aep/stop").await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Blind, Landed::No), "{fault}");
    assert!(fault.message.contains("/aep/stop: AccessDeniedException: no"), "{fault}");
    for kind in ["throttle", "drop_before", "drop_after"] {
        place.fault(json!({"service": "ssm", "kind": kind})).await;
        assert_eq!(look(place, "/aep/stop").await, Ok(Some(text("false"))), "a look is tried again");
    }
}
