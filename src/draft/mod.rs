//! A first plan, from what is live: it is read and never written, and what was read is put into the words of a plan, with a
//! comment that says why.
//!
//! What cannot be read is not made up: it becomes a param without a value, which whoever validates the plan is asked for.
//! Not here: vendors, files, what becomes of the plan.

mod found;
mod lines;
mod scalar;
mod survey;
mod write;

pub use found::{Found, FoundImage, FoundRecord, FoundService, NewSide};
pub use survey::{Refusal, Wanted, survey, targets, zone};
pub use write::write;

#[cfg(test)]
mod tests;
