//! `explain`: the page of a kind of step or signal, of a problem's code, of a runbook, of an exit code.

use crate::action::Registry;
use crate::cli::{Context, Exit, Failure};
use crate::doc;
use crate::report::Runbook;
use crate::signal::SignalRegistry;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// `dns.switch`, `SW1003`, `R-foreign`, or an exit code; without it, all of them are listed
    #[arg(env = "SWITCHOVER_CODE", hide_env_values = true)]
    code: Option<String>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let Some(code) = &args.code else {
        context.print(&list())?;
        return Ok(Exit::Done);
    };
    if let Some(page) = doc::explain(code).or_else(|| Runbook::find(code).map(Runbook::text)) {
        context.print(&format!("{}\n", page.trim_end()))?;
        return Ok(Exit::Done);
    }
    if let Some(page) = doc::explain_kind(&Registry, &SignalRegistry, code) {
        context.print(&page)?;
        return Ok(Exit::Done);
    }
    let number: Option<u8> = code.parse().ok();
    if let Some(exit) = Exit::ALL.iter().find(|exit| Some(exit.code()) == number) {
        context.print(&format!("exit code {}: {}\n", exit.code(), exit.meaning().trim()))?;
        return Ok(Exit::Done);
    }
    let kinds = doc::kinds(&Registry, &SignalRegistry).into_iter().map(|(name, _)| name);
    let known: Vec<&str> =
        kinds.chain(doc::codes()).chain(Runbook::ALL.iter().map(|page| page.name())).collect();
    let failure = Failure::usage(format!("there is no page on `{code}`"));
    Err(match crate::plan::nearest(code, &known) {
        Some(near) => failure.hint(format!("did you mean `switchover explain {near}`?")),
        None => failure.hint("`switchover explain` lists them"),
    })
}

fn list() -> String {
    let title =
        |page: &'static str| page.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned();
    let kinds = doc::kinds(&Registry, &SignalRegistry).into_iter();
    let mut lines: Vec<String> = kinds.map(|(name, about)| format!("{name:20}  {about}")).collect();
    for code in doc::codes() {
        let text = doc::explain(code).map(title).unwrap_or_default();
        let text = text.strip_prefix(code).map_or(text.as_str(), |rest| rest.trim_start_matches([':', ' ']));
        lines.push(format!("{code:20}  {text}"));
    }
    for page in Runbook::ALL {
        let text = title(page.text());
        let text = text.split_once(": ").map_or(text.as_str(), |(_, text)| text);
        lines.push(format!("{:20}  {text}", page.name()));
    }
    for exit in Exit::ALL {
        lines.push(format!("{:<20}  exit code: {}", exit.code(), exit.meaning().trim()));
    }
    lines.join("\n") + "\n"
}
