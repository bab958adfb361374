//! A run that is told by hand: a clock in seconds, and every fact so far.

use super::build::{act, secs, simple};
use crate::plan::{Plan, Step, StepIx, Timestamp};
use crate::run::{
    Actor, Answer, Due, Ending, Event, Fault, FaultKind, Input, Landed, Look, Order, Phase, Proposal, Rewind,
    Run, StepEvent, Work, decide, due, ending,
};
use std::sync::Arc;

#[derive(Clone)]
pub(super) struct Story {
    pub(super) run: Run,
    pub(super) now: u64,
    pub(super) facts: Vec<Event>,
    pub(super) orders: u64,
    /// How the next change is planned.
    pub(super) proposal: Proposal,
}

pub(super) fn person(name: &str) -> Actor {
    Actor { name: name.into(), automatic: false }
}

pub(super) fn desired() -> Look {
    Look::Desired { out: "\"new\"".into() }
}

pub(super) fn abort() -> Order {
    Order::Rollback { rewind: Rewind::Safe, reason: "slow".into() }
}

pub(super) fn back(rewind: Rewind) -> Order {
    Order::Rollback { rewind, reason: "a person's choice".into() }
}

pub(super) fn skip(step: u32) -> Order {
    Order::Skip { step: StepIx(step), reason: "known".into() }
}

pub(super) fn settle(step: u32, done: bool) -> Order {
    Order::Settle { step: StepIx(step), done, reason: "seen".into() }
}

pub(super) fn retry(step: u32) -> Order {
    Order::Retry { step: StepIx(step) }
}

pub(super) fn permanent_but_landed() -> Fault {
    Fault { message: "exit 3".into(), kind: FaultKind::Permanent, landed: Landed::Maybe }
}

/// A run of a plan, begun by ana.
pub(super) fn tell(plan: Plan) -> Story {
    let proposal = Proposal {
        prior: "\"old\"".into(),
        stages: 1,
        within: secs(600),
        call: None,
        must_finish: false,
        changes: Vec::new(),
    };
    let mut story = Story { run: Run::new(Arc::new(plan)), now: 0, facts: Vec::new(), orders: 0, proposal };
    story.hears(Input::Begin { by: person("ana") });
    story
}

/// A run of changes, one after the other.
pub(super) fn chain(ids: &[&str]) -> Story {
    let needs = |n: usize| n.checked_sub(1).map(|n| n as u32).into_iter().collect::<Vec<_>>();
    let steps: Vec<Step> = ids.iter().enumerate().map(|(n, id)| act(id, &needs(n))).collect();
    tell(simple(steps))
}

impl Story {
    pub(super) fn hears(&mut self, input: Input) -> &mut Self {
        for event in decide(&self.run, &input, self.at()) {
            let before = self.run.steps.clone();
            self.run.evolve(&event).unwrap();
            for (was, is) in before.iter().zip(self.run.steps.iter()) {
                assert!(
                    was.phase == is.phase || was.turn < is.turn,
                    "older work is told from newer: {event:?}"
                );
            }
            self.facts.push(event);
        }
        let replayed = Run::replay(self.run.plan.clone(), &self.facts).unwrap();
        assert_eq!(replayed, self.run, "the live state is the fold of the journal");
        self
    }

    pub(super) fn at(&self) -> Timestamp {
        Timestamp(self.now * 1000)
    }

    pub(super) fn answers(&mut self, step: u32, answer: Answer) -> &mut Self {
        let turn = self.run.steps[step as usize].turn;
        self.hears(Input::Answered { step: StepIx(step), turn, answer })
    }

    pub(super) fn plans(&mut self, step: u32) -> &mut Self {
        let proposal = self.proposal.clone();
        self.answers(step, Answer::Planned(Ok(Some(proposal))))
    }

    pub(super) fn plans_stages(&mut self, step: u32, stages: u32) -> &mut Self {
        let proposal = Proposal { stages, ..self.proposal.clone() };
        self.answers(step, Answer::Planned(Ok(Some(proposal))))
    }

    pub(super) fn applies(&mut self, step: u32) -> &mut Self {
        self.answers(step, Answer::Applied(Ok(None)))
    }

    pub(super) fn cannot_apply(&mut self, step: u32, fault: Fault) -> &mut Self {
        self.answers(step, Answer::Applied(Err(fault)))
    }

    /// The answer of its call is lost.
    pub(super) fn loses(&mut self, step: u32) -> &mut Self {
        self.cannot_apply(step, Fault::lost("timeout"))
    }

    pub(super) fn sees(&mut self, step: u32, look: Look) -> &mut Self {
        self.answers(step, Answer::Looked(Ok(look)))
    }

    pub(super) fn arrives(&mut self, step: u32) -> &mut Self {
        self.sees(step, desired())
    }

    pub(super) fn cannot_see(&mut self, step: u32, fault: Fault) -> &mut Self {
        self.answers(step, Answer::Looked(Err(fault)))
    }

    /// From the plan to the arrival.
    pub(super) fn does(&mut self, step: u32) -> &mut Self {
        self.plans(step).applies(step).arrives(step)
    }

    /// A check passes.
    pub(super) fn passes(&mut self, step: u32) -> &mut Self {
        self.plans_stages(step, 0).arrives(step)
    }

    /// It was applied, and the evidence says no.
    pub(super) fn fails(&mut self, step: u32) -> &mut Self {
        self.cannot_see(step, Fault::permanent("no"))
    }

    pub(super) fn undoes(&mut self, step: u32) -> &mut Self {
        self.answers(step, Answer::Undone(Ok(None))).sees(step, Look::Prior)
    }

    pub(super) fn cannot_undo(&mut self, step: u32, fault: Fault) -> &mut Self {
        self.answers(step, Answer::Undone(Err(fault)))
    }

    pub(super) fn order(&mut self, order: Order) -> &mut Self {
        self.order_by(person("bo"), order)
    }

    pub(super) fn order_by(&mut self, by: Actor, order: Order) -> &mut Self {
        self.orders += 1;
        self.hears(Input::Ordered { id: self.orders, by, order })
    }

    pub(super) fn trips(&mut self) -> &mut Self {
        self.trips_with(Fault::permanent("5 %"))
    }

    pub(super) fn trips_with(&mut self, fault: Fault) -> &mut Self {
        self.hears(Input::Tripped { guard: 0, note: None, fault })
    }

    pub(super) fn after(&mut self, seconds: u64) -> &mut Self {
        self.now += seconds;
        self.hears(Input::Tick)
    }

    /// The process is killed, and another takes over.
    pub(super) fn crashes(&mut self) -> &mut Self {
        self.hears(Input::Resume { owner: "host/2".into() })
    }

    pub(super) fn phase(&self, step: u32) -> Phase {
        self.run.steps[step as usize].phase
    }

    pub(super) fn due(&self) -> Vec<Due> {
        due(&self.run)
    }

    /// When a tick is brought next.
    pub(super) fn wakes(&self) -> Option<Timestamp> {
        due(&self.run).into_iter().find(|due| due.work == Work::Wake).map(|due| due.from)
    }

    /// Work but for what only waits.
    pub(super) fn work(&self) -> Vec<Work> {
        let busy = |work: &Work| !matches!(work, Work::Guard(_) | Work::Hold(_) | Work::Wake);
        due(&self.run).into_iter().map(|due| due.work).filter(busy).collect()
    }

    pub(super) fn ending(&self) -> Ending {
        ending(&self.run)
    }

    pub(super) fn last(&self) -> &Event {
        self.facts.last().unwrap()
    }

    /// How often a fact about a step was recorded.
    pub(super) fn count(&self, step: u32, is: impl Fn(&StepEvent) -> bool) -> usize {
        let of_step =
            |event: &&Event| matches!(event, Event::Step(ix, fact) if *ix == StepIx(step) && is(fact));
        self.facts.iter().filter(of_step).count()
    }
}
