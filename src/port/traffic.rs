//! Load balancers, the health of what stands behind them, and the rules by which requests are dealt.

use super::attribute::{Attributes, Owner};
use crate::run::Fault;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
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
    /// `healthy`, `initial`, `unhealthy`, `unhealthy.draining`, `draining`, `unused`, `unavailable`.
    pub state: String,
    /// Why, in the provider's words.
    pub reason: Option<String>,
}

/// A listener of a load balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its ARN.
    pub arn: String,
    /// Where it listens.
    pub port: u16,
}

/// A rule of a listener: what becomes of the requests that it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its ARN.
    pub arn: String,
    /// The ARN of its listener.
    pub listener: String,
    /// The lowest goes first; `None`: the listener's default, for all that no other rule takes.
    pub priority: Option<u32>,
    /// Which requests, in the provider's words: `path-pattern /api/*`.
    pub conditions: Vec<String>,
    /// What it does, in order.
    pub actions: Vec<RuleAction>,
}

/// One action of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleAction {
    /// Its place among the others, where the provider states one.
    pub order: Option<u32>,
    /// What it does.
    pub does: Does,
}

/// What an action of a rule does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Does {
    /// Deals requests among target groups.
    Forward(Forward),
    /// Anything else, as the provider's command line takes it.
    Other(Json),
}

/// How requests are dealt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The shares of target groups.
    pub groups: Vec<Share>,
    /// For how long a client stays with the group that it came to; `None`: it is dealt anew each time.
    pub sticks: Option<Duration>,
}

/// The share of a target group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Share {
    /// Its ARN.
    pub group: String,
    /// 0 to [`Share::MOST`]: its part of the sum of all.
    pub weight: u32,
}

impl Share {
    /// The largest weight.
    pub const MOST: u32 = 999;
}

impl Rule {
    /// Its forward action, if it has one.
    #[must_use]
    pub fn forward(&self) -> Option<&Forward> {
        self.actions.iter().find_map(|action| match &action.does {
            Does::Forward(forward) => Some(forward),
            Does::Other(_) => None,
        })
    }

    /// Its actions, with these shares in place of those that it has.
    #[must_use]
    pub fn dealing(&self, groups: &[Share]) -> Vec<RuleAction> {
        let mut actions = self.actions.clone();
        for action in &mut actions {
            if let Does::Forward(forward) = &mut action.does {
                forward.groups = groups.to_vec();
            }
        }
        actions
    }
}

/// Looking at traffic.
#[async_trait]
pub trait ReadTraffic: Send + Sync {
    /// A load balancer by name; `None` if there is none.
    async fn load_balancer(&self, name: &str) -> Result<Option<LoadBalancer>, Fault>;
    /// The target groups behind a load balancer, by its ARN, as ARNs: metrics of hosts exist only by group.
    async fn target_groups(&self, load_balancer: &str) -> Result<Vec<String>, Fault>;
    /// The targets of a target group, by ARN; `None` if there is no such group.
    async fn target_health(&self, group: &str) -> Result<Option<Vec<TargetHealth>>, Fault>;
    /// The targets of a target group that has to be there, by ARN.
    async fn targets(&self, group: &str) -> Result<Vec<TargetHealth>, Fault> {
        let found = self.target_health(group).await?;
        found.ok_or_else(|| Fault::permanent(format!("there is no target group {group}")))
    }
    /// A target group by its name, as ARN; `None` if there is none.
    async fn target_group(&self, name: &str) -> Result<Option<String>, Fault>;
    /// The listeners of a load balancer, by its ARN.
    async fn listeners(&self, load_balancer: &str) -> Result<Vec<Listener>, Fault>;
    /// All rules of a listener, by its ARN, the default one too.
    async fn rules(&self, listener: &str) -> Result<Vec<Rule>, Fault>;
    /// A rule by its ARN; `None` if there is none.
    async fn rule(&self, arn: &str) -> Result<Option<Rule>, Fault>;
    /// The attributes that a load balancer or a target group tells, by its ARN; `None` if there is none. Of a load balancer
    /// they are what [`ReadTraffic::load_balancer`] tells of it.
    async fn attributes(&self, owner: Owner, arn: &str) -> Result<Option<Attributes>, Fault>;
}

/// Changing traffic.
#[async_trait]
pub trait WriteTraffic: Send + Sync {
    /// Has a rule do this. What else it says stays. The call takes no condition: whoever sends it has just looked.
    async fn set_actions(&self, rule: &Rule, actions: &[RuleAction]) -> Result<(), Fault>;
    /// Sets these attributes, all in one call, and no others. It takes no condition: whoever sends it has just looked.
    async fn set_attributes(&self, owner: Owner, arn: &str, attributes: &Attributes) -> Result<(), Fault>;
}
