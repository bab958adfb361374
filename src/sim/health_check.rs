//! Health checks of record sets, as world files state them. They stand as they are stated: nobody asks what they ask.

use serde::{Deserialize, Serialize};

/// How many checkers each has.
pub const CHECKERS: usize = 15;

/// A health check of record sets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheckFile {
    /// Its id.
    pub id: String,
    /// What all of its checkers say.
    pub healthy: bool,
    /// What it asks: `https://app.example.com/health`.
    pub asks: String,
}

impl HealthCheckFile {
    /// Scheme, host, port and path of what it asks.
    #[must_use]
    pub fn parts(&self) -> (&str, &str, Option<&str>, &str) {
        let (scheme, rest) = self.asks.split_once("://").unwrap_or(("", self.asks.as_str()));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) =
            authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
        (scheme, host, port, path)
    }

    /// Whether a checker could ask that.
    #[must_use]
    pub fn is_askable(&self) -> bool {
        let (scheme, host, port, path) = self.parts();
        let fits = match scheme {
            "http" | "https" => true,
            "tcp" => port.is_some() && path.is_empty(),
            _ => false,
        };
        fits && !host.is_empty() && port.is_none_or(|port| port.parse::<u16>().is_ok())
    }
}
