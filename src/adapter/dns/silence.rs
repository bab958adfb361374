//! Whether name servers can be asked at all from here: a network that blocks their port keeps all of them silent at once.

use super::exchange;
use crate::plan::format_duration;
use crate::port::dns::{Authority, Name};
use crate::run::Fault;
use hickory_proto::rr::RecordType;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// For how long it is believed that all are silent before they are asked anew, on the wall clock.
const HOLDS: Duration = Duration::from_secs(60);

/// When all name servers of a zone were found silent, if they were.
#[derive(Debug, Default)]
pub(in crate::adapter) struct Silence(Mutex<Option<Instant>>);

impl Silence {
    /// Whether one of these answers anything, over UDP or TCP, whatever it says. If none does, that is kept.
    pub(in crate::adapter) async fn is_over(&self, authorities: &[Authority], zone: &Name) -> bool {
        let mut asked = JoinSet::new();
        for address in authorities.iter().map(|authority| authority.address) {
            let zone = zone.clone();
            asked.spawn(async move { exchange(address, &zone, RecordType::SOA, false).await.is_ok() });
        }
        while let Some(answered) = asked.join_next().await {
            if answered.unwrap_or(true) {
                *self.found() = None;
                return true;
            }
        }
        *self.found() = Some(now());
        false
    }

    /// Fails while it is believed that they are silent.
    ///
    /// # Errors
    /// Blind.
    pub(in crate::adapter) fn must_be_over(&self, zone: &Name) -> Result<(), Fault> {
        if self.found().is_none_or(|found| now().duration_since(found) >= HOLDS) {
            return Ok(());
        }
        let held = format_duration(HOLDS);
        let text = format!("no name server of {zone} answered anything; they are asked anew after {held}");
        Err(Fault::blind(text))
    }

    fn found(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a network is believed to be closed is measured here")]
fn now() -> Instant {
    Instant::now()
}
