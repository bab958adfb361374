//! Which names a run locks in the world: those of the records that its steps write.

use super::Actions;
use crate::plan::{BESIDE, Plan};
use crate::run::Fault;
use std::collections::BTreeMap;
use std::sync::Arc;

/// As many names are locked in one batch: Route 53 takes 32,000 characters.
const BATCH: usize = 100;

/// The plan as it is run: of production it takes the lock in the world first, and gives it back last.
///
/// # Errors
/// This version does not read a step as the plan means it.
pub fn locked(plan: &Plan) -> Result<Plan, Vec<Fault>> {
    if !plan.production || !plan.policy.world_lock {
        return Ok(plan.clone());
    }
    let mut zones: BTreeMap<Arc<str>, Vec<String>> = BTreeMap::new();
    for resource in Actions::of(plan)?.resources() {
        let Some((place, name)) = resource.strip_prefix("dns:").and_then(|rest| rest.split_once('/')) else {
            continue;
        };
        // Where two targets lead to one zone, the first one does for both.
        if let Some(target) = plan.targets.iter().find(|target| target.place() == place) {
            zones.entry(target.name.clone()).or_default().push(format!("{BESIDE}.{name}"));
        }
    }
    let batches = zones
        .iter()
        .flat_map(|(target, names)| names.chunks(BATCH).map(move |names| (target.clone(), names.to_vec())));
    Ok(plan.locked(&batches.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::tests::stage::{chain, step};
    use crate::plan::{Kind, LOCK, Policy, Span, Step, Target, Use, Value};
    use serde_json::json;

    /// A plan that changes the TTL of each of these, of production unless it says otherwise.
    fn plan(records: &[&str]) -> Plan {
        let changes = |record: &&str| {
            let with =
                Value::from_json(&json!({"target": "zone", "record": record, "ttl": "60s"}), Span::default());
            let uses = Use { kind: "dns.ttl".into(), with, constants: Arc::default() };
            Step { kind: Kind::Act(Some(uses)), ..step(record, Vec::new()) }
        };
        let zone = json!({"zone_id": "Z1", "name": "example.com", "aws": "prod"});
        let zone = Target {
            name: "zone".into(),
            kind: "route53".into(),
            with: Value::from_json(&zone, Span::default()),
        };
        let steps = records.iter().map(changes).collect();
        Plan { production: true, steps, targets: vec![Arc::new(zone)], ..chain(&[]) }
    }

    /// What its lock is told.
    fn names(plan: &Plan) -> Vec<Vec<String>> {
        let Some(ix) = locked(plan).unwrap().find(LOCK) else { return Vec::new() };
        let Kind::Act(Some(uses)) = &locked(plan).unwrap()[ix].kind else { panic!() };
        let locks = uses.with.to_json()["locks"].as_array().unwrap().clone();
        let texts = |lock: &serde_json::Value| serde_json::from_value(lock["names"].clone()).unwrap();
        locks.iter().map(texts).collect()
    }

    #[test]
    fn a_run_of_production_locks_each_record_that_it_writes() {
        let found = names(&plan(&["app", "@", "app", "WWW"]));
        let wanted =
            ["_switchover.app.example.com", "_switchover.example.com", "_switchover.www.example.com"];
        assert_eq!(found, [wanted]);
    }

    #[test]
    fn nothing_is_locked_elsewhere() {
        let (whole, off) = (plan(&["app"]), Policy { world_lock: false, ..Policy::default() });
        assert_eq!(names(&Plan { production: false, ..whole.clone() }), [[""; 0]; 0]);
        assert_eq!(names(&plan(&[])), [[""; 0]; 0]);
        assert_eq!(names(&Plan { policy: off, ..whole }), [[""; 0]; 0]);
    }

    #[test]
    fn many_names_are_several_batches() {
        let records: Vec<String> = (0..250).map(|number| format!("r{number}")).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let found: Vec<usize> = names(&plan(&records)).iter().map(Vec::len).collect();
        assert_eq!(found, [100, 100, 50]);
        let whole = locked(&plan(&records)).unwrap();
        Actions::of(&whole).unwrap();
    }
}
