//! Users notice what real users would.

use super::*;
use crate::sandbox::Traffic;

const BUSY: &str = r#"
world: v1
account: "123456789012"
dns: { insync_after: 5s, name_servers: { ns-1.example.net: 1s } }
zones:
  example.com: { id: Z1, records: [{ name: www, type: CNAME, ttl: 60, values: [blue.eu-west-1.elb.amazonaws.com] }] }
load_balancers:
  blue: { dns_name: blue.eu-west-1.elb.amazonaws.com, client_keep_alive: 60s }
  green: { dns_name: green.eu-west-1.elb.amazonaws.com, client_keep_alive: 60s }
images: { "web@sha256:1": { app: frontend } }
task_definitions: { web: { containers: { web: { image: "web@sha256:1", port: 8080 } } } }
clusters:
  main:
    blue: { task_definition: web, load_balancer: blue, check: { path: / } }
    green: { task_definition: web, load_balancer: green, check: { path: / } }
traffic: { url: https://www.example.com, paths: [/], users: 8, every: 6s, kept: 0.25 }
on:
  - { step: idle, event: succeeded, do: { tear_down: blue } }
  - { step: switch, event: succeeded, do: { set_record: { name: www.example.com, type: A, alias: green } } }
  - { step: shorten, event: succeeded, do: { set_attributes: { load_balancer: blue, client_keep_alive: 60s } } }
"#;

async fn busy() -> Sandbox {
    sandbox_with(BUSY, Options { scale: Some(60), ..Options::default() }).await
}

async fn tell(sandbox: &Sandbox, step: &str) {
    let body = format!(r#"[{{"step": "{step}", "event": "succeeded"}}]"#);
    json("POST", &format!("{}/events", sandbox.wiring().control), &body).await;
}

async fn seen(sandbox: &Sandbox, enough: impl Fn(&Traffic) -> bool) -> Traffic {
    until(|| async { Some(sandbox.report()).filter(&enough) }).await
}

fn requests(traffic: &Traffic, side: &str) -> u64 {
    traffic.by_side.get(side).map_or(0, |side| side.requests)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_side_that_is_torn_down_while_caches_lead_to_it_fails_its_users() {
    let sandbox = busy().await;
    seen(&sandbox, |t| requests(t, "blue") > 20).await;
    assert_eq!(sandbox.report().failed, 0);
    tell(&sandbox, "switch").await;
    tell(&sandbox, "idle").await;
    // A request that was under way meanwhile fails in a way of its own, and may be the first.
    let traffic = seen(&sandbox, |t| t.reasons.contains_key("blue: connection refused")).await;
    assert!(traffic.reasons.keys().all(|reason| reason.starts_with("blue: ")), "{traffic:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_side_that_has_drained_is_missed_by_nobody() {
    let sandbox = busy().await;
    seen(&sandbox, |t| requests(t, "blue") > 20).await;
    tell(&sandbox, "switch").await;
    // The old answer may be kept for 60 s, and then a connection for 60 s more: after that nobody comes.
    super::super::clock::wait(Duration::from_secs(3)).await;
    let before = sandbox.report();
    tell(&sandbox, "idle").await;
    let after = seen(&sandbox, |t| requests(t, "green") > requests(&before, "green") + 40).await;
    assert_eq!(after.failed, 0, "{after:?}");
    assert_eq!(requests(&after, "blue"), requests(&before, "blue"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_meet_faults_at_the_load_balancer_and_are_counted() {
    let sandbox = busy().await;
    let (faults, calls) =
        (format!("{}/faults", sandbox.wiring().control), format!("{}/calls", sandbox.wiring().control));
    seen(&sandbox, |t| t.requests > 4).await;
    let held = r#"{"service": "http", "operation": "GET /", "containing": "blue", "kind": "hold_before"}"#;
    json("POST", &faults, held).await;
    until(|| async { (json("GET", &faults, "").await["faults"][0]["holding"] == 1).then_some(()) }).await;
    // Health checks do not come by the load balancer's front.
    let refused = r#"{"service": "http", "operation": "GET /", "times": 0, "status": 418}"#;
    json("POST", &faults, refused).await;
    let traffic = seen(&sandbox, |t| t.failed > 0).await;
    assert!(traffic.reasons.contains_key("blue: status 418"), "{traffic:?}");
    let told = json("GET", &calls, "").await;
    let of_users = told["calls"].as_array().unwrap().iter().find(|call| call["service"] == "http").unwrap();
    assert_eq!(of_users["operation"], "GET /");
    assert!(of_users["came"].as_u64() > of_users["answered"].as_u64(), "one is held: {of_users}");
}

/// A connection to a load balancer over which one asks, and hears whether it is to be closed.
struct Kept(hyper::client::conn::http1::SendRequest<http_body_util::Empty<hyper::body::Bytes>>);

impl Kept {
    async fn to(address: std::net::Ipv4Addr, port: u16) -> Self {
        let stream = tokio::net::TcpStream::connect((address, port)).await.unwrap();
        let stream = hyper_util::rt::TokioIo::new(stream);
        let (sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    async fn is_told_to_close(&mut self) -> bool {
        use http_body_util::BodyExt;
        let request = hyper::Request::get("/").header("host", "www.example.com");
        let request = request.body(http_body_util::Empty::new()).unwrap();
        let answer = self.0.send_request(request).await.unwrap();
        let closes = answer.headers().get("connection").is_some_and(|word| word == "close");
        answer.into_body().collect().await.unwrap();
        closes
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_may_last_for_as_long_as_when_it_was_opened() {
    let address = std::net::Ipv4Addr::new(127, 0, 7, 7);
    let own =
        format!("blue: {{ address: {address}, idle_timeout: 4000s, client_keep_alive: 7d, dns_name: blue.");
    let text = BUSY.replace("blue: { dns_name: blue.", &own);
    let text = text.replacen("com, client_keep_alive: 60s }", "com }", 1);
    let sandbox =
        sandbox_with(&text, Options { scale: Some(60), traffic: false, ..Options::default() }).await;
    let port = sandbox.wiring().ports[&80];
    let mut before = Kept::to(address, port).await;
    assert!(!before.is_told_to_close().await);
    tell(&sandbox, "shorten").await;
    let mut after = Kept::to(address, port).await;
    assert!(!after.is_told_to_close().await);
    super::super::clock::wait(Duration::from_millis(1200)).await;
    assert!(after.is_told_to_close().await, "its minute is over");
    assert!(!before.is_told_to_close().await, "it was opened when it could last for seven days");
}

#[tokio::test]
async fn a_world_whose_users_have_no_address_is_refused() {
    let text = BUSY.replace("https://www.example.com", "ftp://x");
    let error = start(&text, "w.yaml", Options::default()).await.unwrap_err();
    assert!(error.to_string().contains("https://"), "{error}");
}
