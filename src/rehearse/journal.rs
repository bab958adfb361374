//! The journal of a run in a rehearsal: shared between all that follows from it, and only ever added to.

use crate::plan::Timestamp;
use crate::run::Event;
use crate::store::{Recorded, Seq};
use std::sync::Arc;

/// Facts, the newest first: what many scenarios have in common is there once.
#[derive(Clone, Default)]
pub(super) struct Journal {
    last: Option<Arc<Node>>,
}

struct Node {
    before: Option<Arc<Node>>,
    fact: Recorded,
}

impl Journal {
    /// How many facts there are.
    pub(super) fn len(&self) -> u64 {
        self.last.as_ref().map_or(0, |node| node.fact.seq.0)
    }

    pub(super) fn push(&mut self, at: Timestamp, event: Event) {
        let fact = Recorded { seq: Seq(self.len() + 1), at, event };
        self.last = Some(Arc::new(Node { before: self.last.take(), fact }));
    }

    /// All of them, in order.
    pub(super) fn facts(&self) -> Vec<&Recorded> {
        self.since(0)
    }

    /// All but the first so many, in order.
    pub(super) fn since(&self, seq: u64) -> Vec<&Recorded> {
        let mut facts: Vec<&Recorded> = self.newest().take_while(|fact| fact.seq.0 > seq).collect();
        facts.reverse();
        facts
    }

    /// The newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Recorded> {
        let mut next = self.last.as_deref();
        std::iter::from_fn(move || {
            let node = next?;
            next = node.before.as_deref();
            Some(&node.fact)
        })
    }
}

impl Drop for Node {
    /// One after the other: a long journal must not end the stack.
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(mut node) = next.and_then(Arc::into_inner) {
            next = node.before.take();
        }
    }
}
