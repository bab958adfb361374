//! One file per verb: what it takes, and what it does.

mod completions;
mod explain;
mod man;
mod schema;
mod validate;

use super::{Context, Exit, Failure};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Say everything that is wrong with a plan
    Validate(validate::Args),
    /// Say more about a problem's code, a runbook or an exit code
    Explain(explain::Args),
    /// Print the JSON Schema of plans, for editors
    Schema(schema::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page
    Man(man::Args),
}

impl Verb {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Validate(args) => validate::run(&args, context),
            Self::Explain(args) => explain::run(&args, context),
            Self::Schema(args) => schema::run(&args, context),
            Self::Completions(args) => completions::run(&args, context),
            Self::Man(args) => man::run(&args, context),
        }
    }
}
