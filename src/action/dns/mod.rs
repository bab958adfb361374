//! Records of a zone: compared whole, changed by compare-and-swap, and believed only when every authority serves them.

mod by_hand;
mod from;
mod health;
mod held;
mod lock;
mod lowered;
mod place;
mod resolved;
mod routed;
mod served;
mod sets;
mod swap;
mod switch;
mod to;
mod ttl;
mod weights;

pub(super) use lock::{Free, Release, Take};
pub(super) use switch::Switch;
pub(super) use ttl::SetTtl;
pub(super) use weights::Weights;

#[cfg(test)]
pub(super) use sets::by_hand as by_hand_of;
