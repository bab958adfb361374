//! Requests.

use crate::run::Fault;
use async_trait::async_trait;
use serde_json::Value as Json;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use url::{Host, Url};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// Whole, with scheme and host: certificates and `Host` go by it.
    pub url: String,
    /// In order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// Host to connect to in place of the URL's, `name`, `name:port` or an address: tests a side that DNS does not point at.
    pub connect_to: Option<String>,
    /// On the wall clock, from connecting to the last byte.
    pub timeout: Duration,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Endpoint {
    /// Of a url, or what stands in its place, as [`Request::connect_to`] has it.
    ///
    /// # Errors
    /// The url leads nowhere, or nothing can stand in its place.
    pub fn of(url: &Url, connect_to: Option<&str>) -> Result<Self, Fault> {
        let (Some(host), Some(port), "http" | "https") =
            (url.host_str(), url.port_or_known_default(), url.scheme())
        else {
            return Err(Fault::permanent("the url is neither http nor https, or has no host"));
        };
        let (host, port) = match connect_to {
            None => (host.to_owned(), port),
            Some(_) if !matches!(url.host(), Some(Host::Domain(_))) => {
                let text =
                    "the url holds an address, so nothing can be in its place; write a name in the url";
                return Err(Fault::permanent(text));
            }
            Some(text) => Self::split(text, port).ok_or_else(|| {
                Fault::permanent(format!("`{text}` is not `name`, `name:port` or an address"))
            })?,
        };
        Ok(Self { host, port })
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

impl Request {
    /// The same to each address that its host, or what stands in its place, has now. Certificates and `Host` go by the url.
    ///
    /// # Errors
    /// The host has no address, or none to which there is a way.
    pub async fn to_each_address(self, http: &dyn ReadHttp) -> Result<Vec<Self>, Fault> {
        let url = Url::parse(&self.url)
            .map_err(|error| Fault::permanent(format!("the url is not one: {error}")))?;
        if !matches!(url.host(), Some(Host::Domain(_))) {
            return Ok(vec![self]);
        }
        let to = Endpoint::of(&url, self.connect_to.as_deref())?;
        let at = |ip| Self { connect_to: Some(SocketAddr::new(ip, to.port).to_string()), ..self.clone() };
        Ok(http.addresses(&to.host).await?.into_iter().map(at).collect())
    }
}

/// An answer: any status is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB.
    pub body: Vec<u8>,
    /// On the wall clock.
    pub elapsed: Duration,
    /// Who answered.
    pub address: Option<SocketAddr>,
}

impl Response {
    /// What conditions on an answer may name.
    pub const NAMES: &'static [&'static str] = &["status", "json", "body", "headers", "elapsed_ms"];

    /// The values of [`Response::NAMES`]. `json` is null where the body is none.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, Json)> {
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), Json::from(value.as_str())));
        vec![
            ("status", self.status.into()),
            ("json", serde_json::from_slice(&self.body).unwrap_or(Json::Null)),
            ("body", String::from_utf8_lossy(&self.body).into_owned().into()),
            ("headers", Json::Object(headers.collect())),
            ("elapsed_ms", u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX).into()),
        ]
    }
}

/// Requests that change nothing.
#[async_trait]
pub trait ReadHttp: Send + Sync {
    /// Sends a GET, HEAD or OPTIONS; refuses any other method. Redirects are answers. A fault means no answer came.
    async fn get(&self, request: Request) -> Result<Response, Fault>;
    /// The addresses of a host to which there is a way from here: at least one. A load balancer has one in each zone.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Fault>;
}

/// Any requests.
#[async_trait]
pub trait WriteHttp: Send + Sync {
    /// Sends it once.
    async fn send(&self, request: Request) -> Result<Response, Fault>;
}
