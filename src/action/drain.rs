//! `drain`: waits until a load balancer has almost no requests and no open connections any more, by measurement. Changes
//! nothing.

use super::{Action, ByHand, Known, Planned, Seen, Toward, aws};
use crate::plan::{Fields, StepTraits, Timestamp, duration, format_duration, integer, number, reference};
use crate::port::need::Need;
use crate::port::switched::Switched;
use crate::port::{Reads, Writes};
use crate::run::{Fault, FaultKind, Told};
use crate::signal::balancer::{Balancer, MINUTE, Minute, Named, PRESENCE, settled};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::{sync::Arc, time::Duration};

/// Waits until a load balancer is idle.
#[derive(Debug)]
pub(super) struct Drain {
    balancer: Named,
    /// Share of its peak.
    below: f64,
    periods: u32,
    lookback: Duration,
    within: Duration,
    /// The step that leads users away from it.
    after: Option<Arc<str>>,
}

/// What its requests and connections are held against.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Prior {
    balancer: Balancer,
    /// The most requests of one minute, as far back as was looked; none were seen if it is zero.
    peak: f64,
    /// The most connections that were open in one minute. A run of before they were asked for goes by requests alone.
    #[serde(default)]
    connections: Option<f64>,
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
/// Minutes are kept by themselves for fifteen days.
const FARTHEST: Duration = Duration::from_secs(14 * 24 * 3600);
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
        let about = "share of its peaks, of requests and of open connections, that counts as no traffic";
        let below = fields.or("below", number(0.0..=0.5), 0.005, about);
        let periods = fields.or("periods", integer(1..=120), 5, "minutes in a row that must be below");
        let lookback = fields.or(
            "lookback",
            duration(),
            LOOKBACK,
            "how far before the run its peaks are looked for, beside all since",
        );
        let within = fields.or("within", duration(), WITHIN, "how long it may take");
        let about = "the step of kind `dns.switch` that leads users away from it: no minute counts in which a resolver may still \
                     answer as before";
        let after = fields.optional("after", reference(), about);
        if let Some(step) = &after {
            let span = fields.span_of("after");
            fields.known().goes_by_switch(step, span);
        }
        let periods = u32::try_from(periods).unwrap_or(1);
        Some(Self { balancer: balancer?, below, periods, lookback, within, after })
    }

    fn traits(&self) -> StepTraits {
        StepTraits { drains: true, ..StepTraits::default() }
    }

    fn by_hand(&self) -> ByHand {
        let name = self.balancer.name();
        let command = |metric: &str| {
            let command = format!(
                "cloudwatch get-metric-statistics --namespace AWS/ApplicationELB --metric-name {metric} \
                 --statistics Sum --period 60 --dimensions Name=LoadBalancer,Value=<app/{name}/…> \
                 --start-time <an hour ago> --end-time <now>"
            );
            aws(self.balancer.target(), &command)
        };
        let after = self.after.as_ref().map(|step| format!(", once the old answers of {step} have run out"));
        ByHand {
            what: format!(
                "{name} has at most {} of its peaks of requests and of open connections for {} minutes{}",
                self.below,
                self.periods,
                after.unwrap_or_default()
            ),
            apply: PRESENCE.map(command).into(),
            expect:
                "the last minutes are near zero while HealthyHostCount still has data: silence is no zero"
                    .into(),
            undo: Vec::new(),
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![self.balancer.need(true)]
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Prior>, Fault> {
        // A name that nobody knows is a question, not a failure that users must be sent back for.
        let balancer = self.balancer.find(reads).await.map_err(|fault| {
            if fault.kind == FaultKind::Permanent { Fault::blind(fault.message) } else { fault }
        })?;
        let to = settled(reads.world.clock().now());
        let ago = |moment: Timestamp, span: Duration| {
            Timestamp(moment.0.saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
        };
        // Users may have left long ago: who asks since then, such as a scanner, is no peak.
        let began = reads.scope.run.get("started").and_then(Json::as_str).and_then(Timestamp::read);
        let from = ago(began.unwrap_or(to).min(to), self.lookback).max(ago(to, FARTHEST));
        let minutes = balancer.minutes(reads, PRESENCE, (from, to)).await?;
        let [peak, connections] =
            minutes.iter().fold([0.0_f64; 2], |[most, open], (_, [requests, connections])| {
                [most.max(requests.unwrap_or_default()), open.max(connections.unwrap_or_default())]
            });
        Ok(Planned::nothing(Prior { balancer, peak, connections: Some(connections) }, self.within))
    }

    /// By then the last client has gone that no name leads there any more.
    async fn told(&self, _: &Reads<'_>, prior: &Prior, _: bool) -> Result<Told, Fault> {
        let (name, tail) = (prior.balancer.name(), format_duration(prior.balancer.tail()));
        let note = format!(
            "once no name leads to {name}, clients that keep a connection to it may send requests there for {tail} more (its \
             keep-alive and idle timeout)"
        );
        let mut notes = vec![note.into()];
        if prior.is_empty() {
            let lookback = format_duration(self.lookback);
            let note = format!(
                "{name} had neither a request nor an open connection since {lookback} before the run: that it is idle would prove \
                 nothing. see whether `load_balancer` names the side that is left, and whether `lookback` reaches far enough"
            );
            notes.push(note.into());
        }
        Ok(Told { notes, ..Told::default() })
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
        let minutes = prior.balancer.minutes(reads, PRESENCE, (from, to)).await?;
        let most = prior.peaks().map(|peak| peak.map(|peak| peak * self.below));
        let moved = self.moved(reads)?;
        let below = below(&minutes, moved, most);
        if below >= self.periods {
            let [requests, open] = most;
            let out = json!({"peak": prior.peak, "allowed": requests, "allowed_connections": open, "minutes": below});
            return Ok(Seen::Desired { out });
        }
        let last = minutes.iter().rev().find(|(_, [requests, _])| requests.is_some());
        let silent = last.is_none();
        let text =
            last.map_or_else(|| "no data".to_owned(), |(_, counts)| told(*counts, prior.peaks(), most));
        let name = prior.balancer.name();
        let early = if to <= moved { format!(", which count from {moved} on") } else { String::new() };
        let text = format!("{name}: {text}; {below} of {} minutes below{early}", self.periods);
        if silent && now.since(record.since) > SILENT {
            let waited = format_duration(SILENT);
            return Err(Fault::blind(format!("{name} has reported neither requests nor hosts for {waited}")));
        }
        (reads.progress)(&text);
        let note = Note {
            minute: minutes.last().map_or(to, |(start, _)| *start),
            requests: minutes
                .iter()
                .rev()
                .take(SHOWN as usize)
                .rev()
                .map(|(_, [requests, _])| *requests)
                .collect(),
            below,
        };
        let note = (record.note.as_ref() != Some(&note)).then_some(note);
        Ok(Seen::Moving { note, again: POLL })
    }

    async fn undo(&self, _: &Writes<'_>, _: &Known<Self>) -> Result<Option<Note>, Fault> {
        Ok(None)
    }
}

impl Drain {
    /// From when on nobody should be told any more that users are to come here. A step that was left out has led nobody away.
    fn moved(&self, reads: &Reads<'_>) -> Result<Timestamp, Fault> {
        let Some(step) = &self.after else { return Ok(Timestamp::PAST) };
        let switched = Switched::of(reads.scope, step).map_err(Fault::blind)?;
        Ok(switched.map_or(Timestamp::PAST, |switched| switched.until()))
    }
}

impl Prior {
    /// The most of each of [`PRESENCE`], where it was asked for.
    fn peaks(&self) -> Both {
        [Some(self.peak), self.connections]
    }

    /// Nobody was seen there: not even by a source that was silent.
    fn is_empty(&self) -> bool {
        self.peaks().into_iter().flatten().all(|peak| peak <= 0.0)
    }
}

/// Something of each of [`PRESENCE`].
type Both = [Option<f64>; 2];

/// How many minutes in a row, since then and up to the newest, are known to have had at most so many; of what has no limit,
/// any.
fn below(minutes: &[Minute<2>], from: Timestamp, most: Both) -> u32 {
    let within = |(count, most): (&Option<f64>, Option<f64>)| {
        most.is_none_or(|most| count.is_some_and(|count| count <= most))
    };
    let quiet = |(start, counts): &&Minute<2>| *start >= from && counts.iter().zip(most).all(within);
    u32::try_from(minutes.iter().rev().take_while(quiet).count()).unwrap_or(u32::MAX)
}

/// `12 requests (at most 5.0, of 1000), 40 open connections (at most 0.5, of 100) in the last minute`.
fn told([requests, open]: Both, [peak, widest]: Both, [most, most_open]: Both) -> String {
    let rows = [("requests", requests, peak, most), ("open connections", open, widest, most_open)];
    let one = |(what, count, peak, most): (&str, Option<f64>, Option<f64>, Option<f64>)| {
        Some(format!("{} {what} (at most {:.1}, of {})", count?, most?, peak?))
    };
    let all: Vec<String> = rows.into_iter().filter_map(one).collect();
    format!("{} in the last minute", all.join(", "))
}
