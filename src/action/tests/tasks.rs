//! `ecs.task`.

use super::world::{Fate, World, definition, service};
use super::{Story, codes, fails};
use crate::action::Toward;
use crate::port::{Named, Presence};
use crate::run::{FaultKind, Landed, Look};
use serde_json::{Value as Json, json};

fn world() -> World {
    let world = World::new();
    {
        let mut state = world.state();
        state.definitions.push(definition("migrate", 1, "repo/migrate:1"));
        state.services.insert("web".into(), service("web", "x"));
    }
    world
}

fn with(more: &Json) -> Json {
    let mut with = json!({
        "target": "prod", "cluster": "main", "task_definition": "migrate",
        "command": ["alembic", "upgrade", "head"], "like": "web",
    });
    for (key, value) in more.as_object().unwrap() {
        with[key] = value.clone();
    }
    with
}

async fn started(world: &World, more: &Json) -> Story {
    let mut story = Story::new(world, "ecs.task", &with(more));
    assert_eq!(story.plan().await.unwrap(), 1);
    story.apply().await.unwrap();
    story
}

/// The task ends like this.
fn ends(world: &World, code: Option<i32>, stop_code: &str) {
    let mut state = world.state();
    let task = state.tasks.last_mut().unwrap();
    task.status = "STOPPED".into();
    task.stop_code = Some(stop_code.into());
    task.containers[0].exit_code = code;
}

#[tokio::test]
async fn a_task_is_done_when_its_container_exited_with_zero() {
    let world = world();
    let mut story = started(&world, &json!({})).await;
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
    ends(&world, Some(0), "EssentialContainerExited");
    assert_eq!(story.arrive().await.unwrap()["exit_code"], 0);
    assert!(story.proposal.as_ref().unwrap().must_finish, "a migration is never killed");
    assert!(story.writes()[0].contains("alembic"));
}

#[tokio::test]
async fn an_exit_code_that_is_not_there_is_not_zero() {
    for (code, stop) in [
        (None, "TaskFailedToStart"),
        (None, "EssentialContainerExited"),
        (Some(1), "EssentialContainerExited"),
        (Some(0), "UserInitiated"),
    ] {
        let world = world();
        let mut story = started(&world, &json!({})).await;
        ends(&world, code, stop);
        fails(story.arrive().await, FaultKind::Permanent, &[stop]);
    }
}

#[tokio::test]
async fn a_start_whose_answer_was_lost_is_found_by_its_token() {
    for (fate, landed) in [(Fate::LostBefore, false), (Fate::LostAfter, true)] {
        let world = world();
        let mut story = Story::new(&world, "ecs.task", &with(&json!({})));
        story.plan().await.unwrap();
        world.state().fate = Some(fate);
        assert_eq!(story.apply().await.unwrap_err().landed, Landed::Maybe);
        match story.look(Toward::Desired(1)).await.unwrap() {
            Look::Prior => assert!(!landed),
            Look::Moving { note: Some(_), .. } => assert!(landed),
            look => panic!("{look:?}"),
        }
        if !landed {
            story.apply().await.unwrap();
        }
        ends(&world, Some(0), "EssentialContainerExited");
        story.arrive().await.unwrap();
        assert_eq!(world.state().tasks.len(), 1, "never two");
    }
}

#[tokio::test]
async fn a_task_that_is_not_listed_any_more_is_not_gone() {
    let world = world();
    let mut story = started(&world, &json!({})).await;
    world.state().tasks.clear();
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
}

#[tokio::test]
async fn only_a_plan_that_says_so_stops_a_task() {
    let world = world();
    let mut story = started(&world, &json!({"abort": "stop"})).await;
    assert!(!story.proposal.as_ref().unwrap().must_finish);
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(world.state().tasks[0].status, "STOPPED");
}

#[tokio::test]
async fn the_definition_that_was_planned_is_run_whatever_is_registered_since() {
    let world = world();
    let mut story = Story::new(&world, "ecs.task", &with(&json!({})));
    story.plan().await.unwrap();
    world.state().definitions.push(definition("migrate", 2, "repo/migrate:2"));
    story.apply().await.unwrap();
    assert!(story.writes()[0].contains("migrate:1"));
}

#[tokio::test]
async fn what_its_definition_names_and_is_not_there_is_told_beforehand() {
    let world = world();
    world.state().definitions[0].content["taskRoleArn"] = "migrate".into();
    let mut story = Story::new(&world, "ecs.task", &with(&json!({})));
    story.plan().await.unwrap();
    assert!(story.told().await.unwrap().notes.is_empty(), "what is there is not told");
    world.state().present.insert(Named::Role("migrate".into()), Presence::Missing);
    let told = story.told().await.unwrap().notes;
    let role =
        "role migrate, which the definition names (taskRoleArn), does not exist: its tasks would not start";
    assert_eq!(told.iter().map(|note| &**note).collect::<Vec<_>>(), [role]);
}

#[test]
fn secrets_are_not_passed_as_arguments() {
    let leaks = with(&json!({"command": ["login", "${{ secrets.token }}"]}));
    assert_eq!(codes("ecs.task", &leaks), ["SW2002"]);
    let both = with(&json!({"network": {"subnets": ["a"]}}));
    assert_eq!(codes("ecs.task", &both), ["SW2003"]);
}

#[tokio::test]
async fn what_a_task_said_last_is_told_where_the_plan_asks_for_it() {
    let world = world();
    let options =
        json!({"awslogs-group": "/ecs/migrate", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "m"});
    world.state().definitions[0].content["containerDefinitions"][0]["logConfiguration"] =
        json!({"logDriver": "awslogs", "options": options});
    for (more, words) in [
        (json!({}), None),
        (
            json!({"log_lines": 2}),
            Some("; it said last: column \"state\" | does not exist; its log: aws logs"),
        ),
        (json!({"log_lines": 50}), Some("; it said last: starting | column")),
    ] {
        let mut story = started(&world, &more).await;
        ends(&world, Some(1), "EssentialContainerExited");
        let id = world.state().tasks.last().unwrap().arn.rsplit('/').next().unwrap().to_owned();
        let container = world.state().tasks.last().unwrap().containers[0].name.clone();
        let stream = ("/ecs/migrate".to_owned(), format!("m/{container}/{id}"));
        let said = ["starting", "column \"state\"\n", "\u{1b}does not exist"].map(str::to_owned);
        world.state().said.insert(stream.clone(), said.into());
        let fault = story.arrive().await.unwrap_err();
        match words {
            Some(words) => assert!(fault.message.contains(words), "{fault}"),
            None => assert!(!fault.message.contains("it said last"), "{fault}"),
        }
        // A log that is not there fails nothing else.
        world.state().said.clear();
        let fault = story.arrive().await.unwrap_err();
        assert_eq!(fault.message.contains("it has said nothing that is kept"), words.is_some(), "{fault}");
    }
}
