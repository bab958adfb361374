//! `http.flow`: requests in order, with values captured from answers, polling and cleaning up.

use super::request::Asking;
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{Code, Fields, Span, StepTraits, Template, duration, list, nested, template};
use crate::port::{Reads, Writes};
use crate::run::Fault;
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

#[async_trait::async_trait]
impl Action for Flow {
    type Prior = ();
    type Note = ();

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

    async fn plan(&self, _reads: &Reads<'_>) -> Result<Planned<Self::Prior>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }

    async fn apply(
        &self,
        _writes: &Writes<'_>,
        _stage: u32,
        _prior: &Self::Prior,
    ) -> Result<Option<Self::Note>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }

    async fn look(
        &self,
        _reads: &Reads<'_>,
        _toward: Toward,
        _record: &Known<Self>,
    ) -> Result<Seen<Self::Note>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }

    async fn undo(&self, _writes: &Writes<'_>, _record: &Known<Self>) -> Result<Option<Self::Note>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
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
