//! Text that steps share: values with their holes filled, and commands that people type.

use crate::plan::{Scope, Target, Template};
use crate::run::Fault;

/// A value with its holes filled.
pub(super) fn fill(text: &Template, scope: &Scope) -> Result<String, Fault> {
    text.render(scope).map_err(|error| Fault::permanent(error.to_string()))
}

/// A command of AWS's own command line, for the account and region that a target means.
pub(super) fn aws(target: &Target, command: &str) -> String {
    let option = |name: &str| target.says(name).map(|value| format!(" --{name} {value}")).unwrap_or_default();
    format!("aws {command}{}{}", option("region"), option("profile"))
}
