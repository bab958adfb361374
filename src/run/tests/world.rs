//! A world of one cell a step, in which calls get lost, land late, and other people change things.

use crate::plan::{Plan, Reversibility, StepIx, Timestamp, Undo};
use crate::run::{Answer, Fault, Landed, Look, Memo, Proposal};
use std::time::Duration;

/// Chance that repeats: splitmix64.
#[derive(Clone, Debug)]
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }
    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Prior,
    Ours,
    Foreign,
}

/// A write on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Late {
    step: StepIx,
    lands: Timestamp,
    makes: Cell,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) cells: Vec<Cell>,
    /// Steps that only look.
    pub(super) checks: Vec<bool>,
    /// Of ten thousand calls, how many meet a fault.
    pub(super) trouble: u64,
    late: Vec<Late>,
    /// How often each step was applied: never more than it announced.
    pub(super) applied: Vec<u32>,
    /// A person put these in nobody's care: they do not count.
    pub(super) taken_over: Vec<bool>,
    /// A promise that was broken on the way.
    pub(super) broken: Option<String>,
}

impl World {
    pub(super) fn new(plan: &Plan, dice: &mut Dice, trouble: u64) -> Self {
        let n = plan.steps.len();
        Self {
            cells: vec![Cell::Prior; n],
            checks: (0..n).map(|_| dice.one_in(4)).collect(),
            trouble,
            late: Vec::new(),
            applied: vec![0; n],
            taken_over: vec![false; n],
            broken: None,
        }
    }

    fn trouble(&self, dice: &mut Dice) -> bool {
        dice.below(10_000) < self.trouble
    }

    /// Calls that were lost land at last.
    pub(super) fn pass(&mut self, now: Timestamp, plan: &Plan) {
        let (landed, late): (Vec<Late>, Vec<Late>) = self.late.iter().partition(|late| late.lands <= now);
        self.late = late;
        landed.into_iter().for_each(|late| self.land(late.step, late.makes, plan));
    }

    /// The atomic comparison at the target: what is somebody else's is never written over.
    fn land(&mut self, step: StepIx, makes: Cell, plan: &Plan) {
        let cell = self.cells[step.index()];
        match (cell, makes) {
            (Cell::Foreign, _) => {}
            (_, Cell::Prior) => {
                self.nothing_stands_on(step, plan);
                self.cells[step.index()] = Cell::Prior;
            }
            (_, makes) => self.cells[step.index()] = makes,
        }
    }

    /// Nothing is taken away that something else still stands on.
    fn nothing_stands_on(&mut self, step: StepIx, plan: &Plan) {
        let mut above = vec![false; plan.steps.len()];
        above[step.index()] = true;
        for ix in plan.places().filter(|ix| !plan.is_finally(*ix)) {
            if !plan[ix].needs.iter().any(|need| above[need.index()]) {
                continue;
            }
            above[ix.index()] = true;
            let left =
                plan[ix].reversibility != Reversibility::Reversible || matches!(plan[ix].undo, Undo::Keep(_));
            let stands = self.cells[ix.index()] == Cell::Ours && !left && !self.taken_over[ix.index()];
            if stands {
                self.broken = Some(format!("{:?} was undone under {:?}", plan[step].id, plan[ix].id));
            }
        }
    }

    pub(super) fn plan(&self, ix: StepIx, dice: &mut Dice) -> Answer {
        if self.trouble(dice) {
            return Answer::Planned(Err(self.fault(dice)));
        }
        if dice.one_in(40) {
            return Answer::Planned(Ok(None));
        }
        let here = self.cells[ix.index()];
        let stages = u32::from(!self.checks[ix.index()] && here == Cell::Prior);
        let proposal = Proposal {
            prior: "{}".into(),
            stages,
            within: Duration::from_secs(20),
            call: None,
            must_finish: dice.one_in(6),
            changes: Vec::new(),
        };
        Answer::Planned(Ok(Some(proposal)))
    }

    fn fault(&self, dice: &mut Dice) -> Fault {
        match dice.below(8) {
            0 => Fault::foreign("somebody else"),
            1 => Fault::blind("no credentials"),
            2..=4 => Fault::transient("try again"),
            _ => Fault::permanent("broken"),
        }
    }

    /// `None`: the answer is lost.
    pub(super) fn apply(
        &mut self,
        ix: StepIx,
        by: Timestamp,
        grace: Duration,
        plan: &Plan,
        dice: &mut Dice,
    ) -> Option<Answer> {
        self.applied[ix.index()] += 1;
        if self.cells[ix.index()] == Cell::Foreign {
            return Some(Answer::Applied(Err(Fault::foreign("somebody else"))));
        }
        if !self.trouble(dice) {
            self.land(ix, Cell::Ours, plan);
            let note: Option<Memo> = dice.one_in(2).then(|| "\"id\"".into());
            return Some(Answer::Applied(Ok(note)));
        }
        self.lose(ix, Cell::Ours, by, grace, plan, dice).map(|fault| Answer::Applied(Err(fault)))
    }

    pub(super) fn undo(
        &mut self,
        ix: StepIx,
        by: Timestamp,
        grace: Duration,
        plan: &Plan,
        dice: &mut Dice,
    ) -> Option<Answer> {
        if self.cells[ix.index()] == Cell::Foreign {
            return Some(Answer::Undone(Err(Fault::foreign("somebody else"))));
        }
        if !self.trouble(dice) {
            self.land(ix, Cell::Prior, plan);
            return Some(Answer::Undone(Ok(None)));
        }
        self.lose(ix, Cell::Prior, by, grace, plan, dice).map(|fault| Answer::Undone(Err(fault)))
    }

    /// A call that meets trouble: refused, lost before or after it landed, or landing late.
    fn lose(
        &mut self,
        ix: StepIx,
        makes: Cell,
        by: Timestamp,
        grace: Duration,
        plan: &Plan,
        dice: &mut Dice,
    ) -> Option<Fault> {
        match dice.below(6) {
            0 => return Some(Fault::transient("throttled")),
            1 => return Some(Fault::permanent("denied")),
            2 => self.land(ix, makes, plan),
            3 => {
                // At the last moment that the intent allows.
                let lands = Timestamp(by.after(grace).0 - 1);
                self.late.push(Late { step: ix, lands, makes });
            }
            _ => {}
        }
        dice.one_in(2).then(|| Fault { landed: Landed::Maybe, ..Fault::transient("no answer") })
    }

    pub(super) fn look(&self, ix: StepIx, back: bool, dice: &mut Dice) -> Answer {
        if self.trouble(dice) {
            return Answer::Looked(Err(self.fault(dice)));
        }
        if dice.one_in(5) && self.cells[ix.index()] == Cell::Ours && !back {
            let note = dice.one_in(2).then(|| "\"so far\"".into());
            return Answer::Looked(Ok(Look::Moving { note, again: Duration::from_secs(1) }));
        }
        let out = || Look::Desired { out: "null".into() };
        Answer::Looked(match self.cells[ix.index()] {
            Cell::Foreign => Err(Fault::foreign("somebody else")),
            Cell::Ours => Ok(out()),
            Cell::Prior if self.checks[ix.index()] && !back => Ok(out()),
            Cell::Prior => Ok(Look::Prior),
        })
    }

    /// Other people.
    pub(super) fn meddle(&mut self, dice: &mut Dice) {
        let n = dice.below(self.cells.len() as u64);
        let n = usize::try_from(n).unwrap();
        if !self.checks[n] {
            self.cells[n] = Cell::Foreign;
        }
    }
}
