//! Load balancers: they take TLS and plain connections, send each request to a healthy target, check targets, and count.
//!
//! A load balancer that is torn down listens no more, and closes what was open.

use super::faults;
use super::serve::{Answer, Dropped, answer, connection, header};
use super::shared::Shared;
use crate::sim::{Check, Outcome, Task, World, minute};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How long a target may take to answer, on the wall clock: the service waits for the idle timeout.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a health check waits, on the wall clock.
const CHECK_PATIENCE: Duration = Duration::from_secs(1);
/// How often connections are counted that are open.
const COUNTED: Duration = Duration::from_secs(20);
/// The least time between two checks of one target on the wall clock, however fast the world's time runs.
const CHECK_PAUSE: Duration = Duration::from_millis(40);

type Targets = Client<HttpConnector, Full<Bytes>>;

/// A load balancer that is served.
struct Served {
    shared: Arc<Shared>,
    name: String,
    stop: CancellationToken,
    targets: Targets,
    turn: AtomicUsize,
    open: AtomicU64,
}

/// What a load balancer listens on.
pub(super) struct Listeners {
    /// Its name.
    pub(super) name: String,
    /// In place of 443.
    pub(super) tls: TcpListener,
    /// In place of 80.
    pub(super) plain: TcpListener,
}

/// Connections to targets, shared by all load balancers.
pub(super) fn targets() -> Targets {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_secs(1)));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(5))
        .pool_max_idle_per_host(4)
        .build(connector)
}

/// Serves one load balancer until it is torn down, or all is stopped.
pub(super) async fn balance(
    shared: Arc<Shared>,
    listeners: Listeners,
    config: Arc<ServerConfig>,
    targets: Targets,
) {
    let stop = shared.stop.child_token();
    let name = listeners.name;
    let served = Arc::new(Served {
        shared: shared.clone(),
        name: name.clone(),
        stop: stop.clone(),
        targets,
        turn: AtomicUsize::new(0),
        open: AtomicU64::new(0),
    });
    let tls = TlsAcceptor::from(config);
    let often = shared.clock.0.on_wall(COUNTED).max(CHECK_PAUSE);
    let mut moments = tokio::time::interval(often);
    moments.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let (accepted, secure) = tokio::select! {
            () = stop.cancelled() => return,
            () = torn_down(&shared, &name) => return stop.cancel(),
            _ = moments.tick() => {
                served.count_open();
                continue;
            }
            accepted = listeners.tls.accept() => (accepted, true),
            accepted = listeners.plain.accept() => (accepted, false),
        };
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        tokio::spawn(client(served.clone(), stream, secure.then(|| tls.clone())));
    }
}

/// Waits until the load balancer is no more.
async fn torn_down(shared: &Shared, name: &str) {
    loop {
        let changed = shared.torn_down.notified();
        if shared.look(|world, _| !world.balancers.contains_key(name)) {
            return;
        }
        changed.await;
    }
}

/// One client's connection.
async fn client(served: Arc<Served>, stream: TcpStream, tls: Option<TlsAcceptor>) {
    let opened = served.shared.clock.now();
    // As they are now: whoever changes them changes nothing of a connection that is open.
    let times = served
        .shared
        .look(|world, _| world.balancers.get(&served.name).map(|b| (b.keep_alive, b.idle_timeout)));
    let Some((keep_alive, idle)) = times else { return };
    served.open.fetch_add(1, Ordering::Relaxed);
    served.count(|counts| counts.connections += 1);
    served.count_open();
    let idle = Some(served.shared.clock.0.on_wall(idle).max(Duration::from_millis(50)));
    let here = served.clone();
    let port = if tls.is_some() { 443 } else { 80 };
    let handle = move |request: Request<Bytes>| {
        let here = here.clone();
        async move {
            let call = format!("{} {}", request.method(), request.uri().path());
            let perform = || forward(&here, port, request);
            let refuse = |rule| faults::scripted(&rule);
            let mut answer = faults::meet(&here.shared, ("http", &call, &here.name), refuse, perform).await?;
            // The service closes a connection that is older than this with its next answer.
            if here.shared.clock.now().since(opened) >= keep_alive {
                header(&mut answer, "connection", "close");
            }
            Ok(answer)
        }
    };
    match tls {
        None => connection(stream, &served.stop, idle, handle).await,
        Some(tls) => {
            let accepted = tokio::select! {
                () = served.stop.cancelled() => None,
                accepted = tls.accept(stream) => accepted.ok(),
            };
            if let Some(stream) = accepted {
                connection(stream, &served.stop, idle, handle).await;
            }
        }
    }
    served.open.fetch_sub(1, Ordering::Relaxed);
}

impl Served {
    fn count(&self, count: impl Fn(&mut crate::sim::Counts)) {
        self.shared.look(|world, now| {
            if let Some(balancer) = world.balancers.get_mut(&self.name) {
                count(balancer.counts.entry(minute(now)).or_default());
            }
        });
    }

    /// Connections of this minute, with or without a request.
    fn count_open(&self) {
        let open = self.open.load(Ordering::Relaxed);
        if open > 0 {
            self.count(|counts| counts.active = counts.active.max(open));
        }
    }

    /// The target group for a path, and the target whose turn it is.
    fn choose(&self, port: u16, path: &str) -> (Option<String>, Option<(String, SocketAddr)>) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (group, target) = self.shared.look(|world, _| world.choose(&self.name, port, path, turn));
        let listening = self.shared.listening.lock().unwrap_or_else(PoisonError::into_inner);
        let found = target.and_then(|id| listening.get(&id).map(|address| (id, *address)));
        (group, found)
    }
}

/// Sends one request to a target.
async fn forward(served: &Served, port: u16, request: Request<Bytes>) -> Result<Answer, Dropped> {
    let (group, target) = served.choose(port, request.uri().path());
    let began = served.shared.clock.now();
    let (outcome, answer) = match target {
        None => (Outcome::Nobody, answer(503, "text/html", "<h1>503 Service Temporarily Unavailable</h1>")),
        Some((_, address)) => match tokio::time::timeout(PATIENCE, send(served, address, request)).await {
            Ok(Some(answer)) => {
                let took = served.shared.clock.now().since(began).as_millis();
                let took = u32::try_from(took).unwrap_or(u32::MAX);
                (Outcome::Answered { status: answer.status().as_u16(), took }, answer)
            }
            Ok(None) => (Outcome::Failed, answer(502, "text/html", "<h1>502 Bad Gateway</h1>")),
            Err(_) => (Outcome::Failed, answer(504, "text/html", "<h1>504 Gateway Time-out</h1>")),
        },
    };
    served.shared.look(|world, now| world.count(&served.name, group.as_deref(), outcome, now));
    Ok(answer)
}

async fn send(served: &Served, address: SocketAddr, request: Request<Bytes>) -> Option<Answer> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    head.uri = format!("http://{address}{path}").parse::<Uri>().ok()?;
    head.headers.remove("connection");
    let answered = served.targets.request(Request::from_parts(head, Full::new(body))).await.ok()?;
    let (mut head, body) = answered.into_parts();
    head.headers.remove("connection");
    let body = body.collect().await.ok()?.to_bytes();
    Some(hyper::Response::from_parts(head, Full::new(body)))
}

/// Checks all targets of all groups until stopped.
pub(super) async fn check_all(shared: Arc<Shared>, targets: Targets) {
    let mut last: BTreeMap<String, tokio::time::Instant> = BTreeMap::new();
    loop {
        let due = due(&shared, &mut last);
        for (group, task, address, path) in due {
            let (shared, targets) = (shared.clone(), targets.clone());
            tokio::spawn(async move {
                let check = check(&targets, address, &path).await;
                let before = |world: &World| {
                    world.groups.get(&group).and_then(|g| g.targets.get(&task)).map(|t| t.state)
                };
                let moved = shared.look(|world, now| {
                    let was = before(world);
                    world.checked(&group, &task, check, now);
                    before(world) != was
                });
                if moved {
                    // Services go by the health of their targets.
                    shared.change(World::follow_health);
                }
            });
        }
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = super::clock::wait(CHECK_PAUSE / 2) => {}
        }
    }
}

type Due = (String, String, Option<SocketAddr>, String);

/// The targets to check now: the world says when, but not too often on the wall clock.
fn due(shared: &Shared, last: &mut BTreeMap<String, tokio::time::Instant>) -> Vec<Due> {
    let listening = shared.listening.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let moment = tokio::time::Instant::now();
    let mut all = Vec::new();
    shared.look(|world, now| {
        for group in world.groups.values_mut().filter(|g| world.balancers.contains_key(&g.balancer)) {
            let every = group.check.every.0;
            for (id, target) in group.targets.iter_mut().filter(|(_, t)| t.next_check <= now) {
                let checked = last.get(id).is_some_and(|at| moment.duration_since(*at) < CHECK_PAUSE);
                // A task that listens in this world, and whose socket is about to be opened, refuses nobody.
                let opening = world.tasks.get(id).is_some_and(Task::listens) && !listening.contains_key(id);
                if checked || opening {
                    continue;
                }
                last.insert(id.clone(), moment);
                target.next_check = now.after(every);
                let path = group.check.path.clone();
                all.push((group.name.clone(), id.clone(), listening.get(id).copied(), path));
            }
        }
        last.retain(|id, _| world.tasks.contains_key(id));
    });
    all
}

async fn check(targets: &Targets, address: Option<SocketAddr>, path: &str) -> Check {
    let Some(address) = address else { return Check::Refused };
    let Ok(uri) = format!("http://{address}{path}").parse::<Uri>() else { return Check::Refused };
    match tokio::time::timeout(CHECK_PATIENCE, targets.get(uri)).await {
        Err(_) => Check::Timeout,
        Ok(Err(_)) => Check::Refused,
        Ok(Ok(answer)) if answer.status().is_success() => {
            // Read to its end, so that the connection can be used again.
            let _ = answer.into_body().collect().await;
            Check::Passed
        }
        Ok(Ok(_)) => Check::Status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::clock::ScaledClock;
    use crate::sandbox::ports::claim;
    use crate::sim::WorldFile;

    #[tokio::test]
    async fn a_task_is_checked_once_its_socket_is_open() {
        let text = include_str!("../../plans/worlds/aep.yaml");
        let file = WorldFile::read(text, "aep.yaml", &|_| None).unwrap();
        let clock = ScaledClock::start(1);
        let (mut world, _sockets) = claim(&file, "aep.yaml", clock.now()).await.unwrap();
        world.predicts = false;
        let shared = Shared::new(world, clock, String::new());
        let mut last = BTreeMap::new();
        assert_eq!(due(&shared, &mut last), []);
        let open = shared.look(|world, _| world.tasks.keys().next().cloned()).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        shared.listening.lock().unwrap().insert(open.clone(), address);
        let tasks: Vec<_> = due(&shared, &mut last).into_iter().map(|(_, task, at, _)| (task, at)).collect();
        assert_eq!(tasks, [(open, Some(address))]);
    }
}
