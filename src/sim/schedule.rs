//! How services and tasks move on their own: task by task, by health, with a circuit breaker that really rolls back.
//!
//! One deterministic step per moment; the world calls it for each moment at which something is due.

use super::balancer::{Check, Health, Target, TargetGroup};
use super::compute::{Event, Phase, Rollout, Service, Stopped, Task};
use super::fault::{FaultKind, FaultRule, Met};
use super::file::{App, Breaker};
use super::ledger::Whose;
use super::world::World;
use crate::plan::Timestamp;
use crate::port::DeploymentStatus;
use std::sync::Arc;
use std::time::Duration;

/// Between two tasks that a service starts.
const PACE: Duration = Duration::from_secs(4);
/// So many failures are tried again at once; after that the service waits longer and longer, a quarter of an hour at most
/// ("service throttle logic", ECS Developer Guide).
const TRIED: u32 = 6;
const LONGEST_PACE: Duration = Duration::from_secs(900);
/// From PENDING to RUNNING, unless the image says otherwise.
const START: Duration = Duration::from_secs(6);
/// How long stopped tasks can be seen.
const KEPT: Duration = Duration::from_secs(3600);

/// Between two tasks of a deployment of which so many have failed.
fn pace(failed: u32) -> Duration {
    let doubled = 2u32.saturating_pow(failed.saturating_sub(TRIED));
    PACE.saturating_mul(doubled).min(LONGEST_PACE)
}

impl World {
    /// Everything that is due at this moment.
    pub(super) fn step(&mut self, now: Timestamp) {
        self.move_tasks(now);
        self.leave_groups(now);
        if self.predicts {
            self.predict_checks(now);
        }
        for index in 0..self.services.len() {
            self.stop_unhealthy(index, now);
            self.trip(index, now);
            self.pass_stages(index, now);
            while self.schedule_task(index, now) {}
        }
        self.forget(now);
        self.note_hosts(now);
        self.disturbed();
    }

    /// Tasks that were over long ago can be seen no more.
    fn forget(&mut self, now: Timestamp) {
        let old = |task: &Task| matches!(task.phase, Phase::Over(at, _) if at.after(KEPT) < now);
        if !self.tasks.values().any(old) {
            return;
        }
        self.tasks.retain(|_, task| !old(task));
        for service in &mut self.services {
            service.tasks.retain(|id| self.tasks.contains_key(id));
        }
    }

    /// The next moment at which services, tasks or targets move.
    pub(super) fn next_step(&self) -> Timestamp {
        // Whoever serves a world in real time looks at it every minute.
        let minute = (!self.predicts).then_some(Timestamp((self.now.0 / 60_000 + 1) * 60_000));
        let tasks = self.tasks.values().filter_map(|task| match task.phase {
            Phase::Over(at, _) => Some(at.after(KEPT + Duration::from_millis(1))),
            _ => task.next(),
        });
        let starts = self.services.iter().filter(|s| self.wants_task(s)).map(|s| s.next_start);
        let targets = self.groups.values().flat_map(|g| g.targets.iter().map(move |(id, t)| (g, id, t)));
        let targets = targets.filter_map(|(group, id, target)| match target.state {
            Health::Draining(until) => Some(until),
            _ => self.next_check(group, id, target),
        });
        let graces = self.services.iter().flat_map(|s| {
            self.unhealthy(s).filter_map(|task| task.started).map(|started| started.after(s.grace))
        });
        let stages = self.services.iter().filter_map(Service::stage_ends);
        let soonest = tasks.chain(starts).chain(stages).chain(targets).chain(graces).chain(minute).min();
        // What should have happened already, but for a caller that came at this very moment, happens at once.
        soonest.unwrap_or(Timestamp::NEVER).max(self.now.after(Duration::from_millis(1)))
    }

    /// When a target is next checked; nobody does where nothing can come of it.
    pub(super) fn next_check(&self, group: &TargetGroup, id: &str, target: &Target) -> Option<Timestamp> {
        let leaves = matches!(target.state, Health::Draining(_));
        if !self.predicts || leaves || self.is_steady(id, target, &group.check.path) {
            return None;
        }
        let every = every(group);
        let missed = (self.now.0 + 1).saturating_sub(target.next_check.0).div_ceil(every);
        Some(Timestamp(target.next_check.0 + missed * every))
    }

    /// A target that is healthy, and whose checks will pass for as long as nobody disturbs the world.
    fn is_steady(&self, id: &str, target: &Target, path: &str) -> bool {
        let watched = |rule: &FaultRule| rule.service.is_empty() || rule.service == "app";
        target.state == Health::Healthy
            && target.streak == 0
            && self.stays_well(id, path, self.now)
            && !self.faults.all().iter().any(|fault| watched(&fault.rule))
    }

    fn move_tasks(&mut self, now: Timestamp) {
        let due = |task: &&Task| task.next().is_some_and(|at| at <= now);
        let due: Vec<String> = self.tasks.values().filter(due).map(|task| task.id.clone()).collect();
        for id in due {
            let Some(task) = self.tasks.get(&id) else { continue };
            match task.phase.clone() {
                Phase::Pending(_) => self.begin(&id, now),
                Phase::Unpullable(_) => {
                    let image = task.image();
                    let reason = format!(
                        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to \
                         resolve ref {image}: not found"
                    );
                    self.end(&id, now, Stopped { code: "TaskFailedToStart", reason, exit: None });
                }
                Phase::Running(Some((_, exit))) => {
                    let reason = "Essential container in task exited".into();
                    let stopped = Stopped { code: "EssentialContainerExited", reason, exit: Some(exit) };
                    self.end(&id, now, stopped);
                }
                Phase::Stopping(_, stopped) => self.end(&id, now, stopped),
                Phase::Running(None) | Phase::Over(..) => {}
            }
        }
    }

    /// A task begins to run, and registers with its target group.
    fn begin(&mut self, id: &str, now: Timestamp) {
        let Some(task) = self.tasks.get_mut(id) else { return };
        let behaviour = self.images.get(task.image()).cloned().unwrap_or_default();
        let end = match (behaviour.app, behaviour.crashes_after) {
            (_, Some(after)) => Some((now.after(after.0), 1)),
            (App::Job, None) => {
                let long = behaviour.runs_for.map_or(Duration::from_secs(20), |span| span.0);
                Some((now.after(long), behaviour.exit_code))
            }
            (_, None) => None,
        };
        task.phase = Phase::Running(end);
        task.started = Some(now);
        let address = task.address;
        let Some(name) = task.service.clone() else { return };
        let (cluster, definition) = (task.cluster.clone(), task.definition.clone());
        let Some(service) = self.service(&cluster, &name) else { return };
        let (group, sent) = (service.group.clone(), service.sends_to(&definition));
        let Some(group) = group.and_then(|g| self.groups.get_mut(&g)) else { return };
        let target =
            Target { address, state: Health::Initial, sent, streak: 0, reason: None, next_check: now };
        group.targets.insert(id.into(), target);
    }

    /// A task is over; if its deployment is on the way, that counts against it.
    fn end(&mut self, id: &str, now: Timestamp, stopped: Stopped) {
        let Some(task) = self.tasks.get_mut(id) else { return };
        let counts = matches!(stopped.code, "EssentialContainerExited" | "TaskFailedToStart")
            || stopped.reason.starts_with("Task failed ELB health checks");
        let own = task.service.clone().zip(task.started_by.clone());
        let cluster = task.cluster.clone();
        task.phase = Phase::Over(now, stopped);
        for group in self.groups.values_mut() {
            group.targets.remove(id);
        }
        let Some((name, deployment)) = own.filter(|_| counts) else { return };
        let Some(service) = self.service_mut(&cluster, &name) else { return };
        let primary = &mut service.deployments[0];
        if primary.id == deployment && primary.rollout == Rollout::InProgress {
            primary.failed += 1;
            primary.updated = now;
        }
    }

    /// Targets whose time is up leave their group.
    fn leave_groups(&mut self, now: Timestamp) {
        let over = |target: &Target| matches!(target.state, Health::Draining(until) if until <= now);
        if self.groups.values().flat_map(|group| group.targets.values()).any(over) {
            for group in self.groups.values_mut() {
                group.targets.retain(|_, target| !over(target));
            }
        }
    }

    /// In virtual time nobody asks a target; what it would answer is known.
    fn predict_checks(&mut self, now: Timestamp) {
        let mut due = Vec::new();
        for group in self.groups.values() {
            let own = group.targets.iter().filter(|(id, target)| {
                let at = target.next_check;
                at <= now
                    && (now.0 - at.0).is_multiple_of(every(group))
                    && !matches!(target.state, Health::Draining(_))
                    && !self.is_steady(id, target, &group.check.path)
            });
            due.extend(own.map(|(id, _)| (group.name.clone(), id.clone(), group.check.path.clone())));
        }
        let mut checks = Vec::new();
        for (group, id, path) in due {
            let passed = self.would_pass(&id, &path, now);
            // Nobody but a program that listens can meet a fault.
            let listens = self.tasks.get(&id).is_some_and(Task::listens);
            let met = if listens { self.faults.meet("app", &path, &id) } else { Met::default() };
            let check = match met.fate.map(|fault| fault.rule.kind) {
                _ if met.hold.is_some() => Check::Timeout,
                Some(FaultKind::Throttle | FaultKind::Error) => Check::Status,
                Some(FaultKind::DropBefore | FaultKind::DropAfter) => Check::Refused,
                _ if passed => Check::Passed,
                _ => Check::Status,
            };
            checks.push((group, id, check));
        }
        for (group, id, check) in checks {
            if let Some(group) = self.groups.get_mut(&group) {
                group.checked(&id, check, now);
            }
        }
    }

    /// Takes what a health check saw.
    pub fn checked(&mut self, group: &str, task: &str, check: Check, now: Timestamp) {
        if let Some(group) = self.groups.get_mut(group) {
            group.checked(task, check, now);
        }
        self.note_hosts(now);
        self.disturbed();
    }

    /// The tasks of a service that their load balancer finds unhealthy.
    fn unhealthy<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Task> + 'a {
        let group = service.group.as_ref().and_then(|g| self.groups.get(g));
        group.into_iter().flat_map(move |group| {
            let bad =
                |task: &&Task| group.targets.get(&task.id).is_some_and(|t| t.state == Health::Unhealthy);
            self.tasks_of(service).filter(|task| !task.leaves()).filter(bad)
        })
    }

    /// Tasks that fail their health checks are replaced.
    fn stop_unhealthy(&mut self, index: usize, now: Timestamp) {
        let service = &self.services[index];
        let forgiven = |task: &&Task| task.started.is_none_or(|at| at.after(service.grace) > now);
        let bad: Vec<String> =
            self.unhealthy(service).filter(|task| !forgiven(task)).map(|task| task.id.clone()).collect();
        if bad.is_empty() {
            return;
        }
        let group = service.group.as_ref().and_then(|g| self.groups.get(g)).map_or("", |g| &g.arn);
        let reason = format!("Task failed ELB health checks in (target-group {group})");
        for id in bad {
            self.stop(&id, now, "ServiceSchedulerInitiated", reason.clone());
        }
    }

    /// The circuit breaker.
    fn trip(&mut self, index: usize, now: Timestamp) {
        let service = &self.services[index];
        // Half of the desired count, at least 3 and at most 200.
        let threshold = service.desired.div_ceil(2).clamp(3, 200);
        let primary = &service.deployments[0];
        let tripped = primary.rollout == Rollout::InProgress && primary.failed >= threshold;
        // "The deployment circuit breaker can only be used for services using the rolling update."
        if !tripped || service.breaker == Breaker::Off || service.strategy.has_stages() {
            return;
        }
        let service = &mut self.services[index];
        let primary = &mut service.deployments[0];
        primary.rollout = Rollout::Failed;
        primary.reason = "ECS deployment circuit breaker: tasks failed to start.".into();
        primary.updated = now;
        let said = format!("(deployment {}) deployment failed: tasks failed to start.", primary.id);
        let (definition, settled) = &service.settled;
        let rolls_back = service.breaker == Breaker::Rollback && *definition != primary.definition;
        let reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {settled}.");
        self.say(index, now, &said);
        if rolls_back {
            self.acting(Whose::Provider, |world| world.go_back(index, &reason, now));
        } else {
            self.end_service_deployment(index, DeploymentStatus::Stopped);
        }
    }

    /// Whether the service would start a task, were it time.
    fn wants_task(&self, service: &Service) -> bool {
        let primary = &service.deployments[0];
        let (mut own, mut all) = (0, 0);
        for task in self.tasks_of(service).filter(|t| !t.leaves()) {
            all += 1;
            own += u32::from(task.started_by.as_ref() == Some(&primary.id));
        }
        // maximumPercent is 200. What failed for good starts nothing more.
        primary.rollout != Rollout::Failed && own < service.desired && all < service.desired * 2
    }

    /// Starts or stops one task, or closes the deployment; says whether there may be more to do.
    fn schedule_task(&mut self, index: usize, now: Timestamp) -> bool {
        let service = &self.services[index];
        if service.next_start <= now && self.wants_task(service) {
            self.start(index, now);
            return true;
        }
        if let Some(id) = self.leaver(service).map(|task| task.id.clone()) {
            let reason = format!("Scaling activity initiated by (deployment {})", service.deployments[0].id);
            self.stop(&id, now, "ServiceSchedulerInitiated", reason);
            return true;
        }
        let primary = &service.deployments[0];
        if primary.rollout == Rollout::InProgress && !service.keeps_old() {
            let own = |task: &Task| task.started_by.as_ref() == Some(&primary.id);
            let gone = self.tasks_of(service).all(|t| matches!(t.phase, Phase::Over(..)) || own(t));
            let live = self.tasks_of(service).filter(|t| !t.leaves() && own(t));
            let well = live.filter(|t| self.is_healthy(service, t)).count();
            if gone && u32::try_from(well) == Ok(service.desired) {
                self.complete(index, now);
            }
        }
        false
    }

    /// The task that a service lets go, if it has one too many, or one that is not of its deployment.
    fn leaver<'a>(&'a self, service: &'a Service) -> Option<&'a Task> {
        let primary = &service.deployments[0];
        let live = || self.tasks_of(service).filter(|t| !t.leaves());
        let own = |t: &&Task| t.started_by.as_ref() == Some(&primary.id);
        let (mut of_primary, mut old, mut all_well) = (0, 0, 0);
        for task in live() {
            *(if own(&task) { &mut of_primary } else { &mut old }) += 1;
            all_well += u32::from(self.is_healthy(service, task));
        }
        if of_primary > service.desired {
            return live().filter(own).last();
        }
        if old == 0 || service.keeps_old() {
            return None;
        }
        // minimumHealthyPercent is 100: one that is well goes only if enough others are.
        let failed = primary.rollout == Rollout::Failed;
        let spare = !failed && all_well > service.desired;
        let sick = live().find(|t| !own(t) && !failed && !self.is_healthy(service, t));
        sick.or_else(|| live().find(|t| !own(t)).filter(|_| spare))
    }

    fn complete(&mut self, index: usize, now: Timestamp) {
        let service = &mut self.services[index];
        service.deployments.truncate(1);
        let primary = &mut service.deployments[0];
        primary.rollout = Rollout::Completed;
        primary.reason = format!("ECS deployment {} completed.", primary.id);
        primary.updated = now;
        service.settled = (primary.definition.clone(), primary.id.clone());
        let said = format!("(deployment {}) deployment completed.", primary.id);
        self.end_service_deployment(index, DeploymentStatus::Successful);
        self.say(index, now, &said);
        self.say(index, now, "has reached a steady state.");
    }

    fn start(&mut self, index: usize, now: Timestamp) {
        let service = &mut self.services[index];
        service.next_start = now.after(pace(service.deployments[0].failed));
        let (cluster, name) = (service.cluster.clone(), service.name.clone());
        let deployment = service.deployments[0].clone();
        let id = self.new_task(&cluster, &deployment.definition, Some(deployment.id), now);
        if let Some(task) = self.tasks.get_mut(&id) {
            task.service = Some(name);
        }
        self.services[index].tasks.push(id.clone());
        self.say(index, now, &format!("has started 1 tasks: (task {id})."));
    }

    /// A task that is asked for; it begins to run later.
    pub(super) fn new_task(
        &mut self,
        cluster: &str,
        definition: &str,
        started_by: Option<String>,
        now: Timestamp,
    ) -> String {
        let id = self.fresh("task");
        let containers = self.definition(definition).map(|found| found.read.clone()).unwrap_or_default();
        let image = containers.first().map_or("", |c| &c.image);
        let behaviour = self.images.get(image).cloned();
        let starts = now.after(behaviour.as_ref().and_then(|b| b.starts_in).map_or(START, |span| span.0));
        let unpullable = behaviour.as_ref().is_none_or(|b| b.unpullable);
        let task = Task {
            arn: format!("arn:aws:ecs:{}:{}:task/{cluster}/{id}", self.region, self.account),
            id: id.clone(),
            cluster: cluster.into(),
            service: None,
            definition: definition.into(),
            started_by,
            containers,
            address: self.fresh_address(),
            phase: if unpullable { Phase::Unpullable(starts) } else { Phase::Pending(starts) },
            created: now,
            started: None,
            stillborn: behaviour.is_some_and(|b| b.crashes_after.is_some()),
            app: super::app::Memory::default(),
            overrides: Arc::new(serde_json::json!({})),
        };
        self.disturbed();
        self.tasks.insert(id.clone(), task);
        id
    }

    /// Begins to stop a task: behind a load balancer it first drains.
    pub(super) fn stop(&mut self, id: &str, now: Timestamp, code: &'static str, reason: String) {
        if self.tasks.get(id).is_none_or(Task::leaves) {
            return;
        }
        let mut until = now.after(Duration::from_secs(1));
        for group in self.groups.values_mut() {
            let delay = group.check.deregistration_delay.0;
            if let Some(target) = group.targets.get_mut(id) {
                target.state = Health::Draining(now.after(delay));
                until = now.after(delay);
            }
        }
        if let Some(task) = self.tasks.get_mut(id) {
            // Ended by SIGTERM.
            let exit = task.started.map(|_| 143);
            task.phase = Phase::Stopping(until, Stopped { code, reason, exit });
        }
        self.note_hosts(now);
        self.disturbed();
    }

    /// Adds what a service says of itself.
    pub(super) fn say(&mut self, index: usize, now: Timestamp, what: &str) {
        let id = self.fresh("event");
        let service = &mut self.services[index];
        let message = format!("(service {}) {what}", service.name);
        service.events.push_front(Arc::new(Event { id, at: now, message }));
        service.events.truncate(100);
    }
}

/// Between two checks of a target, in milliseconds.
fn every(group: &TargetGroup) -> u64 {
    u64::try_from(group.check.every.0.as_millis()).unwrap_or(u64::MAX).max(1)
}
