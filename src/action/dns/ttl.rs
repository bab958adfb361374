//! `dns.ttl`: lowers how long resolvers keep an answer, and waits until those who keep the old one have dropped it; or gives back
//! what it was, in `finally`.
//!
//! The wait begins when every authority serves the new TTL, not when the change was accepted, and takes as long as the
//! largest TTL that was served before. Weighted sets of a name have one TTL, so that all of them change in one batch. So does an
//! HTTPS record with its name: who keeps that may go on to the old side for as long.
//!
//! What a step lowered it answers (`steps.<id>.out`), and another of the same kind reads that: wherever the name leads by then,
//! its answers are kept for as long again as they were. Nobody waits for that. A run that turned back has it back already, and
//! one that is stuck is easier to help while answers are forgotten soon: there it does nothing.

use super::lowered::Lowered;
use super::place::{Found, Place};
use super::resolved;
use super::routed;
use super::served::{self, Heard};
use super::sets;
use super::swap::{self, ARRIVES, Note, SKEW, Stands, Swap};
use super::to::whole_seconds;
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::mutant::{Mistake, on};
use crate::plan::{Code, Fields, Scope, StepTraits, Timestamp, duration, format_duration, reference};
use crate::port::dns::{Name, RecordSet};
use crate::port::{Reads, Writes, need::Need};
use crate::run::{Change, DnsClock, Fault};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;

/// Lowers a TTL, or gives it back.
#[derive(Debug)]
pub(in crate::action) struct SetTtl {
    place: Place,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    /// So many seconds at most.
    Low(u32),
    /// As that step found it.
    GivenBack { step: Arc<str> },
}

/// What is swapped, and how long resolvers keep what went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Prior {
    swap: Swap,
    /// The largest TTL that was listed or served before, or for which a resolver of the plan keeps an answer.
    old_ttl: Duration,
}

#[async_trait::async_trait]
impl Action for SetTtl {
    type Prior = Prior;
    type Note = Note;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let place = Place::decode(fields);
        let about = "how long resolvers may keep the answer, and the HTTPS record of the name if it has one; what is lower stays";
        let ttl = fields.optional("ttl", duration(), about);
        let about = "in place of `ttl`, in `finally`: the step whose change is given back";
        let restore = fields.optional("restore", reference(), about);
        if fields.has("ttl") == fields.has("restore") {
            if fields.reading() {
                let span = fields.span();
                let text = "exactly one of `ttl` and `restore` is needed: how long resolvers may keep the answer, or the step \
                            whose change is given back";
                fields.problems().error(Code("SW2038"), span, text);
            }
            return None;
        }
        let wanted = match restore {
            Some(step) => {
                let span = fields.span_of("restore");
                fields.known().read_steps.borrow_mut().push((step.clone(), span));
                Wanted::GivenBack { step }
            }
            None => Wanted::Low(whole_seconds(fields, ttl?)?),
        };
        Some(Self { place: place?, wanted })
    }

    fn traits(&self) -> StepTraits {
        let (lowers_ttl, gives_back) = match &self.wanted {
            Wanted::Low(ttl) => (Some(Duration::from_secs((*ttl).into())), None),
            Wanted::GivenBack { step } => (None, Some(step.clone())),
        };
        StepTraits {
            writes: true,
            has_undo: true,
            lowers_ttl,
            gives_back,
            resources: vec![self.place.resource()],
            ..StepTraits::default()
        }
    }

    fn by_hand(&self) -> ByHand {
        let name = self.place.name();
        let record = name.as_str();
        let inside = self.place.inside_by_hand();
        let set = |ttl: Json| json!([{"Name": record, "Type": "<type>", "TTL": ttl, "ResourceRecords": "<as listed>"}]);
        let swap = |gone: &Json, come: &Json| {
            let batch = self.place.swap_by_hand(gone, come);
            format!("{batch}   # and the same of its HTTPS record in this batch, if it has one")
        };
        let ttl = match &self.wanted {
            Wanted::Low(ttl) => *ttl,
            Wanted::GivenBack { step } => {
                let (low, noted) = (set(json!("<TTL as listed>")), set(json!("<TTL as it was noted>")));
                return ByHand {
                    what: format!("{record}: TTL as before `{step}`"),
                    apply: vec![swap(&low, &noted), self.place.follow_by_hand()],
                    expect: format!("dig +norecurse @<each name server> {record}: that TTL{inside}"),
                    undo: vec![swap(&noted, &low)],
                };
            }
        };
        let (old, new) = (set(json!("<TTL as listed>")), set(json!(ttl)));
        ByHand {
            what: format!("{record}: TTL {ttl} s, and the old one drained"),
            apply: vec![
                format!("{}   # keep this: the undo needs it", self.place.list_by_hand()),
                swap(&old, &new),
                self.place.follow_by_hand(),
                "sleep <the old TTL>   # counted from when every name server serves the new one".into(),
            ],
            expect: format!("dig +norecurse @<each name server> {record}: TTL {ttl}{inside}"),
            undo: vec![swap(&new, &old)],
        }
    }

    fn undo_by_hand(&self, prior: &Prior, _: &Scope) -> Vec<String> {
        prior.swap.undo_by_hand(&self.place)
    }

    fn needs(&self) -> Vec<Need> {
        let (zone, name) = (self.place.zone(), self.place.name());
        let ttl = match self.wanted {
            Wanted::Low(ttl) => Some(ttl),
            Wanted::GivenBack { .. } => None,
        };
        vec![Need::Record { zone, name, from: None, to: None, ttl, set: None }]
    }

    /// A TTL that was given back is the one that counts from then on.
    fn clock(&self, prior: &Prior) -> Option<DnsClock> {
        let Wanted::GivenBack { .. } = self.wanted else { return None };
        let (before, after) = (sets::longest(&prior.swap.before), sets::longest(&prior.swap.made));
        let name = self.place.name().as_str().into();
        let (connections, left) = (Duration::ZERO, None);
        prior.swap.changes().then_some(DnsClock { name, before, after, connections, left })
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Prior>, Fault> {
        let (found, all) = self.place.routable(reads).await?;
        match &self.wanted {
            Wanted::Low(ttl) => {
                // How an HTTPS record is routed that nobody could follow holds up no address.
                let lasting = Some(sets::lasting(&all))
                    .filter(|all| routed::must_be_simple_or_routed(&found.name, all).is_ok());
                lowering(&found, lasting.unwrap_or_else(|| sets::leading(&all)), *ttl).await
            }
            Wanted::GivenBack { step } => giving_back(reads.scope, &found, &all, step),
        }
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
            Stands::Served { since, ttl, note, .. } => Ok(match self.wanted {
                Wanted::Low(_) => drained(reads, prior, &self.place.name(), since, ttl, note),
                Wanted::GivenBack { .. } => {
                    Seen::Desired { out: swap::gives(json!({"ttl": ttl.what.as_secs()}), ttl.instead) }
                }
            }),
        }
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Note>, Fault> {
        record.prior.swap.undo(&self.place, writes, record.note.is_some()).await.map(Some)
    }
}

async fn lowering(found: &Found, listed: Vec<RecordSet>, ttl: u32) -> Result<Planned<Prior>, Fault> {
    routed::must_be_simple_or_routed(&found.name, &listed)?;
    // How a name is spoken to that leads nowhere, nobody asks.
    if sets::leading(&listed).is_empty() {
        return Err(Fault::permanent(format!("{} has no record whose TTL could be lowered", found.name)));
    }
    // An alias has no TTL of its own, and what is low enough is left alone.
    let lowered = |set: &RecordSet| RecordSet { ttl: set.ttl.map(|is| is.min(ttl)), ..set.clone() };
    let made: Vec<RecordSet> = listed.iter().map(lowered).collect();
    let kept = served::kept(&*found.dns, &found.name, &listed).await?;
    let cached = resolved::cached(&*found.dns, &found.name, &listed).await.map(|cached| cached.left);
    let old_ttl = kept.what.max(cached.unwrap_or_default());
    // What is kept for longest may be another set's.
    let targets = listed.iter().all(|set| set.ttl.is_none()).then_some(old_ttl);
    let changes = listed.iter().filter_map(|set| lowers(found, set, ttl, (old_ttl, targets)));
    let changes = changes.chain(kept.unknown()).collect();
    // With room for the drain to begin anew once.
    let within = ARRIVES + (old_ttl + SKEW) * 2 + Duration::from_secs(60);
    Ok(planned(Prior { swap: Swap { before: listed, made }, old_ttl }, within, changes))
}

/// Where that step did nothing, or was undone, nothing is to be done; nor where this run does not end as it should.
fn giving_back(scope: &Scope, found: &Found, all: &[RecordSet], step: &str) -> Result<Planned<Prior>, Fault> {
    let completed = scope.run.get("ending").and_then(Json::as_str) == Some("completed");
    let answered = scope.steps.get(step).filter(|_| completed);
    let lowered = answered.map(|answered| Lowered::read(answered)).transpose();
    let lowered =
        lowered.map_err(|error| Fault::permanent(format!("`{step}` has lowered no TTL: {error}")))?;
    if let Some(Lowered { record, .. }) = &lowered
        && Name::new(record) != found.name
    {
        let text = format!(
            "`{step}` has lowered the TTL of {record}, and this step would give back that of {}",
            found.name
        );
        return Err(Fault::permanent(text));
    }
    let services = lowered.as_ref().is_some_and(Lowered::has_services);
    let listed = if services { sets::lasting(all) } else { sets::leading(all) };
    routed::must_be_simple_or_routed(&found.name, &listed)?;
    let raised = |set: &RecordSet| {
        let was = || lowered.as_ref().and_then(|lowered| lowered.was(set));
        let ttl = set.ttl.map(|ttl| was().map_or(ttl, |was| was.max(ttl)));
        RecordSet { ttl, ..set.clone() }
    };
    let made: Vec<RecordSet> = listed.iter().map(raised).collect();
    let told = |(set, made): (&RecordSet, &RecordSet)| {
        let (from, to) = (set.ttl?, made.ttl?);
        let what = what(found, set).into();
        (from != to).then(|| Change { what, from: format!("{from} s").into(), to: format!("{to} s").into() })
    };
    let changes = listed.iter().zip(&made).filter_map(told).collect();
    let old_ttl = sets::longest(&listed);
    Ok(planned(Prior { swap: Swap { before: listed, made }, old_ttl }, ARRIVES, changes))
}

fn planned(prior: Prior, within: Duration, changes: Vec<Change>) -> Planned<Prior> {
    let stages = u32::from(prior.swap.changes());
    Planned { prior, stages, within, call: None, must_finish: false, changes }
}

/// For people: `TTL of app.example.com A set blue`.
fn what(found: &Found, set: &RecordSet) -> String {
    let of = match routed::identifier(set) {
        "" => String::new(),
        id => format!(" set {id}"),
    };
    format!("TTL of {} {}{of}", found.name, set.kind.0)
}

/// `targets`: what its target has, if it is an alias and that is known.
fn lowers(
    found: &Found,
    set: &RecordSet,
    to: u32,
    (old_ttl, targets): (Duration, Option<Duration>),
) -> Option<Change> {
    let what = what(found, set).into();
    let Some(ttl) = set.ttl else {
        let from = match targets {
            Some(ttl) => format!("{} s, its target's", ttl.as_secs()).into(),
            None => "its target's".into(),
        };
        return Some(Change { what, from, to: "skipped: an alias has no TTL of its own".into() });
    };
    let wait = format_duration(old_ttl);
    let told = format!("{to} s, and {wait} until the old one has drained").into();
    (ttl > to).then(|| Change { what, from: format!("{ttl} s").into(), to: told })
}

/// Every authority has served the new TTL since then. It has arrived when those who keep the old one have dropped it.
fn drained(
    reads: &Reads<'_>,
    prior: &Prior,
    name: &Name,
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
        let Lowered { record, listed } = Lowered::of(name, &prior.swap.before);
        let out = json!({
            "record": record,
            "listed": listed,
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
