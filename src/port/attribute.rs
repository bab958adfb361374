//! Attributes of load balancers and target groups: how long connections last, and how long a target that leaves is waited for.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What has attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// A load balancer.
    LoadBalancer,
    /// A target group.
    TargetGroup,
}

impl Owner {
    /// As plans write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::LoadBalancer => "load_balancer",
            Self::TargetGroup => "target_group",
        }
    }
}

impl fmt::Display for Owner {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LoadBalancer => "load balancer",
            Self::TargetGroup => "target group",
        })
    }
}

/// An attribute that is a span of time, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// For how long a client may keep a connection.
    ClientKeepAlive,
    /// For how long a connection may be idle.
    IdleTimeout,
    /// How long a target that leaves is given to answer what it has begun.
    DeregistrationDelay,
}

/// Attributes and their values.
pub type Attributes = BTreeMap<Attribute, Duration>;

impl Attribute {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ClientKeepAlive, Self::IdleTimeout, Self::DeregistrationDelay];

    /// As plans write it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ClientKeepAlive => "client_keep_alive",
            Self::IdleTimeout => "idle_timeout",
            Self::DeregistrationDelay => "deregistration_delay",
        }
    }

    /// As the provider, and its command line, call it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::ClientKeepAlive => "client_keep_alive.seconds",
            Self::IdleTimeout => "idle_timeout.timeout_seconds",
            Self::DeregistrationDelay => "deregistration_delay.timeout_seconds",
        }
    }

    /// What has it.
    #[must_use]
    pub fn owner(self) -> Owner {
        match self {
            Self::ClientKeepAlive | Self::IdleTimeout => Owner::LoadBalancer,
            Self::DeregistrationDelay => Owner::TargetGroup,
        }
    }

    /// The shortest and the longest that the provider takes.
    #[must_use]
    pub fn bounds(self) -> (Duration, Duration) {
        let (least, most) = match self {
            Self::ClientKeepAlive => (60, 604_800),
            Self::IdleTimeout => (1, 4000),
            Self::DeregistrationDelay => (0, 3600),
        };
        (Duration::from_secs(least), Duration::from_secs(most))
    }

    /// Whether the provider takes this.
    #[must_use]
    pub fn takes(self, value: Duration) -> bool {
        let (least, most) = self.bounds();
        value.subsec_nanos() == 0 && (least..=most).contains(&value)
    }

    /// What it is unless somebody sets it.
    #[must_use]
    pub fn usual(self) -> Duration {
        Duration::from_secs(match self {
            Self::ClientKeepAlive => 3600,
            Self::IdleTimeout => 60,
            Self::DeregistrationDelay => 300,
        })
    }

    /// The one that the provider calls so.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|attribute| attribute.key() == key)
    }
}

impl fmt::Display for Attribute {
    /// As plans write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
