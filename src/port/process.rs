//! Commands of the plan's own.

use super::Stop;
use crate::plan::Timestamp;
use crate::run::Fault;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A command. Secrets come by `environment` or `input`, never by argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Program and arguments; no shell.
    pub argv: Vec<String>,
    /// Added to ours.
    pub environment: Vec<(String, String)>,
    /// Where it runs; the plan's folder if none.
    pub directory: Option<String>,
    /// Given on standard input.
    pub input: Vec<u8>,
    /// How it is stopped.
    pub stop: StopWith,
    /// The plan says that it changes nothing, so that a preview may run it.
    pub reads: bool,
    /// How long it may take.
    pub timeout: Duration,
    /// What it carries out, if it may change something.
    pub call: Option<Call>,
}

/// Which call a command carries out, and of which step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// [`super::Reads::step`]. No two commands of a step are at work at once, and what is left of one is found by it.
    pub step: String,
    /// [`super::Writes::token`]; the command finds it as `SWITCHOVER_TOKEN`.
    pub token: String,
    /// [`super::Writes::until`]: it begins before that moment, or not at all.
    pub until: Timestamp,
}

/// How a command is stopped: this signal, then after `grace` SIGKILL, to its whole process group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopWith {
    /// What it hears.
    pub signal: StopSignal,
    /// How long it has.
    pub grace: Duration,
}

/// A signal that asks a command to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopSignal {
    /// SIGHUP.
    Hup,
    /// SIGINT, as Ctrl-C sends it.
    Int,
    /// SIGKILL: no command hears it.
    Kill,
    /// SIGQUIT.
    Quit,
    /// SIGTERM.
    Term,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
}

/// What a command said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    /// The first 64 KiB.
    pub stdout: String,
    /// The last 4 KiB.
    pub stderr: String,
    /// It was stopped by us: time, or the run wanted it to end.
    pub stopped: bool,
}

/// Commands that change nothing.
#[async_trait]
pub trait ReadProcess: Send + Sync {
    /// Runs it to its end. In a preview, refuses what is not marked `reads`.
    async fn query(&self, command: Command) -> Result<Output, Fault>;
    /// What is still alive on this machine of a command that was started for a call of this step, whoever started it: it
    /// outlives us by its grace, and longer if its supervisor is killed. Or it may begin yet, until the time of its call is
    /// over. After `None` nothing that was ordered before begins.
    ///
    /// # Errors
    /// That cannot be told.
    fn left_of(&self, step: &str) -> Result<Option<String>, Fault>;
}

/// Any commands.
#[async_trait]
pub trait WriteProcess: Send + Sync {
    /// Runs it to its end, or until `stop` is asked.
    async fn run(&self, command: Command, stop: &Stop) -> Result<Output, Fault>;
}
