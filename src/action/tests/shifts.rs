//! `alb.weights`.

use super::world::{Fate, World, output, response, target_group};
use super::{Story, codes, fails, is_foreign};
use crate::action::Toward;
use crate::plan::Scope;
use crate::port::{Does, Forward, LoadBalancer, Rule, RuleAction, Share, Stop};
use crate::run::{Fault, FaultKind, Landed, Look};
use serde_json::{Value as Json, json};
use std::time::Duration;

const RULE: &str = "arn:listener-rule/443/10";

fn shares(all: &[(&str, u32)]) -> Vec<Share> {
    all.iter().map(|(name, weight)| Share { group: target_group(name), weight: *weight }).collect()
}

fn rule(port: u16, priority: Option<u32>, all: &[(&str, u32)], sticks: Option<Duration>) -> Rule {
    let id = priority.map_or_else(|| "default".to_owned(), |priority| priority.to_string());
    let login =
        json!({"Type": "authenticate-oidc", "AuthenticateOidcConfig": {"ClientId": "c", "Issuer": "i"}});
    let forward = Does::Forward(Forward { groups: shares(all), sticks });
    Rule {
        arn: format!("arn:listener-rule/{port}/{id}"),
        listener: format!("arn:listener/{port}"),
        priority,
        conditions: vec!["path-pattern /*".into()],
        actions: vec![
            RuleAction { order: Some(5), does: Does::Other(login) },
            RuleAction { order: Some(9), does: forward },
        ],
    }
}

fn world() -> World {
    let world = World::new();
    let sticks = Some(Duration::from_secs(3600));
    let mut state = world.state();
    state.balancers.push(LoadBalancer {
        arn: "arn:lb".into(),
        name: "web".into(),
        dns_name: "web.elb.example".into(),
        zone_id: "ZLB".into(),
        keep_alive: Duration::from_secs(60),
        idle_timeout: Duration::from_secs(60),
    });
    state.rules = vec![
        rule(443, Some(10), &[("blue", 1)], sticks),
        rule(443, None, &[("other", 1)], None),
        rule(80, None, &[("blue", 1)], None),
    ];
    drop(state);
    world
}

fn with(more: &Json) -> Json {
    let mut with = json!({
        "target": "prod", "load_balancer": "web", "rule": 10, "group": "green", "to": [10, 100], "soak": "2m",
    });
    for (key, value) in more.as_object().unwrap() {
        with[key] = value.clone();
    }
    with
}

fn shift(world: &World) -> Story {
    Story::new(world, "alb.weights", &with(&json!({})))
}

/// How the rule deals now.
fn dealt(world: &World) -> Vec<Share> {
    let state = world.state();
    let found = state.rules.iter().find(|rule| rule.arn == RULE).unwrap();
    found.forward().unwrap().groups.clone()
}

/// Somebody else sets it.
fn meddle(world: &World, all: &[(&str, u32)]) {
    let mut state = world.state();
    let found = state.rules.iter_mut().find(|rule| rule.arn == RULE).unwrap();
    found.actions = found.dealing(&shares(all));
}

async fn apply(story: &mut Story, stage: u32) -> Result<(), Fault> {
    let (token, stop) = (format!("stage-{stage}"), Stop::default());
    let prior = story.proposal.as_ref().unwrap().prior.clone();
    story.note = None;
    story.action.apply(&story.world.writes(&token, &stop), stage, &prior).await?;
    story.since = story.world.state().now;
    Ok(())
}

async fn planned(world: &World) -> Story {
    let mut story = shift(world);
    assert_eq!(story.plan().await.unwrap(), 2);
    story
}

#[tokio::test]
async fn each_weight_is_watched_before_it_has_arrived() {
    let world = world();
    let mut story = planned(&world).await;
    for (stage, all) in [(1, [("blue", 90), ("green", 10)]), (2, [("blue", 0), ("green", 100)])] {
        apply(&mut story, stage).await.unwrap();
        assert_eq!(dealt(&world), shares(&all));
        let begun = world.state().now;
        assert!(matches!(story.until_there(Toward::Desired(stage)).await, Ok(Look::Desired { .. })));
        assert!(story.waited(begun) >= Duration::from_secs(120));
        // It is looked at again for as long as the run lasts: nothing is watched once more.
        assert!(matches!(story.look(Toward::Desired(stage)).await, Ok(Look::Desired { .. })));
    }
}

#[tokio::test]
async fn a_weight_is_watched_anew_after_a_silence_and_when_somebody_went_on() {
    let world = world();
    let signals = json!([{"id": "look", "uses": "exec", "with": {"run": ["./look"]}}]);
    let wants = with(&json!({"signals": signals, "soak": "10m"}));
    let mut story = Story::new(&world, "alb.weights", &wants);
    assert_eq!(story.plan().await.unwrap(), 2);
    world.state().run = Box::new(|_| output(0, ""));
    let (soak, stage) = (Duration::from_secs(600), Toward::Desired(1));
    apply(&mut story, 1).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(story.look(stage).await, Ok(Look::Moving { .. })));
    }
    let begun = world.state().now;
    world.pass(Duration::from_secs(360));
    assert!(matches!(story.until_there(stage).await, Ok(Look::Desired { .. })));
    assert_eq!(story.waited(begun), Duration::from_secs(360) + soak);
    // Of the next weight nobody sees anything for an hour.
    let stage = Toward::Desired(2);
    apply(&mut story, 2).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(story.look(stage).await, Ok(Look::Moving { .. })));
    }
    world.pass(Duration::from_secs(3600));
    fails(story.look(stage).await, FaultKind::Blind, &["said nothing for 1h, and there is no time left"]);
    // Somebody goes on: it is looked at, and then as if it had been set only now.
    story.round += 1;
    assert!(matches!(story.look(stage).await, Ok(Look::Moving { .. })));
    story.since = world.state().now;
    let begun = world.state().now;
    assert!(matches!(story.until_there(stage).await, Ok(Look::Desired { .. })));
    assert_eq!(story.waited(begun), soak);
}

#[tokio::test]
async fn what_is_not_a_weight_stays_and_the_undo_is_one_change() {
    let world = world();
    let before = world.state().rules.clone();
    let mut story = planned(&world).await;
    apply(&mut story, 1).await.unwrap();
    apply(&mut story, 2).await.unwrap();
    {
        let state = world.state();
        let (now, then) = (&state.rules[0], &before[0]);
        assert_eq!(now.actions[0], then.actions[0], "whoever logs in still does");
        assert_eq!(now.forward().unwrap().sticks, then.forward().unwrap().sticks);
        assert_eq!(state.rules[1..], before[1..]);
    }
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(world.state().rules, before);
    assert_eq!(story.writes().len(), 3);
    story.undo().await.unwrap();
    assert_eq!(story.writes().len(), 3, "what is back is not written again");
}

/// nomad#10882: going back was a deployment like any other, and went through the canary phase before it helped anybody.
#[tokio::test]
async fn the_way_back_goes_through_no_weight_and_is_not_watched() {
    let signals = json!([{"id": "look", "uses": "exec", "with": {"run": ["./look"]}}]);
    for last in [1, 2] {
        let world = world();
        let mut story = Story::new(&world, "alb.weights", &with(&json!({"signals": signals})));
        assert_eq!(story.plan().await.unwrap(), 2);
        for stage in 1..=last {
            apply(&mut story, stage).await.unwrap();
        }
        world.state().run = Box::new(|_| panic!("nothing is watched on the way back"));
        let written = story.writes().len();
        let begun = world.state().now;
        story.undo().await.unwrap();
        assert_eq!(dealt(&world), shares(&[("blue", 1)]), "at once, and all of it");
        story.restored().await.unwrap();
        assert_eq!((story.writes().len(), story.waited(begun)), (written + 1, Duration::ZERO));
    }
}

#[tokio::test]
async fn a_preview_names_who_is_not_shifted() {
    let world = world();
    let story = planned(&world).await;
    let changes = format!("{:?}", story.proposal.as_ref().unwrap().changes);
    for words in ["rule 10 of web:443", "blue 90, green 10; then blue 0, green 100, each watched for 2m"] {
        assert!(changes.contains(words), "{words}: {changes}");
    }
    for words in
        ["stick to their target group for 1h", "requests of the default rule of web:80", "go to blue too"]
    {
        assert!(changes.contains(words), "{words}: {changes}");
    }
    assert!(!changes.contains("the default rule of web:443"), "it has nothing to do with it: {changes}");
}

#[tokio::test]
async fn another_weight_than_we_left_is_never_overwritten() {
    let world = world();
    let mut story = planned(&world).await;
    apply(&mut story, 1).await.unwrap();
    for theirs in [&[("blue", 80), ("green", 20)][..], &[("blue", 90), ("red", 10)]] {
        meddle(&world, theirs);
        let written = story.writes().len();
        is_foreign(story.look(Toward::Desired(1)).await, &["rule 10 of web:443", "somebody else"]);
        is_foreign(apply(&mut story, 2).await, &["somebody else"]);
        is_foreign(story.undo().await, &["somebody else"]);
        assert_eq!((story.writes().len(), dealt(&world)), (written, shares(theirs)));
    }
    meddle(&world, &[("blue", 1)]);
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Prior)), "put back by hand");
    is_foreign(apply(&mut story, 2).await, &["somebody else"]);
}

#[tokio::test]
async fn somebody_who_is_faster_than_the_first_weight_is_not_overtaken() {
    let world = world();
    let mut story = planned(&world).await;
    meddle(&world, &[("blue", 2), ("red", 1)]);
    is_foreign(apply(&mut story, 1).await, &["blue 2, red 1", "blue 1"]);
    world.state().rules.remove(0);
    is_foreign(apply(&mut story, 1).await, &["is gone"]);
    assert!(story.writes().is_empty());
}

#[tokio::test]
async fn stickiness_that_somebody_changes_is_theirs() {
    let world = world();
    let mut story = planned(&world).await;
    apply(&mut story, 1).await.unwrap();
    if let Does::Forward(forward) = &mut world.state().rules[0].actions[1].does {
        forward.sticks = None;
    }
    apply(&mut story, 2).await.unwrap();
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(world.state().rules[0].forward().unwrap().sticks, None);
}

#[tokio::test]
async fn a_lost_call_is_settled_by_what_the_rule_says() {
    for (fate, landed) in [(Fate::LostBefore, false), (Fate::LostAfter, true)] {
        let world = world();
        let mut story = planned(&world).await;
        apply(&mut story, 1).await.unwrap();
        world.state().fate = Some(fate);
        assert_eq!(apply(&mut story, 2).await.unwrap_err().landed, Landed::Maybe);
        match story.look(Toward::Desired(2)).await.unwrap() {
            Look::Prior => assert!(!landed),
            Look::Moving { .. } => assert!(landed),
            look @ (Look::Desired { .. } | Look::Assumed) => panic!("{look:?}"),
        }
        apply(&mut story, 2).await.unwrap();
        assert_eq!(story.writes().len(), 2, "one call a weight landed");
    }
}

#[tokio::test]
async fn a_group_that_is_not_healthy_gets_no_requests() {
    let world = world();
    world.state().healthy.insert(target_group("green"), 0);
    fails(shift(&world).plan().await, FaultKind::Permanent, &["0 of 1 targets of green are healthy"]);
    world.state().healthy.clear();
    let mut story = planned(&world).await;
    apply(&mut story, 1).await.unwrap();
    world.state().healthy.insert(target_group("green"), 0);
    fails(story.until_there(Toward::Desired(1)).await, FaultKind::Permanent, &["not there in time"]);
    fails(apply(&mut story, 2).await, FaultKind::Permanent, &["nothing is shifted to it"]);
    assert_eq!(story.writes().len(), 1);
}

/// Whose first weight is watched by requests of our own.
async fn watched_by_requests(world: &World, status: u16) -> Story {
    world.state().answer = Box::new(move |_| Ok(response(status, "")));
    let signal = json!([{"id": "errors", "uses": "http.probe", "with": {"url": "https://app.example.com/"},
        "fail": "error_rate > 0.1", "min_samples": 5}]);
    let mut story = Story::new(world, "alb.weights", &with(&json!({"signals": signal})));
    story.plan().await.unwrap();
    apply(&mut story, 1).await.unwrap();
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Moving { .. })));
    story
}

#[tokio::test]
async fn a_group_that_falls_ill_is_watched_all_the_same_and_never_arrives() {
    let world = world();
    let mut story = watched_by_requests(&world, 200).await;
    story.look(Toward::Desired(1)).await.unwrap();
    world.state().healthy.insert(target_group("green"), 0);
    let begun = world.state().now;
    fails(story.until_there(Toward::Desired(1)).await, FaultKind::Permanent, &["not there in time"]);
    assert!(story.waited(begun) > Duration::from_secs(120), "nobody suffers");
    world.state().answer = Box::new(|_| Ok(response(503, "")));
    // What was well before still counts for a while.
    story.look(Toward::Desired(1)).await.unwrap();
    world.pass(Duration::from_secs(30));
    fails(
        story.breaks(Toward::Desired(1)).await,
        FaultKind::Permanent,
        &["signal `errors` is broken", "503"],
    );
}

#[tokio::test]
async fn a_group_is_not_judged_before_it_was_healthy_once() {
    let world = world();
    let mut story = watched_by_requests(&world, 503).await;
    world.state().healthy.insert(target_group("green"), 0);
    fails(story.until_there(Toward::Desired(1)).await, FaultKind::Permanent, &["not there in time"]);
    world.state().healthy.clear();
    fails(
        story.breaks(Toward::Desired(1)).await,
        FaultKind::Permanent,
        &["signal `errors` is broken", "503"],
    );
}

#[tokio::test]
async fn what_is_there_already_changes_nothing() {
    let world = world();
    meddle(&world, &[("blue", 0), ("green", 1)]);
    let mut story = shift(&world);
    story.done().await;
    assert!(story.writes().is_empty());
    meddle(&world, &[("blue", 1), ("green", 1)]);
    assert_eq!(shift(&world).plan().await.unwrap(), 1, "from half of them only the last weight is left");
}

#[tokio::test]
async fn a_rule_that_cannot_be_given_back_is_not_touched() {
    let world = world();
    let missing = |more: Json| Story::new(&world, "alb.weights", &with(&more));
    for (more, words) in [
        (json!({"load_balancer": "none"}), "no load balancer `none`"),
        (json!({"listener": 8443}), "no listener at port 8443; there are 443, 80"),
        (json!({"rule": 11}), "no rule 11 of web:443"),
        (json!({"group": "none"}), "no target group `none`"),
    ] {
        fails(missing(more).plan().await, FaultKind::Permanent, &[words]);
    }
    let other = |json: Json| RuleAction { order: None, does: Does::Other(json) };
    world.state().rules[0].actions[0] = other(json!({"Type": "teleport"}));
    fails(shift(&world).plan().await, FaultKind::Permanent, &["`teleport`", "write that back"]);
    world.state().rules[0].actions = vec![other(json!({"Type": "redirect"}))];
    fails(shift(&world).plan().await, FaultKind::Permanent, &["does not forward", "redirect"]);
}

#[tokio::test]
async fn by_hand_the_rule_comes_back_as_it_was_recorded() {
    let world = world();
    let story = planned(&world).await;
    let prior = &story.proposal.as_ref().unwrap().prior;
    let [command] = &story.action.undo_by_hand(prior, &Scope::default())[..] else { panic!("one change") };
    assert!(
        command.starts_with(&format!("aws elbv2 modify-rule --rule-arn {RULE} --actions '[")),
        "{command}"
    );
    let (_, rest) = command.split_once('\'').unwrap();
    let (actions, options) = rest.rsplit_once('\'').unwrap();
    assert_eq!(options, " --region eu-west-1");
    let expected = json!([
        {"Type": "authenticate-oidc", "AuthenticateOidcConfig": {"ClientId": "c", "Issuer": "i"}, "Order": 5},
        {"Type": "forward", "Order": 9, "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": target_group("blue"), "Weight": 1}],
            "TargetGroupStickinessConfig": {"Enabled": true, "DurationSeconds": 3600}}},
    ]);
    assert_eq!(serde_json::from_str::<Json>(actions).unwrap(), expected);
}

#[test]
fn weights_that_fall_or_are_not_watched_are_found_before_the_run() {
    let found = |more: Json| codes("alb.weights", &with(&more));
    assert_eq!(found(json!({})), [""; 0]);
    for to in [json!([10, 10]), json!([50, 10]), json!([])] {
        assert_eq!(found(json!({"to": to})), ["SW2010"], "{to}");
    }
    let mut hasty = with(&json!({}));
    hasty.as_object_mut().unwrap().remove("soak");
    assert_eq!(codes("alb.weights", &hasty), ["SW2011"]);
    hasty["every"] = "5s".into();
    assert_eq!(codes("alb.weights", &hasty), ["SW2003"]);
    hasty.as_object_mut().unwrap().remove("every");
    hasty["to"] = json!([100]);
    assert_eq!(codes("alb.weights", &hasty), [""; 0]);
    let signal = json!([{"id": "e", "uses": "http.probe", "with": {"url": "https://a.example/", "over": "1m"},
        "fail": "error_rate > 0.1", "breaches": 30}]);
    assert_eq!(found(json!({"signals": signal})), ["SW2007"]);
}

/// orca#3341: a rollback sent all requests to a side that had nothing running.
#[tokio::test]
async fn nothing_is_sent_back_to_where_nobody_can_answer() {
    let world = world();
    let mut story = planned(&world).await;
    apply(&mut story, 1).await.unwrap();
    let blue = shares(&[("blue", 1)])[0].group.clone();
    world.state().healthy.insert(blue.clone(), 0);
    let words = ["none of 2 targets of blue is healthy", "nothing was changed", "then retry"];
    fails(story.undo().await, FaultKind::Permanent, &words);
    assert_eq!(dealt(&world), shares(&[("blue", 90), ("green", 10)]));
    world.state().healthy.insert(blue, 1);
    story.undo().await.unwrap();
    assert_eq!(dealt(&world), shares(&[("blue", 1)]));
}
