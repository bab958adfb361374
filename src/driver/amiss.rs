//! What steps and guards go by, and is not as it should be before a run. A name that is wrong in a monitor would else be met when
//! users are on the new side.

use super::actions::name_of;
use super::{Actions, Redactor};
use crate::plan::Plan;
use crate::port::need::{Asker, Need};
use crate::port::{Alarm, AlarmState, ReadWorld};
use std::collections::{BTreeMap, BTreeSet};

/// Something that is gone by, and is not as it should be before a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amiss {
    /// ``there is no alarm `aep-5xx` in target `prod` ``.
    pub why: String,
    /// The steps and guards that go by it.
    pub by: Vec<String>,
}

type Askers = BTreeSet<Asker>;

/// Who goes by an alarm.
#[derive(Default)]
struct Asked {
    by: Askers,
    /// Those of them that need it to be there.
    needed: Askers,
}

/// Looks at the load balancers and alarms that steps and guards go by.
pub async fn amiss(plan: &Plan, actions: &Actions, world: &dyn ReadWorld, redactor: &Redactor) -> Vec<Amiss> {
    let mut balancers: BTreeMap<(String, String), Askers> = BTreeMap::new();
    let mut alarms: BTreeMap<String, BTreeMap<String, Asked>> = BTreeMap::new();
    for (by, need) in actions.needs() {
        match need {
            // Whoever leads users away from one, or waits until all have left it, looks for it when it is planned.
            Need::Balancer { at, name, left: false } => {
                balancers.entry((at.target, name)).or_default().insert(by)
            }
            Need::Alarm { at, name, may_be_missing } => {
                let asked = alarms.entry(at.target).or_default().entry(name).or_default();
                if !may_be_missing {
                    asked.needed.insert(by);
                }
                asked.by.insert(by)
            }
            _ => false,
        };
    }
    let mut found: Vec<(String, Askers)> = Vec::new();
    for ((target, name), by) in balancers {
        found.extend(balancer(world, &target, &name).await.map(|why| (why, by)));
    }
    for (target, all) in alarms {
        let names: Vec<String> = all.keys().cloned().collect();
        let told = match world.metrics(&target) {
            Ok(metrics) => metrics.alarms(&names).await,
            Err(fault) => Err(fault),
        };
        match told {
            Ok(told) => found.extend(all.into_iter().filter_map(|(name, asked)| {
                let told = told.iter().find(|alarm| alarm.name == name);
                let by = if told.is_some() { asked.by } else { asked.needed };
                let why = alarm(&name, &target, told).filter(|_| !by.is_empty())?;
                Some((why, by))
            })),
            Err(fault) => {
                let why = format!("what alarms of target `{target}` say could not be known: {fault}");
                found.push((why, all.into_values().flat_map(|asked| asked.by).collect()));
            }
        }
    }
    let named = |(why, by): (String, Askers)| Amiss {
        why: redactor.text(&why).into_owned(),
        by: by.into_iter().map(|asker| name_of(plan, asker)).collect(),
    };
    found.into_iter().map(named).collect()
}

async fn balancer(world: &dyn ReadWorld, target: &str, name: &str) -> Option<String> {
    let told = match world.traffic(target) {
        Ok(traffic) => traffic.load_balancer(name).await,
        Err(fault) => Err(fault),
    };
    match told {
        Ok(Some(_)) => None,
        Ok(None) => Some(format!("there is no load balancer `{name}` in target `{target}`")),
        Err(fault) => Some(format!("whether there is a load balancer `{name}` could not be known: {fault}")),
    }
}

fn alarm(name: &str, target: &str, told: Option<&Alarm>) -> Option<String> {
    let Some(alarm) = told else { return Some(format!("there is no alarm `{name}` in target `{target}`")) };
    let Alarm { state, reason, since, enabled, trouble, .. } = alarm;
    match (state, trouble) {
        (AlarmState::Firing, _) => {
            let since = since.map(|at| format!(" since {at}")).unwrap_or_default();
            Some(format!("alarm `{name}` fires already{since}: {reason}"))
        }
        (AlarmState::Unknown(state), _) => Some(format!("alarm `{name}` says {state}: {reason}")),
        (AlarmState::Ok, Some(trouble)) => {
            Some(format!("alarm `{name}` is OK, and was not worked out whole ({trouble})"))
        }
        (AlarmState::Ok, None) => (!enabled).then(|| format!("the actions of alarm `{name}` are disabled")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Timestamp;

    #[test]
    fn an_alarm_is_as_it_should_be_where_it_says_that_all_is_well() {
        let fine = Alarm {
            name: "a".into(),
            state: AlarmState::Ok,
            reason: "why".into(),
            since: Some(Timestamp(1_800_000_000_000)),
            enabled: true,
            trouble: None,
        };
        let told = |with: &Alarm| alarm("a", "prod", Some(with)).unwrap_or_default();
        assert_eq!(told(&fine), "");
        let fires = Alarm { state: AlarmState::Firing, ..fine.clone() };
        assert_eq!(told(&fires), "alarm `a` fires already since 2027-01-15T08:00:00Z: why");
        let short = Alarm { state: AlarmState::Unknown("INSUFFICIENT_DATA".into()), ..fine.clone() };
        assert_eq!(told(&short), "alarm `a` says INSUFFICIENT_DATA: why");
        let muted = Alarm { enabled: false, ..fine.clone() };
        assert_eq!(told(&muted), "the actions of alarm `a` are disabled");
        let part = Alarm { trouble: Some("PARTIAL_DATA".into()), ..fine };
        assert_eq!(told(&part), "alarm `a` is OK, and was not worked out whole (PARTIAL_DATA)");
        assert_eq!(alarm("a", "prod", None).unwrap(), "there is no alarm `a` in target `prod`");
    }
}
