//! Requests over HTTP/1.1, each on a connection of its own: so names are resolved anew, and it is known who answered
//! and whether the request was ever sent.
//!
//! No proxies, no redirects, no cookies, no compression: what came is what the server said.

use super::dns::Resolver;
use crate::port::{ReadHttp, Request, Response, Wiring, WriteHttp};
use crate::run::Fault;
use async_trait::async_trait;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// How much of a body is kept.
const BODY_LIMIT: usize = 1024 * 1024;

/// Sends requests. Cheap until the first one over TLS, which reads the certificate authorities.
pub struct Http {
    resolver: Resolver,
    ports: BTreeMap<u16, u16>,
    authority: Option<String>,
    tls: OnceLock<Result<TlsConnector, Fault>>,
}

impl Http {
    /// In production, or in the world that the wiring tells of: that world's resolver, ports and certificate
    /// authority, and no other.
    #[must_use]
    pub fn new(wiring: Option<&Wiring>) -> Self {
        Self {
            resolver: wiring.map_or(Resolver::System, |wiring| Resolver::At(wiring.resolver)),
            ports: wiring.map(|wiring| wiring.ports.clone()).unwrap_or_default(),
            authority: wiring.map(|wiring| wiring.ca_pem.clone()),
            tls: OnceLock::new(),
        }
    }

    /// Sends once. `Landed::Maybe` as soon as a byte of it may have left.
    async fn exchange(&self, request: Request) -> Result<Response, Fault> {
        let url = Url::parse(&request.url)
            .map_err(|error| Fault::permanent(format!("the url is not one: {error}")))?;
        let to = Endpoint::of(&url, request.connect_to.as_deref(), &self.ports)?;
        let what = format!("{} {}", request.method, url.origin().ascii_serialization());
        let limit = request.timeout;
        let message = message(&url, request)?;
        let sent = std::sync::atomic::AtomicBool::new(false);
        match timeout(limit, self.converse(&what, &url, &to, message, &sent)).await {
            Ok(result) => result,
            Err(_) => {
                let text = format!("{what}: no answer within {}", crate::plan::format_duration(limit));
                let sent = sent.load(std::sync::atomic::Ordering::Relaxed);
                Err(if sent { Fault::lost(text) } else { Fault::transient(text) })
            }
        }
    }

    async fn converse(
        &self,
        what: &str,
        url: &Url,
        to: &Endpoint,
        message: hyper::Request<Full<Bytes>>,
        sent: &std::sync::atomic::AtomicBool,
    ) -> Result<Response, Fault> {
        let found = self.resolver.addresses(&to.host).await;
        let found = found.map_err(|fault| Fault::transient(format!("{what}: {}", fault.message)))?;
        let start = now();
        let (stream, address) = connect(&found, to.port)
            .await
            .map_err(|error| Fault::transient(format!("{what}: cannot connect to {to}: {error}")))?;
        let _ = stream.set_nodelay(true);
        let answer = if url.scheme() == "https" {
            let name = match url.host() {
                Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(|_| ()),
                Some(Host::Ipv4(address)) => Ok(ServerName::from(IpAddr::from(address))),
                Some(Host::Ipv6(address)) => Ok(ServerName::from(IpAddr::from(address))),
                None => Err(()),
            };
            let name =
                name.map_err(|()| Fault::permanent(format!("{what}: no certificate can be for this host")))?;
            let stream = self.tls()?.connect(name, stream).await.map_err(|error| {
                Fault::transient(format!("{what}: no tls with {to} ({address}): {error}"))
            })?;
            speak(what, stream, message, sent).await
        } else {
            speak(what, stream, message, sent).await
        };
        let (status, headers, body) = answer?;
        Ok(Response { status, headers, body, elapsed: now().duration_since(start), address: Some(address) })
    }

    fn tls(&self) -> Result<&TlsConnector, Fault> {
        self.tls.get_or_init(|| trust(self.authority.as_deref())).as_ref().map_err(Clone::clone)
    }
}

#[async_trait]
impl ReadHttp for Http {
    async fn get(&self, request: Request) -> Result<Response, Fault> {
        if !matches!(&*request.method, "GET" | "HEAD" | "OPTIONS") {
            return Err(Fault::permanent(format!(
                "{} may change something; only GET, HEAD and OPTIONS are for looking",
                request.method
            )));
        }
        // Nothing changed, whether it arrived or not.
        self.exchange(request).await.map_err(|fault| Fault { landed: crate::run::Landed::No, ..fault })
    }
}

#[async_trait]
impl WriteHttp for Http {
    async fn send(&self, request: Request) -> Result<Response, Fault> {
        self.exchange(request).await
    }
}

#[expect(clippy::disallowed_methods, reason = "how long an answer took is measured here")]
fn now() -> Instant {
    Instant::now()
}

/// Where a request goes.
struct Endpoint {
    host: String,
    port: u16,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Endpoint {
    fn of(url: &Url, connect_to: Option<&str>, ports: &BTreeMap<u16, u16>) -> Result<Self, Fault> {
        let (Some(host), Some(port), "http" | "https") =
            (url.host_str(), url.port_or_known_default(), url.scheme())
        else {
            return Err(Fault::permanent("the url is neither http nor https, or has no host"));
        };
        let (host, port) = match connect_to {
            None => (host.to_owned(), port),
            Some(text) => Self::split(text, port).ok_or_else(|| {
                Fault::permanent(format!("`{text}` is not `name`, `name:port` or an address"))
            })?,
        };
        Ok(Self { host, port: ports.get(&port).copied().unwrap_or(port) })
    }

    fn split(text: &str, port: u16) -> Option<(String, u16)> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some((address.to_string(), port));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some((address.ip().to_string(), address.port()));
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() => Some((host.to_owned(), port.parse().ok()?)),
            Some(_) => None,
            None => (!text.is_empty()).then(|| (text.to_owned(), port)),
        }
    }
}

fn message(url: &Url, request: Request) -> Result<hyper::Request<Full<Bytes>>, Fault> {
    let unsound = |what: &str| Fault::permanent(format!("{what} cannot be sent"));
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::permanent("credentials do not belong in a url; send a header `authorization`"));
    }
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let mut message = hyper::Request::builder()
        .method(&*request.method)
        .uri(path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("switchover/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(Bytes::from(request.body.unwrap_or_default())))
        .map_err(|_| unsound("this method or url"))?;
    for (name, value) in &request.headers {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsound("a header of this name"))?;
        // The value may be a secret: it is not told.
        let value = HeaderValue::from_str(value).map_err(|_| unsound(&format!("the value of `{name}`")))?;
        if matches!(key, HOST | USER_AGENT) {
            message.headers_mut().insert(key, value);
        } else {
            message.headers_mut().append(key, value);
        }
    }
    Ok(message)
}

/// One address after the other, each with its share of a few seconds.
async fn connect(addresses: &[IpAddr], port: u16) -> std::io::Result<(TcpStream, SocketAddr)> {
    const SHARE: Duration = Duration::from_secs(3);
    let mut failed = std::io::Error::other("no address");
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        match timeout(SHARE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok((stream, address)),
            Ok(Err(error)) => failed = error,
            Err(_) => {
                failed = std::io::Error::new(std::io::ErrorKind::TimedOut, format!("{address} is silent"));
            }
        }
    }
    Err(failed)
}

type Answer = (u16, Vec<(String, String)>, Vec<u8>);

async fn speak(
    what: &str,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    message: hyper::Request<Full<Bytes>>,
    sent: &std::sync::atomic::AtomicBool,
) -> Result<Answer, Fault> {
    let lost = |error: hyper::Error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Fault::lost(format!("{what}: the answer was lost: {error}{cause}"))
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Fault::transient(format!("{what}: {error}")))?;
    let asking = async {
        sent.store(true, std::sync::atomic::Ordering::Relaxed);
        let answer = sender.send_request(message).await.map_err(lost)?;
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into()))
            .collect();
        let status = answer.status().as_u16();
        Ok((status, headers, body(answer.into_body()).await.map_err(lost)?))
    };
    // The connection is driven here and ends with the answer: nothing of it is left behind.
    let (mut asking, mut connection) = (pin!(asking), pin!(connection));
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            answer = &mut asking => return answer,
            _ = &mut connection, if open => open = false,
        }
    }
}

async fn body(mut incoming: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let mut kept = Vec::new();
    while let Some(frame) = incoming.frame().await {
        if let Ok(data) = frame?.into_data() {
            let room = BODY_LIMIT - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
            if kept.len() == BODY_LIMIT {
                break;
            }
        }
    }
    Ok(kept)
}

/// Whom to believe: the given authority alone, or those of this machine.
fn trust(authority: Option<&str>) -> Result<TlsConnector, Fault> {
    let mut roots = RootCertStore::empty();
    let certificates: Vec<CertificateDer<'static>> = match authority {
        Some(pem) => CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| Fault::permanent(format!("the certificate authority is not PEM: {error}")))?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let (believed, _) = roots.add_parsable_certificates(certificates);
    if believed == 0 {
        return Err(Fault::permanent(
            "this machine knows no certificate authorities; install `ca-certificates` or set SSL_CERT_FILE",
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::permanent(format!("tls cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests;
