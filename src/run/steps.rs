//! The steps of a run, made to be copied: a rehearsal holds hundreds of thousands of runs that differ in a step or two.

use super::step::StepRun;
use std::ops::Index;
use std::sync::Arc;

/// How many steps share a piece.
const PIECE: usize = 16;

/// Steps that stand together.
pub type Piece = Arc<[Arc<StepRun>]>;

/// All steps, in the order of the plan. Copies are one in all pieces but those in which a step was changed, and there in
/// all other steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    pieces: Vec<Piece>,
    len: usize,
}

impl Steps {
    /// So many that have not begun.
    pub(super) fn new(len: usize) -> Self {
        let new = Arc::new(StepRun::new());
        let piece = |first| std::iter::repeat_n(&new, PIECE.min(len - first)).cloned().collect();
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
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &StepRun> {
        self.pieces.iter().flat_map(|piece| piece.iter()).map(Arc::as_ref)
    }

    /// In order, the same number in each but the last. A piece that is the same in two runs is the same in all it holds.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter()
    }

    /// To be changed. `None`: the plan has no such step.
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut StepRun> {
        let piece = self.pieces.get_mut(place / PIECE)?;
        if place >= self.len {
            return None;
        }
        Some(Arc::make_mut(&mut Arc::make_mut(piece)[place % PIECE]))
    }
}

impl Index<usize> for Steps {
    type Output = StepRun;
    #[inline]
    fn index(&self, place: usize) -> &StepRun {
        &self.pieces[place / PIECE][place % PIECE]
    }
}
