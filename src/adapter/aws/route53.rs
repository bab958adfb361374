//! A hosted zone of Route 53: its records as listed, its name servers as they answer, and atomic changes.
//!
//! A change deletes exactly what was listed and creates what should be, in one batch: AWS refuses all of it when
//! anything is not as we saw it.

mod health;
mod record;

use super::account::Account;
use super::call::{self, Class, Failure};
use crate::adapter::budgets::Service;
use crate::adapter::dns::{self, Resolver, Silence};
use crate::mutant::{Mistake, on};
use crate::plan::Timestamp;
use crate::port::dns::{
    AskResolver, Authority, ChangeId, ChangeStatus, HealthCheck, Name, RecordChange, RecordSet, RecordType,
    Served, Zone,
};
use crate::port::{ReadDns, Urgency, WriteDns, partition};
use crate::run::Fault;
use async_trait::async_trait;
use aws_sdk_route53::types::{self, AcceleratedRecoveryStatus, Change, ChangeAction, ChangeBatch};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// Record sets in one answer, the most that there may be.
const PAGE: i32 = 300;
/// How many characters of a comment AWS takes.
const COMMENT: usize = 256;

/// API reference, "ChangeResourceRecordSets": values of one change, and characters of all of them.
const VALUES: usize = 1_000;
const CHARACTERS: usize = 32_000;

/// A hosted zone.
pub(in crate::adapter) struct HostedZone {
    account: Arc<Account>,
    id: Arc<str>,
    resolver: Resolver,
    /// Where name servers answer.
    port: u16,
    /// Whom the plan names in their place.
    stand_ins: Vec<Arc<dyn AskResolver>>,
    silence: Arc<Silence>,
    zone: Arc<OnceLock<Zone>>,
}

impl HostedZone {
    pub(in crate::adapter) fn new(account: Arc<Account>, id: &str, resolver: Resolver, port: u16) -> Self {
        let id = id.trim_start_matches("/hostedzone/").into();
        let (stand_ins, silence, zone) = (Vec::new(), Arc::default(), Arc::default());
        Self { account, id, resolver, port, stand_ins, silence, zone }
    }

    /// The same, with these resolvers for when its name servers cannot be reached.
    pub(in crate::adapter) fn or_else_asking(self, stand_ins: Vec<Arc<dyn AskResolver>>) -> Self {
        Self { stand_ins, ..self }
    }

    /// The same, for calls that are so urgent.
    pub(in crate::adapter) fn serving(&self, urgency: Urgency) -> Self {
        let account = Arc::new(self.account.serving(urgency));
        let (id, stand_ins) = (self.id.clone(), self.stand_ins.clone());
        let (silence, zone) = (self.silence.clone(), self.zone.clone());
        Self { account, id, resolver: self.resolver, port: self.port, stand_ins, silence, zone }
    }

    /// The same, for changing until then.
    pub(in crate::adapter) fn until(self: &Arc<Self>, until: Timestamp) -> impl WriteDns + use<> {
        Changing { zone: self.clone(), until }
    }

    fn named(&self) -> String {
        format!("zone {}", self.id)
    }

    /// Nobody is waited for who is known to be silent, and for whom others stand in.
    fn must_be_heard(&self, zone: &Zone) -> Result<(), Fault> {
        if self.stand_ins.is_empty() { Ok(()) } else { self.silence.must_be_over(&zone.name) }
    }

    /// A zone whose name servers anybody can ask.
    async fn public(&self) -> Result<Zone, Fault> {
        let zone = self.zone().await?;
        zone.must_be_public(!self.stand_ins.is_empty())?;
        Ok(zone)
    }

    /// The name servers of a private zone, which no delegation set tells: those that it lists itself. Developer guide, "Working
    /// with private hosted zones": they are the same for all of them, and no others have them.
    async fn listed_name_servers(&self, zone: &Name) -> Result<Vec<Name>, Fault> {
        let sets = self.record_sets(zone).await?;
        let own = sets.iter().filter(|set| set.kind.0 == "NS").flat_map(|set| &set.values);
        Ok(own.map(|server| Name::new(server)).collect())
    }
}

#[async_trait]
impl ReadDns for HostedZone {
    async fn zone(&self) -> Result<Zone, Fault> {
        // Its id, name and name servers never change, and nothing of a run follows from its features.
        if let Some(zone) = self.zone.get() {
            return Ok(zone.clone());
        }
        let unseen = self.account.unseen("route53 GetHostedZone", &self.named());
        let client = self.account.route53().await.map_err(&unseen)?;
        let ask = |watch| client.get_hosted_zone().id(&*self.id).customize().interceptor(watch).send();
        let answer = call::read(&self.account, Service::Route53, ask).await.map_err(&unseen)?;
        let servers = answer.delegation_set.map(|set| set.name_servers).unwrap_or_default();
        let config = answer.hosted_zone.as_ref().and_then(|zone| zone.config.as_ref());
        let private = config.map_or(servers.is_empty(), |config| config.private_zone);
        let features = answer.hosted_zone.as_ref().and_then(|zone| zone.features.as_ref());
        let recovery = features.and_then(|features| features.accelerated_recovery_status.as_ref());
        let may_be = !private && partition(&self.account.place().region) == "aws";
        let accelerated = may_be.then_some(recovery == Some(&AcceleratedRecoveryStatus::Enabled));
        let name = Name::new(&answer.hosted_zone.map(|zone| zone.name).unwrap_or_default());
        let name_servers = if private {
            self.listed_name_servers(&name).await?
        } else {
            servers.iter().map(|server| Name::new(server)).collect()
        };
        let zone = Zone { id: self.id.to_string(), name, name_servers, private, accelerated };
        // Nobody waits for whoever else is asking: they may be in no hurry.
        Ok(self.zone.get_or_init(|| zone).clone())
    }

    async fn record_sets(&self, name: &Name) -> Result<Vec<RecordSet>, Fault> {
        let unseen =
            self.account.unseen("route53 ListResourceRecordSets", &format!("{name} in {}", self.named()));
        let client = self.account.route53().await.map_err(&unseen)?;
        let mut found = Vec::new();
        // Sets of one name stand together, and the list begins with them.
        let mut from = (Some(record::full(name)), None::<types::RrType>, None::<String>);
        loop {
            let ask = |watch| {
                client
                    .list_resource_record_sets()
                    .hosted_zone_id(&*self.id)
                    .max_items(PAGE)
                    .set_start_record_name(from.0.clone())
                    .set_start_record_type(from.1.clone())
                    .set_start_record_identifier(from.2.clone())
                    .customize()
                    .interceptor(watch)
                    .send()
            };
            let page = call::read(&self.account, Service::Route53, ask).await.map_err(&unseen)?;
            for set in page.resource_record_sets {
                if Name::new(&set.name) == *name {
                    found.push(record::listed(set)?);
                }
            }
            let more = page.is_truncated
                && page.next_record_name.as_deref().is_some_and(|next| Name::new(next) == *name);
            if !more {
                return Ok(found);
            }
            from = (page.next_record_name, page.next_record_type, page.next_record_identifier);
        }
    }

    async fn status(&self, change: &ChangeId) -> Result<ChangeStatus, Fault> {
        let unseen = self.account.unseen("route53 GetChange", &format!("change {}", change.0));
        let client = self.account.route53().await.map_err(&unseen)?;
        let ask = |watch| client.get_change().id(&change.0).customize().interceptor(watch).send();
        let answer = match call::read(&self.account, Service::Route53, ask).await {
            Err(failure) if failure.code.as_deref() == Some("NoSuchChange") => {
                return Ok(ChangeStatus::Unknown);
            }
            answer => answer.map_err(&unseen)?,
        };
        Ok(match answer.change_info.map(|info| info.status) {
            Some(types::ChangeStatus::Insync) => ChangeStatus::Insync,
            _ => ChangeStatus::Pending,
        })
    }

    async fn health_check(&self, id: &str) -> Result<Option<HealthCheck>, Fault> {
        health::check(&self.account, id).await
    }

    async fn delegation(&self) -> Result<Vec<Name>, Fault> {
        let zone = self.public().await?;
        self.must_be_heard(&zone)?;
        dns::delegation(self.resolver, self.port, &zone.name).await
    }

    async fn authorities(&self) -> Result<Vec<Authority>, Fault> {
        let zone = self.public().await?;
        let servers: Vec<(Name, u16)> =
            zone.name_servers.iter().map(|name| (name.clone(), self.port)).collect();
        dns::authorities(self.resolver, &servers, &zone.name).await
    }

    async fn ask(&self, authority: &Authority, name: &Name, kind: &RecordType) -> Result<Served, Fault> {
        self.must_be_heard(&self.zone().await?)?;
        dns::ask(authority, name, kind).await
    }

    async fn addresses(&self, name: &Name) -> Result<Vec<IpAddr>, Fault> {
        let zone = self.zone().await?;
        let Some(inside) = self.stand_ins.first().filter(|_| zone.private && name.is_within(&zone.name))
        else {
            return self.resolver.addresses(name.as_str()).await;
        };
        // Here another zone may have that name, or none.
        let mut found = Vec::new();
        for kind in ["A", "AAAA"] {
            let served = inside.ask(name, &RecordType(kind.into())).await?;
            found.extend(served.values.iter().filter_map(|value| value.parse::<IpAddr>().ok()));
        }
        if found.is_empty() {
            return Err(Fault::blind(format!("{name} has no address, says {}", inside.url())));
        }
        Ok(found)
    }

    fn resolvers(&self) -> Vec<Arc<dyn AskResolver>> {
        self.stand_ins.clone()
    }

    async fn stand_ins(&self) -> Result<Vec<Arc<dyn AskResolver>>, Fault> {
        let zone = self.zone().await?;
        if zone.private && !self.stand_ins.is_empty() {
            return Ok(self.resolvers());
        }
        zone.must_be_public(false)?;
        let known = self.must_be_heard(&zone).is_err();
        // That they have addresses is what the resolver of this machine answers.
        if !known && self.silence.is_over(&self.authorities().await?, &zone.name).await {
            return Ok(Vec::new());
        }
        if self.stand_ins.is_empty() {
            return Err(Fault::blind(format!(
                "no name server of {} answers anything on port {}, over udp or tcp, though the resolver of this machine \
                 does: so it cannot be known whether users are sent to this zone, what each of its servers serves, and \
                 since when; go on where the port is open, or name resolvers that are asked over HTTPS in the target \
                 (`resolvers: [https://dns.example/dns-query]`)",
                zone.name, self.port
            )));
        }
        Ok(self.resolvers())
    }
}

/// A zone, for changing until a deadline.
struct Changing {
    zone: Arc<HostedZone>,
    until: Timestamp,
}

#[async_trait]
impl WriteDns for Changing {
    async fn change(&self, batch: &[RecordChange], comment: &str) -> Result<ChangeId, Fault> {
        let (account, id) = (&self.zone.account, &self.zone.id);
        let unwritten = account.unwritten("route53 ChangeResourceRecordSets", &self.zone.named());
        fits(batch)?;
        let mut changes = ChangeBatch::builder().comment(comment.chars().take(COMMENT).collect::<String>());
        for change in batch {
            let (action, set) = match change {
                RecordChange::Delete(_) if on(Mistake::Upserted) => continue,
                RecordChange::Create(set) if on(Mistake::Upserted) => (ChangeAction::Upsert, set),
                RecordChange::Delete(set) => (ChangeAction::Delete, set),
                RecordChange::Create(set) => (ChangeAction::Create, set),
            };
            let set = record::sent(set)?;
            let change = Change::builder().action(action).resource_record_set(set).build();
            changes = changes.changes(change.map_err(|error| Fault::permanent(error.to_string()))?);
        }
        let changes = changes.build().map_err(|error| Fault::permanent(error.to_string()))?;
        let client = account.route53().await.map_err(&unwritten)?;
        let send = |watch| {
            client
                .change_resource_record_sets()
                .hosted_zone_id(&**id)
                .change_batch(changes.clone())
                .customize()
                .interceptor(watch)
                .send()
        };
        let answer = call::write(account, Service::Route53, self.until, send)
            .await
            .map_err(|failure| refused(failure, &unwritten))?;
        let change = answer.change_info.map(|info| info.id).unwrap_or_default();
        let id = change.trim_start_matches("/change/");
        if id.is_empty() {
            let text = "the answer names no change".into();
            return Err(unwritten(Failure { class: Class::Lost, code: None, text }));
        }
        Ok(ChangeId(id.to_owned()))
    }
}

/// Refuses what AWS would refuse in words that may mean anything.
fn fits(batch: &[RecordChange]) -> Result<(), Fault> {
    let values = || {
        batch.iter().flat_map(|change| match change {
            RecordChange::Delete(set) | RecordChange::Create(set) => &set.values,
        })
    };
    let (count, characters) = (values().count(), values().map(|value| value.chars().count()).sum::<usize>());
    if count <= VALUES && characters <= CHARACTERS {
        return Ok(());
    }
    Err(Fault::permanent(format!(
        "one change of Route 53 takes {VALUES} values of {CHARACTERS} characters at most, and this one has {count} of \
         {characters}: what is there now counts, too; use fewer values",
    )))
}

/// What a refused batch means.
fn refused(mut failure: Failure, unwritten: impl Fn(Failure) -> Fault) -> Fault {
    // The old form of this answer has no code that the SDK finds.
    let batch = failure.code.as_deref() == Some("InvalidChangeBatch")
        || (failure.code.is_none() && failure.text.contains("<InvalidChangeBatch"));
    if !batch {
        let known = ["InvalidInput", "NoSuchHostedZone", "NoSuchHealthCheck"];
        let unknown = failure.class == Class::Refused
            && !failure.code.as_deref().is_some_and(|code| known.contains(&code));
        if unknown {
            // A refusal that nobody has met yet: look before believing it.
            failure.class = Class::Lost;
        }
        return unwritten(failure);
    }
    failure.class = Class::Refused;
    let text = failure.text.to_lowercase();
    let foreign = ["do not match the current values", "was not found", "already exists", "conflicting rrset"];
    // First: the text quotes names, and one may be about protection.
    if foreign.iter().any(|sign| text.contains(sign)) {
        return Fault::foreign(unwritten(failure).message);
    }
    if text.contains("protect") {
        failure.text += "; a record protection holds it: a person must lift it, this tool never does";
    }
    unwritten(failure)
}
