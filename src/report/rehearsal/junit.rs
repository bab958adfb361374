//! A rehearsal as JUnit XML, for what shows tests: one case a law, one case a step.
//! The format: <https://github.com/testmoapp/junitxml>

use super::text::many;
use super::{Rehearsed, stable};
use crate::rehearse::{Finding, Law};
use std::fmt::Write;

/// The file.
#[must_use]
pub fn junit(of: &Rehearsed<'_>) -> String {
    let findings = &of.rehearsal.findings;
    let laws: Vec<Case<'_>> = Law::ALL
        .iter()
        .map(|law| Case {
            name: format!("{}: {}", stable(law), law.text()),
            broken: findings.iter().filter(|finding| finding.law == *law).collect(),
            skipped: false,
        })
        .collect();
    let mut names: Vec<String> = of.steps().collect();
    // The run itself and its guards are struck too.
    let others = of.struck().into_iter().chain(findings.iter().map(|finding| finding.step.clone()));
    for name in others {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let steps: Vec<Case<'_>> = names
        .into_iter()
        .map(|name| Case {
            broken: findings.iter().filter(|finding| finding.step == name).collect(),
            skipped: !of.rehearsal.coverage.contains_key(&name),
            name,
        })
        .collect();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (tests, failures) = (laws.len() + steps.len(), failed(&laws) + failed(&steps));
    let took = format!("{:.3}", of.took.as_secs_f64());
    let _ = writeln!(
        out,
        "<testsuites name=\"switchover rehearse\" tests=\"{tests}\" failures=\"{failures}\" time=\"{took}\">"
    );
    suite(&mut out, of, "laws", &laws);
    suite(&mut out, of, "steps", &steps);
    out.push_str("</testsuites>\n");
    out
}

struct Case<'a> {
    name: String,
    broken: Vec<&'a Finding>,
    skipped: bool,
}

fn failed(cases: &[Case<'_>]) -> usize {
    cases.iter().filter(|case| !case.broken.is_empty()).count()
}

fn suite(out: &mut String, of: &Rehearsed<'_>, kind: &str, cases: &[Case<'_>]) {
    let class = escaped(&format!("{}.{kind}", of.plan.name));
    let skipped = cases.iter().filter(|case| case.skipped && case.broken.is_empty()).count();
    let _ = writeln!(
        out,
        "  <testsuite name=\"{class}\" tests=\"{}\" failures=\"{}\" skipped=\"{skipped}\" timestamp=\"{}\">",
        cases.len(),
        failed(cases),
        of.at
    );
    for case in cases {
        let name = escaped(&case.name);
        let _ = write!(out, "    <testcase classname=\"{class}\" name=\"{name}\"");
        match case.broken.split_first() {
            Some((first, rest)) => {
                let message = escaped(&format!("{}: {}", first.law.text(), first.text));
                let kind = stable(first.law);
                let _ = writeln!(out, ">\n      <failure type=\"{kind}\" message=\"{message}\">");
                for finding in std::iter::once(first).chain(rest) {
                    let _ = writeln!(out, "{}", escaped(&told(of, finding)));
                }
                out.push_str("      </failure>\n    </testcase>\n");
            }
            None if case.skipped => {
                out.push_str(">\n      <skipped message=\"no fault strikes it\"/>\n    </testcase>\n");
            }
            None => out.push_str("/>\n"),
        }
    }
    out.push_str("  </testsuite>\n");
}

fn told(of: &Rehearsed<'_>, finding: &Finding) -> String {
    format!(
        "{} at {}, in {}: {}: {}\n  repeat: {}",
        finding.fault,
        finding.step,
        many(finding.times, "scenario", "scenarios"),
        finding.law.text(),
        finding.text,
        of.repeat(&finding.name)
    )
}

/// As XML takes it; what no XML may hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}
