//! What one test has of an emulator: an account of its own, with what the world's text says in it, and calls as anybody
//! makes them.

use super::publish::Published;
use super::server::Emulator;
use crate::adapter::SystemClock;
use crate::port::{Clock, Wiring, WorldTime};
use crate::sim::Faults;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What of the world is made. All else is left out, to be quick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tests::contract) enum Part {
    Zones,
    Balancers,
    Services,
    Alarms,
    Metrics,
    Logs,
    /// Of services, which must be there too.
    Scaling,
    Parameters,
    /// Those that have a tag: a digest is what comes of an image.
    Images,
    /// A role that may do all but what the world's faults deny.
    Permissions,
}

/// Whose call it is, for moto. ministack takes a key of twelve digits for the account.
pub(super) const ACCOUNT: &str = "x-moto-account-id";

/// How many times as fast as the wall's its clock runs.
const SCALE: u32 = 600;

static ACCOUNTS: AtomicU64 = AtomicU64::new(400_000_000_000);

pub(in crate::tests::contract) struct Stage {
    pub(super) emulator: Emulator,
    server: SocketAddr,
    account: String,
    pub(super) zone: String,
    /// Whose calls they are that come from outside; else the account's.
    pub(super) keys: Option<(String, String)>,
    client: Client<HttpConnector, Full<Bytes>>,
    time: WorldTime,
    pub(super) faults: Mutex<Faults>,
    pub(super) published: tokio::sync::Mutex<Published>,
}

impl Stage {
    /// Makes it.
    pub(super) async fn build(emulator: Emulator, server: SocketAddr, text: &str, parts: &[Part]) -> Self {
        let account = ACCOUNTS.fetch_add(1, Ordering::Relaxed).to_string();
        // An alarm tells when it changed, by the wall.
        let scale = if parts.contains(&Part::Alarms) { 1 } else { SCALE };
        let time = WorldTime { origin: SystemClock::wall().now(), scale };
        let mut stage = Self {
            emulator,
            server,
            account,
            zone: String::new(),
            keys: None,
            client: Client::builder(TokioExecutor::new()).build_http(),
            time,
            faults: Mutex::default(),
            published: tokio::sync::Mutex::new(Published::since(time.origin)),
        };
        let world: Json = serde_yaml::from_str(text).unwrap();
        stage.make(&world, parts).await;
        stage
    }

    pub(in crate::tests::contract) fn account(&self) -> &str {
        &self.account
    }

    pub(super) fn zone(&self) -> &str {
        &self.zone
    }

    pub(super) fn clock(&self) -> SystemClock {
        SystemClock::scaled(self.time)
    }

    /// How the adapters reach it: all calls go to `front`, and nobody answers for names.
    pub(super) fn wiring(&self, front: SocketAddr) -> Wiring {
        let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let (access_key, secret_key) =
            self.keys.clone().unwrap_or_else(|| (self.account.clone(), "not-a-secret".into()));
        Wiring {
            world: format!("{:?}", self.emulator),
            ends_with_run: false,
            control: format!("http://{nobody}"),
            aws_endpoint: format!("http://{front}"),
            region: "eu-west-1".into(),
            access_key,
            secret_key,
            resolver: nobody,
            dns_port: nobody.port(),
            primary: None,
            https_resolver: None,
            ports: BTreeMap::new(),
            ca_pem: rcgen::generate_simple_self_signed(["nobody.example".to_owned()]).unwrap().cert.pem(),
            time: self.time,
            params: BTreeMap::new(),
            secrets: BTreeMap::new(),
            people: Vec::new(),
        }
    }

    /// Passes a call on. None: no answer came.
    pub(super) async fn pass_on(&self, request: Request<Bytes>) -> Option<Response<Full<Bytes>>> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("http://{}{path}", self.server).parse().ok()?;
        head.headers.insert(ACCOUNT, self.account.parse().ok()?);
        let answer = self.client.request(Request::from_parts(head, Full::new(body))).await.ok()?;
        let (mut head, body) = answer.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        for of_the_connection in ["transfer-encoding", "content-length", "connection"] {
            head.headers.remove(of_the_connection);
        }
        Some(Response::from_parts(head, Full::new(body)))
    }

    /// One call to a service, that must succeed.
    async fn call(&self, service: &str, path: &str, headers: &[(&str, &str)], body: String) -> String {
        let credential = format!("{}/20260101/eu-west-1/{service}/aws4_request", self.account);
        let signature = format!(
            "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature=fake"
        );
        let mut request = Request::post(path).header("authorization", signature);
        request = request.header("x-amz-date", "20260101T000000Z").header("host", self.server.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.pass_on(request.body(body.clone().into()).unwrap()).await;
        let answer = answer.unwrap_or_else(|| panic!("no answer of {service} to {body}"));
        let status = answer.status();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(status.is_success(), "{service} {headers:?} {body}: {status} {text}");
        text
    }

    /// One by JSON: `AmazonEC2ContainerServiceV20141113.CreateCluster`.
    pub(super) async fn by_json(&self, service: &str, target: &str, body: &Json) -> Json {
        let version = if service == "monitoring" { "1.0" } else { "1.1" };
        let kind = format!("application/x-amz-json-{version}");
        let headers = [("x-amz-target", target), ("content-type", &*kind)];
        let text = self.call(service, "/", &headers, body.to_string()).await;
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// One by a form.
    pub(super) async fn by_form(&self, service: &str, version: &str, fields: &[(&str, &str)]) -> String {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("Version", version)
            .extend_pairs(fields)
            .finish();
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        self.call(service, "/", &kind, form).await
    }

    /// One by XML.
    pub(super) async fn by_xml(&self, path: &str, body: String) -> String {
        self.call("route53", path, &[("content-type", "text/xml")], body).await
    }
}

/// What stands in the elements of this name.
pub(super) fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&*open).skip(1).filter_map(|rest| Some(rest.split_once(&*close)?.0)).collect()
}
