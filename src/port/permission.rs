//! Whether credentials may make calls, asked before the calls are made.
//!
//! Not here: who evaluates policies, and which calls a run makes.

mod table;

pub use table::{Needed, Thing, call_of, needed_for, operations, services};

use crate::plan::Timestamp;
use crate::run::Fault;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt;

/// A call that credentials may need to make.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// As policies call it: `ecs:UpdateService`.
    pub action: String,
    /// The ARN of what it is about; `*` where the action knows no resources.
    pub resource: String,
    /// What policies may make conditions of, as the call will have it: `ecs:cluster`, `iam:PassedToService`.
    pub context: BTreeMap<&'static str, String>,
}

/// Whether a call may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// By all policies that could be seen.
    Allowed,
    /// It will be refused.
    Denied(Denier),
    /// It could not be known: why, and what to do.
    Unknown(String),
}

/// What denies a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denier {
    /// No statement allows it.
    Nothing,
    /// A statement that says so, of this policy; empty where it is not told.
    Statement(String),
    /// The boundary of what the role, or the user, may ever be allowed.
    Boundary,
    /// A policy of the organization that the account is in.
    Organization,
}

impl fmt::Display for Denier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no statement allows it"),
            Self::Statement(policy) if policy.is_empty() => f.write_str("a statement denies it"),
            Self::Statement(policy) => write!(f, "a statement of policy {policy} denies it"),
            Self::Boundary => f.write_str("the permissions boundary does not allow it"),
            Self::Organization => f.write_str("a policy of the organization (SCP) does not allow it"),
        }
    }
}

/// Who renews credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Renewal {
    /// They last, or whoever gave them gives new ones.
    #[default]
    ByItself,
    /// A person.
    ByHand {
        /// Which they are: `the temporary keys of this shell`.
        what: String,
        /// When they end, or at the latest; `None`: nobody said.
        ends: Option<Timestamp>,
    },
}

impl Renewal {
    /// Why they do not last until then, if that is certain.
    #[must_use]
    pub fn falls_short_of(&self, until: Timestamp) -> Option<String> {
        match self {
            Self::ByHand { what, ends: Some(ends) } if *ends < until => Some(format!(
                "{what} end at {ends} and the run may last until {until}: nobody renews them but you; log in anew, or use a \
                 profile that renews itself"
            )),
            Self::ByItself | Self::ByHand { .. } => None,
        }
    }
}

/// What was found of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Whose credentials they are: `role deployer`.
    pub who: String,
    /// Who renews them.
    pub renewal: Renewal,
    /// One each, in the order in which they were asked.
    pub rulings: Vec<Ruling>,
}

/// Asking what credentials may do.
#[async_trait]
pub trait ReadPermissions: Send + Sync {
    /// Whether these calls may be made. What cannot be known is a [`Ruling::Unknown`] and no fault.
    ///
    /// # Errors
    /// Nobody can tell whose credentials they are.
    async fn may(&self, asked: &[Asked]) -> Result<Judged, Fault>;
}

/// The partition that a region is in: the second part of each ARN there.
#[must_use]
pub fn partition(region: &str) -> &'static str {
    const PREFIXES: [(&str, &str); 6] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ];
    PREFIXES.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

/// The region that services without regions of their own count to, in a partition.
#[must_use]
pub fn global_region(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-iso" => "us-iso-east-1",
        "aws-iso-b" => "us-isob-east-1",
        "aws-iso-e" => "eu-isoe-west-1",
        "aws-eusc" => "eusc-de-east-1",
        _ => "us-east-1",
    }
}
