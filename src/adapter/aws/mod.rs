//! AWS: Route 53, ECS, Elastic Load Balancing and `CloudWatch`, through their SDK; IAM, ECR and Secrets Manager by what
//! that SDK is made of.
//!
//! The SDK tries nothing again by itself: a lost answer to a write is for the run to settle by looking. What AWS
//! certainly refused (throttling, a zone that is busy) is tried again here, within the deadline of the intent.
//! Not here: what a change is for.

mod account;
mod bare;
mod call;
mod clocks;
mod cloudwatch;
mod ecr;
mod ecs;
mod elbv2;
mod iam;
mod inventory;
mod keys;
mod logs;
mod named;
mod permissions;
mod renewal;
mod route53;
mod scaling;
mod ssm;
#[cfg(test)]
mod tests;

pub(super) use account::{Account, Place, Transport};
pub(super) use route53::HostedZone;
