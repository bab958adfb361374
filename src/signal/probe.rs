//! `http.probe`: requests of our own, as users make them: how many succeed, and how long they take.

use super::{Condition, Count, Measured, Memory, Signal};
use crate::plan::{Expr, Fields, Template, Timestamp, duration, expr, integer, map, template};
use crate::port::need::{Need, Wanted, known_text};
use crate::port::{Reads, Request, Response, together};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// Requests of our own.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    url: Template,
    connect_to: Option<Template>,
    headers: Vec<(Arc<str>, Template)>,
    expect: Option<Expr>,
    requests: u32,
    over: Duration,
    answer_within: Duration,
}

/// What conditions on it may name.
const NAMES: &[&str] = &["value", "success_rate", "error_rate", "p50", "p95", "p99", "samples"];
/// The most observations kept: as many as a window needs, and few enough for a journal.
const KEPT: usize = 500;

#[async_trait::async_trait]
impl Signal for Probe {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let url = fields.required("url", template(), "where the requests go");
        let connect_to =
            fields.optional("connect_to", template(), "host to connect to in place of the url's");
        let headers = fields.or("headers", map(template()), Vec::new(), "sent with each request");
        let expect =
            fields.optional("expect", expr(Response::NAMES), "a good answer; without it, a status below 400");
        let requests =
            fields.or("requests", integer(1..=100), 5, "requests each time it is looked at, all at once");
        let over = fields.or("over", duration(), Duration::from_secs(300), "the window that is judged");
        let answer_within = fields.or(
            "answer_within",
            duration(),
            Duration::from_secs(10),
            "a later answer counts as failed",
        );
        let requests = u32::try_from(requests).unwrap_or(1);
        Some(Self { url: url?, connect_to, headers, expect, requests, over, answer_within })
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn min_samples() -> u64 {
        10
    }

    /// Those of the looks that the window holds.
    fn most(&self, every: Duration) -> u64 {
        let looks = self.over.as_millis() / every.as_millis().max(1) + 1;
        let most = looks.saturating_mul(self.requests.into()).min(KEPT as u128);
        u64::try_from(most).unwrap_or(u64::MAX)
    }

    fn costs() -> &'static str {
        "Every 10s: `requests` requests, all at once; each is a sample, and is counted as soon as it is answered. \
         10 are needed. No calls to a provider."
    }

    fn names() -> &'static [&'static str] {
        NAMES
    }

    fn counts() -> bool {
        true
    }

    fn needs(&self, _: &Condition) -> Vec<Need> {
        let holds: Vec<Expr> = self.expect.iter().cloned().collect();
        let accepted = holds.is_empty();
        vec![Need::Answer {
            method: "GET".into(),
            url: known_text(&self.url),
            connect_to: self.connect_to.as_ref().map(known_text),
            wanted: Wanted { holds, accepted, ..Wanted::default() },
        }]
    }

    async fn measure(
        &self,
        reads: &Reads<'_>,
        since: Timestamp,
        memory: &mut Memory,
    ) -> Result<Measured, Fault> {
        let request = self.request(reads)?;
        let mut why = None;
        // All at once, each on a connection of its own as a new user would come: where nobody is answered, that is known as
        // soon as one of them would have given up.
        for (answer, at) in together((0..self.requests).map(|_| answered(reads, &request))).await {
            let (good, took) = match self.judge(answer) {
                Ok(took) => (true, took),
                Err(reason) => {
                    why = Some(reason);
                    (false, self.answer_within)
                }
            };
            let took = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
            memory.seen.push((at, good, took));
        }
        let now = reads.world.clock().now();
        let newest = &memory.seen[memory.seen.len().saturating_sub(self.requests as usize)..];
        let bad = newest.iter().filter(|(_, good, _)| !good).count() as u64;
        let count = Count { until: now, bad, all: newest.len() as u64 };
        memory.seen.retain(|(at, ..)| *at >= since && now.since(*at) <= self.over);
        memory.seen.drain(..memory.seen.len().saturating_sub(KEPT));
        // As long as the window is not full, that there are few is no silence.
        let early = now.since(since) < self.over;
        Ok(Measured { counts: vec![count], early, ..measured(&memory.seen, why.as_deref()) })
    }
}

impl Probe {
    fn request(&self, reads: &Reads<'_>) -> Result<Request, Fault> {
        let fill =
            |text: &Template| text.render(reads.scope).map_err(|error| Fault::permanent(error.to_string()));
        let headers = self.headers.iter().map(|(name, value)| Ok((name.to_string(), fill(value)?)));
        Ok(Request {
            method: "GET".into(),
            url: fill(&self.url)?,
            headers: headers.collect::<Result<_, Fault>>()?,
            body: None,
            connect_to: self.connect_to.as_ref().map(fill).transpose()?,
            timeout: self.answer_within,
        })
    }

    /// How long a good answer took, or what was wrong with it.
    fn judge(&self, answer: Result<Response, Fault>) -> Result<Duration, String> {
        let answer = answer.map_err(|fault| fault.message.to_string())?;
        let status = format!("status {}", answer.status);
        match &self.expect {
            None if answer.status < 400 => Ok(answer.elapsed),
            None => Err(status),
            Some(expect) => match expect.holds(&answer.variables()) {
                Ok(true) => Ok(answer.elapsed),
                Ok(false) => Err(format!("{status}, and not `{}`", expect.source())),
                Err(error) => Err(format!("{status}, and `{}` has no value: {error}", expect.source())),
            },
        }
    }
}

/// What came of a request, and when.
async fn answered(reads: &Reads<'_>, request: &Request) -> (Result<Response, Fault>, Timestamp) {
    let answer = reads.world.http().get(request.clone()).await;
    (answer, reads.world.clock().now())
}

fn measured(seen: &[(Timestamp, bool, u32)], why: Option<&str>) -> Measured {
    let bad = seen.iter().filter(|(_, good, _)| !good).count();
    let mut took: Vec<u32> = seen.iter().map(|(.., took)| *took).collect();
    took.sort_unstable();
    let mut out = Measured { samples: seen.len() as u64, ..Measured::default() };
    #[expect(clippy::cast_precision_loss, reason = "a window holds at most a few hundred")]
    if !seen.is_empty() {
        let rate = bad as f64 / seen.len() as f64;
        out.value = Some(rate);
        out.named.extend([
            ("error_rate", rate),
            ("success_rate", 1.0 - rate),
            ("samples", seen.len() as f64),
            ("p50", f64::from(percentile(&took, 50))),
            ("p95", f64::from(percentile(&took, 95))),
            ("p99", f64::from(percentile(&took, 99))),
        ]);
    }
    out.text = format!("{bad} of {} requests failed", seen.len());
    if let Some(why) = why {
        out.text = format!("{}, the last with {why}", out.text);
    }
    out
}

/// The nearest rank: the smallest value that at least so many in a hundred do not exceed.
fn percentile(sorted: &[u32], hundredths: usize) -> u32 {
    let rank = (sorted.len() * hundredths).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks_that_were_seen() {
        let took: Vec<u32> = (1..=100).collect();
        assert_eq!([50, 95, 99].map(|p| percentile(&took, p)), [50, 95, 99]);
        assert_eq!(percentile(&[7], 99), 7);
        assert_eq!(percentile(&[], 50), 0);
    }

    #[test]
    fn silence_has_no_rate() {
        let none = measured(&[], None);
        assert!(none.value.is_none() && none.named.is_empty());
    }
}
