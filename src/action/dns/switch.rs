//! `dns.switch`: points a name elsewhere, in one atomic batch that deletes exactly what was there.
//!
//! It has arrived when the provider says so and every authority serves it. On the way back it is back only when nobody
//! comes to the other side any more: the answer that it took away, and the connections made by it, have run out.

use super::from::{self, Origin, OriginShape};
use super::health;
use super::place::{Found, Place};
use super::resolved;
use super::routed;
use super::served::{self, ALIAS_TTL, Serving, Spans};
use super::sets;
use super::swap::{self, ARRIVES, KEEP_ALIVE, Note, PROPAGATION, Stands, Swap, unstated};
use super::to::{self, To};
use crate::action::alb::attribute_resource;
use crate::action::{Action, ByHand, Known, Planned, Seen, Toward};
use crate::mutant::{Mistake, on};
use crate::plan::{
    Code, Fields, Scope, StepTraits, Timestamp, Writes as Data, duration, format_duration, list, nested,
    one_of, text,
};
use crate::port::binding::Binding;
use crate::port::dns::{Alias, Name, RecordSet, RecordType};
use crate::port::stated::Stated;
use crate::port::switched::Switched;
use crate::port::{Attribute, Reads, Writes, need::Need};
use crate::run::{Change, DnsClock, Fault, Told};
use crate::signal::balancer::{Balancer, idle_since};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Points a name elsewhere.
#[derive(Debug)]
pub(in crate::action) struct Switch {
    place: Place,
    from: Option<Origin>,
    to: To,
    /// One set of a routed record; the others stay as they are.
    set: Option<Arc<str>>,
    /// What its HTTPS record should say; `None`: that is left alone.
    https: Option<Vec<Arc<str>>>,
    /// For how long clients keep a connection to where it leads, if that is no load balancer that tells it.
    keep_alive: Option<Duration>,
    data: Option<Data>,
}

/// What is swapped, and how long users keep what went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::action) struct Prior {
    swap: Swap,
    /// The largest TTL served for what was there.
    old_ttl: Duration,
    /// For how long resolvers may keep the new answer.
    new_ttl: Duration,
    /// For how long clients may keep a connection to the new side, and wait there for an answer.
    keep_alive: Duration,
    /// The new side, where it is a load balancer: its traffic can be measured.
    balancer: Option<Balancer>,
    /// The old side, where the plan says that it is one, and users are led away from it: it keeps some, and may have to take all
    /// of them back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left: Option<Balancer>,
}

/// For a record that had none.
const DEFAULT_TTL: u32 = 60;
/// Minutes without a request or an open connection after which nobody is believed to come any more.
const IDLE_MINUTES: usize = 3;

#[async_trait::async_trait]
impl Action for Switch {
    type Prior = Prior;
    type Note = Note;

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let place = Place::decode(fields);
        let from = fields.optional("from", OriginShape, "what must be there; it is recorded in any case");
        let to = fields.required("to", nested(To::decode), "where it should point");
        let words = &[("shared", Data::Shared), ("replicated", Data::Replicated), ("diverge", Data::Diverge)];
        let data = fields.optional("writes", one_of(words), "what becomes of data written to the new side");
        let about =
            "one set of a routed record (weighted, latency, failover, geolocation), by `SetIdentifier`";
        let set = fields.optional("set", text(), about);
        if set.is_some() && place.as_ref().is_some_and(|place| !place.has_aliases()) {
            let span = fields.span_of("set");
            let message = "only Route 53 has routed records, and this zone is on a primary server";
            fields.problems().error(Code("SW2006"), span, message).help("leave `set` out");
        }
        let about = "values of the HTTPS record of the name (RFC 9460), which is switched with it: `1 . alpn=h2,h3`; none: it goes";
        let https = fields.optional("https", list(text()), about);
        check_services(fields, https.as_deref(), to.as_ref());
        let keep_alive = fields.optional("keep_alive", duration(), KEEP_ALIVE);
        if keep_alive.is_some() && matches!(to, Some(To::LoadBalancer { .. })) {
            let span = fields.span_of("keep_alive");
            let message = "for how long clients keep a connection is told by the load balancer itself";
            fields.problems().error(Code("SW2003"), span, message).help("leave `keep_alive` out");
        }
        to::check_apex(fields, place.as_ref(), to.as_ref());
        to::check_aliases(fields, place.as_ref(), to.as_ref());
        Some(Self { place: place?, from, to: to?, set, https, keep_alive, data })
    }

    fn traits(&self) -> StepTraits {
        let stated = self.to.stated_ttl().map(|seconds| Duration::from_secs(seconds.into()));
        let ttl = match &self.to {
            To::LoadBalancer { .. } | To::Alias { .. } => Some(ALIAS_TTL),
            To::Cname { .. } | To::Addresses { .. } => stated,
        };
        StepTraits {
            writes: true,
            has_undo: true,
            switches: true,
            // What is an alias has the TTL of its target, and what is not there has none to lower.
            by_name: !matches!(self.from, Some(Origin::Stated(Stated::Alias(_) | Stated::Absent))),
            // Where the name led nowhere, there is no side to be left.
            lingers: !matches!(self.from, Some(Origin::Stated(Stated::Absent))),
            tells_switch: true,
            resources: vec![self.place.resource()],
            goes_by: self.goes_by(),
            data: self.data,
            gives_ttl: ttl,
            states_ttl: stated,
            undo_reaches: ttl.map(|ttl| ttl + PROPAGATION),
            ..StepTraits::default()
        }
    }

    fn by_hand(&self) -> ByHand {
        let name = self.place.name();
        let record = name.as_str();
        let old = match &self.from {
            Some(from) => from.describe(),
            None => "<what the list shows>".into(),
        };
        let (gone, come) = match &self.set {
            None => {
                let mut come = self.to.sets_by_hand(record);
                if let (Some(https), Some(come)) = (self.services(), come.as_array_mut()) {
                    let values: Vec<Json> = https.iter().map(|value| json!({"Value": value})).collect();
                    come.push(json!({"Name": record, "Type": sets::SERVICE, "TTL": "<TTL>", "ResourceRecords": values}));
                }
                (json!(["<each set exactly as listed>"]), come)
            }
            Some(id) => {
                let mut gone = vec![format!("<set {id} exactly as listed>")];
                let to = self.to.describe();
                let mut come = vec![format!("<the same with its SetIdentifier, weight and so on, but {to}>")];
                if self.https.is_some() {
                    gone.push("<its HTTPS record exactly as listed>".into());
                }
                if let Some(https) = self.services() {
                    come.push(format!("<the same HTTPS record, but {}>", https.join(", ")));
                }
                (json!(gone), json!(come))
            }
        };
        let batch = |gone: &Json, come: &Json| self.place.swap_by_hand(gone, come);
        ByHand {
            what: format!("{record}{}: from {old} to {}", self.suffix(), self.to.describe()),
            apply: vec![
                format!("{}   # keep this: the undo needs it", self.place.list_by_hand()),
                batch(&gone, &come),
                self.place.follow_by_hand(),
            ],
            expect: format!(
                "every name server of the zone answers so: dig +norecurse @<name server> {record}{}",
                self.place.inside_by_hand()
            ),
            undo: vec![batch(&come, &gone), self.place.follow_by_hand()],
        }
    }

    fn undo_by_hand(&self, prior: &Prior, _: &Scope) -> Vec<String> {
        prior.swap.undo_by_hand(&self.place)
    }

    fn clock(&self, prior: &Prior) -> Option<DnsClock> {
        let Prior { old_ttl: before, new_ttl: after, keep_alive: connections, .. } = *prior;
        let name = self.place.name().as_str().into();
        let left = Some(prior.left.as_ref().map_or(Duration::ZERO, Balancer::tail));
        prior.swap.changes().then_some(DnsClock { name, before, after, connections, left })
    }

    fn needs(&self) -> Vec<Need> {
        let ttl = self.to.stated_ttl();
        let (from, to) = (self.from.as_ref().map(Origin::leads), Some(self.to.leads()));
        let set = self.set.as_ref().map(ToString::to_string);
        let record = Need::Record { zone: self.place.zone(), name: self.place.name(), from, to, ttl, set };
        std::iter::once(record).chain(self.from.as_ref().and_then(Origin::need)).collect()
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Prior>, Fault> {
        let (found, all) = match self.set {
            None => self.place.changeable(reads).await?,
            Some(_) => self.place.routable(reads).await?,
        };
        let listed = sets::leading_with(&all, self.https.is_some());
        self.must_have_its_service(&found.name, &listed)?;
        let own = self.own(&found.name, &listed)?;
        let balancer = self.balancer(reads).await?;
        let to = self.make(&found, (&own, &listed), balancer.as_ref());
        self.refuse_conflicts(&found, &all, &to)?;
        let made = match self.set {
            None => to,
            Some(_) => {
                let [listed, own, leads] = [&listed, &own, &to].map(|sets| sets::leading(sets));
                let made = routed::leading_elsewhere(&found.name, &listed, &own, leads)?;
                sets::in_order([made, sets::services(&to)].concat())
            }
        };
        let swap = Swap { before: listed, made };
        let kept = served::kept(&*found.dns, &found.name, &swap.before).await?;
        let old_ttl = kept.what;
        let new_ttl = served::lasts(&*found.dns, &found.zone, &swap.made).await?;
        let keep_alive = self.tail(balancer.as_ref()).unwrap_or_default();
        let (mut changes, mut left) = (Vec::new(), None);
        if swap.changes() {
            if let Some(from) = &self.from {
                left = from.must_hold(reads, &found.name, &sets::leading(&own)).await?;
            }
            self.must_not_raise(&found, &own).await?;
            let (before, now) = ((&*swap.before, old_ttl), reads.world.clock().now());
            resolved::must_have_drained(&*found.dns, &found.name, before, now).await?;
            health::must_pass(&*found.dns, &found.name, &self.led_to(&swap.made)).await?;
            changes = self.what_changes(&found, &swap, new_ttl).await?;
        }
        changes.extend(kept.unknown());
        // By the time of the way back the run may have given a TTL back that it lowered.
        let goes = swap.lasted(reads.scope, &found.name).unwrap_or_default().max(new_ttl);
        let within = ARRIVES.max(PROPAGATION + goes + keep_alive) + PROPAGATION * 5;
        let stages = u32::from(swap.changes());
        let prior = Prior { swap, old_ttl, new_ttl, keep_alive, balancer, left };
        Ok(Planned { prior, stages, within, call: None, must_finish: false, changes })
    }

    async fn told(&self, reads: &Reads<'_>, prior: &Prior, is_undone: bool) -> Result<Told, Fault> {
        let found = self.place.find(reads).await?;
        let mut notes = found.notes();
        if is_undone && self.tail(prior.balancer.as_ref()).is_none() {
            notes.push(unstated(&self.to.describe()));
        }
        if prior.left.is_none() && prior.swap.changes() {
            let gone = self.own(&self.place.name(), &prior.swap.before)?;
            notes.extend(from::unstated(&sets::leading(&gone)));
        }
        let Some(id) = &self.set else { return Ok(Told { notes, ..Told::default() }) };
        let one = "which of its sets a resolver is given depends on where it asks, and on health: what each name server answers from \
                   here is held against all of them, and that set is known by the listing and INSYNC";
        notes.push(format!("{}: {one}", self.place.name()).into());
        let of_it = self.led_to(&prior.swap.made);
        let mut checks: Vec<&String> =
            of_it.iter().filter_map(|set| set.extra.get("HealthCheckId")).collect();
        checks.dedup();
        notes.extend(checks.iter().map(|check| {
            format!(
                "health check {check} stays with set {id}: see that it does not ask the side that is left"
            )
            .into()
        }));
        notes.extend(health::told(&*found.dns, &of_it).await);
        Ok(Told { notes, ..Told::default() })
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
        let goes = if toward == Toward::Prior { prior.new_ttl } else { prior.old_ttl };
        let (since, ttl, gone, note) =
            match prior.swap.look(&self.place, reads, toward, record.note.as_ref(), goes).await? {
                Stands::Short(seen) => return Ok(seen),
                Stands::Served { since, ttl, gone, note } => (since, ttl, gone, note),
            };
        if toward == Toward::Prior && on(Mistake::NoDrainBack) {
            return Ok(Seen::Prior);
        }
        if toward == Toward::Prior {
            return Ok(drained(reads, prior, since.after(gone), note).await);
        }
        let mut out = json!(Switched {
            record: self.place.name().to_string(),
            before: prior.swap.before.clone(),
            changed: prior.swap.changes(),
            new_lookups_reach_it_by: since.after(prior.old_ttl).to_string(),
        });
        out["switched_at"] = since.to_string().into();
        out["ttl"] = ttl.what.as_secs().into();
        out["old_ttl"] = prior.old_ttl.as_secs().into();
        out["rollback_reaches_new_lookups_in"] = (PROPAGATION + ttl.what).as_secs().into();
        Ok(Seen::Desired { out: swap::gives(out, ttl.instead) })
    }

    /// Whoever is led back must be served there.
    async fn way_back(&self, reads: &Reads<'_>, prior: &Prior) -> Result<Option<String>, Fault> {
        let Some(left) = &prior.left else { return Ok(None) };
        let nobody = left.serves_nobody(reads).await?;
        Ok(nobody.map(|why| format!("{why}: the way back of {} leads to nobody", self.place.name())))
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Note>, Fault> {
        record.prior.swap.undo(&self.place, writes, record.note.is_some()).await.map(Some)
    }
}

impl Switch {
    /// The way back waits for as long as clients could keep a connection when the way there was planned. For those of the old
    /// side nothing waits.
    fn goes_by(&self) -> Vec<String> {
        match &self.to {
            To::LoadBalancer { name, target, .. } => {
                vec![attribute_resource(target, Attribute::ClientKeepAlive, name)]
            }
            _ => Vec::new(),
        }
    }

    /// For how long clients may keep a connection to where it leads, if that is known.
    fn tail(&self, balancer: Option<&Balancer>) -> Option<Duration> {
        balancer.map(Balancer::tail).or(self.keep_alive)
    }

    /// The sets that the switch leads to.
    fn led_to<'s>(&self, made: &'s [RecordSet]) -> Vec<&'s RecordSet> {
        let is_meant = |set: &&RecordSet| self.set.as_deref().is_none_or(|id| routed::identifier(set) == id);
        made.iter().filter(is_meant).collect()
    }

    /// What its HTTPS record should say, if there should be one.
    fn services(&self) -> Option<&[Arc<str>]> {
        self.https.as_deref().filter(|https| !https.is_empty())
    }

    /// What DNS does not allow, said before anything is sent.
    fn refuse_conflicts(&self, found: &Found, all: &[RecordSet], made: &[RecordSet]) -> Result<(), Fault> {
        sets::must_not_lead_by_service(&found.name, all, self.https.is_some())?;
        if !made.iter().any(|set| set.kind.0 == "CNAME") {
            return Ok(());
        }
        if found.name == found.zone.name {
            return Err(Fault::permanent(format!(
                "{} is the zone's own name, which cannot be a CNAME",
                found.name
            )));
        }
        let goes = |kind: &str| {
            matches!(kind, "A" | "AAAA" | "CNAME") || kind == sets::SERVICE && self.https.is_some()
        };
        let beside: Vec<&str> = all.iter().map(|set| &*set.kind.0).filter(|kind| !goes(kind)).collect();
        if beside.is_empty() {
            return Ok(());
        }
        Err(Fault::permanent(format!(
            "{} has {} records, and a CNAME cannot stand beside them",
            found.name,
            beside.join(", ")
        )))
    }

    /// Refuses a TTL that is longer than that of what goes, where the plan could leave it out: until the run is over, users may
    /// have to be led back, and then wait for so long. Where the name leads nowhere, there is none to be raised.
    async fn must_not_raise(&self, found: &Found, own: &[RecordSet]) -> Result<(), Fault> {
        let leads = !sets::leading(own).is_empty();
        let Some(seconds) = self.to.stated_ttl().filter(|_| leads) else { return Ok(()) };
        let stated = Duration::from_secs(seconds.into());
        let listed = served::lasts(&*found.dns, &found.zone, own).await?;
        if stated <= listed {
            return Ok(());
        }
        let (name, [stated, listed]) = (&found.name, [stated, listed].map(format_duration));
        Err(Fault::permanent(format!(
            "resolvers keep what {name} is now for {listed}, and `ttl` says {stated}: a rollback would reach users as late as \
             that. leave `ttl` out, or state at most {listed}; where `dns.ttl` has lowered it, another one in `finally` gives it \
             back (`restore`)"
        )))
    }

    /// ` (set eu)`.
    fn suffix(&self) -> String {
        self.set.as_ref().map(|id| format!(" (set {id})")).unwrap_or_default()
    }

    /// Refuses to switch the HTTPS record with one set of the name where it is not clear which is meant, or for whom one would be
    /// made.
    fn must_have_its_service(&self, name: &Name, listed: &[RecordSet]) -> Result<(), Fault> {
        let (Some(id), Some(https)) = (&self.set, &self.https) else { return Ok(()) };
        let services = sets::services(listed);
        routed::must_be_simple_or_routed(name, &services)?;
        match &services[..] {
            [] if https.is_empty() => Ok(()),
            [one] if ["", &**id].contains(&routed::identifier(one)) => Ok(()),
            _ => Err(Fault::permanent(format!(
                "`https` goes with set {id} of {name} where its HTTPS record is one that is not routed, or that is of this set \
                 alone, and it is {}: leave `https` out, and switch that by hand",
                sets::describe(&services)
            ))),
        }
    }

    /// Those of the sets that go.
    fn own(&self, name: &Name, listed: &[RecordSet]) -> Result<Vec<RecordSet>, Fault> {
        let Some(id) = &self.set else { return Ok(listed.to_vec()) };
        let leading = routed::sets_of(name, &sets::leading(listed), id)?;
        Ok([leading, sets::services(listed)].concat())
    }

    async fn balancer(&self, reads: &Reads<'_>) -> Result<Option<Balancer>, Fault> {
        match &self.to {
            To::LoadBalancer { name, target, .. } => {
                Balancer::find(reads, &target.name, name).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The record sets that this step makes: chosen as those that go, if they are sets of a routed record.
    fn make(
        &self,
        found: &Found,
        (own, listed): (&[RecordSet], &[RecordSet]),
        balancer: Option<&Balancer>,
    ) -> Vec<RecordSet> {
        let leading = sets::leading(own);
        let beside = if self.set.is_some() { sets::leading(listed) } else { leading.clone() };
        let mut made = self.lead(found, &leading, &beside, balancer);
        if self.set.is_some() {
            routed::choose_as(&leading, &mut made);
        }
        if let Some(https) = self.services() {
            let was = own.iter().find(|set| set.kind.0 == sets::SERVICE);
            let others = made.iter().chain(own).filter_map(|set| set.ttl).max();
            made.push(RecordSet {
                name: found.name.clone(),
                kind: RecordType(sets::SERVICE.into()),
                ttl: self.to.stated_ttl().or(was.and_then(|set| set.ttl)).or(others).or(Some(DEFAULT_TTL)),
                values: https.iter().map(ToString::to_string).collect(),
                alias: None,
                extra: was.filter(|_| self.set.is_some()).map(|set| set.extra.clone()).unwrap_or_default(),
            });
        }
        made
    }

    /// By the TTL of what goes, or of what stands beside it, unless the plan states one.
    fn lead(
        &self,
        found: &Found,
        own: &[RecordSet],
        beside: &[RecordSet],
        balancer: Option<&Balancer>,
    ) -> Vec<RecordSet> {
        let longest = |sets: &[RecordSet], kind: Option<&str>| {
            let fits = |set: &&RecordSet| kind.is_none_or(|kind| set.kind.0 == kind);
            sets.iter().filter(fits).filter_map(|set| set.ttl).max()
        };
        let seconds = |ttl: &Option<u32>, kind: &str| {
            if on(Mistake::TtlRaised) {
                return 3600;
            }
            let kept = longest(own, Some(kind)).or_else(|| longest(beside, Some(kind)));
            ttl.or(kept).or_else(|| longest(own, None)).unwrap_or(DEFAULT_TTL)
        };
        let set = |kind: &str, ttl: Option<u32>, values: Vec<String>, alias: Option<Alias>| RecordSet {
            name: found.name.clone(),
            kind: RecordType(kind.into()),
            ttl,
            values,
            alias,
            extra: BTreeMap::default(),
        };
        let aliases = |types: &[&'static str], name: &str, zone_id: &str, by_health: Option<bool>| {
            let alias = |kind: &&'static str| {
                let was = own.iter().find(|set| set.kind.0 == *kind).and_then(|set| set.alias.as_ref());
                // Without it, a set that is chosen by health would be chosen whatever its health.
                let evaluate_health = by_health.unwrap_or(was.is_some_and(|was| was.evaluate_health));
                let alias = Alias { name: Name::new(name), zone_id: zone_id.into(), evaluate_health };
                set(kind, None, Vec::new(), Some(alias))
            };
            types.iter().map(alias).collect()
        };
        match &self.to {
            To::LoadBalancer { types, evaluate_health, .. } => balancer
                .map_or_else(Vec::new, |b| aliases(types, b.dns_name(), b.zone_id(), *evaluate_health)),
            To::Alias { name, zone_id, types, evaluate_health } => {
                aliases(types, name, zone_id, *evaluate_health)
            }
            To::Cname { name, ttl } => {
                vec![set("CNAME", Some(seconds(ttl, "CNAME")), vec![Name::new(name).to_string()], None)]
            }
            To::Addresses { four, six, ttl } => {
                let four: Vec<String> = four.iter().map(ToString::to_string).collect();
                let six: Vec<String> = six.iter().map(ToString::to_string).collect();
                let both = [("A", four), ("AAAA", six)].into_iter().filter(|(_, values)| !values.is_empty());
                both.map(|(kind, values)| set(kind, Some(seconds(ttl, kind)), values, None)).collect()
            }
        }
    }

    /// For people; also which authorities have not even got what is listed now: somebody changed it a moment ago.
    async fn what_changes(
        &self,
        found: &Found,
        swap: &Swap,
        new_ttl: Duration,
    ) -> Result<Vec<Change>, Fault> {
        let part = |sets: &[RecordSet]| sets::describe(&self.own(&found.name, sets).unwrap_or_default());
        let mut changes = vec![Change {
            what: format!("record {}", found.name).into(),
            from: part(&swap.before).into(),
            to: part(&swap.made).into(),
        }];
        let spans = Spans { served: Duration::ZERO, before: new_ttl };
        let now = served::everywhere(&*found.dns, &found.name, &swap.before, &swap.made, spans).await?;
        if let Serving::NotYet(why) = now.what {
            let what = "name servers that do not serve yet what is listed".into();
            changes.push(Change { what, from: why.into(), to: "the new answer".into() });
        }
        Ok(changes)
    }
}

/// Every authority serves the prior answer, and resolvers have dropped the other one by then. It is back when nobody has
/// that, nor a connection made by it.
async fn drained(reads: &Reads<'_>, prior: &Prior, dropped: Timestamp, note: Option<Note>) -> Seen<Note> {
    let now = reads.world.clock().now();
    let gone = dropped.after(prior.keep_alive);
    // A connection that says nothing is kept for that long, and its client is still there.
    let minutes = prior.balancer.as_ref().map_or(0, Balancer::idle_minutes).max(IDLE_MINUTES);
    let idle = now >= dropped && idle_since(reads, prior.balancer.as_ref(), dropped, minutes).await;
    if now >= gone || idle {
        return Seen::Prior;
    }
    let left = |until: Timestamp| format_duration(Duration::from_secs(until.since(now).as_secs().max(1)));
    (reads.progress)(&if now < dropped {
        format!("new lookups come here; the other answer runs out in {}", left(dropped))
    } else {
        format!("connections to the other side may last {} more, unless it falls idle", left(gone))
    });
    Seen::Moving { note, again: gone.since(now).min(Duration::from_secs(10)) }
}

/// Reports values that are no service binding, and what cannot stand beside one.
fn check_services(fields: &mut Fields<'_>, https: Option<&[Arc<str>]>, to: Option<&To>) {
    let Some(https) = https else { return };
    let wrong = https.iter().find(|value| {
        // With priority 0 it is an alias, and says nothing else.
        Binding::read(value).is_none_or(|binding| binding.priority == 0 && !binding.params.is_empty())
    });
    let (message, help) = match (wrong, to) {
        (Some(value), _) => {
            let help = "priority, target, and keys, by their numbers where they have no name: `1 . alpn=h2,h3 key65280=x`";
            (format!("`{value}` is no service binding"), help)
        }
        (None, Some(To::Cname { .. })) if !https.is_empty() => (
            "an HTTPS record cannot stand beside a CNAME".to_owned(),
            "lead the name by `load_balancer`, `alias`, `a` or `aaaa`; or state `https: []`, and it goes",
        ),
        _ => return,
    };
    let span = fields.span_of("https");
    fields.problems().error(Code("SW2006"), span, message).help(help);
}
