//! Time, for those who may ask.

use crate::plan::Timestamp;
use async_trait::async_trait;

/// What time it is, and waiting. In the sandbox it may run faster than a wall clock; the whole world then does.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Waits until then.
    async fn sleep_until(&self, moment: Timestamp);
}
