//! What whoever is asked for a name should answer, by what its zone lists: an authority, or a resolver that keeps what one said.

use super::ReadDns;
use super::dns::{RecordSet, RecordType, Served};
use super::stated::{values, weight};
use crate::run::Fault;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

/// What authorities serve for an alias of a load balancer, whatever one wishes.
pub const ALIAS_TTL: Duration = Duration::from_secs(60);

/// Whose answer it is, and so what its TTL says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Of whoever decides it.
    Authority,
    /// Of a resolver: it is what is left.
    Resolver,
    /// Of a resolver, and maybe older than the listing: how much is left is judged elsewhere.
    Before,
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
#[derive(Debug)]
pub enum Expected {
    /// Exactly these values with this TTL; no values: nothing at all.
    Exactly(Vec<String>, Option<Duration>),
    /// An alias: some of these, which may rotate, and none of those.
    SomeOf(BTreeSet<IpAddr>, BTreeSet<IpAddr>),
}

/// One answer that is right, or of weighted sets several: that of each set that has a weight. By one answer nobody can tell
/// how large it is.
///
/// # Errors
/// An alias leads to a name that nobody can find.
pub async fn expect(
    dns: &dyn ReadDns,
    kind: &RecordType,
    wanted: &[RecordSet],
    gone: &[RecordSet],
) -> Result<Vec<Expected>, Fault> {
    let mut all = Vec::new();
    for set in wanted.iter().filter(|set| set.kind == *kind && weight(set) != Some(0)) {
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
        return Ok(Expected::Exactly(values(set), ttl));
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
#[must_use]
pub fn differs_from_all(served: &Served, expected: &[Expected], source: Source) -> Option<String> {
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
