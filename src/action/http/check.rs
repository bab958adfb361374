//! `http.check`: one request, repeated until it is answered as expected several times in a row. Changes nothing.

use super::answer;
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{
    Expr, Fields, StepTraits, Template, boolean, duration, expr, integer, map, one_of, template,
};
use crate::port::need::{Need, Wanted, known_text};
use crate::port::{Reads, Request, Response, Writes, together};
use crate::run::{Fault, FaultKind};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// One request, repeated.
#[derive(Debug)]
pub(in crate::action) struct Check {
    method: &'static str,
    url: Template,
    connect_to: Option<Template>,
    all_addresses: bool,
    headers: Vec<(Arc<str>, Template)>,
    expect: Expr,
    passes: u32,
    every: Duration,
    answer_within: Duration,
}

/// Nothing to restore.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::action) struct Nothing {}

/// How it went so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::action) struct Passed {
    /// Good answers in a row.
    passes: u32,
    /// What was wrong last.
    text: String,
}

const EVERY: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(10);
/// How long it is tried, unless the step says otherwise.
const WITHIN: Duration = Duration::from_secs(5 * 60);

#[async_trait::async_trait]
impl Action for Check {
    type Prior = Nothing;
    type Note = Passed;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let methods = &[("get", "GET"), ("head", "HEAD"), ("options", "OPTIONS")];
        let method = fields.or("method", one_of(methods), "GET", "one that changes nothing");
        let url = fields.required("url", template(), "whole, with scheme and host");
        let connect_to =
            fields.optional("connect_to", template(), "host to connect to in place of the url's");
        let about =
            "each address of the host must answer so, each time: a load balancer has one in each zone";
        let all_addresses = fields.or("all_addresses", boolean(), false, about);
        let headers = fields.or("headers", map(template()), Vec::new(), "sent along");
        let expect = fields.required("expect", expr(Response::NAMES), "a good answer");
        let passes = fields.or("passes", integer(1..=1000), 1, "good answers in a row");
        let every = fields.or("every", duration(), EVERY, "between two requests");
        let answer_within = fields.or("answer_within", duration(), ANSWER, "a later answer is none");
        let passes = u32::try_from(passes).unwrap_or(1);
        let (url, expect) = (url?, expect?);
        Some(Self { method, url, connect_to, all_addresses, headers, expect, passes, every, answer_within })
    }

    fn traits(&self) -> StepTraits {
        StepTraits::default()
    }

    fn by_hand(&self) -> ByHand {
        let headers: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| (name.to_string(), value.source())).collect();
        let connect_to = match &self.connect_to {
            Some(host) if self.all_addresses => Some(format!("<each address of {}>", host.source())),
            None if self.all_addresses => Some("<each address of the host>".to_owned()),
            host => host.as_ref().map(Template::source),
        };
        let curl = answer::curl(self.method, &self.url.source(), connect_to.as_deref(), &headers, None);
        ByHand {
            what: format!("{} {} is answered as expected", self.method, self.url.source()),
            apply: vec![curl],
            expect: format!("{}, {} times in a row", self.expect.source(), self.passes),
            undo: Vec::new(),
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::Answer {
            method: self.method.into(),
            url: known_text(&self.url),
            connect_to: self.connect_to.as_ref().map(known_text),
            wanted: Wanted { holds: vec![self.expect.clone()], ..Wanted::default() },
        }]
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Nothing>, Fault> {
        self.request(reads)?;
        Ok(Planned::nothing(Nothing {}, WITHIN.max(self.every * self.passes * 3)))
    }

    async fn apply(&self, _: &Writes<'_>, _: u32, _: &Nothing) -> Result<Option<Passed>, Fault> {
        Ok(None)
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Passed>, Fault> {
        if toward == Toward::Prior {
            return Ok(Seen::Prior);
        }
        let before = record.note.clone().unwrap_or_default();
        let now = match self.refused(reads).await {
            Ok(None) => Passed { passes: before.passes + 1, text: String::new() },
            Ok(Some(text)) => Passed { passes: 0, text },
            Err(fault) if fault.kind == FaultKind::Permanent => return Err(fault),
            Err(fault) => Passed { passes: 0, text: fault.message.to_string() },
        };
        if now.passes >= self.passes {
            return Ok(Seen::Desired { out: serde_json::json!({"passes": now.passes}) });
        }
        let last = if now.text.is_empty() { String::new() } else { format!("; last: {}", now.text) };
        (reads.progress)(&format!("{} of {} good answers in a row{last}", now.passes, self.passes));
        let note = (now != before).then_some(now);
        Ok(Seen::Moving { note, again: self.every })
    }

    async fn undo(&self, _: &Writes<'_>, _: &Known<Self>) -> Result<Option<Self::Note>, Fault> {
        Ok(None)
    }
}

impl Check {
    /// What is wrong with an answer, or with the first of those that is.
    async fn refused(&self, reads: &Reads<'_>) -> Result<Option<String>, Fault> {
        let (http, request) = (reads.world.http(), self.request(reads)?);
        let judge = |response: &Response| answer::refused(&self.expect, &response.variables(), response);
        if !self.all_addresses {
            return Ok(judge(&http.get(request).await?));
        }
        let requests = request.to_each_address(http).await?;
        let places: Vec<String> = requests.iter().filter_map(|request| request.connect_to.clone()).collect();
        let answers = together(requests.into_iter().map(|request| http.get(request))).await;
        for (place, answer) in places.iter().zip(answers) {
            let told = |why: &str| format!("{} at {place}: {why}", self.method);
            match answer {
                Ok(response) => {
                    if let Some(why) = judge(&response) {
                        return Ok(Some(told(&why)));
                    }
                }
                Err(fault) => return Err(Fault { message: told(&fault.message).into(), ..fault }),
            }
        }
        Ok(None)
    }

    fn request(&self, reads: &Reads<'_>) -> Result<Request, Fault> {
        let fill = |text: &Template| super::super::fill(text, reads.scope);
        let headers = self.headers.iter().map(|(name, value)| Ok((name.to_string(), fill(value)?)));
        Ok(Request {
            method: self.method.into(),
            url: fill(&self.url)?,
            headers: headers.collect::<Result<_, Fault>>()?,
            body: None,
            connect_to: self.connect_to.as_ref().map(fill).transpose()?,
            timeout: self.answer_within,
        })
    }
}
