//! `CloudWatch Logs`: pages of lines, some of them empty.

use super::*;
use crate::port::{Lines, LogQuery, ReadMetrics};
use serde_json::{Value as Json, json};

fn say(status: u16, body: &Json) -> Say {
    Say::Answer(status, vec![("content-type", "application/x-amz-json-1.1".into())], body.to_string().into())
}

/// A page of so many lines.
fn page(lines: usize, next: Option<&str>) -> Say {
    let line = json!({"eventId": "1", "logStreamName": "s", "timestamp": 60_000, "message": "ERROR"});
    let mut body = json!({"events": vec![line; lines], "searchedLogStreams": []});
    if let Some(next) = next {
        body["nextToken"] = next.into();
    }
    say(200, &body)
}

fn query(pattern: &str, most: u64) -> LogQuery {
    let (from, to) = (Timestamp(60_000), Timestamp(120_000));
    LogQuery { group: "/ecs/aep".into(), pattern: pattern.into(), from, to, most }
}

/// What comes of these pages, and what was asked for each.
async fn counted(script: Vec<Say>, query: &LogQuery) -> (Result<Option<Lines>, Fault>, Vec<Json>) {
    let server = aws(script).await;
    let found = account(&wired(&server)).lines(query).await;
    let asked = calls(&server).iter().map(|seen| serde_json::from_str(&seen.body).unwrap()).collect();
    (found, asked)
}

#[tokio::test]
async fn lines_are_counted_to_the_last_page() {
    let pages = vec![page(0, Some("a")), page(2, Some("b")), page(0, Some("c")), page(1, None)];
    let (found, asked) = counted(pages, &query("?panic ?FATAL", 100_000)).await;
    assert_eq!(found, Ok(Some(Lines { count: 3, whole: true })), "an empty page is not the last");
    let first = json!({"logGroupName": "/ecs/aep", "filterPattern": "?panic ?FATAL", "startTime": 60_000,
        "endTime": 119_999, "limit": 10_000});
    assert_eq!(asked[0], first);
    let tokens: Vec<&Json> = asked.iter().map(|asked| &asked["nextToken"]).collect();
    assert_eq!(tokens, [&Json::Null, &json!("a"), &json!("b"), &json!("c")]);
}

#[tokio::test]
async fn what_lies_beyond_the_bound_is_not_counted() {
    let (found, asked) = counted(vec![page(2, Some("a")), page(1, Some("b"))], &query("ERROR", 3)).await;
    assert_eq!(found, Ok(Some(Lines { count: 3, whole: false })));
    assert_eq!((&asked[0]["limit"], &asked[1]["limit"], asked.len()), (&json!(3), &json!(1), 2));
    // Empty pages without end.
    let (found, asked) = counted(vec![page(0, Some("a"))], &query("ERROR", 100_000)).await;
    assert_eq!((found, asked.len()), (Ok(Some(Lines { count: 0, whole: false })), 10));
    let (found, asked) = counted(vec![page(3, None)], &query("", 3)).await;
    assert_eq!(found, Ok(Some(Lines { count: 3, whole: true })));
    assert_eq!(asked[0].get("filterPattern"), None, "all lines");
}

#[tokio::test]
async fn a_group_that_is_not_there_is_told_from_one_that_may_not_be_read() {
    let refused = |code: &str| say(400, &json!({"__type": code, "message": "why"}));
    let (found, _) = counted(vec![refused("ResourceNotFoundException")], &query("ERROR", 3)).await;
    assert_eq!(found, Ok(None));
    let (found, _) = counted(vec![refused("AccessDeniedException")], &query("ERROR", 3)).await;
    let words = ["logs FilterLogEvents of /ecs/aep", "AccessDeniedException: why", "may not look"];
    is(&found.unwrap_err(), FaultKind::Blind, Landed::No, &words);
    let (found, _) = counted(vec![refused("InvalidParameterException")], &query("{", 3)).await;
    is(&found.unwrap_err(), FaultKind::Permanent, Landed::No, &["InvalidParameterException: why"]);
    let (found, asked) =
        counted(vec![refused("ThrottlingException"), page(1, None)], &query("ERROR", 3)).await;
    assert_eq!((found, asked.len()), (Ok(Some(Lines { count: 1, whole: true })), 2));
}
