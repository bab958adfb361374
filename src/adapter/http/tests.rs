//! Requests to servers on loopback.

use super::*;
use crate::adapter::tests::{Certificate, Say, Server, closed, wiring};
use crate::run::{FaultKind, Landed};

fn request(method: &str, url: &str) -> Request {
    Request {
        method: method.into(),
        url: url.into(),
        headers: Vec::new(),
        body: None,
        connect_to: None,
        timeout: Duration::from_secs(10),
    }
}

#[tokio::test]
async fn an_answer_is_told_as_it_came() {
    let server = Server::plain(|_| {
        Say::Answer(302, vec![("Location", "/other".into()), ("X-Build", "7".into())], b"moved".into())
    });
    let server = server.await;
    let mut sent = request("POST", &format!("http://{}/a?b=c", server.address));
    sent.headers = vec![("Authorization".into(), "Bearer x".into())];
    sent.body = Some(b"{}".into());
    let answer = Http::new(None).send(sent).await.unwrap();
    assert_eq!((answer.status, &*answer.body), (302, &b"moved"[..]));
    assert!(answer.headers.contains(&("x-build".into(), "7".into())));
    assert_eq!(answer.address, Some(server.address));
    let seen = server.seen();
    assert_eq!(seen.len(), 1, "a redirect is not followed");
    assert!(seen[0].head.starts_with("post /a?b=c http/1.1"), "{}", seen[0].head);
    assert!(seen[0].head.contains("authorization: bearer x") && seen[0].body == "{}");
}

#[tokio::test]
async fn another_side_is_asked_under_the_name_of_the_url() {
    let certificate = Certificate::of(&["app.example.com"]);
    let server = Server::tls(&certificate, |_| Say::text(200, "new side")).await;
    let mut wiring = wiring();
    wiring.ca_pem = certificate.pem.clone();
    wiring.ports = [(443, server.address.port())].into();
    let http = Http::new(Some(&wiring));
    let mut asked = request("GET", "https://app.example.com/health");
    asked.connect_to = Some("127.0.0.1".into());
    let answer = http.get(asked.clone()).await.unwrap();
    assert_eq!((answer.status, &*answer.body), (200, &b"new side"[..]));
    assert!(server.seen()[0].head.contains("host: app.example.com\r\n"));
    let mut elsewhere = asked.clone();
    elsewhere.url = "https://app.example.com:9443/".into();
    elsewhere.connect_to = Some("127.0.0.1:443".into());
    assert_eq!(http.get(elsewhere).await.unwrap().address, Some(server.address));
    assert!(server.seen()[1].head.contains("host: app.example.com:9443\r\n"));
    // The certificate is for that name and for no other.
    asked.url = "https://other.example.com/health".into();
    let fault = http.get(asked).await.unwrap_err();
    assert!(fault.message.contains("cannot connect to 127.0.0.1"), "{fault}");
    assert!(fault.message.contains("certificate"), "{fault}");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_certificate_of_nobody_we_know_is_not_believed() {
    let server = Server::tls(&Certificate::of(&["127.0.0.1"]), |_| Say::text(200, "")).await;
    let mut wiring = wiring();
    wiring.ca_pem = Certificate::of(&["127.0.0.1"]).pem;
    let url = format!("https://{}/", server.address);
    let fault = Http::new(Some(&wiring)).get(request("GET", &url)).await.unwrap_err();
    assert_eq!((fault.kind, fault.landed), (FaultKind::Transient, Landed::No));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn looking_is_only_what_changes_nothing() {
    for method in ["POST", "DELETE", "get", "PUT"] {
        let fault = Http::new(None).get(request(method, "http://127.0.0.1:1/")).await.unwrap_err();
        assert_eq!((fault.kind, fault.landed), (FaultKind::Permanent, Landed::No), "{method}");
    }
}

#[tokio::test]
async fn only_what_was_sent_may_have_landed() {
    let mut wiring = wiring();
    wiring.ca_pem = Certificate::of(&["127.0.0.1"]).pem;
    let http = Http::new(Some(&wiring));
    let nobody = format!("http://{}/", closed().await);
    let drops = Server::plain(|_| Say::Drop).await;
    let hangs = Server::plain(|_| Say::Hang).await;
    for (url, landed) in [
        (nobody, Landed::No),
        (format!("http://{}/", drops.address), Landed::Maybe),
        (format!("http://{}/", hangs.address), Landed::Maybe),
        // Connected, but never as far as a request.
        (format!("https://{}/", hangs.address), Landed::No),
    ] {
        let mut sent = request("POST", &url);
        sent.timeout = Duration::from_millis(300);
        let fault = http.send(sent).await.unwrap_err();
        assert_eq!((fault.kind, fault.landed), (FaultKind::Transient, landed), "{url}: {fault}");
        let mut looked = request("GET", &url);
        looked.timeout = Duration::from_millis(300);
        assert_eq!(http.get(looked).await.unwrap_err().landed, Landed::No, "{url}");
    }
}

#[tokio::test]
async fn faults_tell_neither_paths_nor_values() {
    let mut sent = request("POST", "http://127.0.0.1:1/hunter2?hunter2");
    let fault = Http::new(None).send(sent.clone()).await.unwrap_err();
    assert!(!fault.message.contains("hunter2"), "{fault}");
    sent.headers = vec![("authorization".into(), "hunter2\n".into())];
    let fault = Http::new(None).send(sent).await.unwrap_err();
    assert!(fault.message.contains("authorization") && !fault.message.contains("hunter2"), "{fault}");
}

#[tokio::test]
async fn a_body_is_kept_up_to_its_limit() {
    let server = Server::plain(|_| Say::Answer(200, Vec::new(), vec![b'x'; BODY_LIMIT + 1000])).await;
    let answer = Http::new(None).get(request("GET", &format!("http://{}/", server.address))).await.unwrap();
    assert_eq!(answer.body.len(), BODY_LIMIT);
}

#[test]
fn where_to_connect_is_read_in_every_form() {
    let url = Url::parse("https://app.example.com/x").unwrap();
    for (text, expected) in [
        ("lb.example.com", "lb.example.com:443"),
        ("lb.example.com:444", "lb.example.com:444"),
        ("10.0.0.7", "10.0.0.7:443"),
        ("10.0.0.7:9", "10.0.0.7:9"),
        ("::1", "::1:443"),
        ("[::1]:9", "::1:9"),
    ] {
        assert_eq!(Endpoint::of(&url, Some(text)).unwrap().to_string(), expected);
    }
    assert!(Endpoint::of(&url, Some("lb:port")).is_err());
    // A certificate is asked for by the name in the url, and an address leaves no room for two.
    let bare = Url::parse("https://10.0.0.7/").unwrap();
    assert!(Endpoint::of(&bare, Some("lb.example.com")).is_err());
    assert_eq!(Endpoint::of(&bare, None).unwrap().to_string(), "10.0.0.7:443");
    assert!(Endpoint::of(&Url::parse("ftp://x/").unwrap(), None).is_err());
}
