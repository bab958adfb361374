//! Ctrl-C, once and twice.

use crate::mutant::{Mistake, on};
use tokio_util::sync::CancellationToken;

/// How a person stops the process, and not the run.
#[derive(Clone, Debug, Default)]
pub struct Interruption {
    pause: CancellationToken,
    exit: CancellationToken,
}

impl Interruption {
    /// The first time: calls under way finish, then the run pauses. The second time: at once.
    pub fn ask(&self) {
        if self.pause.is_cancelled() || on(Mistake::InterruptBreaksOff) {
            self.exit.cancel();
        }
        self.pause.cancel();
    }

    /// It was asked already.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.pause.is_cancelled()
    }

    pub(super) async fn to_pause(&self) {
        self.pause.cancelled().await;
    }

    pub(super) async fn to_exit(&self) {
        self.exit.cancelled().await;
    }
}
