//! Services and tasks of ECS, and how far services are scaled.

mod arrive;
mod capacity;
mod change;
mod deploy;
mod diff;
mod follow;
mod images;
mod log;
mod named;
mod restored;
mod scaling;
mod standing;
mod strategy;
mod task;
mod turn;

pub(super) use deploy::Deploy;
pub(super) use scaling::Hold;
pub(super) use task::RunOnce;

use super::Seen;
use crate::port::{POLL, Reads};

/// Not there yet: says how it goes, and looks again.
fn moving<N>(reads: &Reads<'_>, text: &str) -> Seen<N> {
    (reads.progress)(text);
    Seen::Moving { note: None, again: POLL }
}
