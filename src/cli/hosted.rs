//! Runs that nobody drives, driven in this process beside whatever else it does: each in a task of its own, and each line
//! that is said of one names it.

use super::{Context, Failure, operate, stored};
use crate::driver::Interruption;
use crate::report::Plain;
use crate::store::RunId;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Those runs.
#[derive(Debug)]
pub(super) struct Hosted {
    context: Context,
    runtime: Handle,
    /// One for all of them: this process stops, or goes on.
    interruption: Interruption,
    tasks: Mutex<JoinSet<()>>,
}

impl Hosted {
    /// None yet; they share the runtime that this is called on.
    pub(super) fn new(context: Context) -> Self {
        let (interruption, tasks) = (Interruption::default(), Mutex::default());
        Self { context, runtime: Handle::current(), interruption, tasks }
    }

    /// Drives one more. What keeps it from being driven is said where all else of it is.
    ///
    /// # Errors
    /// This process is asked to stop.
    pub(super) fn take_up(&self, run: &RunId) -> Result<(), &'static str> {
        if self.interruption.is_asked() {
            return Err("this server is stopping");
        }
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        let driving = drive(self.context.clone(), run.clone(), self.interruption.clone());
        tasks.spawn_on(driving, &self.runtime);
        Ok(())
    }

    /// The first time: calls under way finish, then each run pauses. The second time: at once.
    pub(super) fn stop(&self) {
        self.interruption.ask();
    }

    /// How many are driven now.
    pub(super) fn count(&self) -> usize {
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.len()
    }

    /// Waits until none is driven any more.
    pub(super) async fn ended(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks());
        while tasks.join_next().await.is_some() {}
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn drive(context: Context, run: RunId, interruption: Interruption) {
    let mut said = Named::new(&run, io::stderr());
    let looks = context.err;
    if let Err(failure) = driven(context, run, interruption).await {
        // Nobody is there to be told that nobody is there.
        let _ = said.write_all(failure.render(looks).as_bytes());
    }
}

async fn driven(context: Context, run: RunId, interruption: Interruption) -> Result<(), Failure> {
    let reading = context.clone();
    let found = tokio::task::spawn_blocking(move || {
        let store = Arc::new(stored::open(&reading)?);
        let known = stored::look(&reading, &*store, &run)?;
        Ok::<_, Failure>((store, known))
    });
    let (store, known) = found.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    let named = Named::new(&known.record.id, io::stderr());
    let lines = Plain::new(named, context.err, &known.plan).without_routine();
    operate::drive_beside(&context, store, known, interruption, Box::new(lines)).await
}

/// Writes whole lines, each with the run that it is about: several write to one place.
struct Named<W> {
    name: String,
    line: Vec<u8>,
    out: W,
}

impl<W: Write> Named<W> {
    fn new(run: &RunId, out: W) -> Self {
        let name = format!("{run} ");
        Self { line: name.clone().into(), name, out }
    }
}

impl<W: Write> Write for Named<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::replace(&mut self.line, self.name.clone().into());
                self.out.write_all(&line)?;
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_written_at_once_and_names_its_run() {
        #[derive(Default)]
        struct Pieces(Vec<String>);
        impl Write for Pieces {
            fn write(&mut self, text: &[u8]) -> io::Result<usize> {
                self.0.push(String::from_utf8_lossy(text).into_owned());
                Ok(text.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut named = Named::new(&RunId("01K".into()), Pieces::default());
        write!(named, "so{} ", 1).unwrap();
        write!(named, "much\nand more\n  of").unwrap();
        assert_eq!(named.out.0, ["01K so1 much\n", "01K and more\n"]);
    }
}
