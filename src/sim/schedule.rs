//! How services and tasks move on their own: task by task, by health, with a circuit breaker that really rolls back.
//!
//! One deterministic step per moment; the world calls it for each moment at which something is due.

use super::balancer::{Check, Health, Target};
use super::compute::{Deployment, Event, Phase, Rollout, Stopped, Task};
use super::fault::{FaultKind, Met};
use super::file::{App, Breaker};
use super::world::World;
use crate::plan::Timestamp;
use std::time::Duration;

/// Between two tasks that a service starts.
const PACE: Duration = Duration::from_secs(4);
/// From PENDING to RUNNING, unless the image says otherwise.
const START: Duration = Duration::from_secs(6);
/// How long stopped tasks can be seen.
const KEPT: Duration = Duration::from_secs(3600);

impl World {
    /// Everything that is due at this moment.
    pub(super) fn step(&mut self, now: Timestamp) {
        self.sample(now);
        self.move_tasks(now);
        self.leave_groups(now);
        if self.predicts {
            self.predict_checks(now);
        }
        for index in 0..self.services.len() {
            self.stop_unhealthy(index, now);
            self.trip(index, now);
            while self.schedule(index, now) {}
        }
        self.forget(now);
    }

    /// Tasks that were over long ago can be seen no more.
    fn forget(&mut self, now: Timestamp) {
        let before = self.tasks.len();
        self.tasks.retain(|_, task| !matches!(task.phase, Phase::Over(at, _) if at.after(KEPT) < now));
        if self.tasks.len() < before {
            for service in &mut self.services {
                service.tasks.retain(|id| self.tasks.contains_key(id));
            }
        }
    }

    /// The next moment at which something is due.
    pub fn next(&self) -> Timestamp {
        let minute = Timestamp((self.now.0 / 60_000 + 1) * 60_000);
        let tasks = self.tasks.values().filter_map(Task::next);
        let starts = self.services.iter().filter(|s| self.wants_task(s)).map(|s| s.next_start);
        let leaving = self.groups.values().flat_map(|g| g.targets.values()).filter_map(|t| match t.state {
            Health::Draining(until) => Some(until),
            _ => self.predicts.then_some(t.next_check),
        });
        let graces = self.services.iter().filter(|s| !s.grace.is_zero()).flat_map(|s| {
            let live = self.tasks_of(s).filter(|t| !t.leaves());
            live.filter_map(|t| t.started).map(|started| started.after(s.grace))
        });
        let soonest = tasks.chain(starts).chain(leaving).chain(graces).filter(|at| *at > self.now).min();
        soonest.map_or(minute, |at| at.min(minute))
    }

    /// At each minute, how many hosts were healthy.
    fn sample(&mut self, now: Timestamp) {
        if now.0.is_multiple_of(60_000) {
            for group in self.groups.values_mut() {
                let hosts = group.hosts_now();
                group.hosts.insert(super::balancer::minute(now).saturating_sub(1), hosts);
            }
        }
    }

    fn move_tasks(&mut self, now: Timestamp) {
        let due: Vec<String> = self
            .tasks
            .values()
            .filter(|task| task.next().is_some_and(|at| at <= now))
            .map(|task| task.id.clone())
            .collect();
        for id in due {
            let Some(task) = self.tasks.get(&id) else { continue };
            match task.phase.clone() {
                Phase::Pending(_) => self.begin(&id, now),
                Phase::Unpullable(_) => {
                    let image = task.containers.first().map(|c| c.image.clone()).unwrap_or_default();
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
        let image = task.containers.first().map(|c| c.image.clone()).unwrap_or_default();
        let behaviour = self.images.get(&image).cloned().unwrap_or_default();
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
        let cluster = task.cluster.clone();
        let group = self.service(&cluster, &name).and_then(|s| s.group.clone());
        let Some(group) = group.and_then(|g| self.groups.get_mut(&g)) else { return };
        let target = Target { address, state: Health::Initial, streak: 0, reason: None, next_check: now };
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
        for group in self.groups.values_mut() {
            group.targets.retain(|_, t| !matches!(t.state, Health::Draining(until) if until <= now));
        }
    }

    /// In virtual time nobody asks a target; what it would answer is known.
    fn predict_checks(&mut self, now: Timestamp) {
        let mut due = Vec::new();
        for group in self.groups.values() {
            let own = group.targets.iter().filter(|(_, target)| target.next_check <= now);
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
            self.checked(&group, &id, check, now);
        }
    }

    /// Takes what a health check saw.
    pub fn checked(&mut self, group: &str, task: &str, check: Check, now: Timestamp) {
        if let Some(group) = self.groups.get_mut(group) {
            group.checked(task, check, now);
        }
    }

    /// Tasks that fail their health checks are replaced.
    fn stop_unhealthy(&mut self, index: usize, now: Timestamp) {
        let service = &self.services[index];
        let Some(group) = service.group.as_ref().and_then(|g| self.groups.get(g)) else { return };
        let reason = format!("Task failed ELB health checks in (target-group {})", group.arn);
        let bad: Vec<String> = self
            .tasks_of(service)
            .filter(|task| !task.leaves() && task.started.is_some_and(|at| at.after(service.grace) <= now))
            .filter(|task| group.targets.get(&task.id).is_some_and(|t| t.state == Health::Unhealthy))
            .map(|task| task.id.clone())
            .collect();
        for id in bad {
            self.stop(&id, now, "ServiceSchedulerInitiated", reason.clone());
        }
    }

    /// The circuit breaker.
    fn trip(&mut self, index: usize, now: Timestamp) {
        let id = self.fresh_deployment();
        let service = &mut self.services[index];
        // Half of the desired count, at least 3 and at most 200.
        let threshold = service.desired.div_ceil(2).clamp(3, 200);
        let primary = &mut service.deployments[0];
        let tripped = primary.rollout == Rollout::InProgress && primary.failed >= threshold;
        if !tripped || service.breaker == Breaker::Off {
            return;
        }
        primary.rollout = Rollout::Failed;
        primary.reason = "ECS deployment circuit breaker: tasks failed to start.".into();
        primary.updated = now;
        let said = format!("(deployment {}) deployment failed: tasks failed to start.", primary.id);
        let (definition, settled) = service.settled.clone();
        let rolls_back = service.breaker == Breaker::Rollback && definition != primary.definition;
        self.say(index, now, &said);
        if rolls_back {
            let reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {settled}.");
            let back = Deployment {
                id,
                definition,
                rollout: Rollout::InProgress,
                reason,
                failed: 0,
                created: now,
                updated: now,
            };
            self.services[index].deployments.insert(0, back);
            self.say(index, now, &format!("rolling back to deployment {settled}."));
        }
    }

    /// Whether the service would start a task, were it time.
    fn wants_task(&self, service: &super::compute::Service) -> bool {
        let primary = &service.deployments[0];
        let live: Vec<&Task> = self.tasks_of(service).filter(|t| !t.leaves()).collect();
        let own = live.iter().filter(|t| t.started_by.as_ref() == Some(&primary.id)).count();
        let (own, all) =
            (u32::try_from(own).unwrap_or(u32::MAX), u32::try_from(live.len()).unwrap_or(u32::MAX));
        // maximumPercent is 200. What failed for good starts nothing more.
        primary.rollout != Rollout::Failed && own < service.desired && all < service.desired * 2
    }

    /// Starts or stops one task, or closes the deployment; says whether there may be more to do.
    fn schedule(&mut self, index: usize, now: Timestamp) -> bool {
        let service = &self.services[index];
        if self.wants_task(service) && service.next_start <= now {
            self.start(index, now);
            return true;
        }
        let primary = service.deployments[0].clone();
        let live: Vec<&Task> = self.tasks_of(service).filter(|t| !t.leaves()).collect();
        let healthy = |t: &&&Task| self.is_healthy(service, t);
        let (own, old): (Vec<&Task>, Vec<&Task>) =
            live.iter().partition(|t| t.started_by.as_ref() == Some(&primary.id));
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let well = count(own.iter().filter(healthy).count());
        let all_well = well + count(old.iter().filter(healthy).count());
        // minimumHealthyPercent is 100: one that is well goes only if enough others are.
        let spare = primary.rollout != Rollout::Failed && all_well > service.desired;
        let leaver = if count(own.len()) > service.desired {
            own.last()
        } else {
            let failed = primary.rollout == Rollout::Failed;
            old.iter().find(|t| !healthy(t) && !failed).or(old.first().filter(|_| spare))
        };
        if let Some(id) = leaver.map(|t| t.id.clone()) {
            let reason = format!("Scaling activity initiated by (deployment {})", primary.id);
            self.stop(&id, now, "ServiceSchedulerInitiated", reason);
            return true;
        }
        let gone = self
            .tasks_of(service)
            .all(|t| matches!(t.phase, Phase::Over(..)) || t.started_by.as_ref() == Some(&primary.id));
        if primary.rollout == Rollout::InProgress && gone && well == service.desired {
            self.complete(index, now);
        }
        false
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
        self.say(index, now, &said);
        self.say(index, now, "has reached a steady state.");
    }

    fn start(&mut self, index: usize, now: Timestamp) {
        let service = &mut self.services[index];
        service.next_start = now.after(PACE);
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
        let containers = self.definition(definition).map(super::Definition::containers).unwrap_or_default();
        let image = containers.first().map(|c| c.image.clone()).unwrap_or_default();
        let behaviour = self.images.get(&image).cloned();
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
            overrides: serde_json::json!({}),
        };
        self.tasks.insert(id.clone(), task);
        id
    }

    /// Begins to stop a task: behind a load balancer it first drains.
    pub(super) fn stop(&mut self, id: &str, now: Timestamp, code: &'static str, reason: String) {
        let Some(task) = self.tasks.get_mut(id).filter(|task| !task.leaves()) else { return };
        let mut until = now.after(Duration::from_secs(1));
        for group in self.groups.values_mut() {
            let delay = group.check.deregistration_delay.0;
            if let Some(target) = group.targets.get_mut(id) {
                target.state = Health::Draining(now.after(delay));
                until = now.after(delay);
            }
        }
        // Ended by SIGTERM.
        let exit = task.started.map(|_| 143);
        task.phase = Phase::Stopping(until, Stopped { code, reason, exit });
    }

    /// Adds what a service says of itself.
    pub(super) fn say(&mut self, index: usize, now: Timestamp, what: &str) {
        let id = self.fresh("event");
        let service = &mut self.services[index];
        let message = format!("(service {}) {what}", service.name);
        service.events.push_front(Event { id, at: now, message });
        service.events.truncate(100);
    }
}
