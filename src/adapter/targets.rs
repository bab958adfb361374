//! The targets of a plan: each becomes a connection when it is first asked for, and two that mean the same place
//! share one.

use super::aws::{Account, HostedZone, Place, Transport};
use super::dns::{self, HttpsResolver, Resolver};
use super::named::target;
use super::rfc2136::UpdatedZone;
use super::{Budgets, Http};
use crate::plan::{Scope, Target, Timestamp};
use crate::port::dns::Name;
use crate::port::{
    AskResolver, Caller, Clock, ReadCompute, ReadDns, ReadInventory, ReadMetrics, ReadParameters,
    ReadPermissions, ReadTraffic, Urgency, Wiring, WriteCompute, WriteDns, WriteTraffic,
};
use crate::run::Fault;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub(super) struct Targets {
    all: Vec<Arc<Target>>,
    clock: Arc<dyn Clock>,
    http: Arc<Http>,
    wiring: Option<Wiring>,
    /// What keys of targets name.
    secrets: OnceLock<Scope>,
    transport: Arc<Transport>,
    budgets: Budgets,
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    accounts: Vec<(Place, Account)>,
    zones: BTreeMap<Arc<str>, Arc<HostedZone>>,
    updated: BTreeMap<Arc<str>, Arc<UpdatedZone>>,
}

/// The account that the credentials of this shell, or of a profile, are of, and what is in it; nothing there is stated.
///
/// # Errors
/// There are no credentials, or none that are taken; no region is set.
pub async fn inventory(
    profile: Option<&str>,
    region: Option<&str>,
    clock: Arc<dyn Clock>,
    wiring: Option<&Wiring>,
    budgets: &Budgets,
) -> Result<(Caller, Arc<dyn ReadInventory>), Fault> {
    let account = Account::found(profile, region, clock, wiring, budgets).await?;
    Ok((account.caller(), Arc::new(account)))
}

impl Targets {
    pub(super) fn new(
        all: &[Arc<Target>],
        clock: Arc<dyn Clock>,
        http: Arc<Http>,
        wiring: Option<Wiring>,
        budgets: Budgets,
    ) -> Self {
        let (secrets, transport, made) = (OnceLock::new(), Arc::default(), Mutex::default());
        Self { all: all.to_vec(), clock, http, wiring, secrets, transport, budgets, made }
    }

    /// Tells the secrets of the plan, once.
    pub(super) fn know(&self, secrets: Scope) {
        let _ = self.secrets.set(secrets);
    }

    pub(super) fn dns(&self, name: &str, urgency: Urgency) -> Result<Arc<dyn ReadDns>, Fault> {
        if self.is_updated(name) {
            return Ok(self.updated(name)?);
        }
        Ok(self.zone(name, urgency)?)
    }

    pub(super) fn change_dns(
        &self,
        name: &str,
        until: Timestamp,
        urgency: Urgency,
    ) -> Result<Arc<dyn WriteDns>, Fault> {
        if self.is_updated(name) {
            return Ok(Arc::new(self.updated(name)?.until(until)));
        }
        Ok(Arc::new(self.zone(name, urgency)?.until(until)))
    }

    pub(super) fn compute(&self, name: &str, urgency: Urgency) -> Result<Arc<dyn ReadCompute>, Fault> {
        Ok(self.account(name, urgency)?)
    }

    pub(super) fn change_compute(
        &self,
        name: &str,
        until: Timestamp,
        urgency: Urgency,
    ) -> Result<Arc<dyn WriteCompute>, Fault> {
        Ok(Arc::new(self.account(name, urgency)?.until(until)))
    }

    pub(super) fn traffic(&self, name: &str, urgency: Urgency) -> Result<Arc<dyn ReadTraffic>, Fault> {
        Ok(self.account(name, urgency)?)
    }

    pub(super) fn change_traffic(
        &self,
        name: &str,
        until: Timestamp,
        urgency: Urgency,
    ) -> Result<Arc<dyn WriteTraffic>, Fault> {
        Ok(Arc::new(self.account(name, urgency)?.until(until)))
    }

    pub(super) fn metrics(&self, name: &str, urgency: Urgency) -> Result<Arc<dyn ReadMetrics>, Fault> {
        Ok(self.account(name, urgency)?)
    }

    pub(super) fn parameters(&self, name: &str, urgency: Urgency) -> Result<Arc<dyn ReadParameters>, Fault> {
        Ok(self.account(name, urgency)?)
    }

    pub(super) fn permissions(
        &self,
        name: &str,
        urgency: Urgency,
    ) -> Result<Arc<dyn ReadPermissions>, Fault> {
        Ok(self.account(name, urgency)?)
    }

    /// The targets that cannot be looked at, or not until then, each with why: accounts, or zones if nothing is wrong with
    /// those.
    pub(super) async fn unseen(&self, until: Option<Timestamp>) -> Vec<(Arc<str>, Fault)> {
        let mut found = Vec::new();
        for kind in ["aws", "route53", "rfc2136"] {
            for target in self.all.iter().filter(|target| &*target.kind == kind) {
                found.extend(
                    self.look_at(target, until).await.err().map(|fault| (target.name.clone(), fault)),
                );
            }
            if !found.is_empty() {
                break;
            }
        }
        found
    }

    async fn look_at(&self, target: &Target, until: Option<Timestamp>) -> Result<(), Fault> {
        match &*target.kind {
            "route53" => self.zone(&target.name, Urgency::default())?.zone().await.map(drop),
            "rfc2136" => self.updated(&target.name)?.check().await,
            _ => self.account(&target.name, Urgency::default())?.assert_account(until).await,
        }
    }

    fn zone(&self, name: &str, urgency: Urgency) -> Result<Arc<HostedZone>, Fault> {
        let target = target(&self.all, name, "route53")?;
        if let Some(zone) = self.made().zones.get(name) {
            return Ok(Arc::new(zone.serving(urgency)));
        }
        let text = |field: &str| {
            let missing = || Fault::permanent(format!("target `{name}` does not say its `{field}`"));
            target.says(field).ok_or_else(missing)
        };
        let account = self.account(&text("aws")?, urgency)?;
        let resolver = self.wiring.as_ref().map_or(Resolver::System, |wiring| Resolver::At(wiring.resolver));
        let port = self.wiring.as_ref().map_or(dns::PORT, |wiring| wiring.dns_port);
        let zone = HostedZone::new(account, &text("zone_id")?, resolver, port);
        let zone = Arc::new(zone.or_else_asking(self.resolvers(target)));
        self.made().zones.insert(name.into(), zone.clone());
        Ok(zone)
    }

    fn resolvers(&self, target: &Target) -> Vec<Arc<dyn AskResolver>> {
        let instead = self.wiring.as_ref().and_then(|wiring| wiring.https_resolver.as_ref());
        // A world knows by the zone in whose network a resolver stands that is named for it.
        let instead = instead.map(|url| format!("{url}?zone={}", zone_of(target)));
        let resolver = |url| -> Arc<dyn AskResolver> {
            Arc::new(HttpsResolver::new(url, instead.as_deref(), self.http.clone()))
        };
        target.lists("resolvers").map(resolver).collect()
    }

    fn is_updated(&self, name: &str) -> bool {
        self.all.iter().any(|target| &*target.name == name && &*target.kind == "rfc2136")
    }

    fn updated(&self, name: &str) -> Result<Arc<UpdatedZone>, Fault> {
        let target = target(&self.all, name, "rfc2136")?;
        if let Some(zone) = self.made().updated.get(name) {
            return Ok(zone.clone());
        }
        let secrets = self.secrets.get_or_init(Scope::default);
        let zone = UpdatedZone::read(target, secrets, self.clock.clone(), self.wiring.as_ref())?;
        let zone = Arc::new(zone.asking(self.resolvers(target)));
        self.made().updated.insert(name.into(), zone.clone());
        Ok(zone)
    }

    fn account(&self, name: &str, urgency: Urgency) -> Result<Arc<Account>, Fault> {
        let target = target(&self.all, name, "aws")?;
        let place = Place::read(target)?;
        let mut made = self.made();
        if let Some((_, account)) = made.accounts.iter().find(|(known, _)| *known == place) {
            return Ok(Arc::new(account.serving(urgency)));
        }
        let (clock, transport) = (self.clock.clone(), self.transport.clone());
        let account =
            Account::new(place.clone(), clock, transport, self.wiring.as_ref(), self.budgets.clone());
        let found = Arc::new(account.serving(urgency));
        made.accounts.push((place, account));
        Ok(found)
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a world calls the zone of a target: by its id, or by its name where it is on a primary server.
fn zone_of(target: &Target) -> String {
    match target.says("zone_id") {
        Some(id) => id.trim_start_matches("/hostedzone/").to_owned(),
        None => Name::new(&target.says("name").unwrap_or_default()).to_string(),
    }
}
