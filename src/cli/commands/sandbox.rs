//! `sandbox`: a small cloud on loopback, for `run --sandbox`, and for the `aws` command line and `dig`.

use crate::cli::sandbox::{WorldArgs, lines, read_world};
use crate::cli::{Context, Exit, Failure, runtime};
use crate::sandbox::{self as worlds, Options};
use serde_json::json;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Serve a world until Ctrl-C, and print the environment to export
    Up(Serve),
    /// Serve a world for a run: prints how it is reached as one line of JSON
    #[command(hide = true)]
    Serve(Serve),
    /// List the worlds that come with switchover
    Worlds,
}

#[derive(Debug, clap::Args)]
struct Serve {
    #[command(flatten)]
    world: WorldArgs,
    /// It ends by itself when nobody has called for so long [default: never for `up`, 10m for a run]
    #[arg(long, env = "SWITCHOVER_IDLE", hide_env_values = true, value_name = "DURATION")]
    idle: Option<String>,
}

/// How long a run's sandbox waits for it to come back, on the wall clock.
const PATIENCE: Duration = Duration::from_secs(600);
/// As good as for ever.
const EVER: Duration = Duration::from_secs(30 * 24 * 3600);

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    match &args.what {
        What::Up(args) => runtime()?.block_on(up(args, context)),
        What::Serve(args) => runtime()?.block_on(serve(args, context)),
        What::Worlds => {
            let mut lines = Vec::new();
            for (file, world) in worlds::SHIPPED {
                let field =
                    |key: &str| world.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("").trim();
                let name = file.strip_suffix(".yaml").unwrap_or(file);
                lines.push(format!("{name:24}  {:12}  {}\n", field("verdict:"), field("summary:")));
            }
            context.print(&lines.concat())?;
            Ok(Exit::Done)
        }
    }
}

impl Serve {
    async fn start(&self, ends_with_run: bool) -> Result<worlds::Sandbox, Failure> {
        let world = read_world(&self.world.find(None)?)?;
        let idle = match &self.idle {
            Some(text) => crate::plan::parse_duration(text).map_err(Failure::usage)?,
            None if ends_with_run => PATIENCE,
            None => EVER,
        };
        let options = Options {
            folder: world.folder,
            scale: self.world.scale()?,
            traffic: !self.world.no_traffic,
            idle,
            ends_with_run,
        };
        worlds::start(&world.text, &world.name, options).await.map_err(|error| {
            Failure::new(Exit::Invalid, "the sandbox could not be started").from_error(&error)
        })
    }
}

/// For people: until Ctrl-C.
async fn up(args: &Serve, context: &Context) -> Result<Exit, Failure> {
    let sandbox = args.start(false).await?;
    context.say(&crate::cli::sandbox::headline(sandbox.wiring()));
    context.print(&(sandbox.exports().join("\n") + "\n"))?;
    context.say("serving until Ctrl-C");
    let mut stop = crate::cli::signals::Signals::listen()?;
    let exit = tokio::select! {
        exit = stop.next() => exit,
        () = sandbox.ended() => Exit::Done,
    };
    for line in lines(&sandbox.report()) {
        context.say(&line);
    }
    sandbox.stop();
    // It was asked to serve until Ctrl-C.
    Ok(if exit == Exit::Interrupted { Exit::Done } else { exit })
}

/// For a run: until it says so, or is gone for too long.
async fn serve(args: &Serve, context: &Context) -> Result<Exit, Failure> {
    match args.start(true).await {
        Ok(sandbox) => {
            let wiring = serde_json::to_string(sandbox.wiring()).map_err(|error| {
                Failure::new(Exit::Bug, "the wiring cannot be written").from_error(&error)
            })?;
            context.print(&format!("{wiring}\n"))?;
            sandbox.ended().await;
            Ok(Exit::Done)
        }
        Err(failure) => {
            let plain = crate::report::Looks { colour: false, ascii: false };
            context.print(&format!("{}\n", json!({"error": failure.render(plain).trim_end()})))?;
            Err(failure)
        }
    }
}
