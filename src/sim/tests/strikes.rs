//! What each strike makes of a call, what lands, and what the ledger says of it.

use super::super::{Armed, Cell, Deed, Landed, Ports, Strike, VirtualClock, Whose, World};
use super::{SERVICE, START, ZONE, after, world};
use crate::plan::{Span, Target, Timestamp, Value};
use crate::port::dns::{Name, RecordChange, RecordSet, RecordType};
use crate::port::{
    Metric, ReadWorld, Request, Response, RunTask, TaskFilter, UpdateService, WriteCompute, WriteWorld,
};
use crate::run::{Fault, FaultKind, Landed as Worth};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn seconds(count: u32) -> Duration {
    SECOND * count
}

const RESOLVER: &str = "https://dns.example/dns-query";

pub(super) fn ports(world: World) -> Ports {
    let target = |name: &str, kind: &str, with| {
        let with = Value::from_json(&with, Span::default());
        Arc::new(Target { name: name.into(), kind: kind.into(), with })
    };
    let zone = json!({"zone_id": "Z1", "name": "example.com", "aws": "aws", "resolvers": [RESOLVER]});
    let aws = json!({"account": "123456789012", "region": "eu-west-1"});
    Ports::new(world, vec![target("aws", "aws", aws), target("zone", "route53", zone)])
}

/// Drives it in a world in which this is armed, from the first call on.
fn struck<T>(
    text: &str,
    (service, operation): (&str, &str),
    strike: Strike,
    play: impl AsyncFnOnce(&Ports) -> T,
) -> (T, Ports) {
    let mut world = world(text);
    world.ledger.armed.push(Armed::once(service, operation, 0, strike));
    let ports = ports(world);
    let out = ports.virtual_clock().drive(play(&ports)).unwrap();
    (out, ports)
}

/// Place, what, and by whom.
type Told = (String, String, Whose);

fn places(ports: &Ports) -> Vec<Told> {
    let told = |landed: &Landed| (landed.place.to_string(), landed.what.to_string(), landed.by);
    ports.look(|world, _| world.ledger.landed.iter().map(told).collect())
}

fn cname(value: &str) -> RecordSet {
    RecordSet {
        name: Name::new("app.example.com"),
        kind: RecordType("CNAME".into()),
        ttl: Some(300),
        values: vec![value.into()],
        alias: None,
        extra: BTreeMap::new(),
    }
}

const OLD: &str = "old.eu-west-1.elb.amazonaws.com";
const NEW: &str = "new.eu-west-1.elb.amazonaws.com";
const PLACE: &str = "record app.example.com CNAME in Z1";

async fn switch(ports: &Ports) -> Result<(), Fault> {
    let batch = [RecordChange::Delete(cname(OLD)), RecordChange::Create(cname(NEW))];
    let zone = ports.change_dns("zone", after(3600)).unwrap();
    zone.change(&batch, "a switch").await.map(drop)
}

async fn listed(ports: &Ports) -> Vec<String> {
    let sets = ports.dns("zone").unwrap().record_sets(&Name::new("app.example.com")).await.unwrap();
    sets.into_iter().flat_map(|set| set.values).collect()
}

async fn pass(clock: &VirtualClock, span: Duration) {
    use crate::port::Clock;
    clock.sleep_until(clock.now().after(span)).await;
}

#[test]
fn every_call_has_a_number_and_is_told_in_order() {
    let mut world = world(ZONE);
    world.ledger.recording = true;
    let ports = ports(world);
    let play = async {
        switch(&ports).await.unwrap();
        let zone = ports.dns("zone").unwrap();
        let authority = zone.authorities().await.unwrap().remove(0);
        let (name, kind) = (Name::new("app.example.com"), RecordType("CNAME".into()));
        zone.ask(&authority, &name, &kind).await.unwrap();
        zone.delegation().await.unwrap();
        get(&ports, "http://new.eu-west-1.elb.amazonaws.com/x").await.unwrap();
    };
    ports.virtual_clock().drive(play).unwrap();
    let calls = ports.look(|world, _| world.ledger.calls.clone());
    let told: Vec<String> = calls
        .iter()
        .map(|call| {
            let writes = if call.writes { "!" } else { "" };
            format!("{} {} {}{writes}: {}", call.number, call.service, call.operation, call.resource)
        })
        .collect();
    let change = format!(
        "2 route53 ChangeResourceRecordSets!: zone Z1 (a switch): DELETE app.example.com CNAME {OLD} (TTL 300), \
         CREATE app.example.com CNAME {NEW} (TTL 300)"
    );
    assert_eq!(
        told,
        [
            "1 sts GetCallerIdentity: ",
            &change,
            "3 route53 GetHostedZone: Z1",
            "4 dns addresses: ns-1.example.net",
            "5 dns addresses: ns-2.example.net",
            "6 dns ask: ns-1.example.net app.example.com CNAME",
            "7 dns delegation: example.com",
            "8 http GET /x: http://new.eu-west-1.elb.amazonaws.com/x",
        ]
    );
}

#[test]
fn what_is_not_recorded_is_counted() {
    let ports = ports(world(ZONE));
    ports.virtual_clock().drive(listed(&ports)).unwrap();
    ports.look(|world, _| assert_eq!((world.ledger.count, world.ledger.calls.len()), (2, 0)));
}

const CHANGE: (&str, &str) = ("route53", "ChangeResourceRecordSets");

/// What a switch is worth, and what lands at once, and within a minute.
fn switched(strike: Strike) -> (Result<(), (FaultKind, Worth)>, usize, Vec<Told>) {
    let play = async |ports: &Ports| {
        let answer = switch(ports).await.map_err(|fault| (fault.kind, fault.landed));
        let landed = places(ports).len();
        pass(ports.virtual_clock(), seconds(60)).await;
        (answer, landed)
    };
    let ((answer, landed), ports) = struck(ZONE, CHANGE, strike, play);
    (answer, landed, places(&ports))
}

fn new(by: Whose) -> Told {
    (PLACE.into(), format!("CNAME {NEW} (TTL 300)"), by)
}

#[test]
fn a_refused_write_never_lands() {
    let refused = Strike::Refused { code: "InvalidInput".into(), message: "no".into() };
    assert_eq!(switched(refused), (Err((FaultKind::Permanent, Worth::No)), 0, vec![]));
    assert_eq!(switched(Strike::Denied), (Err((FaultKind::Permanent, Worth::No)), 0, vec![]));
    assert_eq!(switched(Strike::Expired), (Err((FaultKind::Blind, Worth::No)), 0, vec![]));
    assert_eq!(switched(Strike::Unavailable), (Err((FaultKind::Transient, Worth::Maybe)), 0, vec![]));
    let (answer, _, landed) = switched(Strike::Throttled);
    assert_eq!((answer, landed), (Ok(()), vec![new(Whose::Ours(3))]), "it is tried again");
}

#[test]
fn a_lost_write_lands_or_not_or_later() {
    let lost = || Err((FaultKind::Transient, Worth::Maybe));
    assert_eq!(switched(Strike::LostBefore), (lost(), 0, vec![]));
    assert_eq!(switched(Strike::LostAfter), (lost(), 1, vec![new(Whose::Ours(2))]));
    assert_eq!(switched(Strike::Late(seconds(30))), (lost(), 0, vec![new(Whose::Late(2))]));
}

#[test]
fn an_answer_may_be_slow_and_too_slow() {
    assert_eq!(switched(Strike::Slow(seconds(3))), (Ok(()), 1, vec![new(Whose::Ours(2))]));
    let lost = Err((FaultKind::Transient, Worth::Maybe));
    assert_eq!(switched(Strike::Slow(seconds(30))), (lost, 1, vec![new(Whose::Ours(2))]));
}

#[test]
fn a_wrong_write_is_answered_as_fine() {
    let wrong = (PLACE.into(), "CNAME wrong.example.net (TTL 300)".into(), Whose::Provider);
    assert_eq!(switched(Strike::Wrong), (Ok(()), 1, vec![wrong]));
}

#[test]
fn what_was_there_is_put_back_whatever_is_there_now() {
    let back = (PLACE.into(), format!("CNAME {OLD} (TTL 300)"), Whose::Somebody);
    let landed = vec![new(Whose::Ours(2)), back];
    assert_eq!(switched(Strike::Reverted(seconds(20))), (Ok(()), 1, landed));
}

#[test]
fn a_late_landing_is_copied_with_its_world() {
    let late = Strike::Late(seconds(30));
    let (_, ports) = struck(ZONE, CHANGE, late, async |ports| switch(ports).await.is_err());
    let mut copies = [(); 2].map(|()| ports.look(|world, _| world.clone()));
    for copy in &mut copies {
        assert!(copy.ledger.landed.is_empty());
        copy.advance(after(300));
        assert_eq!((copy.ledger.landed.len(), copy.ledger.landed[0].at), (1, after(30)));
    }
    assert!(ports.look(|world, _| world.ledger.landed.is_empty()));
}

#[test]
fn what_still_lands_is_part_of_the_situation_and_what_landed_is_not() {
    use std::hash::{DefaultHasher, Hasher};
    let print = |world: &World| {
        let mut hash = DefaultHasher::new();
        world.ledger.situation(world.now, &mut hash);
        world.ledger.held_situation(&[], world.now, &mut hash);
        world.ledger.strikes_situation(world.now, &mut hash);
        world.cells_situation(&[], Cell::Before, &mut hash);
        hash.finish()
    };
    let late = Strike::Late(seconds(30));
    let (_, ports) = struck(ZONE, CHANGE, late, async |ports| switch(ports).await.is_err());
    let mut world = ports.look(|world, _| world.clone());
    let waits = print(&world);
    world.advance(after(60));
    let landed = print(&world);
    world.advance(after(90));
    assert!(waits != landed && landed == print(&world));
    world.ledger.armed.push(Armed::once("ecs", "RunTask", 0, Strike::Wrong));
    assert_ne!(landed, print(&world));
}

#[test]
fn a_look_may_be_stale_but_not_for_long() {
    let play = async |ports: &Ports| {
        let before = listed(ports).await;
        switch(ports).await.unwrap();
        let stale = listed(ports).await;
        let fresh = listed(ports).await;
        (before, stale, fresh)
    };
    let (seen, ports) = struck(ZONE, ("route53", "ListResourceRecordSets"), Strike::Stale, play);
    assert_eq!(seen, (vec![OLD.into()], vec![OLD.into()], vec![NEW.into()]));
    ports.look(|world, _| {
        assert_eq!(world.ledger.armed[0].met, 1, "before the write there was nothing to miss");
    });
    let play = async |ports: &Ports| {
        switch(ports).await.unwrap();
        pass(ports.virtual_clock(), seconds(4)).await;
        listed(ports).await
    };
    let (seen, _) = struck(ZONE, ("route53", "ListResourceRecordSets"), Strike::Stale, play);
    assert_eq!(seen, [NEW]);
}

#[test]
fn a_strike_meets_the_calls_that_it_names_and_as_many() {
    let mut world = world(ZONE);
    let armed = Armed::once("route53", "ListResourceRecordSets", 4, Strike::Partial);
    world.ledger.armed.push(Armed { containing: "app.".into(), times: 2, ..armed });
    let ports = ports(world);
    let play = async {
        let zone = ports.dns("zone").unwrap();
        let mut seen = Vec::new();
        for name in ["app", "app", "api", "app", "app", "app"] {
            let name = Name::new(&format!("{name}.example.com"));
            seen.push(zone.record_sets(&name).await.unwrap().len());
        }
        seen
    };
    // The first call asks for the account.
    assert_eq!(ports.virtual_clock().drive(play).unwrap(), [1, 1, 1, 0, 0, 1]);
}

#[test]
fn a_name_server_is_silent_slow_or_no_authority() {
    let ask = async |ports: &Ports| {
        let zone = ports.dns("zone").unwrap();
        let authority = zone.authorities().await.unwrap().remove(0);
        zone.ask(&authority, &Name::new("app.example.com"), &RecordType("CNAME".into())).await
    };
    let asked = |strike| {
        let (answer, ports) = struck(ZONE, ("dns", "ask"), strike, ask);
        (answer, ports.look(|_, now| now.since(START)))
    };
    let (answer, took) = asked(Strike::Silent);
    assert_eq!((answer.unwrap_err().kind, took), (FaultKind::Blind, seconds(5)));
    let (answer, took) = asked(Strike::Slow(seconds(3)));
    assert_eq!((answer.unwrap().values, took), (vec![OLD.into()], seconds(3)));
    assert_eq!(asked(Strike::Slow(seconds(9))).0.unwrap_err().kind, FaultKind::Blind);
    assert!(!asked(Strike::Bad).0.unwrap().authoritative);
    assert!(asked(Strike::Partial).0.unwrap().values.is_empty());
    let answer = struck(ZONE, ("dns", "delegation"), Strike::Partial, async |ports| {
        ports.dns("zone").unwrap().delegation().await.unwrap()
    });
    assert_eq!(answer.0, [Name::new("ns-1.example.net")]);
}

async fn get(ports: &Ports, url: &str) -> Result<Response, Fault> {
    ports.http().get(request("GET", url)).await
}

fn request(method: &str, url: &str) -> Request {
    Request {
        method: method.into(),
        url: url.into(),
        headers: Vec::new(),
        body: Some(br#"{"target": "smoke"}"#.to_vec()),
        connect_to: None,
        timeout: seconds(20),
    }
}

fn front(path: &str) -> String {
    format!("http://{}{path}", world(SERVICE).balancers["front"].dns_name)
}

/// What a request comes to, and what landed then and within a minute.
fn posted(strike: Strike) -> (Result<u16, (FaultKind, Worth)>, usize, usize) {
    let play = async |ports: &Ports| {
        let answer = ports.send_http().send(request("POST", &front("/api/scans"))).await;
        let landed = places(ports).len();
        pass(ports.virtual_clock(), seconds(60)).await;
        (answer.map(|answer| answer.status).map_err(|fault| (fault.kind, fault.landed)), landed)
    };
    let ((answer, landed), ports) = struck(SERVICE, ("http", "POST /api/scans"), strike, play);
    let all = places(&ports);
    let scans = ports.look(|world, _| world.scans.len());
    assert_eq!(scans, all.len(), "what landed is there");
    assert!(all.iter().all(|(place, what, _)| {
        *place == format!("http {}", front("")) && what == "POST /api/scans: 201"
    }));
    (answer, landed, all.len())
}

#[test]
fn a_request_lands_or_not_or_later() {
    let lost = || Err((FaultKind::Transient, Worth::Maybe));
    let unsent = || Err((FaultKind::Transient, Worth::No));
    assert_eq!(posted(Strike::Slow(SECOND)), (Ok(201), 1, 1));
    assert_eq!(posted(Strike::Slow(seconds(30))), (lost(), 1, 1));
    assert_eq!(posted(Strike::LostBefore), (lost(), 0, 0));
    assert_eq!(posted(Strike::LostAfter), (lost(), 1, 1));
    assert_eq!(posted(Strike::Late(seconds(30))), (lost(), 0, 1));
    assert_eq!(posted(Strike::Wrong), (Ok(201), 0, 0));
    assert_eq!(posted(Strike::Unavailable), (unsent(), 0, 0));
    assert_eq!(posted(Strike::Silent), (unsent(), 0, 0));
    assert_eq!(posted(Strike::Bad), (Ok(500), 0, 0));
    assert_eq!(posted(Strike::Throttled), (Ok(429), 0, 0));
    let conflict = Strike::Refused { code: "409".into(), message: "no".into() };
    assert_eq!(posted(conflict), (Ok(409), 0, 0));
}

#[test]
fn half_of_a_body_comes() {
    let whole = struck(SERVICE, ("http", "GET /"), Strike::Bad, async |ports| {
        get(ports, &front("/api")).await.unwrap().body
    });
    let half = struck(SERVICE, ("http", "GET /api"), Strike::Partial, async |ports| {
        get(ports, &front("/api")).await.unwrap().body
    });
    assert_eq!(half.0, whole.0[..whole.0.len() / 2]);
}

async fn definition(ports: &Ports, image: &str) -> Result<String, Fault> {
    let content = json!({"family": "web", "containerDefinitions": [
        {"name": "web", "image": image, "portMappings": [{"containerPort": 8080}]}]});
    changing(ports).register(&content).await
}

fn changing(ports: &Ports) -> Arc<dyn WriteCompute> {
    ports.change_compute("aws", Timestamp::NEVER).unwrap()
}

async fn set(ports: &Ports, definition: &str) -> Result<String, Fault> {
    let update = UpdateService {
        cluster: "main".into(),
        service: "web".into(),
        definition: definition.into(),
        desired: None,
    };
    changing(ports).update(&update).await
}

fn whats(ports: &Ports) -> Vec<String> {
    places(ports).into_iter().map(|(place, what, by)| format!("{place}: {what}, {by:?}")).collect()
}

#[test]
fn a_service_is_set_otherwise_or_set_back() {
    let play = async |ports: &Ports| {
        definition(ports, "web@sha256:next").await.unwrap();
        definition(ports, "web@sha256:late").await.unwrap();
        set(ports, "web:2").await.unwrap();
        pass(ports.virtual_clock(), seconds(60)).await;
    };
    let registered =
        ["definition web: revision 2, Ours(2)".to_owned(), "definition web: revision 3, Ours(3)".to_owned()];
    let ((), ports) = struck(SERVICE, ("ecs", "UpdateService"), Strike::Wrong, play);
    let wrong = "service main/web: 2 of web:3, Provider".to_owned();
    assert_eq!(whats(&ports), [&registered[..], &[wrong]].concat());
    let ((), ports) = struck(SERVICE, ("ecs", "UpdateService"), Strike::Reverted(seconds(20)), play);
    let right = "service main/web: 2 of web:2, Ours(4)".to_owned();
    let back = "service main/web: 2 of web:1, Somebody".to_owned();
    assert_eq!(whats(&ports), [&registered[..], &[right, back]].concat());
}

#[test]
fn a_service_without_another_definition_is_forced_to_what_it_has() {
    let play = async |ports: &Ports| set(ports, "web:1").await.unwrap();
    let (_, ports) = struck(SERVICE, ("ecs", "UpdateService"), Strike::Wrong, play);
    assert_eq!(whats(&ports), ["service main/web: 2 of web:1, by force, Provider"]);
}

#[test]
fn a_definition_is_registered_with_another_image() {
    let play = async |ports: &Ports| {
        let arn = definition(ports, "web@sha256:next").await.unwrap();
        ports.compute("aws").unwrap().definition(&arn).await.unwrap().unwrap().containers[0].image.clone()
    };
    let (image, _) = struck(SERVICE, ("ecs", "RegisterTaskDefinition"), Strike::Wrong, play);
    assert_eq!(image, "web@sha256:good");
}

fn job() -> RunTask {
    RunTask {
        cluster: "main".into(),
        definition: "job".into(),
        container: None,
        command: None,
        network: None,
        token: "t".into(),
    }
}

#[test]
fn a_task_is_not_started_or_stopped_by_somebody_or_started_late() {
    let run = async |ports: &Ports| {
        let arn = changing(ports).run_task(&job()).await;
        pass(ports.virtual_clock(), seconds(30)).await;
        let started = TaskFilter::StartedBy("t".into());
        let tasks = ports.compute("aws").unwrap().tasks("main", &started).await.unwrap();
        (arn.ok(), tasks.into_iter().map(|task| task.arn).collect::<Vec<_>>())
    };
    let operation = ("ecs", "RunTask");
    let ((arn, tasks), ports) = struck(SERVICE, operation, Strike::Wrong, run);
    assert!(arn.is_some() && tasks.is_empty() && whats(&ports).is_empty());
    let next = ports
        .virtual_clock()
        .drive(async { changing(&ports).run_task(&RunTask { token: "u".into(), ..job() }).await.unwrap() });
    assert_ne!(next, arn, "no other task has the name of the one that never was");
    let ((arn, tasks), ports) = struck(SERVICE, operation, Strike::Reverted(seconds(3)), run);
    assert_eq!((tasks, arn.is_some()), (arn.into_iter().collect(), true));
    assert_eq!(whats(&ports), ["task main/job: started, Ours(2)", "task main/job: stopped, Somebody"]);
    let ((arn, tasks), ports) = struck(SERVICE, operation, Strike::Late(seconds(12)), run);
    assert_eq!((arn, tasks.len()), (None, 1));
    assert_eq!(whats(&ports), ["task main/job: started, Late(2)"]);
}

#[test]
fn series_are_empty_or_incomplete() {
    let measured = |strike| {
        let play = async |ports: &Ports| {
            pass(ports.virtual_clock(), seconds(300)).await;
            let (balancer, group) = ports.look(|world, _| {
                let tail = |arn: &str, part: &str| arn.split(part).nth(1).unwrap().to_owned();
                let group = format!("targetgroup/{}", tail(&world.groups["web"].arn, ":targetgroup/"));
                (tail(&world.balancers["front"].arn, "loadbalancer/"), group)
            });
            let metric = Metric {
                namespace: "AWS/ApplicationELB".into(),
                name: "HealthyHostCount".into(),
                dimensions: vec![("LoadBalancer".into(), balancer), ("TargetGroup".into(), group)],
                statistic: "Minimum".into(),
                period: seconds(60),
                from: START,
                to: after(300),
            };
            let series = ports.metrics("aws").unwrap().series(&[metric]).await.unwrap().remove(0);
            (series.points.len(), series.complete)
        };
        struck(SERVICE, ("monitoring", "GetMetricData"), strike, play).0
    };
    assert_eq!(measured(Strike::Slow(SECOND)), (4, true));
    assert_eq!(measured(Strike::Partial), (3, false));
    assert_eq!(measured(Strike::Silent), (0, true));
}

/// Drives it until the process dies.
fn until_death(ports: &Ports, play: impl AsyncFnOnce(&Ports)) {
    let dies = async {
        tokio::select! {
            biased;
            () = play(ports) => panic!("it lives"),
            () = ports.death() => {}
        }
    };
    ports.virtual_clock().drive(dies).unwrap();
}

#[test]
fn a_process_dies_before_its_call_or_after_it_landed() {
    for (strike, landed) in [(Strike::KillBefore, 0), (Strike::KillAfter, 1)] {
        let mut world = world(ZONE);
        world.ledger.armed.push(Armed::once("route53", "ChangeResourceRecordSets", 0, strike));
        let ports = ports(world);
        until_death(&ports, async |ports| switch(ports).await.unwrap());
        assert_eq!(places(&ports).len(), landed);
        let count = ports.look(|world, _| world.ledger.count);
        until_death(&ports, async |ports| drop(listed(ports).await));
        assert_eq!(ports.look(|world, _| world.ledger.count), count, "the dead send nothing");
        ports.look(|world, _| world.revive());
        let seen = ports.virtual_clock().drive(listed(&ports)).unwrap();
        assert_eq!(seen, [if landed == 0 { OLD } else { NEW }]);
    }
}

#[test]
fn what_somebody_else_does_is_told_as_theirs() {
    let mut world = world(ZONE);
    let deed = Deed { delete_record: Some("app.example.com".into()), ..Deed::default() };
    world.perform(deed, START).unwrap();
    let cell: Arc<str> = "flag".into();
    world.set_cell(&cell, Cell::Foreign, START);
    let landed = [(PLACE, "none"), ("command flag", "foreign")];
    let landed = landed.map(|(place, what)| (place.to_owned(), what.to_owned(), Whose::Somebody));
    assert_eq!(places(&ports(world)), landed);
}

#[test]
fn a_strike_fits_what_it_has_a_meaning_for() {
    let all = [
        ("refused", Strike::Refused { code: "x".into(), message: "x".into() }),
        ("denied", Strike::Denied),
        ("expired", Strike::Expired),
        ("throttled", Strike::Throttled),
        ("unavailable", Strike::Unavailable),
        ("before", Strike::LostBefore),
        ("after", Strike::LostAfter),
        ("late", Strike::Late(SECOND)),
        ("wrong", Strike::Wrong),
        ("reverted", Strike::Reverted(SECOND)),
        ("slow", Strike::Slow(SECOND)),
        ("stale", Strike::Stale),
        ("partial", Strike::Partial),
        ("silent", Strike::Silent),
        ("bad", Strike::Bad),
        ("kill", Strike::KillBefore),
        ("killed", Strike::KillAfter),
    ];
    let fits = |service: &str, operation: &str, writes: bool| {
        let own = all.iter().filter(|(_, strike)| strike.fits(service, operation, writes));
        own.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
    };
    let refusals = "refused denied expired throttled unavailable before";
    assert_eq!(fits("sts", "GetCallerIdentity", false), format!("{refusals} slow kill"));
    assert_eq!(
        fits("route53", "ListResourceRecordSets", false),
        format!("{refusals} slow stale partial kill")
    );
    assert_eq!(fits("monitoring", "GetMetricData", false), format!("{refusals} slow partial silent kill"));
    assert_eq!(fits("logs", "FilterLogEvents", false), format!("{refusals} slow partial silent kill"));
    assert_eq!(fits("ssm", "GetParameter", false), format!("{refusals} slow kill"));
    assert_eq!(
        fits("ecs", "UpdateService", true),
        format!("{refusals} after late wrong reverted slow kill killed")
    );
    assert_eq!(fits("ecs", "StopTask", true), format!("{refusals} after late wrong slow kill killed"));
    assert_eq!(fits("dns", "ask", false), "slow stale partial silent bad kill");
    assert_eq!(fits("dns", "https", false), "slow stale partial silent kill");
    assert_eq!(fits("dns", "addresses", false), "slow partial silent kill");
    assert_eq!(fits("http", "GET /", false), format!("{refusals} slow partial silent bad kill"));
    assert_eq!(
        fits("http", "POST /", true),
        format!("{refusals} after late wrong slow partial silent bad kill killed")
    );
    assert_eq!(fits("process", "check", false), "refused denied unavailable before slow silent bad kill");
    assert_eq!(
        fits("process", "run", true),
        "refused denied unavailable before after late wrong reverted slow bad kill killed"
    );
    assert_eq!(fits("process", "unknown", false), "kill");
}

#[test]
fn a_resolver_stands_in_where_every_name_server_is_silent_and_only_there() {
    for (containing, stands_in) in [("", true), ("ns-1.example.net", false)] {
        let mut world = world(ZONE);
        let silent = Armed::once("dns", "ask", 0, Strike::Silent);
        world.ledger.armed.push(Armed { times: 0, containing: containing.into(), ..silent });
        let ports = ports(world);
        let play = async {
            let found = ports.dns("zone").unwrap().stand_ins().await.unwrap();
            let urls: Vec<&str> = found.iter().map(|one| one.url()).collect();
            assert_eq!(urls, [RESOLVER].get(..usize::from(stands_in)).unwrap());
            for one in found {
                let (name, kind) = (Name::new("app.example.com"), RecordType("CNAME".into()));
                let kept = one.ask(&name, &kind).await.unwrap();
                assert_eq!((kept.authoritative, &kept.values[..]), (false, &[OLD.to_owned()][..]));
            }
        };
        ports.virtual_clock().drive(play).unwrap();
    }
}
