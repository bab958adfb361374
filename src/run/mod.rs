//! One run of one plan, as a pure machine.

mod event;
mod outcome;

pub use event::{
    Actor, Cause, Event, Input, Order, PauseCause, Receipt, Refusal, Rewind, StepEvent, Stuck, Verdict,
};
pub use outcome::{Answer, Change, Fault, FaultKind, Landed, Look, Memo, Proposal};
