//! A zone of the world: its record sets as listed, its name servers as they answer, and atomic changes.

use super::call::{Account, Call, Class, Failure};
use crate::plan::Timestamp;
use crate::port::dns::{
    Authority, ChangeId, ChangeStatus, Name, RecordChange, RecordSet, RecordType, Served, Zone,
};
use crate::port::{ReadDns, WriteDns};
use crate::run::Fault;
use crate::sim::{Line, Refusal, Said, Verb};
use async_trait::async_trait;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Where name servers answer.
const PORT: u16 = 53;
/// How many characters of a comment are kept.
const COMMENT: usize = 256;

/// A hosted zone.
#[derive(Clone)]
pub(super) struct HostedZone {
    pub(super) account: Account,
    pub(super) id: String,
}

fn call<'a>(operation: &'a str, resource: &'a str) -> Call<'a> {
    Call { service: "route53", operation, resource }
}

#[async_trait]
impl ReadDns for HostedZone {
    async fn zone(&self) -> Result<Zone, Fault> {
        // Its id, name and name servers never change.
        if let Some(zone) = self.account.inside.known().zones.get(&self.id) {
            return Ok(zone.clone());
        }
        let looking = self.account.look(call("GetHostedZone", &self.id), |world, _| {
            let zone = world.zone(&self.id)?;
            let name_servers = world.name_servers.iter().map(|server| server.name.clone()).collect();
            Ok(Zone { id: zone.id.clone(), name: zone.name.clone(), name_servers })
        });
        let zone = looking.await?;
        self.account.inside.known().zones.insert(self.id.clone(), zone.clone());
        Ok(zone)
    }

    async fn record_sets(&self, name: &Name) -> Result<Vec<RecordSet>, Fault> {
        let resource = format!("{name} in zone {}", self.id);
        let looking = self.account.look(call("ListResourceRecordSets", &resource), |world, _| {
            let records = world.zone(&self.id)?.newest();
            Ok(records.values().filter(|record| record.name == *name).cloned().collect())
        });
        looking.await
    }

    async fn status(&self, change: &ChangeId) -> Result<ChangeStatus, Fault> {
        let looking = self.account.look(call("GetChange", &change.0), |world, now| {
            let found = world.changes.iter().find(|info| info.id == change.0).ok_or_else(|| Refusal {
                status: 404,
                code: "NoSuchChange".into(),
                message: format!("A change with ID '{}' does not exist.", change.0),
            })?;
            Ok(if found.insync <= now { ChangeStatus::Insync } else { ChangeStatus::Pending })
        });
        looking.await
    }

    async fn delegation(&self) -> Result<Vec<Name>, Fault> {
        let zone = self.zone().await?;
        let said = self.account.inside.look(|world, _| world.refer(&zone.name));
        let mut servers: Vec<Name> = said.referral.iter().map(|line| Name::new(&line.value)).collect();
        servers.sort();
        Ok(servers)
    }

    async fn authorities(&self) -> Result<Vec<Authority>, Fault> {
        let mut found = Vec::new();
        for name in self.zone().await?.name_servers {
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
        let turn = inside.turn();
        let said = inside.look(|world, _| {
            let place = world.name_servers.iter().position(|server| {
                IpAddr::V4(server.address) == authority.address.ip() && authority.address.port() == PORT
            });
            place.map(|place| world.answer_of(place, name, &kind.0, turn))
        });
        let said = said.ok_or_else(|| {
            let (server, address) = (&authority.name, authority.address);
            Fault::blind(format!("no answer from name server {server} ({address}) about {name} {}", kind.0))
        })?;
        Ok(served(&said, name, kind))
    }

    async fn addresses(&self, name: &Name) -> Result<Vec<IpAddr>, Fault> {
        self.account.inside.addresses(name)
    }
}

impl super::Inside {
    /// The addresses that a resolver of the world finds: at least one.
    pub(super) fn addresses(&self, name: &Name) -> Result<Vec<IpAddr>, Fault> {
        let turn = self.turn();
        let said = self.look(|world, _| world.resolve(name, "A", turn));
        let mut found: Vec<IpAddr> = said.answers.iter().filter_map(|line| line.value.parse().ok()).collect();
        found.dedup();
        if found.is_empty() {
            return Err(Fault::blind(format!("{name} has no address")));
        }
        Ok(found)
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
    async fn change(&self, batch: &[RecordChange], comment: &str) -> Result<ChangeId, Fault> {
        let batch: Vec<(Verb, RecordSet)> = batch
            .iter()
            .map(|change| match change {
                RecordChange::Delete(set) => (Verb::Delete, set.clone()),
                RecordChange::Create(set) => (Verb::Create, set.clone()),
            })
            .collect();
        let told: Vec<String> =
            batch.iter().map(|(verb, set)| format!("{} {} {set}", verb.word(), set.name)).collect();
        let resource = format!("zone {} ({comment}): {}", self.zone.id, told.join(", "));
        let call = call("ChangeResourceRecordSets", &resource);
        let comment: String = comment.chars().take(COMMENT).collect();
        let comment = (!comment.is_empty()).then_some(comment);
        let changing = self
            .zone
            .account
            .write(call, self.until, |world, now| world.change(&self.zone.id, &batch, comment.clone(), now));
        Ok(ChangeId(changing.await.map_err(|failure| refused(failure, &call))?.id))
    }
}

/// What a refused batch means.
fn refused(mut failure: Failure, call: &Call<'_>) -> Fault {
    if failure.code != "InvalidChangeBatch" {
        let known = ["InvalidInput", "NoSuchHostedZone", "NoSuchHealthCheck"].contains(&&*failure.code);
        let answered = !failure.code.is_empty();
        if failure.class == Class::Refused && answered && !known {
            // A refusal that nobody has met yet: look before believing it.
            failure.class = Class::Lost;
        }
        return failure.fault(call, true);
    }
    failure.class = Class::Refused;
    let text = failure.text.to_lowercase();
    let signs = ["do not match the current values", "was not found", "already exists", "conflicting rrset"];
    let foreign = !text.contains("protect") && signs.iter().any(|sign| text.contains(sign));
    let fault = failure.fault(call, true);
    if foreign { Fault::foreign(fault.message) } else { fault }
}
