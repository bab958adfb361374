//! What a preview tells of each step.

use super::stage::{Stage, chain, step};
use super::world::Nature;
use crate::driver::{Previewed, Redactor, StepPreview, preview};
use crate::plan::{Expr, Kind, Plan, Reversibility, Span, Step, Undo, Use, Value};
use crate::port::ReadWorld;
use serde_json::{Value as Json, json};
use std::sync::Arc;

async fn told(stage: &Stage) -> Vec<StepPreview> {
    let world: Arc<dyn ReadWorld> = stage.world.clone();
    preview(&stage.plan, &stage.actions, &world, &Arc::default(), &Redactor::default()).await
}

fn found(told: &[StepPreview]) -> Vec<&Previewed> {
    told.iter().map(|step| &step.found).collect()
}

#[tokio::test]
async fn a_preview_tells_each_step_and_writes_nothing() {
    let mut plan = chain(&["a", "b", "c", "d"]);
    plan.steps[1].when = Some(Expr::compile("steps.a.out.value == 1", &["steps"], Arc::default()).unwrap());
    plan.steps[2].undo = Undo::Keep("harmless".into());
    plan.steps[3].kind = Kind::Checkpoint;
    let stage = Stage::new(plan, &[]);
    let told = told(&stage).await;
    assert!(matches!(&told[0].found, Previewed::Would(proposal, _) if &*proposal.changes[0].to == "new"));
    assert_eq!(told[0].undo.as_deref(), Some("restores what is there now"));
    assert_eq!(told[1].found, Previewed::Later(vec!["a".into()]));
    assert_eq!(told[2].undo.as_deref(), Some("left: harmless"));
    assert_eq!(told[3].found, Previewed::Checkpoint);
    assert_eq!(stage.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_text_takes_from_an_earlier_step_is_known_later() {
    let given = |with: Json| {
        let with = Value::from_json(&with, Span::default());
        let uses = Use { kind: "cell".into(), with, constants: Arc::default() };
        Step { kind: Kind::Act(Some(uses)), ..step("b", Vec::new()) }
    };
    let texts = ["${{ steps.a.out.value }}", "${{ steps[\"a\"].out }}", "${{ steps['a'].out }}"];
    let mut steps = vec![step("a", Vec::new())];
    steps.extend(texts.map(|text| given(json!({ "deep": [{ "in": text }] }))));
    steps.push(given(json!({ "deep": [{ "in": "steps of a" }] })));
    let stage = Stage::new(Plan { steps, ..chain(&[]) }, &[]);
    let told = told(&stage).await;
    let later = &Previewed::Later(vec!["a".into()]);
    let [Previewed::Would(..), rest @ .., Previewed::Would(..)] = &found(&told)[..] else {
        panic!("{told:#?}")
    };
    assert_eq!(rest, [later, later, later]);
}

#[tokio::test]
async fn what_cannot_be_told_or_needs_no_undo_is_said_so() {
    let mut plan = chain(&["gone", "check", "promote", "columns", "own", "mail"]);
    plan.steps[2].reversibility = Reversibility::Irreversible;
    plan.steps[3].reversibility = Reversibility::Expand;
    let with = Value::from_json(&json!({}), Span::default());
    plan.steps[4].undo = Undo::By(Use { kind: "exec".into(), with, constants: Arc::default() });
    let natures = [("gone", Nature::Unreadable), ("check", Nature::Check), ("mail", Nature::OneWay)];
    let stage = Stage::new(plan, &natures);
    let told = told(&stage).await;
    let Previewed::Unknown(fault) = &told[0].found else { panic!("{told:#?}") };
    assert_eq!(fault.to_string(), "gone cannot be read");
    let undo: Vec<Option<&str>> = told[1..].iter().map(|step| step.undo.as_deref()).collect();
    let (barrier, harmless) = ("none: a point of no return", "left: harmless to what ran before");
    assert_eq!(undo, [None, Some(barrier), Some(harmless), Some("by exec"), Some("none")]);
}

#[tokio::test]
async fn a_condition_is_asked_where_it_can_be() {
    let conditions = ["true", "false", "secrets.gone == 1"];
    let condition = |text| Step {
        when: Some(Expr::compile(text, &["secrets"], Arc::default()).unwrap()),
        ..step("a", Vec::new())
    };
    let stage = Stage::new(Plan { steps: conditions.map(condition).to_vec(), ..chain(&[]) }, &[]);
    let told = told(&stage).await;
    let [Previewed::Would(..), Previewed::Skipped, Previewed::Unknown(_)] = &found(&told)[..] else {
        panic!("{told:#?}")
    };
}
