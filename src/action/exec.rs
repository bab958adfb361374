//! `exec`: commands of the plan's own: one that does it, and others that say what was there, how it stands, and how it
//! is undone.

use super::{Action, ByHand, Known, Planned, Seen, Toward, fill, known, quoted};
use crate::mutant::{Mistake, on};
use crate::plan::{
    Code, Fields, Scope, StepTraits, Template, boolean, duration, integer, list, map, nested, one_of,
    refuse_secrets, template, text,
};
use crate::port::need::known_text;
use crate::port::need::{Need, Role};
use crate::port::{Call, Command, Output, Reads, StopSignal, StopWith, Writes};
use crate::run::{Change, Fault, Landed};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
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
    locks: Vec<Arc<str>>,
}

/// What was there, in the words of `prior`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Prior {
    stdout: Option<String>,
}

/// What `run` answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    code: Option<i32>,
    stdout: String,
}

/// What is more than this is cut off, and half of what was there restores nothing.
const LONGEST: usize = 64 * 1024;
/// Beyond what a command and its stopping may take.
const MARGIN: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_secs(5);
/// How many lines of what a failed command said are told.
const LINES: usize = 3;
const WITHIN: Duration = Duration::from_secs(30 * 60);
const GRACE: Duration = Duration::from_secs(30);
const SIGNALS: &[(&str, StopSignal)] = &[
    ("HUP", StopSignal::Hup),
    ("INT", StopSignal::Int),
    ("KILL", StopSignal::Kill),
    ("QUIT", StopSignal::Quit),
    ("TERM", StopSignal::Term),
    ("USR1", StopSignal::Usr1),
    ("USR2", StopSignal::Usr2),
];

#[async_trait::async_trait]
impl Action for Exec {
    type Prior = Prior;
    type Note = Note;

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
                let signal = one_of(SIGNALS);
                let signal = fields.or("signal", signal, StopSignal::Term, "the signal that asks it to end");
                let grace = fields.or("grace", duration(), GRACE, "how long it has then");
                Some(StopWith { signal, grace })
            }),
            StopWith { signal: StopSignal::Term, grace: GRACE },
            "how it is stopped",
        );
        let reads = fields.or("reads", boolean(), false, "it changes nothing, so that a preview may run it");
        let within = fields.or("within", duration(), WITHIN, "how long one command may take");
        let locks = fields.or(
            "locks",
            list(text()),
            Vec::new(),
            "names for what it changes: two runs never do at once, and it is looked at until the end",
        );
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
        Some(Self { run: run?, prior, check, undo, ok, env, input, directory, stop, reads, within, locks })
    }

    fn traits(&self) -> StepTraits {
        StepTraits {
            writes: !self.reads,
            has_undo: self.undo.is_some(),
            resources: self.locks.iter().map(|name| format!("exec:{name}")).collect(),
            ..StepTraits::default()
        }
    }

    fn by_hand(&self) -> ByHand {
        ByHand {
            what: format!("run `{}`", line(&self.run)),
            apply: self.prior.iter().chain([&self.run]).map(|argv| line(argv)).collect(),
            expect: match &self.check {
                Some(check) => format!("`{}` exits 0", line(check)),
                None => format!(
                    "it exits {}",
                    self.ok.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
                ),
            },
            undo: self.undo.iter().map(|argv| line(argv)).collect(),
        }
    }

    /// With all that `undo` is given: the folder, what `prior` said, the environment.
    fn undo_by_hand(&self, prior: &Prior, scope: &Scope) -> Vec<String> {
        let Some(argv) = &self.undo else { return Vec::new() };
        let folder = self.directory.as_ref().map(|folder| format!("cd {} && ", quoted(folder)));
        let said = prior.stdout.as_deref();
        let input = said.map(|said| format!("printf %s {} | ", quoted(said)));
        let told = said.map(|said| ("SWITCHOVER_PRIOR".to_owned(), said.trim_end().to_owned()));
        let own = self.env.iter().map(|(name, value)| (name.to_string(), known(value, scope)));
        let environment = own.chain(told).map(|(name, value)| format!("{name}={} ", quoted(&value)));
        let words = argv.iter().map(|part| quoted(&known(part, scope))).collect::<Vec<_>>().join(" ");
        let before = [folder.unwrap_or_default(), input.unwrap_or_default(), environment.collect()].concat();
        vec![format!("{before}{words}")]
    }

    fn needs(&self) -> Vec<Need> {
        let run = (if self.reads { Role::Reads } else { Role::Run }, Some(&self.run));
        let others = [&self.prior, &self.check, &self.undo].map(Option::as_ref);
        let others = [Role::Prior, Role::Check, Role::Undo].into_iter().zip(others);
        let argv = |argv: &Vec<Template>| argv.iter().map(known_text).collect();
        let need = |(role, command): (Role, Option<&Vec<Template>>)| {
            command.map(|command| Need::Command { role, argv: argv(command) })
        };
        std::iter::once(run).chain(others).filter_map(need).collect()
    }

    async fn plan(&self, reads: &Reads<'_>, _: bool) -> Result<Planned<Prior>, Fault> {
        let within = self.within + self.stop.grace + MARGIN;
        if self.reads {
            return Ok(Planned::nothing(Prior::default(), within));
        }
        nothing_left(reads)?;
        let stdout = match &self.prior {
            None => None,
            Some(argv) => {
                let output = reads.world.process().query(self.command(argv, reads.scope, None)?).await?;
                if output.code != Some(0) {
                    return Err(Fault::permanent(failed("prior", &output)));
                }
                if output.stdout.len() >= LONGEST {
                    return Err(Fault::permanent("what `prior` says is longer than 64 KiB".to_owned()));
                }
                Some(output.stdout)
            }
        };
        let prior = Prior { stdout };
        let already = match &self.check {
            None => false,
            Some(argv) => match self.checked(reads, argv, &prior).await? {
                Checked::Desired(_) => true,
                Checked::Before => false,
                Checked::Moving => {
                    return Err(Fault::transient("`check` says that it is under way already".to_owned()));
                }
            },
        };
        let change = Change {
            what: format!("`{}`", line(&self.run)).into(),
            from: prior.stdout.as_deref().map_or("not told", first_line).into(),
            to: "as the command makes it".into(),
        };
        Ok(Planned {
            prior,
            stages: u32::from(!already),
            within,
            call: Some(within),
            must_finish: false,
            changes: if already { Vec::new() } else { vec![change] },
        })
    }

    async fn apply(&self, writes: &Writes<'_>, _: u32, prior: &Prior) -> Result<Option<Note>, Fault> {
        let mut command = self.command(&self.run, writes.scope, Some(prior))?;
        if let Some(input) = &self.input {
            command.input = fill(input, writes.scope)?.into_bytes();
        }
        let output = self.call(writes, command).await?;
        if self.is_success(&output) {
            return Ok(Some(Note { code: output.code, stdout: output.stdout }));
        }
        // It may have done part of its work: that is undone.
        Err(Fault { landed: Landed::Maybe, ..Fault::permanent(failed("run", &output)) })
    }

    async fn look(
        &self,
        reads: &Reads<'_>,
        toward: Toward,
        record: &Known<Self>,
    ) -> Result<Seen<Note>, Fault> {
        nothing_left(reads)?;
        match (toward, self.check.as_ref().filter(|_| !on(Mistake::CheckIgnored))) {
            (Toward::Desired(0), None) if self.reads => self.look_only(reads).await,
            (Toward::Desired(0), None) => Ok(Seen::Desired { out: json!({}) }),
            (Toward::Desired(_), None) => self.look_assumed(record),
            // Without a `check` an undo that ended well is believed.
            (Toward::Prior, None) => Ok(Seen::Prior),
            (toward, Some(argv)) => Ok(match (toward, self.checked(reads, argv, &record.prior).await?) {
                (Toward::Prior | Toward::Desired(_), Checked::Before) => Seen::Prior,
                (Toward::Prior, Checked::Desired(_)) => Seen::Desired { out: Json::Null },
                (Toward::Desired(_), Checked::Desired(stdout)) => {
                    Seen::Desired { out: out(Some(0), record.note.as_ref().map_or(&stdout, |n| &n.stdout)) }
                }
                (_, Checked::Moving) => {
                    (reads.progress)("`check` says that it is under way");
                    Seen::Moving { note: None, again: POLL }
                }
            }),
        }
    }

    fn reads_back(&self) -> bool {
        self.reads || self.check.is_some()
    }

    async fn undo(&self, writes: &Writes<'_>, record: &Known<Self>) -> Result<Option<Note>, Fault> {
        let Some(argv) = &self.undo else { return Ok(None) };
        nothing_left(&writes.reads())?;
        if let Some(check) = &self.check
            && matches!(self.checked(&writes.reads(), check, &record.prior).await?, Checked::Before)
        {
            return Ok(None);
        }
        let output = self.call(writes, self.command(argv, writes.scope, Some(&record.prior))?).await?;
        if self.is_success(&output) {
            return Ok(None);
        }
        // It has ended: nothing of it comes later, so it may be tried again at once.
        Err(Fault::transient(failed("undo", &output)))
    }
}

impl Exec {
    fn command(&self, argv: &[Template], scope: &Scope, prior: Option<&Prior>) -> Result<Command, Fault> {
        let pairs = self.env.iter().map(|(name, value)| Ok((name.to_string(), fill(value, scope)?)));
        let mut environment: Vec<(String, String)> = pairs.collect::<Result<_, Fault>>()?;
        let said = prior.and_then(|prior| prior.stdout.as_deref());
        environment.extend(said.map(|said| ("SWITCHOVER_PRIOR".to_owned(), said.trim_end().to_owned())));
        Ok(Command {
            argv: argv.iter().map(|part| fill(part, scope)).collect::<Result<_, _>>()?,
            environment,
            directory: self.directory.as_ref().map(ToString::to_string),
            input: said.unwrap_or_default().as_bytes().to_vec(),
            stop: self.stop.clone(),
            // Whatever is asked for by reading changes nothing, by the plan's own word.
            reads: true,
            timeout: self.within,
            call: None,
        })
    }

    /// Whoever takes the run over waits for the deadline of the call: by then the command has been stopped.
    async fn call(&self, writes: &Writes<'_>, mut command: Command) -> Result<Output, Fault> {
        let left = writes.until.since(writes.world.clock().now()).saturating_sub(self.stop.grace);
        if left.is_zero() {
            // Time alone is no failure: this machine was asleep, or too busy.
            let fault = if on(Mistake::LateFails) { Fault::permanent } else { Fault::blind };
            return Err(fault("too little was left of the time of this call to start a command"));
        }
        command.timeout = self.within.min(left);
        command.call =
            Some(Call { step: writes.step.to_owned(), token: writes.token.to_owned(), until: writes.until });
        writes.world.run_process().run(command, writes.stop).await
    }

    fn is_success(&self, output: &Output) -> bool {
        !output.stopped && output.code.is_some_and(|code| self.ok.contains(&code.into()))
    }

    /// A command that changes nothing is the check itself.
    async fn look_only(&self, reads: &Reads<'_>) -> Result<Seen<Note>, Fault> {
        let mut command = self.command(&self.run, reads.scope, None)?;
        if let Some(input) = &self.input {
            command.input = fill(input, reads.scope)?.into_bytes();
        }
        let output = reads.world.process().query(command).await?;
        if self.is_success(&output) {
            return Ok(Seen::Desired { out: out(output.code, &output.stdout) });
        }
        Err(Fault::permanent(failed("run", &output)))
    }

    /// Nothing tells how it stands but the answer of the command itself.
    fn look_assumed(&self, record: &Known<Self>) -> Result<Seen<Note>, Fault> {
        match &record.note {
            Some(note) => Ok(Seen::Desired { out: out(note.code, &note.stdout) }),
            None => Err(Fault::blind(format!(
                "the answer of `{}` was lost, and without a `check` nobody can tell what it did: look, and say so \
                 with `settle`",
                line(&self.run)
            ))),
        }
    }

    async fn checked(&self, reads: &Reads<'_>, argv: &[Template], prior: &Prior) -> Result<Checked, Fault> {
        let output = reads.world.process().query(self.command(argv, reads.scope, Some(prior))?).await?;
        match output.code {
            _ if output.stopped => Err(Fault::blind(failed("check", &output))),
            Some(0) => Ok(Checked::Desired(output.stdout)),
            Some(10) => Ok(Checked::Before),
            Some(11) => Ok(Checked::Moving),
            Some(12) => {
                let text = [output.stderr.trim(), output.stdout.trim()].join(" ");
                Err(Fault::foreign(format!("`check` says that somebody else changed it: {}", text.trim())))
            }
            _ => Err(Fault::blind(failed("check", &output))),
        }
    }
}

/// A command whose answer was lost, or that outlived its tool, is given its grace: until it is over, nothing that is seen
/// will last.
fn nothing_left(reads: &Reads<'_>) -> Result<(), Fault> {
    match reads.world.process().left_of(reads.step)? {
        None => Ok(()),
        Some(left) => {
            let text = format!("the command that was started before is still alive: {left}");
            Err(Fault::transient(text))
        }
    }
}

/// What `check` says.
enum Checked {
    /// As `run` makes it; with its output.
    Desired(String),
    /// As before.
    Before,
    /// Under way.
    Moving,
}

fn line(argv: &[Template]) -> String {
    argv.iter().map(|part| quoted(&part.source())).collect::<Vec<_>>().join(" ")
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// What later steps may read.
fn out(code: Option<i32>, stdout: &str) -> Json {
    let stdout = stdout.trim_end();
    json!({"code": code, "stdout": stdout, "json": serde_json::from_str::<Json>(stdout).ok()})
}

/// How a command ended, with the last that it said.
fn failed(which: &str, output: &Output) -> String {
    let how = match output.code {
        _ if output.stopped => "was stopped before its end".to_owned(),
        Some(code) => format!("exited with {code}"),
        None => "was ended by a signal".to_owned(),
    };
    let said = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let lines: Vec<&str> = said.trim().lines().collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join(" / ");
    if last.is_empty() { format!("`{which}` {how}") } else { format!("`{which}` {how}: {last}") }
}
