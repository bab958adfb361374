//! What the strategy of a service makes of a deployment: how long it takes, whom it needs, and what may turn it back.

use super::deploy::Deploy;
use crate::plan::format_duration;
use crate::port::{GivesUp, Hook, ReadCompute, Service, Strategy, StrategyKind};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

impl Deploy {
    /// Nobody's deployment is under way, where it would be overtaken: and whoever follows ours may look at it.
    pub(super) async fn nobody_deploys(
        &self,
        compute: &dyn ReadCompute,
        service: &Service,
    ) -> Result<(), Fault> {
        if !service.strategy.has_stages() {
            return Ok(());
        }
        match self.under_way(compute).await? {
            None => Ok(()),
            Some(found) => Err(Fault::foreign(format!(
                "{} is being deployed by somebody else: {} is {}",
                self.name(),
                found.arn,
                found.status.word()
            ))),
        }
    }

    /// There is time for all stages.
    pub(super) fn has_time(&self, service: &Service) -> Result<(), Fault> {
        let (name, strategy, within) = (self.name(), &service.strategy, self.healthy.within);
        let least = strategy.at_least();
        if least >= within {
            return Err(Fault::permanent(format!(
                "{name} takes over by {}: at least {} by the clock alone, and `healthy.within` is {}. the run would \
                 give up on a deployment that goes well: set `within` to what its tasks need to start on top of that",
                way(strategy),
                format_duration(least),
                format_duration(within)
            )));
        }
        Ok(())
    }
}

/// What a preview tells of it; `within`: how long the run waits.
pub(super) fn notes(strategy: &Strategy, within: Duration) -> Vec<Arc<str>> {
    let least = strategy.at_least();
    let clock = if least.is_zero() {
        String::new()
    } else {
        format!("at least {} by the clock alone, and ", format_duration(least))
    };
    let mut lines = vec![format!(
        "takes over by {}: {clock}{} at most, after which the run gives it up",
        way(strategy),
        format_duration(within)
    )];
    lines.extend(strategy.hooks.iter().map(|hook| hooked(hook, within)));
    lines.push(ended_by(strategy));
    lines.extend(strategy.early.map(|percent| {
        format!(
            "ECS calls it done once {percent} % of the tasks are healthy; this step waits for all of them"
        )
    }));
    lines.into_iter().map(Arc::from).collect()
}

/// `CANARY, 10 % of the requests and after 5m all, then a bake of 10m`.
fn way(strategy: &Strategy) -> String {
    let shift = strategy.shift.map(|shift| {
        let (percent, wait) = (shift.percent, format_duration(shift.wait));
        match strategy.kind {
            StrategyKind::Linear => format!(", {percent} % of the requests more every {wait}"),
            _ => format!(", {percent} % of the requests and after {wait} all"),
        }
    });
    let bake = match strategy.bake {
        Duration::ZERO => String::new(),
        bake => format!(", then a bake of {}", format_duration(bake)),
    };
    format!("{}{}{bake}", strategy.kind.word(), shift.unwrap_or_default())
}

fn hooked(hook: &Hook, within: Duration) -> String {
    let stages = hook.stages.join(", ");
    let (timeout, then) = (format_duration(hook.timeout()), if hook.back { "back" } else { "on" });
    if hook.person {
        let sooner = if hook.timeout() > within { " (the run gives it up before that)" } else { "" };
        return format!(
            "needs a person at {stages}: a PAUSE waits for ContinueServiceDeployment, and goes {then} after {timeout}\
             {sooner}"
        );
    }
    format!("runs a hook at {stages}, which may take {timeout}, and then goes {then}")
}

fn ended_by(strategy: &Strategy) -> String {
    let (monitors, mut back, mut stop) = (&strategy.monitors, Vec::new(), Vec::new());
    let alarms = (!monitors.alarms.is_empty())
        .then(|| (format!("alarms {}", monitors.alarms.join(", ")), monitors.alarmed));
    let breaker = monitors.breaker.map(|then| ("its circuit breaker".to_owned(), then));
    for (what, then) in breaker.into_iter().chain(alarms) {
        if then == GivesUp::TurnsBack { &mut back } else { &mut stop }.push(what);
    }
    let told = |what: Vec<String>, verb: &str| {
        (!what.is_empty()).then(|| format!("{verb} by ECS itself by {}", what.join(" and by ")))
    };
    let all = [told(back, "turned back"), told(stop, "stopped, and left as it is,")];
    let all: Vec<String> = all.into_iter().flatten().collect();
    if all.is_empty() { "no circuit breaker and no alarm of ECS ends it".into() } else { all.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{Monitors, Shift};

    fn minutes(count: u64) -> Duration {
        Duration::from_secs(count * 60)
    }

    fn told(strategy: &Strategy) -> Vec<String> {
        notes(strategy, minutes(40)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_rolling_deployment_is_told_with_what_may_end_it() {
        let mut rolling = Strategy::default();
        let way = "takes over by ROLLING: 40m at most, after which the run gives it up";
        assert_eq!(told(&rolling), [way, "no circuit breaker and no alarm of ECS ends it"]);
        rolling.monitors = Monitors {
            breaker: Some(GivesUp::Stops),
            alarms: vec!["web-5xx".into(), "web-p99".into()],
            alarmed: GivesUp::TurnsBack,
        };
        rolling.early = Some(50);
        let ends = "turned back by ECS itself by alarms web-5xx, web-p99; stopped, and left as it is, by ECS itself by \
                    its circuit breaker";
        let early = "ECS calls it done once 50 % of the tasks are healthy; this step waits for all of them";
        assert_eq!(told(&rolling), [way, ends, early]);
    }

    #[test]
    fn stages_are_told_with_their_time_and_whom_they_need() {
        let stages = vec!["PRE_PRODUCTION_TRAFFIC_SHIFT".to_owned()];
        let pause = Hook { person: true, stages: stages.clone(), timeout: None, back: true };
        let function = Hook { person: false, stages, timeout: Some(minutes(5)), back: false };
        let shift = Some(Shift { percent: 12.5, wait: minutes(3) });
        let canary = Strategy {
            kind: StrategyKind::Canary,
            shift,
            bake: minutes(10),
            hooks: vec![pause, function],
            ..Strategy::default()
        };
        assert_eq!(
            told(&canary),
            [
                "takes over by CANARY, 12.5 % of the requests and after 3m all, then a bake of 10m: at least 13m by the \
                 clock alone, and 40m at most, after which the run gives it up",
                "needs a person at PRE_PRODUCTION_TRAFFIC_SHIFT: a PAUSE waits for ContinueServiceDeployment, and goes \
                 back after 1d (the run gives it up before that)",
                "runs a hook at PRE_PRODUCTION_TRAFFIC_SHIFT, which may take 5m, and then goes on",
                "no circuit breaker and no alarm of ECS ends it",
            ]
        );
        let linear = Strategy { kind: StrategyKind::Linear, shift, ..Strategy::default() };
        let way = "takes over by LINEAR, 12.5 % of the requests more every 3m: at least 21m by the clock alone, and 40m \
                   at most, after which the run gives it up";
        assert_eq!(told(&linear)[0], way);
    }
}
