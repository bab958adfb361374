//! One request of a flow, as the plan writes it.

use super::{
    answer,
    body::{AnyJson, Body},
};
use crate::plan::{
    Code, Expr, Fields, Known, Problems, Shape, Template, Value, boolean, duration, expr, map, nested,
    template,
};
use crate::port::need::Wanted;
use serde_json::{Map, Value as Json};
use std::{sync::Arc, time::Duration};

/// What conditions of a flow may name.
pub(super) const NAMES: &[&str] =
    &["status", "json", "body", "headers", "elapsed_ms", "captures", "steps", "run"];

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) method: &'static str,
    pub(super) url: Template,
    pub(super) headers: Vec<(Arc<str>, Template)>,
    pub(super) json: Option<Body>,
    pub(super) body: Option<Template>,
    /// What later requests may name.
    pub(super) capture: Vec<(Arc<str>, Capture)>,
    /// It is repeated until this holds.
    pub(super) until: Option<Polling>,
    pub(super) expect: Option<Expr>,
}

/// A value taken from an answer.
#[derive(Clone, Debug)]
pub(super) struct Capture {
    pub(super) value: Expr,
    /// Later steps may read it, and it is journaled; otherwise it is kept as a secret is.
    pub(super) out: bool,
}

/// Repeats a request.
#[derive(Clone, Debug)]
pub(super) struct Polling {
    pub(super) until: Expr,
    pub(super) fail_if: Option<Expr>,
    pub(super) every: Duration,
    pub(super) within: Duration,
}

const METHODS: &[(&str, &str)] = &[
    ("get", "GET"),
    ("post", "POST"),
    ("put", "PUT"),
    ("patch", "PATCH"),
    ("delete", "DELETE"),
    ("head", "HEAD"),
];
const EVERY: Duration = Duration::from_secs(2);
const WITHIN: Duration = Duration::from_secs(60);

impl Asking {
    /// Reads one request: `{ get: /path, expect: … }`.
    pub(super) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let mut found = Vec::new();
        for (key, method) in METHODS {
            if let Some(url) = fields.optional(key, template(), "the path or URL") {
                found.push((*method, url));
            }
        }
        let headers = fields.or("headers", map(template()), Vec::new(), "sent along");
        let json = fields.optional("json", AnyJson, "the body, as JSON");
        let body = fields.optional("body", template(), "the body, as text");
        let capture = fields.or("capture", map(CaptureShape), Vec::new(), "names for values of the answer");
        let until = fields.optional("until", expr(NAMES), "it is repeated until this holds");
        let fail_if = fields.optional("fail_if", expr(NAMES), "it fails at once where this holds");
        let every = fields.or("every", duration(), EVERY, "between two of its repetitions");
        let within = fields.or("within", duration(), WITHIN, "how long it is repeated");
        let expect = fields.optional("expect", expr(NAMES), "a good answer; without it, a status below 400");
        let span = fields.span();
        let polled = fields.has("fail_if") || fields.has("every") || fields.has("within");
        if until.is_none() && polled && !fields.has("until") {
            let message =
                "`fail_if`, `every` and `within` say how `until` is awaited, and there is no `until`";
            fields.problems().error(Code("SW2003"), span, message);
        }
        if json.is_some() && body.is_some() {
            fields.problems().error(Code("SW2003"), span, "only one of `json` and `body`");
        }
        if fields.reading() && found.len() != 1 {
            let names: Vec<&str> = METHODS.iter().map(|(key, _)| *key).collect();
            if !names.iter().any(|name| fields.has(name)) || found.len() > 1 {
                let message = format!("exactly one of {} is needed", names.join(", "));
                fields.problems().error(Code("SW2003"), span, message).help("such as `get: /health`");
            }
            return None;
        }
        let (method, url) = found.pop()?;
        let until = until.map(|until| Polling { until, fail_if, every, within });
        Some(Self { method, url, headers, json, body, capture, until, expect })
    }

    /// It cannot change anything.
    pub(super) fn reads(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }

    /// How long it may take at most.
    pub(super) fn longest(&self, answer_within: Duration) -> Duration {
        answer_within + self.until.as_ref().map_or(Duration::ZERO, |polling| polling.within)
    }

    /// Names of captures that it uses.
    pub(super) fn uses(&self) -> Vec<String> {
        let mut paths: Vec<Vec<String>> = Vec::new();
        let texts = [&self.url].into_iter().chain(self.headers.iter().map(|(_, value)| value));
        let texts = texts.chain(&self.body).chain(self.json.iter().flat_map(Body::templates));
        paths.extend(texts.flat_map(Template::names));
        let polling = self.until.iter().flat_map(|polling| [Some(&polling.until), polling.fail_if.as_ref()]);
        let conditions = polling.flatten().chain(&self.expect);
        paths.extend(conditions.chain(self.capture.iter().map(|(_, c)| &c.value)).flat_map(Expr::paths));
        let captures = paths.into_iter().filter(|path| path[0] == "captures");
        captures.filter_map(|path| path.into_iter().nth(1)).collect()
    }

    /// What its answer should be like, after these captures.
    pub(super) fn wanted(&self, captures: Map<String, Json>) -> Wanted {
        let until = self.until.iter().map(|polling| &polling.until);
        Wanted {
            holds: until.chain(&self.expect).cloned().collect(),
            never: self.until.iter().filter_map(|polling| polling.fail_if.clone()).collect(),
            taken: self.capture.iter().map(|(_, capture)| capture.value.clone()).collect(),
            accepted: self.expect.is_none() && self.until.is_none(),
            captures,
        }
    }

    /// By hand.
    pub(super) fn curl(&self, base: Option<&Template>, connect_to: Option<&str>) -> String {
        let headers: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| (name.to_string(), value.source())).collect();
        let url = self.url.source();
        let url = match base {
            Some(base) if url.starts_with('/') => format!("{}{url}", base.source().trim_end_matches('/')),
            _ => url,
        };
        let body = match (&self.json, &self.body) {
            (Some(_), _) => Some("<the JSON of the plan>".to_owned()),
            (None, body) => body.as_ref().map(Template::source),
        };
        answer::curl(self.method, &url, connect_to, &headers, body.as_deref())
    }
}

/// `json.id`, or `{ value: json.id, out: true }`.
struct CaptureShape;

impl Shape for CaptureShape {
    type Out = Capture;

    fn read(&self, value: &Value, known: &Known, problems: &mut Problems) -> Option<Capture> {
        if value.as_text().is_some() {
            let value = expr(NAMES).read(value, known, problems)?;
            return Some(Capture { value, out: false });
        }
        nested(Self::whole).read(value, known, problems)
    }

    fn schema(&self) -> serde_json::Value {
        serde_json::json!({"anyOf": [expr(NAMES).schema(), nested(Self::whole).schema()]})
    }
}

impl CaptureShape {
    fn whole(fields: &mut Fields<'_>) -> Option<Capture> {
        let value = fields.required("value", expr(NAMES), "what is taken");
        let out = fields.or("out", boolean(), false, "later steps may read it, and it is journaled");
        Some(Capture { value: value?, out })
    }
}
