//! `exec`: commands of the plan's own: one that does it, and others that say what was there, how it stands, and how it
//! is undone.

use super::{Action, ByHand, Known, Planned, Seen, Toward, refuse_secrets};
use crate::plan::{
    Code, Fields, StepTraits, Template, boolean, duration, integer, list, map, nested, template, text,
};
use crate::port::{Reads, StopWith, Writes};
use crate::run::Fault;
use std::{sync::Arc, time::Duration};

/// Commands of the plan's own.
#[derive(Debug)]
pub(super) struct Exec {
    run: Vec<Template>,
    prior: Option<Vec<Template>>,
    check: Option<Vec<Template>>,
    undo: Option<Vec<Template>>,
    ok: Vec<i64>,
    env: Vec<(Arc<str>, Template)>,
    input: Option<Template>,
    directory: Option<Arc<str>>,
    stop: StopWith,
    reads: bool,
    within: Duration,
}

const WITHIN: Duration = Duration::from_secs(30 * 60);
const GRACE: Duration = Duration::from_secs(30);

#[async_trait::async_trait]
impl Action for Exec {
    type Prior = ();
    type Note = ();

    fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let argv = || list(template());
        let run = fields.required("run", argv(), "does it: program and arguments, no shell");
        let prior = fields.optional("prior", argv(), "says what is there; changes nothing");
        let check = fields.optional(
            "check",
            argv(),
            "exits 0 as desired, 10 as before, 11 moving, 12 somebody else's",
        );
        let undo = fields.optional("undo", argv(), "puts back what `prior` said");
        let ok = fields.or("ok", list(integer(0..=255)), vec![0], "exit codes of success");
        let env =
            fields.or("env", map(template()), Vec::new(), "added to the environment; secrets belong here");
        let input = fields.optional("input", template(), "given to `run` on standard input");
        let directory = fields.optional("directory", text(), "where they run; without it, the plan's folder");
        let stop = fields.or(
            "stop",
            nested(|fields| {
                let signal = fields.or("signal", text(), "TERM".into(), "the signal that asks it to end");
                let grace = fields.or("grace", duration(), GRACE, "how long it has then");
                Some(StopWith { signal: signal.to_string(), grace })
            }),
            StopWith { signal: "TERM".into(), grace: GRACE },
            "how it is stopped",
        );
        let reads = fields.or("reads", boolean(), false, "it changes nothing, so that a preview may run it");
        let within = fields.or("within", duration(), WITHIN, "how long one command may take");
        let commands = [
            ("run", run.as_ref()),
            ("prior", prior.as_ref()),
            ("check", check.as_ref()),
            ("undo", undo.as_ref()),
        ];
        for (name, command) in commands {
            if let Some(command) = command {
                refuse_secrets(fields, name, command);
                if command.is_empty() {
                    let span = fields.span_of(name);
                    fields.problems().error(Code("SW2003"), span, format!("`{name}` names no program"));
                }
            }
        }
        if reads && undo.is_some() {
            let span = fields.span_of("undo");
            fields.problems().error(Code("SW2003"), span, "what changes nothing (`reads: true`) has no undo");
        }
        if undo.is_some() && check.is_none() {
            let span = fields.span_of("undo");
            fields
                .problems()
                .warn(Code("SW2009"), span, "nothing reads back what `undo` did: it is assumed")
                .help("give a `check` that exits 0 as desired and 10 as before");
        }
        Some(Self { run: run?, prior, check, undo, ok, env, input, directory, stop, reads, within })
    }

    fn traits(&self) -> StepTraits {
        StepTraits { writes: !self.reads, has_undo: self.undo.is_some(), ..StepTraits::default() }
    }

    fn by_hand(&self) -> ByHand {
        let line = |argv: &Vec<Template>| {
            argv.iter().map(|part| quoted(&part.source())).collect::<Vec<_>>().join(" ")
        };
        ByHand {
            what: format!("run `{}`", line(&self.run)),
            apply: self.prior.iter().chain([&self.run]).map(line).collect(),
            expect: match &self.check {
                Some(check) => format!("`{}` exits 0", line(check)),
                None => format!(
                    "it exits {}",
                    self.ok.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
                ),
            },
            undo: self.undo.iter().map(line).collect(),
        }
    }

    async fn plan(&self, _reads: &Reads<'_>) -> Result<Planned<Self::Prior>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }

    async fn apply(
        &self,
        _writes: &Writes<'_>,
        _stage: u32,
        _prior: &Self::Prior,
    ) -> Result<Option<Self::Note>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }

    async fn look(
        &self,
        _reads: &Reads<'_>,
        _toward: Toward,
        _record: &Known<Self>,
    ) -> Result<Seen<Self::Note>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }

    async fn undo(&self, _writes: &Writes<'_>, _record: &Known<Self>) -> Result<Option<Self::Note>, Fault> {
        Err(Fault::permanent("this kind of step is not here yet"))
    }
}

/// As a shell takes it.
fn quoted(part: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !part.is_empty() && part.chars().all(plain) {
        return part.to_owned();
    }
    format!("'{}'", part.replace('\'', r"'\''"))
}
