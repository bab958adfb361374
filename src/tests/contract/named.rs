//! What definitions name beside their images.

use super::{Place, held_by_both};
use crate::port::{Named, Presence};
use serde_json::json;

held_by_both!(
    what_a_definition_names_is_there_or_it_is_not in with_absent,
    who_may_not_ask_for_it_knows_nothing in with_absent,
    a_question_for_it_is_asked_again in with_absent,
    of_another_account_nothing_is_known_of_it in with_absent,
);

const SECRETS: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret";
const PARAMETERS: &str = "arn:aws:ssm:eu-west-1:123456789012:parameter";

fn with_absent(text: &str) -> String {
    let absent = format!(
        "
parameters:
  /aep/db: {{ value: hunter2, encrypted: true }}
  plain: {{ value: x }}
logs:
  /ecs/gone-too: {{}}
absent: [ecs-gone, '{SECRETS}:aep/gone-AbCdEf', /ecs/gone]
"
    );
    format!("{text}{absent}")
}

fn role(name: &str) -> Named {
    Named::Role(format!("arn:aws:iam::123456789012:role/{name}"))
}

fn secret(name: &str) -> Named {
    Named::Secret(format!("{SECRETS}:{name}"))
}

fn group(name: &str) -> Named {
    Named::LogGroup(name.into())
}

fn parameter(name: &str) -> Named {
    Named::Parameter(name.into())
}

/// One of each, as the services that keep them and their operations are called.
fn all() -> [(&'static str, &'static str, Named); 4] {
    [
        ("iam", "GetRole", role("ecs-execution")),
        ("secretsmanager", "DescribeSecret", secret("aep/db-AbCdEf")),
        ("ssm", "GetParameter", parameter("/aep/db")),
        ("logs", "DescribeLogGroups", group("/ecs/aep")),
    ]
}

async fn presence(place: &Place, thing: &Named) -> Presence {
    place.world.compute("prod").unwrap().named(thing).await
}

async fn what_a_definition_names_is_there_or_it_is_not(place: &Place) {
    for (_, _, thing) in all() {
        assert_eq!(presence(place, &thing).await, Presence::There, "{thing:?}");
    }
    for thing in [
        role("service/web"),
        Named::Role("web".into()),
        Named::Secret("aep/db".into()),
        group("/ecs/gone-too"),
        parameter("plain"),
        parameter(&format!("{PARAMETERS}/plain")),
        parameter(&format!("{PARAMETERS}/aep/db")),
    ] {
        assert_eq!(presence(place, &thing).await, Presence::There, "{thing:?}");
    }
    for thing in [
        role("ecs-gone"),
        role("service/ecs-gone"),
        Named::Role("ecs-gone".into()),
        secret("aep/gone-AbCdEf"),
        group("/ecs/gone"),
        parameter("/aep/gone"),
        parameter(&format!("{PARAMETERS}/aep/gone")),
    ] {
        assert_eq!(presence(place, &thing).await, Presence::Missing, "{thing:?}");
    }
}

async fn who_may_not_ask_for_it_knows_nothing(place: &Place) {
    for (service, operation, thing) in all() {
        let denied = json!({"service": service, "operation": operation, "kind": "error", "status": 400,
            "code": "AccessDeniedException", "message": "no"});
        place.fault(denied).await;
        let found = presence(place, &thing).await;
        let Presence::Unknown(why) = &found else { panic!("{thing:?}: {found:?}") };
        let words = format!("{service} {operation} of {}: AccessDeniedException: no", thing.name());
        assert!(why.contains(&words), "`{words}` is not in: {why}");
        assert_eq!(presence(place, &thing).await, Presence::There, "{thing:?}");
    }
}

async fn a_question_for_it_is_asked_again(place: &Place) {
    for (service, operation, thing) in all() {
        for kind in ["throttle", "drop_before"] {
            place.fault(json!({"service": service, "operation": operation, "kind": kind})).await;
            assert_eq!(presence(place, &thing).await, Presence::There, "{thing:?} {kind}");
        }
    }
}

async fn of_another_account_nothing_is_known_of_it(place: &Place) {
    for (_, _, thing) in all() {
        let found = place.world.compute("other").unwrap().named(&thing).await;
        assert!(matches!(&found, Presence::Unknown(why) if why.contains("210987654321")), "{found:?}");
    }
}
