//! Two executors, the store, and the world: what can happen next, and what comes of it.

use super::super::story::person;
use super::{Budget, Bug, Given, Seen, by_bo};
use crate::plan::{Kind, Plan, StepIx, Timestamp};
use crate::run::{
    Answer, Cause, Due, Event, Fault, Input, Look, Mode, Order, PauseCause, Phase, Proposal, Receipt, Rewind,
    Run, StepEvent, Verdict, Work, decide, due,
};
use crate::store::OpenCalls;
use crate::store::record::EventRecord;
use std::collections::BTreeMap;
use std::{sync::Arc, time::Duration};

/// For how long a lease holds, in milliseconds.
const TTL: u64 = 2;
/// More than any run needs once nothing goes wrong.
const PATIENCE: usize = 200;

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// A process takes the run.
    Take(usize),
    /// What was decided reaches the store.
    Append(usize),
    /// A piece of work goes on.
    Work(usize, Work),
    /// The answer to its call is lost.
    LoseAnswer(usize, Work),
    /// It hears the next order.
    Hear(usize),
    Crash(usize),
    /// As by SIGSTOP, and SIGCONT.
    Stop(usize),
    Wake(usize),
    /// The next order is given.
    Order,
    /// Its call is refused for good, and not carried out.
    Refuse(usize, Work),
    /// A call is carried out.
    Land(usize),
    /// A millisecond passes.
    Pass,
}

/// What is durable.
#[derive(Clone)]
pub(super) struct Kept {
    /// The journal, folded.
    pub(super) run: Run,
    pub(super) seq: u64,
    pub(super) epoch: u64,
    /// Who holds it, and until when.
    pub(super) holder: Option<(usize, u64)>,
    /// Under which epoch, and by which process, it was written last.
    pub(super) last: Option<(u64, u64)>,
    /// All that were announced: step, back, and until when it may be sent.
    pub(super) intents: Vec<(StepIx, bool, Timestamp)>,
    /// The same, as whoever takes a lock over reads them.
    pub(super) open: OpenCalls,
    pub(super) orders: u8,
}

/// A write on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Call {
    pub(super) id: u64,
    pub(super) step: StepIx,
    pub(super) round: u32,
    pub(super) back: bool,
    pub(super) by: Timestamp,
    /// What the cell is then.
    pub(super) to: u8,
    pub(super) landed: bool,
}

/// Due work under way.
#[derive(Clone)]
pub(super) struct Flight {
    pub(super) due: Due,
    pub(super) call: Option<u64>,
    pub(super) lost: bool,
}

#[derive(Clone)]
pub(super) struct Process {
    pub(super) id: u64,
    pub(super) epoch: u64,
    pub(super) seq: u64,
    pub(super) run: Run,
    pub(super) pending: Option<Vec<Event>>,
    pub(super) flights: Vec<Flight>,
    pub(super) stopped: bool,
    /// It was stopped since it renewed its lease.
    pub(super) silent: bool,
    /// It has what the run writes to itself.
    pub(super) locked: bool,
}

#[derive(Clone)]
pub(super) struct System {
    plan: Arc<Plan>,
    orders: Arc<[Given]>,
    bug: Option<Bug>,
    /// How many processes there may be of the run.
    slots: usize,
    /// What its steps make of their cells.
    value: u8,
    pub(super) now: u64,
    pub(super) kept: Kept,
    /// What each step's change is: 0 as before, and as it makes it.
    pub(super) cells: Vec<u8>,
    pub(super) calls: Vec<Call>,
    /// How often each call was carried out: step, round, back.
    pub(super) landed: BTreeMap<(StepIx, u32, bool), u8>,
    pub(super) processes: [Option<Process>; 2],
    pub(super) left: Budget,
    born: u64,
    sent: u64,
}

impl System {
    pub(super) fn new(plan: Arc<Plan>, orders: Arc<[Given]>, left: Budget, bug: Option<Bug>) -> Self {
        let kept = Kept {
            run: Run::new(plan.clone()),
            seq: 0,
            epoch: 0,
            holder: None,
            last: None,
            intents: Vec::new(),
            open: OpenCalls::default(),
            orders: 0,
        };
        Self {
            cells: vec![0; plan.steps.len()],
            plan,
            orders,
            bug,
            slots: 2,
            value: 1,
            now: 1,
            kept,
            calls: Vec::new(),
            landed: BTreeMap::new(),
            processes: [None, None],
            left,
            born: 0,
            sent: 0,
        }
    }

    /// One of several runs that write the same cells: it has one process, and makes this of them.
    pub(super) fn beside(self, value: u8) -> Self {
        Self { slots: 1, value, ..self }
    }

    /// Nobody else writes its cells.
    fn is_alone(&self) -> bool {
        self.slots == 2
    }

    fn at(&self) -> Timestamp {
        Timestamp(self.now)
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Everything that may happen now.
    pub(super) fn moves(&self) -> Vec<Move> {
        let mut all = Vec::new();
        for n in 0..self.slots {
            match &self.processes[n] {
                None if self.may_take() => all.push(Move::Take(n)),
                None => {}
                Some(process) if process.stopped => {
                    all.push(Move::Wake(n));
                    if self.left.crashes > 0 {
                        all.push(Move::Crash(n));
                    }
                }
                Some(process) => self.moves_of(n, process, &mut all),
            }
        }
        let given = usize::from(self.kept.orders);
        if self.left.orders > 0 && given < self.orders.len() && self.kept.run.mode != Mode::Idle {
            all.push(Move::Order);
        }
        all.extend((0..self.calls.len()).filter(|n| !self.calls[*n].landed).map(Move::Land));
        if self.losses() <= usize::from(self.left.lost) {
            all.push(Move::Pass);
        }
        all
    }

    fn moves_of(&self, n: usize, process: &Process, all: &mut Vec<Move>) {
        if self.left.crashes > 0 {
            all.push(Move::Crash(n));
        }
        if self.left.stops > 0 {
            all.push(Move::Stop(n));
        }
        if !process.locked {
            return;
        }
        if process.pending.is_some() {
            all.push(Move::Append(n));
        }
        for flight in &process.flights {
            let answers = process.pending.is_none();
            if self.goes_on(&process.run, flight, answers) {
                all.push(Move::Work(n, flight.due.work));
            }
            if flight.call.is_some() && !flight.lost && self.left.lost > 0 {
                all.push(Move::LoseAnswer(n, flight.due.work));
            }
            let is_sent = flight.call.is_some() || self.now > flight.due.until.0;
            if matches!(flight.due.work, Work::Apply(_)) && answers && !is_sent && self.left.refused > 0 {
                all.push(Move::Refuse(n, flight.due.work));
            }
        }
        if process.pending.is_none() && process.run.last_order < u64::from(self.kept.orders) {
            all.push(Move::Hear(n));
        }
    }

    fn may_take(&self) -> bool {
        let over = self.kept.run.is_finished() && self.kept.run.last_order == u64::from(self.kept.orders);
        let free = match self.kept.holder {
            None => true,
            Some((holder, expires)) => self.processes[holder].is_none() || expires <= self.now,
        };
        !over && (free || self.has(Bug::LeaseIgnored))
    }

    /// From then on it is believed that a call did not land: it lands before.
    fn given_up(&self, call: &Call) -> u64 {
        call.by.after(self.plan.policy.grace).0
    }

    /// How many calls are lost as a millisecond passes: those that have not landed and can no more, and those that a
    /// process, though it is not stopped, is too slow to send.
    fn losses(&self) -> usize {
        let unlanded = self.calls.iter().filter(|call| !call.landed && self.given_up(call) == self.now + 1);
        let awake = self.processes.iter().flatten().filter(|process| !process.stopped);
        let unsent = |flight: &&Flight| {
            flight.due.work.writes() && flight.call.is_none() && flight.due.until == self.at()
        };
        unlanded.count() + awake.flat_map(|process| &process.flights).filter(unsent).count()
    }

    /// Whether a piece of work has something to do. `answers`: somebody listens to what it comes to.
    fn goes_on(&self, run: &Run, flight: &Flight, answers: bool) -> bool {
        let Due { work, from, until, .. } = flight.due;
        let now = self.at();
        let cell = work.step().map(|ix| self.cells[ix.index()]);
        match work {
            Work::Apply(_) | Work::Undo(_) => match flight.call {
                None if self.has(Bug::DeadlineIgnored) => true,
                // While nobody listens it is sent, if there is something to send.
                None => answers || now <= until && cell != work.step().map(|ix| self.wanted(run, ix, work)),
                Some(_) if !answers => false,
                Some(id) => {
                    let landed = self.calls.iter().any(|call| call.id == id && call.landed);
                    landed && !flight.lost || now >= until || self.has(Bug::OutcomeBeforeEffect)
                }
            },
            Work::Settle(_) => answers && (cell == Some(self.value) || now >= until),
            Work::Hold(_) => answers && cell != Some(self.value),
            Work::Plan(_) | Work::Watch(_) | Work::Confirm(_) | Work::Guard(_) => answers,
            Work::Wake => answers && now >= from,
        }
    }

    /// It happens.
    pub(super) fn go(&mut self, way: Move, seen: &mut Seen) {
        match way {
            Move::Take(n) => self.take(n, seen),
            Move::Append(n) => self.append(n, seen),
            Move::Work(n, work) => self.work(n, work),
            Move::LoseAnswer(n, work) => {
                self.left.lost -= 1;
                let flights = self.processes[n].iter_mut().flat_map(|process| &mut process.flights);
                flights.filter(|flight| flight.due.work == work).for_each(|flight| flight.lost = true);
            }
            Move::Hear(n) => self.hear(n),
            Move::Crash(n) => (self.left.crashes, self.processes[n]) = (self.left.crashes - 1, None),
            Move::Stop(n) => {
                self.left.stops -= 1;
                let process = self.processes[n].as_mut().expect("it is up");
                (process.stopped, process.silent) = (true, true);
            }
            Move::Wake(n) => self.processes[n].as_mut().expect("it is up").stopped = false,
            Move::Refuse(n, work) => self.refuse(n, work),
            Move::Order => {
                (self.left.orders, self.kept.orders) = (self.left.orders - 1, self.kept.orders + 1);
            }
            Move::Land(n) => self.land(n, seen),
            Move::Pass => self.pass(),
        }
        let heard =
            |id: u64| self.processes.iter().flatten().any(|p| p.flights.iter().any(|f| f.call == Some(id)));
        let kept: Vec<Call> =
            self.calls.iter().filter(|call| !call.landed || heard(call.id)).cloned().collect();
        self.calls = kept;
    }

    fn take(&mut self, n: usize, seen: &mut Seen) {
        if let Some((holder, _)) = self.kept.holder
            && let Some(other) = &self.processes[holder]
        {
            assert!(other.silent, "a process that lives was replaced");
            seen.replaced += 1;
        }
        if self.kept.epoch == 0 || !self.has(Bug::EpochNotRaised) {
            self.kept.epoch += 1;
        }
        self.kept.holder = Some((n, self.now + TTL));
        self.born += 1;
        let run = self.kept.run.clone();
        self.processes[n] = Some(Process {
            id: self.born,
            epoch: self.kept.epoch,
            seq: self.kept.seq,
            run,
            pending: None,
            flights: Vec::new(),
            stopped: false,
            silent: false,
            locked: self.is_alone(),
        });
        if self.is_alone() {
            self.begin(n);
        }
    }

    /// What a process does first, once it has what the run writes to itself.
    pub(super) fn begin(&mut self, n: usize) {
        let process = self.processes[n].as_mut().expect("it is up");
        process.locked = true;
        let input = match process.run.mode {
            Mode::Idle => Some(Input::Begin { by: person("ana") }),
            Mode::Forward | Mode::Rollback => Some(Input::Resume { owner: "host/2".into() }),
            Mode::Finished(_) => None,
        };
        if let Some(input) = input {
            self.feed(n, &input);
        }
    }

    /// Decides; what follows is on its way to the store.
    fn feed(&mut self, n: usize, input: &Input) {
        let (at, early) = (self.at(), self.has(Bug::IntentNotRecorded));
        let process = self.processes[n].as_mut().expect("it is up");
        assert!(process.pending.is_none(), "one thing is decided after the other");
        let events = decide(&process.run, input, at);
        if events.is_empty() {
            return;
        }
        if early {
            let mut next = process.run.clone();
            for event in &events {
                next.evolve(event).expect("a decided fact can follow");
            }
            process.reconcile(&next);
        }
        process.pending = Some(events);
    }

    /// The store's rules: the epoch and the place are checked in the transaction of the append.
    fn append(&mut self, n: usize, seen: &mut Seen) {
        let (unchecked, now) = (self.has(Bug::EpochNotChecked), self.at());
        let process = self.processes[n].as_mut().expect("it is up");
        let (kept, events) = (&mut self.kept, process.pending.take().expect("it decided"));
        if (process.epoch != kept.epoch && !unchecked) || process.seq != kept.seq {
            // It stops; what it sent is on its way.
            seen.refused += 1;
            self.processes[n] = None;
            return;
        }
        if let Some((epoch, id)) = kept.last {
            assert!(process.epoch != epoch || process.id == id, "two processes wrote under one epoch");
        }
        assert!(process.epoch == kept.epoch, "an append of whoever was replaced was taken");
        kept.last = Some((process.epoch, process.id));
        check_trips(&events);
        for event in &events {
            check_word(&kept.run, event, now);
            check_approval(&kept.run, event);
            check_settled(&self.cells, self.value, event);
            kept.run.evolve(event).expect("a decided fact can follow");
            kept.open.take(&EventRecord::of(event, &self.plan));
            match event {
                Event::Step(ix, StepEvent::Applying { by, .. }) => kept.intents.push((*ix, false, *by)),
                Event::Step(ix, StepEvent::Undoing { by }) => kept.intents.push((*ix, true, *by)),
                _ => {}
            }
        }
        kept.seq += events.len() as u64;
        (process.seq, process.run) = (kept.seq, kept.run.clone());
        let next = process.run.clone();
        process.reconcile(&next);
        let foreign = matches!(self.kept.run.paused, Some(PauseCause::Foreign(_)));
        assert!(!(foreign && self.is_alone()), "nobody else writes, and the world is not as we left it");
        if self.kept.run.is_finished() {
            seen.finished += 1;
            // It ends, and lets the run go.
            (self.processes[n], self.kept.holder) = (None, None);
        }
        let ends = |event: &Event| matches!(event, Event::RunFinished { .. });
        if self.is_alone() || events.iter().any(ends) {
            self.check_verdict();
        }
    }

    /// What a verdict says is so.
    fn check_verdict(&self) {
        let run = &self.kept.run;
        let Mode::Finished(verdict) = run.mode else { return };
        let right = run.plan.places().zip(&self.cells).all(|(ix, cell)| match run[ix].phase {
            // A human took it over, or goes on without it.
            Phase::Undone(Receipt::TakenOver) => true,
            Phase::Skipped if verdict == Verdict::Completed => true,
            // It writes nothing.
            _ if !matches!(run.plan[ix].kind, Kind::Act(_)) => true,
            _ if verdict == Verdict::Completed => *cell == self.value,
            // What it did not write another run may have written.
            _ => {
                run[ix].record.is_none()
                    || !(self.is_alone() || run[ix].marked())
                    || prior(run, ix) == Some(*cell)
            }
        });
        assert!(right, "the verdict is {verdict:?}, and the world {:?}", self.cells);
    }

    /// What a write is to make of the cell.
    fn wanted(&self, run: &Run, ix: StepIx, work: Work) -> u8 {
        if matches!(work, Work::Undo(_)) { prior(run, ix).unwrap_or_default() } else { self.value }
    }

    fn hear(&mut self, n: usize) {
        let process = self.processes[n].as_ref().expect("it is up");
        let id = process.run.last_order + 1;
        let order = usize::try_from(id - 1).ok().and_then(|place| self.orders.get(place)).cloned();
        let (by, order) = order.expect("it was given");
        self.feed(n, &Input::Ordered { id, by, order });
    }

    fn refuse(&mut self, n: usize, work: Work) {
        self.left.refused -= 1;
        let process = self.processes[n].as_mut().expect("it is up");
        let place = process.flights.iter().position(|flight| flight.due.work == work).expect("under way");
        let turn = process.flights.remove(place).due.turn;
        let step = work.step().expect("it is of a step");
        self.feed(
            n,
            &Input::Answered { step, turn, answer: Answer::Applied(Err(Fault::permanent("refused"))) },
        );
    }

    fn work(&mut self, n: usize, work: Work) {
        let process = self.processes[n].as_ref().expect("it is up");
        let place = process.flights.iter().position(|flight| flight.due.work == work).expect("under way");
        let flight = process.flights[place].clone();
        let turn = flight.due.turn;
        let input = match (work, work.step()) {
            (Work::Apply(step) | Work::Undo(step), _) => {
                let Some(answer) = self.call(n, place, step, &flight) else { return };
                Input::Answered { step, turn, answer }
            }
            (_, Some(step)) => Input::Answered { step, turn, answer: self.looked(&process.run, step, work) },
            (Work::Guard(guard), None) => {
                Input::Tripped { guard, note: None, fault: Fault::permanent("too many errors") }
            }
            (_, None) => Input::Tick,
        };
        self.processes[n].as_mut().expect("it is up").flights.remove(place);
        self.feed(n, &input);
        // What nothing followed from is still due.
        if let Some(process) = self.processes[n].as_mut().filter(|process| process.pending.is_none()) {
            let run = process.run.clone();
            process.reconcile(&run);
        }
    }

    fn looked(&self, run: &Run, ix: StepIx, work: Work) -> Answer {
        let cell = self.cells[ix.index()];
        match work {
            Work::Plan(_) => Answer::Planned(Ok(Some(Proposal {
                prior: cell.to_string().into(),
                stages: 1,
                within: Duration::from_millis(8),
                call: None,
                must_finish: false,
                changes: Vec::new(),
            }))),
            _ if cell == self.value => Answer::Looked(Ok(Look::Desired { out: "null".into() })),
            _ if prior(run, ix) == Some(cell) => Answer::Looked(Ok(Look::Prior)),
            _ => Answer::Looked(Err(Fault::foreign("another run was here"))),
        }
    }

    /// Looks right before it writes, and writes once; `None` while it waits for the answer.
    fn call(&mut self, n: usize, place: usize, ix: StepIx, flight: &Flight) -> Option<Answer> {
        let back = matches!(flight.due.work, Work::Undo(_));
        let answer = |result| Some(if back { Answer::Undone(result) } else { Answer::Applied(result) });
        let run = &self.processes[n].as_ref().expect("it is up").run;
        let (by, before) = (flight.due.until, prior(run, ix));
        let wanted = self.wanted(run, ix, flight.due.work);
        if let Some(id) = flight.call {
            let landed = self.calls.iter().any(|call| call.id == id && call.landed) && !flight.lost;
            let said = landed || self.has(Bug::OutcomeBeforeEffect);
            return answer(if said { Ok(None) } else { Err(Fault::lost("no answer")) });
        }
        if self.at() > by && !self.has(Bug::DeadlineIgnored) {
            return answer(Err(Fault::lost("no answer")));
        }
        let cell = self.cells[ix.index()];
        if cell == wanted {
            return answer(Ok(None));
        }
        if cell != self.value && before.is_some_and(|before| cell != before) {
            return answer(Err(Fault::foreign("another run was here")));
        }
        assert!(self.kept.intents.contains(&(ix, back, by)), "sent without a durable intent");
        assert!(self.at() <= by, "sent after its deadline");
        self.sent += 1;
        let process = self.processes[n].as_mut().expect("it is up");
        let round = process.run[ix].round;
        process.flights[place].call = Some(self.sent);
        self.calls.push(Call { id: self.sent, step: ix, round, back, by, to: wanted, landed: false });
        None
    }

    fn land(&mut self, n: usize, seen: &mut Seen) {
        let call = &mut self.calls[n];
        call.landed = true;
        let (id, key) = (call.id, (call.step, call.round, call.back));
        self.cells[call.step.index()] = call.to;
        let times = self.landed.entry(key).or_default();
        *times += 1;
        assert!(*times == 1, "a call was carried out twice");
        let sender = self.processes.iter().flatten().find(|p| p.flights.iter().any(|f| f.call == Some(id)));
        if sender.is_none_or(|process| process.epoch != self.kept.epoch) {
            seen.late += 1;
        }
        if self.is_alone() {
            self.check_verdict();
        }
    }

    /// A process that is not stopped renews in time.
    fn pass(&mut self) {
        self.left.lost -= u8::try_from(self.losses()).expect("as many as are left");
        self.now += 1;
        for n in 0..2 {
            let lazy = self.has(Bug::LeaseNotRenewed);
            let Some(process) = self.processes[n].as_mut().filter(|process| !process.stopped) else {
                continue;
            };
            if lazy && process.flights.iter().any(|flight| flight.due.work.writes()) {
                continue;
            }
            if process.epoch == self.kept.epoch && self.kept.holder.is_some_and(|(holder, _)| holder == n) {
                (self.kept.holder, process.silent) = (Some((n, self.now + TTL)), false);
            } else {
                self.processes[n] = None;
            }
        }
        let may_land = |call: &Call| call.landed || self.given_up(call) > self.now;
        self.calls = self.calls.iter().filter(|call| may_land(call)).cloned().collect();
    }

    /// All processes are gone, somebody aborts, one process takes the run, what is stuck is tried again, and nothing goes
    /// wrong any more: the run ends, and the world is as before. Whether what is under way lands or not.
    pub(super) fn ends_if_aborted(&self) {
        for lands in [true, false] {
            let mut system = self.clone();
            (system.processes, system.bug) = ([None, None], None);
            system.left = Budget { lost: u8::MAX, ..Budget::default() };
            let mut seen = Seen::default();
            while lands && system.calls.iter().any(|call| !call.landed) {
                let next = system.calls.iter().position(|call| !call.landed).expect("there is one");
                system.go(Move::Land(next), &mut seen);
            }
            let begun = system.kept.run.mode != Mode::Idle;
            if !begun && self.plan.steps.iter().any(|step| matches!(step.kind, Kind::Approve(_))) {
                // There is nothing to abort, and nobody says yes.
                return;
            }
            let given = self.orders.iter().take(usize::from(system.kept.orders)).cloned();
            // Who aborts a rollback means that it should stop; this goes all the way, also then.
            let all = Order::Rollback { rewind: Rewind::All, reason: "enough".into() };
            system.orders = given.chain([by_bo(all)]).collect();
            system.kept.orders += u8::from(begun);
            let ended = (0..PATIENCE).any(|_| {
                let next = system.moves().into_iter().find(|way| !matches!(way, Move::Land(_) | Move::Pass));
                let landing = system.calls.iter().position(|call| !call.landed).filter(|_| next.is_none());
                system.go(next.or(landing.map(Move::Land)).unwrap_or(Move::Pass), &mut seen);
                system.mend();
                system.kept.run.is_finished() && system.kept.run.last_order == u64::from(system.kept.orders)
            });
            assert!(ended, "an aborted run does not end: {:?}", system.kept.run.steps);
            let undone = system.kept.run.mode == Mode::Finished(Verdict::RolledBack);
            assert!(undone || !begun, "an aborted run ended as {:?}", system.kept.run.mode);
        }
    }
}

/// What a step found, once that is recorded.
fn prior(run: &Run, ix: StepIx) -> Option<u8> {
    let record = run[ix].record.as_ref()?;
    Some(record.proposal.prior.parse().expect("it is a number"))
}

/// Nothing is done before those who were to be asked have said yes.
fn check_approval(run: &Run, event: &Event) {
    let Event::Step(ix, StepEvent::Applying { .. }) = event else { return };
    for need in &run.plan[*ix].needs {
        let asked = matches!(run.plan[*need].kind, Kind::Approve(_));
        assert!(!asked || !run[*need].approved_by.is_empty(), "it went on before anybody had said yes");
    }
}

/// A human's word is not believed against the world.
fn check_settled(cells: &[u8], value: u8, event: &Event) {
    if let Event::Step(ix, StepEvent::Settled { done }) = event {
        assert!((cells[ix.index()] == value) == *done, "a word was believed against the world");
    }
}

/// An alarm that is taken has tripped its guard.
fn check_trips(events: &[Event]) {
    let taken = |event: &Event| matches!(event, Event::OrderTaken { order: Order::Trip { .. }, .. });
    let tripped = events.iter().any(|event| matches!(event, Event::GuardTripped { .. }));
    assert!(tripped || !events.iter().any(taken), "an alarm was taken, and nothing followed");
}

/// What nobody ordered was announced, and its time has passed.
fn check_word(run: &Run, event: &Event, now: Timestamp) {
    if let Event::RollbackStarted { cause, .. } = event
        && run.plan.policy.veto.is_some()
        && !matches!(cause, Cause::Order { .. })
    {
        let said = run.announced.as_ref().is_some_and(|said| said.cause == *cause && said.at <= now);
        assert!(said, "it turned back without a word");
    }
}

impl System {
    /// What is stuck is a human's to try again.
    fn mend(&mut self) {
        let heard = self.kept.run.last_order == u64::from(self.kept.orders);
        if let (Some(PauseCause::Stuck(step)), true) = (&self.kept.run.paused, heard) {
            let retry = Order::Retry { step: *step };
            self.orders = self.orders.iter().cloned().chain([by_bo(retry)]).collect();
            self.kept.orders += 1;
        }
    }
}

impl Process {
    /// Makes the work under way what it should be. A write is not dropped.
    fn reconcile(&mut self, run: &Run) {
        let wanted = due(run);
        let same = |a: &Due, b: &Due| {
            (a.work, a.turn) == (b.work, b.turn) && (a.work != Work::Wake || a.from == b.from)
        };
        self.flights
            .retain(|flight| flight.due.work.writes() || wanted.iter().any(|due| same(due, &flight.due)));
        for due in wanted {
            if !self.flights.iter().any(|flight| same(&due, &flight.due)) {
                self.flights.push(Flight { due, call: None, lost: false });
            }
        }
    }
}
