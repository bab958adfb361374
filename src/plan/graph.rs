//! From the tree that people write to steps that need steps.
//!
//! `each` is a parallel group (or, with `max: 1`, a sequence) with one child an item; `include` is a sequence. Both
//! are stamped out before this.

use super::{Kind, Part, Pool, Step, StepId, StepIx};

/// A node of the tree.
#[derive(Clone, Debug)]
pub enum Node {
    /// One step; its `needs` and `path` are filled in here.
    Step(Box<Step>),
    /// One after the other.
    Sequence {
        /// The group's name, if it has one.
        id: Option<StepId>,
        /// Its children.
        children: Vec<Node>,
    },
    /// Together.
    Parallel {
        /// The group's name.
        id: StepId,
        /// How many at once.
        max: Option<usize>,
        /// Its children.
        children: Vec<Node>,
    },
}

/// Lowers the three parts of a plan: each begins when the one before it has passed.
#[must_use]
pub fn lower(prepare: &[Node], main: &[Node], finally: &[Node]) -> (Vec<Step>, Vec<Pool>) {
    let mut graph = Graph { steps: Vec::new(), pools: Vec::new(), part: Part::Prepare, path: Vec::new() };
    let entry = graph.sequence(prepare, &[]);
    graph.part = Part::Main;
    graph.sequence(main, &entry);
    graph.part = Part::Finally;
    graph.sequence(finally, &[]);
    (graph.steps, graph.pools)
}

struct Graph {
    steps: Vec<Step>,
    pools: Vec<Pool>,
    part: Part,
    path: Vec<StepId>,
}

impl Graph {
    fn sequence(&mut self, nodes: &[Node], entry: &[StepIx]) -> Vec<StepIx> {
        nodes.iter().fold(entry.to_vec(), |needs, node| self.place(node, &needs))
    }

    /// Places a subtree after `entry` and returns what the next one must need.
    fn place(&mut self, node: &Node, entry: &[StepIx]) -> Vec<StepIx> {
        match node {
            Node::Step(step) => {
                let (needs, path, part) = (entry.to_vec(), self.path.clone(), self.part);
                vec![self.push(Step { needs, path, part, ..(**step).clone() })]
            }
            Node::Sequence { id, children } => {
                self.path.extend(id.clone());
                let exits = self.sequence(children, entry);
                self.path.truncate(self.path.len() - usize::from(id.is_some()));
                exits
            }
            Node::Parallel { id, max, children } => {
                self.path.push(id.clone());
                let (mut exits, mut ranges) = (Vec::new(), Vec::new());
                for child in children {
                    let start = self.steps.len();
                    exits.extend(self.place(child, entry));
                    ranges.push(start..self.steps.len());
                }
                self.path.pop();
                if let Some(max) = *max {
                    self.pools.push(Pool { max, children: ranges });
                }
                // One step that waits for all, so that N children before M children make N + M needs, not N × M.
                match exits.len() {
                    0 => entry.to_vec(),
                    1 => exits,
                    _ => {
                        let join = self.join(id, exits);
                        vec![self.push(join)]
                    }
                }
            }
        }
    }

    fn push(&mut self, step: Step) -> StepIx {
        self.steps.push(step);
        StepIx(u32::try_from(self.steps.len() - 1).expect("a plan has at most 50,000 nodes"))
    }

    fn join(&self, id: &StepId, needs: Vec<StepIx>) -> Step {
        let (path, part) = (self.path.clone(), self.part);
        Step { path, part, ..Step::new(id.0.clone(), Kind::Join, needs) }
    }
}
