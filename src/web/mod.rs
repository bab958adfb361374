//! Triggers over HTTP: who may ask, what a request asks for, and how much of it is borne.
//!
//! A request is told from garbage before anything of it is read, and garbage has a small budget of its own: however much of
//! it comes, a trigger is answered. Not here: which runs there are and what becomes of a trigger ([`Runs`] says), where
//! secrets come from, how log lines are written.

mod alertmanager;
mod door;
mod entry;
mod key;
mod once;
mod serve;
mod trigger;
mod webhook;

pub use entry::{Entry, Log};
pub use key::{Key, Keys, SHORTEST};
pub use once::Once;
pub use serve::{Server, open};
pub use trigger::{Aim, Became, Runs, Told, Trigger, Unheard};

#[cfg(test)]
mod tests;
