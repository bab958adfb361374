//! `exec`, and undoing by an action of its own.

use super::world::{Fate, STEP, World, output};
use super::{Story, codes, fails, is_foreign, known, value};
use crate::action::{AnyAction, Registry, Reversal, Toward};
use crate::plan::{Fields, Problems, StepId};
use crate::port::{Call, Command};
use crate::run::{FaultKind, Landed, Look};
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex};

/// A page that is on or off, and commands about it.
fn page(world: &World) -> Arc<Mutex<&'static str>> {
    let page = Arc::new(Mutex::new("off"));
    let seen = page.clone();
    world.state().run = Box::new(move |command: &Command| {
        let mut page = seen.lock().unwrap();
        match (&*command.argv[0], *page) {
            ("show", now) => output(0, now),
            ("on", _) => {
                *page = "on";
                output(0, "switched\n")
            }
            ("put-back", _) => {
                *page = if command.input == b"off" { "off" } else { "on" };
                output(0, "")
            }
            ("check", "on") => output(0, ""),
            ("check", "off") => output(10, ""),
            ("check", "strange") => output(12, "somebody painted it"),
            ("check", _) => output(3, "cannot see"),
            _ => output(1, "no such command"),
        }
    });
    page
}

fn exec(world: &World, more: &Json) -> Story {
    Story::new(world, "exec", &with(more))
}

fn with(more: &Json) -> Json {
    let mut with = json!({"run": ["on"], "prior": ["show"], "check": ["check"], "undo": ["put-back"]});
    for (key, value) in more.as_object().unwrap() {
        with[key] = value.clone();
    }
    if let Some(fields) = with.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    with
}

#[tokio::test]
async fn a_command_is_proven_by_its_check_and_undone_from_what_prior_said() {
    let world = World::new();
    let page = page(&world);
    let mut story = exec(&world, &json!({}));
    assert_eq!(story.done().await["stdout"], "switched");
    assert_eq!(*page.lock().unwrap(), "on");
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(*page.lock().unwrap(), "off");
}

#[tokio::test]
async fn its_undo_can_be_typed_with_all_that_it_is_given() {
    let world = World::new();
    page(&world);
    let more = json!({
        "undo": ["put back", "${{ steps.earlier.out.stdout }}"], "directory": "ops",
        "env": {"TOKEN": "${{ secrets.token }}"},
    });
    let mut story = exec(&world, &more);
    story.plan().await.unwrap();
    let mut scope = crate::plan::Scope::default();
    scope.answered(&StepId("earlier".into()), r#"{"stdout": "it's"}"#);
    let prior = &story.proposal.as_ref().unwrap().prior;
    assert_eq!(
        story.action.undo_by_hand(prior, &scope),
        [r"cd ops && printf %s off | TOKEN='${{ secrets.token }}' SWITCHOVER_PRIOR=off 'put back' 'it'\''s'"]
    );
    let prior = r#"{"stdout":"it's\non\u0007\n"}"#.into();
    assert_eq!(
        exec(&world, &json!({})).action.undo_by_hand(&prior, &scope),
        [r"printf %s $'it\'s\non\007\n' | SWITCHOVER_PRIOR=$'it\'s\non\007' put-back"]
    );
}

#[tokio::test]
async fn what_the_check_finds_done_is_not_run() {
    let world = World::new();
    *page(&world).lock().unwrap() = "on";
    let mut story = exec(&world, &json!({}));
    assert_eq!(story.plan().await.unwrap(), 0);
    story.arrive().await.unwrap();
    assert!(story.writes().is_empty());
}

#[tokio::test]
async fn what_the_check_calls_foreign_is_left() {
    let world = World::new();
    let page = page(&world);
    let mut story = exec(&world, &json!({}));
    story.done().await;
    *page.lock().unwrap() = "strange";
    is_foreign(story.look(Toward::Desired(1)).await, &["painted"]);
    is_foreign(story.undo().await, &["painted"]);
    assert_eq!(*page.lock().unwrap(), "strange");
}

#[tokio::test]
async fn a_check_that_says_something_else_is_no_evidence() {
    let world = World::new();
    let page = page(&world);
    let mut story = exec(&world, &json!({}));
    story.done().await;
    *page.lock().unwrap() = "dark";
    fails(story.look(Toward::Desired(1)).await, FaultKind::Blind, &["exited with 3", "cannot see"]);
}

#[tokio::test]
async fn a_command_that_fails_half_way_is_undone() {
    let world = World::new();
    page(&world);
    let mut story = exec(&world, &json!({"run": ["break"]}));
    story.plan().await.unwrap();
    let fault = story.apply().await.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Permanent, Landed::Maybe));
}

#[tokio::test]
async fn an_undo_that_failed_and_has_ended_may_be_tried_again_at_once() {
    let world = World::new();
    page(&world);
    let mut story = exec(&world, &json!({"undo": ["break"]}));
    story.done().await;
    let fault = story.undo().await.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Transient, Landed::No), "{fault}");
    world.state().fate = Some(Fate::LostAfter);
    let fault = story.undo().await.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Transient, Landed::Maybe), "{fault}");
}

#[tokio::test]
async fn an_undo_that_nothing_reads_back_is_not_called_restored() {
    let world = World::new();
    page(&world);
    let mut story = exec(&world, &json!({"check": null}));
    story.done().await;
    story.undo().await.unwrap();
    assert!(matches!(story.until_there(Toward::Prior).await, Ok(Look::Assumed)));
}

#[tokio::test]
async fn a_lost_answer_without_a_check_is_nobodys_guess() {
    let world = World::new();
    page(&world);
    let mut story = exec(&world, &json!({"check": null}));
    story.plan().await.unwrap();
    world.state().fate = Some(Fate::LostAfter);
    story.apply().await.unwrap_err();
    fails(story.look(Toward::Desired(1)).await, FaultKind::Blind, &["settle"]);
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_the_check() {
    let world = World::new();
    page(&world);
    let mut story = exec(&world, &json!({}));
    story.plan().await.unwrap();
    world.state().fate = Some(Fate::LostBefore);
    story.apply().await.unwrap_err();
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Prior)));
    world.state().fate = Some(Fate::LostAfter);
    story.apply().await.unwrap_err();
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Desired { .. })));
}

#[tokio::test]
async fn what_outlives_its_tool_is_waited_for_before_anything_is_believed() {
    let world = World::new();
    page(&world);
    let mut story = exec(&world, &json!({}));
    story.plan().await.unwrap();
    world.state().fate = Some(Fate::LostAfter);
    story.apply().await.unwrap_err();
    world.state().alive = true;
    fails(story.look(Toward::Desired(1)).await, FaultKind::Transient, &["still alive: process group 7"]);
    world.state().alive = false;
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Desired { .. })));
}

#[tokio::test]
async fn nothing_is_recorded_or_undone_beside_a_command_that_is_at_its_work() {
    let world = World::new();
    page(&world);
    let mut story = exec(&world, &json!({}));
    let alive = ["still alive: process group 7"];
    world.state().alive = true;
    fails(story.plan().await, FaultKind::Transient, &alive);
    world.state().alive = false;
    story.done().await;
    let before = story.writes().len();
    world.state().alive = true;
    fails(story.undo().await, FaultKind::Transient, &alive);
    assert_eq!(story.writes().len(), before);
    world.state().alive = false;
    story.undo().await.unwrap();
    assert_eq!(story.writes().len(), before + 1);
}

#[tokio::test]
async fn a_command_is_over_by_the_deadline_of_its_call() {
    let world = World::new();
    let given: Arc<Mutex<Vec<Command>>> = Arc::default();
    let seen = given.clone();
    world.state().run = Box::new(move |command: &Command| {
        seen.lock().unwrap().push(command.clone());
        output(0, "")
    });
    // Of the minute that the call has.
    let stop = json!({"signal": "INT", "grace": "20s"});
    let mut story = exec(&world, &json!({"check": null, "prior": null, "stop": stop}));
    story.plan().await.unwrap();
    let until = world.state().now.after(std::time::Duration::from_mins(1));
    story.apply().await.unwrap();
    let command = given.lock().unwrap().pop().unwrap();
    assert_eq!(command.timeout, std::time::Duration::from_secs(40));
    assert_eq!(command.call, Some(Call { step: STEP.into(), token: story.token(), until }));
    let mut story = exec(&world, &json!({"check": null, "prior": null, "stop": {"grace": "1m"}}));
    story.plan().await.unwrap();
    fails(story.apply().await, FaultKind::Blind, &["too little"]);
    assert!(given.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_prior_that_is_cut_off_is_not_recorded_as_whole() {
    let world = World::new();
    world.state().run = Box::new(|_| output(0, &"x".repeat(64 * 1024)));
    fails(exec(&world, &json!({"check": null})).plan().await, FaultKind::Permanent, &["64 KiB"]);
}

#[tokio::test]
async fn a_command_that_only_reads_is_a_check() {
    let world = World::new();
    page(&world);
    let reads = json!({"run": ["show"], "reads": true, "prior": null, "check": null, "undo": null});
    let mut story = exec(&world, &reads);
    assert_eq!(story.done().await["stdout"], "off");
    assert!(story.writes().is_empty());
}

#[test]
fn commands_that_leak_or_contradict_are_found_before_the_run() {
    let of = |more: Json| codes("exec", &with(&more));
    assert_eq!(of(json!({"run": ["x", "${{ secrets.token }}"]})), ["SW2002"]);
    assert_eq!(of(json!({"env": {"T": "${{ secrets.token }}"}})), [""; 0]);
    assert_eq!(of(json!({"check": null})), ["SW2009"]);
    assert_eq!(of(json!({"reads": true})), ["SW2003"]);
    assert_eq!(of(json!({"run": []})), ["SW2003"]);
    assert_eq!(of(json!({"stop": {"signal": "SIGTERM"}})), ["SW1007"]);
}

fn action(kind: &str, with: &Json) -> Arc<dyn AnyAction> {
    let (value, known, mut problems) = (value(with), known(), Problems::default());
    Registry.build(kind, &mut Fields::new(&value, &known, &mut problems)).unwrap()
}

fn back_only(run: &str) -> Json {
    with(&json!({"run": [run], "prior": null, "check": null, "undo": null}))
}

#[tokio::test]
async fn an_undo_by_another_action_runs_once_and_is_believed_by_its_answer() {
    let world = World::new();
    let page = page(&world);
    let (forward, back) = (action("exec", &back_only("on")), action("exec", &back_only("put-back")));
    let mut story = Story::of(&world, Arc::new(Reversal::new(Some(forward), back)));
    story.done().await;
    story.undo().await.unwrap();
    assert!(matches!(story.until_there(Toward::Prior).await, Ok(Look::Assumed)), "nothing reads it back");
    assert_eq!(story.writes(), ["on", "put-back"]);
    assert_eq!(*page.lock().unwrap(), "on", "it was not told what was there");
}

#[tokio::test]
async fn a_step_without_uses_acts_only_on_the_way_back() {
    let world = World::new();
    page(&world);
    let back = action("exec", &back_only("on"));
    let mut story = Story::of(&world, Arc::new(Reversal::new(None, back)));
    assert_eq!(story.plan().await.unwrap(), 1);
    story.apply().await.unwrap();
    story.arrive().await.unwrap();
    assert!(story.writes().is_empty());
    story.undo().await.unwrap();
    assert!(matches!(story.until_there(Toward::Prior).await, Ok(Look::Assumed)), "nothing reads it back");
    assert_eq!(story.writes(), ["on"]);
}
