//! Time, for those who may ask.

use crate::plan::{Timestamp, format_duration};
use async_trait::async_trait;
use std::time::Duration;

/// How far apart our clock and a source's may be. Beyond that nobody can tell what of it is later than the switch.
const APART: Duration = Duration::from_secs(30);

/// How a source's clock differs from ours, where that is too much to believe its times; it told its time between these
/// moments of ours. How long the answer took is no difference.
#[must_use]
pub fn told_apart(there: Timestamp, (asked, answered): (Timestamp, Timestamp)) -> Option<String> {
    if there.after(APART) < asked {
        return Some(format!("{} behind ours", format_duration(asked.since(there))));
    }
    (answered.after(APART) < there)
        .then(|| format!("{} ahead of ours", format_duration(there.since(answered))))
}

/// What time it is, and waiting. In the sandbox it may run faster than a wall clock; the whole world then does.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Waits until then.
    async fn sleep_until(&self, moment: Timestamp);
}
