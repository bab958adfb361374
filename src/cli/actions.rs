//! What the actions of a plan say of themselves.

use crate::action::{AnyAction, ByHand, Registry};
use crate::plan::{Fields, Kind, Plan, Problems, StepIx, StepTraits, Use};
use crate::report::Hand;
use std::sync::Arc;
use std::time::Duration;

/// The action of a step; `None` where it has none, or makes no sense to this version.
pub(super) fn action(plan: &Plan, ix: StepIx) -> Option<Arc<dyn AnyAction>> {
    match &plan[ix].kind {
        Kind::Act(Some(uses)) => build(plan, uses),
        _ => None,
    }
}

/// An action.
pub(super) fn build(plan: &Plan, uses: &Use) -> Option<Arc<dyn AnyAction>> {
    let known = plan.known(uses);
    let mut problems = Problems::default();
    Registry.build(&uses.kind, &mut Fields::new(&uses.with, &known, &mut problems))
}

/// What each action says of itself, by the places of the steps.
pub(super) fn traits(plan: &Plan) -> Vec<Option<StepTraits>> {
    plan.places().map(|ix| action(plan, ix).map(|action| action.traits())).collect()
}

/// What undoing each step takes until new lookups reach the prior side.
pub(super) fn reaches(plan: &Plan) -> Vec<Option<Duration>> {
    traits(plan).into_iter().map(|traits| traits?.undo_reaches).collect()
}

/// How people would do each step by hand, by the places of the steps.
pub(super) fn hands(plan: &Plan) -> Vec<Option<Hand>> {
    let hand = |ix| {
        let action = action(plan, ix)?;
        let ByHand { what, apply, expect, undo } = action.by_hand();
        Some(Hand { what, apply, expect, undo, writes: action.traits().writes })
    };
    plan.places().map(hand).collect()
}
