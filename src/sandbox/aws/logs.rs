//! `CloudWatch Logs` as JSON 1.1: lines that match a pattern, page by page, the newest of a stream, and log groups by their names.
//! The first of several pages is always empty, as any may be.

use super::super::serve::{Answer, answer};
use super::{Call, unknown};
use crate::plan::Timestamp;
use crate::sim::{Refusal, World};
use serde_json::{Value as Json, json};

/// The most lines of one page.
const PAGE: u64 = 10_000;

pub(super) fn perform(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let input: Json = serde_json::from_slice(&call.body)
        .map_err(|error| Refusal::new("SerializationException", error.to_string()))?;
    let output = match call.operation.as_str() {
        "FilterLogEvents" => filtered(world, &input)?,
        "GetLogEvents" => newest(world, &input)?,
        "DescribeLogGroups" => groups(world, &input),
        _ => return Err(unknown(call)),
    };
    Ok(answer(200, "application/x-amz-json-1.1", output.to_string()))
}

fn groups(world: &World, input: &Json) -> Json {
    if !input["nextToken"].is_string() {
        return json!({"logGroups": [], "nextToken": "0"});
    }
    let group = |name: String| {
        let arn = format!("arn:aws:logs:{}:{}:log-group:{name}:*", world.region, world.account);
        json!({"logGroupName": name, "arn": arn, "storedBytes": 0})
    };
    let all = world.log_groups(input["logGroupNamePrefix"].as_str().unwrap_or_default());
    json!({"logGroups": all.into_iter().map(group).collect::<Vec<_>>()})
}

/// The latest lines of a stream; the world has not more of them than one page.
fn newest(world: &World, input: &Json) -> Result<Json, Refusal> {
    if input["nextToken"].is_null() {
        // As any page may be.
        return Ok(json!({"events": [], "nextForwardToken": "f/0", "nextBackwardToken": "b/0"}));
    }
    let limit =
        input["limit"].as_u64().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let [group, stream] =
        ["logGroupName", "logStreamName"].map(|key| input[key].as_str().unwrap_or_default());
    let missing = || Refusal::new("ResourceNotFoundException", "The specified log group does not exist.");
    let lines = world.newest_lines((group, stream), limit).ok_or_else(missing)?;
    let now = world.now.0;
    let event = |line: String| json!({"timestamp": now, "ingestionTime": now, "message": line});
    let events: Vec<Json> = lines.into_iter().map(event).collect();
    Ok(json!({"events": events, "nextForwardToken": "f/0", "nextBackwardToken": "b/0"}))
}

fn filtered(world: &World, input: &Json) -> Result<Json, Refusal> {
    let invalid = |message: &str| Refusal::new("InvalidParameterException", message);
    let text = |key: &str| input[key].as_str().unwrap_or_default();
    let limit = input["limit"].as_u64().unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        return Err(invalid("limit must be between 1 and 10000"));
    }
    let from = Timestamp(input["startTime"].as_u64().unwrap_or(0));
    // What was written at the end is told, too.
    let to = Timestamp(input["endTime"].as_u64().unwrap_or(u64::MAX).saturating_add(1));
    let pattern = text("filterPattern");
    let missing = || Refusal::new("ResourceNotFoundException", "The specified log group does not exist.");
    let lines = world.lines(text("logGroupName"), pattern, (from, to)).ok_or_else(missing)?;
    let Some(token) = input["nextToken"].as_str() else {
        return Ok(json!({"events": [], "searchedLogStreams": [], "nextToken": "0"}));
    };
    let place: usize = token.parse().map_err(|_| invalid("The specified nextToken is invalid."))?;
    let page = lines.iter().enumerate().skip(place).take(usize::try_from(limit).unwrap_or(usize::MAX));
    let events: Vec<Json> = page
        .map(|(number, at)| {
            json!({
                "eventId": format!("{number:056}"), "logStreamName": "app/app/1", "timestamp": at.0,
                "ingestionTime": at.0, "message": format!("a line that matches `{pattern}`"),
            })
        })
        .collect();
    let next = place.saturating_add(events.len());
    let mut output = json!({"events": events, "searchedLogStreams": []});
    if next < lines.len() {
        output["nextToken"] = next.to_string().into();
    }
    Ok(output)
}
