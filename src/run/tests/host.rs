//! A host in virtual time that dies at any moment, and the people around it. What a real driver does, without async.

use super::dice::Dice;
use super::laws::Laws;
use super::story::person;
use super::world::{Call, Times, World, Write};
use crate::plan::{Guard, Plan, StepIx, Timestamp};
use crate::run::{
    Actor, Answer, Due, Event, Fault, Input, Look, Mode, Order, Phase, Rewind, Run, StepRun, Stopped, Work,
    decide, due,
};
use std::{sync::Arc, time::Duration};

/// Survives every crash.
pub(super) struct Disk {
    pub(super) plan: Arc<Plan>,
    pub(super) journal: Vec<Event>,
    pub(super) orders: u64,
}

/// Due work under way, and when it goes on.
struct Flight {
    due: Due,
    at: Timestamp,
    call: Option<(u64, Call)>,
    begun: bool,
}

/// How unlucky a schedule is, in percent for each chance there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Luck {
    pub(super) crash: u64,
    pub(super) order: u64,
    pub(super) approves: u64,
    /// Whoever is asked, or finds the process dead, aborts rather than goes on.
    pub(super) aborts: bool,
}

pub(super) struct Host<'s> {
    pub(super) disk: Disk,
    pub(super) world: &'s mut World,
    pub(super) dice: Dice,
    pub(super) luck: Luck,
    pub(super) laws: &'s mut Laws,
    pub(super) guard_trips: Vec<Timestamp>,
    pub(super) now: Timestamp,
    /// Longer than anything may take.
    pub(super) patience: u32,
    /// Tell the story.
    pub(super) told: bool,
}

/// The process is gone; what it sent may still land.
struct Crash;

impl Host<'_> {
    /// Runs to the end, through every crash.
    pub(super) fn run(&mut self) -> Run {
        loop {
            let mut run =
                Run::replay(self.disk.plan.clone(), &self.disk.journal).expect("the journal replays");
            if self.process(&mut run).is_ok() {
                let replayed = Run::replay(self.disk.plan.clone(), &self.disk.journal).unwrap();
                assert!(replayed == run, "the live state is the fold of the journal");
                return run;
            }
            self.laws.crashed(&run);
            self.tell(|| "CRASH".into());
            // Whoever takes over comes at once, or late.
            let late = if self.dice.chance(50) { 300_000 } else { 3000 };
            self.now = Timestamp(self.now.0 + self.dice.below(late));
        }
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.told {
            println!("{:>8} {}", self.now.0, what());
        }
    }

    fn process(&mut self, run: &mut Run) -> Result<(), Crash> {
        let resumed = run.mode != Mode::Idle;
        let first = if resumed {
            Input::Resume { owner: "host/2".into() }
        } else {
            Input::Begin { by: person("ana") }
        };
        self.feed(run, &first)?;
        if resumed && self.luck.aborts && self.dice.chance(70) {
            let reason = "it died".into();
            self.ordered(run, person("bo"), Order::Rollback { rewind: Rewind::Safe, reason })?;
        }
        let mut flights: Vec<Flight> = Vec::new();
        loop {
            self.patience = self.patience.saturating_sub(1);
            assert!(self.patience > 0, "no end: {:?} {:?} {:?}", run.mode, due(run), run.steps);
            self.world.pass(self.now);
            let work = due(run);
            flights.retain(|f| f.due.work.writes() || work.iter().any(|d| same(d, &f.due)));
            for due in &work {
                if !flights.iter().any(|f| same(&f.due, due)) {
                    flights.push(Flight { due: *due, at: self.now.max(due.from), call: None, begun: false });
                }
            }
            if run.is_finished() && flights.is_empty() {
                return Ok(());
            }
            let said = run.announced.is_some() && self.dice.chance(10);
            if said || self.dice.chance(self.luck.order) || self.stalled(run, &flights) {
                let (by, order) = self.order(run);
                self.ordered(run, by, order)?;
                continue;
            }
            let next = (0..flights.len()).min_by_key(|n| flights[*n].at).expect("work, or a human");
            self.now = self.now.max(flights[next].at);
            self.world.pass(self.now);
            self.crash()?;
            if let Some(input) = self.proceed(run, &mut flights[next]) {
                flights.remove(next);
                self.feed(run, &input)?;
            }
        }
    }

    /// Decide, append, apply. A crash may come before the append, or between it and everything else.
    fn feed(&mut self, run: &mut Run, input: &Input) -> Result<(), Crash> {
        let events = decide(run, input, self.now);
        self.tell(|| format!("{input:?}\n         => {events:?}"));
        self.crash()?;
        self.laws.batch(run, input, &events, self.now);
        for event in &events {
            let before = run.clone();
            run.evolve(event).expect("a decided fact can follow");
            self.laws.event(&before, event, run, self.world, self.now);
        }
        Laws::input(input, run, self.now);
        self.disk.journal.extend(events);
        self.crash()
    }

    fn crash(&mut self) -> Result<(), Crash> {
        if self.dice.chance(self.luck.crash) { Err(Crash) } else { Ok(()) }
    }

    /// One moment of work under way: an answer, or later.
    fn proceed(&mut self, run: &Run, flight: &mut Flight) -> Option<Input> {
        let Due { work, turn, until, .. } = flight.due;
        let Some(ix) = work.step() else { return self.proceed_run(work, flight) };
        let answered = |answer| Some(Input::Answered { step: ix, turn, answer });
        if !flight.begun && matches!(work, Work::Plan(_) | Work::Hold(_)) {
            let pause = if matches!(work, Work::Hold(_)) { 30_000 } else { self.dice.below(1000) };
            (flight.begun, flight.at) = (true, Timestamp(self.now.0 + pause));
            return None;
        }
        if let Work::Plan(_) = work {
            return answered(Answer::Planned(self.world.propose(ix, &mut self.dice)));
        }
        let step = &run[ix];
        let record = step.record.as_ref().expect("planned");
        if let Some((id, fault)) = flight.call {
            let result = self.world.hear(id, fault).map(|()| None);
            return answered(if work == Work::Apply(ix) {
                Answer::Applied(result)
            } else {
                Answer::Undone(result)
            });
        }
        let of_undo = matches!(step.phase, Phase::Settling { was: Stopped::Stuck(_), .. });
        let back = of_undo || matches!(work, Work::Undo(_) | Work::Confirm(_));
        let settling = matches!(work, Work::Settle(_) | Work::Apply(_) | Work::Hold(_));
        let look = self.world.look(ix, record, back, settling, self.now);
        let prior = record.proposal.prior.parse().unwrap();
        match (work, look) {
            // Look right before writing: what is there already is not written, nor over somebody else's change.
            (Work::Apply(_), Ok(Look::Prior)) => {
                self.call(step, ix, Write::Stage(step.stage(), prior), flight);
            }
            (Work::Apply(_), Ok(_)) => return answered(Answer::Applied(Ok(None))),
            (Work::Apply(_), Err(fault)) => return answered(Answer::Applied(Err(fault))),
            (Work::Undo(_), Ok(Look::Desired { .. })) => self.call(step, ix, Write::Prior(prior), flight),
            (Work::Undo(_), Ok(_)) => return answered(Answer::Undone(Ok(None))),
            (Work::Undo(_), Err(fault)) => return answered(Answer::Undone(Err(fault))),
            // A lost call may land until then.
            (Work::Settle(_), Ok(Look::Prior)) if self.now < until => {
                flight.at = Timestamp(self.now.0 + 2000).min(until);
            }
            (Work::Hold(_), Ok(Look::Prior)) => return answered(Answer::Looked(Ok(Look::Prior))),
            (Work::Hold(_), Err(fault)) if fault.is_foreign() => return answered(Answer::Looked(Err(fault))),
            (Work::Hold(_), _) => flight.at = Timestamp(self.now.0 + 30_000),
            // At the deadline the last look has been taken: what has not arrived will not have.
            (Work::Watch(_) | Work::Confirm(_), Ok(Look::Moving { .. })) if self.now >= until => {
                return answered(Answer::Looked(Err(Fault::permanent("it did not arrive in time"))));
            }
            (Work::Watch(_) | Work::Confirm(_), Ok(Look::Moving { note: None, again })) => {
                flight.at = self.now.after(again).min(until);
            }
            (_, look) => return answered(Answer::Looked(look)),
        }
        None
    }

    fn call(&mut self, step: &StepRun, ix: StepIx, write: Write, flight: &mut Flight) {
        let cell = &mut self.world.cells[ix.index()];
        let faults = if matches!(write, Write::Prior(_)) { &mut cell.undos } else { &mut cell.calls };
        let fault = faults.pop().unwrap_or(Call::Fine);
        Laws::sends(&self.disk.journal, ix, write, self.now);
        let grace = self.disk.plan.policy.grace.as_millis() as u64;
        let times = Times { now: self.now, by: flight.due.until, grace };
        self.tell(|| format!("sends {ix:?} {write:?}, {fault:?}"));
        let (at, id) = self.world.send(ix, step.round, write, fault, times, &mut self.dice);
        (flight.at, flight.call) = (at, Some((id, fault)));
    }

    fn proceed_run(&mut self, work: Work, flight: &mut Flight) -> Option<Input> {
        match work {
            Work::Guard(guard) if self.guard_trips[guard] <= self.now => {
                // It trips once, so that whoever goes on can.
                self.guard_trips[guard] = Timestamp::NEVER;
                let fault = match self.dice.below(10) {
                    0 => Fault::blind("no samples"),
                    1 => Fault::foreign("somebody else's target group"),
                    _ => Fault::permanent("five in a hundred fail"),
                };
                Some(Input::Tripped { guard, note: None, fault })
            }
            // Now and then a guard sees nothing.
            Work::Guard(guard) if flight.due.until <= self.now && self.dice.chance(80) => {
                Some(Input::Satisfied { guard })
            }
            // Now and then it sees what is worth keeping.
            Work::Guard(guard) if self.dice.chance(10) => {
                let next = self.now.after(Duration::from_secs(self.dice.below(60)));
                Some(Input::Noted { guard, turn: flight.due.turn, note: "seen".into(), next })
            }
            Work::Guard(guard) => {
                let again = flight.due.until.max(self.now.after(Duration::from_secs(30)));
                flight.at = self.guard_trips[guard].min(again);
                None
            }
            _ => Some(Input::Tick),
        }
    }

    /// Nothing will happen by itself any more, or not before a human could have been asked.
    fn stalled(&self, run: &Run, flights: &[Flight]) -> bool {
        let busy = |f: &&Flight| match f.due.work {
            Work::Hold(_) => false,
            Work::Guard(_) => f.due.until < Timestamp::NEVER,
            _ => true,
        };
        let asks = |s: &StepRun| run.mode == Mode::Forward && matches!(s.phase, Phase::Asking { .. });
        let asked = run.steps.iter().any(asks);
        if asked && self.luck.approves > 0 && flights.iter().filter(busy).all(|f| f.at > self.now) {
            return true;
        }
        let soon = self.now.after(Duration::from_secs(1800));
        run.paused.is_some() && flights.iter().filter(busy).all(|f| f.at > soon)
            || flights.iter().all(|f| f.at == Timestamp::NEVER || !busy(&f))
    }

    /// What people do: mostly sensible, sometimes anything.
    fn order(&mut self, run: &Run) -> (Actor, Order) {
        let by = match self.dice.below(12) {
            0 => person("mallory"),
            1 => person("ana"),
            2 => Actor { automatic: true, ..person("alertmanager") },
            n => person(["bo", "cy", "dee"][n as usize % 3]),
        };
        let reason: Arc<str> = "because".into();
        let any = StepIx(self.dice.small(run.steps.len() as u32 + 1));
        let find = |is: fn(&Phase) -> bool| run.plan.places().find(|ix| is(&run[*ix].phase));
        let stuck = find(|p| matches!(p, Phase::Stuck(_) | Phase::Foreign | Phase::Blind | Phase::Failed));
        let asked = find(|p| matches!(p, Phase::Asking { .. }));
        let back = |rewind| Order::Rollback { rewind, reason: "enough".into() };
        if run.announced.is_some() && self.dice.chance(60) {
            let pause = Order::Pause { reason: None };
            return (by, if self.dice.chance(50) { pause } else { Order::Continue });
        }
        if run.plan.guards.iter().any(Guard::is_outside) && self.dice.chance(30) {
            let guard = self.dice.small(run.plan.guards.len() as u32 + 1) as usize;
            return (Actor { automatic: true, ..person("alertmanager") }, Order::Trip { guard, reason });
        }
        if let (Some(step), true) = (stuck, self.dice.chance(50)) {
            let order = match self.dice.below(5) {
                0 | 1 => Order::Retry { step },
                2 | 3 => Order::Skip { step, reason },
                _ => Order::Settle { step, done: self.dice.chance(50), reason },
            };
            return (by, order);
        }
        if let (Some(step), true) = (asked, self.dice.chance(80)) {
            let yes = self.dice.chance(self.luck.approves);
            return (by, if yes { Order::Approve { step } } else { Order::Reject { step, reason } });
        }
        if self.luck.aborts && self.dice.chance(60) {
            return (by, back(if self.dice.chance(40) { Rewind::Safe } else { Rewind::All }));
        }
        let order = match self.dice.below(24) {
            0..3 => Order::Pause { reason: None },
            3..5 => back(Rewind::Safe),
            5 => back(Rewind::All),
            6 => back(Rewind::To(any)),
            7 => Order::Retry { step: any },
            8 => Order::Skip { step: any, reason },
            9 => Order::Settle { step: any, done: self.dice.chance(50), reason },
            10 => Order::Approve { step: any },
            _ => Order::Continue,
        };
        (by, order)
    }

    fn ordered(&mut self, run: &mut Run, by: Actor, order: Order) -> Result<(), Crash> {
        self.disk.orders += 1;
        self.now = Timestamp(self.now.0 + self.dice.below(500));
        if self.dice.chance(3) {
            self.feed(run, &Input::Interrupted)?;
        }
        let input = Input::Ordered { id: self.disk.orders, by, order };
        self.feed(run, &input)?;
        // A store may deliver an order twice: the second time nothing happens.
        assert_eq!(decide(run, &input, self.now), [], "{input:?} was taken twice");
        Ok(())
    }
}

fn same(a: &Due, b: &Due) -> bool {
    (a.work, a.turn) == (b.work, b.turn) && (a.work != Work::Wake || a.from == b.from)
}
