//! Guards, read with the kinds of signals that there really are: what may stand beside `with`.

use super::{brief, of_steps};
use crate::action::Registry;
use crate::doc::read::CONDITION;
use crate::doc::{Inputs, Reading, Stored, read};
use crate::plan::{Fields, Known, Problems, Timestamp};
use crate::signal::{Condition, OF_A_GUARD, SignalRegistry, watch};
use std::collections::BTreeSet;
use std::time::Duration;

fn reading(guard: &str, more: &str) -> Reading {
    let targets = "targets: { prod: { aws: { account: \"123456789012\", region: eu-west-1 } } }\n";
    let steps = of_steps("- { id: a, uses: wait, with: { for: 5m } }\n");
    let text = format!("{steps}{targets}guards:\n- {{ id: g, {guard} }}\n{more}");
    read("plan.yaml", text.as_bytes(), &Stored::default(), &Inputs::default(), &Registry, &SignalRegistry)
}

/// Code and message of each problem of a guard, a line each; that nothing uses the target is none.
fn problems(guard: &str) -> String {
    let all = brief(&reading(guard, ""));
    let kept = all.lines().filter(|line| !line.contains("no step uses"));
    kept.map(|line| line.split_once(' ').unwrap()).fold(String::new(), |text, (code, rest)| {
        text + code + rest.split_once(' ').map_or("", |(_, message)| message) + "\n"
    })
}

const PROBE: &str = "uses: http.probe, with: { url: 'https://app.example.com/' }";

/// A guard takes what each condition takes: what a list of keys leaves out would be an unknown key.
#[test]
fn every_key_of_a_condition_may_stand_beside_a_guard() {
    let (known, mut none) = (Known::default(), Problems::default());
    let mut fields = Fields::describing(&known, &mut none);
    let _ = Condition::decode(&mut fields, None);
    let schema = fields.schema();
    let of_condition: BTreeSet<&str> =
        schema["properties"].as_object().unwrap().keys().map(String::as_str).chain(OF_A_GUARD).collect();
    assert_eq!(CONDITION.iter().map(|(key, _)| *key).collect::<BTreeSet<&str>>(), of_condition);
}

/// Both a guard and a monitor; whether a step has passed by then is asked apart from that.
#[test]
fn resolvers_are_asked_about_a_step_that_leads_a_name_elsewhere() {
    let of = |after: &str| {
        let steps = of_steps(&format!(
            "- {{ id: a, uses: wait, with: {{ for: 5m }} }}
- {{ id: s, uses: dns.switch, with: {{ target: zone, record: app, to: {{ cname: new.example.net }} }} }}
- id: m
  uses: monitor
  with: {{ for: 5m, signals: [{{ id: r, uses: dns.resolvers, with: {{ target: zone, after: {after} }} }}] }}
"
        ));
        let text = format!(
            "{steps}targets:
  prod: {{ aws: {{ account: \"123456789012\", region: eu-west-1 }} }}
  zone: {{ route53: {{ zone_id: Z1, name: example.com, aws: prod, resolvers: [https://dns.example/dns-query] }} }}
guards:
- {{ id: g, uses: dns.resolvers, with: {{ target: zone, after: {after} }} }}
"
        );
        let (files, inputs) = (Stored::default(), Inputs::default());
        let all = brief(&read("plan.yaml", text.as_bytes(), &files, &inputs, &Registry, &SignalRegistry));
        all.lines().filter(|line| line.starts_with("SW2041")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(of("s").is_empty(), "{:?}", of("s"));
    let found = of("a");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|line| line.ends_with("`a` leads no name elsewhere")), "{found:?}");
}

#[test]
fn a_guard_may_ask_how_sure_it_is() {
    assert_eq!(problems(&format!("{PROBE}, expected: 0.01, fail: certainty > 0.999")), "");
    let compared = "baseline: { url: 'https://old.example.com/' }, expected: baseline * 1.2 + 0.001";
    assert_eq!(problems(&format!("{PROBE}, {compared}, fail: certainty > 0.999")), "");
    let unknown = problems(&format!("{PROBE}, fail: certainty > 0.999"));
    assert!(unknown.starts_with("SW1012`certainty` is not known here"), "{unknown}");
    let whole = problems(&format!("{PROBE}, expected: 2, fail: certainty > 0.999"));
    assert!(whole.starts_with("SW1002a rate is between 0 and 1, and neither of them"), "{whole}");
}

#[test]
fn a_guard_may_say_how_often_it_looks() {
    let period = |every: &str| {
        let plan = reading(&format!("{PROBE}, fail: value > 0.1{every}"), "").plan.unwrap();
        watch(&plan.guards[0].uses, &plan).unwrap().period()
    };
    assert_eq!(period(", every: 40s"), Duration::from_secs(40));
    let usual = period("");
    assert_eq!(usual, period(&format!(", every: {}s", usual.as_secs())));
    assert_ne!(usual, Duration::from_secs(40));
    for every in ["1s", "5m"] {
        assert_eq!(problems(&format!("{PROBE}, fail: value > 0.1, every: {every}")), "", "{every}");
    }
    for every in ["999ms", "301s", "7d"] {
        let said = problems(&format!("{PROBE}, fail: value > 0.1, every: {every}"));
        assert_eq!(said, "SW1006a guard looks every so often between 1s and 5m\n", "{every}");
    }
    let said = problems(&format!("{PROBE}, fail: value > 0.1, every: 0s"));
    assert!(said.starts_with("SW1005"), "{said}");
}

#[test]
fn a_guard_may_not_look_at_once() {
    let begins = |grace: &str| {
        let plan = reading(&format!("{PROBE}, fail: value > 0.1{grace}"), "").plan.unwrap();
        watch(&plan.guards[0].uses, &plan).unwrap().begins(Timestamp(5))
    };
    assert_eq!(begins(""), Timestamp(5));
    assert_eq!(begins(", grace: 2m"), Timestamp(120_005));
    assert_eq!(begins(", grace: 1h"), Timestamp(3_600_005));
    let said = problems(&format!("{PROBE}, fail: value > 0.1, grace: 61m"));
    assert_eq!(said, "SW1006a guard that does not look for more than 1h guards nothing meanwhile\n");
}

#[test]
fn a_guard_that_is_tripped_from_outside_measures_nothing() {
    let plan = reading("uses: webhook, from: a, until: a, on_breach: pause", "").plan.unwrap();
    assert!(plan.guards[0].is_outside());
    assert_eq!(problems("uses: webhook"), "");
    assert_eq!(problems("uses: webhook, with: {}"), "");
    let nothing =
        |key: &str| format!("SW2016`{key}` is about what is measured, and a `webhook` measures nothing\n");
    for (key, value) in [
        ("fail", "value > 0"),
        ("min_samples", "3"),
        ("breaches", "3"),
        ("no_evidence", "fail"),
        ("patience", "5m"),
        ("baseline", "{ url: x }"),
        ("expected", "0.01"),
        ("every", "10s"),
        ("grace", "10s"),
    ] {
        assert_eq!(problems(&format!("uses: webhook, {key}: {value}")), nothing(key));
        assert_eq!(problems(&format!("uses: webhook, with: {{ {key}: {value} }}")), nothing(key));
    }
    let unknown = problems("uses: webhook, with: { url: 'https://app.example.com/' }");
    assert!(unknown.starts_with("SW1003unknown key `url`"), "{unknown}");
}

#[test]
fn a_bake_that_only_a_webhook_guards_ends_by_silence() {
    let codes = |guard: &str, more: &str| {
        let reading = reading(guard, &format!("{more}policy: {{ bake: 1h }}\n"));
        let codes = reading.problems.iter().map(|problem| problem.code.0);
        codes.filter(|code| code.starts_with("SW2") || *code == "SW3009").collect::<Vec<_>>()
    };
    assert_eq!(codes("uses: webhook", ""), ["SW2017"]);
    assert_eq!(codes("uses: webhook, until: a", ""), ["SW3009"]);
    let looks = format!("- {{ id: looks, {PROBE}, fail: value > 0.1 }}\n");
    assert_eq!(codes("uses: webhook", &looks), [""; 0]);
    assert_eq!(
        codes(&format!("{PROBE}, fail: value > 0.1, until: a"), "- { id: w, uses: webhook }\n"),
        ["SW2017"]
    );
}
