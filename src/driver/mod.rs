//! The one loop of a run: hear something, decide, record it durably, then do what follows.
//!
//! Everything is derived from the journal, so there is no second path for recovery: read it, say that we resume, go on.
//! Not here: what follows from what (`run`), how it looks (`report`), who is asked (`cli`).

mod actions;
mod amiss;
mod desk;
mod drive;
mod heartbeat;
mod interrupt;
mod journal;
mod lock;
mod observe;
mod permissions;
mod preview;
mod redact;
mod tasks;
mod work;

pub use actions::Actions;
pub use amiss::{Amiss, amiss};
pub(crate) use desk::{Desk, Fate, only_waits};
pub use drive::{DriveError, Driven, Driver, Rest};
pub use interrupt::Interruption;
pub use lock::locked;
pub use observe::Observer;
pub use permissions::{Called, Permitted, Wish, permissions};
pub use preview::{Previewed, StepPreview, preview};
pub use redact::Redactor;

pub(crate) use work::{Hands, Host, Piece, Turn, Unsettled};

#[cfg(test)]
mod tests;
