//! `dns.switch` away from a load balancer: what the name must lead to, for how long clients stay there, and whether it could take
//! them back.

use super::records::{self, APP, new, seconds, to_balancer};
use super::world::{World, alias, record, target_group};
use super::{Story, codes, fails, is_foreign};
use crate::port::LoadBalancer;
use crate::port::dns::Name;
use crate::run::{DnsClock, Fault, FaultKind};
use serde_json::{Value as Json, json};

const HOST: &str = "old.elb.example";

/// A name that leads to a load balancer whose connections may last for an hour, and one to lead it to.
fn world() -> World {
    let world = records::world();
    {
        let mut state = world.state();
        let new = state.balancers[0].clone();
        let arn = new.arn.replace("/aep-prod/", "/aep-staging/");
        let (name, dns_name) = ("aep-staging".into(), HOST.into());
        state.balancers.push(LoadBalancer { arn, name, dns_name, keep_alive: seconds(3600), ..new });
        state.addresses.insert(Name::new("dualstack.old.elb.example"), vec![[10, 9, 0, 1].into()]);
    }
    world
}

fn from(from: &Json) -> Json {
    let mut with = to_balancer();
    with["from"] = from.clone();
    with
}

fn from_balancer() -> Json {
    from(&json!({"load_balancer": "aep-staging", "in": "prod"}))
}

fn switch(world: &World) -> Story {
    Story::new(world, "dns.switch", &from_balancer())
}

#[tokio::test]
async fn a_name_leads_to_a_load_balancer_by_alias_or_cname_however_that_is_written() {
    let cname = |to: &str| vec![record(APP, "CNAME", 60, &[to])];
    let aliases = |to: &str| ["A", "AAAA"].map(|kind| alias(APP, kind, to)).to_vec();
    for (listed, holds) in [
        (cname("Old.ELB.example."), true),
        (cname("dualstack.old.elb.example"), true),
        (aliases(HOST), true),
        (aliases("dualstack.OLD.elb.example."), true),
        (cname("else.example"), false),
        (vec![alias(APP, "A", HOST), record(APP, "AAAA", 60, &["fd00::9"])], false),
        (vec![record(APP, "A", 60, &["10.9.0.1"])], false),
        (Vec::new(), false),
    ] {
        let world = world();
        world.list(listed.clone());
        let plan = switch(&world).plan().await;
        if holds {
            assert_eq!(plan.unwrap(), 1, "{listed:?}");
        } else {
            let wanted = "an alias of load balancer aep-staging, or a CNAME to it (old.elb.example),";
            is_foreign(plan, &["app.example.com is ", "the plan says it must be ", wanted]);
        }
    }
    // What leads to the new side already has no old one.
    let world = world();
    world.list(vec![new()]);
    assert_eq!(switch(&world).plan().await.unwrap(), 0);
}

#[test]
fn a_load_balancer_is_named_alone_and_with_its_account() {
    let told = |with: Json| codes("dns.switch", &from(&with));
    assert_eq!(told(json!({"load_balancer": "old"})), ["SW1004"]);
    assert_eq!(told(json!({"load_balancer": "old", "in": "zone"})), ["SW1008"]);
    assert_eq!(told(json!({"load_balancer": "old", "in": "prod", "cname": "old.example"})), ["SW2003"]);
    assert_eq!(told(json!({})), ["SW2003"]);
}

#[tokio::test]
async fn for_how_long_clients_stay_is_told_or_it_is_said_how_to_tell() {
    let host = from(&json!({"cname": HOST}));
    for (with, listed, stay, asks) in [
        (from_balancer(), None, seconds(3660), false),
        (host, None, seconds(0), true),
        (to_balancer(), None, seconds(0), true),
        // Nobody keeps a load balancer behind addresses.
        (to_balancer(), Some(record(APP, "A", 60, &["10.9.0.1"])), seconds(0), false),
    ] {
        let world = world();
        if let Some(listed) = listed {
            world.list(vec![listed]);
        }
        let mut story = Story::new(&world, "dns.switch", &with);
        story.plan().await.unwrap();
        let prior = story.record().prior;
        let clock: DnsClock = story.action.clock(&prior).unwrap();
        assert_eq!((clock.left, prior.contains("\"left\"")), (Some(stay), !stay.is_zero()), "{with}");
        let notes = story.told().await.unwrap().notes.join(" ");
        assert_eq!(notes.contains("`from: { load_balancer: …, in: … }` tells it"), asks, "{with}: {notes}");
    }
}

#[tokio::test]
async fn an_old_side_that_serves_nobody_is_no_way_back() {
    let world = world();
    let mut story = switch(&world);
    story.done().await;
    assert_eq!(story.way_back().await, None);
    let nobody =
        "no target of load balancer aep-staging is healthy: the way back of app.example.com leads to nobody";
    world.state().healthy.insert(target_group("tg"), 0);
    assert_eq!(story.way_back().await.unwrap(), nobody);
    world.state().deleted.push(target_group("tg"));
    assert_eq!(story.way_back().await.unwrap(), nobody, "a group that is gone has nobody");
    world.state().groups = vec![target_group("other")];
    assert_eq!(story.way_back().await, None, "by now it has another one");
    world.state().balancers.retain(|balancer| balancer.name != "aep-staging");
    assert!(story.way_back().await.unwrap().starts_with("load balancer aep-staging is gone: "));
    // Who cannot see it says nothing of it.
    world.state().cut_off = Some(Fault::blind("no answer"));
    let seen = story.action.way_back(&story.world.reads(), &story.record().prior).await;
    assert_eq!(seen.unwrap_err().kind, FaultKind::Blind);
}

#[tokio::test]
async fn nobody_is_led_away_from_a_side_that_could_not_take_them_back() {
    let world = world();
    world.state().healthy.insert(target_group("tg"), 0);
    let words = ["no target of load balancer aep-staging is healthy", "`undo: { keep: <why> }`"];
    fails(switch(&world).plan().await, FaultKind::Permanent, &words);
    let mut one_way = Story { is_undone: false, ..switch(&world) };
    assert_eq!(one_way.plan().await.unwrap(), 1);
    // One is enough.
    world.state().healthy.insert(target_group("tg"), 1);
    assert_eq!(switch(&world).plan().await.unwrap(), 1);
    // Without a target group it answers by itself.
    world.state().groups.clear();
    assert_eq!(switch(&world).plan().await.unwrap(), 1);
}
