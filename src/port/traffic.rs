//! Load balancers and the health of what stands behind them.

use crate::run::Fault;
use async_trait::async_trait;
use std::time::Duration;

/// A load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The name that its addresses are under.
    pub dns_name: String,
    /// The zone of that name, for aliases.
    pub zone_id: String,
    /// For how long a client may keep a connection: 3600 s unless set.
    pub keep_alive: Duration,
    /// How long one may be idle.
    pub idle_timeout: Duration,
}

/// One target of a target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetHealth {
    /// `address:port`.
    pub id: String,
    /// `healthy`, `initial`, `unhealthy`, `draining`, `unused`, `unavailable`.
    pub state: String,
    /// Why, in the provider's words.
    pub reason: Option<String>,
}

/// Looking at traffic.
#[async_trait]
pub trait ReadTraffic: Send + Sync {
    /// A load balancer by name; `None` if there is none.
    async fn load_balancer(&self, name: &str) -> Result<Option<LoadBalancer>, Fault>;
    /// The target groups behind a load balancer, by its ARN, as ARNs: metrics of hosts exist only by group.
    async fn target_groups(&self, load_balancer: &str) -> Result<Vec<String>, Fault>;
    /// The targets of a target group, by ARN.
    async fn targets(&self, group: &str) -> Result<Vec<TargetHealth>, Fault>;
}
