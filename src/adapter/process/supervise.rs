//! What a supervisor does: starts one command, stops it when told to, when its time is over, or when nobody is left to
//! tell, and says what came of it. It knows neither plans nor runs.

use super::super::SystemClock;
use super::Group;
use super::trace::take;
use crate::mutant::{Mistake, on};
use crate::plan::Timestamp;
use crate::port::{Clock, Command, Output, StopSignal};
use crate::run::Fault;
use rustix::process::{getpgid, getpgrp, getppid, setpgid, setsid};
use serde::{Deserialize, Serialize};
use std::io::{Error, Result, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe::Receiver;
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};

/// How much of standard output is kept: its beginning.
const STDOUT_LIMIT: usize = 64 * 1024;
/// How much of standard error is kept: its end.
const STDERR_LIMIT: usize = 4 * 1024;
/// How long output may still come once nothing of the command is left.
const DRAIN: Duration = Duration::from_millis(500);
/// How long what a command forgot in the background has.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// What a supervisor is to do: one line on its standard input, which stays open for as long as it is wanted.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    /// Its times are the wall's.
    pub(super) command: Command,
    /// The file on its standard error, in which the command waits.
    pub(super) trace: Option<PathBuf>,
}

/// What a supervisor says, line by line. One that dies says no last word.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Told {
    Started { group: i32 },
    NotStarted(NotStarted),
    Ended(Output),
}

/// Why a command was not started.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum NotStarted {
    /// Trying again may help.
    Now(String),
    /// Trying again will not help.
    Ever(String),
    /// The time of its call was over: this machine was asleep, or too busy, and that is no failure.
    Late,
}

impl From<Error> for NotStarted {
    fn from(error: Error) -> Self {
        let full = [rustix::io::Errno::AGAIN, rustix::io::Errno::NOMEM, rustix::io::Errno::MFILE];
        let passes = full.iter().any(|full| error.raw_os_error() == Some(full.raw_os_error()));
        if passes { Self::Now(error.to_string()) } else { Self::Ever(error.to_string()) }
    }
}

impl NotStarted {
    pub(super) fn fault(&self, name: &str) -> Fault {
        match self {
            Self::Now(why) => Fault::transient(format!("cannot start `{name}`: {why}")),
            Self::Ever(why) => Fault::permanent(format!("cannot start `{name}`: {why}")),
            Self::Late => Fault::blind(format!("the time of this call was over before `{name}` could start")),
        }
    }
}

/// The whole life of a supervisor.
///
/// # Errors
/// It was not started by [`super::Process`].
pub fn supervise() -> Result<()> {
    stand_apart();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Whoever wants it to end closes the pipe.
        let kinds =
            [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit(), SignalKind::terminate()];
        let _unheard = kinds.map(signal);
        let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
        let mut lifeline = BufReader::new(Receiver::from_owned_fd(stdin)?);
        let mut line = String::new();
        lifeline.read_line(&mut line).await?;
        // Cut off: whoever wanted it is dead.
        let Ok(Order { command, trace }) = serde_json::from_str(&line) else { return Ok(()) };
        let closed = async {
            let mut rest = [0; 64];
            while let Ok(1..) = lifeline.read(&mut rest).await {}
            if on(Mistake::CommandLivesOn) {
                std::future::pending::<()>().await;
            }
        };
        // The command inherits it, and so holds the lock should this process be killed.
        let _held = rustix::io::dup(std::io::stderr())?;
        let last_word = match supervised(command, trace, closed).await {
            Ok(output) => Told::Ended(output),
            Err(why) => Told::NotStarted(why),
        };
        tell(&last_word);
        Ok(())
    })
}

/// Out of reach of our terminal, and ready to bury the orphans of the command.
fn stand_apart() {
    // The leader of a group cannot open a session: for a moment it is in its parent's group again. None of this must
    // succeed: where its parent has died just now, its standard input tells so.
    let _ = getpgid(getppid()).and_then(|group| setpgid(None, Some(group)));
    if !on(Mistake::CommandInOurGroup) {
        let _ = setsid();
    }
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

fn tell(told: &Told) {
    // Nobody may be left to be told.
    if let Ok(line) = serde_json::to_string(told) {
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

/// The command, for as long as its file tells of it.
async fn supervised(
    command: Command,
    waiting: Option<PathBuf>,
    closed: impl Future<Output = ()>,
) -> std::result::Result<Output, NotStarted> {
    let taken = waiting.as_deref().map(take).transpose();
    // Whoever looked for it sees to the step by now.
    let taken = taken.map_err(|error| NotStarted::Now(format!("it is no longer waited for: {error}")))?;
    let late = command.call.as_ref().is_some_and(|call| SystemClock::wall().now() >= call.until);
    let ended = if late { Err(NotStarted::Late) } else { attend(command, closed).await };
    if let Some(taken) = taken {
        // One that stays is found to be held by nobody.
        let _ = std::fs::remove_file(taken);
    }
    ended
}

async fn attend(
    command: Command,
    closed: impl Future<Output = ()>,
) -> std::result::Result<Output, NotStarted> {
    let mut child = start(&command)?;
    let id = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default();
    let group = Group::of(id).ok_or_else(|| Error::other("it has no process id"))?;
    let _ = writeln!(std::io::stderr(), "{id}");
    tell(&Told::Started { group: id });
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    let feeding = async {
        if let Some(mut stdin) = stdin {
            // A child that does not read its input is right to.
            let _ = stdin.write_all(&command.input).await;
        }
    };
    let piping = async {
        let keep_head = |kept: &mut Vec<u8>, new: &[u8]| {
            kept.extend_from_slice(&new[..new.len().min(STDOUT_LIMIT - kept.len())]);
        };
        let keep_tail = |kept: &mut Vec<u8>, new: &[u8]| {
            kept.extend_from_slice(new);
            kept.drain(..kept.len().saturating_sub(STDERR_LIMIT));
        };
        tokio::join!(feeding, pipe(stdout, &mut head, keep_head), pipe(stderr, &mut tail, keep_tail));
    };
    let (status, stopped) = {
        let mut piping = std::pin::pin!(piping);
        let mut ending = std::pin::pin!(end(&command, &mut child, group, closed));
        let mut open = true;
        let ended = loop {
            tokio::select! {
                ended = &mut ending => break ended,
                () = &mut piping, if open => open = false,
            }
        };
        if open {
            // What lives on in a session of its own may hold the pipes open for ever.
            let _ = tokio::time::timeout(DRAIN, piping).await;
        }
        ended
    };
    Ok(Output {
        code: status?.code(),
        stdout: String::from_utf8_lossy(&head).into_owned(),
        stderr: String::from_utf8_lossy(&tail).into_owned(),
        stopped,
    })
}

fn start(command: &Command) -> Result<Child> {
    let [program, arguments @ ..] = &command.argv[..] else {
        return Err(Error::other("the command is empty"));
    };
    let group = if on(Mistake::CommandInOurGroup) { getpgrp().as_raw_nonzero().get() } else { 0 };
    let token = command.call.iter().map(|call| ("SWITCHOVER_TOKEN", &*call.token));
    tokio::process::Command::new(program)
        .args(arguments)
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .envs(token)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(group)
        .spawn()
}

/// Waits until nothing of the command is left. Whether it was stopped.
async fn end(
    command: &Command,
    child: &mut Child,
    group: Group,
    closed: impl Future<Output = ()>,
) -> (Result<ExitStatus>, bool) {
    let clock = SystemClock::wall();
    let until = clock.now().after(command.timeout);
    tokio::select! {
        biased;
        status = child.wait() => {
            group.send(StopSignal::Term);
            group.end_by(clock.now().after(command.stop.grace.min(FORGOTTEN))).await;
            return (status, false);
        }
        () = closed => {}
        () = clock.sleep_until(until) => {}
    }
    group.send(command.stop.signal);
    let last: Timestamp = clock.now().after(command.stop.grace);
    let status = tokio::select! {
        biased;
        status = child.wait() => status,
        () = clock.sleep_until(last) => {
            group.send(StopSignal::Kill);
            child.wait().await
        }
    };
    // What it started was told to stop with it, and may still be at it.
    group.end_by(last).await;
    (status, true)
}

async fn pipe(
    source: Option<impl AsyncRead + Unpin>,
    kept: &mut Vec<u8>,
    keep: impl Fn(&mut Vec<u8>, &[u8]),
) {
    let Some(mut source) = source else { return };
    let mut buffer = [0; 4096];
    // Read to the end, also what is not kept: a full pipe would hold the child up.
    while let Ok(length @ 1..) = source.read(&mut buffer).await {
        keep(kept, &buffer[..length]);
    }
}
