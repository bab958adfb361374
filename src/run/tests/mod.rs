//! What the machine promises, tried out.
//!
//! | file | what it would catch |
//! |---|---|
//! | `stories` | one behaviour each of the way forward |
//! | `stories_back` | one behaviour each of the way back |
//! | `stories_edges` | what comes twice or late, and a journal that is not ours |
//! | `stories_bake` | guards that are kept once all is done, and what ends that |
//! | `stories_locked` | the lock in the world: that it is no change yet |
//! | `stories_outside` | guards that are tripped from outside: when they are heard, and what that does |
//! | `stories_people` | who may say what, and what is refused with which reason |
//! | `model` | any broken law of two executors over one store, in every state they can reach |
//! | `random` | any broken law of `laws`, under any schedule of faults, crashes, people and third parties |
#![expect(clippy::cast_possible_truncation, reason = "small numbers, by chance")]

mod build;
mod dice;
mod host;
mod laws;
mod model;
mod parts;
mod random;
mod stories;
mod stories_back;
mod stories_bake;
mod stories_edges;
mod stories_locked;
mod stories_outside;
mod stories_people;
mod stories_veto;
mod story;
mod world;
