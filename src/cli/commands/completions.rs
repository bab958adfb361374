//! `completions`: a script for a shell.

use crate::cli::{Context, Exit, Failure, command};
use clap_complete::Shell;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// For which shell
    #[arg(env = "SWITCHOVER_SHELL", hide_env_values = true)]
    shell: Shell,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "switchover", &mut script);
    context.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
