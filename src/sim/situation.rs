//! Whether two worlds have come to the same point: a hash of everything that decides how a world goes on from now.
//!
//! Not in it: ids that were issued, moments (only how long until them), what was counted, what happened before. Two worlds
//! of one file whose situations are the same go on in the same way, as far as anybody in them can tell.

use super::app::RUNNING;
use super::balancer::{Health, Target};
use super::compute::{Phase, Service, Task};
use super::world::World;
use crate::plan::Timestamp;
use crate::port::dns::Name;
use std::fmt::{self, Debug, Write as _};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Stands for something that rarely changes, by how it is written.
pub(super) fn print_of(thing: &impl Debug) -> u64 {
    struct Ink(DefaultHasher);
    impl fmt::Write for Ink {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut ink = Ink(DefaultHasher::new());
    // Ink never runs out.
    let _ = write!(ink, "{thing:?}");
    ink.0.finish()
}

/// How long until a moment, in whole steps of so many milliseconds, rounded up; past moments are all the same.
pub(super) fn left(now: Timestamp, at: Timestamp, step: u64) -> u64 {
    at.0.saturating_sub(now.0).div_ceil(step)
}

/// In seconds.
const SECOND: u64 = 1000;

impl World {
    /// Writes everything that decides how the world goes on into a hash. Whoever keeps more of a world than it does
    /// itself, as of its calls, writes that into the same hash.
    pub fn situation(&self, hash: &mut impl Hasher) {
        self.names_situation(hash);
        for definition in &self.definitions {
            (definition.revision, definition.active, definition.print).hash(hash);
        }
        for service in &self.services {
            self.service_situation(service, hash);
        }
        self.jobs_situation(hash);
        for (name, balancer) in &self.balancers {
            (name, balancer.keep_alive, balancer.idle_timeout).hash(hash);
            for rule in &balancer.rules {
                (&rule.shares, rule.sticks).hash(hash);
            }
        }
        for group in self.groups.values() {
            group.check.deregistration_delay.0.hash(hash);
        }
        self.torn_down.len().hash(hash);
        for scan in self.scans.values() {
            (self.left(scan.created.after(RUNNING)), scan.fails).hash(hash);
        }
        self.course.images.hash(hash);
        for rule in &self.rules {
            (&rule.step, &rule.event).hash(hash);
        }
        for file in &self.files {
            file.hash(hash);
        }
        for history in self.queries.values() {
            history.print().hash(hash);
        }
        for history in self.metrics.values() {
            history.print().hash(hash);
        }
        for history in self.alarms.values() {
            history.print().hash(hash);
        }
        for history in self.logs.values() {
            history.print().hash(hash);
        }
        for parameter in &self.parameters {
            parameter.hash(hash);
        }
        for scheduled in self.course.deeds() {
            (scheduled.print, self.left(scheduled.at)).hash(hash);
        }
        for fault in self.faults.all() {
            let (nth, times) = (fault.rule.nth.unwrap_or(1), fault.rule.times.unwrap_or(1));
            (fault.id, fault.seen.min(nth), fault.met.min(times), fault.holding).hash(hash);
        }
        if let Some(users) = &self.course.users {
            let leads = self.leads_everywhere(users.host());
            users.situation(self.now, leads.as_ref().map(|(name, ttl)| (&**name, *ttl)), hash);
        }
    }

    /// The load balancer to which every name server leads, and for how long its answer may be kept.
    fn leads_everywhere(&self, host: &Name) -> Option<(String, Duration)> {
        let slowest = self.slowest();
        if self.zones.iter().any(|zone| zone.travelling(self.now, slowest).count() > 1) {
            return None;
        }
        let said = self.resolve(host, "A", 0);
        let last = said.answers.last()?;
        let ttl = said.answers.iter().map(|line| line.ttl).max()?;
        let found = self.balancers.values().find(|balancer| balancer.address.to_string() == last.value)?;
        Some((found.name.clone(), Duration::from_secs(ttl.into())))
    }

    fn left(&self, at: Timestamp) -> u64 {
        left(self.now, at, SECOND)
    }

    /// What is listed, what each name server serves, and what is still on its way.
    fn names_situation(&self, hash: &mut impl Hasher) {
        let slowest = self.slowest();
        (self.insync_after, slowest).hash(hash);
        for zone in &self.zones {
            zone.id.hash(hash);
            for (print, at) in zone.travelling(self.now, slowest) {
                (print, self.left(at)).hash(hash);
            }
        }
        for change in self.changes.iter().rev().take_while(|change| change.insync > self.now) {
            self.left(change.insync).hash(hash);
        }
    }

    fn service_situation(&self, service: &Service, hash: &mut impl Hasher) {
        (service.desired, self.left(service.next_start), &service.settled.0).hash(hash);
        (service.load, service.scaling).hash(hash);
        service.stages_situation(self.now, hash);
        for deployment in &service.deployments {
            (&deployment.definition, deployment.rollout.word(), deployment.failed).hash(hash);
        }
        for task in self.tasks_of(service).filter(|task| !matches!(task.phase, Phase::Over(..))) {
            let place = service.deployments.iter().position(|d| task.started_by.as_ref() == Some(&d.id));
            (&task.definition, place).hash(hash);
            self.task_situation(task, hash);
            let group = service.group.as_ref().and_then(|group| self.groups.get(group));
            if let Some((group, target)) = group.and_then(|g| Some((g, g.targets.get(&task.id)?))) {
                self.target_situation(target, self.next_check(group, &task.id, target), hash);
            }
            // Forgiven, or not any more.
            task.started.map(|started| self.left(started.after(service.grace))).hash(hash);
        }
    }

    fn task_situation(&self, task: &Task, hash: &mut impl Hasher) {
        let how = self.images.get(task.image()).cloned().unwrap_or_default();
        let (kind, exit) = match &task.phase {
            Phase::Pending(_) => (0, None),
            Phase::Unpullable(_) => (1, None),
            Phase::Running(end) => (2, end.map(|(_, exit)| exit)),
            Phase::Stopping(_, stopped) => (3, stopped.exit),
            Phase::Over(_, stopped) => (4, stopped.exit),
        };
        let moves = task.next().map(|at| self.left(at));
        let ready = task.started.zip(how.ready_after).map(|(at, span)| self.left(at.after(span.0)));
        (kind, exit, moves, task.stillborn, ready, task.app.tendency(&how)).hash(hash);
    }

    fn target_situation(&self, target: &Target, check: Option<Timestamp>, hash: &mut impl Hasher) {
        let leaves = match target.state {
            Health::Draining(at) => Some(self.left(at)),
            _ => None,
        };
        (target.sent, target.state.word(), target.streak, target.reason, leaves).hash(hash);
        check.map(|at| self.left(at)).hash(hash);
    }

    /// One-off tasks, over or not, by what the caller calls them: it will ask how they ended.
    fn jobs_situation(&self, hash: &mut impl Hasher) {
        let mut jobs: Vec<&Task> = self.tasks.values().filter(|task| task.service.is_none()).collect();
        // Their ids tell nothing; tasks that nothing else tells apart are interchangeable.
        jobs.sort_by_key(|task| (&task.started_by, &task.definition, task.created));
        for task in jobs {
            (&task.cluster, &task.started_by, &task.definition, print_of(&task.overrides)).hash(hash);
            self.task_situation(task, hash);
            if let Phase::Over(_, stopped) = &task.phase {
                stopped.code.hash(hash);
            }
        }
        for token in self.tokens.keys() {
            token.hash(hash);
        }
    }
}
