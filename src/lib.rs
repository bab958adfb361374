//! `switchover` takes production traffic from one stack to another, step by step, and brings it back when that
//! goes wrong. `ARCHITECTURE.md` beside this file is the map; each module says what it is for and must not know.
#![forbid(unsafe_code)]

pub mod action;
pub mod adapter;
pub mod cli;
pub mod doc;
pub mod draft;
pub mod driver;
mod mutant;
pub mod plan;
pub mod port;
pub mod rehearse;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod signal;
pub mod sim;
pub mod store;
pub mod web;
mod xml;

#[cfg(test)]
mod tests;
