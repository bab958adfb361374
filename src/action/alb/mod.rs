//! Load balancers: how their rules deal requests among target groups.

mod by_hand;
mod place;
mod weights;

pub(super) use weights::Weights;
