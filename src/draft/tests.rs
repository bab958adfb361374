//! What is written is read again, with the kinds of steps and signals that there really are.

use super::*;
use crate::action::Registry;
use crate::doc::{Inputs, Reading, Stored, read, render};
use crate::plan::{Data, Kind, Plan, Value};
use crate::port::dns::{Alias, Name, RecordSet, RecordType};
use crate::port::{Caller, ListedBalancer, ListedZone};
use crate::signal::SignalRegistry;
use std::collections::BTreeMap;

const DIGEST: &str = "sha256:3ddc7d98a9e4bb3ef32f35fdb7810975212253bc55b6fca957f69975a4d5b202";

fn caller() -> Caller {
    Caller { account: "012345678901".into(), region: "eu-west-1".into(), profile: None }
}

fn zone(name: &str) -> ListedZone {
    ListedZone { id: "Z0123456789ABC".into(), name: Name::new(name), private: false }
}

fn balancer(name: &str) -> ListedBalancer {
    ListedBalancer {
        arn: format!("arn:{name}"),
        name: name.into(),
        dns_name: Name::new(&format!("{name}.eu-west-1.elb.amazonaws.com")),
        application: true,
    }
}

fn set(name: &str, kind: &str, ttl: u32, values: &[&str]) -> RecordSet {
    RecordSet {
        name: Name::new(name),
        kind: RecordType(kind.into()),
        ttl: Some(ttl),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        alias: None,
        extra: BTreeMap::new(),
    }
}

fn alias(name: &str, kind: &str, to: &str) -> RecordSet {
    let alias = Alias { name: Name::new(to), zone_id: "Z32".into(), evaluate_health: true };
    RecordSet { ttl: None, values: Vec::new(), alias: Some(alias), ..set(name, kind, 0, &[]) }
}

fn service() -> FoundService {
    let image = FoundImage {
        container: "web".into(),
        image: "registry:5000/web:1.7".into(),
        pinned: Some(format!("registry:5000/web@{DIGEST}")),
    };
    FoundService {
        cluster: "prod".into(),
        name: "web".into(),
        images: vec![image],
        desired: 3,
        counted: true,
        behind: Some(balancer("new")),
    }
}

fn record(sets: Vec<RecordSet>, to: NewSide) -> FoundRecord {
    FoundRecord {
        zone: zone("example.com"),
        name: sets[0].name.clone(),
        sets,
        behind: Some(balancer("old")),
        to,
        plain_http: false,
    }
}

fn found(service: Option<FoundService>, record: Option<FoundRecord>) -> Found {
    Found { caller: caller(), service, record }
}

fn to_new() -> NewSide {
    NewSide::Balancer { balancer: balancer("new"), inferred: true }
}

fn app() -> RecordSet {
    set("app.example.com", "CNAME", 300, &["old.eu-west-1.elb.amazonaws.com"])
}

fn reading(text: &str, given: &[(&str, &str)]) -> Reading {
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let inputs = Inputs { given, ..Inputs::default() };
    read("plan.yaml", text.as_bytes(), &Stored::default(), &inputs, &Registry, &SignalRegistry)
}

/// The plan that a draft is, which has neither errors nor warnings.
#[track_caller]
fn sound(found: &Found, given: &[(&str, &str)]) -> Plan {
    let text = write(found);
    let reading = reading(&text, given);
    let shown = render(&reading.problems, &reading.sources, false, true);
    assert!(reading.problems.is_empty(), "{shown}\n{text}");
    assert!(text.lines().all(|line| line.len() < 200 && line.trim_end() == line), "{text}");
    reading.plan.unwrap()
}

fn ids(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.id.to_string()).collect()
}

/// What a step is told, by a path of keys.
#[track_caller]
fn told<'p>(plan: &'p Plan, step: &str, path: &[&str]) -> Option<&'p Value> {
    let step = &plan[plan.find(step).unwrap()];
    let Kind::Act(Some(uses)) = &step.kind else { panic!("{step:?}") };
    path.iter().try_fold(&uses.with, |value, key| value.get(key))
}

#[track_caller]
fn text(plan: &Plan, step: &str, path: &[&str]) -> String {
    match told(plan, step, path).map(|value| &value.data) {
        Some(Data::Text(text)) => text.to_string(),
        other => panic!("{step} {path:?}: {other:?}"),
    }
}

#[test]
fn a_service_and_a_record_make_the_whole_way() {
    let plan = sound(&found(Some(service()), Some(record(vec![app()], to_new()))), &[]);
    let expected = ["lower-ttl", "deploy", "health", "go", "switch", "soak", "old-side-idle"];
    assert_eq!((ids(&plan), plan.production), (expected.map(str::to_owned).to_vec(), true));
    assert_eq!(text(&plan, "lower-ttl", &["ttl"]), "60s");
    assert_eq!(text(&plan, "deploy", &["images", "web"]), format!("registry:5000/web@{DIGEST}"));
    assert_eq!(told(&plan, "deploy", &["healthy", "targets"]).unwrap().data, Data::Integer(3));
    assert_eq!(text(&plan, "health", &["connect_to"]), "new.eu-west-1.elb.amazonaws.com");
    assert_eq!(text(&plan, "switch", &["from", "cname"]), "old.eu-west-1.elb.amazonaws.com");
    assert_eq!(text(&plan, "switch", &["to", "load_balancer"]), "new");
    assert_eq!(text(&plan, "old-side-idle", &["load_balancer"]), "old");
    assert_eq!(plan.targets[0].says("account").as_deref(), Some("012345678901"));
    assert_eq!(plan.targets[0].says("profile"), None);
    assert_eq!(plan.targets[1].says("zone_id").as_deref(), Some("Z0123456789ABC"));
}

#[test]
fn each_flag_makes_a_plan_of_its_own() {
    let plan = sound(&found(Some(service()), None), &[]);
    assert_eq!(ids(&plan), ["go", "deploy", "soak"], "users are there: somebody says yes first");
    let alone = FoundService { behind: None, counted: false, ..service() };
    let plan = sound(&found(Some(alone), None), &[]);
    assert!(told(&plan, "deploy", &["healthy", "targets"]).is_none(), "there is nothing to count");
    let plan = sound(&found(None, Some(record(vec![app()], NewSide::Cname("b.example.net".into())))), &[]);
    assert_eq!(ids(&plan), ["lower-ttl", "health", "go", "switch", "soak", "old-side-idle"]);
    assert_eq!(text(&plan, "switch", &["to", "cname"]), "b.example.net");
}

/// Each guard of a draft: its id, its kind, and from when on it holds.
fn guards(plan: &Plan) -> Vec<(String, String, Option<String>)> {
    let from = |ix| plan[ix].id.to_string();
    let told = |guard: &crate::plan::Guard| {
        (guard.id.to_string(), guard.uses.kind.to_string(), guard.span.from.map(from))
    };
    plan.guards.iter().map(told).collect()
}

#[test]
fn guards_hold_over_the_whole_run_by_what_there_is() {
    let guard = |id: &str, kind: &str, from: Option<&str>| (id.into(), kind.into(), from.map(Into::into));
    let stop = guard("nobody-says-stop", "kill_switch", None);
    let served = |from| guard("users-are-served", "http.probe", Some(from));
    let good = |from| guard("answers-are-good", "alb.error_rate", Some(from));
    let plan = sound(&found(Some(service()), Some(record(vec![app()], to_new()))), &[]);
    assert_eq!(guards(&plan), [stop.clone(), served("switch"), good("switch")]);
    let plan = sound(&found(Some(service()), None), &[]);
    assert_eq!(guards(&plan), [stop.clone(), good("deploy")], "users are there already");
    let to_name = || NewSide::Cname("b.example.net".into());
    let plan = sound(&found(None, Some(record(vec![app()], to_name()))), &[]);
    assert_eq!(guards(&plan), [stop.clone(), served("switch")]);
    let here = FoundService { behind: Some(balancer("old")), ..service() };
    let plan = sound(&found(Some(here), Some(record(vec![app()], to_name()))), &[]);
    assert_eq!(guards(&plan)[1], served("deploy"));
    let sets = vec![set("a\\040b.example.com", "A", 300, &["192.0.2.1"])];
    let plan = sound(&found(None, Some(record(sets, to_name()))), &[]);
    assert_eq!(guards(&plan), [stop], "nothing that was read tells how users fare");
}

#[test]
fn who_deploys_what_serves_users_asks_before() {
    let here = FoundService { behind: Some(balancer("old")), ..service() };
    let plan =
        sound(&found(Some(here), Some(record(vec![app()], NewSide::Cname("b.example.net".into())))), &[]);
    assert_eq!(ids(&plan)[..3], ["lower-ttl", "go", "deploy"]);
}

#[test]
fn an_alias_has_no_ttl_to_lower_and_stays_an_alias() {
    for name in ["example.com", "app.example.com"] {
        let sets =
            vec![alias(name, "A", "old.elb.amazonaws.com"), alias(name, "AAAA", "old.elb.amazonaws.com")];
        let plan = sound(&found(None, Some(record(sets.clone(), to_new()))), &[]);
        assert!(plan.find("lower-ttl").is_none());
        assert_eq!(text(&plan, "switch", &["from", "alias"]), "old.elb.amazonaws.com");
        let types = told(&plan, "switch", &["to", "types"]).unwrap().to_json();
        assert_eq!(types, serde_json::json!(["A", "AAAA"]));
        let healthy = told(&plan, "switch", &["to", "evaluate_target_health"]).unwrap();
        assert_eq!(healthy.data, Data::Bool(true));
        let unknown = found(None, Some(record(sets, NewSide::Unknown)));
        let plan = sound(&unknown, &[("new_side", "new")]);
        assert_eq!(text(&plan, "switch", &["to", "load_balancer"]), "new");
        assert_eq!(plan.steps[0].id.to_string(), "health", "its targets are looked at");
    }
}

#[test]
fn a_short_ttl_is_only_looked_at() {
    for (ttl, expected) in [(300, "60s"), (61, "60s"), (60, "60s"), (30, "30s")] {
        let sets = vec![set("app.example.com", "A", ttl, &["192.0.2.1", "192.0.2.2"])];
        let plan = sound(&found(None, Some(record(sets, to_new()))), &[]);
        assert_eq!(text(&plan, "lower-ttl", &["ttl"]), expected);
        let from = told(&plan, "switch", &["from"]).unwrap().to_json();
        assert_eq!(from, serde_json::json!({"a": ["192.0.2.1", "192.0.2.2"]}));
    }
}

/// What nobody knows is asked for by its name, and by nothing else.
#[test]
fn what_is_missing_is_the_only_problem() {
    let mut unpinned = service();
    unpinned.images[0].pinned = None;
    for (found, param) in [
        (found(None, Some(record(vec![app()], NewSide::Unknown))), "new_side"),
        (found(None, Some(record(vec![alias("example.com", "A", "old")], NewSide::Unknown))), "new_side"),
        (found(Some(unpinned), None), "web_image"),
    ] {
        let text = write(&found);
        let reading = reading(&text, &[]);
        let told: Vec<(&str, &str)> =
            reading.problems.iter().map(|problem| (problem.code.0, &*problem.message)).collect();
        let expected = format!("param `{param}` has no value");
        assert_eq!(told, [("SW1023", &*expected)], "{text}");
        assert!(reading.plan.is_none());
    }
    let plan =
        sound(&found(None, Some(record(vec![app()], NewSide::Unknown))), &[("new_side", "b.example.net")]);
    assert_eq!(text(&plan, "switch", &["to", "cname"]), "b.example.net");
    assert_eq!(text(&plan, "health", &["connect_to"]), "b.example.net");
}

/// Each is a name to DNS, ECS or ELB, or nearly one, and something else to YAML.
const HOSTILE: &[&str] = &[
    "no",
    "Yes",
    "on",
    "null",
    "~",
    "true",
    "1e3",
    "0x1f",
    "010",
    "12:30",
    "-",
    "--",
    "-x",
    "*wild",
    "&anchor",
    "!tag",
    "%a",
    "@",
    "`",
    "#",
    "a#b",
    "a #b",
    "a: b",
    "a:",
    ": a",
    "[x]",
    "{x}",
    "x,y",
    "'",
    "\"",
    "it's",
    "\\052",
    "\\",
    " a",
    "a ",
    "?",
    "? a",
    "|",
    ">",
    "...",
    "---",
    "é",
    "a\tb",
    "a\nb",
    "steps:\n  - x",
    "",
    "=",
    "<<",
    "2026-01-01",
    ".inf",
];

#[test]
fn names_that_are_something_else_to_yaml_come_back_as_they_were() {
    for name in HOSTILE {
        let image = FoundImage { container: (*name).into(), image: (*name).into(), pinned: None };
        let service = FoundService {
            cluster: (*name).into(),
            name: (*name).into(),
            images: vec![image],
            behind: Some(balancer(name)),
            ..service()
        };
        let mut found = found(Some(service), None);
        found.caller.profile = Some((*name).into());
        found.caller.region = (*name).into();
        let text = write(&found);
        let value: serde_json::Value =
            serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let with = &value["steps"][1]["with"];
        assert_eq!((&with["cluster"], &with["service"]), (&(*name).into(), &(*name).into()), "{text}");
        let aws = &value["targets"]["aws"]["aws"];
        assert_eq!((&aws["profile"], &aws["region"]), (&(*name).into(), &(*name).into()), "{text}");
        let signal = &value["steps"][2]["with"]["signals"][0]["with"];
        assert_eq!(signal["load_balancer"], *name, "{text}");
        assert_eq!(value["params"].as_object().unwrap().len(), 2, "{text}");
    }
}

#[test]
fn containers_are_told_apart_whatever_they_are_called() {
    let digest = format!("web@{DIGEST}");
    let images = ["no", "1e3", "a-b", "a_b", "A.b", "new_side", "soak", "x#y"].map(|name| FoundImage {
        container: name.into(),
        image: digest.clone(),
        pinned: Some(digest.clone()),
    });
    let plan = sound(&found(Some(FoundService { images: images.to_vec(), ..service() }), None), &[]);
    for image in images {
        assert_eq!(text(&plan, "deploy", &["images", &image.container]), digest);
    }
}

#[test]
fn names_of_records_come_back_as_they_were() {
    for (name, label, asked) in [
        ("no.example.com", "no", Some("https://no.example.com/")),
        ("1e3.example.com", "1e3", Some("https://1e3.example.com/")),
        ("*.wild.example.com", "*.wild", Some("https://www.wild.example.com/")),
        ("\\052.wild.example.com", "*.wild", Some("https://www.wild.example.com/")),
        ("a\\043b.example.com", "a\\043b", None),
        ("a\\040b.example.com", "a\\040b", None),
        ("_x.example.com", "_x", Some("https://_x.example.com/")),
        ("example.com", "@", Some("https://example.com/")),
        // `example.com` alone would be the zone's own name.
        ("example.com.example.com", "example.com.example.com", Some("https://example.com.example.com/")),
    ] {
        let record = record(vec![set(name, "A", 300, &["192.0.2.1"])], to_new());
        let whole = record.name.clone();
        let plan = sound(&found(None, Some(record)), &[]);
        assert_eq!(text(&plan, "switch", &["record"]), label);
        assert_eq!(Name::within(label, &Name::new("example.com")), whole);
        match asked {
            Some(url) => assert_eq!(text(&plan, "health", &["url"]), url),
            None => assert!(told(&plan, "health", &["url"]).is_none(), "its targets are looked at instead"),
        }
    }
    let cname = "\\052.old#1: no.example.net";
    let record = record(vec![set("app.example.com", "CNAME", 300, &[cname])], to_new());
    let plan = sound(&found(None, Some(record)), &[]);
    assert_eq!(text(&plan, "switch", &["from", "cname"]), cname);
}

/// Nothing is asked for that nothing reads.
#[test]
fn a_side_that_nothing_tells_of_is_not_watched_for_any_time() {
    let sets = vec![set("a\\040b.example.com", "A", 300, &["192.0.2.1"])];
    let plan = sound(&found(None, Some(record(sets, NewSide::Cname("b.example.net".into())))), &[]);
    assert!(plan.find("switch").is_some() && plan.find("soak").is_none());
}

#[test]
fn a_side_in_the_clear_is_asked_in_the_clear() {
    let plain = FoundRecord { plain_http: true, ..record(vec![app()], to_new()) };
    let plan = sound(&found(None, Some(plain)), &[]);
    assert_eq!(text(&plan, "health", &["url"]), "http://app.example.com/");
}

#[test]
fn what_from_cannot_state_is_left_out() {
    let name = "app.example.com";
    let sets = vec![alias(name, "A", "old.elb.amazonaws.com"), set(name, "AAAA", 300, &["2001:db8::1"])];
    let draft = found(None, Some(record(sets, to_new())));
    let plan = sound(&draft, &[]);
    assert!(told(&plan, "switch", &["from"]).is_none());
    assert!(write(&draft).contains("which `from` cannot state"));
}

#[test]
fn a_service_without_tasks_is_given_one() {
    let plan = sound(&found(Some(FoundService { desired: 0, ..service() }), None), &[]);
    assert_eq!(told(&plan, "deploy", &["desired_count"]).unwrap().data, Data::Integer(1));
}
