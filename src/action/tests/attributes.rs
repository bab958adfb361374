//! `alb.attribute`.

use super::world::{Fate, World, target_group};
use super::{Story, codes, fails, is_foreign};
use crate::action::Toward;
use crate::plan::Scope;
use crate::port::{Attribute, Attributes, LoadBalancer, Owner};
use crate::run::{FaultKind, Landed, Look};
use serde_json::{Value as Json, json};
use std::time::Duration;

const ARN: &str = "arn:lb";

fn of(all: &[(Attribute, u64)]) -> Attributes {
    all.iter().map(|(attribute, seconds)| (*attribute, Duration::from_secs(*seconds))).collect()
}

fn world() -> World {
    let world = World::new();
    let mut state = world.state();
    state.balancers.push(LoadBalancer {
        arn: ARN.into(),
        name: "web".into(),
        dns_name: "web.elb.example".into(),
        zone_id: "ZLB".into(),
        keep_alive: Duration::from_secs(3600),
        idle_timeout: Duration::from_secs(60),
    });
    let balancer = of(&[(Attribute::ClientKeepAlive, 3600), (Attribute::IdleTimeout, 60)]);
    state.attributes.insert((Owner::LoadBalancer, ARN.into()), balancer);
    let group = of(&[(Attribute::DeregistrationDelay, 0)]);
    state.attributes.insert((Owner::TargetGroup, target_group("green")), group);
    drop(state);
    world
}

fn with(more: &Json) -> Json {
    let mut with = json!({"target": "prod", "load_balancer": "web"});
    for (key, value) in more.as_object().unwrap() {
        with[key] = value.clone();
    }
    with
}

fn story(world: &World) -> Story {
    Story::new(world, "alb.attribute", &with(&json!({"client_keep_alive": "1m", "idle_timeout": "60s"})))
}

fn now(world: &World) -> Attributes {
    world.state().attributes[&(Owner::LoadBalancer, ARN.into())].clone()
}

/// Somebody else sets it.
fn meddle(world: &World, attribute: Attribute, seconds: u64) {
    let mut state = world.state();
    let found = state.attributes.get_mut(&(Owner::LoadBalancer, ARN.into())).unwrap();
    found.insert(attribute, Duration::from_secs(seconds));
}

/// copilot-cli#4838: settings of the target group stayed changed.
#[tokio::test]
async fn only_what_differs_is_sent_and_what_was_there_comes_back() {
    let world = world();
    let before = now(&world);
    let mut story = story(&world);
    let out = story.done().await;
    assert_eq!(out["now"], json!({"client_keep_alive": 60, "idle_timeout": 60}));
    assert_eq!(out["before"], json!({"client_keep_alive": 3600, "idle_timeout": 60}));
    let changes = format!("{:?}", story.proposal.as_ref().unwrap().changes);
    for words in
        ["client_keep_alive of load balancer web", "\"1h\"", "that are open may last 1h all the same"]
    {
        assert!(changes.contains(words), "{words}: {changes}");
    }
    assert!(!changes.contains("idle_timeout"), "it is so already: {changes}");
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(now(&world), before);
    let sent = ["set arn:lb client_keep_alive=60", "set arn:lb client_keep_alive=3600"];
    assert_eq!(story.writes(), sent);
    story.undo().await.unwrap();
    assert_eq!(story.writes(), sent, "what is back is not written again");
}

#[tokio::test]
async fn what_is_so_already_is_not_written_and_not_undone() {
    let world = world();
    let mut story = Story::new(&world, "alb.attribute", &with(&json!({"idle_timeout": "1m"})));
    story.done().await;
    story.restored().await.unwrap();
    story.undo().await.unwrap();
    assert!(story.writes().is_empty());
    meddle(&world, Attribute::IdleTimeout, 90);
    is_foreign(story.look(Toward::Desired(0)).await, &["idle_timeout 1m30s", "somebody else"]);
}

#[tokio::test]
async fn a_target_group_has_a_delay_that_may_have_been_none() {
    let world = world();
    let wants = json!({"target": "prod", "target_group": "green", "deregistration_delay": "30s"});
    let mut story = Story::new(&world, "alb.attribute", &wants);
    story.done().await;
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    let arn = target_group("green");
    let sent = [30, 0].map(|seconds| format!("set {arn} deregistration_delay={seconds}"));
    assert_eq!(story.writes(), sent);
    let wants = json!({"target": "prod", "target_group": "none", "deregistration_delay": "30s"});
    let fault = Story::new(&world, "alb.attribute", &wants).plan().await;
    fails(fault, FaultKind::Permanent, &["no target group `none` in target `prod`"]);
}

#[tokio::test]
async fn a_change_by_somebody_else_is_never_overwritten() {
    let world = world();
    let mut story = story(&world);
    story.plan().await.unwrap();
    meddle(&world, Attribute::ClientKeepAlive, 120);
    is_foreign(story.apply().await, &["client_keep_alive 2m, idle_timeout 1m", "somebody else"]);
    meddle(&world, Attribute::ClientKeepAlive, 3600);
    story.apply().await.unwrap();
    // Of one that is stated and was so already, too.
    for (attribute, seconds) in [(Attribute::ClientKeepAlive, 300), (Attribute::IdleTimeout, 61)] {
        let (left, written) = (now(&world), story.writes().len());
        meddle(&world, attribute, seconds);
        is_foreign(story.look(Toward::Desired(1)).await, &["load balancer web has", "somebody else"]);
        is_foreign(story.look(Toward::Prior).await, &["somebody else"]);
        is_foreign(story.undo().await, &["client_keep_alive 1h, idle_timeout 1m"]);
        assert_eq!(story.writes().len(), written);
        world.state().attributes.insert((Owner::LoadBalancer, ARN.into()), left);
    }
    meddle(&world, Attribute::ClientKeepAlive, 3600);
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Prior)), "put back by hand");
    world.state().attributes.clear();
    is_foreign(story.look(Toward::Desired(1)).await, &["load balancer web is gone"]);
}

#[tokio::test]
async fn an_attribute_that_is_not_stated_is_theirs() {
    let world = world();
    let mut story = Story::new(&world, "alb.attribute", &with(&json!({"client_keep_alive": "1m"})));
    story.done().await;
    meddle(&world, Attribute::IdleTimeout, 400);
    assert!(matches!(story.look(Toward::Desired(1)).await, Ok(Look::Desired { .. })));
    story.undo().await.unwrap();
    story.restored().await.unwrap();
    assert_eq!(now(&world), of(&[(Attribute::ClientKeepAlive, 3600), (Attribute::IdleTimeout, 400)]));
}

#[tokio::test]
async fn a_lost_call_is_settled_by_what_is_told() {
    for (fate, landed) in [(Fate::LostBefore, false), (Fate::LostAfter, true)] {
        let world = world();
        let mut story = story(&world);
        story.plan().await.unwrap();
        world.state().fate = Some(fate);
        assert_eq!(story.apply().await.unwrap_err().landed, Landed::Maybe);
        match story.look(Toward::Desired(1)).await.unwrap() {
            Look::Prior => assert!(!landed),
            Look::Desired { .. } => assert!(landed),
            look => panic!("{look:?}"),
        }
        story.apply().await.unwrap();
        assert_eq!(story.writes().len(), 1, "one call landed");
    }
}

#[tokio::test]
async fn what_is_not_told_cannot_be_put_back() {
    let world = world();
    let told = of(&[(Attribute::IdleTimeout, 350)]);
    world.state().attributes.insert((Owner::LoadBalancer, ARN.into()), told);
    let fault = story(&world).plan().await;
    fails(fault, FaultKind::Permanent, &["load balancer web tells of no client_keep_alive", "another type"]);
}

#[tokio::test]
async fn people_are_told_what_to_type() {
    let world = world();
    let mut story = story(&world);
    let by_hand = story.action.by_hand();
    assert_eq!(by_hand.what, "load balancer web: client_keep_alive 1m, idle_timeout 1m");
    let options = "--region eu-west-1";
    assert_eq!(
        by_hand.apply[2],
        format!(
            "aws elbv2 modify-load-balancer-attributes --load-balancer-arn <that ARN> --attributes \
             Key=client_keep_alive.seconds,Value=60 Key=idle_timeout.timeout_seconds,Value=60 {options}"
        )
    );
    story.done().await;
    let prior = story.proposal.as_ref().unwrap().prior.clone();
    assert_eq!(
        story.action.undo_by_hand(&prior, &Scope::default()),
        [format!(
            "aws elbv2 modify-load-balancer-attributes --load-balancer-arn arn:lb --attributes \
             Key=client_keep_alive.seconds,Value=3600 {options}"
        )]
    );
}

#[test]
fn what_cannot_be_is_refused_before_anything_runs() {
    let group = |more: Json| {
        let mut with = with(&more);
        with["target_group"] = "green".into();
        with.as_object_mut().unwrap().remove("load_balancer");
        with
    };
    for (wants, expected) in [
        (with(&json!({"client_keep_alive": "1m"})), &[][..]),
        (with(&json!({"client_keep_alive": "7d", "idle_timeout": "4000s"})), &[]),
        (group(json!({"deregistration_delay": "1h"})), &[]),
        (with(&json!({})), &["SW2030"]),
        (with(&json!({"deregistration_delay": "1m"})), &["SW2030"]),
        (group(json!({"idle_timeout": "1m"})), &["SW2030"]),
        (with(&json!({"target_group": "green", "idle_timeout": "1m"})), &["SW2030"]),
        (json!({"target": "prod", "idle_timeout": "1m"}), &["SW2030"]),
        (with(&json!({"client_keep_alive": "59s"})), &["SW2031"]),
        (with(&json!({"client_keep_alive": "60s", "idle_timeout": "1500ms"})), &["SW2031"]),
        (with(&json!({"idle_timeout": "2h"})), &["SW2031"]),
        (group(json!({"deregistration_delay": "61m"})), &["SW2031"]),
        (with(&json!({"idle_timeout": "0s"})), &["SW1005"]),
        (with(&json!({"idle_timeout": 60})), &["SW1005"]),
    ] {
        assert_eq!(codes("alb.attribute", &wants), expected, "{wants}");
    }
}
