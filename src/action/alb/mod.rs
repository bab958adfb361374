//! Load balancers: how their rules deal requests among target groups, and their attributes.

mod attribute;
mod by_hand;
mod place;
mod weights;

pub(super) use attribute::{SetAttributes, resource as attribute_resource};
pub(super) use weights::Weights;
