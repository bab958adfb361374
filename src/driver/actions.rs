//! The actions of a plan, built once: by the place of their step.

use crate::action::{AnyAction, Registry, Reversal};
use crate::plan::{Fields, Kind, Plan, Problems, Severity, StepIx, Undo, Use};
use crate::port::need::{Asker, Need};
use crate::run::Fault;
use crate::signal::{self, Watch};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the steps of a plan do, and what its guards watch.
#[derive(Clone, Debug, Default)]
pub struct Actions {
    steps: Vec<Option<Arc<dyn AnyAction>>>,
    /// None: it is tripped from outside.
    guards: Vec<Option<Watch>>,
}

impl Actions {
    /// Builds them for a plan that was found sound.
    ///
    /// # Errors
    /// This version does not read a step, or a guard, as the one that began the run did.
    pub fn of(plan: &Plan) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut keep = |result: Result<Option<Arc<dyn AnyAction>>, Fault>| {
            result.unwrap_or_else(|fault| {
                faults.push(fault);
                None
            })
        };
        let steps = plan.places().map(|ix| keep(of_step(plan, ix))).collect();
        let mut guards = Vec::new();
        for guard in &plan.guards {
            match (!guard.is_outside()).then(|| signal::watch(&guard.uses, plan)).transpose() {
                Ok(watch) => guards.push(watch),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(Self { steps, guards }) } else { Err(faults) }
    }

    /// These: one a step, in the order of the plan.
    #[must_use]
    pub fn from_parts(steps: Vec<Option<Arc<dyn AnyAction>>>, guards: Vec<Watch>) -> Self {
        Self { steps, guards: guards.into_iter().map(Some).collect() }
    }

    /// What a step does; `None` for approvals, checkpoints and joins.
    #[must_use]
    pub fn get(&self, ix: StepIx) -> Option<&Arc<dyn AnyAction>> {
        self.steps.get(ix.index())?.as_ref()
    }

    /// What a guard watches; `None`: nothing, for it is tripped from outside.
    #[must_use]
    pub fn guard(&self, place: usize) -> Option<&Watch> {
        self.guards.get(place)?.as_ref()
    }

    /// What must be there for each step and guard, as far as the plan tells; in the order of the plan.
    #[must_use]
    pub fn needs(&self) -> Vec<(Asker, Need)> {
        let places = (0..).map(StepIx).zip(&self.steps);
        let steps = places.flat_map(|(ix, action)| {
            let needs = action.iter().flat_map(|action| action.needs());
            needs.map(move |need| (Asker::Step(ix), need)).collect::<Vec<_>>()
        });
        let guards = self.guards.iter().enumerate().flat_map(|(place, watch)| {
            let needs = watch.as_ref().map(Watch::needs).unwrap_or_default();
            needs.into_iter().map(move |need| (Asker::Guard(place), need))
        });
        steps.chain(guards).collect()
    }

    /// All that these steps write: what a run locks.
    #[must_use]
    pub fn resources(&self) -> Vec<String> {
        let written = self.steps.iter().flatten().map(|action| action.traits()).filter(|t| t.writes);
        let all: BTreeSet<String> = written.flat_map(|traits| traits.resources).collect();
        all.into_iter().collect()
    }
}

/// As the plan calls it.
pub(super) fn name_of(plan: &Plan, asker: Asker) -> String {
    match asker {
        Asker::Step(ix) => plan[ix].id.to_string(),
        Asker::Guard(place) => plan.guards[place].id.to_string(),
    }
}

fn of_step(plan: &Plan, ix: StepIx) -> Result<Option<Arc<dyn AnyAction>>, Fault> {
    let step = &plan[ix];
    let forward = match &step.kind {
        Kind::Act(Some(uses)) => Some(build(plan, uses)?),
        Kind::Act(None) => None,
        Kind::Approve(_) | Kind::Checkpoint | Kind::Join => return Ok(None),
    };
    Ok(match &step.undo {
        Undo::By(uses) => Some(Arc::new(Reversal::new(forward, build(plan, uses)?))),
        Undo::Own | Undo::Keep(_) => forward,
    })
}

fn build(plan: &Plan, uses: &Use) -> Result<Arc<dyn AnyAction>, Fault> {
    let known = plan.known(uses);
    let mut problems = Problems::default();
    let mut fields = Fields::new(&uses.with, &known, &mut problems);
    let action = Registry.build(&uses.kind, &mut fields);
    action.ok_or_else(|| {
        let first = problems.as_slice().iter().find(|problem| problem.severity == Severity::Error);
        let why = first.map_or("there is no such action", |problem| &*problem.message);
        Fault::permanent(format!("`{}` cannot be read: {why}", uses.kind))
    })
}
