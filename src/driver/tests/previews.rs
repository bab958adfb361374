//! What a preview tells of each step.

use super::stage::{Stage, chain, step};
use super::world::Nature;
use crate::driver::permissions::{Wanted, sort};
use crate::driver::{Permitted, Previewed, Redactor, StepPreview, preview};
use crate::plan::{Expr, Kind, Plan, Reversibility, Span, Step, Undo, Use, Value};
use crate::port::{Judged, ReadWorld, Renewal};
use crate::run::Fault;
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
async fn what_there_is_to_tell_beside_a_change_is_told_without_secrets() {
    let natures =
        [("check", Nature::Check), ("untold", Nature::Untold), ("tells", Nature::Telling("hunter22"))];
    let stage = Stage::new(chain(&["fine", "check", "untold", "tells"]), &natures);
    let (world, redactor): (Arc<dyn ReadWorld>, _) = (stage.world.clone(), Redactor::new(["hunter22"]));
    let found = preview(&stage.plan, &stage.actions, &world, &Arc::default(), &redactor).await;
    let notes = |place: usize| -> Vec<String> {
        let Previewed::Would(_, told) = &found[place].found else { panic!("{found:#?}") };
        told.notes.iter().map(ToString::to_string).collect()
    };
    assert_eq!((notes(0), notes(1)), (vec!["of fine".to_owned()], vec!["of check".to_owned()]));
    let Previewed::Unknown(fault) = &found[2].found else { panic!("{found:#?}") };
    assert_eq!(fault.to_string(), "untold cannot be told of");
    let [note] = &notes(3)[..] else { panic!("{found:#?}") };
    assert!(note.starts_with("with ") && !note.contains("hunter22"), "{note}");
}

#[tokio::test]
async fn a_step_that_gives_back_is_known_once_what_took_it_ran() {
    let named = Value::from_json(&json!({ "in": "${{ steps.took.out.value }}" }), Span::default());
    let uses = Use { kind: "cell".into(), with: named, constants: Arc::default() };
    let both = Step { kind: Kind::Act(Some(uses)), ..step("both", Vec::new()) };
    let steps = vec![step("took", Vec::new()), step("gives", Vec::new()), both];
    let natures = [("gives", Nature::GivesBack("took")), ("both", Nature::GivesBack("took"))];
    let told = told(&Stage::new(Plan { steps, ..chain(&[]) }, &natures)).await;
    let later = Previewed::Later(vec!["took".into()]);
    assert_eq!(found(&told)[1..], [&later, &later], "named twice, told once");
}

#[test]
fn whose_credentials_they_are_and_who_renews_them_is_told() {
    let renewal = Renewal::ByHand { what: "a session".into(), ends: None };
    let judged = Judged { who: "role deployer".into(), renewal: renewal.clone(), rulings: Vec::new() };
    let permitted = sort(&chain(&[]), "prod".into(), Wanted::default(), Ok(judged));
    let told = Permitted {
        target: "prod".into(),
        who: Some("role deployer".into()),
        renewal,
        ..Permitted::default()
    };
    assert_eq!(permitted, told);
    let nobody = sort(&chain(&[]), "prod".into(), Wanted::default(), Err(Fault::blind("no answer")));
    assert_eq!(nobody, Permitted { target: "prod".into(), ..Permitted::default() });
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
