//! One stream of facts, several renderers.

use super::Story;
use crate::plan::{StepIx, Timestamp};
use crate::run::Event;

/// A fact with its place in the journal.
#[derive(Clone, Copy, Debug)]
pub struct Fact<'a> {
    /// From 1.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub event: &'a Event,
}

/// Shows a run while it happens, or again later.
pub trait Renderer: Send {
    /// A fact was recorded; `story` has taken it.
    fn fact(&mut self, story: &Story, fact: &Fact<'_>);
    /// A step says how it goes. Not recorded, and may be dropped.
    fn progress(&mut self, story: &Story, at: Timestamp, step: StepIx, text: &str) {
        let _ = (story, at, step, text);
    }
    /// Time passed: countdowns move.
    fn tick(&mut self, story: &Story, now: Timestamp) {
        let _ = (story, now);
    }
    /// Nothing more comes. Whatever was drawn over is left as it should be read later.
    fn end(&mut self, story: &Story, now: Timestamp) {
        let _ = (story, now);
    }
    /// A line that is no fact: what the tool itself has to say.
    fn say(&mut self, text: &str) {
        let _ = text;
    }
}

/// Several at once.
impl Renderer for Vec<Box<dyn Renderer>> {
    fn fact(&mut self, story: &Story, fact: &Fact<'_>) {
        for each in self {
            each.fact(story, fact);
        }
    }
    fn progress(&mut self, story: &Story, at: Timestamp, step: StepIx, text: &str) {
        for each in self {
            each.progress(story, at, step, text);
        }
    }
    fn tick(&mut self, story: &Story, now: Timestamp) {
        for each in self {
            each.tick(story, now);
        }
    }
    fn end(&mut self, story: &Story, now: Timestamp) {
        for each in self {
            each.end(story, now);
        }
    }
    fn say(&mut self, text: &str) {
        for each in self {
            each.say(text);
        }
    }
}
