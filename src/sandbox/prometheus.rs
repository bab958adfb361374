//! Queries over the HTTP API of Prometheus: those that the world knows, with its own time.

use super::faults::{self, scripted};
use super::serve::{Answer, Dropped, answer, dated, header};
use super::shared::Shared;
use crate::plan::Timestamp;
use crate::port::{Answered, Grid};
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;
use url::form_urlencoded::parse;

const PREFIX: &str = "/prometheus/api/v1/";

/// Whether a request is one of these.
pub(super) fn takes(request: &Request<Bytes>) -> bool {
    request.uri().path().starts_with(PREFIX)
}

/// Answers one.
pub(super) async fn handle(shared: Arc<Shared>, request: Request<Bytes>) -> Result<Answer, Dropped> {
    shared.touch();
    let operation = request.uri().path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let asked = request.uri().query().unwrap_or_default().as_bytes();
    let form: Vec<(String, String)> =
        parse(asked).into_owned().chain(parse(request.body()).into_owned()).collect();
    let text = value(&form, "query").unwrap_or_default();
    let perform = async || Ok(perform(&shared, &operation, &form));
    faults::meet(&shared, ("prometheus", &operation, text), |rule| scripted(&rule), perform).await
}

fn perform(shared: &Shared, operation: &str, form: &[(String, String)]) -> Answer {
    let mut out = match asked(operation, form) {
        Ok((text, over)) => {
            let answered = shared.look(|world, _| world.query(text, over));
            let time = answered.clock;
            let mut out = answer(200, "application/json", told(&answered, over.is_some()).to_string());
            if let Some(time) = time {
                dated(&mut out, time);
            }
            out
        }
        Err((status, kind, error)) => {
            let body = json!({"status": "error", "errorType": kind, "error": error});
            answer(status, "application/json", body.to_string())
        }
    };
    header(&mut out, "cache-control", "no-store");
    out
}

/// The query, and its window; or status, kind and words of a refusal.
fn asked<'f>(
    operation: &str,
    form: &'f [(String, String)],
) -> Result<(&'f str, Option<Grid>), (u16, &'static str, String)> {
    let wrong = |name: &str| (400, "bad_data", format!("invalid parameter \"{name}\""));
    let text = value(form, "query").filter(|text| !text.is_empty()).ok_or_else(|| wrong("query"))?;
    let time = |name: &str| value(form, name).and_then(moment).ok_or_else(|| wrong(name));
    match operation {
        "query" => Ok((text, None)),
        "query_range" => {
            let step = value(form, "step").and_then(|step| step.parse().ok()).filter(|step| *step > 0);
            let step = Duration::from_secs(step.ok_or_else(|| wrong("step"))?);
            Ok((text, Some(Grid { from: time("start")?, to: time("end")?, step })))
        }
        other => Err((404, "not_found", format!("the sandbox has no `{other}`"))),
    }
}

fn told(answered: &Answered, over: bool) -> Json {
    let sample = |(at, number): &(Timestamp, f64)| json!([seconds(*at), written(*number)]);
    let lines = answered.lines.iter().enumerate().map(|(place, line)| {
        let metric = if line.labels.is_empty() { json!({}) } else { json!({"series": place.to_string()}) };
        let points: Vec<Json> = line.points.iter().map(sample).collect();
        match points.last() {
            Some(last) if !over => json!({"metric": metric, "value": last}),
            _ => json!({"metric": metric, "values": points}),
        }
    });
    let kind = if over { "matrix" } else { "vector" };
    let lines: Vec<Json> = lines.collect();
    let mut body = json!({"status": "success", "data": {"resultType": kind, "result": lines}});
    if let Some(warning) = &answered.warning {
        body["warnings"] = json!([warning]);
    }
    body
}

fn value<'f>(form: &'f [(String, String)], name: &str) -> Option<&'f str> {
    form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Seconds since the epoch.
fn moment(text: &str) -> Option<Timestamp> {
    let seconds: f64 = text.parse().ok().filter(|seconds| *seconds >= 0.0)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time of this century")]
    Some(Timestamp((seconds * 1000.0).round() as u64))
}

#[expect(clippy::cast_precision_loss, reason = "a time of this century")]
fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1000.0
}

/// As Prometheus writes numbers.
fn written(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    number.to_string()
}
