//! Prometheus, and what speaks its HTTP API: <https://prometheus.io/docs/prometheus/latest/querying/api/>.
//!
//! One question is one POST: a query may be longer than a URL. Not here: which answer is a value (`signal`).

use super::Http;
use super::clock::dated;
use super::named::target;
use crate::plan::{Target, Timestamp};
use crate::port::{Answered, Line, Query, ReadQueries, Request, Response, Wiring, WriteHttp};
use crate::run::{Fault, Landed};
use async_trait::async_trait;
use serde_json::Value as Json;
use std::sync::Arc;
use std::time::Duration;
use url::form_urlencoded::Serializer;

/// How long an answer may take, on the wall clock; and, a little less, how long the server may work on it.
const ANSWER: Duration = Duration::from_secs(10);
const WORK: &str = "9s";
/// How much of an answer that nobody understands is told.
const TOLD: usize = 200;

/// The servers that a plan names.
pub(super) struct Servers {
    all: Vec<Arc<Target>>,
    http: Arc<Http>,
    /// In a world that is not production: its own, whatever the plan says.
    instead: Option<String>,
}

impl Servers {
    pub(super) fn new(all: &[Arc<Target>], http: Arc<Http>, wiring: Option<&Wiring>) -> Self {
        let instead = wiring.map(|wiring| format!("{}/prometheus", wiring.control));
        Self { all: all.to_vec(), http, instead }
    }

    pub(super) fn find(&self, name: &str) -> Result<Arc<dyn ReadQueries>, Fault> {
        let target = target(&self.all, name, "prometheus")?;
        let missing = || Fault::permanent(format!("target `{name}` does not say its `url`"));
        let base = self.instead.clone().or_else(|| target.says("url")).ok_or_else(missing)?;
        Ok(Arc::new(Prometheus { http: self.http.clone(), base: base.trim_end_matches('/').to_owned() }))
    }
}

/// A server.
struct Prometheus {
    http: Arc<Http>,
    base: String,
}

impl Prometheus {
    fn request(&self, query: &Query) -> Request {
        let mut form = Serializer::new(String::new());
        form.append_pair("query", &query.text).append_pair("timeout", WORK);
        // Servers that do not know it go by a lookback of their own.
        form.append_pair("lookback_delta", &format!("{}s", query.fresh.as_secs()));
        let path = match query.over {
            None => "query",
            Some(grid) => {
                form.append_pair("start", &seconds(grid.from)).append_pair("end", &seconds(grid.to));
                form.append_pair("step", &grid.step.as_secs().to_string());
                "query_range"
            }
        };
        let mut headers = vec![("content-type".into(), "application/x-www-form-urlencoded".into())];
        headers.extend(query.token.iter().map(|token| ("authorization".into(), format!("Bearer {token}"))));
        Request {
            method: "POST".into(),
            url: format!("{}/api/v1/{path}", self.base),
            headers,
            body: Some(form.finish().into_bytes()),
            connect_to: None,
            timeout: ANSWER,
        }
    }
}

#[async_trait]
impl ReadQueries for Prometheus {
    async fn ask(&self, query: &Query) -> Result<Answered, Fault> {
        // Nothing changed, whether it arrived or not.
        let unsent = |fault| Fault { landed: Landed::No, ..fault };
        let answer = self.http.send(self.request(query)).await.map_err(unsent)?;
        let body: Option<Json> = serde_json::from_slice(&answer.body).ok();
        let (200..300, Some(body)) = (answer.status, &body) else {
            return Err(refused(&answer, body.as_ref()));
        };
        if body["status"] != "success" {
            return Err(Fault::permanent(
                words(body).unwrap_or_else(|| "the answer says no `status`".into()),
            ));
        }
        let lines = lines(&body["data"], query.over.is_some()).map_err(Fault::permanent)?;
        Ok(Answered { lines, warning: warning(body), clock: clock(&answer) })
    }
}

/// An answer that is none.
fn refused(answer: &Response, body: Option<&Json>) -> Fault {
    let plain = || String::from_utf8_lossy(&answer.body).trim().chars().take(TOLD).collect();
    let said: String = body.and_then(words).unwrap_or_else(plain);
    let text = format!("answered {}: {said}", answer.status);
    match answer.status {
        200..=299 => Fault::permanent(format!("the answer is not JSON: {said}")),
        300..=399 => Fault::permanent(format!("answered {}, and redirects are not followed", answer.status)),
        401 | 403 => Fault::blind(format!("{text}; this `token`, or none, may not ask")),
        429 | 500.. => Fault::transient(text),
        _ => Fault::permanent(text),
    }
}

/// `bad_data: 1:7: parse error: …`.
fn words(body: &Json) -> Option<String> {
    let error = body["error"].as_str()?;
    Some(body["errorType"].as_str().map_or_else(|| error.to_owned(), |kind| format!("{kind}: {error}")))
}

/// What the server says of its answer: data that are not whole, or not sound. Hints about how a query is written are
/// neither.
fn warning(body: &Json) -> Option<String> {
    let said = body["warnings"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let sound = said.filter(|text| !text.starts_with("PromQL info")).collect::<Vec<_>>().join("; ");
    // As VictoriaMetrics says it.
    let partial = body["isPartial"] == true;
    let text = if sound.is_empty() { "only a part of the data answered".into() } else { sound.clone() };
    (partial || !sound.is_empty()).then_some(text)
}

/// What time it is there.
fn clock(answer: &Response) -> Option<Timestamp> {
    let (_, date) = answer.headers.iter().find(|(name, _)| name == "date")?;
    dated(date)
}

fn lines(data: &Json, over: bool) -> Result<Vec<Line>, String> {
    let result = &data["result"];
    let items = || result.as_array().into_iter().flatten();
    match (data["resultType"].as_str().unwrap_or_default(), over) {
        ("scalar", _) => Ok(vec![Line { labels: String::new(), points: vec![point(result)?] }]),
        ("vector", false) => items().map(|item| line(item, std::slice::from_ref(&item["value"]))).collect(),
        ("matrix", true) => {
            items().map(|item| line(item, item["values"].as_array().map_or(&[], Vec::as_slice))).collect()
        }
        ("matrix", false) => {
            Err("it comes to a window of samples, not to a number: a function such as rate() is missing"
                .into())
        }
        ("string", _) => Err("it comes to text, not to a number".into()),
        (kind, _) => Err(format!("the answer is of a kind that is not known: `{kind}`")),
    }
}

fn line(item: &Json, values: &[Json]) -> Result<Line, String> {
    if !item["histogram"].is_null() || !item["histograms"].is_null() {
        return Err("it comes to a histogram, not to a number: histogram_quantile() makes one of it".into());
    }
    let pairs = item["metric"].as_object().into_iter().flatten();
    let labels: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    Ok(Line { labels, points: values.iter().map(point).collect::<Result<_, _>>()? })
}

/// `[1800000000.781, "0.25"]`.
fn point(pair: &Json) -> Result<(Timestamp, f64), String> {
    let strange = || format!("the answer holds a sample that is none: {pair}");
    let at = pair[0].as_f64().filter(|seconds| *seconds >= 0.0).ok_or_else(strange)?;
    let value = pair[1].as_str().and_then(|text| text.parse().ok()).ok_or_else(strange)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time of this century")]
    let at = (at * 1000.0).round() as u64;
    Ok((Timestamp(at), value))
}

/// Seconds since the epoch, with milliseconds.
fn seconds(moment: Timestamp) -> String {
    format!("{}.{:03}", moment.0 / 1000, moment.0 % 1000)
}

#[cfg(test)]
mod tests;
