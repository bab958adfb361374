//! Requests: one that is repeated until it is answered as expected, and several in order.

mod answer;
mod body;
mod check;
mod course;
mod flow;
mod request;

pub(super) use check::Check;
pub(super) use flow::Flow;
