//! Following a deployment by its service deployment: where it is, what it waits for, and who ended it before its time.
//!
//! A rolling deployment that nothing but tasks can hold up is followed by its id, which tells as much; its service deployment
//! is asked only for who turned it back. Stages, alarms, bakes and hooks are told by the service deployment alone.

use super::arrive::may_be_stale;
use super::deploy::{Deploy, Note};
use super::moving;
use crate::action::{Known, Seen};
use crate::plan::{Timestamp, format_duration};
use crate::port::{
    Deployment, DeploymentFilter, DeploymentStatus, HookSeen, ReadCompute, Reads, Service, ServiceDeployment,
    Strategy,
};
use crate::run::{Fault, FaultKind};
use std::time::Duration;

/// By how much the provider's clock may be behind ours.
const BEHIND: Duration = Duration::from_secs(120);

/// What came of asking for the service deployment.
pub(super) enum Followed {
    /// It tells how it stands.
    Told(Seen<Note>),
    /// It is done, or there is nothing to ask: the id of the deployment tells the rest. Or nobody may ask, and why.
    ById(Option<String>),
}

impl Deploy {
    /// What the service deployment of ours tells.
    pub(super) async fn follow(
        &self,
        reads: &Reads<'_>,
        compute: &dyn ReadCompute,
        service: &Service,
        primary: &Deployment,
        record: &Known<Self>,
    ) -> Result<Followed, Fault> {
        let strategy = &service.strategy;
        let Some(note) = record.note.as_ref().filter(|_| !strategy.is_plain()) else {
            return Ok(Followed::ById(None));
        };
        let found = match self.ours(reads, compute, note, record).await {
            // Of a rolling deployment the id tells enough.
            Err(fault) if !strategy.has_stages() && is_closed(&fault) => {
                return Ok(Followed::ById(Some(fault.message.to_string())));
            }
            found => found?,
        };
        let Some(found) = found else {
            return Ok(Followed::Told(moving(reads, "its service deployment is not listed yet")));
        };
        if note.service_deployment.is_none() {
            let note = Note { service_deployment: Some(found.arn), ..note.clone() };
            return Ok(Followed::Told(Seen::Moving { note: Some(note), again: Duration::ZERO }));
        }
        match found.status {
            DeploymentStatus::Successful => Ok(Followed::ById(None)),
            DeploymentStatus::Pending | DeploymentStatus::InProgress => {
                Ok(Followed::Told(moving(reads, &progress(&found, strategy, primary))))
            }
            _ => Err(self.ended_early(compute, service, &found).await),
        }
    }

    /// The service deployment of the call that was noted: the newest of its definition since then.
    pub(super) async fn ours(
        &self,
        reads: &Reads<'_>,
        compute: &dyn ReadCompute,
        note: &Note,
        record: &Known<Self>,
    ) -> Result<Option<ServiceDeployment>, Fault> {
        let (cluster, service) = (&*self.cluster, &*self.service);
        if let Some(arn) = &note.service_deployment {
            let named = DeploymentFilter::Named(arn.clone());
            return Ok(compute.service_deployments(cluster, service, &named).await?.into_iter().next());
        }
        let behind = u64::try_from(BEHIND.as_millis()).unwrap_or(u64::MAX);
        let since = DeploymentFilter::Since(Timestamp(record.since.0.saturating_sub(behind)));
        let all = compute.service_deployments(cluster, service, &since).await?;
        let newest = all.into_iter().find(|one| one.definition.as_ref() == Some(&note.definition));
        // One of an earlier try may still be all that is listed.
        let certain = |one: &ServiceDeployment| {
            one.created >= record.since || one.status.is_under_way() || !may_be_stale(reads, record)
        };
        Ok(newest.filter(certain))
    }

    /// It ended before its time: in whose words, and as far as it is known, by what.
    pub(super) async fn ended_early(
        &self,
        compute: &dyn ReadCompute,
        service: &Service,
        found: &ServiceDeployment,
    ) -> Fault {
        let how = if found.status.is_turned_back() { "turned back by ECS" } else { "stopped" };
        let stage = found.stage.as_ref().map(|stage| format!(" at {stage}")).unwrap_or_default();
        let reason = found.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        Fault::permanent(format!(
            "the deployment of {} was {how}: {}{stage}{reason}; {}{}",
            self.name(),
            found.status.word(),
            cause(found),
            self.reasons(compute, service, found.definition.as_deref()).await
        ))
    }
}

/// Nobody may ask, or there is nobody to be asked: asking again would not help.
pub(super) fn is_closed(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Permanent | FaultKind::Blind)
}

/// What ended it, as far as it tells.
fn cause(found: &ServiceDeployment) -> String {
    let failed = found.hooks.iter().find(|hook| matches!(&*hook.status, "FAILED" | "TIMED_OUT"));
    match failed {
        _ if found.breaker => "its circuit breaker gave it up".into(),
        _ if !found.alarms.is_empty() => format!("alarms went off: {}", found.alarms.join(", ")),
        Some(hook) if hook.person => "nobody continued it in time".into(),
        Some(hook) => format!("a hook of it {}", hook.status),
        None => "neither its circuit breaker nor an alarm went off: see who stopped it".into(),
    }
}

/// Where it is and what it waits for, for who is woken at night.
pub(super) fn progress(found: &ServiceDeployment, strategy: &Strategy, primary: &Deployment) -> String {
    let stage = found.stage.as_deref().unwrap_or_default();
    let at = if stage.is_empty() { String::new() } else { format!(" at {stage}") };
    let failed = match primary.failed {
        0 => String::new(),
        count => format!(", {count} failed to start"),
    };
    let share = found
        .share
        .map(|share| format!(", {share} % of the requests come to the new revision"))
        .unwrap_or_default();
    let text = format!(
        "{} {}{at}: {} of {} tasks run{failed}{share}",
        strategy.kind.word(),
        found.status.word(),
        primary.running,
        primary.desired
    );
    let waits = match (stage, strategy.shift) {
        ("BAKE_TIME", _) => format!("it bakes for {}", format_duration(strategy.bake)),
        ("PRODUCTION_TRAFFIC_SHIFT", Some(shift)) => {
            format!("it moves on every {}", format_duration(shift.wait))
        }
        _ => String::new(),
    };
    let hooks = found.hooks.iter().map(hook);
    let waits: Vec<String> = hooks.chain([waits]).filter(|text| !text.is_empty()).collect();
    if waits.is_empty() { text } else { format!("{text}; {}", waits.join("; ")) }
}

fn hook(hook: &HookSeen) -> String {
    let until = hook.expires.map(|at| format!(" until {at}")).unwrap_or_default();
    let then = if hook.back { "goes back" } else { "goes on" };
    match (&*hook.status, hook.person) {
        ("AWAITING_ACTION", true) => {
            format!("it waits for somebody to continue it in ECS{until}, and {then} if nobody does")
        }
        (status, _) => format!("a hook is {status}{until}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{Rollout, Shift, StrategyKind};

    #[test]
    fn a_line_says_where_it_is_and_what_it_waits_for() {
        let mut found = ServiceDeployment {
            arn: "arn".into(),
            status: DeploymentStatus::InProgress,
            reason: None,
            created: Timestamp(0),
            definition: None,
            stage: Some("PRE_PRODUCTION_TRAFFIC_SHIFT".into()),
            share: Some(0.0),
            hooks: vec![HookSeen {
                person: true,
                status: "AWAITING_ACTION".into(),
                expires: Some(Timestamp(3_600_000)),
                back: true,
            }],
            breaker: false,
            alarms: Vec::new(),
        };
        let strategy = Strategy {
            kind: StrategyKind::Linear,
            shift: Some(Shift { percent: 10.0, wait: Duration::from_secs(360) }),
            bake: Duration::from_secs(600),
            ..Strategy::default()
        };
        let primary = Deployment {
            id: "ecs-svc/1".into(),
            primary: true,
            definition: "web:2".into(),
            rollout: Rollout::InProgress,
            reason: None,
            desired: 4,
            running: 3,
            failed: 1,
        };
        let line = |found: &ServiceDeployment| progress(found, &strategy, &primary);
        assert_eq!(
            line(&found),
            "LINEAR IN_PROGRESS at PRE_PRODUCTION_TRAFFIC_SHIFT: 3 of 4 tasks run, 1 failed to start, 0 % of the requests \
             come to the new revision; it waits for somebody to continue it in ECS until 1970-01-01T01:00:00Z, and goes \
             back if nobody does"
        );
        found.hooks.clear();
        (found.stage, found.share) = (Some("PRODUCTION_TRAFFIC_SHIFT".into()), Some(12.5));
        assert!(
            line(&found).ends_with("12.5 % of the requests come to the new revision; it moves on every 6m")
        );
        found.stage = Some("BAKE_TIME".into());
        assert!(line(&found).ends_with("; it bakes for 10m"));
        (found.stage, found.share, found.status) = (None, None, DeploymentStatus::Pending);
        assert_eq!(line(&found), "LINEAR PENDING: 3 of 4 tasks run, 1 failed to start");
    }
}
