//! Lines of logs.

use super::{Place, held_everywhere, worth};
use crate::plan::Timestamp;
use crate::port::{LogQuery, LogStream};
use crate::run::{Fault, FaultKind, Landed};
use serde_json::json;
use std::time::Duration;

held_everywhere!(
    Logs;
    lines_that_match_are_counted in with_logs,
    no_more_lines_than_wanted_are_counted in with_logs,
    a_log_may_say_more_later in with_logs,
    logs_meet_faults_on_their_way in with_logs,
    the_newest_lines_of_a_stream_are_read in with_logs,
);

pub(super) fn with_logs(text: &str) -> String {
    let logs = "
logs:
  /ecs/aep: { a_minute: 60 }
  /ecs/said: { says: [one, two, three], streams: { other: [four] } }
  /ecs/aep ERROR: { a_minute: 6 }
  /ecs/quiet: {}
";
    format!("{text}{logs}")
}

/// Five whole minutes whose lines are found.
async fn span(place: &Place) -> (Timestamp, Timestamp) {
    let clock = place.world.clock();
    let from = Timestamp(clock.now().0.div_ceil(60_000) * 60_000);
    clock.sleep_until(from.after(Duration::from_mins(6))).await;
    (from, from.after(Duration::from_mins(5)))
}

/// How many lines there are, and whether these are all.
async fn count(
    place: &Place,
    (group, pattern): (&str, &str),
    (from, to): (Timestamp, Timestamp),
    most: u64,
) -> Result<Option<(u64, bool)>, Fault> {
    let query = LogQuery { group: group.into(), pattern: pattern.into(), from, to, most };
    let found = place.world.metrics("prod").unwrap().lines(&query).await?;
    Ok(found.map(|lines| (lines.count, lines.whole)))
}

async fn lines_that_match_are_counted(place: &Place) {
    let span = span(place).await;
    for (of, lines) in [
        (("/ecs/aep", "ERROR"), Some((30, true))),
        (("/ecs/aep", ""), Some((300, true))),
        (("/ecs/aep", "WARN"), Some((0, true))),
        (("/ecs/quiet", ""), Some((0, true))),
        (("/ecs/quiet", "ERROR"), Some((0, true))),
        (("/ecs", ""), None),
        (("/ecs/none", "ERROR"), None),
    ] {
        assert_eq!(count(place, of, span, 100_000).await, Ok(lines), "{of:?}");
    }
}

async fn no_more_lines_than_wanted_are_counted(place: &Place) {
    let span = span(place).await;
    assert_eq!(count(place, ("/ecs/aep", "ERROR"), span, 29).await, Ok(Some((29, false))));
    assert_eq!(count(place, ("/ecs/aep", "ERROR"), span, 30).await, Ok(Some((30, true))));
    assert_eq!(count(place, ("/ecs/aep", ""), span, 1).await, Ok(Some((1, false))));
}

async fn a_log_may_say_more_later(place: &Place) {
    let before = span(place).await;
    let change = json!({"logs": {"/ecs/aep ERROR": {"a_minute": 60}, "/ecs/new": {"a_minute": 1}}});
    place.fault(json!({"service": "logs", "kind": "change", "change": change})).await;
    let errors = ("/ecs/aep", "ERROR");
    assert_eq!(count(place, errors, before, 100).await, Ok(Some((30, true))), "what was is as it was");
    let later = span(place).await;
    assert_eq!(count(place, errors, later, 1000).await, Ok(Some((300, true))));
    assert_eq!(count(place, ("/ecs/new", ""), later, 1000).await, Ok(Some((5, true))));
}

async fn logs_meet_faults_on_their_way(place: &Place) {
    let errors = ("/ecs/aep", "ERROR");
    let span = span(place).await;
    let denied = json!({"service": "logs", "operation": "FilterLogEvents", "kind": "error", "status": 400,
        "code": "AccessDeniedException", "message": "no"});
    place.fault(denied).await;
    let fault = count(place, errors, span, 100).await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Blind, Landed::No), "{fault}");
    assert!(fault.message.contains("/ecs/aep: AccessDeniedException: no"), "{fault}");
    for kind in ["throttle", "drop_before", "drop_after"] {
        place.fault(json!({"service": "logs", "kind": kind})).await;
        assert_eq!(count(place, errors, span, 100).await, Ok(Some((30, true))), "a look is tried again");
    }
}

async fn the_newest_lines_of_a_stream_are_read(place: &Place) {
    let newest_of = async |group: &str, stream: &str, most: u32| {
        let stream = LogStream { group: group.into(), stream: stream.into() };
        place.world.metrics("prod").unwrap().newest_lines(&stream, most).await
    };
    let newest = async |group: &str, most: u32| newest_of(group, "s", most).await;
    let said = |lines: &[&str]| Ok(Some(lines.iter().map(ToString::to_string).collect::<Vec<_>>()));
    assert_eq!(newest("/ecs/said", 2).await, said(&["two", "three"]));
    assert_eq!(newest("/ecs/said", 50).await, said(&["one", "two", "three"]));
    assert_eq!(newest_of("/ecs/said", "other", 50).await, said(&["four"]), "each stream has its own");
    assert_eq!(newest("/ecs/quiet", 2).await, said(&[]));
    assert_eq!(newest("/ecs/none", 2).await, Ok(None));
    let denied = json!({"service": "logs", "operation": "GetLogEvents", "kind": "error", "status": 400,
        "code": "AccessDeniedException", "message": "no"});
    place.fault(denied).await;
    let fault = newest("/ecs/said", 2).await.unwrap_err();
    assert_eq!(worth(&fault), (FaultKind::Blind, Landed::No), "{fault}");
}
