//! Requests.

use crate::run::Fault;
use async_trait::async_trait;
use serde_json::Value as Json;
use std::{net::SocketAddr, time::Duration};

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
}

/// Any requests.
#[async_trait]
pub trait WriteHttp: Send + Sync {
    /// Sends it once.
    async fn send(&self, request: Request) -> Result<Response, Fault>;
}
