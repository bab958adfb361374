//! What the tests of adapters share: servers on loopback that say what they are told, and a wiring to them.

use crate::plan::{Plan, Policy, Target, Timestamp};
use crate::port::{Wiring, WorldTime};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// What a server does with a request.
pub(super) enum Say {
    /// Status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Takes the request and closes the connection.
    Drop,
    /// Takes the request and says nothing.
    Hang,
}

impl Say {
    pub(super) fn text(status: u16, body: &str) -> Self {
        Self::Answer(status, Vec::new(), body.into())
    }
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The request line and the headers, in lower case.
    pub(super) head: String,
    pub(super) body: String,
}

/// A web server on loopback.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub(super) async fn plain(script: impl Fn(&Seen) -> Say + Send + Sync + 'static) -> Self {
        Self::start(script, None).await
    }

    pub(super) async fn tls(
        certificate: &Certificate,
        script: impl Fn(&Seen) -> Say + Send + Sync + 'static,
    ) -> Self {
        Self::start(script, Some(certificate.acceptor())).await
    }

    async fn start(
        script: impl Fn(&Seen) -> Say + Send + Sync + 'static,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (script, all) = (Arc::new(script), seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, all, tls) = (script.clone(), all.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &*script, &all).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &*script, &all).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, seen }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    script: &(dyn Fn(&Seen) -> Say + Send + Sync),
    all: &Mutex<Vec<Seen>>,
) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = head.to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let seen = Seen { head, body: String::from_utf8_lossy(&body).into() };
    all.lock().unwrap().push(seen.clone());
    match script(&seen) {
        Say::Answer(status, headers, body) => {
            let mut text =
                format!("HTTP/1.1 {status} Said\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                text = format!("{text}{name}: {value}\r\n");
            }
            let _ = stream.write_all(&[text.as_bytes(), b"\r\n", &body].concat()).await;
            let _ = stream.shutdown().await;
        }
        Say::Drop => {}
        Say::Hang => std::future::pending().await,
    }
}

/// A certificate that is its own authority.
pub(super) struct Certificate {
    pub(super) pem: String,
    key: rcgen::CertifiedKey<rcgen::KeyPair>,
}

impl Certificate {
    pub(super) fn of(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = rcgen::generate_simple_self_signed(names).unwrap();
        Self { pem: key.cert.pem(), key }
    }

    fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = rustls::pki_types::PrivateKeyDer::try_from(self.key.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.key.cert.der().clone()], key)
            .unwrap();
        Arc::new(config).into()
    }
}

/// Answers datagrams, and the same over TCP on the same port.
pub(super) async fn name_server(
    answer: impl Fn(&[u8], bool) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> SocketAddr {
    // A port that is free for datagrams may be taken for connections.
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    let answer = Arc::new(answer);
    let over_tcp = answer.clone();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            if let Some(reply) = answer(&buffer[..length], false) {
                udp.send_to(&reply, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut question).await.unwrap();
            if let Some(reply) = over_tcp(&question, true) {
                stream.write_u16(reply.len().try_into().unwrap()).await.unwrap();
                stream.write_all(&reply).await.unwrap();
            }
        }
    });
    address
}

/// A plan of nothing but targets.
pub(super) fn plan(targets: Vec<Target>) -> Plan {
    Plan {
        name: "p".into(),
        summary: None,
        owner: None,
        production: false,
        steps: Vec::new(),
        pools: Vec::new(),
        guards: Vec::new(),
        targets: targets.into_iter().map(Arc::new).collect(),
        secrets: Vec::new(),
        people: Vec::new(),
        policy: Policy::default(),
    }
}

/// A wiring that leads nowhere; tests fill in what they need.
/// Where nothing is ever started.
pub(super) fn supervision() -> crate::adapter::Supervision {
    crate::adapter::Supervision {
        program: "/nonexistent".into(),
        traces: "/nonexistent".into(),
        withheld: &[],
    }
}

pub(super) fn wiring() -> Wiring {
    let nowhere: SocketAddr = "127.0.0.1:1".parse().unwrap();
    Wiring {
        world: "test".into(),
        ends_with_run: false,
        control: "http://127.0.0.1:1".into(),
        aws_endpoint: "http://127.0.0.1:1".into(),
        region: "eu-west-1".into(),
        access_key: "AKIATEST".into(),
        secret_key: "not-a-secret".into(),
        resolver: nowhere,
        dns_port: 1,
        primary: None,
        https_resolver: None,
        ports: BTreeMap::new(),
        ca_pem: String::new(),
        time: WorldTime { origin: Timestamp(0), scale: 1 },
        params: BTreeMap::new(),
        secrets: BTreeMap::new(),
        people: Vec::new(),
    }
}

/// A port on loopback that nobody listens on.
pub(super) async fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_scripted_server_says_what_it_is_told() {
    let server = Server::plain(|_| Say::text(200, "hello")).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.ends_with("\r\n\r\nhello"), "{text}");
}
