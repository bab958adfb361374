//! What holds across modules that may not know each other.

#[cfg(feature = "aws")]
pub(crate) mod contract;
