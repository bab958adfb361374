//! The server: a connection a request, and nothing about it without bounds. It has a thread of its own: whatever the runs do
//! that are driven beside it, whoever knocks is let in.

use super::door::{Door, Guest};
use super::entry::{Entry, Log};
use super::key::Keys;
use super::once::Once;
use super::trigger::{Became, Runs, Told, Trigger};
use super::{alertmanager, webhook};
use crate::plan::Timestamp;
use crate::port::{Budget, Clock};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use std::io;
use std::net::{SocketAddr, TcpListener as Listener};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long the head of a request may take, and then its body.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long all of a connection may take.
const WHOLE: Duration = Duration::from_secs(20);
/// The most bytes of a head.
const HEAD: usize = 16 << 10;
/// How many requests with a key are served at once.
const PLACES: u32 = 8;
/// How long a request with a key waits for its turn.
const TURN: Duration = Duration::from_secs(2);
/// How long those that are being served have once the server is stopped.
const LAST: Duration = Duration::from_secs(3);
/// Before it is tried again to let somebody in for whom there was no file.
const SOON: Duration = Duration::from_millis(5);
/// How many triggers that mean no run are named in an answer.
const SHOWN: usize = 5;

/// The ways in.
const ALERTMANAGER: &str = "/v1/alertmanager";
const WEBHOOK: &str = "/v1/webhook";

type Answer = Response<Full<Bytes>>;

/// The connection closes without an answer.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no answer")]
struct Dropped;

/// All that a server needs.
pub struct Server {
    keys: Keys,
    runs: Arc<dyn Runs>,
    once: Once,
    clock: Arc<dyn Clock>,
    log: Log,
    door: Door,
    places: Arc<Semaphore>,
    /// Of requests with a key.
    pace: Mutex<Budget>,
    /// Of answers to strangers, and of entries about them.
    manners: Mutex<Budget>,
    /// Strangers since the last entry that were not answered.
    unsaid: AtomicU64,
}

/// How a request ends.
struct End {
    status: u16,
    says: String,
    told: Vec<Told>,
    /// Whoever sent it has shown a key.
    known: bool,
}

impl End {
    fn stranger(status: u16, says: impl Into<String>) -> Self {
        Self { status, says: says.into(), told: Vec::new(), known: false }
    }

    fn known(status: u16, says: impl Into<String>) -> Self {
        Self { known: true, ..Self::stranger(status, says) }
    }
}

/// Serves on a thread of its own until stopped. Then nobody is let in any more, and whoever is being served gets their answer.
///
/// # Errors
/// There is no thread to be had, or none that can wait for sockets.
pub fn open(server: Server, listener: Listener, stop: CancellationToken) -> io::Result<JoinHandle<()>> {
    listener.set_nonblocking(true)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener)?
    };
    // A task among tasks: whoever lets in takes turns with those who were let in.
    let serving = runtime.spawn(serve(Arc::new(server), listener, stop));
    let work = move || {
        let ended = runtime.block_on(serving);
        // Whoever takes still longer is not waited for.
        runtime.shutdown_background();
        if let Err(error) = ended {
            resume_unwind(error.into_panic());
        }
    };
    thread::Builder::new().name("door".into()).spawn(work)
}

async fn serve(server: Arc<Server>, listener: TcpListener, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEAD).keep_alive(false);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, from)) = accepted else {
            // Too many files are open: some are closed soon.
            server.pass(SOON).await;
            continue;
        };
        let guest = tokio::select! {
            () = stop.cancelled() => break,
            guest = server.admit() => guest,
        };
        tokio::spawn(server.clone().attend(http.clone(), stream, from, guest));
    }
    server.door.clear();
    let _ = timeout(LAST, server.places.acquire_many(PLACES)).await;
}

impl Server {
    /// Serves these runs to whoever has one of the keys.
    #[must_use]
    pub fn new(keys: Keys, runs: Arc<dyn Runs>, once: Once, clock: Arc<dyn Clock>, log: Log) -> Self {
        Self {
            keys,
            runs,
            once,
            clock,
            log,
            door: Door::default(),
            places: Arc::new(Semaphore::new(PLACES as usize)),
            pace: Mutex::new(Budget::new(60, 10)),
            manners: Mutex::new(Budget::new(20, 5)),
            unsaid: AtomicU64::new(0),
        }
    }

    async fn pass(&self, time: Duration) {
        self.clock.sleep_until(self.clock.now().after(time)).await;
    }

    /// Waits for room.
    async fn admit(&self) -> Guest {
        loop {
            if self.door.is_full() {
                // All who have said something are heard first: who is still a stranger then has been silent.
                tokio::task::yield_now().await;
            }
            match self.door.enter(self.clock.now()) {
                Ok(guest) => return guest,
                Err(then) => tokio::select! {
                    () = self.clock.sleep_until(then) => {}
                    () = self.door.room() => {}
                },
            }
        }
    }

    /// Serves one connection.
    async fn attend(
        self: Arc<Self>,
        http: http1::Builder,
        stream: TcpStream,
        from: SocketAddr,
        guest: Guest,
    ) {
        let guest = Arc::new(guest);
        let service = service_fn(|request: Request<Incoming>| {
            let (server, guest) = (self.clone(), guest.clone());
            async move { server.answer(from, &guest, request).await }
        });
        tokio::select! {
            // Whatever went wrong with a connection, its client knows.
            _ = timeout(WHOLE, http.serve_connection(TokioIo::new(stream), service)) => {}
            () = guest.out.cancelled() => {}
        }
        self.door.forget(&guest);
    }

    async fn answer(
        &self,
        from: SocketAddr,
        guest: &Guest,
        request: Request<Incoming>,
    ) -> Result<Answer, Dropped> {
        let (head, body) = request.into_parts();
        let (path, ended) = match head.uri.path() {
            ALERTMANAGER => (ALERTMANAGER, self.alertmanager(guest, &head, body).await),
            WEBHOOK => (WEBHOOK, self.webhook(guest, &head, body).await),
            _ => ("elsewhere", Err(End::stranger(404, "there is nothing here"))),
        };
        let End { status, says, told, known } = ended.unwrap_or_else(|end| end);
        let at = self.clock.now();
        if !known && !take(&self.manners, at) {
            self.unsaid.fetch_add(1, Ordering::Relaxed);
            return Err(Dropped);
        }
        let triggers: Vec<_> = told.iter().map(Told::json).collect();
        let told_of = answer(status, &json!({"says": says, "triggers": triggers}).to_string());
        (self.log)(Entry {
            at,
            from,
            path,
            status,
            says,
            told,
            unsaid: self.unsaid.swap(0, Ordering::Relaxed),
        });
        Ok(told_of)
    }

    async fn alertmanager(&self, guest: &Guest, head: &Parts, body: Incoming) -> Result<End, End> {
        self.keys.bearer(&head.headers).map_err(|why| End::stranger(401, why))?;
        self.let_in(guest).await?;
        posted(head).map_err(known)?;
        let body = read(body, alertmanager::LONGEST).await.map_err(known)?;
        let triggers = alertmanager::triggers(&body).map_err(|why| End::known(400, why))?;
        if triggers.is_empty() {
            return Ok(End::known(200, "no alert is firing that names a run or a plan"));
        }
        self.trigger(triggers).await
    }

    async fn webhook(&self, guest: &Guest, head: &Parts, body: Incoming) -> Result<End, End> {
        let stranger = |why| End::stranger(401, why);
        posted(head)?;
        let signed = self.keys.signature(&head.headers, self.clock.now()).map_err(stranger)?;
        if self.once.was_used(&signed.nonce) {
            return Err(stranger("this nonce was used before".into()));
        }
        let body = read(body, webhook::LONGEST).await?;
        signed.is_of(&body).map_err(stranger)?;
        self.let_in(guest).await?;
        self.is_first(signed.nonce).await?;
        let trigger = webhook::trigger(&body).map_err(|why| End::known(400, why))?;
        let end = self.trigger(vec![trigger]).await?;
        let nothing = end.told.iter().all(|told| told.became == Became::Refused);
        // A script asks for one thing, and wants to know that it was not done.
        let status = if end.told.is_empty() { 404 } else { 409 };
        Ok(if nothing { End { status, ..end } } else { end })
    }

    /// Whoever has a key is shown out no more, and served in turn.
    async fn let_in(&self, guest: &Guest) -> Result<(), End> {
        if !take(&self.pace, self.clock.now()) {
            return Err(End::known(429, "too many triggers come; this one was not looked at"));
        }
        self.door.forget(guest);
        match timeout(TURN, self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => guest.sit(place),
            _ => return Err(End::known(503, "others are being served; this one was not looked at")),
        }
        Ok(())
    }

    /// Two may have come with one nonce at once.
    async fn is_first(&self, nonce: String) -> Result<(), End> {
        let (once, now) = (self.once.clone(), self.clock.now());
        match tokio::task::spawn_blocking(move || once.is_first(&nonce, now)).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(End::stranger(401, "this nonce was used before")),
            Ok(Err(error)) => Err(End::known(503, format!("the nonce cannot be kept: {error}"))),
            Err(_) => Err(bug()),
        }
    }

    async fn trigger(&self, triggers: Vec<Trigger>) -> Result<End, End> {
        let runs = self.runs.clone();
        let work = tokio::task::spawn_blocking(move || (runs.trigger(&triggers), triggers));
        let (told, triggers) = work.await.map_err(|_| bug())?;
        let told = told.map_err(|unheard| End::known(503, unheard.0))?;
        let met = |trigger: &Trigger| told.iter().any(|told| trigger.aim.fits(&told.run, &told.plan));
        let unmet = triggers.iter().filter(|trigger| !met(trigger));
        let unmet = unmet.map(|trigger| format!("nothing is under way of {}", trigger.aim)).take(SHOWN);
        let says = |told: &Told| format!("{} ({}: {})", told.says, told.by, told.reason);
        let says: Vec<String> = told.iter().map(says).chain(unmet).collect();
        let status = status(&told);
        Ok(End { told, ..End::known(status, says.join("; ")) })
    }
}

/// What the runs' answers come to.
fn status(told: &[Told]) -> u16 {
    let any = |became| told.iter().any(|told| told.became == became);
    if any(Became::Failed) {
        503
    } else if any(Became::Recorded) || any(Became::NotDriven) {
        202
    } else {
        200
    }
}

fn known(end: End) -> End {
    End { known: true, ..end }
}

fn bug() -> End {
    End::known(500, "this is a bug in switchover")
}

fn take(budget: &Mutex<Budget>, now: Timestamp) -> bool {
    budget.lock().unwrap_or_else(PoisonError::into_inner).take(now)
}

fn posted(head: &Parts) -> Result<(), End> {
    if head.method == Method::POST { Ok(()) } else { Err(End::stranger(405, "only POST is known here")) }
}

/// All of a body, in time, if it is short enough.
async fn read(body: Incoming, longest: usize) -> Result<Bytes, End> {
    let too_long = || End::stranger(413, format!("the body has more than {longest} bytes"));
    if body.size_hint().lower() > longest as u64 {
        return Err(too_long());
    }
    match timeout(PATIENCE, Limited::new(body, longest).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_long()),
        Ok(Err(_)) => Err(End::stranger(400, "the body broke off")),
        Err(_) => Err(End::stranger(408, "the body took too long")),
    }
}

fn answer(status: u16, body: &str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    match status {
        401 => drop(headers.insert("www-authenticate", HeaderValue::from_static("Bearer"))),
        405 => drop(headers.insert("allow", HeaderValue::from_static("POST"))),
        429 | 503 => drop(headers.insert("retry-after", HeaderValue::from_static("1"))),
        _ => {}
    }
    answer
}
