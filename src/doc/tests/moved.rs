//! Rules about users who are led elsewhere, held against the kinds of steps that there really are: how soon they can be led back, and
//! what is not done while some of them are still on the old side.

use super::brief;
use crate::action::Registry;
use crate::doc::{Inputs, Stored, read};
use crate::signal::SignalRegistry;

const TARGETS: &str = "switchover: v1
name: moved
targets:
  prod: { aws: { account: \"123456789012\", region: eu-west-1 } }
  zone: { route53: { zone_id: Z1, name: example.com, aws: prod } }
";
const LOWER: &str = "{ id: lower, uses: dns.ttl, with: { target: zone, record: app, ttl: 60s } }";
const SWITCH: &str = "{ id: switch, uses: dns.switch, with: { target: zone, record: app, to: { load_balancer: new, in: prod } } }";
const GO: &str = "{ id: go, uses: approve, with: { message: Go? } }";
const SURE: &str = "{ id: sure, uses: approve, with: { message: Has everybody left? } }";
const IDLE: &str = "{ id: idle, uses: drain, with: { load_balancer: old, in: prod } }";
const TAKE_DOWN: &str =
    "{ id: take-down, uses: exec, with: { run: [./take-down] }, reversibility: irreversible }";

/// What is said under this code of a plan of these steps, one after the other.
fn told(code: &str, steps: &[&str]) -> Vec<String> {
    said(code, &format!("{TARGETS}steps:\n- {}\n", steps.join("\n- ")))
}

/// What is said under this code, errors and warnings.
fn said(code: &str, text: &str) -> Vec<String> {
    let files = Stored::default();
    let reading = read("plan.yaml", text.as_bytes(), &files, &Inputs::default(), &Registry, &SignalRegistry);
    let all = brief(&reading);
    all.lines().filter(|line| line.starts_with(code)).map(ToOwned::to_owned).collect()
}

fn led_to(to: &str) -> String {
    format!("{{ id: switch, uses: dns.switch, with: {{ target: zone, record: app, to: {{ {to} }} }} }}")
}

#[test]
fn a_drain_goes_by_a_step_that_leads_a_name_elsewhere() {
    let after = |step: &str| IDLE.replace("in: prod", &format!("in: prod, after: {step}"));
    assert!(told("SW2041", &[LOWER, SWITCH, &after("switch")]).is_empty());
    let found = told("SW2041", &[LOWER, SWITCH, &after("lower")]);
    assert!(found.len() == 1 && found[0].ends_with("`lower` leads no name elsewhere"), "{found:?}");
}

#[test]
fn a_ttl_that_was_lowered_is_not_raised_before_the_end() {
    let raised = led_to("cname: new.example.net, ttl: 61s");
    let message = "`switch` states a TTL of 1m1s, and it was lowered to 1m";
    let expected = [format!("SW2039 plan.yaml:8:23 {message}")];
    assert_eq!(told("SW2039", &[LOWER, &raised]), expected);
    // Whatever has watched in between: a rollback may begin as long as there are steps.
    let same = led_to("cname: new.example.net");
    let wait = "{ id: soak, uses: wait, with: { for: 5m } }";
    let again = raised.replace("id: switch", "id: again");
    assert_eq!(told("SW2039", &[LOWER, &same, wait, &again]).len(), 1);
    // A day ahead, as well.
    let prepared = format!("{TARGETS}prepare:\n- {LOWER}\nsteps:\n- {raised}\n");
    assert_eq!(said("SW2039", &prepared).len(), 1);
}

#[test]
fn a_ttl_that_is_as_low_or_that_nobody_states_is_no_rise() {
    let low = LOWER.replace("60s", "30s");
    let other = led_to("cname: new.example.net, ttl: 1h").replace("record: app", "record: other");
    for (lower, switch) in [
        (LOWER, led_to("cname: new.example.net, ttl: 60s")),
        (LOWER, led_to("a: [192.0.2.1], ttl: 30s")),
        (LOWER, led_to("cname: new.example.net")),
        (low.as_str(), SWITCH.to_owned()),
        (low.as_str(), led_to("alias: new.example.net, zone_id: Z2")),
        (LOWER, other),
    ] {
        assert_eq!(told("SW2039", &[lower, &switch]), [""; 0], "{lower} {switch}");
    }
    // Nothing was lowered, so that only who looks can tell.
    assert_eq!(told("SW2039", &[&led_to("cname: new.example.net, ttl: 1h")]), [""; 0]);
    let restored = format!(
        "{TARGETS}steps:\n- {LOWER}\n- {SWITCH}\nfinally:\n- {{ id: raise, uses: dns.ttl, with: {{ target: zone, record: app, restore: \
         lower }} }}\n"
    );
    assert_eq!(said("SW2039", &restored), [""; 0]);
}

#[test]
fn what_cannot_be_undone_waits_for_a_drain_after_a_switch() {
    let message = "`take-down` cannot be undone, and nothing measures that users have left by then";
    let unmeasured = |place: &str| [format!("SW2040 plan.yaml:{place} {message}")];
    assert_eq!(told("SW2040", &[GO, SWITCH, TAKE_DOWN]), unmeasured("9:26"));
    assert_eq!(told("SW2040", &[GO, IDLE, SWITCH, TAKE_DOWN]), unmeasured("10:26"), "users were still there");
    let shift = "{ id: switch, uses: dns.weights, with: { target: zone, record: app, old: [blue], new: green, to: [100] } }";
    assert_eq!(told("SW2040", &[GO, shift, TAKE_DOWN]).len(), 1);
    for loose in ["when: run.by != 'x' }", "on_failure: continue }"] {
        let idle = format!("{}, {loose}", IDLE.strip_suffix(" }").unwrap());
        assert_eq!(told("SW2040", &[GO, SWITCH, &idle, TAKE_DOWN]).len(), 1, "{idle}");
    }
    // Beside it is not before it, nor is after one of two switches after both.
    let beside = format!("{{ id: both, parallel: [{IDLE}, {SWITCH}] }}");
    assert_eq!(told("SW2040", &[GO, &beside, TAKE_DOWN]).len(), 1);
    let other = SWITCH.replace("id: switch", "id: other").replace("record: app", "record: other");
    assert_eq!(told("SW2040", &[GO, SWITCH, IDLE, &other, TAKE_DOWN]).len(), 1);
    assert_eq!(told("SW2040", &[GO, SWITCH, &other, IDLE, TAKE_DOWN]), [""; 0]);
}

#[test]
fn what_can_be_undone_or_is_harmless_or_has_nothing_to_do_with_users_waits_for_none() {
    let shift = "{ id: switch, uses: alb.weights, with: { target: prod, load_balancer: web, listener: 443, group: green, to: [100] } }";
    let expand = TAKE_DOWN.replace("irreversible", "expand");
    let absent = SWITCH.replace("to:", "from: absent, to:");
    for steps in [
        &[GO, SWITCH, IDLE, TAKE_DOWN][..],
        &[GO, TAKE_DOWN, SWITCH],
        &[GO, TAKE_DOWN],
        &[GO, SWITCH, expand.as_str()],
        &[GO, shift, TAKE_DOWN],
        &[GO, absent.as_str(), TAKE_DOWN],
        &[GO, SWITCH, "{ id: released, uses: checkpoint }"],
    ] {
        assert_eq!(told("SW2040", steps), [""; 0], "{steps:?}");
    }
}

/// It may be that nothing can be measured there.
#[test]
fn where_somebody_says_that_users_have_left_it_is_a_warning() {
    let text = format!("{TARGETS}steps:\n- {SWITCH}\n- {SURE}\n- {TAKE_DOWN}\n");
    let files = Stored::default();
    let reading = read("plan.yaml", text.as_bytes(), &files, &Inputs::default(), &Registry, &SignalRegistry);
    let found = reading.problems.iter().find(|problem| problem.code.0 == "SW2040").unwrap();
    assert_eq!(found.severity, crate::plan::Severity::Warning);
    assert_eq!(told("SW2040", &[SURE, SWITCH, TAKE_DOWN]).len(), 1, "before the switch nobody can know");
    assert_eq!(told("SW2040", &[SWITCH, SURE, IDLE, TAKE_DOWN]), [""; 0]);
}
