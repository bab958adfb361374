//! A rehearsal: the plan, the machine, the driver's desk and the actions, over a world in memory and in virtual time,
//! with every fault at every point and a death of the process at every fact, and laws that hold whatever goes wrong.
//!
//! ```text
//! Setting ── undisturbed, way back ──▶ Course: instants that can be copied, and the calls after each
//!    each instant × each fault that can strike there ──▶ Plays: on to the end, or to a situation that is known
//!    each fact on the way ──▶ the process dies before it, or after it: resumed, aborted, suspended and taken over
//! ```
//!
//! A [`scene`](scene::Scene) is all there is at one instant, as plain data: it is copied, and what follows from it is
//! played many times. Two scenes in one situation have one future, which is played once.
//! Not here: how it looks (`report`), which files are read (`cli`), what the world does (`sim`).

mod calls;
mod course;
mod explore;
mod faults;
mod journal;
mod laws;
mod moments;
mod operator;
mod pairs;
mod process;
mod scene;
mod setting;
mod situation;
mod story;
mod tally;
mod trial;
mod way;
mod witness;

pub use explore::{Options, rehearse};
pub use faults::{Class, catalogue};
pub use laws::{Breach, Law};
pub use setting::{BEFORE, Setting};
pub use story::{NoSuchScenario, Story, repeat};
pub use tally::{Diverges, Estimate, Finding, Rehearsal, Row, Slowest, Spread, outlook};
pub use trial::Outcome;

#[cfg(test)]
mod tests;
