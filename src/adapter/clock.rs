//! The wall clock, and clocks that run faster than it.

use crate::plan::Timestamp;
use crate::port::{Clock, WorldTime};
use async_trait::async_trait;
use std::time::{Duration, SystemTime};

/// How long it sleeps at most before it asks again what time it is: a machine that slept, or whose clock was set,
/// is late by no more.
const NAP: Duration = Duration::from_secs(5);

/// The wall clock, or one that runs faster than it.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock(Option<WorldTime>);

impl SystemClock {
    /// The wall clock.
    #[must_use]
    pub fn wall() -> Self {
        Self(None)
    }

    /// The time of a world that is not production.
    #[must_use]
    pub fn scaled(time: WorldTime) -> Self {
        Self(Some(time))
    }

    /// How long a span of its time takes on the wall clock.
    pub(super) fn on_wall(self, span: Duration) -> Duration {
        self.0.map_or(span, |time| time.on_wall(span))
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        self.0.map_or(wall, |time| time.at(wall))
    }

    async fn sleep_until(&self, moment: Timestamp) {
        if moment == Timestamp::NEVER {
            return std::future::pending().await;
        }
        loop {
            let left = moment.since(self.now());
            if left.is_zero() {
                return;
            }
            let nap = self.on_wall(left).clamp(Duration::from_millis(1), NAP);
            #[expect(clippy::disallowed_methods, reason = "this is the clock")]
            tokio::time::sleep(nap).await;
        }
    }
}

/// What a header `Date` says.
pub(super) fn dated(text: &str) -> Option<Timestamp> {
    let moment = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp(moment.as_millisecond().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_world_that_runs_faster_is_waited_for_less() {
        let wall = SystemClock::wall().now();
        let clock = SystemClock::scaled(WorldTime { origin: wall, scale: 36_000 });
        let later = clock.now().after(Duration::from_hours(1));
        clock.sleep_until(later).await;
        assert!(clock.now() >= later);
        // An hour of that world; of the wall's, the tenth of a second and what a busy machine adds.
        assert!(SystemClock::wall().now().since(wall) < Duration::from_mins(10));
    }

    #[tokio::test]
    async fn the_past_is_not_waited_for() {
        SystemClock::wall().sleep_until(Timestamp::PAST).await;
    }
}
