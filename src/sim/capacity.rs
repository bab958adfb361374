//! What tasks of services are placed on, as a world file states it. Whatever it says, tasks of a world find a place: it is there
//! to be asked about.

use super::compute::Service;
use super::world::World;
use crate::port::{CapacityProvider, Placement};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// What tasks of a service are placed on, where that is not what the provider has for all:
/// `{ provider: ours, status: DEPROVISIONING }` or `{ instances: 3 }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CapacityFile {
    /// A capacity provider, by name; none: instances of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Of a provider: `ACTIVE` unless stated; `MISSING` where the cluster has none of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How many instances are registered in the cluster for it.
    pub instances: u32,
}

impl CapacityFile {
    /// In the words of callers.
    #[must_use]
    pub fn placement(&self) -> Placement {
        match &self.provider {
            Some(provider) => Placement::by(vec![provider.clone()]),
            None => Placement::Instances,
        }
    }
}

impl Service {
    /// What its tasks are placed on, as the service tells: under which key, and what.
    #[must_use]
    pub fn placed(&self) -> (&'static str, Json) {
        match self.capacity.as_ref().map(|capacity| &capacity.provider) {
            None => ("launchType", json!("FARGATE")),
            Some(None) => ("launchType", json!("EC2")),
            Some(Some(name)) => {
                ("capacityProviderStrategy", json!([{"capacityProvider": name, "weight": 1, "base": 0}]))
            }
        }
    }
}

impl World {
    /// How many instances are registered in a cluster.
    #[must_use]
    pub fn instances(&self, cluster: &str) -> u32 {
        self.capacities(cluster).map(|capacity| capacity.instances).sum()
    }

    /// How a capacity provider of a cluster stands.
    #[must_use]
    pub fn capacity_provider(&self, cluster: &str, name: &str) -> CapacityProvider {
        let own = self.capacities(cluster).find(|capacity| capacity.provider.as_deref() == Some(name));
        let status = own.map(|capacity| capacity.status.clone().unwrap_or_else(|| "ACTIVE".into()));
        CapacityProvider { name: name.into(), status: status.filter(|status| status != "MISSING") }
    }

    fn capacities(&self, cluster: &str) -> impl Iterator<Item = &CapacityFile> {
        let own = self.services.iter().filter(move |service| service.cluster == cluster);
        own.filter_map(|service| service.capacity.as_ref())
    }
}
