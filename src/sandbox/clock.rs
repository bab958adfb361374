//! The time of a world that is served: the wall's, scaled. The only place of the sandbox that asks or waits.

use crate::plan::Timestamp;
use crate::port::WorldTime;
use std::time::Duration;

/// The longest that one wait on the wall clock lasts, so that nothing overflows.
const LONG: Duration = Duration::from_secs(3600);

/// A scaled clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScaledClock(pub(super) WorldTime);

/// The wall clock.
pub(super) fn wall() -> Timestamp {
    Timestamp(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0))
}

/// Waits on the wall clock.
#[expect(clippy::disallowed_methods, reason = "the sandbox serves in real time")]
pub(super) async fn wait(span: Duration) {
    tokio::time::sleep(span).await;
}

impl ScaledClock {
    /// A clock that shows the wall's time now, and runs faster from now on.
    pub(super) fn start(scale: u32) -> Self {
        Self(WorldTime { origin: wall(), scale })
    }

    /// The world's time.
    pub(super) fn now(self) -> Timestamp {
        self.0.at(wall())
    }

    /// Waits a span of the world's time.
    pub(super) async fn wait(self, span: Duration) {
        wait(self.0.on_wall(span).min(LONG)).await;
    }

    /// Waits until a moment of the world's time.
    pub(super) async fn until(self, moment: Timestamp) {
        let left = moment.since(self.now());
        if !left.is_zero() {
            // A little more than exact, so that the moment is really there.
            self.wait(left + Duration::from_millis(1)).await;
        }
    }
}
