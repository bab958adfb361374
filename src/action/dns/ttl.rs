//! `dns.ttl`: lowers how long resolvers keep an answer, and waits until those who keep the old one have dropped it.

use super::place::Place;
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{Code, Fields, StepTraits, duration};
use crate::port::{Reads, Writes};
use crate::run::Fault;

/// Lowers a TTL.
#[derive(Debug)]
pub(in crate::action) struct LowerTtl {
    place: Place,
    /// In seconds.
    ttl: u32,
}

#[async_trait::async_trait]
impl Action for LowerTtl {
    type Prior = ();
    type Note = ();

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let place = Place::decode(fields);
        let ttl = fields.required("ttl", duration(), "how long resolvers may keep the answer");
        let ttl = ttl?;
        let seconds = u32::try_from(ttl.as_secs()).ok().filter(|_| ttl.subsec_nanos() == 0 && !ttl.is_zero());
        if seconds.is_none() {
            let span = fields.span_of("ttl");
            fields.problems().error(Code("SW2006"), span, "a TTL is a whole number of seconds");
        }
        Some(Self { place: place?, ttl: seconds? })
    }

    fn traits(&self) -> StepTraits {
        StepTraits {
            writes: true,
            has_undo: true,
            lowers_ttl: true,
            resources: vec![self.place.resource()],
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
