//! Who may ask: whoever knows a token, or signs with a secret. Both are compared in constant time.

use crate::plan::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use sha2::Sha256;
use std::fmt;
use std::time::Duration;

/// The fewest bytes that a token or a secret may have.
pub const SHORTEST: usize = 16;

/// How far the time of a signature may be from ours.
pub(super) const WINDOW: Duration = Duration::from_secs(300);

/// When it was signed, in seconds since the Unix epoch.
pub(super) const TIMESTAMP: &str = "switchover-timestamp";
/// What tells it from every other request: 16 to 64 letters, digits, `-` and `_`.
pub(super) const NONCE: &str = "switchover-nonce";
/// `v1=` and, in hexadecimal, the HMAC-SHA256 of `TIMESTAMP.NONCE.BODY`.
pub(super) const SIGNATURE: &str = "switchover-signature";

/// A token or a secret. It is never shown.
#[derive(Clone)]
pub struct Key {
    keyed: Hmac<Sha256>,
    /// What becomes of itself, so that another text can be compared without telling by time where it differs.
    own: [u8; 32],
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// `None` if it has fewer than [`SHORTEST`] bytes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let keyed = Hmac::new_from_slice(text.as_bytes()).ok().filter(|_| text.len() >= SHORTEST)?;
        let own = keyed.clone().chain_update(text).finalize().into_bytes().into();
        Some(Self { keyed, own })
    }

    fn is(&self, text: &str) -> bool {
        self.keyed.clone().chain_update(text).verify_slice(&self.own).is_ok()
    }
}

/// What opens the ways in. A way without its key is closed.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    /// The bearer token of Alertmanager.
    pub token: Option<Key>,
    /// The secret that webhooks are signed with.
    pub secret: Option<Key>,
}

/// Why somebody is a stranger. What they sent is not repeated.
pub(super) type Stranger = String;

impl Keys {
    /// Whoever sent these headers knows the token.
    pub(super) fn bearer(&self, headers: &HeaderMap) -> Result<(), Stranger> {
        let token = self.token.as_ref().ok_or("no token is set here: this way is closed")?;
        let given = text(headers, "authorization").and_then(|given| given.split_once(' '));
        let is_right =
            given.is_some_and(|(scheme, given)| scheme.eq_ignore_ascii_case("bearer") && token.is(given));
        if is_right { Ok(()) } else { Err("the bearer token is missing or wrong".into()) }
    }

    /// What these headers say of a signature: enough to see whether its body is worth reading.
    pub(super) fn signature(&self, headers: &HeaderMap, now: Timestamp) -> Result<Signed, Stranger> {
        let secret = self.secret.as_ref().ok_or("no secret is set here: this way is closed")?;
        let header = |name: &str| text(headers, name).ok_or_else(|| format!("the header {name} is missing"));
        let (stamp, nonce, signature) = (header(TIMESTAMP)?, header(NONCE)?, header(SIGNATURE)?);
        let at = stamp.parse().ok().and_then(|seconds: u64| seconds.checked_mul(1000)).map(Timestamp);
        let at = at.ok_or_else(|| format!("{TIMESTAMP} is not in seconds since 1970"))?;
        if at.since(now).max(now.since(at)) > WINDOW {
            return Err(format!("{TIMESTAMP} is more than five minutes from {now}"));
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(16..=64).contains(&nonce.len()) || !nonce.bytes().all(is_plain) {
            return Err(format!("{NONCE} is not 16 to 64 letters, digits, `-` and `_`"));
        }
        let tag = signature.strip_prefix("v1=").and_then(bytes);
        let tag = tag.ok_or_else(|| format!("{SIGNATURE} is not `v1=` and 64 hexadecimal digits"))?;
        let mac = secret.keyed.clone().chain_update(format!("{stamp}.{nonce}."));
        Ok(Signed { mac, tag, nonce: nonce.to_owned() })
    }
}

/// A signature that may be right.
pub(super) struct Signed {
    mac: Hmac<Sha256>,
    tag: [u8; 32],
    /// What it may be used with once.
    pub(super) nonce: String,
}

impl Signed {
    /// It is of this body.
    pub(super) fn is_of(&self, body: &[u8]) -> Result<(), Stranger> {
        let right = self.mac.clone().chain_update(body).verify_slice(&self.tag);
        right.map_err(|_| "the signature is wrong".into())
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.to_str().ok()?;
    // Two of them: nobody knows which one somebody in between looked at.
    values.next().is_none().then_some(first)
}

fn bytes(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, place) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&digits[place..place + 2], 16).ok()?;
    }
    Some(bytes)
}
