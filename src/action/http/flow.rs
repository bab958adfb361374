//! `http.flow`: requests in order, with values captured from answers, polling and cleaning up.

use super::course::Course;
use super::request::Asking;
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{Code, Fields, Span, StepTraits, Template, duration, list, nested, template};
use crate::port::need::{self, Need, known_text};
use crate::port::{Reads, Writes};
use crate::run::{Change, Fault};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Requests in order.
#[derive(Debug)]
pub(in crate::action) struct Flow {
    pub(super) base_url: Option<Template>,
    pub(super) connect_to: Option<Template>,
    pub(super) requests: Vec<Asking>,
    pub(super) cleanup: Vec<Asking>,
    pub(super) answer_within: Duration,
}

/// Nothing to restore.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::action) struct Prior {}

/// It ran to its end.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::action) struct Note {
    requests: usize,
    /// What was captured with `out: true`.
    captured: Map<String, Json>,
}

/// Beyond what the requests themselves may take.
const MARGIN: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(10);

#[async_trait::async_trait]
impl Action for Flow {
    type Prior = Prior;
    type Note = Note;

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

    fn needs(&self) -> Vec<Need> {
        let mut captures = Map::new();
        let need = |asking: &Asking| {
            let wanted = asking.wanted(captures.clone());
            // What is captured here, later requests hold their answers against.
            let variables =
                need::answer(&[&wanted]).map(|answer| wanted.variables(&answer)).unwrap_or_default();
            for (name, capture) in &asking.capture {
                if let Ok(value) = capture.value.eval(&variables) {
                    captures.insert(name.to_string(), value);
                }
            }
            let url = known_text(&asking.url);
            let url = match &self.base_url {
                Some(base) if url.starts_with('/') => {
                    format!("{}{url}", known_text(base).trim_end_matches('/'))
                }
                _ => url,
            };
            let connect_to = self.connect_to.as_ref().map(known_text);
            Need::Answer { method: asking.method.into(), url, connect_to, wanted }
        };
        self.requests.iter().chain(&self.cleanup).map(need).collect()
    }

    async fn plan(&self, _: &Reads<'_>, _: bool) -> Result<Planned<Prior>, Fault> {
        let all = self.requests.iter().chain(&self.cleanup);
        let longest = all.map(|asking| asking.longest(self.answer_within)).sum::<Duration>() + MARGIN;
        if self.only_reads() {
            return Ok(Planned::nothing(Prior {}, longest));
        }
        let writing = self.requests.iter().filter(|asking| !asking.reads());
        let changes = writing.map(|asking| Change {
            what: format!("{} {}", asking.method, asking.url.source()).into(),
            from: "not sent".into(),
            to: if self.cleanup.is_empty() { "sent".into() } else { "sent, and cleaned up after".into() },
        });
        Ok(Planned {
            prior: Prior {},
            stages: 1,
            within: longest,
            call: Some(longest),
            must_finish: false,
            changes: changes.collect(),
        })
    }

    async fn apply(&self, writes: &Writes<'_>, _: u32, _: &Prior) -> Result<Option<Note>, Fault> {
        let reads = writes.reads();
        let captured = Course::new(self, &reads, Some(writes)).run().await?;
        Ok(Some(Note { requests: self.requests.len(), captured }))
    }

    /// The receipt is all there is to look at. Where it was lost the flow runs again: what it makes is smoke data by the
    /// plan's own word.
    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        match (toward, &record.note) {
            (Toward::Desired(0), _) => {
                let captured = Course::new(self, reads, None).run().await?;
                Ok(Seen::Desired { out: Json::Object(captured) })
            }
            (Toward::Desired(_), Some(note)) => Ok(Seen::Desired { out: note.captured.clone().into() }),
            (Toward::Desired(_), None) | (Toward::Prior, _) => Ok(Seen::Prior),
        }
    }

    /// Cleaning up belongs to the flow itself, and is never left for later.
    async fn undo(&self, _: &Writes<'_>, _: &Known<Self>) -> Result<Option<Note>, Fault> {
        Ok(None)
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
