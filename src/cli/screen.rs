//! Which renderers show a run, and how its end is told.

use super::stored::Known;
use super::{Context, Exit, Failure, Output};
use crate::plan::{Plan, Timestamp};
use crate::report::{self, Extras, GitHub, JsonLines, Live, Plain, Renderer, Story};
use serde_json::{Value as Json, json};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Renderers for a run that happens now: progress goes to standard error.
pub(super) fn live(context: &Context, plan: &Plan) -> Vec<Box<dyn Renderer>> {
    let looks = context.err;
    match context.output {
        Output::Auto | Output::Live if context.drawable => vec![Box::new(Live::new(plan, looks, size()))],
        Output::Auto | Output::Live | Output::Plain | Output::Json => {
            vec![Box::new(Plain::new(io::stderr(), looks, plan).without_routine())]
        }
        Output::Jsonl => vec![Box::new(JsonLines(io::stdout()))],
        Output::Github => vec![Box::new(GitHub::new(io::stderr(), looks))],
    }
}

/// Standard output, where the result goes. Renderers take no notice of what cannot be written, for a go-live does not end by
/// that; where it is all that is wanted it is no success.
#[derive(Clone, Debug, Default)]
pub(super) struct Out(Arc<Mutex<Option<io::Error>>>);

impl Out {
    fn failed(&self) -> MutexGuard<'_, Option<io::Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first is why.
    fn keep(&self, error: &io::Error) {
        let why = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
        self.failed().get_or_insert(why);
    }

    /// Fails unless all was written, or nobody reads any more.
    pub(super) fn is_whole(&self, context: &Context) -> Result<(), Failure> {
        match self.failed().take() {
            Some(error) if context.is_read() => Err(Failure::unwritten(&error)),
            _ => Ok(()),
        }
    }
}

impl io::Write for Out {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.write_all(text).map(|()| text.len())
    }

    fn write_all(&mut self, text: &[u8]) -> io::Result<()> {
        io::stdout().write_all(text).inspect_err(|error| self.keep(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().inspect_err(|error| self.keep(error))
    }
}

/// Renderers for facts that are themselves the result: they go to standard output.
pub(super) fn result(context: &Context, plan: &Plan, out: &Out) -> Vec<Box<dyn Renderer>> {
    match context.output {
        Output::Json | Output::Jsonl => vec![Box::new(JsonLines(out.clone()))],
        Output::Github => vec![Box::new(GitHub::new(out.clone(), context.out))],
        Output::Auto | Output::Live | Output::Plain => {
            vec![Box::new(Plain::new(out.clone(), context.out, plan))]
        }
    }
}

/// How many lines and columns the terminal has.
fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    size.map_or((24, 80), |size| (size.ws_row.into(), size.ws_col.into()))
}

/// How many columns results have: those of the terminal, or as many as pages are commonly printed with.
pub(super) fn width() -> usize {
    columns().unwrap_or(80)
}

/// How many columns the terminal has that results go to, if it is one.
pub(super) fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Tells how a run ended, or stands.
pub(super) fn tell(
    context: &Context,
    story: &Story,
    now: Timestamp,
    extras: &Extras,
    exit: Option<Exit>,
) -> Result<(), Failure> {
    match context.output {
        Output::Json => {
            let result = report::result_json(story, now, extras, exit.map(Exit::code));
            context.print(&format!("{result:#}\n"))
        }
        // Its last line is a fact: `run.finished`, `run.baking` or `run.paused`.
        Output::Jsonl if exit.is_some() => Ok(()),
        Output::Jsonl => {
            context.print(&format!("{}\n", report::result_json(story, now, extras, exit.map(Exit::code))))
        }
        _ => context.print(&report::summary(story, now, extras, context.out)),
    }
}

/// What a summary of this run tells besides its facts.
pub(super) fn extras(context: &Context, known: &Known, traffic: Vec<String>) -> Extras {
    let mut commands = context.commands.clone();
    commands.driven = known.driven();
    Extras { unread: known.unread.clone(), ..super::actions::extras(&known.story, traffic, commands) }
}

/// A run as the store knows it, for machines.
pub(super) fn object(context: &Context, known: &Known) -> Json {
    let record = &known.record;
    let mut object =
        report::result_json(&known.story, known.now(), &extras(context, known, Vec::new()), None);
    object["created"] = record.created.to_string().into();
    object["plan_digest"] = record.digest.clone().into();
    object["params_digest"] = record.params_digest.clone().into();
    object["sandbox"] = match &record.wiring {
        Some(wiring) => json!({"world": wiring.world, "control": wiring.control}),
        None => Json::Null,
    };
    object["driven_by"] = known.holder.as_ref().filter(|h| !h.gone).map(|h| h.owner.to_string()).into();
    object
}
