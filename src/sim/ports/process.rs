//! Commands that the world knows. Of any other nobody can tell what it would say or do.

use super::Inside;
use crate::port::{Clock, Command, Output, ReadProcess, Stop, WriteProcess};
use crate::run::{Fault, Landed};
use crate::sim::cell::Conduct;
use crate::sim::ledger::{Call, Passage};
use crate::sim::{Program, Strike, UNKNOWN};
use async_trait::async_trait;
use std::fmt;
use std::time::Duration;

fn name(command: &Command) -> &str {
    command.argv.first().map_or("", String::as_str)
}

fn not_started(command: &Command, why: &str) -> String {
    format!("cannot start `{}`: {why}", name(command))
}

fn unsupervised(command: &Command) -> Fault {
    Fault::lost(format!("the supervisor of `{}` was killed", name(command)))
}

fn output(code: i32, stdout: String) -> Output {
    Output { code: Some(code), stdout, stderr: String::new(), stopped: false }
}

/// Ended by a signal of ours.
fn ended() -> Output {
    Output { code: None, stdout: String::new(), stderr: String::new(), stopped: true }
}

#[async_trait]
impl ReadProcess for Inside {
    async fn query(&self, command: Command) -> Result<Output, Fault> {
        let (program, Passage { strike, .. }) = self.command(&command, false).await?;
        // Nothing changed, by the plan's own word.
        let unsupervised = || Fault { landed: Landed::No, ..unsupervised(&command) };
        let longer = match strike {
            Some(Strike::LostBefore) => return Err(unsupervised()),
            Some(Strike::Silent) => command.timeout,
            Some(Strike::Slow(span)) => span,
            _ => Duration::ZERO,
        };
        let takes = program.takes + longer;
        if takes >= command.timeout {
            self.wait(command.timeout).await;
            return Ok(ended());
        }
        if !takes.is_zero() {
            self.wait(takes).await;
        }
        if strike == Some(Strike::Bad) {
            return Ok(output(1, String::new()));
        }
        let (code, mut stdout) = self.look(|world, _| world.tells(&program.role));
        if strike == Some(Strike::Partial) {
            stdout.truncate(stdout.len() / 2);
        }
        Ok(output(code, stdout))
    }

    fn left_of(&self, step: &str) -> Result<Option<String>, Fault> {
        Ok(self.look(|world, _| world.alive(step)).map(|id| format!("process group {id}")))
    }
}

#[async_trait]
impl WriteProcess for Inside {
    async fn run(&self, command: Command, stop: &Stop) -> Result<Output, Fault> {
        if stop.asked() {
            let text = format!("`{}` was not started: the run wants to end", name(&command));
            return Err(Fault::transient(text));
        }
        let (program, Passage { number, strike }) = self.command(&command, true).await?;
        let mut conduct = Conduct::default();
        match strike {
            Some(Strike::LostBefore) => return Err(unsupervised(&command)),
            Some(Strike::Slow(span)) => conduct.longer = span,
            Some(Strike::Late(span)) => (conduct.longer, conduct.orphan) = (span, true),
            Some(Strike::Reverted(span)) => conduct.reverted = Some(span),
            Some(Strike::Wrong | Strike::Bad) => conduct.idle = true,
            _ => {}
        }
        let started = self.look(|world, now| {
            let other = command.call.as_ref().and_then(|call| world.alive(&call.step));
            other.is_none().then(|| world.start_command(&program, &command, number, conduct, now))
        });
        let Some((id, ends)) = started else {
            return Err(Fault::transient(not_started(&command, "the command before it is still alive")));
        };
        if conduct.orphan {
            return Err(unsupervised(&command));
        }
        let stopped = self.attend(id, ends, command.timeout, stop).await;
        if strike == Some(Strike::LostAfter) {
            return Err(unsupervised(&command));
        }
        if strike == Some(Strike::KillAfter) {
            self.answer(strike.as_ref()).await;
        }
        Ok(match stopped {
            Stopped::Cut => ended(),
            _ if strike == Some(Strike::Bad) => output(1, String::new()),
            how => {
                let (code, stdout) = self.look(|world, _| world.tells(&program.role));
                Output { stopped: how == Stopped::InTime, ..output(code, stdout) }
            }
        })
    }
}

/// How a command came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// By itself.
    Not,
    /// By itself, after it was told to end.
    InTime,
    /// Before its end.
    Cut,
}

impl Inside {
    /// A command comes through; it is not started where it meets what keeps it from that.
    async fn command(&self, command: &Command, run: bool) -> Result<(Program, Passage), Fault> {
        let program = self.look(|world, _| world.program(&command.argv));
        let resource = fmt::from_fn(|f| f.write_str(&command.argv.join(" ")));
        let operation = program.as_ref().map_or(UNKNOWN, |program| program.role.word());
        let writes = run && program.as_ref().is_some_and(|program| program.role.writes());
        let call = Call { service: "process", method: None, operation, resource: &resource, writes };
        let passage = self.enter(&call).await;
        let Some(program) = program else {
            let text = format!("`{}` was not run: the world does not know it", name(command));
            return Err(Fault::blind(text));
        };
        match &passage.strike {
            Some(Strike::Refused { message, .. }) => Err(Fault::permanent(not_started(command, message))),
            Some(Strike::Denied) => Err(Fault::permanent(not_started(command, "permission denied"))),
            Some(Strike::Unavailable) => {
                Err(Fault::transient(not_started(command, "resource temporarily unavailable")))
            }
            _ => Ok((program, passage)),
        }
    }

    /// Waits until a command has ended, and tells it to end when it should. It is told too where nobody waits any more.
    async fn attend(&self, id: u64, ends: crate::plan::Timestamp, timeout: Duration, stop: &Stop) -> Stopped {
        struct Attended<'a>(&'a Inside, u64);
        impl Drop for Attended<'_> {
            fn drop(&mut self) {
                self.0.look(|world, now| world.stop_command(self.1, now));
            }
        }
        let attended = Attended(self, id);
        tokio::select! {
            biased;
            () = self.clock.sleep_until(ends) => return Stopped::Not,
            () = stop.wait() => {}
            () = self.wait(timeout) => {}
        }
        let last = self.look(|world, now| world.stop_command(id, now));
        if let Some(last) = last {
            self.clock.sleep_until(last).await;
        }
        drop(attended);
        if last.is_some_and(|last| last < ends) { Stopped::Cut } else { Stopped::InTime }
    }
}
