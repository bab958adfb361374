//! `dns.switch`: points a name elsewhere, in one atomic batch that deletes exactly what was there.

use super::place::Place;
use super::to::{self, From, FromShape, To};
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{Code, Fields, StepTraits, Writes as Data, nested, one_of, text};
use crate::port::{Reads, Writes};
use crate::run::Fault;
use std::time::Duration;

/// Points a name elsewhere.
#[derive(Debug)]
pub(in crate::action) struct Switch {
    place: Place,
    from: Option<From>,
    to: To,
    data: Option<Data>,
}

/// What authorities serve for an alias of a load balancer, whatever one wishes.
const ALIAS_TTL: Duration = Duration::from_secs(60);
/// How long a change takes to every authority, as a rule.
const PROPAGATION: Duration = Duration::from_secs(60);

#[async_trait::async_trait]
impl Action for Switch {
    type Prior = ();
    type Note = ();

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let place = Place::decode(fields);
        let from = fields.optional("from", FromShape, "what must be there; it is recorded in any case");
        let to = fields.required("to", nested(To::decode), "where it should point");
        let words = &[("shared", Data::Shared), ("replicated", Data::Replicated), ("diverge", Data::Diverge)];
        let data = fields.optional("writes", one_of(words), "what becomes of data written to the new side");
        if fields.optional("set", text(), "one set of a routed record").is_some() {
            let span = fields.span_of("set");
            fields.problems().error(
                Code("SW2005"),
                span,
                "`set` is not here yet: only records with one answer are switched",
            );
        }
        to::check_apex(fields, place.as_ref(), to.as_ref());
        Some(Self { place: place?, from, to: to?, data })
    }

    fn traits(&self) -> StepTraits {
        let ttl = match &self.to {
            To::LoadBalancer { .. } | To::Alias { .. } => Some(ALIAS_TTL),
            To::Cname { ttl, .. } | To::Addresses { ttl, .. } => *ttl,
        };
        StepTraits {
            writes: true,
            has_undo: true,
            switches: true,
            resources: vec![self.place.resource()],
            data: self.data,
            undo_reaches: ttl.map(|ttl| ttl + PROPAGATION),
            ..StepTraits::default()
        }
    }

    fn by_hand(&self) -> ByHand {
        ByHand::default()
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
