//! Whether a deployment has arrived, and why one did not: by its id, its tasks' image digests and its targets' health.

use super::deploy::{Deploy, Note, Prior};
use super::follow::{Followed, progress};
use super::restored::digest_of;
use super::standing::reason;
use super::{log, moving};
use crate::action::{Known, Seen};
use crate::mutant::{Mistake, on};
use crate::port::{Deployment, ReadCompute, ReadTraffic, Reads, Rollout, Service, TargetHealth, TaskFilter};
use crate::run::Fault;
use serde_json::json;
use std::time::Duration;

/// For how long after a call the provider may still tell what was before.
const STALE: Duration = Duration::from_secs(60);
/// How many reasons are told.
const REASONS: usize = 3;

/// How a deployment ends that fails: ECS went back to what ran before, or has left it as it is so far.
const TURNED_BACK: &str = "failed, and ECS rolled it back";
const GIVEN_UP: &str = "failed, and ECS has not rolled it back";
/// Or so many of its tasks failed that the plan does not wait for that.
const ENOUGH: &str = "is given up, for so many of its tasks failed to start";

impl Deploy {
    /// It was set to ours: how far is it?
    pub(super) async fn look_forward(
        &self,
        reads: &Reads<'_>,
        stage: u32,
        service: &Service,
        primary: &Deployment,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        match &record.note {
            None if stage > 0 => {
                return Ok(Seen::Moving { note: Some(Note::of(primary)), again: Duration::ZERO });
            }
            Some(note) if note.deployment != primary.id => {
                return self.replaced(reads, note, primary, record);
            }
            _ => {}
        }
        let compute = reads.world.compute(&self.target.name)?;
        let enough = self.healthy.failed_tasks.is_some_and(|most| primary.failed >= most);
        if enough && primary.rollout == Rollout::InProgress {
            let end = format!("{ENOUGH} ({})", primary.failed);
            return Err(self.failed(&*compute, service, primary, &primary.definition, &end).await);
        }
        let unasked = match self.follow(reads, &*compute, service, primary, record).await? {
            Followed::Told(seen) => return Ok(seen),
            Followed::ById(unasked) => unasked,
        };
        match primary.rollout {
            Rollout::Failed => {
                Err(self.failed(&*compute, service, primary, &primary.definition, GIVEN_UP).await)
            }
            Rollout::InProgress => {
                let failed = if primary.failed > 0 {
                    let why = self.reasons(&*compute, service, Some(&primary.definition)).await;
                    format!(", {} failed to start{why}", primary.failed)
                } else {
                    String::new()
                };
                let by_id =
                    unasked.map(|why| format!("; followed by its id alone: {why}")).unwrap_or_default();
                Ok(moving(
                    reads,
                    &format!("{} of {} tasks run{failed}{by_id}", primary.running, primary.desired),
                ))
            }
            Rollout::Completed => self.healthy(reads, &*compute, service, primary, record).await,
        }
    }

    /// Every task runs, from the image that was asked for, and enough targets are healthy.
    async fn healthy(
        &self,
        reads: &Reads<'_>,
        compute: &dyn ReadCompute,
        service: &Service,
        primary: &Deployment,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        if primary.running == 0 || primary.running != primary.desired {
            return Ok(moving(reads, &format!("{} of {} tasks run", primary.running, primary.desired)));
        }
        if let Some(desired) = self.desired.filter(|desired| service.desired != *desired) {
            return Ok(moving(reads, &format!("{} of {desired} tasks are asked for", service.desired)));
        }
        if let Some(text) = self.wrong_images(compute, primary, &record.prior.images).await? {
            return Ok(moving(reads, &text));
        }
        let traffic = reads.world.traffic(&self.target.name)?;
        for group in &service.target_groups {
            let targets = targets_of(&*traffic, service, group).await?;
            let healthy = healthy_of(&targets);
            if healthy < self.healthy.targets {
                let text = format!(
                    "{healthy} of {} targets are healthy{}",
                    self.healthy.targets,
                    not_healthy(&targets)
                );
                return Ok(moving(reads, &text));
            }
        }
        Ok(Seen::Desired {
            out: json!({
                "task_definition": primary.definition,
                "deployment_id": primary.id,
                "running": primary.running,
            }),
        })
    }

    /// What the running tasks were really started from, held against what was asked for.
    async fn wrong_images(
        &self,
        compute: &dyn ReadCompute,
        primary: &Deployment,
        images: &[(String, String)],
    ) -> Result<Option<String>, Fault> {
        let pinned =
            images.iter().filter_map(|(container, image)| Some((container, image.rsplit_once('@')?.1)));
        let pinned: Vec<(&String, &str)> = pinned.collect();
        if pinned.is_empty() || on(Mistake::DigestIgnored) {
            return Ok(None);
        }
        let ours = self.running(compute, &primary.definition).await?;
        if ours.is_empty() {
            return Ok(Some("no running task of the new definition is listed yet".into()));
        }
        for task in &ours {
            for (container, wanted) in &pinned {
                match digest_of(task, container) {
                    Some(digest) if digest == *wanted => {}
                    Some(digest) => {
                        return Err(Fault::permanent(format!(
                            "{} runs {container} from {digest}, and {wanted} was asked for",
                            task.arn
                        )));
                    }
                    None => {
                        return Ok(Some(format!("{} has not said yet which image {container} is", task.arn)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The definition is ours, the deployment is not: somebody deployed the same again.
    fn replaced(
        &self,
        reads: &Reads<'_>,
        note: &Note,
        primary: &Deployment,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        if may_be_stale(reads, record) {
            return Ok(moving(reads, "the new deployment is not listed yet"));
        }
        Err(Fault::foreign(format!(
            "deployment {} of {} was replaced by {}, of the same definition: somebody else deployed",
            note.deployment,
            self.name(),
            primary.id
        )))
    }

    /// It should run what it ran before: the call has not landed, or was taken back.
    pub(super) async fn look_gone(
        &self,
        reads: &Reads<'_>,
        compute: &dyn ReadCompute,
        service: &Service,
        primary: &Deployment,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        let Some(note) = &record.note else { return Ok(Seen::Prior) };
        let gave_up = gave_up(service, primary, note, &record.prior);
        // The same deployment as before we called: what is told may be older than the call.
        let stale = primary.id == record.prior.deployment && may_be_stale(reads, record);
        if !(service.strategy.is_plain() && (gave_up || stale)) {
            let found = match self.ours(reads, compute, note, record).await {
                Err(_) if !service.strategy.has_stages() => None,
                found => found?,
            };
            match found {
                Some(found) if found.status.is_turned_back() => {
                    return Err(self.ended_early(compute, service, &found).await);
                }
                // PRIMARY is told late.
                Some(found) if service.strategy.has_stages() && found.status.is_under_way() => {
                    return Ok(moving(reads, &progress(&found, &service.strategy, primary)));
                }
                _ => {}
            }
        }
        if gave_up {
            let ours = service.deployments.iter().find(|deployment| deployment.id == note.deployment);
            let deployment = ours.unwrap_or(primary);
            return Err(self.failed(compute, service, deployment, &note.definition, TURNED_BACK).await);
        }
        if stale {
            return Ok(moving(reads, "the new deployment is not listed yet"));
        }
        Ok(Seen::Prior)
    }

    /// It was set to what was recorded, and runs what the step made: the undo did not take, or was taken back.
    pub(super) async fn look_kept(
        &self,
        compute: &dyn ReadCompute,
        service: &Service,
        primary: &Deployment,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        match &record.note {
            Some(note) if gave_up(service, primary, note, &record.prior) => {
                Err(self.failed(compute, service, primary, &note.definition, TURNED_BACK).await)
            }
            _ => Ok(Seen::Desired { out: json!(null) }),
        }
    }

    /// It should run what was recorded: does it?
    pub(super) async fn look_back(
        &self,
        reads: &Reads<'_>,
        service: &Service,
        primary: &Deployment,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        let counted = self.desired.is_none() || service.desired == record.prior.desired;
        if was_replaced(reads, record, primary) {
            return Ok(moving(reads, "what the undo made is not listed yet"));
        }
        match primary.rollout {
            Rollout::Failed => {
                let compute = reads.world.compute(&self.target.name)?;
                Err(self.failed(&*compute, service, primary, &primary.definition, GIVEN_UP).await)
            }
            Rollout::Completed if counted && primary.running == primary.desired => {
                Ok(match self.not_back(reads, service, primary, &record.prior).await? {
                    Some(text) => moving(reads, &text),
                    None => Seen::Prior,
                })
            }
            // Turning back brings no count back: that is for another call.
            Rollout::Completed if !counted && record.note.as_ref().is_some_and(Note::turns_back) => {
                Ok(Seen::Desired { out: json!(null) })
            }
            Rollout::Completed | Rollout::InProgress => Ok(moving(
                reads,
                &format!("{} of {} tasks run {}", primary.running, primary.desired, primary.definition),
            )),
        }
    }

    /// All of its tasks run: what is still missing of what was there before, in words. Where nothing should run, nothing is.
    async fn not_back(
        &self,
        reads: &Reads<'_>,
        service: &Service,
        primary: &Deployment,
        prior: &Prior,
    ) -> Result<Option<String>, Fault> {
        if primary.desired == 0 {
            return Ok(None);
        }
        let compute = reads.world.compute(&self.target.name)?;
        if let Some(text) = self.other_images(&*compute, primary, &prior.ran).await? {
            return Ok(Some(text));
        }
        self.not_served(reads, service, &prior.served).await
    }

    /// Why the deployment of a definition came to this end.
    async fn failed(
        &self,
        compute: &dyn ReadCompute,
        service: &Service,
        deployment: &Deployment,
        definition: &str,
        end: &str,
    ) -> Fault {
        Fault::permanent(format!(
            "the deployment of {} {end}{}{}",
            self.name(),
            reason(deployment),
            self.reasons(compute, service, Some(definition)).await
        ))
    }

    /// What its tasks and the service said last, each after a `; `: those of this definition, where it is known.
    pub(super) async fn reasons(
        &self,
        compute: &dyn ReadCompute,
        service: &Service,
        definition: Option<&str>,
    ) -> String {
        let filter = TaskFilter::StoppedOf(self.service.to_string());
        let mut stopped = compute.tasks(&self.cluster, &filter).await.unwrap_or_default();
        stopped.retain(|task| definition.is_none_or(|definition| task.definition == definition));
        let log = log::of_first(&self.target, compute, &stopped).await;
        let mut reasons: Vec<String> = Vec::new();
        for task in stopped {
            let of_container = task.containers.iter().find_map(|c| {
                let code = c
                    .exit_code
                    .filter(|code| *code != 0)
                    .map(|code| format!("{} exited with {code}", c.name));
                code.or_else(|| c.reason.clone())
            });
            let text =
                [task.stopped_reason, of_container].into_iter().flatten().collect::<Vec<_>>().join(": ");
            if !text.is_empty() && !reasons.contains(&text) {
                reasons.push(text);
            }
        }
        reasons.truncate(REASONS);
        let newest = service.events.iter().take(REASONS).map(|event| format!("event: {event}"));
        let told: Vec<String> = reasons.iter().map(|r| format!("task: {r}")).chain(newest).collect();
        if told.is_empty() { log } else { format!("; {}{log}", told.join("; ")) }
    }
}

/// The provider gave this deployment up, as its rollout, the one that took its place, or an event says. One that was there
/// before did not take its place: a circuit breaker that it tells of ended an earlier one.
fn gave_up(service: &Service, primary: &Deployment, note: &Note, prior: &Prior) -> bool {
    let ours = service.deployments.iter().find(|deployment| deployment.id == note.deployment);
    let since = primary.id != prior.deployment;
    ours.is_some_and(|ours| ours.rollout == Rollout::Failed)
        || (since && primary.reason.as_deref().is_some_and(|reason| reason.contains("circuit breaker")))
        || service.events.iter().any(|event| event.contains(&note.deployment) && event.contains("failed"))
}

/// The targets of a group. Of two that take turns, those of which more are healthy: requests come to one of the two, and which
/// one it is changes each time.
pub(super) async fn targets_of(
    traffic: &dyn ReadTraffic,
    service: &Service,
    group: &str,
) -> Result<Vec<TargetHealth>, Fault> {
    let targets = traffic.targets(group).await?;
    let Some((_, other)) = service.alternates.iter().find(|(one, _)| one == group) else {
        return Ok(targets);
    };
    let others = traffic.targets(other).await?;
    Ok(if healthy_of(&others) > healthy_of(&targets) { others } else { targets })
}

pub(super) fn healthy_of(targets: &[TargetHealth]) -> usize {
    targets.iter().filter(|target| target.state == "healthy").count()
}

/// Which are not, and why, after a `: `.
pub(super) fn not_healthy(targets: &[TargetHealth]) -> String {
    let others = targets.iter().filter(|target| target.state != "healthy").take(REASONS);
    let others: Vec<String> =
        others.map(|t| format!("{} is {}{}", t.id, t.state, said(t.reason.as_deref()))).collect();
    if others.is_empty() { String::new() } else { format!(": {}", others.join(", ")) }
}

fn said(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| format!(" ({reason})"))
}

/// What the provider tells may be older than the call.
pub(super) fn may_be_stale(reads: &Reads<'_>, record: &Known<Deploy>) -> bool {
    reads.world.clock().now().since(record.since) < STALE
}

/// The very deployment that a call of ours has replaced: what is told is older than the call.
pub(super) fn was_replaced(reads: &Reads<'_>, record: &Known<Deploy>, primary: &Deployment) -> bool {
    let replaced = record.note.as_ref().is_some_and(|note| note.deployment != primary.id);
    replaced && primary.id == record.prior.deployment && may_be_stale(reads, record)
}
