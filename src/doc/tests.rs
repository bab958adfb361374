//! Plans of all sorts, read with kinds made for the tests: the language needs no action to be tested.

mod guards;
mod hostile;
mod mistakes;
mod moved;
mod shipped;
mod sound;

use super::*;
use crate::plan::{self, Fields, Kinds, Plan, StepTraits};
use std::sync::Arc;
use std::time::Duration;

/// Kinds of steps: `change` writes what it is told, `write` has no undo, `ttl`, `switch`, and `look` writes nothing.
struct Actions;

impl Kinds for Actions {
    fn names(&self) -> Vec<&'static str> {
        vec!["change", "write", "ttl", "switch", "look"]
    }
    fn not_yet(&self) -> Vec<(&'static str, &'static str)> {
        vec![("shift", "a progressive shift")]
    }
    fn check(&self, uses: &str, fields: &mut Fields<'_>) -> Option<StepTraits> {
        let traits = traits(uses, fields);
        fields.finish();
        traits
    }
    fn summary(&self, _: &str) -> &'static str {
        "a kind for tests"
    }
}

fn traits(uses: &str, fields: &mut Fields<'_>) -> Option<StepTraits> {
    const WRITES: &[(&str, plan::Writes)] =
        &[("shared", plan::Writes::Shared), ("diverge", plan::Writes::Diverge)];
    if uses == "look" {
        fields.optional("expect", plan::expr(&["status", "steps"]), "what must hold");
        fields.optional("url", plan::template(), "where");
        fields.optional("every", plan::duration(), "how often");
        fields.optional("after", plan::reference(), "after which step");
        return Some(StepTraits::default());
    }
    let target = fields.optional("target", plan::target(&["route53"]), "the zone");
    let thing = fields.required("thing", plan::text(), "what it writes");
    let data = fields.optional("writes", plan::one_of(WRITES), "what becomes of new data");
    fields.optional("size", plan::integer(1..=10), "how much");
    fields.optional("secret", plan::template(), "a secret");
    let thing = thing?;
    Some(StepTraits {
        writes: true,
        has_undo: uses != "write",
        switches: uses == "switch",
        by_name: uses == "switch",
        lowers_ttl: (uses == "ttl").then(|| Duration::from_secs(60)),
        resources: vec![format!("thing:{}/{thing}", target.map(|target| target.place()).unwrap_or_default())],
        data,
        undo_reaches: (uses == "switch").then(|| Duration::from_secs(600)),
        ..StepTraits::default()
    })
}

/// One kind of signal.
struct Signals;

impl Kinds for Signals {
    fn names(&self) -> Vec<&'static str> {
        vec!["probe"]
    }
    fn not_yet(&self) -> Vec<(&'static str, &'static str)> {
        vec![("alarms", "alarms of CloudWatch")]
    }
    fn check(&self, _: &str, fields: &mut Fields<'_>) -> Option<StepTraits> {
        fields.required("fail", plan::expr(&["value"]), "when it fails");
        fields.finish();
        Some(StepTraits::default())
    }
    fn summary(&self, _: &str) -> &'static str {
        "a signal for tests"
    }
}

fn read_with(text: &str, files: &[(&str, &str)], inputs: &Inputs) -> Reading {
    let files = Stored(files.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect());
    read("plan.yaml", text.as_bytes(), &files, inputs, &Actions, &Signals)
}

/// A plan of these steps, indented by nothing.
fn of_steps(steps: &str) -> String {
    format!("switchover: v1\nname: test\nsteps:\n{steps}")
}

/// The plan of a text without any problem.
fn sound(text: &str) -> Plan {
    sound_with(text, &[], &Inputs::default())
}

fn sound_with(text: &str, files: &[(&str, &str)], inputs: &Inputs) -> Plan {
    let reading = read_with(text, files, inputs);
    assert!(reading.problems.is_empty(), "{}", render(&reading.problems, &reading.sources, false, true));
    reading.plan.unwrap()
}

/// How the problems of a text look.
fn shown(text: &str) -> String {
    let reading = read_with(text, &[], &Inputs::default());
    render(&reading.problems, &reading.sources, false, true)
}

/// Code, place and message of each problem, one a line.
fn brief(reading: &Reading) -> String {
    let line = |problem: &plan::Problem| {
        let (name, line, column) = reading.sources.place(problem.span).unwrap_or(("?", 0, 0));
        format!("{} {name}:{line}:{column} {}\n", problem.code.0, problem.message)
    };
    reading.problems.iter().map(line).collect()
}

/// The same, for a text.
fn problems(text: &str) -> String {
    brief(&read_with(text, &[], &Inputs::default()))
}

fn ids(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.id.to_string()).collect()
}

fn fixed(text: &str) -> Arc<str> {
    text.into()
}
