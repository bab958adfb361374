//! What all servers of one sandbox share: the world behind a lock, its time, and who is told when it changes.

use super::clock::{ScaledClock, wall};
use crate::plan::Timestamp;
use crate::sim::World;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Shared by all servers.
#[derive(Debug)]
pub(super) struct Shared {
    world: Mutex<World>,
    /// Where tasks really listen.
    pub(super) listening: Mutex<BTreeMap<String, SocketAddr>>,
    /// Its time.
    pub(super) clock: ScaledClock,
    /// Something changed that sockets should follow.
    pub(super) changed: Notify,
    /// A load balancer may be gone.
    pub(super) torn_down: Notify,
    /// Faults were taken away: whoever is held looks again.
    pub(super) released: Notify,
    /// Ends everything.
    pub(super) stop: CancellationToken,
    /// The users.
    pub(super) users: Mutex<super::report::Traffic>,
    /// What an access key must be.
    pub(super) access_key: String,
    last_call: AtomicU64,
    calls: AtomicU64,
}

impl Shared {
    pub(super) fn new(world: World, clock: ScaledClock, access_key: String) -> Arc<Self> {
        Arc::new(Self {
            world: Mutex::new(world),
            listening: Mutex::default(),
            clock,
            changed: Notify::new(),
            torn_down: Notify::new(),
            released: Notify::new(),
            stop: CancellationToken::new(),
            users: Mutex::default(),
            access_key,
            last_call: AtomicU64::new(wall().0),
            calls: AtomicU64::new(0),
        })
    }

    /// The world as it is now.
    pub(super) fn look<R>(&self, look: impl FnOnce(&mut World, Timestamp) -> R) -> R {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        world.advance(now);
        // Two calls may see the same moment; time never runs back.
        let now = world.now;
        look(&mut world, now)
    }

    /// The world as it is now, to change it.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut World, Timestamp) -> R) -> R {
        let out = self.look(change);
        self.changed.notify_one();
        self.torn_down.notify_waiters();
        out
    }

    /// Somebody called: the sandbox is not idle. Returns a number for the call.
    pub(super) fn touch(&self) -> u64 {
        self.last_call.store(wall().0, Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// When somebody last called, on the wall clock.
    pub(super) fn last_call(&self) -> Timestamp {
        Timestamp(self.last_call.load(Ordering::Relaxed))
    }
}
