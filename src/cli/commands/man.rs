//! `man`: the manual page of the tool, or of a verb.

use crate::cli::{Context, Exit, Failure, command};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Of which verb; without it, of the tool
    #[arg(env = "SWITCHOVER_VERB", hide_env_values = true)]
    verb: Option<String>,
}

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut whole = command();
    whole.build();
    let wanted = match &args.verb {
        None => whole,
        Some(verb) => match whole.find_subcommand(verb) {
            Some(found) => found.clone(),
            None => {
                return Err(Failure::usage(format!("there is no verb `{verb}`"))
                    .hint("`switchover --help` lists them"));
            }
        },
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(wanted).render(&mut page)?;
    context.print(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Done)
}
