//! ECS as JSON 1.1.

use super::super::serve::Answer;
use super::{Call, unknown};
use crate::plan::Timestamp;
use crate::sim::{Refusal, World};

pub(super) fn perform(_world: &mut World, call: &Call, _now: Timestamp) -> Result<Answer, Refusal> {
    Err(unknown(call))
}
