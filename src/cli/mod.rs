//! The command line: one file per verb. It wires everything, and nothing imports it.

mod actions;
mod alone;
mod commands;
mod connected;
mod context;
mod crowds;
mod exit;
mod failure;
mod herald;
mod hosted;
mod operate;
mod orders;
mod people;
mod plans;
mod preview;
mod rehearsal;
mod sandbox;
mod screen;
mod signals;
mod stored;
mod triggers;
mod unread;
mod version;

pub use context::{Context, Output};
pub use exit::Exit;
pub use failure::Failure;

use crate::report::Looks;
use crate::store::Faults;
use clap::{CommandFactory, Parser};
use commands::{Verb, supervise};
use std::ffi::OsString;
use std::io::{self, ErrorKind::BrokenPipe, Write};
use std::path::PathBuf;

/// Takes production traffic from one stack to another, and brings it back when that goes wrong
#[derive(Debug, Parser)]
#[command(name = "switchover", version, propagate_version = true, max_term_width = 110)]
#[command(after_help = after_help(), arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Globals {
    /// Where runs are kept [default: $XDG_STATE_HOME/switchover or ~/.local/state/switchover]
    #[arg(long, global = true, env = "SWITCHOVER_STATE_DIR", hide_env_values = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// How to write results and progress
    #[arg(
        long,
        global = true,
        env = "SWITCHOVER_OUTPUT",
        hide_env_values = true,
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    #[arg(value_name = "auto|live|plain|json|jsonl|github")]
    output: Output,
    /// Who you are, as the plan's `people` name you [default: user@host]
    #[arg(long = "as", global = true, env = "SWITCHOVER_AS", hide_env_values = true, value_name = "NAME")]
    name: Option<String>,
    /// Where in the journal to die, or to fall silent, on purpose; honoured for runs in a sandbox only
    #[arg(long, global = true, env = "SWITCHOVER_FAULTS", hide_env_values = true, hide = true)]
    #[arg(value_parser = Faults::parse)]
    faults: Option<Faults>,
}

fn after_help() -> String {
    let line = |exit: &Exit| format!("  {:>3}  {}\n", exit.code(), exit.meaning().trim());
    let codes: Vec<String> = Exit::ALL.iter().map(line).collect();
    format!(
        "Exit codes:\n{}\nEvery option can also be given as a variable SWITCHOVER_*; a param as \
         SWITCHOVER_PARAM_<NAME>.",
        codes.concat()
    )
}

/// The whole command, for help, completions and manual pages.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command line and says how the process ends.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if arguments.get(1).is_some_and(|verb| verb == supervise::NAME) {
        return told(supervise::run(), Looks::default());
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            use clap::error::ErrorKind;
            let printed = match error.kind() {
                ErrorKind::DisplayVersion => writeln!(io::stdout(), "switchover {}", version::name()),
                _ => error.print(),
            };
            return match (error.kind(), printed) {
                // Whoever reads no more has what they wanted.
                (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, Err(why))
                    if why.kind() != BrokenPipe =>
                {
                    told(Err(Failure::unwritten(&why)), Looks::default())
                }
                (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, _) => Exit::Done,
                // Nobody is there to be told that nobody is there.
                _ => Exit::Usage,
            };
        }
    };
    let context = match Context::new(&cli.globals) {
        Ok(context) => context,
        Err(failure) => return told(Err(failure), Looks::default()),
    };
    told(cli.verb.run(&context), context.err)
}

/// How the process ends by this, and what went wrong is said.
fn told(outcome: Result<Exit, Failure>, looks: Looks) -> Exit {
    outcome.unwrap_or_else(|failure| {
        eprint(&failure.render(looks));
        failure.exit
    })
}

/// Says that the tool itself is wrong; what exactly has been said where it happened.
pub fn bug() -> Exit {
    let failure = Failure::new(Exit::Bug, "this is a bug in switchover; the journal of a run is on disk")
        .hint("`switchover resume` looks at the world first, and may go on")
        .see(crate::report::Runbook::Bug);
    eprint(&failure.render(Looks { colour: false, ascii: true }));
    failure.exit
}

/// For verbs that wait for more than one thing; the others start without it.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let built = builder.worker_threads(2).enable_all().build();
    built.map_err(|error| Failure::new(Exit::Bug, "the runtime cannot be started").from_error(&error))
}

fn eprint(text: &str) {
    // Nobody is there to be told that nobody is there.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each(command: &clap::Command, visit: &mut impl FnMut(&clap::Command, &clap::Arg)) {
        command.get_arguments().for_each(|argument| visit(command, argument));
        command.get_subcommands().for_each(|inner| each(inner, visit));
    }

    #[test]
    fn the_definition_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn every_argument_has_a_variable() {
        each(&command(), &mut |command, argument| {
            let id = argument.get_id().as_str();
            if matches!(id, "help" | "version" | "subcommand") {
                return;
            }
            let variable = argument.get_env().and_then(|name| name.to_str()).unwrap_or_default();
            assert!(variable.starts_with("SWITCHOVER_"), "{} {id} has no variable", command.get_name());
            assert!(argument.get_help().is_some(), "{} {id} says nothing", command.get_name());
        });
    }
}
