//! What resolvers keep of a name, where none of its zone's name servers can be reached, or the zone is private.
//!
//! They cannot show what each server serves. So the provider's own word (INSYNC) says since when all of them serve what is
//! listed, every time is the longest that it may be, and a resolver can only contradict: by an answer that it cannot have got
//! before then.

use super::served::{self, ALIAS_TTL, Expected, Heard, Serving, Source, Spans};
use super::sets;
use super::swap::SKEW;
use crate::mutant::{Mistake, on};
use crate::plan::{Timestamp, format_duration};
use crate::port::ReadDns;
use crate::port::dns::{AskResolver, Name, RecordSet, RecordType, Served, Zone};
use crate::run::{Fault, FaultKind};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// For how long it is kept that there is nothing, where the zone does not say: no resolver should keep it for longer
/// (RFC 2308, section 5).
const NOTHING: Duration = Duration::from_secs(24 * 3600);

/// Those that stand in for the name servers of a zone.
pub(super) struct Resolvers {
    all: Vec<Arc<dyn AskResolver>>,
    zone: Zone,
}

/// An answer that a resolver keeps, and gives to whoever asks it.
pub(super) struct Cached {
    url: String,
    pub(super) left: Duration,
}

/// What the plan's resolvers keep of a name for longest, of what leads anywhere, and of its services where some are listed. Who
/// gives no evidence keeps nothing.
pub(super) async fn cached(dns: &dyn ReadDns, name: &Name, listed: &[RecordSet]) -> Option<Cached> {
    let (mut longest, kinds): (Option<Cached>, _) = (None, sets::kinds(listed));
    for resolver in dns.resolvers() {
        for kind in &kinds {
            let Ok(kept) = resolver.ask(name, kind).await else { continue };
            let left = if kept.values.is_empty() { Duration::ZERO } else { kept.ttl };
            if longest.as_ref().is_none_or(|longest| left > longest.left) {
                longest = Some(Cached { url: resolver.url().to_owned(), left });
            }
        }
    }
    longest
}

/// Refuses to lead a name elsewhere while a resolver keeps what it is told now for longer than it may: somebody has lowered
/// the TTL lately, and whoever was told before that is not led elsewhere until then.
///
/// # Errors
/// Blind: by when users will have moved cannot be told by the TTL that is served.
pub(super) async fn must_have_drained(
    dns: &dyn ReadDns,
    name: &Name,
    (listed, served): (&[RecordSet], Duration),
    now: Timestamp,
) -> Result<(), Fault> {
    let longer = cached(dns, name, listed).await.filter(|cached| cached.left > served + SKEW);
    let Some(Cached { url, left }) = longer.filter(|_| !on(Mistake::NoDrainForward)) else { return Ok(()) };
    Err(Fault::blind(format!(
        "{name} is served with a TTL of {} s, and {url} keeps an answer of before for {} more: somebody has lowered it \
         lately, and who has the old answer comes neither here nor back any sooner; go on after {}",
        served.as_secs(),
        format_duration(left),
        now.after(left)
    )))
}

/// What they said, and who gave no evidence.
struct Answers<'a> {
    said: Vec<(&'a str, &'a RecordType, Served)>,
    silent: Vec<Arc<str>>,
}

impl Resolvers {
    /// Those of a zone none of whose name servers answers anything.
    ///
    /// # Errors
    /// That fault, if it is another one, or if somebody answers; blind, if no resolver is named.
    pub(super) async fn instead_of(dns: &dyn ReadDns, fault: Fault) -> Result<Self, Fault> {
        if fault.kind != FaultKind::Blind {
            return Err(fault);
        }
        let all = dns.stand_ins().await?;
        if all.is_empty() { Err(fault) } else { Ok(Self { all, zone: dns.zone().await? }) }
    }

    /// The name servers that users of the zone's name are sent to.
    ///
    /// # Errors
    /// Blind, if none of them gives evidence.
    pub(super) async fn name_servers(&self) -> Result<Vec<Name>, Fault> {
        let kind = RecordType("NS".into());
        let answers = self.ask(&self.zone.name, [&kind]).await?;
        let mut found: Vec<Name> = answers
            .said
            .iter()
            .flat_map(|(.., served)| &served.values)
            .map(|value| Name::new(value))
            .collect();
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// As [`served::everywhere`]: nobody has an answer of before that was given since all servers serve what is wanted.
    pub(super) async fn everywhere(
        &self,
        dns: &dyn ReadDns,
        name: &Name,
        (wanted, gone): (&[RecordSet], &[RecordSet]),
        expected: &BTreeMap<RecordType, Vec<Expected>>,
        spans: Spans,
    ) -> Result<Heard<Serving>, Fault> {
        let left = (self.listed(dns, gone).await?.max(spans.before) + SKEW).saturating_sub(spans.served);
        let answers = self.ask(name, expected.keys()).await?;
        let (mut largest, mut late) = (self.full(dns, wanted).await?, Vec::new());
        for (url, kind, kept) in &answers.said {
            let Some(why) = served::differs_from_all(kept, &expected[*kind], Source::Resolver) else {
                largest = largest.max(kept.ttl);
                continue;
            };
            // What nobody can find any more is no answer of before.
            let of_before = served::expect(dns, kind, gone, &[]).await.unwrap_or_default();
            let is_old =
                !of_before.is_empty() && served::differs_from_all(kept, &of_before, Source::Before).is_none();
            let runs_out = kept.ttl.max(kept.negative_ttl.unwrap_or_default());
            if !is_old || runs_out > left {
                let more = format_duration(runs_out);
                late.push(format!("{url} {why} for {}, and may do so for {more} more", kind.0));
            }
        }
        let what =
            if late.is_empty() { Serving::Everywhere(largest) } else { Serving::NotYet(late.join("; ")) };
        Ok(Heard { what, instead: Some(self.told(&answers)) })
    }

    /// As [`served::kept`]: what is listed, each time in full, or whatever one of them keeps for longer.
    pub(super) async fn kept(
        &self,
        dns: &dyn ReadDns,
        name: &Name,
        listed: &[RecordSet],
    ) -> Result<Heard<Duration>, Fault> {
        let (mut longest, kinds) = (self.listed(dns, listed).await?, sets::kinds(listed));
        let answers = self.ask(name, &kinds).await?;
        for (.., kept) in &answers.said {
            longest = longest.max(kept.ttl);
        }
        Ok(Heard { what: longest, instead: Some(self.told(&answers)) })
    }

    /// For how long these sets may be kept; or, where they lead nowhere, that they do not.
    async fn listed(&self, dns: &dyn ReadDns, sets: &[RecordSet]) -> Result<Duration, Fault> {
        let full = self.full(dns, sets).await?;
        if sets::leading(sets).is_empty() { Ok(full.max(self.absence(dns).await?)) } else { Ok(full) }
    }

    /// The longest TTL that the servers give these sets with.
    async fn full(&self, dns: &dyn ReadDns, made: &[RecordSet]) -> Result<Duration, Fault> {
        let mut longest = Duration::ZERO;
        for set in made {
            let seconds = match &set.alias {
                Some(alias) if alias.zone_id == self.zone.id => {
                    dns.record_sets(&alias.name).await?.iter().filter_map(|target| target.ttl).max()
                }
                _ => set.ttl,
            };
            longest = longest.max(seconds.map_or(ALIAS_TTL, |seconds| Duration::from_secs(seconds.into())));
        }
        Ok(longest)
    }

    /// For how long it may be kept that there is nothing: the smaller of the SOA's TTL and its MINIMUM (RFC 2308).
    async fn absence(&self, dns: &dyn ReadDns) -> Result<Duration, Fault> {
        let sets = dns.record_sets(&self.zone.name).await?;
        let soa = sets.iter().find(|set| set.kind.0 == "SOA");
        let seconds = soa.and_then(|soa| {
            let minimum = soa.values.first()?.rsplit(' ').next()?.parse::<u32>().ok()?;
            Some(soa.ttl?.min(minimum))
        });
        Ok(seconds.map_or(NOTHING, |seconds| Duration::from_secs(seconds.into())))
    }

    /// Asks each of them for each type.
    ///
    /// # Errors
    /// Blind, if none gives evidence of one.
    async fn ask<'a>(
        &'a self,
        name: &Name,
        kinds: impl IntoIterator<Item = &'a RecordType>,
    ) -> Result<Answers<'a>, Fault> {
        let mut answers = Answers { said: Vec::new(), silent: Vec::new() };
        for kind in kinds {
            let before = answers.said.len();
            for resolver in &self.all {
                match resolver.ask(name, kind).await {
                    Ok(served) => answers.said.push((resolver.url(), kind, served)),
                    Err(fault) => answers.silent.push(fault.message),
                }
            }
            if answers.said.len() == before {
                let text = format!("{}: {}", self.unreached(), answers.silent.join("; "));
                return Err(Fault::blind(text));
            }
        }
        Ok(answers)
    }

    fn told(&self, answers: &Answers<'_>) -> String {
        let urls: Vec<&str> = self.all.iter().map(|resolver| resolver.url()).collect();
        let told = format!("asked over HTTPS at {}: {}", urls.join(", "), self.unreached());
        if answers.silent.is_empty() { told } else { format!("{told} ({})", answers.silent.join("; ")) }
    }

    fn unreached(&self) -> String {
        if self.zone.private {
            return format!("{} is a private zone, whose name servers answer nobody", self.zone.name);
        }
        format!("the name servers of {} could not be reached on port 53", self.zone.name)
    }
}
