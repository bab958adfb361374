//! `http.flow`: requests in order, with values captured from answers, polling and cleaning up.

use super::answer;
use super::check::Nothing;
use super::request::{Asking, Polling};
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{
    Code, Fields, Scope, Span, StepTraits, Template, duration, format_duration, list, nested, template,
};
use crate::port::{Reads, Request, Response, Writes};
use crate::run::{Fault, Landed};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Requests in order.
#[derive(Debug)]
pub(in crate::action) struct Flow {
    base_url: Option<Template>,
    connect_to: Option<Template>,
    requests: Vec<Asking>,
    cleanup: Vec<Asking>,
    answer_within: Duration,
}

const ANSWER: Duration = Duration::from_secs(10);
/// What the whole may take beyond its requests.
const SLACK: Duration = Duration::from_secs(60);

#[async_trait::async_trait]
impl Action for Flow {
    type Prior = Nothing;
    type Note = Went;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let base_url = fields.optional("base_url", template(), "what paths stand behind");
        let connect_to =
            fields.optional("connect_to", template(), "host to connect to in place of the URL's");
        let requests = fields.required("requests", list(nested(Asking::decode)), "one after the other");
        let cleanup = fields.or(
            "cleanup",
            list(nested(Asking::decode)),
            Vec::new(),
            "always done, also after a failure",
        );
        let answer_within = fields.or("answer_within", duration(), ANSWER, "a later answer is none");
        let requests = requests?;
        check_captures(fields, &requests, &cleanup);
        if base_url.is_none() {
            let span = fields.span_of("requests");
            for asking in requests.iter().chain(&cleanup).filter(|a| a.url.source().starts_with('/')) {
                let message = format!("`{}` is a path, and there is no `base_url`", asking.url.source());
                fields.problems().error(Code("SW2003"), span, message);
            }
        }
        if requests.is_empty() {
            let span = fields.span_of("requests");
            fields.problems().error(Code("SW2003"), span, "a flow without requests proves nothing");
            return None;
        }
        Some(Self { base_url, connect_to, requests, cleanup, answer_within })
    }

    fn traits(&self) -> StepTraits {
        let writes = !self.only_reads();
        StepTraits { writes, has_undo: writes, ..StepTraits::default() }
    }

    fn by_hand(&self) -> ByHand {
        let connect_to = self.connect_to.as_ref().map(Template::source);
        let curl = |asking: &Asking| asking.curl(self.base_url.as_ref(), connect_to.as_deref());
        let expected = self.requests.iter().filter_map(|asking| Some(asking.expect.as_ref()?.source()));
        ByHand {
            what: format!("{} requests in order", self.requests.len()),
            apply: self.requests.iter().chain(&self.cleanup).map(curl).collect(),
            expect: expected.collect::<Vec<_>>().join("; "),
            undo: self.cleanup.iter().map(curl).collect(),
        }
    }

    async fn plan(&self, _reads: &Reads<'_>) -> Result<Planned<Nothing>, Fault> {
        let requests = self.requests.iter().chain(&self.cleanup);
        let longest = requests.map(|asking| asking.longest(self.answer_within)).sum::<Duration>() + SLACK;
        let stages = u32::from(!self.only_reads());
        Ok(Planned { stages, call: Some(longest), ..Planned::nothing(Nothing {}, longest) })
    }

    async fn apply(&self, writes: &Writes<'_>, _: u32, _: &Nothing) -> Result<Option<Went>, Fault> {
        let sender = Sender { reads: writes.reads(), writes: Some(writes) };
        self.go(&sender).await.map(Some)
    }

    /// What it sent is test data, and was cleaned up: there is nothing to find. Where the answer was lost it runs again.
    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Went>, Fault> {
        match (toward, &record.note) {
            (Toward::Desired(0), _) => {
                let went = self.go(&Sender { reads: *reads, writes: None }).await?;
                Ok(Seen::Desired { out: went.out })
            }
            (Toward::Desired(_), Some(went)) => Ok(Seen::Desired { out: went.out.clone() }),
            _ => Ok(Seen::Prior),
        }
    }

    async fn undo(&self, _: &Writes<'_>, _: &Known<Self>) -> Result<Option<Went>, Fault> {
        Ok(None)
    }
}

/// What a flow found out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Went {
    /// The captures that later steps may read.
    out: Json,
}

/// Sends requests: any, or only those that change nothing.
struct Sender<'a> {
    reads: Reads<'a>,
    writes: Option<&'a Writes<'a>>,
}

impl Sender<'_> {
    async fn send(&self, request: Request) -> Result<Response, Fault> {
        match self.writes {
            Some(writes) => {
                writes.in_time()?;
                writes.world.send_http().send(request).await
            }
            None => self.reads.world.http().get(request).await,
        }
    }

    /// The run wants this to end.
    fn stopped(&self) -> bool {
        self.writes.is_some_and(|writes| writes.stop.asked())
    }
}

impl Flow {
    /// All requests in order, then the cleaning up, which comes in any case.
    async fn go(&self, sender: &Sender<'_>) -> Result<Went, Fault> {
        let mut scope = sender.reads.scope.clone();
        let mut out = serde_json::Map::new();
        let mut wrote = false;
        let mut failed = None;
        for (number, asking) in self.requests.iter().enumerate() {
            (sender.reads.progress)(&format!("request {} of {}", number + 1, self.requests.len()));
            if sender.stopped() {
                failed = Some(Fault::permanent("stopped: the run goes back"));
                break;
            }
            wrote |= !asking.reads();
            if let Err(fault) = self.ask(sender, asking, &mut scope, &mut out).await {
                let request = format!("request {} ({} {})", number + 1, asking.method, asking.url.source());
                failed = Some(Fault { message: format!("{request}: {fault}").into(), ..fault });
                break;
            }
        }
        for asking in &self.cleanup {
            // What was never captured needs no cleaning; a failure of it must not hide what failed before.
            if let Err(fault) = self.ask(sender, asking, &mut scope, &mut out).await {
                (sender.reads.progress)(&format!("cleaning up: {fault}"));
            }
        }
        match failed {
            None => Ok(Went { out: Json::Object(out) }),
            Some(fault) => Err(Fault { landed: if wrote { Landed::Maybe } else { Landed::No }, ..fault }),
        }
    }

    /// One request, repeated until its condition holds.
    async fn ask(
        &self,
        sender: &Sender<'_>,
        asking: &Asking,
        scope: &mut Scope,
        out: &mut serde_json::Map<String, Json>,
    ) -> Result<(), Fault> {
        let clock = sender.reads.world.clock();
        let end = asking.until.as_ref().map(|polling| clock.now().after(polling.within));
        loop {
            let response = sender.send(self.request(asking, scope)?).await?;
            let mut variables = response.variables();
            variables.extend(scope.variables().into_iter().filter(|(name, _)| *name != "secrets"));
            if let (Some(polling), Some(end)) = (&asking.until, end)
                && !polling.is_over(&variables, &response)?
            {
                if clock.now() >= end || sender.stopped() {
                    let within = format_duration(polling.within);
                    let shown = answer::shown(&response.body);
                    let condition = polling.until.source();
                    let message = format!(
                        "`{condition}` did not hold within {within}: status {}{shown}",
                        response.status
                    );
                    return Err(Fault::permanent(message));
                }
                clock.sleep_until(clock.now().after(polling.every).min(end)).await;
                continue;
            }
            if let Some(why) = asking.refused(&variables, &response) {
                return Err(Fault::permanent(why));
            }
            for (name, capture) in &asking.capture {
                let value =
                    capture.value.eval(&variables).map_err(|error| Fault::permanent(error.to_string()))?;
                if capture.out {
                    out.insert(name.to_string(), value.clone());
                }
                scope.captures.insert(name.to_string(), value);
            }
            return Ok(());
        }
    }

    fn request(&self, asking: &Asking, scope: &Scope) -> Result<Request, Fault> {
        let fill = |text: &Template| answer::fill(text, scope);
        let path = fill(&asking.url)?;
        let url = match &self.base_url {
            Some(base) if path.starts_with('/') => format!("{}{path}", fill(base)?.trim_end_matches('/')),
            _ => path,
        };
        let mut headers = asking
            .headers
            .iter()
            .map(|(name, value)| Ok((name.to_string(), fill(value)?)))
            .collect::<Result<Vec<_>, Fault>>()?;
        let body = match (&asking.json, &asking.body) {
            (Some(json), _) => {
                headers.push(("content-type".into(), "application/json".into()));
                let json = json.render(scope).map_err(|error| Fault::permanent(error.to_string()))?;
                Some(json.to_string().into_bytes())
            }
            (None, Some(body)) => Some(fill(body)?.into_bytes()),
            (None, None) => None,
        };
        Ok(Request {
            method: asking.method.into(),
            url,
            headers,
            body,
            connect_to: self.connect_to.as_ref().map(fill).transpose()?,
            timeout: self.answer_within,
        })
    }
}

impl Polling {
    /// What it waits for holds. A value that is not there yet is not there yet.
    fn is_over(&self, variables: &[(&str, Json)], response: &Response) -> Result<bool, Fault> {
        if self.fail_if.as_ref().is_some_and(|fail| fail.holds(variables).unwrap_or(false)) {
            let condition = self.fail_if.as_ref().map_or("", |fail| fail.source());
            let shown = answer::shown(&response.body);
            return Err(Fault::permanent(format!("`{condition}`: status {}{shown}", response.status)));
        }
        Ok(self.until.holds(variables).unwrap_or(false))
    }
}

impl Asking {
    /// Why the answer is not as expected. Without an expectation a status below 400 is.
    fn refused(&self, variables: &[(&str, Json)], response: &Response) -> Option<String> {
        match &self.expect {
            Some(expect) => answer::refused(expect, variables, response),
            None if response.status < 400 => None,
            None => Some(format!("status {}{}", response.status, answer::shown(&response.body))),
        }
    }
}

impl Flow {
    fn only_reads(&self) -> bool {
        self.requests.iter().chain(&self.cleanup).all(Asking::reads)
    }
}

/// Reports captures that are used before, or without, being taken.
fn check_captures(fields: &mut Fields<'_>, requests: &[Asking], cleanup: &[Asking]) {
    let span: Span = fields.span_of("requests");
    let mut taken: BTreeSet<Arc<str>> = BTreeSet::new();
    for asking in requests.iter().chain(cleanup) {
        let own: Vec<&Arc<str>> = asking.capture.iter().map(|(name, _)| name).collect();
        for name in asking.uses() {
            if !taken.contains(&*name) && !own.iter().any(|own| ***own == *name) {
                let message = format!("`captures.{name}` is used before any request captures it");
                fields.problems().error(Code("SW2004"), span, message);
            }
        }
        taken.extend(own.into_iter().cloned());
    }
}
