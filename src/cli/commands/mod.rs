//! One file per verb: what it takes, and what it does.

mod abort;
mod approve;
mod completions;
mod explain;
mod export;
mod import;
mod init;
mod log;
mod man;
mod pause;
mod preview;
mod proceed;
mod prune;
mod rehearse;
mod reject;
mod report;
mod resume;
mod retry;
mod rollback;
mod run;
mod runbook;
mod runs;
mod sandbox;
mod schema;
mod serve;
mod settle;
mod skip;
mod status;
pub(super) mod supervise;
mod trigger;
mod validate;
mod watch;

use super::{Context, Exit, Failure};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Write a first plan from what is live; it cannot write anything there
    Init(init::Args),
    /// Say everything that is wrong with a plan
    Validate(validate::Args),
    /// Say what each step would change from what is there now; it cannot write
    Preview(preview::Args),
    /// Say whether a plan ends well, whatever goes wrong at any moment of it; in a world in memory
    Rehearse(rehearse::Args),
    /// Carry a plan out
    Run(run::Args),
    /// Go on with a run whose process is gone
    Resume(resume::Args),
    /// List the runs of this state directory
    Runs(runs::Args),
    /// Say how a run stands, and what to do now
    Status(status::Args),
    /// Show a run as it happens, from any terminal
    Watch(watch::Args),
    /// Print every fact of a run, in order
    Log(log::Args),
    /// Print a run as Markdown
    Report(report::Args),
    /// Write a run out, whole, as JSON lines
    Export(export::Args),
    /// Take in a run that was exported, if its chain holds
    Import(import::Args),
    /// Remove runs that are over and old
    Prune(prune::Args),
    /// Say yes to a step that asks
    Approve(approve::Args),
    /// Say no to a step that asks: the run pauses
    Reject(reject::Args),
    /// Finish what is in flight, and begin nothing new
    Pause(pause::Args),
    /// Go on with a paused run, and try again whatever stopped it
    Continue(proceed::Args),
    /// End a run now, and undo what it did
    Abort(abort::Args),
    /// Undo a run that has stopped or completed
    Rollback(rollback::Args),
    /// Try a failed, foreign or stuck step again
    Retry(retry::Args),
    /// Go on without a failed, foreign or stuck step
    Skip(skip::Args),
    /// Say what became of a step; the world is looked at first
    Settle(settle::Args),
    /// Tell a run to roll back, in place of a person: for alarms and pipelines
    Trigger(trigger::Args),
    /// Hear triggers over HTTP: from Alertmanager, and from scripts that sign what they send
    Serve(serve::Args),
    /// Serve a small cloud on loopback
    Sandbox(sandbox::Args),
    /// Print a plan as a runbook, for when this tool is dead too
    Runbook(runbook::Args),
    /// Say more about a problem's code, a runbook or an exit code
    Explain(explain::Args),
    /// Print the JSON Schema of plans, for editors
    Schema(schema::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page
    Man(man::Args),
}

impl Verb {
    pub(super) fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Init(args) => init::run(&args, context),
            Self::Validate(args) => validate::run(&args, context),
            Self::Preview(args) => preview::run(&args, context),
            Self::Rehearse(args) => rehearse::run(&args, context),
            Self::Run(args) => run::run(&args, context),
            Self::Resume(args) => resume::run(&args, context),
            Self::Runs(args) => runs::run(&args, context),
            Self::Status(args) => status::run(&args, context),
            Self::Watch(args) => watch::run(&args, context),
            Self::Log(args) => log::run(&args, context),
            Self::Report(args) => report::run(&args, context),
            Self::Export(args) => export::run(&args, context),
            Self::Import(args) => import::run(&args, context),
            Self::Prune(args) => prune::run(&args, context),
            Self::Approve(args) => approve::run(&args, context),
            Self::Reject(args) => reject::run(&args, context),
            Self::Pause(args) => pause::run(&args, context),
            Self::Continue(args) => proceed::run(&args, context),
            Self::Abort(args) => abort::run(&args, context),
            Self::Rollback(args) => rollback::run(&args, context),
            Self::Retry(args) => retry::run(&args, context),
            Self::Skip(args) => skip::run(&args, context),
            Self::Settle(args) => settle::run(&args, context),
            Self::Trigger(args) => trigger::run(&args, context),
            Self::Serve(args) => serve::run(&args, context),
            Self::Sandbox(args) => sandbox::run(&args, context),
            Self::Runbook(args) => runbook::run(&args, context),
            Self::Explain(args) => explain::run(&args, context),
            Self::Schema(args) => schema::run(&args, context),
            Self::Completions(args) => completions::run(&args, context),
            Self::Man(args) => man::run(&args, context),
        }
    }
}
