//! `dns.ttl`: lowers how long resolvers keep an answer, and waits until those who keep the old one have dropped it.
//!
//! The wait begins when every authority serves the new TTL, not when the change was accepted, and takes as long as the
//! largest TTL that was served before.

use super::place::{Found, Place};
use super::served::{self, Serving};
use super::sets;
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{Code, Fields, StepTraits, Timestamp, duration, format_duration};
use crate::port::dns::{ChangeId, RecordSet};
use crate::port::{Reads, Writes};
use crate::run::{Change, Fault};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// Lowers a TTL.
#[derive(Debug)]
pub(in crate::action) struct LowerTtl {
    place: Place,
    /// In seconds.
    ttl: u32,
}

/// What was there, and what is put in its place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Prior {
    /// As listed: what the undo restores.
    sets: Vec<RecordSet>,
    /// The same with the new TTL; equal where nothing is lowered.
    made: Vec<RecordSet>,
    /// The largest TTL that was listed or served before.
    old_ttl: Duration,
}

/// What a call returned and looks saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::action) struct Note {
    /// Unknown if the answer was lost.
    change: Option<ChangeId>,
    /// Since when every authority was seen to serve the new TTL.
    low_at: Option<Timestamp>,
}

/// How long a change takes to every authority at most.
const ARRIVES: Duration = Duration::from_secs(15 * 60);
const POLL: Duration = Duration::from_secs(3);
/// Clocks differ a little.
const SKEW: Duration = Duration::from_secs(1);

#[async_trait::async_trait]
impl Action for LowerTtl {
    type Prior = Prior;
    type Note = Note;

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
        let record = self.place.label();
        let change = |action: &str, ttl: Json| {
            let set = json!({"Name": record, "Type": "<type>", "TTL": ttl, "ResourceRecords": "<as listed>"});
            json!({"Action": action, "ResourceRecordSet": set})
        };
        let (old, new) = (json!("<TTL as listed>"), json!(self.ttl));
        let swap = |gone: &Json, come: &Json| {
            self.place
                .change_by_hand(&json!([change("DELETE", gone.clone()), change("CREATE", come.clone())]))
        };
        ByHand {
            what: format!("{record}: TTL {} s, and the old one drained", self.ttl),
            apply: vec![
                format!("{}   # keep this: the undo needs it", self.place.list_by_hand()),
                swap(&old, &new),
                "aws route53 get-change --id <ChangeInfo.Id>   # until INSYNC".into(),
                "sleep <the old TTL>   # counted from when every name server serves the new one".into(),
            ],
            expect: format!("dig +norecurse @<each name server> {record}: TTL {}", self.ttl),
            undo: vec![swap(&new, &old)],
        }
    }

    async fn plan(&self, reads: &Reads<'_>) -> Result<Planned<Prior>, Fault> {
        let found = self.place.find(reads).await?;
        let listed = found.listed().await?;
        sets::must_be_simple(&found.name, &listed)?;
        if listed.is_empty() {
            return Err(Fault::permanent(format!("{} has no record whose TTL could be lowered", found.name)));
        }
        let made: Vec<RecordSet> = listed.iter().map(|set| self.lowered(set)).collect();
        let served = served::largest_ttl(&*found.dns, &found.name, &listed).await?;
        let largest = listed.iter().filter_map(|set| set.ttl).max().unwrap_or(0);
        let old_ttl = served.max(Duration::from_secs(largest.into()));
        let stages = u32::from(!sets::same(&listed, &made));
        let changes = listed.iter().filter_map(|set| self.change(&found, set, old_ttl)).collect();
        let within = ARRIVES + old_ttl + SKEW + Duration::from_secs(60);
        let prior = Prior { sets: listed, made, old_ttl };
        Ok(Planned { prior, stages, within, call: None, must_finish: false, changes })
    }

    async fn apply(&self, writes: &Writes<'_>, _: u32, prior: &Prior) -> Result<Option<Note>, Fault> {
        let change = self.place.swap(writes, &prior.sets, &prior.made).await?;
        Ok(Some(Note { change, low_at: None }))
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        let found = self.place.find(reads).await?;
        let listed = found.listed().await?;
        let prior = &record.prior;
        let (made, before) = (sets::same(&listed, &prior.made), sets::same(&listed, &prior.sets));
        match toward {
            Toward::Desired(_) if made => self.look_forward(reads, &found, record).await,
            Toward::Desired(_) if before => Ok(Seen::Prior),
            Toward::Prior if before => self.look_back(reads, &found, record).await,
            Toward::Prior if made => Ok(Seen::Desired { out: Json::Null }),
            _ => Err(found.foreign(&listed, &prior.made, &prior.sets)),
        }
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Note>, Fault> {
        let found = self.place.find(&writes.reads()).await?;
        let (listed, prior) = (found.listed().await?, &record.prior);
        if sets::same(&listed, &prior.sets) {
            return Ok(Some(Note::default()));
        }
        if !sets::same(&listed, &prior.made) {
            return Err(found.foreign(&listed, &prior.made, &prior.sets));
        }
        let change = self.place.swap(writes, &listed, &prior.sets).await?;
        Ok(Some(Note { change, low_at: None }))
    }
}

impl LowerTtl {
    /// The set with the new TTL. An alias has none of its own, and what is low enough is left alone.
    fn lowered(&self, set: &RecordSet) -> RecordSet {
        let ttl = set.ttl.map(|ttl| ttl.min(self.ttl));
        RecordSet { ttl, ..set.clone() }
    }

    fn change(&self, found: &Found, set: &RecordSet, old_ttl: Duration) -> Option<Change> {
        let what = format!("TTL of {} {}", found.name, set.kind.0).into();
        let Some(ttl) = set.ttl else {
            let from = format!("{} s, its target's", old_ttl.as_secs()).into();
            return Some(Change { what, from, to: "skipped: an alias has no TTL of its own".into() });
        };
        let wait = format_duration(old_ttl);
        let to = format!("{} s, and {wait} until the old one has drained", self.ttl).into();
        (ttl > self.ttl).then(|| Change { what, from: format!("{ttl} s").into(), to })
    }

    async fn look_forward(
        &self,
        reads: &Reads<'_>,
        found: &Found,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        let (prior, now) = (&record.prior, reads.world.clock().now());
        let unchanged = sets::same(&prior.sets, &prior.made);
        let Some(note) = record.note.clone().or(unchanged.then(Note::default)) else {
            return Ok(Seen::Moving { note: Some(Note::default()), again: Duration::ZERO });
        };
        let insync = found.is_insync(note.change.as_ref()).await?;
        let late = now.since(record.since) > ARRIVES && note.low_at.is_none();
        let missing = if insync {
            match served::everywhere(&*found.dns, &found.name, &prior.made, &[]).await? {
                Serving::Everywhere(_) => None,
                Serving::NotYet(why) => Some(why),
            }
        } else {
            Some("accepted, and not yet on all servers of the provider (PENDING)".to_owned())
        };
        if let Some(why) = missing {
            (reads.progress)(&why);
            if late {
                return Err(Fault::permanent(format!("the new TTL is not served everywhere: {why}")));
            }
            // The wait begins anew when all of them serve it again.
            let note = note.low_at.map(|_| Note { low_at: None, ..note });
            return Ok(Seen::Moving { note, again: POLL });
        }
        if unchanged {
            // It was low before, and every authority says so: there is no other TTL to drain that anybody knows of.
            return Ok(Seen::Desired { out: json!({"ttl": self.ttl, "low_at": now.to_string()}) });
        }
        let Some(low_at) = note.low_at else {
            return Ok(Seen::Moving { note: Some(Note { low_at: Some(now), ..note }), again: POLL });
        };
        let drained = low_at.after(prior.old_ttl + SKEW);
        if now >= drained {
            let out = json!({
                "ttl": self.ttl,
                "low_at": low_at.to_string(),
                "old_ttl": prior.old_ttl.as_secs(),
                "drained_at": drained.to_string(),
            });
            return Ok(Seen::Desired { out });
        }
        let left = Duration::from_secs(drained.since(now).as_secs().max(1));
        (reads.progress)(&format!(
            "every name server serves the new TTL; the old one of {} runs out in {}",
            format_duration(prior.old_ttl),
            format_duration(left)
        ));
        Ok(Seen::Moving { note: None, again: drained.since(now).min(Duration::from_secs(10)) })
    }

    async fn look_back(
        &self,
        reads: &Reads<'_>,
        found: &Found,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        let change = record.note.as_ref().and_then(|note| note.change.as_ref());
        if !found.is_insync(change).await? {
            (reads.progress)("put back, and not yet on all servers of the provider (PENDING)");
            return Ok(Seen::Moving { note: None, again: POLL });
        }
        match served::everywhere(&*found.dns, &found.name, &record.prior.sets, &[]).await? {
            Serving::Everywhere(_) => Ok(Seen::Prior),
            Serving::NotYet(why) => {
                (reads.progress)(&why);
                Ok(Seen::Moving { note: None, again: POLL })
            }
        }
    }
}
