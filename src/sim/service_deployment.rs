//! Service deployments: how a service takes over a definition, stage by stage, and how it goes back.
//!
//! Services that roll have them too, without stages. What both revisions stand in is one target group: which of its
//! targets requests come to is what moves.

use super::compute::{Deployment, Refusal, Rollout, Service};
use super::file::PAUSED_AT;
use super::ledger::Whose;
use super::world::World;
use crate::plan::Timestamp;
use crate::port::DeploymentStatus;
use std::hash::{Hash, Hasher};

/// Why one goes back that a caller turned back. The service's own words are not known to us.
pub const REQUESTED: &str = "Service deployment rollback was requested.";
/// How many a service remembers.
const KEPT: usize = 20;

/// A service deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDeployment {
    /// Its ARN.
    pub arn: String,
    /// The ARN of the revision that it brings.
    pub revision: String,
    /// The definition of that, as ARN.
    pub definition: String,
    /// How far it is.
    pub status: DeploymentStatus,
    /// Why.
    pub reason: String,
    /// Of services that have stages: where it is.
    pub stage: Option<Stage>,
    /// When its stage is over, if time ends it.
    pub until: Option<Timestamp>,
    /// The share of the requests that come to the new revision, in percent.
    pub share: u8,
    /// When it began.
    pub created: Timestamp,
}

/// Where a service deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// New tasks start beside the old ones.
    ScaleUp,
    /// It waits for somebody.
    Paused,
    /// Requests come over.
    Shift,
    /// Both run.
    Bake,
    /// Old tasks leave.
    CleanUp,
}

impl Stage {
    /// As the service writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ScaleUp => "SCALE_UP",
            Self::Paused => PAUSED_AT,
            Self::Shift => "PRODUCTION_TRAFFIC_SHIFT",
            Self::Bake => "BAKE_TIME",
            Self::CleanUp => "CLEAN_UP",
        }
    }
}

impl ServiceDeployment {
    /// The circuit breaker has given it up.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.reason.contains("circuit breaker")
    }
}

impl Service {
    /// The service deployment that goes on by itself.
    #[must_use]
    pub fn under_way(&self) -> Option<&ServiceDeployment> {
        self.rollouts.first().filter(|one| one.status.is_under_way())
    }

    /// The stage of the one that goes forward.
    pub(super) fn stage(&self) -> Option<Stage> {
        self.under_way().filter(|one| !one.status.is_stopping())?.stage
    }

    /// When its stage is over.
    pub(super) fn stage_ends(&self) -> Option<Timestamp> {
        self.under_way()?.until
    }

    /// Old tasks stay.
    pub(super) fn keeps_old(&self) -> bool {
        self.stage().is_some_and(|stage| stage != Stage::CleanUp)
    }

    /// Whether requests come to tasks of a definition that are well.
    pub(super) fn sends_to(&self, definition: &str) -> bool {
        let Some(one) = self.under_way().filter(|one| one.stage.is_some()) else { return true };
        let new = definition == one.definition;
        match one.share {
            0 => !new,
            100 => new,
            _ => true,
        }
    }

    fn newest(&mut self) -> Option<&mut ServiceDeployment> {
        if self.rollouts.is_empty() { None } else { self.rollouts.first_mut() }
    }

    /// Writes what decides how it goes on into a hash. Of a service without stages its deployments tell.
    pub(super) fn stages_situation(&self, now: Timestamp, hash: &mut impl Hasher) {
        if !self.strategy.has_stages() {
            return;
        }
        for one in &self.rollouts {
            (one.status, one.stage, one.share, &one.definition).hash(hash);
            one.until.map(|at| super::situation::left(now, at, 1000)).hash(hash);
        }
    }
}

impl World {
    /// A service by one of its service deployments.
    fn deployed_by(&self, arn: &str) -> Option<usize> {
        self.services.iter().position(|service| service.rollouts.iter().any(|one| one.arn == arn))
    }

    /// A service deployment by its ARN.
    #[must_use]
    pub fn service_deployment(&self, arn: &str) -> Option<&ServiceDeployment> {
        self.services[self.deployed_by(arn)?].rollouts.iter().find(|one| one.arn == arn)
    }

    /// The PRIMARY deployment is new: so is its service deployment. One that was under way is left where it is.
    pub(super) fn begin_service_deployment(&mut self, index: usize, now: Timestamp) {
        let (region, account) = (self.region.clone(), self.account.clone());
        let service = &mut self.services[index];
        let primary = &service.deployments[0];
        let number = primary.id.rsplit('/').next().unwrap_or_default();
        let arn = |kind: &str| {
            format!("arn:aws:ecs:{region}:{account}:{kind}/{}/{}/{number}", service.cluster, service.name)
        };
        let staged = service.strategy.has_stages();
        let new = ServiceDeployment {
            arn: arn("service-deployment"),
            revision: arn("service-revision"),
            definition: primary.definition.clone(),
            status: DeploymentStatus::InProgress,
            reason: String::new(),
            stage: staged.then_some(Stage::ScaleUp),
            until: None,
            share: 0,
            created: now,
        };
        if service.under_way().is_some()
            && let Some(before) = service.newest()
        {
            before.status = DeploymentStatus::Stopped;
            before.until = None;
            before.reason = "Service deployment was replaced by a newer one.".into();
        }
        service.rollouts.insert(0, new);
        service.rollouts.truncate(KEPT);
        self.deal_targets(index);
    }

    /// Goes on from each stage that is over.
    pub(super) fn pass_stages(&mut self, index: usize, now: Timestamp) {
        while self.pass_stage(index, now) {}
    }

    fn pass_stage(&mut self, index: usize, now: Timestamp) -> bool {
        let service = &self.services[index];
        let Some((stage, one)) = service.stage().zip(service.under_way()) else { return false };
        let over = one.until.is_none_or(|at| at <= now);
        let file = &service.strategy;
        let shift = (Stage::Shift, Some(now.after(file.step_bake.0)), file.percent());
        let bake = (Stage::Bake, Some(now.after(file.bake.0)), 100);
        let next = match stage {
            Stage::ScaleUp if !self.is_scaled_up(service) => return false,
            Stage::ScaleUp => match file.pause {
                Some(span) => (Stage::Paused, Some(now.after(span.0)), 0),
                None => shift,
            },
            Stage::CleanUp => return false,
            _ if !over => return false,
            Stage::Paused => {
                let reason = "Service deployment rolled back because a lifecycle hook timed out.";
                self.acting(Whose::Provider, |world| world.go_back(index, reason, now));
                return false;
            }
            Stage::Shift if one.share < 100 => {
                let linear = file.strategy == crate::port::StrategyKind::Linear;
                let share = if linear { one.share.saturating_add(file.percent()).min(100) } else { 100 };
                (Stage::Shift, (share < 100).then(|| now.after(file.step_bake.0)), share)
            }
            Stage::Shift => bake,
            Stage::Bake => (Stage::CleanUp, None, 100),
        };
        if let Some(one) = self.services[index].newest() {
            (one.stage, one.until, one.share) = (Some(next.0), next.1, next.2);
            // What is all at once waits for nothing.
            if next.0 == Stage::Shift && one.share == 100 {
                one.until = Some(now);
            }
        }
        self.deal_targets(index);
        true
    }

    fn is_scaled_up(&self, service: &Service) -> bool {
        let primary = &service.deployments[0];
        let own = self.tasks_of(service).filter(|task| task.started_by.as_ref() == Some(&primary.id));
        let well = own.filter(|task| !task.leaves() && self.is_healthy(service, task)).count();
        u32::try_from(well) == Ok(service.desired)
    }

    /// Requests come to the targets of the revisions that they should come to.
    pub(super) fn deal_targets(&mut self, index: usize) {
        let service = &self.services[index];
        let Some(name) = service.group.clone() else { return };
        let sent: Vec<(String, bool)> = self
            .tasks_of(service)
            .map(|task| (task.id.clone(), service.sends_to(&task.definition)))
            .collect();
        let Some(group) = self.groups.get(&name) else { return };
        let differs = |(id, sent): &&(String, bool)| group.targets.get(id).is_some_and(|t| t.sent != *sent);
        let changed: Vec<(String, bool)> = sent.iter().filter(differs).cloned().collect();
        if changed.is_empty() {
            return;
        }
        if let Some(group) = self.groups.get_mut(&name) {
            for (id, sent) in changed {
                group.targets.entry(id).and_modify(|target| target.sent = sent);
            }
        }
        self.disturbed();
    }

    /// The service goes back to what it had before the deployment under way.
    pub(super) fn go_back(&mut self, index: usize, reason: &str, now: Timestamp) {
        let (definition, settled) = self.services[index].settled.clone();
        self.note_service(index, Some(&definition), None, false, now);
        let service = &mut self.services[index];
        service.deployments[0].rollout = Rollout::Failed;
        service.deployments[0].updated = now;
        // Where there are stages its tasks are there still, and it is the deployment that it was.
        let staged = service.strategy.has_stages();
        let kept = service.deployments.iter().position(|one| staged && one.id == settled);
        let (id, created) = match kept.map(|place| service.deployments.remove(place)) {
            Some(before) => (before.id, before.created),
            None => (self.fresh_deployment(), now),
        };
        let back = Deployment {
            id,
            definition,
            rollout: Rollout::InProgress,
            reason: reason.into(),
            failed: 0,
            created,
            updated: now,
        };
        let service = &mut self.services[index];
        service.deployments.insert(0, back);
        if let Some(one) = service.newest() {
            one.status = DeploymentStatus::RollbackInProgress;
            one.reason = reason.into();
            (one.until, one.share) = (None, 0);
        }
        self.deal_targets(index);
        self.say(index, now, &format!("rolling back to deployment {settled}."));
    }

    /// The PRIMARY deployment is complete, or failed for good.
    pub(super) fn end_service_deployment(&mut self, index: usize, how: DeploymentStatus) {
        let service = &mut self.services[index];
        if service.under_way().is_none() {
            return;
        }
        if let Some(one) = service.newest() {
            one.status = match (how, one.status.is_stopping()) {
                (DeploymentStatus::Successful, true) => DeploymentStatus::RollbackSuccessful,
                (DeploymentStatus::Stopped, true) => DeploymentStatus::RollbackFailed,
                (how, _) => how,
            };
            (one.stage, one.until) = (None, None);
            one.share = if one.status == DeploymentStatus::Successful { 100 } else { 0 };
        }
        self.deal_targets(index);
    }

    /// Turns a service deployment back. One that is being turned back goes on with that.
    ///
    /// # Errors
    /// There is none, or it is over: the service's own words for that are not known to us.
    pub fn turn_back(&mut self, arn: &str, reason: &str, now: Timestamp) -> Result<(), Refusal> {
        let missing = || {
            let text = "The service deployment was not found.";
            Refusal::new("ServiceDeploymentNotFoundException", text)
        };
        let index = self.deployed_by(arn).ok_or_else(missing)?;
        let service = &self.services[index];
        let own = service.under_way().filter(|one| one.arn == arn);
        let one = own.ok_or_else(|| {
            Refusal::new("ConflictException", "The service deployment is over and cannot be stopped.")
        })?;
        if one.status.is_stopping() {
            return Ok(());
        }
        self.go_back(index, reason, now);
        self.settle(now);
        Ok(())
    }
}
