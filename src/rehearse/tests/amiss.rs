//! What a plan goes by that is not there is found before a run of it.

use super::setting_of;
use crate::driver::{Actions, Amiss, Redactor, amiss};

const WATCHED: &str = "switchover: v1
name: soak
targets: { prod: { aws: { account: '123456789012', region: eu-west-1 } } }
guards:
  - { id: errors, uses: cloudwatch.alarms, with: { target: prod, names: [aep-5xx] } }
  # That one is not there is fine.
  - { id: spare, uses: cloudwatch.alarms, with: { target: prod, names: [aep-spare, aep-5xx], missing: pass } }
steps:
  - id: soak
    uses: monitor
    with:
      for: 5m
      signals:
        - { id: alarms, uses: cloudwatch.alarms, with: { target: prod, names: [aep-5xx, aep-hosts] } }
        - { id: requests, uses: alb.requests, with: { load_balancer: neww, in: prod }, fail: value > 100000 }
";

fn found(world: Option<&str>) -> Vec<(String, String)> {
    let setting = setting_of("soak.yaml", WATCHED, world);
    let (plan, ports) = (setting.plan.clone(), setting.ports());
    let actions = Actions::of(&plan).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(amiss(&plan, &actions, &ports, &Redactor::default()));
    found.into_iter().map(|Amiss { why, by }| (by.join(" "), why)).collect()
}

#[test]
fn what_is_misspelled_is_found_before_users_are_on_the_new_side() {
    assert_eq!(found(None), [], "a world that was made for the plan has all of it");
    let row = |by: &str, why: &str| (by.to_owned(), why.to_owned());
    assert_eq!(
        found(Some("one-record.yaml")),
        [
            row("soak", "there is no load balancer `neww` in target `prod`"),
            row("soak errors", "there is no alarm `aep-5xx` in target `prod`"),
            row("soak", "there is no alarm `aep-hosts` in target `prod`"),
        ]
    );
}
