//! Who is let in. Whoever has not shown a key is a stranger; there is room for some, and the oldest make way for new ones.
//! So somebody with a key, who shows it at once, gets in however many stand about.

use crate::plan::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// How many strangers there may be.
pub(super) const MOST: usize = 512;

/// How long a stranger has, where others wait: more than it takes to say who one is.
pub(super) const GRACE: Duration = Duration::from_millis(100);

/// All strangers, by when they came.
#[derive(Debug, Default)]
pub(super) struct Door(Mutex<Strangers>);

#[derive(Debug, Default)]
struct Strangers {
    came: u64,
    /// By number.
    here: BTreeMap<u64, (Timestamp, CancellationToken)>,
}

/// One who came in.
#[derive(Debug)]
pub(super) struct Guest {
    number: u64,
    /// They are shown out.
    pub(super) out: CancellationToken,
    /// Their place among those who are served, kept until their answer is sent.
    place: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Door {
    fn strangers(&self) -> MutexGuard<'_, Strangers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets one more in. `None` while all are new here, too.
    pub(super) fn enter(&self, now: Timestamp) -> Option<Guest> {
        let mut strangers = self.strangers();
        if strangers.here.len() >= MOST {
            let oldest = strangers.here.first_entry()?;
            if now.since(oldest.get().0) < GRACE {
                return None;
            }
            oldest.remove().1.cancel();
        }
        strangers.came += 1;
        let (number, out) = (strangers.came, CancellationToken::new());
        strangers.here.insert(number, (now, out.clone()));
        Some(Guest { number, out, place: Mutex::default() })
    }

    /// Has shown a key, and is shown out no more; or has gone.
    pub(super) fn forget(&self, guest: &Guest) {
        self.strangers().here.remove(&guest.number);
    }

    /// All strangers are shown out.
    pub(super) fn clear(&self) {
        let here = std::mem::take(&mut self.strangers().here);
        for (_, out) in here.into_values() {
            out.cancel();
        }
    }
}

impl Guest {
    /// They are being served.
    pub(super) fn sit(&self, place: OwnedSemaphorePermit) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }
}
