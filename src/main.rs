//! The binary: hands over to the command line, and turns a bug into an exit code of its own.

use std::process::ExitCode;
use switchover::cli;

fn main() -> ExitCode {
    let told = std::panic::catch_unwind(|| cli::main(std::env::args_os()));
    told.unwrap_or_else(|_| cli::bug()).into()
}
