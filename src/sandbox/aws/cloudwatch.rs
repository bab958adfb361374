//! `CloudWatch` metrics and alarms, in each of the protocols that clients speak today: CBOR RPC, JSON 1.0, and query.

use super::super::serve::{Answer, answer, header};
use super::{Call, cbor, json_refusal, query, unknown};
use crate::plan::Timestamp;
use crate::sim::{AlarmSeen, Asked, Measured, Refusal, World};
use crate::xml::Writer;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Cbor,
    Json,
    Query,
}

fn protocol(call: &Call) -> Protocol {
    if call.path.contains("/operation/") {
        Protocol::Cbor
    } else if call.body.starts_with(b"{") {
        Protocol::Json
    } else {
        Protocol::Query
    }
}

pub(super) fn perform(world: &World, call: &Call) -> Result<Answer, Refusal> {
    let malformed = || Refusal::new("MalformedInput", "the request cannot be read");
    let input = match protocol(call) {
        Protocol::Cbor => cbor::decode(&call.body).ok_or_else(malformed)?,
        Protocol::Json => serde_json::from_slice(&call.body).map_err(|_| malformed())?,
        Protocol::Query => nested(&query::form(call)),
    };
    let output = match call.operation.as_str() {
        "GetMetricData" => json!({"MetricDataResults": metric_data(world, &input)?, "Messages": []}),
        "DescribeAlarms" => described_alarms(world, &input)?,
        _ => return Err(unknown(call)),
    };
    Ok(match protocol(call) {
        Protocol::Cbor => cbor_answer(200, &output),
        Protocol::Json => answer(200, "application/x-amz-json-1.0", plain(output).to_string()),
        Protocol::Query => query::result(call, NAMESPACE, |w| write_fields(w, &output)),
    })
}

pub(super) fn refused(call: &Call, refusal: &Refusal) -> Answer {
    match protocol(call) {
        Protocol::Cbor => {
            let body = json!({"__type": refusal.code, "message": refusal.message});
            let mut out = cbor_answer(refusal.status, &body);
            header(&mut out, "x-amzn-query-error", &format!("{};Sender", refusal.code));
            out
        }
        Protocol::Json => json_refusal("application/x-amz-json-1.0", refusal),
        Protocol::Query => query::refusal(NAMESPACE, refusal, &call.request_id),
    }
}

fn cbor_answer(status: u16, body: &Json) -> Answer {
    let mut out = answer(status, "application/cbor", cbor::encode(body));
    header(&mut out, "smithy-protocol", "rpc-v2-cbor");
    out
}

fn metric_data(world: &World, input: &Json) -> Result<Vec<Json>, Refusal> {
    let invalid = |message: &str| Refusal::new("ValidationError", message);
    let queries = input["MetricDataQueries"].as_array().filter(|q| !q.is_empty());
    let queries = queries.ok_or_else(|| invalid("The parameter MetricDataQueries is required."))?;
    let (from, to) = (time(&input["StartTime"]), time(&input["EndTime"]));
    let (Some(from), Some(to)) = (from, to) else {
        return Err(invalid("The parameters StartTime and EndTime are required."));
    };
    if from >= to {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let ascending = input["ScanBy"] == "TimestampAscending";
    let mut results = Vec::new();
    for query in queries {
        let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
        let stat = &query["MetricStat"];
        if query["ReturnData"] == false || query["ReturnData"] == "false" {
            continue;
        }
        if let Some(expression) = query["Expression"].as_str() {
            // Of the period of the metrics that it is over.
            let periods = queries.iter().map(|query| whole(&query["MetricStat"]["Period"]));
            let period = periods.flatten().next().unwrap_or(60);
            results.push(result(query, expression, world.computed(expression, period, from, to), ascending));
            continue;
        }
        if !stat.is_object() {
            return Err(invalid("a query needs MetricStat or Expression"));
        }
        let metric = &stat["Metric"];
        let dimensions: BTreeMap<String, String> = metric["Dimensions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|d| (text(&d["Name"]), text(&d["Value"])))
            .collect();
        let asked = Asked {
            namespace: text(&metric["Namespace"]),
            name: text(&metric["MetricName"]),
            dimensions,
            statistic: text(&stat["Stat"]),
            period: whole(&stat["Period"]).unwrap_or(60),
            from,
            to,
        };
        results.push(result(query, &asked.name, world.measure(&asked), ascending));
    }
    Ok(results)
}

fn result(query: &Json, name: &str, mut points: Vec<Measured>, ascending: bool) -> Json {
    // The newest come first unless asked otherwise.
    if !ascending {
        points.reverse();
    }
    let times: Vec<Json> = points.iter().map(|(at, _)| json!({cbor::TIME: at.0 / 1000})).collect();
    let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    let label = query["Label"].as_str().unwrap_or(name);
    json!({
        "Id": query["Id"], "Label": label, "Timestamps": times, "Values": values, "StatusCode": "Complete",
    })
}

/// Seconds since the epoch, or ISO 8601.
fn time(json: &Json) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time of this century")]
    let number = json.as_f64().map(|seconds| Timestamp((seconds * 1000.0) as u64));
    number.or_else(|| Timestamp::read(json.as_str()?))
}

fn whole(json: &Json) -> Option<u64> {
    json.as_u64().or_else(|| json.as_str()?.parse().ok())
}

/// The most alarms of one answer, unless less is asked for; and the most that may be asked for by name.
const RECORDS: u64 = 50;
const MOST: u64 = 100;

/// Metric alarms first, then composite ones: a page of those that are asked for.
fn described_alarms(world: &World, input: &Json) -> Result<Json, Refusal> {
    let invalid = |message: &str| Refusal::new("ValidationError", message);
    let list = |name: &str| -> Vec<String> {
        let items = input[name].as_array().into_iter().flatten();
        items.filter_map(Json::as_str).map(str::to_owned).collect()
    };
    let (names, kinds) = (list("AlarmNames"), list("AlarmTypes"));
    if names.len() as u64 > MOST {
        return Err(invalid("Up to 100 names of alarms may be asked for"));
    }
    let records = whole(&input["MaxRecords"]).unwrap_or(RECORDS);
    if !(1..=MOST).contains(&records) {
        return Err(invalid("MaxRecords must be between 1 and 100"));
    }
    // Composite alarms are told only to who asks for them.
    let wanted = |composite: bool| {
        let kind = if composite { "CompositeAlarm" } else { "MetricAlarm" };
        kinds.iter().any(|wanted| wanted == kind) || kinds.is_empty() && !composite
    };
    let mut all = world.alarms(&names);
    all.retain(|alarm| wanted(alarm.composite));
    all.sort_by_key(|alarm| alarm.composite);
    let skip = input["NextToken"].as_str().map_or(Ok(0), str::parse::<usize>);
    let skip = skip.map_err(|_| invalid("The token is not valid"))?;
    let page = all.iter().skip(skip).take(usize::try_from(records).unwrap_or(usize::MAX));
    let (composite, metric): (Vec<&AlarmSeen>, Vec<&AlarmSeen>) = page.partition(|alarm| alarm.composite);
    let told = |alarms: Vec<&AlarmSeen>| alarms.into_iter().map(described).collect::<Vec<Json>>();
    let next = skip + metric.len() + composite.len();
    let mut output = json!({"MetricAlarms": told(metric), "CompositeAlarms": told(composite)});
    if next < all.len() {
        output["NextToken"] = next.to_string().into();
    }
    Ok(output)
}

fn described(alarm: &AlarmSeen) -> Json {
    let since = json!({cbor::TIME: alarm.since.0 / 1000});
    json!({
        "AlarmName": alarm.name, "StateValue": alarm.word.word(), "StateReason": alarm.reason,
        "StateUpdatedTimestamp": since, "StateTransitionedTimestamp": since, "ActionsEnabled": alarm.enabled,
    })
}

/// Without the marks that CBOR needs.
fn plain(json: Json) -> Json {
    match json {
        Json::Array(items) => items.into_iter().map(plain).collect(),
        Json::Object(mut map) => match map.remove(cbor::TIME) {
            Some(seconds) => seconds,
            None => Json::Object(map.into_iter().map(|(key, item)| (key, plain(item))).collect()),
        },
        other => other,
    }
}

fn write_fields(w: &mut Writer, fields: &Json) {
    for (name, value) in fields.as_object().into_iter().flatten() {
        write(w, name, value);
    }
}

fn write(w: &mut Writer, name: &str, value: &Json) {
    match value {
        Json::Array(items) => {
            w.element(name, |w| items.iter().for_each(|item| write(w, "member", item)));
        }
        Json::Object(map) => match map.get(cbor::TIME) {
            Some(seconds) => {
                let moment = Timestamp(seconds.as_u64().unwrap_or_default() * 1000);
                w.text(name, &moment.to_string());
            }
            None => {
                w.element(name, |w| write_fields(w, value));
            }
        },
        Json::String(text) => {
            w.text(name, text);
        }
        other => {
            w.text(name, &other.to_string());
        }
    }
}

/// `A.member.1.B=x` as `{"A": [{"B": "x"}]}`.
fn nested(form: &[(String, String)]) -> Json {
    let mut root = Json::Object(Map::new());
    for (key, value) in form {
        let mut place = &mut root;
        for part in key.split('.').filter(|part| *part != "member") {
            if let Some(index) = part.parse::<usize>().ok().filter(|n| (1..=1000).contains(n)) {
                if !place.is_array() {
                    *place = Json::Array(Vec::new());
                }
                let Json::Array(list) = place else { break };
                while list.len() < index {
                    list.push(Json::Null);
                }
                place = &mut list[index - 1];
            } else {
                if !place.is_object() {
                    *place = Json::Object(Map::new());
                }
                place = &mut place[part];
            }
        }
        *place = value.as_str().into();
    }
    root
}
