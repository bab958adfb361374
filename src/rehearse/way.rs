//! The way that a scenario goes, fact by fact: before and after each the process may die, unless it only repeats another.
//!
//! One fact at a time, for a way may be long: what goes on from an instant is played before the next one is there.

use super::scene::{Death, Next, Scene};
use super::situation::only_repeat;

/// A way.
pub(super) struct Way {
    /// Where it is.
    pub(super) scene: Scene,
    /// So many facts long, with what came before it.
    facts: u64,
}

impl Way {
    pub(super) fn new(scene: Scene, facts: u64) -> Self {
        Self { scene, facts }
    }
}

impl Iterator for Way {
    type Item = [Brink; 2];

    fn next(&mut self) -> Option<[Brink; 2]> {
        while self.scene.journal.len() < self.facts {
            match self.scene.next() {
                Next::Facts(events, run) if only_repeat(&self.scene.run, &events) => {
                    self.scene.record(events, *run);
                }
                Next::Facts(events, run) => {
                    let seq = self.scene.journal.len() + 1;
                    let before = Brink::of(&self.scene, false, seq);
                    self.scene.record(events, *run);
                    return Some([before, Brink::of(&self.scene, true, seq)]);
                }
                Next::Rests if self.scene.ask() => {}
                Next::Died => self.scene.die(),
                Next::Rests | Next::Over | Next::Hangs => return None,
            }
        }
        None
    }
}

/// An instant on the way at which the process may die.
pub(super) struct Brink {
    /// The fact of this number is recorded, or about to be.
    pub(super) recorded: bool,
    pub(super) seq: u64,
    scene: Scene,
}

impl Brink {
    fn of(scene: &Scene, recorded: bool, seq: u64) -> Self {
        Self { recorded, seq, scene: scene.brink() }
    }

    /// The scenario that goes on from here, and its name: `killed-before-41`. `None`: nobody dies so here.
    pub(super) fn killed(&self, death: Death) -> Option<(String, Scene)> {
        // Who is suspended has recorded what it did; before that it is as good as dead.
        if death == Death::Suspended && !self.recorded {
            return None;
        }
        let how = match death {
            Death::Resumed => "",
            Death::Aborted => "-aborted",
            Death::Suspended => "-suspended",
        };
        let when = if self.recorded { "after" } else { "before" };
        Some((format!("killed-{when}-{}{how}", self.seq), self.scene.killed(death)?))
    }
}
