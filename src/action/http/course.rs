//! One course through a flow: sends its requests in order, keeps what they capture, and cleans up at the end.

use super::answer::{refused, shown};
use super::flow::Flow;
use super::request::{Asking, Polling};
use crate::action::fill;
use crate::plan::{Scope, Template, format_duration};
use crate::port::{Reads, Request, Response, Writes};
use crate::run::{Fault, Landed};
use serde_json::{Map, Value as Json};

/// One course through a flow.
pub(super) struct Course<'a> {
    flow: &'a Flow,
    reads: &'a Reads<'a>,
    /// Absent where every request only reads.
    writes: Option<&'a Writes<'a>>,
    scope: Scope,
    /// Captured values that nobody may see.
    hidden: Vec<String>,
    out: Map<String, Json>,
    /// What is left is cleaned up: that is not stopped.
    cleaning: bool,
}

/// Shorter values would hide ordinary text, and are no secrets.
const SHORTEST: usize = 4;

impl<'a> Course<'a> {
    pub(super) fn new(flow: &'a Flow, reads: &'a Reads<'a>, writes: Option<&'a Writes<'a>>) -> Self {
        let scope = reads.scope.clone();
        Self { flow, reads, writes, scope, hidden: Vec::new(), out: Map::new(), cleaning: false }
    }

    /// Runs it, and cleans up whatever happened. Returns what later steps may read.
    pub(super) async fn run(mut self) -> Result<Map<String, Json>, Fault> {
        let result = self.requests().await;
        self.cleaning = true;
        let cleaned = self.clean_up().await;
        match (result, cleaned) {
            (Ok(()), Ok(())) => Ok(self.out),
            (Err(fault), Ok(())) | (Ok(()), Err(fault)) => Err(self.hide(fault)),
            (Err(fault), Err(left)) => {
                let message = format!("{}; cleaning up failed too: {}", fault.message, left.message);
                Err(self.hide(Fault { message: message.into(), ..fault }))
            }
        }
    }

    async fn requests(&mut self) -> Result<(), Fault> {
        let total = self.flow.requests.len();
        for (number, asking) in self.flow.requests.iter().enumerate() {
            if self.writes.is_some_and(|writes| writes.stop.asked()) {
                return Err(stopped());
            }
            (self.reads.progress)(&format!("{} of {total}: {}", number + 1, name(asking)));
            self.one(asking).await?;
        }
        Ok(())
    }

    /// All of it is tried. A request that names what was never captured has nothing to clean.
    async fn clean_up(&mut self) -> Result<(), Fault> {
        let mut failed = None;
        for asking in &self.flow.cleanup {
            let ready = asking.uses().iter().all(|name| self.scope.captures.contains_key(name));
            if ready && let Err(fault) = self.one(asking).await {
                failed.get_or_insert(fault);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn one(&mut self, asking: &Asking) -> Result<(), Fault> {
        let response = match &asking.until {
            None => self.send(asking).await?,
            Some(polling) => self.poll(asking, polling).await?,
        };
        let variables = self.variables(&response);
        let wrong = match &asking.expect {
            Some(expect) => refused(expect, &variables, &response),
            None if asking.until.is_none() && response.status >= 400 => {
                Some(format!("status {}{}", response.status, shown(&response.body)))
            }
            None => None,
        };
        if let Some(why) = wrong {
            return Err(Fault::permanent(format!("{}: {why}", name(asking))));
        }
        for (key, capture) in &asking.capture {
            let value = capture.value.eval(&variables).map_err(|error| {
                Fault::permanent(format!("{}: nothing to capture as `{key}`: {error}", name(asking)))
            })?;
            if capture.out {
                self.out.insert(key.to_string(), value.clone());
            } else {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.hidden.extend((text.len() >= SHORTEST).then_some(text));
            }
            self.scope.captures.insert(key.to_string(), value);
        }
        Ok(())
    }

    /// Repeats a request until its condition holds.
    async fn poll(&self, asking: &Asking, polling: &Polling) -> Result<Response, Fault> {
        let clock = self.reads.world.clock();
        let until = clock.now().after(polling.within);
        loop {
            // While it is polled an answer that does not come is one that is not there yet.
            let (text, response) = match self.send(asking).await {
                Err(fault) if fault.kind == crate::run::FaultKind::Permanent => return Err(fault),
                Err(fault) => (fault.message.to_string(), None),
                Ok(response) => {
                    let variables = self.variables(&response);
                    if polling.until.holds(&variables).unwrap_or(false) {
                        return Ok(response);
                    }
                    let seen = format!("status {}{}", response.status, shown(&response.body));
                    if let Some(fail_if) = &polling.fail_if
                        && fail_if.holds(&variables).unwrap_or(false)
                    {
                        let text = format!("{}: `{}`: {seen}", name(asking), fail_if.source());
                        return Err(Fault::permanent(text));
                    }
                    (seen, Some(response))
                }
            };
            let next = clock.now().after(polling.every);
            if next > until {
                let waited = format_duration(polling.within);
                let last = response.map_or(text.clone(), |_| text);
                return Err(Fault::permanent(format!(
                    "{}: not `{}` after {waited}; last: {last}",
                    name(asking),
                    polling.until.source()
                )));
            }
            match self.writes {
                Some(writes) if !self.cleaning => tokio::select! {
                    biased;
                    () = writes.stop.wait() => return Err(stopped()),
                    () = clock.sleep_until(next) => {}
                },
                _ => clock.sleep_until(next).await,
            }
        }
    }

    async fn send(&self, asking: &Asking) -> Result<Response, Fault> {
        let request = self.request(asking)?;
        let sent = match self.writes {
            Some(writes) if !asking.reads() => {
                writes.in_time()?;
                writes.world.send_http().send(request).await
            }
            _ => self.reads.world.http().get(request).await,
        };
        // A flow is run again as a whole where it did not come to its end: none of its requests is ever in doubt.
        sent.map_err(|fault| Fault {
            message: format!("{}: {}", name(asking), fault.message).into(),
            landed: Landed::No,
            ..fault
        })
    }

    fn request(&self, asking: &Asking) -> Result<Request, Fault> {
        let fill = |text: &Template| fill(text, &self.scope);
        let url = fill(&asking.url)?;
        let url = match &self.flow.base_url {
            Some(base) if url.starts_with('/') => format!("{}{url}", fill(base)?.trim_end_matches('/')),
            _ => url,
        };
        let headers = asking.headers.iter().map(|(name, value)| Ok((name.to_string(), fill(value)?)));
        let mut headers: Vec<(String, String)> = headers.collect::<Result<_, Fault>>()?;
        let body = match (&asking.json, &asking.body) {
            (Some(json), _) => {
                if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                    headers.push(("content-type".into(), "application/json".into()));
                }
                let json = json.render(&self.scope).map_err(|error| Fault::permanent(error.to_string()))?;
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
            connect_to: self.flow.connect_to.as_ref().map(fill).transpose()?,
            timeout: self.flow.answer_within,
        })
    }

    fn variables(&self, response: &Response) -> Vec<(&'static str, Json)> {
        let mut variables = response.variables();
        let runtime = self.scope.variables().into_iter().filter(|(name, _)| *name != "secrets");
        variables.extend(runtime);
        variables
    }

    /// A fault without what was captured.
    fn hide(&self, fault: Fault) -> Fault {
        let hide = |text: String, value: &String| text.replace(value.as_str(), "[captured]");
        let message = self.hidden.iter().fold(fault.message.to_string(), hide);
        Fault { message: message.into(), ..fault }
    }
}

/// The run turns back. Cleaning up comes all the same.
fn stopped() -> Fault {
    Fault::permanent("stopped: the run turns back")
}

/// A request as the plan writes it: its captures and secrets are still names.
fn name(asking: &Asking) -> String {
    format!("{} {}", asking.method, asking.url.source())
}
