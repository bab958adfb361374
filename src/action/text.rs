//! Text that steps share: values with their holes filled, and commands that people type.

use crate::plan::{Scope, Target, Template};
use crate::run::Fault;
use std::fmt::Write;

/// A value with its holes filled.
pub(super) fn fill(text: &Template, scope: &Scope) -> Result<String, Fault> {
    text.render(scope).map_err(|error| Fault::permanent(error.to_string()))
}

/// A command of AWS's own command line, for the account and region that a target means.
pub(super) fn aws(target: &Target, command: &str) -> String {
    let option = |name: &str| target.says(name).map(|value| format!(" --{name} {value}")).unwrap_or_default();
    format!("aws {command}{}{}", option("region"), option("profile"))
}

/// The same for people: what is not known stays as the plan writes it. Secrets do.
pub(super) fn known(text: &Template, scope: &Scope) -> String {
    text.render(scope).unwrap_or_else(|_| text.source())
}

/// As a shell takes it, on one line.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.contains(char::is_control) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut escaped = String::new();
    for c in word.chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\'' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => {
                for byte in c.to_string().bytes() {
                    let _ = write!(escaped, "\\{byte:03o}");
                }
            }
            c => escaped.push(c),
        }
    }
    format!("$'{escaped}'")
}
