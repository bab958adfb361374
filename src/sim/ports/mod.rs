//! The ports directly over a world in memory: no sockets, no wall clock, the same scripted faults as when it is served.
//!
//! Not here: wire formats (`sandbox`), what the world does (the rest of `sim`). Commands are not modelled.

mod call;
mod clock;
mod compute;
mod dns;
mod http;
mod metrics;
mod process;
mod traffic;

pub use clock::VirtualClock;

use super::fault::{FaultKind, FaultRule, Met};
use super::world::World;
use crate::plan::{Target, Timestamp};
use crate::port::{
    Clock, ReadCompute, ReadDns, ReadHttp, ReadMetrics, ReadProcess, ReadTraffic, ReadWorld, WriteCompute,
    WriteDns, WriteHttp, WriteProcess, WriteWorld, dns::Zone,
};
use crate::run::Fault;
use call::Account;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// A world in memory, by the names that a plan gives its targets.
pub struct Ports {
    inside: Arc<Inside>,
    targets: Vec<Arc<Target>>,
}

/// What all ports of one world share.
struct Inside {
    clock: VirtualClock,
    world: Mutex<World>,
    known: Mutex<Known>,
    /// Faults were taken away: whoever is held looks again.
    released: Notify,
}

/// What is asked once.
#[derive(Default)]
struct Known {
    accounts: BTreeSet<String>,
    zones: BTreeMap<String, Zone>,
    turn: u64,
}

impl Ports {
    /// Of a world, from the moment on at which it stands.
    #[must_use]
    pub fn new(world: World, targets: Vec<Arc<Target>>) -> Self {
        let clock = VirtualClock::new(world.now);
        let (known, released) = (Mutex::default(), Notify::new());
        Self { inside: Arc::new(Inside { clock, world: Mutex::new(world), known, released }), targets }
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

    fn account(&self, name: &str) -> Result<Account, Fault> {
        let number = self.says(name, "aws", "account")?;
        Ok(Account { inside: self.inside.clone(), number })
    }

    fn zone(&self, name: &str) -> Result<dns::HostedZone, Fault> {
        let account = self.account(&self.says(name, "route53", "aws")?)?;
        let id = self.says(name, "route53", "zone_id")?;
        Ok(dns::HostedZone { account, id: id.trim_start_matches("/hostedzone/").into() })
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

    async fn wait(&self, span: Duration) {
        self.clock.sleep_until(self.clock.now().after(span)).await;
    }

    /// Answers a call as the fault that it meets wants it, if it meets one; counts it. `None`: no answer comes.
    async fn meet<T, F: Future<Output = Option<T>> + Send>(
        &self,
        (service, operation, request): (&str, &str, &str),
        refuse: impl FnOnce(FaultRule) -> T + Send,
        perform: impl FnOnce() -> F + Send,
    ) -> Option<T> {
        let Met { hold: held, fate } = self.look(|world, _| world.faults.meet(service, operation, request));
        let held = |kind| held.as_ref().filter(|fault| fault.rule.kind == kind).map(|fault| fault.id);
        if let Some(fault) = held(FaultKind::HoldBefore) {
            self.hold(fault).await;
        }
        let answered = match fate {
            None => perform().await,
            Some(fault) => match fault.rule.kind {
                FaultKind::Throttle | FaultKind::Error => Some(refuse(fault.rule)),
                FaultKind::DropBefore => None,
                FaultKind::DropAfter => perform().await.and(None),
                FaultKind::Delay => {
                    self.wait(fault.rule.delay.0).await;
                    perform().await
                }
                FaultKind::Change => {
                    if let Some(deed) = fault.rule.change {
                        // A deed that is refused changes nothing; whoever scripted it will see that.
                        let _ = self.look(|world, now| world.perform(*deed, now));
                    }
                    perform().await
                }
                FaultKind::HoldBefore | FaultKind::HoldAfter => perform().await,
            },
        };
        if let Some(fault) = held(FaultKind::HoldAfter) {
            self.hold(fault).await;
        }
        self.look(|world, _| world.faults.answered(service, operation));
        answered
    }

    /// Waits as long as the fault is in place.
    async fn hold(&self, fault: u64) {
        /// Also when the caller goes away, and this wait with it.
        struct Held<'a>(&'a Inside, u64);
        impl Drop for Held<'_> {
            fn drop(&mut self) {
                self.0.look(|world, _| world.faults.hold(self.1, false));
            }
        }
        self.look(|world, _| world.faults.hold(fault, true));
        let _held = Held(self, fault);
        loop {
            let released = self.released.notified();
            if !self.look(|world, _| world.faults.in_place(fault)) {
                return;
            }
            released.await;
        }
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
    fn http(&self) -> &dyn ReadHttp {
        &*self.inside
    }
    fn process(&self) -> &dyn ReadProcess {
        &process::NotModelled
    }
}

impl WriteWorld for Ports {
    fn change_dns(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteDns>, Fault> {
        Ok(Arc::new(dns::Changing { zone: self.zone(target)?, until }))
    }
    fn change_compute(&self, target: &str, until: Timestamp) -> Result<Arc<dyn WriteCompute>, Fault> {
        Ok(Arc::new(compute::Changing { account: self.account(target)?, until }))
    }
    fn send_http(&self) -> &dyn WriteHttp {
        &*self.inside
    }
    fn run_process(&self) -> &dyn WriteProcess {
        &process::NotModelled
    }
    fn as_reads(&self) -> &dyn ReadWorld {
        self
    }
}
