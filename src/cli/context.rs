//! Where a verb runs: the state directory, the terminal, who is there. The only place that reads the environment.

use super::{Failure, Globals};
use crate::adapter::{Budgets, Supervision};
use crate::mutant::{Mistake, on};
use crate::report::{Commands, Looks};
use crate::store::Faults;
use etcetera::BaseStrategy;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// How results and progress are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// `live` on a terminal, `plain` elsewhere
    #[default]
    Auto,
    /// a tree that is drawn over and over (falls back to `plain` without a terminal)
    Live,
    /// one timestamped line a fact
    Plain,
    /// one object at the end, on standard output
    Json,
    /// one object a fact, on standard output
    Jsonl,
    /// lines with GitHub annotations
    Github,
}

/// Where a verb runs.
#[derive(Clone, Debug)]
pub struct Context {
    /// Where runs are kept.
    pub state_dir: PathBuf,
    /// How to write.
    pub output: Output,
    /// What standard output can show.
    pub out: Looks,
    /// What standard error can show.
    pub err: Looks,
    /// Somebody can answer questions.
    pub interactive: bool,
    /// Standard error can be drawn on.
    pub drawable: bool,
    /// Who is there, as the plan's `people` name them.
    pub who: String,
    /// They said so themselves.
    pub named: bool,
    /// How commands are written for people.
    pub commands: Commands,
    /// What goes wrong on purpose with runs in a sandbox.
    pub faults: Faults,
    /// How often AWS is asked: all runs of this process share it.
    pub budgets: Budgets,
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn text(name: &str) -> Option<String> {
    variable(name).and_then(|value| value.into_string().ok())
}

/// All variables that set params: `SWITCHOVER_PARAM_NAME`.
#[must_use]
pub(super) fn param_variables() -> Vec<(String, String)> {
    let ours = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("SWITCHOVER_PARAM_"))?;
        Some((name, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(ours).collect()
}

/// The profile that this shell is set to: a plan that names it means the same in another shell.
#[must_use]
pub(super) fn aws_profile() -> Option<String> {
    text("AWS_PROFILE").filter(|profile| !profile.is_empty())
}

/// The variables that say what opens the ways in of `serve`.
pub(super) const SERVE_TOKEN: &str = "SWITCHOVER_SERVE_TOKEN";
pub(super) const SERVE_SECRET: &str = "SWITCHOVER_SERVE_SECRET";

/// What opens a way in of `serve`: a file says it, or this variable. Never an argument, which everybody on the machine sees.
///
/// # Errors
/// It cannot be read.
pub(super) fn secret(file: Option<&Path>, name: &str) -> Result<Option<String>, Failure> {
    let Some(file) = file else { return Ok(text(name)) };
    let read = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("{} cannot be read", file.display())).because(error.to_string())
    })?;
    Ok(Some(read.trim_end_matches(['\n', '\r']).to_owned()))
}

impl Context {
    /// Looks around.
    ///
    /// # Errors
    /// There is no home directory, and no `--state-dir` either.
    pub fn new(globals: &Globals) -> Result<Self, Failure> {
        let state_dir = match &globals.state_dir {
            Some(given) => given.clone(),
            None => default_state_dir()?,
        };
        // One that does not say what it is can be drawn on no better.
        let dumb = text("TERM").is_none_or(|term| term == "dumb");
        let utf8 = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| text(name)).is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        let forced = text("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        let refused = variable("NO_COLOR").is_some() || text("CLICOLOR").is_some_and(|value| value == "0");
        let looks =
            |terminal: bool| Looks { colour: !refused && (forced || (terminal && !dumb)), ascii: !utf8 };
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let ci = variable("CI").is_some();
        let suffix = match &globals.state_dir {
            Some(given) => format!(" --state-dir {}", crate::report::quoted(&given.display().to_string())),
            None => String::new(),
        };
        Ok(Self {
            state_dir,
            output: globals.output,
            out: looks(out),
            err: looks(err),
            interactive: err && io::stdin().is_terminal() && !ci,
            drawable: err && !dumb && !ci,
            named: globals.name.is_some(),
            who: globals.name.clone().unwrap_or_else(somebody),
            commands: Commands { suffix, driven: false },
            faults: globals.faults.unwrap_or_default(),
            budgets: Budgets::default(),
        })
    }

    /// What a plan's commands are watched over with: this binary, also once another version has been put in its place.
    #[must_use]
    pub fn supervision(&self) -> Supervision {
        let same = Path::new("/proc/self/exe");
        let program =
            if same.exists() { same.to_owned() } else { std::env::current_exe().unwrap_or_default() };
        let traces = self.state_dir.join("commands");
        // Commands run in folders of their own.
        let traces = std::path::absolute(&traces).unwrap_or(traces);
        // Who may trigger a run is not told to what runs in it.
        Supervision { program, traces, withheld: &[SERVE_TOKEN, SERVE_SECRET] }
    }

    /// Somebody may read standard output still: it is neither a pipe whose reader went away (`| head`) nor a terminal that
    /// was closed.
    #[must_use]
    pub fn is_read(&self) -> bool {
        let stdout = io::stdout();
        let mut one = [PollFd::new(&stdout, PollFlags::empty())];
        let gone = PollFlags::ERR | PollFlags::HUP;
        let polled = poll(&mut one, Some(&Timespec::default()));
        polled.is_err() || !one[0].revents().intersects(gone) || on(Mistake::ReaderAssumed)
    }

    /// Writes the result. A reader who went away is no failure.
    ///
    /// # Errors
    /// Standard output cannot be written for another reason, such as a full disk.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if self.is_read() => Err(Failure::unwritten(&error)),
            _ => Ok(()),
        }
    }

    /// Says something beside the result.
    pub fn say(&self, text: &str) {
        let mut err = io::stderr().lock();
        // Nobody is there to be told that nobody is there.
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.write_all(b"\n"));
    }

    /// The command that is wanted as JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        matches!(self.output, Output::Json | Output::Jsonl)
    }

    /// Asks a question on the terminal. `None` at the end of the input.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub fn ask(&self, question: &str) -> Result<Option<String>, Failure> {
        let mut err = io::stderr().lock();
        err.write_all(question.as_bytes()).and_then(|()| err.flush())?;
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer)?;
        Ok((read > 0).then(|| answer.trim().to_owned()))
    }
}

fn default_state_dir() -> Result<PathBuf, Failure> {
    let nowhere = || {
        Failure::usage("there is no home directory to keep runs in")
            .hint("name a directory with --state-dir or SWITCHOVER_STATE_DIR")
    };
    let base = etcetera::base_strategy::Xdg::new().map_err(|_| nowhere())?;
    base.state_dir().map(|dir| dir.join("switchover")).ok_or_else(nowhere)
}

/// `user@host`, where nobody said who they are.
fn somebody() -> String {
    let user = text("USER").or_else(|| text("LOGNAME")).or_else(account).unwrap_or_else(|| "somebody".into());
    format!("{user}@{}", crate::store::Owner::this_process().host)
}

/// The name of the account that we run as.
fn account() -> Option<String> {
    let own = rustix::process::getuid().as_raw().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next()?, fields.nth(1)?);
        (uid == own).then(|| name.to_owned())
    })
}
