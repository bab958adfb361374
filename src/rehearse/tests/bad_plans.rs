//! Plans that are wrong, each in one way: the rehearsal says so, in the right words. Beside each stands what it is without
//! its mistake, of which there is nothing to say.

use super::{rehearsed, setting};
use crate::rehearse::Law;

/// Rehearses a plan of `tests/data/rehearse` in a world of that folder; says which laws it breaks, and what to do.
fn found(plan: &str, world: Option<&str>, fault: &str) -> Vec<(Law, String)> {
    let setting = setting(&format!("tests/data/rehearse/{plan}.yaml"), world);
    let told = rehearsed(&setting, fault).findings.into_iter();
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
fn a_monitor_that_cannot_breach() {
    let told = found("blind-monitor", Some("one-record.yaml"), "world.new-side-fails");
    says(&told, Law::Fires, &["every user was failed", "condition that can breach"]);
}

#[test]
fn nothing_watches_after_the_switch() {
    let told = found("no-monitor", Some("one-record.yaml"), "world.new-side-fails");
    says(&told, Law::Fires, &["let a monitor or a guard watch"]);
}

#[test]
fn an_rto_that_dns_cannot_keep() {
    let told = found("rto", Some("one-record.yaml"), "people.abort");
    says(&told, Law::WithinRto, &["`rto` is 10s", "state an `rto` that DNS can keep"]);
}

#[test]
fn a_deadline_that_cannot_be_kept() {
    let told = found("deadline", Some("one-record.yaml"), "people.reject");
    says(&told, Law::WithinDeadline, &["`deadline`", "state a longer `deadline`"]);
}

#[test]
fn an_undo_that_undoes_nothing() {
    let told = found("idle-undo", None, "people.abort");
    says(&told, Law::StuckForAReason, &["an undo was stuck"]);
}

#[test]
fn a_command_without_undo() {
    let told = found("no-undo", None, "people.abort");
    says(&told, Law::AsBefore, &["command change is desired", "give the step an undo"]);
    let setting = setting("tests/data/rehearse/no-undo.yaml", None);
    let opaque = rehearsed(&setting, "people.reject").opaque;
    assert_eq!(opaque.len(), 1, "{opaque:?}");
    assert!(opaque[0].1.contains("assumed, not proved"), "{opaque:?}");
}

#[test]
fn a_ttl_that_rises_before_the_soak_ends() {
    let told = found("ttl-rises", Some("one-record.yaml"), "people.abort");
    says(&told, Law::WithinRto, &["new lookups led back"]);
}
