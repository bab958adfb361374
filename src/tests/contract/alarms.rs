//! Alarms, and what each kind of them says.

use super::{Place, held_everywhere, worth};
use crate::port::{Alarm, AlarmState};
use crate::run::{FaultKind, Landed};
use serde_json::json;

held_everywhere!(
    Alarms;
    alarms_say_what_is_so in with_alarms,
    what_an_alarm_says_changes in with_alarms,
    more_alarms_than_one_call_takes in with_many,
    alarms_meet_faults_on_their_way in with_alarms,
);

fn with_alarms(text: &str) -> String {
    let alarms = "
alarms:
  aep-5xx: {}
  aep-any: { state: alarm, composite: true }
  aep-new: { state: insufficient_data }
  aep-muted: { disabled: true }
";
    format!("{text}{alarms}")
}

fn with_many(text: &str) -> String {
    let alarms: Vec<String> = (0..150).map(|number| format!("  many-{number}: {{}}")).collect();
    format!("{text}\nalarms:\n{}\n", alarms.join("\n"))
}

async fn told(place: &Place, names: &[&str]) -> Vec<Alarm> {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut found = place.world.metrics("prod").unwrap().alarms(&names).await.unwrap();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

async fn alarms_say_what_is_so(place: &Place) {
    let found = told(place, &["aep-5xx", "aep-any", "aep-new", "aep-muted", "gone"]).await;
    let said = |alarm: &Alarm| (alarm.name.clone(), alarm.state.clone(), alarm.enabled);
    let unknown = AlarmState::Unknown("INSUFFICIENT_DATA".into());
    assert_eq!(
        found.iter().map(said).collect::<Vec<_>>(),
        [
            ("aep-5xx".to_owned(), AlarmState::Ok, true),
            ("aep-any".to_owned(), AlarmState::Firing, true),
            ("aep-muted".to_owned(), AlarmState::Ok, false),
            ("aep-new".to_owned(), unknown, true),
        ]
    );
    let now = place.world.clock().now();
    let before = |alarm: &Alarm| alarm.since.is_some_and(|since| since <= now) && !alarm.reason.is_empty();
    assert!(found.iter().all(before), "{found:?}");
    assert_eq!(told(place, &["gone"]).await, []);
}

async fn what_an_alarm_says_changes(place: &Place) {
    let before = place.world.clock().now();
    let change = json!({"alarms": {"aep-5xx": {"state": "alarm"}}});
    place.fault(json!({"service": "monitoring", "kind": "change", "change": change})).await;
    let found = told(place, &["aep-5xx"]).await;
    assert_eq!(found[0].state, AlarmState::Firing);
    // Told by the second.
    let since = found[0].since.unwrap();
    assert!(since.0 >= before.0 / 1000 * 1000 && since <= place.world.clock().now(), "{before} {since}");
}

async fn more_alarms_than_one_call_takes(place: &Place) {
    let names: Vec<String> = (0..150).map(|number| format!("many-{number}")).collect();
    assert_eq!(place.world.metrics("prod").unwrap().alarms(&names).await.unwrap().len(), 150);
}

async fn alarms_meet_faults_on_their_way(place: &Place) {
    let denied = json!({"service": "monitoring", "operation": "DescribeAlarms", "kind": "error", "status": 403,
        "code": "AccessDeniedException", "message": "no"});
    place.fault(denied).await;
    let names = ["aep-5xx".to_owned()];
    let fault = place.world.metrics("prod").unwrap().alarms(&names).await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Blind, Landed::No), "{fault}");
    place.fault(json!({"service": "monitoring", "kind": "throttle"})).await;
    assert_eq!(told(place, &["aep-5xx"]).await.len(), 1, "a look is tried again");
}
