//! A network that blocks port 53: no name server answers, and the resolver of the machine does. And a private zone, whose name
//! servers answer nobody.

use crate::stage::{Said, Stage, altered, repository};
use serde_json::{Value as Json, json};

const TIME: u32 = 60;
const RESOLVER: &str = "https://dns.example/dns-query";

/// A sandbox in such a network, and a plan of it that may name a resolver.
fn blocked(resolvers: &str, more: &str) -> (Stage, tempfile::TempDir, String) {
    let stage = Stage::without_users(&repository("plans/worlds/aep.yaml"), TIME);
    stage.fault(&json!({"service": "dns", "operation": "ask", "kind": "drop_before", "times": 0}));
    let (folder, plan) = written(resolvers, more);
    (stage, folder, plan)
}

/// The plan.
fn written(resolvers: &str, more: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.yaml");
    let text = format!(
        r#"
switchover: v1
name: from-the-office
targets:
  prod: {{ aws: {{ account: "123456789012", region: eu-west-1 }} }}
  zone: {{ route53: {{ zone_id: Z0123456789ABC, name: navralabs.com, aws: prod{resolvers} }} }}
steps:
  - id: lower-ttl
    uses: dns.ttl
    with: {{ target: zone, record: app, ttl: 60s }}
  - id: switch
    uses: dns.switch
    with: {{ target: zone, record: app, to: {{ load_balancer: aep-prod, in: prod }}, writes: shared }}
{more}"#
    );
    std::fs::write(&plan, text).unwrap();
    (folder, plan.to_str().unwrap().to_owned())
}

fn records(stage: &Stage) -> Json {
    stage.world.state()["zones"].clone()
}

#[track_caller]
fn says(said: &Said, words: &[&str]) {
    let all = format!("{}\n{}", said.stdout, said.stderr);
    for word in words {
        assert!(all.contains(word), "`{word}` is not said: {said:#?}");
    }
}

#[test]
fn without_a_resolver_it_is_said_what_cannot_be_known_and_nothing_is_changed() {
    let (stage, _folder, plan) = blocked("", "");
    let before = records(&stage);
    let words = [
        "no name server of navralabs.com answers anything on port",
        "though the resolver of this machine does",
        "what each of its servers serves",
        "resolvers: [https://dns.example/dns-query]",
    ];
    says(&stage.run(&["preview", &plan]), &words);
    let said = stage.run(&["run", &plan, "--on-pause", "exit"]);
    assert_eq!(said.code, Some(13), "{said:#?}");
    says(&said, &words);
    assert_eq!(records(&stage), before);
}

#[test]
fn with_a_resolver_it_goes_there_and_comes_back_and_says_which_way_was_used() {
    let fails = "  - id: fails\n    uses: exec\n    with: { run: [\"false\"], reads: true }\n";
    let (stage, _folder, plan) = blocked(&format!(", resolvers: [\"{RESOLVER}\"]"), fails);
    let before = records(&stage);
    let way = format!(
        "asked over HTTPS at {RESOLVER}: the name servers of navralabs.com could not be reached on port 53"
    );
    says(&stage.run(&["preview", &plan]), &[&way, "what each name server serves"]);
    let said = stage.run(&["run", &plan, "--on-pause", "exit"]);
    assert_eq!(said.code, Some(10), "{said:#?}");
    says(&said, &["RESTORED"]);
    let log = stage.log();
    let facts = log.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let told: Vec<Json> = facts
        .filter(|fact| fact["event"] == "step.succeeded")
        .map(|fact| fact["out"]["asked"].clone())
        .collect();
    assert_eq!(told, [json!(way), json!(way)], "{log}");
    assert_eq!(records(&stage), before, "{said:#?}");
    // Whatever the resolver says that is no answer is no evidence.
    stage.fault(&json!({"service": "dns", "operation": "https", "kind": "error", "status": 503, "times": 0}));
    says(&stage.run(&["preview", &plan]), &["its status is 503"]);
}

/// As soon as the port is open again, name servers are asked, whoever is named.
#[test]
fn where_name_servers_answer_no_resolver_is_asked() {
    let (stage, _folder, plan) = blocked(&format!(", resolvers: [\"{RESOLVER}\"]"), "");
    stage.world.ask("DELETE", "/faults", None);
    let said = stage.run(&["run", &plan, "--on-pause", "exit"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(!stage.log().contains("asked over HTTPS"), "{}", stage.log());
}

#[test]
fn a_private_zone_goes_there_and_back_by_a_resolver_inside_its_network() {
    let record = json!({"name": "app", "type": "CNAME", "ttl": 300, "values": ["staging-alb.eu-west-1.elb.amazonaws.com"]});
    let zone = json!({"id": "Z0123456789ABC", "private": true, "records": [record]});
    let (_world, file) = altered("aep.yaml", &json!({"zones": {"navralabs.com": zone}}));
    let stage = Stage::without_users(&file, TIME);
    let before = records(&stage);
    let (_folder, plan) = written("", "");
    let said = stage.run(&["run", &plan, "--on-pause", "exit"]);
    assert_eq!(said.code, Some(5), "{said:#?}");
    says(&said, &["zone Z0123456789ABC (navralabs.com) is private", "name resolvers of that network"]);
    assert_eq!(records(&stage), before);
    let fails = "  - id: fails\n    uses: exec\n    with: { run: [\"false\"], reads: true }\n";
    let (_folder, plan) = written(&format!(", resolvers: [\"{RESOLVER}\"]"), fails);
    let said = stage.run(&["run", &plan, "--on-pause", "exit"]);
    assert_eq!(said.code, Some(10), "{said:#?}");
    says(&said, &["RESTORED"]);
    let way = format!(
        "asked over HTTPS at {RESOLVER}: navralabs.com is a private zone, whose name servers answer nobody"
    );
    assert!(stage.log().contains(&way), "{}", stage.log());
    assert_eq!(records(&stage), before);
}
