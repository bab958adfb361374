//! The world of `sim` in real time on loopback: AWS's wire protocols, name servers, tasks, load balancers, users.
//!
//! Nothing here reaches beyond loopback. What the world does is decided in `sim`; here it only gets sockets.

mod aws;
mod balancer;
mod certificates;
mod clock;
mod control;
mod faults;
mod https_resolver;
mod names;
mod ports;
mod primary;
mod prometheus;
mod report;
mod serve;
mod shared;
mod start;
mod tasks;
mod users;

pub use report::{Side, Traffic};
pub use start::{Options, SHIPPED, Sandbox, SandboxError, shipped, start};

#[cfg(test)]
mod tests;
