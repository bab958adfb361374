//! The ports directly over a world in memory: no sockets, no wall clock, the same scripted faults as when it is served.
//!
//! Not here: wire formats (`sandbox`), what the world does (the rest of `sim`).

mod call;
mod clock;
mod compute;
mod dns;
mod files;
mod found;
mod gate;
mod http;
mod metrics;
mod parameters;
mod permissions;
mod process;
mod queries;
mod traffic;

pub use clock::VirtualClock;

use super::common::Common;
use super::world::World;
use crate::plan::{Target, Timestamp};
use crate::port::{
    Clock, ReadCompute, ReadDns, ReadFiles, ReadHttp, ReadMetrics, ReadParameters, ReadPermissions,
    ReadProcess, ReadQueries, ReadTraffic, ReadWorld, Urgency, WriteCompute, WriteDns, WriteHttp,
    WriteProcess, WriteTraffic, WriteWorld, dns::Name, dns::Zone,
};
use crate::run::Fault;
use call::Account;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// A world in memory, by the names that a plan gives its targets.
pub struct Ports {
    inside: Arc<Inside>,
    targets: Arc<[Arc<Target>]>,
}

/// What all ports of one world share.
struct Inside {
    clock: VirtualClock,
    world: Mutex<World>,
    known: Mutex<Known>,
    /// Faults were taken away, or the process died: whoever waits for that looks again.
    released: Notify,
}

/// What is asked once.
#[derive(Clone, Default)]
struct Known {
    accounts: Common<BTreeSet<String>>,
    zones: Common<BTreeMap<String, Zone>>,
    turn: u64,
}

impl Ports {
    /// Of a world, from the moment on at which it stands.
    #[must_use]
    pub fn new(world: World, targets: Vec<Arc<Target>>) -> Self {
        let clock = VirtualClock::new(world.now);
        let (known, released) = (Mutex::default(), Notify::new());
        let inside = Inside { clock, world: Mutex::new(world), known, released };
        Self { inside: Arc::new(inside), targets: targets.into() }
    }

    /// The same world at the same moment, once more, with all that was asked once: from here on the two go their own
    /// ways. Nobody waits in the new one.
    #[must_use]
    pub fn fork(&self) -> Self {
        let world = self.inside.look(|world, _| world.clone());
        let clock = VirtualClock::new(self.inside.clock.now());
        let known = Mutex::new(self.inside.known().clone());
        let inside = Inside { clock, world: Mutex::new(world), known, released: Notify::new() };
        Self { inside: Arc::new(inside), targets: self.targets.clone() }
    }

    /// Another process asks once more what is asked once.
    pub fn forget(&self) {
        let mut known = self.inside.known();
        *known = Known { turn: known.turn, ..Known::default() };
    }

    /// Its time, for whoever drives it.
    #[must_use]
    pub fn virtual_clock(&self) -> &VirtualClock {
        &self.inside.clock
    }

    /// The world as it is now, to look at or to change beside all ports. Calls that a fault held go on if it is gone.
    pub fn look<R>(&self, look: impl FnOnce(&mut World, Timestamp) -> R) -> R {
        let out = self.inside.look(look);
        self.inside.released.notify_waiters();
        out
    }

    /// Ends when the process that makes the calls dies: nothing that it waits for will ever come.
    pub async fn death(&self) {
        loop {
            let released = self.inside.released.notified();
            if self.inside.look(|world, _| world.ledger.died) {
                return;
            }
            released.await;
        }
    }

    fn account(&self, name: &str) -> Result<Account, Fault> {
        let number = self.says(name, "aws", "account")?;
        Ok(Account { inside: self.inside.clone(), number: Some(number) })
    }

    fn zone(&self, name: &str) -> Result<dns::HostedZone, Fault> {
        if self.targets.iter().any(|target| &*target.name == name && &*target.kind == "rfc2136") {
            let account = Account { inside: self.inside.clone(), number: None };
            let id = Name::new(&self.says(name, "rfc2136", "name")?).to_string();
            return Ok(dns::HostedZone {
                account,
                id,
                calls: &dns::PRIMARY,
                resolvers: self.resolvers(name),
            });
        }
        let account = self.account(&self.says(name, "route53", "aws")?)?;
        let id = self.says(name, "route53", "zone_id")?;
        let id = id.trim_start_matches("/hostedzone/").into();
        Ok(dns::HostedZone { account, id, calls: &dns::ROUTE53, resolvers: self.resolvers(name) })
    }

    /// Those that the plan names for a zone.
    fn resolvers(&self, name: &str) -> Vec<Arc<str>> {
        let target = self.targets.iter().find(|target| &*target.name == name);
        target.into_iter().flat_map(|target| target.lists("resolvers")).map(Arc::from).collect()
    }

    fn says(&self, name: &str, kind: &str, field: &str) -> Result<String, Fault> {
        let found = self.targets.iter().find(|target| &*target.name == name);
        let found = found.ok_or_else(|| Fault::permanent(format!("the plan has no target `{name}`")))?;
        if &*found.kind != kind {
            let text = format!("target `{name}` is of kind {}, and {kind} is needed", found.kind);
            return Err(Fault::permanent(text));
        }
        let missing = || Fault::permanent(format!("target `{name}` does not say its `{field}`"));
        found.says(field).ok_or_else(missing)
    }
}

impl Inside {
    fn look<R>(&self, look: impl FnOnce(&mut World, Timestamp) -> R) -> R {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.now());
        let now = world.now;
        look(&mut world, now)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no other question got.
    fn turn(&self) -> u64 {
        let mut known = self.known();
        known.turn += 1;
        known.turn
    }
}

impl ReadWorld for Ports {
    fn clock(&self) -> &dyn Clock {
        &self.inside.clock
    }
    fn dns(&self, target: &str) -> Result<Arc<dyn ReadDns>, Fault> {
        Ok(Arc::new(self.zone(target)?))
    }
    fn compute(&self, target: &str) -> Result<Arc<dyn ReadCompute>, Fault> {
        Ok(Arc::new(self.account(target)?))
    }
    fn traffic(&self, target: &str) -> Result<Arc<dyn ReadTraffic>, Fault> {
        Ok(Arc::new(self.account(target)?))
    }
    fn metrics(&self, target: &str) -> Result<Arc<dyn ReadMetrics>, Fault> {
        Ok(Arc::new(self.account(target)?))
    }
    fn parameters(&self, target: &str) -> Result<Arc<dyn ReadParameters>, Fault> {
        Ok(Arc::new(self.account(target)?))
    }
    fn permissions(&self, target: &str) -> Result<Arc<dyn ReadPermissions>, Fault> {
        Ok(Arc::new(self.account(target)?))
    }
    fn queries(&self, target: &str) -> Result<Arc<dyn ReadQueries>, Fault> {
        self.says(target, "prometheus", "url")?;
        Ok(Arc::new(queries::Server(self.inside.clone())))
    }
    fn files(&self) -> &dyn ReadFiles {
        &*self.inside
    }
    fn http(&self) -> &dyn ReadHttp {
        &*self.inside
    }
    fn process(&self) -> &dyn ReadProcess {
        &*self.inside
    }
}

impl WriteWorld for Ports {
    fn change_dns(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteDns>, Fault> {
        Ok(Arc::new(dns::Changing { zone: self.zone(target)?, until }))
    }
    fn change_compute(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteCompute>, Fault> {
        Ok(Arc::new(compute::Changing { account: self.account(target)?, until }))
    }
    fn change_traffic(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteTraffic>, Fault> {
        Ok(Arc::new(compute::Changing { account: self.account(target)?, until }))
    }
    fn send_http(&self) -> &dyn WriteHttp {
        &*self.inside
    }
    fn run_process(&self) -> &dyn WriteProcess {
        &*self.inside
    }
    fn as_reads(&self) -> &dyn ReadWorld {
        self
    }
    /// Nothing here limits calls.
    fn serving(self: Arc<Self>, _: Urgency) -> Arc<dyn WriteWorld> {
        self
    }
}
