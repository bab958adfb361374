//! What is live, as far as a first plan goes by it.

use crate::port::dns::{Name, RecordSet};
use crate::port::{Caller, ListedBalancer, ListedZone};

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Where it is.
    pub caller: Caller,
    /// What is deployed.
    pub service: Option<FoundService>,
    /// What is switched.
    pub record: Option<FoundRecord>,
}

impl Found {
    /// All text in it that somebody chose.
    pub(super) fn texts(&self) -> Vec<&str> {
        let mut texts: Vec<&str> = self.caller.profile.as_deref().into_iter().collect();
        if let Some(service) = &self.service {
            texts.extend([&*service.cluster, &service.name]);
            texts.extend(service.images.iter().flat_map(|image| [&*image.container, &image.image]));
        }
        if let Some(record) = &self.record {
            texts.extend(record.sets.iter().flat_map(|set| set.values.iter().map(String::as_str)));
            match &record.to {
                NewSide::Balancer { balancer, .. } => texts.push(&balancer.name),
                NewSide::Cname(name) => texts.push(name),
                NewSide::Unknown => {}
            }
        }
        texts
    }
}

/// A service.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundService {
    /// Its cluster.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// The image of each of its containers.
    pub images: Vec<FoundImage>,
    /// How many tasks it should have.
    pub desired: u32,
    /// It has target groups, whose targets can be counted.
    pub counted: bool,
    /// The load balancer that it stands behind, where there is one that tells of requests.
    pub behind: Option<ListedBalancer>,
}

/// What a container runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundImage {
    /// The container.
    pub container: String,
    /// As its definition names it.
    pub image: String,
    /// By digest, where the definition or all running tasks tell the same one.
    pub pinned: Option<String>,
}

/// A name, and where it leads.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundRecord {
    /// Its zone.
    pub zone: ListedZone,
    /// The whole name.
    pub name: Name,
    /// The sets that say where it leads.
    pub sets: Vec<RecordSet>,
    /// The load balancer that it leads to, where there is one that tells of requests.
    pub behind: Option<ListedBalancer>,
    /// Where it shall lead.
    pub to: NewSide,
    /// Its side answers in the clear only.
    pub plain_http: bool,
}

/// Where a name shall lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewSide {
    /// To a load balancer of this account.
    Balancer {
        /// Which.
        balancer: ListedBalancer,
        /// Nobody said so: the service that is deployed stands behind it, and not behind the one of now.
        inferred: bool,
    },
    /// To another name.
    Cname(String),
    /// Nobody said, and nothing tells.
    Unknown,
}
