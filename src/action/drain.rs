//! `drain`: waits until a load balancer takes almost no requests any more, by measurement. Changes nothing.

use super::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{Fields, StepTraits, duration, integer, number, target, text};
use crate::port::{Reads, Writes};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// Waits until a load balancer is idle.
#[derive(Debug)]
pub(super) struct Drain {
    load_balancer: Arc<str>,
    target: Arc<str>,
    /// Share of its peak.
    below: f64,
    periods: usize,
    lookback: Duration,
    within: Duration,
}

const LOOKBACK: Duration = Duration::from_secs(3 * 3600);
const WITHIN: Duration = Duration::from_secs(2 * 3600);

#[async_trait::async_trait]
impl Action for Drain {
    type Prior = ();
    type Note = ();

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let load_balancer = fields.required("load_balancer", text(), "the load balancer, by name");
        let target = fields.required("in", target(&["aws"]), "its account and region");
        let below =
            fields.or("below", number(0.0..=0.5), 0.005, "share of its peak that counts as no traffic");
        let periods = fields.or("periods", integer(1..=120), 5, "minutes in a row that must be below");
        let lookback = fields.or("lookback", duration(), LOOKBACK, "how far back its peak is looked for");
        let within = fields.or("within", duration(), WITHIN, "how long it may take");
        let periods = usize::try_from(periods).unwrap_or(1);
        Some(Self { load_balancer: load_balancer?, target: target?, below, periods, lookback, within })
    }

    fn traits(&self) -> StepTraits {
        StepTraits::default()
    }

    fn by_hand(&self) -> ByHand {
        let name = &self.load_balancer;
        ByHand {
            what: format!("{name} takes at most {} of its peak of requests for {} minutes", self.below, self.periods),
            apply: vec![format!(
                "aws cloudwatch get-metric-statistics --namespace AWS/ApplicationELB --metric-name RequestCount --statistics Sum --period 60 --dimensions Name=LoadBalancer,Value=<app/{name}/…> --start-time <an hour ago> --end-time <now>"
            )],
            expect: "the last minutes are near zero while HealthyHostCount still has data: silence alone is no zero"
                .into(),
            undo: Vec::new(),
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
