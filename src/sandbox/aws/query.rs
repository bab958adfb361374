//! The query protocol: forms in, XML out; and the shape of refusals that REST-XML shares with it.

use super::super::serve::{Answer, answer};
use super::Call;
use crate::sim::Refusal;
use crate::xml::Writer;

/// The fields of the form.
pub(super) fn form(call: &Call) -> Vec<(String, String)> {
    super::pairs(&String::from_utf8_lossy(&call.body))
}

/// The values of a list: `Names.member.1`, `Names.member.2`.
pub(super) fn members(form: &[(String, String)], name: &str) -> Vec<String> {
    let start = format!("{name}.member.");
    form.iter().filter(|(key, _)| key.starts_with(&start)).map(|(_, value)| value.clone()).collect()
}

/// One value.
pub(super) fn value<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The answer to an operation.
pub(super) fn result(call: &Call, namespace: &str, inside: impl FnOnce(&mut Writer)) -> Answer {
    let operation = &call.operation;
    let body = Writer::document(&format!("{operation}Response"), namespace, |w| {
        w.element(&format!("{operation}Result"), inside);
        w.element("ResponseMetadata", |w| {
            w.text("RequestId", &call.request_id);
        });
    });
    answer(200, "text/xml", body)
}

/// A refusal.
pub(super) fn refusal(namespace: &str, refusal: &Refusal, request_id: &str) -> Answer {
    let fault = if refusal.status >= 500 { "Receiver" } else { "Sender" };
    let body = Writer::document("ErrorResponse", namespace, |w| {
        w.element("Error", |w| {
            w.text("Type", fault).text("Code", &refusal.code).text("Message", &refusal.message);
        });
        w.text("RequestId", request_id);
    });
    answer(refusal.status, "text/xml", body)
}
