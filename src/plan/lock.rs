//! The lock in the world, as steps of its own around those of a plan: whether somebody else holds it is a check, taking it
//! is the first change and giving it back the undo of that, or the last step of `finally`. So it is announced, looked for
//! when in doubt, held, undone, previewed and rehearsed as everything else is.
//!
//! Not here: what is locked and how, which is `action`'s.

use super::{Constants, Kind, Part, Plan, Retry, Span, Step, StepIx, Use, Value};
use serde_json::{Value as Json, json};
use std::sync::Arc;
use std::time::Duration;

/// The check that nobody else holds it. Whoever skips it takes over what is found.
pub const FREE: &str = "_free";
/// Takes it; its undo gives it back.
pub const LOCK: &str = "_lock";
/// Gives it back once all is done.
pub const UNLOCK: &str = "_unlock";

/// Stands before the name of a record that is locked.
pub const BESIDE: &str = "_switchover";

/// When a run should be over whose plan has no `deadline`.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// Whether a step is one of these. No plan has others of such a name: ids of steps begin with a letter.
#[must_use]
pub fn is_lock(id: &str) -> bool {
    id.starts_with('_')
}

impl Plan {
    /// A step of the lock in the world.
    #[must_use]
    pub fn is_lock(&self, ix: StepIx) -> bool {
        self.steps.get(ix.index()).is_some_and(|step| is_lock(&step.id.0))
    }

    /// It takes the lock in the world.
    #[must_use]
    pub fn has_lock(&self) -> bool {
        self.find(LOCK).is_some()
    }

    /// The same plan, which locks these names in the world for as long as it runs: by the target of their zone.
    #[must_use]
    pub fn locked(&self, names: &[(Arc<str>, Vec<String>)]) -> Self {
        if names.is_empty() {
            return self.clone();
        }
        let locks: Vec<Json> =
            names.iter().map(|(target, names)| json!({"target": &**target, "names": names})).collect();
        let lasts = self.policy.deadline.unwrap_or(A_DAY) + self.policy.bake.unwrap_or_default();
        let prepares = self.steps.iter().any(|step| step.part == Part::Prepare);
        let part = if prepares { Part::Prepare } else { Part::Main };
        let free = step(FREE, "Nobody else is at work.", "lock.free", &json!({ "locks": locks }), part);
        let with = json!({"locks": locks, "plan": &*self.name, "seconds": lasts.as_secs()});
        let lock = step(LOCK, "Others see that this run is at work.", "lock.take", &with, part);
        let unlock =
            step(UNLOCK, "Others may go to work.", "lock.release", &json!({ "locks": locks }), Part::Finally);
        let first = [free, Step { needs: vec![StepIx(0)], ..lock }];
        let shift = u32::try_from(first.len()).unwrap_or_default();
        let later = |ix: StepIx| StepIx(ix.0 + shift);
        let mut steps = Vec::from(first);
        steps.extend(self.steps.iter().cloned().map(|step| {
            let mut needs: Vec<StepIx> = step.needs.iter().copied().map(later).collect();
            if needs.is_empty() && step.part != Part::Finally {
                needs.push(StepIx(shift - 1));
            }
            Step { needs, ..step }
        }));
        let mut plan = Self { steps, ..self.clone() };
        // Nothing of `finally` is left to do when it is given back.
        let finally = plan.places().filter(|ix| plan.is_finally(*ix)).collect();
        plan.steps.push(Step { needs: finally, ..unlock });
        let moved = shift as usize;
        for child in plan.pools.iter_mut().flat_map(|pool| &mut pool.children) {
            *child = child.start + moved..child.end + moved;
        }
        for guard in &mut plan.guards {
            (guard.span.from, guard.span.until) = (guard.span.from.map(later), guard.span.until.map(later));
        }
        plan
    }
}

fn step(id: &str, summary: &str, kind: &str, with: &Json, part: Part) -> Step {
    let uses = Use {
        kind: kind.into(),
        with: Value::from_json(with, Span::default()),
        constants: Arc::<Constants>::default(),
    };
    let retry = Retry { attempts: 5, wait: Duration::from_secs(2), backoff_percent: 200 };
    Step { summary: Some(summary.into()), part, retry, ..Step::new(id, Kind::Act(Some(uses)), Vec::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Guard, GuardSpan, OnBreach, Policy, Pool};

    fn bare(id: &str, part: Part, needs: &[u32]) -> Step {
        let needs = needs.iter().copied().map(StepIx).collect();
        Step { needs, ..step(id, "", "wait", &json!({"for": "1m"}), part) }
    }

    fn plan(steps: Vec<Step>) -> Plan {
        let uses = Use {
            kind: "http.probe".into(),
            with: Value::from_json(&json!({}), Span::default()),
            constants: Arc::default(),
        };
        let span = GuardSpan { from: Some(StepIx(1)), until: Some(StepIx(2)) };
        Plan {
            name: "p".into(),
            summary: None,
            owner: None,
            production: true,
            steps,
            pools: vec![Pool { max: 1, children: vec![0..1, 1..3] }],
            guards: vec![Guard { id: "g".into(), uses, span, on_breach: OnBreach::Pause }],
            targets: Vec::new(),
            secrets: Vec::new(),
            people: Vec::new(),
            policy: Policy::default(),
        }
    }

    fn shape(plan: &Plan) -> Vec<String> {
        let needs =
            |step: &Step| step.needs.iter().map(|ix| plan[*ix].id.to_string()).collect::<Vec<_>>().join(",");
        plan.steps.iter().map(|step| format!("{} {:?} <{}>", step.id, step.part, needs(step))).collect()
    }

    #[test]
    fn everything_stands_on_the_lock_and_nothing_comes_after_its_release() {
        let names = [(Arc::from("zone"), vec!["_switchover.app.example.com".to_owned()])];
        let whole = plan(vec![
            bare("ttl", Part::Prepare, &[]),
            bare("a", Part::Main, &[0]),
            bare("b", Part::Main, &[0]),
            bare("tell", Part::Finally, &[]),
            bare("raise", Part::Finally, &[3]),
        ]);
        let locked = whole.locked(&names);
        assert_eq!(
            shape(&locked),
            [
                "_free Prepare <>",
                "_lock Prepare <_free>",
                "ttl Prepare <_lock>",
                "a Main <ttl>",
                "b Main <ttl>",
                "tell Finally <>",
                "raise Finally <tell>",
                "_unlock Finally <tell,raise>",
            ]
        );
        assert_eq!(locked.pools[0].children, [2..3, 3..5]);
        assert_eq!(locked.guards[0].span, GuardSpan { from: locked.find("a"), until: locked.find("b") });
        assert_eq!(
            shape(&whole.only_prepare().locked(&names))[2..],
            ["ttl Prepare <_lock>", "_unlock Finally <>"]
        );
        assert!(locked.has_lock() && !whole.has_lock());
        assert_eq!(whole.locked(&[]), whole);
    }

    #[test]
    fn without_anything_ahead_the_lock_is_of_the_plan_itself() {
        let names = [(Arc::from("zone"), vec!["_switchover.app.example.com".to_owned()])];
        let locked = plan(vec![
            bare("a", Part::Main, &[]),
            bare("b", Part::Main, &[]),
            bare("c", Part::Main, &[0, 1]),
        ])
        .locked(&names);
        assert_eq!(
            shape(&locked),
            [
                "_free Main <>",
                "_lock Main <_free>",
                "a Main <_lock>",
                "b Main <_lock>",
                "c Main <a,b>",
                "_unlock Finally <>"
            ]
        );
        let ours: Vec<bool> = locked.places().map(|ix| locked.is_lock(ix)).collect();
        assert_eq!(ours, [true, true, false, false, false, true]);
    }
}
