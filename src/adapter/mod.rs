//! The ports, on real things: AWS, DNS, HTTP, processes, the wall clock. Named by vendor, and the only place that
//! names one.
//!
//! Nothing is connected until it is used. In a world that is not production the same adapters go by its
//! [`crate::port::Wiring`]; they have no other mode.
//! Not here: what a step means, journals, retries of steps, what people see.

#[cfg(feature = "aws")]
mod aws;
#[cfg_attr(not(feature = "aws"), allow(dead_code, reason = "only AWS limits calls"))]
mod budgets;
mod clock;
#[cfg_attr(not(feature = "aws"), allow(dead_code, unused_imports, reason = "only zones ask authorities"))]
mod dns;
mod files;
mod http;
mod named;
mod process;
mod prometheus;
#[cfg(feature = "aws")]
mod rfc2136;
mod secrets;
#[cfg(feature = "aws")]
mod targets;
#[cfg(not(feature = "aws"))]
#[path = "no_targets.rs"]
mod targets;
mod world;

pub use budgets::{Budgets, Share, shares};
pub use clock::SystemClock;
pub use files::PlanFiles;
pub use http::Http;
pub use process::{Process, Supervision, supervise};
pub use secrets::Secrets;
pub use targets::inventory;
pub use world::{Preview, World};

#[cfg(test)]
mod tests;
