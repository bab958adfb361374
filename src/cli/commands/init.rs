//! `init`: a first plan, from what is live. It reads, and has no way to write anything but the file.

use crate::action::Registry;
use crate::adapter::{Preview as PreviewWorld, SystemClock, inventory};
use crate::cli::sandbox::{self, PlaceArgs};
use crate::cli::{Context, Exit, Failure, context, runtime};
use crate::doc::{self, Inputs, Reading, Stored};
use crate::draft::{self, Found, Refusal, Wanted};
use crate::plan::{Code, Problem, Severity};
use crate::port::Wiring;
use crate::port::dns::Name;
use crate::report::{Runbook, quoted};
use crate::signal::SignalRegistry;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("from").required(true).multiple(true)))]
pub(in crate::cli) struct Args {
    /// A service that the plan deploys
    #[arg(long, env = "SWITCHOVER_FROM_ECS", hide_env_values = true, value_name = "CLUSTER/SERVICE")]
    #[arg(group = "from", value_parser = Pair::service)]
    from_ecs: Option<Pair>,
    /// A record that the plan switches; the zone by its name or its id, `@` is the zone's own name
    #[arg(long, env = "SWITCHOVER_FROM_ROUTE53", hide_env_values = true, value_name = "ZONE/NAME")]
    #[arg(group = "from", value_parser = Pair::record)]
    from_route53: Option<Pair>,
    /// Where the record shall lead: a load balancer of the account [default: the one that the service stands behind]
    #[arg(long, env = "SWITCHOVER_TO_LOAD_BALANCER", hide_env_values = true, value_name = "NAME")]
    #[arg(requires = "from_route53", conflicts_with = "to_cname")]
    to_load_balancer: Option<String>,
    /// Where the record shall lead: another name
    #[arg(long, env = "SWITCHOVER_TO_CNAME", hide_env_values = true, value_name = "NAME")]
    #[arg(requires = "from_route53")]
    to_cname: Option<String>,
    /// The profile of the credentials; the plan names it [default: the one of AWS_PROFILE]
    #[arg(long, env = "SWITCHOVER_PROFILE", hide_env_values = true, value_name = "NAME")]
    profile: Option<String>,
    /// The region [default: the one that this shell, or the profile, is set to]
    #[arg(long, env = "SWITCHOVER_REGION", hide_env_values = true, value_name = "NAME")]
    region: Option<String>,
    /// Write the plan to this file, which must not be there [default: standard output]
    #[arg(long, env = "SWITCHOVER_TO", hide_env_values = true, value_name = "FILE")]
    to: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Two names with a slash between.
#[derive(Clone, Debug)]
struct Pair(String, String);

impl Pair {
    fn service(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((cluster, service))
                if !cluster.is_empty() && !service.is_empty() && !service.contains('/') =>
            {
                Ok(Self(cluster.to_owned(), service.to_owned()))
            }
            _ => Err("write the cluster, a slash, and the service, as in `aep-prod/aep-backend`".into()),
        }
    }

    fn record(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((zone, name)) if !zone.is_empty() && !name.is_empty() => {
                Ok(Self(zone.to_owned(), name.to_owned()))
            }
            _ => Err(
                "write the zone, a slash, and the name, as in `example.com/app`; the zone's own name is `@`"
                    .into(),
            ),
        }
    }
}

/// A param has no value: that is for people to fill in.
const MISSING: Code = Code("SW1023");
/// The world of a sandbox that is started for a draft, unless one is named.
const HOME: &str = "aep.yaml";

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if let Some(file) = args.to.as_ref().filter(|file| file.exists()) {
        return Err(Failure::usage(format!("{} is there already", file.display()))
            .hint("`init` writes over nothing: name another file"));
    }
    let wiring = args.place.open(context, Path::new(HOME))?;
    let found = runtime()?.block_on(look(args, context, wiring.as_ref()));
    if let Some(wiring) = &wiring {
        sandbox::close(wiring)?;
    }
    let text = draft::write(&found?);
    let name = args.to.as_ref().map_or_else(|| "plan.yaml".to_owned(), |file| file.display().to_string());
    let reading =
        doc::read(&name, text.as_bytes(), &Stored::default(), &Inputs::default(), &Registry, &SignalRegistry);
    if errors(&reading).any(|problem| problem.code != MISSING) {
        say_problems(context, &reading);
        return Err(Failure::usage(
            "of what was read and told no sound plan can be made; nothing was written",
        ));
    }
    match &args.to {
        None => context.print(&text)?,
        Some(file) => create(file, &text)?,
    }
    tell(args, context, &name, &reading);
    Ok(Exit::Done)
}

/// Writes a file that is not there.
fn create(file: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = File::create_new(file)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write()
        .map_err(|error| Failure::usage(format!("{} cannot be written", file.display())).from_error(&error))
}

fn errors(reading: &Reading) -> impl Iterator<Item = &Problem> {
    reading.problems.iter().filter(|problem| problem.severity == Severity::Error)
}

fn say_problems(context: &Context, reading: &Reading) {
    if !reading.problems.is_empty() {
        let text = doc::render(&reading.problems, &reading.sources, context.err.colour, context.err.ascii);
        context.say(text.trim_end());
    }
}

/// What is left to do.
fn tell(args: &Args, context: &Context, name: &str, reading: &Reading) {
    say_problems(context, reading);
    let written = match &args.to {
        Some(_) => format!("{name} is written; nothing else was changed"),
        None => "nothing was changed".to_owned(),
    };
    context.say(&match errors(reading).count() {
        0 => written,
        1 => format!("{written}; one thing is to be filled in"),
        many => format!("{written}; {many} things are to be filled in"),
    });
    if args.to.is_some() {
        context.say(&format!("next: `switchover preview {}`", quoted(name)));
    }
}

async fn look(args: &Args, context: &Context, wiring: Option<&Wiring>) -> Result<Found, Failure> {
    let clock = wiring.map_or_else(SystemClock::wall, |wiring| SystemClock::scaled(wiring.time));
    let profile = args.profile.clone().or_else(context::aws_profile);
    let asked =
        inventory(profile.as_deref(), args.region.as_deref(), Arc::new(clock), wiring, &context.budgets)
            .await;
    let (caller, inventory) = asked.map_err(|fault| refused(Refusal::Unseen(fault)))?;
    let zone = match &args.from_route53 {
        Some(Pair(zone, _)) => Some(draft::zone(&*inventory, zone).await.map_err(refused)?),
        None => None,
    };
    let targets = draft::targets(&caller, zone.as_ref());
    let world = PreviewWorld::of(&targets, wiring.cloned(), context.supervision(), &context.budgets);
    let record = zone.zip(args.from_route53.as_ref()).map(|(zone, Pair(_, name))| {
        let name = Name::within(name, &zone.name);
        (zone, name)
    });
    let wanted = Wanted {
        service: args.from_ecs.clone().map(|Pair(cluster, service)| (cluster, service)),
        record,
        to_balancer: args.to_load_balancer.clone(),
        to_cname: args.to_cname.clone(),
    };
    draft::survey(&wanted, &caller, &*inventory, &world).await.map_err(refused)
}

fn refused(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Unfit { what, hint } => {
            let failure = Failure::usage(what);
            hint.into_iter().fold(failure, Failure::hint)
        }
        Refusal::Unseen(fault) => {
            Failure::new(Exit::Credentials, "what is live could not be read; no plan was written")
                .because(fault.to_string())
                .see(Runbook::Credentials)
        }
    }
}
