//! Which name of which zone a step is about.

use super::by_hand::Hand;
use super::resolved::Resolvers;
use super::sets;
use crate::plan::{Fields, Target, list, target, text};
use crate::port::dns::{Name, RecordSet, Zone};
use crate::port::need;
use crate::port::stated::must_be_name;
use crate::port::{ReadDns, Reads, WriteDns, Writes};
use crate::run::Fault;
use serde_json::Value as Json;
use std::net::IpAddr;
use std::sync::Arc;

/// A name of a zone.
#[derive(Debug)]
pub(super) struct Place {
    target: Arc<Target>,
    /// The account that holds the zone; where none does, the zone's own target.
    account: Arc<Target>,
    record: Arc<str>,
}

/// The zone, ready to be asked, and the whole name.
pub(super) struct Found {
    pub(super) dns: Arc<dyn ReadDns>,
    pub(super) zone: Zone,
    pub(super) name: Name,
}

impl Place {
    /// Reads `target` and `record`.
    pub(super) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let target = fields.required("target", target(&["route53", "rfc2136"]), "the zone");
        let record =
            fields.required("record", text(), "a name in the zone: `app`, or `@` for the zone's own");
        must_be_name(fields, "record", record.as_deref().filter(|record| *record != "@"));
        let target = target?;
        Some(Self { account: account(fields, &target), target, record: record? })
    }

    /// Reads `target` and `names`: names of one zone, as many as one batch bears.
    pub(super) fn decode_all(fields: &mut Fields<'_>) -> Option<Vec<Self>> {
        let target = fields.required("target", target(&["route53", "rfc2136"]), "the zone");
        let names = fields.required("names", list(text()), "names in it");
        let target = target?;
        let account = account(fields, &target);
        let place = |record| Self { target: target.clone(), account: account.clone(), record };
        Some(names?.into_iter().map(place).collect())
    }

    /// For locks.
    pub(super) fn resource(&self) -> String {
        format!("dns:{}/{}", self.target.place(), self.name())
    }

    /// The zone, as the plan knows it.
    pub(super) fn zone(&self) -> need::Zone {
        need::Zone::of(&self.target)
    }

    /// The zone's own name, as far as can be told without asking.
    pub(super) fn is_apex(&self) -> bool {
        &*self.record == "@"
    }

    /// The whole name, by what the plan says of the zone.
    pub(super) fn name(&self) -> Name {
        Name::within(&self.record, &Name::new(&self.target.says("name").unwrap_or_default()))
    }

    /// Where its zone is kept, for commands.
    fn hand(&self) -> Hand<'_> {
        match &*self.target.kind {
            "rfc2136" => Hand::Primary(&self.target),
            _ => Hand::Route53 { zone: self.target.place(), account: &self.account },
        }
    }

    /// For commands: lists what is there.
    pub(super) fn list_by_hand(&self) -> String {
        self.hand().list(&self.name())
    }

    /// For commands: says how far a change has come.
    pub(super) fn follow_by_hand(&self) -> String {
        self.hand().follow(&self.name())
    }

    /// For people who ask name servers: whom to ask where those answer nobody. Which zones are private is not known before one is
    /// looked at; but of such a zone the plan names resolvers, or no step changes it.
    pub(super) fn inside_by_hand(&self) -> String {
        let instead = |url: &str| {
            format!(
                "; if the zone is private, they answer nobody, and {url} (dig +https) says what is served"
            )
        };
        self.target.lists("resolvers").next().map(instead).unwrap_or_default()
    }

    /// For commands: one batch that takes some sets away and puts others there.
    pub(super) fn swap_by_hand(&self, gone: &Json, come: &Json) -> String {
        self.hand().swap(&self.name(), gone, come)
    }

    /// Whether its zone can say that a name is whatever another one is.
    pub(super) fn has_aliases(&self) -> bool {
        &*self.target.kind != "rfc2136"
    }

    /// The zone and the name.
    pub(super) async fn find(&self, reads: &Reads<'_>) -> Result<Found, Fault> {
        let dns = reads.world.dns(&self.target.name)?;
        let zone = dns.zone().await?;
        self.must_be_of(&zone)?;
        Ok(Found { dns, zone, name: self.name() })
    }

    /// Refuses a zone that has another name than the plan says: locks, clock and commands go by the plan's.
    fn must_be_of(&self, zone: &Zone) -> Result<(), Fault> {
        let (target, stated) = (&self.target, self.target.says("name").unwrap_or_default());
        if Name::new(&stated) == zone.name {
            return Ok(());
        }
        Err(Fault::permanent(format!(
            "target `{}` says that zone {} is {stated}, and it is {}: correct its `name` or its `zone_id`",
            target.name, zone.id, zone.name
        )))
    }

    /// The zone, for changing.
    pub(super) fn to_change(&self, writes: &Writes<'_>) -> Result<Arc<dyn WriteDns>, Fault> {
        writes.dns(&self.target.name)
    }
}

/// Who holds a zone; where no account does, the zone's own target.
fn account(fields: &Fields<'_>, target: &Arc<Target>) -> Arc<Target> {
    let holder = target.says("aws").unwrap_or_default();
    let account = fields.known().targets.iter().find(|account| *account.name == *holder);
    account.unwrap_or(target).clone()
}

impl Place {
    /// The name, and all of its sets, if it makes sense to change where it leads: users reach the zone, nobody else keeps
    /// the name as they want it, and it has one answer.
    pub(super) async fn changeable(&self, reads: &Reads<'_>) -> Result<(Found, Vec<RecordSet>), Fault> {
        let (found, all) = self.routable(reads).await?;
        sets::must_be_simple(&found.name, &sets::leading(&all))?;
        Ok((found, all))
    }

    /// The same, however many answers it has.
    pub(super) async fn routable(&self, reads: &Reads<'_>) -> Result<(Found, Vec<RecordSet>), Fault> {
        let found = self.find(reads).await?;
        found.must_be_delegated_to(self).await?;
        found.must_be_nobodys().await?;
        let all = found.dns.record_sets(&found.name).await?;
        Ok((found, all))
    }
}

impl Found {
    /// Refuses a zone that nobody is sent to: several may have one name, and a change of the wrong one is accepted, and
    /// served, and met by no user. Its parent may name fewer of its servers, or name them otherwise.
    async fn must_be_delegated_to(&self, place: &Place) -> Result<(), Fault> {
        let delegation = match self.dns.delegation().await {
            Ok(delegation) => delegation,
            Err(fault) => Resolvers::instead_of(&*self.dns, fault).await?.name_servers().await?,
        };
        let zone = &self.zone;
        let list = |names: &[Name]| names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
        let others: Vec<&Name> =
            delegation.iter().filter(|server| !zone.name_servers.contains(server)).collect();
        if others.is_empty() && !delegation.is_empty() {
            return Ok(());
        }
        if zone.private {
            return Err(Fault::permanent(format!(
                "the resolvers of target `{}` do not answer from private zone {}: they say that {} is on {}, and this zone is on \
                 {}; name resolvers inside its network",
                place.target.name,
                zone.id,
                zone.name,
                if delegation.is_empty() { "no name server".to_owned() } else { list(&delegation) },
                list(&zone.name_servers)
            )));
        }
        let own: Vec<IpAddr> =
            self.dns.authorities().await?.iter().map(|authority| authority.address.ip()).collect();
        let mut strangers = Vec::new();
        for server in others {
            let addresses = self.dns.addresses(server).await.unwrap_or_default();
            strangers.extend((!addresses.iter().any(|ip| own.contains(ip))).then_some(server));
        }
        if strangers.is_empty() && !delegation.is_empty() {
            return Ok(());
        }
        let instead =
            if delegation.is_empty() { "nowhere".to_owned() } else { format!("to {}", list(&delegation)) };
        Err(Fault::permanent(format!(
            "users do not reach zone {} of target `{}`: the parent of {} sends them {instead}, and this zone is on {}; {}",
            zone.id,
            place.target.name,
            zone.name,
            list(&zone.name_servers),
            place.hand().correction(&zone.name)
        )))
    }

    /// A controller that owns the name would put it back.
    async fn must_be_nobodys(&self) -> Result<(), Fault> {
        for mark in sets::marks_of(&self.name) {
            if let Some(owner) = sets::owner(&self.dns.record_sets(&mark).await?) {
                return Err(Fault::permanent(format!(
                    "{} belongs to external-dns (owner `{owner}`, says the TXT record {mark}), which would put back \
                     whatever is changed: take the name from it first",
                    self.name
                )));
            }
        }
        Ok(())
    }

    /// What a preview tells of a zone that nobody may be able to change when it must be, and of what can only be met.
    pub(super) fn notes(&self) -> Vec<Arc<str>> {
        let Zone { id, name, accelerated, .. } = &self.zone;
        let Some(accelerated) = accelerated else { return Vec::new() };
        let protected = format!(
            "whether a record protection of Route 53 holds {} is not known before it is changed: then the change is refused, and \
             nothing was changed",
            self.name
        );
        let unrecoverable = (!accelerated).then(|| {
            format!(
                "zone {id} ({name}) has no Accelerated Recovery: while the control plane of Route 53 (us-east-1) is down no record \
                 of it can be changed, and nobody be led back; failover records that health checks decide on, and routing \
                 controls of ARC, need no change then"
            )
        });
        unrecoverable.into_iter().chain([protected]).map(Arc::from).collect()
    }

    /// The sets that say where the name leads, as listed; and those of its services, if they are asked for.
    pub(super) async fn listed(&self, services: bool) -> Result<Vec<RecordSet>, Fault> {
        Ok(sets::leading_with(&self.dns.record_sets(&self.name).await?, services))
    }
}
