//! `serve`: hears triggers over HTTP, beside a state directory, until it is stopped.

use crate::adapter::SystemClock;
use crate::cli::context::{SERVE_SECRET, SERVE_TOKEN, secret};
use crate::cli::hosted::Hosted;
use crate::cli::signals::Signals;
use crate::cli::triggers::Kept;
use crate::cli::{Context, Exit, Failure, alone, crowds, runtime, stored};
use crate::report::Runbook;
use crate::web::{self, Entry, Key, Keys, Log, Once, SHORTEST, Server};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio_util::sync::CancellationToken;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Where to listen. Beyond this machine put TLS in front: it speaks plain HTTP
    #[arg(long, env = "SWITCHOVER_LISTEN", hide_env_values = true, value_name = "ADDRESS:PORT")]
    #[arg(default_value = "127.0.0.1:9180")]
    listen: SocketAddr,
    /// A file with the bearer token of Alertmanager [default: the variable SWITCHOVER_SERVE_TOKEN]
    #[arg(long, env = "SWITCHOVER_SERVE_TOKEN_FILE", hide_env_values = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A file with the secret that webhooks are signed with [default: the variable SWITCHOVER_SERVE_SECRET]
    #[arg(long, env = "SWITCHOVER_SERVE_SECRET_FILE", hide_env_values = true, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Drive runs that nobody drives, if they are triggered, bake, or are on their way back: in this process, so that their
    /// commands and calls find its environment
    #[arg(long, env = "SWITCHOVER_TAKE_UP", hide_env_values = true)]
    take_up: bool,
}

/// How many log lines may wait to be written; who reads them slowly loses some, and holds up no trigger.
const LINES: usize = 256;

/// How many may knock and wait to be let in; the kernel may allow fewer. Whoever finds no room knocks again a second later.
const KNOCKING: u32 = 4096;

/// How long the last of them are waited for.
const LAST: Duration = Duration::from_secs(1);

pub(in crate::cli) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let keys = keys(args)?;
    // What is wrong with the directory is said now, and not to the first alarm.
    drop(stored::open(context)?);
    let runtime = runtime()?;
    let exit = runtime.block_on(serve(args, context, keys));
    // A run that does not answer must not keep the process.
    runtime.shutdown_timeout(LAST);
    exit
}

fn keys(args: &Args) -> Result<Keys, Failure> {
    let token = key(args.token_file.as_deref(), SERVE_TOKEN)?;
    let secret = key(args.secret_file.as_deref(), SERVE_SECRET)?;
    if token.is_none() && secret.is_none() {
        return Err(Failure::usage("it would hear nobody: neither a token nor a secret is set")
            .because("whatever reaches this address may roll back a run, and on loopback too that is every program and every web page")
            .hint("for Alertmanager: a token in SWITCHOVER_SERVE_TOKEN, or --token-file FILE")
            .hint("for signed webhooks: a secret in SWITCHOVER_SERVE_SECRET, or --secret-file FILE")
            .hint("`openssl rand -hex 32` makes one")
            .see(Runbook::Trigger));
    }
    Ok(Keys { token, secret })
}

fn key(file: Option<&Path>, variable: &str) -> Result<Option<Key>, Failure> {
    let Some(text) = secret(file, variable)? else { return Ok(None) };
    let place = file.map_or_else(|| variable.to_owned(), |file| file.display().to_string());
    match Key::new(&text) {
        Some(key) => Ok(Some(key)),
        None => Err(Failure::usage(format!("{place} has fewer than {SHORTEST} bytes: it could be guessed"))
            .hint("`openssl rand -hex 32` makes one")),
    }
}

async fn serve(args: &Args, context: &Context, keys: Keys) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let listening = listen(args.listen).and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = listening.map_err(|error| {
        Failure::usage(format!("{} cannot be listened on", args.listen)).from_error(&error)
    })?;
    context.say(&format!("hearing triggers on http://{address} until Ctrl-C; {}", ways(&keys)));
    if !address.ip().is_loopback() {
        context.say("it speaks plain HTTP to other machines: put TLS in front of it");
    }
    let (lines, waiting) = sync_channel(LINES);
    let writer = std::thread::spawn({
        let context = context.clone();
        move || write(&context, &waiting)
    });
    let hosted = args.take_up.then(|| Arc::new(Hosted::new(context.clone())));
    let runs = Arc::new(Kept { context: context.clone(), hosted: hosted.clone() });
    let once = Once::in_folder(&context.state_dir.join("nonces"));
    let server = Server::new(keys, runs, once, Arc::new(SystemClock::wall()), log(lines));
    let stop = CancellationToken::new();
    let serving = web::open(server, listener, stop.clone())
        .map_err(|error| Failure::new(Exit::Bug, "the server cannot be started").from_error(&error))?;
    let watching = hosted.clone().map(|hosted| tokio::spawn(alone::take_up(context.clone(), hosted)));
    let crowds = tokio::spawn(crowds::tell(context.budgets.clone(), {
        let context = context.clone();
        move |text: &str| context.say(text)
    }));
    signals.next().await;
    crowds.abort();
    if let Some(watching) = watching {
        watching.abort();
    }
    context.say("stopping: those who are being served get their answer");
    stop.cancel();
    if let Some(hosted) = hosted {
        let_go(context, &hosted, &mut signals).await;
    }
    let ended = tokio::task::spawn_blocking(move || serving.join()).await;
    if !matches!(ended, Ok(Ok(()))) {
        return Err(Failure::new(Exit::Bug, "the server ended by itself"));
    }
    let _ = tokio::time::timeout(LAST, tokio::task::spawn_blocking(move || writer.join())).await;
    // It was asked to serve until then.
    Ok(Exit::Done)
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(KNOCKING)?.into_std()
}

/// Pauses the runs that are driven here; by a second signal they are left as they are.
async fn let_go(context: &Context, hosted: &Hosted, signals: &mut Signals) {
    let driven = hosted.count();
    if driven > 0 {
        context.say(&format!(
            "runs that are driven here: {driven}; calls in flight are finished first, then each pauses, and whoever serves \
             next takes it up; once more to exit now"
        ));
    }
    hosted.stop();
    let ended = hosted.ended();
    tokio::pin!(ended);
    tokio::select! {
        () = &mut ended => return,
        _ = signals.next() => hosted.stop(),
    }
    let _ = tokio::time::timeout(LAST, ended).await;
}

/// What is open.
fn ways(keys: &Keys) -> &'static str {
    match (&keys.token, &keys.secret) {
        (Some(_), Some(_)) => "from Alertmanager and by signed webhooks",
        (Some(_), None) => "from Alertmanager only: no secret is set",
        (None, _) => "by signed webhooks only: no token is set",
    }
}

fn log(lines: SyncSender<Entry>) -> Log {
    // One that finds no room is lost; its request was answered.
    Box::new(move |entry| drop(lines.try_send(entry)))
}

/// The result is what it did: one line a request, for people or for machines.
fn write(context: &Context, entries: &Receiver<Entry>) {
    while let Ok(entry) = entries.recv() {
        let line =
            if context.is_json() { entry.json().to_string() } else { context.out.safe(&entry.to_string()) };
        // Nobody is there to be told that nobody is there.
        let _ = context.print(&format!("{line}\n"));
    }
}
