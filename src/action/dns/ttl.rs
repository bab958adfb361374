//! `dns.ttl`: lowers how long resolvers keep an answer, and waits until those who keep the old one have dropped it.
//!
//! The wait begins when every authority serves the new TTL, not when the change was accepted, and takes as long as the
//! largest TTL that was served before. Weighted sets of a name have one TTL, so that all of them change in one batch.

use super::place::{Found, Place};
use super::resolved;
use super::routed;
use super::served::{self, Heard};
use super::sets;
use super::swap::{self, ARRIVES, Note, SKEW, Stands, Swap};
use super::to::whole_seconds;
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::mutant::{Mistake, on};
use crate::plan::{Fields, Scope, StepTraits, Timestamp, duration, format_duration};
use crate::port::dns::RecordSet;
use crate::port::{Reads, Writes, need::Need};
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

/// What is swapped, and how long resolvers keep what went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Prior {
    swap: Swap,
    /// The largest TTL that was listed or served before, or for which a resolver of the plan keeps an answer.
    old_ttl: Duration,
}

#[async_trait::async_trait]
impl Action for LowerTtl {
    type Prior = Prior;
    type Note = Note;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let place = Place::decode(fields);
        let ttl = fields.required("ttl", duration(), "how long resolvers may keep the answer");
        let ttl = whole_seconds(fields, ttl?)?;
        Some(Self { place: place?, ttl })
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
        let name = self.place.name();
        let record = name.as_str();
        let set = |ttl: Json| json!([{"Name": record, "Type": "<type>", "TTL": ttl, "ResourceRecords": "<as listed>"}]);
        let (old, new) = (set(json!("<TTL as listed>")), set(json!(self.ttl)));
        ByHand {
            what: format!("{record}: TTL {} s, and the old one drained", self.ttl),
            apply: vec![
                format!("{}   # keep this: the undo needs it", self.place.list_by_hand()),
                self.place.swap_by_hand(&old, &new),
                self.place.follow_by_hand(),
                "sleep <the old TTL>   # counted from when every name server serves the new one".into(),
            ],
            expect: format!("dig +norecurse @<each name server> {record}: TTL {}", self.ttl),
            undo: vec![self.place.swap_by_hand(&new, &old)],
        }
    }

    fn undo_by_hand(&self, prior: &Prior, _: &Scope) -> Vec<String> {
        prior.swap.undo_by_hand(&self.place)
    }

    fn needs(&self) -> Vec<Need> {
        let (zone, name) = (self.place.zone(), self.place.name());
        vec![Need::Record { zone, name, from: None, to: None, ttl: Some(self.ttl) }]
    }

    async fn plan(&self, reads: &Reads<'_>) -> Result<Planned<Prior>, Fault> {
        let (found, all) = self.place.routable(reads).await?;
        let listed = sets::leading(&all);
        routed::must_be_simple_or_weighted(&found.name, &listed)?;
        if listed.is_empty() {
            return Err(Fault::permanent(format!("{} has no record whose TTL could be lowered", found.name)));
        }
        let made: Vec<RecordSet> = listed.iter().map(|set| self.lowered(set)).collect();
        let kept = served::kept(&*found.dns, &found.name, &listed).await?;
        let cached = resolved::cached(&*found.dns, &found.name).await.map(|cached| cached.left);
        let old_ttl = kept.what.max(cached.unwrap_or_default());
        let changes = listed.iter().filter_map(|set| self.change(&found, set, old_ttl));
        let changes = changes.chain(kept.unknown()).collect();
        // With room for the drain to begin anew once.
        let within = ARRIVES + (old_ttl + SKEW) * 2 + Duration::from_secs(60);
        let swap = Swap { before: listed, made };
        let stages = u32::from(swap.changes());
        let prior = Prior { swap, old_ttl };
        Ok(Planned { prior, stages, within, call: None, must_finish: false, changes })
    }

    async fn apply(&self, writes: &Writes<'_>, _: u32, prior: &Prior) -> Result<Option<Note>, Fault> {
        prior.swap.apply(&self.place, writes).await.map(Some)
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        let prior = &record.prior;
        match prior.swap.look(&self.place, reads, toward, record.note.as_ref(), prior.old_ttl).await? {
            Stands::Short(seen) => Ok(seen),
            Stands::Served { .. } if toward == Toward::Prior => Ok(Seen::Prior),
            Stands::Served { since, ttl, note } => Ok(drained(reads, prior, since, ttl, note)),
        }
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Note>, Fault> {
        record.prior.swap.undo(&self.place, writes).await.map(Some)
    }
}

impl LowerTtl {
    /// The set with the new TTL. An alias has none of its own, and what is low enough is left alone.
    fn lowered(&self, set: &RecordSet) -> RecordSet {
        let ttl = set.ttl.map(|ttl| ttl.min(self.ttl));
        RecordSet { ttl, ..set.clone() }
    }

    fn change(&self, found: &Found, set: &RecordSet, old_ttl: Duration) -> Option<Change> {
        let of = match routed::identifier(set) {
            "" => String::new(),
            id => format!(" set {id}"),
        };
        let what = format!("TTL of {} {}{of}", found.name, set.kind.0).into();
        let Some(ttl) = set.ttl else {
            let from = format!("{} s, its target's", old_ttl.as_secs()).into();
            return Some(Change { what, from, to: "skipped: an alias has no TTL of its own".into() });
        };
        let wait = format_duration(old_ttl);
        let to = format!("{} s, and {wait} until the old one has drained", self.ttl).into();
        (ttl > self.ttl).then(|| Change { what, from: format!("{ttl} s").into(), to })
    }
}

/// Every authority has served the new TTL since then. It has arrived when those who keep the old one have dropped it.
fn drained(
    reads: &Reads<'_>,
    prior: &Prior,
    since: Timestamp,
    ttl: Heard<Duration>,
    note: Option<Note>,
) -> Seen<Note> {
    let lowest = prior.swap.made.iter().filter_map(|set| set.ttl).max();
    // An alias, and what was low before, has no other TTL that anybody knows of.
    let longer = !on(Mistake::NoDrainForward)
        && lowest.is_some_and(|low| prior.old_ttl > Duration::from_secs(low.into()));
    let drained = if longer { since.after(prior.old_ttl + SKEW) } else { since };
    let now = reads.world.clock().now();
    if now >= drained {
        let out = json!({
            "ttl": ttl.what.as_secs(),
            "low_at": since.to_string(),
            "old_ttl": prior.old_ttl.as_secs(),
            "drained_at": drained.to_string(),
        });
        return Seen::Desired { out: swap::gives(out, ttl.instead) };
    }
    let left = Duration::from_secs(drained.since(now).as_secs().max(1));
    (reads.progress)(&format!(
        "every name server serves the new TTL; the old one of {} runs out in {}",
        format_duration(prior.old_ttl),
        format_duration(left)
    ));
    Seen::Moving { note, again: drained.since(now).min(Duration::from_secs(10)) }
}
