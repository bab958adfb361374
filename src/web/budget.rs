//! How often something may happen.

use crate::plan::Timestamp;

/// So many at once, and so many a second after that.
#[derive(Debug)]
pub(super) struct Budget {
    burst: u64,
    a_second: u64,
    /// What is left, in thousandths.
    left: u64,
    at: Timestamp,
}

/// One, in thousandths.
const ONE: u64 = 1000;

impl Budget {
    pub(super) fn new(burst: u64, a_second: u64) -> Self {
        Self { burst, a_second, left: burst * ONE, at: Timestamp::PAST }
    }

    /// Takes one, if there is one left.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        // One thousandth a millisecond is one a second.
        let passed = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let earned = passed.saturating_mul(self.a_second);
        self.left = self.left.saturating_add(earned).min(self.burst * ONE);
        self.at = now;
        let enough = self.left >= ONE;
        if enough {
            self.left -= ONE;
        }
        enough
    }
}
