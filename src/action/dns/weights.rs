//! `dns.weights`: shifts a name to another of its weighted record sets, weight by weight, each watched before the next.
//!
//! Each weight is one batch that deletes all sets of the name exactly as they were listed, and creates them with other
//! weights. Its time counts from when the answers that were given by the weights before have run out. The undo is one batch
//! too.

use super::health;
use super::place::{Found, Place};
use super::resolved;
use super::routed::{self, identifier};
use super::served;
use super::sets;
use super::swap::{self, ARRIVES, KEEP_ALIVE, PROPAGATION, SKEW, Stands, Swap};
use crate::action::shares::{self, Stage};
use crate::action::shift::{Course, Watched};
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward, Trouble};
use crate::mutant::{Mistake, on};
use crate::plan::{
    Code, Fields, Scope, StepTraits, Timestamp, Writes as Data, duration, format_duration, list, one_of, text,
};
use crate::port::dns::RecordSet;
use crate::port::{Reads, Share, Writes, need::Need};
use crate::run::{Change, Curve, DnsClock, Fault, Told};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// Shifts a name to one of its sets.
#[derive(Debug)]
pub(in crate::action) struct Weights {
    place: Place,
    old: Vec<Arc<str>>,
    new: Arc<str>,
    course: Course,
    /// For how long clients keep a connection to the new side.
    keep_alive: Option<Duration>,
    data: Option<Data>,
}

/// The sets as they were, and what is made of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Prior {
    /// As listed: what the undo restores.
    before: Vec<RecordSet>,
    /// One listing a weight.
    stages: Vec<Vec<RecordSet>>,
    /// For how long resolvers may keep an answer of these sets.
    ttl: Duration,
    /// For how long clients may keep a connection to the new side.
    #[serde(default)]
    keep_alive: Duration,
}

/// What a call returned and looks saw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Note {
    swap: swap::Note,
    watched: Watched,
}

#[async_trait::async_trait]
impl Action for Weights {
    type Prior = Prior;
    type Note = Note;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let place = Place::decode(fields);
        let old = fields.required("old", list(text()), "the sets that get fewer, by `SetIdentifier`");
        let new = fields.required("new", text(), "the set that gets more requests, by `SetIdentifier`");
        let course = Course::decode(fields);
        let keep_alive = fields.optional("keep_alive", duration(), KEEP_ALIVE);
        let words = &[("shared", Data::Shared), ("replicated", Data::Replicated), ("diverge", Data::Diverge)];
        let data = fields.optional("writes", one_of(words), "what becomes of data that the new side writes");
        let (place, old, new, course) = (place?, old?, new?, course?);
        if !place.has_aliases() {
            let span = fields.span_of("target");
            let message = "only Route 53 has weighted sets, and this zone is on a primary server";
            fields
                .problems()
                .error(Code("SW2006"), span, message)
                .help("switch the name at once: `dns.switch`");
            return None;
        }
        if old.is_empty() || old.contains(&new) {
            let span = fields.span_of("old");
            let message = "`old` names the other sets of the name: at least one, and not the `new` one";
            fields.problems().error(Code("SW2003"), span, message);
            return None;
        }
        Some(Self { place, old, new, course, keep_alive, data })
    }

    fn traits(&self) -> StepTraits {
        StepTraits {
            writes: true,
            has_undo: true,
            switches: true,
            lingers: true,
            resources: vec![self.place.resource()],
            data: self.data,
            ..StepTraits::default()
        }
    }

    fn by_hand(&self) -> ByHand {
        let (name, new) = (self.place.name(), &self.new);
        let listed = json!(["<each set exactly as listed>"]);
        let weights = |percent: &u32| {
            let to =
                json!([format!("<the same sets, with {percent} in a hundred of their weights for {new}>")]);
            self.place.swap_by_hand(&listed, &to)
        };
        let mut apply = vec![format!("{}   # keep this: the undo needs it", self.place.list_by_hand())];
        for percent in &self.course.to {
            apply.extend([weights(percent), self.place.follow_by_hand()]);
        }
        let before = json!(["<each set as it was noted>"]);
        ByHand {
            what: format!("{name}: {} of its answers from set {new}", self.course),
            apply,
            expect: format!(
                "the list shows set {new} with that weight, and every name server answers{}",
                self.place.inside_by_hand()
            ),
            undo: vec![self.place.swap_by_hand(&listed, &before), self.place.follow_by_hand()],
        }
    }

    /// One of these fits: whichever weights are there, the newest first.
    fn undo_by_hand(&self, prior: &Prior, _: &Scope) -> Vec<String> {
        let back = |made: &Vec<RecordSet>| of(&prior.before, made).undo_by_hand(&self.place);
        let all: Vec<String> = prior.stages.iter().rev().flat_map(back).collect();
        if all.is_empty() { all } else { vec![all.join(" || ")] }
    }

    fn trouble(&self, note: &Note) -> Trouble {
        self.course.trouble(&note.watched)
    }

    fn is_news(&self, recorded: &Note, note: &Note) -> bool {
        recorded.swap != note.swap || note.watched.is_news(&recorded.watched)
    }

    fn curves(&self, note: &Note) -> Vec<Curve> {
        self.course.curves(&note.watched)
    }

    fn clock(&self, prior: &Prior) -> Option<DnsClock> {
        let name = self.place.name().as_str().into();
        let (ttl, connections) = (prior.ttl, prior.keep_alive);
        let clock = DnsClock { name, before: ttl, after: ttl, connections, left: None };
        (!prior.stages.is_empty()).then_some(clock)
    }

    fn needs(&self) -> Vec<Need> {
        let sets = self.named().iter().map(ToString::to_string).collect();
        let record = Need::Weighted { zone: self.place.zone(), name: self.place.name(), sets };
        std::iter::once(record).chain(self.course.needs()).collect()
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Prior>, Fault> {
        let (found, all) = self.place.routable(reads).await?;
        sets::must_not_lead_by_service(&found.name, &all, false)?;
        let before = sets::leading(&all);
        let there = routed::shares(&found.name, &before, &self.named())?;
        let stages = shares::stages(&there, &self.new, &self.course.to, routed::MOST)
            .map_err(|why| Fault::permanent(format!("{}: {why}", found.name)))?;
        let kept = served::kept(&*found.dns, &found.name, &before).await?;
        let ttl = kept.what.max(served::lasts(&*found.dns, &found.zone, &before).await?);
        if !stages.is_empty() {
            let now = reads.world.clock().now();
            resolved::must_have_drained(&*found.dns, &found.name, (&before[..], ttl), now).await?;
            let leads_to_it = self.course.to.iter().any(|percent| *percent > 0);
            let led_to = before.iter().filter(|set| leads_to_it && identifier(set) == &*self.new);
            health::must_pass(&*found.dns, &found.name, &led_to.collect::<Vec<_>>()).await?;
        }
        let mut changes =
            if stages.is_empty() { Vec::new() } else { self.changes(&found, &before, &there, &stages, ttl) };
        changes.extend(kept.unknown());
        // With room for the drain to begin anew once.
        let keep_alive = self.keep_alive.unwrap_or_default();
        let within = ARRIVES + PROPAGATION * 2 + (ttl + SKEW) * 2 + self.course.takes().max(keep_alive);
        let count = u32::try_from(stages.len()).unwrap_or(u32::MAX);
        let stages = stages.iter().map(|stage| routed::dealing(&before, stage)).collect();
        let prior = Prior { before, stages, ttl, keep_alive };
        Ok(Planned { prior, stages: count, within, call: None, must_finish: false, changes })
    }

    async fn told(&self, reads: &Reads<'_>, prior: &Prior, is_undone: bool) -> Result<Told, Fault> {
        let unknown =
            (is_undone && self.keep_alive.is_none()).then(|| swap::unstated(&format!("set {}", self.new)));
        let has_health = |set: &RecordSet| {
            set.extra.contains_key("HealthCheckId")
                || set.alias.as_ref().is_some_and(|alias| alias.evaluate_health)
        };
        let is_off = self.course.to.last() == Some(&100) && prior.before.iter().any(has_health);
        let not_off = is_off.then(|| {
            "weight 0 is not off: where no set with a weight is healthy, answers come from those without; and where none is, from all"
                .into()
        });
        let found = self.place.find(reads).await?;
        let health = health::told(&*found.dns, &prior.before.iter().collect::<Vec<_>>()).await;
        let notes = found.notes().into_iter().chain(unknown).chain(not_off).chain(health).collect();
        Ok(Told { notes, ..Told::default() })
    }

    async fn apply(&self, writes: &Writes<'_>, stage: u32, prior: &Prior) -> Result<Option<Note>, Fault> {
        let swap = prior.forward(stage);
        let found = self.place.find(&writes.reads()).await?;
        let listed = found.listed(false).await?;
        // A set that somebody put beside ours is in no batch of ours.
        let ours = sets::same(&listed, &swap.before) || sets::same(&listed, &swap.made);
        if !ours && !on(Mistake::ForeignOverwritten) {
            return Err(swap.foreign(&found, &listed));
        }
        let note = swap.apply(&self.place, writes).await?;
        Ok(Some(Note { swap: note, watched: Watched::default() }))
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        let prior = &record.prior;
        let swap = match toward {
            Toward::Desired(stage) => prior.forward(stage),
            Toward::Prior => prior.back(&self.place.find(reads).await?.listed(false).await?),
        };
        let known = record.note.as_ref();
        let note = known.map(|note| &note.swap);
        let stands = swap.look(&self.place, reads, toward, note, prior.ttl).await?;
        let (since, gone, news, instead) = match stands {
            Stands::Short(seen) => return Ok(short(seen, known)),
            Stands::Served { since, gone, note, ttl } => (since, gone, note, ttl.instead),
        };
        // Without a name there is no INSYNC to ask for, and a server that is late may answer as if it were not.
        let unfollowed = !known.is_some_and(|note| note.swap.can_be_followed());
        let arrived = if unfollowed { since.after(PROPAGATION) } else { since };
        let drained = arrived.after(gone + SKEW);
        match toward {
            Toward::Prior => Ok(back(reads, (drained, prior.keep_alive), news, known)),
            Toward::Desired(0) => Ok(Seen::Desired { out: swap::gives(self.out(0, prior), instead) }),
            Toward::Desired(stage) => {
                let watched = known.map(|note| note.watched.clone()).unwrap_or_default();
                if let Some(swap) = news {
                    return Ok(Seen::Moving { note: Some(Note { swap, watched }), again: Duration::ZERO });
                }
                let counted = if on(Mistake::NoDrainForward) { since } else { drained };
                let watching = self.course.watch(reads, &watched, since, counted, &record.token);
                Ok(match watching.await? {
                    Seen::Moving { note, again } => {
                        let swap = known.map(|note| note.swap.clone());
                        let note = note.zip(swap).map(|(watched, swap)| Note { swap, watched });
                        Seen::Moving { note, again }
                    }
                    Seen::Desired { .. } => {
                        Seen::Desired { out: swap::gives(self.out(stage, prior), instead) }
                    }
                    Seen::Prior => Seen::Prior,
                })
            }
        }
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Note>, Fault> {
        let listed = self.place.find(&writes.reads()).await?.listed(false).await?;
        let swap = record.prior.back(&listed).undo(&self.place, writes, record.note.is_some()).await?;
        Ok(Some(Note { swap, watched: Watched::default() }))
    }
}

impl Prior {
    /// What a stage puts in place of what the one before left; stage 0 changes nothing.
    fn forward(&self, stage: u32) -> Swap {
        let stage = usize::try_from(stage).unwrap_or(usize::MAX);
        let after = |stage: usize| match stage.checked_sub(1).and_then(|place| self.stages.get(place)) {
            Some(made) => &made[..],
            None => &self.before[..],
        };
        of(after(stage.saturating_sub(1)), after(stage))
    }

    /// What puts back what was recorded, in place of whichever stage is listed.
    fn back(&self, listed: &[RecordSet]) -> Swap {
        let there = self.stages.iter().find(|made| sets::same(made, listed)).or(self.stages.last());
        of(&self.before, there.unwrap_or(&self.before))
    }
}

impl Weights {
    /// All sets that the name must have.
    fn named(&self) -> Vec<Arc<str>> {
        self.old.iter().chain([&self.new]).cloned().collect()
    }

    fn out(&self, stage: u32, prior: &Prior) -> serde_json::Value {
        let place = usize::try_from(stage).unwrap_or(usize::MAX);
        let made = place.checked_sub(1).and_then(|place| prior.stages.get(place)).unwrap_or(&prior.before);
        let weight = made.iter().find(|set| identifier(set) == &*self.new).and_then(sets::weight);
        json!({"set": self.new, "weight": weight, "ttl": prior.ttl.as_secs()})
    }

    /// What people see of it: the weights, and what counts beside them.
    fn changes(
        &self,
        found: &Found,
        before: &[RecordSet],
        there: &[Share],
        stages: &[Stage],
        ttl: Duration,
    ) -> Vec<Change> {
        let to: Vec<String> = stages.iter().map(|stage| shares::told(&stage.groups)).collect();
        let soak = self.course.soak().map(format_duration);
        let soak = soak.map(|soak| {
            let ttl = format_duration(ttl);
            format!(", each watched for {soak} once the answers of before have run out ({ttl})")
        });
        let mut changes = vec![Change {
            what: format!("weights of {}", found.name).into(),
            from: shares::told(there).into(),
            to: format!("{}{}", to.join("; then "), soak.unwrap_or_default()).into(),
        }];
        let fails = || {
            "as it is: while it fails, the set is left out, whatever its weight, unless those of all sets fail".into()
        };
        for set in before {
            let what = format!("health of set {} ({})", identifier(set), set.kind.0);
            if let Some(check) = set.extra.get("HealthCheckId") {
                let from = format!("health check {check}").into();
                changes.push(Change { what: what.clone().into(), from, to: fails() });
            }
            if let Some(alias) = set.alias.as_ref().filter(|alias| alias.evaluate_health) {
                let from = format!("health of {}", alias.name).into();
                changes.push(Change { what: what.into(), from, to: fails() });
            }
        }
        changes
    }
}

fn of(before: &[RecordSet], made: &[RecordSet]) -> Swap {
    Swap { before: before.to_vec(), made: made.to_vec() }
}

/// Not served yet: what was watched begins anew, unless it was watched for long enough.
fn short(seen: Seen<swap::Note>, known: Option<&Note>) -> Seen<Note> {
    let over = known.map(|note| &note.watched).filter(|watched| watched.is_over());
    let watched = || over.cloned().unwrap_or_default();
    match seen {
        Seen::Moving { note, again } => {
            Seen::Moving { note: note.map(|swap| Note { swap, watched: watched() }), again }
        }
        Seen::Desired { out } => Seen::Desired { out },
        Seen::Prior => Seen::Prior,
    }
}

/// It is back when nobody is told of the other weights any more, and has no connection that was made by them.
fn back(
    reads: &Reads<'_>,
    (drained, keep_alive): (Timestamp, Duration),
    news: Option<swap::Note>,
    known: Option<&Note>,
) -> Seen<Note> {
    let (now, gone) = (reads.world.clock().now(), drained.after(keep_alive));
    if now >= gone || on(Mistake::NoDrainBack) {
        return Seen::Prior;
    }
    let left = |until: Timestamp| format_duration(Duration::from_secs(until.since(now).as_secs().max(1)));
    (reads.progress)(&if now < drained {
        format!("new lookups go by the weights of before; the last answers run out in {}", left(drained))
    } else {
        format!("connections to the new side may last {} more", left(gone))
    });
    let watched = || known.map(|note| note.watched.clone()).unwrap_or_default();
    let note = news.map(|swap| Note { swap, watched: watched() });
    Seen::Moving { note, again: gone.since(now).min(Duration::from_secs(10)) }
}
