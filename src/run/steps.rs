//! What there is of each step of a plan, made to be copied: a rehearsal holds hundreds of thousands of runs that differ in
//! a step or two.

use super::step::StepRun;
use std::ops::Index;
use std::sync::Arc;

/// How many steps share a piece.
const PIECE: usize = 16;

/// Steps that stand together.
pub type Piece<T = StepRun> = Arc<[Arc<T>]>;

/// One thing a step, in the order of the plan. A copy costs nothing; the first change of it copies what leads to one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps<T = StepRun> {
    pieces: Arc<[Piece<T>]>,
    len: usize,
}

impl<T> Steps<T> {
    /// So many, all like this.
    #[must_use]
    pub fn new(len: usize, each: T) -> Self {
        let each = Arc::new(each);
        let piece = |first| std::iter::repeat_n(&each, PIECE.min(len - first)).cloned().collect();
        Self { pieces: (0..len).step_by(PIECE).map(piece).collect(), len }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// A plan without steps has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// In order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.pieces.iter().flat_map(|piece| piece.iter()).map(Arc::as_ref)
    }

    /// In order, the same number in each but the last. A piece that is the same in two runs is the same in all it holds.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece<T>> {
        self.pieces.iter()
    }
}

impl<T: Clone> Steps<T> {
    /// To be changed. `None`: the plan has no such step.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        if place >= self.len {
            return None;
        }
        let piece = Arc::make_mut(&mut self.pieces).get_mut(place / PIECE)?;
        Some(Arc::make_mut(&mut Arc::make_mut(piece)[place % PIECE]))
    }
}

impl<T> Index<usize> for Steps<T> {
    type Output = T;
    #[inline]
    fn index(&self, place: usize) -> &T {
        &self.pieces[place / PIECE][place % PIECE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hold_all_steps_in_order() {
        for len in [0, 1, PIECE, 2 * PIECE + 3] {
            let mut steps = Steps::new(len, 0);
            (0..len).for_each(|place| *steps.get_mut(place).unwrap() = place);
            let held: Vec<usize> = steps.pieces().flat_map(|piece| piece.iter()).map(|step| **step).collect();
            assert_eq!(held, (0..len).collect::<Vec<_>>());
            assert_eq!(steps.is_empty(), len == 0);
        }
    }
}
