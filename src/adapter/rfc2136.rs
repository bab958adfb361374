//! A zone on its primary server, changed by dynamic updates (RFC 2136) that a shared key signs (TSIG, RFC 8945): BIND, Knot,
//! and whoever speaks as they do.
//!
//! An update states what it was made from, each set exactly as it was read and the serial of the zone, so that it is
//! refused if anything was changed since. A server says NOERROR also where it ignores a part, so what is there is read
//! back before anybody believes it. The signature holds until the deadline of the intent: a server that comes to read it
//! later refuses it.
//! Not here: what a change is for.

mod key;
mod line;
mod primary;
mod sets;
#[cfg(test)]
mod tests;

use super::dns::{self, Resolver};
use crate::plan::{Scope, Target, Template, Timestamp, Value, name_server};
use crate::port::dns::{
    AskResolver, Authority, ChangeId, ChangeStatus, Name, RecordChange, RecordSet, RecordType, Served, Zone,
};
use crate::port::{Clock, ReadDns, Wiring, WriteDns};
use crate::run::Fault;
use async_trait::async_trait;
use key::Key;
use primary::{Primary, Server};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::OnceCell;

/// What names a change that was accepted: the serial that the zone had then.
const SERIAL: &str = "serial ";

/// A zone.
pub(super) struct UpdatedZone {
    primary: Primary,
    resolver: Resolver,
    /// Where the name servers that a zone names answer.
    port: u16,
    /// Stated by the plan, in place of those.
    stated: Vec<(Name, u16)>,
    /// What they keep is asked for; none of them stands in for a name server.
    resolvers: Vec<Arc<dyn AskResolver>>,
    zone: OnceCell<Zone>,
}

impl UpdatedZone {
    /// Reads what a target of kind `rfc2136` says.
    ///
    /// # Errors
    /// What it lacks; never a secret.
    pub(super) fn read(
        target: &Target,
        secrets: &Scope,
        clock: Arc<dyn Clock>,
        wiring: Option<&Wiring>,
    ) -> Result<Self, Fault> {
        let missing =
            |field: &str| Fault::permanent(format!("target `{}` does not say its `{field}`", target.name));
        let text = |field: &str| target.says(field).ok_or_else(|| missing(field));
        let zone = Name::new(&text("name")?);
        let server = text("server")?;
        if let Some(wiring) = wiring {
            let wrong = |why| Fault::permanent(format!("the world's wiring: {why}"));
            // Nothing that the plan says of servers and keys leads out of such a world.
            let address = wiring.primary.ok_or_else(|| wrong("it has no primary server".to_owned()))?;
            let key = Key::plain(&wiring.access_key, "hmac-sha256", wiring.secret_key.clone().into());
            let primary = Primary { clock, zone, server: Server::At(address), key: key.map_err(wrong)? };
            let resolver = Resolver::At(wiring.resolver);
            return Ok(Self {
                primary,
                resolver,
                port: wiring.dns_port,
                stated: Vec::new(),
                resolvers: Vec::new(),
                zone: OnceCell::new(),
            });
        }
        let place = |text: &str| {
            let odd = || Fault::permanent(format!("target `{}`: `{text}` is no server", target.name));
            name_server(text).map(|(host, port)| (Name::new(host), port)).ok_or_else(odd)
        };
        let (host, port) = place(&server)?;
        let stated: Result<Vec<(Name, u16)>, Fault> = target.lists("name_servers").map(place).collect();
        let primary = Primary { clock, zone, server: Server::Named(host, port), key: key(target, secrets)? };
        Ok(Self {
            primary,
            resolver: Resolver::System,
            port: dns::PORT,
            stated: stated?,
            resolvers: Vec::new(),
            zone: OnceCell::new(),
        })
    }

    /// The same, with these resolvers.
    pub(super) fn asking(self, resolvers: Vec<Arc<dyn AskResolver>>) -> Self {
        Self { resolvers, ..self }
    }

    /// The same, for changing until then.
    pub(super) fn until(self: &Arc<Self>, until: Timestamp) -> impl WriteDns + use<> {
        Changing { zone: self.clone(), until }
    }

    /// Whether the zone is there, and its server takes updates by this key. Changes nothing.
    pub(super) async fn check(&self) -> Result<(), Fault> {
        self.zone().await?;
        self.primary.may_update().await
    }
}

/// The key that a target names.
fn key(target: &Target, secrets: &Scope) -> Result<Key, Fault> {
    let wrong = |why: &str| Fault::permanent(format!("target `{}`: its key: {why}", target.name));
    let says = |field: &str| target.with.get("key").and_then(|key| key.get(field)).and_then(Value::as_text);
    let need = |field: &str| says(field).ok_or_else(|| wrong(&format!("it does not say its `{field}`")));
    let unread = |error: crate::plan::ExprError| wrong(&error.to_string());
    let secret = Template::parse(need("secret")?, &Arc::default()).map_err(unread)?;
    let secret = secret.render(secrets).map_err(unread)?;
    let algorithm = says("algorithm").map_or("hmac-sha256", |name| &**name);
    Key::new(need("name")?, algorithm, &secret).map_err(|why| wrong(&why))
}

#[async_trait]
impl ReadDns for UpdatedZone {
    async fn zone(&self) -> Result<Zone, Fault> {
        // Its name servers are those of the whole run.
        let asking = async {
            let mut name_servers: Vec<Name> = self.stated.iter().map(|(name, _)| name.clone()).collect();
            let named = self.primary.name_servers().await?;
            if name_servers.is_empty() {
                name_servers = named;
            }
            let name = self.primary.zone.clone();
            Ok(Zone { id: name.to_string(), name, name_servers, private: false, accelerated: None })
        };
        Box::pin(self.zone.get_or_try_init(|| asking)).await.cloned()
    }

    async fn record_sets(&self, name: &Name) -> Result<Vec<RecordSet>, Fault> {
        let there = self.primary.read(std::slice::from_ref(name)).await?;
        Ok(there.sets.into_iter().map(|listed| listed.set).collect())
    }

    async fn status(&self, change: &ChangeId) -> Result<ChangeStatus, Fault> {
        // A primary server has nothing behind it: what it accepted, it serves.
        let ours = change.0.starts_with(SERIAL);
        Ok(if ours { ChangeStatus::Insync } else { ChangeStatus::Unknown })
    }

    async fn delegation(&self) -> Result<Vec<Name>, Fault> {
        if self.stated.is_empty() {
            return dns::delegation(self.resolver, self.port, &self.primary.zone).await;
        }
        // Nobody is delegated to, says the plan: resolvers are told where to ask.
        Ok(self.zone().await?.name_servers)
    }

    async fn authorities(&self) -> Result<Vec<Authority>, Fault> {
        let zone = self.zone().await?;
        let named = || zone.name_servers.iter().map(|name| (name.clone(), self.port)).collect();
        let servers = if self.stated.is_empty() { named() } else { self.stated.clone() };
        dns::authorities(self.resolver, &servers, &zone.name).await
    }

    async fn ask(&self, authority: &Authority, name: &Name, kind: &RecordType) -> Result<Served, Fault> {
        dns::ask(authority, name, kind).await
    }

    async fn addresses(&self, name: &Name) -> Result<Vec<IpAddr>, Fault> {
        self.resolver.addresses(name.as_str()).await
    }

    fn resolvers(&self) -> Vec<Arc<dyn AskResolver>> {
        self.resolvers.clone()
    }
}

/// A zone, for changing until a deadline.
struct Changing {
    zone: Arc<UpdatedZone>,
    until: Timestamp,
}

#[async_trait]
impl WriteDns for Changing {
    async fn change(&self, batch: &[RecordChange], _: &str) -> Result<ChangeId, Fault> {
        let serial = self.zone.primary.change(batch, self.until).await?;
        Ok(ChangeId(format!("{SERIAL}{serial}")))
    }
}
