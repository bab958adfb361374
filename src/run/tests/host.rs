//! A host that crashes: it keeps a journal, does what is due, and forgets everything else.

use super::world::{Dice, World};
use crate::plan::{Plan, StepIx, Timestamp};
use crate::run::{
    Actor, Answer, Event, Fault, Input, Look, Mode, Order, Phase, Receipt, Rewind, Run, StepEvent, Work,
    decide, due,
};
use std::{collections::BTreeSet, sync::Arc};

pub(super) struct Host {
    pub(super) run: Run,
    pub(super) journal: Vec<Event>,
    pub(super) world: World,
    pub(super) now: Timestamp,
    pub(super) crashes: u32,
    pub(super) dice: Dice,
    orders: u64,
    started: BTreeSet<(Work, u32)>,
    intents: Vec<u32>,
    /// Of ten thousand moments, at how many the process dies.
    mortal: u64,
}

pub(super) fn actor(name: &str) -> Actor {
    Actor { name: name.into(), automatic: false }
}

impl Host {
    pub(super) fn new(plan: Plan, world: World, dice: Dice, mortal: u64) -> Self {
        let steps = plan.steps.len();
        Self {
            run: Run::new(Arc::new(plan)),
            journal: Vec::new(),
            world,
            now: Timestamp(1_000_000),
            crashes: 0,
            dice,
            orders: 0,
            started: BTreeSet::new(),
            intents: vec![0; steps],
            mortal,
        }
    }

    pub(super) fn order(&mut self, name: &str, order: Order) {
        self.orders += 1;
        self.input(&Input::Ordered { id: self.orders, by: actor(name), order });
    }

    /// Decides, records, applies; may die before or after recording.
    pub(super) fn input(&mut self, input: &Input) {
        let events = decide(&self.run, input, self.now);
        if self.dies() {
            return self.crash();
        }
        for event in &events {
            match event {
                Event::Step(ix, StepEvent::Applying { .. }) => self.intents[ix.index()] += 1,
                Event::Step(ix, StepEvent::Undone { receipt: Receipt::TakenOver }) => {
                    self.world.taken_over[ix.index()] = true;
                }
                Event::OrderTaken {
                    order: Order::Skip { step, .. } | Order::Settle { step, .. }, ..
                } => {
                    self.world.taken_over[step.index()] = true;
                }
                _ => {}
            }
        }
        self.journal.extend(events.iter().cloned());
        if self.dies() {
            return self.crash();
        }
        for event in &events {
            self.run.evolve(event).expect("what was decided can be applied");
        }
    }

    fn dies(&mut self) -> bool {
        self.mortal > 0 && self.dice.below(10_000) < self.mortal
    }

    /// Everything but the journal and the world is gone; the journal alone must tell how the run stands.
    fn crash(&mut self) {
        self.crashes += 1;
        self.run = Run::replay(self.run.plan.clone(), &self.journal).expect("the journal replays");
        self.started.clear();
        if self.run.mode == Mode::Idle {
            return self.input(&Input::Begin { by: actor("starter") });
        }
        self.input(&Input::Resume { owner: "host/1".into() });
    }

    /// Does one piece of due work, or lets time pass. `false`: there is nothing to do without a human.
    pub(super) fn turn(&mut self) -> bool {
        let all = due(&self.run);
        let fresh: Vec<_> = all
            .iter()
            .filter(|d| !matches!(d.work, Work::Wake | Work::Hold(_) | Work::Guard(_)))
            .filter(|d| d.from <= self.now && !self.started.contains(&(d.work, d.turn)))
            .copied()
            .collect();
        if fresh.is_empty() {
            return self.wait(&all);
        }
        let pick = usize::try_from(self.dice.below(fresh.len() as u64)).unwrap();
        let due = fresh[pick];
        if due.work.writes() {
            self.started.insert((due.work, due.turn));
        }
        self.now = Timestamp(self.now.0 + 50);
        self.world.pass(self.now, &self.run.plan);
        if let Some((step, answer)) = self.perform(due.work, due.until) {
            if self.dies() {
                self.crash();
            } else {
                self.input(&Input::Answered { step, turn: due.turn, answer });
            }
        }
        true
    }

    fn perform(&mut self, work: Work, until: Timestamp) -> Option<(StepIx, Answer)> {
        let (plan, grace) = (self.run.plan.clone(), self.run.plan.policy.grace);
        let answer = match work {
            Work::Plan(ix) => (ix, self.world.plan(ix, &mut self.dice)),
            Work::Apply(ix) => {
                let answer = self.world.apply(ix, until, grace, &plan, &mut self.dice)?;
                let announced = self.intents[ix.index()];
                assert!(
                    self.world.applied[ix.index()] <= announced,
                    "{:?} wrote without an intent",
                    plan[ix].id
                );
                (ix, answer)
            }
            Work::Undo(ix) => (ix, self.world.undo(ix, until, grace, &plan, &mut self.dice)?),
            Work::Settle(ix) => {
                let back = self.run.mode == Mode::Rollback;
                let answer = self.world.look(ix, back, &mut self.dice);
                // Absence is believed late.
                if matches!(answer, Answer::Looked(Ok(Look::Prior))) && self.now < until {
                    self.pass_to(until);
                    return Some((ix, self.world.look(ix, back, &mut self.dice)));
                }
                (ix, answer)
            }
            Work::Watch(ix) => (ix, self.world.look(ix, false, &mut self.dice)),
            Work::Confirm(ix) => (ix, self.world.look(ix, true, &mut self.dice)),
            Work::Hold(_) | Work::Guard(_) | Work::Wake => return None,
        };
        Some(answer)
    }

    /// Nothing to do now: on to the next moment at which something is due, or a lost call's deadline.
    fn wait(&mut self, all: &[crate::run::Due]) -> bool {
        let next = all
            .iter()
            .filter(|d| !matches!(d.work, Work::Hold(_) | Work::Guard(_)))
            .map(|d| if self.started.contains(&(d.work, d.turn)) { d.until } else { d.from })
            .filter(|moment| *moment < Timestamp::NEVER)
            .min();
        let Some(next) = next else { return false };
        if self.run.rests() {
            return false;
        }
        self.pass_to(next.max(Timestamp(self.now.0 + 1)));
        // A call that was not answered in time counts as lost.
        let lost = all
            .iter()
            .find(|d| d.work.writes() && self.started.contains(&(d.work, d.turn)) && d.until <= self.now);
        match lost.map(|d| (d.work, d.turn)) {
            Some((Work::Apply(step), turn)) => {
                self.input(&Input::Answered {
                    step,
                    turn,
                    answer: Answer::Applied(Err(Fault::lost("no answer"))),
                });
            }
            Some((Work::Undo(step), turn)) => {
                self.input(&Input::Answered {
                    step,
                    turn,
                    answer: Answer::Undone(Err(Fault::lost("no answer"))),
                });
            }
            _ => self.input(&Input::Tick),
        }
        true
    }

    fn pass_to(&mut self, moment: Timestamp) {
        self.now = self.now.max(moment);
        self.world.pass(self.now, &self.run.plan);
    }

    /// Somebody does something, whatever the run is doing.
    pub(super) fn interfere(&mut self) {
        let steps = self.run.steps.len() as u64;
        let step = StepIx(u32::try_from(self.dice.below(steps)).unwrap());
        let reason: Arc<str> = "because".into();
        let order = match self.dice.below(9) {
            0 => Order::Pause { reason: None },
            1 => Order::Continue,
            2 => Order::Rollback { rewind: Rewind::Safe, reason },
            3 => Order::Rollback { rewind: Rewind::All, reason },
            4 => Order::Rollback { rewind: Rewind::To(step), reason },
            5 => Order::Retry { step },
            6 => Order::Skip { step, reason },
            7 => Order::Settle { step, done: self.dice.one_in(2), reason },
            _ => Order::Reject { step, reason },
        };
        self.order("bo", order);
    }

    /// Answers whatever the run asks, as somebody who wants it over.
    pub(super) fn end_it(&mut self) {
        let asked = self.run.plan.places().find(|ix| matches!(self.run[*ix].phase, Phase::Asking { .. }));
        if let Some(step) = asked {
            let name = ["ana", "bo", "cy"][usize::try_from(self.dice.below(3)).unwrap()];
            return self.order(name, Order::Approve { step });
        }
        let stuck = self.run.plan.places().find(|ix| matches!(self.run[*ix].phase, Phase::Stuck(_)));
        if self.run.mode == Mode::Rollback
            && let Some(step) = stuck.filter(|ix| matches!(self.run[*ix].phase, Phase::Stuck(_)))
        {
            return self.order("bo", Order::Skip { step, reason: "by hand".into() });
        }
        self.order("bo", Order::Rollback { rewind: Rewind::All, reason: "enough".into() });
        if self.run.paused.is_some() {
            self.order("bo", Order::Continue);
        }
    }
}
