//! Commands of the plan's own, each with a supervisor: a process between us and it, from this same binary.
//!
//! The supervisor learns the command over a pipe that nobody but us holds. It stops the command when that pipe closes,
//! and so the command is stopped in one way only: because the run wants it, because nobody waits for it any more, or
//! because we died. It keeps the time too: a command ends in time also while we are suspended.

mod group;
mod supervise;
mod trace;

pub use supervise::supervise;

use super::SystemClock;
use crate::port::{Clock, Command, Output, ReadProcess, Stop, WriteProcess};
use crate::run::Fault;
use async_trait::async_trait;
use group::Group;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use supervise::{NotStarted, Order, Told};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::Child;
use trace::Traces;

/// What commands are watched over with.
#[derive(Clone, Debug)]
pub struct Supervision {
    /// This binary. Its verb `supervise` calls [`supervise`].
    pub program: PathBuf,
    /// A folder for a file of each step with a command that may change something, locked for as long as anything of it
    /// lives.
    pub traces: PathBuf,
    /// Variables of ours that commands do not get.
    pub withheld: &'static [&'static str],
}

/// Runs commands.
pub struct Process {
    clock: SystemClock,
    folder: PathBuf,
    program: PathBuf,
    traces: Traces,
    withheld: &'static [&'static str],
}

impl Process {
    /// Commands run in `folder`, the plan's, unless they say otherwise; their durations go by `clock`.
    #[must_use]
    pub fn new(clock: SystemClock, folder: &Path, supervision: Supervision) -> Self {
        let Supervision { program, traces, withheld } = supervision;
        Self { clock, folder: folder.to_owned(), program, traces: Traces(traces), withheld }
    }

    async fn execute(&self, mut command: Command, stop: &Stop) -> Result<Output, Fault> {
        let name = command.argv.first().cloned().unwrap_or_default();
        if stop.asked() {
            return Err(Fault::transient(format!("`{name}` was not started: the run wants to end")));
        }
        let not_started = |why: NotStarted| why.fault(&name);
        // A supervisor knows only the wall's time.
        command.timeout = self.clock.on_wall(command.timeout);
        command.stop.grace = self.clock.on_wall(command.stop.grace);
        if let Some(call) = &mut command.call {
            let left = call.until.since(self.clock.now());
            call.until = SystemClock::wall().now().after(self.clock.on_wall(left));
        }
        let last_resort = command.stop.clone();
        let trace = command.call.as_ref().map(|call| self.traces.leave(&call.step, call.until)).transpose();
        let (file, trace) = trace.map_err(|error| not_started(error.into()))?.unzip();
        let mut supervisor =
            self.start(command.directory.as_deref(), file).map_err(|error| not_started(error.into()))?;
        let order = serde_json::to_vec(&Order { command, trace });
        let mut order = order.map_err(|error| not_started(std::io::Error::from(error).into()))?;
        order.push(b'\n');
        let (lifeline, told) = (supervisor.stdin.take(), supervisor.stdout.take());
        let asking = async move {
            if let Some(mut lifeline) = lifeline {
                // One that is dead says so by its silence.
                let _ = lifeline.write_all(&order).await;
                stop.wait().await;
            }
            std::future::pending().await
        };
        let last_word = tokio::select! { last = last_word(told) => last, last = asking => last };
        // It has ended, or closed what it has to say something by.
        let _ = supervisor.wait().await;
        match last_word {
            Some(Told::Ended(output)) => Ok(output),
            Some(Told::NotStarted(why)) => Err(not_started(why)),
            Some(Told::Started { group }) => {
                if let Some(group) = Group::of(group) {
                    group.send(last_resort.signal);
                    group.end_by(SystemClock::wall().now().after(last_resort.grace)).await;
                }
                Err(Fault::lost(format!("the supervisor of `{name}` was killed; `{name}` was stopped")))
            }
            None => Err(Fault::lost(format!("the supervisor of `{name}` was killed"))),
        }
    }

    fn start(&self, directory: Option<&str>, trace: Option<File>) -> std::io::Result<Child> {
        let directory =
            directory.map_or_else(|| self.folder.clone(), |directory| self.folder.join(directory));
        let mut supervisor = tokio::process::Command::new(&self.program);
        supervisor
            .arg0("switchover")
            // It keeps nothing; but where there is no home, a place to keep runs must be named.
            .args(["supervise", "--state-dir", "."])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(trace.map_or_else(Stdio::null, Stdio::from))
            // Ctrl-C in our terminal is for us.
            .process_group(0);
        for name in self.withheld {
            supervisor.env_remove(name);
        }
        if !directory.as_os_str().is_empty() {
            supervisor.current_dir(directory);
        }
        supervisor.spawn()
    }
}

/// The last that a supervisor said, once it says nothing more.
async fn last_word(told: Option<impl AsyncRead + Unpin>) -> Option<Told> {
    let mut lines = BufReader::new(told?).lines();
    let mut last = None;
    while let Ok(Some(line)) = lines.next_line().await {
        last = serde_json::from_str(&line).ok().or(last);
    }
    last
}

#[async_trait]
impl ReadProcess for Process {
    async fn query(&self, command: Command) -> Result<Output, Fault> {
        // Nothing changed, by the plan's own word.
        let answer = self.execute(command, &Stop::default()).await;
        answer.map_err(|fault| Fault { landed: crate::run::Landed::No, ..fault })
    }

    fn left_of(&self, step: &str) -> Result<Option<String>, Fault> {
        let left = self.traces.find(step, SystemClock::wall().now());
        left.map_err(|error| Fault::blind(format!("cannot tell whether a command is still alive: {error}")))
    }
}

#[async_trait]
impl WriteProcess for Process {
    async fn run(&self, command: Command, stop: &Stop) -> Result<Output, Fault> {
        self.execute(command, stop).await
    }
}
