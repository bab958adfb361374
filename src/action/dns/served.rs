//! What authorities really serve. A listing says what was accepted; users get what is served.

use super::resolved::Resolvers;
use super::sets;
use crate::port::ReadDns;
use crate::port::dns::{Authority, Name, RecordSet, RecordType, Served, Zone};
use crate::run::{Change, Fault, FaultKind};
use std::collections::BTreeMap;
use std::time::Duration;

pub(super) use crate::port::expected::{ALIAS_TTL, Expected, Source, differs_from_all, expect};

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

/// How long something has been so, and how long what was before may be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans {
    /// All servers have served what is wanted for so long, as far as anybody knows.
    pub(super) served: Duration,
    /// The largest TTL with which what was before was served.
    pub(super) before: Duration,
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
    let (kinds, leads_nowhere) = (sets::kinds(listed), sets::leading(listed).is_empty());
    for authority in dns.authorities().await? {
        for kind in &kinds {
            let served = ask(dns, &authority, name, kind).await?;
            let absent = served.negative_ttl.filter(|_| leads_nowhere).unwrap_or_default();
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
