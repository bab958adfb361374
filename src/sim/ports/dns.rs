//! A zone of the world: its record sets as listed, its name servers as they answer, and atomic changes.

use super::call::{Account, Call, Class, Failure};
use crate::plan::Timestamp;
use crate::port::binding::service_binding;
use crate::port::dns::{
    AskResolver, Authority, ChangeId, ChangeStatus, Checkers, HealthCheck, Name, RecordChange, RecordSet,
    RecordType, Served, Zone,
};
use crate::port::stated::SERVICE;
use crate::port::{ReadDns, WriteDns};
use crate::run::Fault;
use crate::sim::ledger;
use crate::sim::write::Write;
use crate::sim::{CHECKERS, Line, Said, Strike, Verb, World};
use async_trait::async_trait;
use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Where name servers answer.
const PORT: u16 = 53;
/// How many characters of a comment are kept.
const COMMENT: usize = 256;
/// How long an answer is waited for, with all tries.
const SILENCE: Duration = Duration::from_secs(5);

/// A hosted zone.
#[derive(Clone)]
pub(super) struct HostedZone {
    pub(super) account: Account,
    pub(super) id: String,
    pub(super) calls: &'static Calls,
    /// Whom the plan names where name servers cannot be reached.
    pub(super) resolvers: Vec<Arc<str>>,
}

/// What calls about a zone are called, where it is kept.
#[derive(Debug)]
pub(super) struct Calls {
    service: &'static str,
    zone: &'static str,
    list: &'static str,
    change: &'static str,
    /// None: what was accepted is everywhere at the provider.
    status: Option<&'static str>,
}

/// On AWS.
pub(super) const ROUTE53: Calls = Calls {
    service: "route53",
    zone: "GetHostedZone",
    list: "ListResourceRecordSets",
    change: "ChangeResourceRecordSets",
    status: Some("GetChange"),
};

/// On a primary server, by RFC 2136.
pub(super) const PRIMARY: Calls =
    Calls { service: "rfc2136", zone: "query", list: "query", change: "UPDATE", status: None };

impl Calls {
    fn look<'a>(&self, operation: &'static str, resource: &'a (dyn Display + Sync)) -> Call<'a> {
        Call { service: self.service, operation, resource, writes: false }
    }
}

/// A question to a name server or to a resolver.
fn question<'a>(operation: &'static str, resource: &'a (dyn Display + Sync)) -> ledger::Call<'a> {
    ledger::Call { service: "dns", method: None, operation, resource, writes: false }
}

#[async_trait]
impl ReadDns for HostedZone {
    async fn zone(&self) -> Result<Zone, Fault> {
        // Its id, name and name servers never change.
        if let Some(zone) = self.account.inside.known().zones.get(&self.id) {
            return Ok(zone.clone());
        }
        let looking = self.account.look(self.calls.look(self.calls.zone, &self.id), |world, _| {
            let zone = world.zone(&self.id)?;
            let name_servers = world.name_servers.iter().map(|server| server.name.clone()).collect();
            let (id, name, private) = (zone.id.clone(), zone.name.clone(), zone.private);
            Ok(Zone { id, name, name_servers, private, accelerated: None })
        });
        let zone = looking.await?;
        self.account.inside.known().zones.insert(self.id.clone(), zone.clone());
        Ok(zone)
    }

    async fn record_sets(&self, name: &Name) -> Result<Vec<RecordSet>, Fault> {
        let resource = fmt::from_fn(|f| write!(f, "{name} in zone {}", self.id));
        let looking = self.account.look(self.calls.look(self.calls.list, &resource), |world, _| {
            let records = world.zone(&self.id)?.newest();
            Ok(records.values().filter(|record| record.name == *name).cloned().collect())
        });
        looking.await
    }

    async fn status(&self, change: &ChangeId) -> Result<ChangeStatus, Fault> {
        let known = |world: &mut World, now: Timestamp| {
            Ok(match world.changes.iter().find(|info| info.id == change.0) {
                Some(found) if found.insync <= now => ChangeStatus::Insync,
                Some(_) => ChangeStatus::Pending,
                None => ChangeStatus::Unknown,
            })
        };
        if let Some(operation) = self.calls.status {
            return self.account.look(self.calls.look(operation, &change.0), known).await;
        }
        // What a primary accepted, it serves.
        let accepted =
            self.account.inside.look(|world, _| world.changes.iter().any(|info| info.id == change.0));
        Ok(if accepted { ChangeStatus::Insync } else { ChangeStatus::Unknown })
    }

    async fn health_check(&self, id: &str) -> Result<Option<HealthCheck>, Fault> {
        // A primary server has none.
        if self.calls.status.is_none() {
            return Ok(None);
        }
        let resource = fmt::from_fn(|f| write!(f, "health check {id}"));
        let known = |world: &mut World, _: Timestamp| Ok(world.health_check(id));
        let Some(check) = self.account.look(self.calls.look("GetHealthCheck", &resource), known).await?
        else {
            return Ok(None);
        };
        let checkers =
            match self.account.look(self.calls.look("GetHealthCheckStatus", &resource), known).await {
                Ok(found) => {
                    let well = if found.is_some_and(|found| found.healthy) { CHECKERS } else { 0 };
                    Checkers::Counted { well, of: CHECKERS }
                }
                Err(fault) => Checkers::Unknown(fault.message.to_string()),
            };
        Ok(Some(HealthCheck { asks: check.asks, disabled: false, inverted: false, checkers }))
    }

    async fn delegation(&self) -> Result<Vec<Name>, Fault> {
        let zone = self.public().await?;
        let inside = &self.account.inside;
        let strike = inside.ask(&question("delegation", &zone.name)).await;
        if strike == Some(Strike::Silent) {
            return Err(Fault::blind(format!("no answer from the name servers above {}", zone.name)));
        }
        let said = inside.look(|world, _| world.refer(&zone.name));
        let mut servers: Vec<Name> = said.referral.iter().map(|line| Name::new(&line.value)).collect();
        servers.sort();
        if strike == Some(Strike::Partial) {
            servers.pop();
        }
        Ok(servers)
    }

    async fn authorities(&self) -> Result<Vec<Authority>, Fault> {
        let mut found = Vec::new();
        for name in self.public().await?.name_servers {
            for ip in self.addresses(&name).await? {
                found.push(Authority { name: name.clone(), address: SocketAddr::new(ip, PORT) });
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    async fn ask(&self, authority: &Authority, name: &Name, kind: &RecordType) -> Result<Served, Fault> {
        let inside = &self.account.inside;
        let resource = fmt::from_fn(|f| write!(f, "{} {name} {}", authority.name, kind.0));
        let strike = inside.ask(&question("ask", &resource)).await;
        let turn = inside.turn();
        let said = inside.look(|world, now| {
            let place = world.name_servers.iter().position(|server| {
                IpAddr::V4(server.address) == authority.address.ip() && authority.address.port() == PORT
            });
            let past = world.ledger.past(now).filter(|_| strike == Some(Strike::Stale));
            place.map(|place| past.unwrap_or(world).answer_of(place, name, &kind.0, turn))
        });
        let said = said.filter(|_| strike != Some(Strike::Silent)).ok_or_else(|| {
            let (server, address) = (&authority.name, authority.address);
            Fault::blind(format!("no answer from name server {server} ({address}) about {name} {}", kind.0))
        })?;
        let mut served = served(&said, name, kind);
        match strike {
            Some(Strike::Bad) => served.authoritative = false,
            Some(Strike::Partial) => drop(served.values.pop()),
            _ => {}
        }
        Ok(served)
    }

    async fn addresses(&self, name: &Name) -> Result<Vec<IpAddr>, Fault> {
        let inside = &self.account.inside;
        let strike = inside.ask(&question("addresses", name)).await;
        if strike == Some(Strike::Silent) {
            return Err(Fault::blind(format!("{name}: no answer from the resolver")));
        }
        // Here another zone may have that name, or none.
        let is_own = |zone: &crate::sim::Zone| zone.private && zone.holds(name);
        let hidden =
            !self.resolvers.is_empty() && inside.look(|world, _| world.zone(&self.id).is_ok_and(is_own));
        let mut found = inside.resolved(name, if hidden { World::resolve_inside } else { World::resolve })?;
        if strike == Some(Strike::Partial) && found.len() > 1 {
            found.pop();
        }
        Ok(found)
    }

    fn resolvers(&self) -> Vec<Arc<dyn AskResolver>> {
        let resolver = |url: &Arc<str>| -> Arc<dyn AskResolver> {
            Arc::new(Resolver {
                inside: self.account.inside.clone(),
                zone: self.id.clone(),
                url: url.clone(),
            })
        };
        self.resolvers.iter().map(resolver).collect()
    }

    async fn stand_ins(&self) -> Result<Vec<Arc<dyn AskResolver>>, Fault> {
        // A primary server has no word of its own on what all of its zone's servers serve.
        if self.resolvers.is_empty() || self.account.number.is_none() {
            return Ok(Vec::new());
        }
        let (zone, kind) = (self.zone().await?, RecordType("SOA".into()));
        if zone.private {
            return Ok(self.resolvers());
        }
        for authority in self.authorities().await? {
            if self.ask(&authority, &zone.name, &kind).await.is_ok() {
                return Ok(Vec::new());
            }
        }
        Ok(self.resolvers())
    }
}

impl HostedZone {
    /// A zone whose name servers anybody can ask.
    async fn public(&self) -> Result<Zone, Fault> {
        let zone = self.zone().await?;
        zone.must_be_public(!self.resolvers.is_empty())?;
        Ok(zone)
    }
}

/// How a resolver of the world answers.
type Resolve = fn(&World, &Name, &str, u64) -> Said;

/// A resolver that a plan names, inside the network of private zones. It keeps nothing.
struct Resolver {
    inside: Arc<super::Inside>,
    /// The zone that it is named for: inside the network of that it is only if that is private.
    zone: String,
    url: Arc<str>,
}

#[async_trait]
impl AskResolver for Resolver {
    fn url(&self) -> &str {
        &self.url
    }

    async fn ask(&self, name: &Name, kind: &RecordType) -> Result<Served, Fault> {
        let resource = fmt::from_fn(|f| write!(f, "{} {name} {}", self.url, kind.0));
        let strike = self.inside.ask(&question("https", &resource)).await;
        if strike == Some(Strike::Silent) {
            let text = format!("no answer from resolver {} about {name} {}", self.url, kind.0);
            return Err(Fault::blind(text));
        }
        let turn = self.inside.turn();
        let said = self.inside.look(|world, now| {
            let past = world.ledger.past(now).filter(|_| strike == Some(Strike::Stale));
            let seen = past.unwrap_or(world);
            let hidden = seen.zone(&self.zone).is_ok_and(|zone| zone.private);
            if hidden { seen.resolve_inside(name, &kind.0, turn) } else { seen.resolve(name, &kind.0, turn) }
        });
        let mut kept = served(&said, name, kind);
        kept.authoritative = false;
        if strike == Some(Strike::Partial) {
            kept.values.pop();
        }
        Ok(kept)
    }
}

impl super::Inside {
    /// A question comes through. Whoever stays silent, or says something too late, was waited for.
    async fn ask(&self, call: &ledger::Call<'_>) -> Option<Strike> {
        let strike = self.enter(call).await.strike;
        let blocked = self.look(|world, _| world.faults.blocking(scripted(call.operation)));
        match blocked.map_or(strike, |_| Some(Strike::Silent)) {
            Some(Strike::Slow(span)) if span < SILENCE => {
                self.wait(span).await;
                None
            }
            Some(Strike::Slow(_) | Strike::Silent) => {
                self.wait(SILENCE).await;
                Some(Strike::Silent)
            }
            strike => strike,
        }
    }

    /// The addresses that a resolver of the world finds: at least one.
    pub(super) fn resolved(&self, name: &Name, resolve: Resolve) -> Result<Vec<IpAddr>, Fault> {
        let turn = self.turn();
        let said = self.look(|world, _| resolve(world, name, "A", turn));
        let mut found: Vec<IpAddr> = said.answers.iter().filter_map(|line| line.value.parse().ok()).collect();
        found.dedup();
        if found.is_empty() {
            return Err(Fault::blind(format!("{name} has no address")));
        }
        Ok(found)
    }
}

/// As a scripted fault names what is asked.
fn scripted(operation: &str) -> &str {
    match operation {
        // A parent is a name server, too.
        "delegation" => "ask",
        "addresses" => "resolve",
        other => other,
    }
}

fn served(said: &Said, name: &Name, kind: &RecordType) -> Served {
    let matching = || said.answers.iter().filter(|line| line.kind == kind.0 && line.name == *name);
    let mut values: Vec<String> = matching().map(present).collect();
    values.sort();
    let minimum = |soa: &Line| soa.value.rsplit(' ').next()?.parse::<u32>().ok();
    let negative = said.soa.as_ref().filter(|_| values.is_empty());
    let negative = negative.and_then(|soa| Some(soa.ttl.min(minimum(soa)?)));
    Served {
        authoritative: said.authoritative && !said.refused,
        values,
        ttl: Duration::from_secs(matching().map(|line| line.ttl).max().unwrap_or(0).into()),
        negative_ttl: negative.map(|seconds| Duration::from_secs(seconds.into())),
    }
}

/// A value as ports have it: names as [`Name`] does, everything else as it stands.
fn present(line: &Line) -> String {
    match (&*line.kind, line.value.rsplit_once(' ')) {
        ("CNAME" | "NS" | "PTR", _) => Name::new(&line.value).to_string(),
        (SERVICE, _) => service_binding(&line.value),
        ("MX" | "SRV", Some((before, name))) => format!("{before} {}", Name::new(name)),
        _ => line.value.clone(),
    }
}

/// A zone, for changing until a deadline.
pub(super) struct Changing {
    pub(super) zone: HostedZone,
    pub(super) until: Timestamp,
}

#[async_trait]
impl WriteDns for Changing {
    async fn change(&self, changes: &[RecordChange], comment: &str) -> Result<ChangeId, Fault> {
        let batch: Vec<(Verb, RecordSet)> = changes
            .iter()
            .map(|change| match change {
                RecordChange::Delete(set) => (Verb::Delete, set.clone()),
                RecordChange::Create(set) => (Verb::Create, set.clone()),
            })
            .collect();
        let resource = fmt::from_fn(|f| {
            write!(f, "zone {} ({comment}):", self.zone.id)?;
            for (place, change) in changes.iter().enumerate() {
                let (verb, set) = match change {
                    RecordChange::Delete(set) => (Verb::Delete, set),
                    RecordChange::Create(set) => (Verb::Create, set),
                };
                let comma = if place > 0 { "," } else { "" };
                write!(f, "{comma} {} {} {set}", verb.word(), set.name)?;
            }
            Ok(())
        });
        let call = Call { writes: true, ..self.zone.calls.look(self.zone.calls.change, &resource) };
        let kept: String = comment.chars().take(COMMENT).collect();
        let comment = (!kept.is_empty()).then_some(kept);
        let write = Write::Change { zone: self.zone.id.clone(), batch, comment };
        let changing = self.zone.account.write(call, self.until, write).await;
        changing.map(ChangeId).map_err(|failure| refused(failure, &call))
    }
}

/// What a refused batch means.
fn refused(mut failure: Failure, call: &Call<'_>) -> Fault {
    if failure.code != "InvalidChangeBatch" {
        let known =
            ["InvalidInput", "NoSuchHostedZone", "NoSuchHealthCheck", "NOTAUTH"].contains(&&*failure.code);
        let answered = !failure.code.is_empty();
        if failure.class == Class::Refused && answered && !known {
            // A refusal that nobody has met yet: look before believing it.
            failure.class = Class::Lost;
        }
        return failure.fault(call);
    }
    failure.class = Class::Refused;
    let text = failure.text.to_lowercase();
    let signs = ["do not match the current values", "was not found", "already exists", "conflicting rrset"];
    let foreign = signs.iter().any(|sign| text.contains(sign));
    let fault = failure.fault(call);
    if foreign { Fault::foreign(fault.message) } else { fault }
}
