//! A sandbox as a process of its own: starting it, finding it again, telling it how the run goes.
//!
//! It outlives a crash of this process, as production would.

use super::herald::Told;
use super::{Context, Exit, Failure, runtime};
use crate::adapter::{Http, PlanFiles};
use crate::plan::{Plan, StepIx, format_duration};
use crate::port::{Request, Wiring, WriteHttp};
use crate::report::{self, Runbook, grouped};
use crate::run::{Event, Fault};
use crate::sandbox::{self, Traffic};
use serde_json::{Value as Json, json};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How a sandbox is made.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct WorldArgs {
    /// The world of the sandbox: a file, or the name of one that comes with switchover [default: by the plan's name]
    #[arg(long, env = "SWITCHOVER_WORLD", hide_env_values = true, value_name = "FILE")]
    pub(super) world: Option<String>,
    /// How much faster its time runs, in place of what the world says: `60x`
    #[arg(long, env = "SWITCHOVER_TIME", hide_env_values = true, value_name = "SCALE")]
    pub(super) time: Option<String>,
    /// A world without users
    #[arg(long, env = "SWITCHOVER_NO_TRAFFIC", hide_env_values = true)]
    pub(super) no_traffic: bool,
}

/// Where a plan meets the world: the real one, or a sandbox.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PlaceArgs {
    /// Against a small world on loopback; `--sandbox=URL` takes one that is up
    #[arg(long, env = "SWITCHOVER_SANDBOX", hide_env_values = true, value_name = "URL")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "new")]
    sandbox: Option<String>,
    #[command(flatten)]
    world: WorldArgs,
    /// Keep the sandbox afterwards
    #[arg(long, env = "SWITCHOVER_KEEP_SANDBOX", hide_env_values = true)]
    keep_sandbox: bool,
}

impl PlaceArgs {
    /// The world that is named.
    pub(super) fn world(&self) -> Option<&str> {
        self.world.world.as_deref()
    }

    /// The sandbox, if one is wanted; it is started if need be.
    pub(super) fn open(&self, context: &Context, plan: &Path) -> Result<Option<Wiring>, Failure> {
        match self.sandbox.as_deref() {
            None | Some("" | "0" | "false") if self.world.world.is_some() => {
                Err(Failure::usage("a world is for a sandbox").hint("add --sandbox"))
            }
            None | Some("" | "0" | "false") => Ok(None),
            Some("new" | "1" | "true") => {
                let wiring = start(context, &self.world, plan)?;
                let ends_with_run = wiring.ends_with_run && !self.keep_sandbox;
                Ok(Some(Wiring { ends_with_run, ..wiring }))
            }
            Some(url) => match runtime()?.block_on(Control::at(url).wiring()) {
                Ok(wiring) => Ok(Some(wiring)),
                Err(_) => Err(Failure::usage(format!("no sandbox answers at `{url}`"))
                    .hint("give what `switchover sandbox up` prints as SWITCHOVER_SANDBOX, such as http://127.0.0.1:4567")),
            },
        }
    }
}

/// Whether a sandbox is still up.
pub(super) fn is_up(control: &str) -> bool {
    let address = control.trim_start_matches("http://").trim_end_matches('/');
    std::net::TcpStream::connect(address).is_ok()
}

/// Ends the sandbox, if it was started for this command.
pub(super) fn close(wiring: &Wiring) -> Result<(), Failure> {
    if wiring.ends_with_run {
        runtime()?.block_on(Control::of(wiring).stop());
    }
    Ok(())
}

/// A world file's text, and where what it extends is looked for.
#[derive(Clone, Debug)]
pub(super) struct WorldText {
    /// For messages.
    pub(super) name: String,
    /// The text.
    pub(super) text: String,
    /// The folder of the file.
    pub(super) folder: Option<PathBuf>,
}

impl WorldArgs {
    /// The scale of time, if it is given.
    pub(super) fn scale(&self) -> Result<Option<u32>, Failure> {
        let Some(text) = &self.time else { return Ok(None) };
        let scale = text.strip_suffix('x').unwrap_or(text).parse().ok().filter(|n| (1..=10_000).contains(n));
        scale.map(Some).ok_or_else(|| {
            Failure::usage(format!("`{text}` is not a scale of time")).hint("write `60x`, from 1x to 10000x")
        })
    }

    /// The world that is meant.
    pub(super) fn find(&self, plan: Option<&Path>) -> Result<String, Failure> {
        if let Some(world) = &self.world {
            return Ok(world.clone());
        }
        let stem = plan.and_then(Path::file_stem).and_then(|stem| stem.to_str()).unwrap_or("aep");
        let folder = plan.and_then(Path::parent).map(|folder| folder.join("worlds"));
        if let Some(own) =
            folder.map(|folder| folder.join(format!("{stem}.yaml"))).filter(|own| own.is_file())
        {
            return Ok(own.display().to_string());
        }
        // `aep-go-live` is at home in `aep`.
        let names = sandbox::SHIPPED.iter().filter_map(|(file, _)| file.strip_suffix(".yaml"));
        let fits = names.filter(|name| stem == *name || stem.starts_with(&format!("{name}-")));
        fits.max_by_key(|name| name.len()).map(ToOwned::to_owned).ok_or_else(|| {
            Failure::usage(format!("no world fits the plan `{stem}`"))
                .hint(format!("name one with --world: a file, or one of {}", shipped().join(", ")))
        })
    }
}

fn shipped() -> Vec<&'static str> {
    sandbox::SHIPPED.iter().map(|(file, _)| file.strip_suffix(".yaml").unwrap_or(file)).collect()
}

/// Reads a world: a file, or one that comes with switchover.
pub(super) fn read_world(world: &str) -> Result<WorldText, Failure> {
    let path = Path::new(world);
    match PlanFiles::open(path) {
        Ok(bytes) => Ok(WorldText {
            name: world.to_owned(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
            folder: path.parent().map(Path::to_owned),
        }),
        Err(why) => match sandbox::shipped(world) {
            Some(text) => Ok(WorldText { name: world.to_owned(), text: text.to_owned(), folder: None }),
            None => Err(Failure::usage(format!("the world {world} cannot be read"))
                .because(why)
                .hint(format!("worlds that come with switchover: {}", shipped().join(", ")))),
        },
    }
}

/// Starts a sandbox process and waits until it serves.
pub(super) fn start(context: &Context, args: &WorldArgs, plan: &Path) -> Result<Wiring, Failure> {
    let world = args.find(Some(plan))?;
    // What is wrong with it is said here, not in a log.
    read_world(&world)?;
    let failed = |why: String| Failure::new(Exit::Bug, "the sandbox could not be started").because(why);
    let log_path = context.state_dir.join("sandbox.log");
    let log = std::fs::create_dir_all(&context.state_dir)
        .and_then(|()| OpenOptions::new().create(true).append(true).open(&log_path))
        .map_err(|error| {
            let folder = context.state_dir.display();
            Failure::new(Exit::Stopped, format!("the state directory {folder} cannot be written"))
                .from_error(&error)
                .hint("choose another with --state-dir or SWITCHOVER_STATE_DIR")
                .see(Runbook::JournalFull)
        })?;
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    command.args(["sandbox", "serve", "--world", &world]).arg("--state-dir").arg(&context.state_dir);
    if let Some(scale) = args.scale()? {
        command.args(["--time", &format!("{scale}x")]);
    }
    if args.no_traffic {
        command.arg("--no-traffic");
    }
    // In a group of its own: Ctrl-C stops the run, and the world goes on.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::from(log));
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    match serde_json::from_str::<Json>(&line) {
        Ok(told) if told.get("error").is_some() => {
            let why = told["error"].as_str().unwrap_or_default().to_owned();
            Err(Failure::new(Exit::Invalid, "the sandbox could not be started").because(why))
        }
        Ok(told) => serde_json::from_value(told).map_err(|error| failed(error.to_string())),
        Err(_) => Err(failed("it ended before it served".into())
            .hint(format!("its last words are in {}", log_path.display()))),
    }
}

/// The interface of a sandbox that runs.
pub(super) struct Control {
    base: String,
    http: Http,
}

impl Control {
    /// Of this sandbox.
    pub(super) fn of(wiring: &Wiring) -> Self {
        Self::at(&wiring.control)
    }

    /// Of the sandbox at this address.
    pub(super) fn at(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), http: Http::new(None) }
    }

    async fn call(&self, method: &str, path: &str, body: Option<Json>) -> Result<Json, Fault> {
        let request = Request {
            method: method.into(),
            url: format!("{}{path}", self.base),
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.map(|body| body.to_string().into_bytes()),
            connect_to: None,
            timeout: Duration::from_secs(10),
        };
        let response = self.http.send(request).await?;
        let body: Json = serde_json::from_slice(&response.body).unwrap_or_default();
        if response.status == 200 {
            return Ok(body);
        }
        let why = body.get("error").and_then(Json::as_str).unwrap_or("no reason was given");
        Err(Fault::permanent(format!("the sandbox refused {method} {path}: {why}")))
    }

    /// How it is reached.
    ///
    /// # Errors
    /// It is gone.
    pub(super) async fn wiring(&self) -> Result<Wiring, Failure> {
        let gone = |why: String| {
            Failure::new(
                Exit::Stopped,
                format!("the sandbox at {} is gone, and its world with it", self.base),
            )
            .because(why)
            .hint("start again: `switchover run PLAN --sandbox`")
            .see(Runbook::SandboxGone)
        };
        let told = self.call("GET", "/wiring", None).await.map_err(|fault| gone(fault.to_string()))?;
        serde_json::from_value(told).map_err(|error| gone(error.to_string()))
    }

    /// Tells it what became of steps, in order.
    pub(super) async fn tell(&self, told: &[Told]) -> Result<(), Fault> {
        let events = told.iter().map(|(step, event)| json!({"step": step, "event": event}));
        self.call("POST", "/events", Some(events.collect())).await.map(drop)
    }

    /// What its users met, for people. Empty if it cannot say.
    pub(super) async fn traffic(&self) -> Vec<String> {
        let told = self.call("GET", "/report", None).await.ok();
        told.and_then(|told| serde_json::from_value(told).ok())
            .map_or_else(Vec::new, |traffic| lines(&traffic))
    }

    /// Ends it.
    pub(super) async fn stop(&self) {
        // One that is gone needs no stopping.
        let _ = self.call("POST", "/stop", None).await;
    }
}

/// What users met, line by line.
pub(super) fn lines(traffic: &Traffic) -> Vec<String> {
    if traffic.requests == 0 {
        return Vec::new();
    }
    let sides: Vec<String> =
        traffic.by_side.iter().map(|(name, side)| format!("{name} {}", grouped(side.requests))).collect();
    let mut lines = vec![format!(
        "users sent {} requests, {} failed ({})",
        grouped(traffic.requests),
        grouped(traffic.failed),
        sides.join(", ")
    )];
    lines.extend(
        traffic.reasons.iter().map(|(reason, count)| format!("  {} times: {reason}", grouped(*count))),
    );
    if let Some(first) = traffic.first_failures.first() {
        lines.push(format!("  the first at {first}"));
    }
    lines
}

/// What a sandbox is told of an event: the step, and the name of what happened.
pub(super) fn told(plan: &Plan, event: &Event) -> Option<Told> {
    let Event::Step(ix, _) = event else { return None };
    let step: &StepIx = ix;
    let name = report::event_name(event);
    Some((plan[*step].id.to_string(), name.strip_prefix("step.").unwrap_or(name).to_owned()))
}

/// A sandbox in a line.
pub(super) fn headline(wiring: &Wiring) -> String {
    let people: Vec<String> = wiring
        .people
        .iter()
        .filter(|person| person.answer != "ignore")
        .map(|person| {
            let after = format_duration(Duration::from_millis(person.after_ms));
            format!("{} {}s after {after}", person.name, person.answer)
        })
        .collect();
    let answers = if people.is_empty() { String::new() } else { format!("; {}", people.join(", ")) };
    format!(
        "sandbox `{}`: nothing real is touched, time runs {} times as fast{answers}",
        wiring.world, wiring.time.scale
    )
}
