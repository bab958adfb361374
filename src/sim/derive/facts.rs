//! What was really found, in place of what would be made up.

use super::super::file::{DnsFile, Span, StrategyFile};
use crate::port::dns::{Name, RecordSet};
use crate::port::{Attributes, LoadBalancer, Scaling};
use std::collections::BTreeMap;

/// What was really found; what is not in here is made up.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct Facts {
    /// By id.
    pub(in crate::sim) zones: BTreeMap<String, FoundZone>,
    /// By name.
    pub(in crate::sim) balancers: BTreeMap<String, FoundBalancer>,
    /// What target groups tell of themselves, by name: those whose attributes the plan sets.
    pub(in crate::sim) groups: BTreeMap<String, Attributes>,
    /// What services run, by cluster and name.
    pub(in crate::sim) services: BTreeMap<(String, String), FoundDefinition>,
    /// Within which bounds services are scaled, by cluster and name: those whose bounds the plan sets.
    pub(in crate::sim) scaling: BTreeMap<(String, String), Scaling>,
    /// What the plan runs once, or sets services to, by the name that the plan gives it.
    pub(in crate::sim) definitions: BTreeMap<String, FoundDefinition>,
}

/// A zone.
#[derive(Clone, Debug)]
pub(in crate::sim) struct FoundZone {
    pub(in crate::sim) name_servers: Vec<Name>,
    /// All sets of the names that were asked for.
    pub(in crate::sim) records: BTreeMap<Name, Vec<RecordSet>>,
}

/// A load balancer.
#[derive(Clone, Debug)]
pub(in crate::sim) struct FoundBalancer {
    pub(in crate::sim) described: LoadBalancer,
    /// The target groups behind it.
    pub(in crate::sim) groups: Vec<String>,
}

/// A task definition, and how a service runs it.
#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct FoundDefinition {
    pub(in crate::sim) family: String,
    pub(in crate::sim) revision: u32,
    /// Name, image and port.
    pub(in crate::sim) containers: Vec<(String, String, Option<u16>)>,
    /// How many tasks the service should have.
    pub(in crate::sim) desired: u32,
    /// Its target groups.
    pub(in crate::sim) groups: Vec<String>,
    /// How it takes over a new definition.
    pub(in crate::sim) deployment: StrategyFile,
}

/// How long after a change the name servers of a zone serve it, one after the other.
const DELAYS: [u64; 6] = [3, 8, 12, 18, 5, 15];

impl Facts {
    /// The name servers of the zones, as they are.
    pub(super) fn dns(&self) -> Option<DnsFile> {
        let names = self.zones.values().flat_map(|zone| &zone.name_servers);
        let mut dns = DnsFile::default();
        let found: BTreeMap<String, Span> = names
            .zip(DELAYS.iter().cycle())
            .map(|(name, delay)| (name.to_string(), Span::seconds(*delay)))
            .collect();
        if found.is_empty() {
            return None;
        }
        dns.name_servers = found;
        Some(dns)
    }

    /// The load balancer that a target group is behind.
    pub(super) fn behind(&self, groups: &[String]) -> Option<&String> {
        let own = |found: &FoundBalancer| found.groups.iter().any(|group| groups.contains(group));
        self.balancers.iter().find(|(_, found)| own(found)).map(|(name, _)| name)
    }

    /// The load balancer whose addresses are under this name.
    pub(super) fn at(&self, host: &Name) -> Option<&String> {
        let own = |found: &FoundBalancer| Name::new(&found.described.dns_name) == *host;
        self.balancers.iter().find(|(_, found)| own(found)).map(|(name, _)| name)
    }
}
