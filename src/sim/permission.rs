//! What the credentials of a world may not do: what its scripted faults refuse for good, for want of permission. So what a
//! preview is told, and what becomes of the call, are one thing.

use super::fault::{Fault, FaultKind};
use super::world::World;
use crate::port::{Asked, Denier, Ruling, call_of};

/// Whose credentials are those of a world.
pub const USER: &str = "sandbox";

/// As services call it.
const CODES: [&str; 4] =
    ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException"];
/// A statement is of a policy that has a name.
const POLICY: &str = "of-this-world";

impl World {
    /// Whether a call may be made, as whoever evaluates policies tells it.
    #[must_use]
    pub fn permits(&self, asked: &Asked) -> Ruling {
        let (service, operation) = call_of(&asked.action);
        let denies = |fault: &&Fault| {
            let rule = &fault.rule;
            let denied = rule.kind == FaultKind::Error
                && rule.times == Some(0)
                && rule.nth.is_none_or(|first| first <= 1)
                && rule.code.as_deref().is_some_and(|code| CODES.contains(&code));
            let names = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
            denied
                && names(&rule.service, service)
                && names(&rule.operation, operation)
                && asked.resource.contains(&rule.containing)
        };
        match self.faults.all().iter().find(denies) {
            Some(fault) => Ruling::Denied(denier(fault.rule.message.as_deref().unwrap_or_default())),
            None => Ruling::Allowed,
        }
    }
}

/// Refusals say what denies: "… with an explicit deny in a service control policy", "… because no permissions boundary
/// allows …".
fn denier(message: &str) -> Denier {
    match message {
        told if told.contains("service control policy") => Denier::Organization,
        told if told.contains("permissions boundary") => Denier::Boundary,
        told if told.contains("explicit deny") => Denier::Statement(POLICY.into()),
        _ => Denier::Nothing,
    }
}
