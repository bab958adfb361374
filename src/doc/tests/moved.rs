//! Rules about users who are led elsewhere, held against the kinds of steps that there really are: how soon they can be led back.

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

/// What is said under this code of a plan of these steps, one after the other.
fn told(code: &str, steps: &[&str]) -> Vec<String> {
    let steps: String = steps.iter().map(|step| format!("- {step}\n")).collect();
    said(code, &format!("{TARGETS}steps:\n{steps}"))
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
