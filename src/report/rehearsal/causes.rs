//! Findings that one cause explains, told once.

use super::Rehearsed;
use crate::rehearse::{Finding, Law};
use crate::report::github;

/// What broke one law in one way, and all that came to it.
pub(super) struct Cause<'a> {
    pub(super) law: Law,
    /// What it is about, if it is about one step.
    pub(super) about: Option<&'a str>,
    /// What was seen first.
    pub(super) text: &'a str,
    /// By which fault at which step.
    pub(super) findings: Vec<&'a Finding>,
}

impl Cause<'_> {
    /// In how many scenarios.
    pub(super) fn times(&self) -> u64 {
        self.findings.iter().map(|finding| finding.times).sum()
    }

    /// The steps at which something struck, each with the faults, in the order in which they were found.
    pub(super) fn steps(&self) -> Vec<(&str, Vec<&str>)> {
        let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
        for finding in &self.findings {
            match steps.iter_mut().find(|(step, _)| *step == finding.step) {
                Some((_, faults)) => faults.push(&finding.fault),
                None => steps.push((&finding.step, vec![&finding.fault])),
            }
        }
        steps
    }
}

/// One law, about one step, in the same words but for their numbers.
pub(super) fn of(findings: &[Finding]) -> Vec<Cause<'_>> {
    let mut shapes: Vec<String> = Vec::new();
    let mut causes: Vec<Cause<'_>> = Vec::new();
    for finding in findings {
        let shape = shape(&finding.text);
        let about = finding.about.as_deref();
        let same = causes
            .iter()
            .zip(&shapes)
            .position(|(cause, known)| cause.law == finding.law && cause.about == about && *known == shape);
        match same {
            Some(place) => causes[place].findings.push(finding),
            None => {
                let (law, text) = (finding.law, finding.text.as_str());
                causes.push(Cause { law, about, text, findings: vec![finding] });
                shapes.push(shape);
            }
        }
    }
    causes
}

/// A text without its numbers: `42s` and `1m12s` are said for the same cause.
fn shape(text: &str) -> String {
    let word =
        |word: &str| if word.contains(|c: char| c.is_ascii_digit()) { "#".into() } else { word.to_owned() };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Findings for GitHub Actions, one line each.
#[must_use]
pub fn annotations(of_plan: &Rehearsed<'_>) -> String {
    let mut lines = String::new();
    for cause in of(&of_plan.rehearsal.findings) {
        let title = format!("{}: {}", of_plan.plan.name, cause.law.text());
        let repeat = cause.findings.first().map(|finding| of_plan.repeat(&finding.name)).unwrap_or_default();
        lines += &github::error(&title, &format!("{}\n{repeat}", cause.text));
        lines.push('\n');
    }
    lines
}
