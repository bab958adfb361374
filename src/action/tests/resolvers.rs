//! `monitor` with `dns.resolvers`: a public resolver that keeps the old answer for as long as it may, and one that does not let it
//! go.

use super::blocked::{APP, switch, world};
use super::records::seconds;
use super::world::World;
use super::{Story, fails, known, value};
use crate::action::Registry;
use crate::plan::{Fields, Known, Problems, Span, StepId, Target, Value};
use crate::port::dns::{Name, RecordType, Served};
use crate::run::FaultKind;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// A monitor that asks the resolvers of this target after `switch`, which has answered that; and the codes of what is wrong.
fn monitor(world: &World, out: Option<&Json>, resolvers: &Json) -> (Option<Story>, Vec<&'static str>) {
    let with = json!({"zone_id": "Z1", "name": "example.com", "aws": "prod", "resolvers": resolvers});
    let with = Value::from_json(&with, Span::default());
    let zone = Arc::new(Target { name: "zone".into(), kind: "route53".into(), with });
    let targets = [vec![zone], known().targets].concat();
    let known = Known { steps: vec!["switch".into()], targets, ..known() };
    let signal =
        json!({"id": "public", "uses": "dns.resolvers", "with": {"target": "zone", "after": "switch"}});
    let with = value(&json!({"for": "2m", "every": "30s", "signals": [signal]}));
    let mut problems = Problems::default();
    let action = Registry.build("monitor", &mut Fields::new(&with, &known, &mut problems));
    assert_eq!(known.read_steps.borrow().len(), 1, "who reads the plan sees that it comes before");
    let world = world.seen_by(|scope| {
        if let Some(out) = out {
            scope.answered(&StepId("switch".into()), &out.to_string());
        }
    });
    let codes = problems.as_slice().iter().map(|problem| problem.code.0).collect();
    (action.map(|action| Story::of(&world, action)), codes)
}

fn asking(world: &World, out: Option<&Json>) -> Story {
    monitor(world, out, &json!(["https://dns.example/dns-query"])).0.unwrap()
}

/// A name that has been switched while a resolver keeps where it led, and what the step has answered.
async fn switched() -> (World, Json) {
    let world = world(60);
    world.state().blocked = false;
    let out = switch(&world).done().await;
    (world, out)
}

#[tokio::test]
async fn an_old_answer_is_borne_until_it_has_run_out() {
    let (world, out) = switched().await;
    let mut story = asking(&world, Some(&out));
    story.plan().await.unwrap();
    let ended = story.arrive().await.unwrap();
    let last = &ended["signals"]["public"]["last"];
    assert_eq!(last, "1 of 1 resolvers lead to the new side");
}

#[tokio::test]
async fn one_that_does_not_let_it_go_is_known_at_once() {
    let (world, out) = switched().await;
    let old = Served {
        authoritative: false,
        values: vec!["old.elb.example".into()],
        ttl: seconds(3600),
        negative_ttl: None,
    };
    {
        let mut state = world.state();
        let (key, now) = ((Name::new(APP), RecordType("CNAME".into())), state.now);
        state.resolver.as_mut().unwrap().kept.insert(key, (now, old));
    }
    let mut story = asking(&world, Some(&out));
    story.plan().await.unwrap();
    let words = "https://dns.example/dns-query serves old.elb.example as before for 1h more (CNAME)";
    fails(story.breaks(story.forward()).await, FaultKind::Permanent, &["public", words]);
}

#[tokio::test]
async fn before_anything_was_led_elsewhere_nobody_can_tell() {
    let (world, _) = switched().await;
    let earlier = json!({"switched_at": "2026-11-30T12:00:00Z"});
    for (out, words) in [
        (None, "`switch` is not done yet"),
        (Some(&earlier), "`switch` does not say what it has led elsewhere"),
    ] {
        let mut story = asking(&world, out);
        story.plan().await.unwrap();
        fails(story.arrive().await, FaultKind::Blind, &[words]);
    }
}

#[test]
fn a_target_without_resolvers_is_refused() {
    let world = world(60);
    assert_eq!(monitor(&world, None, &json!([])).1, ["SW2003"]);
    assert!(monitor(&world, None, &json!(["https://dns.example/dns-query"])).1.is_empty());
}
