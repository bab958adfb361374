//! A primary server that says what it is told to: what is sent to it, and which of its answers may be believed. How real
//! servers take it is in `tests/contract`.

use super::*;
use crate::adapter::SystemClock;
use crate::plan::{Scope, Span};
use crate::port::dns::tests::names;
use crate::run::{FaultKind, Landed};
use crate::tests::contract::servers::{Brand, GUEST, KEY, LATE, SECRET, Server as Real, target};
use crate::tests::inputs;
use hickory_proto::op::{Message, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_proto::rr::rdata::{CNAME, NS, SOA};
use hickory_proto::rr::{self, RData, Record, TSigResponseContext, TSigner};
use hickory_proto::serialize::binary::{BinDecodable, BinEncodable};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;
use sets::{Listed, listed, prints};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

proptest! {
    #![proptest_config(inputs())]

    /// What a server tells of a set that it was given is that set: or the next compare-and-swap would find a stranger's.
    #[test]
    fn a_set_is_told_as_it_was_made(
        name in names(),
        ttl: u32,
        values in prop_oneof![
            vec(any::<std::net::Ipv4Addr>().prop_map(|ip| ("A", ip.to_string())), 1..4),
            vec(any::<std::net::Ipv6Addr>().prop_map(|ip| ("AAAA", ip.to_string())), 1..4),
            vec(names().prop_map(|name| ("CNAME", name.to_string())), 1..2),
            vec((any::<u16>(), names()).prop_map(|(n, name)| ("MX", format!("{n} {name}"))), 1..3),
            vec("[a-z0-9 ]{0,20}".prop_map(|text| ("TXT", format!("\"{text}\""))), 1..3),
        ],
    ) {
        let kind = RecordType(values[0].0.to_owned());
        let values = values.into_iter().map(|(_, value)| value).collect();
        let set = RecordSet { name, kind, ttl: Some(ttl), values, alias: None, extra: BTreeMap::new() };
        // Names may be longer than names may be.
        let Ok(made) = Listed::made(&set) else { return Ok(()) };
        let again = Listed::made(&made.set).unwrap();
        prop_assert_eq!(again.print(), made.print());
        let told = listed(&set.name, made.records.iter());
        prop_assert_eq!(prints(&told), prints(&[made]));
    }
}

/// With its keys that nobody knows, and whatever the bytes of their values are.
#[test]
fn a_service_binding_is_told_as_it_was_made() {
    let set = |kind: &str, value: &str| RecordSet {
        name: Name::new("app.example.test"),
        kind: RecordType(kind.into()),
        ttl: Some(60),
        values: vec![value.into()],
        alias: None,
        extra: BTreeMap::new(),
    };
    let (stated, told) = (
        r#"1 . key65280="a \"b\255" dohpath=/dns-query{?dns} alpn="h2,h3""#,
        r#"1 . alpn=h2,h3 key7=/dns-query{?dns} key65280=a\032\"b\255"#,
    );
    for kind in ["HTTPS", "SVCB"] {
        let made = Listed::made(&set(kind, stated)).unwrap();
        assert_eq!(made.set.values, [told]);
        let sent = made.records[0].to_bytes().unwrap();
        let there = Record::from_bytes(&sent).unwrap();
        assert_eq!(prints(&listed(&made.set.name, std::iter::once(&there))), prints(&[made]));
        assert!(Listed::made(&set(kind, "1 . alpn=")).unwrap_err().contains("no service binding"));
    }
}

/// What the server does with an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Say {
    /// Answers so, signed.
    Signed(ResponseCode),
    /// The same, and not signed.
    Plain(ResponseCode),
    /// The same, signed by somebody else.
    Forged(ResponseCode),
    /// Closes the connection.
    Nothing,
}

/// A server of `example.test` that never changes it.
struct Scripted {
    address: SocketAddr,
    /// The updates that it was sent.
    updates: Arc<Mutex<Vec<Message>>>,
}

fn name(text: &str) -> rr::Name {
    rr::Name::from_ascii(text).unwrap()
}

fn signer(secret: &[u8]) -> TSigner {
    TSigner::new(secret.into(), TsigAlgorithm::HmacSha256, name("switchover."), 300).unwrap()
}

/// What it answers to a question.
fn reply(question: &Message, authoritative: bool) -> Message {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata = Metadata::response_from_request(&question.metadata);
    answer.add_queries(question.queries.iter().cloned());
    answer.metadata.authoritative = authoritative;
    let asked = &question.queries[0];
    let zone = name("example.test.");
    let soa = SOA::new(name("ns1.example.test."), name("x.example.test."), 7, 7200, 900, 86400, 300);
    match (asked.name().to_ascii().as_str(), asked.query_type()) {
        ("example.test.", rr::RecordType::SOA) => {
            answer.add_answer(Record::from_rdata(zone, 3600, RData::SOA(soa)));
        }
        ("example.test.", rr::RecordType::NS) => {
            let ns = RData::NS(NS(name("ns1.example.test.")));
            answer.add_answer(Record::from_rdata(zone, 3600, ns));
        }
        ("app.example.test.", rr::RecordType::CNAME | rr::RecordType::A) => {
            let cname = RData::CNAME(CNAME(name("Old.example.test.")));
            answer.add_answer(Record::from_rdata(asked.name().clone(), 300, cname));
        }
        _ => answer.metadata.response_code = ResponseCode::NXDomain,
    }
    answer
}

impl Scripted {
    async fn start(to_questions: Say, to_updates: Say, authoritative: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let updates: Arc<Mutex<Vec<Message>>> = Arc::default();
        let seen = updates.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, (to_questions, to_updates), authoritative, seen.clone()));
            }
        });
        Self { address, updates }
    }

    fn zone(&self) -> Arc<UpdatedZone> {
        at(self.address, KEY, SECRET, Arc::new(SystemClock::wall()))
    }
}

async fn answer(
    mut stream: TcpStream,
    (to_questions, to_updates): (Say, Say),
    authoritative: bool,
    seen: Arc<Mutex<Vec<Message>>>,
) -> Option<()> {
    loop {
        let mut bytes = vec![0; usize::from(stream.read_u16().await.ok()?)];
        stream.read_exact(&mut bytes).await.ok()?;
        let message = Message::from_vec(&bytes).unwrap();
        let own = data_encoding::BASE64.decode(SECRET.as_bytes()).unwrap();
        let (mac, ..) = signer(&own).verify_message_byte(&bytes, None, true).unwrap();
        let mut answer = reply(&message, authoritative);
        let mut say = to_questions;
        if message.metadata.op_code == OpCode::Update {
            say = to_updates;
            seen.lock().unwrap().push(message.clone());
        }
        let secret = match say {
            Say::Signed(_) => Some(own),
            Say::Forged(_) => Some(b"somebody else's".to_vec()),
            Say::Plain(_) => None,
            Say::Nothing => return None,
        };
        if let (OpCode::Update, Say::Signed(code) | Say::Forged(code) | Say::Plain(code)) =
            (message.metadata.op_code, say)
        {
            answer.metadata.response_code = code;
        }
        if let Some(secret) = secret {
            let time = message.signature().unwrap().data.time;
            let context = TSigResponseContext::new(message.metadata.id, time, signer(&secret), mac, None);
            let tsig = context.sign(&answer.to_vec().unwrap()).unwrap();
            answer.set_signature(tsig);
        }
        let bytes = answer.to_vec().unwrap();
        stream.write_u16(bytes.len().try_into().unwrap()).await.ok()?;
        stream.write_all(&bytes).await.ok()?;
    }
}

fn at(server: SocketAddr, key: &str, secret: &str, clock: Arc<dyn Clock>) -> Arc<UpdatedZone> {
    let secrets = serde_json::Map::from_iter([("tsig".to_owned(), secret.into())]);
    let scope = Scope { secrets, ..Scope::default() };
    Arc::new(UpdatedZone::read(&target(server, server, key), &scope, clock, None).unwrap())
}

fn set(value: serde_json::Value) -> RecordSet {
    serde_json::from_value(value).unwrap()
}

fn switch() -> [RecordChange; 2] {
    let old = json!({"name": "app.example.test", "type": "CNAME", "ttl": 300, "values": ["old.example.test"], "alias": null});
    let new =
        json!({"name": "app.example.test", "type": "A", "ttl": 60, "values": ["192.0.2.7"], "alias": null});
    [RecordChange::Delete(set(old)), RecordChange::Create(set(new))]
}

fn soon(seconds: u64) -> Timestamp {
    SystemClock::wall().now().after(Duration::from_secs(seconds))
}

const FINE: Say = Say::Signed(ResponseCode::NoError);

async fn change(to_updates: Say) -> (Fault, usize) {
    let server = Scripted::start(FINE, to_updates, true).await;
    let fault = server.zone().until(soon(60)).change(&switch(), "").await.unwrap_err();
    let sent = server.updates.lock().unwrap().len();
    (fault, sent)
}

#[tokio::test]
async fn an_update_requires_what_it_was_made_from() {
    let server = Scripted::start(FINE, FINE, true).await;
    // It ignores the update, so that it is not believed.
    let fault = server.zone().until(soon(60)).change(&switch(), "").await.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Foreign, Landed::Maybe), "{fault}");
    assert!(fault.message.contains("accepted the update, and has CNAME old.example.test"), "{fault}");
    let updates = server.updates.lock().unwrap();
    let [update] = &updates[..] else { panic!("{updates:?}") };
    let told = |records: &[Record]| -> Vec<String> {
        let told = |r: &Record| {
            format!("{} {} {} {} {}", r.name.to_ascii(), r.ttl, r.dns_class, r.record_type(), r.data)
        };
        records.iter().map(told).collect()
    };
    let required = told(&update.answers);
    assert!(
        required[0].starts_with("example.test. 0 IN SOA ns1.example.test. x.example.test. 7 "),
        "{required:?}"
    );
    assert_eq!(
        required[1..],
        ["app.example.test. 0 IN CNAME Old.example.test.", "app.example.test. 0 NONE A UPDATE",]
    );
    let changes = told(&update.authorities);
    assert_eq!(changes, ["app.example.test. 0 ANY CNAME UPDATE", "app.example.test. 60 IN A 192.0.2.7"]);
    let fudge = update.signature().unwrap().data.fudge;
    assert!((50..=60).contains(&fudge), "it holds until the deadline: {fudge}");
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_what_is_in_doubt_is_told_so() {
    use FaultKind::{Permanent, Transient};
    use Landed::{Maybe, No};
    for (code, kind, landed, word) in [
        (ResponseCode::Refused, Permanent, No, "`update-policy` or `allow-update` (BIND)"),
        (ResponseCode::NotAuth, Permanent, No, "must be the zone's primary server"),
        (ResponseCode::NotImp, Permanent, No, "takes no dynamic updates"),
        (ResponseCode::NotZone, Permanent, No, "not in this zone"),
        (ResponseCode::FormErr, Permanent, No, "refused the update"),
        (ResponseCode::ServFail, Transient, Maybe, "may have done it"),
    ] {
        let (fault, sent) = change(Say::Signed(code)).await;
        assert_eq!((fault.kind, fault.landed, sent), (kind, landed, 1), "{fault}");
        assert!(fault.message.contains(word), "{fault}");
        assert!(!fault.message.contains(SECRET));
    }
}

#[tokio::test]
async fn nobody_is_believed_who_does_not_sign() {
    for say in [Say::Plain(ResponseCode::NoError), Say::Forged(ResponseCode::NoError), Say::Nothing] {
        let (fault, sent) = change(say).await;
        assert_eq!(
            (fault.kind, fault.landed, sent),
            (FaultKind::Transient, Landed::Maybe, 1),
            "{say:?}: {fault}"
        );
        let server = Scripted::start(say, FINE, true).await;
        let fault = server.zone().record_sets(&Name::new("app.example.test")).await.unwrap_err();
        assert_eq!((fault.kind, fault.landed), (FaultKind::Transient, Landed::No), "{say:?}: {fault}");
    }
    // Who does not know what a signature is may still refuse.
    let (fault, _) = change(Say::Plain(ResponseCode::NotImp)).await;
    assert_eq!(fault.kind, FaultKind::Permanent, "{fault}");
}

#[tokio::test]
async fn what_is_refused_while_nothing_changed_is_tried_by_its_values_alone() {
    let (fault, sent) = change(Say::Signed(ResponseCode::NXRRSet)).await;
    assert_eq!((fault.kind, fault.landed, sent), (FaultKind::Permanent, Landed::No, 2), "{fault}");
    assert!(fault.message.contains("a wildcard may answer"), "{fault}");
}

#[tokio::test]
async fn who_is_no_authority_is_not_asked_on() {
    let server = Scripted::start(FINE, FINE, false).await;
    let fault = server.zone().zone().await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Permanent, "{fault}");
    assert!(fault.message.contains("no authority for this zone"), "{fault}");
}

#[tokio::test]
async fn an_update_leaves_before_its_deadline_or_never() {
    let server = Scripted::start(FINE, FINE, true).await;
    let fault = server.zone().until(SystemClock::wall().now()).change(&switch(), "").await.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Blind, Landed::No), "{fault}");
    assert!(server.updates.lock().unwrap().is_empty());
}

#[test]
fn what_a_target_lacks_is_told_and_its_secret_never() {
    let read = |with: serde_json::Value, secret: &str| {
        let with = crate::plan::Value::from_json(&with, Span::default());
        let target = Target { name: "zone".into(), kind: "rfc2136".into(), with };
        let secrets = serde_json::Map::from_iter([("tsig".to_owned(), secret.into())]);
        let scope = Scope { secrets, ..Scope::default() };
        UpdatedZone::read(&target, &scope, Arc::new(SystemClock::wall()), None)
            .err()
            .map(|fault| fault.to_string())
    };
    let with =
        |key: serde_json::Value| json!({"server": "ns1.example.test", "name": "example.test", "key": key});
    let secret = "${{ secrets.tsig }}";
    assert_eq!(read(with(json!({"name": "k", "secret": secret})), SECRET), None);
    for (key, value, why) in [
        (json!({"secret": secret}), SECRET, "it does not say its `name`"),
        (json!({"name": "k"}), SECRET, "it does not say its `secret`"),
        (json!({"name": "k", "secret": secret}), "not/base64!", "its secret is not base64"),
        (
            json!({"name": "k", "secret": secret, "algorithm": "hmac-md5"}),
            SECRET,
            "`hmac-md5` is no algorithm",
        ),
    ] {
        let fault = read(with(key), value).unwrap();
        assert!(fault.contains(why) && !fault.contains(value), "{fault}");
    }
    let key = Key::new("k", "hmac-sha256", SECRET).unwrap();
    assert_eq!(format!("{key:?}"), r#"Key { name: "k", .. }"#);
}

/// A clock that is wrong.
struct Wrong(Duration);

#[async_trait]
impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        SystemClock::wall().now().after(self.0)
    }
    async fn sleep_until(&self, moment: Timestamp) {
        SystemClock::wall().sleep_until(moment).await;
    }
}

#[tokio::test]
async fn a_key_that_real_servers_do_not_take_is_blindness_in_words() {
    for brand in [Brand::Bind, Brand::Knot] {
        let Some(server) = Real::start(brand).await else { return };
        let wall = || Arc::new(SystemClock::wall());
        let other = "YW5vdGhlciBzZWNyZXQsIG9ubHkgZm9yIHRlc3RzISE=";
        let hour = Duration::from_hours(1);
        for (zone, word) in [
            (at(server.address, "nobody", SECRET, wall()), "does not take the key `nobody`"),
            (at(server.address, KEY, other, wall()), "is not the one that it has"),
            (at(server.address, KEY, SECRET, Arc::new(Wrong(hour))), "s behind the one here, and "),
        ] {
            for fault in [zone.zone().await.unwrap_err(), zone.check().await.unwrap_err()] {
                assert_eq!((fault.kind, fault.landed), (FaultKind::Blind, Landed::No), "{brand:?}: {fault}");
                assert!(fault.message.contains(word), "{brand:?}: {fault}");
                assert!(!fault.message.contains(other) && !fault.message.contains(SECRET));
            }
        }
        at(server.address, KEY, SECRET, wall()).check().await.unwrap();
    }
}

#[tokio::test]
async fn a_key_that_may_only_look_is_refused_by_real_servers() {
    // Knot knows no key that may do something else.
    for (brand, kind) in [(Brand::Bind, FaultKind::Permanent), (Brand::Knot, FaultKind::Blind)] {
        let Some(server) = Real::start(brand).await else { return };
        let zone = at(server.address, GUEST, SECRET, Arc::new(SystemClock::wall()));
        let before = zone.record_sets(&Name::new("app.example.test")).await.unwrap();
        let fault = zone.until(soon(60)).change(&switch(), "").await.unwrap_err();
        assert_eq!((fault.kind, fault.landed), (kind, Landed::No), "{brand:?}: {fault}");
        assert!(fault.message.contains("the key `guest`"), "{brand:?}: {fault}");
        assert_eq!(zone.record_sets(&Name::new("app.example.test")).await.unwrap(), before);
    }
}

#[tokio::test]
async fn a_real_server_that_is_gone_is_told_and_what_it_did_is_in_doubt() {
    for brand in [Brand::Bind, Brand::Knot] {
        let Some(server) = Real::start(brand).await else { return };
        let zone = at(server.address, KEY, SECRET, Arc::new(SystemClock::wall()));
        zone.zone().await.unwrap();
        server.end();
        let fault = zone.until(soon(60)).change(&switch(), "").await.unwrap_err();
        assert_eq!((fault.kind, fault.landed), (FaultKind::Transient, Landed::No), "{brand:?}: {fault}");
        assert!(fault.message.contains("no connection"), "{fault}");
    }
}

/// It was read by the server after the deadline of its intent: nobody waits for it any more, and it must not land.
#[tokio::test]
async fn a_real_server_refuses_what_comes_after_the_deadline() {
    for brand in [Brand::Bind, Brand::Knot] {
        let Some(server) = Real::start(brand).await else { return };
        let place = server.place();
        place.fault(json!({"kind": "delay"})).await;
        let until = soon(LATE.as_secs() - 2);
        let fault =
            place.world.change_dns("updated", until).unwrap().change(&switch(), "").await.unwrap_err();
        assert!(fault.message.contains("BADTIME"), "{brand:?}: {fault}");
        let listed = place.world.dns("updated").unwrap().record_sets(&Name::new("app.example.test")).await;
        assert_eq!(listed.unwrap()[0].values, ["old.example.test"], "{brand:?}");
    }
}
