//! Zones, record sets as their provider lists them, and what authorities really serve.

mod health;

pub use health::{Checkers, HealthCheck};

use crate::run::Fault;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// A domain name as Route 53 lists it, without the dot at its end: lower case, and each byte that is unusual as `\ooo`, in
/// octal. Two are equal if they are one name to DNS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Name(String);

impl Name {
    /// Normalises text: case, the dot at the end, what is unusual. `\ooo` is a byte in octal.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((byte, after)) = split(rest) {
            match rest[0] {
                b'.' => out.push('.'),
                _ => push(&mut out, byte),
            }
            rest = after;
        }
        out.truncate(out.trim_end_matches('.').len());
        Self(out)
    }

    /// Of labels as the wire has them.
    pub fn of_labels<'l>(labels: impl IntoIterator<Item = &'l [u8]>) -> Self {
        let mut out = String::new();
        for label in labels {
            if !out.is_empty() {
                out.push('.');
            }
            for byte in label {
                push(&mut out, *byte);
            }
        }
        Self(out)
    }

    /// Its labels as the wire has them.
    pub fn labels(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.0.split('.').filter(|label| !label.is_empty()).map(|label| {
            let mut rest = label.as_bytes();
            std::iter::from_fn(|| {
                let (byte, after) = split(rest)?;
                rest = after;
                Some(byte)
            })
            .collect()
        })
    }

    /// Whether it is this zone's name, or below it; everything is below the root.
    #[must_use]
    pub fn is_within(&self, zone: &Name) -> bool {
        let rest = self.0.strip_suffix(&zone.0);
        rest.is_some_and(|rest| rest.is_empty() || zone.0.is_empty() || rest.ends_with('.'))
    }

    /// A name inside a zone: `app` in `example.com`; `@` and the zone's own name are the apex.
    #[must_use]
    pub fn within(label: &str, zone: &Name) -> Self {
        let name = Self::new(label);
        if label == "@" || name == *zone {
            zone.clone()
        } else if name.is_within(zone) {
            name
        } else {
            Self(format!("{}.{}", name.0, zone.0))
        }
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first byte of a name's text, and what comes after it.
fn split(text: &[u8]) -> Option<(u8, &[u8])> {
    let octal = |digits: &[u8]| {
        let value =
            digits.iter().try_fold(0u32, |sum, digit| char::from(*digit).to_digit(8).map(|d| sum * 8 + d));
        u8::try_from(value?).ok()
    };
    match text {
        [b'\\', a, b, c, after @ ..] if let Some(byte) = octal(&[*a, *b, *c]) => Some((byte, after)),
        [byte, after @ ..] => Some((*byte, after)),
        [] => None,
    }
}

/// One byte of a label, as text.
fn push(out: &mut String, byte: u8) {
    match byte.to_ascii_lowercase() {
        plain @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'*') => out.push(char::from(plain)),
        other => {
            let _ = write!(out, "\\{other:03o}");
        }
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A record type: `A`, `CNAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordType(pub String);

/// A record set, every field as listed: comparing and deleting need the whole of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSet {
    /// Its name.
    pub name: Name,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: RecordType,
    /// In seconds; an alias has none.
    pub ttl: Option<u32>,
    /// Values as listed; an alias has none.
    pub values: Vec<String>,
    /// Where an alias points.
    pub alias: Option<Alias>,
    /// Everything else that the provider lists, by its own name: `SetIdentifier`, `Weight`, `HealthCheckId`. Routing
    /// sets have at least `SetIdentifier`.
    #[serde(default)]
    pub extra: std::collections::BTreeMap<String, String>,
}

/// Where an alias points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The name.
    pub name: Name,
    /// The zone that the name is in: a load balancer's own.
    pub zone_id: String,
    /// Whether the answer depends on the health of the target.
    pub evaluate_health: bool,
}

impl fmt::Display for RecordSet {
    /// `CNAME staging.example.com (TTL 300)`, `A alias prod.elb.amazonaws.com by its health set eu`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.alias {
            Some(Alias { name, evaluate_health, .. }) => {
                let by_health = if *evaluate_health { " by its health" } else { "" };
                write!(f, "{} alias {name}{by_health}", self.kind.0)?;
            }
            None => write!(f, "{} {}", self.kind.0, self.values.join(" "))?,
        }
        if let Some(ttl) = self.ttl {
            write!(f, " (TTL {ttl})")?;
        }
        match self.extra.get("SetIdentifier") {
            Some(set) => write!(f, " set {set}"),
            None => Ok(()),
        }
    }
}

/// One part of an atomic batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordChange {
    /// Only if exactly this is there.
    Delete(RecordSet),
    /// Only if nothing of this name and type (and set) is there.
    Create(RecordSet),
}

/// Names a change that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeId(pub String);

/// How far a change has come inside the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeStatus {
    /// Accepted.
    Pending,
    /// On all of its servers.
    Insync,
    /// The provider knows no such change, or none any more: nobody can say how far it is.
    Unknown,
}

/// A zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// The provider's id.
    pub id: String,
    /// Its name.
    pub name: Name,
    /// The name servers that the provider lists for it.
    pub name_servers: Vec<Name>,
    /// They answer nobody: only resolvers inside its network answer from it.
    pub private: bool,
    /// Whether its records can soon be changed again where the provider's control plane is down: Accelerated Recovery of
    /// Route 53, within an hour. `None`: such a zone cannot have it.
    pub accelerated: Option<bool>,
}

impl Zone {
    /// Refuses to ask the name servers of a private zone.
    ///
    /// # Errors
    /// Blind, where resolvers can be asked in their place; else permanent: nothing of it could be verified.
    pub fn must_be_public(&self, has_resolvers: bool) -> Result<(), Fault> {
        if !self.private {
            return Ok(());
        }
        let what = format!(
            "zone {} ({}) is private: only resolvers inside its network answer from it",
            self.id, self.name
        );
        if has_resolvers {
            return Err(Fault::blind(what));
        }
        Err(Fault::permanent(format!(
            "{what}, so that neither a change, nor its TTL, nor the way back can be verified from here; name resolvers of that \
             network in the target (`resolvers: [https://<an inbound endpoint>/dns-query]`: those of Route 53 Resolver speak DNS \
             over HTTPS), or change it by hand"
        )))
    }
}

/// One address of one name server of a zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Authority {
    /// Its name.
    pub name: Name,
    /// Where it answers.
    pub address: SocketAddr,
}

/// What one authority serves for a name and type, asked directly and without recursion; or what a resolver keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Whether it says that it is an authority for the name. If not, the rest is no evidence; of a resolver, it is what it
    /// keeps, and its TTLs are what is left of them.
    pub authoritative: bool,
    /// Values in presentation form, normalised; empty if the name or type does not exist. A CNAME appears under the
    /// type that was asked for only if that type is CNAME.
    pub values: Vec<String>,
    /// The largest TTL among them.
    pub ttl: Duration,
    /// For how long resolvers keep it that there is nothing: the smaller of the SOA's TTL and its MINIMUM (RFC 2308).
    pub negative_ttl: Option<Duration>,
}

/// Looking at a zone.
#[async_trait]
pub trait ReadDns: Send + Sync {
    /// The zone.
    async fn zone(&self) -> Result<Zone, Fault>;
    /// All record sets of exactly this name, including those still pending.
    async fn record_sets(&self, name: &Name) -> Result<Vec<RecordSet>, Fault>;
    /// How far a change has come.
    async fn status(&self, change: &ChangeId) -> Result<ChangeStatus, Fault>;
    /// The name servers that the zone's parent sends resolvers to, whatever the zone itself says; none: to nobody.
    async fn delegation(&self) -> Result<Vec<Name>, Fault>;
    /// Every address of every name server of the zone.
    async fn authorities(&self) -> Result<Vec<Authority>, Fault>;
    /// Asks one of them.
    async fn ask(&self, authority: &Authority, name: &Name, kind: &RecordType) -> Result<Served, Fault>;
    /// A health check of the account that holds the zone, as it stands now; `None`: there is no such health check. How its
    /// checkers find it is told seldom: this is for whoever plans or previews, and for no watch.
    async fn health_check(&self, _id: &str) -> Result<Option<HealthCheck>, Fault> {
        Ok(None)
    }
    /// The addresses that a name outside the zone has now, such as a load balancer's.
    async fn addresses(&self, name: &Name) -> Result<Vec<std::net::IpAddr>, Fault>;
    /// The public resolvers that the plan names for it.
    fn resolvers(&self) -> Vec<Arc<dyn AskResolver>> {
        Vec::new()
    }
    /// The resolvers that stand in for the zone's name servers where none of these answers anything from here, over UDP or
    /// TCP. Empty: one of them answers; then what a silent one serves is not known, and nobody can stand in for it.
    ///
    /// # Errors
    /// Blind: none of them answers, and no resolver is named.
    async fn stand_ins(&self) -> Result<Vec<Arc<dyn AskResolver>>, Fault> {
        Ok(Vec::new())
    }
}

/// A public resolver, over a way that is open where port 53 is not.
#[async_trait]
pub trait AskResolver: Send + Sync {
    /// As the plan names it.
    fn url(&self) -> &str;
    /// What it keeps of a name. Whatever else it says than that is no evidence: a blind fault with the reason.
    async fn ask(&self, name: &Name, kind: &RecordType) -> Result<Served, Fault>;
}

/// Changing a zone.
#[async_trait]
pub trait WriteDns: Send + Sync {
    /// All of it or nothing. A stale delete or an occupied create is [`crate::run::FaultKind::Foreign`].
    async fn change(&self, batch: &[RecordChange], comment: &str) -> Result<ChangeId, Fault>;
}

#[cfg(test)]
pub(crate) mod tests;
