//! One run of one plan, as a pure machine.
//!
//! ```text
//! decide(run, input, now) -> events     what follows from something that happened outside, as facts to record
//! follow(run, inputs, now)              the same for several, with the run as it will be
//! run.evolve(event)                     the only thing that changes a run; recorded facts are never decided again
//! due(run) -> work                      what the facts call for, derived and never stored
//! ```
//!
//! A host appends the events of one `decide` in one transaction, applies them, then starts the due work that is
//! not yet under way and drops the reads that are no longer due. That is its whole job, so recovery needs no
//! second path: replay, [`Input::Resume`], and go on.
//!
//! Not here: I/O, clocks, expressions, what steps do. Those are behind [`Proposal`], [`Look`] and [`Fault`].

mod decide;
mod due;
mod ending;
mod event;
mod evolve;
mod outcome;
mod rewind;
mod room;
mod state;
mod step;
mod steps;

pub use decide::{decide, follow};
pub use due::{Due, Work, due};
pub use ending::{Ending, ending};
pub use event::{
    Actor, Cause, Event, IllegalEvent, Input, Order, PauseCause, Receipt, Refusal, Rewind, StepEvent, Stuck,
    Verdict,
};
pub use outcome::{
    Answer, Change, Curve, Difference, DnsClock, Fault, FaultKind, Landed, Look, Memo, Proposal, Told,
};
pub use state::{Announced, Bake, GuardRun, Mode, Run};
pub use step::{Mark, Phase, Record, StepRun, Stopped};
pub use steps::{Piece, Steps};

#[cfg(test)]
mod tests;
