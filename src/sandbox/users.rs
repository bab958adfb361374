//! Users: each has a resolver of their own that caches by TTL, opens connections as browsers do, and counts what fails.
//!
//! They only know a URL. What a run does to the world shows here, as it would to real people.

use super::names::{named, on_wire};
use super::shared::Shared;
use crate::plan::Timestamp;
use crate::port::dns::Name;
use crate::sim::TrafficFile;
use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::{self, RData};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long a user waits for anything, on the wall clock.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a resolver waits before it asks once more, on the wall clock.
const DNS_PATIENCE: Duration = Duration::from_secs(1);
/// Resolvers keep at least so much of an answer, and no more than so much.
const LONGEST_TTL: u32 = 86_400;

/// Where users go.
pub(super) struct Way {
    /// Answers names.
    pub(super) resolver: SocketAddr,
    /// In place of 443.
    pub(super) port: u16,
    /// Trusts the world's authority.
    pub(super) tls: TlsConnector,
    /// Load balancers by address, for the report.
    pub(super) sides: BTreeMap<Ipv4Addr, String>,
}

/// One user.
struct User {
    shared: Arc<Shared>,
    way: Arc<Way>,
    host: String,
    cache: BTreeMap<Name, Cached>,
    kept: Option<(SendRequest<Empty<Bytes>>, Ipv4Addr)>,
    keeps: bool,
    number: u64,
}

/// What a resolver remembers of a name.
#[derive(Clone, Debug)]
struct Cached {
    until: Timestamp,
    found: Found,
}

#[derive(Clone, Debug)]
enum Found {
    Alias(Name),
    Addresses(Vec<Ipv4Addr>),
    Nothing,
}

/// Why a request failed: where it went, if anywhere, and what happened.
struct Failure(Option<Ipv4Addr>, String);

/// Lets all users live until the sandbox ends.
pub(super) fn live(shared: &Arc<Shared>, way: Way, traffic: &TrafficFile) -> Result<(), String> {
    let url = url::Url::parse(&traffic.url).map_err(|error| format!("`traffic: url`: {error}"))?;
    let host = url.host_str().filter(|_| url.scheme() == "https");
    let host = host.ok_or("`traffic: url` must begin with https:// and name a host")?.to_owned();
    let way = Arc::new(way);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of the users")]
    let keepers = (f64::from(traffic.users) * traffic.kept.clamp(0.0, 1.0)).round() as u32;
    for number in 0..traffic.users {
        let user = User {
            shared: shared.clone(),
            way: way.clone(),
            host: host.clone(),
            cache: BTreeMap::new(),
            kept: None,
            keeps: number < keepers,
            number: u64::from(number),
        };
        let (paths, every) = (traffic.paths.clone(), traffic.every.0);
        tokio::spawn(user.live(paths, every));
    }
    Ok(())
}

impl User {
    async fn live(mut self, paths: Vec<String>, every: Duration) {
        // Who keeps a connection asks more often, as somebody does who is reading.
        let every = if self.keeps { every / 3 } else { every };
        let mut turn = self.number;
        loop {
            // Spread over 50 % to 150 %, differently each time, repeatably.
            let spread = (turn.wrapping_mul(2_654_435_761) >> 7) % 1000;
            let pause = every / 2 + every * u32::try_from(spread).unwrap_or(0) / 1000;
            tokio::select! {
                () = self.shared.stop.cancelled() => return,
                () = self.shared.clock.wait(pause) => {}
            }
            turn = turn.wrapping_add(31);
            let place = usize::try_from(turn / 31).unwrap_or(0) % paths.len().max(1);
            let path = paths.get(place).map_or("/", String::as_str);
            let outcome = self.ask(path).await;
            if self.shared.stop.is_cancelled() {
                return;
            }
            self.count(outcome);
        }
    }

    fn count(&self, outcome: Result<Ipv4Addr, Failure>) {
        let side = |address: Option<Ipv4Addr>| {
            let known = address.and_then(|address| self.way.sides.get(&address));
            known.map_or("nobody", String::as_str)
        };
        let (address, failure) = match &outcome {
            Ok(address) => (Some(*address), None),
            Err(Failure(address, reason)) => (*address, Some(reason.as_str())),
        };
        let now = self.shared.clock.now();
        let mut users = self.shared.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.count(side(address), failure, now);
    }

    /// One request, as a browser sends it: a kept connection that turns out to be closed is no failure yet.
    async fn ask(&mut self, path: &str) -> Result<Ipv4Addr, Failure> {
        if let Some((mut sender, address)) = self.kept.take() {
            let ready = timeout(PATIENCE, sender.ready()).await.is_ok_and(|ready| ready.is_ok());
            if ready && let Ok(status) = self.request(&mut sender, path).await {
                return self.done(sender, address, status);
            }
        }
        let address = self.resolve().await.map_err(|reason| Failure(None, reason))?;
        let failed = |reason: String| Failure(Some(address), reason);
        let mut sender = self.connect(address).await.map_err(failed)?;
        let status = self.request(&mut sender, path).await.map_err(failed)?;
        self.done(sender, address, status)
    }

    fn done(
        &mut self,
        sender: SendRequest<Empty<Bytes>>,
        address: Ipv4Addr,
        status: u16,
    ) -> Result<Ipv4Addr, Failure> {
        self.kept = self.keeps.then_some((sender, address));
        if status < 400 { Ok(address) } else { Err(Failure(Some(address), format!("status {status}"))) }
    }

    async fn connect(&self, address: Ipv4Addr) -> Result<SendRequest<Empty<Bytes>>, String> {
        self.shared.users.lock().unwrap_or_else(PoisonError::into_inner).connections += 1;
        let stream = match timeout(PATIENCE, TcpStream::connect((address, self.way.port))).await {
            Err(_) => return Err("connecting took too long".into()),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                return Err("connection refused".into());
            }
            Ok(Err(error)) => return Err(format!("connecting failed: {error}")),
            Ok(Ok(stream)) => stream,
        };
        let _ = stream.set_nodelay(true);
        let name = ServerName::try_from(self.host.clone()).map_err(|error| error.to_string())?;
        let secured = timeout(PATIENCE, self.way.tls.connect(name, stream)).await;
        let stream = secured
            .map_err(|_| "the TLS handshake took too long".to_owned())?
            .map_err(|error| format!("the TLS handshake failed: {error}"))?;
        let shaken = handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| format!("no HTTP: {error}"))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// The status, once the whole answer is there.
    async fn request(&self, sender: &mut SendRequest<Empty<Bytes>>, path: &str) -> Result<u16, String> {
        let request = Request::get(path)
            .header("host", &self.host)
            .header("user-agent", "sandbox-user")
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        let answered = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status().as_u16();
            answer.into_body().collect().await?;
            Ok::<u16, hyper::Error>(status)
        };
        match timeout(PATIENCE, answered).await {
            Err(_) => Err("no answer in time".into()),
            Ok(Err(_)) => Err("the connection closed without an answer".into()),
            Ok(Ok(status)) => Ok(status),
        }
    }

    /// An address of the host, from the cache as long as its TTL allows.
    async fn resolve(&mut self) -> Result<Ipv4Addr, String> {
        let mut name = Name::new(&self.host);
        for _ in 0..8 {
            let now = self.shared.clock.now();
            if self.cache.get(&name).is_none_or(|cached| cached.until <= now) {
                self.look_up(&name).await?;
            }
            match self.cache.get(&name).map(|cached| cached.found.clone()) {
                Some(Found::Alias(next)) => name = next,
                Some(Found::Addresses(all)) => {
                    let place = usize::try_from(self.number).unwrap_or(0) % all.len().max(1);
                    return all.get(place).copied().ok_or_else(|| format!("{name} has no address"));
                }
                Some(Found::Nothing) | None => return Err(format!("{name} has no address")),
            }
        }
        Err(format!("{name} is an alias of an alias, and so on"))
    }

    /// Asks, and remembers everything in the answer for as long as it may be.
    async fn look_up(&mut self, name: &Name) -> Result<(), String> {
        let answer = match query(self.way.resolver, name).await {
            Some(answer) => answer,
            None => query(self.way.resolver, name).await.ok_or("the resolver is silent")?,
        };
        let now = self.shared.clock.now();
        let until = |ttl: u32| now.after(Duration::from_secs(ttl.min(LONGEST_TTL).into()));
        if !matches!(answer.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain) {
            return Err(format!("the resolver says {}", answer.metadata.response_code));
        }
        let mut last = name.clone();
        let mut addresses: BTreeMap<Name, (u32, Vec<Ipv4Addr>)> = BTreeMap::new();
        for record in &answer.answers {
            let owner = named(&record.name);
            match &record.data {
                RData::CNAME(to) => {
                    last = named(&to.0);
                    let found = Found::Alias(last.clone());
                    self.cache.insert(owner, Cached { until: until(record.ttl), found });
                }
                RData::A(address) => {
                    let entry = addresses.entry(owner).or_insert((record.ttl, Vec::new()));
                    entry.1.push(address.0);
                }
                _ => {}
            }
        }
        if !addresses.contains_key(&last) {
            // RFC 2308: nothing may be kept as long as the smaller of the SOA's TTL and its MINIMUM.
            let negative = answer.authorities.iter().find_map(|record| match &record.data {
                RData::SOA(soa) => Some(record.ttl.min(soa.minimum)),
                _ => None,
            });
            let cached = Cached { until: until(negative.unwrap_or(0)), found: Found::Nothing };
            self.cache.insert(last, cached);
        }
        for (owner, (ttl, all)) in addresses {
            self.cache.insert(owner, Cached { until: until(ttl), found: Found::Addresses(all) });
        }
        Ok(())
    }
}

async fn query(resolver: SocketAddr, name: &Name) -> Option<Message> {
    let mut question = Message::query();
    question.metadata.op_code = OpCode::Query;
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(on_wire(name)?, rr::RecordType::A));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?;
    socket.connect(resolver).await.ok()?;
    socket.send(&question.to_vec().ok()?).await.ok()?;
    let mut buffer = [0u8; 2048];
    let length = timeout(DNS_PATIENCE, socket.recv(&mut buffer)).await.ok()?.ok()?;
    let answer = Message::from_vec(&buffer[..length]).ok()?;
    (answer.metadata.id == question.metadata.id).then_some(answer)
}
