//! How a service stands against what was recorded: as before, as we made it, or neither.

use super::arrive::{healthy_of, targets_of};
use super::deploy::{Deploy, Note, Prior};
use super::images;
use crate::port::{Deployment, ReadCompute, Reads, Rollout, Service, TaskDefinition};
use crate::run::Fault;

/// How a service stands, with its PRIMARY deployment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standing<'s> {
    /// It should run the definition that was recorded.
    Before(&'s Deployment),
    /// It should run ours.
    Ours(&'s Deployment),
    /// It should run something else.
    Other,
}

/// The deployment that the service should have.
pub(super) fn primary(service: &Service) -> Option<&Deployment> {
    service.deployments.iter().find(|deployment| deployment.primary)
}

impl Deploy {
    /// For people.
    pub(super) fn name(&self) -> String {
        format!("service {} of {}", self.service, self.cluster)
    }

    /// The service, which must be there.
    pub(super) async fn service(&self, compute: &dyn ReadCompute) -> Result<Service, Fault> {
        let found = compute.service(&self.cluster, &self.service).await?;
        found.ok_or_else(|| Fault::permanent(format!("there is no {}", self.name())))
    }

    /// A definition that a service can be set to.
    pub(super) async fn active(
        &self,
        compute: &dyn ReadCompute,
        name: &str,
    ) -> Result<TaskDefinition, Fault> {
        match compute.definition(name).await? {
            Some(definition) if definition.active => Ok(definition),
            Some(_) => Err(Fault::permanent(format!(
                "{name} is INACTIVE: {} could not be set back to it. register it again first",
                self.name()
            ))),
            None => Err(Fault::permanent(format!("there is no task definition {name}"))),
        }
    }

    /// What should run can be started and placed, and requests still have a way there: the target groups in which somebody is
    /// healthy.
    pub(super) async fn can_be_started(
        &self,
        reads: &Reads<'_>,
        compute: &dyn ReadCompute,
        service: &Service,
        images: &[String],
    ) -> Result<Vec<String>, Fault> {
        if let Some(why) = images::gone(compute, images).await {
            return Err(Fault::permanent(format!("{why}. {} could not be set to it", self.name())));
        }
        if let Some(why) = self.no_place(compute, &service.placement).await {
            return Err(Fault::permanent(format!("{why}. see that its cluster has that capacity first")));
        }
        let traffic = reads.world.traffic(&self.target.name)?;
        let mut served = Vec::new();
        for group in &service.target_groups {
            if healthy_of(&targets_of(&*traffic, service, group).await?) > 0 {
                served.push(group.clone());
            }
        }
        Ok(served)
    }

    /// What the undo needs beside images and is certainly gone. What is INACTIVE is not: the undo registers the same again.
    pub(super) async fn gone(
        &self,
        reads: &Reads<'_>,
        compute: &dyn ReadCompute,
        prior: &Prior,
    ) -> Result<Option<String>, Fault> {
        // Nothing was to be written, so nothing is to be set back.
        if prior.kept.is_empty() {
            return Ok(None);
        }
        let (name, definition) = (self.name(), &prior.definition);
        if compute.definition(definition).await?.is_none() {
            return Ok(Some(format!(
                "there is no task definition {definition} any more: nobody can tell what {name} ran, and it could not be \
                 set back to it"
            )));
        }
        if let Some(why) = self.no_place_any_more(compute, &prior.placement).await? {
            return Ok(Some(format!(
                "{why}, and it could not be set back to {definition}. see that its cluster has that capacity first"
            )));
        }
        let traffic = reads.world.traffic(&self.target.name)?;
        for group in &prior.served {
            if traffic.target_health(group).await?.is_some() {
                continue;
            }
            // By now the service may have others.
            let service = compute.service(&self.cluster, &self.service).await?;
            if service.is_some_and(|now| now.target_groups.contains(group)) {
                return Ok(Some(format!(
                    "target group {group} of {name} is gone: what it would be set back to could not be reached. give the \
                     service a target group that is there first"
                )));
            }
        }
        Ok(None)
    }

    /// The deployment that is complete, of a service that nobody is changing.
    pub(super) fn settled<'s>(&self, service: &'s Service) -> Result<&'s Deployment, Fault> {
        let name = self.name();
        if service.status != "ACTIVE" {
            return Err(Fault::permanent(format!("{name} is {}, not ACTIVE", service.status)));
        }
        let primary =
            primary(service).ok_or_else(|| Fault::permanent(format!("{name} has no PRIMARY deployment")))?;
        match primary.rollout {
            Rollout::Completed => Ok(primary),
            Rollout::InProgress => Err(Fault::foreign(format!(
                "{name} is being deployed by somebody else: {} to {} is under way ({} of {} tasks)",
                primary.id, primary.definition, primary.running, primary.desired
            ))),
            Rollout::Failed => Err(Fault::foreign(format!(
                "the last deployment of {name}, {}, FAILED{}: there is no good state to come back to",
                primary.id,
                reason(primary)
            ))),
        }
    }

    /// How it stands.
    pub(super) async fn standing<'s>(
        &self,
        compute: &dyn ReadCompute,
        service: &'s Service,
        prior: &Prior,
        note: Option<&Note>,
    ) -> Result<Standing<'s>, Fault> {
        let Some(primary) = primary(service) else { return Ok(Standing::Other) };
        // First, because on the way back the note is the undo's, and names the prior definition.
        if primary.definition == prior.definition {
            return Ok(Standing::Before(primary));
        }
        let known = note.filter(|note| note.definition == primary.definition);
        if known.is_some_and(|note| note.restores) {
            return Ok(Standing::Before(primary));
        }
        if known.is_some() || self.made(compute, &primary.definition, prior, None).await? {
            return Ok(Standing::Ours(primary));
        }
        // What ran before was registered again, and the answer was lost.
        let [found, old] = [&primary.definition, &prior.definition].map(|name| compute.definition(name));
        let same = found.await?.zip(old.await?).is_some_and(|(found, old)| found.content == old.content);
        Ok(if same { Standing::Before(primary) } else { Standing::Other })
    }

    /// Whether the step made this definition, or was to set the service to it.
    pub(super) async fn made(
        &self,
        compute: &dyn ReadCompute,
        definition: &str,
        prior: &Prior,
        note: Option<&Note>,
    ) -> Result<bool, Fault> {
        let known = note.is_some_and(|note| note.definition == definition);
        if known || prior.to.as_deref() == Some(definition) {
            return Ok(true);
        }
        // Registered by a call whose answer was lost: known by all that it says.
        let found = compute.definition(definition).await?;
        Ok(found.is_some_and(|found| prior.to.is_none() && found.content == prior.content))
    }

    /// Names what was found and what was expected.
    pub(super) async fn foreign(&self, compute: &dyn ReadCompute, service: &Service, prior: &Prior) -> Fault {
        let name = self.name();
        let Some(primary) = primary(service) else {
            return Fault::foreign(format!("{name} has no PRIMARY deployment any more"));
        };
        let images = match compute.definition(&primary.definition).await {
            Ok(Some(found)) => {
                found.containers.into_iter().map(|c| format!("{} = {}", c.name, c.image)).collect()
            }
            _ => Vec::new(),
        };
        let images = if images.is_empty() { String::new() } else { format!(" ({})", images.join(", ")) };
        Fault::foreign(format!(
            "{name} runs {}{images}, which is neither what this step made nor {}, which was recorded: somebody \
             else deployed",
            primary.definition, prior.definition
        ))
    }
}

/// ` (why)`, in the provider's words.
pub(super) fn reason(deployment: &Deployment) -> String {
    deployment.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"))
}
