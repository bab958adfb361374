//! What each step would change from what is there now. It is given only what reads, so it cannot change anything.

use super::{Actions, Redactor};
use crate::action::{AnyAction, propose};
use crate::plan::{Data, Kind, Plan, Reversibility, Scope, Step, StepIx, Undo, Value};
use crate::port::{ReadWorld, Reads};
use crate::run::{Answer, Fault, Proposal, Told};
use std::sync::Arc;
use tokio::task::JoinSet;

/// What one step would do.
#[derive(Clone, Debug, PartialEq)]
pub struct StepPreview {
    /// Which.
    pub step: StepIx,
    /// What it would do.
    pub found: Previewed,
    /// How it would be undone, in words; `None` where there is nothing to undo.
    pub undo: Option<String>,
}

/// What a preview knows of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Previewed {
    /// This: 0 stages is a check, a wait, or a change that is there already. And what there is to tell beside it.
    Would(Proposal, Told),
    /// Its `when` says no.
    Skipped,
    /// It depends on what these steps give, which is known only when they have run.
    Later(Vec<String>),
    /// It asks people.
    Asks,
    /// An automatic rollback stops there.
    Checkpoint,
    /// Nothing: children of a group meet there.
    Join,
    /// It could not be told.
    Unknown(Fault),
}

/// Looks at all steps, at once. `scope` holds the secrets; steps have given nothing yet.
pub async fn preview(
    plan: &Arc<Plan>,
    actions: &Arc<Actions>,
    world: &Arc<dyn ReadWorld>,
    scope: &Arc<Scope>,
    redactor: &Redactor,
) -> Vec<StepPreview> {
    let mut set = JoinSet::new();
    for ix in plan.places() {
        let (plan, actions, world) = (plan.clone(), actions.clone(), world.clone());
        let (scope, redactor) = (scope.clone(), redactor.clone());
        set.spawn(async move {
            let found = of_step(&plan, ix, &actions, &*world, &scope, &redactor).await;
            StepPreview { step: ix, undo: undo(&plan[ix], actions.get(ix)), found }
        });
    }
    let mut found = Vec::new();
    while let Some(joined) = set.join_next().await {
        match joined {
            Ok(preview) => found.push(preview),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    found.sort_by_key(|preview| preview.step);
    found
}

async fn of_step(
    plan: &Plan,
    ix: StepIx,
    actions: &Actions,
    world: &dyn ReadWorld,
    scope: &Scope,
    redactor: &Redactor,
) -> Previewed {
    let step = &plan[ix];
    let mut needs = depends_on(plan, step);
    let gives_back = actions.get(ix).and_then(|action| action.traits().gives_back);
    needs.extend(gives_back.map(|step| step.to_string()).filter(|step| !needs.contains(step)));
    if !needs.is_empty() {
        return Previewed::Later(needs);
    }
    if let Some(when) = &step.when {
        match when.holds(&scope.variables()) {
            Ok(true) => {}
            Ok(false) => return Previewed::Skipped,
            Err(error) => return Previewed::Unknown(Fault::permanent(format!("`when`: {error}"))),
        }
    }
    match (&step.kind, actions.get(ix)) {
        (Kind::Approve(_), _) => Previewed::Asks,
        (Kind::Checkpoint, _) => Previewed::Checkpoint,
        (Kind::Join, _) | (_, None) => Previewed::Join,
        (Kind::Act(_), Some(action)) => {
            let reads = Reads { world, step: "", scope, progress: &|_| () };
            let is_undone = step.is_undone();
            let planned = propose(&**action, is_undone, &reads).await;
            let told = match &planned {
                Ok(proposal) if proposal.stages > 0 || !action.traits().writes => {
                    action.told(&reads, &proposal.prior, is_undone).await
                }
                _ => Ok(Told::default()),
            };
            match (redactor.answer(Answer::Planned(planned.map(Some))), told) {
                (Answer::Planned(Ok(Some(proposal))), Ok(told)) => {
                    Previewed::Would(proposal, redactor.told(&told))
                }
                (Answer::Planned(Err(fault)), _) => Previewed::Unknown(fault),
                (_, Err(fault)) => Previewed::Unknown(redactor.fault(&fault)),
                _ => Previewed::Join,
            }
        }
    }
}

/// The steps whose `out` this one's text names.
fn depends_on(plan: &Plan, step: &Step) -> Vec<String> {
    let mut texts = Vec::new();
    if let Kind::Act(Some(uses)) = &step.kind {
        collect(&uses.with, &mut texts);
    }
    texts.extend(step.when.as_ref().map(|when| when.source().to_owned()));
    let names = |id: &str| {
        let dotted = format!("steps.{id}.");
        let quoted = [format!("steps[\"{id}\"]"), format!("steps['{id}']")];
        texts.iter().any(|text| text.contains(&dotted) || quoted.iter().any(|q| text.contains(q)))
    };
    plan.steps.iter().map(|other| &*other.id.0).filter(|id| names(id)).map(str::to_owned).collect()
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match &value.data {
        Data::Text(text) => texts.push(text.to_string()),
        Data::List(items) => items.iter().for_each(|item| collect(item, texts)),
        Data::Map(entries) => entries.iter().for_each(|(_, value)| collect(value, texts)),
        _ => {}
    }
}

fn undo(step: &Step, action: Option<&Arc<dyn AnyAction>>) -> Option<String> {
    let traits = action?.traits();
    match (&step.undo, step.reversibility) {
        (Undo::Keep(reason), _) => Some(format!("left: {reason}")),
        (_, Reversibility::Irreversible) => Some("none: a point of no return".into()),
        (_, Reversibility::Expand) => Some("left: harmless to what ran before".into()),
        (Undo::By(uses), _) => Some(format!("by {}", uses.kind)),
        (Undo::Own, _) if !traits.writes => None,
        (Undo::Own, _) if traits.has_undo => Some("restores what is there now".into()),
        (Undo::Own, _) => Some("none".into()),
    }
}
