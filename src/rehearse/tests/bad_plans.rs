//! Plans that are wrong, each in one way: the rehearsal says so, in the right words. Each is rehearsed mended, too: then
//! there is nothing to say.

use super::{refused, rehearsed, setting, setting_of, text_of};
use crate::mutant::{Mistake, making};
use crate::rehearse::{Class, Law, Outcome, Setting};
use std::sync::Arc;

/// Rehearses a plan of `tests/data/rehearse` in a world of that folder; says which laws it breaks, and what to do.
fn found(plan: &str, world: Option<&str>, fault: &str) -> Vec<(Law, String)> {
    told(&setting(&path(plan), world), fault)
}

/// As `found`, with these words in place of those.
fn mended(plan: &str, world: Option<&str>, fault: &str, wrong: &str, right: &str) -> Vec<(Law, String)> {
    let text = text_of(&path(plan));
    assert!(text.contains(wrong), "`{wrong}` is not in {text}");
    told(&setting_of(&path(plan), &text.replacen(wrong, right, 1), world), fault)
}

fn path(plan: &str) -> String {
    format!("tests/data/rehearse/{plan}.yaml")
}

fn told(setting: &Arc<Setting>, fault: &str) -> Vec<(Law, String)> {
    let told = rehearsed(setting, fault).findings.into_iter();
    let mut laws: Vec<(Law, String)> =
        told.map(|finding| (finding.law, format!("{}; {}", finding.text, finding.law.advice()))).collect();
    laws.sort();
    laws.dedup_by_key(|(law, _)| *law);
    laws
}

#[track_caller]
fn says(told: &[(Law, String)], law: Law, words: &[&str]) {
    let Some((_, text)) = told.iter().find(|(broken, _)| *broken == law) else {
        panic!("{law:?} is not among {told:#?}")
    };
    for word in words {
        assert!(text.contains(word), "`{word}` is not in {text}");
    }
}

#[test]
fn no_drain_before_the_old_side_goes() {
    let told = found("no-drain", Some("old-side-goes.yaml"), "people.pause");
    says(&told, Law::UsersServed, &["`dns.ttl`", "`drain`"]);
    assert_eq!(found("drain", Some("old-side-goes.yaml"), "people.pause"), []);
}

#[test]
fn what_a_load_balancer_counts_tells_of_users() {
    assert_eq!(found("watched", Some("one-record.yaml"), "world.new-side-fails"), []);
    let deaf =
        mended("watched", Some("one-record.yaml"), "world.new-side-fails", "value > 0.05", "value > 1");
    says(&deaf, Law::Fires, &["every user was failed"]);
}

#[test]
fn a_new_side_that_is_worse_than_the_old_one_is_found() {
    assert_eq!(found("compared", Some("one-record.yaml"), "world.new-side-fails"), []);
    let never = ("certainty > 0.999", "certainty > 1.0");
    let deaf = mended("compared", Some("one-record.yaml"), "world.new-side-fails", never.0, never.1);
    says(&deaf, Law::Fires, &["every user was failed"]);
}

#[test]
fn a_new_side_that_is_worse_than_the_old_one_at_the_same_time_is_found() {
    let world = Some("weighted-records.yaml");
    for fault in ["world.new-side-fails", "metrics.read"] {
        assert_eq!(found("beside", world, fault), [], "{fault}");
    }
    let never = ("certainty > 0.999", "certainty > 1.0");
    let deaf = mended("beside", world, "world.new-side-fails", never.0, never.1);
    says(&deaf, Law::Fires, &["every user was failed"]);
}

#[test]
fn what_others_measure_tells_of_users() {
    assert_eq!(found("asked", None, "world.new-side-fails"), []);
    let now = "fail: value > 0.05";
    let over = mended("asked", None, "world.new-side-fails", "[1m]))\" }", "[1m]))\", over: 5m }");
    assert_eq!(over, []);
    let deaf = mended("asked", None, "world.new-side-fails", now, "fail: value > 0.05 && value < 0");
    says(&deaf, Law::Fires, &["every user was failed"]);
    let alarms = asked_otherwise("uses: cloudwatch.alarms, with: { target: prod, names: [aep-5xx] }");
    assert_eq!(alarms, []);
    let metric = "uses: cloudwatch.metric, with: { target: prod, namespace: AEP, name: Failed, over: 5m }, fail: value > 3";
    assert_eq!(asked_otherwise(metric), []);
    let most = "uses: rds.connections, with: { target: prod, database: aep, limit: 200, over: 5m }, fail: value > 0.8";
    assert_eq!(asked_otherwise(most), []);
    assert_eq!(asked_otherwise("uses: exec, with: { run: [./look] }"), []);
    let number = "uses: exec, with: { run: [./look], value: json.failed.share }, fail: value > 0.05";
    assert_eq!(asked_otherwise(number), []);
}

#[test]
fn a_flag_that_is_raised_turns_the_run_back() {
    let raised = rehearsed(&setting(&path("flagged"), Some("one-record.yaml")), "people.kill-switch");
    assert_eq!(raised.findings, []);
    let people = &raised.rows[&Class::People];
    assert!(people.outcomes[&Outcome::RolledBack] > 0, "{people:?}");
    assert_eq!(found("flagged", Some("one-record.yaml"), "file.look"), []);
}

#[test]
fn a_parameter_that_is_raised_turns_the_run_back() {
    let parameter = "parameter: /aep/stop, in: prod";
    for with in [parameter, "parameter: /aep/stop, in: prod, raised: json.on == true"] {
        let text = text_of(&path("flagged")).replace("file: STOP", with);
        let setting = setting_of("flagged", &text, None);
        let raised = rehearsed(&setting, "people.kill-switch");
        assert_eq!(raised.findings, []);
        let people = &raised.rows[&Class::People];
        assert!(people.outcomes[&Outcome::RolledBack] > 0, "{people:?}");
        assert_eq!(told(&setting, "parameter.read"), []);
    }
}

#[test]
fn a_guard_that_is_tripped_from_outside_turns_the_run_back() {
    let fault = "signal.tripped-from-outside";
    let tripped = rehearsed(&setting(&path("tripped"), Some("one-record.yaml")), fault);
    assert_eq!(tripped.findings, []);
    let outcomes = &tripped.rows[&Class::Check].outcomes;
    assert!(outcomes[&Outcome::RolledBack] > 0, "{outcomes:?}");
    assert!(outcomes[&Outcome::Completed] > 0, "before its time nobody hears it: {outcomes:?}");
    // Where it only tells, nothing is turned back.
    let told = text_of(&path("tripped")).replace("from: switch", "on_breach: notify");
    let told = rehearsed(&setting_of("tripped", &told, Some("one-record.yaml")), fault);
    assert_eq!((&told.findings[..], told.rows[&Class::Check].outcomes.len()), (&[][..], 1));
}

#[test]
fn tasks_that_crash_turn_the_run_back() {
    let turned_back = |text: &str| {
        let crashed = rehearsed(&setting_of("running", text, None), "world.tasks-crash");
        assert_eq!(crashed.findings, []);
        crashed.rows[&Class::Deployment].outcomes.get(&Outcome::RolledBack).copied().unwrap_or_default()
    };
    let text = text_of(&path("running"));
    assert!(turned_back(&text) > 0, "nobody saw that no task runs");
    assert_eq!(turned_back(&text.replace("value < 1", "value < 0")), 0, "nobody asks for them");
    assert_eq!(found("running", None, "ecs.services"), []);
}

#[test]
fn what_a_log_says_tells_of_users() {
    let lines =
        "uses: logs.pattern, with: { target: prod, log_group: /ecs/aep, pattern: ERROR }, fail: value > 3";
    assert_eq!(asked_otherwise(lines), []);
    let deaf = asked_otherwise(&lines.replace("> 3", "> 3 && value < 0"));
    says(&deaf, Law::Fires, &["every user was failed"]);
    assert_eq!(asked_with(lines, "logs.read"), []);
}

/// The same with another signal in place of the query.
fn asked_otherwise(signal: &str) -> Vec<(Law, String)> {
    asked_with(signal, "world.new-side-fails")
}

fn asked_with(signal: &str, fault: &str) -> Vec<(Law, String)> {
    let text = text_of(&path("asked"));
    let query = &text[text.find("uses: prometheus").unwrap()..text.rfind(" }").unwrap()];
    mended("asked", None, fault, query, signal)
}

#[test]
fn a_monitor_that_cannot_breach() {
    let told = found("blind-monitor", Some("one-record.yaml"), "world.new-side-fails");
    says(&told, Law::Fires, &["every user was failed", "condition that can breach"]);
    assert_eq!(
        mended("blind-monitor", Some("one-record.yaml"), "world.new-side-fails", "> 1.5", "> 0.01"),
        []
    );
}

#[test]
fn nothing_watches_after_the_switch() {
    let told = found("no-monitor", Some("one-record.yaml"), "world.new-side-fails");
    says(&told, Law::Fires, &["let a monitor or a guard watch"]);
    let (wait, soak) = (
        "uses: wait, with: { for: 10m } }",
        "uses: monitor, with: { for: 5m, every: 15s, signals: [{ id: errors, uses: http.probe, with: { url: \"https://app.navralabs.com/\", over: 2m }, fail: error_rate > 0.01, min_samples: 10 }] } }",
    );
    assert_eq!(mended("no-monitor", Some("one-record.yaml"), "world.new-side-fails", wait, soak), []);
}

#[test]
fn an_rto_that_dns_cannot_keep() {
    let told = found("rto", Some("one-record.yaml"), "people.abort");
    says(&told, Law::WithinRto, &["`rto` is 10s", "state an `rto` that DNS can keep"]);
    assert_eq!(mended("rto", Some("one-record.yaml"), "people.abort", "rto: 10s", "rto: 10m"), []);
}

#[test]
fn a_deadline_that_cannot_be_kept() {
    let told = found("deadline", Some("one-record.yaml"), "people.reject");
    says(&told, Law::WithinDeadline, &["`deadline`", "state a longer `deadline`"]);
    assert_eq!(
        mended("deadline", Some("one-record.yaml"), "people.reject", "deadline: 3m", "deadline: 3h"),
        []
    );
}

#[test]
fn an_undo_that_undoes_nothing() {
    let told = found("idle-undo", None, "people.abort");
    says(&told, Law::StuckForAReason, &["an undo was stuck"]);
    assert_eq!(mended("idle-undo", None, "people.abort", "[\"true\"]", "[undo]"), []);
    for idle in ["[/bin/true]", "[\":\"]", "[echo, undone]", "[printf, undone]"] {
        let told = mended("idle-undo", None, "people.abort", "[\"true\"]", idle);
        says(&told, Law::StuckForAReason, &["an undo was stuck"]);
    }
}

#[test]
fn a_command_that_does_nothing() {
    let told = mended("idle-undo", None, "people.abort", "[change]", "[printf, changed]");
    says(&told, Law::AsDesired, &["with nothing in its way the run does not complete"]);
}

#[test]
fn a_command_without_undo() {
    let told = found("no-undo", None, "people.abort");
    says(&told, Law::AsBefore, &["command change is desired", "give the step an undo"]);
    let setting = setting("tests/data/rehearse/no-undo.yaml", None);
    let opaque = rehearsed(&setting, "people.reject").opaque;
    assert_eq!(opaque.len(), 1, "{opaque:?}");
    assert!(opaque[0].1.contains("assumed, not proved"), "{opaque:?}");
    assert_eq!(mended("no-undo", None, "people.abort", "run: [change]", "run: [change], undo: [undo]"), []);
}

/// It does not get as far as a rehearsal; where nothing has lowered the TTL, the step refuses to raise it.
#[test]
fn a_ttl_that_rises_before_the_soak_ends() {
    let world = Some("one-record.yaml");
    let text = text_of(&path("ttl-rises"));
    let refused = refused("ttl-rises", &text);
    assert!(refused.contains("error[SW2039]"), "{refused}");
    assert!(refused.contains("`switch` states a TTL of 1h, and it was lowered to 1m"), "{refused}");
    assert_eq!(mended("ttl-rises", world, "people.abort", "ttl: 1h", "ttl: 60s"), []);
    let lowers = text.lines().find(|line| line.contains("id: lower-ttl")).unwrap();
    let told = told(&setting_of("ttl-rises", &text.replace(lowers, ""), world), "people.abort");
    says(&told, Law::AsDesired, &["with nothing in its way the run does not complete"]);
    // No plan says it any more, so that it would be a fault of this tool.
    let raised = making(Some(Mistake::TtlRaised), || found("two-switches", world, "people.abort"));
    says(&raised, Law::Lowered, &["may be kept for 1h", "was lowered to 1m", "leave the TTL low"]);
    // Once it has ended, the TTL may rise.
    let give_back = "{ id: raise, uses: dns.ttl, with: { target: zone, record: app, restore: lower-ttl } }";
    let after = format!("{}finally:\n  - {give_back}\n", text.replace("ttl: 1h", "ttl: 60s"));
    let setting = setting_of("ttl-rises", &after, world);
    let broken: Vec<Law> =
        rehearsed(&setting, "undisturbed").findings.iter().map(|found| found.law).collect();
    assert!(!broken.contains(&Law::Lowered), "{broken:?}");
}

#[test]
fn no_guard_while_somebody_is_asked() {
    let world = Some("people-take-long.yaml");
    let text = text_of(&path("guard"));
    let guards = &text[text.find("guards:").unwrap()..text.find("steps:").unwrap()];
    let told = mended("guard", world, "world.new-side-fails", guards, "");
    says(&told, Law::Fires, &["every user was failed", "let a monitor or a guard watch"]);
    assert_eq!(found("guard", world, "world.new-side-fails"), []);
}

/// It does not get as far as a rehearsal.
#[test]
fn a_point_of_no_return_that_nobody_approves() {
    let text = text_of(&path("irreversible"));
    let approval = text.lines().find(|line| line.contains("id: go")).unwrap();
    let told = refused("irreversible", &text.replace(approval, ""));
    assert!(told.contains("SW1028"), "{told}");
    assert!(told.contains("`promote` is irreversible, and nobody approves it"), "{told}");
    let skipped = approval.replace("uses: approve,", "uses: approve, when: 1 > 2,");
    let told = refused("irreversible", &text.replace(approval, &skipped));
    assert!(told.contains("SW1028"), "{told}");
    assert_eq!(refused("irreversible", &text), "");
}

#[test]
fn a_record_that_is_switched_twice_is_switched_back_twice() {
    assert_eq!(found("two-switches", Some("one-record.yaml"), "people.abort"), []);
}

/// The next try has another name, and is the same call.
#[test]
fn what_lasts_meets_the_next_try() {
    let lasts = rehearsed(&setting("plans/one-record.yaml", Some("one-record.yaml")), "dns.change.down");
    assert_eq!(lasts.findings, []);
    let way_back = &lasts.rows[&Class::WayBack];
    assert_eq!((way_back.stuck, way_back.asked), (way_back.scenarios, way_back.scenarios));
}
