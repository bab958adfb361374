//! Whether there is anything to place tasks on, as far as somebody can be asked. Only a certain no holds anything up: whether
//! there is room is known only once they are placed.

use super::deploy::Deploy;
use crate::port::{Placement, ReadCompute};
use crate::run::Fault;
use std::sync::Arc;

/// What is told of that on which tasks are placed.
enum Ground {
    /// It is there, in words.
    There(String),
    /// It certainly is not: why.
    Gone(String),
    /// It could not be known: why.
    Unknown(String),
}

impl Deploy {
    /// Why no task could be placed, where that is certain.
    pub(super) async fn no_place(&self, compute: &dyn ReadCompute, placement: &Placement) -> Option<String> {
        match self.ground(compute, placement).await? {
            Ground::Gone(why) => Some(format!("{why}: tasks of {} could not be placed", self.name())),
            Ground::There(_) | Ground::Unknown(_) => None,
        }
    }

    /// The same of a service that was placed like this before.
    pub(super) async fn no_place_any_more(
        &self,
        compute: &dyn ReadCompute,
        placement: &Placement,
    ) -> Result<Option<String>, Fault> {
        let Some(why) = self.no_place(compute, placement).await else { return Ok(None) };
        // By now the service may be placed elsewhere.
        let service = compute.service(&self.cluster, &self.service).await?;
        Ok(service.is_some_and(|now| now.placement == *placement).then_some(why))
    }

    /// For a preview: what nobody can know of it beforehand.
    pub(super) async fn room(&self, compute: &dyn ReadCompute, placement: &Placement) -> Option<Arc<str>> {
        let name = self.name();
        if *placement == Placement::Spare {
            let text = format!(
                "{name} is placed on spare capacity alone: its tasks may be taken away at any time, and for new ones there \
                 may be none"
            );
            return Some(text.into());
        }
        let text = match self.ground(compute, placement).await? {
            Ground::There(what) => {
                format!(
                    "{what}; whether there is room for tasks of {name} is known only once they are placed"
                )
            }
            Ground::Gone(why) => format!("{why}: tasks of {name} could not be placed"),
            Ground::Unknown(why) => {
                format!("whether tasks of {name} can be placed could not be known: {why}")
            }
        };
        Some(text.into())
    }

    /// `None`: there is nobody to ask.
    async fn ground(&self, compute: &dyn ReadCompute, placement: &Placement) -> Option<Ground> {
        match placement {
            Placement::Provided | Placement::Spare => None,
            Placement::Providers(names) => Some(self.providers(compute, names).await),
            Placement::Instances => Some(match compute.instances(&self.cluster).await {
                Ok(0) => Ground::Gone(format!("no instance is registered in {}", self.cluster)),
                Ok(1) => Ground::There(format!("1 instance is registered in {}", self.cluster)),
                Ok(count) => Ground::There(format!("{count} instances are registered in {}", self.cluster)),
                Err(fault) => Ground::Unknown(fault.message.to_string()),
            }),
        }
    }

    async fn providers(&self, compute: &dyn ReadCompute, names: &[String]) -> Ground {
        let cluster = &self.cluster;
        let told = match compute.capacity_providers(cluster, names).await {
            Ok(told) => told,
            Err(fault) => return Ground::Unknown(fault.message.to_string()),
        };
        let (mut there, mut silent) = (Vec::new(), Vec::new());
        for name in names {
            match told.iter().find(|one| one.name == *name).map(|one| one.status.as_deref()) {
                // Nobody can take one away that a service uses: rather is something wrong with the question.
                Some(None) => silent.push(format!("no capacity provider {name} is told of in {cluster}")),
                // It leaves, or has left. One that is being made becomes ACTIVE.
                Some(Some(status @ ("DEPROVISIONING" | "INACTIVE"))) => {
                    return Ground::Gone(format!("capacity provider {name} of {cluster} is {status}"));
                }
                Some(Some(status)) => there.push(format!("capacity provider {name} is {status}")),
                None => silent.push(format!("nothing is told of capacity provider {name}")),
            }
        }
        if silent.is_empty() { Ground::There(there.join(", ")) } else { Ground::Unknown(silent.join(", ")) }
    }
}
