//! What the actions of a plan say of themselves.

use crate::action::{AnyAction, ByHand, Registry};
use crate::driver::Actions;
use crate::plan::{Fields, Kind, Plan, Problems, Scope, StepIx, Use};
use crate::report::{Commands, Extras, Hand, Story, Watched};
use crate::run::{Curve, DnsClock, Event, Phase, Receipt, StepEvent, Stuck};
use crate::signal::{self, Evidence};
use crate::store::Recorded;
use std::sync::Arc;

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

/// Takes the next fact of a run, and what follows from it for how long clients go by what a name says.
pub(super) fn take(story: &mut Story, recorded: &Recorded) {
    story.take(recorded.at, &recorded.event);
    // From its intent on it may be in force, and however it came to be done: it arrived, or a person said so.
    if let Event::Step(ix, _) = recorded.event
        && matches!(story.phase(ix), Phase::Applying { .. } | Phase::Done)
    {
        story.clocks[ix.index()] = clock(story, ix);
    }
}

fn clock(story: &Story, ix: StepIx) -> Option<DnsClock> {
    action(&story.plan, ix)?.clock(&story.run[ix].record.as_ref()?.proposal.prior)
}

/// What a summary of a run tells besides its facts.
pub(super) fn extras(story: &Story, traffic: Vec<String>, commands: Commands) -> Extras {
    let (by_hand, curves) = (undone_by_hand(story), curves(story));
    let guards = (0..story.plan.guards.len()).map(|guard| watched(story, guard)).collect();
    Extras { traffic, commands, by_hand, curves, guards, columns: super::screen::columns(), unread: None }
}

/// What the signals of each step measured last, as far as it is recorded, by the places of the steps.
fn curves(story: &Story) -> Vec<Vec<Curve>> {
    let of = |ix| Some(action(&story.plan, ix)?.curves(story.run[ix].record.as_ref()?.note.as_ref()?));
    story.plan.places().map(|ix| of(ix).unwrap_or_default()).collect()
}

/// What a guard has seen, as far as it is recorded.
fn watched(story: &Story, place: usize) -> Option<Watched> {
    let evidence = Evidence::of(story.run.guards[place].note.as_ref()?)?;
    let (kept, guard) = (evidence.signals.first()?, &story.plan.guards[place]);
    let curve = signal::watch(&guard.uses, &story.plan).ok()?.curve(&guard.id, kept);
    let says = kept.last.as_ref().map(|sample| sample.text.clone()).unwrap_or_default();
    Some(Watched { curve, passes: kept.passes, says })
}

/// The curve of the guard that a fact is about, where it notes something; `told` has taken it.
pub(super) fn seen(told: &Story, event: &Event) -> Option<(usize, Curve)> {
    let Event::GuardNoted { guard, .. } = event else { return None };
    Some((*guard, watched(told, *guard)?.curve))
}

/// The same, of the step that a fact is about, where it notes something.
pub(super) fn noted(plan: &Plan, event: &Event) -> Option<(StepIx, Vec<Curve>)> {
    let Event::Step(ix, StepEvent::Noted { note, .. }) = event else { return None };
    Some((*ix, action(plan, *ix)?.curves(note)))
}

/// Commands that undo what a run could not undo itself, by the places of the steps.
fn undone_by_hand(story: &Story) -> Vec<Vec<String>> {
    let needed =
        |ix| matches!(story.phase(ix), Phase::Stuck(Stuck::Failed) | Phase::Undone(Receipt::TakenOver));
    if !story.plan.places().any(needed) {
        return Vec::new();
    }
    let Ok(actions) = Actions::of(&story.plan) else { return Vec::new() };
    let scope = scope(story);
    let commands = |ix| {
        let (action, record) = (actions.get(ix)?, story.run[ix].record.as_ref()?);
        Some(action.undo_by_hand(&record.proposal.prior, &scope))
    };
    let each = story.plan.places().map(|ix| needed(ix).then(|| commands(ix)).flatten());
    each.map(Option::unwrap_or_default).collect()
}

/// What the texts of steps may name, as far as it is recorded: no secrets.
fn scope(story: &Story) -> Scope {
    let mut scope = Scope::default();
    scope.run.insert("id".into(), story.id.to_string().into());
    if let Some((by, at)) = &story.begun {
        scope.run.insert("by".into(), by.name.to_string().into());
        scope.run.insert("started".into(), at.to_string().into());
    }
    for ix in story.plan.places() {
        if let Some(out) = &story.run[ix].out {
            scope.answered(&story.plan[ix].id, out);
        }
    }
    scope
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
