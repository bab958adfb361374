//! How a service takes over a new definition, and service deployments: how far each of these takeovers is.
//!
//! The words are those of the provider: who is woken at night finds them in its console.

use crate::plan::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a hook waits unless it states something else (`timeoutInMinutes`, 1440).
const HOOK_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// How a service takes over a new definition: its `deploymentConfiguration`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strategy {
    /// In which way.
    pub kind: StrategyKind,
    /// How long both revisions run once all requests come to the new one; of `ROLLING`, how long alarms are watched.
    pub bake: Duration,
    /// Of `LINEAR` and `CANARY`: how requests come over.
    pub shift: Option<Shift>,
    /// What runs, or waits for somebody, between stages.
    pub hooks: Vec<Hook>,
    /// What turns it back, or stops it, by itself.
    pub monitors: Monitors,
    /// It counts as successful once so many percent of the tasks are healthy, and the others come later.
    pub early: Option<u32>,
}

/// In which way a service takes over a new definition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyKind {
    /// Task by task.
    #[default]
    Rolling,
    /// All requests at once, to tasks that stand ready.
    BlueGreen,
    /// Step by step, of one size.
    Linear,
    /// A few requests first, then all.
    Canary,
}

impl StrategyKind {
    /// As the provider writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Rolling => "ROLLING",
            Self::BlueGreen => "BLUE_GREEN",
            Self::Linear => "LINEAR",
            Self::Canary => "CANARY",
        }
    }
}

/// How requests come over step by step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The share of a step, above 0 and at most 100.
    pub percent: f64,
    /// How long it waits after each step but the last.
    pub wait: Duration,
}

/// Something between stages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// It waits for somebody to say that it may go on (`PAUSE`); else it runs a function.
    pub person: bool,
    /// At which stages: `POST_SCALE_UP`.
    pub stages: Vec<String>,
    /// How long it may take; `None`: as long as the provider gives it.
    pub timeout: Option<Duration>,
    /// What then: back, or on.
    pub back: bool,
}

impl Hook {
    /// How long it may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(HOOK_TIMEOUT)
    }
}

/// What the provider watches meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Monitors {
    /// The circuit breaker; `None`: off.
    pub breaker: Option<GivesUp>,
    /// Alarms, by name; none: off.
    pub alarms: Vec<String>,
    /// What an alarm leads to.
    pub alarmed: GivesUp,
}

/// What giving up means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GivesUp {
    /// The service goes back to what it had.
    TurnsBack,
    /// Nothing more is started.
    #[default]
    Stops,
}

impl Strategy {
    /// Requests move from one revision to the other, in stages; else tasks are replaced where they are.
    #[must_use]
    pub fn has_stages(&self) -> bool {
        self.kind != StrategyKind::Rolling
    }

    /// Tasks are replaced, and no more: the id of its deployment tells all there is to know.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.has_stages()
            && self.bake.is_zero()
            && self.monitors.alarms.is_empty()
            && self.hooks.is_empty()
            && self.early.is_none()
    }

    /// How many steps requests take until all come to the new revision.
    #[must_use]
    pub fn steps(&self) -> u32 {
        let Some(shift) = self.shift else { return 1 };
        if self.kind == StrategyKind::Canary {
            return if shift.percent < 100.0 { 2 } else { 1 };
        }
        let mut steps = 1;
        while f64::from(steps) * shift.percent < 100.0 && steps < 1000 {
            steps += 1;
        }
        steps
    }

    /// How long it takes by the clock alone, however fast tasks start: all waits between steps, and the bake.
    #[must_use]
    pub fn at_least(&self) -> Duration {
        let wait = self.shift.map_or(Duration::ZERO, |shift| shift.wait);
        wait.saturating_mul(self.steps() - 1).saturating_add(self.bake)
    }
}

/// A service deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceDeployment {
    /// Its ARN.
    pub arn: String,
    /// How far it is.
    pub status: DeploymentStatus,
    /// Why, in the provider's words.
    pub reason: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// The task definition of the revision that it brings, as ARN. Absent where the provider does not tell, and where it
    /// was asked for by its ARN.
    pub definition: Option<String>,
    /// `BAKE_TIME`.
    pub stage: Option<String>,
    /// The share of the requests that come to the new revision, in percent, as far as it is told.
    pub share: Option<f64>,
    /// Hooks of this stage that are not done well.
    pub hooks: Vec<HookSeen>,
    /// The circuit breaker has given it up.
    pub breaker: bool,
    /// Alarms that went off meanwhile.
    pub alarms: Vec<String>,
}

/// How a hook stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookSeen {
    /// It waits for somebody.
    pub person: bool,
    /// `AWAITING_ACTION`, `IN_PROGRESS`, `FAILED`, `TIMED_OUT`.
    pub status: String,
    /// When it is given up.
    pub expires: Option<Timestamp>,
    /// What then: back, or on.
    pub back: bool,
}

/// How far a service deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeploymentStatus {
    /// It has not begun.
    Pending,
    /// Under way.
    InProgress,
    /// Done.
    Successful,
    /// It will be stopped.
    StopRequested,
    /// It was left where it was.
    Stopped,
    /// It will be turned back.
    RollbackRequested,
    /// The service goes back to what it had.
    RollbackInProgress,
    /// And is there.
    RollbackSuccessful,
    /// And did not get there.
    RollbackFailed,
}

impl DeploymentStatus {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::InProgress,
        Self::Successful,
        Self::StopRequested,
        Self::Stopped,
        Self::RollbackRequested,
        Self::RollbackInProgress,
        Self::RollbackSuccessful,
        Self::RollbackFailed,
    ];

    /// As the provider writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::Successful => "SUCCESSFUL",
            Self::StopRequested => "STOP_REQUESTED",
            Self::Stopped => "STOPPED",
            Self::RollbackRequested => "ROLLBACK_REQUESTED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Self::RollbackFailed => "ROLLBACK_FAILED",
        }
    }

    /// It goes on by itself.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Pending | Self::InProgress) || self.is_stopping()
    }

    /// Somebody, or the provider, is ending it before its time.
    #[must_use]
    pub fn is_stopping(self) -> bool {
        matches!(self, Self::StopRequested | Self::RollbackRequested | Self::RollbackInProgress)
    }

    /// It was turned back, or is being turned back.
    #[must_use]
    pub fn is_turned_back(self) -> bool {
        matches!(
            self,
            Self::RollbackRequested
                | Self::RollbackInProgress
                | Self::RollbackSuccessful
                | Self::RollbackFailed
        )
    }
}

/// Which service deployments are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentFilter {
    /// Those that go on by themselves.
    UnderWay,
    /// Those that were made since, over or not.
    Since(Timestamp),
    /// The one of this ARN.
    Named(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(count: u64) -> Duration {
        Duration::from_secs(count * 60)
    }

    fn strategy(kind: StrategyKind, percent: f64, wait: u64, bake: u64) -> Strategy {
        let shift = Some(Shift { percent, wait: minutes(wait) });
        Strategy { kind, shift, bake: minutes(bake), ..Strategy::default() }
    }

    /// "This bake time is not applied after reaching 100 percent traffic."
    #[test]
    fn what_the_clock_alone_takes() {
        use StrategyKind::{Canary, Linear};
        for (strategy, steps, least) in [
            (strategy(Linear, 10.0, 6, 0), 10, 54),
            (strategy(Linear, 30.0, 5, 7), 4, 22),
            (strategy(Linear, 100.0, 5, 7), 1, 7),
            (strategy(Canary, 5.0, 10, 15), 2, 25),
            (strategy(Canary, 100.0, 10, 15), 1, 15),
        ] {
            assert_eq!((strategy.steps(), strategy.at_least()), (steps, minutes(least)), "{strategy:?}");
        }
        let all_at_once = Strategy { kind: StrategyKind::BlueGreen, bake: minutes(5), ..Strategy::default() };
        assert_eq!((all_at_once.steps(), all_at_once.at_least()), (1, minutes(5)));
    }

    #[test]
    fn a_status_is_under_way_or_over() {
        let under_way: Vec<&str> = DeploymentStatus::ALL
            .into_iter()
            .filter(|status| status.is_under_way())
            .map(DeploymentStatus::word)
            .collect();
        let all = ["PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"];
        assert_eq!(under_way, all);
    }
}
