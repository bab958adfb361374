//! The hash that ties each event to all before it: the database's pages have no checksum of their own.

use crate::mutant::{Mistake, on};
use sha2::{Digest, Sha256};

/// What is said of an event that is not tied to the one before it.
pub(super) const BREAK: &str = "its hash does not follow from what is before it";

/// SHA-256.
pub(super) type Hash = [u8; 32];

/// What the first event is tied to: everything that was pinned when the run was created.
pub(super) fn genesis(pinned: &str) -> Hash {
    Sha256::new().chain_update(b"switchover run v1\0").chain_update(pinned).finalize().into()
}

/// The hash of an event, over the one before it and all that is stored of it.
pub(super) fn link(before: &Hash, seq: u64, epoch: u64, at: u64, body: &str) -> Hash {
    let before = if on(Mistake::HashNotChained) { &[0; 32] } else { before };
    Sha256::new()
        .chain_update(before)
        .chain_update(seq.to_be_bytes())
        .chain_update(epoch.to_be_bytes())
        .chain_update(at.to_be_bytes())
        .chain_update(body)
        .finalize()
        .into()
}

/// A hash as text.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
