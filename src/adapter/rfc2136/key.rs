//! The key that a server shares with us (TSIG, RFC 8945): it signs what is sent and proves what is answered.
//!
//! Not here: where the secret comes from.

use super::line::Trouble;
use crate::plan::Timestamp;
use data_encoding::BASE64;
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::tsig::{TSIG, TsigAlgorithm, TsigError};
use hickory_proto::rr::{Name, TSigVerifier, TSigner};
use std::fmt;
use std::time::Duration;

/// A key.
pub(super) struct Key {
    name: Name,
    algorithm: TsigAlgorithm,
    secret: Vec<u8>,
}

/// When something is signed, and for how long the signature holds: a server that reads it later refuses it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed {
    pub(super) at: Timestamp,
    pub(super) holds: Duration,
}

/// For how long a signature may hold (RFC 8945, section 10).
pub(super) const LONGEST: Duration = Duration::from_secs(300);

impl Signed {
    /// Until then, and no longer than any signature.
    pub(super) fn until(at: Timestamp, until: Timestamp) -> Self {
        Self { at, holds: until.since(at).min(LONGEST) }
    }

    fn seconds(self) -> u64 {
        self.at.0 / 1000
    }

    /// Whole seconds, never more than it holds but for the first.
    fn fudge(self) -> u16 {
        u16::try_from(self.holds.as_secs()).unwrap_or(u16::MAX).max(1)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("name", &self.name.to_ascii()).finish_non_exhaustive()
    }
}

impl Key {
    /// By the names that servers' settings have.
    ///
    /// # Errors
    /// Why it cannot be one; never the secret.
    pub(super) fn new(name: &str, algorithm: &str, secret: &str) -> Result<Self, String> {
        let secret = BASE64
            .decode(secret.trim().as_bytes())
            .map_err(|_| "its secret is not base64, as `tsig-keygen` prints it".to_owned())?;
        Self::plain(name, algorithm, secret)
    }

    /// The same with the secret as it is.
    pub(super) fn plain(name: &str, algorithm: &str, secret: Vec<u8>) -> Result<Self, String> {
        let algorithm = match algorithm {
            "hmac-sha256" => TsigAlgorithm::HmacSha256,
            "hmac-sha384" => TsigAlgorithm::HmacSha384,
            "hmac-sha512" => TsigAlgorithm::HmacSha512,
            other => return Err(format!("`{other}` is no algorithm that is spoken here")),
        };
        let name = Name::from_ascii(name).map_err(|error| format!("`{name}` cannot name it: {error}"))?;
        Ok(Self { name, algorithm, secret })
    }

    /// Its name, as people write it.
    pub(super) fn name(&self) -> String {
        self.name.to_ascii().trim_end_matches('.').to_owned()
    }

    /// Signs a message as it is; what verifies its answer.
    pub(super) fn sign(&self, message: &mut Message, signed: Signed) -> Result<TSigVerifier, Trouble> {
        let unsent = |error: String| Trouble::Unsent(format!("it cannot be signed: {error}"));
        let signer =
            TSigner::new(self.secret.clone(), self.algorithm.clone(), self.name.clone(), signed.fudge());
        let signer = signer.map_err(|error| unsent(error.to_string()))?;
        let verifier =
            message.finalize(&signer, signed.seconds()).map_err(|error| unsent(error.to_string()))?;
        verifier.ok_or_else(|| unsent("its answer could not be verified".into()))
    }

    /// An answer that is proved to be of who has the key.
    ///
    /// A server that refuses the key itself cannot prove anything, nor can one that does not know what a signature is:
    /// such refusals are taken as they are, and never for data.
    pub(super) fn believe(
        &self,
        bytes: &[u8],
        verifier: &mut TSigVerifier,
        signed: Signed,
    ) -> Result<Message, Trouble> {
        let unread = |_| Trouble::Silent("its answer cannot be read".into());
        let answer = Message::from_vec(bytes).map_err(unread)?;
        let tsig = answer.signature().map(|record| &record.data);
        if let Some(why) = tsig.and_then(|tsig| self.refused(tsig, signed)) {
            return Err(Trouble::Key(why));
        }
        let refuses = matches!(
            answer.metadata.response_code,
            ResponseCode::FormErr
                | ResponseCode::ServFail
                | ResponseCode::NotImp
                | ResponseCode::Refused
                | ResponseCode::NotAuth
        );
        if tsig.is_none() && refuses {
            return Ok(answer);
        }
        if tsig.is_none() {
            return Err(Trouble::Silent("its answer is not signed".into()));
        }
        let unproved = |_| Trouble::Silent("the signature of its answer does not hold".into());
        verifier.verify(bytes).map_err(unproved)?;
        Ok(answer)
    }

    /// Why the server does not take the key, if it says so.
    fn refused(&self, tsig: &TSIG, signed: Signed) -> Option<String> {
        let name = self.name();
        Some(match tsig.error? {
            TsigError::BadKey => format!(
                "it does not take the key `{name}` for this (BADKEY): its name and algorithm must be those of the server's \
                 settings, where Knot also wants an `acl` of the zone that lets it update"
            ),
            TsigError::BadSig => format!(
                "the signature is not by its key `{name}` (BADSIG): the secret here is not the one that it has"
            ),
            TsigError::BadTime => format!("{} (BADTIME): set the clocks", skew(tsig, signed)),
            error => format!("it does not take the signature (error {} of TSIG)", u16::from(error)),
        })
    }
}

/// How far the clocks are apart, by the time that the server told.
fn skew(tsig: &TSIG, signed: Signed) -> String {
    let allowed = signed.fudge();
    let Ok(told) = <[u8; 6]>::try_from(&*tsig.other) else {
        return format!("its clock and the one here are more than {allowed} s apart");
    };
    let theirs = told.iter().fold(0, |seconds, byte| seconds << 8 | u64::from(*byte));
    let (apart, how) = match theirs.checked_sub(signed.seconds()) {
        Some(ahead) => (ahead, "ahead of"),
        None => (signed.seconds() - theirs, "behind"),
    };
    format!("its clock is {apart} s {how} the one here, and {allowed} s are allowed")
}
