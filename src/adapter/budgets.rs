//! How often AWS is asked: a budget for each account and service, which all runs of this process share.
//!
//! AWS counts the calls of an account, whoever sends them, and refuses what is too much: a script in a loop, or our own
//! watching, would keep an undo from getting through. So we take half of what AWS gives an account, and of that half watching
//! leaves a reserve alone. An undo waits for nobody here: what it sends is counted, and watching goes without.
//!
//! AWS throttles when others in the account ask too. Then what is left for watching is gone, and it goes on at half its
//! pace; at a quarter, then an eighth, while that does not help. Each ten seconds without a throttle double it again.
//!
//! Whoever waits, waits behind those that are as urgent, in the order in which they came: none is forgotten. A look that
//! waits has seen nothing yet, so it is neither a pass nor a breach.
//! Not here: what is asked, and which answer is a throttle.

use crate::plan::Timestamp;
use crate::port::{Budget, Clock, Urgency};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A service, as AWS counts calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    Route53,
    Ecs,
    Ecr,
    Elb,
    CloudWatch,
    Logs,
    Ssm,
    Secrets,
    Scaling,
    Sts,
    Iam,
}

impl Service {
    const ALL: [Self; 11] = [
        Self::Route53,
        Self::Ecs,
        Self::Ecr,
        Self::Elb,
        Self::CloudWatch,
        Self::Logs,
        Self::Ssm,
        Self::Secrets,
        Self::Scaling,
        Self::Sts,
        Self::Iam,
    ];

    /// As people are told of its calls.
    fn name(self) -> &'static str {
        match self {
            Self::Route53 => "route53",
            Self::Ecs => "ecs",
            Self::Ecr => "ecr",
            Self::Elb => "elbv2",
            Self::CloudWatch => "cloudwatch",
            Self::Logs => "logs",
            Self::Ssm => "ssm",
            Self::Secrets => "secretsmanager",
            Self::Scaling => "application-autoscaling",
            Self::Sts => "sts",
            Self::Iam => "iam",
        }
    }

    /// What AWS gives an account in a region: so many calls at once, and so many a second after that. Where each operation
    /// has a bucket of its own, the smaller ones of those that are watched with. Those of Route 53 and of load balancers are as AWS
    /// documents them; the others are estimates, and name the page to hold them to.
    fn bucket(self) -> (u64, u64) {
        match self {
            // Developer guide, "Throttling API requests": for an account, wherever it is asked from.
            Self::Route53 => (50, 10),
            // Estimated. API reference, "Request throttling": reads of services and tasks.
            Self::Ecs => (50, 20),
            // Estimated. User guide, "Service quotas": DescribeImages.
            Self::Ecr => (20, 20),
            // User guide, "Request throttling": what changes nothing.
            Self::Elb => (40, 10),
            // Estimated. User guide, "Service quotas": GetMetricData and DescribeAlarms.
            Self::CloudWatch => (50, 20),
            // Estimated. User guide, "Quotas": FilterLogEvents.
            Self::Logs => (10, 5),
            // Estimated. General reference, "Systems Manager endpoints and quotas": GetParameter.
            Self::Ssm => (40, 40),
            // Estimated. User guide, "Quotas": DescribeSecret. Only previews ask.
            Self::Secrets => (40, 40),
            // Estimated: AWS does not tell.
            Self::Scaling => (20, 10),
            // Estimated. IAM user guide, "Quotas"; a connection needs one in its life.
            Self::Sts => (200, 200),
            // Estimated: AWS does not tell. Only previews ask.
            Self::Iam => (20, 10),
        }
    }

    /// It counts the calls of an account in all regions together.
    fn is_global(self) -> bool {
        matches!(self, Self::Route53 | Self::Iam)
    }

    fn share(self) -> Share {
        let (burst, a_second) = self.bucket();
        let at_once = burst / 2;
        Share { service: self.name(), at_once, a_second: a_second / 2, reserve: at_once * 2 / 5 }
    }
}

/// What this process takes of the calls that AWS gives an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// `route53`.
    pub service: &'static str,
    /// Calls at once, at most.
    pub at_once: u64,
    /// Calls a second after that.
    pub a_second: u64,
    /// Of those at once, what only the way back may use.
    pub reserve: u64,
}

/// The share of each service.
pub fn shares() -> impl Iterator<Item = Share> {
    Service::ALL.into_iter().map(Service::share)
}

/// A throttle slows watching down at most so often.
const STEP: Duration = Duration::from_secs(1);
/// So long without a throttle, and watching is twice as quick.
const QUIET: Duration = Duration::from_secs(10);
/// An eighth of its pace: two to the power of this.
const SLOWEST: u32 = 3;

/// The budget of one account and service.
#[derive(Debug)]
struct Lane {
    share: Share,
    budget: Budget,
    /// How often its pace was halved by the newest throttle.
    halved: u32,
    /// When that was, and when AWS throttled last.
    halved_at: Timestamp,
    throttled_at: Timestamp,
    /// While it is slowed down: no look before then.
    next_look: Timestamp,
}

impl Lane {
    fn of(share: Share) -> Self {
        let (budget, never) = (Budget::new(share.at_once, share.a_second), Timestamp::PAST);
        Self { share, budget, halved: 0, halved_at: never, throttled_at: never, next_look: never }
    }

    /// Takes a call; or says when to ask again.
    fn take(&mut self, urgency: Urgency, now: Timestamp) -> Result<(), Timestamp> {
        match urgency {
            Urgency::Undoing => {
                self.budget.draw(now);
                Ok(())
            }
            Urgency::Settling => self.budget.take_above(0, now),
            Urgency::Changing => self.budget.take_above(self.share.reserve, now),
            Urgency::Watching => self.look(now),
        }
    }

    /// Leaves the reserve alone, and half as much again: a change that goes forward waits for no look either.
    fn look(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        self.set_back(now);
        if now < self.next_look {
            return Err(self.next_look);
        }
        self.budget.take_above(self.share.reserve + self.share.reserve / 2, now)?;
        self.next_look = now.after(self.between(now));
        Ok(())
    }

    /// Between two looks: nothing, unless AWS has throttled.
    fn between(&self, now: Timestamp) -> Duration {
        match self.halvings(now) {
            0 => Duration::ZERO,
            halvings => Duration::from_millis((1000_u64 << halvings) / self.share.a_second.max(1)),
        }
    }

    /// How often the pace of watching is halved now.
    fn halvings(&self, now: Timestamp) -> u32 {
        let quiet = now.since(self.throttled_at).as_secs() / QUIET.as_secs();
        self.halved.saturating_sub(u32::try_from(quiet).unwrap_or(u32::MAX))
    }

    /// A clock that was set back makes nobody wait for longer.
    fn set_back(&mut self, now: Timestamp) {
        self.halved_at = self.halved_at.min(now);
        self.throttled_at = self.throttled_at.min(now);
        self.next_look = self.next_look.min(now.after(self.between(now)));
    }

    /// AWS said that it is too much.
    fn throttled(&mut self, now: Timestamp) {
        self.set_back(now);
        let halvings = self.halvings(now);
        if halvings == 0 || now.since(self.halved_at) >= STEP {
            (self.halved, self.halved_at) = ((halvings + 1).min(SLOWEST), now);
        } else {
            self.halved = halvings;
        }
        self.throttled_at = now;
        self.budget.cut_to(self.share.reserve, now);
    }
}

/// Whose calls AWS counts together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Counted {
    service: Service,
    account: Arc<str>,
    /// Empty where it makes no difference.
    region: Arc<str>,
    /// What stands for AWS, if anything does: a world of its own.
    endpoint: Option<Arc<str>>,
}

/// The budgets of all accounts that this process asks.
#[derive(Clone, Debug, Default)]
pub struct Budgets(Arc<Mutex<BTreeMap<Counted, Arc<Queues>>>>);

impl Budgets {
    /// What there is for one account, in a region of it, and a service.
    pub(super) fn of(
        &self,
        service: Service,
        account: &Arc<str>,
        region: &Arc<str>,
        endpoint: Option<&Arc<str>>,
    ) -> Arc<Queues> {
        let region = if service.is_global() { Arc::default() } else { region.clone() };
        let counted = Counted { service, account: account.clone(), region, endpoint: endpoint.cloned() };
        let new = || Arc::new(Queues::of(service.share()));
        self.all().entry(counted).or_insert_with(new).clone()
    }

    /// Where looks wait for their turn now: whose, and how many.
    #[must_use]
    pub fn crowds(&self) -> Vec<(String, usize)> {
        let crowd = |(counted, queues): (&Counted, &Arc<Queues>)| {
            let Share { service, a_second, .. } = queues.lane().share;
            let whose = format!("{service} of account {}, {a_second} calls a second", counted.account);
            (whose, queues.waiting.load(Ordering::Relaxed))
        };
        self.all().iter().map(crowd).filter(|(_, waiting)| *waiting > 0).collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Counted, Arc<Queues>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for a call of one account and service.
#[derive(Debug)]
pub(super) struct Queues {
    lane: Mutex<Lane>,
    /// One place each: whoever has it is the next of its urgency.
    watching: tokio::sync::Mutex<()>,
    changing: tokio::sync::Mutex<()>,
    settling: tokio::sync::Mutex<()>,
    /// Looks without a place yet, or with one and no call.
    waiting: AtomicUsize,
}

impl Queues {
    fn of(share: Share) -> Self {
        let (watching, changing, settling) = Default::default();
        Self { lane: Mutex::new(Lane::of(share)), watching, changing, settling, waiting: AtomicUsize::new(0) }
    }

    /// Waits until a call may be sent. Whoever is dropped meanwhile has taken nothing.
    pub(super) async fn turn(&self, urgency: Urgency, clock: &dyn Clock) {
        let (queue, _waits) = match urgency {
            Urgency::Undoing => {
                // It is never refused one.
                let _ = self.lane().take(urgency, clock.now());
                return;
            }
            Urgency::Settling => (&self.settling, None),
            Urgency::Changing => (&self.changing, None),
            Urgency::Watching => (&self.watching, Some(Waits::in_line(&self.waiting))),
        };
        let _place = queue.lock().await;
        loop {
            let taken = self.lane().take(urgency, clock.now());
            match taken {
                Ok(()) => return,
                Err(at) => clock.sleep_until(at).await,
            }
        }
    }

    /// AWS throttled a call of this account.
    pub(super) fn throttled(&self, now: Timestamp) {
        self.lane().throttled(now);
    }

    fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counted for as long as it waits.
struct Waits<'q>(&'q AtomicUsize);

impl<'q> Waits<'q> {
    fn in_line(waiting: &'q AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
