//! The sign of life of a run that is driven: a URL of the plan is posted to again and again, so that somebody elsewhere
//! notices when nobody drives the run any more.
//!
//! It beats in the loop, so that a loop that hangs falls silent, and is on nobody's way: each beat is sent beside the
//! loop, one at a time and not for long. The run knows nothing of it. Not here: what silence means to whoever listens.

use super::Redactor;
use crate::plan::{Template, Timestamp, format_duration};
use crate::port::{Clock, Request, WriteHttp};
use crate::run::{Mode, Run, Verdict};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::task::{JoinError, JoinSet};
use url::Url;

/// How long a beat may take, and the last one, for which the process waits.
const LIMIT: Duration = Duration::from_secs(10);
const LAST_LIMIT: Duration = Duration::from_secs(5);

/// Beats, if anybody listens.
pub(super) struct Heartbeat {
    listener: Option<Listener>,
    /// When the next one is sent, on the wall clock.
    due: Timestamp,
    /// At most one.
    under_way: JoinSet<Result<(), String>>,
    /// The newest did not get through, and people know.
    fails: bool,
}

/// Who listens, and to whom.
#[derive(Clone)]
pub(super) struct Listener {
    pub(super) http: Arc<dyn WriteHttp>,
    pub(super) wall: Arc<dyn Clock>,
    pub(super) url: String,
    pub(super) every: Duration,
    pub(super) run: String,
    pub(super) plan: String,
    /// Hides what people should not see of the URL.
    pub(super) redactor: Redactor,
}

impl Heartbeat {
    pub(super) fn new(listener: Option<Listener>) -> Self {
        let due = if listener.is_some() { Timestamp::PAST } else { Timestamp::NEVER };
        Self { listener, due, under_way: JoinSet::new(), fails: false }
    }

    /// Sends one, if it is time and the one before is over.
    pub(super) fn beat(&mut self, run: &Run) {
        let Some(listener) = &self.listener else { return };
        let now = listener.wall.now();
        if now < self.due {
            return;
        }
        self.due = now.after(listener.every);
        if self.under_way.is_empty() {
            self.under_way.spawn(listener.clone().send(state(run), None));
        }
    }

    /// Waits until it is time for one, or one is over: then perhaps there is something that people should know.
    pub(super) async fn next(&mut self, wall: &dyn Clock) -> Option<String> {
        tokio::select! {
            Some(over) = self.under_way.join_next() => self.hear(over),
            () = wall.sleep_until(self.due) => None,
        }
    }

    /// The last one, and how the run stands then; none where there was no first.
    pub(super) async fn end(mut self, run: &Run) -> Option<String> {
        let listener = self.listener.take().filter(|_| self.due != Timestamp::PAST)?;
        self.under_way.shutdown().await;
        let over = listener.send(state(run), Some(LAST_LIMIT)).await;
        self.hear(Ok(over))
    }

    /// It is told that none gets through, once, and that they do again.
    fn hear(&mut self, over: Result<Result<(), String>, JoinError>) -> Option<String> {
        let wrong = over.unwrap_or_else(|_| Err("a mistake in switchover: please report it".into())).err();
        let failed = std::mem::replace(&mut self.fails, wrong.is_some());
        match wrong {
            Some(why) if !failed => Some(format!(
                "the heartbeat does not get through: {why}; the run goes on, and this is said once"
            )),
            None if failed => Some("the heartbeat gets through again".into()),
            _ => None,
        }
    }
}

impl Listener {
    /// Posts one; `last` is how long the last one may take. What went wrong is told without secrets.
    async fn send(self, state: &'static str, last: Option<Duration>) -> Result<(), String> {
        let limit = last.unwrap_or(LIMIT).min(self.every);
        let body = json!({ "run": self.run, "plan": self.plan, "state": state, "last": last.is_some() });
        let request = Request {
            method: "POST".into(),
            url: self.url.clone(),
            headers: vec![("content-type".into(), "application/json".into())],
            body: Some(body.to_string().into_bytes()),
            connect_to: None,
            timeout: limit,
        };
        let late = self.wall.now().after(limit);
        tokio::select! {
            answer = self.http.send(request) => match answer {
                Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
                Ok(answer) => Err(format!("the answer is {}", answer.status)),
                Err(fault) => Err(self.redactor.text(&fault.message).into_owned()),
            },
            () = self.wall.sleep_until(late) => Err(format!("no answer within {}", format_duration(limit))),
        }
    }
}

/// What there is to hide of this URL: all of it where secrets stand in it, and the host, which messages tell, where one
/// stands there.
pub(super) fn hidden(told: &Template, url: &str) -> Vec<String> {
    if told.as_fixed().is_some() {
        return Vec::new();
    }
    let host = |url: &str| Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let shown = host(&told.filled_with("1"));
    let secret = host(url).filter(|host| shown.as_ref() != Some(host));
    secret.into_iter().chain([url.to_owned()]).collect()
}

/// How a run stands, for whoever listens. The words are stable.
fn state(run: &Run) -> &'static str {
    match run.mode {
        Mode::Finished(Verdict::Completed) => "completed",
        Mode::Finished(Verdict::RolledBack) => "rolled_back",
        Mode::Finished(Verdict::Incomplete) => "incomplete",
        _ if run.paused.is_some() => "paused",
        Mode::Rollback => "rolling_back",
        Mode::Idle | Mode::Forward => "running",
    }
}

#[cfg(test)]
mod tests;
