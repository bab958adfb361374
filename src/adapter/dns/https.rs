//! Questions to public resolvers over HTTPS (RFC 8484), sent as every other request is.
//!
//! Whatever is not a whole answer to the question is no evidence, and its reason is told.

use super::{answers, question, served, wanted};
use crate::adapter::Http;
use crate::port::dns::{AskResolver, Name, RecordType, Served};
use crate::port::{Request, Response};
use crate::run::Fault;
use async_trait::async_trait;
use hickory_proto::op::{Message, ResponseCode};
use std::sync::Arc;
use std::time::Duration;

/// How long one exchange may take, on the wall clock.
const LIMIT: Duration = Duration::from_secs(5);
/// A message as it is on the wire.
const MESSAGE: &str = "application/dns-message";
/// No message is longer (RFC 8484, section 6).
const LONGEST: usize = 65_535;

/// A resolver that a plan names.
pub(in crate::adapter) struct HttpsResolver {
    url: Arc<str>,
    /// Where it is asked in a world that is not production.
    instead: Option<Arc<str>>,
    http: Arc<Http>,
}

impl HttpsResolver {
    pub(in crate::adapter) fn new(url: &str, instead: Option<&str>, http: Arc<Http>) -> Self {
        Self { url: url.into(), instead: instead.map(Arc::from), http }
    }

    /// The answer to a question, and for how long it has been kept on its way (RFC 8484, section 5.1).
    async fn exchange(&self, question: &Message) -> Result<(Message, Duration), String> {
        if self.instead.is_none() && !self.url.starts_with("https://") {
            return Err("it is asked over https alone".into());
        }
        let header = |name: &str| (name.to_owned(), MESSAGE.to_owned());
        let request = Request {
            method: "POST".into(),
            url: self.instead.as_ref().unwrap_or(&self.url).to_string(),
            headers: vec![header("accept"), header("content-type")],
            body: Some(question.to_vec().map_err(|error| error.to_string())?),
            connect_to: None,
            timeout: LIMIT,
        };
        let answer = self.http.exchange(request).await.map_err(|fault| fault.message.to_string())?;
        let age = said(&answer, "age").and_then(|age| age.parse().ok()).unwrap_or(0);
        Ok((read(question, &answer)?, Duration::from_secs(age)))
    }
}

#[async_trait]
impl AskResolver for HttpsResolver {
    fn url(&self) -> &str {
        &self.url
    }

    async fn ask(&self, name: &Name, kind: &RecordType) -> Result<Served, Fault> {
        let told = |why: String| {
            Fault::blind(format!("no answer from resolver {} about {name} {}: {why}", self.url, kind.0))
        };
        let wanted = wanted(kind)?;
        let mut question = question(name, wanted, true).map_err(|error| told(error.to_string()))?;
        // Requests that ask the same are the same (RFC 8484, section 4.1).
        question.metadata.id = 0;
        let (answer, age) = self.exchange(&question).await.map_err(told)?;
        let kept = served(&answer, name, wanted);
        Ok(Served {
            authoritative: false,
            ttl: kept.ttl.saturating_sub(age),
            negative_ttl: kept.negative_ttl.map(|ttl| ttl.saturating_sub(age)),
            ..kept
        })
    }
}

/// The message in an answer; or why it holds none that answers the question.
fn read(question: &Message, answer: &Response) -> Result<Message, String> {
    match answer.status {
        200 => {}
        status @ 300..400 => {
            return Err(format!("it sends elsewhere (status {status}), which is not followed"));
        }
        status => return Err(format!("its status is {status}")),
    }
    let kind = said(answer, "content-type").unwrap_or_default();
    let bare = kind.split(';').next().unwrap_or_default().trim();
    if !bare.eq_ignore_ascii_case(MESSAGE) {
        return Err(format!("it says `{bare}`, and not {MESSAGE}"));
    }
    if answer.body.len() > LONGEST {
        return Err(format!("what it says is longer than {LONGEST} bytes"));
    }
    let message = Message::from_vec(&answer.body).map_err(|error| format!("it says no message: {error}"))?;
    if !answers(question, &message) {
        return Err("it answers another question".into());
    }
    if message.metadata.truncation {
        return Err("its answer is cut off".into());
    }
    match message.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(message),
        refusal => Err(refusal.to_string()),
    }
}

/// A header of an answer.
fn said<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    let found = answer.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests;
