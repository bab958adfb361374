//! Questions to name servers on loopback.

use super::*;
use crate::adapter::tests::{closed, name_server};
use crate::port::binding::service_binding;
use crate::port::dns::tests::names;
use crate::run::FaultKind;
use crate::tests::inputs;
use hickory_proto::rr::Record;
use hickory_proto::rr::rdata::svcb::{Alpn, EchConfigList, IpHint, Mandatory, Unknown};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, SOA};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::atomic::{AtomicUsize, Ordering};

fn name(text: &str) -> rr::Name {
    rr::Name::from_ascii(text).unwrap()
}

/// A server that knows `app` (CNAME), `lb` (A), `big` (only over TCP) and nothing else.
fn reply(bytes: &[u8], tcp: bool) -> Option<Vec<u8>> {
    let question = Message::from_vec(bytes).ok()?;
    let asked = &question.queries[0];
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.add_query(asked.clone());
    answer.metadata.authoritative = !question.metadata.recursion_desired;
    let cname = |from: &str, to: &str| Record::from_rdata(name(from), 300, RData::CNAME(CNAME(name(to))));
    let a = |of: &str, last: u8| Record::from_rdata(name(of), 60, RData::A(A::new(127, 77, 0, last)));
    match (asked.name().to_utf8().as_str(), asked.query_type()) {
        ("app.example.com.", rr::RecordType::CNAME) => {
            answer.add_answer(cname("app.example.com.", "LB.example.com."));
        }
        ("app.example.com.", rr::RecordType::A) => {
            answer.add_answer(cname("app.example.com.", "lb.example.com."));
            answer.add_answer(a("lb.example.com.", 1));
        }
        ("lb.example.com.", rr::RecordType::A) => {
            answer.add_answer(a("lb.example.com.", 2));
            answer.add_answer(a("lb.example.com.", 1));
        }
        ("big.example.com.", rr::RecordType::A) if tcp => {
            answer.add_answer(a("big.example.com.", 9));
        }
        ("big.example.com.", rr::RecordType::A) => answer.metadata.truncation = true,
        ("lame.example.com.", _) => answer.metadata.authoritative = false,
        ("silent.example.com.", _) => return None,
        _ => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            let soa = SOA::new(name("ns1.example.com."), name("x.example.com."), 1, 7200, 900, 86400, 86400);
            answer.add_authority(Record::from_rdata(name("example.com."), 900, RData::SOA(soa)));
        }
    }
    answer.to_vec().ok()
}

proptest! {
    #![proptest_config(inputs())]

    /// What comes over the wire may be anything: it is read, or it is no answer.
    #[test]
    fn no_answer_is_too_strange(
        name in names(),
        asked in select(vec!["app", "lb", "big", "lame", "other"]),
        changed in vec((any::<usize>(), any::<u8>()), 0..6),
        noise in vec(any::<u8>(), 0..80),
        cut in option::of(any::<usize>()),
    ) {
        let mut question = Message::query();
        let wanted = Name::new(&format!("{asked}.example.com"));
        question.add_query(Query::query(on_wire(&wanted).unwrap(), rr::RecordType::A));
        let mut bytes = reply(&question.to_vec().unwrap(), true).unwrap();
        for (at, byte) in changed {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut % (bytes.len() + 1)));
        for bytes in [bytes, noise] {
            let _ = accept(&question, &bytes);
            let Ok(answer) = Message::from_vec(&bytes) else { continue };
            for name in [&name, &wanted] {
                let _ = served(&answer, name, rr::RecordType::A);
            }
        }
    }

    #[test]
    fn a_name_comes_back_from_the_wire_as_it_went(name in names()) {
        // Longer than a name may be is an error, and nothing else.
        if let Ok(wire) = on_wire(&name) {
            prop_assert_eq!(named(&wire), name);
        }
    }
}

/// A name in another script is on the wire in ASCII, and stays so.
#[test]
fn a_name_in_another_script_is_taken_as_it_is() {
    let name = Name::new("xn--bcher-kva.example");
    assert_eq!(named(&on_wire(&name).unwrap()), name);
}

type Param = (SvcParamKey, SvcParamValue);

/// Parameters of a service binding, what the library writes, and what a provider lists.
fn bindings() -> Vec<(Vec<Param>, &'static str, &'static str)> {
    let unknown =
        |key: u16, bytes: &[u8]| (SvcParamKey::from(key), SvcParamValue::Unknown(Unknown(bytes.to_vec())));
    let alpn = |ids: &[&str]| {
        let ids = ids.iter().map(ToString::to_string).collect();
        (SvcParamKey::Alpn, SvcParamValue::Alpn(Alpn(ids)))
    };
    let keys = Mandatory(vec![SvcParamKey::Alpn, SvcParamKey::Unknown(9)]);
    vec![
        (Vec::new(), "1 .", "1 ."),
        (vec![alpn(&["h2", "h3"])], "1 . alpn=h2,h3,", "1 . alpn=\"h2,h3\""),
        (vec![alpn(&[r"f\oo,bar", "h2"])], r"1 . alpn=f\oo,bar,h2,", r"1 . alpn=f\\\\oo\\,bar,h2"),
        (
            vec![(SvcParamKey::Mandatory, SvcParamValue::Mandatory(keys)), alpn(&["h2"]), unknown(9, b"")],
            "1 . mandatory=alpn,unknown9, alpn=h2, unknown9=\"\",",
            "1 . alpn=h2 key9 mandatory=key9,alpn",
        ),
        (
            vec![alpn(&["h2"]), (SvcParamKey::NoDefaultAlpn, SvcParamValue::NoDefaultAlpn)],
            "1 . alpn=h2, no-default-alpn=",
            "1 . no-default-alpn alpn=h2",
        ),
        (vec![(SvcParamKey::Port, SvcParamValue::Port(8443))], "1 . port=8443", "1 . port=\"8443\""),
        (
            vec![(SvcParamKey::Ipv4Hint, SvcParamValue::Ipv4Hint(IpHint(vec![A::new(192, 0, 2, 1)])))],
            "1 . ipv4hint=192.0.2.1,",
            "1 . ipv4hint=192.0.2.1",
        ),
        (
            vec![(SvcParamKey::EchConfigList, SvcParamValue::EchConfigList(EchConfigList(vec![0, 72])))],
            "1 . ech=\"AEg=\"",
            "1 . ech=AEg=",
        ),
        (
            vec![(
                SvcParamKey::Ipv6Hint,
                SvcParamValue::Ipv6Hint(IpHint(vec![AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)])),
            )],
            "1 . ipv6hint=2001:db8::1,",
            "1 . ipv6hint=2001:DB8:0::1",
        ),
        (
            vec![unknown(7, b"/dns-query{?dns}")],
            "1 . unknown7=\"/dns-query{?dns}\",",
            "1 . dohpath=/dns-query{?dns}",
        ),
        (
            vec![unknown(65280, b"a\"b \xff")],
            "1 . key65280=\"a\"b \u{fffd}\",",
            r#"1 . key65280="a\"b \255""#,
        ),
    ]
}

/// As a provider lists it, and not as the library writes it: that cannot be read back where a key is not known to it.
#[test]
fn a_service_binding_is_told_as_its_provider_lists_it() {
    for (params, written, listed) in bindings() {
        let data = RData::HTTPS(HTTPS(SVCB::new(1, rr::Name::root(), params)));
        assert_eq!(data.to_string(), written);
        assert_eq!(present(&data), service_binding(listed), "{written}");
    }
    let alias = RData::HTTPS(HTTPS(SVCB::new(0, name("Svc.example.com."), Vec::new())));
    assert_eq!(present(&alias), service_binding("0 svc.example.com."));
}

async fn asked(text: &str, kind: &str) -> Result<Served, Fault> {
    let address = name_server(reply).await;
    let authority = Authority { name: Name::new("ns1.example.com"), address };
    ask(&authority, &Name::new(text), &RecordType(kind.into())).await
}

#[tokio::test]
async fn an_authority_says_what_it_serves() {
    let served = asked("lb.example.com", "A").await.unwrap();
    assert!(served.authoritative);
    assert_eq!(served.values, ["127.77.0.1", "127.77.0.2"]);
    assert_eq!(served.ttl, Duration::from_mins(1));
    let served = asked("App.Example.com.", "CNAME").await.unwrap();
    assert_eq!(served.values, ["lb.example.com"]);
    assert_eq!(served.ttl, Duration::from_mins(5));
}

#[tokio::test]
async fn an_alias_is_not_served_under_another_type() {
    let served = asked("app.example.com", "A").await.unwrap();
    assert!(served.authoritative && served.values.is_empty(), "{served:?}");
}

#[tokio::test]
async fn nothing_is_kept_for_as_long_as_the_soa_says() {
    let served = asked("none.example.com", "A").await.unwrap();
    assert_eq!(served.negative_ttl, Some(Duration::from_mins(15)));
    assert!(served.authoritative && served.values.is_empty());
}

#[tokio::test]
async fn a_server_that_is_no_authority_is_no_evidence() {
    assert!(!asked("lame.example.com", "A").await.unwrap().authoritative);
}

#[tokio::test]
async fn what_does_not_fit_is_asked_over_tcp() {
    assert_eq!(asked("big.example.com", "A").await.unwrap().values, ["127.77.0.9"]);
}

#[tokio::test]
async fn whoever_is_silent_over_udp_is_asked_over_tcp() {
    let address = name_server(|bytes, tcp| if tcp { reply(bytes, tcp) } else { None }).await;
    let authority = Authority { name: Name::new("ns1.example.com"), address };
    let served = ask(&authority, &Name::new("lb.example.com"), &RecordType("A".into())).await.unwrap();
    assert_eq!(served.values, ["127.77.0.1", "127.77.0.2"]);
}

#[tokio::test]
async fn silence_is_blindness_and_names_the_port() {
    let authority = Authority { name: Name::new("ns1.example.com"), address: closed().await };
    let fault = ask(&authority, &Name::new("app.example.com"), &RecordType("A".into())).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Blind);
    let port = format!("is port {} open from here?", authority.address.port());
    assert!(fault.message.contains(&port), "{fault}");
    assert!(fault.message.contains("over udp: ") && fault.message.contains("over tcp: "), "{fault}");
}

#[tokio::test]
async fn a_resolver_is_followed_to_the_addresses() {
    let resolver = Resolver::At(name_server(reply).await);
    assert_eq!(resolver.addresses("lb.example.com").await.unwrap().len(), 2);
    let found = resolver.addresses("app.example.com").await.unwrap();
    assert_eq!(found, ["127.77.0.1".parse::<IpAddr>().unwrap()]);
    assert_eq!(resolver.addresses("none.example.com").await.unwrap_err().kind, FaultKind::Blind);
    assert_eq!(Resolver::System.addresses("127.0.0.1").await.unwrap().len(), 1);
}

/// What a server above a zone says of it.
enum Above {
    /// These are the name servers of that one.
    Refers(&'static str, &'static [&'static str]),
    /// There is no such zone.
    Denies,
    /// It answers for other zones only.
    Refuses,
}

/// Asks for the delegation of `example.com` where each server on the way down says the next of these.
async fn delegated(script: &'static [Above]) -> Result<Vec<Name>, Fault> {
    let turn = AtomicUsize::new(0);
    let server = name_server(move |bytes, _| {
        let question = Message::from_vec(bytes).ok()?;
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.add_query(question.queries[0].clone());
        let asked = question.queries[0].name().clone();
        if question.metadata.recursion_desired {
            if question.queries[0].query_type() == rr::RecordType::A {
                answer.add_answer(Record::from_rdata(asked, 60, RData::A(A::new(127, 0, 0, 1))));
            }
            return answer.to_vec().ok();
        }
        assert_eq!((asked, question.queries[0].query_type()), (name("example.com."), rr::RecordType::NS));
        match script.get(turn.fetch_add(1, Ordering::Relaxed)).unwrap_or(&Above::Refuses) {
            Above::Refers(zone, servers) => {
                for server in *servers {
                    answer.add_authority(Record::from_rdata(name(zone), 60, RData::NS(NS(name(server)))));
                }
            }
            Above::Denies => answer.metadata.response_code = ResponseCode::NXDomain,
            Above::Refuses => answer.metadata.response_code = ResponseCode::Refused,
        }
        answer.to_vec().ok()
    })
    .await;
    delegation(Resolver::At(server), server.port(), &Name::new("example.com")).await
}

#[tokio::test]
async fn a_delegation_is_what_the_parent_says_found_from_the_root_down() {
    use Above::{Denies, Refers, Refuses};
    let told =
        delegated(&[Refers("com.", &["a.gtld.example."]), Refers("Example.com.", &["ns2.x.", "NS1.x."])]);
    assert_eq!(told.await.unwrap(), ["ns1.x", "ns2.x"].map(Name::new));
    // One of the root's servers has a bad day.
    let told = delegated(&[Refuses, Refers("example.com.", &["ns1.x."])]);
    assert_eq!(told.await.unwrap(), [Name::new("ns1.x")]);
    let nowhere = delegated(&[Refers("com.", &["a.gtld.example."]), Denies]);
    assert_eq!(nowhere.await.unwrap(), []);
    // Up, sideways or in a circle is not nearer.
    for zone in [".", "net.", "com."] {
        let astray = [Refers("com.", &["a.gtld.example."]), Refers(zone, &["b.gtld.example."])];
        assert_eq!(delegated(Box::leak(Box::new(astray))).await.unwrap(), [], "{zone}");
    }
    let fault = delegated(&[]).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Blind, "{fault}");
    assert!(fault.message.contains("which is above example.com"), "{fault}");
}
