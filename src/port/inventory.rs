//! What an account has, for whoever does not know its names yet.
//!
//! A plan names what it means, so no step needs this: it is for drafting a plan, and for saying what was meant where a name is
//! not there.

use super::dns::Name;
use crate::run::Fault;
use async_trait::async_trait;

/// Whose account it is, and how one gets there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account's number, as the provider told it.
    pub account: String,
    /// The region.
    pub region: String,
    /// The profile of the credentials; `None`: the default ones.
    pub profile: Option<String>,
}

/// A zone as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedZone {
    /// The provider's id: several zones may have one name.
    pub id: String,
    /// Its name.
    pub name: Name,
    /// Only resolvers inside its network answer from it.
    pub private: bool,
}

/// A load balancer as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedBalancer {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The name that its addresses are under.
    pub dns_name: Name,
    /// It balances requests, not connections: only then what it counts can be measured.
    pub application: bool,
}

/// Looking at what there is.
#[async_trait]
pub trait ReadInventory: Send + Sync {
    /// All zones.
    async fn zones(&self) -> Result<Vec<ListedZone>, Fault>;
    /// Names that have records in a zone, by its id, each once; of a large zone a part.
    async fn names(&self, zone: &str) -> Result<Vec<Name>, Fault>;
    /// All clusters, by name.
    async fn clusters(&self) -> Result<Vec<String>, Fault>;
    /// All services of a cluster, by name.
    async fn services(&self, cluster: &str) -> Result<Vec<String>, Fault>;
    /// All load balancers.
    async fn load_balancers(&self) -> Result<Vec<ListedBalancer>, Fault>;
}
