//! Requests, each with a client and a connection of its own: so names are resolved anew, and it is known whether a
//! request was ever sent.
//!
//! No redirects, no cookies, no compression, no second tries: what came is what the server said. The proxies of this
//! machine are for production alone.

use super::dns::{PORT, Resolver, reachable};
use crate::port::{Endpoint, ReadHttp, Request, Response, Wiring, WriteHttp};
use crate::run::{Fault, Landed};
use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Client, Method, redirect, retry};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use url::{Host, Url};

/// How much of a body is kept.
const BODY_LIMIT: usize = 1024 * 1024;
/// How long connecting may take at most: name, addresses, TLS.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Sends requests. Cheap until the first one over TLS, which reads the certificate authorities.
pub struct Http {
    resolver: Resolver,
    ports: BTreeMap<u16, u16>,
    authority: Option<String>,
    tls: OnceLock<Result<ClientConfig, Fault>>,
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
    pub(super) async fn exchange(&self, request: Request) -> Result<Response, Fault> {
        let mut url = Url::parse(&request.url)
            .map_err(|error| Fault::permanent(format!("the url is not one: {error}")))?;
        let mut to = Endpoint::of(&url, request.connect_to.as_deref())?;
        to.port = self.ports.get(&to.port).copied().unwrap_or(to.port);
        let what = format!("{} {}", request.method, url.origin().ascii_serialization());
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| unsound("this method"))?;
        let headers = headers(&url, &request)?;
        let client = self.client(&url, &to, request.connect_to.is_some(), request.timeout)?;
        // `Host` and the certificate still go by the url as it was given.
        let _ = url.set_port(Some(to.port));
        let sending = client.request(method, url).headers(headers);
        let sending = match request.body {
            Some(body) => sending.body(body),
            None => sending,
        };
        let start = now();
        let told = |error: reqwest::Error| tell(&what, &to, request.timeout, error);
        let mut answer = sending.send().await.map_err(told)?;
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into()))
            .collect();
        let (status, address) = (answer.status().as_u16(), answer.remote_addr());
        let mut body = Vec::new();
        while body.len() < BODY_LIMIT
            && let Some(chunk) = answer.chunk().await.map_err(told)?
        {
            body.extend_from_slice(&chunk[..chunk.len().min(BODY_LIMIT - body.len())]);
        }
        Ok(Response { status, headers, body, elapsed: now().duration_since(start), address })
    }

    /// A client for one request.
    fn client(&self, url: &Url, to: &Endpoint, elsewhere: bool, limit: Duration) -> Result<Client, Fault> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let names = Names { resolver: self.resolver, host, instead: to.host.clone() };
        let tls = if url.scheme() == "https" { self.tls()?.clone() } else { config(RootCertStore::empty())? };
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(names)
            .http1_only()
            .pool_max_idle_per_host(0)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .timeout(limit)
            // Over before the rest is: so a request that never left is known as such.
            .connect_timeout((limit * 9 / 10).min(CONNECT_LIMIT));
        // A proxy would resolve the name itself, and so lead to another side than the one that is meant.
        let direct = self.authority.is_some() || elsewhere || local(url);
        let client = if direct { client.no_proxy() } else { client };
        client.build().map_err(|error| Fault::permanent(format!("no client for http: {}", innermost(&error))))
    }

    fn tls(&self) -> Result<&ClientConfig, Fault> {
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
        self.exchange(request).await.map_err(|fault| Fault { landed: Landed::No, ..fault })
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Fault> {
        let mut found = Vec::new();
        for address in self.resolver.addresses(host).await? {
            // A machine without IPv6 cannot ask there.
            found.extend(reachable(SocketAddr::new(address, PORT)).await.then_some(address));
        }
        if found.is_empty() {
            return Err(Fault::blind(format!("there is no way from here to any address of {host}")));
        }
        Ok(found)
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

/// The addresses of the host that a url names, or of another in its place. Any other name is a proxy's.
struct Names {
    resolver: Resolver,
    host: String,
    instead: String,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let asked = if name.as_str() == self.host { self.instead.clone() } else { name.as_str().to_owned() };
        let resolver = self.resolver;
        Box::pin(async move {
            let found = resolver.addresses(&asked).await?;
            let found: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(found)
        })
    }
}

/// Whether a url means this machine, which no proxy stands before.
fn local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What went wrong, without paths and values.
fn tell(what: &str, to: &Endpoint, limit: Duration, error: reqwest::Error) -> Fault {
    let cause = innermost(&error);
    if error.is_builder() {
        Fault::permanent(format!("{what} cannot be sent"))
    } else if error.is_dns() {
        Fault::transient(format!("{what}: {cause}"))
    } else if error.is_connect() {
        Fault::transient(format!("{what}: cannot connect to {to}: {cause}"))
    } else if error.is_timeout() {
        Fault::lost(format!("{what}: no answer within {}", crate::plan::format_duration(limit)))
    } else {
        Fault::lost(format!("{what}: the answer was lost: {cause}"))
    }
}

fn innermost(error: &reqwest::Error) -> String {
    // Its own words hold the url.
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| "for no known reason".to_owned(), ToString::to_string)
}

fn unsound(what: &str) -> Fault {
    Fault::permanent(format!("{what} cannot be sent"))
}

fn headers(url: &Url, request: &Request) -> Result<HeaderMap, Fault> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::permanent("credentials do not belong in a url; send a header `authorization`"));
    }
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_str(&host).map_err(|_| unsound("this host"))?);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("switchover/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in &request.headers {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsound("a header of this name"))?;
        // The value may be a secret: it is not told.
        let value = HeaderValue::from_str(value).map_err(|_| unsound(&format!("the value of `{name}`")))?;
        if matches!(key, HOST | USER_AGENT) {
            headers.insert(key, value);
        } else {
            headers.append(key, value);
        }
    }
    Ok(headers)
}

/// Whom to believe: the given authority alone, or those of this machine.
fn trust(authority: Option<&str>) -> Result<ClientConfig, Fault> {
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
    config(roots)
}

fn config(roots: RootCertStore) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::permanent(format!("tls cannot be set up: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests;
