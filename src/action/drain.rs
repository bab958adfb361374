//! `drain`: waits until a load balancer takes almost no requests any more, by measurement. Changes nothing.

use super::{Action, ByHand, Known, Planned, Seen, Toward, aws};
use crate::plan::{Fields, StepTraits, Timestamp, duration, format_duration, integer, number};
use crate::port::need::Need;
use crate::port::{Reads, Writes};
use crate::run::{Fault, FaultKind};
use crate::signal::balancer::{Balancer, MINUTE, Minute, Named, settled};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

/// Waits until a load balancer is idle.
#[derive(Debug)]
pub(super) struct Drain {
    balancer: Named,
    /// Share of its peak.
    below: f64,
    periods: u32,
    lookback: Duration,
    within: Duration,
}

/// What its requests are held against.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Prior {
    balancer: Balancer,
    /// The most requests of one minute, as far back as was looked; none were seen if it is zero.
    peak: f64,
}

/// The newest minutes, for whoever watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    /// When the newest of them began.
    minute: Timestamp,
    /// Requests; nothing where there is no evidence.
    requests: Vec<Option<f64>>,
    /// How many in a row, up to the newest, were below.
    below: u32,
}

const LOOKBACK: Duration = Duration::from_secs(3 * 3600);
const WITHIN: Duration = Duration::from_secs(2 * 3600);
const POLL: Duration = Duration::from_secs(15);
/// How long a source may be silent before a human is asked.
const SILENT: Duration = Duration::from_secs(10 * 60);
/// How many minutes are shown.
const SHOWN: u32 = 15;

#[async_trait::async_trait]
impl Action for Drain {
    type Prior = Prior;
    type Note = Note;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let balancer = Named::decode(fields);
        let below =
            fields.or("below", number(0.0..=0.5), 0.005, "share of its peak that counts as no traffic");
        let periods = fields.or("periods", integer(1..=120), 5, "minutes in a row that must be below");
        let lookback = fields.or("lookback", duration(), LOOKBACK, "how far back its peak is looked for");
        let within = fields.or("within", duration(), WITHIN, "how long it may take");
        let periods = u32::try_from(periods).unwrap_or(1);
        Some(Self { balancer: balancer?, below, periods, lookback, within })
    }

    fn traits(&self) -> StepTraits {
        StepTraits::default()
    }

    fn by_hand(&self) -> ByHand {
        let name = self.balancer.name();
        let command = format!(
            "cloudwatch get-metric-statistics --namespace AWS/ApplicationELB --metric-name RequestCount \
             --statistics Sum --period 60 --dimensions Name=LoadBalancer,Value=<app/{name}/…> \
             --start-time <an hour ago> --end-time <now>"
        );
        ByHand {
            what: format!(
                "{name} takes at most {} of its peak of requests for {} minutes",
                self.below, self.periods
            ),
            apply: vec![aws(self.balancer.target(), &command)],
            expect:
                "the last minutes are near zero while HealthyHostCount still has data: silence is no zero"
                    .into(),
            undo: Vec::new(),
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![self.balancer.need(true)]
    }

    async fn plan(&self, reads: &Reads<'_>) -> Result<Planned<Prior>, Fault> {
        // A name that nobody knows is a question, not a failure that users must be sent back for.
        let balancer = self.balancer.find(reads).await.map_err(|fault| {
            if fault.kind == FaultKind::Permanent { Fault::blind(fault.message) } else { fault }
        })?;
        let to = settled(reads.world.clock().now());
        let span = u64::try_from(self.lookback.as_millis()).unwrap_or(u64::MAX);
        let minutes = balancer.minutes(reads, Timestamp(to.0.saturating_sub(span)), to).await?;
        let peak = minutes.iter().filter_map(|(_, count)| *count).fold(0.0, f64::max);
        Ok(Planned::nothing(Prior { balancer, peak }, self.within))
    }

    async fn apply(&self, _: &Writes<'_>, _: u32, _: &Prior) -> Result<Option<Note>, Fault> {
        Ok(None)
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        if toward == Toward::Prior {
            return Ok(Seen::Prior);
        }
        let (prior, now) = (&record.prior, reads.world.clock().now());
        let to = settled(now);
        let span = MINUTE * self.periods.max(SHOWN);
        let from = Timestamp(to.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)));
        let minutes = prior.balancer.minutes(reads, from, to).await?;
        let allowed = prior.peak * self.below;
        let below = below(&minutes, allowed);
        if below >= self.periods {
            let out = json!({"peak": prior.peak, "allowed": allowed, "minutes": below});
            return Ok(Seen::Desired { out });
        }
        let last = minutes.iter().rev().find_map(|(_, count)| *count);
        let (text, silent) = match last {
            Some(last) => (format!("{last} requests in the last minute"), false),
            None => ("no data".to_owned(), true),
        };
        let name = prior.balancer.name();
        let text = format!(
            "{name}: {text}, at most {allowed:.1} allowed (peak {}); {below} of {} minutes below",
            prior.peak, self.periods
        );
        if silent && now.since(record.since) > SILENT {
            let waited = format_duration(SILENT);
            return Err(Fault::blind(format!("{name} has reported neither requests nor hosts for {waited}")));
        }
        (reads.progress)(&text);
        let note = Note {
            minute: minutes.last().map_or(to, |(start, _)| *start),
            requests: minutes.iter().rev().take(SHOWN as usize).rev().map(|(_, count)| *count).collect(),
            below,
        };
        let note = (record.note.as_ref() != Some(&note)).then_some(note);
        Ok(Seen::Moving { note, again: POLL })
    }

    async fn undo(&self, _: &Writes<'_>, _: &Known<Self>) -> Result<Option<Note>, Fault> {
        Ok(None)
    }
}

/// How many minutes in a row, up to the newest, are known to be at most `allowed`.
fn below(minutes: &[Minute], allowed: f64) -> u32 {
    let known = |(_, count): &&Minute| count.is_some_and(|count| count <= allowed);
    u32::try_from(minutes.iter().rev().take_while(known).count()).unwrap_or(u32::MAX)
}
