//! How a service of a world file takes over a new definition.

use super::{Breaker, Span};
use crate::port::{GivesUp, Hook, Monitors, Shift, Strategy, StrategyKind};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a service takes over a new definition: task by task unless stated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StrategyFile {
    /// `rolling`, `blue_green`, `linear` or `canary`.
    pub strategy: StrategyKind,
    /// How long both revisions run once all requests come to the new one.
    #[serde(skip_serializing_if = "super::is_default")]
    pub bake: Span,
    /// Of `linear` and `canary`: the share of a step in percent, 10 unless stated. Between nothing and all of it requests
    /// come to the tasks of both alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
    /// Of `linear` and `canary`: how long it waits after each step but the last.
    #[serde(skip_serializing_if = "super::is_default")]
    pub step_bake: Span,
    /// For how long it waits for somebody before requests come over, and then goes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<Span>,
}

/// Where a pause is.
pub(in crate::sim) const PAUSED_AT: &str = "PRE_PRODUCTION_TRAFFIC_SHIFT";

impl StrategyFile {
    /// Requests move from one revision to the other.
    pub(in crate::sim) fn has_stages(&self) -> bool {
        self.strategy != StrategyKind::Rolling
    }

    /// The share of a step, in percent.
    pub(in crate::sim) fn percent(&self) -> u8 {
        match self.strategy {
            StrategyKind::Rolling | StrategyKind::BlueGreen => 100,
            StrategyKind::Linear | StrategyKind::Canary => self.percent.unwrap_or(10).clamp(1, 100),
        }
    }

    /// What a world has of it. Hooks are left out: nobody is there to go on.
    pub(in crate::sim) fn of(strategy: &Strategy) -> Self {
        let percent = strategy.shift.map(|shift| (1..=100).find(|n| f64::from(*n) >= shift.percent));
        Self {
            strategy: strategy.kind,
            bake: Span(if strategy.has_stages() { strategy.bake } else { Duration::ZERO }),
            percent: percent.flatten(),
            step_bake: Span(strategy.shift.map_or(Duration::ZERO, |shift| shift.wait)),
            pause: None,
        }
    }

    /// In the words of callers.
    #[must_use]
    pub fn told(&self, breaker: Breaker) -> Strategy {
        let moves = matches!(self.strategy, StrategyKind::Linear | StrategyKind::Canary);
        let shift = Shift { percent: f64::from(self.percent()), wait: self.step_bake.0 };
        let pause = self.pause.map(|span| Hook {
            person: true,
            stages: vec![PAUSED_AT.into()],
            timeout: Some(span.0),
            back: true,
        });
        let breaker = match breaker {
            Breaker::Rollback => Some(GivesUp::TurnsBack),
            Breaker::Stop => Some(GivesUp::Stops),
            Breaker::Off => None,
        };
        Strategy {
            kind: self.strategy,
            bake: self.bake.0,
            shift: moves.then_some(shift),
            hooks: pause.into_iter().collect(),
            // "The deployment circuit breaker can only be used for services using the rolling update."
            monitors: Monitors { breaker: breaker.filter(|_| !self.has_stages()), ..Monitors::default() },
            early: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_strategy_is_the_strategy() {
        for text in [
            "{}",
            "strategy: blue_green\nbake: 5m",
            "strategy: linear\npercent: 25\nstep_bake: 2m",
            "strategy: canary\npercent: 5\nstep_bake: 10m\nbake: 15m",
        ] {
            let file: StrategyFile = serde_yaml::from_str(text).unwrap();
            assert_eq!(StrategyFile::of(&file.told(Breaker::default())), file, "{text}");
        }
    }

    #[test]
    fn a_pause_is_a_hook_that_waits_for_somebody() {
        let file: StrategyFile = serde_yaml::from_str("strategy: blue_green\npause: 1h").unwrap();
        let told = file.told(Breaker::default());
        assert!(told.hooks[0].person && told.hooks[0].timeout() == Duration::from_secs(3600));
        assert_eq!(told.monitors.breaker, None, "only a rolling update has a circuit breaker");
        assert_eq!(StrategyFile::default().told(Breaker::Stop).monitors.breaker, Some(GivesUp::Stops));
    }
}
