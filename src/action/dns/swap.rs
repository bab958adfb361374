//! One listing put in place of another, as a whole: sent as one batch, and followed until every authority serves it. The
//! way back is the same with the two exchanged.
//!
//! Where a name leads is a swap's own, and so is for how long answers are kept, but for one thing: another step of the run may give
//! a TTL back that it lowered before. What leads elsewhere then is still what was made, and goes back from there as well.
//!
//! Not here: what a listing is for, and how long resolvers keep the one that went.

use super::lowered;
use super::place::{Found, Place};
use super::served::{self, Heard, Serving, Spans};
use super::sets;
use crate::action::{Seen, Toward};
use crate::mutant::{Mistake, on};
use crate::plan::{Scope, Timestamp, format_duration};
use crate::port::dns::{ChangeId, ChangeStatus, Name, RecordChange, RecordSet};
use crate::port::{Reads, Writes};
use crate::run::{DnsClock, Fault};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::{sync::Arc, time::Duration};

/// What was there, and what is put in its place; equal where nothing is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Swap {
    /// As listed: what the undo restores.
    pub(super) before: Vec<RecordSet>,
    pub(super) made: Vec<RecordSet>,
}

/// What a call returned and looks saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::action) struct Note {
    /// Unknown if the answer was lost, or if the provider does not know it.
    change: Option<ChangeId>,
    /// Since when some authority has not served it, or might not have.
    awaited_since: Timestamp,
    /// Since when every authority was seen to serve it.
    served_since: Option<Timestamp>,
    /// The TTL of what was taken away, where that was not the one that had been made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<Duration>,
}

/// How the zone stands against a swap.
pub(super) enum Stands {
    /// Not where it should be, which is all there is to say.
    Short(Seen<Note>),
    /// Every authority has served what it should since then, with this TTL at most; what went may be kept for so long from
    /// then on. What is to be recorded before anybody waits.
    Served { since: Timestamp, ttl: Heard<Duration>, gone: Duration, note: Option<Note> },
}

/// How long a change takes to every authority at most.
pub(super) const ARRIVES: Duration = Duration::from_secs(15 * 60);
/// The same, as a rule.
pub(super) const PROPAGATION: Duration = DnsClock::PROPAGATION;
/// What a change gets for it that nobody can follow, neither at the provider nor at its servers.
const UNFOLLOWED: Duration = Duration::from_secs(5 * 60);
/// About the key that states what nobody tells.
pub(super) const KEEP_ALIVE: &str = "for how long clients may keep a connection to where it leads: the way back waits for as long. An \
     Application Load Balancer keeps them for 1h unless that is set";
/// Clocks differ a little.
pub(super) const SKEW: Duration = Duration::from_secs(1);
/// How often it is asked at first, and later.
const SOON: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_secs(3);

impl Swap {
    /// Whether there is anything to send.
    pub(super) fn changes(&self) -> bool {
        !sets::same(&self.before, &self.made)
    }

    /// Whether how the name is spoken to is swapped as well.
    fn has_services(&self) -> bool {
        sets::has_services(&self.before) || sets::has_services(&self.made)
    }

    /// Whether some sets stay: whoever is answered with one of those has seen nothing of the change.
    fn is_partial(&self) -> bool {
        self.changes() && self.made.iter().any(|set| self.before.contains(set))
    }

    /// Whether this is what was made; also with a TTL that this run lowered before, and has given back since.
    fn is_made(&self, listed: &[RecordSet], scope: &Scope, name: &Name) -> bool {
        let alike = |services: bool| {
            let of = |sets: &[RecordSet]| if services { sets::services(sets) } else { sets::leading(sets) };
            let (is, made) = (of(listed), of(&self.made));
            let (lasts, lasted) = (sets::longest(&is), sets::longest(&made));
            let given_back = || lowered::longest(scope, name, services).is_some_and(|most| lasts <= most);
            sets::same(&is, &made) || sets::lead_alike(&is, &made) && lasts >= lasted && given_back()
        };
        let leads_elsewhere = || !sets::lead_alike(&self.before, &self.made);
        sets::same(listed, &self.made) || leads_elsewhere() && alike(false) && alike(true)
    }

    /// The longest TTL that this run found at the name before it lowered it, of all that is swapped.
    pub(super) fn lasted(&self, scope: &Scope, name: &Name) -> Option<Duration> {
        let services = self.has_services().then(|| lowered::longest(scope, name, true)).flatten();
        services.max(lowered::longest(scope, name, false))
    }

    /// Puts what is made in place of what was there.
    ///
    /// # Errors
    /// Foreign, if something else is there: then nothing was written.
    pub(super) async fn apply(&self, place: &Place, writes: &Writes<'_>) -> Result<Note, Fault> {
        if on(Mistake::ForeignOverwritten) {
            let listed = place.find(&writes.reads()).await?.listed(self.has_services()).await?;
            return self.send(place, writes, &listed, &self.made).await;
        }
        if self.is_partial() {
            // A set that stays is in no batch, and nor is one that somebody has put beside it.
            let found = place.find(&writes.reads()).await?;
            let listed = found.listed(self.has_services()).await?;
            if !sets::same(&listed, &self.before) && !sets::same(&listed, &self.made) {
                return Err(self.foreign(&found, &listed));
            }
        }
        self.send(place, writes, &self.before, &self.made).await
    }

    /// Puts back what was there, unless it is. `made`: it is known that it was taken away.
    ///
    /// # Errors
    /// As [`Swap::apply`].
    pub(super) async fn undo(&self, place: &Place, writes: &Writes<'_>, made: bool) -> Result<Note, Fault> {
        let found = place.find(&writes.reads()).await?;
        let listed = found.listed(self.has_services()).await?;
        if sets::same(&listed, &self.before) {
            // Whoever put it back did not live to say which TTL went.
            let kept = if made { self.lasted(writes.scope, &found.name) } else { None };
            return Ok(Note { kept, ..Note::begun(None, writes.world.clock().now()) });
        }
        if !self.is_made(&listed, writes.scope, &found.name) && !on(Mistake::UndoOverwrites) {
            return Err(self.foreign(&found, &listed));
        }
        if on(Mistake::OtherTtl) {
            let other = |set: &RecordSet| RecordSet { ttl: set.ttl.map(|ttl| ttl + 1), ..set.clone() };
            let other: Vec<RecordSet> = self.before.iter().map(other).collect();
            self.send(place, writes, &listed, &other).await?;
            return Ok(Note::begun(None, writes.world.clock().now()));
        }
        // What is listed goes, in the exact words of the listing.
        let note = self.send(place, writes, &listed, &self.before).await?;
        let (kept, made) = (sets::longest(&listed), sets::longest(&self.made));
        Ok(Note { kept: (kept != made).then_some(kept), ..note })
    }

    /// For commands: what [`Swap::undo`] sends.
    pub(super) fn undo_by_hand(&self, place: &Place) -> Vec<String> {
        if !self.changes() {
            return Vec::new();
        }
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for change in sets::swap(&self.made, &self.before) {
            match change {
                RecordChange::Delete(set) => gone.push(sets::by_hand(&set)),
                RecordChange::Create(set) => come.push(sets::by_hand(&set)),
            }
        }
        vec![place.swap_by_hand(&gone.into(), &come.into())]
    }

    async fn send(
        &self,
        place: &Place,
        writes: &Writes<'_>,
        old: &[RecordSet],
        new: &[RecordSet],
    ) -> Result<Note, Fault> {
        let dns = place.to_change(writes)?;
        writes.in_time()?;
        let comment = format!("switchover {}", writes.token);
        let change = match dns.change(&sets::swap(old, new), &comment).await {
            Ok(change) => Some(change),
            Err(fault) if fault.is_foreign() => {
                let found = place.find(&writes.reads()).await?;
                let listed = found.listed(self.has_services()).await?;
                let made = |sets: &[RecordSet]| self.is_made(sets, writes.scope, &found.name);
                if made(old) && made(&listed) && !sets::same(&listed, old) {
                    let text = format!("{} was given another TTL meanwhile", found.name);
                    return Err(Fault::transient(text));
                }
                if !sets::same(&listed, new) {
                    return Err(Fault { message: self.foreign(&found, &listed).message, ..fault });
                }
                // An earlier try of ours, whose answer was lost, has landed since.
                None
            }
            Err(fault) => return Err(fault),
        };
        Ok(Note::begun(change, writes.world.clock().now()))
    }

    /// Whether the zone lists what it should, and since when every authority serves it; what is to go was served with this
    /// TTL at most.
    ///
    /// # Errors
    /// Foreign, if it lists neither; blind, if an authority does not come to serve it: nothing has failed by that, and who
    /// turns back goes the same slow way.
    pub(super) async fn look(
        &self,
        place: &Place,
        reads: &Reads<'_>,
        toward: Toward,
        note: Option<&Note>,
        old_ttl: Duration,
    ) -> Result<Stands, Fault> {
        let found = place.find(reads).await?;
        let listed = found.listed(self.has_services()).await?;
        let (before, made) =
            (sets::same(&listed, &self.before), self.is_made(&listed, reads.scope, &found.name));
        let (wanted, gone) = match toward {
            Toward::Desired(_) if made => (&listed, &self.before),
            Toward::Prior if before => (&self.before, &self.made),
            Toward::Desired(_) if before => return Ok(Stands::Short(Seen::Prior)),
            Toward::Prior if made => return Ok(Stands::Short(Seen::Desired { out: Json::Null })),
            Toward::Prior if on(Mistake::OtherTtl) => {
                let (since, ttl) = (Timestamp::PAST, Heard::directly(Duration::ZERO));
                return Ok(Stands::Served { since, ttl, gone: old_ttl, note: None });
            }
            _ => return Err(self.foreign(&found, &listed)),
        };
        let short = |note, again| Ok(Stands::Short(Seen::Moving { note, again }));
        let Some(note) = note.cloned() else {
            // It is there, whoever heard the answer: that is recorded first.
            return short(Some(Note::begun(None, reads.world.clock().now())), Duration::ZERO);
        };
        let status = match &note.change {
            Some(change) => Some(found.dns.status(change).await?),
            None => None,
        };
        let unknown = status == Some(ChangeStatus::Unknown) && note.served_since.is_none();
        if unknown && reads.world.clock().now() >= note.awaited_since.after(PROPAGATION) {
            // From now on it is followed as one whose answer was lost.
            return short(Some(Note { change: None, ..note }), Duration::ZERO);
        }
        let old_ttl = old_ttl.max(note.kept.unwrap_or_default());
        let blind = if self.is_partial() { PROPAGATION } else { Duration::ZERO };
        let Heard { what, instead } = match status {
            Some(ChangeStatus::Pending) => {
                let why = "accepted, and not yet on all servers of the provider (PENDING)".into();
                Heard::directly(Serving::NotYet(why))
            }
            _ if unknown => {
                let why = "accepted, and the provider does not know the change yet, or no more".into();
                Heard::directly(Serving::NotYet(why))
            }
            _ => serving(reads, &found, &note, (wanted, gone), (old_ttl, blind)).await?,
        };
        let now = reads.world.clock().now();
        let why = match what {
            Serving::Everywhere(ttl) => {
                let ttl = Heard { what: ttl, instead };
                let since = note.served_since.unwrap_or(now);
                let note = note.served_since.is_none().then_some(Note { served_since: Some(now), ..note });
                return Ok(Stands::Served { since, ttl, gone: old_ttl, note });
            }
            Serving::NotYet(why) => match instead {
                Some(instead) => format!("{why} ({instead})"),
                None => why,
            },
        };
        (reads.progress)(&why);
        if note.served_since.is_some() {
            // Whatever waits from then on begins anew when all of them serve it again.
            return short(Some(Note { awaited_since: now, served_since: None, ..note }), POLL);
        }
        if now.since(note.awaited_since) > ARRIVES {
            let waited = format_duration(ARRIVES);
            return Err(Fault::blind(format!("not served everywhere after {waited}: {why}")));
        }
        // Most changes are everywhere within seconds, and users wait for a way back: noticed late by half of that at most.
        short(None, (now.since(note.awaited_since) / 2).clamp(SOON, POLL))
    }

    /// Neither ours nor what was recorded.
    pub(super) fn foreign(&self, found: &Found, listed: &[RecordSet]) -> Fault {
        Fault::foreign(format!(
            "{} is {}; this step made it {}, and before that it was {}: somebody else changed it",
            found.name,
            sets::describe(listed),
            sets::describe(&self.made),
            sets::describe(&self.before)
        ))
    }
}

impl Note {
    /// The provider can be asked how far the change has come.
    pub(super) fn can_be_followed(&self) -> bool {
        self.change.is_some()
    }

    fn begun(change: Option<ChangeId>, awaited_since: Timestamp) -> Self {
        Self { change, awaited_since, served_since: None, kept: None }
    }
}

/// What the name servers say, once the provider has brought the change to all of them: from here one sees only the nearest, or
/// none.
async fn serving(
    reads: &Reads<'_>,
    found: &Found,
    note: &Note,
    (wanted, gone): (&[RecordSet], &[RecordSet]),
    (old_ttl, blind): (Duration, Duration),
) -> Result<Heard<Serving>, Fault> {
    let now = reads.world.clock().now();
    let served = note.served_since.map(|since| now.since(since)).unwrap_or_default();
    let spans = Spans { served, before: old_ttl };
    let heard = served::everywhere(&*found.dns, &found.name, wanted, gone, spans).await?;
    let limit = if heard.instead.is_some() { UNFOLLOWED } else { blind };
    if !note.can_be_followed() && now < note.awaited_since.after(limit) {
        let limit = format_duration(limit);
        let why =
            format!("no answer names the change, so that nobody can say how far it is: it gets {limit}");
        return Ok(Heard { what: Serving::NotYet(why), ..heard });
    }
    Ok(heard)
}

/// For whoever reads a preview: the way back waits for no connections.
pub(super) fn unstated(to: &str) -> Arc<str> {
    format!(
        "for how long clients keep connections to {to} is not known, so the way back does not wait for them: state `keep_alive`"
    )
    .into()
}

/// What a step gives to later ones, with how it is known where no name server could be asked.
pub(super) fn gives(mut out: Json, instead: Option<String>) -> Json {
    if let Some(instead) = instead {
        out["asked"] = instead.into();
    }
    out
}
