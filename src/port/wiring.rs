//! How a world that is not production is reached: what the sandbox tells, and the adapters go by.

use crate::plan::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// Where everything is on loopback. Absent in production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wiring {
    /// The name of the world.
    pub world: String,
    /// It is stopped when the run that it was started for is over; others are somebody else's.
    #[serde(default)]
    pub ends_with_run: bool,
    /// Base URL of the sandbox's own interface: `/wiring`, `/events`, `/report`, `/state`, `/faults`, `/stop`.
    pub control: String,
    /// Every AWS API: `http://127.0.0.1:4566`.
    pub aws_endpoint: String,
    /// The region in which everything of it is.
    #[serde(default)]
    pub region: String,
    /// Credentials that only the sandbox takes.
    pub access_key: String,
    /// Credentials that only the sandbox takes.
    pub secret_key: String,
    /// Answers for all names; stands for the system's resolver.
    pub resolver: SocketAddr,
    /// The port on which the addresses of name servers answer, in place of 53.
    pub dns_port: u16,
    /// Takes dynamic updates of zones that are not on AWS, signed by the credentials above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<SocketAddr>,
    /// Answers for all names over HTTP (RFC 8484); stands for every resolver that a plan names. `?zone=ID` says for which zone it
    /// is named: where that is private, it is inside its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https_resolver: Option<String>,
    /// Ports that stand for others on the addresses of this world: 443 → 8443.
    pub ports: BTreeMap<u16, u16>,
    /// The certificate authority of this world.
    pub ca_pem: String,
    /// Its time.
    pub time: WorldTime,
    /// Values for the plan's params that the world states.
    pub params: BTreeMap<String, serde_json::Value>,
    /// Values for the plan's secrets that the world states; they open nothing outside.
    pub secrets: BTreeMap<String, String>,
    /// Who answers approvals, in place of real people.
    pub people: Vec<Person>,
}

/// Somebody of the world who answers approvals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// As named in the plan's `people`.
    pub name: String,
    /// `approve`, `reject`, or `ignore`.
    pub answer: String,
    /// How long they take, in the world's time.
    pub after_ms: u64,
}

/// A clock that runs `scale` times as fast as the wall's, from `origin` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorldTime {
    /// When both showed the same.
    pub origin: Timestamp,
    /// How much faster it runs.
    pub scale: u32,
}

impl WorldTime {
    /// The world's time at a moment of the wall clock.
    #[must_use]
    pub fn at(&self, wall: Timestamp) -> Timestamp {
        Timestamp(
            self.origin
                .0
                .saturating_add(wall.0.saturating_sub(self.origin.0).saturating_mul(u64::from(self.scale))),
        )
    }

    /// How long a span of the world's time takes on the wall clock.
    #[must_use]
    pub fn on_wall(&self, span: Duration) -> Duration {
        span / self.scale.max(1)
    }
}
