//! The lock in the world: a TXT record beside each record that a run of production writes. It is made only where nothing is,
//! names the run, and is taken away with the run's end, so that runs of other state directories refuse in time.
//!
//! Nobody takes a lock by the clock. A person who knows that nobody goes on with the other run skips the check that it is
//! free, with a reason; what is found then is replaced by compare-and-swap, and the other run, if it lives, finds its lock
//! gone.

use super::held::Held;
use super::place::Place;
use super::sets;
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{FREE, Fields, LOCK, Scope, StepTraits, Timestamp, integer, list, nested, text};
use crate::port::dns::{Name, RecordChange, RecordSet};
use crate::port::{Reads, Writes, need::Need};
use crate::run::{Change, Fault, FaultKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;

/// How long a change of it may take to be listed.
const WITHIN: Duration = Duration::from_secs(300);

/// Checks that no other run holds it.
#[derive(Debug)]
pub(in crate::action) struct Free {
    zones: Vec<Zone>,
}

/// Takes it.
#[derive(Debug)]
pub(in crate::action) struct Take {
    zones: Vec<Zone>,
    plan: Arc<str>,
    /// How long the run should last.
    lasts: Duration,
}

/// Gives it back once all is done. On the way back the undo of [`Take`] does that.
#[derive(Debug)]
pub(in crate::action) struct Release {
    zones: Vec<Zone>,
}

/// Names of one zone that are locked in one batch.
#[derive(Debug)]
struct Zone(Vec<Place>);

/// What is put at each name, by zone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::action) struct Prior {
    zones: Vec<Vec<Kept>>,
}

/// One name.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Kept {
    /// The lock of another run, which is taken over.
    before: Option<RecordSet>,
    made: RecordSet,
}

/// Nothing has to be known.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::action) struct Nothing {}

/// What a name lists.
enum There<'a> {
    Nothing,
    Lock(Held, &'a RecordSet),
    /// Somebody else's.
    Strange(String),
}

impl<'a> There<'a> {
    fn of(all: &'a [RecordSet]) -> Self {
        match all {
            [] => Self::Nothing,
            [set] if set.kind.0 == "TXT" && set.values.len() == 1 && set.extra.is_empty() => {
                match Held::read(&set.values[0]) {
                    Some(held) => Self::Lock(held, set),
                    None => Self::Strange(set.to_string()),
                }
            }
            _ => Self::Strange(all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        }
    }

    /// It is not this run's: why nothing is done.
    fn refusal(&self, name: &Name, now: Timestamp) -> Fault {
        match self {
            Self::Nothing => Fault::foreign(format!("the lock {name} is gone: somebody took it away")),
            Self::Lock(held, _) if held.until <= now => Fault::foreign(format!(
                "locked by another run: {held}, which is past and says nothing of whether it lives (TXT record {name})"
            )),
            Self::Lock(held, _) => {
                Fault::foreign(format!("locked by another run: {held} (TXT record {name})"))
            }
            Self::Strange(is) => Fault::permanent(format!(
                "{name} is {is}, which is no lock of a run: it is somebody else's, and never written over. Take it away \
                 if nobody needs it, or say `policy: {{ world_lock: off }}`"
            )),
        }
    }
}

impl Zone {
    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        Place::decode_all(fields).map(Self)
    }

    /// What each name lists, in order.
    async fn listed(&self, reads: &Reads<'_>) -> Result<Vec<(Name, Vec<RecordSet>)>, Fault> {
        let Some(first) = self.0.first() else { return Ok(Vec::new()) };
        let found = first.find(reads).await?;
        let mut listed = Vec::new();
        for place in &self.0 {
            let name = place.name();
            let all = found.dns.record_sets(&name).await?;
            listed.push((name, all));
        }
        Ok(listed)
    }

    /// Sends one batch.
    async fn send(&self, writes: &Writes<'_>, batch: &[RecordChange]) -> Result<(), Fault> {
        let Some(first) = self.0.first().filter(|_| !batch.is_empty()) else { return Ok(()) };
        let dns = first.to_change(writes)?;
        writes.in_time()?;
        dns.change(batch, &format!("switchover {}", writes.token)).await.map(|_| ()).map_err(|fault| {
            let why = match fault.kind {
                FaultKind::Permanent | FaultKind::Blind => {
                    "; let it be written, or say `policy: { world_lock: off }`"
                }
                FaultKind::Transient | FaultKind::Foreign => "",
            };
            Fault { message: format!("the lock {}: {}{why}", first.name(), fault.message).into(), ..fault }
        })
    }

    /// Takes away what was made, and nothing else. What a listing says may be old: so it is left to the change to compare.
    async fn give_back(&self, writes: &Writes<'_>, made: &[RecordSet]) -> Result<(), Fault> {
        let gone = |sets: &[RecordSet]| sets.iter().cloned().map(RecordChange::Delete).collect::<Vec<_>>();
        let Err(fault) = self.send(writes, &gone(made)).await else { return Ok(()) };
        if matches!(fault.kind, FaultKind::Transient | FaultKind::Blind) {
            return Err(fault);
        }
        // Not all of it is there, or it may not be touched and perhaps never was there: the rest may be.
        let listed = self.listed(&writes.reads()).await?;
        let there = |set: &&RecordSet| listed.iter().any(|(_, all)| all.contains(set));
        let rest: Vec<RecordSet> = made.iter().filter(there).cloned().collect();
        if rest.len() == made.len() { Err(fault) } else { self.send(writes, &gone(&rest)).await }
    }

    /// Whether nothing of what was made is there.
    ///
    /// # Errors
    /// Foreign, where something is that no run put there.
    async fn is_free_of(&self, reads: &Reads<'_>, made: &[RecordSet]) -> Result<bool, Fault> {
        let listed = self.listed(reads).await?;
        if listed.iter().flat_map(|(_, all)| all).any(|set| made.contains(set)) {
            return Ok(false);
        }
        for (name, all) in &listed {
            if let There::Strange(is) = There::of(all) {
                return Err(Fault::foreign(format!("the lock {name} is {is}: somebody else changed it")));
            }
        }
        Ok(true)
    }

    fn made(kept: &[Kept]) -> Vec<RecordSet> {
        kept.iter().map(|kept| kept.made.clone()).collect()
    }
}

fn zones(fields: &mut Fields<'_>) -> Option<Vec<Zone>> {
    fields.required("locks", list(nested(Zone::decode)), "names to lock, by zone")
}

fn places(zones: &[Zone]) -> impl Iterator<Item = &Place> {
    zones.iter().flat_map(|zone| &zone.0)
}

/// For locks of the state directory, and for telling whose change is whose.
fn resources(zones: &[Zone]) -> Vec<String> {
    places(zones).map(|place| place.resource().replacen("dns:", "lock:", 1)).collect()
}

/// What people put there.
fn by_hand(place: &Place) -> Json {
    let value = "\"switchover v1 run=<its id> plan=<its name> by=<you> since=<now> until=<then>\"";
    let name = place.name();
    json!([{"Name": name.as_str(), "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": value}]}])
}

fn told(of: Option<&Json>) -> String {
    of.and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// Which run this is; empty in a preview, where none is.
fn own(scope: &Scope) -> String {
    told(scope.run.get("id"))
}

#[async_trait::async_trait]
impl Action for Free {
    type Prior = Nothing;
    type Note = Nothing;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        zones(fields).map(|zones| Self { zones })
    }

    fn traits(&self) -> StepTraits {
        StepTraits::default()
    }

    fn by_hand(&self) -> ByHand {
        ByHand {
            what: "nobody else is at work on these records".into(),
            apply: places(&self.zones).map(Place::list_by_hand).collect(),
            expect: "no TXT record `_switchover.…`; one that is there says who is at work: ask them".into(),
            undo: Vec::new(),
        }
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Nothing>, Fault> {
        let (own, now) = (own(reads.scope), reads.world.clock().now());
        for zone in &self.zones {
            for (name, all) in zone.listed(reads).await? {
                match There::of(&all) {
                    There::Nothing => {}
                    There::Lock(held, _) if held.run == own => {}
                    other => return Err(other.refusal(&name, now)),
                }
            }
        }
        Ok(Planned::nothing(Nothing {}, WITHIN))
    }

    async fn apply(&self, _: &Writes<'_>, _: u32, _: &Nothing) -> Result<Option<Nothing>, Fault> {
        Ok(None)
    }

    async fn look(&self, _: &Reads<'_>, toward: Toward, _: &Known<Self>) -> Result<Seen<Nothing>, Fault> {
        Ok(if toward == Toward::Prior { Seen::Prior } else { Seen::Desired { out: json!({}) } })
    }

    async fn undo(&self, _: &Writes<'_>, _: &Known<Self>) -> Result<Option<Nothing>, Fault> {
        Ok(None)
    }
}

#[async_trait::async_trait]
impl Action for Take {
    type Prior = Prior;
    type Note = Nothing;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let zones = zones(fields);
        let plan = fields.required("plan", text(), "the plan's name");
        let lasts =
            fields.required("seconds", integer(1..=i64::from(u32::MAX)), "how long the run should last");
        let lasts = Duration::from_secs(u64::try_from(lasts?).ok()?);
        Some(Self { zones: zones?, plan: plan?, lasts })
    }

    fn traits(&self) -> StepTraits {
        let resources = resources(&self.zones);
        StepTraits { writes: true, has_undo: true, resources, ..StepTraits::default() }
    }

    fn by_hand(&self) -> ByHand {
        let none = json!([]);
        let swap = |place: &Place, away: bool| {
            let sets = by_hand(place);
            if away { place.swap_by_hand(&sets, &none) } else { place.swap_by_hand(&none, &sets) }
        };
        ByHand {
            what: "others see that you are at work on these records".into(),
            apply: places(&self.zones).map(|place| swap(place, false)).collect(),
            expect: "it is refused where somebody was quicker".into(),
            undo: places(&self.zones).map(|place| swap(place, true)).collect(),
        }
    }

    fn undo_by_hand(&self, prior: &Prior, _: &Scope) -> Vec<String> {
        let kept = prior.zones.iter().flatten();
        let gone = |(place, kept): (&Place, &Kept)| {
            place.swap_by_hand(&json!([sets::by_hand(&kept.made)]), &json!([]))
        };
        places(&self.zones).zip(kept).map(gone).collect()
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Prior>, Fault> {
        let (own, now) = (own(reads.scope), reads.world.clock().now());
        // Only a person gets a run past the check; a preview is of no run.
        let takes_over = !own.is_empty() && !reads.scope.steps.contains_key(FREE);
        let until = now.after(self.lasts);
        let by = told(reads.scope.run.get("by"));
        let ours = Held { run: own.clone(), plan: self.plan.to_string(), by, since: now, until };
        let (mut prior, mut changes) = (Prior::default(), Vec::new());
        for zone in &self.zones {
            let mut kept = Vec::new();
            for (name, all) in zone.listed(reads).await? {
                let made = ours.set(&name);
                let (from, one) = match There::of(&all) {
                    There::Nothing => ("nothing".into(), Kept { before: None, made }),
                    // Of a call whose answer was lost.
                    There::Lock(held, set) if held.run == own => {
                        ("this run's".into(), Kept { before: None, made: set.clone() })
                    }
                    There::Lock(held, set) if takes_over => {
                        (held.to_string(), Kept { before: Some(set.clone()), made })
                    }
                    other => return Err(other.refusal(&name, now)),
                };
                let to =
                    if own.is_empty() { "this run's".into() } else { format!("this run's, until {until}") };
                changes.push(Change {
                    what: format!("lock {name}").into(),
                    from: from.into(),
                    to: to.into(),
                });
                kept.push(one);
            }
            prior.zones.push(kept);
        }
        let stages = u32::try_from(self.zones.len()).unwrap_or(u32::MAX);
        Ok(Planned { prior, stages, within: WITHIN, call: None, must_finish: false, changes })
    }

    async fn apply(&self, writes: &Writes<'_>, stage: u32, prior: &Prior) -> Result<Option<Nothing>, Fault> {
        let Some((zone, kept)) = of_stage(&self.zones, &prior.zones, stage) else { return Ok(None) };
        let batch: Vec<RecordChange> = kept
            .iter()
            .flat_map(|Kept { before, made }| {
                let gone = before.clone().map(RecordChange::Delete);
                gone.into_iter().chain([RecordChange::Create(made.clone())])
            })
            .collect();
        let Err(fault) = zone.send(writes, &batch).await else { return Ok(None) };
        if !fault.is_foreign() {
            return Err(fault);
        }
        let now = writes.world.clock().now();
        for ((name, all), kept) in zone.listed(&writes.reads()).await?.iter().zip(kept) {
            // An earlier try of ours, whose answer was lost, may have landed since.
            if !all.contains(&kept.made) {
                return Err(Fault { message: There::of(all).refusal(name, now).message, ..fault });
            }
        }
        Ok(None)
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Nothing>, Fault> {
        let Toward::Desired(stage) = toward else {
            for (zone, kept) in self.zones.iter().zip(&record.prior.zones) {
                if !zone.is_free_of(reads, &Zone::made(kept)).await? {
                    return Ok(Seen::Desired { out: Json::Null });
                }
            }
            return Ok(Seen::Prior);
        };
        let now = reads.world.clock().now();
        for reached in 1..=stage {
            let Some((zone, kept)) = of_stage(&self.zones, &record.prior.zones, reached) else { continue };
            let listed = zone.listed(reads).await?;
            let each = || listed.iter().zip(kept);
            let is_before =
                |((_, all), kept): (&(Name, Vec<RecordSet>), &Kept)| all.iter().eq(kept.before.as_ref());
            if reached == stage && each().all(is_before) {
                return Ok(Seen::Prior);
            }
            if let Some(((name, all), _)) = each().find(|((_, all), kept)| !all.contains(&kept.made)) {
                let fault = There::of(all).refusal(name, now);
                return Err(Fault::foreign(fault.message));
            }
        }
        let made: Vec<Vec<RecordSet>> = record.prior.zones.iter().map(|kept| Zone::made(kept)).collect();
        Ok(Seen::Desired { out: json!({ "made": made }) })
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Nothing>, Fault> {
        for (zone, kept) in self.zones.iter().zip(&record.prior.zones) {
            zone.give_back(writes, &Zone::made(kept)).await?;
        }
        Ok(None)
    }
}

/// What one stage is about.
fn of_stage<'a, T>(zones: &'a [Zone], of: &'a [T], stage: u32) -> Option<(&'a Zone, &'a T)> {
    let place = usize::try_from(stage).ok()?.checked_sub(1)?;
    Some((zones.get(place)?, of.get(place)?))
}

/// What a run has made that gives it back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::action) struct Made {
    made: Vec<Vec<RecordSet>>,
}

#[async_trait::async_trait]
impl Action for Release {
    type Prior = Made;
    type Note = Nothing;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        zones(fields).map(|zones| Self { zones })
    }

    fn traits(&self) -> StepTraits {
        StepTraits { writes: true, resources: resources(&self.zones), ..StepTraits::default() }
    }

    fn by_hand(&self) -> ByHand {
        let away = |place: &Place| place.swap_by_hand(&by_hand(place), &json!([]));
        ByHand {
            what: "others may go to work on these records".into(),
            apply: places(&self.zones).map(away).collect(),
            expect: "no TXT record `_switchover.…`".into(),
            undo: Vec::new(),
        }
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    /// Of what the run has made, and not of what is listed: a listing may be old.
    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Made>, Fault> {
        let scope = reads.scope;
        let (previewed, ending) = (own(scope).is_empty(), told(scope.run.get("ending")));
        let out = scope.steps.get(LOCK).and_then(|step| step.get("out")).filter(|_| ending == "completed");
        let made: Made = out.and_then(|out| serde_json::from_value(out.clone()).ok()).unwrap_or_default();
        if made.made.is_empty() && !previewed {
            return Ok(Planned::nothing(made, WITHIN));
        }
        let gone = |place: &Place| Change {
            what: format!("lock {}", place.name()).into(),
            from: "this run's".into(),
            to: "nothing".into(),
        };
        let stages = u32::try_from(self.zones.len()).unwrap_or(u32::MAX);
        let changes = places(&self.zones).map(gone).collect();
        Ok(Planned { prior: made, stages, within: WITHIN, call: None, must_finish: false, changes })
    }

    async fn apply(&self, writes: &Writes<'_>, stage: u32, prior: &Made) -> Result<Option<Nothing>, Fault> {
        if let Some((zone, made)) = of_stage(&self.zones, &prior.made, stage) {
            zone.give_back(writes, made).await?;
        }
        Ok(None)
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Nothing>, Fault> {
        let Toward::Desired(stage) = toward else { return Ok(Seen::Prior) };
        for reached in 1..=stage {
            if let Some((zone, made)) = of_stage(&self.zones, &record.prior.made, reached)
                && !zone.is_free_of(reads, made).await?
            {
                return Ok(Seen::Prior);
            }
        }
        Ok(Seen::Desired { out: Json::Null })
    }

    async fn undo(&self, _: &Writes<'_>, _: &Known<Self>) -> Result<Option<Nothing>, Fault> {
        Ok(None)
    }
}
