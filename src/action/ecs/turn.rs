//! The way back of a deployment that moves requests in stages: while it is under way it is turned back, and nothing else is set
//! going beside it. One that is over is undone by another.

use super::deploy::{Deploy, Note};
use super::follow::progress;
use super::moving;
use super::standing::Standing;
use crate::action::{Known, Seen};
use crate::port::{
    DeploymentFilter, DeploymentStatus, ReadCompute, Reads, Service, ServiceDeployment, Writes,
};
use crate::run::{Fault, FaultKind, Landed};

impl Deploy {
    /// The service deployment that goes on by itself: a service has at most one.
    pub(super) async fn under_way(
        &self,
        compute: &dyn ReadCompute,
    ) -> Result<Option<ServiceDeployment>, Fault> {
        let all = compute.service_deployments(&self.cluster, &self.service, &DeploymentFilter::UnderWay);
        Ok(all.await?.into_iter().next())
    }

    /// Turns back what is under way, if it is ours; `None`: nothing is.
    pub(super) async fn turned_back(
        &self,
        writes: &Writes<'_>,
        compute: &dyn ReadCompute,
        record: &Known<Self>,
    ) -> Result<Option<Note>, Fault> {
        let prior = &record.prior;
        let Some(found) = self.under_way(compute).await? else { return Ok(None) };
        // It leads to what was recorded: an undo before this one has set it going.
        let leads_back = found.definition.as_ref() == Some(&prior.definition);
        if !leads_back && !self.is_ours(compute, &found, record).await? {
            return Err(Fault::foreign(format!(
                "{} is being deployed by somebody else: {} is under way, and not of this step. it is left alone",
                self.name(),
                found.arn
            )));
        }
        if !leads_back && !found.status.is_stopping() {
            writes.in_time()?;
            match writes.compute(&self.target.name)?.turn_back(&found.arn).await {
                // It may have ended meanwhile, and is then undone otherwise.
                Err(fault) if fault.kind == FaultKind::Permanent && fault.landed == Landed::No => {
                    let ended = self.under_way(compute).await?.is_none_or(|now| now.arn != found.arn);
                    return Err(if ended { Fault::transient(fault.message) } else { fault });
                }
                sent => sent?,
            }
        }
        // The deployment that comes back may be a new one, or the very one that was recorded.
        Ok(Some(Note {
            definition: prior.definition.clone(),
            deployment: prior.deployment.clone(),
            service_deployment: Some(found.arn),
            restores: true,
        }))
    }

    /// The service deployment of ours is told to have been turned back: then the service may have the very deployment that it
    /// had before. Of one that is told to be over otherwise nothing follows for what else is told late.
    pub(super) async fn is_back(
        &self,
        reads: &Reads<'_>,
        compute: &dyn ReadCompute,
        record: &Known<Self>,
    ) -> Result<bool, Fault> {
        let Some(note) = &record.note else { return Ok(false) };
        let ours = self.ours(reads, compute, note, record).await?;
        Ok(ours.is_some_and(|one| one.status == DeploymentStatus::RollbackSuccessful))
    }

    async fn is_ours(
        &self,
        compute: &dyn ReadCompute,
        found: &ServiceDeployment,
        record: &Known<Self>,
    ) -> Result<bool, Fault> {
        let known = record.note.as_ref();
        match (known.and_then(|note| note.service_deployment.as_ref()), &found.definition) {
            (Some(arn), _) => Ok(*arn == found.arn),
            (None, Some(definition)) => self.made(compute, definition, &record.prior, known).await,
            (None, None) => Ok(false),
        }
    }

    /// Looking back: what is not over yet.
    pub(super) async fn look_turning(
        &self,
        reads: &Reads<'_>,
        compute: &dyn ReadCompute,
        service: &Service,
        standing: Standing<'_>,
        record: &Known<Self>,
    ) -> Result<Option<Seen<Note>>, Fault> {
        let Some(found) = self.under_way(compute).await? else { return Ok(None) };
        let leads_back = found.definition.as_ref() == Some(&record.prior.definition);
        Ok(match standing {
            Standing::Ours(primary) | Standing::Before(primary)
                if leads_back || found.status.is_stopping() =>
            {
                Some(moving(reads, &progress(&found, &service.strategy, primary)))
            }
            // One of the two is told late.
            Standing::Before(_) => Some(moving(reads, "what is under way is not listed yet")),
            Standing::Ours(_) | Standing::Other => None,
        })
    }
}
