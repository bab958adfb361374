//! Which steps may begin: what they need has passed, and every bounded group they stand in has room.
//!
//! Counted once, then kept as steps begin, so that a wide group costs no more than its size.

use super::state::{Mode, Run};
use super::step::Phase;
use crate::plan::{Part, StepIx};

/// Who may begin, of a run as it was when this was counted; what ended since is seen the next time.
pub(super) struct Room {
    pools: Vec<Counted>,
    /// The pools that each step stands in, and as whose child.
    inside: Vec<Vec<(usize, usize)>>,
    /// Steps of `finally` may begin.
    over: bool,
}

struct Counted {
    max: usize,
    open: usize,
    is_open: Vec<bool>,
}

impl Room {
    pub(super) fn of(run: &Run) -> Self {
        let plan = &run.plan;
        let mut inside = vec![Vec::new(); if plan.pools.is_empty() { 0 } else { plan.steps.len() }];
        let mut pools = Vec::new();
        for (number, pool) in plan.pools.iter().enumerate() {
            let mut is_open = Vec::new();
            for (child, places) in pool.children.iter().enumerate() {
                places.clone().for_each(|place| inside[place].push((number, child)));
                let begun = places.clone().any(|place| run.steps[place].phase != Phase::Waiting);
                let ended = || plan.places().skip(places.start).take(places.len()).all(|ix| run.passed(ix));
                is_open.push(begun && !ended());
            }
            let open = is_open.iter().filter(|open| **open).count();
            pools.push(Counted { max: pool.max, open, is_open });
        }
        let over = match run.mode {
            Mode::Forward => run.all_passed(Part::Main) && run.is_baked(),
            // Also where a rollback can do no more without a human; not where it was only to go so far.
            Mode::Rollback => run.rest().is_some_and(|rest| rest.is_an_ending()),
            Mode::Idle | Mode::Finished(_) => false,
        };
        Self { pools, inside, over }
    }

    /// Whether a step's turn has come.
    pub(super) fn admits(&self, run: &Run, ix: StepIx) -> bool {
        run[ix].phase == Phase::Waiting && self.lets_go_on(run, ix) && self.has_place(ix)
    }

    /// Whether a step may begin its next try: what it needs may have been found changed meanwhile.
    pub(super) fn lets_go_on(&self, run: &Run, ix: StepIx) -> bool {
        let turn = if run.plan.is_finally(ix) { self.over } else { run.goes_forward(ix) };
        turn && !run.is_held() && run.plan[ix].needs.iter().all(|need| run.passed(*need))
    }

    fn has_place(&self, ix: StepIx) -> bool {
        let inside = self.inside.get(ix.index()).map_or(&[][..], Vec::as_slice);
        inside.iter().all(|(pool, child)| {
            let pool = &self.pools[*pool];
            pool.is_open[*child] || pool.open < pool.max
        })
    }

    /// A step began.
    pub(super) fn begun(&mut self, ix: StepIx) {
        for (pool, child) in self.inside.get(ix.index()).into_iter().flatten() {
            let pool = &mut self.pools[*pool];
            pool.open += usize::from(!pool.is_open[*child]);
            pool.is_open[*child] = true;
        }
    }
}
