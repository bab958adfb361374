//! `dns.switch`: points a name elsewhere, in one atomic batch that deletes exactly what was there.
//!
//! It has arrived when the provider says so and every authority serves it. On the way back it is back only when nobody
//! comes to the other side any more: the answer that it took away, and the connections made by it, have run out.

use super::place::{Found, Place};
use super::served::{self, Serving};
use super::sets;
use super::to::{self, From, FromShape, To};
use crate::action::requests::{Balancer, idle_since};
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::plan::{
    Code, Fields, StepTraits, Timestamp, Writes as Data, format_duration, nested, one_of, text,
};
use crate::port::dns::{Alias, ChangeId, Name, RecordSet, RecordType};
use crate::port::{Reads, Writes};
use crate::run::{Change, Fault};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// Points a name elsewhere.
#[derive(Debug)]
pub(in crate::action) struct Switch {
    place: Place,
    from: Option<From>,
    to: To,
    data: Option<Data>,
}

/// What was there, and what is put in its place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Prior {
    /// As listed: what the undo restores.
    sets: Vec<RecordSet>,
    /// What this step makes of them.
    made: Vec<RecordSet>,
    /// The largest TTL served for what was there.
    old_ttl: Duration,
    /// For how long resolvers may keep the new answer.
    new_ttl: Duration,
    /// For how long clients may keep a connection to the new side.
    keep_alive: Duration,
    /// The new side, where it is a load balancer: its traffic can be measured.
    balancer: Option<Balancer>,
}

/// What a call returned and looks saw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::action) struct Note {
    /// Unknown if the answer was lost.
    change: Option<ChangeId>,
    /// Since when every authority was seen to serve it.
    served_at: Option<Timestamp>,
}

/// What authorities serve for an alias of a load balancer, whatever one wishes.
const ALIAS_TTL: Duration = Duration::from_secs(60);
/// For a record that had none.
const DEFAULT_TTL: u32 = 60;
/// How long a change takes to every authority, as a rule.
const PROPAGATION: Duration = Duration::from_secs(60);
/// How long it may take at most.
const ARRIVES: Duration = Duration::from_secs(15 * 60);
/// How long the listing may be ahead of the authorities before a switch.
const SETTLES: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_secs(3);
/// Minutes without a request after which nobody is believed to come any more.
const IDLE_MINUTES: usize = 3;

#[async_trait::async_trait]
impl Action for Switch {
    type Prior = Prior;
    type Note = Note;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let place = Place::decode(fields);
        let from = fields.optional("from", FromShape, "what must be there; it is recorded in any case");
        let to = fields.required("to", nested(To::decode), "where it should point");
        let words = &[("shared", Data::Shared), ("replicated", Data::Replicated), ("diverge", Data::Diverge)];
        let data = fields.optional("writes", one_of(words), "what becomes of data written to the new side");
        if fields.optional("set", text(), "one set of a routed record").is_some() {
            let span = fields.span_of("set");
            fields.problems().error(
                Code("SW2005"),
                span,
                "`set` is not here yet: only records with one answer are switched",
            );
        }
        to::check_apex(fields, place.as_ref(), to.as_ref());
        Some(Self { place: place?, from, to: to?, data })
    }

    fn traits(&self) -> StepTraits {
        let ttl = match &self.to {
            To::LoadBalancer { .. } | To::Alias { .. } => Some(ALIAS_TTL),
            To::Cname { ttl, .. } | To::Addresses { ttl, .. } => *ttl,
        };
        StepTraits {
            writes: true,
            has_undo: true,
            switches: true,
            resources: vec![self.place.resource()],
            data: self.data,
            undo_reaches: ttl.map(|ttl| ttl + PROPAGATION),
            ..StepTraits::default()
        }
    }

    fn by_hand(&self) -> ByHand {
        let record = self.place.label();
        let old = match &self.from {
            Some(from) => from.describe(),
            None => "<what the list shows>".into(),
        };
        let (gone, come) = (json!(["<each set exactly as listed>"]), self.to.sets_by_hand(record));
        let batch = |delete: &Json, create: &Json| {
            let changes = |action: &str, sets: &Json| {
                let sets = sets.as_array().into_iter().flatten();
                sets.map(|set| json!({"Action": action, "ResourceRecordSet": set})).collect::<Vec<_>>()
            };
            self.place.change_by_hand(&[changes("DELETE", delete), changes("CREATE", create)].concat().into())
        };
        ByHand {
            what: format!("{record}: from {old} to {}", self.to.describe()),
            apply: vec![
                format!("{}   # keep this: the undo needs it", self.place.list_by_hand()),
                batch(&gone, &come),
                "aws route53 get-change --id <ChangeInfo.Id>   # until INSYNC".into(),
            ],
            expect: format!(
                "every name server of the zone answers so: dig +norecurse @<name server> {record}"
            ),
            undo: vec![
                batch(&come, &gone),
                "aws route53 get-change --id <ChangeInfo.Id>   # until INSYNC".into(),
            ],
        }
    }

    async fn plan(&self, reads: &Reads<'_>) -> Result<Planned<Prior>, Fault> {
        let found = self.place.find(reads).await?;
        self.refuse_other_owners(&found).await?;
        let all = found.dns.record_sets(&found.name).await?;
        let listed = sets::leading(&all);
        sets::must_be_simple(&found.name, &listed)?;
        let balancer = self.balancer(reads).await?;
        let made = self.make(&found, &listed, balancer.as_ref());
        self.refuse_conflicts(&found, &all, &made)?;
        let already = sets::same(&listed, &made);
        if !already {
            self.expect(&found, &listed)?;
            self.await_listed(reads, &found, &listed).await?;
        }
        let old_ttl = served::largest_ttl(&*found.dns, &found.name, &listed).await?;
        let new_ttl =
            made.iter().filter_map(|set| set.ttl).max().map_or(ALIAS_TTL, |s| Duration::from_secs(s.into()));
        let keep_alive = balancer.as_ref().map_or(Duration::ZERO, Balancer::keep_alive);
        let changes = if already { Vec::new() } else { changes(&found.name, &listed, &made, old_ttl) };
        let within = ARRIVES.max(PROPAGATION + new_ttl + keep_alive) + PROPAGATION * 5;
        let prior = Prior { sets: listed, made, old_ttl, new_ttl, keep_alive, balancer };
        Ok(Planned { prior, stages: u32::from(!already), within, call: None, must_finish: false, changes })
    }

    async fn apply(&self, writes: &Writes<'_>, _: u32, prior: &Prior) -> Result<Option<Note>, Fault> {
        let change = self.place.swap(writes, &prior.sets, &prior.made).await?;
        Ok(Some(Note { change, served_at: None }))
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
        // What is listed goes, in the exact words of the listing.
        let change = self.place.swap(writes, &listed, &prior.sets).await?;
        Ok(Some(Note { change, served_at: None }))
    }
}

impl Switch {
    async fn balancer(&self, reads: &Reads<'_>) -> Result<Option<Balancer>, Fault> {
        match &self.to {
            To::LoadBalancer { name, target, .. } => Balancer::find(reads, target, name).await.map(Some),
            _ => Ok(None),
        }
    }

    /// The record sets that this step makes.
    fn make(&self, found: &Found, listed: &[RecordSet], balancer: Option<&Balancer>) -> Vec<RecordSet> {
        let kept = listed.iter().filter_map(|set| set.ttl).max().unwrap_or(DEFAULT_TTL);
        let seconds = |ttl: &Option<Duration>| {
            ttl.map_or(kept, |ttl| u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX).max(1))
        };
        let set = |kind: &str, ttl: Option<u32>, values: Vec<String>, alias: Option<Alias>| RecordSet {
            name: found.name.clone(),
            kind: RecordType(kind.into()),
            ttl,
            values,
            alias,
            extra: std::collections::BTreeMap::default(),
        };
        let aliases = |types: &[&'static str], name: &str, zone_id: &str, evaluate_health: bool| {
            let alias = Alias { name: Name::new(name), zone_id: zone_id.into(), evaluate_health };
            types.iter().map(|kind| set(kind, None, Vec::new(), Some(alias.clone()))).collect()
        };
        match &self.to {
            To::LoadBalancer { types, evaluate_health, .. } => balancer
                .map_or_else(Vec::new, |b| aliases(types, b.dns_name(), b.zone_id(), *evaluate_health)),
            To::Alias { name, zone_id, types, evaluate_health } => {
                aliases(types, name, zone_id, *evaluate_health)
            }
            To::Cname { name, ttl } => {
                vec![set("CNAME", Some(seconds(ttl)), vec![Name::new(name).to_string()], None)]
            }
            To::Addresses { four, six, ttl } => {
                let four: Vec<String> = four.iter().map(ToString::to_string).collect();
                let six: Vec<String> = six.iter().map(ToString::to_string).collect();
                let both = [("A", four), ("AAAA", six)].into_iter().filter(|(_, values)| !values.is_empty());
                both.map(|(kind, values)| set(kind, Some(seconds(ttl)), values, None)).collect()
            }
        }
    }

    /// A controller that owns the name would put it back.
    async fn refuse_other_owners(&self, found: &Found) -> Result<(), Fault> {
        for mark in sets::marks_of(&found.name) {
            if let Some(owner) = sets::owner(&found.dns.record_sets(&mark).await?) {
                return Err(Fault::permanent(format!(
                    "{} belongs to external-dns (owner `{owner}`, says the TXT record {mark}), which would undo \
                     the switch: take the name from it first",
                    found.name
                )));
            }
        }
        Ok(())
    }

    /// What DNS does not allow, said before anything is sent.
    fn refuse_conflicts(&self, found: &Found, all: &[RecordSet], made: &[RecordSet]) -> Result<(), Fault> {
        if !made.iter().any(|set| set.kind.0 == "CNAME") {
            return Ok(());
        }
        if found.apex {
            return Err(Fault::permanent(format!(
                "{} is the zone's own name, which cannot be a CNAME",
                found.name
            )));
        }
        let beside: Vec<&str> =
            all.iter().map(|set| &*set.kind.0).filter(|k| !matches!(*k, "A" | "AAAA" | "CNAME")).collect();
        if beside.is_empty() {
            return Ok(());
        }
        Err(Fault::permanent(format!(
            "{} has {} records, and a CNAME cannot stand beside them",
            found.name,
            beside.join(", ")
        )))
    }

    /// What the plan says must be there.
    fn expect(&self, found: &Found, listed: &[RecordSet]) -> Result<(), Fault> {
        let Some(from) = &self.from else { return Ok(()) };
        if from.holds(listed) {
            return Ok(());
        }
        Err(Fault::foreign(format!(
            "{} is {}; the plan says it must be {} before the switch",
            found.name,
            sets::describe(listed),
            from.describe()
        )))
    }

    /// A change that somebody made a moment ago is on its way to the authorities: how long resolvers keep the old answer
    /// is known only when it is there.
    async fn await_listed(
        &self,
        reads: &Reads<'_>,
        found: &Found,
        listed: &[RecordSet],
    ) -> Result<(), Fault> {
        let clock = reads.world.clock();
        let until = clock.now().after(SETTLES);
        loop {
            let Serving::NotYet(why) = served::everywhere(&*found.dns, &found.name, listed, &[]).await?
            else {
                return Ok(());
            };
            let text = format!("{}: {why} and the zone lists {}", found.name, sets::describe(listed));
            if clock.now() >= until {
                return Err(Fault::transient(text));
            }
            (reads.progress)(&text);
            clock.sleep_until(clock.now().after(POLL)).await;
        }
    }

    async fn look_forward(
        &self,
        reads: &Reads<'_>,
        found: &Found,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        let prior = &record.prior;
        let Some(note) = &record.note else {
            // It is there, whoever heard the answer: that is recorded first.
            return if toward_nothing(prior) {
                self.arrived(reads, found, prior, &Note::default(), record.since).await
            } else {
                Ok(Seen::Moving { note: Some(Note::default()), again: Duration::ZERO })
            };
        };
        if !found.is_insync(note.change.as_ref()).await? {
            (reads.progress)("accepted, and not yet on all servers of the provider (PENDING)");
            return self.still(reads, record.since, "PENDING");
        }
        self.arrived(reads, found, prior, note, record.since).await
    }

    async fn arrived(
        &self,
        reads: &Reads<'_>,
        found: &Found,
        prior: &Prior,
        note: &Note,
        since: Timestamp,
    ) -> Result<Seen<Note>, Fault> {
        match served::everywhere(&*found.dns, &found.name, &prior.made, &prior.sets).await? {
            Serving::NotYet(why) => {
                (reads.progress)(&why);
                self.still(reads, since, &why)
            }
            Serving::Everywhere(ttl) => {
                let now = note.served_at.unwrap_or_else(|| reads.world.clock().now());
                let ttl = if prior.made.iter().any(|set| set.alias.is_some()) { ttl } else { prior.new_ttl };
                Ok(Seen::Desired {
                    out: json!({
                        "switched_at": now.to_string(),
                        "ttl": ttl.as_secs(),
                        "old_ttl": prior.old_ttl.as_secs(),
                        "new_lookups_reach_it_by": now.after(prior.old_ttl).to_string(),
                        "rollback_reaches_clients_in": (PROPAGATION + ttl).as_secs(),
                    }),
                })
            }
        }
    }

    fn still(&self, reads: &Reads<'_>, since: Timestamp, why: &str) -> Result<Seen<Note>, Fault> {
        if reads.world.clock().now().since(since) > ARRIVES {
            let waited = format_duration(ARRIVES);
            return Err(Fault::permanent(format!("not served everywhere after {waited}: {why}")));
        }
        Ok(Seen::Moving { note: None, again: POLL })
    }

    /// The prior answer is listed again. It is back when every authority serves it, and then nobody has the other one.
    async fn look_back(
        &self,
        reads: &Reads<'_>,
        found: &Found,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        let (prior, note) = (&record.prior, record.note.clone().unwrap_or_default());
        if !found.is_insync(note.change.as_ref()).await? {
            (reads.progress)("put back, and not yet on all servers of the provider (PENDING)");
            return Ok(Seen::Moving { note: None, again: POLL });
        }
        if let Serving::NotYet(why) =
            served::everywhere(&*found.dns, &found.name, &prior.sets, &prior.made).await?
        {
            (reads.progress)(&why);
            let note = note.served_at.map(|_| Note { served_at: None, ..note.clone() });
            return Ok(Seen::Moving { note, again: POLL });
        }
        let now = reads.world.clock().now();
        let Some(served_at) = note.served_at else {
            let note = Note { served_at: Some(now), ..note };
            return Ok(Seen::Moving { note: Some(note), again: Duration::ZERO });
        };
        let dropped = served_at.after(prior.new_ttl);
        let gone = dropped.after(prior.keep_alive);
        if now >= gone {
            return Ok(Seen::Prior);
        }
        if now >= dropped && idle_since(reads, prior.balancer.as_ref(), dropped, IDLE_MINUTES).await {
            return Ok(Seen::Prior);
        }
        let left = |until: Timestamp| format_duration(Duration::from_secs(until.since(now).as_secs().max(1)));
        (reads.progress)(&if now < dropped {
            format!("new lookups come here; the other answer runs out in {}", left(dropped))
        } else {
            format!("connections to the other side may last {} more, unless it falls idle", left(gone))
        });
        Ok(Seen::Moving { note: None, again: gone.since(now).min(Duration::from_secs(10)) })
    }
}

/// The step found what it would have made.
fn toward_nothing(prior: &Prior) -> bool {
    sets::same(&prior.sets, &prior.made)
}

fn changes(name: &Name, listed: &[RecordSet], made: &[RecordSet], old_ttl: Duration) -> Vec<Change> {
    let record = Change {
        what: format!("record {name}").into(),
        from: sets::describe(listed).into(),
        to: sets::describe(made).into(),
    };
    let clock = Change {
        what: "resolvers that keep the old answer".into(),
        from: format!("up to {} after the switch", format_duration(old_ttl.max(Duration::from_secs(1))))
            .into(),
        to: "the new answer".into(),
    };
    vec![record, clock]
}
