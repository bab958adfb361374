//! What sound plans become.

use super::*;
use crate::plan::{Kind, OnFailure, Part, Reversibility, Undo};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_plan_becomes_steps_that_need_steps() {
    let plan = sound(&of_steps(
        "
- id: first
  uses: change
  with: { thing: a }
- id: both
  parallel:
    - id: left
      uses: change
      with: { thing: b }
    - id: right
      sequence:
        - { id: one, uses: change, with: { thing: c } }
        - { id: two, uses: look }
  max: 1
- id: go
  uses: approve
  with: { message: Go?, expires: 30m }
- id: stop-here
  uses: checkpoint
- id: last
  uses: look
  timeout: 3m
  retry: { attempts: 3, wait: 10s, backoff: 1.5 }
  on_failure: continue
  when: steps.first.out.n == 1 && run.by != 'x'
",
    ));
    assert_eq!(ids(&plan), ["first", "left", "one", "two", "both", "go", "stop-here", "last"]);
    let needs: Vec<Vec<u32>> = plan.steps.iter().map(|s| s.needs.iter().map(|n| n.0).collect()).collect();
    assert_eq!(needs, [vec![], vec![0], vec![0], vec![2], vec![1, 3], vec![4], vec![5], vec![6]]);
    assert_eq!(plan.pools[0].max, 1);
    let last = &plan.steps[7];
    assert_eq!(last.timeout, Some(Duration::from_secs(180)));
    assert_eq!((last.retry.attempts, last.retry.backoff_percent), (3, 150));
    assert_eq!(last.on_failure, OnFailure::Continue);
    assert!(matches!(&plan.steps[5].kind, Kind::Approve(a) if !a.another && a.by.any == 1));
}

#[test]
fn params_keep_their_types_and_fill_text() {
    let text = "
switchover: v1
name: test
params:
  size: { type: int, default: 3 }
  name: { type: string }
  pace: { type: duration, default: 5m }
steps:
- id: a
  uses: change
  with: { thing: \"${{ params.name }}-${{ params.size }}\", size: \"${{ params.size + 1 }}\" }
- id: b
  uses: look
  with: { every: \"${{ params.pace }}\", expect: status == params.size, url: \"${{ run.id }}/${{ params.name }}\" }
";
    let mut inputs = Inputs { set: vec![("name".into(), "x".into())], ..Inputs::default() };
    let plan = sound_with(text, &[], &inputs);
    let with = |ix: usize| match &plan.steps[ix].kind {
        Kind::Act(Some(uses)) => uses.with.to_json(),
        other => panic!("{other:?}"),
    };
    assert_eq!(with(0), json!({"thing": "x-3", "size": 4}));
    assert_eq!(with(1), json!({"every": "5m", "expect": "status == params.size", "url": "${{ run.id }}/x"}));

    // The strongest wins: --set, the environment, a file, what is given, the default.
    let size = |inputs: &Inputs| read_with(text, &[], inputs).params["size"].clone();
    assert_eq!(size(&inputs), 3);
    inputs.given.insert("size".into(), json!(4));
    inputs.given.insert("of-another-plan".into(), json!(4));
    assert_eq!(size(&inputs), 4);
    inputs.files.push(("prod.yaml".into(), b"size: 5\n".to_vec()));
    assert_eq!(size(&inputs), 5);
    inputs.env.push(("SWITCHOVER_PARAM_SIZE".into(), "6".into()));
    assert_eq!(size(&inputs), 6);
    inputs.set.push(("size".into(), "7".into()));
    assert_eq!(size(&inputs), 7);
}

#[test]
fn each_makes_a_copy_for_each_item() {
    let plan = sound(
        "
switchover: v1
name: test
params:
  services:
    type: map
    default: { web: { thing: w }, api: { thing: a } }
steps:
- id: deploy
  each: ${{ params.services }}
  as: service
  max: 2
  sequence:
    - { id: change, uses: change, with: { thing: \"${{ service.thing }}\" } }
    - { id: check, uses: look, when: steps.change.out.ok, with: { url: \"${{ steps.change.out.url }}\" } }
- id: drop
  each: [x, y]
  max: 1
  uses: change
  with: { thing: \"${{ item }}\" }
",
    );
    assert_eq!(
        ids(&plan),
        ["change[web]", "check[web]", "change[api]", "check[api]", "deploy", "drop[x]", "drop[y]"]
    );
    let path: Vec<String> = plan.steps[1].path.iter().map(ToString::to_string).collect();
    assert_eq!(path, ["deploy", "deploy[web]"]);
    assert_eq!(plan.pools[0].max, 2);
    // One after the other, so that undoing goes in reverse.
    assert_eq!(plan.steps[6].needs, [plan.find("drop[x]").unwrap()]);
    let Kind::Act(Some(check)) = &plan.steps[3].kind else { panic!() };
    assert_eq!(check.with.to_json(), json!({"url": "${{ steps.change[api].out.url }}"}));
    assert_eq!(plan.steps[3].when.as_ref().unwrap().source(), "steps.change[api].out.ok");
}

#[test]
fn includes_have_params_and_ids_of_their_own() {
    let part = "
params: { thing: { type: string }, size: { type: int, default: 2 } }
steps:
- { id: change, uses: change, with: { thing: \"${{ params.thing }}\", size: \"${{ params.size }}\" } }
- { id: check, uses: look, with: { url: \"${{ steps.change.out.url }}\" } }
";
    let text = of_steps(
        "
- { id: web, include: { plan: part.yaml, params: { thing: w } }, when: run.by == 'x' }
- { id: api, include: { plan: part.yaml, params: { thing: a, size: 3 } } }
- { id: last, uses: look, with: { url: \"${{ steps.web/check.out.url }}\" } }
",
    );
    let files = [("part.yaml", part)];
    let plan = sound_with(&text, &files, &Inputs::default());
    assert_eq!(ids(&plan), ["web/change", "web/check", "api/change", "api/check", "last"]);
    let Kind::Act(Some(check)) = &plan.steps[3].kind else { panic!() };
    assert_eq!(check.with.to_json(), json!({"url": "${{ steps.api/change.out.url }}"}));
    assert_eq!(plan.steps[0].when.as_ref().unwrap().source(), "run.by == 'x'");
    assert!(plan.steps[2].when.is_none());
    // What is included belongs to the plan's identity, and is kept with a run.
    let first = read_with(&text, &files, &Inputs::default());
    let changed = part.replace("default: 2", "default: 3");
    let second = read_with(&text, &[("part.yaml", &changed)], &Inputs::default());
    assert_ne!(first.digest, second.digest);
    let kept = Stored(first.sources.plan());
    let again = read("plan.yaml", text.as_bytes(), &kept, &Inputs::default(), &Actions, &Signals);
    assert_eq!((again.digest, again.plan), (first.digest, first.plan));
}

#[test]
fn undo_may_be_kept_or_a_step_of_its_own() {
    let plan = sound(&of_steps(
        "
- { id: a, uses: write, with: { thing: a }, undo: { keep: nobody minds } }
- { id: b, uses: write, with: { thing: b }, undo: { uses: change, with: { thing: b } } }
- { id: back, undo: { uses: change, with: { thing: c } } }
- { id: c, uses: write, with: { thing: d }, reversibility: expand }
",
    ));
    assert_eq!(plan.steps[0].undo, Undo::Keep(fixed("nobody minds")));
    assert!(matches!(&plan.steps[1].undo, Undo::By(uses) if &*uses.kind == "change"));
    assert_eq!(plan.steps[2].kind, Kind::Act(None));
    assert_eq!(plan.steps[3].reversibility, Reversibility::Expand);
}

#[test]
fn the_parts_around_the_steps() {
    let plan = sound(
        "
switchover: v1
name: test
summary: Everything at once.
owner: ops@example.com
production: true
secrets: { token: { env: TOKEN } }
people: { managers: [ana@example.com, bo@example.com] }
targets:
  prod: { aws: { account: \"123456789012\", region: eu-west-1, profile: prod } }
  zone: { route53: { zone_id: Z1, name: example.com, aws: prod } }
policy:
  on_failure: pause
  deadline: 3h
  rto: 15m
  veto: 90s
  heartbeat: { url: \"https://hc.example.com/${{ secrets.token }}\", every: 1m }
  window: { zone: Europe/Paris, days: [tue, wed], from: \"09:00\", to: \"16:00\" }
  freeze: [{ from: 2026-12-18, to: 2027-01-04, reason: year end }]
guards:
- { id: errors, uses: probe, with: { fail: value > 0.1 }, from: both, until: switch, on_breach: notify }
prepare:
- { id: lower, uses: ttl, with: { target: zone, thing: app } }
steps:
- { id: both, parallel: [{ id: l, uses: look }, { id: r, uses: look }] }
- { id: go, uses: approve, with: { message: Go?, by: { any: 2, of: [managers, ana@example.com] } } }
- { id: switch, uses: switch, with: { target: zone, thing: app, writes: diverge } }
finally:
- { id: unpin, uses: look, on: [completed, stuck], with: { url: \"${{ secrets.token }}\" } }
",
    );
    assert!(plan.production);
    assert_eq!(plan.policy.on_failure, OnFailure::Pause);
    assert_eq!(plan.policy.veto, Some(Duration::from_secs(90)));
    let heartbeat = plan.policy.heartbeat.as_ref().unwrap();
    assert_eq!(heartbeat.url.source(), "https://hc.example.com/${{ secrets.token }}");
    assert_eq!(heartbeat.every, Duration::from_secs(60));
    assert_eq!(plan.policy.window.as_ref().unwrap().describe(), "tue, wed 09:00-16:00 Europe/Paris");
    assert_eq!(plan.policy.freeze[0].zone.iana_name(), Some("Europe/Paris"));
    assert_eq!(plan.steps[0].part, Part::Prepare);
    let Kind::Approve(approval) = &plan[plan.find("go").unwrap()].kind else { panic!() };
    assert!(approval.another);
    assert_eq!(approval.by.of.len(), 2);
    let switch = plan.find("switch").unwrap();
    assert_eq!(plan[switch].writes, Some(plan::Writes::Diverge));
    assert_eq!(plan[switch].on_failure, OnFailure::Pause);
    assert_eq!(plan.guards[0].span.from, plan.find("l"));
    assert_eq!(plan.guards[0].span.until, Some(switch));
    let unpin = &plan.steps.last().unwrap();
    assert_eq!(unpin.part, Part::Finally);
    assert_eq!(unpin.when.as_ref().unwrap().source(), "run.ending in ['completed', 'stuck']");
}

#[test]
fn the_digest_of_one_file_is_its_own() {
    let text = of_steps("- { id: a, uses: look }\n");
    let reading = read_with(&text, &[], &Inputs::default());
    // As `printf … | sha256sum` says.
    assert_eq!(reading.digest.len(), 64);
    let crlf = read_with(&text.replace('\n', "\r\n"), &[], &Inputs::default());
    assert!(crlf.plan.is_some());
    let marked = read_with(&format!("\u{feff}{text}"), &[], &Inputs::default());
    assert!(marked.problems.is_empty());
}
