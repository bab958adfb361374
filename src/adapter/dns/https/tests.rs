//! What resolvers may say over HTTPS, and what of it is an answer.

use super::*;
use crate::adapter::dns::{named, on_wire};
use crate::adapter::tests::{Certificate, Say, Server, closed, wiring};
use crate::port::Wiring;
use crate::run::FaultKind;
use crate::tests::inputs;
use hickory_proto::op::{MessageType, OpCode, Query};
use hickory_proto::rr::rdata::{A, SOA};
use hickory_proto::rr::{self, RData, Record};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const URL: &str = "https://dns.example/dns-query";

fn app() -> Name {
    Name::new("app.example.com")
}

/// The question that is sent for an address of `app.example.com`.
fn asked() -> Message {
    let mut asked = question(&app(), rr::RecordType::A, true).unwrap();
    asked.metadata.id = 0;
    asked
}

fn reply(kind: rr::RecordType) -> Message {
    let mut reply = Message::response(0, OpCode::Query);
    reply.add_query(Query::query(on_wire(&app()).unwrap(), kind));
    reply
}

/// One address, for 42 seconds more.
fn good() -> Message {
    let mut reply = reply(rr::RecordType::A);
    let address = RData::A(A::new(192, 0, 2, 7));
    reply.add_answer(Record::from_rdata(on_wire(&app()).unwrap(), 42, address));
    reply
}

fn says(status: u16, kind: &str, more: &[(&'static str, &str)], body: Vec<u8>) -> Say {
    let mut headers = vec![("content-type", kind.to_owned())];
    headers.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Say::Answer(status, headers, body)
}

fn message(message: &Message) -> Say {
    says(200, MESSAGE, &[], message.to_vec().unwrap())
}

fn at(url: &str, wiring: &Wiring) -> HttpsResolver {
    HttpsResolver::new(URL, Some(url), Arc::new(Http::new(Some(wiring))))
}

async fn ask(server: &Server) -> Result<Served, Fault> {
    let resolver = at(&format!("http://{}/dns-query", server.address), &wiring());
    resolver.ask(&app(), &RecordType("A".into())).await
}

/// It is no evidence, and this is why.
#[track_caller]
fn is_blind(answer: Result<Served, Fault>, words: &str) {
    let fault = answer.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Blind, "{fault}");
    let begins = format!("no answer from resolver {URL} about app.example.com A: ");
    assert!(fault.message.starts_with(&begins) && fault.message.contains(words), "`{words}`: {fault}");
}

#[tokio::test]
async fn a_resolver_says_what_it_keeps_and_for_how_long() {
    let server = Server::plain(|_| message(&good())).await;
    let kept = ask(&server).await.unwrap();
    assert_eq!((&kept.values[..], kept.ttl), (&["192.0.2.7".to_owned()][..], Duration::from_secs(42)));
    assert!(!kept.authoritative);
    let [request] = &server.seen()[..] else { panic!("one request") };
    assert!(request.head.starts_with("post /dns-query http/1.1"), "{}", request.head);
    for header in ["content-type: application/dns-message", "accept: application/dns-message"] {
        assert!(request.head.contains(header), "{header}: {}", request.head);
    }
    assert!(request.body.starts_with("\0\0"), "its id is 0");
}

#[tokio::test]
async fn what_has_been_on_its_way_for_long_is_kept_for_less() {
    let aged = || says(200, "Application/DNS-Message; charset=x", &[("age", "12")], good().to_vec().unwrap());
    let server = Server::plain(move |_| aged()).await;
    assert_eq!(ask(&server).await.unwrap().ttl, Duration::from_secs(30));
}

#[tokio::test]
async fn that_there_is_nothing_is_an_answer() {
    let nothing = || {
        let mut reply = reply(rr::RecordType::A);
        reply.metadata.response_code = ResponseCode::NXDomain;
        let zone = on_wire(&Name::new("example.com")).unwrap();
        let soa = SOA::new(zone.clone(), zone.clone(), 1, 7200, 900, 86400, 86400);
        reply.add_authority(Record::from_rdata(zone, 300, RData::SOA(soa)));
        message(&reply)
    };
    let server = Server::plain(move |_| nothing()).await;
    let kept = ask(&server).await.unwrap();
    assert_eq!((kept.values.len(), kept.negative_ttl), (0, Some(Duration::from_secs(300))));
}

#[tokio::test]
async fn an_answer_that_is_no_whole_message_is_no_evidence() {
    let changed = |change: fn(&mut Message)| {
        let mut reply = good();
        change(&mut reply);
        message(&reply)
    };
    let bytes = || good().to_vec().unwrap();
    let bad: Vec<(Say, &str)> = vec![
        (says(200, "text/html", &[], b"<html>".to_vec()), "it says `text/html`"),
        (Say::Answer(200, Vec::new(), bytes()), "it says ``"),
        (says(302, MESSAGE, &[("location", "/elsewhere")], bytes()), "it sends elsewhere (status 302)"),
        (says(204, MESSAGE, &[], Vec::new()), "its status is 204"),
        (says(400, MESSAGE, &[], bytes()), "its status is 400"),
        (says(503, MESSAGE, &[], bytes()), "its status is 503"),
        (says(200, MESSAGE, &[], Vec::new()), "it says no message"),
        (says(200, MESSAGE, &[], bytes()[..20].to_vec()), "it says no message"),
        (says(200, MESSAGE, &[], vec![0; LONGEST + 1]), "longer than 65535 bytes"),
        (says(200, MESSAGE, &[], vec![0; 3 << 20]), "longer than 65535 bytes"),
        (changed(|reply| reply.metadata.id = 7), "it answers another question"),
        (changed(|reply| reply.metadata.message_type = MessageType::Query), "it answers another question"),
        (message(&reply(rr::RecordType::AAAA)), "it answers another question"),
        (changed(|reply| reply.metadata.truncation = true), "its answer is cut off"),
        (changed(|reply| reply.metadata.response_code = ResponseCode::ServFail), "Server Failure"),
        (changed(|reply| reply.metadata.response_code = ResponseCode::Refused), "Query Refused"),
        (Say::Drop, "the answer was lost"),
    ];
    for (say, words) in bad {
        let say = std::sync::Mutex::new(Some(say));
        let server = Server::plain(move |_| say.lock().unwrap().take().unwrap_or(Say::Drop)).await;
        is_blind(ask(&server).await, words);
        assert_eq!(server.seen().len(), 1, "{words}: nothing is followed, and nothing is tried again");
    }
}

#[tokio::test]
async fn who_is_slow_or_not_there_is_no_evidence() {
    let server = Server::plain(|_| Say::Hang).await;
    is_blind(ask(&server).await, "no answer within 5s");
    let nobody = at(&format!("http://{}/dns-query", closed().await), &wiring());
    is_blind(nobody.ask(&app(), &RecordType("A".into())).await, "cannot connect");
}

#[tokio::test]
async fn who_is_not_who_they_should_be_is_no_evidence() {
    let certificate = Certificate::of(&["127.0.0.1"]);
    let server = Server::tls(&certificate, |_| message(&good())).await;
    let (url, kind) = (format!("https://{}/dns-query", server.address), RecordType("A".into()));
    let trusted = Wiring { ca_pem: certificate.pem.clone(), ..wiring() };
    assert!(at(&url, &trusted).ask(&app(), &kind).await.is_ok());
    let other = Wiring { ca_pem: Certificate::of(&["127.0.0.1"]).pem, ..wiring() };
    is_blind(at(&url, &other).ask(&app(), &kind).await, "certificate");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn in_production_nothing_is_asked_in_the_clear() {
    let server = Server::plain(|_| message(&good())).await;
    let url = format!("http://{}/dns-query", server.address);
    let resolver = HttpsResolver::new(&url, None, Arc::new(Http::new(None)));
    let fault = resolver.ask(&app(), &RecordType("A".into())).await.unwrap_err();
    assert!(fault.kind == FaultKind::Blind && fault.message.ends_with("over https alone"), "{fault}");
    assert!(server.seen().is_empty());
}

proptest! {
    #![proptest_config(inputs())]

    /// Whatever a server says: it is an answer to the question, or there is a reason why not.
    #[test]
    fn no_body_is_too_strange(
        status in select(vec![200, 204, 302, 500]),
        kind in select(vec![MESSAGE, "application/dns-message ; x=y", "application/json", ""]),
        changed in vec((any::<usize>(), any::<u8>()), 0..6),
        noise in vec(any::<u8>(), 0..80),
        cut in option::of(any::<usize>()),
    ) {
        let mut body = good().to_vec().unwrap();
        for (at, byte) in changed {
            let length = body.len();
            body[at % length] = byte;
        }
        body.truncate(cut.map_or(body.len(), |cut| cut % (body.len() + 1)));
        for body in [body, noise] {
            let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
            let response = Response { status, headers, body, elapsed: Duration::ZERO, address: None };
            match read(&asked(), &response) {
                Ok(message) => {
                    prop_assert!(status == 200 && kind.starts_with(MESSAGE));
                    prop_assert!(answers(&asked(), &message) && !message.metadata.truncation);
                    prop_assert_eq!(named(message.queries[0].name()), app());
                    let _ = served(&message, &app(), rr::RecordType::A);
                }
                Err(why) => prop_assert!(!why.is_empty()),
            }
        }
    }
}
