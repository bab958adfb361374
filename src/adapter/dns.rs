//! Questions to name servers: to an authority, without recursion, and to a resolver.
//!
//! Not here: zones and their records as a provider lists them (`aws`).

mod https;
mod silence;

pub(super) use https::HttpsResolver;
pub(super) use silence::Silence;

use crate::port::binding::Binding;
use crate::port::dns::{Authority, Name, RecordType, Served};
use crate::run::Fault;
use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::svcb::{SvcParamKey, SvcParamValue};
use hickory_proto::rr::rdata::{HTTPS, SVCB};
use hickory_proto::rr::{self, RData};
use hickory_proto::serialize::binary::BinEncodable;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::{io, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::timeout;

/// The port of name servers.
pub(super) const PORT: u16 = 53;
/// How long each try over UDP waits, on the wall clock.
const TRIES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(2)];
/// How long one exchange over TCP may take.
const TCP_LIMIT: Duration = Duration::from_secs(5);
/// What fits every path without fragments (DNS flag day 2020).
const PAYLOAD: u16 = 1232;
/// How many aliases a resolver may leave to us.
const CHAIN: usize = 8;
/// Where all names begin.
const ROOTS: [&str; 2] = ["a.root-servers.net", "k.root-servers.net"];
/// How many of the servers of one zone are asked before they count as silent.
const SERVERS: usize = 2;

/// Who turns names into addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolver {
    /// As this machine does for every program.
    System,
    /// This one answers for all names.
    At(SocketAddr),
}

impl Resolver {
    /// The addresses that a name has now: at least one. Nothing is cached here.
    pub(super) async fn addresses(self, name: &str) -> Result<Vec<IpAddr>, Fault> {
        if let Ok(address) = name.trim_matches(['[', ']']).parse() {
            return Ok(vec![address]);
        }
        let mut found = match self {
            Self::System => match timeout(TCP_LIMIT, lookup_host((name, 0))).await {
                Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
                Ok(Err(error)) => return Err(Fault::blind(format!("{name} has no address: {error}"))),
                Err(_) => {
                    return Err(Fault::blind(format!("{name}: the resolver of this machine is silent")));
                }
            },
            Self::At(server) => by_resolver(server, name).await?,
        };
        found.dedup();
        if found.is_empty() {
            return Err(Fault::blind(format!("{name} has no address")));
        }
        Ok(found)
    }
}

async fn by_resolver(server: SocketAddr, name: &str) -> Result<Vec<IpAddr>, Fault> {
    let mut asked = Name::new(name);
    for _ in 0..CHAIN {
        let (four, six) = tokio::join!(
            exchange(server, &asked, rr::RecordType::A, true),
            exchange(server, &asked, rr::RecordType::AAAA, true)
        );
        let silent =
            |error: io::Error| Fault::blind(format!("{asked}: no answer from the resolver: {error}"));
        let answers: Vec<rr::Record> =
            four.map_err(silent)?.answers.into_iter().chain(six.map_err(silent)?.answers).collect();
        let found: Vec<IpAddr> = answers.iter().filter_map(|record| record.data.ip_addr()).collect();
        let next = answers.iter().rev().find_map(|record| match &record.data {
            RData::CNAME(to) => Some(named(&to.0)),
            _ => None,
        });
        match next {
            Some(next) if found.is_empty() => asked = next,
            _ => return Ok(found),
        }
    }
    Err(Fault::blind(format!("{name} is an alias of an alias, more than {CHAIN} times")))
}

/// The name servers that the parent of a zone sends resolvers to: asked of the root, and then of whom it refers to, so
/// that neither what the zone says of itself nor a resolver's own view of it counts. None: it sends them nowhere.
pub(super) async fn delegation(resolver: Resolver, port: u16, zone: &Name) -> Result<Vec<Name>, Fault> {
    let (mut from, mut servers) = (Name::new(""), ROOTS.map(Name::new).to_vec());
    loop {
        let referred = name_servers_of(resolver, port, &servers, zone).await?;
        let nearer =
            |(owner, _): &&(Name, Name)| *owner != from && owner.is_within(&from) && zone.is_within(owner);
        let Some((owner, _)) = referred.iter().find(nearer) else { return Ok(Vec::new()) };
        from = owner.clone();
        servers =
            referred.into_iter().filter(|(owner, _)| *owner == from).map(|(_, server)| server).collect();
        servers.sort();
        if from == *zone {
            return Ok(servers);
        }
    }
}

/// What the first of these servers that answers knows of a zone's name servers, or of those above it.
async fn name_servers_of(
    resolver: Resolver,
    port: u16,
    servers: &[Name],
    zone: &Name,
) -> Result<Vec<(Name, Name)>, Fault> {
    let mut silent = None;
    for server in servers.iter().take(SERVERS) {
        match answer_of(resolver, port, server, zone).await {
            Ok(answer) => {
                let records = answer.answers.iter().chain(&answer.authorities);
                let told = records.filter_map(|record| match &record.data {
                    RData::NS(to) => Some((named(&record.name), named(&to.0))),
                    _ => None,
                });
                return Ok(told.collect());
            }
            Err(fault) => silent = Some(fault),
        }
    }
    Err(silent.unwrap_or_else(|| Fault::blind(format!("nobody can be asked where {zone} is"))))
}

async fn answer_of(resolver: Resolver, port: u16, server: &Name, zone: &Name) -> Result<Message, Fault> {
    let unanswered = |address: SocketAddr, why: String| {
        Fault::blind(format!(
            "no answer from name server {server} ({address}), which is above {zone}: {why}; is port {port} open \
             from here?"
        ))
    };
    for ip in resolver.addresses(server.as_str()).await? {
        let address = SocketAddr::new(ip, port);
        if !reachable(address).await {
            continue;
        }
        let answer = exchange(address, zone, rr::RecordType::NS, false).await;
        let answer = answer.map_err(|error| unanswered(address, error.to_string()))?;
        return match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain => Ok(answer),
            refusal => Err(unanswered(address, refusal.to_string())),
        };
    }
    Err(Fault::blind(format!("no way from here to name server {server}, which is above {zone}")))
}

/// Every address of these name servers of a zone, each with its port, that there is a way to from here.
pub(super) async fn authorities(
    resolver: Resolver,
    servers: &[(Name, u16)],
    zone: &Name,
) -> Result<Vec<Authority>, Fault> {
    let (mut found, mut beyond) = (Vec::new(), 0);
    for (name, port) in servers {
        let addresses = resolver.addresses(name.as_str()).await?;
        let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, *port));
        for address in addresses {
            // A machine without IPv6 cannot ask there, and nobody who could would hear another answer.
            if reachable(address).await {
                found.push(Authority { name: name.clone(), address });
            } else {
                beyond += 1;
            }
        }
    }
    if found.is_empty() {
        let text = format!("no way from here to any of the {beyond} addresses of the name servers of {zone}");
        return Err(Fault::blind(text));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Asks an authority, without recursion. Silence is a fault; whatever it says, it has said.
pub(super) async fn ask(authority: &Authority, name: &Name, kind: &RecordType) -> Result<Served, Fault> {
    let wanted = wanted(kind)?;
    let answer = exchange(authority.address, name, wanted, false).await.map_err(|error| {
        let address = authority.address;
        Fault::blind(format!(
            "no answer from name server {} ({address}) about {name} {}: {error}; is port {} open from here?",
            authority.name,
            kind.0,
            address.port()
        ))
    })?;
    Ok(served(&answer, name, wanted))
}

fn wanted(kind: &RecordType) -> Result<rr::RecordType, Fault> {
    let odd = |_| Fault::permanent(format!("`{}` is not a type of record", kind.0));
    rr::RecordType::from_str(&kind.0).map_err(odd)
}

fn served(answer: &Message, name: &Name, wanted: rr::RecordType) -> Served {
    let known = matches!(answer.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain);
    let matching: Vec<&rr::Record> = answer
        .answers
        .iter()
        .filter(|record| record.record_type() == wanted && named(&record.name) == *name)
        .collect();
    let mut values: Vec<String> = matching.iter().map(|record| present(&record.data)).collect();
    values.sort();
    let negative = answer.authorities.iter().find_map(|record| match &record.data {
        RData::SOA(soa) if matching.is_empty() => Some(record.ttl.min(soa.minimum)),
        _ => None,
    });
    Served {
        authoritative: answer.metadata.authoritative && known,
        values,
        ttl: Duration::from_secs(matching.iter().map(|record| record.ttl).max().unwrap_or(0).into()),
        negative_ttl: negative.map(|seconds| Duration::from_secs(seconds.into())),
    }
}

/// A name that came over the wire.
pub(super) fn named(name: &rr::Name) -> Name {
    Name::of_labels(name.iter())
}

/// A name as it goes over the wire.
///
/// # Errors
/// It is longer than a name may be.
pub(super) fn on_wire(name: &Name) -> Result<rr::Name, String> {
    rr::Name::from_labels(name.labels()).map_err(|error| format!("`{name}`: {error}"))
}

/// As a zone file writes it; names as [`Name`] does.
pub(super) fn present(data: &RData) -> String {
    let name = |name: &rr::Name| named(name).to_string();
    match data {
        RData::CNAME(to) => name(&to.0),
        RData::NS(to) => name(&to.0),
        RData::PTR(to) => name(&to.0),
        RData::MX(mx) => format!("{} {}", mx.preference, name(&mx.exchange)),
        RData::SRV(srv) => format!("{} {} {} {}", srv.priority, srv.weight, srv.port, name(&srv.target)),
        RData::TXT(txt) => {
            let quote = |part: &[u8]| format!("\"{}\"", String::from_utf8_lossy(part).replace('"', "\\\""));
            txt.txt_data.iter().map(|part| quote(part)).collect::<Vec<_>>().join(" ")
        }
        RData::HTTPS(HTTPS(binding)) | RData::SVCB(binding) => service(binding),
        other => other.to_string(),
    }
}

/// By its bytes: the library writes those of a key that it does not know so that they cannot be read back.
fn service(binding: &SVCB) -> String {
    let wire = |value: &SvcParamValue| Some(value.to_bytes().ok()?.get(2..)?.to_vec());
    let param = |(key, value): &(SvcParamKey, SvcParamValue)| Some((u16::from(*key), wire(value)?));
    let params: Option<BTreeMap<u16, Vec<u8>>> = binding.svc_params.iter().map(param).collect();
    let (priority, target) = (binding.svc_priority, named(&binding.target_name));
    params.map_or_else(|| binding.to_string(), |params| Binding { priority, target, params }.to_string())
}

/// Whether this machine has a way to an address. Sends nothing.
pub(super) async fn reachable(address: SocketAddr) -> bool {
    connected(address).await.is_ok()
}

async fn connected(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    // A connected socket takes answers from this server only, and hears when its port is closed.
    socket.connect(server).await?;
    Ok(socket)
}

fn question(name: &Name, kind: rr::RecordType, recurse: bool) -> io::Result<Message> {
    let asked = on_wire(name).map_err(io::Error::other)?;
    let mut question = Message::query();
    question.metadata.recursion_desired = recurse;
    question.add_query(Query::query(asked, kind));
    let mut edns = Edns::new();
    edns.set_max_payload(PAYLOAD);
    question.set_edns(edns);
    Ok(question)
}

/// One question over UDP, then over TCP if the answer did not fit, or none came: some networks let only one of the two pass.
async fn exchange(
    server: SocketAddr,
    name: &Name,
    kind: rr::RecordType,
    recurse: bool,
) -> io::Result<Message> {
    let question = question(name, kind, recurse)?;
    let bytes = question.to_vec().map_err(io::Error::other)?;
    let by_datagram = over_udp(server, &question, &bytes).await;
    if by_datagram.as_ref().is_ok_and(|answer| !answer.metadata.truncation) {
        return by_datagram;
    }
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "nothing came in time");
    let by_stream = timeout(TCP_LIMIT, over_tcp(server, &question, &bytes)).await.map_err(late).flatten();
    by_stream.map_err(|tcp| match by_datagram {
        Ok(_) => io::Error::new(tcp.kind(), format!("over tcp: {tcp}")),
        Err(udp) => io::Error::new(tcp.kind(), format!("over udp: {udp}; over tcp: {tcp}")),
    })
}

async fn over_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let socket = connected(server).await?;
    let mut failed = None;
    for limit in TRIES {
        match timeout(limit, one_try(&socket, question, bytes)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => {
                failed = Some(error);
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a pause between two datagrams, on the wall clock"
                )]
                tokio::time::sleep(limit / 10).await;
            }
            Err(_) => {}
        }
    }
    Err(failed.unwrap_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "nothing came in time")))
}

async fn one_try(socket: &UdpSocket, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    socket.send(bytes).await?;
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // What is not the answer to this question may be a forgery: wait on.
        if let Some(answer) = accept(question, &buffer[..length]) {
            return Ok(answer);
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), bytes].concat()).await?;
    let mut buffer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut buffer).await?;
    accept(question, &buffer).ok_or_else(|| io::Error::other("the answer is to another question"))
}

fn accept(question: &Message, bytes: &[u8]) -> Option<Message> {
    Message::from_vec(bytes).ok().filter(|answer| answers(question, answer))
}

fn answers(question: &Message, answer: &Message) -> bool {
    answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        && answer.queries == question.queries
}

#[cfg(test)]
mod tests;
