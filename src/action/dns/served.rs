//! What authorities really serve. A listing says what was accepted; users get what is served.

use super::resolved::Resolvers;
use super::sets;
use crate::port::ReadDns;
use crate::port::dns::{Authority, Name, RecordSet, RecordType, Served, Zone};
use crate::run::{Change, Fault, FaultKind};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// What authorities serve for an alias of a load balancer, whatever one wishes.
pub(super) const ALIAS_TTL: Duration = Duration::from_secs(60);

/// What all authorities of a zone serve for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Serving {
    /// Every one of them serves what is wanted; this is the largest TTL among the answers.
    Everywhere(Duration),
    /// These do not yet, and what they serve in its place.
    NotYet(String),
}

/// What was heard of a zone's name servers; and how, where none of them could be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard<T> {
    pub(super) what: T,
    /// For people. None: they were asked themselves.
    pub(super) instead: Option<String>,
}

impl<T> Heard<T> {
    /// From themselves.
    pub(super) fn directly(what: T) -> Self {
        Self { what, instead: None }
    }

    /// For a preview: what is not known.
    pub(super) fn unknown(&self) -> Option<Change> {
        let to = "judged by what is listed, by what the provider says of its own servers, and by those resolvers, each \
                  answer as if it had just been given; what each name server serves, or did a moment ago, is not known";
        let from = self.instead.as_deref()?.into();
        Some(Change { what: "how it is known what is served".into(), from, to: to.into() })
    }
}

/// Whose answer it is, and so what its TTL says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Of whoever decides it.
    Authority,
    /// Of a resolver: it is what is left.
    Resolver,
    /// Of a resolver, and maybe older than the listing: how much is left is judged elsewhere.
    Before,
}

/// How long something has been so, and how long what was before may be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans {
    /// All servers have served what is wanted for so long, as far as anybody knows.
    pub(super) served: Duration,
    /// The largest TTL with which what was before was served.
    pub(super) before: Duration,
}

impl Source {
    /// Whether this TTL is one of an answer that is given with that one.
    fn says(self, told: Duration, given: Duration) -> bool {
        match self {
            Self::Authority => told == given,
            Self::Resolver => told <= given,
            Self::Before => true,
        }
    }
}

/// What an authority should answer for one type.
pub(super) enum Expected {
    /// Exactly these values with this TTL; no values: nothing at all.
    Exactly(Vec<String>, Option<Duration>),
    /// An alias: some of these, which may rotate, and none of those.
    SomeOf(BTreeSet<IpAddr>, BTreeSet<IpAddr>),
}

/// Asks every authority whether it serves `wanted` and nothing of `gone`. Where none of them answers anything, what
/// resolvers keep is held against these spans.
///
/// # Errors
/// Blind, if one of them cannot be asked: silence proves nothing.
pub(super) async fn everywhere(
    dns: &dyn ReadDns,
    name: &Name,
    wanted: &[RecordSet],
    gone: &[RecordSet],
    spans: Spans,
) -> Result<Heard<Serving>, Fault> {
    let mut expected = BTreeMap::new();
    for kind in wanted.iter().chain(gone).map(|set| &set.kind) {
        if !expected.contains_key(kind) {
            expected.insert(kind.clone(), expect(dns, kind, wanted, gone).await?);
        }
    }
    match by_all(dns, name, &expected).await {
        Ok(serving) => Ok(Heard::directly(serving)),
        Err(fault) => {
            let resolvers = Resolvers::instead_of(dns, fault).await?;
            resolvers.everywhere(dns, name, (wanted, gone), &expected, spans).await
        }
    }
}

async fn by_all(
    dns: &dyn ReadDns,
    name: &Name,
    expected: &BTreeMap<RecordType, Vec<Expected>>,
) -> Result<Serving, Fault> {
    let (mut largest, mut late) = (Duration::ZERO, Vec::new());
    for authority in dns.authorities().await? {
        for (kind, expected) in expected {
            let served = ask(dns, &authority, name, kind).await?;
            if let Some(why) = differs_from_all(&served, expected, Source::Authority) {
                let Authority { name: server, address } = &authority;
                late.push(format!("{server} ({}) {why} for {}", address.ip(), kind.0));
            }
            largest = largest.max(served.ttl);
        }
    }
    if late.is_empty() { Ok(Serving::Everywhere(largest)) } else { Ok(Serving::NotYet(late.join("; "))) }
}

/// For how long resolvers may keep what they are told of a name until its listing is changed: the largest TTL that is
/// listed, or that any authority serves; of a name that leads nowhere, that of its absence.
///
/// # Errors
/// As [`everywhere`].
pub(super) async fn kept(
    dns: &dyn ReadDns,
    name: &Name,
    listed: &[RecordSet],
) -> Result<Heard<Duration>, Fault> {
    match kept_by_all(dns, name, listed).await {
        Ok(longest) => Ok(Heard::directly(longest)),
        Err(fault) => Resolvers::instead_of(dns, fault).await?.kept(dns, name, listed).await,
    }
}

async fn kept_by_all(dns: &dyn ReadDns, name: &Name, listed: &[RecordSet]) -> Result<Duration, Fault> {
    let seconds = listed.iter().filter_map(|set| set.ttl).max().unwrap_or(0);
    let mut longest = Duration::from_secs(seconds.into());
    for authority in dns.authorities().await? {
        for kind in sets::LEADING {
            let served = ask(dns, &authority, name, &RecordType(kind.into())).await?;
            let absent = served.negative_ttl.filter(|_| listed.is_empty()).unwrap_or_default();
            longest = longest.max(served.ttl).max(absent);
        }
    }
    Ok(longest)
}

/// For how long resolvers may keep what these sets say. An alias has its target's TTL: in the zone itself that is any, and
/// of what AWS serves elsewhere it is a minute.
///
/// # Errors
/// As [`everywhere`].
pub(super) async fn lasts(dns: &dyn ReadDns, zone: &Zone, made: &[RecordSet]) -> Result<Duration, Fault> {
    let mut longest = Duration::ZERO;
    for set in made {
        longest = longest.max(match (set.ttl, &set.alias) {
            (Some(seconds), _) => Duration::from_secs(seconds.into()),
            (None, Some(alias)) if alias.zone_id == zone.id => {
                let target = sets::leading(&dns.record_sets(&alias.name).await?);
                kept(dns, &alias.name, &target).await?.what
            }
            (None, _) => ALIAS_TTL,
        });
    }
    Ok(longest)
}

async fn ask(
    dns: &dyn ReadDns,
    authority: &Authority,
    name: &Name,
    kind: &RecordType,
) -> Result<Served, Fault> {
    let served = dns.ask(authority, name, kind).await.map_err(|fault| match fault.kind {
        FaultKind::Transient => Fault::blind(fault.message),
        _ => fault,
    })?;
    if served.authoritative {
        return Ok(served);
    }
    Err(Fault::blind(format!(
        "name server {} ({}) says that it is no authority for {name}: is the zone that one delegated to?",
        authority.name,
        authority.address.ip()
    )))
}

/// One answer that is right, or of weighted sets several: that of each set that has a weight. By one answer nobody can tell
/// how large it is.
pub(super) async fn expect(
    dns: &dyn ReadDns,
    kind: &RecordType,
    wanted: &[RecordSet],
    gone: &[RecordSet],
) -> Result<Vec<Expected>, Fault> {
    let mut all = Vec::new();
    for set in wanted.iter().filter(|set| set.kind == *kind && sets::weight(set) != Some(0)) {
        all.push(expect_one(dns, set, gone).await?);
    }
    if all.is_empty() {
        all.push(Expected::Exactly(Vec::new(), None));
    }
    Ok(all)
}

async fn expect_one(dns: &dyn ReadDns, set: &RecordSet, gone: &[RecordSet]) -> Result<Expected, Fault> {
    if set.alias.is_none() {
        let ttl = set.ttl.map(|ttl| Duration::from_secs(ttl.into()));
        return Ok(Expected::Exactly(sets::values(set), ttl));
    }
    let fresh = addresses(dns, set).await?;
    let mut stale = BTreeSet::new();
    for old in gone.iter().filter(|old| old.kind == set.kind) {
        // What nobody can find any more, nobody can be sent to.
        stale.extend(addresses(dns, old).await.unwrap_or_default());
    }
    let stale = stale.difference(&fresh).copied().collect();
    Ok(Expected::SomeOf(fresh, stale))
}

/// The addresses of a set's type that it leads to now.
async fn addresses(dns: &dyn ReadDns, set: &RecordSet) -> Result<BTreeSet<IpAddr>, Fault> {
    let all = match &set.alias {
        Some(alias) => dns.addresses(&alias.name).await?,
        None => set.values.iter().filter_map(|value| value.parse().ok()).collect(),
    };
    let fits = |address: &IpAddr| address.is_ipv4() == (set.kind.0 == "A");
    Ok(all.into_iter().filter(fits).collect())
}

/// Why an answer is none of those that are right.
pub(super) fn differs_from_all(served: &Served, expected: &[Expected], source: Source) -> Option<String> {
    let mut why = None;
    for one in expected {
        why = Some(differs(served, one, source)?);
    }
    why
}

/// Why an answer is not what is expected.
fn differs(served: &Served, expected: &Expected, source: Source) -> Option<String> {
    let found = || {
        if served.values.is_empty() { "nothing".to_owned() } else { served.values.join(" ") }
    };
    match expected {
        Expected::Exactly(values, _) if served.values != *values => Some(format!("serves {}", found())),
        Expected::Exactly(_, Some(ttl)) if !source.says(served.ttl, *ttl) => {
            Some(format!("serves a TTL of {} s, not {} s,", served.ttl.as_secs(), ttl.as_secs()))
        }
        Expected::Exactly(..) => None,
        Expected::SomeOf(fresh, stale) => {
            let served: BTreeSet<IpAddr> = served.values.iter().filter_map(|v| v.parse().ok()).collect();
            let nothing_to_serve = fresh.is_empty() && served.is_empty();
            let right = nothing_to_serve || !served.is_disjoint(fresh);
            (!right || !served.is_disjoint(stale)).then(|| format!("serves {}", found()))
        }
    }
}
