//! Who is let in. Whoever has not shown a key is a stranger; there is room for some, and the oldest make way for new ones.
//! So somebody with a key, who shows it at once, gets in however many stand about.

use crate::plan::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio_util::sync::CancellationToken;

/// How many strangers there may be.
pub(super) const MOST: usize = 512;

/// How long a stranger may be silent, where others wait: who one is stands in what comes right behind the knock.
pub(super) const GRACE: Duration = Duration::from_millis(25);

/// All strangers, by when they came.
#[derive(Debug, Default)]
pub(super) struct Door {
    strangers: Mutex<Strangers>,
    /// One has gone.
    gone: Notify,
}

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
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One must go before another comes.
    pub(super) fn is_full(&self) -> bool {
        self.strangers().here.len() >= MOST
    }

    /// Lets one more in.
    ///
    /// # Errors
    /// All are new here, too; the oldest may be shown out then.
    pub(super) fn enter(&self, now: Timestamp) -> Result<Guest, Timestamp> {
        let mut strangers = self.strangers();
        if strangers.here.len() >= MOST
            && let Some(oldest) = strangers.here.first_entry()
        {
            let then = oldest.get().0.after(GRACE);
            if now < then {
                return Err(then);
            }
            oldest.remove().1.cancel();
        }
        strangers.came += 1;
        let (number, out) = (strangers.came, CancellationToken::new());
        strangers.here.insert(number, (now, out.clone()));
        Ok(Guest { number, out, place: Mutex::default() })
    }

    /// Waits until somebody has gone.
    pub(super) async fn room(&self) {
        self.gone.notified().await;
    }

    /// Has shown a key, and is shown out no more; or has gone.
    pub(super) fn forget(&self, guest: &Guest) {
        self.strangers().here.remove(&guest.number);
        self.gone.notify_one();
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
