//! What logs say: line by line, and found a while later.

use super::{after, world};
use crate::sim::Deed;

const LOGS: &str = r#"
world: v1
account: "123456789012"
logs:
  /ecs/app: { a_minute: 7 }
  /ecs/app ?panic ?FATAL: { a_minute: 1 }
"#;

#[test]
fn a_line_is_found_five_seconds_after_it_was_written() {
    let mut world = world(LOGS);
    world.advance(after(604));
    let panics = |world: &super::World| world.lines("/ecs/app", "?panic ?FATAL", (after(0), after(900)));
    assert_eq!(panics(&world).unwrap().len(), 10, "the one of the eleventh minute is not found yet");
    world.advance(after(606));
    let found = panics(&world).unwrap();
    assert_eq!((found.len(), found.first(), found.last()), (11, Some(&after(0)), Some(&after(600))));
    assert_eq!(world.lines("/ecs/app", "", (after(0), after(120))).unwrap().len(), 14);
    assert_eq!(world.lines("/ecs/app", "", (after(0), after(9))).unwrap().len(), 2);
    assert_eq!(world.lines("/ecs/app", "other", (after(0), after(120))), Some(Vec::new()));
    assert_eq!(world.lines("/ecs", "", (after(0), after(120))), None);
}

#[test]
fn what_was_said_before_a_change_stays_said() {
    let mut world = world(LOGS);
    world.advance(after(120));
    let logs = serde_json::from_str(r#"{"/ecs/app ?panic ?FATAL": {"a_minute": 100}}"#).unwrap();
    world.perform(Deed { logs, ..Deed::default() }, after(120)).unwrap();
    world.advance(after(600));
    let panics = |from, to| world.lines("/ecs/app", "?panic ?FATAL", (after(from), after(to))).unwrap().len();
    assert_eq!((panics(0, 120), panics(120, 240)), (2, 200));
}

/// Two containers of one task write to streams of one group, and so do two tasks.
#[test]
fn a_stream_says_only_what_was_written_to_it() {
    let world = world(
        r#"
world: v1
account: "123456789012"
logs:
  /ecs/app: { says: [a line], streams: { app/web: [one, two], app/web/7: [three], app/job: [] } }
"#,
    );
    let newest = |stream: &str, most| world.newest_lines(("/ecs/app", stream), most).unwrap().join(" ");
    assert_eq!(newest("app/web/1", 9), "one two");
    assert_eq!(newest("app/web/1", 1), "two");
    assert_eq!(newest("app/web/7", 9), "three");
    assert_eq!(newest("app/job/1", 9), "");
    assert_eq!(newest("app/other/1", 9), "a line");
    assert_eq!(world.newest_lines(("/ecs/none", "app/web/1"), 9), None);
}
