//! The primary server of those zones of a world that are not on AWS: asked and told over TCP, each message signed by the key of
//! the wiring (TSIG, RFC 8945). It takes dynamic updates (RFC 2136): one becomes one batch of the zone.
//!
//! What a batch means is in `sim`. Of updates only those are spoken that state and change whole sets.

use super::faults;
use super::names::{fill, named, record};
use super::serve::Dropped;
use super::shared::Shared;
use crate::plan::Timestamp;
use crate::port::dns::{Name, RecordSet, RecordType};
use crate::sim::{FaultRule, Line, Verb, World, Zone};
use hickory_proto::op::{Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::{self, DNSClass, RData, Record, TSigResponseContext, TSigner};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(10);
/// How long a signature holds, in seconds of the world: they pass too quickly here to be counted.
const FUDGE: u16 = u16::MAX;
/// As faults name it.
const SERVICE: &str = "rfc2136";

/// The key that the wiring tells.
pub(super) fn key(name: &str, secret: &str) -> Option<TSigner> {
    let name = rr::Name::from_ascii(name).ok()?;
    TSigner::new(secret.into(), TsigAlgorithm::HmacSha256, name, FUDGE).ok()
}

/// Answers until stopped.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener, key: Option<TSigner>) {
    let Some(key) = key else { return };
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        if let Ok((stream, _)) = accepted {
            tokio::spawn(connection(shared.clone(), stream, key.clone()));
        }
    }
}

async fn connection(shared: Arc<Shared>, mut stream: TcpStream, key: TSigner) -> Option<()> {
    loop {
        let length = tokio::time::timeout(IDLE, stream.read_u16()).await.ok()?.ok()?;
        let mut asked = vec![0; usize::from(length)];
        stream.read_exact(&mut asked).await.ok()?;
        shared.touch();
        let answer = respond(&shared, &asked, &key).await?;
        let mut framed = u16::try_from(answer.len()).ok()?.to_be_bytes().to_vec();
        framed.extend(answer);
        stream.write_all(&framed).await.ok()?;
    }
}

/// The answer to one message; none to what is not one, or by a fault.
async fn respond(shared: &Shared, asked: &[u8], key: &TSigner) -> Option<Vec<u8>> {
    let message = Message::from_vec(asked).ok()?;
    if message.metadata.message_type != MessageType::Query {
        return None;
    }
    let seconds = shared.look(|_, now| now.0 / 1000);
    let context = match signature(&message, asked, key, seconds) {
        Ok(context) => context,
        Err(None) => return plain(&message, ResponseCode::Refused).to_vec().ok(),
        Err(Some(context)) => return signed(plain(&message, ResponseCode::NotAuth), context),
    };
    let operation = if message.metadata.op_code == OpCode::Update { "UPDATE" } else { "query" };
    let text = format!("{:?} {:?} {:?}", message.queries, message.answers, message.authorities);
    let refuse = |rule: FaultRule| plain(&message, refusal(&rule));
    let perform = async || Ok(perform(shared, &message));
    let answer: Result<Message, Dropped> =
        faults::meet(shared, (SERVICE, operation, &text), refuse, perform).await;
    signed(answer.ok()?, context)
}

/// How an answer to a message is signed; none: not at all, for nor was the message.
fn signature(
    message: &Message,
    bytes: &[u8],
    key: &TSigner,
    seconds: u64,
) -> Result<TSigResponseContext, Option<TSigResponseContext>> {
    let (id, tsig) = (message.metadata.id, message.signature().ok_or(None)?);
    if tsig.name != *key.signer_name() {
        return Err(Some(TSigResponseContext::unknown_key(id, seconds, tsig.name.clone())));
    }
    let bad = |_| Some(TSigResponseContext::bad_signature(id, seconds, key.clone()));
    let (mac, ..) = key.verify_message_byte(bytes, None, true).map_err(bad)?;
    Ok(TSigResponseContext::new(id, seconds, key.clone(), mac, None))
}

fn signed(mut answer: Message, context: TSigResponseContext) -> Option<Vec<u8>> {
    let tsig = context.sign(&answer.to_vec().ok()?).ok()?;
    answer.set_signature(tsig);
    answer.to_vec().ok()
}

fn plain(message: &Message, code: ResponseCode) -> Message {
    let mut answer = Message::response(message.metadata.id, message.metadata.op_code);
    answer.metadata = Metadata::response_from_request(&message.metadata);
    answer.metadata.response_code = code;
    answer.add_queries(message.queries.iter().cloned());
    answer
}

fn refusal(rule: &FaultRule) -> ResponseCode {
    match rule.code.as_deref() {
        Some("REFUSED") => ResponseCode::Refused,
        Some("NOTAUTH") => ResponseCode::NotAuth,
        _ => ResponseCode::ServFail,
    }
}

fn perform(shared: &Shared, message: &Message) -> Message {
    let mut answer = plain(message, ResponseCode::NoError);
    let Some(question) = message.queries.first() else { return plain(message, ResponseCode::FormErr) };
    let name = named(question.name());
    match message.metadata.op_code {
        OpCode::Query => {
            let kind = question.query_type().to_string();
            let said = shared.look(|world, _| world.answer_of_primary(&name, &kind));
            fill(&mut answer, &said, false);
        }
        OpCode::Update => {
            let code = shared.change(|world, now| update(world, &name, message, now));
            answer.metadata.response_code = code.err().unwrap_or(ResponseCode::NoError);
        }
        _ => answer.metadata.response_code = ResponseCode::NotImp,
    }
    answer
}

/// Requires what the message requires, and makes one batch of its changes (RFC 2136, sections 3.2 and 3.4).
fn update(world: &mut World, name: &Name, message: &Message, now: Timestamp) -> Result<(), ResponseCode> {
    let zone = world.zones.iter().find(|zone| zone.is_updated() && zone.name == *name);
    let zone = zone.ok_or(ResponseCode::NotAuth)?;
    require(world, zone, &message.answers)?;
    let batch = batch(zone, &message.authorities)?;
    if batch.is_empty() {
        return Ok(());
    }
    let id = zone.id.clone();
    // What no zone may hold, the world says as it says it to callers of AWS.
    world.change(&id, &batch, None, now).map(drop).map_err(|_| ResponseCode::Refused)
}

/// What is compared as a whole: the values of one name and type.
type Values = BTreeMap<(Name, rr::RecordType), Vec<String>>;

fn require(world: &World, zone: &Zone, required: &[Record]) -> Result<(), ResponseCode> {
    let mut exactly = Values::new();
    for record in required {
        let owner = named(&record.name);
        if !zone.holds(&owner) {
            return Err(ResponseCode::NotZone);
        }
        let there = !values(world, zone, &owner, record.record_type()).is_empty();
        match record.dns_class {
            DNSClass::ANY if !there => return Err(ResponseCode::NXRRSet),
            DNSClass::NONE if there => return Err(ResponseCode::YXRRSet),
            DNSClass::ANY | DNSClass::NONE => {}
            DNSClass::IN => {
                exactly.entry((owner, record.record_type())).or_default().push(present(&record.data));
            }
            _ => return Err(ResponseCode::FormErr),
        }
    }
    for ((owner, kind), mut wanted) in exactly {
        wanted.sort();
        if values(world, zone, &owner, kind) != wanted {
            return Err(ResponseCode::NXRRSet);
        }
    }
    Ok(())
}

/// What the zone has now, sorted; no wildcard stands for it.
fn values(world: &World, zone: &Zone, owner: &Name, kind: rr::RecordType) -> Vec<String> {
    let lines: Vec<Line> = if kind == rr::RecordType::SOA {
        world.answer_of_primary(owner, "SOA").answers
    } else {
        let own = zone.newest().values().filter(|set| set.name == *owner && set.kind.0 == kind.to_string());
        let line = |value: &String| Line {
            name: owner.clone(),
            kind: kind.to_string(),
            ttl: 0,
            value: value.clone(),
        };
        own.flat_map(|set| &set.values).map(line).collect()
    };
    let mut values: Vec<String> =
        lines.iter().filter_map(record).map(|record| present(&record.data)).collect();
    values.sort();
    values
}

fn batch(zone: &Zone, changes: &[Record]) -> Result<Vec<(Verb, RecordSet)>, ResponseCode> {
    let (mut gone, mut come) = (Vec::new(), Vec::<RecordSet>::new());
    for record in changes {
        let (owner, kind) = (named(&record.name), RecordType(record.record_type().to_string()));
        let is = |set: &RecordSet| set.name == owner && set.kind == kind;
        match record.dns_class {
            DNSClass::ANY => gone.extend(zone.newest().values().filter(|set| is(set)).cloned()),
            DNSClass::IN => {
                let value = present(&record.data);
                match come.iter_mut().find(|set| is(set)) {
                    Some(set) => set.values.push(value),
                    None => come.push(RecordSet {
                        name: owner,
                        kind,
                        ttl: Some(record.ttl),
                        values: vec![value],
                        alias: None,
                        extra: BTreeMap::new(),
                    }),
                }
            }
            _ => return Err(ResponseCode::FormErr),
        }
    }
    let gone = gone.into_iter().map(|set| (Verb::Delete, set));
    Ok(gone.chain(come.into_iter().map(|set| (Verb::Create, set))).collect())
}

/// As world files write it.
fn present(data: &RData) -> String {
    match data {
        RData::CNAME(to) => named(&to.0).to_string(),
        RData::NS(to) => named(&to.0).to_string(),
        other => other.to_string(),
    }
}
