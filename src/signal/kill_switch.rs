//! `kill_switch`: a flag that anybody may raise: a file that is there, or an address or a parameter that says so.
//!
//! What is read of an address or a parameter says that it is raised, that it is not, or nothing; `raised` tells the three apart
//! in the same words for both. A parameter is never decrypted: a flag is no secret, and whoever keeps it as one says nothing.
//!
//! A flag that cannot be read stops a run all the same: nobody could stop it by raising the flag. A guard that could not read
//! one for [`DEAF`] pauses the run where it is, and asks. It turns nothing back: silence is no person, and an outage of
//! whoever keeps the flag must undo no healthy run. Whoever wants that, too, says `unreadable: raised`.

use super::{Condition, Measured, Memory, Signal};
use crate::plan::{
    Code, Constants, Expr, Fields, Target, Template, Timestamp, duration, expr, one_of, target, template,
    text,
};
use crate::port::need::{self, Account, Need, Wanted, known_text};
use crate::port::{Parameter, Reads, Request, Response};
use crate::run::Fault;
use serde_json::Value as Json;
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
    Parameter { name: Arc<str>, target: Arc<Target>, raised: Option<Expr> },
}

/// What a flag is taken for that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unreadable {
    Pause,
    Raised,
}

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a run goes on that nobody can stop by the flag: as long as a request that fails may be repeated, and no longer.
const DEAF: Duration = Duration::from_mins(1);
/// What conditions on a parameter may name.
const NAMES: &[&str] = &["body", "json"];
/// What a parameter says that nobody has raised, and what one says that somebody has.
const LOWERED: &str = "false";
const RAISED: &str = "true";
/// No name of a parameter is longer.
const LONGEST: usize = 1011;

#[async_trait::async_trait]
impl Signal for KillSwitch {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        const PLACES: [&str; 3] = ["file", "url", "parameter"];
        const WORDS: &[(&str, Unreadable)] = &[("pause", Unreadable::Pause), ("raised", Unreadable::Raised)];
        let file = fields.optional("file", text(), "raised while it exists, beside the plan unless absolute");
        let url = fields.optional(
            "url",
            template(),
            "in place of `file`: raised while it answers 2xx, and not while 404",
        );
        let parameter = fields.optional(
            "parameter",
            text(),
            "in place of `file`: raised while this parameter of Systems Manager is `true`, and not while `false`",
        );
        let inside = fields.optional("in", target(&["aws"]), "the account and region of the parameter");
        let names = if fields.has("parameter") { NAMES } else { Response::NAMES };
        let raised =
            fields.optional("raised", expr(names), "in place of that: raised while what it says is so");
        let answer_within =
            fields.optional("answer_within", duration(), "a later answer is none; 5s without it");
        let unreadable = fields.or(
            "unreadable",
            one_of(WORDS),
            Unreadable::Pause,
            "what a flag is that cannot be read: a reason for a guard to pause and ask after a minute, or as good as raised",
        );
        if fields.reading() && PLACES.iter().filter(|key| fields.has(key)).count() != 1 {
            let span = fields.span();
            let text = "exactly one of `file`, `url` and `parameter` is needed";
            fields.problems().error(Code("SW2003"), span, text);
            return None;
        }
        for (key, place, why) in [
            ("raised", "file", "`raised` is about what is said, and a file says nothing"),
            ("answer_within", "file", "`answer_within` is about an answer, and a file gives none"),
            ("answer_within", "parameter", "`answer_within` is about an address"),
            ("in", "file", "`in` is about a parameter"),
            ("in", "url", "`in` is about a parameter"),
        ] {
            if fields.has(key) && fields.has(place) {
                let span = fields.span_of(key);
                fields.problems().error(Code("SW2003"), span, why);
            }
        }
        if let Some(name) = &parameter {
            check_name(fields, name);
            if !fields.has("in") {
                let span = fields.span_of("parameter");
                fields
                    .problems()
                    .error(Code("SW1004"), span, "`in` is missing")
                    .help("name the target of kind `aws` whose account and region keep the parameter");
            }
        }
        let answer_within = answer_within.unwrap_or(ANSWER);
        let place = match (file, url, parameter) {
            (Some(file), ..) => Place::File(file),
            (_, Some(url), _) => Place::Address { url, raised, answer_within },
            (_, _, Some(name)) => Place::Parameter { name, target: inside?, raised },
            _ => return None,
        };
        Some(Self { place, unreadable })
    }

    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn patience(&self) -> Duration {
        DEAF
    }

    fn costs() -> &'static str {
        "Every 5s: a look at a file, one request, or GetParameter. One look is one sample, and enough."
    }

    fn names() -> &'static [&'static str] {
        &["value", "samples"]
    }

    fn needs(&self, _: &Condition) -> Vec<Need> {
        let (url, raised) = match &self.place {
            Place::File(file) => return vec![Need::Flag { file: file.to_string() }],
            Place::Parameter { name, target, raised } => {
                let text = |is: bool| said(raised.as_ref(), is);
                let (at, name) = (Account::of(target), name.to_string());
                return vec![Need::Parameter { at, name, lowered: text(false), raised: text(true) }];
            }
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
            Place::Parameter { name, target, raised } => {
                let told = format!("the parameter {name}");
                (told, kept(reads, target, name, raised.as_ref()).await)
            }
        };
        let raised = match found {
            Ok(raised) => raised,
            Err(fault) if self.unreadable == Unreadable::Pause => {
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

/// Whether a parameter says that it is raised.
async fn kept(reads: &Reads<'_>, target: &Target, name: &str, raised: Option<&Expr>) -> Result<bool, Fault> {
    match reads.world.parameters(&target.name)?.parameter(name).await? {
        Some(Parameter::Text(text)) => means(&text, raised).map_err(Fault::blind),
        Some(Parameter::Secret) => Err(Fault::blind(
            "it is a SecureString, which is not decrypted: a flag is no secret, so make it a String",
        )),
        None => Err(Fault::blind(format!(
            "there is no such parameter in account {} and region {}: make it, or mend its name in the plan",
            target.says("account").unwrap_or_default(),
            target.says("region").unwrap_or_default(),
        ))),
    }
}

/// What the text of a parameter means; or why it means nothing.
fn means(text: &str, raised: Option<&Expr>) -> Result<bool, String> {
    match (raised, text.trim()) {
        (Some(raised), _) => holds(raised, &variables(text), "it is there"),
        (None, RAISED) => Ok(true),
        (None, LOWERED) => Ok(false),
        (None, _) => Err(format!("it is there, and says neither `{RAISED}` nor `{LOWERED}`")),
    }
}

/// The values of [`NAMES`]. `json` is null where the text is none.
fn variables(text: &str) -> Vec<(&'static str, Json)> {
    vec![("body", text.into()), ("json", serde_json::from_str(text).unwrap_or(Json::Null))]
}

/// A text with which a parameter is raised, or not, where one is found: for a world that is made up.
fn said(raised: Option<&Expr>, is: bool) -> Option<String> {
    let Some(raised) = raised else { return Some(if is { RAISED } else { LOWERED }.into()) };
    let these = vec![raised.clone()];
    let (holds, never) = if is { (these, Vec::new()) } else { (Vec::new(), these) };
    let wanted = Wanted { holds, never, ..Wanted::default() };
    let text = need::answer(&[&wanted])?.body;
    (means(&text, Some(raised)) == Ok(is)).then_some(text)
}

/// Reports a name that no parameter has.
fn check_name(fields: &mut Fields<'_>, name: &str) {
    let known = |c: char| c.is_ascii_alphanumeric() || ".-_/:".contains(c);
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(known) {
        let span = fields.span_of("parameter");
        fields
            .problems()
            .error(Code("SW1006"), span, "no parameter has this name")
            .help("a name has letters, digits, `.`, `-`, `_` and `/`, as in /aep/stop; or it is an ARN");
    }
}

/// What a condition says of what was read; or why it says nothing.
fn holds(raised: &Expr, read: &[(&'static str, Json)], how: &str) -> Result<bool, String> {
    raised
        .holds(read)
        .map_err(|error| format!("{how}, and `{}` says nothing of it: {error}", raised.source()))
}

/// What an answer says; or why it says nothing.
fn says(answer: &Response, raised: Option<&Expr>) -> Result<bool, String> {
    match (raised, answer.status) {
        // What fails says nothing, whatever stands in it.
        (_, status @ 500..) => Err(format!("it answered {status}")),
        (Some(raised), status) => holds(raised, &answer.variables(), &format!("it answered {status}")),
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

    #[test]
    fn a_parameter_says_yes_no_or_nothing() {
        for (text, raised) in [
            ("true", Some(true)),
            (" false\n", Some(false)),
            ("", None),
            ("TRUE", None),
            ("on", None),
            ("1", None),
        ] {
            assert_eq!(means(text, None).ok(), raised, "{text}");
        }
    }

    /// The same condition means the same of what an address says and of what a parameter does.
    #[test]
    fn an_address_and_a_parameter_are_read_alike() {
        for (condition, text, raised) in [
            ("json.on == true", r#"{"on":true}"#, Some(true)),
            ("json.on == true", r#"{"on":false}"#, Some(false)),
            ("json.on == true", "{}", None),
            ("json.on == true", "on", None),
            ("body == 'stop'", "stop", Some(true)),
            ("body == 'stop'", "go", Some(false)),
            ("json > 2", "3", Some(true)),
        ] {
            let of = |names: &[&'static str]| Expr::compile(condition, names, Arc::default()).unwrap();
            assert_eq!(
                says(&answer(200, text), Some(&of(Response::NAMES))).ok(),
                raised,
                "{condition}: {text}"
            );
            assert_eq!(means(text, Some(&of(NAMES))).ok(), raised, "{condition}: {text}");
        }
    }

    #[test]
    fn a_text_is_made_up_that_means_what_is_wanted() {
        for condition in [None, Some("json.on == true"), Some("body == 'stop'"), Some("json.state != 'go'")] {
            let raised = condition.map(|text| Expr::compile(text, NAMES, Arc::default()).unwrap());
            for is in [false, true] {
                let text = said(raised.as_ref(), is);
                let meant = text.as_deref().map(|text| means(text, raised.as_ref()));
                assert_eq!(meant, Some(Ok(is)), "{condition:?}: {text:?}");
            }
        }
        let never = Expr::compile("body == 'a' && body == 'b'", NAMES, Arc::default()).unwrap();
        assert_eq!(said(Some(&never), true), None);
    }
}
