//! `kill_switch`: a flag that anybody may raise: a file that is there, or an address that says so.
//!
//! A flag that cannot be read is no evidence. It is not taken for raised: silence is no person, and an outage of whoever
//! keeps the flag must turn no healthy run back. A guard that sees nothing asks a human after a while. Whoever wants it
//! otherwise says `unreadable: raised`.

use super::{Condition, Measured, Memory, Signal};
use crate::plan::{
    Code, Constants, Expr, Fields, Template, Timestamp, duration, expr, one_of, template, text,
};
use crate::port::need::{Need, Wanted, known_text};
use crate::port::{Reads, Request, Response};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// A flag.
#[derive(Clone, Debug)]
pub(super) struct KillSwitch {
    place: Place,
    unreadable: Unreadable,
}

#[derive(Clone, Debug)]
enum Place {
    File(Arc<str>),
    Address { url: Template, raised: Option<Expr>, answer_within: Duration },
}

/// What a flag is taken for that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unreadable {
    Unknown,
    Raised,
}

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

#[async_trait::async_trait]
impl Signal for KillSwitch {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        const WORDS: &[(&str, Unreadable)] = &[("wait", Unreadable::Unknown), ("raised", Unreadable::Raised)];
        let file = fields.optional("file", text(), "raised while it exists, beside the plan unless absolute");
        let url = fields.optional(
            "url",
            template(),
            "in place of `file`: raised while it answers 2xx, and not while 404",
        );
        let raised = fields.optional(
            "raised",
            expr(Response::NAMES),
            "in place of that: raised while its answer is so",
        );
        let answer_within =
            fields.optional("answer_within", duration(), "a later answer is none; 5s without it");
        let unreadable = fields.or(
            "unreadable",
            one_of(WORDS),
            Unreadable::Unknown,
            "what a flag is taken for that cannot be read",
        );
        if fields.reading() && fields.has("file") == fields.has("url") {
            let span = fields.span();
            fields.problems().error(Code("SW2003"), span, "exactly one of `file` and `url` is needed");
            return None;
        }
        if let Some(key) =
            ["raised", "answer_within"].into_iter().find(|key| fields.has(key) && fields.has("file"))
        {
            let span = fields.span_of(key);
            fields.problems().error(
                Code("SW2003"),
                span,
                format!("`{key}` is about an answer, and a file gives none"),
            );
        }
        let answer_within = answer_within.unwrap_or(ANSWER);
        let address = || url.map(|url| Place::Address { url, raised, answer_within });
        Some(Self { place: file.map(Place::File).or_else(address)?, unreadable })
    }

    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn costs() -> &'static str {
        "Every 5s: a look at a file, or one request. One look is one sample."
    }

    fn names() -> &'static [&'static str] {
        &["value", "samples"]
    }

    fn needs(&self, _: &Condition) -> Vec<Need> {
        let (url, raised) = match &self.place {
            Place::File(file) => return vec![Need::Flag { file: file.to_string() }],
            Place::Address { url, raised, .. } => (url, raised),
        };
        let absent = || Expr::compile("status == 404", Response::NAMES, Arc::new(Constants::default())).ok();
        let (holds, never) = match raised {
            Some(raised) => (Vec::new(), vec![raised.clone()]),
            None => (absent().into_iter().collect(), Vec::new()),
        };
        vec![Need::Answer {
            method: "GET".into(),
            url: known_text(url),
            connect_to: None,
            wanted: Wanted { holds, never, ..Wanted::default() },
        }]
    }

    async fn measure(&self, reads: &Reads<'_>, _: Timestamp, _: &mut Memory) -> Result<Measured, Fault> {
        let (told, found) = match &self.place {
            Place::File(path) => (format!("the file {path}"), reads.world.files().exists(path).await),
            Place::Address { url, raised, answer_within } => {
                let told = format!("the flag at {}", url.source());
                (told, asked(reads, url, raised.as_ref(), *answer_within).await)
            }
        };
        let raised = match found {
            Ok(raised) => raised,
            Err(fault) if self.unreadable == Unreadable::Unknown => {
                return Err(Fault { message: format!("{told} cannot be read: {fault}").into(), ..fault });
            }
            Err(fault) => {
                return Ok(measured(
                    true,
                    format!("{told} cannot be read, and so counts as raised: {fault}"),
                ));
            }
        };
        let how = if raised { "raised" } else { "not raised" };
        Ok(measured(raised, format!("{told} is {how}")))
    }
}

fn measured(raised: bool, text: String) -> Measured {
    let value = if raised { 1.0 } else { 0.0 };
    Measured { value: Some(value), named: [("samples", 1.0)].into(), samples: 1, text, ..Measured::default() }
}

/// Whether an address says that it is raised.
async fn asked(
    reads: &Reads<'_>,
    url: &Template,
    raised: Option<&Expr>,
    timeout: Duration,
) -> Result<bool, Fault> {
    let url = url.render(reads.scope).map_err(|error| Fault::permanent(error.to_string()))?;
    let request =
        Request { method: "GET".into(), url, headers: Vec::new(), body: None, connect_to: None, timeout };
    let answer = reads.world.http().get(request).await?;
    says(&answer, raised).map_err(Fault::blind)
}

/// What an answer says; or why it says nothing.
fn says(answer: &Response, raised: Option<&Expr>) -> Result<bool, String> {
    match (raised, answer.status) {
        // What fails says nothing, whatever stands in it.
        (_, status @ 500..) => Err(format!("it answered {status}")),
        (Some(raised), status) => raised.holds(&answer.variables()).map_err(|error| {
            format!("it answered {status}, and `{}` says nothing of it: {error}", raised.source())
        }),
        (None, 200..=299) => Ok(true),
        (None, 404) => Ok(false),
        (None, status) => Err(format!("it answered {status}, which is neither 2xx nor 404")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        let (headers, body) = (Vec::new(), body.as_bytes().to_vec());
        Response { status, headers, body, elapsed: Duration::ZERO, address: None }
    }

    #[test]
    fn an_address_says_yes_no_or_nothing() {
        for (status, raised) in
            [(200, Some(true)), (204, Some(true)), (404, Some(false)), (403, None), (302, None), (500, None)]
        {
            assert_eq!(says(&answer(status, ""), None).ok(), raised, "{status}");
        }
        let on = Expr::compile("json.on == true", Response::NAMES, Arc::default()).unwrap();
        for (status, body, raised) in [
            (200, r#"{"on":true}"#, Some(true)),
            (200, r#"{"on":false}"#, Some(false)),
            (200, "{}", None),
            (200, "<html>", None),
            (503, r#"{"on":false}"#, None),
        ] {
            assert_eq!(says(&answer(status, body), Some(&on)).ok(), raised, "{status} {body}");
        }
    }
}
