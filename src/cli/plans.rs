//! Plans, from files and from runs that were started.

use super::connected::unreadable;
use super::context::param_variables;
use super::{Context, Exit, Failure};
use crate::action::Registry;
use crate::adapter::PlanFiles;
use crate::doc::{self, Inputs, Reading};
use crate::driver::locked;
use crate::plan::{Plan, Severity};
use crate::report::quoted;
use crate::signal::SignalRegistry;
use crate::store::RunRecord;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A plan file and values for its params.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PlanArgs {
    /// The plan
    #[arg(env = "SWITCHOVER_PLAN", hide_env_values = true, value_name = "PLAN")]
    pub(super) plan: PathBuf,
    /// A value for a param; may be repeated
    #[arg(long, env = "SWITCHOVER_SET", hide_env_values = true, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// A file with values for params; may be repeated, the last one wins
    #[arg(long, env = "SWITCHOVER_PARAMS", hide_env_values = true, value_name = "FILE")]
    params: Vec<PathBuf>,
}

/// A plan that makes sense.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    /// The plan.
    pub(super) plan: Arc<Plan>,
    /// What came of reading it.
    pub(super) reading: Reading,
    /// Where it stands: commands of its steps run there.
    pub(super) folder: PathBuf,
}

impl Loaded {
    /// Only what may be done ahead.
    pub(super) fn only_prepare(&self) -> Result<Arc<Plan>, Failure> {
        self.reading.plan.as_ref().map_or_else(|| Ok(self.plan.clone()), |plan| to_run(&plan.only_prepare()))
    }
}

impl PlanArgs {
    /// Refuses a file that is not there, before anything is made for it.
    pub(super) fn exists(&self) -> Result<(), Failure> {
        if self.plan.is_file() { Ok(()) } else { self.read(BTreeMap::new()).map(drop) }
    }

    /// As it was given, for commands that people repeat.
    pub(super) fn again(&self) -> String {
        let mut words = vec![quoted(&self.plan.display().to_string())];
        words.extend(self.set.iter().map(|set| format!("--set {}", quoted(set))));
        words.extend(
            self.params.iter().map(|file| format!("--params {}", quoted(&file.display().to_string()))),
        );
        words.join(" ")
    }

    /// Reads the file, whatever is wrong with it. `given` are values that a world states.
    pub(super) fn read(&self, given: BTreeMap<String, serde_json::Value>) -> Result<Reading, Failure> {
        let bytes = PlanFiles::open(&self.plan).map_err(|why| {
            let failure =
                Failure::new(Exit::Invalid, format!("the plan {} cannot be read", self.plan.display()));
            let failure = failure.because(why);
            match near(&self.plan) {
                Some(near) => failure.hint(format!("there is {}", near.display())),
                None => failure,
            }
        })?;
        let inputs = self.inputs(given)?;
        let files = PlanFiles::beside(&self.plan);
        let name = self.plan.display().to_string();
        Ok(doc::read(&name, &bytes, &files, &inputs, &Registry, &SignalRegistry))
    }

    /// Reads the file, says what is wrong with it, and refuses it if it makes no sense.
    pub(super) fn load(
        &self,
        context: &Context,
        given: BTreeMap<String, serde_json::Value>,
    ) -> Result<Loaded, Failure> {
        let reading = self.read(given)?;
        if !reading.problems.is_empty() {
            let text =
                doc::render(&reading.problems, &reading.sources, context.err.colour, context.err.ascii);
            context.say(text.trim_end());
        }
        let errors = reading.problems.iter().filter(|p| p.severity == Severity::Error).count();
        match &reading.plan {
            Some(plan) => Ok(Loaded { plan: to_run(plan)?, folder: folder(&self.plan), reading }),
            None => Err(invalid(&self.plan.display().to_string(), errors, &reading)),
        }
    }

    fn inputs(&self, given: BTreeMap<String, serde_json::Value>) -> Result<Inputs, Failure> {
        let pair = |text: &String| match text.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => {
                Err(Failure::usage(format!("`--set {text}` has no `=`")).hint("write `--set name=value`"))
            }
        };
        let file = |path: &PathBuf| match PlanFiles::open(path) {
            Ok(bytes) => Ok((path.display().to_string(), bytes)),
            Err(why) => {
                Err(Failure::new(Exit::Invalid, format!("the params {} cannot be read", path.display()))
                    .because(why))
            }
        };
        Ok(Inputs {
            set: self.set.iter().map(pair).collect::<Result<_, _>>()?,
            env: param_variables(),
            files: self.params.iter().map(file).collect::<Result<_, _>>()?,
            given,
        })
    }
}

/// Refuses a plan.
pub(super) fn invalid(name: &str, errors: usize, reading: &Reading) -> Failure {
    let s = if errors == 1 { "" } else { "s" };
    let failure = Failure::new(Exit::Invalid, format!("{name} has {errors} error{s}; nothing was run"));
    match reading.problems.iter().find(|p| p.severity == Severity::Error) {
        Some(first) => {
            failure.hint(format!("`switchover explain {}` says more about the first", first.code.0))
        }
        None => failure,
    }
}

/// A plan as it is run: with the lock in the world around it, where it takes one.
fn to_run(plan: &Plan) -> Result<Arc<Plan>, Failure> {
    locked(plan).map(Arc::new).map_err(|faults| unreadable(&faults))
}

/// The plan of a run that was started: its own text, whatever the file says now.
///
/// # Errors
/// Why this version cannot read it.
pub(super) fn of_run(record: &RunRecord) -> Result<Arc<Plan>, String> {
    let (name, text) =
        record.sources.first().map_or(("plan", ""), |source| (source.name.as_str(), source.text.as_str()));
    let kept = record.sources.iter().map(|source| (source.name.clone(), source.text.clone())).collect();
    let given = record.params.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let inputs = Inputs { given, ..Inputs::default() };
    let reading = doc::read(name, text.as_bytes(), &doc::Stored(kept), &inputs, &Registry, &SignalRegistry);
    match reading.plan {
        Some(plan) => {
            let plan = if record.only_prepare { plan.only_prepare() } else { plan };
            let plan = if record.world_lock { locked(&plan) } else { Ok(plan) };
            plan.map(Arc::new)
                .map_err(|faults| faults.first().map_or_else(String::new, std::string::ToString::to_string))
        }
        None => {
            let first = reading.problems.iter().find(|p| p.severity == Severity::Error);
            Err(first.map_or("it makes no sense to this version".into(), |p| p.message.clone()))
        }
    }
}

/// Where the plan of a run stands.
pub(super) fn folder_of(record: &RunRecord) -> PathBuf {
    record.sources.first().map(|source| folder(Path::new(&source.name))).unwrap_or_default()
}

/// The folder of a plan, from the root: a run may be resumed from anywhere.
fn folder(plan: &Path) -> PathBuf {
    let whole = std::path::absolute(plan).unwrap_or_else(|_| plan.to_owned());
    whole.parent().map(Path::to_owned).unwrap_or_default()
}

/// A file of nearly this name, beside where it was looked for.
fn near(path: &Path) -> Option<PathBuf> {
    let wanted = path.file_name()?.to_str()?.to_owned();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let known: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| Path::new(name).extension().is_some_and(|e| e == "yaml"))
        .collect();
    crate::plan::nearest(&wanted, &known).map(|name| path.with_file_name(name))
}
