//! Commands of the plan's own, as children in a process group of their own.
//!
//! A child is stopped by its own signal first and killed only when its grace is over; that holds also when nobody
//! waits for it any more. If this process itself is killed, its children live on: that needs a supervisor beside
//! us, and there is none yet.

use crate::port::{Clock, Command, Output, ReadProcess, Stop, WriteProcess};
use crate::run::Fault;
use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::time::timeout;

/// How much of standard output is kept: its beginning.
const STDOUT_LIMIT: usize = 64 * 1024;
/// How much of standard error is kept: its end.
const STDERR_LIMIT: usize = 4 * 1024;
/// How long output may still come once the child has ended, on the wall clock.
const DRAIN: Duration = Duration::from_millis(500);
/// How long what a command forgot in the background has.
const FORGOTTEN: Duration = Duration::from_secs(5);
/// How often it is asked whether a group is gone, on the wall clock.
const GLANCE: Duration = Duration::from_millis(20);

/// Runs commands.
pub struct Process {
    clock: Arc<dyn Clock>,
    folder: PathBuf,
}

impl Process {
    /// Commands run in `folder`, the plan's, unless they say otherwise; their durations go by `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, folder: &Path) -> Self {
        Self { clock, folder: folder.to_owned() }
    }

    async fn execute(&self, command: Command, stop: &Stop) -> Result<Output, Fault> {
        let (name, signal) =
            (command.argv.first().cloned().unwrap_or_default(), signal(&command.stop.signal)?);
        if stop.asked() {
            return Err(Fault::transient(format!("`{name}` was not started: the run wants to end")));
        }
        let mut child = self.start(&command).map_err(|error| {
            let transient = matches!(error.raw_os_error(), Some(11 | 12 | 24));
            let text = format!("cannot start `{name}`: {error}");
            if transient { Fault::transient(text) } else { Fault::permanent(text) }
        })?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut group = Group::of(child, signal, command.stop.grace, self.clock.clone());
        let until = self.clock.now().after(command.timeout);
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
        let waiting = async {
            let stopped = tokio::select! {
                biased;
                ended = group.ended() => return (ended, false),
                () = stop.wait() => true,
                () = self.clock.sleep_until(until) => true,
            };
            (group.end().await, stopped)
        };
        let ended = {
            let mut piping = std::pin::pin!(piping);
            let mut waiting = std::pin::pin!(waiting);
            let mut open = true;
            let ended = loop {
                tokio::select! {
                    ended = &mut waiting => break ended,
                    () = &mut piping, if open => open = false,
                }
            };
            if open {
                // What it left in the background may hold the pipes open for ever.
                let _ = timeout(DRAIN, piping).await;
            }
            ended
        };
        group.sweep(ended.1).await;
        let (ended, stopped) = ended;
        let ended = ended.map_err(|error| Fault::lost(format!("lost sight of `{name}`: {error}")))?;
        Ok(Output {
            code: ended.code(),
            stdout: String::from_utf8_lossy(&head).into_owned(),
            stderr: String::from_utf8_lossy(&tail).into_owned(),
            stopped,
        })
    }

    fn start(&self, command: &Command) -> std::io::Result<Child> {
        let [program, arguments @ ..] = &command.argv[..] else {
            return Err(std::io::Error::other("the command is empty"));
        };
        let directory = command
            .directory
            .as_ref()
            .map_or_else(|| self.folder.clone(), |directory| self.folder.join(directory));
        // `./deploy.sh` is meant from where the command runs.
        let program = if program.contains('/') { directory.join(program) } else { PathBuf::from(program) };
        let mut child = tokio::process::Command::new(program);
        child
            .args(arguments)
            .envs(command.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if !directory.as_os_str().is_empty() {
            child.current_dir(directory);
        }
        child.spawn()
    }
}

#[async_trait]
impl ReadProcess for Process {
    async fn query(&self, command: Command) -> Result<Output, Fault> {
        // Nothing changed, by the plan's own word.
        let answer = self.execute(command, &Stop::default()).await;
        answer.map_err(|fault| Fault { landed: crate::run::Landed::No, ..fault })
    }
}

#[async_trait]
impl WriteProcess for Process {
    async fn run(&self, command: Command, stop: &Stop) -> Result<Output, Fault> {
        self.execute(command, stop).await
    }
}

fn signal(name: &str) -> Result<Signal, Fault> {
    Ok(match name.trim_start_matches("SIG") {
        "HUP" => Signal::HUP,
        "INT" => Signal::INT,
        "KILL" => Signal::KILL,
        "QUIT" => Signal::QUIT,
        "TERM" => Signal::TERM,
        "USR1" => Signal::USR1,
        "USR2" => Signal::USR2,
        _ => {
            return Err(Fault::permanent(format!(
                "`{name}` is not a signal; there are HUP, INT, KILL, QUIT, TERM, USR1 and USR2"
            )));
        }
    })
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

/// A child and all that it started. Whoever drops it stops it.
struct Group {
    child: Option<Child>,
    id: Option<Pid>,
    signal: Signal,
    grace: Duration,
    clock: Arc<dyn Clock>,
    /// It was dropped once already: now it is killed.
    last: bool,
}

impl Group {
    fn of(child: Child, signal: Signal, grace: Duration, clock: Arc<dyn Clock>) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child: Some(child), id, signal, grace, clock, last: false }
    }

    async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        match &mut self.child {
            Some(child) => child.wait().await,
            None => Err(std::io::Error::other("it was given up")),
        }
    }

    /// The stop signal, its grace, then SIGKILL.
    async fn end(&mut self) -> std::io::Result<ExitStatus> {
        self.send(self.signal);
        let until = self.clock.now().after(self.grace);
        let clock = self.clock.clone();
        tokio::select! {
            biased;
            ended = self.ended() => return ended,
            () = clock.sleep_until(until) => {}
        }
        self.send(Signal::KILL);
        self.ended().await
    }

    /// Ends what the child left in its group: what it was told to stop may still be at it; what it just forgot is
    /// not waited for long.
    async fn sweep(&mut self, stopped: bool) {
        let (signal, grace) =
            if stopped { (self.signal, self.grace) } else { (Signal::TERM, self.grace.min(FORGOTTEN)) };
        for (signal, grace) in [(signal, grace), (Signal::KILL, FORGOTTEN)] {
            if self.alive() {
                self.send(signal);
            }
            let until = self.clock.now().after(grace);
            while self.alive() && self.clock.now() < until {
                #[expect(clippy::disallowed_methods, reason = "a glance at processes, on the wall clock")]
                tokio::time::sleep(GLANCE).await;
            }
        }
        (self.child, self.id) = (None, None);
    }

    fn alive(&self) -> bool {
        self.id.is_some_and(|id| test_kill_process_group(id).is_ok() && !all_dead(id))
    }

    fn send(&self, signal: Signal) {
        if let Some(id) = self.id {
            // It may have ended by itself.
            let _ = kill_process_group(id, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let (Some(child), Some(id)) = (self.child.take(), self.id.take()) else { return };
        let mut left =
            Self { child: Some(child), id: Some(id), clock: self.clock.clone(), last: true, ..*self };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if !self.last => {
                runtime.spawn(async move {
                    let _ = left.end().await;
                    left.sweep(true).await;
                });
            }
            _ => {
                left.send(Signal::KILL);
                (left.child, left.id) = (None, None);
            }
        }
    }
}

/// Whether nothing but corpses is left in a group that still exists: where nobody buries orphans, they stay.
fn all_dead(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    let id = group.as_raw_nonzero().get().to_string();
    !processes.flatten().any(|process| {
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { return false };
        // `pid (name) state parent group …`; the name may hold anything.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (state, member) = (fields.next(), fields.nth(1));
        member == Some(&*id) && state != Some("Z")
    })
}

#[cfg(test)]
mod tests;
