//! `exec`: commands of the plan's own: one that does it, and others that say what was there, how it stands, and how it
//! is undone.

use super::{Action, ByHand, Known, Planned, Seen, Toward, refuse_secrets};
use crate::plan::{
    Code, Fields, StepTraits, Template, boolean, duration, integer, list, map, nested, template, text,
};
use crate::port::{Command, Output, Reads, StopWith, Writes};
use crate::run::{Change, Fault, Landed};
use serde::{Deserialize, Serialize};
use serde_json::json;
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
/// Between two looks at something under way.
const AGAIN: Duration = Duration::from_secs(5);
/// How much of what a command said is kept.
const KEPT: usize = 4096;

#[async_trait::async_trait]
impl Action for Exec {
    type Prior = Before;
    type Note = Ran;

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

    async fn plan(&self, reads: &Reads<'_>) -> Result<Planned<Before>, Fault> {
        if self.reads {
            return Ok(Planned::nothing(Before::default(), self.within));
        }
        let mut said = String::new();
        if let Some(prior) = &self.prior {
            let output = self.query(reads, prior, &Before::default()).await?;
            if output.code != Some(0) {
                return Err(told("`prior`", &output, Landed::No));
            }
            said = output.stdout;
        }
        let before = Before { said };
        let there = match &self.check {
            Some(check) => self.query(reads, check, &before).await?.code == Some(0),
            None => false,
        };
        let line = self.run.iter().map(|part| quoted(&part.source())).collect::<Vec<_>>().join(" ");
        let change = Change {
            what: format!("command {line}").into(),
            from: if before.said.is_empty() { "not known".into() } else { before.said.trim().into() },
            to: "as the command leaves it".into(),
        };
        Ok(Planned {
            stages: u32::from(!there),
            call: Some(self.within),
            must_finish: false,
            changes: vec![change],
            ..Planned::nothing(before, self.within)
        })
    }

    async fn apply(&self, writes: &Writes<'_>, _: u32, prior: &Before) -> Result<Option<Ran>, Fault> {
        let command = self.command(&writes.reads(), &self.run, prior)?;
        writes.in_time()?;
        let output = writes.world.run_process().run(command, writes.stop).await?;
        if output.code.is_some_and(|code| self.ok.contains(&i64::from(code))) {
            return Ok(Some(Ran { stdout: tail(&output.stdout) }));
        }
        // What failed half-way may have left something: it is undone.
        Err(told("the command", &output, Landed::Maybe))
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Ran>, Fault> {
        match (toward, &self.check) {
            (Toward::Desired(0), _) if self.reads => self.run_as_check(reads, &record.prior).await,
            (_, Some(check)) => {
                let output = self.query(reads, check, &record.prior).await?;
                match output.code {
                    Some(0) => Ok(Seen::Desired { out: json!({"stdout": ran(record)}) }),
                    Some(10) => Ok(Seen::Prior),
                    Some(11) => Ok(Seen::Moving { note: None, again: AGAIN }),
                    Some(12) => Err(Fault::foreign(format!(
                        "`check` says that it is somebody else's: {}",
                        last(&output)
                    ))),
                    _ => Err(Fault::blind(format!("`check` gives no evidence: {}", last(&output)))),
                }
            }
            (Toward::Desired(0), None) => Ok(Seen::Desired { out: json!({}) }),
            // Without a `check` only its own exit code tells; where that was lost, nobody can.
            (Toward::Desired(_), None) if record.note.is_some() => {
                Ok(Seen::Desired { out: json!({"stdout": ran(record)}) })
            }
            (Toward::Desired(_), None) => {
                Err(Fault::blind("whether the command ran to its end is not known: it has no `check`"))
            }
            (Toward::Prior, None) => Ok(Seen::Prior),
        }
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Ran>, Fault> {
        let Some(undo) = &self.undo else {
            return Err(Fault::permanent("the plan gives no `undo` for this command"));
        };
        let reads = writes.reads();
        if let Some(check) = &self.check {
            match self.query(&reads, check, &record.prior).await?.code {
                Some(10) => return Ok(None),
                Some(12) => {
                    return Err(Fault::foreign("`check` says that it is somebody else's: not undone"));
                }
                _ => {}
            }
        }
        let command = self.command(&reads, undo, &record.prior)?;
        writes.in_time()?;
        let output = writes.world.run_process().run(command, writes.stop).await?;
        match output.code {
            Some(0) => Ok(Some(Ran { stdout: tail(&output.stdout) })),
            _ => Err(told("`undo`", &output, Landed::Maybe)),
        }
    }
}

/// What `prior` said before anything was changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Before {
    said: String,
}

/// What the command said.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ran {
    stdout: String,
}

impl Exec {
    fn command(&self, reads: &Reads<'_>, argv: &[Template], before: &Before) -> Result<Command, Fault> {
        let fill =
            |text: &Template| text.render(reads.scope).map_err(|error| Fault::permanent(error.to_string()));
        let mut environment = self
            .env
            .iter()
            .map(|(name, value)| Ok((name.to_string(), fill(value)?)))
            .collect::<Result<Vec<_>, Fault>>()?;
        environment.push(("SWITCHOVER_PRIOR".into(), before.said.clone()));
        Ok(Command {
            argv: argv.iter().map(fill).collect::<Result<_, _>>()?,
            environment,
            directory: self.directory.as_ref().map(ToString::to_string),
            input: self.input.as_ref().map(fill).transpose()?.unwrap_or_default().into_bytes(),
            stop: self.stop.clone(),
            reads: self.reads,
            timeout: self.within,
        })
    }

    async fn query(&self, reads: &Reads<'_>, argv: &[Template], before: &Before) -> Result<Output, Fault> {
        let command = Command { input: Vec::new(), ..self.command(reads, argv, before)? };
        reads.world.process().query(command).await
    }

    /// A command that changes nothing is a check: its exit code is what it says.
    async fn run_as_check(&self, reads: &Reads<'_>, before: &Before) -> Result<Seen<Ran>, Fault> {
        let output = reads.world.process().query(self.command(reads, &self.run, before)?).await?;
        if output.code.is_some_and(|code| self.ok.contains(&i64::from(code))) {
            return Ok(Seen::Desired { out: json!({"stdout": tail(&output.stdout)}) });
        }
        Err(told("the command", &output, Landed::No))
    }
}

fn ran(record: &Known<Exec>) -> &str {
    record.note.as_ref().map_or("", |note| &note.stdout)
}

fn told(which: &str, output: &Output, landed: Landed) -> Fault {
    let how = match (output.code, output.stopped) {
        (_, true) => "was stopped".to_owned(),
        (Some(code), false) => format!("exited {code}"),
        (None, false) => "was ended by a signal".to_owned(),
    };
    Fault { landed, ..Fault::permanent(format!("{which} {how}: {}", last(output))) }
}

/// The last thing that it said.
fn last(output: &Output) -> String {
    let said = output.stderr.lines().chain(output.stdout.lines()).rfind(|line| !line.trim().is_empty());
    said.unwrap_or("it said nothing").trim().to_owned()
}

/// The end of it, as much as a journal wants.
fn tail(text: &str) -> String {
    let from = text.len().saturating_sub(KEPT);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    text[from..].trim_end().to_owned()
}

/// As a shell takes it.
fn quoted(part: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !part.is_empty() && part.chars().all(plain) {
        return part.to_owned();
    }
    format!("'{}'", part.replace('\'', r"'\''"))
}
