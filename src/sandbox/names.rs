//! The DNS of a world: one server per name server of its zones, each with its own delay, one that stands for the root and
//! every other parent, and one resolver for all names. Another one, over HTTPS, may be inside the network of private zones.
//!
//! Name servers answer with authority and without recursion. The resolver keeps nothing: it asks one of them in turn.

use super::clock;
use super::shared::Shared;
use crate::port::binding::Binding;
use crate::port::dns::Name;
use crate::sim::{Line, Said, World};
use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::svcb::{SvcParamKey, SvcParamValue, Unknown};
use hickory_proto::rr::rdata::{HTTPS, SVCB};
use hickory_proto::rr::{self, RData, Record};
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The name server at this place in the list.
    Authority(usize),
    /// The parent of every zone.
    Root,
    /// For all names.
    Resolver,
    /// The same, inside the network of private zones.
    Inside,
}

impl Role {
    /// As faults name it: whatever is asked on port 53, or what this machine asks for all names.
    fn operation(self) -> &'static str {
        match self {
            Self::Authority(_) | Self::Root => "ask",
            Self::Resolver | Self::Inside => "resolve",
        }
    }
}

/// The longest answer over UDP, whatever the caller says it can take.
const PAYLOAD: u16 = 1232;
/// How long a TCP connection may be idle.
const IDLE: Duration = Duration::from_secs(10);
/// How often it is looked whether a port is open again, on the wall clock.
const CLOSED: Duration = Duration::from_millis(50);
static LOTS: AtomicU64 = AtomicU64::new(0);

/// Answers over UDP until stopped.
pub(super) async fn over_udp(shared: Arc<Shared>, mut socket: UdpSocket, role: Role) {
    let mut buffer = [0u8; 4096];
    loop {
        let received = tokio::select! {
            () = shared.stop.cancelled() => return,
            received = socket.recv_from(&mut buffer) => received,
        };
        let Ok((length, peer)) = received else { continue };
        if let Some(fault) = blocking(&shared, role) {
            let Ok(address) = socket.local_addr() else { return };
            // Whoever asks meanwhile is refused.
            drop(socket);
            let Some(opened) = reopened(&shared, address, fault).await else { return };
            socket = opened;
            continue;
        }
        if let Some(answer) = respond(&shared, &buffer[..length], role, true) {
            // Nobody waits for an answer that cannot be sent.
            let _ = socket.send_to(&answer, peer).await;
        }
    }
}

/// The fault that keeps a question from whoever it is for.
fn blocking(shared: &Shared, role: Role) -> Option<u64> {
    shared.look(|world, _| world.faults.blocking(role.operation()))
}

/// A socket at the same address, as soon as the fault is gone; none: all is stopped.
async fn reopened(shared: &Shared, address: SocketAddr, fault: u64) -> Option<UdpSocket> {
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return None,
            () = clock::wait(CLOSED) => {}
        }
        let gone = shared.look(|world, _| !world.faults.in_place(fault));
        if gone && let Ok(socket) = UdpSocket::bind(address).await {
            return Some(socket);
        }
    }
}

/// Answers over TCP until stopped.
pub(super) async fn over_tcp(shared: Arc<Shared>, listener: TcpListener, role: Role) {
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted
            && blocking(&shared, role).is_none()
        {
            tokio::spawn(tokio::time::timeout(IDLE, one_tcp(shared.clone(), stream, role)));
        }
    }
}

async fn one_tcp(shared: Arc<Shared>, mut stream: TcpStream, role: Role) -> Option<()> {
    loop {
        let length = stream.read_u16().await.ok()?;
        let mut query = vec![0; usize::from(length)];
        stream.read_exact(&mut query).await.ok()?;
        let answer = respond(&shared, &query, role, false)?;
        let mut framed = u16::try_from(answer.len()).ok()?.to_be_bytes().to_vec();
        framed.extend(answer);
        stream.write_all(&framed).await.ok()?;
    }
}

/// The answer to one query in wire format; none to what is not one.
pub(super) fn respond(shared: &Shared, query: &[u8], role: Role, datagram: bool) -> Option<Vec<u8>> {
    let query = Message::from_vec(query).ok()?;
    if query.metadata.message_type != MessageType::Query {
        return None;
    }
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.metadata = Metadata::response_from_request(&query.metadata);
    answer.add_queries(query.queries.iter().cloned());
    if query.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(PAYLOAD);
        answer.set_edns(edns);
    }
    match query.queries.first() {
        _ if query.metadata.op_code != OpCode::Query => {
            answer.metadata.response_code = ResponseCode::NotImp;
        }
        Some(question) => {
            let name = named(question.name());
            let said = shared.look(|world, _| ask(world, role, &name, &question.query_type().to_string()));
            fill(&mut answer, &said, matches!(role, Role::Resolver | Role::Inside));
        }
        None => answer.metadata.response_code = ResponseCode::FormErr,
    }
    let bytes = answer.to_vec().ok()?;
    let room = usize::from(query.max_payload().min(PAYLOAD));
    if datagram && bytes.len() > room { answer.truncate().to_vec().ok() } else { Some(bytes) }
}

pub(super) fn fill(answer: &mut Message, said: &Said, recursive: bool) {
    answer.metadata.authoritative = said.authoritative && !recursive;
    answer.metadata.recursion_available = recursive;
    answer.metadata.response_code = match (said.refused, said.absent) {
        (true, _) => ResponseCode::Refused,
        (false, true) => ResponseCode::NXDomain,
        (false, false) => ResponseCode::NoError,
    };
    answer.answers.extend(said.answers.iter().filter_map(record));
    answer.authorities.extend(said.soa.iter().chain(&said.referral).filter_map(record));
}

pub(super) fn record(line: &Line) -> Option<Record> {
    let name = on_wire(&line.name)?;
    let kind = rr::RecordType::from_str(&line.kind).ok()?;
    let data = match kind {
        rr::RecordType::HTTPS => RData::HTTPS(HTTPS(service(&line.value)?)),
        rr::RecordType::SVCB => RData::SVCB(service(&line.value)?),
        other => RData::try_from_str(other, &line.value).ok()?,
    };
    Some(Record::from_rdata(name, line.ttl, data))
}

/// A service binding, each parameter in its bytes: the library does not read all that may be quoted and escaped.
fn service(value: &str) -> Option<SVCB> {
    let Binding { priority, target, params } = Binding::read(value)?;
    let param = |(key, wire): (u16, Vec<u8>)| (SvcParamKey::from(key), SvcParamValue::Unknown(Unknown(wire)));
    Some(SVCB::new(priority, on_wire(&target)?, params.into_iter().map(param).collect()))
}

/// A name that came over the wire.
pub(super) fn named(name: &rr::Name) -> Name {
    Name::of_labels(name.iter())
}

/// A name as it goes over the wire; none if it is too long for it.
pub(super) fn on_wire(name: &Name) -> Option<rr::Name> {
    rr::Name::from_labels(name.labels()).ok()
}

/// What this server says of a name.
fn ask(world: &World, role: Role, name: &Name, kind: &str) -> Said {
    let turn = LOTS.fetch_add(1, Ordering::Relaxed);
    match role {
        Role::Authority(place) => world.answer_of(place, name, kind, turn),
        Role::Root => world.refer(name),
        Role::Resolver => world.resolve(name, kind, turn),
        Role::Inside => world.resolve_inside(name, kind, turn),
    }
}

/// Sockets for both transports at one address.
pub(super) async fn bind(address: SocketAddr) -> std::io::Result<(UdpSocket, TcpListener)> {
    Ok((UdpSocket::bind(address).await?, TcpListener::bind(address).await?))
}
