//! What an answer is held against, and how people would ask by hand.

use crate::plan::{Expr, ExprError};
use crate::port::Response;
use serde_json::Value as Json;

/// How much of a body is shown.
const SHOWN: usize = 200;

/// Why an answer is not as expected; `None` if it is. What cannot be told is not as expected.
pub(super) fn refused(expect: &Expr, variables: &[(&str, Json)], response: &Response) -> Option<String> {
    let why = match expect.holds(variables) {
        Ok(true) => return None,
        Ok(false) => format!("not `{}`", expect.source()),
        Err(ExprError::NoValue { reason, .. }) => format!("`{}` has no value: {reason}", expect.source()),
        Err(error) => error.to_string(),
    };
    Some(format!("{why}: status {}{}", response.status, shown(&response.body)))
}

/// The beginning of a body, on one line.
pub(super) fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        _ if line.is_empty() => String::new(),
        None => format!(", body {line}"),
        Some((end, _)) => format!(", body {}…", &line[..end]),
    }
}

/// The same request by hand.
pub(super) fn curl(
    method: &str,
    url: &str,
    connect_to: Option<&str>,
    headers: &[(String, String)],
    body: Option<&str>,
) -> String {
    let mut out = vec!["curl -sS -i".to_owned()];
    match method {
        "GET" => {}
        "HEAD" => out.push("-I".into()),
        other => out.push(format!("-X {other}")),
    }
    out.extend(connect_to.map(|host| format!("--connect-to '::{host}:'")));
    out.extend(headers.iter().map(|(name, value)| format!("-H '{name}: {value}'")));
    out.extend(body.map(|body| format!("-H 'content-type: application/json' -d '{body}'")));
    out.push(format!("'{url}'"));
    out.join(" ")
}
