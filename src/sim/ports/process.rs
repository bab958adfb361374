//! Commands have no model: whatever one would say or do here would be made up.

use crate::port::{Command, Output, ReadProcess, Stop, WriteProcess};
use crate::run::Fault;
use async_trait::async_trait;

/// Says of every command that nobody can tell what it does. None was ever started, so nothing is left of any.
pub(super) struct NotModelled;

fn unknown(command: &Command) -> Fault {
    let name = command.argv.first().map_or("", String::as_str);
    Fault::blind(format!("`{name}` was not run: commands are not modelled in a world in memory"))
}

#[async_trait]
impl ReadProcess for NotModelled {
    async fn query(&self, command: Command) -> Result<Output, Fault> {
        Err(unknown(&command))
    }

    fn left_of(&self, _: &str) -> Result<Option<String>, Fault> {
        Ok(None)
    }
}

#[async_trait]
impl WriteProcess for NotModelled {
    async fn run(&self, command: Command, _: &Stop) -> Result<Output, Fault> {
        Err(unknown(&command))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{StopSignal, StopWith};
    use crate::run::FaultKind;
    use crate::sim::VirtualClock;
    use std::time::Duration;

    #[test]
    fn nobody_can_tell_what_a_command_does() {
        let command = Command {
            argv: vec!["true".into()],
            environment: Vec::new(),
            directory: None,
            input: Vec::new(),
            stop: StopWith { signal: StopSignal::Term, grace: Duration::ZERO },
            reads: true,
            timeout: Duration::from_secs(1),
            token: None,
        };
        let clock = VirtualClock::new(crate::plan::Timestamp(0));
        let asked = clock.drive(NotModelled.query(command.clone())).unwrap().unwrap_err();
        let run = clock.drive(NotModelled.run(command, &Stop::default())).unwrap().unwrap_err();
        assert_eq!((asked.kind, run.kind), (FaultKind::Blind, FaultKind::Blind));
        assert!(asked.message.contains("`true`") && asked.message.contains("not modelled"), "{asked}");
    }
}
