//! Keys of which STS has said whose account they are of.
//!
//! Credentials renew themselves while a run lasts, and a profile may mean somebody else by then. So it is not enough to ask once:
//! what a request is signed with stands in it, and none leaves that is signed with a key nobody has vouched for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Those of one account.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(Arc<Mutex<BTreeSet<String>>>);

impl Keys {
    /// They are of the account that is meant.
    pub(super) fn vouch(&self, key: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
    }

    pub(super) fn knows(&self, key: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }
}

/// `AKID` of `AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/ecs/aws4_request, SignedHeaders=…`; empty if there is none.
pub(super) fn key_of(authorization: &str) -> &str {
    let scope = authorization.split_once("Credential=").map_or("", |(_, scope)| scope);
    scope.split_once('/').map_or("", |(key, _)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stands_in_the_signature() {
        for (authorization, key) in [
            (
                "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/ecs/aws4_request, SignedHeaders=host",
                "AKID",
            ),
            ("AWS4-ECDSA-P256-SHA256 Credential=ASIA7/20260101/ecs/aws4_request", "ASIA7"),
            ("Bearer Credential=", ""),
            ("", ""),
        ] {
            assert_eq!(key_of(authorization), key, "{authorization}");
        }
    }
}
