//! What a plan's steps do and its guards watch, as the plan says it.

use super::stage::{chain, step};
use crate::driver::Actions;
use crate::plan::{Guard, GuardSpan, Kind, OnBreach, Plan, Span, Step, StepIx, Undo, Use, Value};
use crate::port::need::{Asker, Need};
use serde_json::{Value as Json, json};
use std::sync::Arc;

fn uses(kind: &str, with: &Json) -> Use {
    Use { kind: kind.into(), with: Value::from_json(with, Span::default()), constants: Arc::default() }
}

fn does(kind: &str, with: &Json) -> Step {
    Step { kind: Kind::Act(Some(uses(kind, with))), ..step("a", Vec::new()) }
}

fn plan(steps: Vec<Step>, guards: &[Use]) -> Plan {
    let guard = |uses: &Use| Guard {
        id: "g".into(),
        uses: uses.clone(),
        span: GuardSpan::default(),
        on_breach: OnBreach::Rollback,
    };
    Plan { steps, guards: guards.iter().map(guard).collect(), ..chain(&[]) }
}

#[test]
fn each_step_has_its_action_and_each_guard_its_signal() {
    let check = does("http.check", &json!({ "url": "http://a.test/", "expect": "status == 200" }));
    let checkpoint = Step { kind: Kind::Checkpoint, ..step("b", Vec::new()) };
    let wait = || uses("wait", &json!({ "for": "1m" }));
    let both = Step { undo: Undo::By(wait()), ..does("wait", &json!({ "for": "1m" })) };
    let only_back = Step { kind: Kind::Act(None), undo: Undo::By(wait()), ..step("d", Vec::new()) };
    let nothing = Step { kind: Kind::Act(None), ..step("e", Vec::new()) };
    let probe = uses("http.probe", &json!({ "url": "http://b.test/", "fail": "error_rate > 0.1" }));
    let actions = Actions::of(&plan(vec![check, checkpoint, both, only_back, nothing], &[probe])).unwrap();
    let undo = |ix| actions.get(StepIx(ix)).map(|action| action.traits().has_undo);
    assert_eq!([0, 1, 2, 3, 4, 5].map(undo), [Some(false), None, Some(true), Some(true), None, None]);
    assert!(actions.guard(0).is_some() && actions.guard(1).is_none());
    let needs: Vec<(Asker, String)> =
        actions.needs().into_iter().map(|(asker, need)| (asker, url(need))).collect();
    let asked = [(Asker::Step(StepIx(0)), "http://a.test/"), (Asker::Guard(0), "http://b.test/")];
    assert_eq!(needs, asked.map(|(asker, url)| (asker, url.to_owned())));
}

#[test]
fn a_guard_that_is_tripped_from_outside_watches_nothing() {
    let probe = uses("http.probe", &json!({ "url": "http://b.test/", "fail": "error_rate > 0.1" }));
    let actions = Actions::of(&plan(Vec::new(), &[uses("webhook", &json!({})), probe])).unwrap();
    assert!(actions.guard(0).is_none() && actions.guard(1).is_some());
    let askers: Vec<Asker> = actions.needs().into_iter().map(|(asker, _)| asker).collect();
    assert_eq!(askers, [Asker::Guard(1)]);
}

fn url(need: Need) -> String {
    let Need::Answer { url, .. } = need else { panic!("{need:?}") };
    url
}

#[test]
fn what_this_version_does_not_read_is_named_with_why() {
    let told = |steps, guards: &[Use]| {
        let faults = Actions::of(&plan(steps, guards)).unwrap_err();
        faults.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        told(vec![does("dns.magic", &json!({}))], &[]),
        ["`dns.magic` cannot be read: there is no such action"]
    );
    let [one, two] = &told(vec![does("wait", &json!({ "for": "soon" }))], &[uses("magic", &json!({}))])[..]
    else {
        panic!("each is told")
    };
    assert!(one.starts_with("`wait` cannot be read: ") && !one.ends_with("no such action"), "{one}");
    assert!(two.contains("magic"), "{two}");
}
