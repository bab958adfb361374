//! Starting a sandbox, and ending it.

use super::certificates::Certificates;
use super::clock::ScaledClock;
use super::ports::{ClaimError, Sockets, claim};
use super::report::Traffic;
use super::shared::Shared;
use super::{aws, balancer, clock, control, https_resolver, names, primary, prometheus, serve, tasks, users};
use crate::port::Wiring;
use crate::sim::{World, WorldError, WorldFile};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio_rustls::TlsConnector;

/// The worlds that come with the binary, by the name of their file.
pub const SHIPPED: &[(&str, &str)] = &[
    ("aep.yaml", include_str!("../../plans/worlds/aep.yaml")),
    ("blue-green.yaml", include_str!("../../plans/worlds/blue-green.yaml")),
    ("bad-image.yaml", include_str!("../../plans/worlds/bad-image.yaml")),
    ("dns-slow.yaml", include_str!("../../plans/worlds/dns-slow.yaml")),
    ("errors-after-switch.yaml", include_str!("../../plans/worlds/errors-after-switch.yaml")),
    ("exec-with-undo.yaml", include_str!("../../plans/worlds/exec-with-undo.yaml")),
    ("held-sides.yaml", include_str!("../../plans/worlds/held-sides.yaml")),
    ("one-record.yaml", include_str!("../../plans/worlds/one-record.yaml")),
    ("own-name-servers.yaml", include_str!("../../plans/worlds/own-name-servers.yaml")),
    ("parallel-deploys.yaml", include_str!("../../plans/worlds/parallel-deploys.yaml")),
    ("slow-health.yaml", include_str!("../../plans/worlds/slow-health.yaml")),
    ("undo-refused.yaml", include_str!("../../plans/worlds/undo-refused.yaml")),
    ("weighted-records.yaml", include_str!("../../plans/worlds/weighted-records.yaml")),
];

/// A world that comes with the binary: `aep`, `aep.yaml`.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    let wanted = name.strip_suffix(".yaml").unwrap_or(name);
    SHIPPED.iter().find(|(file, _)| file.strip_suffix(".yaml") == Some(wanted)).map(|(_, text)| *text)
}

/// How a sandbox is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where files that a world `extends` are looked for, before those that are shipped.
    pub folder: Option<PathBuf>,
    /// In place of the world's own scale of time.
    pub scale: Option<u32>,
    /// Whether there are users.
    pub traffic: bool,
    /// It ends by itself when nobody called for so long, on the wall clock.
    pub idle: Duration,
    /// It was started for one run, and is stopped after it.
    pub ends_with_run: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            folder: None,
            scale: None,
            traffic: true,
            idle: Duration::from_secs(600),
            ends_with_run: false,
        }
    }
}

/// Why a sandbox could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The world file is wrong.
    #[error(transparent)]
    World(#[from] WorldError),
    /// Its sockets could not be opened.
    #[error("the sandbox cannot open its sockets on loopback: {0}")]
    Sockets(String, #[source] io::Error),
    /// Its certificates could not be made.
    #[error("{0}")]
    Certificates(String),
}

impl From<ClaimError> for SandboxError {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::World(error) => Self::World(error),
            ClaimError::NoNetwork(source) => {
                Self::Sockets("no network from 127.77.0.0/16 to 127.126.0.0/16 is free".into(), source)
            }
        }
    }
}

/// A sandbox that runs. It goes on until stopped, idle, or dropped.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    wiring: Arc<Wiring>,
    verdict: Option<String>,
}

/// Starts a sandbox from the text of a world file.
///
/// # Errors
/// The file is wrong, or loopback has no room.
pub async fn start(text: &str, name: &str, options: Options) -> Result<Sandbox, SandboxError> {
    let folder = options.folder.clone();
    let find = move |file: &str| {
        let beside = folder.as_ref().and_then(|folder| std::fs::read_to_string(folder.join(file)).ok());
        beside.or_else(|| shipped(file).map(str::to_owned))
    };
    let file = WorldFile::read(text, name, &find)?;
    let scale = options.scale.or(file.time.map(|scale| scale.0)).unwrap_or(1);
    let clock = ScaledClock::start(scale);
    let (mut world, sockets) = claim(&file, name, clock.now()).await?;
    world.predicts = false;
    let certificates = Certificates::make(names_of(&world)).map_err(SandboxError::Certificates)?;
    let wiring = Arc::new(wiring(&world, &sockets, clock, &certificates.ca_pem, &options));
    let verdict = world.verdict.clone();
    let shared = Shared::new(world, clock, wiring.access_key.clone());
    // Everything that runs at first listens before anybody calls.
    let mut servers = BTreeMap::new();
    tasks::step(&shared, &mut servers).await;
    tokio::spawn(tasks::follow(shared.clone(), servers));
    let ports = (sockets.ports.resolver(), sockets.ports.https);
    serve_all(&shared, &wiring, sockets, &certificates, &options);
    let traffic = shared.look(|world, _| (*world.traffic).clone()).filter(|_| options.traffic);
    if let Some(traffic) = traffic {
        let sides =
            shared.look(|world, _| world.balancers.values().map(|b| (b.address, b.name.clone())).collect());
        let tls = TlsConnector::from(certificates.client);
        let way = users::Way { resolver: ports.0, port: ports.1, tls, sides };
        users::live(&shared, way, &traffic).map_err(|message| WorldError::new(name, message))?;
    }
    Ok(Sandbox { shared, wiring, verdict })
}

/// All names that load balancers may be called by.
fn names_of(world: &World) -> Vec<String> {
    let mut names: Vec<String> = world.balancers.values().map(|b| b.dns_name.to_string()).collect();
    for zone in &world.zones {
        names.extend([zone.name.to_string(), format!("*.{}", zone.name)]);
        // A wildcard covers one label only.
        let deep = zone.newest().values().map(|r| r.name.to_string()).filter(|n| !n.contains('*'));
        names.extend(deep);
    }
    names.sort();
    names.dedup();
    names
}

fn wiring(world: &World, sockets: &Sockets, clock: ScaledClock, ca_pem: &str, options: &Options) -> Wiring {
    let ports = sockets.ports;
    Wiring {
        world: world.name.clone(),
        ends_with_run: options.ends_with_run,
        control: format!("http://{}", ports.control()),
        aws_endpoint: format!("http://{}", ports.aws()),
        region: world.region.clone(),
        access_key: "AKIASANDBOX000000001".into(),
        secret_key: "sandbox-opens-nothing".into(),
        resolver: ports.resolver(),
        dns_port: ports.dns,
        primary: Some(ports.primary()),
        https_resolver: Some(format!("http://{}{}", ports.https_resolver(), https_resolver::PATH)),
        ports: BTreeMap::from([(443, ports.https), (80, ports.http)]),
        ca_pem: ca_pem.to_owned(),
        time: clock.0,
        params: (*world.params).clone(),
        secrets: (*world.secrets).clone(),
        people: (*world.people).clone(),
    }
}

fn serve_all(
    shared: &Arc<Shared>,
    wiring: &Arc<Wiring>,
    sockets: Sockets,
    certificates: &Certificates,
    options: &Options,
) {
    let stop = shared.stop.clone();
    let on_aws = shared.clone();
    tokio::spawn(serve::serve(sockets.aws, stop.clone(), move |request| {
        aws::handle(on_aws.clone(), request)
    }));
    let on_https = shared.clone();
    tokio::spawn(serve::serve(sockets.https_resolver, stop.clone(), move |request| {
        https_resolver::handle(on_https.clone(), request)
    }));
    let (on_control, told) = (shared.clone(), wiring.clone());
    tokio::spawn(serve::serve(sockets.control, stop, move |request| {
        let (shared, wiring) = (on_control.clone(), told.clone());
        async move {
            if prometheus::takes(&request) {
                return prometheus::handle(shared, request).await;
            }
            Ok(control::handle(&shared, &wiring, &request))
        }
    }));
    let authorities = sockets.authorities.into_iter().enumerate();
    let servers = authorities
        .map(|(place, pair)| (pair, names::Role::Authority(place)))
        .chain([(sockets.root, names::Role::Root), (sockets.resolver, names::Role::Resolver)]);
    for ((udp, tcp), role) in servers {
        tokio::spawn(names::over_udp(shared.clone(), udp, role));
        tokio::spawn(names::over_tcp(shared.clone(), tcp, role));
    }
    let key = primary::key(&wiring.access_key, &wiring.secret_key);
    tokio::spawn(primary::serve(shared.clone(), sockets.primary, key));
    let targets = balancer::targets();
    for (name, tls, plain) in sockets.balancers {
        let listeners = balancer::Listeners { name, tls, plain };
        let server = certificates.server.clone();
        tokio::spawn(balancer::balance(shared.clone(), listeners, server, targets.clone()));
    }
    tokio::spawn(balancer::check_all(shared.clone(), targets));
    tokio::spawn(end_when_idle(shared.clone(), options.idle));
}

async fn end_when_idle(shared: Arc<Shared>, idle: Duration) {
    loop {
        let quiet = clock::wall().since(shared.last_call());
        if quiet >= idle {
            return shared.stop.cancel();
        }
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = clock::wait(idle.saturating_sub(quiet).max(Duration::from_millis(10))) => {}
        }
    }
}

impl Sandbox {
    /// How it is reached.
    #[must_use]
    pub fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// How a run in this world must end, if its file says so.
    #[must_use]
    pub fn verdict(&self) -> Option<&str> {
        self.verdict.as_deref()
    }

    /// What its users saw so far.
    #[must_use]
    pub fn report(&self) -> Traffic {
        self.shared.users.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lines to paste into a shell, so that `aws` and `dig` speak with it.
    #[must_use]
    pub fn exports(&self) -> Vec<String> {
        let wiring = &self.wiring;
        let (region, zone) = self.shared.look(|world, _| {
            let zone = world.zones.first().map(|z| z.name.to_string());
            (world.region.clone(), zone.unwrap_or_else(|| "example.com".into()))
        });
        vec![
            format!("export AWS_ENDPOINT_URL={}", wiring.aws_endpoint),
            format!("export AWS_ACCESS_KEY_ID={}", wiring.access_key),
            format!("export AWS_SECRET_ACCESS_KEY={}", wiring.secret_key),
            format!("export AWS_REGION={region} AWS_DEFAULT_REGION={region}"),
            format!("export SWITCHOVER_SANDBOX={}", wiring.control),
            format!("# dig @{} -p {} app.{zone}", wiring.resolver.ip(), wiring.resolver.port()),
        ]
    }

    /// Ends it.
    pub fn stop(&self) {
        self.shared.stop.cancel();
    }

    /// Waits until it was ended: by [`Sandbox::stop`], by a call of its interface, or by idleness.
    pub async fn ended(&self) {
        self.shared.stop.cancelled().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}
