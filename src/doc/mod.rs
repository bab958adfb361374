//! Plans as people write them: YAML in, a sound [`crate::plan::Plan`] and every problem of the text out.
//!
//! Not here: what a kind of step does (it goes by [`crate::plan::Kinds`]), files, the environment, clocks.

mod codes;
mod expand;
mod fill;
mod header;
mod input;
mod kinds;
mod lint;
mod name;
mod params;
mod read;
mod render;
mod rules;
mod scalar;
mod schema;
mod source;
mod step;
mod text;
mod trap;
mod yaml;

pub use codes::{codes, explain};
pub use input::{Files, Inputs, Stored};
pub use kinds::{explain_kind, kinds};
pub use read::{Reading, read};
pub use render::render;
pub use schema::schema;
pub use source::{Source, Sources};

#[cfg(test)]
mod tests;
